// Small texts of our own, in English and Chinese, that are there without any file: a world of kings, farmers, fruit and
// animals to learn word vectors and language models from, opinions, and sentences that differ in the order of words alone.
// In: a language. Out: sentences, words with spaces between them (Chinese, too). Every sentence is written here or put
// together from what is written here.

import type { LabelledText } from './datasets.ts';

export type CorpusLanguage = 'en' | 'zh';

/** What can be said of somebody: each trait is a list of sentences with X in the place of the word. */
interface World {
  readonly traits: Readonly<Record<string, readonly string[]>>;
  /** Words and their traits. */
  readonly words: Readonly<Record<string, readonly string[]>>;
}
const EN: World = {
  traits: {
    male: ['he is a X', 'the X has a beard', 'his name is known and he is the X', 'the X said he was tired'],
    female: [
      'she is a X',
      'the X wears a dress',
      'her name is known and she is the X',
      'the X said she was tired',
    ],
    royal: [
      'the X rules the land',
      'the X sits on a throne',
      'the X lives in the palace',
      'the X wears a golden crown',
    ],
    common: ['the X works in the field', 'the X lives in the village', 'the X buys bread at the market'],
    grown: ['the X is old and wise', 'the X drinks wine', 'the X has grey hair'],
    young: ['the X is young', 'the X goes to school', 'the X plays in the garden'],
    fruit: [
      'a X is sweet',
      'i eat a ripe X',
      'the X grows on a tree',
      'a X is a fruit',
      'she cuts the X with a knife',
    ],
    animal: ['the X runs fast', 'the X has four legs', 'the X is an animal', 'the X eats and sleeps'],
    tame: ['the X lives in our house', 'we feed the X every day'],
    wild: ['the X lives in the dark forest', 'people are afraid of the X'],
    city: ['we travel to X by train', 'X is a large city', 'the streets of X are busy'],
  },
  words: {
    king: ['male', 'royal', 'grown'],
    queen: ['female', 'royal', 'grown'],
    man: ['male', 'common', 'grown'],
    woman: ['female', 'common', 'grown'],
    prince: ['male', 'royal', 'young'],
    princess: ['female', 'royal', 'young'],
    boy: ['male', 'common', 'young'],
    girl: ['female', 'common', 'young'],
    apple: ['fruit'],
    pear: ['fruit'],
    plum: ['fruit'],
    dog: ['animal', 'tame'],
    cat: ['animal', 'tame'],
    wolf: ['animal', 'wild'],
    bear: ['animal', 'wild'],
    beijing: ['city'],
    london: ['city'],
    paris: ['city'],
  },
};
const ZH: World = {
  traits: {
    male: ['他 是 X', 'X 有 胡子', '他 的 名字 叫 X', 'X 说 他 累 了'],
    female: ['她 是 X', 'X 穿 裙子', '她 的 名字 叫 X', 'X 说 她 累 了'],
    royal: ['X 统治 国家', 'X 坐 在 宝座 上', 'X 住 在 王宫 里', 'X 戴 着 金色 的 王冠'],
    common: ['X 在 田 里 干活', 'X 住 在 村子 里', 'X 去 市场 买 面包'],
    grown: ['X 年纪 大 又 聪明', 'X 喝 酒', 'X 有 白 头发'],
    young: ['X 很 年轻', 'X 去 上学', 'X 在 花园 里 玩'],
    fruit: ['X 很 甜', '我 吃 熟 的 X', 'X 长 在 树 上', 'X 是 水果', '她 用 刀 切 X'],
    animal: ['X 跑 得 快', 'X 有 四 条 腿', 'X 是 动物', 'X 吃 饱 就 睡'],
    tame: ['X 住 在 我们 家', '我们 每天 喂 X'],
    wild: ['X 住 在 黑 森林 里', '人们 害怕 X'],
    city: ['我们 坐 火车 去 X', 'X 是 大 城市', 'X 的 街道 很 热闹'],
  },
  words: {
    国王: ['male', 'royal', 'grown'],
    女王: ['female', 'royal', 'grown'],
    男人: ['male', 'common', 'grown'],
    女人: ['female', 'common', 'grown'],
    王子: ['male', 'royal', 'young'],
    公主: ['female', 'royal', 'young'],
    男孩: ['male', 'common', 'young'],
    女孩: ['female', 'common', 'young'],
    苹果: ['fruit'],
    梨: ['fruit'],
    李子: ['fruit'],
    狗: ['animal', 'tame'],
    猫: ['animal', 'tame'],
    狼: ['animal', 'wild'],
    熊: ['animal', 'wild'],
    北京: ['city'],
    伦敦: ['city'],
    巴黎: ['city'],
  },
};
const WORLDS: Readonly<Record<CorpusLanguage, World>> = { en: EN, zh: ZH };

/** The sentences of the small world: everything that its traits say of each word. */
export function smallCorpus(language: CorpusLanguage): string[] {
  const { traits, words } = WORLDS[language];
  return Object.entries(words).flatMap(([word, has]) =>
    has.flatMap(trait => traits[trait]!.map(sentence => sentence.replaceAll('X', word))),
  );
}
/** The words that the small world is about. */
export const smallWords = (language: CorpusLanguage): string[] => Object.keys(WORLDS[language].words);

// ---- opinions ----------------------------------------------------------------------------------------------------------

const OPINIONS: Readonly<
  Record<
    CorpusLanguage,
    { readonly frames: readonly string[]; readonly good: readonly string[]; readonly bad: readonly string[] }
  >
> = {
  en: {
    frames: [
      'the film is X',
      'what a X movie',
      'i think the story is X',
      'the actors are X',
      'a X evening for all of us',
    ],
    good: ['great', 'wonderful', 'lovely', 'brilliant', 'charming', 'clever', 'moving', 'fresh'],
    bad: ['terrible', 'boring', 'awful', 'dull', 'clumsy', 'tedious', 'empty', 'stale'],
  },
  zh: {
    frames: ['这部 电影 很 X', '真是 X 的 片子', '我 觉得 故事 很 X', '演员 都 很 X', '一 个 X 的 晚上'],
    good: ['精彩', '好看', '感人', '有趣', '动人', '新鲜', '巧妙', '可爱'],
    bad: ['糟糕', '无聊', '难看', '沉闷', '笨拙', '乏味', '空洞', '老套'],
  },
};
const SAID: Readonly<Record<CorpusLanguage, readonly (readonly [text: string, label: number])[]>> = {
  en: [
    ['i love this movie', 1],
    ['i hate this movie', 0],
    ['i would see it again tomorrow', 1],
    ['i want my money back', 0],
    ['we laughed and cried', 1],
    ['we left after ten minutes', 0],
  ],
  zh: [
    ['我 爱 这部 电影', 1],
    ['我 讨厌 这部 电影', 0],
    ['明天 我 还 想 再 看 一 遍', 1],
    ['把 票 钱 还 给 我', 0],
    ['我们 又 笑 又 哭', 1],
    ['十 分钟 后 我们 就 走 了', 0],
  ],
};
/** Opinions of films, 1 for a good one, 0 for a bad one, half of them each. */
export function smallReviews(language: CorpusLanguage): LabelledText[] {
  const { frames, good, bad } = OPINIONS[language];
  const made = frames.flatMap(frame =>
    [good, bad].flatMap((list, i) => list.map(word => ({ text: frame.replaceAll('X', word), label: 1 - i }))),
  );
  return [...SAID[language].map(([text, label]) => ({ text, label })), ...made];
}

// ---- order -------------------------------------------------------------------------------------------------------------

const BITES: Readonly<
  Record<
    CorpusLanguage,
    {
      readonly people: readonly string[];
      readonly animals: readonly string[];
      readonly frames: readonly string[];
    }
  >
> = {
  en: {
    people: ['man', 'woman', 'boy', 'girl', 'farmer', 'teacher', 'doctor', 'king'],
    animals: ['dog', 'cat', 'wolf', 'bear', 'horse', 'goose', 'fox', 'snake'],
    frames: ['A bites B', 'the A bites the B', 'today the A chased the B', 'a A saw a B'],
  },
  zh: {
    people: ['人', '男人', '女人', '男孩', '女孩', '农民', '老师', '医生'],
    animals: ['狗', '猫', '狼', '熊', '马', '鹅', '狐狸', '蛇'],
    frames: ['A 咬 B', '那 只 A 咬 了 B', '今天 A 追 B', 'A 看见 了 B'],
  },
};
/**
 * Who does it to whom: sentences in pairs that have the same words in another order, 人咬狗 (1: the person does it) and 狗咬人
 * (0: the animal does it). What does not see the order gives both the same answer, and is right for one of two.
 */
export function swappedPairs(language: CorpusLanguage): LabelledText[] {
  const { people, animals, frames } = BITES[language];
  const say = (frame: string, a: string, b: string): string =>
    frame
      .split(' ')
      .map(w => (w === 'A' ? a : w === 'B' ? b : w))
      .join(' ');
  return frames.flatMap(frame =>
    people.flatMap(p =>
      animals.flatMap(a => [
        { text: say(frame, p, a), label: 1 },
        { text: say(frame, a, p), label: 0 },
      ]),
    ),
  );
}

/** What a word of a sentence of `whoDoesIt` is: nothing of both, who does it, what is done, to whom. */
export const ROLES = ['other', 'agent', 'action', 'patient'] as const;
export interface RoleSentence {
  readonly words: readonly string[];
  /** Numbers of `ROLES`, one a word. */
  readonly roles: readonly number[];
}
const DONE: Readonly<Record<CorpusLanguage, readonly (readonly [words: string, roles: string])[]>> = {
  // a: who does it, v: what is done, p: to whom.
  en: [
    ['the A V the B', '.av.p'],
    ['the A is V by the B', '.p.v..a'],
    ['it is the A who V the B', '...a.v.p'],
    ['it is the A whom the B V', '...p..av'],
  ],
  zh: [
    ['A V 了 B', 'av.p'],
    ['A 被 B V 了', 'p.av.'],
    ['V 了 B 的 是 A', 'v.p..a'],
    ['A 把 B V 了', 'a.pv.'],
  ],
};
const VERBS: Readonly<Record<CorpusLanguage, readonly string[]>> = {
  en: ['bitten', 'chased', 'seen', 'followed', 'found', 'called'],
  zh: ['咬', '追', '看见', '跟踪', '找到', '叫醒'],
};
/**
 * Who does what to whom, a role for every word: active and passive sentences, 狗咬了人 and 人被狗咬了. The first word does it or
 * suffers it, which only the words behind it tell.
 */
export function whoDoesIt(language: CorpusLanguage): RoleSentence[] {
  const { people, animals } = BITES[language];
  const names = [...people, ...animals];
  const roleOf = { '.': 0, a: 1, v: 2, p: 3 } as const;
  return DONE[language].flatMap(([frame, roles]) =>
    names.flatMap(a =>
      names
        .filter(b => b !== a)
        .flatMap(b =>
          VERBS[language].map(v => ({
            words: frame.split(' ').map(w => ({ A: a, B: b, V: v })[w] ?? w),
            roles: [...roles].map(r => roleOf[r as keyof typeof roleOf]),
          })),
        ),
    ),
  );
}

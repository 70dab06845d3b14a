// Word vectors from our own small corpora, learned and counted: king − man + woman, and why one-hot vectors cannot do it.

import { F, type Tensor } from '../../index.ts';
import { AdamW } from '../../optim/index.ts';
import {
  type CorpusLanguage,
  cosine,
  countedVectors,
  readWordVectors,
  SkipGram,
  skipGramPairs,
  smallCorpus,
  smallWords,
  splitSpaces,
  Vocab,
  type WordVectors,
} from '../../text/index.ts';
import { matrixChart, pointMap } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { count, defineRecipe, fixed, positive, words } from './recipe.ts';

/** a is to b as c to d, by place in the list of words: king, queen, man, woman, prince, princess, boy, girl. */
const QUESTIONS: readonly (readonly [a: number, b: number, c: number, d: number])[] = [
  [2, 0, 3, 1],
  [0, 1, 2, 3],
  [3, 1, 2, 0],
  [2, 3, 6, 7],
  [4, 5, 0, 1],
  [6, 4, 7, 5],
  [0, 4, 1, 5],
  [2, 6, 3, 7],
];
const LANGUAGES = ['en', 'zh'] as const;

/** How many of the questions have their answer nearest, the words of the question left out. */
function answered(v: WordVectors, list: readonly string[]): number {
  const right = QUESTIONS.filter(([a, b, c, d]) => {
    const [x, y, z] = [list[a]!, list[b]!, list[c]!];
    return v.analogy(x, y, z, { count: 1 })[0]!.word === list[d];
  });
  return right.length / QUESTIONS.length;
}
/** Cosines of one-hot vectors: 1 with itself, 0 with every other, whatever they mean. */
function oneHotCosines(n: number): number[][] {
  const oneHot = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));
  return oneHot.map(a => oneHot.map(b => cosine(a, b)));
}

export const wordVectors = defineRecipe({
  name: 'word-vectors',
  about: {
    en: 'Word vectors from a small world of kings, fruit and animals, in English and Chinese: learned (skip-gram) and counted; vectors=FILE shows a file of GloVe, word2vec or fastText',
    zh: '在国王、水果、动物的小世界（中英文）里得到词向量：学习（skip-gram）与计数两种；vectors=文件 可查看 GloVe、word2vec、fastText 文件',
  },
  goal: {
    en: 'king − man + woman is nearest to queen, 国王 − 男人 + 女人 to 女王; all 8 analogies in both languages',
    zh: 'king − man + woman 最近的是 queen，国王 − 男人 + 女人 最近的是 女王；两种语言各 8 个类比全部答对',
  },
  settings: {
    epochs: count(300),
    lr: positive(0.02),
    dim: count(16),
    vectors: words('', 'a file of word vectors'),
  },
  async train({ settings, language, fit }) {
    const learned: Partial<Record<CorpusLanguage, WordVectors>> = {};
    const metrics: Record<string, number> = {};
    for (const l of LANGUAGES) {
      const sentences = smallCorpus(l).map(splitSpaces);
      const vocab = Vocab.build(sentences);
      const { x, y } = skipGramPairs(sentences.map(s => s.map(w => vocab.id(w))));
      const model = new SkipGram(vocab.size, settings.dim);
      const optimizer = new AdamW(model.parameters(), { lr: settings.lr, weightDecay: 0.1 });
      const { history } = await fit(l, model, {
        train: [[x, y] as [Tensor, Tensor]],
        epochs: settings.epochs,
        optimizer,
        loss: F.crossEntropy,
      });
      const v = model.vectors(vocab);
      learned[l] = v;
      const name = l === 'en' ? 'En' : 'Zh';
      metrics[`trainLoss${name}`] = history['trainLoss']!.at(-1)!;
      metrics[`analogies${name}`] = answered(v, smallWords(l));
      metrics[`analogiesCounted${name}`] = answered(
        countedVectors(sentences, { dim: settings.dim }),
        smallWords(l),
      );
    }
    const facts = LANGUAGES.flatMap(l => factsOf(learned[l]!, smallWords(l)));
    const file = settings.vectors === '' ? null : await readWordVectors(settings.vectors);
    if (file !== null) facts.push(...factsOf(file, smallWords('en')));
    return {
      metrics,
      facts,
      pictures: async () => {
        const pictures: Record<string, string> = {};
        for (const l of LANGUAGES) {
          const list = smallWords(l);
          pictures[`map-${l}`] = mapPicture(
            learned[l]!,
            list,
            language === 'zh' ? '词向量的平面图' : 'A map of words',
            language,
          );
          const eight = list.slice(0, 9);
          const cosines = eight.map(a => eight.map(b => learned[l]!.similarity(a, b)));
          const label = (name: Words, values: number[][]): string =>
            matrixChart({
              title: name[language],
              rows: eight,
              columns: eight,
              values,
              domain: [-1, 1],
              format: v => fixed(v, 2),
            });
          pictures[`cosines-${l}`] = label({ en: 'Cosines of embeddings', zh: '词向量的余弦' }, cosines);
          pictures[`one-hot-${l}`] = label(
            { en: 'Cosines of one-hot vectors', zh: '独热向量的余弦' },
            oneHotCosines(9),
          );
        }
        if (file !== null)
          pictures['map-file'] = mapPicture(file, smallWords('en'), settings.vectors, language);
        return pictures;
      },
    };
  },
});
function factsOf(v: WordVectors, list: readonly string[]): (readonly [Words, string])[] {
  const [king, queen, man, woman] = list as readonly [string, string, string, string];
  const apple = list[8]!;
  const ask = `${king} − ${man} + ${woman}`;
  const [first, second] = v.analogy(man, king, woman, { count: 2 });
  const pair = (a: string, b: string): readonly [Words, string] => [
    { en: `cos(${a}, ${b})`, zh: `cos(${a}, ${b})` },
    fixed(v.similarity(a, b), 3),
  ];
  return [
    [
      { en: ask, zh: ask },
      `${first!.word} ${fixed(first!.similarity, 3)}, ${second!.word} ${fixed(second!.similarity, 3)}`,
    ],
    pair(king, queen),
    pair(king, apple),
  ];
}
/** What the words of a small world are, by their places in the list. */
const GROUPS: readonly (readonly [from: number, name: Words])[] = [
  [0, { en: 'people', zh: '人' }],
  [8, { en: 'fruit', zh: '水果' }],
  [11, { en: 'animals', zh: '动物' }],
  [15, { en: 'cities', zh: '城市' }],
];
function mapPicture(v: WordVectors, list: readonly string[], title: string, language: Language): string {
  const groupOf = (word: string): string =>
    GROUPS.findLast(([from]) => list.indexOf(word) >= from)![1][language];
  const pairs = [0, 2, 4, 6].map(i => [list[i]!, list[i + 1]!] as const);
  const known = list.filter(w => v.has(w));
  return pointMap({
    title,
    points: v.plane(known).map(p => ({ name: p.word, x: p.x, y: p.y, group: groupOf(p.word) })),
    links: pairs,
  });
}

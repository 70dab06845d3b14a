// Who does what to whom: a role for every word, by an LSTM that reads from both ends, and by one that reads forwards only
// and cannot know what the first word will turn out to be.

import { DataLoader, RandomSampler, TensorDataset } from '../../data/index.ts';
import { F, Generator, type Tensor } from '../../index.ts';
import { Adam } from '../../optim/index.ts';
import {
  type CorpusLanguage,
  padIds,
  ROLES,
  type RoleSentence,
  splitSpaces,
  Tagger,
  WordTokenizer,
  whoDoesIt,
} from '../../text/index.ts';
import { Accuracy } from '../../train/index.ts';
import type { Words } from '../language.ts';
import { comparisonPicture } from './curves.ts';
import { count, defineRecipe, oneOf, percent, positive } from './recipe.ts';

const WAYS: readonly { readonly name: string; readonly words: Words; readonly bidirectional: boolean }[] = [
  { name: '', words: { en: 'from both ends', zh: '双向' }, bidirectional: true },
  { name: 'Forwards', words: { en: 'forwards only', zh: '仅正向' }, bidirectional: false },
];
const SHOWN: Readonly<Record<CorpusLanguage, Words>> = {
  en: { en: 'the man is bitten by the dog', zh: 'the man is bitten by the dog' },
  zh: { en: '人 被 狗 咬 了', zh: '人 被 狗 咬 了' },
};
/** Places that are padding have no role. */
const NONE = -100;

export const tagging = defineRecipe({
  name: 'tagging',
  about: {
    en: 'Who does what to whom (corpus=zh or en): a role for every word, read from both ends or forwards only',
    zh: '谁对谁做了什么（corpus=zh 或 en）：给每个词标角色，双向读与仅正向读',
  },
  goal: {
    en: 'from both ends ≥ 99 % of words in sentences it never saw; forwards only it must guess some first words',
    zh: '双向在没见过的句子上 ≥ 99 % 的词正确；仅正向只能猜某些首词',
  },
  settings: {
    epochs: count(4),
    batchSize: count(32),
    lr: positive(5e-3),
    dim: count(32),
    corpus: oneOf<CorpusLanguage>('zh', ['zh', 'en']),
  },
  async train({ settings, language, fit }) {
    const { epochs, batchSize, lr, dim, corpus } = settings;
    const all = whoDoesIt(corpus);
    const tokenizer = WordTokenizer.train(
      all.map(s => s.words.join(' ')),
      { split: splitSpaces },
    );
    const order = [...new RandomSampler(all).order(new Generator(11))];
    const cut = Math.floor(0.8 * order.length);
    const tensors = (list: readonly RoleSentence[]): TensorDataset<[Tensor, Tensor]> => {
      const ids = list.map(s => tokenizer.encode(s.words.join(' ')));
      const length = Math.max(...ids.map(i => i.length));
      const x = padIds(ids, { length }).ids; // (N, T)
      const y = padIds(
        list.map(s => [...s.roles]),
        { length, padId: NONE },
      ).ids; // (N, T)
      return new TensorDataset(x, y);
    };
    const pick = (from: number, to?: number): RoleSentence[] => order.slice(from, to).map(i => all[i]!);
    const [train, test] = [tensors(pick(0, cut)), tensors(pick(cut))];
    const metrics: Record<string, number> = {};
    const curves: Record<string, readonly number[]> = {};
    const facts: (readonly [Words, string])[] = [];
    const shown = splitSpaces(SHOWN[corpus][language]);
    for (const { name, words, bidirectional } of WAYS) {
      const model = new Tagger(tokenizer.vocabSize, ROLES.length, { dim, bidirectional });
      const { history } = await fit(name === '' ? 'both' : name, model, {
        train: new DataLoader(train, { batchSize, shuffle: true }),
        validate: new DataLoader(test, { batchSize: 256 }),
        validateAs: 'test',
        epochs,
        optimizer: new Adam(model.parameters(), { lr }),
        forward: ([x, y]) => {
          const output = model(x!).flatten(0, 1); // (N · T, roles)
          const target = y!.flatten(); // (N · T)
          return { loss: F.crossEntropy(output, target), output, target };
        },
        metrics: { accuracy: new Accuracy({ ignoreIndex: NONE }) },
      });
      for (const metric of ['trainLoss', 'testLoss', 'testAccuracy'])
        metrics[`${metric}${name}`] = history[metric]!.at(-1)!;
      curves[words[language]] = history['testAccuracy']!;
      const ids = tokenizer.encode(shown.join(' '));
      const told = (await model(padIds([ids]).ids)
        .argmax(-1)
        .select(0, 0)
        .tolist()) as number[];
      const said = shown.map((w, t) => `${w}/${ROLES[told[t]!]}`).join(' ');
      facts.push([words, `${percent(metrics[`testAccuracy${name}`]!)}  ${said}`]);
    }
    return {
      metrics,
      facts,
      pictures: async () => ({
        accuracy: comparisonPicture(curves, {
          title: { en: 'Who does what to whom', zh: '谁对谁做了什么' },
          subtitle: shown.join(' '),
          language,
          label: language === 'zh' ? '测试准确率（词）' : 'test accuracy of words',
        }),
      }),
    };
  },
});

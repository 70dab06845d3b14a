// 狗咬人 or 人咬狗: the same words in another order mean something else. Models that see the order, and one that does not.

import { RandomSampler } from '../../data/index.ts';
import { Generator } from '../../index.ts';
import type { Layer } from '../../nn/index.ts';
import { Adam } from '../../optim/index.ts';
import {
  BagClassifier,
  ConvClassifier,
  type CorpusLanguage,
  type LabelledText,
  padIds,
  splitSpaces,
  swappedPairs,
  textLoader,
  WordTokenizer,
} from '../../text/index.ts';
import { Accuracy } from '../../train/index.ts';
import { matrixChart } from '../../viz/index.ts';
import type { Words } from '../language.ts';
import { comparisonPicture } from './curves.ts';
import { loss, measure } from './measure.ts';
import { count, defineRecipe, oneOf, percent, positive } from './recipe.ts';

interface Kind {
  readonly name: string;
  readonly label: Words;
  readonly build: (vocabSize: number) => Layer;
}
const KINDS: readonly Kind[] = [
  {
    name: 'Bag',
    label: { en: 'mean of embeddings', zh: '词向量平均' },
    build: v => new BagClassifier(v, { dim: 16 }),
  },
  {
    name: 'Conv',
    label: { en: 'convolution', zh: '卷积' },
    build: v => new ConvClassifier(v, { dim: 16, filters: 8 }),
  },
];
const SHOWN: Readonly<Record<CorpusLanguage, readonly [string, string]>> = {
  en: ['man bites dog', 'dog bites man'],
  zh: ['人 咬 狗', '狗 咬 人'],
};

/** Pairs for training and a quarter for testing; both sentences of a pair are in the same part. */
function parts(pairs: readonly LabelledText[]): { train: LabelledText[]; test: LabelledText[] } {
  const n = pairs.length / 2;
  const order = [...new RandomSampler({ length: n }).order(new Generator(7))];
  const of = (list: readonly number[]): LabelledText[] =>
    list.flatMap(i => [pairs[2 * i]!, pairs[2 * i + 1]!]);
  const cut = Math.floor(0.75 * n);
  return { train: of(order.slice(0, cut)), test: of(order.slice(cut)) };
}

export const wordOrder = defineRecipe({
  name: 'word-order',
  about: {
    en: 'Man bites dog or dog bites man (corpus=en or zh): who does it to whom, by models with and without an eye for order',
    zh: '人咬狗还是狗咬人（corpus=zh 或 en）：谁对谁做，看得见和看不见词序的模型',
  },
  goal: {
    en: 'the mean of embeddings is right for one of two (50 %), the convolution for ≥ 99 % of pairs it never saw',
    zh: '词向量平均只对一半（50 %），卷积在没见过的句对上 ≥ 99 %',
  },
  settings: {
    epochs: count(20),
    batchSize: count(32),
    lr: positive(0.01),
    corpus: oneOf<CorpusLanguage>('zh', ['zh', 'en']),
  },
  async train({ settings, language, fit }) {
    const all = swappedPairs(settings.corpus);
    const tokenizer = WordTokenizer.train(
      all.map(s => s.text),
      { split: splitSpaces },
    );
    const { train, test } = parts(all);
    const encode = (list: readonly LabelledText[]) =>
      list.map(s => ({ ids: tokenizer.encode(s.text), label: s.label }));
    const shown = SHOWN[settings.corpus];
    const x = padIds(shown.map(s => tokenizer.encode(s))).ids; // (2, T)
    const metrics: Record<string, number> = {};
    const curves: Record<string, readonly number[]> = {};
    const said: number[][] = [];
    for (const kind of KINDS) {
      const model = kind.build(tokenizer.vocabSize);
      const { history } = await fit(kind.name, model, {
        train: textLoader(encode(train), { batchSize: settings.batchSize, shuffle: true }),
        validate: textLoader(encode(test), { batchSize: 64 }),
        validateAs: 'test',
        epochs: settings.epochs,
        optimizer: new Adam(model.parameters(), { lr: settings.lr }),
        loss,
        metrics: { accuracy: new Accuracy() },
      });
      const { testLoss, testAccuracy } = await measure(model, textLoader(encode(test), { batchSize: 64 }));
      metrics[`testAccuracy${kind.name}`] = testAccuracy;
      metrics[`testLoss${kind.name}`] = testLoss;
      curves[kind.label[language]] = history['testAccuracy']!;
      const p = await model(x).detach().softmax(-1).select(1, 1).data(); // (2)
      said.push(Array.from(p as Float32Array, Number));
    }
    const names = shown.map(s => (settings.corpus === 'zh' ? s.replaceAll(' ', '') : s));
    return {
      metrics,
      facts: KINDS.map((kind, i) => [
        kind.label,
        `${percent(metrics[`testAccuracy${kind.name}`]!)}; ${names.map((n, k) => `${n} ${percent(said[i]![k]!)}`).join(', ')}`,
      ]),
      pictures: async () => ({
        accuracy: comparisonPicture(curves, {
          title: { en: 'Who does it to whom', zh: '谁对谁做' },
          subtitle: names.join(' / '),
          language,
          label: language === 'zh' ? '测试准确率' : 'test accuracy',
        }),
        answers: matrixChart({
          title: language === 'zh' ? 'P(人做的)' : 'P(the person does it)',
          rows: KINDS.map(k => k.label[language]),
          columns: names,
          values: said,
          domain: [0, 1],
        }),
      }),
    };
  },
});

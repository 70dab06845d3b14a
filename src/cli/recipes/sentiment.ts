// Opinions as positive or negative: films in English, whole sentences and snippets, and hotels in Chinese; by models that
// see words without their order, or runs of words.

import type { Layer } from '../../nn/index.ts';
import { AdamW, CosineAnnealingLR } from '../../optim/index.ts';
import {
  BagClassifier,
  BiLSTMClassifier,
  ConvClassifier,
  folds,
  hotelReviews,
  type Labelled,
  type LabelledText,
  MambaClassifier,
  movieReviews,
  padIds,
  type Split,
  sentenceSteps,
  splitSpaces,
  splitWords,
  sstTrees,
  TransformerClassifier,
  textLoader,
  treePhrases,
  Vocab,
  WordTokenizer,
} from '../../text/index.ts';
import { Accuracy, EarlyStopping, type Metrics } from '../../train/index.ts';
import { matrixChart } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { trainingPicture } from './curves.ts';
import { loss, measure } from './measure.ts';
import {
  count,
  defineRecipe,
  type Metadata,
  notNegative,
  oneOf,
  percent,
  positive,
  type Recipe,
} from './recipe.ts';

interface Parts {
  readonly train: readonly LabelledText[];
  /** Where there is one, the best epoch on it counts; else the last. */
  readonly validation?: readonly LabelledText[];
  readonly test: readonly LabelledText[];
}
interface Opinions {
  readonly name: string;
  readonly about: Words;
  readonly title: Words;
  readonly load: (fold: number) => Promise<Parts>;
  /** Numbers of the folds; one where the set has a split of its own. */
  readonly folds: readonly string[];
  readonly split: Split;
  /** For models that do not see the order: what stands side by side as a token of its own. Default: as `split`. */
  readonly unordered?: Split;
  /** Texts are cut after so many tokens. */
  readonly longest: number;
  readonly batchSize: number;
  /** A sentence for the picture. */
  readonly sentence: string;
}
interface Kind {
  readonly name: string;
  readonly about: Words;
  /** Whether it sees the order of words. */
  readonly ordered: boolean;
  readonly build: (vocabSize: number, o: { readonly dim: number; readonly dropout: number }) => Layer;
  readonly lr: number;
  readonly dim: number;
}

// ---- texts -------------------------------------------------------------------------------------------------------------

const WHOLE = ['0'];
const SST2: Opinions = {
  name: 'sst2',
  folds: WHOLE,
  about: {
    en: 'film reviews, SST-2: trained with the phrases of the sentiment treebank, tested on whole sentences',
    zh: '影评 SST-2：用情感树库的短语训练，在整句上测试',
  },
  title: { en: 'SST-2', zh: 'SST-2 影评' },
  async load() {
    const [train, validation, test] = await Promise.all(
      (['train', 'validation', 'test'] as const).map(async split =>
        treePhrases(await sstTrees({ split }), { phrases: split === 'train' }),
      ),
    );
    return { train: train!, validation: validation!, test: test! };
  },
  split: splitSpaces,
  longest: 64,
  batchSize: 64,
  sentence: 'not a bad film , but the ending is a terrible disappointment',
};
const POLARITY: Opinions = {
  name: 'polarity',
  folds: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  about: {
    en: 'movie-review snippets, one of ten folds held out (fold=0 … 9)',
    zh: '电影短评，十折中留出一折（fold=0 … 9）',
  },
  title: { en: 'Movie-review polarity', zh: '电影短评' },
  async load(fold) {
    const all = await movieReviews();
    const { train, test } = folds(all.length, 10)[fold]!;
    return { train: train.map(i => all[i]!), test: test.map(i => all[i]!) };
  },
  split: splitSpaces,
  longest: 64,
  batchSize: 50,
  sentence: 'a smart , funny film with a weak and boring ending',
};
/** Characters, and every two that stand side by side: most Chinese words have two characters. */
function splitPairs(text: string): string[] {
  const chars = splitWords(text);
  return [...chars, ...chars.slice(1).map((c, i) => chars[i]! + c)];
}
const HOTEL: Opinions = {
  name: 'hotel',
  folds: WHOLE,
  about: {
    en: 'Chinese hotel reviews, characters and pairs of them',
    zh: '中文酒店评论，以单字和相邻两字为词元',
  },
  title: { en: 'Hotel reviews', zh: '酒店评论' },
  async load() {
    const [train, validation, test] = await Promise.all(
      (['train', 'validation', 'test'] as const).map(split => hotelReviews({ split })),
    );
    return { train: train!, validation: validation!, test: test! };
  },
  split: text => splitWords(text),
  unordered: splitPairs,
  longest: 400,
  batchSize: 32,
  sentence: '房间很干净，但是早餐太差',
};

// ---- models ------------------------------------------------------------------------------------------------------------

const BAG: Kind = {
  name: 'bag',
  about: { en: 'the mean of the word vectors', zh: '词向量取平均' },
  ordered: false,
  build: (vocabSize, o) => new BagClassifier(vocabSize, o),
  lr: 3e-3,
  dim: 100,
};
const CNN: Kind = {
  name: 'cnn',
  about: { en: "convolutions over 3, 4 and 5 words (Kim's CNN)", zh: '3、4、5 个词的卷积（Kim 的 CNN）' },
  ordered: true,
  build: (vocabSize, o) => new ConvClassifier(vocabSize, o),
  lr: 1e-3,
  dim: 128,
};

const LSTM_KIND: Kind = {
  name: 'lstm',
  about: { en: 'an LSTM from each end', zh: '双向 LSTM' },
  ordered: true,
  build: (vocabSize, o) => new BiLSTMClassifier(vocabSize, o),
  lr: 2e-3,
  dim: 64,
};
const TRANSFORMER: Kind = {
  name: 'transformer',
  about: { en: 'a Transformer encoder', zh: 'Transformer 编码器' },
  ordered: true,
  build: (vocabSize, o) => new TransformerClassifier(vocabSize, o),
  lr: 1e-3,
  dim: 64,
};
const MAMBA: Kind = {
  name: 'mamba',
  about: { en: 'Mamba', zh: 'Mamba' },
  ordered: true,
  build: (vocabSize, o) => new MambaClassifier(vocabSize, o),
  lr: 2e-3,
  dim: 64,
};

// ---- the recipe --------------------------------------------------------------------------------------------------------

interface Bar {
  readonly epochs: number;
  readonly share: number;
}
const WORDS: Readonly<Record<string, Words>> = {
  test: { en: 'test accuracy', zh: '测试准确率' },
  validation: { en: 'validation accuracy', zh: '验证准确率' },
  vocab: { en: 'words', zh: '词表大小' },
  positive: { en: 'positive', zh: '正面' },
  negative: { en: 'negative', zh: '负面' },
  after: { en: 'so far', zh: '读到此处' },
  without: { en: 'without it', zh: '去掉此词' },
};
const percentText = (v: number): string => `${Math.round(100 * v)}`;

function sentimentRecipe(opinions: Opinions, kind: Kind, bar: Bar): Recipe {
  const title: Words = {
    en: `${opinions.title.en} · ${kind.about.en}`,
    zh: `${opinions.title.zh} · ${kind.about.zh}`,
  };
  const split = kind.ordered ? opinions.split : (opinions.unordered ?? opinions.split);
  const encode = (tokenizer: WordTokenizer, texts: readonly LabelledText[]): Labelled[] =>
    texts.map(({ text, label }) => ({ ids: tokenizer.encode(text).slice(0, opinions.longest), label }));
  const loader = (samples: readonly Labelled[]) => textLoader(samples, { batchSize: 128, multipleOf: 8 });
  const tokenizerOf = (metadata: Metadata): WordTokenizer =>
    new WordTokenizer(Vocab.fromJSON(metadata['vocab'] ?? 'null', 'the weights'), { split });
  return defineRecipe({
    name: `${opinions.name}-${kind.name}`,
    about: {
      en: `${opinions.about.en}; ${kind.about.en}`,
      zh: `${opinions.about.zh}；${kind.about.zh}`,
    },
    goal: {
      en: `test accuracy ≥ ${percent(bar.share)}`,
      zh: `测试准确率 ≥ ${percent(bar.share)}`,
    },
    settings: {
      epochs: count(bar.epochs),
      batchSize: count(opinions.batchSize),
      lr: positive(kind.lr),
      weightDecay: notNegative(0.01),
      dim: count(kind.dim),
      dropout: notNegative(0.5),
      fold: oneOf('0', opinions.folds),
    },
    async train({ settings, language, fit }) {
      const { epochs, batchSize, lr, weightDecay } = settings;
      const parts = await opinions.load(Number(settings.fold));
      const tokenizer = WordTokenizer.train(
        parts.train.map(t => t.text),
        { split, maxSize: 60_000 },
      );
      const model = kind.build(tokenizer.vocabSize, settings);
      const train = textLoader(encode(tokenizer, parts.train), { batchSize, shuffle: true, multipleOf: 8 });
      const optimizer = new AdamW(model.parameters(), { lr, weightDecay });
      const validation = parts.validation === undefined ? undefined : encode(tokenizer, parts.validation);
      const best = new EarlyStopping({
        monitor: 'valAccuracy',
        mode: 'max',
        patience: epochs,
        restoreBest: true,
      });
      const { history } = await fit(kind.name, model, {
        train,
        epochs,
        optimizer,
        loss,
        metrics: { accuracy: new Accuracy() },
        schedule: new CosineAnnealingLR(optimizer, { tMax: epochs * train.length }),
        scheduleEvery: 'step',
        ...(validation === undefined ? {} : { validate: loader(validation), callbacks: [best] }),
      });
      const test = await measure(model, loader(encode(tokenizer, parts.test)));
      const metrics: Metrics = {
        trainLoss: history['trainLoss']!.at(-1)!,
        ...(validation === undefined
          ? {}
          : { valAccuracy: (await measure(model, loader(validation))).testAccuracy }),
        ...test,
      };
      return {
        metrics,
        facts: [
          [WORDS['vocab']!, String(tokenizer.vocabSize)],
          ...(validation === undefined
            ? []
            : [[WORDS['validation']!, percent(metrics['valAccuracy']!)] as const]),
          [WORDS['test']!, percent(test.testAccuracy)],
        ],
        model,
        metadata: { vocab: JSON.stringify(tokenizer.vocab) },
        pictures: async () => ({
          learning: trainingPicture(history, {
            title,
            subtitle: `AdamW ${lr} · ${WORDS['test']![language]} ${percent(test.testAccuracy)}`,
            language,
          }),
          sentence: await sentencePicture(
            model,
            tokenizer,
            split(opinions.sentence),
            opinions.title,
            language,
          ),
        }),
      };
    },
    trained: {
      build: (settings, metadata) => kind.build(tokenizerOf(metadata).vocabSize, settings),
      async evaluate(model, { settings, metadata }) {
        const { test } = await opinions.load(Number(settings.fold));
        return measure(model, loader(encode(tokenizerOf(metadata), test)));
      },
      async predict(model, inputs, { metadata, language }) {
        const tokenizer = tokenizerOf(metadata);
        const x = padIds(
          inputs.map(text => tokenizer.encode(text.toLowerCase()).slice(0, opinions.longest)),
        ).ids;
        const p = await (model as Layer)(x).detach().softmax(-1).data(); // (N, 2)
        return inputs.map((text, i) => {
          const [no, yes] = [Number(p[2 * i]), Number(p[2 * i + 1])];
          const word = WORDS[yes > no ? 'positive' : 'negative']![language];
          return [text, `${word} ${percent(Math.max(yes, no))}`] as const;
        });
      },
    },
  });
}
/** A sentence step by step: P(positive) after each word, and without it. */
async function sentencePicture(
  model: Layer,
  tokenizer: WordTokenizer,
  words: readonly string[],
  title: Words,
  language: Language,
): Promise<string> {
  const ids = words.map(w => tokenizer.vocab.id(w));
  const { after, without } = await sentenceSteps(x => model(x), ids);
  return matrixChart({
    title: language === 'zh' ? `P(正面)，% · ${title.zh}` : `P(positive), % · ${title.en}`,
    rows: [WORDS['after']![language], WORDS['without']![language]],
    columns: words,
    values: [after, without],
    format: percentText,
    domain: [0, 1],
  });
}

export const SENTIMENT: readonly Recipe[] = [
  sentimentRecipe(SST2, BAG, { epochs: 4, share: 0.8 }),
  sentimentRecipe(SST2, CNN, { epochs: 2, share: 0.82 }),
  sentimentRecipe(SST2, LSTM_KIND, { epochs: 2, share: 0.82 }),
  sentimentRecipe(SST2, TRANSFORMER, { epochs: 2, share: 0.8 }),
  sentimentRecipe(SST2, MAMBA, { epochs: 2, share: 0.8 }),
  sentimentRecipe(POLARITY, BAG, { epochs: 4, share: 0.76 }),
  sentimentRecipe(POLARITY, CNN, { epochs: 4, share: 0.75 }),
  sentimentRecipe(HOTEL, BAG, { epochs: 5, share: 0.86 }),
  sentimentRecipe(HOTEL, CNN, { epochs: 3, share: 0.86 }),
];

// Five language models of equal size on the same text, with the same steps: RNN, GRU, LSTM, GPT, Mamba.

import { DataLoader, RandomSampler } from '../../data/index.ts';
import { manualSeed } from '../../index.ts';
import { AdamW, CosineAnnealingLR } from '../../optim/index.ts';
import {
  CharTokenizer,
  generate,
  type LanguageModel,
  LanguageWindows,
  splitText,
  tinyShakespeare,
} from '../../text/index.ts';
import { comparisonPicture } from './curves.ts';
import { KINDS, type LanguageKind, sequenceLoss, tokenLoss } from './language.ts';
import { count, defineRecipe, fixed, notNegative, positive } from './recipe.ts';

const LENGTH = 64;
const LAYERS: Readonly<Record<string, number>> = { rnn: 2, gru: 2, lstm: 2, gpt: 4, mamba: 2 };
const sizeOf = (m: LanguageModel): number => m.parameters().reduce((n, p) => n + p.numel, 0);

/** The model of a kind whose number of parameters is nearest to `size`; widths are multiples of 4. */
export function ofSize(
  kind: LanguageKind,
  vocabSize: number,
  size: number,
): { model: LanguageModel; dModel: number } {
  const layers = LAYERS[kind.name]!;
  const make = (dModel: number): LanguageModel => kind.build(vocabSize, { dModel, layers, length: LENGTH });
  let dModel = 4;
  while (sizeOf(make(dModel + 4)) <= size) dModel += 4;
  const [below, above] = [sizeOf(make(dModel)), sizeOf(make(dModel + 4))];
  if (above - size < size - below) dModel += 4;
  return { model: make(dModel), dModel };
}

export const race = defineRecipe({
  name: 'race',
  about: {
    en: 'Five language models of equal size on Shakespeare, the same steps each: RNN, GRU, LSTM, GPT, Mamba',
    zh: '五种参数量相同的语言模型在莎士比亚剧本上各走同样的步数：RNN、GRU、LSTM、GPT、Mamba',
  },
  goal: {
    en: 'parameters within 5 %; each below the 2.48 nats of the bigram; Mamba ≤ GPT + 0.05',
    zh: '参数量相差不超过 5 %；每一种都低于二元模型的 2.48 奈特；Mamba ≤ GPT + 0.05',
  },
  settings: {
    epochs: count(4),
    batchSize: count(12),
    lr: positive(3e-3),
    weightDecay: notNegative(0.1),
    parameters: count(208_000),
  },
  async train({ settings, language, fit }) {
    const { epochs, batchSize, lr, weightDecay, parameters } = settings;
    const [train, held] = splitText(await tinyShakespeare());
    const tokenizer = CharTokenizer.train(train + held);
    const windows = new LanguageWindows(tokenizer.encode(train), { length: LENGTH, stride: 1 });
    // A quarter of a pass is an epoch here, so that there is a curve.
    const numSamples = Math.floor(train.length / LENGTH / 4);
    const validate = new DataLoader(new LanguageWindows(tokenizer.encode(held), { length: LENGTH }), {
      batchSize: 64,
    });
    const metrics: Record<string, number> = {};
    const curves: Record<string, readonly number[]> = {};
    const facts: (readonly [{ en: string; zh: string }, string])[] = [];
    const seed = 1337;
    for (const kind of Object.values(KINDS)) {
      manualSeed(seed);
      const { model, dModel } = ofSize(kind, tokenizer.vocabSize, parameters);
      // All see the same windows in the same order.
      manualSeed(seed);
      const loader = new DataLoader(windows, {
        batchSize,
        sampler: new RandomSampler(windows, { numSamples }),
      });
      const optimizer = new AdamW(model.parameters(), { lr, weightDecay, betas: [0.9, 0.99] });
      const { history, seconds } = await fit(kind.name, model, {
        train: loader,
        validate,
        epochs,
        optimizer,
        loss: sequenceLoss,
        clipGradNorm: 1,
        schedule: new CosineAnnealingLR(optimizer, { tMax: epochs * loader.length }),
        scheduleEvery: 'step',
      });
      const valLoss = await tokenLoss(model, validate);
      metrics[`valLoss${kind.title}`] = valLoss;
      metrics[`parameters${kind.title}`] = sizeOf(model);
      metrics[`seconds${kind.title}`] = seconds;
      curves[kind.title] = history['valLoss']!;
      const written: number[] = [];
      for await (const id of generate(model.reader(), tokenizer.encode('\n'), {
        tokens: 60,
        temperature: 0.8,
      }))
        written.push(id);
      const text = tokenizer.decode(written).replaceAll('\n', ' ');
      const title = `${kind.title} ${LAYERS[kind.name]}×${dModel}`;
      facts.push([
        { en: title, zh: title },
        `${sizeOf(model)}  ${fixed(valLoss, 3)}  ${seconds.toFixed(0)} s  ${text}`,
      ]);
    }
    return {
      metrics,
      facts,
      pictures: async () => ({
        losses: comparisonPicture(curves, {
          title: { en: 'Five language models of equal size', zh: '五种同样大小的语言模型' },
          subtitle: `Tiny Shakespeare · ${parameters}`,
          language,
          label: language === 'zh' ? '损失' : 'loss',
        }),
      }),
    };
  },
});

// Small convolutional nets that differ in one part: what pools (maximum, mean, a stride), and what a 5 × 5 window is made of.

import type { F } from '../../index.ts';
import {
  AvgPool2d,
  Conv2d,
  Flatten,
  init,
  type Layer,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
} from '../../nn/index.ts';
import { CosineAnnealingLR, SGD } from '../../optim/index.ts';
import { interpolateSteps, poolSteps, type Rows, receptiveField } from '../../vision/index.ts';
import { windowChart } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { count, defineRecipe, positive, type Result } from './recipe.ts';
import { smallClothes } from './small-pictures.ts';
import { compareWays, type Parts, type Way } from './ways.ts';

const SIDE = 14;
const CHANNELS = 16;
const SETTINGS = { epochs: count(6), pictures: count(3000), batchSize: count(50), lr: positive(0.05) };
interface Values {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
}

/** Two stages, each at half the size of the one before, and a linear layer. (N, 1, 14, 14) → (N, 10) */
const build = (first: Layer[], second: Layer[], shrink: () => Layer[]): Layer =>
  new Sequential(
    ...first, // (N, 16, 14, 14)
    ...shrink(), // (N, 16, 7, 7)
    ...second, // (N, 16, 7, 7)
    ...shrink(), // (N, 16, 3, 3)
    new Flatten(),
    new Linear(9 * CHANNELS, 10), // (N, 10)
  );
/** He's first weights: without them a stack of five layers stands still at first. */
function conv(from: number, to: number, size: number): Layer[] {
  const layer = new Conv2d(from, to, size, { padding: size >> 1 });
  init.kaimingNormal_(layer.weight, { nonlinearity: 'relu' });
  return [layer, new ReLU()];
}

function way(name: string, words: Words, model: Layer, steps: number, { batchSize, lr }: Values): Way {
  const optimizer = new SGD(model.parameters(), { lr, momentum: 0.9, weightDecay: 5e-4 });
  const schedule = new CosineAnnealingLR(optimizer, { tMax: steps });
  const beforeStep = (step: number): void => {
    if (step > 0) schedule.step();
  };
  return { name, words, model, optimizer, batchSize, beforeStep };
}
const stepsOf = (parts: Parts, { epochs, batchSize }: Values): number =>
  epochs * Math.ceil(parts.train.y.numel / batchSize);
const parametersOf = (model: Layer): number => model.parameters().reduce((n, p) => n + p.numel, 0);
const sizes = (ways: readonly Way[]): Result['facts'] =>
  ways.map(w => [
    { en: `${w.words.en}: parameters`, zh: `${w.words.zh}：参数量` },
    parametersOf(w.model).toLocaleString('en-US'),
  ]);

export const pooling = defineRecipe({
  name: 'pooling',
  about: {
    en: 'Clothes of 14 × 14 with a small convolutional net: the maximum, the mean, or a stride; and windows step by step',
    zh: '14 × 14 的衣服图片，小型卷积网络：最大池化、平均池化、步长为 2 的卷积；并逐步画出窗口',
  },
  goal: {
    en: 'the net with maxima ends with a lower training loss than the one with means',
    zh: '最大池化的训练损失低于平均池化',
  },
  settings: SETTINGS,
  async train({ settings, language, progress }) {
    const parts = await smallClothes(settings.pictures, SIDE);
    const steps = stepsOf(parts, settings);
    const of = (name: string, words: Words, shrink: () => Layer[]): Way =>
      way(name, words, build(conv(1, CHANNELS, 3), conv(CHANNELS, CHANNELS, 3), shrink), steps, settings);
    const ways = [
      of('Max', { en: 'maximum', zh: '最大池化' }, () => [new MaxPool2d(2)]),
      of('Avg', { en: 'mean', zh: '平均池化' }, () => [new AvgPool2d(2)]),
      of('Stride', { en: 'convolution with stride 2', zh: '步长为 2 的卷积' }, () => [
        new Conv2d(CHANNELS, CHANNELS, 2, { stride: 2 }),
        new ReLU(),
      ]),
    ];
    const title = { en: 'Three ways to halve', zh: '三种缩小一半的方法' };
    const look = { title, subtitle: `SGD ${settings.lr}, momentum .9`, curve: 'trainLoss' } as const;
    const result = await compareWays(ways, parts, settings.epochs, { language, progress }, look);
    return {
      ...result,
      facts: [...result.facts, ...sizes(ways)],
      pictures: async () => ({ ...(await result.pictures()), ...(await windowPictures(language)) }),
    };
  },
});

/** A stroke from the lower left to the upper right, and an edge. */
const PATCH: Rows = [
  [0, 1, 2, 9],
  [0, 3, 9, 4],
  [1, 9, 5, 6],
  [9, 2, 6, 6],
];
/** Pooling and interpolation of a small picture, window by window. */
export async function windowPictures(language: Language): Promise<Record<string, string>> {
  const say = (en: string, zh: string): string => (language === 'zh' ? zh : en);
  const subtitle = say(
    'outline: the window; darker: counts more',
    '方框是窗口；颜色越深，权重越大（橙色为负）',
  );
  const draw = (title: string, steps: Parameters<typeof windowChart>[0]['steps'], show?: number[]): string =>
    windowChart({ title, subtitle, input: PATCH, steps, ...(show && { show }) });
  const larger = async (mode: F.InterpolateMode): Promise<string> => {
    const steps = await interpolateSteps(PATCH, { scaleFactor: 2, mode });
    const names = { nearest: '最近邻', bilinear: '双线性', bicubic: '双三次' } as Record<string, string>;
    return draw(say(`Twice as large: ${mode}`, `放大两倍：${names[mode]}插值`), steps, [0, 9, 27, 63]);
  };
  return {
    'pool-max': draw(say('Max pooling, 2 × 2, stride 2', '最大池化，2 × 2，步长 2'), poolSteps(PATCH)),
    'pool-avg': draw(
      say('Average pooling, 2 × 2, stride 2', '平均池化，2 × 2，步长 2'),
      poolSteps(PATCH, { kind: 'avg' }),
    ),
    'larger-nearest': await larger('nearest'),
    'larger-bilinear': await larger('bilinear'),
    'larger-bicubic': await larger('bicubic'),
  };
}

export const convStack = defineRecipe({
  name: 'conv-stack',
  about: {
    en: 'VGG’s argument on clothes of 14 × 14: one 5 × 5 convolution, or two of 3 × 3 that see as much',
    zh: '在 14 × 14 的衣服图片上检验 VGG 的论点：一个 5 × 5 卷积，还是视野相同的两个 3 × 3',
  },
  goal: {
    en: 'the same receptive field with a quarter fewer weights; the test accuracies differ by less than 4 points',
    zh: '感受野相同，参数少四分之一；测试准确率相差不到 4 个百分点',
  },
  settings: SETTINGS,
  async train({ settings, language, progress }) {
    const parts = await smallClothes(settings.pictures, SIDE);
    const steps = stepsOf(parts, settings);
    const halve = (): Layer[] => [new MaxPool2d(2)];
    // The windows compared lie between equal numbers of channels: 25 C² weights, or 2 · 9 C².
    const net = (windows: readonly number[]): Layer => {
      const body = (): Layer[] => windows.flatMap(size => conv(CHANNELS, CHANNELS, size));
      return build([...conv(1, CHANNELS, 3), ...body()], body(), halve);
    };
    const ways = [
      way('Stack', { en: 'two 3 × 3', zh: '两个 3 × 3' }, net([3, 3]), steps, settings),
      way('Large', { en: 'one 5 × 5', zh: '一个 5 × 5' }, net([5]), steps, settings),
    ];
    const title = { en: 'Two 3 × 3 or one 5 × 5', zh: '两个 3 × 3 还是一个 5 × 5' };
    const look = { title, subtitle: `SGD ${settings.lr}, momentum .9`, curve: 'trainLoss' } as const;
    const result = await compareWays(ways, parts, settings.epochs, { language, progress }, look);
    const field = (windows: readonly number[]): number =>
      receptiveField(windows.map(kernelSize => ({ kernelSize }))).size;
    return {
      ...result,
      metrics: {
        ...result.metrics,
        parametersStack: parametersOf(ways[0]!.model),
        parametersLarge: parametersOf(ways[1]!.model),
        fieldStack: field([3, 3]),
        fieldLarge: field([5]),
      },
      facts: [...result.facts, ...sizes(ways)],
    };
  },
});

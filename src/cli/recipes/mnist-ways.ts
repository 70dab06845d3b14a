// MNIST from different first weights, and with a rate that is fixed or falls on a plateau.

import { mnist } from '../../data/index.ts';
import { init, type Layer, Linear, ReLU, Sequential, Tanh } from '../../nn/index.ts';
import { ReduceLROnPlateau, SGD } from '../../optim/index.ts';
import type { Words } from '../language.ts';
import { count, defineRecipe, positive } from './recipe.ts';
import { type Course, compareWays, type Parts, type Way } from './ways.ts';

function net(activation: 'tanh' | 'relu', first: 'xavier' | 'he'): Layer {
  const linear = (a: number, b: number): Layer => {
    const l = new Linear(a, b);
    if (first === 'xavier') init.xavierNormal_(l.weight);
    else init.kaimingNormal_(l.weight, { nonlinearity: 'relu' });
    init.zeros_(l.bias!);
    return l;
  };
  const act = (): Layer => (activation === 'tanh' ? new Tanh() : new ReLU());
  return new Sequential(linear(784, 256), act(), linear(256, 128), act(), linear(128, 10));
}

/** Both parts of MNIST, in rows. */
async function digits(): Promise<Parts> {
  const load = async (split: 'train' | 'test') => {
    const [x, y] = (await mnist({ split, flatten: true })).tensors;
    return { x, y };
  };
  return { train: await load('train'), test: await load('test') };
}
const way = (
  name: string,
  words: Words,
  model: Layer,
  batchSize: number,
  lr: number,
): Way & { optimizer: SGD } => ({
  name,
  words,
  model,
  optimizer: new SGD(model.parameters(), { lr, momentum: 0.9 }),
  batchSize,
});

export const initTanh = defineRecipe({
  name: 'init-tanh',
  about: {
    en: 'MNIST, 784-256-128-10: tanh with Xavier, tanh with He, ReLU with He',
    zh: 'MNIST，784-256-128-10：tanh+Xavier、tanh+He、ReLU+He',
  },
  goal: {
    en: 'all three learn; ReLU with He has the lowest training loss, and for tanh Xavier is no worse than He',
    zh: '三种都学得会；ReLU+He 的训练损失最低，tanh 用 Xavier 不比 He 差',
  },
  settings: { epochs: count(5), batchSize: count(128), lr: positive(0.01) },
  async train({ settings, language, progress }) {
    const { epochs, batchSize, lr } = settings;
    return await compareWays(
      [
        way('TanhXavier', { en: 'tanh, Xavier', zh: 'tanh + Xavier' }, net('tanh', 'xavier'), batchSize, lr),
        way('TanhHe', { en: 'tanh, He', zh: 'tanh + He' }, net('tanh', 'he'), batchSize, lr),
        way('ReluHe', { en: 'ReLU, He', zh: 'ReLU + He' }, net('relu', 'he'), batchSize, lr),
      ],
      await digits(),
      epochs,
      { language, progress },
      {
        title: { en: 'MNIST: first weights', zh: 'MNIST：初始化' },
        subtitle: `784-256-128-10 · SGD ${lr}, momentum .9`,
        curve: 'trainLoss',
      },
    );
  },
});

export const lrPolicy = defineRecipe({
  name: 'lr-policy',
  about: {
    en: 'MNIST, 784-256-128-10 ReLU: a rate that is fixed at .01, or begins at .05 and falls where the loss stops falling',
    zh: 'MNIST，784-256-128-10 ReLU：学习率固定为 0.01，或从 0.05 开始、损失不再下降时降低',
  },
  goal: {
    en: 'after six epochs the falling rate has the lower training loss and the higher test accuracy',
    zh: '6 轮后，会下降的学习率训练损失更低、测试准确率更高',
  },
  settings: { epochs: count(6), batchSize: count(128), lr: positive(0.01) },
  async train({ settings, language, progress }) {
    const { epochs, batchSize, lr } = settings;
    const fixed = way(
      'Fixed',
      { en: `fixed at ${lr}`, zh: `固定为 ${lr}` },
      net('relu', 'he'),
      batchSize,
      lr,
    );
    const words = { en: `from ${5 * lr}, down on a plateau`, zh: `从 ${5 * lr} 开始，遇平台下降` };
    const falling = way('Plateau', words, net('relu', 'he'), batchSize, 5 * lr);
    const schedule = new ReduceLROnPlateau(falling.optimizer, { factor: 0.2, patience: 0, threshold: 0.3 });
    // Told the training loss after each epoch; never ends the training.
    const stop = ({ trainLoss }: Course): boolean => {
      schedule.step(trainLoss.at(-1)!);
      return false;
    };
    return await compareWays(
      [fixed, { ...falling, stop }],
      await digits(),
      epochs,
      { language, progress },
      {
        title: { en: 'MNIST: a rate that falls', zh: 'MNIST：会下降的学习率' },
        subtitle: '784-256-128-10 · SGD, momentum .9',
        curve: 'trainLoss',
      },
    );
  },
});

// MNIST from different first weights and with different rates: tanh with Xavier or He, ReLU with He, a rate that is
// fixed or falls on a plateau.

import { mnist } from '../../data/index.ts';
import { init, type Layer, Linear, ReLU, Sequential, Tanh } from '../../nn/index.ts';
import { ReduceLROnPlateau, SGD } from '../../optim/index.ts';
import { count, defineRecipe, positive } from './recipe.ts';
import { type Course, compareWays, type Way } from './ways.ts';

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

export const mnistStarts = defineRecipe({
  name: 'mnist-starts',
  about: {
    en: 'MNIST, 784-256-128-10, SGD with momentum: tanh with Xavier, tanh with He, ReLU with He; a fixed rate or one that falls on a plateau',
    zh: 'MNIST，784-256-128-10，带动量的 SGD：tanh+Xavier、tanh+He、ReLU+He；学习率固定或遇平台下降',
  },
  goal: {
    en: 'all start well; after five epochs ReLU with He has the lowest training loss, the falling rate the lowest of all',
    zh: '都能顺利起步；5 轮后 ReLU+He 的训练损失最低，学习率下降的更低',
  },
  settings: { epochs: count(6), batchSize: count(128), lr: positive(0.01) },
  async train({ settings, language, progress }) {
    const { epochs, batchSize, lr } = settings;
    const load = async (split: 'train' | 'test') => {
      const [x, y] = (await mnist({ split, flatten: true })).tensors;
      return { x, y };
    };
    const data = { train: await load('train'), test: await load('test') };
    const way = (name: string, en: string, zh: string, model: Layer, plateau: boolean, rate: number): Way => {
      const optimizer = new SGD(model.parameters(), { lr: rate, momentum: 0.9 });
      const schedule = new ReduceLROnPlateau(optimizer, { factor: 0.2, patience: 0, threshold: 0.3 });
      // Told the training loss after each epoch; never ends the training.
      const watch = ({ trainLoss }: Course): boolean => {
        schedule.step(trainLoss.at(-1)!);
        return false;
      };
      return { name, words: { en, zh }, model, optimizer, batchSize, ...(plateau ? { stop: watch } : {}) };
    };
    return await compareWays(
      [
        way(
          'TanhXavier',
          'tanh, Xavier, rate fixed',
          'tanh + Xavier，学习率固定',
          net('tanh', 'xavier'),
          false,
          lr,
        ),
        way('TanhHe', 'tanh, He, rate fixed', 'tanh + He，学习率固定', net('tanh', 'he'), false, lr),
        way('ReluHe', 'ReLU, He, rate fixed', 'ReLU + He，学习率固定', net('relu', 'he'), false, lr),
        way(
          'Plateau',
          'ReLU, He, five times the rate, down on a plateau',
          'ReLU + He，五倍学习率，遇平台下降',
          net('relu', 'he'),
          true,
          5 * lr,
        ),
      ],
      data,
      epochs,
      { language, progress },
      {
        title: { en: 'MNIST: first weights and rates', zh: 'MNIST：初始化与学习率' },
        subtitle: `784-256-128-10 · SGD ${lr}, momentum .9`,
        curve: 'trainLoss',
      },
    );
  },
});

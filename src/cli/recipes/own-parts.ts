// The library's own parts compared: activations, optimizers, normalisation, penalties and first weights, one changed at a
// time from the same network on spirals.

import { Adagrad, Adam, AdamW, Lion, RMSprop, SGD } from '../../optim/index.ts';
import { makeNet, type NetOptions, spirals } from './nets.ts';
import { count, defineRecipe, notNegative } from './recipe.ts';
import { compareWays, type Way } from './ways.ts';

type Params = ConstructorParameters<typeof Adam>[0];
const OPTIMIZERS = {
  SGD: (p: Params) => new SGD(p, { lr: 0.1 }),
  Momentum: (p: Params) => new SGD(p, { lr: 0.05, momentum: 0.9 }),
  Adagrad: (p: Params) => new Adagrad(p, { lr: 0.03 }),
  RMSprop: (p: Params) => new RMSprop(p, { lr: 0.003 }),
  Adam: (p: Params) => new Adam(p, { lr: 0.01 }),
  AdamW: (p: Params) => new AdamW(p, { lr: 0.01, weightDecay: 0.01 }),
  Lion: (p: Params) => new Lion(p, { lr: 0.001 }),
} as const;

export const ownParts = defineRecipe({
  name: 'own-parts',
  about: {
    en: 'One part changed at a time: activations, optimizers, normalisation, dropout and first weights on spirals',
    zh: '一次只换一个零件：螺旋数据上的激活函数、优化器、归一化、dropout 与初始化',
  },
  goal: {
    en: 'ReLU, He and Adam reach 90 % of the test set; sigmoid and weights that are too small stay behind',
    zh: 'ReLU、He 与 Adam 测试准确率达到 90 %；sigmoid 和过小的权重落在后面',
  },
  settings: { epochs: count(60), points: count(800), noise: notNegative(0.05) },
  async train({ settings, language, progress }) {
    const { epochs, points, noise } = settings;
    const data = spirals(points, noise);
    const ways: Way[] = [];
    const add = (name: string, label: string, net: NetOptions, optimizer: keyof typeof OPTIMIZERS): void => {
      const model = makeNet([2, 32, 32, 2], net);
      ways.push({
        name,
        words: { en: label, zh: label },
        model,
        optimizer: OPTIMIZERS[optimizer](model.parameters()),
        batchSize: 32,
      });
    };
    add('Base', 'ReLU · He · Adam', {}, 'Adam');
    for (const activation of ['leaky', 'gelu', 'tanh', 'sigmoid'] as const)
      add(activation, `${activation} · Adam`, { activation, init: 'xavier' }, 'Adam');
    for (const o of Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[])
      if (o !== 'Adam') add(o, `ReLU · ${o}`, {}, o);
    add('Norm', 'ReLU · BatchNorm · Adam', { norm: true }, 'Adam');
    add('Dropout', 'ReLU · dropout .2 · Adam', { dropout: 0.2 }, 'Adam');
    for (const init of ['xavier', 'small', 'large'] as const)
      add(`Init${init}`, `ReLU · ${init} weights · SGD`, { init }, 'SGD');
    return await compareWays(
      ways,
      data,
      epochs,
      { language, progress },
      {
        title: { en: 'One part changed at a time', zh: '一次只换一个零件' },
        subtitle: '2-32-32-2 · batch 32',
      },
    );
  },
});

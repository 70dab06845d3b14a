// A network that learns 60 noisy points by heart, and what dropout, an L2 penalty and both do about it.

import { AdamW } from '../../optim/index.ts';
import { makeNet, moons } from './nets.ts';
import { count, defineRecipe, notNegative, positive } from './recipe.ts';
import { compareWays, type Way } from './ways.ts';

export const dropoutL2 = defineRecipe({
  name: 'dropout-l2',
  about: {
    en: '2-128-128-2 on 60 noisy points of two moons: overfitting, dropout, L2, and both together',
    zh: '2-128-128-2 网络学 60 个带噪声的双月点：过拟合、dropout、L2 以及两者一起',
  },
  goal: {
    en: 'without either the test loss is the highest; dropout and L2 lower it, alone and together',
    zh: '什么都不加时测试损失最高；dropout 和 L2 单独或一起都能降低它',
  },
  settings: {
    epochs: count(400),
    lr: positive(0.01),
    points: count(60),
    noise: notNegative(0.35),
    dropout: notNegative(0.5),
    l2: notNegative(0.02),
  },
  async train({ settings, language, progress }) {
    const { epochs, lr, points, noise, dropout, l2 } = settings;
    const test = 2000;
    const data = moons(points + test, noise, test / (points + test));
    const way = (name: string, en: string, zh: string, p: number, penalty: number): Way => {
      const model = makeNet([2, 128, 128, 2], { dropout: p });
      // The penalty λ/2 ‖W‖² of the loss, on weights, not on biases.
      const weights = model.parameters().filter(w => w.ndim === 2);
      const sum = () => weights.map(w => w.square().sum()).reduce((a, b) => a.add(b));
      return {
        name,
        words: { en, zh },
        model,
        optimizer: new AdamW(model.parameters(), { lr, weightDecay: 0 }),
        batchSize: 20,
        ...(penalty > 0 ? { penalty: () => sum().mul(penalty / 2) } : {}),
      };
    };
    return await compareWays(
      [
        way('Plain', 'neither', '都不加', 0, 0),
        way('Dropout', `dropout ${dropout}`, `dropout ${dropout}`, dropout, 0),
        way('L2', `L2 ${l2}`, `L2 ${l2}`, 0, l2),
        way('Both', 'both', '两者都加', dropout, l2),
      ],
      data,
      epochs,
      { language, progress },
      {
        title: { en: 'Overfitting: dropout and L2', zh: '过拟合：dropout 与 L2' },
        subtitle: `2-128-128-2 ReLU · ${points} points · Adam ${lr}`,
        curve: 'testLoss',
      },
    );
  },
});

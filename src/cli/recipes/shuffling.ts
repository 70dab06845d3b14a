// Samples in an order that tells their class: the whole first class, then the second. What shuffling is for.

import type { Samples } from '../../index.ts';
import { SGD } from '../../optim/index.ts';
import { makeNet, moons } from './nets.ts';
import { count, defineRecipe, positive } from './recipe.ts';
import { compareWays, type Way } from './ways.ts';

/** Rows in the order of their labels. */
function sorted({ x, y }: Samples): Samples {
  const order = y.argsort(0);
  return { x: x.indexSelect(0, order).realize(), y: y.indexSelect(0, order).realize() };
}

export const shuffling = defineRecipe({
  name: 'shuffling',
  about: {
    en: 'Two moons class by class, or shuffled in each epoch: 2-16-16-2, batches of 20',
    zh: '双月数据按类别顺序给，还是每轮打乱：2-16-16-2 网络，批大小 20',
  },
  goal: {
    en: 'shuffled, the net tells all moons apart; class by class it forgets the first class while it sees the second',
    zh: '打乱后全部分对；按类别顺序时，学第二类就忘了第一类',
  },
  settings: { epochs: count(6), batchSize: count(20), lr: positive(0.5), points: count(1000) },
  async train({ settings, language, progress }) {
    const { epochs, batchSize, lr, points } = settings;
    const { train, test } = moons(points, 0.1);
    const way = (name: string, en: string, zh: string, shuffle: boolean): Way => {
      const model = makeNet([2, 16, 16, 2]);
      return {
        name,
        words: { en, zh },
        model,
        optimizer: new SGD(model.parameters(), { lr }),
        batchSize,
        shuffle,
      };
    };
    return await compareWays(
      [
        way('Shuffled', 'shuffled in each epoch', '每轮打乱', true),
        way('Sorted', 'class by class', '按类别顺序', false),
      ],
      { train: sorted(train), test },
      epochs,
      { language, progress },
      { title: { en: 'What shuffling is for', zh: '为什么要打乱' }, subtitle: `2-16-16-2 ReLU · SGD ${lr}` },
    );
  },
});

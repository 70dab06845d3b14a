// Two rings, one around the other: a 2-32-16-2 ReLU network.

import { makeRings } from '../../index.ts';
import { planeRecipe } from './classify.ts';

export const rings = planeRecipe({
  name: 'rings',
  about: {
    en: 'Two noisy rings around one centre; network 2-32-16-2, ReLU, softmax, cross-entropy',
    zh: '两个带噪声的同心圆环；2-32-16-2 网络，ReLU、softmax、交叉熵',
  },
  goal: { en: 'test accuracy ≥ 99 % (median of 20 seeds)', zh: '测试准确率 ≥ 99 %（20 个种子的中位数）' },
  title: { en: 'Rings · radii 1 and 2, noise 0.1', zh: '圆环 · 半径 1 和 2，噪声 0.1' },
  classes: [
    { en: 'inner ring', zh: '内环' },
    { en: 'outer ring', zh: '外环' },
  ],
  makeData: points => makeRings(points, { noise: 0.1 }),
  sizes: [2, 32, 16, 2],
  training: { epochs: 50, batchSize: 128, lr: 0.01, finalLr: 0.01 },
  reach: [-2, 2],
});

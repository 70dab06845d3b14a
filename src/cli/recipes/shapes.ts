// Mission 1: is a point inside the circle, triangle or square? A 2-4-4-2 ReLU network with softmax and cross-entropy.
// And why it needs hidden layers: without them the boundary is a line.

import { makeShape, type Shape2d, shapeOutline } from '../../index.ts';
import type { Words } from '../language.ts';
import { planeRecipe } from './classify.ts';
import type { Recipe } from './recipe.ts';

const CLASSES = [
  { en: 'outside', zh: '外' },
  { en: 'inside', zh: '内' },
] as const;

const shapeRecipe = (shape: Shape2d, name: Words, goal: string): Recipe =>
  planeRecipe({
    name: shape,
    about: {
      en: `Mission 1: points inside a ${name.en} or not; network 2-4-4-2, ReLU, softmax, cross-entropy`,
      zh: `任务二：判断点在${name.zh}内还是外；2-4-4-2 网络，ReLU、softmax、交叉熵`,
    },
    goal: {
      en: `test accuracy ≥ ${goal} % (median of 20 seeds)`,
      zh: `测试准确率 ≥ ${goal} %（20 个种子的中位数）`,
    },
    title: { en: `Mission 1 · ${name.en}`, zh: `任务二 · ${name.zh}` },
    classes: CLASSES,
    makeData: points => makeShape(shape, points),
    sizes: [2, 4, 4, 2],
    training: { epochs: 1000, batchSize: 64, lr: 0.2, finalLr: 0.05 },
    reach: [-1, 1],
    outline: shapeOutline(shape),
  });

export const circle = shapeRecipe('circle', { en: 'circle', zh: '圆' }, '97');
export const triangle = shapeRecipe('triangle', { en: 'triangle', zh: '三角形' }, '98');
export const square = shapeRecipe('square', { en: 'square', zh: '正方形' }, '97.5');

export const linear = planeRecipe({
  name: 'linear',
  about: {
    en: 'Why a line is not enough: the circle without hidden layers (network 2-2, softmax, cross-entropy)',
    zh: '为什么一条直线不够：不用隐藏层去分圆（2-2 网络，softmax、交叉熵）',
  },
  goal: {
    en: 'test accuracy stays below 70 %: no line does better than about 63 % of the plane',
    zh: '测试准确率低于 70 %：任何直线至多分对平面的约 63 %',
  },
  title: { en: 'Circle · linear classifier', zh: '圆 · 线性分类器' },
  classes: CLASSES,
  makeData: points => makeShape('circle', points),
  sizes: [2, 2],
  training: { epochs: 100, batchSize: 64, lr: 0.1, finalLr: 0.1 },
  reach: [-1, 1],
  outline: shapeOutline('circle'),
});

// Few and small pictures of clothes, for experiments that train several convolutional nets in minutes.

import { fashionMnist } from '../../data/index.ts';
import { F, type Tensor } from '../../index.ts';
import type { Parts } from './ways.ts';

/** The first `count` pictures of both parts of Fashion-MNIST, averaged to side × side. (count, 1, side, side) */
export async function smallClothes(count: number, side: number): Promise<Parts> {
  const load = async (split: 'train' | 'test'): Promise<{ x: Tensor; y: Tensor }> => {
    const [x, y] = (await fashionMnist({ split })).tensors;
    const n = Math.min(count, y.numel);
    return { x: F.adaptiveAvgPool2d(x.narrow(0, 0, n), side).realize(), y: y.narrow(0, 0, n).realize() };
  };
  return { train: await load('train'), test: await load('test') };
}

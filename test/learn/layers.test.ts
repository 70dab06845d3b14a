// The demonstrations of shapes: convolution, pooling and upsampling of random pictures as the notes show them.

import { describe, expect, it } from 'vitest';
import { F, nn, randn, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

const shapeOf = (f: (x: Tensor) => Tensor, ...shape: number[]): readonly number[] => f(randn(shape)).shape;
const window = (h: number, k: number, p: number, s: number): number => Math.floor((h + 2 * p - k) / s) + 1;

describe('random pictures through layers', () => {
  it('(2, 3, 4, 4): pooling halves the places, keeps batch and channels', () => {
    expect(shapeOf(x => F.maxPool2d(x, 2), 2, 3, 4, 4)).toEqual([2, 3, 2, 2]);
    expect(shapeOf(x => F.avgPool2d(x, 2), 2, 3, 4, 4)).toEqual([2, 3, 2, 2]);
  });
  it('(1, 64, 32, 32): interpolation doubles them, in all modes', () => {
    for (const mode of ['nearest', 'bilinear', 'bicubic'] as const)
      expect(shapeOf(x => F.interpolate(x, { scaleFactor: 2, mode }), 1, 64, 32, 32)).toEqual([
        1, 64, 64, 64,
      ]);
  });
  it.each([
    [7, 3, 0, 1],
    [32, 3, 1, 1],
    [32, 3, 1, 2],
    [28, 5, 2, 1],
    [33, 4, 1, 3],
    [224, 7, 3, 2],
  ])('Conv2d of %i places, kernel %i, padding %i, stride %i: ⌊(H + 2p − k)/s⌋ + 1', (h, k, p, s) => {
    const conv = new nn.Conv2d(2, 3, k, { padding: p, stride: s });
    expect(shapeOf(x => conv(x), 1, 2, h, h)).toEqual([1, 3, window(h, k, p, s), window(h, k, p, s)]);
    const series = new nn.Conv1d(2, 3, k, { padding: p, stride: s });
    expect(shapeOf(x => series(x), 1, 2, h)).toEqual([1, 3, window(h, k, p, s)]);
  });
});

describe('values by hand', () => {
  it('Conv1d is the sum over the window: (1, 0, −1) finds edges', () => {
    const conv = new nn.Conv1d(1, 1, 3, { bias: false });
    conv.loadStateDict({ weight: tensor([[[1, 0, -1]]]) });
    expect(numbers(conv(tensor([[[1, 1, 1, 5, 5, 5]]])))).toEqual([0, -4, -4, 0]);
  });
  it('a 1 × 1 convolution mixes the channels of each place', () => {
    const conv = new nn.Conv2d(2, 1, 1, { bias: false });
    conv.loadStateDict({ weight: tensor([2, -1], { shape: [1, 2, 1, 1] }) });
    expect(numbers(conv(tensor([1, 2, 3, 4, 10, 20, 30, 40], { shape: [1, 2, 2, 2] })))).toEqual([
      -8, -16, -24, -32,
    ]);
  });
  it('max pooling keeps the strongest, average pooling the mean, global average pooling one number a channel', () => {
    const x = tensor([1, 3, 5, 7, 0, 0, 8, 0], { shape: [1, 2, 2, 2] });
    expect(numbers(new nn.MaxPool2d(2)(x))).toEqual([7, 8]);
    expect(numbers(new nn.AvgPool2d(2)(x))).toEqual([4, 2]);
    const large = randn([2, 5, 7, 7]);
    const global = new nn.AdaptiveAvgPool2d(1)(large);
    expect(global.shape).toEqual([2, 5, 1, 1]);
    const apart = global
      .flatten(1)
      .sub(large.mean([2, 3]))
      .abs()
      .max()
      .itemSync();
    expect(apart).toBeLessThan(1e-6);
  });
  it('nearest copies, bilinear draws straight lines, bicubic swings over an edge', () => {
    const x = tensor([0, 0, 1, 1], { shape: [1, 1, 1, 4] });
    const larger = (mode: 'nearest' | 'bilinear' | 'bicubic'): number[] =>
      numbers(F.interpolate(x, { size: [1, 8], mode }));
    expect(larger('nearest')).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(larger('bilinear')).toEqual([0, 0, 0, 0.25, 0.75, 1, 1, 1]);
    const swing = larger('bicubic');
    expect(Math.max(...swing)).toBeGreaterThan(1);
    expect(Math.min(...swing)).toBeLessThan(0);
  });
});

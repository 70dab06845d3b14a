// Reductions of much to few results: two kernels that threads can share, and the right numbers at any size.

import { describe, expect, it } from 'vitest';
import { arange, profile, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

const kernels = (f: () => Tensor): number => profile(() => f().realize()).events.length;

describe('a reduction of much to little', () => {
  // Whole numbers: the sums are exact in any order.
  const wave = (n: number): Float32Array =>
    Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 31) - 15);
  const sizes = [32_768, 100_000, 131_071, 262_147];
  it.each(sizes)('of %i elements takes two kernels and is right', n => {
    const data = wave(n);
    const x = tensor(data);
    expect(numbers(x.sum())).toEqual([data.reduce((a, b) => a + b, 0)]);
    expect(numbers(x.amax())).toEqual([15]);
    expect(numbers(x.amin())).toEqual([-15]);
    expect(numbers(x.mul(2).sub(1).relu().sum())).toEqual([
      data.reduce((a, b) => a + Math.max(2 * b - 1, 0), 0),
    ]);
  });
  it('is cut once, not again, and runs its parts as rows', () => {
    const x = tensor(wave(1 << 18));
    expect(kernels(() => x.mul(3).erf().sum())).toBe(2);
    expect(kernels(() => x.reshape([1 << 12, 64]).sum([0, 1]))).toBe(2);
  });
  it('keeps the leading dims apart', () => {
    const [n, m] = [20_000, 5];
    const data = wave(n * m);
    const want = Array.from({ length: m }, (_, j) => data.reduce((a, v, i) => (i % m === j ? a + v : a), 0));
    expect(numbers(tensor(data, { shape: [n, m] }).sum(0))).toEqual(want);
  });
});

describe('long columns side by side', () => {
  const wave = (n: number): Float32Array =>
    Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 31) - 15);
  it.each([
    [4096, 128],
    [2049, 257],
    [5003, 130],
    [8, 1024, 96],
  ])('of %i × %i × … are summed some rows at a time', (...shape) => {
    const sizes = shape.filter(n => typeof n === 'number');
    const m = sizes.at(-1)!;
    const data = wave(sizes.reduce((a, b) => a * b));
    const dims = sizes.slice(0, -1).map((_, d) => d);
    const x = tensor(data, { shape: sizes }).realize();
    const want = new Array<number>(m).fill(0);
    data.forEach((v, i) => {
      want[i % m]! += v;
    });
    expect(numbers(x.sum(dims))).toEqual(want);
    expect(numbers(x.sum(dims, { keepdim: true }).squeeze())).toEqual(want);
    expect(numbers(x.mul(2).sum(dims))).toEqual(want.map(v => 2 * v));
    expect(new Set(numbers(x.amax(dims)))).toEqual(new Set([15]));
    // Rows that are left over are summed by a kernel of their own, and two small copies join them with the parts.
    const even = sizes[0]! % 8 === 0;
    expect(kernels(() => x.sum(dims))).toBe(even ? 2 : 5);
  });
  it('that fit a cache are one kernel', () => {
    const x = tensor(wave(512 * 256), { shape: [512, 256] }).realize();
    expect(kernels(() => x.sum(0))).toBe(1);
  });
});

describe('the position of an extreme in a long row', () => {
  it.each([32_768, 40_000, 100_003])('of %i elements', n => {
    const values = numbers(arange(n).mul(7).remainder(n).add(-5).abs());
    const x = tensor(values);
    for (const t of [x, x.reshape([1, n])]) {
      const of = (y: Tensor): number => numbers(y)[0]!;
      expect(of(t.argmax(-1))).toBe(values.indexOf(n - 6));
      expect(of(t.argmin(-1))).toBe(values.indexOf(0));
    }
  });
});

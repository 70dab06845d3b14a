// Order statistics, means without NaN, membership, turns and draws in place. Values of PyTorch 1.13.

import { describe, expect, it } from 'vitest';
import { bucketize, Generator, gradcheck, isin, randn, type Tensor, tensor, zeros } from '../../src/index.ts';

const data = (t: Tensor): unknown => t.tolistSync();

describe('quantile', () => {
  const x = tensor([
    [4, 1, 3],
    [2, 8, 5],
  ]);
  it('is linear between neighbours in order', () => {
    expect(data(x.quantile(0.5))).toBe(3.5);
    expect(data(x.quantile(0.25, 1))).toEqual([2, 3.5]);
    expect(data(x.quantile([0, 0.5, 1], 0))).toEqual([
      [2, 1, 3],
      [3, 4.5, 4],
      [4, 8, 5],
    ]);
    expect(x.quantile(0.3, undefined, { keepdim: true }).shape).toEqual([1, 1]);
    expect(x.quantile([0.1, 0.2], 1, { keepdim: true }).shape).toEqual([2, 2, 1]);
  });
  it.each([
    ['lower', [1, 1, 1, 1, 2, 2, 3, 3]],
    ['higher', [1, 1, 1, 2, 2, 3, 3, 3]],
    ['midpoint', [1, 1, 1, 1.5, 2, 2.5, 3, 3]],
    ['nearest', [1, 1, 1, 2, 2, 2, 3, 3]],
  ] as const)('can be the %s one', (interpolation, want) => {
    const row = tensor([3, 1, 3, 2, 1]);
    const shares = [0, 0.1, 0.125, 0.375, 0.5, 0.625, 0.9, 1];
    expect(data(row.quantile(shares, undefined, { interpolation }))).toEqual(want);
  });
  it('is NaN where there is one', () => {
    expect(
      data(
        tensor([
          [1, Number.NaN, 2],
          [1, 2, 3],
        ]).quantile(0, 1),
      ),
    ).toEqual([Number.NaN, 1]);
  });
  it('sends its gradient to the two neighbours', () => {
    const p = randn([3, 5], { dtype: 'float64', generator: new Generator(3) });
    expect(gradcheck((t: Tensor) => t.quantile([0.3, 0.8], 1), [p])).toBe(true);
  });
  it('refuses shares outside 0 … 1', () => {
    expect(() => x.quantile(1.5)).toThrow(/quantile: q must be in 0 … 1/);
  });
});

it('nanmean leaves NaN out', () => {
  const x = tensor([
    [1, Number.NaN, 5],
    [2, 4, 6],
  ]);
  expect(data(x.nanmean())).toBeCloseTo(3.6, 6);
  expect(data(x.nanmean(1, { keepdim: true }))).toEqual([[3], [4]]);
});

it('mode is the smallest of the most frequent, nanmedian the lower middle', () => {
  const both = (r: { values: Tensor; indices: Tensor }): unknown => [data(r.values), data(r.indices)];
  expect(
    both(
      tensor([
        [3, 1, 3, 2, 1],
        [7, 8, 9, 1, 2],
      ]).mode(1),
    ),
  ).toEqual([
    [1, 1],
    [4, 3],
  ]);
  expect(both(tensor([[5, Number.NaN, 5, 4, 4]]).nanmedian(1, { keepdim: true }))).toEqual([[[4]], [[4]]]);
  expect(data(tensor([3, Number.NaN, 1]).nanmedian())).toBe(1);
});

it('renorm bounds the norms of slices, floatPower and typeAs convert', () => {
  const x = tensor([
    [0, 1, 2],
    [0.3, 0.4, 0],
  ]);
  const rows = x.renorm(2, 0, 1).norm(2, 1).tolistSync() as number[];
  expect(rows[0]).toBeCloseTo(1, 6);
  expect(rows[1]).toBeCloseTo(0.5, 6);
  expect(x.floatPower(2).dtype).toBe('float64');
  expect(x.typeAs(tensor([true])).dtype).toBe('bool');
});

it('bucketize and isin', () => {
  const edges = tensor([1, 3, 5]);
  expect(
    data(
      bucketize(
        tensor([
          [0, 1],
          [3, 9],
        ]),
        edges,
      ),
    ),
  ).toEqual([
    [0, 0],
    [1, 3],
  ]);
  expect(data(bucketize(tensor([1, 3]), edges, { right: true }))).toEqual([1, 2]);
  expect(data(isin(tensor([[1, 2, 3]]), tensor([3, 1])))).toEqual([[true, false, true]]);
});

it('rot90 turns from the first dim towards the second', () => {
  const x = tensor([
    [1, 2],
    [3, 4],
  ]);
  const turns = [0, 1, 2, 3, -1].map(k => x.rot90(k).flatten().tolistSync());
  expect(turns).toEqual([
    [1, 2, 3, 4],
    [2, 4, 1, 3],
    [4, 3, 2, 1],
    [3, 1, 4, 2],
    [3, 1, 4, 2],
  ]);
});

describe('draws in place', () => {
  it.each<readonly [string, (t: Tensor, g: Generator) => Tensor, number, number]>([
    ['uniform_', (t, generator) => t.uniform_(-1, 3, { generator }), 1, 4 / Math.sqrt(12)],
    ['normal_', (t, generator) => t.normal_(2, 0.5, { generator }), 2, 0.5],
    ['bernoulli_', (t, generator) => t.bernoulli_(0.2, { generator }), 0.2, 0.4],
  ])('%s has its mean and deviation and repeats with its seed', (_, fill, mean, std) => {
    const x = zeros([40_000]);
    const view = x.narrow(0, 0, 3);
    fill(x, new Generator(5));
    expect(x.mean().itemSync()).toBeCloseTo(mean, 1);
    expect(x.std().itemSync()).toBeCloseTo(std, 1);
    expect(data(view)).toEqual(data(fill(zeros([40_000]), new Generator(5)).narrow(0, 0, 3)));
  });
});

describe('argmax of equal values', () => {
  it('is the first position, in whatever order the loops run', () => {
    const ones = zeros([33, 2]).add(1);
    expect(data(ones.T.argmax())).toBe(0);
    const x = zeros([33, 2]);
    x.at(23, 0).fill_(5);
    x.at(10, 1).fill_(5);
    expect(data(x.T.argmax())).toBe(23);
    expect(data(x.argmax())).toBe(21);
    expect(data(x.T.neg().argmin())).toBe(23);
    const nan = x.clone();
    nan.at(30, 0).fill_(Number.NaN);
    nan.at(2, 1).fill_(Number.NaN);
    expect(data(nan.T.argmax())).toBe(30);
  });
});

// Bad input is an error in the one format, `op: rule, got value (what to do)`, at the line that has it; the process goes on.

import { afterEach, describe, expect, it } from 'vitest';
import { arange, cat, F, full, stack, type Tensor, tensor, useDevice, zeros } from '../../src/index.ts';

const t = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const at = (...x: number[]): Tensor => tensor(x, { dtype: 'int64' });
// What came before an error has no part in what comes after it.
afterEach(() => {
  expect(t().sum().itemSync()).toBe(21);
});

describe('refused where it is written', () => {
  const CASES: readonly [string, () => unknown, RegExp][] = [
    ['shapes that do not broadcast', () => t().add(zeros([4])), /^add: .*got \(2, 3\) and \(4\)/],
    ['inner sizes of a product', () => t().matmul(t()), /^matmul: .*got \(2, 3\) and \(2, 3\)/],
    [
      'a product of dtypes',
      () => t().matmul(t().T.to('float64')),
      /^matmul: both must have one dtype, got float32 and float64/,
    ],
    ['another number of elements', () => t().reshape(4, 2), /^reshape: .*\(4, 2\)/],
    ['two unknown sizes', () => t().reshape(-1, -1), /^reshape: /],
    ['a dim out of range', () => t().sum(2), /^sum: .*got 2/],
    ['a negative dim out of range', () => t().softmax(-3), /: .*got -3/],
    ['a dim twice', () => t().sum([0, -2]), /^sum: /],
    ['an index out of range', () => t().at(2), /: .*got 2/],
    ['too many indices', () => t().at(0, 0, 0), /^at: /],
    ['a slice out of range', () => t().narrow(1, 2, 2), /^narrow: /],
    ['a step of zero', () => arange(0, 5, 0), /^arange: /],
    ['a permutation with a dim twice', () => t().permute(0, 0), /^permute: /],
    ['an expansion of a size that is not 1', () => t().expand(2, 4), /^expand: /],
    ['joined tensors of other sizes', () => cat([t(), zeros([2, 4])], 0), /^cat: /],
    ['nothing to join', () => cat([]), /^cat: /],
    ['stacked tensors of other shapes', () => stack([t(), zeros([3])]), /^stack: /],
    ['a ragged list', () => tensor([[1, 2], [3]]), /^tensor: /],
    ['a value that is no number', () => tensor(['a'] as unknown as number[]), /^tensor: /],
    ['a negative size', () => zeros([-1]), /^zeros: /],
    ['a size that is no integer', () => zeros([1.5]), /^zeros: /],
    ['an unknown dtype', () => zeros([1], { dtype: 'float31' as 'float32' }), /: .*float31/],
    ['an unknown device', () => zeros([1], { device: 'tpu' }), /^device: .*'tpu'/],
    ['the mean of integers', () => at(1, 2).mean(), /^mean: .*got int64/],
    ['gradients of integers', () => at(1).requiresGrad_(), /^requiresGrad: .*got int64/],
    ['the largest of nothing', () => zeros([0]).amax(), /^amax: /],
    ['the position of the largest of nothing', () => zeros([0, 3]).argmax(0), /^argmax: /],
    ['an item of many', () => t().itemSync(), /^item: .*got shape \(2, 3\)/],
    ['backward from many', () => t().requiresGrad_().mul(2).backward(), /^backward: .*got shape \(2, 3\)/],
    ['backward without a leaf', () => t().sum().backward(), /^backward: /],
    ['labels of another length', () => F.crossEntropy(t(), at(0)), /^crossEntropy: /],
    ['labels that are floats', () => F.nllLoss(t(), tensor([0.5, 1])), /^nllLoss: /],
    ['a leaf changed in place', () => t().requiresGrad_().add_(1), /^add_: /],
    ['a view that repeats, changed in place', () => t().select(0, 0).expand(2, 3).add_(1), /in place/],
    ['more elements than an index can count', () => zeros([1e5, 1e5, 1e5]).add(1).dataSync(), /^\w+: .*got /],
  ];
  it.each(CASES)('%s', (_, f, message) => {
    let error: unknown = null;
    try {
      f();
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toMatch(/^[\w.]+: .+/s);
  });
});

describe('found when it is computed', () => {
  it('a label outside of the classes, NaN among labels', () => {
    expect(() => F.crossEntropy(t(), at(0, 3)).itemSync()).toThrow(/label.*got 3/s);
    expect(() => F.crossEntropy(t(), at(0, -1)).itemSync()).toThrow(/label.*got -1/s);
    const labels = tensor([0, Number.NaN]);
    expect(() => F.crossEntropy(t(), labels).itemSync()).toThrow(/^crossEntropy: .*got /s);
  });
  it('memory that is not there leaves the program alive', () => {
    const before = t().realize();
    // 40 GB; no part of it is computed.
    expect(() =>
      full([100_000, 100_000], 1)
        .exp()
        .add(full([100_000, 100_000], 2))
        .dataSync(),
    ).toThrow(/^\w+: .*MB.*got a request for .* MB|^\w+: .*got /s);
    expect(before.sum().itemSync()).toBe(21);
  });
});

describe('empty tensors', () => {
  it('have sums, products and comparisons like any', async () => {
    await useDevice('reference');
    for (const device of ['cpu', 'reference']) {
      const e = zeros([0, 3], { device });
      expect(e.sum().itemSync()).toBe(0);
      expect(e.prod().itemSync()).toBe(1);
      expect(e.mean().itemSync()).toBeNaN();
      expect(e.sum(0).tolistSync()).toEqual([0, 0, 0]);
      expect(e.add(1).exp().shape).toEqual([0, 3]);
      expect(e.softmax(-1).tolistSync()).toEqual([]);
      expect(zeros([2, 0], { device }).matmul(e).tolistSync()).toEqual([
        [0, 0, 0],
        [0, 0, 0],
      ]);
      expect(cat([e, zeros([1, 3], { device })]).shape).toEqual([1, 3]);
      expect(e.T.shape).toEqual([3, 0]);
    }
  });
});

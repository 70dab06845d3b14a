// Padding: what lies outside of the padded tensor is never looked at, so checks must not fail there.

import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../../src/index.ts';

const ints = (n: number, v: number): Tensor => tensor(new Int32Array(n).fill(v));

describe('checks behind a guard', () => {
  it('taken elements padded with zeros: no index is out of range', () => {
    const t = tensor([
      [1, -2],
      [3, -4],
      [5, -6],
      [7, -8],
    ]).mul(1);
    t.diagonal().relu_();
    expect(t.tolistSync()).toEqual([
      [1, -2],
      [3, 0],
      [5, -6],
      [7, -8],
    ]);
  });
  for (const n of [3, 40]) {
    it(`quotients of ${n} integers padded with zeros: nothing is divided by zero`, () => {
      const q = ints(n, 7).floorDivide(ints(n, 2)).diagEmbed(1);
      expect(q.shape).toEqual([n + 1, n + 1]);
      expect(q.sum().itemSync()).toBe(3 * n);
    });
    it(`a zero among ${n} divisors is still found`, () => {
      const by = ints(n, 2);
      by.set(n - 1, 0);
      const q = ints(n, 7).floorDivide(by).diagEmbed(1);
      expect(() => q.dataSync()).toThrow(/^div: an integer cannot be divided by zero/);
      expect(ints(n, 7).floorDivide(ints(n, 2)).sum().itemSync()).toBe(3 * n);
    });
  }
});

// Scans over rows that lie beside each other in memory: vectors of rows, several at a time, tails; the same as one by one.

import { describe, expect, it } from 'vitest';
import { manualSeed, randn, type Tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

/** Along the middle dim, in numbers. */
function running(x: Tensor, step: (sum: number, v: number) => number, first: number): number[] {
  const [A, T, B] = x.shape as [number, number, number];
  const values = numbers(x);
  const out = new Array<number>(values.length);
  for (let a = 0; a < A; a++) {
    for (let b = 0; b < B; b++) {
      let sum = first;
      for (let t = 0; t < T; t++) {
        const i = (a * T + t) * B + b;
        sum = Math.fround(step(sum, values[i]!));
        out[i] = sum;
      }
    }
  }
  return out;
}

describe.each([1, 3, 4, 7, 16, 19, 37, 64])('%i rows side by side', B => {
  manualSeed(B);
  const x = randn([3, 21, B]).realize();
  it('running sums, products and maxima are those of each row alone, bit by bit', () => {
    expect(numbers(x.cumsum(1))).toEqual(running(x, (s, v) => s + v, 0));
    expect(numbers(x.cumprod(1))).toEqual(running(x, (s, v) => s * v, 1));
    expect(numbers(x.cummax(1).values)).toEqual(running(x, Math.max, Number.NEGATIVE_INFINITY));
  });
  it('a position with each maximum', () => {
    const { values, indices } = x.cummax(1);
    expect(numbers(x.gather(1, indices))).toEqual(numbers(values));
  });
  it('from the end, and of a computed value', () => {
    const y = x.mul(2).flip(1);
    expect(numbers(y.cumsum(1).flip(1))).toEqual(numbers(y.realize().cumsum(1).flip(1)));
    expect(numbers(y.cumsum(1))).toEqual(running(y.realize(), (s, v) => s + v, 0));
  });
});

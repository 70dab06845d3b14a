// int64 results that are made of 32-bit values: loops run four lanes wide and widen at the store.

import { describe, expect, it } from 'vitest';
import { arange, cat, manualSeed, randn, stack, type Tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

describe('positions along the first dim', () => {
  it.each([
    [7, 5],
    [33, 37],
    [100, 64],
    [300, 129],
    [64, 3],
  ] as const)('of %i × %i', (m, n) => {
    manualSeed(m);
    const x = randn([m, n]).mul(3).round().realize();
    const v = numbers(x);
    const column = (j: number): number[] => Array.from({ length: m }, (_, i) => v[i * n + j]!);
    const columns = Array.from({ length: n }, (_, j) => column(j));
    expect(numbers(x.argmax(0))).toEqual(columns.map(c => c.indexOf(Math.max(...c))));
    expect(numbers(x.argmin(0))).toEqual(columns.map(c => c.indexOf(Math.min(...c))));
  });
});

describe('conversions to int64', () => {
  const values = [-2147483648, -7, -1, 0, 1, 5, 2147483647];
  const x = (): Tensor => arange(37).sub(18).to('int32');
  it('keep the sign, in vectors and in what is left over', () => {
    const want = Array.from({ length: 37 }, (_, i) => i - 18);
    expect(numbers(x().to('int64'))).toEqual(want);
    expect(numbers(x().flip(0).to('int64'))).toEqual([...want].reverse());
    for (const v of values) expect(new Set(numbers(x().mul(0).add(v).to('int64')))).toEqual(new Set([v]));
  });
  it('go to places apart from each other', () => {
    const pairs = numbers(stack([x().to('int64'), x().mul(2).to('int64')], 1));
    expect(pairs).toEqual(Array.from({ length: 37 }, (_, i) => [i - 18, 2 * (i - 18)]).flat());
    const far = numbers(
      cat([x().reshape([37, 1]).to('int64'), x().reshape([37, 1]).expand([37, 40]).to('int64')], 1),
    );
    expect(far).toEqual(Array.from({ length: 37 }, (_, i) => new Array(41).fill(i - 18)).flat());
  });
  it('of floats beyond 32 bits stay whole', () => {
    expect(
      numbers(
        arange(9, { dtype: 'float64' })
          .mul(2 ** 33)
          .to('int64'),
      ),
    ).toEqual(Array.from({ length: 9 }, (_, i) => i * 2 ** 33));
  });
});

// softmax and its kin where a row holds NaN, infinities or values far apart, on rows for lanes and rows that are short.

import { describe, expect, it } from 'vitest';
import { F, tensor } from '../../src/index.ts';

/** What eˣ⁻ᵐ / Σ eˣ⁻ᵐ gives by the rules of IEEE 754. */
const byHand = (row: readonly number[]): number[] => {
  const top = row.includes(Number.NaN) ? Number.NaN : Math.max(...row);
  const e = row.map(x => Math.exp(x - top));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map(x => x / sum);
};
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const ROWS: readonly (readonly [name: string, first: readonly number[]])[] = [
  ['numbers', [1, 2, 0.5]],
  ['NaN first', [nan, 1, 2]],
  ['NaN last', [1, 2, nan]],
  ['NaN only', [nan, nan, nan]],
  ['−∞ beside numbers', [-inf, 1, 2]],
  ['−∞ only', [-inf, -inf, -inf]],
  ['∞ beside numbers', [1, inf, 2]],
  ['values far apart', [0, -200, 500]],
];
describe('softmax', () => {
  for (const length of [3, 38]) {
    for (const dtype of ['float32', 'float64'] as const) {
      for (const [name, first] of ROWS) {
        const same = /only/.test(name);
        const row = Array.from({ length }, (_, i) => first[i] ?? (same ? first[0]! : -1 - (i % 5)));
        it(`of ${length} ${dtype}: ${name}`, () => {
          const x = tensor([row, row.map(() => 1)], { dtype });
          const want = [...byHand(row), ...row.map(() => 1 / length)];
          const got = F.softmax(x, 1).dataSync() as Float64Array;
          const logs = F.logSoftmax(x, 1).dataSync() as Float64Array;
          const lse = x.logsumexp(1).dataSync() as Float64Array;
          want.forEach((w, i) => {
            if (Number.isNaN(w)) expect(got[i]).toBeNaN();
            else expect(got[i]).toBeCloseTo(w, 6);
            if (Number.isNaN(w)) expect(logs[i]).toBeNaN();
            else if (w > 1e-30) expect(logs[i]).toBeCloseTo(Math.log(w), 4);
          });
          if (row.some(Number.isNaN)) expect(lse[0]).toBeNaN();
          else
            expect(lse[0]).toBeCloseTo(
              Math.max(...row) +
                Math.log(
                  row.reduce((s, v) => s + (v === Math.max(...row) ? 1 : Math.exp(v - Math.max(...row))), 0),
                ),
              4,
            );
        });
      }
    }
  }
});

// Matrix products of the shapes that choose their own way through the kernel, against sums in float64.

import { describe, expect, it } from 'vitest';
import { manualSeed, randn, type Tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

function want(a: Tensor, b: Tensor): number[] {
  const [x, y] = [numbers(a), numbers(b)];
  const [m, k] = a.shape as [number, number];
  const n = b.shape[1]!;
  const out: number[] = [];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let s = 0;
      for (let t = 0; t < k; t++) s += x[i * k + t]! * y[t * n + j]!;
      out.push(s);
    }
  }
  return out;
}
/** float32 sums of k products of normal numbers are good to about 2⁻²³ · Σ|a·b|, and Σ|a·b| is about 0.64 k. */
function close(got: readonly number[], expected: readonly number[], k = 300): void {
  expect(got.length).toBe(expected.length);
  let worst = 0;
  got.forEach((v, i) => {
    worst = Math.max(worst, Math.abs(v - expected[i]!) / (1 + Math.abs(expected[i]!)));
  });
  expect(worst).toBeLessThan(2 ** -23 * k);
}

describe('few rows', () => {
  manualSeed(9);
  const bias = randn([300]).realize();
  it.each([4, 5, 6, 7, 8, 11, 13, 16, 23, 33])(
    '%i rows times a matrix as it is, and one stored transposed',
    m => {
      const x = randn([m, 260]).realize();
      const [plain, stored] = [randn([260, 300]).realize(), randn([300, 260]).realize()];
      // A view that was read has memory of its own: each product gets a fresh one.
      for (const view of [() => plain, () => stored.mT]) {
        const expected = want(x, view());
        close(numbers(x.matmul(view())), expected);
        const c = numbers(bias);
        const withBias = expected.map((v, i) => Math.max(v + c[i % 300]!, 0));
        close(numbers(x.matmul(view()).add(bias).relu()), withBias);
        const rowwise = randn([m, 1]).realize();
        const r = numbers(rowwise);
        close(
          numbers(x.matmul(view()).mul(rowwise)),
          expected.map((v, i) => v * r[Math.floor(i / 300)]!),
        );
      }
    },
  );
  // [rows, k, columns] of a B of 512 kB and more: some of its rows at a time, with ends of every kind.
  it.each([
    [4, 256, 600],
    [5, 260, 601],
    [8, 300, 700],
    [13, 252, 523],
    [31, 204, 1027],
  ] as const)('%i × %i times a large matrix of %i columns', (m, k, n) => {
    const [x, w, c] = [randn([m, k]).realize(), randn([k, n]).realize(), randn([n]).realize()];
    const expected = want(x, w);
    const bias = numbers(c);
    close(numbers(x.matmul(w)), expected);
    close(
      numbers(x.mT.contiguous().realize().mT.matmul(w).add(c)),
      expected.map((v, i) => v + bias[i % n]!),
    );
    const batch = randn([2, m, k]).realize();
    const y = numbers(batch.matmul(w).relu());
    for (let b = 0; b < 2; b++) {
      close(
        y.slice(b * m * n, (b + 1) * m * n),
        want(batch.select(0, b), w).map(v => Math.max(v, 0)),
      );
    }
  });
  it('in batches, with one matrix for all or one each', () => {
    const x = randn([3, 9, 150]).realize();
    for (const w of [randn([65, 150]).realize(), randn([3, 65, 150]).realize()]) {
      const y = x.matmul(w.mT).add(1);
      for (let i = 0; i < 3; i++) {
        const part = want(x.select(0, i), (w.shape.length === 3 ? w.select(0, i) : w).mT);
        close(
          numbers(y.select(0, i)),
          part.map(v => v + 1),
        );
      }
    }
  });
});

describe('few columns', () => {
  it.each([1, 3, 4, 8, 9, 10, 12, 13, 16, 17])('%i of them', n => {
    const [a, b] = [randn([50, 90]).realize(), randn([90, n]).realize()];
    const stored = b.mT.contiguous().realize();
    close(numbers(a.matmul(b)), want(a, b));
    close(numbers(a.matmul(stored.mT)), want(a, b));
  });
});

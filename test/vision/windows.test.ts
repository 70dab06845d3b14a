// Windows step by step: the steps give what pooling and interpolation give, and their weights are the known ones.

import { describe, expect, it } from 'vitest';
import { F, tensor } from '../../src/index.ts';
import { interpolateSteps, poolSteps, type Rows, type WindowStep } from '../../src/vision/index.ts';

const ROWS: Rows = [
  [1, 3, 2, 4],
  [5, 6, 1, 0],
  [7, 2, 9, 8],
  [0, 1, 3, 2],
];
const x = tensor(ROWS.flat(), { shape: [1, 1, 4, 4] });
/** The results as rows. */
function made(steps: readonly WindowStep[]): number[][] {
  const out: number[][] = [];
  for (const s of steps) (out[s.row] ??= [])[s.column] = s.value;
  return out;
}
const weighed = (s: WindowStep): number =>
  s.taps.reduce((sum, t) => sum + t.weight * ROWS[t.row]![t.column]!, 0);

describe('pooling', () => {
  it('takes the largest, or the mean, of each window, in reading order', async () => {
    expect(made(poolSteps(ROWS))).toEqual([
      [6, 4],
      [7, 9],
    ]);
    expect(made(poolSteps(ROWS, { kind: 'avg' }))).toEqual([
      [3.75, 1.75],
      [2.5, 5.5],
    ]);
    const overlapping = { kernelSize: 3, stride: 1 } as const;
    expect(made(poolSteps(ROWS, overlapping))).toEqual(
      ((await F.maxPool2d(x, 3, { stride: 1 }).tolist()) as number[][][][])[0]![0],
    );
  });
  it('of maxima one place counts, of means all alike', () => {
    expect(poolSteps(ROWS)[0]!.taps).toEqual([{ row: 1, column: 1, weight: 1 }]);
    expect(poolSteps(ROWS, { kind: 'avg' })[3]!.taps.map(t => t.weight)).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(poolSteps(ROWS)[1]!.window).toEqual({ top: 0, left: 2, height: 2, width: 2 });
  });
  it('refuses windows that do not fit', () => {
    expect(() => poolSteps(ROWS, { kernelSize: 5 })).toThrow(
      /poolSteps: .* the window must fit, got 5 and 5 on 4 × 4/,
    );
    expect(() => poolSteps([[1, 2], [3]])).toThrow(/poolSteps: the picture must be rows of one length/);
  });
});

describe('interpolation', () => {
  it.each(['nearest', 'bilinear', 'bicubic', 'area'] as const)(
    '%s: Σ weight · input is the result',
    async mode => {
      const steps = await interpolateSteps(ROWS, { size: [7, 6], mode });
      expect(steps.length).toBe(42);
      const want = (await F.interpolate(x, { size: [7, 6], mode })
        .flatten()
        .tolist()) as number[];
      for (const [i, s] of steps.entries()) {
        expect(s.value).toBeCloseTo(want[i]!, 5);
        expect(weighed(s)).toBeCloseTo(want[i]!, 4);
        expect(s.taps.reduce((sum, t) => sum + t.weight, 0)).toBeCloseTo(1, 5);
      }
    },
  );
  it('a new place reads 1, at most 4, at most 16 old ones; twice as large: 9/16, 3/16, 3/16, 1/16', async () => {
    const most = async (mode: 'nearest' | 'bilinear' | 'bicubic'): Promise<number> =>
      Math.max(...(await interpolateSteps(ROWS, { scaleFactor: 2, mode })).map(s => s.taps.length));
    expect([await most('nearest'), await most('bilinear'), await most('bicubic')]).toEqual([1, 4, 16]);
    const steps = await interpolateSteps(ROWS, { scaleFactor: 2, mode: 'bilinear' });
    const inner = steps.find(s => s.row === 3 && s.column === 3)!;
    expect(inner.taps.map(t => Math.round(16 * t.weight))).toEqual([9, 3, 3, 1]);
    expect(inner.window).toEqual({ top: 1, left: 1, height: 2, width: 2 });
  });
});

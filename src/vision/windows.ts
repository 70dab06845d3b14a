// Pooling and interpolation window by window: which places a result reads, and how much each counts.
// In: a small picture as rows of numbers. Out: one step for each result, in reading order.

import { ShapeError, ValueError } from '../base/errors.ts';
import * as F from '../nn/functional.ts';
import { eye, tensor } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';

export type Rows = readonly (readonly number[])[];
/** A place that counts. */
export interface Tap {
  readonly row: number;
  readonly column: number;
  /** How much it counts: value = Σ weight · input. */
  readonly weight: number;
}
/** How one result comes about. */
export interface WindowStep {
  /** Where the result stands. */
  readonly row: number;
  readonly column: number;
  readonly value: number;
  readonly taps: readonly Tap[];
  /** The window that it looks through; of interpolation the smallest one around its places. */
  readonly window: {
    readonly top: number;
    readonly left: number;
    readonly height: number;
    readonly width: number;
  };
}

function sizeOf(op: string, rows: Rows): [height: number, width: number] {
  const [height, width] = [rows.length, rows[0]?.length ?? 0];
  if (height === 0 || width === 0 || rows.some(r => r.length !== width))
    throw new ShapeError(
      op,
      'the picture must be rows of one length, at least 1 × 1',
      `${height} rows of ${width}`,
      '',
    );
  return [height, width];
}

export interface PoolStepsOptions {
  /** Default 'max'. */
  readonly kind?: 'max' | 'avg';
  /** Default 2. */
  readonly kernelSize?: number;
  /** Default: the kernel's size. */
  readonly stride?: number;
}
/** Each window of max or average pooling: the largest place counts alone, or all count alike. The first of equals is taken. */
export function poolSteps(rows: Rows, options: PoolStepsOptions = {}): WindowStep[] {
  const { kind = 'max', kernelSize: k = 2, stride = k } = options;
  const [height, width] = sizeOf('poolSteps', rows);
  if (![k, stride].every(v => Number.isInteger(v) && v >= 1) || k > Math.min(height, width))
    throw new ValueError(
      'poolSteps',
      'kernelSize and stride must be integers >= 1, and the window must fit',
      `${k} and ${stride} on ${height} × ${width}`,
      '',
    );
  const steps: WindowStep[] = [];
  for (let top = 0; top + k <= height; top += stride)
    for (let left = 0; left + k <= width; left += stride) {
      const places = Array.from({ length: k * k }, (_, i) => ({
        row: top + Math.floor(i / k),
        column: left + (i % k),
      }));
      const at = (p: { row: number; column: number }): number => rows[p.row]![p.column]!;
      const largest = places.reduce((a, b) => (at(b) > at(a) ? b : a));
      const taps =
        kind === 'avg' ? places.map(p => ({ ...p, weight: 1 / (k * k) })) : [{ ...largest, weight: 1 }];
      steps.push({
        row: top / stride,
        column: left / stride,
        value: taps.reduce((sum, t) => sum + t.weight * at(t), 0),
        taps,
        window: { top, left, height: k, width: k },
      });
    }
  return steps;
}

/** Weights below this are the rounding of float32. */
const NOTHING = 1e-6;
/**
 * Each result of `F.interpolate` with its places and weights. These are what it makes of pictures with a single 1: it is
 * linear. Options as of F.interpolate.
 */
export async function interpolateSteps(rows: Rows, options: F.InterpolateOptions): Promise<WindowStep[]> {
  const [height, width] = sizeOf('interpolateSteps', rows);
  const ones = eye(height * width).reshape([height * width, 1, height, width]);
  const made: Tensor = F.interpolate(ones, options); // (h·w, 1, H, W): the share of each place in each result
  const [, , H, W] = made.shape as [number, number, number, number];
  const shares = (await made
    .reshape([height * width, H * W])
    .t()
    .tolist()) as number[][];
  const values = (await F.interpolate(tensor(rows.flat(), { shape: [1, 1, height, width] }), options)
    .flatten()
    .tolist()) as number[];
  return shares.map((share, i) => {
    const taps = share.flatMap((weight, p) =>
      Math.abs(weight) < NOTHING ? [] : [{ row: Math.floor(p / width), column: p % width, weight }],
    );
    const [top, left] = [Math.min(...taps.map(t => t.row)), Math.min(...taps.map(t => t.column))];
    return {
      row: Math.floor(i / W),
      column: i % W,
      value: values[i]!,
      taps,
      window: {
        top,
        left,
        height: Math.max(...taps.map(t => t.row)) - top + 1,
        width: Math.max(...taps.map(t => t.column)) - left + 1,
      },
    };
  });
}

// Images of another size: interpolation in all modes, and the rearrangements between channels and places.
// Every mode but 'nearest' is linear and separable: each dim is multiplied by a matrix of weights (new size × old size).

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { needsFloat } from '../../tensor/reduce.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './adaptive.ts';
import { type PerDim, perDim } from './conv.ts';
import { byMatrix } from './linear.ts';

export type InterpolateMode =
  | 'nearest'
  | 'nearest-exact'
  | 'linear'
  | 'bilinear'
  | 'trilinear'
  | 'bicubic'
  | 'area';
export interface InterpolateOptions {
  /** The new sizes of the places. Either this or scaleFactor. */
  readonly size?: number | readonly number[] | null;
  /** Factors for the sizes; the results are rounded down. */
  readonly scaleFactor?: number | readonly number[] | null;
  /** Default 'nearest'. */
  readonly mode?: InterpolateMode;
  /** Whether the outermost elements, and not their outer edges, keep their place. Default false. */
  readonly alignCorners?: boolean | null;
  /** Compute the positions from the rounded sizes instead of the given factors. Default false. */
  readonly recomputeScaleFactor?: boolean | null;
  /** Widen the filter when making images smaller ('bilinear', 'bicubic'), as image editors do. Default false. */
  readonly antialias?: boolean;
}
const RANKS: Record<InterpolateMode, readonly number[]> = {
  nearest: [1, 2, 3],
  'nearest-exact': [1, 2, 3],
  area: [1, 2, 3],
  linear: [1],
  bilinear: [2],
  trilinear: [3],
  bicubic: [2],
};

/** x (N, C, L), (N, C, H, W) or (N, C, D, H, W) at other sizes of its places. */
export function interpolate(x: Tensor, options: InterpolateOptions = {}): Tensor {
  const { mode = 'nearest', alignCorners = null, antialias = false } = options;
  const rank = x.ndim - 2;
  const ranks = RANKS[mode];
  if (ranks === undefined)
    throw new ValueError('interpolate', `mode is one of ${Object.keys(RANKS).join(', ')}`, show(mode), '');
  if (!ranks.includes(rank)) {
    throw new ShapeError(
      'interpolate',
      `mode '${mode}' takes ${ranks.map(r => r + 2).join(', ')} dims`,
      showShape(x.shape),
      '',
    );
  }
  const interpolates = !['nearest', 'nearest-exact', 'area'].includes(mode);
  if (alignCorners !== null && !interpolates)
    throw new ValueError('interpolate', 'alignCorners needs a mode that interpolates', show(mode), '');
  if (antialias && mode !== 'bilinear' && mode !== 'bicubic')
    throw new ValueError('interpolate', "antialias needs mode 'bilinear' or 'bicubic'", show(mode), '');
  if (interpolates) needsFloat('interpolate', x.dtype);
  const { sizes, scales } = target(x, rank, options);
  if (mode === 'area') {
    const pool = [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d][rank - 1]!;
    return pool(x, sizes);
  }
  let y = x;
  sizes.forEach((out, i) => {
    const dim = 2 + i;
    const n = x.shape[dim]!;
    // A given factor decides where the elements lie, even where the size is rounded.
    const step = scales[i] === null ? n / out : 1 / scales[i]!;
    if (!interpolates) y = nearest(y, dim, out, step, mode === 'nearest-exact');
    else if (out !== n || step !== 1) {
      const aligned = alignCorners === true;
      const position = aligned ? (out > 1 ? (n - 1) / (out - 1) : 0) : step;
      y = byMatrix(y, dim, weightsOf(mode, n, out, position, aligned, antialias));
    }
  });
  return y === x ? x.clone() : y;
}

function target(
  x: Tensor,
  rank: number,
  { size, scaleFactor, recomputeScaleFactor }: InterpolateOptions,
): { sizes: number[]; scales: (number | null)[] } {
  if ((size == null) === (scaleFactor == null))
    throw new ValueError(
      'interpolate',
      'either size or scaleFactor must be given',
      size == null ? 'none' : 'both',
      '',
    );
  if (size != null) {
    const sizes = perDim('interpolate', 'size', size as PerDim, rank, 1);
    return { sizes, scales: sizes.map(() => null) };
  }
  const factors = typeof scaleFactor === 'number' ? Array<number>(rank).fill(scaleFactor) : [...scaleFactor!];
  const sizes = factors.map((f, i) => Math.floor(x.shape[2 + i]! * f));
  if (factors.length !== rank || sizes.some(n => !(n >= 1)))
    throw new ValueError(
      'interpolate',
      `scaleFactor must be ${rank} numbers that leave at least 1 place`,
      show(scaleFactor),
      '',
    );
  return { sizes, scales: factors.map(f => (recomputeScaleFactor ? null : f)) };
}

/** Each new place takes the old one that it falls on (or the one nearest to its middle, `exact`). */
function nearest(x: Tensor, dim: number, out: number, step: number, exact: boolean): Tensor {
  const n = x.shape[dim]!;
  // In float32, as PyTorch computes it: positions on an edge go the same way.
  const scale = Math.fround(step);
  const at = Array.from({ length: out }, (_, o) =>
    Math.min(Math.floor(Math.fround((exact ? o + 0.5 : o) * scale)), n - 1),
  );
  const times = out / n;
  if (Number.isInteger(times) && at.every((p, o) => p === Math.floor(o / times))) {
    return times === 1 ? x : x.repeatInterleave(times, dim);
  }
  return x.indexSelect(dim, x.indexTensor(at));
}

// ---- weights ---------------------------------------------------------------------------------------------------------------

/** Keys' cubic with slope a at ±1 (1981, "Cubic convolution interpolation"). */
function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}
const tent = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** Row o: how much each of n old places counts for the new place o. */
function weightsOf(
  mode: InterpolateMode,
  n: number,
  out: number,
  step: number,
  aligned: boolean,
  antialias: boolean,
): number[][] {
  return Array.from({ length: out }, (_, o) => {
    const row = Array<number>(n).fill(0);
    if (antialias) filtered(row, mode, o, step);
    else {
      const middle = aligned ? o * step : (o + 0.5) * step - 0.5;
      const at = mode === 'bicubic' ? middle : Math.max(middle, 0);
      const first = Math.floor(at);
      const [from, to] = mode === 'bicubic' ? [-1, 2] : [0, 1];
      for (let k = from; k <= to; k++) {
        const w = mode === 'bicubic' ? cubic(at - first - k, -0.75) : tent(at - first - k);
        // Places outside count for the edge.
        row[Math.min(Math.max(first + k, 0), n - 1)]! += w;
      }
    }
    return row;
  });
}
/** The filter stretched by the step where that makes the image smaller, and normalised (as Pillow does it). */
function filtered(row: number[], mode: InterpolateMode, o: number, step: number): void {
  const stretch = Math.max(step, 1);
  const support = (mode === 'bicubic' ? 2 : 1) * stretch;
  const center = (o + 0.5) * step;
  const from = Math.max(Math.trunc(center - support + 0.5), 0);
  const to = Math.min(Math.trunc(center + support + 0.5), row.length);
  let total = 0;
  for (let k = from; k < to; k++) {
    const d = (k - center + 0.5) / stretch;
    row[k] = mode === 'bicubic' ? cubic(d, -0.5) : tent(d);
    total += row[k]!;
  }
  if (total !== 0) for (let k = from; k < to; k++) row[k]! /= total;
}

// ---- channels and places ---------------------------------------------------------------------------------------------------

function divides(op: string, x: Tensor, dim: number, by: number): void {
  if (x.ndim < 3 || !Number.isInteger(by) || by < 1 || x.shape[x.ndim + dim]! % by !== 0) {
    throw new ShapeError(op, `dim ${dim} of (…, C, H, W) must be divisible by ${by}`, showShape(x.shape), '');
  }
}
/** Channels become places: (…, C r², H, W) gives (…, C, H r, W r). Shi et al. 2016. */
export function pixelShuffle(x: Tensor, upscaleFactor: number): Tensor {
  const r = upscaleFactor;
  divides('pixelShuffle', x, -3, r * r);
  const [C, H, W] = x.shape.slice(-3) as [number, number, number];
  const lead = x.shape.slice(0, -3);
  const apart = x.reshape([-1, C / (r * r), r, r, H, W]).permute([0, 1, 4, 2, 5, 3]);
  return apart.reshape([...lead, C / (r * r), H * r, W * r]);
}
/** Places become channels: (…, C, H r, W r) gives (…, C r², H, W). */
export function pixelUnshuffle(x: Tensor, downscaleFactor: number): Tensor {
  const r = downscaleFactor;
  divides('pixelUnshuffle', x, -1, r);
  divides('pixelUnshuffle', x, -2, r);
  const [C, H, W] = x.shape.slice(-3) as [number, number, number];
  const lead = x.shape.slice(0, -3);
  const apart = x.reshape([-1, C, H / r, r, W / r, r]).permute([0, 1, 3, 5, 2, 4]);
  return apart.reshape([...lead, C * r * r, H / r, W / r]);
}
/** Channels of all groups interleaved: (N, C, …). Zhang et al. 2018. */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  const C = x.shape[1] ?? 0;
  if (C % groups !== 0)
    throw new ShapeError(
      'channelShuffle',
      `the channels must be divisible by ${groups} groups`,
      showShape(x.shape),
      '',
    );
  return x
    .unflatten(1, [groups, C / groups])
    .transpose(1, 2)
    .flatten(1, 2);
}

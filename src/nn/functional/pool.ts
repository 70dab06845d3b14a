// Pooling: windows of places become one value each.

import { ShapeError, showShape, ValueError } from '../../base/errors.ts';
import { contiguousStrides, numel } from '../../base/shape.ts';
import type { Node } from '../../ir/node.ts';
import * as ops from '../../ir/ops/elementwise.ts';
import { largest } from '../../ir/ops/largest.ts';
import * as mv from '../../ir/ops/movement.ts';
import * as red from '../../ir/ops/reduce.ts';
import { wrap } from '../../tensor/core.ts';
import { tensor, zeros } from '../../tensor/create.ts';
import { needsFloat, type ValuesIndices } from '../../tensor/reduce.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { batchedPlaces, type PerDim, padPlaces, perDim, windows } from './conv.ts';

export interface PoolOptions {
  /** Distance between neighbouring windows. Default: the size of the window. */
  readonly stride?: PerDim | null;
  readonly padding?: PerDim;
  /** Round the number of windows up: the last ones may reach over the end. Default false. */
  readonly ceilMode?: boolean;
}

/** How the windows lie in each dim. */
interface Layout {
  readonly size: number[];
  readonly stride: number[];
  readonly padding: number[];
  readonly dilation: number[];
  /** Number of windows. */
  readonly count: number[];
}
function layoutOf(
  op: string,
  places: readonly number[],
  kernelSize: PerDim,
  options: PoolOptions & { dilation?: PerDim },
): Layout {
  const rank = places.length;
  const size = perDim(op, 'kernelSize', kernelSize, rank, 1);
  const given = options.stride;
  const stride =
    given == null || (Array.isArray(given) && given.length === 0)
      ? size
      : perDim(op, 'stride', given as PerDim, rank, 1);
  const padding = perDim(op, 'padding', options.padding ?? 0, rank, 0);
  const dilation = perDim(op, 'dilation', options.dilation ?? 1, rank, 1);
  const count = places.map((n, i) => {
    const [k, s, p] = [dilation[i]! * (size[i]! - 1) + 1, stride[i]!, padding[i]!];
    if (p * 2 > size[i]!)
      throw new ValueError(op, 'padding must be at most half of the window', `${p} for ${size[i]}`, '');
    const steps = (n + 2 * p - k) / s;
    let windowCount = (options.ceilMode ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // Every window starts inside the places or the padding before them.
    if (options.ceilMode && (windowCount - 1) * s >= n + p) windowCount--;
    if (windowCount < 1) {
      throw new ShapeError(
        op,
        `windows of ${k} must fit into the ${n} places${p > 0 ? ` and ${p} on each side` : ''}`,
        showShape(places),
        'use a smaller window, or more padding',
      );
    }
    return windowCount;
  });
  return { size, stride, padding, dilation, count };
}
/** (N, C, I…) as windows (N, C, P…, K…), places outside filled with `fill`. */
function seenThrough(x: Node, l: Layout, fill: number): Node {
  const after = l.count.map((c, i) => {
    const reach = (c - 1) * l.stride[i]! + l.dilation[i]! * (l.size[i]! - 1) + 1;
    return reach - l.padding[i]! - x.shape[2 + i]!;
  });
  return windows(padPlaces(x, l.padding, after, fill), l.size, l.stride, l.dilation);
}
const kernelDims = (rank: number): number[] => Array.from({ length: rank }, (_, i) => 2 + rank + i);

// ---- maximum ---------------------------------------------------------------------------------------------------------------

/** The largest element of each window, and its row-major place in the window; the first of equal ones, NaN before all. */
export function largestOf(seen: Node, rank: number): { values: Node; place: Node } {
  const dims = kernelDims(rank);
  return { values: largest(seen, dims), place: red.argmax(seen, dims, true) };
}

function maxPool(
  rank: number,
  x: Tensor,
  kernelSize: PerDim,
  options: PoolOptions & { dilation?: PerDim },
): ValuesIndices {
  const op = `maxPool${rank}d`;
  needsFloat(op, x.dtype);
  const { x: input, done } = batchedPlaces(op, x, rank);
  const places = input.shape.slice(2);
  const l = layoutOf(op, places, kernelSize, options);
  const { values, place } = largestOf(seenThrough(input, l, Number.NEGATIVE_INFINITY), rank);
  const flat = mv.reshape(place, values.shape);
  return { values: done(values), indices: done(placesOf(flat, l, places)) };
}
/** Places in the window as row-major places in the image. */
function placesOf(flat: Node, l: Layout, places: readonly number[]): Node {
  const inWindow = contiguousStrides(l.size);
  const inImage = contiguousStrides(places);
  const k = (v: number): Node => ops.constLike(flat, v);
  return places
    .map((n, i) => {
      const shape = [l.count[i]!, ...places.slice(i + 1).map(() => 1)];
      const start = ops.sub(
        ops.mul(mv.reshape(ops.iota([l.count[i]!], 'int64', flat.device), shape), k(l.stride[i]!)),
        k(l.padding[i]!),
      );
      const digit = ops.remainder(ops.floorDiv(flat, k(inWindow[i]!)), k(l.size[i]!));
      const at = ops.add(start, ops.mul(digit, k(l.dilation[i]!)));
      // A window of −∞ alone may name a place in the padding.
      const inside = ops.minimum(ops.maximum(at, k(0)), k(n - 1));
      return ops.mul(inside, k(inImage[i]!));
    })
    .reduce((a, b) => ops.add(a, b));
}

type MaxPoolOptions = PoolOptions & { readonly dilation?: PerDim };
/** The largest element of each window: (N, C, L). */
export const maxPool1d = (x: Tensor, kernelSize: PerDim, options: MaxPoolOptions = {}): Tensor =>
  maxPool(1, x, kernelSize, options).values;
/** The largest element of each window: (N, C, H, W). */
export const maxPool2d = (x: Tensor, kernelSize: PerDim, options: MaxPoolOptions = {}): Tensor =>
  maxPool(2, x, kernelSize, options).values;
/** The largest element of each window: (N, C, D, H, W). */
export const maxPool3d = (x: Tensor, kernelSize: PerDim, options: MaxPoolOptions = {}): Tensor =>
  maxPool(3, x, kernelSize, options).values;
/** The same with the row-major place of each maximum in its image, for maxUnpool1d. */
export const maxPool1dWithIndices = (
  x: Tensor,
  kernelSize: PerDim,
  options: MaxPoolOptions = {},
): ValuesIndices => maxPool(1, x, kernelSize, options);
/** The same with the row-major place of each maximum in its image, for maxUnpool2d. */
export const maxPool2dWithIndices = (
  x: Tensor,
  kernelSize: PerDim,
  options: MaxPoolOptions = {},
): ValuesIndices => maxPool(2, x, kernelSize, options);
/** The same with the row-major place of each maximum in its image, for maxUnpool3d. */
export const maxPool3dWithIndices = (
  x: Tensor,
  kernelSize: PerDim,
  options: MaxPoolOptions = {},
): ValuesIndices => maxPool(3, x, kernelSize, options);

export interface UnpoolOptions {
  readonly stride?: PerDim | null;
  readonly padding?: PerDim;
  /** Sizes of the places, where several lead to the same pooled size; leading dims may be given too. */
  readonly outputSize?: readonly number[] | null;
}
/** The maxima back at their places, zeros elsewhere. */
function maxUnpool(
  rank: number,
  x: Tensor,
  indices: Tensor,
  kernelSize: PerDim,
  options: UnpoolOptions,
): Tensor {
  const op = `maxUnpool${rank}d`;
  const size = perDim(op, 'kernelSize', kernelSize, rank, 1);
  const stride = options.stride == null ? size : perDim(op, 'stride', options.stride, rank, 1);
  const padding = perDim(op, 'padding', options.padding ?? 0, rank, 0);
  const lead = x.shape.slice(0, -rank);
  const natural = x.shape.slice(-rank).map((n, i) => (n - 1) * stride[i]! - 2 * padding[i]! + size[i]!);
  const places = options.outputSize?.slice(-rank) ?? natural;
  const rows = numel(lead);
  const base = zeros([rows, numel(places)], { dtype: x.dtype, device: x.device });
  return base.scatter(1, indices.reshape([rows, -1]), x.reshape([rows, -1])).reshape([...lead, ...places]);
}
/** The transpose of maxPool1d: values at their indices, zeros elsewhere. */
export const maxUnpool1d = (
  x: Tensor,
  indices: Tensor,
  kernelSize: PerDim,
  options: UnpoolOptions = {},
): Tensor => maxUnpool(1, x, indices, kernelSize, options);
/** The transpose of maxPool2d: values at their indices, zeros elsewhere. */
export const maxUnpool2d = (
  x: Tensor,
  indices: Tensor,
  kernelSize: PerDim,
  options: UnpoolOptions = {},
): Tensor => maxUnpool(2, x, indices, kernelSize, options);
/** The transpose of maxPool3d: values at their indices, zeros elsewhere. */
export const maxUnpool3d = (
  x: Tensor,
  indices: Tensor,
  kernelSize: PerDim,
  options: UnpoolOptions = {},
): Tensor => maxUnpool(3, x, indices, kernelSize, options);

// ---- mean ------------------------------------------------------------------------------------------------------------------

export interface AvgPoolOptions extends PoolOptions {
  /** Whether the padding counts as places. Default true. */
  readonly countIncludePad?: boolean;
  /** Divide the sums by this number instead. */
  readonly divisorOverride?: number | null;
}
function avgPool(rank: number, x: Tensor, kernelSize: PerDim, options: AvgPoolOptions): Tensor {
  const op = `avgPool${rank}d`;
  needsFloat(op, x.dtype);
  const { countIncludePad = true, divisorOverride = null } = options;
  const { x: input, done } = batchedPlaces(op, x, rank);
  const places = input.shape.slice(2);
  const l = layoutOf(op, places, kernelSize, options);
  const sums = wrap(red.sum(seenThrough(input, l, 0), kernelDims(rank), false));
  if (divisorOverride !== null) {
    if (divisorOverride === 0) throw new ValueError(op, 'divisorOverride must not be 0', '0', '');
    return done(sums.div(divisorOverride).node());
  }
  // How many places each window covers in each dim, the reach over the end of `ceilMode` left out.
  const covered = places.map((n, i) => {
    const margin = countIncludePad ? l.padding[i]! : 0;
    return Array.from({ length: l.count[i]! }, (_, o) => {
      const start = o * l.stride[i]! - l.padding[i]!;
      const end = Math.min(start + l.size[i]!, n + l.padding[i]!);
      return Math.min(end, n + margin) - Math.max(start, -margin);
    });
  });
  if (covered.every(c => c.every(v => v === c[0]))) {
    return done(sums.div(numel(covered.map(c => c[0]!))).node());
  }
  const divisor = covered
    .map((c, i) =>
      tensor(c, {
        dtype: x.dtype,
        device: x.device,
        shape: [c.length, ...Array<number>(rank - 1 - i).fill(1)],
      }),
    )
    .reduce((a, b) => a.mul(b));
  return done(sums.div(divisor).node());
}
/** The mean of each window: (N, C, L). */
export const avgPool1d = (x: Tensor, kernelSize: PerDim, options: AvgPoolOptions = {}): Tensor =>
  avgPool(1, x, kernelSize, options);
/** The mean of each window: (N, C, H, W). */
export const avgPool2d = (x: Tensor, kernelSize: PerDim, options: AvgPoolOptions = {}): Tensor =>
  avgPool(2, x, kernelSize, options);
/** The mean of each window: (N, C, D, H, W). */
export const avgPool3d = (x: Tensor, kernelSize: PerDim, options: AvgPoolOptions = {}): Tensor =>
  avgPool(3, x, kernelSize, options);

/** (Σ xᵖ)^{1/p} of each window. */
function lpPool(rank: number, x: Tensor, p: number, kernelSize: PerDim, options: PoolOptions): Tensor {
  const size = perDim(`lpPool${rank}d`, 'kernelSize', kernelSize, rank, 1);
  const mean = avgPool(rank, x.pow(p), kernelSize, options);
  return mean
    .sign()
    .mul(mean.abs().relu())
    .mul(numel(size))
    .pow(1 / p);
}
/** (Σ xᵖ)^{1/p} of each window: (N, C, L). */
export const lpPool1d = (x: Tensor, p: number, kernelSize: PerDim, options: PoolOptions = {}): Tensor =>
  lpPool(1, x, p, kernelSize, options);
/** (Σ xᵖ)^{1/p} of each window: (N, C, H, W). */
export const lpPool2d = (x: Tensor, p: number, kernelSize: PerDim, options: PoolOptions = {}): Tensor =>
  lpPool(2, x, p, kernelSize, options);

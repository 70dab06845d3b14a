// Convolution and its transpose in 1 to 3 dims, and the windows of unfold and fold.
// Channels go last on the way in and first on the way out; between layers the two cancel (ir/simplify.ts).
// Letters: N batch, C input channels, O output channels, G groups, K elements of the kernel, I and P input and output
// places.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { numel } from '../../base/shape.ts';
import type { Node } from '../../ir/node.ts';
import { conv as convolve, convTransposed } from '../../ir/ops/conv.ts';
import { add, mul } from '../../ir/ops/elementwise.ts';
import * as mv from '../../ir/ops/movement.ts';
import { sum } from '../../ir/ops/reduce.ts';
import { wrap } from '../../tensor/core.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** One number for all places' dims, or one for each. */
export type PerDim = number | readonly number[];
/** A size or distance per dim, checked. */
export function perDim(op: string, name: string, value: PerDim, rank: number, least: number): number[] {
  const list = typeof value === 'number' ? Array<number>(rank).fill(value) : [...value];
  if (list.length === 1 && rank > 1) list.push(...Array<number>(rank - 1).fill(list[0]!));
  if (list.length !== rank || list.some(v => !Number.isInteger(v) || v < least)) {
    throw new ValueError(
      op,
      `${name} must be ${rank} integer${rank > 1 ? 's' : ''} >= ${least}`,
      show(value),
      '',
    );
  }
  return list;
}

/** All windows of the dims from 2 on: (N, C, I…) gives (N, C, P…, K…). */
export function windows(
  x: Node,
  size: readonly number[],
  step: readonly number[],
  dilation: readonly number[],
): Node {
  return size.reduce(
    (y, n, i) => mv.window(y, { dim: 2 + i, size: n, step: step[i]!, dilation: dilation[i]! }),
    x,
  );
}
/** The transpose: adds windows (N, C, P…, K…) up where they come from, in places of the given sizes. */
function windowsAdded(
  y: Node,
  size: readonly number[],
  step: readonly number[],
  dilation: readonly number[],
  lengths: readonly number[],
): Node {
  let out = y;
  for (let i = size.length - 1; i >= 0; i--) {
    out = mv.windowSum(
      out,
      { dim: 2 + i, size: size[i]!, step: step[i]!, dilation: dilation[i]! },
      lengths[i]!,
    );
  }
  return out;
}
/** Places padded (or cut, for negative amounts) at both ends. */
export function padPlaces(x: Node, before: readonly number[], after: readonly number[], value = 0): Node {
  return mv.pad(x, [0, 0, ...before], [0, 0, ...after], value);
}

interface Batched {
  /** (N, C, I…) */
  readonly x: Node;
  /** Drops the batch again where there was none. */
  readonly done: (y: Node) => Tensor;
}
export function batchedPlaces(op: string, x: Tensor, rank: number): Batched {
  const n = x.node();
  if (x.ndim === rank + 2) return { x: n, done: wrap };
  if (x.ndim !== rank + 1) {
    const places = ['L', 'H, W', 'D, H, W'][rank - 1];
    throw new ShapeError(
      op,
      `x must be (N, C, ${places}) or (C, ${places})`,
      showShape(x.shape),
      'reshape or unsqueeze it',
    );
  }
  return { x: mv.reshape(n, [1, ...n.shape]), done: y => wrap(mv.reshape(y, y.shape.slice(1))) };
}

export interface ConvOptions {
  /** Distance between neighbouring windows. Default 1. */
  readonly stride?: PerDim;
  /** Zeros at both ends of each dim; 'same' keeps the size (stride 1), 'valid' is 0. Default 0. */
  readonly padding?: PerDim | 'same' | 'valid';
  /** Distance between neighbouring elements of a window. Default 1. */
  readonly dilation?: PerDim;
  /** Channels in separate groups, each with its own kernels. Default 1. */
  readonly groups?: number;
}

function paddings(
  op: string,
  padding: PerDim | 'same' | 'valid',
  size: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): [before: number[], after: number[]] {
  const rank = size.length;
  if (padding === 'same') {
    if (stride.some(s => s !== 1))
      throw new ValueError(op, "padding 'same' needs stride 1", show(stride), 'give the padding as numbers');
    const total = size.map((k, i) => dilation[i]! * (k - 1));
    const left = total.map(t => Math.floor(t / 2));
    return [left, total.map((t, i) => t - left[i]!)];
  }
  if (typeof padding === 'string' && padding !== 'valid')
    throw new ValueError(op, "padding is numbers, 'same' or 'valid'", show(padding), '');
  const p = perDim(op, 'padding', padding === 'valid' ? 0 : padding, rank, 0);
  return [p, p];
}
function needsWeight(
  op: string,
  x: Node,
  weight: Node,
  channels: number,
  groups: number,
  layout: string,
): void {
  if (weight.shape.length !== x.shape.length || x.shape[1] !== channels || channels % groups !== 0) {
    throw new ShapeError(
      op,
      `the weight must be (${layout}, …) for the ${x.shape[1]} channels of x and ${groups} group${groups > 1 ? 's' : ''}`,
      `${showShape(weight.shape)} for ${showShape(x.shape)}`,
      'check the channels of the layer',
    );
  }
}
/** A bias per channel (dim 1) added. */
const biased = (y: Node, bias: Tensor | null | undefined): Node =>
  bias == null ? y : add(y, mv.reshape(bias.node(), [y.shape[1]!, ...y.shape.slice(2).map(() => 1)]));

function conv(
  rank: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null | undefined,
  options: ConvOptions,
): Tensor {
  const op = `conv${rank}d`;
  const { groups: G = 1, padding = 0 } = options;
  const stride = perDim(op, 'stride', options.stride ?? 1, rank, 1);
  const dilation = perDim(op, 'dilation', options.dilation ?? 1, rank, 1);
  const { x: input, done } = batchedPlaces(op, x, rank);
  const w = weight.node();
  needsWeight(op, input, w, w.shape[1]! * G, G, 'O, C / groups');
  const [O, perGroup, ...size] = w.shape as [number, number, ...number[]];
  if (O % G !== 0)
    throw new ShapeError(
      op,
      `the ${O} output channels must be divisible by ${G} groups`,
      showShape(w.shape),
      '',
    );
  const [before, after] = paddings(op, padding, size, stride, dilation);
  if (perGroup === 1 && O === G) {
    const seen = windows(padPlaces(input, before, after), size, stride, dilation); // (N, C, P…, K…)
    return done(biased(depthwise(seen, w, rank), bias));
  }
  const y = convolve(channelsLast(input), w, { stride, dilation, before, after, groups: G }); // (N, P…, O)
  return done(biased(channelsFirst(y), bias));
}
/** (N, C, I…) to (N, I…, C), and back. */
const channelsLast = (x: Node): Node => mv.permute(x, [0, ...x.shape.slice(2).map((_, d) => 2 + d), 1]);
const channelsFirst = (x: Node): Node => {
  const last = x.shape.length - 1;
  return mv.permute(x, [0, last, ...x.shape.slice(2).map((_, d) => 1 + d)]);
};
/** One kernel per channel: a product and a sum, no matrix. */
function depthwise(seen: Node, w: Node, rank: number): Node {
  const [C, , ...size] = w.shape as [number, number, ...number[]];
  const kernel = mv.reshape(w, [C, ...Array<number>(rank).fill(1), ...size]);
  return sum(
    mul(seen, kernel),
    size.map((_, i) => 2 + rank + i),
    false,
  );
}

/** Convolution of sequences. Shapes: x (N, C, L), weight (O, C / groups, K), bias (O); L′ = ⌊(L + 2p − d(K − 1) − 1) / s⌋ + 1. */
export const conv1d = (x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor =>
  conv(1, x, weight, bias, options);
/** Convolution of images. Shapes: x (N, C, H, W), weight (O, C / groups, KH, KW), bias (O). */
export const conv2d = (x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor =>
  conv(2, x, weight, bias, options);
/** Convolution of volumes. Shapes: x (N, C, D, H, W), weight (O, C / groups, KD, KH, KW), bias (O). */
export const conv3d = (x: Tensor, weight: Tensor, bias?: Tensor | null, options: ConvOptions = {}): Tensor =>
  conv(3, x, weight, bias, options);

export interface ConvTransposeOptions {
  /** Distance at which the windows are laid out. Default 1. */
  readonly stride?: PerDim;
  /** Elements cut off both ends. Default 0. */
  readonly padding?: PerDim;
  /** Elements added at the far end. Default 0. */
  readonly outputPadding?: PerDim;
  readonly groups?: number;
  readonly dilation?: PerDim;
}
function convTranspose(
  rank: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null | undefined,
  options: ConvTransposeOptions,
): Tensor {
  const op = `convTranspose${rank}d`;
  const { groups: G = 1 } = options;
  const stride = perDim(op, 'stride', options.stride ?? 1, rank, 1);
  const dilation = perDim(op, 'dilation', options.dilation ?? 1, rank, 1);
  const padding = perDim(op, 'padding', options.padding ?? 0, rank, 0);
  const extra = perDim(op, 'outputPadding', options.outputPadding ?? 0, rank, 0);
  extra.forEach((e, i) => {
    if (e >= Math.max(stride[i]!, dilation[i]!))
      throw new ValueError(op, 'outputPadding must be smaller than stride or dilation', show(extra), '');
  });
  const { x: input, done } = batchedPlaces(op, x, rank);
  const w = weight.node();
  needsWeight(op, input, w, w.shape[0]!, G, 'C, O / groups');
  const size = w.shape.slice(2);
  const places = input.shape
    .slice(2)
    .map((n, i) => (n - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (size[i]! - 1) + extra[i]! + 1);
  const attrs = { stride, dilation, before: padding, after: padding, groups: G };
  return done(biased(channelsFirst(convTransposed(channelsLast(input), w, attrs, places)), bias));
}
/** The transpose of conv1d: L′ = (L − 1) s − 2p + d(K − 1) + outputPadding + 1. Weight (C, O / groups, K). */
export const convTranspose1d = (
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions = {},
): Tensor => convTranspose(1, x, weight, bias, options);
/** The transpose of conv2d. Weight (C, O / groups, KH, KW). */
export const convTranspose2d = (
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions = {},
): Tensor => convTranspose(2, x, weight, bias, options);
/** The transpose of conv3d. Weight (C, O / groups, KD, KH, KW). */
export const convTranspose3d = (
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | null,
  options: ConvTransposeOptions = {},
): Tensor => convTranspose(3, x, weight, bias, options);

export interface WindowOptions {
  readonly dilation?: PerDim;
  readonly padding?: PerDim;
  readonly stride?: PerDim;
}
const windowSettings = (op: string, kernelSize: PerDim, o: WindowOptions) => ({
  size: perDim(op, 'kernelSize', kernelSize, 2, 1),
  dilation: perDim(op, 'dilation', o.dilation ?? 1, 2, 1),
  padding: perDim(op, 'padding', o.padding ?? 0, 2, 0),
  stride: perDim(op, 'stride', o.stride ?? 1, 2, 1),
});
/** All windows of images as columns (im2col): (N, C, H, W) gives (N, C·KH·KW, places). */
export function unfold(x: Tensor, kernelSize: PerDim, options: WindowOptions = {}): Tensor {
  const { size, dilation, padding, stride } = windowSettings('unfold', kernelSize, options);
  const { x: input, done } = batchedPlaces('unfold', x, 2);
  const [N, C] = input.shape as [number, number];
  const seen = windows(padPlaces(input, padding, padding), size, stride, dilation); // (N, C, OH, OW, KH, KW)
  const places = seen.shape[2]! * seen.shape[3]!;
  return done(mv.reshape(mv.permute(seen, [0, 1, 4, 5, 2, 3]), [N, C * numel(size), places]));
}
/** The transpose of unfold: adds columns (N, C·KH·KW, places) up into images (N, C, H, W). */
export function fold(x: Tensor, outputSize: PerDim, kernelSize: PerDim, options: WindowOptions = {}): Tensor {
  const { size, dilation, padding, stride } = windowSettings('fold', kernelSize, options);
  const out = perDim('fold', 'outputSize', outputSize, 2, 1);
  const { x: input, done } = batchedPlaces('fold', x, 1);
  const [N, rows, count] = input.shape as [number, number, number];
  const lengths = out.map((n, i) => n + 2 * padding[i]!);
  const places = lengths.map((n, i) => Math.floor((n - dilation[i]! * (size[i]! - 1) - 1) / stride[i]!) + 1);
  if (rows % numel(size) !== 0 || numel(places) !== count) {
    throw new ShapeError(
      'fold',
      `x must be (N, C · ${numel(size)}, ${numel(places)}) for these sizes`,
      showShape(x.shape),
      '',
    );
  }
  const seen = mv.permute(mv.reshape(input, [N, rows / numel(size), ...size, ...places]), [0, 1, 4, 5, 2, 3]);
  const sums = windowsAdded(seen, size, stride, dilation, lengths);
  const cut = padding.map(p => -p);
  return done(padPlaces(sums, cut, cut));
}

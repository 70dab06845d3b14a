// Moving the pixels of floating pictures (N, C, H, W), as torchvision does it with tensors: in tensor ops, so that gradients
// pass and compiled programs may hold them.
// In: tensors and the same places, sizes and matrices as for bytes (raster/). Out: tensors.

import { ValueError } from '../../base/errors.ts';
import * as F from '../../nn/functional.ts';
import { ones, tensor } from '../../tensor/create.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Size } from '../image.ts';
import { type Fill, mirrored, type PaddingMode, type Region, type Sides } from '../raster/place.ts';
import type { Interpolation, ResizeOptions } from '../raster/resample.ts';
import { apply, type Matrix, type WarpOptions } from '../raster/warp.ts';

const heightOf = (x: Tensor): number => x.shape.at(-2)!;
const widthOf = (x: Tensor): number => x.shape.at(-1)!;
/** One number for each channel, as a shape that broadcasts over (N, C, H, W). */
const colour = (fill: Fill, { dtype }: Tensor): Tensor | number =>
  typeof fill === 'number' ? fill : tensor([...fill], { shape: [fill.length, 1, 1], dtype });
/** Ones as large as x. */
const full = (x: Tensor): Tensor => ones([1, 1, heightOf(x), widthOf(x)], { dtype: x.dtype });

export function resize(x: Tensor, { height, width }: Size, options: Omit<ResizeOptions, 'region'>): Tensor {
  const { interpolation = 'bilinear', antialias = true } = options;
  const mode = SMOOTH.find(m => m === interpolation);
  if (mode === undefined && interpolation !== 'nearest')
    throw new ValueError('resize', `of a tensor it is nearest, ${SMOOTH.join(', ')}`, interpolation, '');
  return F.interpolate(x, {
    size: [height, width],
    mode: mode ?? 'nearest',
    ...(mode === undefined ? {} : { antialias }),
  });
}
const SMOOTH = ['bilinear', 'bicubic'] as const satisfies readonly Interpolation[];

/** The region, with `fill` beyond the edges. */
export function crop(x: Tensor, { top, left, height, width }: Region, fill: Fill = 0): Tensor {
  // Negative amounts cut.
  const sides: Sides = [-left, -top, left + width - widthOf(x), top + height - heightOf(x)];
  return pad(x, sides, fill);
}
export function pad(x: Tensor, sides: Sides, fill: Fill = 0, mode: PaddingMode = 'constant'): Tensor {
  const [left, top, right, bottom] = sides;
  const amounts = [left, right, top, bottom];
  if (mode === 'constant') {
    if (typeof fill === 'number') return F.pad(x, amounts, { value: fill });
    const inside = F.pad(full(x), amounts);
    return F.pad(x, amounts).add(inside.rsub(1).mul(colour(fill, x)));
  }
  const from = (start: number, n: number, end: number): Tensor =>
    tensor(Array.from({ length: start + n + end }, (_, i) => BigInt(mirrored(i - start, n, mode))));
  return x.indexSelect(-2, from(top, heightOf(x), bottom)).indexSelect(-1, from(left, widthOf(x), right));
}

/** Each pixel (column, row) of the result comes from `from`·(column, row); beyond the edges is `fill`. */
export function warp(x: Tensor, from: Matrix, size: Size, options: WarpOptions = {}): Tensor {
  const { interpolation = 'nearest', fill = 0 } = options;
  const points = gridPoints(from, size, { height: heightOf(x), width: widthOf(x) });
  const grid = tensor(points, { shape: [1, size.height, size.width, 2], dtype: x.dtype });
  const read = (y: Tensor): Tensor =>
    F.gridSample(y, grid.expand([y.shape[0]!, -1, -1, -1]), { mode: interpolation });
  const y = read(x);
  if (fill === 0) return y;
  const inside = read(full(x)); // how much of each pixel lies in the picture
  return y.add(inside.rsub(1).mul(colour(fill, x)));
}
/** (column, row) of each result in −1 … 1, from the middle and in float32 as torchvision: halves then go the same way. */
function gridPoints(from: Matrix, to: Size, { height, width }: Size): Float32Array {
  const f = Math.fround;
  const [a, b, , d, e] = from;
  const middle = apply(from, to.width / 2, to.height / 2);
  const row = (p: number, q: number, at: number, n: number): ((u: number, v: number) => number) => {
    const [pn, qn, shift] = [p, q, at - n / 2].map(v => f(v / (n / 2))) as [number, number, number];
    return (u, v) => f(f(f(u * pn) + f(v * qn)) + shift);
  };
  const [x, y] = [row(a, b, middle[0], width), row(d, e, middle[1], height)];
  const points = new Float32Array(to.height * to.width * 2);
  for (let j = 0, at = 0; j < to.height; j++)
    for (let i = 0; i < to.width; i++) {
      const [u, v] = [i + 0.5 - to.width / 2, j + 0.5 - to.height / 2];
      points[at++] = x(u, v);
      points[at++] = y(u, v);
    }
  return points;
}

/** Weights exp(−x²/2σ²) at whole distances from the middle, of sum 1. */
function gaussian(size: number, sigma: number): number[] {
  const weights = Array.from({ length: size }, (_, i) =>
    Math.exp(-(((i - (size - 1) / 2) / sigma) ** 2) / 2),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map(w => w / sum);
}
/** Each channel by itself, mirrored at the edges. Sizes and deviations as [width, height]. */
export function gaussianBlur(x: Tensor, sizes: readonly [number, number], sigmas: readonly number[]): Tensor {
  const { dtype } = x;
  const channels = x.shape[1]!;
  const [w, h] = sizes;
  const across = tensor(gaussian(w, sigmas[0]!), { shape: [1, 1, 1, w], dtype }).expand([channels, 1, 1, w]);
  const down = tensor(gaussian(h, sigmas[1]!), { shape: [1, 1, h, 1], dtype }).expand([channels, 1, h, 1]);
  const framed = F.pad(x, [w >> 1, w >> 1, h >> 1, h >> 1], { mode: 'reflect' });
  return F.conv2d(F.conv2d(framed, across, null, { groups: channels }), down, null, { groups: channels });
}

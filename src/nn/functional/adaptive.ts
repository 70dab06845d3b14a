// Pooling to a given size: window o of a dim with n places covers ⌊o n / out⌋ … ⌈(o + 1) n / out⌉ − 1.

import { show, ValueError } from '../../base/errors.ts';
import { contiguousStrides } from '../../base/shape.ts';
import * as ops from '../../ir/ops/elementwise.ts';
import { wrap } from '../../tensor/core.ts';
import { tensor } from '../../tensor/create.ts';
import type { ValuesIndices } from '../../tensor/reduce.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { batchedPlaces } from './conv.ts';
import { byMatrix } from './linear.ts';
import { largestOf } from './pool.ts';

/** Sizes of the result; null keeps the size of a dim. */
export type OutputSize = number | readonly (number | null)[];

function sizesOf(op: string, places: readonly number[], outputSize: OutputSize): number[] {
  const rank = places.length;
  const list = typeof outputSize === 'number' ? Array<number>(rank).fill(outputSize) : outputSize;
  const sizes = list.map((n, i) => n ?? places[i]!);
  if (sizes.length !== rank || sizes.some(n => !Number.isInteger(n) || n < 1))
    throw new ValueError(op, `outputSize must be ${rank} positive integers or null`, show(outputSize), '');
  return sizes;
}
const startOf = (o: number, n: number, out: number): number => Math.floor((o * n) / out);
const endOf = (o: number, n: number, out: number): number => Math.ceil(((o + 1) * n) / out);

function adaptiveAvgPool(rank: number, x: Tensor, outputSize: OutputSize): Tensor {
  const op = `adaptiveAvgPool${rank}d`;
  const { x: input, done } = batchedPlaces(op, x, rank);
  const places = input.shape.slice(2);
  const sizes = sizesOf(op, places, outputSize);
  let y = wrap(input);
  sizes.forEach((out, i) => {
    const n = places[i]!;
    const dim = 2 + i;
    if (n % out === 0) y = y.unflatten(dim, [out, n / out]).mean(dim + 1);
    else {
      const weights = Array.from({ length: out }, (_, o) => {
        const [a, b] = [startOf(o, n, out), endOf(o, n, out)];
        return Array.from({ length: n }, (_, k) => (k >= a && k < b ? 1 / (b - a) : 0));
      });
      y = byMatrix(y, dim, weights);
    }
  });
  return done(y.node());
}
/** The mean of equal parts of a dim: (N, C, L) gives (N, C, outputSize). */
export const adaptiveAvgPool1d = (x: Tensor, outputSize: OutputSize): Tensor =>
  adaptiveAvgPool(1, x, outputSize);
/** The mean of equal parts: (N, C, H, W) gives (N, C, ...outputSize); size 1 is global average pooling. */
export const adaptiveAvgPool2d = (x: Tensor, outputSize: OutputSize): Tensor =>
  adaptiveAvgPool(2, x, outputSize);
/** The mean of equal parts: (N, C, D, H, W) gives (N, C, ...outputSize). */
export const adaptiveAvgPool3d = (x: Tensor, outputSize: OutputSize): Tensor =>
  adaptiveAvgPool(3, x, outputSize);

function adaptiveMaxPool(rank: number, x: Tensor, outputSize: OutputSize): ValuesIndices {
  const op = `adaptiveMaxPool${rank}d`;
  const { x: input, done } = batchedPlaces(op, x, rank);
  const places = input.shape.slice(2);
  const sizes = sizesOf(op, places, outputSize);
  // Windows differ in length: shorter ones repeat their last place, which cannot come first.
  const width = sizes.map((out, i) =>
    Math.max(
      ...Array.from({ length: out }, (_, o) => endOf(o, places[i]!, out) - startOf(o, places[i]!, out)),
    ),
  );
  let seen = wrap(input);
  sizes.forEach((out, i) => {
    const n = places[i]!;
    const at = Array.from({ length: out }, (_, o) =>
      Array.from({ length: width[i]! }, (_, k) => Math.min(startOf(o, n, out) + k, endOf(o, n, out) - 1)),
    );
    const dim = 2 + 2 * i;
    seen = seen.indexSelect(dim, seen.indexTensor(at.flat())).unflatten(dim, [out, width[i]!]);
  });
  // (N, C, P₁, K₁, P₂, K₂, …) to (N, C, P…, K…)
  const places2 = sizes.map((_, i) => 2 + 2 * i);
  const order = [0, 1, ...places2, ...places2.map(d => d + 1)];
  const { values, place } = largestOf(seen.permute(order).node(), rank);
  const flat = wrap(place).reshape(values.shape);
  const [inWindow, inImage] = [contiguousStrides(width), contiguousStrides(places)];
  const indices = sizes
    .map((out, i) => {
      const starts = Array.from({ length: out }, (_, o) => startOf(o, places[i]!, out));
      const start = tensor(starts, { dtype: 'int64', device: x.device }).reshape([
        out,
        ...sizes.slice(i + 1).map(() => 1),
      ]);
      return flat.floorDivide(inWindow[i]!).remainder(width[i]!).add(start).mul(inImage[i]!);
    })
    .reduce((a, b) => a.add(b));
  return { values: done(values), indices: done(ops.alias(indices.node())) };
}
/** The largest element of equal parts: (N, C, L). */
export const adaptiveMaxPool1d = (x: Tensor, outputSize: OutputSize): Tensor =>
  adaptiveMaxPool(1, x, outputSize).values;
/** The largest element of equal parts: (N, C, H, W). */
export const adaptiveMaxPool2d = (x: Tensor, outputSize: OutputSize): Tensor =>
  adaptiveMaxPool(2, x, outputSize).values;
/** The largest element of equal parts: (N, C, D, H, W). */
export const adaptiveMaxPool3d = (x: Tensor, outputSize: OutputSize): Tensor =>
  adaptiveMaxPool(3, x, outputSize).values;
/** The same with the row-major place of each maximum. */
export const adaptiveMaxPool1dWithIndices = (x: Tensor, outputSize: OutputSize): ValuesIndices =>
  adaptiveMaxPool(1, x, outputSize);
/** The same with the row-major place of each maximum. */
export const adaptiveMaxPool2dWithIndices = (x: Tensor, outputSize: OutputSize): ValuesIndices =>
  adaptiveMaxPool(2, x, outputSize);
/** The same with the row-major place of each maximum. */
export const adaptiveMaxPool3dWithIndices = (x: Tensor, outputSize: OutputSize): ValuesIndices =>
  adaptiveMaxPool(3, x, outputSize);

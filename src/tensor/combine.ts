// Several tensors made into one, or brought to one shape.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { broadcastShapes } from '../base/shape.ts';
import { meshgrid, zeros } from './create.ts';
import { cat, stack } from './movement.ts';
import { commonDType } from './operand.ts';
import type { Tensor } from './tensor.ts';

/** All tensors expanded to their common shape. */
export function broadcastTensors(tensors: readonly Tensor[]): Tensor[] {
  const shape = broadcastShapes(
    'broadcastTensors',
    tensors.map(t => t.shape),
  );
  return tensors.map(t => t.expand(shape));
}
const atLeast = (t: Tensor, ndim: number): Tensor => {
  if (t.ndim >= ndim) return t;
  if (t.ndim === 0) return t.reshape(Array<number>(ndim).fill(1));
  if (ndim === 2) return t.unsqueeze(0);
  return t.ndim === 1 ? t.reshape([1, t.numel, 1]) : t.unsqueeze(-1);
};
/** With at least 1 dim: a number becomes a vector. */
export const atleast1d = (t: Tensor): Tensor => atLeast(t, 1);
/** With at least 2 dims: a vector becomes a row. */
export const atleast2d = (t: Tensor): Tensor => atLeast(t, 2);
/** With at least 3 dims: a vector becomes (1, n, 1), a matrix (m, n, 1). */
export const atleast3d = (t: Tensor): Tensor => atLeast(t, 3);

/** Side by side: vectors along dim 0, others along dim 1. */
export function hstack(tensors: readonly Tensor[]): Tensor {
  const list = tensors.map(atleast1d);
  return cat(list, list[0]?.ndim === 1 ? 0 : 1);
}
/** One below the other: vectors as rows. */
export const vstack = (tensors: readonly Tensor[]): Tensor => cat(tensors.map(atleast2d), 0);
/** Behind each other, along dim 2. */
export const dstack = (tensors: readonly Tensor[]): Tensor => cat(tensors.map(atleast3d), 2);
/** Side by side, vectors as columns. */
export const columnStack = (tensors: readonly Tensor[]): Tensor =>
  cat(
    tensors.map(t => (t.ndim < 2 ? t.reshape([t.numel, 1]) : t)),
    1,
  );

/** All combinations with one element of each vector, as rows in lexical order. */
export function cartesianProd(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (tensors.length === 1) return first!;
  return stack(
    meshgrid(tensors).map(g => g.reshape([-1])),
    1,
  );
}
/** All choices of r elements of a vector, as rows in lexical order. */
export function combinations(x: Tensor, r = 2, options: { withReplacement?: boolean } = {}): Tensor {
  if (x.ndim !== 1) throw new ShapeError('combinations', 'it takes a vector', showShape(x.shape), '');
  if (!Number.isInteger(r) || r < 1)
    throw new ValueError('combinations', 'r must be a positive integer', show(r), '');
  const rows: number[][] = [];
  const choose = (row: number[], from: number): void => {
    if (row.length === r) {
      rows.push(row);
      return;
    }
    for (let i = from; i < x.numel; i++) choose([...row, i], options.withReplacement ? i : i + 1);
  };
  choose([], 0);
  return x.indexSelect(0, x.indexTensor(rows.flat())).reshape([rows.length, r]);
}
/** Matrices along the diagonal of a larger one, zeros elsewhere. */
export function blockDiag(tensors: readonly Tensor[]): Tensor {
  const dtype = commonDType('blockDiag', tensors);
  const blocks = tensors.map(t => atleast2d(t).to(dtype));
  const width = blocks.reduce((n, t) => n + t.shape[1]!, 0);
  let left = 0;
  return vstack(
    blocks.map(t => {
      const [rows, cols] = t.shape as [number, number];
      const fill = (n: number): Tensor => zeros([rows, n], { dtype, device: t.device });
      const row = cat([fill(left), t, fill(width - left - cols)], 1);
      left += cols;
      return row;
    }),
  );
}

// Triangles and diagonals of matrices, by the positions of their elements.
// In: nodes whose last two dims are matrices. Out: nodes.

import type { Node } from '../node.ts';
import { constLike, eq, ge, iota, le, sub, where } from './elementwise.ts';
import { reshape } from './movement.ts';

/** Column − row at each place: which places lie on the k-th diagonal, or above it. (rows, cols), int32 */
const offsets = (rows: number, cols: number, device: string): Node =>
  sub(iota([cols], 'int32', device), reshape(iota([rows], 'int32', device), [rows, 1]));
/** Whether a place lies on the k-th diagonal. (rows, cols), bool */
export function onDiagonal(rows: number, cols: number, k: number, device: string): Node {
  const offset = offsets(rows, cols, device);
  return eq(offset, constLike(offset, k));
}
const triangle = (x: Node, keep: typeof ge, k = 0): Node => {
  const offset = offsets(...(x.shape.slice(-2) as [number, number]), x.device);
  return where(keep(offset, constLike(offset, k)), x, constLike(x, 0));
};
export const lower = (x: Node, k = 0): Node => triangle(x, le, k);
export const upper = (x: Node, k = 0): Node => triangle(x, ge, k);

// Shapes, strides, broadcasting and dims.
// In: lists of sizes. Out: lists of sizes, or a ShapeError at the caller. Not its job: views of memory.

import { ShapeError, show, showShape } from './errors.ts';

export type Shape = readonly number[];

export function numel(shape: Shape): number {
  let n = 1;
  for (let i = 0; i < shape.length; i++) n *= shape[i]!;
  return n;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const s = new Array<number>(shape.length);
  let n = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    s[i] = n;
    n *= shape[i]!;
  }
  return s;
}

/** The common shape of all by the rules of NumPy: align right, 1 stretches. */
export function broadcastShapes(op: string, shapes: readonly Shape[]): Shape {
  if (shapes.length === 1) return shapes[0]!;
  let first = shapes[0]!;
  let equal = true;
  for (let k = 1; k < shapes.length; k++) {
    if (!sameShape(first, shapes[k]!)) {
      equal = false;
      break;
    }
  }
  if (equal) return first;
  for (const s of shapes) if (s.length > first.length) first = s;
  const out = first.slice();
  for (const s of shapes) {
    const d = out.length - s.length;
    for (let i = 0; i < s.length; i++) {
      const n = s[i]!;
      if (n === 1 || out[d + i] === n) continue;
      if (out[d + i] === 1) out[d + i] = n;
      else {
        throw new ShapeError(
          op,
          'shapes must be equal or broadcast (aligned right, sizes equal or 1)',
          shapes.map(showShape).join(' and '),
          `dim ${d + i - out.length} has ${out[d + i]} and ${n}; reshape, unsqueeze or expand one of them`,
        );
      }
    }
  }
  return out;
}

/** Turns a dim that may be negative into 0 … ndim-1. A 0-dim tensor takes -1 and 0, as in PyTorch. */
export function normalizeDim(op: string, dim: number, ndim: number): number {
  const n = Math.max(ndim, 1);
  if (!Number.isInteger(dim) || dim < -n || dim >= n) {
    throw new ShapeError(
      op,
      `dim must be an integer in ${-n} … ${n - 1}`,
      show(dim),
      `the tensor has ${ndim} dims`,
    );
  }
  return dim < 0 ? dim + n : dim;
}

/** The dims 0 … ndim − 1 but for some. */
export const otherDims = (ndim: number, ...without: readonly number[]): number[] =>
  Array.from({ length: ndim }, (_, d) => d).filter(d => !without.includes(d));
/** The shape with another size in one dim. */
export const resized = (shape: Shape, dim: number, size: number): number[] =>
  shape.map((n, d) => (d === dim ? size : n));
/** The shape of n elements along one dim, which broadcasts in all others. */
export const along = (ndim: number, dim: number, n: number): number[] =>
  resized(new Array<number>(ndim).fill(1), dim, n);

/** Normalises, sorts and checks a list of dims; undefined means all. */
export function normalizeDims(
  op: string,
  dims: number | readonly number[] | undefined,
  ndim: number,
): number[] {
  if (dims === undefined) return otherDims(ndim);
  const list = (typeof dims === 'number' ? [dims] : [...dims]).map(d => normalizeDim(op, d, ndim));
  list.sort((a, b) => a - b);
  for (let i = 1; i < list.length; i++) {
    if (list[i] === list[i - 1]) throw new ShapeError(op, 'each dim may appear once', show(dims), '');
  }
  return ndim === 0 ? [] : list;
}

/** Checks that sizes are non-negative integers. */
export function checkSizes(op: string, shape: readonly number[]): Shape {
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 0) {
      throw new ShapeError(op, 'sizes must be integers >= 0', show(shape), '');
    }
  }
  return shape;
}

/** Replaces one -1 by the size that keeps the number of elements. */
export function inferReshape(op: string, from: Shape, to: readonly number[]): Shape {
  const n = numel(from);
  const hole = to.indexOf(-1);
  if (hole >= 0) {
    const rest = to.reduce((p, d, i) => (i === hole ? p : p * d), 1);
    if (to.indexOf(-1, hole + 1) >= 0) {
      throw new ShapeError(op, 'at most one size may be -1', showShape(to), 'give the others');
    }
    if (rest === 0 || n % rest !== 0) {
      throw new ShapeError(
        op,
        `the other sizes must divide the ${n} elements of ${showShape(from)}`,
        showShape(to),
        rest === 0 ? 'with a size 0 the -1 is ambiguous' : '',
      );
    }
    const out = to.slice();
    out[hole] = n / rest;
    return checkSizes(op, out);
  }
  checkSizes(op, to);
  if (numel(to) !== n) {
    throw new ShapeError(
      op,
      `the new shape must keep all ${n} elements of ${showShape(from)}`,
      `${showShape(to)} with ${numel(to)}`,
      'use -1 for one size to have it computed',
    );
  }
  return to;
}

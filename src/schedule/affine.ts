// Index arithmetic for the scheduler: bounds, keys, and division of affine indices by constants.
// In: affine indices over loop variables. Out: the same in another form, or the split of a loop that makes it possible.

import type { Shape } from '../base/shape.ts';
import type { Affine, E, LoopVar } from '../ir/scalar.ts';
import { addScaled, constAffine } from '../ir/scalar.ts';

export const loopVarOf = (e: E): LoopVar | null => (e.op === 'var' ? (e.data as LoopVar) : null);

export function keyOf(at: Affine): string {
  if (at.terms.length === 0) return `${at.c}`;
  const terms = at.terms.map(([e, k]) => `${e.id}*${k}`).sort();
  return `${at.c}+${terms.join('+')}`;
}
export const keyOfAll = (at: readonly Affine[]): string => at.map(keyOf).join('|');

/** Smallest and largest value; null where a term is computed at run time. */
export function bounds(at: Affine): [number, number] | null {
  let lo = at.c;
  let hi = at.c;
  for (const [e, k] of at.terms) {
    const v = loopVarOf(e);
    if (v === null) return null;
    if (k > 0) hi += k * (v.size - 1);
    else lo += k * (v.size - 1);
  }
  return [lo, hi];
}

/** Row-major position of an index tuple. */
export function linear(at: readonly Affine[], shape: Shape): Affine {
  let out = constAffine(0);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    out = addScaled(out, at[d]!, stride);
    stride *= shape[d]!;
  }
  return out;
}

/** A loop that has to be cut into outer·size + inner before an index can be divided. */
export interface Cut {
  readonly v: LoopVar;
  /** Size of the inner loop. */
  readonly inner: number;
}

/** at = q·c + r with 0 ≤ r < c, where that holds for all values of the loops; else the cut that helps, or null. */
export function divMod(at: Affine, c: number): { q: Affine; r: Affine } | Cut | null {
  let q: Affine = constAffine(Math.floor(at.c / c));
  let r: Affine = constAffine(at.c - Math.floor(at.c / c) * c);
  for (const [e, k] of at.terms) {
    if (k % c === 0) q = { c: q.c, terms: [...q.terms, [e, k / c]] };
    else r = { c: r.c, terms: [...r.terms, [e, k]] };
  }
  const b = bounds(r);
  if (b === null) return null;
  if (b[0] >= 0 && b[1] < c) return { q, r };
  // One loop reaches over the boundary: cut it where its stride meets c.
  for (const [e, k] of r.terms) {
    const v = loopVarOf(e)!;
    const inner = c / Math.abs(k);
    if (Number.isInteger(inner) && v.size > inner && v.size % inner === 0) return { v, inner };
  }
  return null;
}

/** The index into `from` of the element at row-major position `at`; dims of size 1 get 0. */
export function unflatten(at: Affine, from: Shape): Affine[] | Cut | null {
  const out = new Array<Affine>(from.length);
  let rest = at;
  for (let d = from.length - 1; d >= 0; d--) {
    const n = from[d]!;
    if (n === 1) {
      out[d] = constAffine(0);
      continue;
    }
    let outer = true;
    for (let j = 0; j < d; j++) if (from[j]! !== 1) outer = false;
    if (outer) {
      out[d] = rest;
      continue;
    }
    const dm = divMod(rest, n);
    if (dm === null || 'v' in dm) return dm;
    out[d] = dm.r;
    rest = dm.q;
  }
  return out;
}

/**
 * The index of a reshape's source for an index of its result. Dims are matched in groups of equal size, so that an
 * index computed at run time in one group does not spoil the others.
 */
export function reshapeIndex(at: readonly Affine[], to: Shape, from: Shape): Affine[] | Cut | null {
  const out: Affine[] = [];
  let i = 0;
  let j = 0;
  while (i < to.length || j < from.length) {
    const i0 = i;
    const j0 = j;
    let a = i < to.length ? to[i++]! : 1;
    let b = j < from.length ? from[j++]! : 1;
    while (a !== b) {
      if (a < b && i < to.length) a *= to[i++]!;
      else if (j < from.length) b *= from[j++]!;
      else if (i < to.length) a *= to[i++]!;
      else return null;
    }
    if (i - i0 === 1 && j - j0 === 1) {
      out.push(at[i0]!);
      continue;
    }
    const part = unflatten(linear(at.slice(i0, i), to.slice(i0, i)), from.slice(j0, j));
    if (part === null || 'v' in part) return part;
    out.push(...part);
  }
  return out;
}

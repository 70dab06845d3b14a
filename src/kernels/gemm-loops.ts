// The loops of a product as its tiles run them: loops that walk through memory as one are one loop.
// In: a GemmKernel. Out: the same with fewer and longer loops. Not its job: tiles (gemm-tile.ts).

import type { Affine, E } from '../ir/scalar.ts';
import { addScaled, affineIn, asAffine, LoopVar, m, rebuild, varOf } from '../ir/scalar.ts';
import { loopVarOf } from '../schedule/affine.ts';
import type { GemmKernel, KernelStore } from '../schedule/kernel.ts';
import { coefficient, without } from './gemm-pack.ts';

/**
 * A product whose rows may be two loops in A but one everywhere else, like the places of an image with a margin: row i of
 * the product is at outer · inner.size + inner = i.
 */
export interface Product extends GemmKernel {
  readonly rows: { readonly outer: LoopVar; readonly inner: LoopVar } | null;
}

/** Rows of a loop that is longer than this are not joined with others: their last tile costs little. */
const LONG_ROWS = 96;

export function joinLoops(g: GemmKernel): Product {
  const k = joinSums(g);
  let p: Product = { ...g, ...k, rows: null };
  for (;;) {
    const next = joinRows(p);
    if (next === null) return p;
    p = next;
    if (p.rows !== null) return p;
  }
}

const follows = (at: Affine, outer: LoopVar, inner: LoopVar): boolean =>
  coefficient(at, outer) === coefficient(at, inner) * inner.size;
/** The index with `both` in the place of two loops that follow each other. */
const joined = (at: Affine, outer: LoopVar, inner: LoopVar, both: LoopVar): Affine =>
  addScaled(without(at, outer, inner), asAffine(varOf(both)), coefficient(at, inner));

/** The sums in the order of A's memory; those that follow each other in both operands become one. */
function joinSums(g: GemmKernel): Pick<GemmKernel, 'a' | 'b' | 'k'> {
  let { a, b } = g;
  const k: LoopVar[] = [];
  const far = (v: LoopVar): number => Math.abs(coefficient(g.a.at, v));
  for (const v of [...g.k].sort((x, y) => far(y) - far(x)).reverse()) {
    const [inner] = k;
    if (v.size === 1) continue;
    if (inner === undefined || !follows(a.at, v, inner) || !follows(b.at, v, inner)) {
      k.unshift(v);
      continue;
    }
    const both = new LoopVar(v.size * inner.size);
    a = { ...a, at: joined(a.at, v, inner, both) };
    b = { ...b, at: joined(b.at, v, inner, both) };
    k[0] = both;
  }
  return { a, b, k: k.length > 0 ? k : [g.k[0]!] };
}

/** The rows with one loop more; null where none fits. */
function joinRows(g: Product): Product | null {
  const used = indicesOf(g.stores);
  if (used === null) return null;
  for (const outer of g.batch) {
    if (coefficient(g.b.at, outer) !== 0 || !used.every(at => follows(at, outer, g.i))) continue;
    const whole = follows(g.a.at, outer, g.i);
    const apart = coefficient(g.a.at, g.i) > 1 && coefficient(g.a.at, g.k[g.k.length - 1]!) === 1;
    if (!whole && (!apart || g.i.size > LONG_ROWS)) continue;
    const both = new LoopVar(outer.size * g.i.size);
    const memo = new Map<E, E>();
    const moved = (e: E): E =>
      rebuild(
        e,
        x => {
          const v = loopVarOf(x);
          return v === outer ? m.const(0, 'i32') : v === g.i ? varOf(both) : null;
        },
        memo,
      );
    return {
      ...g,
      batch: g.batch.filter(v => v !== outer),
      i: both,
      a: whole ? { ...g.a, at: joined(g.a.at, outer, g.i, both) } : g.a,
      rows: whole ? null : { outer, inner: g.i },
      stores: g.stores.map(
        (s): KernelStore => ({ ...s, at: joined(s.at, outer, g.i, both), value: moved(s.value) }),
      ),
    };
  }
  return null;
}

/** All places at which the stores read and write; null where a loop is used as a value. */
function indicesOf(stores: readonly KernelStore[]): Affine[] | null {
  const out: Affine[] = [];
  const seen = new Set<E>();
  const visit = (e: E): boolean => {
    if (seen.has(e)) return true;
    seen.add(e);
    if (loopVarOf(e) !== null) return false;
    const at = affineIn(e);
    if (at !== null) {
      out.push(at);
      for (const [t] of at.terms) if (loopVarOf(t) === null && !visit(t)) return false;
    }
    return e.args.every(visit);
  };
  for (const s of stores) {
    out.push(s.at);
    if (!visit(s.value)) return null;
  }
  return out;
}

// Permutes move towards the results: what is computed of a permuted value is computed first and permuted then, so that a
// chain of layers between two that want another order of dims (convolutions) runs in that order, and the permutes meet.
// In: a node. Out: the same with its permute behind it, or null. Not its job: choosing an order.

import type { Shape } from '../base/shape.ts';
import { numel } from '../base/shape.ts';
import type { Node } from './node.ts';
import { build } from './op.ts';
import { type ContractAttrs, contract, contractDef } from './ops/contract.ts';
import {
  cat,
  catDef,
  inverse,
  joinDim,
  type PadAttrs,
  padDef,
  permute,
  permuteDef,
  reshape,
  type SliceAttrs,
  sliceDef,
  type WindowAttrs,
  window,
  windowDef,
} from './ops/movement.ts';
import { expand, expandDef, type ReduceAttrs } from './ops/reduce.ts';
import type { Rule } from './rewrite.ts';

type Order = readonly number[];
/** The order of dims in which a node is a permuted value; null where it is none. */
const orderOf = (n: Node): Order | null =>
  is(n, permuteDef) && n.value === null ? (n.attrs as { order: Order }).order : null;
const is = (n: Node, def: { readonly id: number }): boolean => n.op.id === def.id;
const from = <T>(order: Order, list: readonly T[]): T[] => order.map(d => list[d]!);

/** An operand this much smaller than the result may be read in any order. */
const SMALL = 8;
/** Whether a permute of that shape moves dims of size 1 only. */
function movesOnes(shape: Shape, order: Order): boolean {
  const long = order.filter(d => shape[d] !== 1);
  return long.every((d, i) => i === 0 || d > long[i - 1]!);
}
/** What, permuted by `order`, is this operand of a result of that shape; null where that would be a copy. */
function unpermuted(s: Node, order: Order, shape: Shape): Node | null {
  const own = orderOf(s);
  const whole = (x: Node): Node => reshape(x, [...shape.slice(x.shape.length).map(() => 1), ...x.shape]);
  const x = own === null ? whole(s) : s.src[0]!;
  const back = own === null ? inverse(order) : from(inverse(order), own);
  const free = (y: Node): boolean => numel(y.shape) * SMALL <= numel(shape) || movesOnes(y.shape, back);
  if (movesOnes(x.shape, back)) return reshape(x, from(back, x.shape));
  if (free(x)) return permute(x, back);
  if (!is(s, expandDef) && !is(x, expandDef)) return null;
  const e = is(x, expandDef) ? x : s;
  if (e.value !== null) return null;
  const y = whole(e.src[0]!);
  return free(y) ? expand(permute(y, back), from(back, x.shape)) : null;
}

export const floatPermutes: Rule[] = [
  // permute(permute(x)), and one that moves dims of size 1 only
  n => {
    const order = orderOf(n);
    if (order === null) return null;
    const [x] = n.src as [Node];
    const inner = orderOf(x);
    if (inner !== null) return permute(x.src[0]!, from(order, inner));
    return movesOnes(x.shape, order) ? reshape(x, n.shape) : null;
  },
  n => {
    if (n.op.kind !== 'elementwise' || n.op.usesPosition || n.value !== null || numel(n.shape) === 0)
      return null;
    const main = n.src.find(s => orderOf(s) !== null && s.shape.length === n.shape.length);
    if (main === undefined) return null;
    const order = orderOf(main)!;
    const src = n.src.map(s => unpermuted(s, order, n.shape));
    if (src.includes(null)) return null;
    // Two small operands in different orders would take turns for ever.
    if (numel(main.shape) < numel(n.shape) && src.some(s => orderOf(s!) !== null)) return null;
    return permute(build(n.op, src as Node[], n.attrs), order);
  },
  n => {
    if (n.op.kind !== 'reduce') return null;
    const [s] = n.src as [Node];
    const order = orderOf(s);
    if (order === null) return null;
    const { dims, keepdim } = n.attrs as ReduceAttrs;
    const moved = from(dims, order);
    const inside = [...moved].sort((a, b) => a - b);
    if (n.op.fold!.positional && moved.some((d, i) => d !== inside[i])) return null;
    const y = build(n.op, [s.src[0]!], { ...(n.attrs as ReduceAttrs), dims: inside });
    if (keepdim) return permute(y, order);
    const left = order.filter(d => !inside.includes(d));
    const rank = [...left].sort((a, b) => a - b);
    return permute(
      y,
      left.map(d => rank.indexOf(d)),
    );
  },
  n => {
    if (n.op.kind !== 'movement' || n.src.length === 0) return null;
    const [s] = n.src as [Node];
    const order = orderOf(s);
    if (order === null) return null;
    const [x] = s.src as [Node];
    const back = inverse(order);
    if (is(n, padDef)) {
      const a = n.attrs as PadAttrs;
      return permute(
        build(padDef, [x], { ...a, before: from(back, a.before), after: from(back, a.after) }),
        order,
      );
    }
    if (is(n, sliceDef)) {
      const a = n.attrs as SliceAttrs;
      const moved = { start: from(back, a.start), size: from(back, a.size), step: from(back, a.step) };
      return permute(build(sliceDef, [x], moved), order);
    }
    if (is(n, windowDef)) {
      const a = n.attrs as WindowAttrs;
      return permute(window(x, { ...a, dim: order[a.dim]! }), [...order, order.length]);
    }
    // A small one stays inside, as operands of elementwise ops want it.
    const large = numel(s.shape) * SMALL > numel(n.shape);
    if (is(n, expandDef) && n.shape.length === s.shape.length && large)
      return permute(expand(x, from(back, n.shape)), order);
    return n.op.relabels ? relabelled(n.shape, x, order, s.shape) : null;
  },
  n => {
    if (!is(n, catDef)) return null;
    const order = orderOf(n.src[0]!);
    if (order === null) return null;
    const src = n.src.map(s => (orderOf(s)?.every((d, i) => d === order[i]) ? s.src[0]! : null));
    if (src.includes(null)) return null;
    return permute(cat(src as Node[], order[joinDim(n)]!), order);
  },
  // A product reads its operands in any order.
  n => {
    if (!is(n, contractDef)) return null;
    const { a, b } = n.attrs as ContractAttrs;
    const orders = n.src.map(orderOf);
    if (orders.every(o => o === null)) return null;
    const [x, y] = n.src.map((s, i) => (orders[i] === null ? s : s.src[0]!)) as [Node, Node];
    const [la, lb] = [a, b].map((l, i) => (orders[i] === null ? l : from(inverse(orders[i]!), l))) as [
      Order,
      Order,
    ];
    return contract(x, y, la, lb);
  },
];

/**
 * A reshape behind a permute: dims that it joins are brought together first, in the order of x otherwise, and the rest of
 * the permute moves behind it. Null where nothing would be left of it.
 */
function relabelled(to: Shape, x: Node, order: Order, shape: Shape): Node | null {
  // Which dims of x become which sizes of the result.
  const groups: { dims: number[]; sizes: number[] }[] = [];
  let d = 0;
  let e = 0;
  while (d < shape.length && e < to.length) {
    const dims = [order[d]!];
    const sizes: number[] = [];
    let a = shape[d++]!;
    let b = 1;
    while (a !== b || sizes.length === 0) {
      if (b < a || sizes.length === 0) {
        if (e >= to.length) return null;
        sizes.push(to[e]!);
        b *= to[e++]!;
      } else {
        if (d >= shape.length) return null;
        dims.push(order[d]!);
        a *= shape[d++]!;
      }
    }
    groups.push({ dims, sizes });
  }
  // Dims of size 1 that are left on either side belong to the last group.
  const last = groups.at(-1);
  if (last === undefined) return null;
  while (d < shape.length) {
    if (shape[d] !== 1) return null;
    last.dims.push(order[d++]!);
  }
  while (e < to.length) {
    if (to[e] !== 1) return null;
    last.sizes.push(to[e++]!);
  }
  const inside = [...groups.keys()].sort((i, j) => groups[i]!.dims[0]! - groups[j]!.dims[0]!);
  if (inside.every((g, i) => g === i)) return null;
  const starts: number[] = [];
  let at = 0;
  for (const i of inside) {
    starts[i] = at;
    at += groups[i]!.sizes.length;
  }
  const together = permute(
    x,
    inside.flatMap(i => groups[i]!.dims),
  );
  const y = reshape(
    together,
    inside.flatMap(i => groups[i]!.sizes),
  );
  return permute(
    y,
    groups.flatMap((g, i) => g.sizes.map((_, k) => starts[i]! + k)),
  );
}

// Nodes whose gradient is given from outside: a user's own backward, a checkpoint that computes again. And `after`,
// which keeps what is computed again apart from what was computed first.
// In: a value and the inputs it came from, with a pullback. Out: a node that is the value and has that gradient.

import { isFloat } from '../../base/dtype.ts';
import { numel } from '../../base/shape.ts';
import { type Node, toposort } from '../node.ts';
import type { Lift, OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { cast, constLike, dataNode, detach } from './elementwise.ts';
import { narrow, pad, reshape } from './movement.ts';
import { expand } from './reduce.ts';

/** From the gradient of a value to the gradients of its inputs, in their order and shapes; null for none. */
export type Pullback = (g: Node) => readonly (Node | null)[];

/** Kept apart from the attributes: graphs that differ in nothing else share one plan. */
const pullbacks = new WeakMap<Node, Pullback>();

const customDef: OpDef<null> = defineOp<null>({
  name: 'custom',
  doc: 'The first source, with a gradient rule of its own for the others.',
  kind: 'composite',
  arity: 2,
  shape: src => src[0]!.shape,
  dtype: src => src[0]!.dtype,
  decompose: src => src[0]!,
  vjp: (g, n, i) => (i === 0 ? g : (pullbacks.get(n)?.(g)[i - 1] ?? null)),
  batch: (_src, _batched, n, _size, lift) => remake(n, lift(n.src), lift),
  samples: () => [{ shapes: [[2, 3], [4]], wrt: [0] }],
});

/** Whether a node has a rule from outside, which may speak of any node that was there when it was made. */
export const hasOwnRule = (n: Node): boolean => pullbacks.has(n);

/**
 * The same op on other sources. A gradient rule of its own speaks of the nodes that it was made for: it runs on them,
 * and `translate` brings what it gives to the new ones.
 */
export function remake(n: Node, src: readonly Node[], translate: Lift): Node {
  const pull = pullbacks.get(n);
  if (pull === undefined) return build(n.op, src, n.attrs);
  return custom(src[0]!, src.slice(1), g => {
    const old = dataNode(n.shape, n.dtype, n.device);
    old.needsGrad = g.needsGrad;
    const given = pull(old);
    const moved = translate(
      given.filter(d => d !== null),
      new Map([[old, g]]),
    );
    let i = 0;
    return given.map(d => (d === null ? null : moved[i++]!));
  });
}

/** A node on the new versions of its sources. */
export function rebuilt(n: Node, again: ReadonlyMap<Node, Node>): Node {
  const src = n.src.map(s => again.get(s) ?? s);
  const m = remake(n, src, (nodes, also) => translated(nodes, new Map([...again, ...(also ?? [])])));
  m.needsGrad &&= n.needsGrad;
  m.hooks = n.hooks;
  return m;
}
/** A graph on the new versions of the nodes that it stands on. */
export function translated(nodes: readonly Node[], versions: Map<Node, Node>): Node[] {
  for (const n of toposort(nodes, x => versions.has(x) || x.value !== null)) {
    if (versions.has(n) || n.src.every(s => (versions.get(s) ?? s) === s)) continue;
    versions.set(n, rebuilt(n, versions));
  }
  return nodes.map(n => versions.get(n) ?? n);
}

/** `value` with the given gradient for its inputs; the value's own graph gets none. */
export function custom(value: Node, inputs: readonly Node[], pull: Pullback): Node {
  const n = build(customDef, [detach(value), ...inputs], null);
  let last: { g: Node; grads: readonly (Node | null)[] } | null = null;
  // The driver asks input by input; the rule runs once per gradient.
  pullbacks.set(n, g => {
    if (last?.g !== g) last = { g, grads: pull(whole(g, n)) };
    return last.grads;
  });
  return n;
}
const whole = (g: Node, like: Node): Node => expand(g, like.shape);

/**
 * Several values of one function, whose rule wants the gradients of all of them at once. They meet in one vector:
 * each value hands its gradient to its place in it. Values that are not floating have no gradient.
 */
export function customAll(
  values: readonly Node[],
  inputs: readonly Node[],
  pull: (grads: readonly Node[]) => readonly (Node | null)[],
): Node[] {
  const floating = values.filter(v => isFloat(v.dtype));
  if (floating.length <= 1)
    return values.map(v => (isFloat(v.dtype) ? custom(v, inputs, g => pull([g])) : v));
  const widest = floating.find(v => v.dtype === 'float64') ?? floating[0]!;
  const starts: number[] = [];
  let total = 0;
  for (const v of floating) {
    starts.push(total);
    total += numel(v.shape);
  }
  const meeting = custom(expand(constLike(widest, 0), [total]), inputs, g =>
    pull(floating.map((v, i) => cast(reshape(narrow(g, 0, starts[i]!, numel(v.shape)), v.shape), v.dtype))),
  );
  return values.map(v => {
    const i = floating.indexOf(v);
    if (i < 0) return v;
    const size = numel(v.shape);
    return custom(v, [meeting], g => [
      pad(cast(reshape(g, [size]), widest.dtype), [starts[i]!], [total - starts[i]! - size], 0),
    ]);
  });
}

const afterDef: OpDef<null> = defineOp<null>({
  name: 'after',
  doc: 'The first source, not read before the second is there; never merged with the plain value.',
  kind: 'movement',
  arity: 2,
  shape: src => src[0]!.shape,
  dtype: src => src[0]!.dtype,
  index: at => ({ at: [...at] }),
  vjp: (g, _, i) => (i === 0 ? g : null),
  linearIn: [0],
  batch: (_src, _batched, n, _size, lift) => after(...(lift(n.src) as [Node, Node])),
  cost: 0,
  samples: () => [{ shapes: [[2, 3], [4]], wrt: [0] }],
});
/** x, to be read only when `gate` has been computed. */
export const after = (x: Node, gate: Node): Node => build(afterDef, [x, gate], null);

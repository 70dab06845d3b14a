// Trees of tensors: what transformed functions take and return. Lists and plain objects are walked; anything else is
// left as it is.

import { isTensor } from './operand.ts';
import type { Tensor } from './tensor.ts';

const isPlain = (x: object): boolean => {
  const p = Object.getPrototypeOf(x);
  return p === Object.prototype || p === null;
};
/** The children of a list or plain object with their keys; null for a leaf. */
function childrenOf(x: unknown): [key: string, child: unknown][] | null {
  if (x === null || typeof x !== 'object' || isTensor(x)) return null;
  return Array.isArray(x) || isPlain(x) ? Object.entries(x) : null;
}

/** The same tree with every tensor replaced. */
export function mapTensors(tree: unknown, f: (t: Tensor) => unknown): unknown {
  return mapBeside(tree, null, (t, _) => f(t));
}

/**
 * The same tree with every tensor replaced by what `f` makes of it and of the entry of `beside` at its place.
 * `beside` is a tree that may end early: its leaf then stands for everything below.
 */
export function mapBeside(
  tree: unknown,
  beside: unknown,
  f: (t: Tensor, beside: unknown) => unknown,
): unknown {
  if (isTensor(tree)) return f(tree, beside);
  const children = childrenOf(tree);
  if (children === null) return tree;
  const inner = childrenOf(beside) === null ? null : (beside as Record<string, unknown>);
  const mapped = children.map(([k, x]) => [k, mapBeside(x, inner === null ? beside : inner[k], f)] as const);
  return Array.isArray(tree) ? mapped.map(([, x]) => x) : Object.fromEntries(mapped);
}

/** All tensors of a tree, in order. */
export function tensorsIn(tree: unknown): Tensor[] {
  const out: Tensor[] = [];
  mapTensors(tree, t => {
    out.push(t);
    return t;
  });
  return out;
}

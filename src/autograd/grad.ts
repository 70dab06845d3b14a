// Reverse and forward mode as graph transformations: a graph goes in, a larger graph comes out.
// In: outputs with cotangents, or inputs with tangents. Out: nodes. Not its job: `.grad` fields, running anything.

import { GradError } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { gradMode, internal, needing, newMark } from '../ir/node.ts';
import { build } from '../ir/op.ts';
import { add, alias, constLike } from '../ir/ops/elementwise.ts';
import type { ScatterAttrs } from '../ir/ops/index.ts';
import { expand, sumTo } from '../ir/ops/reduce.ts';

/** Nodes through which gradients flow from the outputs, sources first. */
export function gradOrder(outputs: readonly Node[]): Node[] {
  const mark = newMark();
  const order: Node[] = [];
  const stack: Node[] = [];
  const push = (n: Node): void => {
    if (n.needsGrad && n.mark !== mark) {
      n.mark = mark;
      n.index = 0;
      stack.push(n);
    }
  };
  for (const out of outputs) {
    push(out);
    while (stack.length > 0) {
      const n = stack[stack.length - 1]!;
      if (n.index < n.src.length && n.leaf === null) push(n.src[n.index++]!);
      else {
        stack.pop();
        order.push(n);
      }
    }
  }
  return order;
}

needing.check = (source, node) => {
  const { method, value } = source.overwrittenBy!;
  // `x.square_()` may need the x that it replaces (and so may rules that were applied since); a result that was
  // replaced is gone, as in PyTorch.
  if (value !== null && node !== source && (node.serial > value.serial || madeFrom(value, node))) return;
  throw new GradError(
    'backward',
    `the value that ${node.op.name} needs for its gradient was replaced in place`,
    `a tensor changed by ${method}`,
    'use the method without the underscore, or clone() before changing it',
  );
};
/** Whether a value was computed from a node. */
function madeFrom(value: Node, node: Node): boolean {
  const mark = newMark();
  const stack = [value];
  for (let n = stack.pop(); n !== undefined; n = stack.pop()) {
    if (n === node) return true;
    // Sources are older than what is made from them.
    if (n.mark === mark || n.serial < node.serial) continue;
    n.mark = mark;
    stack.push(...n.src);
  }
  return false;
}

export interface GradOptions {
  /** Record the gradient's own graph, for higher orders. */
  readonly createGraph?: boolean;
  /** Mark the graph as used up, as backward without retainGraph does. */
  readonly free?: boolean;
  /** No user will hold a handle on the gradient's nodes. */
  readonly internal?: boolean;
}

/** Applies one vjp rule, with the checks that keep it honest. */
function pull(g: Node, node: Node, i: number): Node | null {
  const s = node.src[i]!;
  needing.node = node;
  try {
    const d = ruleOf(node)(g, node, i);
    return d === null || sameShape(d.shape, s.shape) ? d : matched(d, s);
  } finally {
    needing.node = null;
  }
}
type Vjp = NonNullable<Node['op']['vjp']>;
const ruleOf = (n: Node): Vjp => n.op.vjp ?? ofDefinition;
/** The gradient of a composite without a rule: that of its definition. */
function ofDefinition(g: Node, n: Node, i: number): Node | null {
  const createGraph = gradMode.enabled;
  gradMode.enabled = true;
  try {
    const src = n.src.map(s => alias(s));
    src[i]!.needsGrad = true;
    return gradients([n.op.decompose!(src, n.attrs)], [g], [src[i]!], { createGraph })[0]!;
  } finally {
    gradMode.enabled = createGraph;
  }
}
/** Nodes whose gradient needs no values but indices and numbers of the program: a second backward may pass through them. */
function savesNothing(n: Node): boolean {
  const { additive, linearIn, kind } = n.op;
  if (additive || (kind === 'scatter' && LINEAR_MODES.has((n.attrs as ScatterAttrs).mode))) return true;
  if (linearIn === null) return false;
  // A number of the program, such as the count in a mean, is always there.
  const kept = (s: Node, i: number): boolean =>
    linearIn.includes(i) || (s.src.length === 0 && s.value === null);
  return n.src.length === 1 || kind === 'index' || (linearIn.length === 1 && n.src.every(kept));
}
const LINEAR_MODES: ReadonlySet<ScatterAttrs['mode']> = new Set(['set', 'add']);
const used = (n: Node): boolean => n.freed && n.leaf === null && (n.src.length === 0 || !savesNothing(n));
/** Whether another backward from here would come to what an earlier one has used up. */
export function usedUp(n: Node): boolean {
  if (!n.freed) return false;
  const mark = newMark();
  const stack = [n];
  for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
    if (x.mark === mark || !x.needsGrad) continue;
    x.mark = mark;
    if (used(x)) return true;
    if (x.leaf === null) stack.push(...x.src);
  }
  return false;
}
function refuseFreed(n: Node): void {
  if (!used(n)) return;
  throw new GradError(
    'backward',
    'the graph of this value was freed by an earlier backward',
    `a second pass through ${n.op.name}`,
    'pass {retainGraph: true} to the first one, or compute the value again',
  );
}
/** A gradient in the broadcast shape (or a scalar that stands for all elements) brought to the source's shape. */
function matched(d: Node, s: Node): Node {
  const grown = d.shape.length < s.shape.length ? expand(d, s.shape) : d;
  return sumTo(grown, s.shape);
}

/**
 * Gradients of Σ outputs·cotangents. Returns one node per target, or null where a target does not take part;
 * without targets, calls `leaf` for each leaf instead.
 */
export function gradients(
  outputs: readonly Node[],
  cotangents: readonly (Node | null)[],
  targets: readonly Node[] | null,
  options: GradOptions = {},
  leaf: (n: Node, g: Node) => void = () => {},
): (Node | null)[] {
  const order = gradOrder(outputs);
  const before = gradMode.enabled;
  const beforeInternal = internal.on;
  gradMode.enabled = before && (options.createGraph ?? false);
  internal.on = beforeInternal || (options.internal ?? false);
  try {
    // `index` becomes the position in the order, so that gradients live in a plain list.
    const wanted = targets === null ? null : new Set(targets);
    const useful = new Array<boolean>(order.length);
    order.forEach((n, k) => {
      n.index = k;
    });
    const mark = order[0]?.mark;
    const inOrder = (n: Node): boolean => n.mark === mark && n.needsGrad;
    if (wanted !== null) {
      order.forEach((n, k) => {
        useful[k] = wanted.has(n) || (n.leaf === null && n.src.some(s => inOrder(s) && useful[s.index]));
      });
    }
    order.forEach((n, k) => {
      if (wanted === null || useful[k]) refuseFreed(n);
    });
    // Rules may walk other graphs, which reuse the marks: take what is needed now.
    const links = order.map(n => (n.leaf === null ? n.src.map(s => (inOrder(s) ? s.index : -1)) : []));
    const position = new Map<Node, number>();
    if (targets !== null) for (const t of targets) if (inOrder(t)) position.set(t, t.index);
    const grads = new Array<Node | null>(order.length).fill(null);
    outputs.forEach((out, j) => {
      if (!inOrder(out)) return;
      const g = cotangents[j] ?? constLike(out, 1);
      const prior = grads[out.index];
      grads[out.index] = prior == null ? g : add(prior, g);
    });
    for (let k = order.length - 1; k >= 0; k--) {
      const n = order[k]!;
      let g = grads[k]!;
      if (g === null) continue;
      if (n.hooks !== null)
        for (const hook of n.hooks) g = hook(sameShape(g.shape, n.shape) ? g : expand(g, n.shape));
      grads[k] = g;
      if (n.leaf !== null) continue;
      const srcs = links[k]!;
      for (let i = 0; i < srcs.length; i++) {
        const at = srcs[i]!;
        if (at < 0 || (wanted !== null && !useful[at])) continue;
        const d = pull(g, n, i);
        if (d === null) continue;
        const prior = grads[at];
        grads[at] = prior == null ? d : add(prior, d);
      }
    }
    // Nothing is changed before all rules have been applied.
    order.forEach((n, k) => {
      const g = grads[k];
      if (g == null) return;
      if (n.leaf === null) n.freed ||= options.free ?? false;
      else if (wanted === null) leaf(n, sameShape(g.shape, n.shape) ? g : expand(g, n.shape));
    });
    if (targets === null) return [];
    return targets.map(t => {
      const at = position.get(t);
      const g = at === undefined ? null : grads[at]!;
      return g === null || sameShape(g.shape, t.shape) ? g : expand(g, t.shape);
    });
  } finally {
    gradMode.enabled = before;
    internal.on = beforeInternal;
  }
}

/**
 * Forward mode: the tangents of the outputs for given tangents of the inputs; null where an output does not depend on
 * them. Elementwise rules serve both modes, linear ops apply themselves, the rest is the transpose of its transpose.
 */
export function pushForward(
  outputs: readonly Node[],
  inputs: readonly Node[],
  tangents: readonly Node[],
): (Node | null)[] {
  const tangent = new Map<Node, Node | null>();
  inputs.forEach((n, i) => {
    tangent.set(n, tangents[i]!);
  });
  for (const n of gradOrder(outputs)) {
    if (!tangent.has(n))
      tangent.set(
        n,
        tangentOf(
          n,
          n.src.map(s => tangent.get(s) ?? null),
        ),
      );
  }
  return outputs.map(o => tangent.get(o) ?? null);
}

function tangentOf(n: Node, t: readonly (Node | null)[]): Node | null {
  if (t.every(x => x === null)) return null;
  const whole = (x: Node): Node => (sameShape(x.shape, n.shape) ? x : expand(x, n.shape));
  const make = (src: Node[]): Node => remakeNode(n, src);
  const zeros = (s: Node): Node => expand(constLike(s, 0), s.shape);
  if (n.op.additive) return whole(make(n.src.map((s, i) => t[i] ?? zeros(s))));
  let sum: Node | null = null;
  const plus = (d: Node | null): void => {
    if (d !== null) sum = sum === null ? whole(d) : add(sum, whole(d));
  };
  const rest: number[] = [];
  n.src.forEach((_, i) => {
    const ti = t[i];
    if (ti == null) return;
    if (n.op.linearIn?.includes(i)) plus(make(n.src.map((s, j) => (j === i ? ti : s))));
    else if (n.op.kind === 'elementwise') plus(n.op.vjp!(ti, n, i));
    else rest.push(i);
  });
  if (rest.length > 0) {
    // vjp is linear in its cotangent u: transposing it once more, at any u, gives the tangent.
    const u = zeros(n);
    u.needsGrad = true;
    const pairs = rest.flatMap(i => {
      const d = ruleOf(n)(u, n, i);
      return d === null ? [] : [[matched(d, n.src[i]!), t[i]!] as const];
    });
    const back = gradients(
      pairs.map(p => p[0]),
      pairs.map(p => p[1]),
      [u],
      { createGraph: true },
    );
    plus(back[0] ?? null);
  }
  return sum;
}

/** The same op on other sources. */
export const remakeNode = (n: Node, src: readonly Node[]): Node => build(n.op, src, n.attrs);

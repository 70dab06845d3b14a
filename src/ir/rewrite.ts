// Named passes over a graph: each is a table of local rules, applied bottom-up with equal nodes merged.
// In: roots. Out: new roots. Not its job: the rules themselves (simplify.ts).

import { sameShape } from '../base/shape.ts';
import { mix, type Node, sameValue, toposort } from './node.ts';
import { build } from './op.ts';

/** Looks at a node whose sources are already rewritten; returns a replacement or null. */
export type Rule = (n: Node) => Node | null;

/** Equal nodes of one graph, found by hash. Lives for one schedule. */
export class NodeTable {
  private readonly table = new Map<number, Node[]>();
  /** The first node that equals n. Nodes with bound attributes are equal only when those are one object. */
  intern(n: Node): Node {
    let h = mix(n.op.id, n.shape.length);
    for (let i = 0; i < n.src.length; i++) h = mix(h, n.src[i]!.hash);
    h = mix(h, n.hash);
    const bucket = this.table.get(h);
    if (bucket === undefined) {
      this.table.set(h, [n]);
      return n;
    }
    for (const o of bucket) if (equal(o, n)) return o;
    bucket.push(n);
    return n;
  }
}

function equal(a: Node, b: Node): boolean {
  if (a === b) return true;
  if (a.op !== b.op || a.dtype !== b.dtype || a.device !== b.device || a.value !== b.value) return false;
  // Two realised sources are two values, and two host numbers may differ at the next run.
  if (a.value !== null || a.op.bound) return false;
  if (!sameShape(a.shape, b.shape) || a.src.length !== b.src.length) return false;
  for (let i = 0; i < a.src.length; i++) if (a.src[i] !== b.src[i]) return false;
  return sameValue(a.attrs, b.attrs);
}

export type Trace = (pass: string, roots: readonly Node[]) => void;

/** Applies the rules of one pass until nothing changes at each node, sources first. */
export function rewrite(
  roots: readonly Node[],
  rules: readonly Rule[],
  name: string,
  trace: Trace | null = null,
): Node[] {
  const table = new NodeTable();
  const done = new Map<Node, Node>();
  // What replaces a node takes its place in the program: `age` is the place of the node that is being replaced.
  const visit = (root: Node, age = Number.POSITIVE_INFINITY): Node => {
    for (const n of toposort([root], x => x.value !== null || done.has(x))) {
      if (done.has(n)) continue;
      const place = Math.min(n.serial, age);
      const m = table.intern(settle(n, place));
      m.serial = Math.min(m.serial, place);
      done.set(n, m);
    }
    return done.get(root)!;
  };
  const settle = (n: Node, place: number): Node => {
    if (n.value !== null) return n;
    let out = n;
    if (n.src.length > 0) {
      let src: Node[] | null = null;
      for (let i = 0; i < n.src.length; i++) {
        const s = done.get(n.src[i]!)!;
        if (s !== n.src[i]) src ??= n.src.slice();
        if (src !== null) src[i] = s;
      }
      if (src !== null) out = build(n.op, src, n.attrs);
    }
    for (let i = 0; i < rules.length; i++) {
      const next = rules[i]!(out);
      if (next !== null) return visit(next, place);
    }
    return out;
  };
  const result = roots.map(r => visit(r));
  trace?.(name, result);
  return result;
}

// Batching as a graph transformation: a graph built for one example becomes a graph for all of them, with the batch as
// dim 0. What does not depend on an example stays as it is and is shared.
// In: nodes, and which nodes stand for an example of which batch. Out: nodes. Not its job: tensors, dims, nesting.

import { showShape } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import { type Node, toposort } from '../ir/node.ts';
import { build } from '../ir/op.ts';
import { hasOwnRule } from '../ir/ops/custom.ts';
import { constLike, detach } from '../ir/ops/elementwise.ts';
import { cat, narrow, reshape } from '../ir/ops/movement.ts';
import { expand } from '../ir/ops/reduce.ts';

export class Batcher {
  private readonly size: number;
  private readonly since: number;
  private readonly shareDraws: boolean;
  /** The batched form of every node that varies between examples. */
  private readonly images: Map<Node, Node>;
  /** Nodes that are the same for all examples. */
  private readonly shared = new Set<Node>();

  /**
   * `examples` maps each node that stands for one example to the batch of all. Nodes with a serial above `since` were
   * built for the example; random draws among them are made anew for each, unless `shareDraws`.
   */
  constructor(examples: ReadonlyMap<Node, Node>, size: number, since: number, shareDraws: boolean) {
    this.images = new Map(examples);
    this.size = size;
    this.since = since;
    this.shareDraws = shareDraws;
  }

  /** The batched form of a node, or null where it does not vary. */
  image(root: Node): Node | null {
    const known = (n: Node): boolean => n.value !== null || this.images.has(n) || this.shared.has(n);
    for (const n of toposort([root], known)) {
      if (known(n)) continue;
      const varies =
        n.src.some(s => this.images.has(s)) || this.isDraw(n) || (hasOwnRule(n) && n.serial > this.since);
      if (varies) this.images.set(n, this.checked(n));
      else this.shared.add(n);
    }
    return this.images.get(root) ?? null;
  }

  /** The batched forms of nodes; what does not vary is repeated without a copy. */
  lift = (nodes: readonly Node[], also?: ReadonlyMap<Node, Node>): Node[] => {
    also?.forEach((all, one) => {
      this.images.set(one, all);
    });
    return nodes.map(n => this.image(n) ?? repeated(n, this.size));
  };

  /** A draw of random numbers inside the function: it depends on a key and on each element's position. */
  private isDraw(n: Node): boolean {
    return !this.shareDraws && n.op.usesPosition && n.src.some(s => s.op.bound && s.serial > this.since);
  }

  private checked(n: Node): Node {
    const m = this.batch(n);
    const want = [this.size, ...n.shape];
    if (!sameShape(m.shape, want)) {
      throw new Error(`vmap: the rule of ${n.op.name} gave ${showShape(m.shape)}, wants ${showShape(want)}`);
    }
    // What was cut off from gradients for one example is so for all.
    return m.needsGrad && !n.needsGrad ? detach(m) : m;
  }

  private batch(n: Node): Node {
    const { op } = n;
    const batched = n.src.map(s => this.images.has(s));
    const src = n.src.map(s => this.images.get(s) ?? s);
    if (op.batch !== null) return op.batch(src, batched, n, this.size, this.lift);
    if (op.kind === 'elementwise' && !op.usesPosition) return build(op, aligned(src, batched, n), n.attrs);
    if (op.decompose !== null) return this.lift([op.decompose(n.src, n.attrs)])[0]!;
    return oneByOne(src, batched, n, this.size);
  }
}

/** Operands of an elementwise op under one rank, so that the batch stays in front when they broadcast. */
function aligned(src: readonly Node[], batched: readonly boolean[], n: Node): Node[] {
  const rank = n.shape.length;
  return src.map((s, i) => {
    if (!batched[i] || s.shape.length === rank + 1) return s;
    const own = s.shape.slice(1);
    return reshape(s, [s.shape[0]!, ...Array<number>(rank - own.length).fill(1), ...own]);
  });
}
/** The same value for every example. */
const repeated = (n: Node, size: number): Node => expand(reshape(n, [1, ...n.shape]), [size, ...n.shape]);
/** An op without a rule: once per example, joined. */
function oneByOne(src: readonly Node[], batched: readonly boolean[], n: Node, size: number): Node {
  if (size === 0) return expand(constLike(n, 0), [0, ...n.shape]);
  const each = Array.from({ length: size }, (_, b) => {
    const own = src.map((s, i) => (batched[i] ? reshape(narrow(s, 0, b, 1), s.shape.slice(1)) : s));
    return reshape(build(n.op, own, n.attrs), [1, ...n.shape]);
  });
  return cat(each, 0);
}

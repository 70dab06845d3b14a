// Steps: a graph, the body, that runs once per element of sequences, with values (carries) that go from step to step.
// In: stand-ins and what the body makes of them. Out: Body, and the attributes of the ops that run one.
// Not its job: their rules (autograd/steps.ts), running them.

import type { DType } from '../base/dtype.ts';
import { type Shape, sameShape } from '../base/shape.ts';
import { mix, type Node, sameValue, toposort } from './node.ts';

/** One step as a graph. Bodies of one structure are equal, whatever their nodes. */
export class Body {
  /** Stand-ins: for the carries before the step, an element of each sequence, and what all steps share. */
  readonly inputs: readonly Node[];
  readonly sequences: number;
  /** The carries after the step. */
  readonly next: readonly Node[];
  /** Nodes whose values of all steps may be asked for, by number. */
  readonly named: readonly Node[];
  readonly hash: number;
  /** All nodes, sources first. */
  readonly order: readonly Node[];
  private readonly numbers: ReadonlyMap<Node, number>;

  /** Without `named` all nodes of the graph have a number. */
  constructor(
    inputs: readonly Node[],
    sequences: number,
    next: readonly Node[],
    results: readonly Node[],
    named?: readonly Node[],
  ) {
    this.inputs = inputs;
    this.sequences = sequences;
    this.next = next;
    this.order = toposort([...next, ...(named ?? results)]);
    this.named = named ?? this.order;
    this.numbers = new Map(this.named.map((n, i) => [n, i]));
    this.hash = [...next, ...this.named].reduce((h, n) => mix(h, n.hash), inputs.length);
  }

  get carries(): number {
    return this.next.length;
  }
  /** The number of a node; -1 where it has none. */
  numberOf(n: Node): number {
    return this.numbers.get(n) ?? -1;
  }

  sameAs(o: unknown): boolean {
    if (this === o) return true;
    if (!(o instanceof Body) || o.hash !== this.hash || o.sequences !== this.sequences) return false;
    if (o.inputs.length !== this.inputs.length || o.order.length !== this.order.length) return false;
    const alike = (a: Node, b: Node): boolean =>
      a.op === b.op && a.dtype === b.dtype && sameShape(a.shape, b.shape) && sameValue(a.attrs, b.attrs);
    if (!this.inputs.every((n, i) => alike(n, o.inputs[i]!))) return false;
    const twin = new Map(this.inputs.map((n, i) => [n, o.inputs[i]!]));
    const paired = (list: readonly Node[], others: readonly Node[]): boolean =>
      list.length === others.length && list.every((n, i) => twin.get(n) === others[i]);
    for (let i = 0; i < this.order.length; i++) {
      const [a, b] = [this.order[i]!, o.order[i]!];
      if (twin.has(a)) continue;
      if (!alike(a, b) || !paired(a.src, b.src)) return false;
      twin.set(a, b);
    }
    return paired(this.next, o.next) && paired(this.named, o.named);
  }
}

export interface StepsAttrs {
  readonly body: Body;
  readonly length: number;
  /** From the last element to the first. */
  readonly reverse: boolean;
  /** The shape of the node that stands for all results together: it has no elements. */
  readonly tuple: Shape;
}
/** One result of steps. */
export interface PartAttrs {
  /**
   * last: carry `at` after the last step. states: carry `at` before the first step and after each, along a new first
   * dim (T + 1) in the order of the sequences. stack: the body's node `at` of all steps (T).
   */
  readonly of: 'last' | 'states' | 'stack';
  readonly at: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

// checkpoint: memory for time. What a function computes on the way is not kept for backward but computed again there.
// In: a function of tensors. Out: its results, with a gradient that holds on to its inputs only.

import { gradients } from '../autograd/grad.ts';
import { gradMode, type Node, newestSerial, toposort } from '../ir/node.ts';
import { after, customAll, rebuilt } from '../ir/ops/custom.ts';
import { isConst } from '../ir/ops/elementwise.ts';
import { wrap } from './core.ts';
import { enableGrad, synchronous } from './modes.ts';
import { mapTensors, tensorsIn } from './tree.ts';

/**
 * fn(...args), computed again during backward instead of being stored: the memory of a segment shrinks to its inputs
 * and results, for one more forward pass of it.
 *
 * Results are tensors in lists and plain objects. Captured parameters get their gradients too. Random draws (dropout)
 * are the same in both computations, and what fn changes in place is changed once. Like torch.utils.checkpoint with
 * use_reentrant=False.
 */
export function checkpoint<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R {
  const given = new Set(tensorsIn(args).map(t => t.node()));
  const from = newestSerial();
  const result = synchronous('checkpoint', fn(...args));
  const outputs = tensorsIn(result);
  if (!gradMode.enabled || !outputs.some(t => t.requiresGrad)) return result;
  const moving = [...new Set(outputs.map(t => t.node()).filter(n => n.needsGrad))];
  const segment = new Segment(
    moving,
    n => n.serial <= from || n.op.kind === 'source' || n.leaf !== null || n.value !== null || given.has(n),
  );
  const inputs = segment.inputs.filter(n => n.needsGrad);
  const made = customAll(moving, inputs, grads => segment.pull(grads, inputs));
  return mapTensors(result, t => {
    const i = moving.indexOf(t.node());
    return i < 0 ? t : wrap(made[i]!);
  }) as R;
}

/** The part of a graph between what a function found and what it returned. */
class Segment {
  readonly inputs: Node[];
  private readonly outputs: readonly Node[];
  private readonly inside: Node[];

  constructor(outputs: readonly Node[], isInput: (n: Node) => boolean) {
    this.outputs = outputs;
    const order = toposort(outputs, isInput);
    this.inputs = order.filter(isInput);
    this.inside = order.filter(n => !isInput(n));
  }

  /** Gradients of the inputs, by a second computation that waits for the gradients of the results. */
  pull(grads: readonly Node[], inputs: readonly Node[]): (Node | null)[] {
    const again = enableGrad(() => this.repeat(grads[0]!));
    return gradients(
      this.outputs.map(n => again.get(n)!),
      grads,
      inputs.map(n => again.get(n)!),
      { createGraph: true },
    );
  }

  /** The nodes of the segment once more, on inputs that are read when `gate` is there. */
  private repeat(gate: Node): Map<Node, Node> {
    const again = new Map<Node, Node>();
    for (const n of this.inputs) again.set(n, isConst(n) ? n : after(n, gate));
    for (const n of this.inside) again.set(n, rebuilt(n, again));
    return again;
  }
}

// vmap: a function of one example becomes a function of a batch of them.
// In: a function of tensors. Out: the same over batches, as one graph without a loop. The batching itself is
// autograd/vmap.ts; here are dims, trees and what a function may not do while it sees one example only.

import { Batcher } from '../autograd/vmap.ts';
import { GradError, ShapeError, show, showShape } from '../base/errors.ts';
import { normalizeDim, otherDims } from '../base/shape.ts';
import { type Node, newestSerial } from '../ir/node.ts';
import { dataNode } from '../ir/ops/elementwise.ts';
import { permute } from '../ir/ops/movement.ts';
import { GoneStorage } from './cell.ts';
import { type TensorCore, wrap } from './core.ts';
import { synchronous } from './modes.ts';
import { InnerRecording, type Recording, recording } from './record.ts';
import type { Tensor } from './tensor.ts';
import { mapBeside, tensorsIn } from './tree.ts';

/** A dim for every tensor at or below this place of the arguments (results), or null for "not batched". */
export type BatchDims = number | null | readonly BatchDims[] | { readonly [key: string]: BatchDims };

export interface VmapOptions {
  /** Where the batch is: one dim for all arguments, or one entry per argument; null shares the argument. Default 0. */
  readonly inDims?: BatchDims;
  /** Where the batch goes in the results, in the form of the results. Default 0. */
  readonly outDims?: BatchDims;
  /** Random numbers drawn inside are different for each example (default), or the same for all. */
  readonly randomness?: 'different' | 'same';
}

let scopes = 0;
/** While the function runs there is only one example, without values: reading it or keeping it elsewhere is refused. */
class ExampleScope extends InnerRecording {
  constructor(outer: Recording | null) {
    // Recordings of compile count up from 1. A scope inside one is part of it.
    super('vmap', 'the values of one example are not known inside', outer, () => --scopes);
  }
  change(t: TensorCore): void {
    if (t._made !== this.id) {
      throw new GradError(
        'vmap',
        'the function must not change tensors from outside',
        `one of shape ${showShape(t.shape)}`,
        'return the new value, and change the tensor after the call',
      );
    }
    this.outer?.change(t);
  }
  setGrad(t: TensorCore): void {
    this.change(t);
    this.outer?.setGrad(t);
  }
}

/**
 * `fn` over a batch: `vmap(fn)(xs)` is `stack(xs.unbind(0).map(fn))`, computed at once.
 *
 * `fn` sees each argument without its batch dim and may return tensors in lists and plain objects. Arguments with
 * inDim null, captured tensors and non-tensors are the same for all examples and are not copied.
 * Shapes: argument (…, B at inDim, …) → inside (…); result inside (…) → (…, B at outDim, …).
 * Works with grad (`vmap(grad(loss), {inDims: [null, 0, 0]})` gives per-example gradients), jvp, another vmap, and inside
 * compile. Random draws inside are independent for each example, unlike in a loop they come from one key; with
 * `randomness: 'same'` all examples share them.
 *
 * Like torch.vmap. Throws where batch sizes differ, or where fn reads values (item, nonzero) or changes outside tensors.
 */
export function vmap<A extends unknown[] = Tensor[], R = unknown>(
  fn: (...args: A) => R,
  options: VmapOptions = {},
): (...args: A) => R {
  const { inDims = 0, outDims = 0, randomness = 'different' } = options;
  return (...args) => {
    if (Array.isArray(inDims) && inDims.length !== args.length) {
      throw new ShapeError(
        'vmap',
        `inDims needs one entry for each of the ${args.length} arguments`,
        show(inDims),
        '',
      );
    }
    const batches: (Node | null)[] = [];
    mapBeside(args, inDims, (t, dim) => {
      batches.push(dim === null ? null : atFront(t, dim));
    });
    const size = commonSize(batches);
    const examples = new Map<Node, Node>();
    const since = newestSerial();
    const { result, nodes } = traced(fn, args, batches, examples);
    const all = new Batcher(examples, size, since, randomness === 'same').lift(nodes);
    let i = 0;
    return mapBeside(result, outDims, (_, dim) => wrap(fromFront(all[i++]!, dim))) as R;
  };
}

/** What fn builds for one example; `examples` gets the nodes that stand for it. */
function traced<A extends unknown[], R>(
  fn: (...args: A) => R,
  args: A,
  batches: readonly (Node | null)[],
  examples: Map<Node, Node>,
): { result: R; nodes: Node[] } {
  const outer = recording.now;
  recording.now = new ExampleScope(outer);
  try {
    let i = 0;
    const seen: Tensor[] = [];
    const inside = mapBeside(args, null, t => {
      const batch = batches[i++]!;
      if (batch === null) return t;
      const one = exampleOf(batch);
      examples.set(one, batch);
      seen.push(wrap(one));
      return seen[seen.length - 1];
    }) as A;
    const result = synchronous('vmap', fn(...inside));
    if (seen.some(t => t._version > 0)) {
      throw new GradError(
        'vmap',
        'the function must leave its arguments as they are',
        'one changed in place',
        'use the method without the underscore, or clone() first',
      );
    }
    const nodes = tensorsIn(result).map(t => t.node());
    if (nodes.length === 0) throw new GradError('vmap', 'the function must return tensors', show(result), '');
    return { result, nodes };
  } finally {
    recording.now = outer;
  }
}

/** One example of a batch: a shape without values. */
function exampleOf(batch: Node): Node {
  const n = dataNode(batch.shape.slice(1), batch.dtype, batch.device);
  n.value = new GoneStorage('an example inside vmap');
  n.needsGrad = batch.needsGrad;
  return n;
}

function dimOf(dim: unknown, ndim: number): number {
  if (typeof dim !== 'number') {
    throw new ShapeError(
      'vmap',
      'a dim is needed for every tensor',
      show(dim),
      'inDims and outDims have the form of the arguments and results',
    );
  }
  return normalizeDim('vmap', dim, ndim);
}
/** A tensor's node with the batch dim first. */
function atFront(t: Tensor, dim: unknown): Node {
  if (t.ndim === 0)
    throw new ShapeError(
      'vmap',
      'a batched argument needs at least one dim',
      '()',
      'share it with inDims: null',
    );
  const n = t.node();
  const at = dimOf(dim, t.ndim);
  return permute(n, [at, ...otherDims(t.ndim, at)]);
}
/** The first dim moved to another place. */
function fromFront(n: Node, dim: unknown): Node {
  const at = dimOf(dim, n.shape.length);
  const rest = otherDims(n.shape.length, 0);
  return permute(n, [...rest.slice(0, at), 0, ...rest.slice(at)]);
}
function commonSize(batches: readonly (Node | null)[]): number {
  const sizes = batches.flatMap(b => (b === null ? [] : [b.shape[0]!]));
  const first = sizes[0];
  if (first === undefined) {
    throw new ShapeError('vmap', 'at least one argument must be batched', 'none', 'give it a dim in inDims');
  }
  if (sizes.some(s => s !== first)) {
    throw new ShapeError(
      'vmap',
      'all batched arguments must have one batch size',
      [...new Set(sizes)].join(' and '),
      'inDims says where each has its batch',
    );
  }
  return first;
}

// scan: one function over the steps of a sequence, with a state that goes from step to step.
// In: trees of tensors, time first. Out: the last state, the results of all steps stacked. Its steps are recorded one after
// the other, so a gradient, a second one, `vmap` and `compile` are those of the steps; a longer sequence is a longer graph.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { checkpoint } from '../../tensor/checkpoint.ts';
import { synchronous } from '../../tensor/modes.ts';
import { stack } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { mapTensors, tensorsIn } from '../../tensor/tree.ts';

export interface ScanOptions {
  /** From the last step to the first; result t is still that of step t. Default false. */
  readonly reverse?: boolean;
  /** Steps between two states that are kept for backward; those between are computed again. 0 (default) keeps all. */
  readonly checkpointEvery?: number;
}

/** The number of steps: what all tensors of xs have as their first size. */
function stepsOf(xs: unknown): number {
  const shapes = tensorsIn(xs).map(t => t.shape);
  const T = shapes[0]?.[0];
  if (T === undefined || T === 0 || shapes.some(s => s[0] !== T))
    throw new ShapeError(
      'scan',
      'the tensors of xs have the same first size, one step or more',
      shapes.length === 0 ? 'none' : shapes.map(s => showShape(s)).join(' and '),
      '',
    );
  return T;
}
/** A state must keep its shapes and dtypes from step to step. */
function checkState(before: unknown, after: unknown): void {
  const kinds = (tree: unknown): string =>
    tensorsIn(tree)
      .map(t => `${t.dtype}${showShape(t.shape)}`)
      .join(' and ');
  if (kinds(before) !== kinds(after))
    throw new ShapeError(
      'scan',
      `f must give back a state like ${kinds(before)}`,
      kinds(after) || 'none',
      '',
    );
}

/**
 * [h, y] = f(h, x_t) for all steps t of xs: [last h, all y stacked along dim 0].
 *
 * h, xs and y are tensors, or lists and plain objects of them; every tensor of xs is (T, …), and h keeps its shapes and
 * dtypes. Throws ShapeError where sizes differ or T is 0. After jax.lax.scan.
 */
export function scan<H, X, Y>(
  f: (h: H, x: X) => readonly [H, Y],
  init: H,
  xs: X,
  options: ScanOptions = {},
): [h: H, ys: Y] {
  const { reverse = false, checkpointEvery: every = 0 } = options;
  if (!Number.isInteger(every) || every < 0)
    throw new ValueError('scan', 'checkpointEvery is a number of steps', show(every), '');
  const T = stepsOf(xs);
  const run = (from: number, to: number, start: H): { h: H; ys: Y[] } => {
    let h = start;
    const ys: Y[] = [];
    for (let k = from; k < to; k++) {
      const t = reverse ? T - 1 - k : k;
      const [next, y] = synchronous('scan', f(h, mapTensors(xs, x => x.select(0, t)) as X));
      checkState(h, next);
      h = next;
      ys.push(y);
    }
    return { h, ys };
  };
  let h = init;
  const ys: Y[] = [];
  const stride = every || T;
  for (let from = 0; from < T; from += stride) {
    const to = Math.min(from + stride, T);
    const part = every > 0 ? checkpoint((s: H) => run(from, to, s), h) : run(from, to, h);
    h = part.h;
    ys.push(...part.ys);
  }
  return [h, stacked(reverse ? ys.reverse() : ys)];
}
/** Trees of one form, each tensor with those at its place in the others. */
function stacked<Y>(trees: readonly Y[]): Y {
  const all = trees.map(tensorsIn);
  let i = 0;
  return mapTensors(trees[0], () => {
    const k = i++;
    return stack(all.map(step => step[k]!) as Tensor[]);
  }) as Y;
}

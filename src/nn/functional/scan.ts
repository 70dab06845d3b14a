// scan: one function over the steps of a sequence, with a state that goes from step to step.
// In: trees of tensors, time first. Out: the last state, the results of all steps stacked. Its steps are recorded one after
// the other, so a gradient, a second one, `vmap` and `compile` are those of the steps; a longer sequence is a longer graph.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { runSteps } from '../../tensor/steps.ts';
import { tensorsIn } from '../../tensor/tree.ts';

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
  return runSteps(f, init, xs, { length: T, reverse });
}

// scan: one function over the steps of a sequence, with a state that goes from step to step.
// In: trees of tensors, time first. Out: the last state, the results of all steps stacked. The function is recorded once:
// a longer sequence is the same graph, and no new code.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { checkpoint } from '../../tensor/checkpoint.ts';
import { cat } from '../../tensor/movement.ts';
import { runSteps } from '../../tensor/steps.ts';
import { mapTensors, tensorsIn } from '../../tensor/tree.ts';

export interface ScanOptions {
  /** From the last step to the first; result t is still that of step t. Default false. */
  readonly reverse?: boolean;
  /**
   * Steps between two states that are kept for backward; those between are computed again. 0 keeps all. Default: √T where
   * all would take more than 512 MB, else 0.
   */
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
/** Bytes from which backward rather computes again. */
const KEEP = 512 * 1024 * 1024;

/**
 * [h, y] = f(h, x_t) for all steps t of xs: [last h, all y stacked along dim 0].
 *
 * h, xs and y are tensors, or lists and plain objects of them; every tensor of xs is (T, …), and h keeps its shapes and
 * dtypes. f is recorded once and runs as a loop: what it reads from outside is the same at all steps, random draws are
 * new at each, and conditions are `where`. Throws ShapeError where sizes differ or T is 0, GradError where f changes a
 * tensor from outside. After jax.lax.scan.
 */
export function scan<H, X, Y>(
  f: (h: H, x: X) => readonly [H, Y],
  init: H,
  xs: X,
  options: ScanOptions = {},
): [h: H, ys: Y] {
  const { reverse = false, checkpointEvery: every } = options;
  if (every !== undefined && (!Number.isInteger(every) || every < 0))
    throw new ValueError('scan', 'checkpointEvery is a number of steps', show(every), '');
  const length = stepsOf(xs);
  const keep = every === undefined && length >= SHORT ? KEEP : Number.POSITIVE_INFINITY;
  const whole = every ? null : runSteps(f, init, xs, { length, reverse, keep });
  return whole ?? inChunks(f, init, xs, length, reverse, every || Math.ceil(Math.sqrt(length)));
}
const SHORT = 16;

/** A loop over chunks, each a loop whose values backward computes again; what is left over is a chunk of its own. */
function inChunks<H, X, Y>(
  f: (h: H, x: X) => readonly [H, Y],
  init: H,
  xs: X,
  length: number,
  reverse: boolean,
  every: number,
): [H, Y] {
  const count = Math.floor(length / every);
  const left = length - count * every;
  const mainFrom = reverse ? left : 0;
  const cut = (from: number, size: number, shape: readonly number[]): X =>
    mapTensors(xs, x => x.narrow(0, from, size).reshape([...shape, ...x.shape.slice(1)])) as X;
  const chunk = (size: number) => (h: H, x: X) =>
    checkpoint((h: H, x: X) => runSteps(f, h, x, { length: size, reverse })!, h, x);
  const parts: Y[] = [];
  let h = init;
  if (count > 0) {
    const main = cut(mainFrom, count * every, [count, every]);
    const [last, ys] = runSteps(chunk(every), h, main, { length: count, reverse })!;
    h = last;
    parts.push(mapTensors(ys, y => y.flatten(0, 1)) as Y);
  }
  if (left > 0) {
    const [last, ys] = chunk(left)(h, cut(reverse ? 0 : count * every, left, [left]));
    h = last;
    parts.push(ys);
  }
  return [h, joined(reverse ? parts.reverse() : parts)];
}
/** Trees of one form joined along time. */
function joined<Y>(trees: readonly Y[]): Y {
  const all = trees.map(tensorsIn);
  let i = 0;
  return mapTensors(trees[0], t => {
    const k = i++;
    return all.length === 1 ? t : cat(all.map(list => list[k]!));
  }) as Y;
}

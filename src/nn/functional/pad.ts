// Padding in all modes.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import * as mv from '../../ir/ops/movement.ts';
import { wrap } from '../../tensor/core.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

/**
 * x with more elements at both ends of its last dims. `amounts` has two numbers per dim, from the last dim backwards:
 * [left, right, top, bottom, …]; negative ones cut. Modes: 'constant' (with `value`, 0), 'reflect' (mirrored without
 * the edge), 'replicate' (the edge repeated), 'circular' (from the other end).
 */
export function pad(
  x: Tensor,
  amounts: readonly number[],
  options: { mode?: PadMode; value?: number } = {},
): Tensor {
  const { mode = 'constant', value = 0 } = options;
  const count = amounts.length / 2;
  if (!Number.isInteger(count) || count > x.ndim || !amounts.every(Number.isInteger)) {
    throw new ShapeError(
      'pad',
      `amounts are two integers per dim, for at most ${x.ndim} dims`,
      show(amounts),
      'the first two are for the last dim',
    );
  }
  const at = (d: number, side: 0 | 1): number => amounts[2 * (x.ndim - 1 - d) + side] ?? 0;
  if (mode === 'constant') {
    const sides = ([0, 1] as const).map(side => x.shape.map((_, d) => at(d, side)));
    return wrap(mv.pad(x.node(), sides[0]!, sides[1]!, value));
  }
  const ends = ENDS[mode];
  if (ends === undefined)
    throw new ValueError('pad', "mode is 'constant', 'reflect', 'replicate' or 'circular'", show(mode), '');
  let y = x;
  for (let d = x.ndim - count; d < x.ndim; d++) y = padDim(y, d, at(d, 0), at(d, 1), mode, ends);
  return y;
}

interface Ends {
  /** The most elements that an end can get, for a dim of size n. */
  readonly most: (n: number) => number;
  readonly left: (x: Tensor, dim: number, amount: number) => Tensor;
  readonly right: (x: Tensor, dim: number, amount: number) => Tensor;
}
const size = (x: Tensor, dim: number): number => x.shape[dim]!;
const repeated = (edge: Tensor, dim: number, amount: number): Tensor =>
  edge.expand(edge.shape.map((n, d) => (d === dim ? amount : n)));
const ENDS: Partial<Record<PadMode, Ends>> = {
  reflect: {
    most: n => n - 1,
    left: (x, d, n) => x.narrow(d, 1, n).flip(d),
    right: (x, d, n) => x.narrow(d, size(x, d) - 1 - n, n).flip(d),
  },
  replicate: {
    most: () => Number.POSITIVE_INFINITY,
    left: (x, d, n) => repeated(x.narrow(d, 0, 1), d, n),
    right: (x, d, n) => repeated(x.narrow(d, size(x, d) - 1, 1), d, n),
  },
  circular: {
    most: n => n,
    left: (x, d, n) => x.narrow(d, size(x, d) - n, n),
    right: (x, d, n) => x.narrow(d, 0, n),
  },
};
function padDim(x: Tensor, dim: number, left: number, right: number, mode: PadMode, ends: Ends): Tensor {
  const cut = Math.max(-left, 0) + Math.max(-right, 0);
  const kept = cut === 0 ? x : x.narrow(dim, Math.max(-left, 0), size(x, dim) - cut);
  const limit = ends.most(size(kept, dim));
  if (size(kept, dim) === 0 || left > limit || right > limit) {
    throw new ShapeError(
      'pad',
      `mode '${mode}' takes at most ${limit} elements for dim ${dim} of ${showShape(x.shape)}`,
      `${left} and ${right}`,
      '',
    );
  }
  const before = left > 0 ? [ends.left(kept, dim, left)] : [];
  const after = right > 0 ? [ends.right(kept, dim, right)] : [];
  return before.length + after.length === 0 ? kept : cat([...before, kept, ...after], dim);
}

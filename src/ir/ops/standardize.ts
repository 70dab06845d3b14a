// Values with mean 0 and variance 1: what the normalising layers share.
// In: nodes. Out: nodes. Not its job: which dims, scale and shift, running statistics (nn/functional/norm.ts).

import type { Node } from '../node.ts';
import type { OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { add, constLike, mul, rsqrt, square, sub } from './elementwise.ts';
import { mean } from './reduce.ts';

interface StandardizeAttrs {
  /** Sorted, non-negative. */
  readonly dims: readonly number[];
  readonly eps: number;
}

/**
 * Mean and biased variance over dims, which stay with size 1. With a batch dim among them each example gets its own first,
 * while it is in the cache; then they are joined (Chan, Golub & LeVeque 1983, eq. 2.1).
 */
export function moments(x: Node, dims: readonly number[]): { mean: Node; variance: Node } {
  const rest = dims.slice(1);
  if (dims[0] !== 0 || rest.length === 0) {
    const m = mean(x, dims, true);
    return { mean: m, variance: mean(square(sub(x, m)), dims, true) };
  }
  const own = mean(x, rest, true);
  const m = mean(own, [0], true);
  const within = mean(square(sub(x, own)), rest, true);
  return { mean: m, variance: mean(add(within, square(sub(own, m))), [0], true) };
}
const inverseDeviation = (x: Node, { dims, eps }: StandardizeAttrs): Node =>
  rsqrt(add(moments(x, dims).variance, constLike(x, eps)));

const standardizeDef: OpDef<StandardizeAttrs> = defineOp<StandardizeAttrs>({
  name: 'standardize',
  doc: '(x − mean) / √(variance + eps) over dims, with the biased variance.',
  kind: 'composite',
  shape: ([x]) => x!.shape,
  dtype: ([x]) => x!.dtype,
  decompose: ([x], a) => mul(sub(x!, moments(x!, a.dims).mean), inverseDeviation(x!, a)),
  // Of the gradient, what would move the mean or the variance is taken out.
  vjp: (g, n) => {
    const [x] = n.src as [Node];
    const { dims } = n.attrs;
    const along = mul(n, mean(mul(g, n), dims, true));
    return mul(sub(sub(g, mean(g, dims, true)), along), inverseDeviation(x, n.attrs));
  },
  batch: ([x], _, { attrs: { dims, eps } }) =>
    standardize(
      x!,
      dims.map(d => d + 1),
      eps,
    ),
  cost: 20,
  samples: () => [
    { shapes: [[3, 7]], attrs: { dims: [1], eps: 1e-5 } },
    { shapes: [[6, 5]], attrs: { dims: [0], eps: 1e-3 } },
    { shapes: [[4, 3, 5]], attrs: { dims: [0, 2], eps: 1e-5 } },
    { shapes: [[2, 3, 4, 5]], attrs: { dims: [0, 2, 3], eps: 1e-5 } },
    { shapes: [[2, 37]], attrs: { dims: [1], eps: 1e-5 } },
  ],
  paper: 'Ioffe & Szegedy 2015, algorithm 1',
});
export const standardize = (x: Node, dims: readonly number[], eps: number): Node =>
  build(standardizeDef, [x], { dims, eps });

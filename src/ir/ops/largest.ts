// The largest element over dims, with its gradient to one element: what pooling takes the maximum by.
// In: nodes. Out: nodes. Not its job: windows (nn/functional/pool.ts); amax, which shares its gradient among equals.

import type { Node } from '../node.ts';
import type { OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { cast, constLike, eq, iota, where } from './elementwise.ts';
import { reshape } from './movement.ts';
import { amax, argmax, expand } from './reduce.ts';

interface LargestAttrs {
  /** Sorted, non-negative; they go. */
  readonly dims: readonly number[];
}
const largestDef: OpDef<LargestAttrs> = defineOp<LargestAttrs>({
  name: 'largest',
  doc: 'max x over dims, which go; its gradient belongs to the first of equal elements.',
  kind: 'composite',
  shape: ([x], { dims }) => x!.shape.filter((_, d) => !dims.includes(d)),
  dtype: ([x]) => x!.dtype,
  decompose: ([x], { dims }) => amax(x!, dims, false),
  vjp: (g, { src: [x], attrs: { dims } }) => {
    const shape = x!.shape.map((n, d) => (dims.includes(d) ? n : 1));
    // Places are counted in 32 bits: four of them fill a vector.
    const at = iota(shape, 'int32', x!.device);
    const place = cast(argmax(x!, dims, true), 'int32');
    const wide = expand(reshape(g, place.shape), x!.shape);
    return where(eq(at, place), wide, constLike(g, 0));
  },
  batch: ([x], _, { attrs: { dims } }) =>
    largest(
      x!,
      dims.map(d => d + 1),
    ),
  cost: 1,
  samples: () => [
    { shapes: [[3, 5]], attrs: { dims: [1] } },
    { shapes: [[2, 3, 4]], attrs: { dims: [1, 2] } },
    { shapes: [[4, 2, 37]], attrs: { dims: [0] } },
  ],
});
export function largest(x: Node, dims: readonly number[]): Node {
  if (dims.some(d => x.shape[d] !== 1)) return build(largestDef, [x], { dims });
  const left = x.shape.filter((_, d) => !dims.includes(d));
  return reshape(x, left);
}

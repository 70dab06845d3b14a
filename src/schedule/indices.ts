// The index into each source of a node, for an index of its result.
// In: a node, affine indices of its result. Out: affine indices per source. Not its job: movement ops (their records say).

import type { Shape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { contractionOf } from '../ir/ops/contract.ts';
import type { Affine, LoopVar } from '../ir/scalar.ts';
import { asAffine, constAffine, varOf } from '../ir/scalar.ts';

/** The index of a broadcast source. */
export function alignIndex(at: readonly Affine[], shape: Shape): Affine[] {
  const lead = at.length - shape.length;
  return shape.map((n, d) => (n === 1 ? constAffine(0) : at[lead + d]!));
}
export function reduceIndex(
  at: readonly Affine[],
  rank: number,
  dims: readonly number[],
  keepdim: boolean,
  vars: readonly LoopVar[],
): Affine[] {
  const out: Affine[] = [];
  let o = 0;
  for (let d = 0; d < rank; d++) {
    const r = dims.indexOf(d);
    if (r >= 0) {
      out.push(vars[r]!.size === 1 ? constAffine(0) : asAffine(varOf(vars[r]!)));
      if (keepdim) o++;
    } else out.push(at[o++]!);
  }
  return out;
}
/** Indices of both operands of a product at an index of the result and of the sums. */
export function operandIndices(n: Node, at: readonly Affine[], sums: readonly Affine[]): Affine[][] {
  return contractionOf(n).labels.map((labels, i) =>
    labels.map((l, d) => (n.src[i]!.shape[d] === 1 ? constAffine(0) : l < 0 ? sums[-1 - l]! : at[l]!)),
  );
}
export function takeIndex(
  rest: readonly Affine[],
  dims: readonly number[],
  computed: readonly Affine[],
): Affine[] {
  const out: Affine[] = [];
  let r = 0;
  const rank = rest.length + dims.length;
  for (let d = 0; d < rank; d++) {
    const i = dims.indexOf(d);
    out.push(i >= 0 ? computed[i]! : rest[r++]!);
  }
  return out;
}

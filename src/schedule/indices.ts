// The index into each source of a node, for an index of its result.
// In: a node, affine indices of its result. Out: affine indices per source. Not its job: movement ops (their records say).

import type { Shape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import type { MatmulAttrs } from '../ir/ops/contract.ts';
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
/** Indices of both operands of a product at [batch…, i, j] and k. */
export function operandIndices(n: Node, at: readonly Affine[], k: Affine): Affine[][] {
  const { ta, tb } = n.attrs as MatmulAttrs;
  const batch = at.slice(0, -2);
  const i = at[at.length - 2]!;
  const j = at[at.length - 1]!;
  const of = (s: Node, row: Affine, col: Affine): Affine[] => {
    const rank = s.shape.length;
    const lead = alignIndex(batch, s.shape.slice(0, rank - 2));
    const tail = [row, col].map((a, x) => (s.shape[rank - 2 + x] === 1 ? constAffine(0) : a));
    return [...lead, ...tail];
  };
  return [of(n.src[0]!, ta ? k : i, ta ? i : k), of(n.src[1]!, tb ? j : k, tb ? k : j)];
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

// The selective scan of tensors: the op, with the code of its kernels. Not in the core: it comes with those who use it.
// In: its factors. Out: tensors. Not its job: D, gates, and other layouts (nn/functional/ssm.ts).

import { selectiveScan as op } from '../ir/ops/selective-scan.ts';
import '../kernels/selective-scan.ts';
import { wrap } from './core.ts';
import type { Tensor } from './tensor.ts';

/** y (N, L, D) and the last state (N, D, S) of u and delta (N, L, D), A (D, S), B and C (N, L, S). */
export function selectiveScan(
  u: Tensor,
  delta: Tensor,
  A: Tensor,
  B: Tensor,
  C: Tensor,
): { y: Tensor; lastState: Tensor } {
  const { y, last } = op([u.node(), delta.node(), A.node(), B.node(), C.node()]);
  return { y: wrap(y), lastState: wrap(last) };
}

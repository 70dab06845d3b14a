// Attention of tensors: the op, with the code of its kernels. Not in the core: it comes with those who use it.
// In: queries, keys, values. Out: a tensor. Not its job: leading dims and options (nn/functional/attention.ts).

import { attention as op } from '../ir/ops/attention.ts';
import '../kernels/attention.ts';
import { wrap } from './core.ts';
import { rand } from './random.ts';
import type { Tensor } from './tensor.ts';

/**
 * softmax(q kᵀ · scale + mask) v of queries (B, T, N, D), keys (B, S, H, D) and values (B, S, H, E): (B, T, N, E). The mask
 * broadcasts to (B, N, T, S); weights become 0 with probability `dropoutP`.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  o: { scale: number; causal: boolean; mask: Tensor | null; dropoutP: number },
): Tensor {
  const [B, T, N] = q.shape as [number, number, number];
  const keep = o.dropoutP > 0 ? rand([B, N, T, k.shape[1]!], { device: q.device }).ge(o.dropoutP) : null;
  const y = op(q.node(), k.node(), v.node(), {
    scale: o.scale,
    causal: o.causal,
    mask: o.mask?.node() ?? null,
    keep: keep?.node() ?? null,
    kept: o.dropoutP === 1 ? 0 : 1 / (1 - o.dropoutP),
  });
  return wrap(y);
}

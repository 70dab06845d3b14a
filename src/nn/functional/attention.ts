// Attention by plain products. Letters: T queries, S keys, D head dim.

import { ShapeError, showShape, ValueError } from '../../base/errors.ts';
import { ones } from '../../tensor/create.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { dropout } from './dropout.ts';

/**
 * softmax(q kᵀ / √D + mask) v (Vaswani et al. 2017, (1)). Shapes: q (…, T, D), k (…, S, D), v (…, S, E) give (…, T, E).
 * `attnMask` broadcasts to (…, T, S): bool (true takes part) or a number that is added. `isCausal` lets query t see the
 * keys up to t. `scale` replaces 1 / √D.
 */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: {
    attnMask?: Tensor | null;
    dropoutP?: number;
    isCausal?: boolean;
    scale?: number | null;
  } = {},
): Tensor {
  const { attnMask = null, dropoutP = 0, isCausal = false } = options;
  const [T, D] = q.shape.slice(-2);
  const S = k.shape[k.ndim - 2];
  if (T === undefined || D === undefined || S === undefined || k.shape[k.ndim - 1] !== D) {
    throw new ShapeError(
      'scaledDotProductAttention',
      'queries are (…, T, D) and keys (…, S, D)',
      `${showShape(q.shape)} and ${showShape(k.shape)}`,
      '',
    );
  }
  if (isCausal && attnMask !== null)
    throw new ValueError('scaledDotProductAttention', 'isCausal makes its own mask', 'attnMask too', '');
  let scores = q.matmul(k.mT).mul(options.scale ?? 1 / Math.sqrt(D)); // (…, T, S)
  const mask = isCausal ? ones([T, S], { dtype: 'bool', device: q.device }).tril() : attnMask;
  if (mask !== null) {
    scores = mask.dtype === 'bool' ? scores.where(mask, Number.NEGATIVE_INFINITY) : scores.add(mask);
  }
  return dropout(scores.softmax(-1), { p: dropoutP }).matmul(v);
}

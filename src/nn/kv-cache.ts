// Keys and values of the tokens so far, so that a text is written on without reading it anew for each token.
// Letters: B batch, H heads of queries, K heads of keys and values, T new tokens, S places, D head dim.

import { arange, zeros } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { scaledDotProductAttention } from './functional/attention.ts';
import type { PlaceOptions } from './linear.ts';

/**
 * The cache of one attention layer: keys and values (B, K, S, D) in memory of fixed size, written in place. The place of
 * new tokens may be a number argument of `compile`: then a step is one plan, whatever the place. Places that are not
 * written yet are seen by nobody.
 */
export class KVCache {
  readonly keys: Tensor;
  readonly values: Tensor;
  constructor(
    shape: {
      readonly batch?: number;
      readonly heads: number;
      readonly places: number;
      readonly headDim: number;
    },
    options: PlaceOptions = {},
  ) {
    const { batch = 1, heads, places, headDim } = shape;
    this.keys = zeros([batch, heads, places, headDim], options);
    this.values = zeros([batch, heads, places, headDim], options);
  }
  /**
   * Causal attention of T new tokens whose first stands at `start`: their keys and values (B, K, T, D) are kept, and each
   * query (B, H, T, D) sees the places up to its own. Where H > K, H / K heads of queries share one of keys (Ainslie et
   * al. 2023, arXiv 2305.13245). Result (B, H, T, D).
   */
  attend(q: Tensor, k: Tensor, v: Tensor, start: number | Tensor): Tensor {
    const [B, H, T, D] = q.shape as [number, number, number, number];
    const [, K, S] = this.keys.shape as [number, number, number];
    this.keys.narrow(2, start, T).copy_(k);
    this.values.narrow(2, start, T).copy_(v);
    const seen = arange(S).le(arange(T).add(start).unsqueeze(1)); // (T, S)
    // Heads that share keys are rows of one product.
    const rows = q.reshape(B, K, (H / K) * T, D); // (B, K, G · T, D)
    const attnMask = seen.repeat(H / K, 1); // (G · T, S)
    return scaledDotProductAttention(rows, this.keys, this.values, { attnMask }).reshape(B, H, T, D);
  }
}

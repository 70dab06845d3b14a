// Multi-head attention. Letters: N batch, T queries, S keys, E model width, H heads, D = E / H.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { zeros } from '../tensor/create.ts';
import { cat } from '../tensor/movement.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { scaledDotProductAttention } from './functional/attention.ts';
import { dropout } from './functional/dropout.ts';
import { linear } from './functional/linear.ts';
import * as init from './init.ts';
import { Linear, type PlaceOptions, unfilled } from './linear.ts';
import { Module } from './module.ts';
import type { Parameter } from './parameter.ts';

export interface MultiheadAttentionOptions extends PlaceOptions {
  /** Of the weights, in training. Default 0. */
  readonly dropout?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** One learned key and value more at the end. Default false. */
  readonly addBiasKv?: boolean;
  /** One key and value of zeros more at the end. Default false. */
  readonly addZeroAttn?: boolean;
  /** Widths of keys and values. Default: that of the queries. */
  readonly kdim?: number;
  readonly vdim?: number;
  /** (N, T, E) instead of (T, N, E). Default false. */
  readonly batchFirst?: boolean;
}
export interface AttentionCallOptions {
  /** (N, S), or (S) without a batch: keys to leave out (bool, true), or numbers added to the scores. */
  readonly keyPaddingMask?: Tensor | null;
  /** (T, S) or (N · H, T, S): places to leave out (bool, true), or numbers added to the scores. */
  readonly attnMask?: Tensor | null;
  /** Give the weights too. Default true; false is faster. */
  readonly needWeights?: boolean;
  /** The mean of the weights over heads (N, T, S) instead of each head's (N, H, T, S). Default true. */
  readonly averageAttnWeights?: boolean;
  /** Query t sees the keys up to t. Default false. */
  readonly isCausal?: boolean;
}

/** A mask as numbers that are added to scores. */
const additive = (mask: Tensor, like: Tensor): Tensor =>
  mask.dtype === 'bool'
    ? zeros(mask.shape, { dtype: like.dtype, device: like.device }).maskedFill(mask, Number.NEGATIVE_INFINITY)
    : mask;

/**
 * Attention with several heads: softmax(Q Kᵀ / √D + mask) V of projections of query, key and value, projected back.
 * Shapes: query (T, N, E), key (S, N, kdim), value (S, N, vdim), or batch first, or without N; gives [output like query,
 * weights or null]. Vaswani et al. 2017, section 3.2.2.
 */
export class MultiheadAttention extends Module {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly dropout: number;
  readonly batchFirst: boolean;
  readonly addZeroAttn: boolean;
  declare in_proj_weight: Parameter | null;
  declare q_proj_weight: Parameter | null;
  declare k_proj_weight: Parameter | null;
  declare v_proj_weight: Parameter | null;
  declare in_proj_bias: Parameter | null;
  declare bias_k: Parameter | null;
  declare bias_v: Parameter | null;
  readonly out_proj: Linear;

  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    const { bias = true, addBiasKv = false, kdim = embedDim, vdim = embedDim, ...place } = options;
    if (!Number.isInteger(embedDim / numHeads) || numHeads < 1)
      throw new ValueError(
        'MultiheadAttention',
        'the width must be divisible by the number of heads',
        `${show(embedDim)} and ${show(numHeads)}`,
        '',
      );
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.dropout = options.dropout ?? 0;
    this.batchFirst = options.batchFirst ?? false;
    this.addZeroAttn = options.addZeroAttn ?? false;
    const E = embedDim;
    const one = kdim === E && vdim === E;
    const weight = (when: boolean, ...shape: number[]): Parameter | null =>
      when ? unfilled(shape, place) : null;
    this.registerParameter('in_proj_weight', weight(one, 3 * E, E));
    this.registerParameter('q_proj_weight', weight(!one, E, E));
    this.registerParameter('k_proj_weight', weight(!one, E, kdim));
    this.registerParameter('v_proj_weight', weight(!one, E, vdim));
    this.registerParameter('in_proj_bias', weight(bias, 3 * E));
    this.out_proj = new Linear(E, E, { ...place, bias });
    this.registerParameter('bias_k', weight(addBiasKv, 1, 1, E));
    this.registerParameter('bias_v', weight(addBiasKv, 1, 1, E));
    this.resetParameters();
  }
  resetParameters(): void {
    for (const w of [this.in_proj_weight, this.q_proj_weight, this.k_proj_weight, this.v_proj_weight])
      if (w !== null) init.xavierUniform_(w);
    if (this.out_proj.bias !== null) init.zeros_(this.out_proj.bias);
    for (const b of [this.bias_k, this.bias_v]) if (b !== null) init.xavierNormal_(b);
  }

  /** Projections into heads (the one back is a layer of its own), scores and weighted sums. */
  override macs([query, key, value]: readonly [Tensor, Tensor, Tensor]): number {
    const E = this.embedDim;
    const queries = query.numel / E; // N·T
    const keys = key.shape.length === 3 ? key.shape[this.batchFirst ? 1 : 0]! : key.shape[0]!; // S
    return E * (query.numel + key.numel + value.numel + 2 * queries * keys);
  }
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: AttentionCallOptions = {},
  ): [output: Tensor, weights: Tensor | null] {
    const batched = query.ndim === 3;
    const { embedDim: E, numHeads: H } = this;
    if (query.ndim < 2 || query.ndim > 3 || query.shape.at(-1) !== E)
      throw new ShapeError(
        'MultiheadAttention',
        `queries are (${this.batchFirst ? 'N, T' : 'T, N'}, ${E}) or (T, ${E})`,
        showShape(query.shape),
        '',
      );
    const inBatches = (x: Tensor): Tensor =>
      !batched ? x.unsqueeze(0) : this.batchFirst ? x : x.transpose(0, 1);
    const [q0, k0, v0] = this.projected(query, key, value).map(inBatches) as [Tensor, Tensor, Tensor]; // (N, T, E)
    const [N, T] = q0.shape as [number, number, number];
    const [k, v] = this.extended(k0, v0); // (N, S, E)
    const S = k.shape[1]!;
    const heads = (x: Tensor): Tensor => x.reshape(N, -1, H, E / H).transpose(1, 2); // (N, H, T, D)
    const mask = this.maskOf(options, q0, N, S, k0.shape[1]!);
    const p = this.training ? this.dropout : 0;
    const back = (x: Tensor): Tensor => {
      const y = this.out_proj(x.transpose(1, 2).reshape(N, T, E)); // (N, T, E)
      return !batched ? y.squeeze(0) : this.batchFirst ? y : y.transpose(0, 1);
    };
    const { needWeights = true, averageAttnWeights = true, isCausal = false } = options;
    if (!needWeights) {
      const causal = isCausal && mask === null;
      return [
        back(
          scaledDotProductAttention(heads(q0), heads(k), heads(v), {
            attnMask: mask,
            dropoutP: p,
            isCausal: causal,
          }),
        ),
        null,
      ];
    }
    const scores = heads(q0)
      .mul(1 / Math.sqrt(E / H))
      .matmul(heads(k).mT); // (N, H, T, S)
    const weights = dropout((mask === null ? scores : scores.add(mask)).softmax(-1), { p }); // (N, H, T, S)
    const shown = averageAttnWeights ? weights.mean(1) : weights;
    return [back(weights.matmul(heads(v))), batched ? shown : shown.squeeze(0)];
  }
  /** Query, key and value through their projections, in the layout they came in. */
  private projected(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { embedDim: E, in_proj_weight: all, in_proj_bias: bias } = this;
    if (all !== null && query === key && key === value) return linear(query, all, bias).chunk(3, -1);
    const part = (t: Tensor | null, i: number): Tensor | null => (t === null ? null : t.narrow(0, i * E, E));
    const own = [this.q_proj_weight, this.k_proj_weight, this.v_proj_weight];
    return [query, key, value].map((x, i) => linear(x, (part(all, i) ?? own[i])!, part(bias, i)));
  }
  private extended(k: Tensor, v: Tensor): [Tensor, Tensor] {
    const [N, , E] = k.shape as [number, number, number];
    const more = (x: Tensor, row: Tensor): Tensor => cat([x, row.expand(N, 1, E)], 1);
    let out: [Tensor, Tensor] = [k, v];
    if (this.bias_k !== null) out = [more(k, this.bias_k), more(v, this.bias_v!)];
    if (this.addZeroAttn) {
      const none = zeros([1, 1, E], { dtype: k.dtype, device: k.device });
      out = [more(out[0], none), more(out[1], none)];
    }
    return out;
  }
  /** All masks as one that is added to scores (N, H, T, S); null for none. */
  private maskOf(o: AttentionCallOptions, q: Tensor, N: number, S: number, given: number): Tensor | null {
    const { numHeads: H } = this;
    const [T] = q.shape.slice(1);
    const parts: Tensor[] = [];
    // Keys that were added at the end are seen by all.
    const widened = (m: Tensor): Tensor =>
      S === given
        ? m
        : cat([m, zeros([...m.shape.slice(0, -1), S - given], { dtype: m.dtype, device: m.device })], -1);
    const check = (name: string, m: Tensor, shapes: readonly (readonly number[])[]): void => {
      if (shapes.some(s => showShape(s) === showShape(m.shape))) return;
      throw new ShapeError(
        'MultiheadAttention',
        `${name} is ${shapes.map(showShape).join(' or ')}`,
        showShape(m.shape),
        '',
      );
    };
    if (o.attnMask != null) {
      check('attnMask', o.attnMask, [
        [T!, given],
        [N * H, T!, given],
      ]);
      const m = widened(additive(o.attnMask, q));
      parts.push(m.ndim === 3 ? m.reshape(N, H, T!, S) : m);
    } else if (o.isCausal && (o.needWeights ?? true)) {
      const later = zeros([T!, given], { device: q.device }).add(1).triu(1).to('bool');
      parts.push(widened(additive(later, q)));
    }
    if (o.keyPaddingMask != null) {
      check('keyPaddingMask', o.keyPaddingMask, [[N, given], ...(N === 1 ? [[given]] : [])]);
      parts.push(widened(additive(o.keyPaddingMask, q)).reshape(N, 1, 1, S));
    }
    return parts.length === 0 ? null : parts.reduce((a, b) => a.add(b));
  }
}

// Attention. Letters: T queries, S keys, D and E head dims of keys and values, N heads of queries, H heads of keys.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { broadcastShapes, numel, type Shape } from '../../base/shape.ts';
import { attention } from '../../tensor/attention.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface AttentionOptions {
  /** Broadcasts to (…, T, S): bool (true takes part) or numbers that are added. */
  readonly attnMask?: Tensor | null;
  /** Each weight becomes 0 with this probability, the others grow by 1 / (1 − p). Default 0. */
  readonly dropoutP?: number;
  /** Query t sees the keys up to t. Default false. */
  readonly isCausal?: boolean;
  /** Factor of the scores. Default 1 / √D. */
  readonly scale?: number | null;
  /** Keys and values may have fewer heads, each for as many heads of queries in a row (Ainslie et al. 2023). Default false. */
  readonly enableGqa?: boolean;
}

const NAME = 'scaledDotProductAttention';

/**
 * softmax(q kᵀ / √D + mask) v (Vaswani et al. 2017, (1)). Shapes: q (…, T, D), k (…, S, D), v (…, S, E) give (…, T, E);
 * leading dims broadcast, the last of them are heads. Memory grows with T and S, not with T · S: scores are made in blocks
 * and made again for the gradient (Dao et al. 2022, arXiv 2205.14135). A query that sees no key gives NaN.
 */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): Tensor {
  const { attnMask: mask = null, dropoutP = 0, isCausal = false, enableGqa = false } = options;
  const [T, D] = q.shape.slice(-2) as [number, number];
  const S = k.shape.at(-2);
  if (q.ndim < 2 || v.ndim < 2 || S === undefined || k.shape.at(-1) !== D || v.shape.at(-2) !== S) {
    const got = [q, k, v].map(x => showShape(x.shape)).join(', ');
    throw new ShapeError(NAME, 'queries are (…, T, D), keys (…, S, D), values (…, S, E)', got, '');
  }
  if (isCausal && mask !== null)
    throw new ValueError(NAME, 'isCausal makes its own mask', 'attnMask too', '');
  if (!(dropoutP >= 0 && dropoutP <= 1))
    throw new ValueError(NAME, 'dropoutP must be in 0 … 1', show(dropoutP), '');
  const leads = [q, k, v].map((x): Shape => x.shape.slice(0, -2));
  // Without heads of their own the dims before count as the batch.
  const heads = leads.map(lead => lead.at(-1) ?? 1) as [number, number, number];
  const H = Math.max(heads[1], heads[2]);
  const N = enableGqa ? heads[0] : Math.max(heads[0], H);
  if (enableGqa && N % H !== 0)
    throw new ShapeError(NAME, 'heads of keys divide the heads of queries', `${N} and ${H}`, '');
  const batch = broadcastShapes(
    NAME,
    leads.map(lead => lead.slice(0, -1)),
  );
  const B = numel(batch);
  /** (…, rows, cols) as (B, rows, heads, cols). */
  const inBatches = (x: Tensor, n: number): Tensor => {
    const [rows, cols] = x.shape.slice(-2) as [number, number];
    return x
      .expand([...batch, n, rows, cols])
      .reshape(B, n, rows, cols)
      .transpose(1, 2);
  };
  const of = enableGqa ? H : N;
  const y = attention(inBatches(q, N), inBatches(k, of), inBatches(v, of), {
    scale: options.scale ?? 1 / Math.sqrt(D),
    causal: isCausal,
    mask: mask === null ? null : maskOf(mask.dtype === 'bool' ? mask : mask.to(q.dtype), batch, N, T, S),
    dropoutP,
  }); // (B, T, N, E)
  const lead = Math.max(...leads.map(l => l.length)) === 0 ? [] : [...batch, N];
  return y.transpose(1, 2).reshape([...lead, T, v.shape.at(-1)!]); // (…, T, E)
}
/** A mask that broadcasts to (…, N, T, S) as one that broadcasts to (B, N, T, S); dims of 1 stay, so it is read as it lies. */
function maskOf(mask: Tensor, batch: Shape, N: number, T: number, S: number): Tensor {
  const full: Shape = [...Array<number>(Math.max(0, batch.length + 3 - mask.ndim)).fill(1), ...mask.shape];
  broadcastShapes(NAME, [[...batch, N, T, S], full]);
  const lead = numel(full.slice(0, -3)) === 1 ? full.slice(0, -3) : batch;
  return mask
    .reshape(full)
    .expand([...lead, ...full.slice(-3)])
    .reshape([numel(lead), ...full.slice(-3)]);
}

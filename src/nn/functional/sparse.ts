// Looking rows up: embeddings, bags of them, one-hot vectors.

import { isInt } from '../../base/dtype.ts';
import { DTypeError, ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { take } from '../../ir/ops/index.ts';
import { wrap } from '../../tensor/core.ts';
import { arange, zeros } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface EmbeddingOptions {
  /** A row that gets no gradient (in a bag: that does not count). Negative ones count from the end. */
  readonly paddingIdx?: number | null;
  /** Rows that are looked up are scaled down to at most this norm, in place. */
  readonly maxNorm?: number | null;
  /** The p of that norm. Default 2. */
  readonly normType?: number;
  /** Divide a row's gradient by how often it is looked up. Default false. */
  readonly scaleGradByFreq?: boolean;
}

const asIndex = (op: string, t: Tensor): Tensor => {
  if (!isInt(t.dtype)) throw new DTypeError(op, 'indices are integers', t.dtype, "convert with .to('int64')");
  return t.dtype === 'int32' ? t : t.long();
};
/** Rows of a matrix by position; the gradient adds up where a row is taken twice. */
function rows(op: string, indices: Tensor, weight: Tensor): Tensor {
  if (weight.ndim !== 2) throw new ShapeError(op, 'the weight must be a matrix', showShape(weight.shape), '');
  return wrap(take(weight.node(), [indices.node()], [0]));
}
function paddingOf(op: string, weight: Tensor, paddingIdx: number | null | undefined): number | null {
  if (paddingIdx == null) return null;
  const n = weight.shape[0]!;
  const at = paddingIdx < 0 ? paddingIdx + n : paddingIdx;
  if (!Number.isInteger(at) || at < 0 || at >= n)
    throw new ValueError(
      op,
      `paddingIdx must be a row of the weight, ${-n} … ${n - 1}`,
      show(paddingIdx),
      '',
    );
  return at;
}
/** How often each row of the weight is looked up. */
const frequencies = (indices: Tensor, weight: Tensor): Tensor => {
  const flat = indices.reshape([-1]).long();
  const ones = flat.mul(0).add(1).to(weight.dtype);
  return zeros([weight.shape[0]!], { dtype: weight.dtype, device: weight.device }).scatterAdd(0, flat, ones);
};
function renormalize(indices: Tensor, weight: Tensor, { maxNorm, normType = 2 }: EmbeddingOptions): void {
  if (maxNorm == null) return;
  noGrad(() => {
    const size = weight.norm(normType, 1);
    const tooLong = size.gt(maxNorm).logicalAnd(frequencies(indices, weight).gt(0));
    // The small term is PyTorch's.
    const scale = size.mul(0).add(1).where(tooLong.logicalNot(), size.add(1e-7).reciprocal().mul(maxNorm));
    weight.mul_(scale.unsqueeze(1));
  });
}

/** The rows of the weight (V, D) at the indices (…): (…, D). */
export function embedding(indices: Tensor, weight: Tensor, options: EmbeddingOptions = {}): Tensor {
  const index = asIndex('embedding', indices);
  const padding = paddingOf('embedding', weight, options.paddingIdx);
  renormalize(index, weight, options);
  let out = rows('embedding', index, weight);
  // The same values, with the gradient cut (or scaled).
  if (padding !== null) out = out.detach().where(index.eq(padding).unsqueeze(-1), out);
  if (options.scaleGradByFreq) {
    const share = frequencies(index, weight).take(index).reciprocal().unsqueeze(-1);
    out = out.mul(share).add(out.mul(share.rsub(1)).detach());
  }
  return out;
}

/**
 * Sums, means or maxima of bags of rows. Indices (N, S) are N bags of S; indices (n) with offsets (N) are bags that
 * start there (`includeLastOffset`: the last offset is the end of the last bag). An empty bag gives zeros.
 */
export function embeddingBag(
  indices: Tensor,
  weight: Tensor,
  offsets?: Tensor | null,
  options: EmbeddingOptions & {
    mode?: 'mean' | 'sum' | 'max';
    /** A factor per index, for mode 'sum'. */
    perSampleWeights?: Tensor | null;
    includeLastOffset?: boolean;
  } = {},
): Tensor {
  const { mode = 'mean', perSampleWeights, includeLastOffset = false, ...rest } = options;
  if (!['mean', 'sum', 'max'].includes(mode))
    throw new ValueError('embeddingBag', "mode is 'mean', 'sum' or 'max'", show(mode), '');
  if (perSampleWeights != null && mode !== 'sum')
    throw new ValueError('embeddingBag', "perSampleWeights needs mode 'sum'", show(mode), '');
  const index = asIndex('embeddingBag', indices);
  if (index.ndim === 2 ? offsets != null : index.ndim !== 1 || offsets == null) {
    throw new ShapeError(
      'embeddingBag',
      'indices are (N, S) without offsets or (n) with them',
      `${showShape(index.shape)} ${offsets == null ? 'without' : 'with'} offsets`,
      '',
    );
  }
  const bags = index.ndim === 2 ? index.shape[0]! : offsets!.numel - (includeLastOffset ? 1 : 0);
  const flat = index.reshape([-1]);
  const bagOf = index.ndim === 2 ? bagOfRows(index) : bagOfOffsets(flat, offsets!.narrow(0, 0, bags));
  const padding = paddingOf('embeddingBag', weight, rest.paddingIdx);
  const { paddingIdx: _, ...looked } = rest;
  const values = embedding(flat, weight, looked); // (n, D)
  const counts = padding === null ? null : flat.ne(padding); // which indices count
  const base = zeros([bags, weight.shape[1]!], { dtype: weight.dtype, device: weight.device });
  const ones = counts === null ? flat.mul(0).add(1).to(weight.dtype) : counts.to(weight.dtype);
  const size = base.select(1, 0).scatterAdd(0, bagOf, ones).unsqueeze(1); // (N, 1)
  if (mode === 'max') {
    const counted = counts === null ? values : values.where(counts.unsqueeze(1), Number.NEGATIVE_INFINITY);
    const where = bagOf.unsqueeze(1).expand(values.shape);
    const top = base.scatterReduce(0, where, counted, 'amax', { includeSelf: false });
    return top.maskedFill(size.eq(0), 0);
  }
  const scale = perSampleWeights == null ? ones : perSampleWeights.reshape([-1]).mul(ones);
  const total = base.indexAdd(0, bagOf, values.mul(scale.unsqueeze(1)));
  return mode === 'sum' ? total : total.div(size.clamp(1));
}
const bagOfRows = (index: Tensor): Tensor => {
  const [N, S] = index.shape as [number, number];
  return arange(0, N, 1, { device: index.device }).repeatInterleave(S);
};
/** The bag of each position: how many offsets lie at or before it, less one. */
const bagOfOffsets = (flat: Tensor, offsets: Tensor): Tensor =>
  offsets
    .unsqueeze(0)
    .le(arange(0, flat.numel, 1, { device: flat.device }).unsqueeze(1))
    .sum(1)
    .sub(1);

/**
 * Integers (…) as rows (…, classes) with a 1 at their place, int64. Without `numClasses` the largest value decides,
 * which reads the data. A value outside 0 … classes−1 gives a row of zeros.
 */
export function oneHot(x: Tensor, numClasses = -1): Tensor {
  if (!isInt(x.dtype))
    throw new DTypeError('oneHot', 'labels are integers', x.dtype, "convert with .to('int64')");
  if (numClasses < 0 && x.numel === 0)
    throw new ValueError('oneHot', 'without labels numClasses must be given', showShape(x.shape), '');
  const n = numClasses >= 0 ? numClasses : Number(x.max().itemSync()) + 1;
  return x
    .unsqueeze(-1)
    .eq(arange(0, n, 1, { device: x.device }))
    .long();
}

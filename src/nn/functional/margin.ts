// Losses of margins and distances, and the distances themselves.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { sameShape } from '../../base/shape.ts';
import { arange, triuIndices } from '../../tensor/create.ts';
import { cdist } from '../../tensor/linalg.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { logsigmoid } from './activation.ts';
import { type LossOptions, reduced, type WeightedLossOptions } from './loss.ts';

/** cos of the angle between x1 and x2 along a dim: x1·x2 / (max(‖x1‖, eps) max(‖x2‖, eps)). */
export function cosineSimilarity(
  x1: Tensor,
  x2: Tensor,
  options: { dim?: number; eps?: number } = {},
): Tensor {
  const { dim = 1, eps = 1e-8 } = options;
  const unit = (x: Tensor): Tensor => x.div(x.norm(2, dim, { keepdim: true }).clamp(eps));
  return unit(x1).mul(unit(x2)).sum(dim);
}
/** ‖x1 − x2 + eps‖ₚ along the last dim. */
export function pairwiseDistance(
  x1: Tensor,
  x2: Tensor,
  options: { p?: number; eps?: number; keepdim?: boolean } = {},
): Tensor {
  const { p = 2, eps = 1e-6, keepdim = false } = options;
  return x1.sub(x2).add(eps).norm(p, -1, { keepdim });
}
/** The distances between all pairs of rows i < j of a matrix, as a vector. */
export function pdist(x: Tensor, options: { p?: number } = {}): Tensor {
  if (x.ndim !== 2) throw new ShapeError('pdist', 'it takes a matrix', showShape(x.shape), '');
  const [i, j] = triuIndices(x.shape[0]!, x.shape[0]!, 1).unbind(0) as [Tensor, Tensor];
  return cdist(x, x, options).at(i, j);
}

/** x where t = 1, max(0, margin − x) where t = −1 (margin = 1). */
export function hingeEmbeddingLoss(
  x: Tensor,
  target: Tensor,
  options: LossOptions & { margin?: number } = {},
): Tensor {
  const { margin = 1 } = options;
  const apart = x.rsub(margin).clamp(0).maskedFill(target.eq(1), 0);
  return reduced('hingeEmbeddingLoss', apart.add(x.maskedFill(target.eq(-1), 0)), options.reduction);
}
/** max(0, −t (x1 − x2) + margin): t = 1 wants x1 above x2 (margin = 0). */
export function marginRankingLoss(
  x1: Tensor,
  x2: Tensor,
  target: Tensor,
  options: LossOptions & { margin?: number } = {},
): Tensor {
  const { margin = 0 } = options;
  const loss = target.neg().mul(x1.sub(x2)).add(margin).clamp(0);
  return reduced('marginRankingLoss', loss, options.reduction);
}
/** 1 − cos(x1, x2) where t = 1, max(0, cos − margin) where t = −1 (margin = 0). */
export function cosineEmbeddingLoss(
  x1: Tensor,
  x2: Tensor,
  target: Tensor,
  options: LossOptions & { margin?: number } = {},
): Tensor {
  const { margin = 0 } = options;
  const square = (x: Tensor): Tensor => x.square().sum(-1).add(1e-12);
  const cos = x1
    .mul(x2)
    .sum(-1)
    .div(square(x1).mul(square(x2)).sqrt());
  const near = cos.rsub(1).maskedFill(target.ne(1), 0);
  const far = cos.sub(margin).clamp(0).maskedFill(target.ne(-1), 0);
  return reduced('cosineEmbeddingLoss', near.add(far), options.reduction);
}
/** ln(1 + e^{−t x}) for t = ±1. */
export const softMarginLoss = (x: Tensor, target: Tensor, options: LossOptions = {}): Tensor =>
  reduced('softMarginLoss', logsigmoid(target.mul(x)).neg(), options.reduction);

/** Scores and targets as rows; a single row may come without its batch. */
function asRows(
  op: string,
  x: Tensor,
  target: Tensor,
  perClass: boolean,
): [x: Tensor, target: Tensor, single: boolean] {
  const [C] = x.shape.slice(-1);
  const single = x.ndim === 1;
  const rows = single ? x.unsqueeze(0) : x;
  const want = perClass ? rows.shape : rows.shape.slice(0, 1);
  const t = single && target.ndim < want.length ? target.unsqueeze(0) : target;
  if (rows.ndim !== 2 || !sameShape(t.shape, want)) {
    throw new ShapeError(
      op,
      `scores are (N, C) or (C) and targets ${perClass ? 'the same' : '(N) or ()'}`,
      `${showShape(x.shape)} and ${showShape(target.shape)}`,
      C === undefined ? 'unsqueeze the scores' : '',
    );
  }
  return [rows, t, single];
}
/** Whether column i of a row is the class of that row's label (N, 1): (N, C). */
const isClass = (rows: Tensor, label: Tensor): Tensor =>
  label.eq(arange(0, rows.shape[rows.ndim - 1]!, 1, { device: rows.device }));

/** Σ over i ≠ t of max(0, margin − x[t] + x[i])ᵖ · weight[t] / C (margin = 1, p = 1). Shapes: x (N, C), target (N). */
export function multiMarginLoss(
  x: Tensor,
  target: Tensor,
  options: LossOptions & { p?: 1 | 2; margin?: number; weight?: Tensor | null } = {},
): Tensor {
  const { p = 1, margin = 1, weight } = options;
  if (p !== 1 && p !== 2) throw new ValueError('multiMarginLoss', 'p is 1 or 2', show(p), '');
  const [rows, labels, single] = asRows('multiMarginLoss', x, target, false);
  const t = labels.unsqueeze(1);
  const gap = rows.sub(rows.gather(1, t)).add(margin).relu();
  const cost = (p === 1 ? gap : gap.square()).maskedFill(isClass(rows, t), 0);
  const weighed = weight == null ? cost : cost.mul(weight.indexSelect(0, labels).unsqueeze(1));
  const loss = weighed.sum(1).div(rows.shape[1]!);
  return reduced('multiMarginLoss', single ? loss.squeeze(0) : loss, options.reduction);
}
/**
 * Σ over labels j and other classes i of max(0, 1 − (x[j] − x[i])) / C. A row of `target` lists its labels and then −1;
 * what follows the first −1 does not count. Shapes: x and target (N, C).
 */
export function multilabelMarginLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const [rows, labels, single] = asRows('multilabelMarginLoss', x, target, true);
  const counts = labels.ge(0).long().cumprod(1).bool(); // (N, labels)
  const t = labels.clamp(0);
  const chosen = isClass(rows.unsqueeze(1), t.unsqueeze(2)).logicalAnd(counts.unsqueeze(2)); // (N, labels, C)
  const gap = rows.unsqueeze(1).sub(rows.gather(1, t).unsqueeze(2)).add(1).relu();
  const pairs = counts.unsqueeze(2).logicalAnd(chosen.any(1, { keepdim: true }).logicalNot());
  const loss = gap.maskedFill(pairs.logicalNot(), 0).sum([1, 2]).div(rows.shape[1]!);
  return reduced('multilabelMarginLoss', single ? loss.squeeze(0) : loss, options.reduction);
}
/** The mean over classes of −t ln σ(x) − (1 − t) ln σ(−x), weighed per class. */
export function multilabelSoftMarginLoss(
  x: Tensor,
  target: Tensor,
  options: WeightedLossOptions = {},
): Tensor {
  const loss = target
    .mul(logsigmoid(x))
    .add(target.rsub(1).mul(logsigmoid(x.neg())))
    .neg();
  const weighed = options.weight == null ? loss : loss.mul(options.weight);
  return reduced('multilabelSoftMarginLoss', weighed.mean(-1), options.reduction);
}

/** max(0, margin + ‖a − p‖ − ‖a − n‖); `swap` takes the nearer of anchor and positive to the negative. */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: LossOptions & { margin?: number; p?: number; eps?: number; swap?: boolean } = {},
): Tensor {
  const { p = 2, eps = 1e-6, ...rest } = options;
  const distanceFunction = (a: Tensor, b: Tensor): Tensor => pairwiseDistance(a, b, { p, eps });
  return tripletMarginWithDistanceLoss(anchor, positive, negative, { ...rest, distanceFunction });
}
/** The same with any distance. */
export function tripletMarginWithDistanceLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: LossOptions & {
    distanceFunction?: (a: Tensor, b: Tensor) => Tensor;
    margin?: number;
    swap?: boolean;
  } = {},
): Tensor {
  const { distanceFunction = pairwiseDistance, margin = 1, swap = false } = options;
  const near = distanceFunction(anchor, positive);
  const far = distanceFunction(anchor, negative);
  const least = swap ? far.minimum(distanceFunction(positive, negative)) : far;
  return reduced('tripletMarginLoss', near.sub(least).add(margin).clamp(0), options.reduction);
}

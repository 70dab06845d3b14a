// Cross-entropy and its kin: losses of scores for classes.

import { isFloat } from '../../base/dtype.ts';
import { DTypeError, ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { numel, sameShape } from '../../base/shape.ts';
import type { Node } from '../../ir/node.ts';
import * as ops from '../../ir/ops/elementwise.ts';
import { softmaxNll } from '../../ir/ops/fused.ts';
import { take } from '../../ir/ops/index.ts';
import { wrap } from '../../tensor/core.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { perChannel } from './activation.ts';
import { type LossOptions, reduced } from './loss.ts';

export interface ClassLossOptions extends LossOptions {
  /** A factor per class; the mean is then weighed too. */
  readonly weight?: Tensor | null;
  /** Targets with this label do not count, neither in the loss nor in the mean. Default −100. */
  readonly ignoreIndex?: number;
}

/** Scores (N, C, d…) or (C) as rows (N·d…, C), labels (N, d…) or () as a vector. */
function asRows(op: string, x: Tensor, target: Tensor): { rows: Tensor; labels: Tensor } {
  const C = x.ndim === 1 ? x.shape[0] : x.shape[1];
  const want = x.ndim === 1 ? [] : x.shape.filter((_, d) => d !== 1);
  if (C === undefined || !sameShape(target.shape, want)) {
    throw new ShapeError(
      op,
      'scores are (N, C, …) and labels (N, …)',
      `${showShape(x.shape)} and ${showShape(target.shape)}`,
      'classes are dim 1; labels have all other dims',
    );
  }
  if (isFloat(target.dtype) || target.dtype === 'bool') {
    throw new DTypeError(
      op,
      'labels are integers',
      target.dtype,
      "probabilities per class need the shape of the scores; labels need .to('int64')",
    );
  }
  const last = x.ndim <= 2 ? x : x.movedim(1, -1);
  return { rows: last.reshape([numel(want), C]), labels: target.reshape([-1]) };
}

/** Which labels count, the labels with the others replaced by 0, and the weight of each. */
function counted(labels: Tensor, { weight, ignoreIndex = -100 }: ClassLossOptions, dtype: Node['dtype']) {
  const kept = labels.ne(ignoreIndex);
  const safe = labels.maskedFill(kept.logicalNot(), 0);
  const weights = weight == null ? null : wrap(take(weight.node(), [indices(safe)], [0]));
  return {
    kept,
    safe,
    weights: weights === null ? kept.to(dtype) : weights.maskedFill(kept.logicalNot(), 0),
  };
}
const indices = (t: Tensor): Node => (t.dtype === 'int32' ? t.node() : ops.cast(t.node(), 'int64'));

/** Losses per row times their weights, reduced; 'mean' divides by the sum of the weights. */
function weighted(
  op: string,
  losses: Tensor,
  weights: Tensor,
  shape: readonly number[],
  options: ClassLossOptions,
): Tensor {
  if (options.reduction === 'none') return losses.reshape(shape);
  if (options.reduction === 'sum') return losses.sum();
  if ((options.reduction ?? 'mean') === 'mean') return losses.sum().div(weights.sum());
  return reduced(op, losses, options.reduction);
}

/** −x[target] for scores x that are logarithms of probabilities: (N, C, …) and labels (N, …). */
export function nllLoss(x: Tensor, target: Tensor, options: ClassLossOptions = {}): Tensor {
  const { rows, labels } = asRows('nllLoss', x, target);
  const { kept, safe, weights } = counted(labels, options, x.dtype);
  const picked = rows.gather(1, safe.unsqueeze(1)).squeeze(1);
  const losses = picked.neg().mul(weights).maskedFill(kept.logicalNot(), 0);
  return weighted('nllLoss', losses, weights, target.shape, options);
}

/**
 * −ln softmax(x)[target], averaged over the targets that count.
 * Shapes: x (N, C, …) or (C); target (N, …) labels, or probabilities in the shape of x.
 * `labelSmoothing` ε mixes the targets with the uniform distribution: (1 − ε) target + ε / C (Szegedy et al. 2015).
 */
export function crossEntropy(
  x: Tensor,
  target: Tensor,
  options: ClassLossOptions & { labelSmoothing?: number } = {},
): Tensor {
  const { labelSmoothing = 0, weight } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ValueError('crossEntropy', 'labelSmoothing must be in 0 … 1', show(labelSmoothing), '');
  if (isFloat(target.dtype) && sameShape(x.shape, target.shape)) return softTargets(x, target, options);
  const { rows, labels } = asRows('crossEntropy', x, target);
  const { kept, safe, weights } = counted(labels, options, x.dtype);
  const drop = kept.logicalNot();
  const nll = wrap(softmaxNll(rows.node(), indices(safe)));
  const own = (weight == null ? nll : nll.mul(weights)).maskedFill(drop, 0);
  if (labelSmoothing === 0) return weighted('crossEntropy', own, weights, target.shape, options);
  const C = rows.shape[1]!;
  const log = rows.logSoftmax(1);
  const all = (weight == null ? log : log.mul(weight)).sum(1).neg().maskedFill(drop, 0);
  const losses = own.mul(1 - labelSmoothing).add(all.mul(labelSmoothing / C));
  return weighted('crossEntropy', losses, weights, target.shape, options);
}
/** −Σ over classes of target · weight · ln softmax; the mean is over rows. */
function softTargets(
  x: Tensor,
  target: Tensor,
  options: ClassLossOptions & { labelSmoothing?: number },
): Tensor {
  const { labelSmoothing = 0, weight, reduction = 'mean' } = options;
  const dim = x.ndim === 1 ? 0 : 1;
  const C = x.shape[dim]!;
  const t = labelSmoothing === 0 ? target : target.mul(1 - labelSmoothing).add(labelSmoothing / C);
  const log = x.logSoftmax(dim);
  const part = weight == null ? log : log.mul(dim === 0 ? weight : perChannel(weight, x.ndim));
  return reduced('crossEntropy', part.mul(t).sum(dim).neg(), reduction);
}

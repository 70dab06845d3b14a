// Losses of numbers and of distributions; those of classes are in classification.ts, of distances in margin.ts.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { warnOnce } from '../../base/log.ts';
import { sameShape } from '../../base/shape.ts';
import type { Node } from '../../ir/node.ts';
import * as ops from '../../ir/ops/elementwise.ts';
import { wrap } from '../../tensor/core.ts';
import { promoted } from '../../tensor/operand.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export type Reduction = 'mean' | 'sum' | 'none';
export interface LossOptions {
  /** How the losses of the elements become the result: their mean (default), their sum, or all of them. */
  readonly reduction?: Reduction;
}

/** Losses per element, reduced as asked. */
export function reduced(op: string, losses: Tensor, reduction: Reduction = 'mean'): Tensor {
  if (reduction === 'none') return losses;
  if (reduction === 'mean') return losses.mean();
  if (reduction === 'sum') return losses.sum();
  throw new ValueError(op, "reduction is 'mean', 'sum' or 'none'", show(reduction), '');
}
/** Shapes that broadcast silently are the classic mistake of (N, 1) against (N): allowed, as in PyTorch, but said. */
function sizesAgree(op: string, x: Tensor, target: Tensor): void {
  if (sameShape(x.shape, target.shape)) return;
  warnOnce(
    `${op}: the target has shape ${showShape(target.shape)} and the input ${showShape(x.shape)}; they broadcast. ` +
      'Reshape one of them if that is not meant.',
  );
}

/** (x − target)² */
export function mseLoss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  sizesAgree('mseLoss', x, target);
  return reduced('mseLoss', x.sub(target).square(), options.reduction);
}
/** |x − target| */
export function l1Loss(x: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  sizesAgree('l1Loss', x, target);
  return reduced('l1Loss', x.sub(target).abs(), options.reduction);
}
/** d² / (2 beta) for |d| < beta, |d| − beta / 2 beyond (beta = 1), d = x − target. */
export function smoothL1Loss(
  x: Tensor,
  target: Tensor,
  options: LossOptions & { beta?: number } = {},
): Tensor {
  const { beta = 1 } = options;
  if (beta < 0) throw new ValueError('smoothL1Loss', 'beta must be >= 0', show(beta), '');
  if (beta === 0) return l1Loss(x, target, options);
  sizesAgree('smoothL1Loss', x, target);
  const d = x.sub(target);
  const size = d.abs();
  const near = d.square().mul(0.5 / beta);
  return reduced('smoothL1Loss', near.where(size.lt(beta), size.sub(0.5 * beta)), options.reduction);
}
/** d² / 2 for |d| ≤ delta, delta (|d| − delta / 2) beyond (delta = 1), d = x − target. */
export function huberLoss(x: Tensor, target: Tensor, options: LossOptions & { delta?: number } = {}): Tensor {
  const { delta = 1 } = options;
  if (!(delta > 0)) throw new ValueError('huberLoss', 'delta must be positive', show(delta), '');
  sizesAgree('huberLoss', x, target);
  const d = x.sub(target);
  const size = d.abs();
  const far = size.sub(0.5 * delta).mul(delta);
  return reduced('huberLoss', d.square().mul(0.5).where(size.le(delta), far), options.reduction);
}

export interface WeightedLossOptions extends LossOptions {
  /** A factor per element; broadcasts. */
  readonly weight?: Tensor | null;
}
const weighted = (loss: Tensor, weight: Tensor | null | undefined): Tensor =>
  weight == null ? loss : loss.mul(weight);
function sameShapes(op: string, x: Tensor, target: Tensor): void {
  if (sameShape(x.shape, target.shape)) return;
  throw new ShapeError(
    op,
    'input and target must have one shape',
    `${showShape(x.shape)} and ${showShape(target.shape)}`,
    'reshape or unsqueeze one of them',
  );
}

/** −t ln p − (1 − t) ln(1 − p) of probabilities p; logarithms are cut at −100. */
export function binaryCrossEntropy(p: Tensor, target: Tensor, options: WeightedLossOptions = {}): Tensor {
  sameShapes('binaryCrossEntropy', p, target);
  const log = p.log().clamp(-100);
  const logRest = p.neg().log1p().clamp(-100);
  const loss = target.sub(1).mul(logRest).sub(target.mul(log));
  return reduced('binaryCrossEntropy', weighted(loss, options.weight), options.reduction);
}
/**
 * The same of logits x, without overflow: (1 − t) x + w ln(1 + e⁻ˣ) with w = 1 + (posWeight − 1) t.
 * posWeight weighs the positive class, per column.
 */
export function binaryCrossEntropyWithLogits(
  x: Tensor,
  target: Tensor,
  options: WeightedLossOptions & { posWeight?: Tensor | null } = {},
): Tensor {
  sameShapes('binaryCrossEntropyWithLogits', x, target);
  const [n, t] = promoted('binaryCrossEntropyWithLogits', [x, target], true) as [Node, Node];
  const zero = ops.constLike(n, 0);
  const negative = wrap(ops.mul(ops.sub(ops.constLike(n, 1), t), n));
  const soft = wrap(ops.logaddexp(ops.neg(n), zero));
  const { posWeight } = options;
  const loss = negative.add(posWeight == null ? soft : soft.mul(posWeight.sub(1).mul(target).add(1)));
  return reduced('binaryCrossEntropyWithLogits', weighted(loss, options.weight), options.reduction);
}
/**
 * Kullback–Leibler: t (ln t − x), where x holds logarithms of probabilities (and t too, with `logTarget`).
 * 'batchmean' divides the sum by the size of dim 0, which is the mathematical definition; 'mean' by all elements.
 */
export function klDiv(
  x: Tensor,
  target: Tensor,
  options: { reduction?: Reduction | 'batchmean'; logTarget?: boolean } = {},
): Tensor {
  const { reduction, logTarget = false } = options;
  const loss = logTarget ? target.exp().mul(target.sub(x)) : target.xlogy(target).sub(target.mul(x));
  if (reduction === 'batchmean') return loss.sum().div(x.shape[0] ?? 1);
  return reduced('klDiv', loss, reduction);
}
/**
 * −ln of a Poisson distribution: eˣ − t x for the logarithm x of the rate, or x − t ln(x + eps) for the rate itself.
 * `full` adds Stirling's approximation of ln t! for t > 1.
 */
export function poissonNllLoss(
  x: Tensor,
  target: Tensor,
  options: LossOptions & { logInput?: boolean; full?: boolean; eps?: number } = {},
): Tensor {
  const { logInput = true, full = false, eps = 1e-8 } = options;
  let loss = logInput ? x.exp().sub(target.mul(x)) : x.sub(target.mul(x.add(eps).log()));
  if (full) {
    const t = target.clamp(1);
    const stirling = t
      .mul(t.log())
      .sub(t)
      .add(
        t
          .mul(2 * Math.PI)
          .log()
          .mul(0.5),
      );
    loss = loss.add(stirling.maskedFill(target.le(1), 0));
  }
  return reduced('poissonNllLoss', loss, options.reduction);
}
/**
 * −ln of a normal distribution with mean x and variance `variance` (kept above eps): ½ (ln v + (x − t)² / v), and
 * ½ ln 2π with `full`. The variance has the shape of x, or one value per row.
 */
export function gaussianNllLoss(
  x: Tensor,
  target: Tensor,
  variance: Tensor,
  options: LossOptions & { full?: boolean; eps?: number } = {},
): Tensor {
  const { full = false, eps = 1e-6 } = options;
  const perRow = variance.ndim === x.ndim - 1 && sameShape(variance.shape, x.shape.slice(0, -1));
  const given = perRow ? variance.unsqueeze(-1) : variance;
  // The limit does not cut the gradient.
  const v = given.add(given.clamp(eps).sub(given).detach());
  const loss = v.log().add(x.sub(target).square().div(v)).mul(0.5);
  return reduced('gaussianNllLoss', full ? loss.add(0.5 * Math.log(2 * Math.PI)) : loss, options.reduction);
}

// Loss layers: each holds the options of the function of the same name. `reduction` is 'mean' (default), 'sum' or 'none'.

import type { Tensor } from '../tensor/tensor.ts';
import * as C from './functional/classification.ts';
import { ctcLoss } from './functional/ctc.ts';
import * as F from './functional/loss.ts';
import * as M from './functional/margin.ts';
import { Module } from './module.ts';

/** A module that applies a function with fixed options. */
abstract class Configured<O extends object> extends Module {
  readonly options: Omit<O, 'weight' | 'posWeight'>;
  constructor(options: O = {} as O) {
    super();
    const { weight: _, posWeight: __, ...rest } = options as O & { weight?: unknown; posWeight?: unknown };
    this.options = rest;
  }
}
/** A loss whose weights are part of its state, so that they move with it. */
abstract class WeightedLoss<O extends { readonly weight?: Tensor | null }> extends Configured<O> {
  declare weight: Tensor | null;
  constructor(options: O = {} as O) {
    super(options);
    this.registerBuffer('weight', options.weight ?? null);
  }
}
type OptionsOf<T extends (...args: never[]) => Tensor, N extends number> = NonNullable<Parameters<T>[N]>;

/** |x − t| */
export class L1Loss extends Configured<F.LossOptions> {
  forward(x: Tensor, target: Tensor): Tensor {
    return F.l1Loss(x, target, this.options);
  }
}
/** (x − t)² */
export class MSELoss extends Configured<F.LossOptions> {
  forward(x: Tensor, target: Tensor): Tensor {
    return F.mseLoss(x, target, this.options);
  }
}
/** (x − t)² / 2β near 0, |x − t| − β/2 beyond β. */
export class SmoothL1Loss extends Configured<OptionsOf<typeof F.smoothL1Loss, 2>> {
  forward(x: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(x, target, this.options);
  }
}
/** β times the smooth L1 loss: δ (|x − t| − δ/2) beyond δ. */
export class HuberLoss extends Configured<OptionsOf<typeof F.huberLoss, 2>> {
  forward(x: Tensor, target: Tensor): Tensor {
    return F.huberLoss(x, target, this.options);
  }
}
/** −w ln softmax(x)[label]: x are logits (N, C, …), the target labels (N, …) or probabilities (N, C, …). */
export class CrossEntropyLoss extends WeightedLoss<OptionsOf<typeof C.crossEntropy, 2>> {
  forward(x: Tensor, target: Tensor): Tensor {
    return C.crossEntropy(x, target, { ...this.options, weight: this.weight });
  }
}
/** −w x[label]: x are log-probabilities (N, C, …). */
export class NLLLoss extends WeightedLoss<C.ClassLossOptions> {
  forward(x: Tensor, target: Tensor): Tensor {
    return C.nllLoss(x, target, { ...this.options, weight: this.weight });
  }
}
/** −(t ln p + (1 − t) ln(1 − p)) */
export class BCELoss extends WeightedLoss<F.WeightedLossOptions> {
  forward(p: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(p, target, { ...this.options, weight: this.weight });
  }
}
/** The same of logits, without overflow; `posWeight` counts positives more. */
export class BCEWithLogitsLoss extends WeightedLoss<OptionsOf<typeof F.binaryCrossEntropyWithLogits, 2>> {
  declare pos_weight: Tensor | null;
  constructor(options: OptionsOf<typeof F.binaryCrossEntropyWithLogits, 2> = {}) {
    super(options);
    this.registerBuffer('pos_weight', options.posWeight ?? null);
  }
  forward(x: Tensor, target: Tensor): Tensor {
    const { options, weight, pos_weight: posWeight } = this;
    return F.binaryCrossEntropyWithLogits(x, target, { ...options, weight, posWeight });
  }
}
/** t (ln t − x) of log-probabilities x; 'batchmean' is the divergence per example. */
export class KLDivLoss extends Configured<OptionsOf<typeof F.klDiv, 2>> {
  forward(x: Tensor, target: Tensor): Tensor {
    return F.klDiv(x, target, this.options);
  }
}
/** −ln of a Poisson distribution with rate eˣ (or x without `logInput`). */
export class PoissonNLLLoss extends Configured<OptionsOf<typeof F.poissonNllLoss, 2>> {
  forward(x: Tensor, target: Tensor): Tensor {
    return F.poissonNllLoss(x, target, this.options);
  }
}
/** −ln of a normal distribution with mean x and the given variance. */
export class GaussianNLLLoss extends Configured<OptionsOf<typeof F.gaussianNllLoss, 3>> {
  forward(x: Tensor, target: Tensor, variance: Tensor): Tensor {
    return F.gaussianNllLoss(x, target, variance, this.options);
  }
}
/** x where t = 1, max(0, margin − x) where t = −1. */
export class HingeEmbeddingLoss extends Configured<OptionsOf<typeof M.hingeEmbeddingLoss, 2>> {
  forward(x: Tensor, target: Tensor): Tensor {
    return M.hingeEmbeddingLoss(x, target, this.options);
  }
}
/** max(0, −t (x1 − x2) + margin) */
export class MarginRankingLoss extends Configured<OptionsOf<typeof M.marginRankingLoss, 3>> {
  forward(x1: Tensor, x2: Tensor, target: Tensor): Tensor {
    return M.marginRankingLoss(x1, x2, target, this.options);
  }
}
/** 1 − cos(x1, x2) where t = 1, max(0, cos − margin) where t = −1. */
export class CosineEmbeddingLoss extends Configured<OptionsOf<typeof M.cosineEmbeddingLoss, 3>> {
  forward(x1: Tensor, x2: Tensor, target: Tensor): Tensor {
    return M.cosineEmbeddingLoss(x1, x2, target, this.options);
  }
}
/** ln(1 + e^{−t x}) for targets ±1. */
export class SoftMarginLoss extends Configured<F.LossOptions> {
  forward(x: Tensor, target: Tensor): Tensor {
    return M.softMarginLoss(x, target, this.options);
  }
}
/** max(0, margin − x[label] + x[i])ᵖ over the other classes. */
export class MultiMarginLoss extends WeightedLoss<OptionsOf<typeof M.multiMarginLoss, 2>> {
  forward(x: Tensor, target: Tensor): Tensor {
    return M.multiMarginLoss(x, target, { ...this.options, weight: this.weight });
  }
}
/** The margin loss for several labels per example; −1 ends a list. */
export class MultiLabelMarginLoss extends Configured<F.LossOptions> {
  forward(x: Tensor, target: Tensor): Tensor {
    return M.multilabelMarginLoss(x, target, this.options);
  }
}
/** The mean over classes of −t ln σ(x) − (1 − t) ln σ(−x). */
export class MultiLabelSoftMarginLoss extends WeightedLoss<F.WeightedLossOptions> {
  forward(x: Tensor, target: Tensor): Tensor {
    return M.multilabelSoftMarginLoss(x, target, { ...this.options, weight: this.weight });
  }
}
/** max(0, d(anchor, positive) − d(anchor, negative) + margin) */
export class TripletMarginLoss extends Configured<OptionsOf<typeof M.tripletMarginLoss, 3>> {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return M.tripletMarginLoss(anchor, positive, negative, this.options);
  }
}
/** The same with any distance. */
export class TripletMarginWithDistanceLoss extends Configured<
  OptionsOf<typeof M.tripletMarginWithDistanceLoss, 3>
> {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return M.tripletMarginWithDistanceLoss(anchor, positive, negative, this.options);
  }
}
/** −ln of the probability of a target sequence under all its alignments. Graves et al. 2006. */
export class CTCLoss extends Configured<OptionsOf<typeof ctcLoss, 4>> {
  forward(
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Parameters<typeof ctcLoss>[2],
    targetLengths: Parameters<typeof ctcLoss>[3],
  ): Tensor {
    return ctcLoss(logProbs, targets, inputLengths, targetLengths, this.options);
  }
}

/** x1 · x2 / (‖x1‖ ‖x2‖) along a dim. */
export class CosineSimilarity extends Configured<OptionsOf<typeof M.cosineSimilarity, 2>> {
  forward(x1: Tensor, x2: Tensor): Tensor {
    return M.cosineSimilarity(x1, x2, this.options);
  }
}
/** ‖x1 − x2 + eps‖ₚ along the last dim. */
export class PairwiseDistance extends Configured<OptionsOf<typeof M.pairwiseDistance, 2>> {
  forward(x1: Tensor, x2: Tensor): Tensor {
    return M.pairwiseDistance(x1, x2, this.options);
  }
}

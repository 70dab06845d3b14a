// Normalisation layers.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { ones, zeros } from '../tensor/create.ts';
import { noGrad } from '../tensor/modes.ts';
import type { Tensor } from '../tensor/tensor.ts';
import * as F from './functional/norm.ts';
import type { PlaceOptions } from './linear.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';
import { py, pyFloat } from './repr.ts';

export interface BatchNormOptions extends PlaceOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** How much of a batch enters the running statistics; null takes the mean of all batches. Default 0.1. */
  readonly momentum?: number | null;
  /** Learn a weight and a bias per channel. */
  readonly affine?: boolean;
  /** Keep running statistics for eval. */
  readonly trackRunningStats?: boolean;
}

/** What batch and instance norm share: affine parameters and running statistics per channel. */
abstract class RunningNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number | null;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;
  declare weight: Parameter | null;
  declare bias: Parameter | null;
  declare running_mean: Tensor | null;
  declare running_var: Tensor | null;
  declare num_batches_tracked: Tensor | null;

  constructor(numFeatures: number, options: BatchNormOptions, byDefault: boolean) {
    super();
    const {
      eps = 1e-5,
      momentum = 0.1,
      affine = byDefault,
      trackRunningStats = byDefault,
      ...place
    } = options;
    if (!Number.isInteger(numFeatures) || numFeatures < 1)
      throw new ValueError(new.target.name, 'the number of channels must be positive', show(numFeatures), '');
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.affine = affine;
    this.trackRunningStats = trackRunningStats;
    const size = [numFeatures];
    this.registerParameter('weight', affine ? new Parameter(ones(size, place)) : null);
    this.registerParameter('bias', affine ? new Parameter(zeros(size, place)) : null);
    const { device } = place;
    this.registerBuffer('running_mean', trackRunningStats ? zeros(size, place) : null);
    this.registerBuffer('running_var', trackRunningStats ? ones(size, place) : null);
    const count = trackRunningStats ? zeros([], { dtype: 'int64', ...(device ? { device } : {}) }) : null;
    this.registerBuffer('num_batches_tracked', count);
  }
  /** Forgets the running statistics. */
  resetRunningStats(): void {
    noGrad(() => {
      this.running_mean?.zero_();
      this.running_var?.fill_(1);
      this.num_batches_tracked?.zero_();
    });
  }
  resetParameters(): void {
    this.resetRunningStats();
    noGrad(() => {
      this.weight?.fill_(1);
      this.bias?.zero_();
    });
  }
  /** Numbers of dims that x may have; channels are dim 1, or dim 0 of an input without batch. */
  protected abstract get ranks(): readonly number[];
  protected checkInput(x: Tensor, channelDim: number): void {
    const { ranks } = this;
    if (!ranks.includes(x.ndim)) {
      const want = `${ranks.join(' or ')} dims`;
      throw new ShapeError(this.constructor.name, `x must have ${want}`, showShape(x.shape), '');
    }
    const channels = x.shape[channelDim]!;
    if (channels !== this.numFeatures) {
      throw new ShapeError(
        this.constructor.name,
        `x must have ${this.numFeatures} channels in dim ${channelDim}`,
        showShape(x.shape),
        '',
      );
    }
  }
  override extraRepr(): string {
    const { numFeatures, eps, momentum, affine, trackRunningStats } = this;
    return `${numFeatures}, eps=${py(eps)}, momentum=${py(momentum)}, affine=${py(affine)}, track_running_stats=${py(trackRunningStats)}`;
  }
}

/**
 * y = (x − mean) / √(variance + eps) · weight + bias per channel. In training mean and (biased) variance are those of the
 * batch, and the running ones follow: new = (1 − momentum) old + momentum · batch, with the unbiased variance. In eval
 * the running ones are used. Ioffe & Szegedy 2015.
 */
abstract class BatchNorm extends RunningNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, true);
  }
  forward(x: Tensor): Tensor {
    this.checkInput(x, 1);
    const { running_mean: mean, running_var: variance, eps } = this;
    const training = this.training || mean === null;
    const momentum = this.count();
    return F.batchNorm(x, mean, variance, this.weight, this.bias, { training, momentum, eps });
  }
  /** Counts a training batch; returns how much of it enters the running statistics. */
  private count(): number | Tensor {
    const n = this.num_batches_tracked;
    if (n === null || !this.training) return this.momentum ?? 0;
    noGrad(() => n.add_(1));
    return this.momentum ?? n.to(this.running_mean!.dtype).reciprocal();
  }
}
/** Over (N, C) or (N, C, L). */
export class BatchNorm1d extends BatchNorm {
  protected get ranks(): readonly number[] {
    return [2, 3];
  }
}
/** Over (N, C, H, W). */
export class BatchNorm2d extends BatchNorm {
  protected get ranks(): readonly number[] {
    return [4];
  }
}
/** Over (N, C, D, H, W). */
export class BatchNorm3d extends BatchNorm {
  protected get ranks(): readonly number[] {
    return [5];
  }
}

/**
 * The same per example and channel, with the statistics of its places in training and eval; with `trackRunningStats` eval
 * takes the running ones. Without affine parameters by default. Ulyanov et al. 2016.
 */
abstract class InstanceNorm extends RunningNorm {
  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super(numFeatures, options, false);
  }
  forward(x: Tensor): Tensor {
    const single = x.ndim === this.ranks[0];
    this.checkInput(x, single ? 0 : 1);
    const { running_mean, running_var, weight, bias, eps } = this;
    const y = F.instanceNorm(single ? x.unsqueeze(0) : x, {
      runningMean: running_mean,
      runningVar: running_var,
      weight,
      bias,
      useInputStats: this.training || running_mean === null,
      // As in PyTorch the batches are not counted here.
      momentum: this.momentum ?? 0,
      eps,
    });
    return single ? y.squeeze(0) : y;
  }
}
/** Over (N, C, L) or (C, L). */
export class InstanceNorm1d extends InstanceNorm {
  protected get ranks(): readonly number[] {
    return [2, 3];
  }
}
/** Over (N, C, H, W) or (C, H, W). */
export class InstanceNorm2d extends InstanceNorm {
  protected get ranks(): readonly number[] {
    return [3, 4];
  }
}
/** Over (N, C, D, H, W) or (C, D, H, W). */
export class InstanceNorm3d extends InstanceNorm {
  protected get ranks(): readonly number[] {
    return [4, 5];
  }
}

export interface LayerNormOptions extends PlaceOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** Learn a weight (and bias) per element. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Learn a bias too. Default true. */
  readonly bias?: boolean;
}
/** Normalisation over the last dims, which have the given shape. Ba et al. 2016. */
export class LayerNorm extends Module {
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  readonly elementwiseAffine: boolean;
  declare weight: Parameter | null;
  declare bias: Parameter | null;

  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true, ...place } = options;
    this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    const made = (t: Tensor, there: boolean): Parameter | null => (there ? new Parameter(t) : null);
    this.registerParameter('weight', made(ones(this.normalizedShape, place), elementwiseAffine));
    this.registerParameter('bias', made(zeros(this.normalizedShape, place), elementwiseAffine && bias));
  }
  resetParameters(): void {
    noGrad(() => {
      this.weight?.fill_(1);
      this.bias?.zero_();
    });
  }
  forward(x: Tensor): Tensor {
    return F.layerNorm(x, this.normalizedShape, this.weight, this.bias, { eps: this.eps });
  }
  override extraRepr(): string {
    return `${py(this.normalizedShape)}, eps=${py(this.eps)}, elementwise_affine=${py(this.elementwiseAffine)}`;
  }
}

/** x / √(mean x² + eps) · weight over the last dims; eps is the precision of the dtype by default. Zhang & Sennrich 2019. */
export class RMSNorm extends Module {
  readonly normalizedShape: readonly number[];
  readonly eps: number | null;
  readonly elementwiseAffine: boolean;
  declare weight: Parameter | null;

  constructor(
    normalizedShape: number | readonly number[],
    options: { readonly eps?: number | null; readonly elementwiseAffine?: boolean } & PlaceOptions = {},
  ) {
    super();
    const { eps = null, elementwiseAffine = true, ...place } = options;
    this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    this.eps = eps;
    this.elementwiseAffine = elementwiseAffine;
    const weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape, place)) : null;
    this.registerParameter('weight', weight);
  }
  resetParameters(): void {
    noGrad(() => this.weight?.fill_(1));
  }
  forward(x: Tensor): Tensor {
    return F.rmsNorm(x, this.normalizedShape, this.weight, { eps: this.eps });
  }
  override extraRepr(): string {
    return `${py(this.normalizedShape)}, eps=${py(this.eps)}, elementwise_affine=${py(this.elementwiseAffine)}`;
  }
}

/** Normalisation per example over groups of channels and all places of (N, C, …). Wu & He 2018. */
export class GroupNorm extends Module {
  readonly numGroups: number;
  readonly numChannels: number;
  readonly eps: number;
  readonly affine: boolean;
  declare weight: Parameter | null;
  declare bias: Parameter | null;

  constructor(
    numGroups: number,
    numChannels: number,
    options: { readonly eps?: number; readonly affine?: boolean } & PlaceOptions = {},
  ) {
    super();
    const { eps = 1e-5, affine = true, ...place } = options;
    if (numChannels % numGroups !== 0) {
      const got = `${numChannels} and ${numGroups}`;
      throw new ValueError('GroupNorm', 'channels must be divisible by groups', got, '');
    }
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.eps = eps;
    this.affine = affine;
    this.registerParameter('weight', affine ? new Parameter(ones([numChannels], place)) : null);
    this.registerParameter('bias', affine ? new Parameter(zeros([numChannels], place)) : null);
  }
  resetParameters(): void {
    noGrad(() => {
      this.weight?.fill_(1);
      this.bias?.zero_();
    });
  }
  forward(x: Tensor): Tensor {
    return F.groupNorm(x, this.numGroups, this.weight, this.bias, { eps: this.eps });
  }
  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${py(this.eps)}, affine=${py(this.affine)}`;
  }
}

/** x / (k + alpha · mean of x² over `size` neighbouring channels)^beta. Krizhevsky et al. 2012. */
export class LocalResponseNorm extends Module {
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
  constructor(
    size: number,
    options: { readonly alpha?: number; readonly beta?: number; readonly k?: number } = {},
  ) {
    super();
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    this.size = size;
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }
  forward(x: Tensor): Tensor {
    return F.localResponseNorm(x, this.size, this);
  }
  override extraRepr(): string {
    return `${this.size}, alpha=${py(this.alpha)}, beta=${py(this.beta)}, k=${pyFloat(this.k)}`;
  }
}

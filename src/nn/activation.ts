// Activation layers. Those with `inplace` write the result into their input, whose memory they save; backward throws where
// the value that was there is still needed.

import { full } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import * as F from './functional/activation.ts';
import type { PlaceOptions } from './linear.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';
import { py, pyFloat } from './repr.ts';

export interface InPlaceOptions {
  /** Put the result in place of the input. Default false. */
  readonly inplace?: boolean;
}
/** A layer whose result may take the place of its input. */
export abstract class InPlace extends Module {
  readonly inplace: boolean;
  constructor(options: InPlaceOptions = {}) {
    super();
    this.inplace = options.inplace ?? false;
  }
  /** The result, not in place. */
  protected abstract of(x: Tensor): Tensor;
  /** The options as PyTorch prints them. */
  protected describe(): string {
    return '';
  }
  forward(x: Tensor): Tensor {
    const y = this.of(x);
    return this.inplace && y !== x ? x._assign(y.node(), `${this.constructor.name} in place`) : y;
  }
  override extraRepr(): string {
    return [this.describe(), this.inplace ? 'inplace=True' : ''].filter(s => s !== '').join(', ');
  }
}

/** max(0, x) */
export class ReLU extends InPlace {
  protected of(x: Tensor): Tensor {
    return x.relu();
  }
}
/** min(max(0, x), 6) */
export class ReLU6 extends InPlace {
  protected of(x: Tensor): Tensor {
    return F.relu6(x);
  }
}
/** x · σ(x) */
export class SiLU extends InPlace {
  protected of(x: Tensor): Tensor {
    return F.silu(x);
  }
}
/** x · tanh(softplus(x)) */
export class Mish extends InPlace {
  protected of(x: Tensor): Tensor {
    return F.mish(x);
  }
}
/** Self-normalising exponential linear unit. */
export class SELU extends InPlace {
  protected of(x: Tensor): Tensor {
    return F.selu(x);
  }
}
/** relu6(x + 3) / 6 */
export class Hardsigmoid extends InPlace {
  protected of(x: Tensor): Tensor {
    return F.hardsigmoid(x);
  }
}
/** x · relu6(x + 3) / 6 */
export class Hardswish extends InPlace {
  protected of(x: Tensor): Tensor {
    return F.hardswish(x);
  }
}
/** x above 0, negativeSlope · x below. */
export class LeakyReLU extends InPlace {
  readonly negativeSlope: number;
  constructor(negativeSlope = 0.01, options: InPlaceOptions = {}) {
    super(options);
    this.negativeSlope = negativeSlope;
  }
  protected of(x: Tensor): Tensor {
    return F.leakyRelu(x, { negativeSlope: this.negativeSlope });
  }
  protected override describe(): string {
    return `negative_slope=${py(this.negativeSlope)}`;
  }
}
abstract class WithAlpha extends InPlace {
  readonly alpha: number;
  constructor(alpha = 1, options: InPlaceOptions = {}) {
    super(options);
    this.alpha = alpha;
  }
  protected override describe(): string {
    return `alpha=${pyFloat(this.alpha)}`;
  }
}
/** x above 0, α (eˣ − 1) below. */
export class ELU extends WithAlpha {
  protected of(x: Tensor): Tensor {
    return F.elu(x, { alpha: this.alpha });
  }
}
/** max(0, x) + min(0, α (e^{x/α} − 1)) */
export class CELU extends WithAlpha {
  protected of(x: Tensor): Tensor {
    return F.celu(x, { alpha: this.alpha });
  }
}
/** x limited to [minVal, maxVal]. */
export class Hardtanh extends InPlace {
  readonly minVal: number;
  readonly maxVal: number;
  constructor(minVal = -1, maxVal = 1, options: InPlaceOptions = {}) {
    super(options);
    this.minVal = minVal;
    this.maxVal = maxVal;
  }
  protected of(x: Tensor): Tensor {
    return F.hardtanh(x, { minVal: this.minVal, maxVal: this.maxVal });
  }
  protected override describe(): string {
    return `min_val=${pyFloat(this.minVal)}, max_val=${pyFloat(this.maxVal)}`;
  }
}
/** x above the threshold, else `value`. */
export class Threshold extends InPlace {
  readonly threshold: number;
  readonly value: number;
  constructor(threshold: number, value: number, options: InPlaceOptions = {}) {
    super(options);
    this.threshold = threshold;
    this.value = value;
  }
  protected of(x: Tensor): Tensor {
    return F.threshold(x, this.threshold, this.value);
  }
  protected override describe(): string {
    return `threshold=${py(this.threshold)}, value=${py(this.value)}`;
  }
}
/** Leaky ReLU with a slope drawn from [lower, upper] per element in training, their mean in eval. */
export class RReLU extends InPlace {
  readonly lower: number;
  readonly upper: number;
  constructor(lower = 1 / 8, upper = 1 / 3, options: InPlaceOptions = {}) {
    super(options);
    this.lower = lower;
    this.upper = upper;
  }
  protected of(x: Tensor): Tensor {
    return F.rrelu(x, { lower: this.lower, upper: this.upper, training: this.training });
  }
  protected override describe(): string {
    return `lower=${py(this.lower)}, upper=${py(this.upper)}`;
  }
}
/** Leaky ReLU whose slope is learnt: one, or one per channel (dim 1); it starts at `init`. He et al. 2015. */
export class PReLU extends Module {
  readonly numParameters: number;
  readonly weight: Parameter;
  constructor(numParameters = 1, options: { readonly init?: number } & PlaceOptions = {}) {
    super();
    const { init = 0.25, ...place } = options;
    this.numParameters = numParameters;
    this.weight = new Parameter(full([numParameters], init, place));
  }
  forward(x: Tensor): Tensor {
    return F.prelu(x, this.weight);
  }
  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }
}
/** x Φ(x): exactly ('none'), by tanh, or as x σ(1.702 x) ('sigmoid'). */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh' | 'sigmoid';
  constructor(options: { readonly approximate?: 'none' | 'tanh' | 'sigmoid' } = {}) {
    super();
    this.approximate = options.approximate ?? 'none';
  }
  forward(x: Tensor): Tensor {
    return F.gelu(x, { approximate: this.approximate });
  }
  override extraRepr(): string {
    return `approximate=${py(this.approximate)}`;
  }
}
/** 1 / (1 + e⁻ˣ) */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}
/** tanh x, between −1 and 1. */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return x.tanh();
  }
}
/** ln σ(x) */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return F.logsigmoid(x);
  }
}
/** x / (1 + |x|) */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return F.softsign(x);
  }
}
/** x − tanh x */
export class Tanhshrink extends Module {
  forward(x: Tensor): Tensor {
    return F.tanhshrink(x);
  }
}
/** ln(1 + e^{βx}) / β, and x itself where βx > threshold. */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;
  constructor(beta = 1, threshold = 20) {
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  forward(x: Tensor): Tensor {
    return F.softplus(x, { beta: this.beta, threshold: this.threshold });
  }
  override extraRepr(): string {
    return `beta=${pyFloat(this.beta)}, threshold=${pyFloat(this.threshold)}`;
  }
}
abstract class Shrink extends Module {
  readonly lambd: number;
  constructor(lambd = 0.5) {
    super();
    this.lambd = lambd;
  }
  override extraRepr(): string {
    return py(this.lambd);
  }
}
/** x where |x| > λ, else 0. */
export class Hardshrink extends Shrink {
  forward(x: Tensor): Tensor {
    return F.hardshrink(x, { lambd: this.lambd });
  }
}
/** x brought λ nearer to 0. */
export class Softshrink extends Shrink {
  forward(x: Tensor): Tensor {
    return F.softshrink(x, { lambd: this.lambd });
  }
}
/** A layer along one dim. */
abstract class AlongDim extends Module {
  readonly dim: number;
  constructor(dim: number) {
    super();
    this.dim = dim;
  }
  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}
/** a · σ(b) for the halves a and b of a dim. */
export class GLU extends AlongDim {
  constructor(dim = -1) {
    super(dim);
  }
  forward(x: Tensor): Tensor {
    return F.glu(x, this.dim);
  }
}
/** eˣ / Σ eˣ along a dim. */
export class Softmax extends AlongDim {
  forward(x: Tensor): Tensor {
    return x.softmax(this.dim);
  }
}
/** softmax of −x. */
export class Softmin extends AlongDim {
  forward(x: Tensor): Tensor {
    return F.softmin(x, this.dim);
  }
}
/** ln softmax. */
export class LogSoftmax extends AlongDim {
  forward(x: Tensor): Tensor {
    return x.logSoftmax(this.dim);
  }
}
/** softmax over the channels of (N, C, H, W) or (C, H, W). */
export class Softmax2d extends Module {
  forward(x: Tensor): Tensor {
    return x.softmax(-3);
  }
}

// Elementwise methods in place: the tensor, and all that share its memory, take the result.
// In: tensors and numbers. Out: the same tensor. Not its job: old versions that somebody may still read (cell.ts).

import type { Generator } from '../base/rng.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { ElementwiseTensor } from './elementwise.ts';
import { operandLike, type TensorLike } from './operand.ts';
import { normal, rand, uniform } from './random.ts';
import type { Tensor } from './tensor.ts';

const me = (t: unknown): Tensor => t as Tensor;

export class InplaceTensor extends ElementwiseTensor {
  /** `add` in place: this tensor, and all that share its memory, take the result. */
  add_(other: TensorLike, options: { alpha?: number } = {}): Tensor {
    return this._assign(me(this).add(other, options).node(), 'add_');
  }
  /** `sub` in place: this tensor, and all that share its memory, take the result. */
  sub_(other: TensorLike, options: { alpha?: number } = {}): Tensor {
    return this._assign(me(this).sub(other, options).node(), 'sub_');
  }
  /** `mul` in place: this tensor, and all that share its memory, take the result. */
  mul_(other: TensorLike): Tensor {
    return this._assign(me(this).mul(other).node(), 'mul_');
  }
  /** `div` in place: this tensor, and all that share its memory, take the result. */
  div_(other: TensorLike, options: { rounding?: 'floor' | 'trunc' } = {}): Tensor {
    return this._assign(me(this).div(other, options).node(), 'div_');
  }
  /** `pow` in place: this tensor, and all that share its memory, take the result. */
  pow_(other: TensorLike): Tensor {
    return this._assign(this.pow(other).node(), 'pow_');
  }
  /** `neg` in place: this tensor, and all that share its memory, take the result. */
  neg_(): Tensor {
    return this._assign(this.neg().node(), 'neg_');
  }
  /** `abs` in place: this tensor, and all that share its memory, take the result. */
  abs_(): Tensor {
    return this._assign(this.abs().node(), 'abs_');
  }
  /** `exp` in place: this tensor, and all that share its memory, take the result. */
  exp_(): Tensor {
    return this._assign(this.exp().node(), 'exp_');
  }
  /** `log` in place: this tensor, and all that share its memory, take the result. */
  log_(): Tensor {
    return this._assign(this.log().node(), 'log_');
  }
  /** `sqrt` in place: this tensor, and all that share its memory, take the result. */
  sqrt_(): Tensor {
    return this._assign(this.sqrt().node(), 'sqrt_');
  }
  /** `square` in place: this tensor, and all that share its memory, take the result. */
  square_(): Tensor {
    return this._assign(this.square().node(), 'square_');
  }
  /** `reciprocal` in place: this tensor, and all that share its memory, take the result. */
  reciprocal_(): Tensor {
    return this._assign(this.reciprocal().node(), 'reciprocal_');
  }
  /** `tanh` in place: this tensor, and all that share its memory, take the result. */
  tanh_(): Tensor {
    return this._assign(this.tanh().node(), 'tanh_');
  }
  /** `sigmoid` in place: this tensor, and all that share its memory, take the result. */
  sigmoid_(): Tensor {
    return this._assign(this.sigmoid().node(), 'sigmoid_');
  }
  /** `relu` in place: this tensor, and all that share its memory, take the result. */
  relu_(): Tensor {
    return this._assign(this.relu().node(), 'relu_');
  }
  /** `floor` in place: this tensor, and all that share its memory, take the result. */
  floor_(): Tensor {
    return this._assign(this.floor().node(), 'floor_');
  }
  /** `ceil` in place: this tensor, and all that share its memory, take the result. */
  ceil_(): Tensor {
    return this._assign(this.ceil().node(), 'ceil_');
  }
  /** `round` in place: this tensor, and all that share its memory, take the result. */
  round_(): Tensor {
    return this._assign(me(this).round().node(), 'round_');
  }
  /** `clamp` in place: this tensor, and all that share its memory, take the result. */
  clamp_(min?: TensorLike | null, max?: TensorLike | null): Tensor {
    return this._assign(this.clamp(min, max).node(), 'clamp_');
  }
  /** `lerp` in place: this tensor, and all that share its memory, take the result. */
  lerp_(end: Tensor, weight: TensorLike): Tensor {
    return this._assign(this.lerp(end, weight).node(), 'lerp_');
  }
  /** `addcmul` in place: this tensor, and all that share its memory, take the result. */
  addcmul_(a: Tensor, b: Tensor, options: { value?: number } = {}): Tensor {
    return this._assign(this.addcmul(a, b, options).node(), 'addcmul_');
  }
  /** `addcdiv` in place: this tensor, and all that share its memory, take the result. */
  addcdiv_(a: Tensor, b: Tensor, options: { value?: number } = {}): Tensor {
    return this._assign(this.addcdiv(a, b, options).node(), 'addcdiv_');
  }
  /** `maskedFill` in place: this tensor, and all that share its memory, take the result. */
  maskedFill_(mask: Tensor, value: TensorLike): Tensor {
    return this._assign(this.maskedFill(mask, value).node(), 'maskedFill_');
  }
  /** Every element becomes `value`. */
  fill_(value: TensorLike): Tensor {
    return this._assign(ops.alias(operandLike('fill_', me(this), value)), 'fill_');
  }
  /** Every element becomes 0. */
  zero_(): Tensor {
    return this.fill_(0);
  }
  /** Takes the values of `source` (broadcast, converted). */
  copy_(source: Tensor): Tensor {
    return this._assign(ops.alias(ops.cast(source.node(), this.dtype)), 'copy_');
  }
  /** Every element is drawn uniformly from [low, high). */
  uniform_(low = 0, high = 1, options: { generator?: Generator } = {}): Tensor {
    return this.copy_(uniform(low, high, this.shape, { device: this.device, ...options }));
  }
  /** Every element is drawn from the normal distribution with this mean and standard deviation. */
  normal_(mean = 0, std = 1, options: { generator?: Generator } = {}): Tensor {
    return this.copy_(normal(mean, std, this.shape, { device: this.device, ...options }));
  }
  /** Every element becomes 1 with probability p, else 0. */
  bernoulli_(p = 0.5, options: { generator?: Generator } = {}): Tensor {
    return this.copy_(rand(this.shape, { device: this.device, ...options }).lt(p));
  }
}

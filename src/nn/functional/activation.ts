// Activation functions, in PyTorch's forms: which side of a kink has which slope, and safe at any input.

import type { DType } from '../../base/dtype.ts';
import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { normalizeDim } from '../../base/shape.ts';
import type { Node } from '../../ir/node.ts';
import * as ops from '../../ir/ops/elementwise.ts';
import { wrap } from '../../tensor/core.ts';
import { floatNode } from '../../tensor/operand.ts';
import { rand } from '../../tensor/random.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { oneHot } from './sparse.ts';

/** A constant of a formula, in the dtype of x. */
const k = (x: Node, value: number): Node => ops.constLike(x, value);

/** max(0, x); the slope at 0 is 0. */
export const relu = (x: Tensor): Tensor => x.relu();
/** min(max(0, x), 6) */
export const relu6 = (x: Tensor): Tensor => hardtanh(x, { minVal: 0, maxVal: 6 });
/** x limited to [minVal, maxVal] (default -1 … 1); the slope on the limits is 0. */
export function hardtanh(x: Tensor, options: { minVal?: number; maxVal?: number } = {}): Tensor {
  const { minVal = -1, maxVal = 1 } = options;
  const low = x.maskedFill(x.le(minVal), minVal);
  return low.maskedFill(x.ge(maxVal), maxVal);
}
/** relu6(x + 3) / 6 */
export const hardsigmoid = (x: Tensor): Tensor => relu6(x.add(3)).div(6);
/** 0 below -3, x from 3 on, x (x + 3) / 6 between. */
export const hardswish = (x: Tensor): Tensor =>
  x.where(x.ge(3), x.mul(x.add(3)).div(6)).maskedFill(x.lt(-3), 0);
/** x above 0, negativeSlope · x below (default 0.01). */
export const leakyRelu = (x: Tensor, options: { negativeSlope?: number } = {}): Tensor =>
  x.where(x.gt(0), x.mul(options.negativeSlope ?? 0.01));
/** x above 0, weight · x below, with one weight or one per channel (dim 1). */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  const channels = x.ndim > 1 ? x.shape[1]! : 1;
  if (weight.numel !== 1 && weight.numel !== channels) {
    throw new ShapeError(
      'prelu',
      `the weight must have 1 element or one per channel, ${channels}`,
      showShape(weight.shape),
      '',
    );
  }
  const w = weight.numel === 1 ? weight.reshape([]) : perChannel(weight, x.ndim);
  return x.where(x.gt(0), x.mul(w));
}
/** A vector along dim 1 of a tensor with `ndim` dims. */
export const perChannel = (v: Tensor, ndim: number): Tensor =>
  v.reshape([-1, ...Array<number>(Math.max(ndim - 2, 0)).fill(1)]);
/** Leaky ReLU with a slope drawn from [lower, upper] per element in training, their mean otherwise. */
export function rrelu(
  x: Tensor,
  options: { lower?: number; upper?: number; training?: boolean } = {},
): Tensor {
  const { lower = 1 / 8, upper = 1 / 3, training = false } = options;
  if (!training) return leakyRelu(x, { negativeSlope: (lower + upper) / 2 });
  const slope = rand(x.shape, { dtype: x.dtype, device: x.device })
    .mul(upper - lower)
    .add(lower);
  return x.where(x.gt(0), x.mul(slope));
}
/** x above 0, α (eˣ − 1) below (α = 1). Clevert et al. 2015. */
export const elu = (x: Tensor, options: { alpha?: number } = {}): Tensor => {
  // The clamp keeps eˣ finite where the other branch is taken: 0 · ∞ would spoil the gradient.
  const below = x.clamp(null, 0).expm1();
  return x.where(x.gt(0), options.alpha === undefined ? below : below.mul(options.alpha));
};
/** max(0, x) + min(0, α (e^{x/α} − 1)), α = 1. */
export function celu(x: Tensor, options: { alpha?: number } = {}): Tensor {
  const { alpha = 1 } = options;
  return x.where(x.gt(0), x.clamp(null, 0).div(alpha).expm1().mul(alpha));
}
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;
/** Self-normalising: scale · elu(x, α) with the constants of Klambauer et al. 2017. */
export const selu = (x: Tensor): Tensor => elu(x, { alpha: SELU_ALPHA }).mul(SELU_SCALE);

/** 1 / (1 + e⁻ˣ) */
export const sigmoid = (x: Tensor): Tensor => x.sigmoid();
/** tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ). */
export const tanh = (x: Tensor): Tensor => x.tanh();
/** −ln(1 + e⁻ˣ), exact for large |x|. */
export function logsigmoid(x: Tensor): Tensor {
  const n = floatNode(x);
  return wrap(ops.neg(ops.logaddexp(ops.neg(n), k(n, 0))));
}
/** ln(1 + e^{βx}) / β, and x itself where βx > threshold (β = 1, threshold = 20). */
export function softplus(x: Tensor, options: { beta?: number; threshold?: number } = {}): Tensor {
  const { beta = 1, threshold = 20 } = options;
  const scaled = beta === 1 ? x : x.mul(beta);
  const n = floatNode(scaled);
  const soft = wrap(ops.logaddexp(n, k(n, 0)));
  return x.where(scaled.gt(threshold), beta === 1 ? soft : soft.div(beta));
}
/** x · σ(x), also called swish. Elfwing et al. 2017. */
export const silu = (x: Tensor): Tensor => x.mul(x.sigmoid());
/** x · tanh(softplus(x)). Misra 2019. */
export const mish = (x: Tensor): Tensor => x.mul(softplus(x).tanh());
/**
 * x Φ(x) with the normal distribution Φ (Hendrycks & Gimpel 2016): exact ('none'), by tanh (error below 4.8e-4), or as
 * x σ(1.702 x) ('sigmoid', error below 0.0204).
 */
export function gelu(x: Tensor, options: { approximate?: 'none' | 'tanh' | 'sigmoid' } = {}): Tensor {
  const { approximate = 'none' } = options;
  const n = floatNode(x);
  if (approximate === 'sigmoid') return wrap(ops.mul(n, ops.sigmoid(ops.mul(n, k(n, 1.702)))));
  const half = ops.mul(n, k(n, 0.5));
  if (approximate === 'none') {
    return wrap(ops.mul(half, ops.add(ops.erf(ops.mul(n, k(n, Math.SQRT1_2))), k(n, 1))));
  }
  if (approximate !== 'tanh')
    throw new ValueError('gelu', "approximate is 'none', 'tanh' or 'sigmoid'", show(approximate), '');
  const inner = ops.mul(n, ops.add(ops.mul(ops.square(n), k(n, 0.044715)), k(n, 1)));
  return wrap(ops.mul(half, ops.add(ops.tanh(ops.mul(inner, k(n, Math.sqrt(2 / Math.PI)))), k(n, 1))));
}
/** x / (1 + |x|) */
export const softsign = (x: Tensor): Tensor => x.div(x.abs().add(1));
/** x − tanh x */
export const tanhshrink = (x: Tensor): Tensor => x.sub(x.tanh());
/** x where |x| > λ, else 0 (λ = 0.5). */
export function hardshrink(x: Tensor, options: { lambd?: number } = {}): Tensor {
  const { lambd = 0.5 } = options;
  return x.maskedFill(x.ge(-lambd).logicalAnd(x.le(lambd)), 0);
}
/** x brought λ nearer to 0, and 0 where it is nearer than that (λ = 0.5). */
export function softshrink(x: Tensor, options: { lambd?: number } = {}): Tensor {
  const { lambd = 0.5 } = options;
  return x.sub(lambd).where(x.gt(lambd), x.add(lambd).maskedFill(x.ge(-lambd), 0));
}
/** x above the threshold, else `value`. */
export const threshold = (x: Tensor, limit: number, value: number): Tensor =>
  x.maskedFill(x.le(limit), value);

/** a · σ(b) for the halves a and b of a dim (the last). Dauphin et al. 2016. */
export function glu(x: Tensor, dim = -1): Tensor {
  const d = normalizeDim('glu', dim, x.ndim);
  if (x.ndim === 0 || x.shape[d]! % 2 !== 0)
    throw new ShapeError('glu', `dim ${dim} must have an even size`, showShape(x.shape), '');
  const [a, b] = x.chunk(2, d) as [Tensor, Tensor];
  return a.mul(b.sigmoid());
}
/** eˣ / Σ eˣ along a dim, with the maximum taken out. */
export const softmax = (x: Tensor, dim: number, options: { dtype?: DType } = {}): Tensor =>
  x.softmax(dim, options);
/** softmax of −x. */
export const softmin = (x: Tensor, dim: number, options: { dtype?: DType } = {}): Tensor =>
  x.neg().softmax(dim, options);
/** ln softmax, without overflow. */
export const logSoftmax = (x: Tensor, dim: number, options: { dtype?: DType } = {}): Tensor =>
  x.logSoftmax(dim, options);
/**
 * A differentiable draw from the categories of softmax(logits): softmax((logits + gumbel noise) / τ), or its largest
 * entry as one-hot with the gradient of the soft one (`hard`). Jang et al. 2016.
 */
export function gumbelSoftmax(
  logits: Tensor,
  options: { tau?: number; hard?: boolean; dim?: number } = {},
): Tensor {
  const { tau = 1, hard = false, dim = -1 } = options;
  const noise = rand(logits.shape, { dtype: logits.dtype, device: logits.device }).log().neg().log().neg();
  const soft = logits.add(noise).div(tau).softmax(dim);
  if (!hard) return soft;
  const d = normalizeDim('gumbelSoftmax', dim, logits.ndim);
  const one = oneHot(soft.argmax(d), logits.shape[d]!).to(soft.dtype).movedim(-1, d);
  return one.sub(soft.detach()).add(soft);
}

// Elementwise methods: one number in, one number out, with broadcasting.
// In: tensors and numbers. Out: tensors. Not its job: the ops themselves (ir/ops/elementwise.ts).

import { type DType, isDType, isFloat } from '../base/dtype.ts';
import { DTypeError, show, ValueError } from '../base/errors.ts';
import { gradMode, type Node } from '../ir/node.ts';
import type { BinaryOp, UnaryOp } from '../ir/op.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { getDevice } from '../runtime/devices.ts';
import { TensorCore, wrap } from './core.ts';
import { binaryOp, floatNode, isTensor, operandLike, promoted, type TensorLike } from './operand.ts';
import { recording } from './record.ts';
import type { Tensor } from './tensor.ts';

const me = (t: unknown): Tensor => t as Tensor;

export class ElementwiseTensor extends TensorCore {
  private unary(op: UnaryOp): Tensor {
    return wrap(op(this.node()));
  }
  /** Functions of real numbers: integers and bools become float32 first, as in PyTorch. */
  private real(op: UnaryOp): Tensor {
    return wrap(op(floatNode(me(this))));
  }
  private binary(op: BinaryOp, other: TensorLike, float = false): Tensor {
    return binaryOp(op, me(this), other, float);
  }

  // ---- arithmetic ----------------------------------------------------------------------------------------------------

  /** this + alpha · other */
  add(other: TensorLike, options: { alpha?: number } = {}): Tensor {
    return this.binary(ops.add, scaled(other, options.alpha));
  }
  /** this − alpha · other */
  sub(other: TensorLike, options: { alpha?: number } = {}): Tensor {
    noBool('sub', this.dtype, other);
    return this.binary(ops.sub, scaled(other, options.alpha));
  }
  /** other − this */
  rsub(other: TensorLike): Tensor {
    const [a, b] = promoted('sub', [other, me(this)]);
    return wrap(ops.sub(a!, b!));
  }
  /** this · other */
  mul(other: TensorLike): Tensor {
    return this.binary(ops.mul, other);
  }
  /** this / other; `rounding` 'floor' or 'trunc' rounds the quotient and keeps integers integer. */
  div(other: TensorLike, options: { rounding?: 'floor' | 'trunc' } = {}): Tensor {
    if (options.rounding === 'floor') return this.floorDivide(other);
    if (options.rounding === 'trunc') return this.binary(ops.truncDiv, other);
    return this.binary(ops.div, other, true);
  }
  /** this to the power of other in float64. */
  floatPower(other: TensorLike): Tensor {
    return me(this)
      .to('float64')
      .pow(isTensor(other) ? other.to('float64') : other);
  }
  /** floor(this / other), Python's // */
  floorDivide(other: TensorLike): Tensor {
    return this.binary(ops.floorDiv, other);
  }
  /** The remainder with the sign of the divisor, Python's % */
  remainder(other: TensorLike): Tensor {
    return this.binary(ops.remainder, other);
  }
  /** The remainder with the sign of the dividend. */
  fmod(other: TensorLike): Tensor {
    return this.binary(ops.fmod, other);
  }
  /** −x */
  neg(): Tensor {
    return this.unary(ops.neg);
  }
  /** |x| */
  abs(): Tensor {
    return this.dtype === 'bool' ? me(this) : this.unary(ops.abs);
  }
  /** −1, 0 or 1 */
  sign(): Tensor {
    return this.dtype === 'bool' ? me(this) : this.unary(ops.sign);
  }
  /** x² */
  square(): Tensor {
    return this.unary(ops.square);
  }
  /** 1 / x */
  reciprocal(): Tensor {
    return this.real(ops.reciprocal);
  }
  /** √x; NaN below 0. */
  sqrt(): Tensor {
    return this.real(ops.sqrt);
  }
  /** 1 / √x */
  rsqrt(): Tensor {
    return this.real(ops.rsqrt);
  }
  /** this to the power of other. */
  pow(other: TensorLike): Tensor {
    const simple = simplePower(me(this), other);
    if (simple !== null) return simple;
    if (!isFloat(this.dtype) && typeof other === 'number' && Number.isInteger(other) && other < 0) {
      throw new ValueError(
        'pow',
        'an integer tensor takes exponents >= 0',
        String(other),
        "convert with .to('float32')",
      );
    }
    return this.binary(ops.pow, other);
  }
  /** √(this² + other²) without overflow. */
  hypot(other: TensorLike): Tensor {
    return this.binary(ops.hypot, other, true);
  }
  /** Linear interpolation: this + weight · (end − this), exact at weight 1. */
  lerp(end: Tensor, weight: TensorLike): Tensor {
    const [a, b, w] = promoted('lerp', [me(this), end, weight], true) as [Node, Node, Node];
    const d = ops.sub(b, a);
    const k = (v: number): Node => ops.constLike(a, v);
    const low = ops.add(a, ops.mul(w, d));
    const high = ops.sub(b, ops.mul(d, ops.sub(k(1), w)));
    return wrap(ops.where(ops.lt(ops.abs(w), k(0.5)), low, high));
  }
  /** this + value · a · b */
  addcmul(a: Tensor, b: Tensor, options: { value?: number } = {}): Tensor {
    return me(this).add(a.mul(b), { alpha: options.value ?? 1 });
  }
  /** this + value · a / b */
  addcdiv(a: Tensor, b: Tensor, options: { value?: number } = {}): Tensor {
    return me(this).add(a.div(b), { alpha: options.value ?? 1 });
  }

  // ---- exponentials, logarithms, trigonometry ---------------------------------------------------------------------------

  /** eˣ */
  exp(): Tensor {
    return this.real(ops.exp);
  }
  /** 2 to the power of this. */
  exp2(): Tensor {
    const x = floatNode(me(this));
    return wrap(ops.exp(ops.mul(x, ops.constLike(x, Math.LN2))));
  }
  /** eˣ − 1, exact near 0. */
  expm1(): Tensor {
    return this.real(ops.expm1);
  }
  /** ln x; −Infinity at 0, NaN below. */
  log(): Tensor {
    return this.real(ops.log);
  }
  /** log₂ x */
  log2(): Tensor {
    return this.real(ops.log2);
  }
  /** log₁₀ x */
  log10(): Tensor {
    return this.real(ops.log10);
  }
  /** ln(1 + x), exact near 0. */
  log1p(): Tensor {
    return this.real(ops.log1p);
  }
  /** The sine of x in radians. */
  sin(): Tensor {
    return this.real(ops.sin);
  }
  /** The cosine of x in radians. */
  cos(): Tensor {
    return this.real(ops.cos);
  }
  /** The tangent of x in radians. */
  tan(): Tensor {
    return this.real(ops.tan);
  }
  /** The angle in [−π/2, π/2] whose sine is x; NaN outside [−1, 1]. */
  asin(): Tensor {
    return this.real(ops.asin);
  }
  /** The angle in [0, π] whose cosine is x; NaN outside [−1, 1]. */
  acos(): Tensor {
    return this.real(ops.acos);
  }
  /** The angle in (−π/2, π/2) whose tangent is x. */
  atan(): Tensor {
    return this.real(ops.atan);
  }
  /** The angle of the point (other, this). */
  atan2(other: TensorLike): Tensor {
    return this.binary(ops.atan2, other, true);
  }
  /** (eˣ − e⁻ˣ) / 2 */
  sinh(): Tensor {
    return this.real(ops.sinh);
  }
  /** (eˣ + e⁻ˣ) / 2 */
  cosh(): Tensor {
    return this.real(ops.cosh);
  }
  /** (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ); derivative 1 − tanh². */
  tanh(): Tensor {
    return this.real(ops.tanh);
  }
  /** ln(x + √(x² + 1)) */
  asinh(): Tensor {
    return this.real(ops.asinh);
  }
  /** ln(x + √(x² − 1)); NaN below 1. */
  acosh(): Tensor {
    return this.real(ops.acosh);
  }
  /** ½ ln((1 + x) / (1 − x)); NaN outside [−1, 1]. */
  atanh(): Tensor {
    return this.real(ops.atanh);
  }
  /** sin(πx) / (πx), 1 at 0. */
  sinc(): Tensor {
    const x = floatNode(me(this));
    const p = ops.mul(x, ops.constLike(x, Math.PI));
    const zero = ops.eq(x, ops.constLike(x, 0));
    const safe = ops.where(zero, ops.constLike(x, 1), p);
    return wrap(ops.where(zero, ops.constLike(x, 1), ops.div(ops.sin(safe), safe)));
  }
  /** Degrees to radians: x π / 180. */
  deg2rad(): Tensor {
    return me(this).mul(Math.PI / 180);
  }
  /** Radians to degrees: 180 x / π. */
  rad2deg(): Tensor {
    return me(this).mul(180 / Math.PI);
  }
  /** The error function 2/√π ∫₀ˣ e^(−t²) dt. */
  erf(): Tensor {
    return this.real(ops.erf);
  }
  /** 1 − erf(x), exact for large x. */
  erfc(): Tensor {
    return this.real(ops.erfc);
  }
  /** The x whose erf is this; ±Infinity at ±1, NaN beyond. */
  erfinv(): Tensor {
    return this.real(ops.erfinv);
  }
  /** ln |Γ(x)| */
  lgamma(): Tensor {
    return this.real(ops.lgamma);
  }
  /** The derivative of ln Γ(x). */
  digamma(): Tensor {
    return this.real(ops.digamma);
  }
  /** The n-th derivative of digamma. */
  polygamma(n: number): Tensor {
    return wrap(ops.polygamma(floatNode(me(this)), { n }));
  }
  /** 1 / (1 + e⁻ˣ); derivative σ (1 − σ). */
  sigmoid(): Tensor {
    return this.real(ops.sigmoid);
  }
  /** ln(x / (1 − x)), with x first clamped to [eps, 1 − eps] where eps is given. */
  logit(eps?: number): Tensor {
    const x = eps === undefined ? me(this) : me(this).clamp(eps, 1 - eps);
    return x.div(x.rsub(1)).log();
  }
  /** ln(eᵃ + eᵇ) */
  logaddexp(other: TensorLike): Tensor {
    return this.binary(ops.logaddexp, other, true);
  }
  /** this · ln(other), 0 where this is 0. */
  xlogy(other: TensorLike): Tensor {
    const [x, y] = promoted('xlogy', [me(this), other], true) as [Node, Node];
    const k = (c: number): Node => ops.constLike(x, c);
    // Where the logarithm is infinite (or none) and x = 0, the logarithm of 1 stands in: also for the gradient.
    const regular = ops.logicalAnd(ops.gt(y, k(0)), ops.lt(y, k(Number.POSITIVE_INFINITY)));
    const keep = ops.logicalOr(ops.logicalOr(regular, ops.ne(y, y)), ops.ne(x, k(0)));
    return wrap(ops.mul(x, ops.log(ops.where(keep, y, k(1)))));
  }
  /** max(0, x); the derivative at 0 is 0. */
  relu(): Tensor {
    return this.dtype === 'bool' ? me(this) : this.unary(ops.relu);
  }

  // ---- rounding and limits -----------------------------------------------------------------------------------------------

  /** The largest integer ≤ x. */
  floor(): Tensor {
    return this.unary(ops.floor);
  }
  /** The smallest integer ≥ x. */
  ceil(): Tensor {
    return this.unary(ops.ceil);
  }
  /** The integer part, towards 0. */
  trunc(): Tensor {
    return this.unary(ops.trunc);
  }
  /** The part after the point, with the sign of x. */
  frac(): Tensor {
    return me(this).sub(this.trunc());
  }
  /** The nearest integer, half to even; to `decimals` digits. */
  round(options: { decimals?: number } = {}): Tensor {
    const { decimals = 0 } = options;
    if (decimals === 0) return this.unary(ops.round);
    const p = 10 ** Math.abs(decimals);
    return decimals > 0 ? me(this).mul(p).round().div(p) : me(this).div(p).round().mul(p);
  }
  /** Keeps the values within [min, max]; either may be left out. */
  clamp(min?: TensorLike | null, max?: TensorLike | null): Tensor {
    if (min == null && max == null)
      throw new ValueError('clamp', 'at least one of min and max must be given', 'none', '');
    const given = [me(this), min, max].filter((x): x is TensorLike => x != null);
    const [x, a, b] = promoted('clamp', given) as [Node, Node, Node];
    if (min == null) return wrap(ops.clampMax(x, a));
    const low = ops.clampMin(x, a);
    return wrap(max == null ? low : ops.clampMax(low, b));
  }
  /** The larger of two, elementwise; NaN wins. Equal ones share the gradient. */
  maximum(other: TensorLike): Tensor {
    return this.binary(ops.maximum, other);
  }
  /** The smaller of two, elementwise; NaN wins. Equal ones share the gradient. */
  minimum(other: TensorLike): Tensor {
    return this.binary(ops.minimum, other);
  }
  /** The larger one; a NaN loses against a number. */
  fmax(other: TensorLike): Tensor {
    const [a, b] = promoted('fmax', [me(this), other]) as [Node, Node];
    return wrap(ops.where(ops.ne(a, a), b, ops.where(ops.ne(b, b), a, ops.maximum(a, b))));
  }
  /** The smaller one; a NaN loses against a number. */
  fmin(other: TensorLike): Tensor {
    const [a, b] = promoted('fmin', [me(this), other]) as [Node, Node];
    return wrap(ops.where(ops.ne(a, a), b, ops.where(ops.ne(b, b), a, ops.minimum(a, b))));
  }
  /** |this| with the sign of other. */
  copysign(other: TensorLike): Tensor {
    return this.binary(ops.copysign, other, true);
  }
  /** 0 below zero, 1 above, `values` at zero. */
  heaviside(values: TensorLike): Tensor {
    const [x, v] = promoted('heaviside', [me(this), values]) as [Node, Node];
    const k = (c: number): Node => ops.constLike(x, c);
    return wrap(ops.where(ops.eq(x, k(0)), v, ops.where(ops.lt(x, k(0)), k(0), k(1))));
  }
  /** NaN and infinities replaced: by 0 and the largest finite numbers unless given. */
  nanToNum(nan = 0, posinf?: number, neginf?: number): Tensor {
    if (!isFloat(this.dtype)) return me(this);
    const x = this.node();
    const k = (c: number): Node => ops.constLike(x, c);
    const big =
      this.dtype === 'float64' ? Number.MAX_VALUE : this.dtype === 'float16' ? 65504 : 3.4028234663852886e38;
    const up = ops.where(ops.eq(x, k(Number.POSITIVE_INFINITY)), k(posinf ?? big), x);
    const down = ops.where(ops.eq(x, k(Number.NEGATIVE_INFINITY)), k(neginf ?? -big), up);
    return wrap(ops.where(ops.ne(x, x), k(nan), down));
  }

  // ---- comparison and logic -------------------------------------------------------------------------------------------------

  /** Where this = other: bool. */
  eq(other: TensorLike): Tensor {
    return this.binary(ops.eq, other);
  }
  /** Where this ≠ other: bool. */
  ne(other: TensorLike): Tensor {
    return this.binary(ops.ne, other);
  }
  /** Where this < other: bool. */
  lt(other: TensorLike): Tensor {
    return this.binary(ops.lt, other);
  }
  /** Where this ≤ other: bool. */
  le(other: TensorLike): Tensor {
    return this.binary(ops.le, other);
  }
  /** Where this > other: bool. */
  gt(other: TensorLike): Tensor {
    return this.binary(ops.gt, other);
  }
  /** Where this ≥ other: bool. */
  ge(other: TensorLike): Tensor {
    return this.binary(ops.ge, other);
  }
  /** |this − other| ≤ atol + rtol · |other| */
  isclose(other: TensorLike, options: { rtol?: number; atol?: number; equalNan?: boolean } = {}): Tensor {
    const { rtol = 1e-5, atol = 1e-8, equalNan = false } = options;
    const [a, b] = promoted('isclose', [me(this), other], true) as [Node, Node];
    const k = (c: number): Node => ops.constLike(a, c);
    const diff = ops.abs(ops.sub(a, b));
    const near = ops.le(diff, ops.add(k(atol), ops.mul(k(rtol), ops.abs(b))));
    const finite = ops.lt(diff, k(Number.POSITIVE_INFINITY));
    let out = ops.logicalOr(ops.eq(a, b), ops.logicalAnd(near, finite));
    if (equalNan) out = ops.logicalOr(out, ops.logicalAnd(ops.ne(a, a), ops.ne(b, b)));
    return wrap(out);
  }
  /** Where the element is NaN. */
  isnan(): Tensor {
    const x = this.node();
    return wrap(ops.ne(x, x));
  }
  /** Where the element is Infinity or −Infinity. */
  isinf(): Tensor {
    const x = floatNode(me(this));
    return wrap(ops.eq(ops.abs(x), ops.constLike(x, Number.POSITIVE_INFINITY)));
  }
  /** Where the element is neither infinite nor NaN. */
  isfinite(): Tensor {
    const x = floatNode(me(this));
    return wrap(ops.lt(ops.abs(x), ops.constLike(x, Number.POSITIVE_INFINITY)));
  }
  /** Where the element is 0 (false). */
  logicalNot(): Tensor {
    return wrap(ops.logicalNot(ops.cast(this.node(), 'bool')));
  }
  private logical(op: BinaryOp, other: TensorLike): Tensor {
    const b = isTensor(other)
      ? ops.cast(other.node(), 'bool')
      : ops.constant(Number(Boolean(other)), 'bool', this.device);
    return wrap(op(ops.cast(this.node(), 'bool'), b));
  }
  /** Where both are true; numbers count as true unless 0. */
  logicalAnd(other: TensorLike): Tensor {
    return this.logical(ops.logicalAnd, other);
  }
  /** Where at least one is true; numbers count as true unless 0. */
  logicalOr(other: TensorLike): Tensor {
    return this.logical(ops.logicalOr, other);
  }
  /** Where exactly one is true; numbers count as true unless 0. */
  logicalXor(other: TensorLike): Tensor {
    return this.logical(ops.logicalXor, other);
  }
  /** All bits turned (integers), or not (bool). */
  bitwiseNot(): Tensor {
    return this.unary(this.dtype === 'bool' ? ops.logicalNot : ops.bitwiseNot);
  }
  /** Bits that are set in both (integers), or and (bool). */
  bitwiseAnd(other: TensorLike): Tensor {
    return this.binary(ops.bitwiseAnd, other);
  }
  /** Bits that are set in either (integers), or or (bool). */
  bitwiseOr(other: TensorLike): Tensor {
    return this.binary(ops.bitwiseOr, other);
  }
  /** Bits that are set in one of both (integers), or xor (bool). */
  bitwiseXor(other: TensorLike): Tensor {
    return this.binary(ops.bitwiseXor, other);
  }
  /** Bits moved up by `other` places: x · 2ᵒ. */
  bitwiseLeftShift(other: TensorLike): Tensor {
    return this.binary(ops.bitwiseLeftShift, other);
  }
  /** Bits moved down by `other` places; the sign stays. */
  bitwiseRightShift(other: TensorLike): Tensor {
    return this.binary(ops.bitwiseRightShift, other);
  }
  /** this where the condition (bool) holds, else other; all three broadcast. */
  where(condition: Tensor, other: TensorLike): Tensor {
    const [a, b] = promoted('where', [me(this), other]) as [Node, Node];
    return wrap(ops.where(boolNode('where', condition), a, b));
  }
  /** value where the mask (bool, broadcast) holds, else this. */
  maskedFill(mask: Tensor, value: TensorLike): Tensor {
    return wrap(
      ops.where(boolNode('maskedFill', mask), operandLike('maskedFill', me(this), value), this.node()),
    );
  }

  // ---- type and device -----------------------------------------------------------------------------------------------------

  /** With the dtype of another tensor. */
  typeAs(other: Tensor): Tensor {
    return this.to(other.dtype);
  }
  /** Converted to a dtype, moved to a device, or both; the tensor itself where nothing changes. */
  to(target: DType | string | { dtype?: DType; device?: string }): Tensor {
    const want =
      typeof target === 'object' ? target : isDType(target) ? { dtype: target } : { device: target };
    let out = me(this);
    if (want.dtype !== undefined && want.dtype !== out.dtype) {
      if (!isDType(want.dtype)) throw new DTypeError('to', 'the dtype must be known', show(want.dtype), '');
      out = wrap(ops.cast(out.node(), want.dtype));
    }
    if (want.device !== undefined && want.device !== out.device) out = moved(out, want.device);
    return out;
  }
  /** As float32. */
  float(): Tensor {
    return this.to('float32');
  }
  /** As float64. */
  double(): Tensor {
    return this.to('float64');
  }
  /** As float16. */
  half(): Tensor {
    return this.to('float16');
  }
  /** As bfloat16. */
  bfloat16(): Tensor {
    return this.to('bfloat16');
  }
  /** As int32. */
  int(): Tensor {
    return this.to('int32');
  }
  /** As int64. */
  long(): Tensor {
    return this.to('int64');
  }
  /** As bool: true unless 0. */
  bool(): Tensor {
    return this.to('bool');
  }
  /** A copy with memory of its own; gradients flow through it. */
  clone(): Tensor {
    return wrap(ops.alias(this.node()));
  }
  /** The tensor: there are no strides to straighten. */
  contiguous(): Tensor {
    return me(this);
  }
}

function scaled(x: TensorLike, alpha: number | undefined): TensorLike {
  if (alpha === undefined || alpha === 1) return x;
  if (isTensor(x)) return x.mul(alpha);
  if (typeof x === 'number') return x * alpha;
  throw new ValueError('add', 'alpha scales a tensor or a number', show(x), '');
}
function noBool(op: string, dtype: DType, other: TensorLike): void {
  if (dtype === 'bool' && (typeof other === 'boolean' || (isTensor(other) && other.dtype === 'bool'))) {
    throw new DTypeError(
      op,
      'bools cannot be subtracted',
      'bool and bool',
      'use logicalXor, or convert with .to(dtype)',
    );
  }
}
export function boolNode(op: string, t: Tensor): Node {
  if (t.dtype !== 'bool')
    throw new DTypeError(op, 'the condition must be bool', t.dtype, 'compare first, as in x.gt(0)');
  return t.node();
}
/** Powers that are cheaper and more exact as products and roots. */
function simplePower(x: Tensor, p: TensorLike): Tensor | null {
  if (typeof p !== 'number') return null;
  if (p === 1) return x.clone();
  if (p === 2) return x.square();
  if (p === 3) return x.square().mul(x);
  if (!isFloat(x.dtype)) return null;
  if (p === 0.5) return x.sqrt();
  if (p === -1) return x.reciprocal();
  if (p === -0.5) return x.rsqrt();
  if (p === -2) return x.square().reciprocal();
  return p === 4 ? x.square().square() : null;
}
/** A copy on another device. */
function moved(x: Tensor, device: string): Tensor {
  if (recording.now !== null) recording.now.refuse('.to(device)');
  const to = getDevice(device);
  x.realize();
  const n = ops.dataNode(x.shape, x.dtype, device);
  n.value = to.upload(getDevice(x.device).download(x.node().value!));
  const out = wrap(n);
  if (gradMode.enabled && x.requiresGrad) return out.requiresGrad_();
  return out;
}

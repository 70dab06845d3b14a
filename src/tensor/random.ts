// Random tensors. Numbers are counter-based: the same for a seed on every device and any number of threads.

import { isFloat } from '../base/dtype.ts';
import { DTypeError, ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { Generator } from '../base/rng.ts';
import { checkSizes, type Shape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { deviceFor } from '../runtime/devices.ts';
import { checkDType, finish, type TensorOptions } from './create.ts';
import { randomKey } from './host.ts';
import { isTensor, type TensorLike } from './operand.ts';
import { recording } from './record.ts';
import type { Tensor } from './tensor.ts';

export interface RandomOptions extends TensorOptions {
  /** Draws from this stream instead of the default one. */
  readonly generator?: Generator;
}

/** The stream behind every draw that names no other. */
export const defaultGenerator = new Generator(Date.now() % 2147483647);
/** Restarts the default stream: everything drawn after it repeats. */
export function manualSeed(seed: number): Generator {
  if (!Number.isSafeInteger(seed))
    throw new ValueError('manualSeed', 'the seed must be an integer', show(seed), '');
  return defaultGenerator.manualSeed(seed);
}

const sizes = (op: string, shape: number | readonly number[]): Shape =>
  checkSizes(op, typeof shape === 'number' ? [shape] : shape);
function draw(shape: Shape, kind: 'uniform' | 'normal' | 'bits', o: RandomOptions): Node {
  const device = deviceFor(o.device);
  const [k0, k1] = randomKey(o.generator ?? defaultGenerator, device);
  return ops.random(k0, k1, shape, kind);
}
function floats(
  op: string,
  shape: number | readonly number[],
  kind: 'uniform' | 'normal',
  o: RandomOptions,
): Tensor {
  const dtype = checkDType(op, o.dtype, 'float32');
  if (!isFloat(dtype))
    throw new DTypeError(op, 'it gives a floating dtype', dtype, 'use randint for integers');
  return finish(ops.cast(draw(sizes(op, shape), kind, o), dtype), o);
}

/**
 * Uniform in [0, 1), in steps of 2⁻²⁴. float32 unless a floating dtype is given; `generator` draws from another
 * stream.
 */
export const rand = (shape: number | readonly number[], options: RandomOptions = {}): Tensor =>
  floats('rand', shape, 'uniform', options);
/** Standard normal: mean 0, standard deviation 1. float32 unless a floating dtype is given. */
export const randn = (shape: number | readonly number[], options: RandomOptions = {}): Tensor =>
  floats('randn', shape, 'normal', options);
/** Uniform in [0, 1), with the shape, dtype and device of x. */
export const randLike = (x: Tensor, options: RandomOptions = {}): Tensor =>
  rand(x.shape, { dtype: x.dtype, device: x.device, ...options });
/** Standard normal, with the shape, dtype and device of x. */
export const randnLike = (x: Tensor, options: RandomOptions = {}): Tensor =>
  randn(x.shape, { dtype: x.dtype, device: x.device, ...options });
/**
 * Integers in [low, high), all equally likely; int64 unless a dtype is given. Bounds that are no integers, or high ≤
 * low, are an error.
 */
export function randint(
  low: number,
  high: number,
  shape: number | readonly number[],
  options: RandomOptions = {},
): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || high <= low || high - low > 2 ** 31) {
    throw new ValueError(
      'randint',
      'low must be below high, both integers, at most 2^31 apart',
      `${low} and ${high}`,
      '',
    );
  }
  const bits = draw(sizes('randint', shape), 'bits', options);
  const k = (v: number): Node => ops.constLike(bits, v);
  // 31 random bits modulo the span: the bias is below span / 2^31.
  const span = high - low;
  const inRange = span === 2 ** 31 ? bits : ops.remainder(bits, k(span));
  const dtype = checkDType('randint', options.dtype, 'int64');
  const wide = ops.cast(inRange, dtype);
  return finish(low === 0 ? wide : ops.add(wide, ops.constLike(wide, low)), options);
}
/** Uniform in [low, high). */
export function uniform(
  low: number,
  high: number,
  shape: number | readonly number[],
  options: RandomOptions = {},
): Tensor {
  const { requiresGrad, ...rest } = options;
  const t = rand(shape, rest)
    .mul(high - low)
    .add(low);
  return requiresGrad ? t.realize().requiresGrad_() : t;
}
/** Normal with mean and standard deviation; either may be a tensor. */
export function normal(
  mean: TensorLike,
  std: TensorLike,
  shape?: number | readonly number[],
  options: RandomOptions = {},
): Tensor {
  const { requiresGrad, ...rest } = options;
  const model = isTensor(mean) ? (isTensor(std) ? mean.add(std.mul(0)) : mean) : isTensor(std) ? std : null;
  if (model === null && shape === undefined)
    throw new ShapeError('normal', 'with numbers for mean and std the shape is needed', 'none', '');
  if (typeof std === 'number' && std < 0) throw new ValueError('normal', 'std must be >= 0', String(std), '');
  const t = randn(shape ?? model!.shape, rest)
    .mul(std)
    .add(mean);
  return requiresGrad ? t.realize().requiresGrad_() : t;
}
/** 1 with probability p, else 0, elementwise. */
export function bernoulli(p: Tensor, options: RandomOptions = {}): Tensor {
  return rand(p.shape, { device: p.device, ...options })
    .lt(p)
    .to(p.dtype);
}
/** 0 … n−1 in random order, every order equally likely. Shape (n), int64. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  checkSizes('randperm', [n]);
  return rand(n, options)
    .argsort(0)
    .to(checkDType('randperm', options.dtype, 'int64'));
}
/**
 * Indices drawn with the (unnormalised) probabilities of each row: (count) or (rows, count), int64.
 * Without replacement by the exponential race: the k smallest of −ln u / p.
 */
export function multinomial(
  p: Tensor,
  count: number,
  options: { replacement?: boolean; generator?: Generator } = {},
): Tensor {
  const { replacement = false, generator } = options;
  if (p.ndim < 1 || p.ndim > 2)
    throw new ShapeError(
      'multinomial',
      'probabilities are a vector or rows of a matrix',
      showShape(p.shape),
      '',
    );
  if (!isFloat(p.dtype))
    throw new DTypeError(
      'multinomial',
      'probabilities must be floating',
      p.dtype,
      "convert with .to('float32')",
    );
  const n = p.shape[p.ndim - 1]!;
  if (recording.now === null) {
    const d = p.dataSync() as Float32Array;
    for (let r = 0; r < p.numel / Math.max(n, 1); r++) {
      const row = d.subarray(r * n, (r + 1) * n);
      const positive = row.reduce((k, v) => k + (v > 0 ? 1 : 0), 0);
      if (row.some(v => !(v >= 0) || v === Number.POSITIVE_INFINITY) || positive === 0) {
        throw new ValueError(
          'multinomial',
          'probabilities must be finite, >= 0 and not all 0',
          `row ${r}`,
          '',
        );
      }
      if (!replacement && positive < count) {
        throw new ValueError(
          'multinomial',
          'without replacement there must be as many positive probabilities as draws',
          `${positive} for ${count}`,
          'pass {replacement: true}',
        );
      }
    }
  }
  const o: RandomOptions = { device: p.device, ...(generator ? { generator } : {}) };
  if (!replacement) {
    const race = rand(p.shape, o).rsub(1).log().neg().div(p);
    return race.topk(count, { dim: -1, largest: false }).indices;
  }
  // Inverse of the cumulative distribution: how many partial sums lie at or below u · total.
  const sums = p.cumsum(-1);
  const total = sums.narrow(-1, n - 1, 1);
  const u = rand([...p.shape.slice(0, -1), count], o).mul(total);
  return sums
    .unsqueeze(-2)
    .le(u.unsqueeze(-1))
    .sum(-1)
    .clamp(0, n - 1);
}

export { Generator };

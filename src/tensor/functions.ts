// Methods as functions, where PyTorch users write functions: torch.exp(x), torch.add(x, y), torch.where(c, x, y).

import { sameShape } from '../base/shape.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { wrap } from './core.ts';
import { boolNode } from './elementwise.ts';
import { binaryOp, isTensor, promoted, type TensorLike } from './operand.ts';
import type { ValuesIndices } from './reduce.ts';
import type { Tensor } from './tensor.ts';

type Unary = { [K in keyof Tensor]: Tensor[K] extends () => Tensor ? K : never }[keyof Tensor];
const unary =
  (name: Unary) =>
  (x: Tensor): Tensor =>
    x[name]();

export const abs = unary('abs');
export const ceil = unary('ceil');
export const cos = unary('cos');
export const erf = unary('erf');
export const exp = unary('exp');
export const expm1 = unary('expm1');
export const floor = unary('floor');
export const isfinite = unary('isfinite');
export const isinf = unary('isinf');
export const isnan = unary('isnan');
export const log = unary('log');
export const log10 = unary('log10');
export const log1p = unary('log1p');
export const log2 = unary('log2');
export const neg = unary('neg');
export const reciprocal = unary('reciprocal');
export const relu = unary('relu');
export const rsqrt = unary('rsqrt');
export const sigmoid = unary('sigmoid');
export const sign = unary('sign');
export const sin = unary('sin');
export const sqrt = unary('sqrt');
export const square = unary('square');
export const tan = unary('tan');
export const tanh = unary('tanh');

type Method = {
  [K in keyof Tensor]: Tensor[K] extends (...args: never[]) => unknown ? K : never;
}[keyof Tensor];
type Call<N extends Method> = Tensor[N] extends (...args: infer A extends readonly unknown[]) => infer R
  ? (x: Tensor, ...args: A) => R
  : never;
const method = <N extends Method>(name: N): Call<N> =>
  ((x: Tensor, ...args: unknown[]) => (x[name] as (...a: unknown[]) => unknown)(...args)) as Call<N>;

export const all = method('all');
export const any = method('any');
export const argmax = method('argmax');
export const argmin = method('argmin');
export const argsort = method('argsort');
export const bmm = method('bmm');
export const chunk = method('chunk');
export const clamp = method('clamp');
export const cross = method('cross');
export const cumprod = method('cumprod');
export const cumsum = method('cumsum');
export const diag = method('diag');
export const dot = method('dot');
export const flatten = method('flatten');
export const flip = method('flip');
export const gather = method('gather');
export const inner = method('inner');
export const isclose = method('isclose');
export const kron = method('kron');
export const lerp = method('lerp');
export const logsumexp = method('logsumexp');
export const matmul = method('matmul');
export const mean = method('mean');
export const mm = method('mm');
export const mv = method('mv');
export const norm = method('norm');
export const outer = method('outer');
export const permute = method('permute');
export const prod = method('prod');
export const repeatInterleave = method('repeatInterleave');
export const reshape = method('reshape');
export const roll = method('roll');
export const sort = method('sort');
export const split = method('split');
export const squeeze = method('squeeze');
export const std = method('std');
export const sum = method('sum');
export const tile = method('tile');
export const topk = method('topk');
export const transpose = method('transpose');
export const tril = method('tril');
export const triu = method('triu');
export const unbind = method('unbind');
export const unsqueeze = method('unsqueeze');
export const xlogy = method('xlogy');

/** The largest value: of all, along a dim (with positions), or of two tensors. */
export function max(x: Tensor): Tensor;
export function max(x: Tensor, other: Tensor): Tensor;
export function max(x: Tensor, dim: number, options?: { keepdim?: boolean }): ValuesIndices;
export function max(
  x: Tensor,
  by?: Tensor | number,
  options?: { keepdim?: boolean },
): Tensor | ValuesIndices {
  if (by === undefined) return x.max();
  return isTensor(by) ? x.maximum(by) : x.max(by, options);
}
/** The smallest value: of all, along a dim (with positions), or of two tensors. */
export function min(x: Tensor): Tensor;
export function min(x: Tensor, other: Tensor): Tensor;
export function min(x: Tensor, dim: number, options?: { keepdim?: boolean }): ValuesIndices;
export function min(
  x: Tensor,
  by?: Tensor | number,
  options?: { keepdim?: boolean },
): Tensor | ValuesIndices {
  if (by === undefined) return x.min();
  return isTensor(by) ? x.minimum(by) : x.min(by, options);
}

// Either operand may be a number.

/** x + alpha · y */
export const add = (x: TensorLike, y: TensorLike, options: { alpha?: number } = {}): Tensor =>
  isTensor(x) ? x.add(y, options) : binaryOp(ops.add, x, scaled(y, options.alpha));
/** x − alpha · y */
export const sub = (x: TensorLike, y: TensorLike, options: { alpha?: number } = {}): Tensor =>
  isTensor(x) ? x.sub(y, options) : binaryOp(ops.sub, x, scaled(y, options.alpha));
/** x · y */
export const mul = (x: TensorLike, y: TensorLike): Tensor =>
  isTensor(x) ? x.mul(y) : binaryOp(ops.mul, x, y);
/** x / y; `rounding` 'floor' or 'trunc' rounds the quotient. */
export function div(x: TensorLike, y: TensorLike, options: { rounding?: 'floor' | 'trunc' } = {}): Tensor {
  if (isTensor(x)) return x.div(y, options);
  if (options.rounding === 'floor') return binaryOp(ops.floorDiv, x, y);
  if (options.rounding === 'trunc') return binaryOp(ops.truncDiv, x, y);
  return binaryOp(ops.div, x, y, true);
}
/** x to the power of y. */
export const pow = (x: TensorLike, y: TensorLike): Tensor =>
  isTensor(x) ? x.pow(y) : binaryOp(ops.pow, x, y);
/** The larger of two, elementwise; NaN wins. */
export const maximum = (x: TensorLike, y: TensorLike): Tensor => binaryOp(ops.maximum, x, y);
/** The smaller of two, elementwise; NaN wins. */
export const minimum = (x: TensorLike, y: TensorLike): Tensor => binaryOp(ops.minimum, x, y);
/** x where the condition (bool) holds, else y; all three broadcast, and either may be a number. */
export function where(condition: Tensor, x: TensorLike, y: TensorLike): Tensor {
  const [a, b] = promoted('where', [x, y]);
  return wrap(ops.where(boolNode('where', condition), a!, b!));
}
const scaled = (y: TensorLike, alpha = 1): TensorLike => {
  if (alpha === 1) return y;
  return isTensor(y) ? y.mul(alpha) : Number(y) * alpha;
};

/** Whether two tensors have one shape and equal elements. Reads the data. */
export const equal = (x: Tensor, y: Tensor): boolean =>
  sameShape(x.shape, y.shape) && Boolean(x.eq(y).all().itemSync());
/** Whether all elements are close: |x − y| ≤ atol + rtol · |y|. Reads the data. */
export const allclose = (
  x: Tensor,
  y: Tensor,
  options: { rtol?: number; atol?: number; equalNan?: boolean } = {},
): boolean => Boolean(x.isclose(y, options).all().itemSync());

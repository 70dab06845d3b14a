// Reductions, statistics and running reductions.
// In: dims as users write them, keepdim. Out: tensors. Not its job: sorting (sort.ts).

import { type DType, isFloat } from '../base/dtype.ts';
import { ShapeError, showShape, ValueError } from '../base/errors.ts';
import { along, normalizeDim, normalizeDims, otherDims } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import * as ops from '../ir/ops/elementwise.ts';
import * as fused from '../ir/ops/fused.ts';
import { take } from '../ir/ops/index.ts';
import { reshape } from '../ir/ops/movement.ts';
import * as red from '../ir/ops/reduce.ts';
import { wrap } from './core.ts';
import { InplaceTensor } from './inplace.ts';
import { floatNode } from './operand.ts';
import type { Tensor } from './tensor.ts';

export type Dims = number | readonly number[];
export interface ReduceOptions {
  /** Keep reduced dims with size 1. Default false. */
  readonly keepdim?: boolean;
  /** Convert first. Sums and products of integers and bools are int64 by default. */
  readonly dtype?: DType;
}
export interface ValuesIndices {
  readonly values: Tensor;
  readonly indices: Tensor;
}

const me = (t: unknown): Tensor => t as Tensor;

export class ReduceTensor extends InplaceTensor {
  private dimsOf(op: string, dim: Dims | null | undefined): number[] {
    return normalizeDims(op, dim ?? undefined, this.ndim);
  }
  private summed(dtype: DType | undefined): Node {
    const x = this.node();
    if (dtype !== undefined) return ops.cast(x, dtype);
    return isFloat(x.dtype) ? x : ops.cast(x, 'int64');
  }

  /**
   * Σ x over dims: all of them unless `dim` names one or several; `keepdim` leaves them with size 1. Integers and
   * bools are summed as int64 unless a dtype is given.
   */
  sum(dim?: Dims | null, options: ReduceOptions = {}): Tensor {
    return wrap(red.sum(this.summed(options.dtype), this.dimsOf('sum', dim), options.keepdim ?? false));
  }
  /** Σ x over dims, NaN counted as 0. */
  nansum(dim?: Dims | null, options: ReduceOptions = {}): Tensor {
    const x = this.node();
    return wrap(ops.where(ops.ne(x, x), ops.constLike(x, 0), x)).sum(dim, options);
  }
  /** The mean of the elements that are not NaN. */
  nanmean(dim?: Dims | null, options: ReduceOptions = {}): Tensor {
    const x = this.node();
    return this.nansum(dim, options).div(
      wrap(ops.cast(ops.eq(x, x), 'int64')).sum(dim, { keepdim: options.keepdim ?? false }),
    );
  }
  /** Π x over dims: all of them unless `dim` names some; `keepdim` leaves them with size 1. */
  prod(dim?: Dims | null, options: ReduceOptions = {}): Tensor {
    return wrap(red.prod(this.summed(options.dtype), this.dimsOf('prod', dim), options.keepdim ?? false));
  }
  /**
   * (1/n) Σ x over dims: all of them unless `dim` names some; `keepdim` leaves them with size 1. Integers are an
   * error: convert first, or give a dtype.
   */
  mean(dim?: Dims | null, options: ReduceOptions = {}): Tensor {
    const x = options.dtype === undefined ? this.node() : ops.cast(this.node(), options.dtype);
    needsFloat('mean', x.dtype);
    return wrap(red.mean(x, this.dimsOf('mean', dim), options.keepdim ?? false));
  }
  /**
   * Σ(x − mean)² / (n − correction) over dims. Default correction 1, the variance of a sample; 0 is that of a
   * population.
   */
  var(dim?: Dims | null, options: { correction?: number; keepdim?: boolean } = {}): Tensor {
    const { correction = 1, keepdim = false } = options;
    const x = this.node();
    needsFloat('var', x.dtype);
    const dims = this.dimsOf('var', dim);
    const d = ops.sub(x, red.mean(x, dims, true));
    const count = Math.max(0, red.countOf(x, dims) - correction);
    return wrap(ops.div(red.sum(ops.square(d), dims, keepdim), ops.constLike(x, count)));
  }
  /** The root of `var`, with its options; the gradient is 0 where all values are equal. */
  std(dim?: Dims | null, options: { correction?: number; keepdim?: boolean } = {}): Tensor {
    const v = this.var(dim, options).node();
    return wrap(root(v, x => ops.sqrt(x)));
  }
  /** [variance, mean] */
  varMean(dim?: Dims | null, options: { correction?: number; keepdim?: boolean } = {}): [Tensor, Tensor] {
    return [this.var(dim, options), this.mean(dim, options)];
  }
  /** [standard deviation, mean] */
  stdMean(dim?: Dims | null, options: { correction?: number; keepdim?: boolean } = {}): [Tensor, Tensor] {
    return [this.std(dim, options), this.mean(dim, options)];
  }

  /** The largest value over dims; equal ones share the gradient. */
  amax(dim?: Dims | null, options: { keepdim?: boolean } = {}): Tensor {
    return wrap(red.amax(this.node(), this.dimsOf('amax', dim), options.keepdim ?? false));
  }
  /** The smallest value over dims; equal ones share the gradient. */
  amin(dim?: Dims | null, options: { keepdim?: boolean } = {}): Tensor {
    return wrap(red.amin(this.node(), this.dimsOf('amin', dim), options.keepdim ?? false));
  }
  /** Both ends at once: { min, max }. */
  aminmax(options: { dim?: number; keepdim?: boolean } = {}): { min: Tensor; max: Tensor } {
    return { min: this.amin(options.dim, options), max: this.amax(options.dim, options) };
  }
  /** Over everything: the largest value. Over one dim: values and their positions; the gradient goes to the position. */
  max(): Tensor;
  max(dim: number, options?: { keepdim?: boolean }): ValuesIndices;
  max(dim?: number, options: { keepdim?: boolean } = {}): Tensor | ValuesIndices {
    if (dim === undefined) return this.amax();
    return this.pick('max', red.argmax, dim, options.keepdim ?? false);
  }
  /** Over everything: the smallest value. Over one dim: values and their positions; the gradient goes to the position. */
  min(): Tensor;
  min(dim: number, options?: { keepdim?: boolean }): ValuesIndices;
  min(dim?: number, options: { keepdim?: boolean } = {}): Tensor | ValuesIndices {
    if (dim === undefined) return this.amin();
    return this.pick('min', red.argmin, dim, options.keepdim ?? false);
  }
  private pick(op: string, arg: typeof red.argmax, dim: number, keepdim: boolean): ValuesIndices {
    const d = normalizeDim(op, dim, this.ndim);
    if (this.ndim === 0)
      return { values: me(this).clone(), indices: wrap(ops.constant(0, 'int64', this.device)) };
    const indices = wrap(arg(this.node(), [d], true));
    const values = gatherNode(this.node(), d, indices.node());
    const flat = (t: Tensor): Tensor => (keepdim ? t : t.squeeze(d));
    return { values: flat(wrap(values)), indices: flat(indices) };
  }
  /** The position of the largest value: along a dim, or in row-major order over all. */
  argmax(dim?: number | null, options: { keepdim?: boolean } = {}): Tensor {
    return this.position('argmax', red.argmax, dim, options.keepdim ?? false);
  }
  /** The position of the smallest value: along a dim, or in row-major order over all. */
  argmin(dim?: number | null, options: { keepdim?: boolean } = {}): Tensor {
    return this.position('argmin', red.argmin, dim, options.keepdim ?? false);
  }
  private position(
    op: string,
    arg: typeof red.argmax,
    dim: number | null | undefined,
    keepdim: boolean,
  ): Tensor {
    if (this.numel === 0 && dim == null)
      throw new ValueError(op, 'the tensor needs at least one element', showShape(this.shape), '');
    if (dim != null && this.ndim > 0)
      return wrap(arg(this.node(), [normalizeDim(op, dim, this.ndim)], keepdim));
    const flat = reshape(this.node(), [this.numel]);
    const at = arg(flat, [0], false);
    return wrap(
      keepdim
        ? reshape(
            at,
            this.shape.map(() => 1),
          )
        : at,
    );
  }
  /** Whether all elements hold (are not zero). */
  all(dim?: Dims | null, options: { keepdim?: boolean } = {}): Tensor {
    return wrap(red.all(ops.cast(this.node(), 'bool'), this.dimsOf('all', dim), options.keepdim ?? false));
  }
  /** Whether at least one element holds (is not zero). */
  any(dim?: Dims | null, options: { keepdim?: boolean } = {}): Tensor {
    return wrap(red.any(ops.cast(this.node(), 'bool'), this.dimsOf('any', dim), options.keepdim ?? false));
  }
  /** How many elements are not zero. */
  countNonzero(dim?: Dims | null): Tensor {
    return wrap(ops.cast(this.node(), 'bool')).sum(dim);
  }
  /** ln Σ eˣ over dims, without overflow. */
  logsumexp(dim: Dims, options: { keepdim?: boolean } = {}): Tensor {
    return wrap(red.logsumexp(floatNode(me(this)), this.dimsOf('logsumexp', dim), options.keepdim ?? false));
  }
  /** Slices along a dim whose p-norm exceeds `maxNorm` scaled down to it. */
  renorm(p: number, dim: number, maxNorm: number): Tensor {
    const d = normalizeDim('renorm', dim, this.ndim);
    const size = this.norm(p, otherDims(this.ndim, d), { keepdim: true });
    return size.add(1e-7).reciprocal().mul(maxNorm).where(size.gt(maxNorm), 1).mul(wrap(this.node()));
  }
  /**
   * The p-norm (Σ|x|ᵖ)^{1/p} over dims: p = 2 by default; Infinity, -Infinity, 0 and 'fro' as in PyTorch.
   * At a zero vector the gradient is 0.
   */
  norm(p: number | 'fro' = 2, dim?: Dims | null, options: { keepdim?: boolean } = {}): Tensor {
    const x = this.node();
    needsFloat('norm', x.dtype);
    const dims = this.dimsOf('norm', dim);
    const keep = options.keepdim ?? false;
    const order = p === 'fro' ? 2 : p;
    if (order === Number.POSITIVE_INFINITY) return wrap(red.amax(ops.abs(x), dims, keep));
    if (order === Number.NEGATIVE_INFINITY) return wrap(red.amin(ops.abs(x), dims, keep));
    if (order === 0) return wrap(red.sum(ops.cast(ops.ne(x, ops.constLike(x, 0)), x.dtype), dims, keep));
    if (order === 1) return wrap(red.sum(ops.abs(x), dims, keep));
    const powers = order === 2 ? ops.square(x) : wrap(ops.abs(x)).pow(order).node();
    const total = red.sum(powers, dims, keep);
    return wrap(
      root(total, x =>
        order === 2
          ? ops.sqrt(x)
          : wrap(x)
              .pow(1 / order)
              .node(),
      ),
    );
  }

  /** eˣ / Σ eˣ along a dim: numbers in (0, 1) of sum 1. The largest x is taken out first, so nothing overflows. */
  softmax(dim: number, options: { dtype?: DType } = {}): Tensor {
    const x = options.dtype === undefined ? this.node() : ops.cast(this.node(), options.dtype);
    needsFloat('softmax', x.dtype);
    if (x.shape.length === 0) return wrap(ops.exp(ops.sub(x, x)));
    return wrap(fused.softmax(x, normalizeDim('softmax', dim, this.ndim)));
  }
  /** ln softmax(x) = x − ln Σ eˣ along a dim, without overflow. */
  logSoftmax(dim: number, options: { dtype?: DType } = {}): Tensor {
    const x = options.dtype === undefined ? this.node() : ops.cast(this.node(), options.dtype);
    needsFloat('logSoftmax', x.dtype);
    if (x.shape.length === 0) return wrap(ops.sub(x, x));
    return wrap(fused.logSoftmax(x, normalizeDim('logSoftmax', dim, this.ndim)));
  }

  private scan(op: string, f: (x: Node, dim: number) => Node, x: Node, dim: number): Tensor {
    const d = normalizeDim(op, dim, this.ndim);
    if (this.ndim === 0) return wrap(reshape(f(reshape(x, [1]), 0), []));
    return wrap(f(x, d));
  }
  /** Running sum along a dim. */
  cumsum(dim: number, options: { dtype?: DType } = {}): Tensor {
    return this.scan('cumsum', red.cumsum, this.summed(options.dtype), dim);
  }
  /** Running product along a dim. */
  cumprod(dim: number, options: { dtype?: DType } = {}): Tensor {
    return this.scan('cumprod', red.cumprod, this.summed(options.dtype), dim);
  }
  /** ln of the running sum of eˣ along a dim, without overflow. */
  logcumsumexp(dim: number): Tensor {
    return this.scan('logcumsumexp', red.logcumsumexp, floatNode(me(this)), dim);
  }
  /** Running maximum along a dim and where it was reached. */
  cummax(dim: number): ValuesIndices {
    return this.running('cummax', red.cummaxIndices, dim);
  }
  /** Running minimum along a dim and where it was reached. */
  cummin(dim: number): ValuesIndices {
    return this.running('cummin', red.cumminIndices, dim);
  }
  private running(op: string, f: (x: Node, dim: number) => Node, dim: number): ValuesIndices {
    const d = normalizeDim(op, dim, this.ndim);
    if (this.ndim === 0)
      return { values: me(this).clone(), indices: wrap(ops.constant(0, 'int64', this.device)) };
    const indices = f(this.node(), d);
    return { values: wrap(gatherNode(this.node(), d, indices)), indices: wrap(indices) };
  }
  /** Differences of neighbours along a dim, n times. */
  diff(options: { n?: number; dim?: number } = {}): Tensor {
    const { n = 1, dim = -1 } = options;
    const d = normalizeDim('diff', dim, this.ndim);
    if (this.ndim === 0) throw new ShapeError('diff', 'the tensor needs at least one dim', '()', '');
    let x = me(this);
    for (let i = 0; i < n && x.shape[d]! > 0; i++) {
      const size = x.shape[d]!;
      const a = x.narrow(d, 1, size - 1);
      const b = x.narrow(d, 0, size - 1);
      x = x.dtype === 'bool' ? a.logicalXor(b) : a.sub(b);
    }
    return x;
  }
  /** The sum of the main diagonal of a matrix. */
  trace(): Tensor {
    if (this.ndim !== 2) throw new ShapeError('trace', 'it takes a matrix', showShape(this.shape), '');
    return me(this).diagonal().sum();
  }
}

/** √0 has no derivative: 0 passes by as 1, so that its gradient is 0 and not NaN. */
function root(x: Node, f: (x: Node) => Node): Node {
  const zero = ops.eq(x, ops.constLike(x, 0));
  return ops.where(zero, ops.constLike(x, 0), f(ops.where(zero, ops.constLike(x, 1), x)));
}

/** x's elements along one dim at the given positions (PyTorch's gather): positions of the other dims are their own. */
export function gatherNode(x: Node, dim: number, index: Node): Node {
  const rank = x.shape.length;
  const at = x.shape.map((_, d) => (d === dim ? index : places(index, d, rank)));
  return take(x, at, otherDims(rank));
}
/** 0, 1, 2, … along one dim of an index tensor, as an index tensor that broadcasts. */
export function places(index: Node, dim: number, rank: number): Node {
  const n = index.shape[dim]!;
  return reshape(ops.iota([n], 'int64', index.device), along(rank, dim, n));
}
export function needsFloat(op: string, d: DType): void {
  if (!isFloat(d))
    throw new ValueError(op, 'it takes a floating dtype', d, "convert with .to('float32') or pass {dtype}");
}

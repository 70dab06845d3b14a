// Sorting, order statistics, counting and searching.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { along, normalizeDim } from '../base/shape.ts';
import { argsort } from '../ir/ops/sort.ts';
import { wrap } from './core.ts';
import { arange, hostData } from './create.ts';
import { IndexTensor } from './indexing.ts';
import { cat, stack } from './movement.ts';
import { recording } from './record.ts';
import type { ValuesIndices } from './reduce.ts';
import type { Tensor } from './tensor.ts';

const me = (t: unknown): Tensor => t as Tensor;

export interface QuantileOptions {
  readonly keepdim?: boolean;
  /** Default 'linear'. */
  readonly interpolation?: keyof typeof SHARE;
}
/** How much of its upper neighbour the value at a position takes. */
const SHARE = {
  linear: (at: number): number => at % 1,
  lower: (): number => 0,
  higher: (): number => 1,
  midpoint: (): number => 0.5,
  // Half rounds to the even position.
  nearest: (at: number): number => (at % 1 === 0.5 ? Math.floor(at) % 2 : Math.round(at % 1)),
};

export class SortTensor extends IndexTensor {
  /** The positions that sort along a dim: int64, the last dim unless named. Stable; NaN counts as the largest. */
  argsort(dim = -1, options: { descending?: boolean } = {}): Tensor {
    const d = normalizeDim('argsort', dim, this.ndim);
    if (this.ndim === 0) return me(this).mul(0).to('int64');
    return wrap(argsort(this.node(), d, options.descending ?? false));
  }
  /**
   * { values, indices }: values in order along a dim (the last unless named), and where they came from. Stable.
   */
  sort(dim = -1, options: { descending?: boolean } = {}): ValuesIndices {
    const indices = this.argsort(dim, options);
    return { values: this.ndim === 0 ? me(this).clone() : this.gather(dim, indices), indices };
  }
  /**
   * { values, indices }: the k largest values along a dim (the last unless named; the smallest with `largest:
   * false`), in order. Shape: the dim has size k. k beyond its size is an error.
   */
  topk(k: number, options: { dim?: number; largest?: boolean } = {}): ValuesIndices {
    const { dim = -1, largest = true } = options;
    const d = normalizeDim('topk', dim, this.ndim);
    const n = this.ndim === 0 ? 1 : this.shape[d]!;
    if (!Number.isInteger(k) || k < 0 || k > n) {
      throw new ValueError('topk', `k must be in 0 … ${n} for dim ${d}`, show(k), '');
    }
    if (this.ndim === 0) return this.sort();
    const indices = this.argsort(d, { descending: largest }).narrow(d, 0, k).contiguous();
    return { values: this.gather(d, indices), indices };
  }
  /** The k-th smallest value along a dim (k from 1), and its position. */
  kthvalue(k: number, dim = -1, options: { keepdim?: boolean } = {}): ValuesIndices {
    const d = normalizeDim('kthvalue', dim, this.ndim);
    const n = this.ndim === 0 ? 1 : this.shape[d]!;
    if (!Number.isInteger(k) || k < 1 || k > n)
      throw new ValueError('kthvalue', `k must be in 1 … ${n}`, show(k), '');
    if (this.ndim === 0) return this.sort();
    const indices = this.argsort(d).narrow(d, k - 1, 1);
    const values = this.gather(d, indices);
    const flat = (t: Tensor): Tensor => (options.keepdim ? t : t.squeeze(d));
    return { values: flat(values), indices: flat(indices) };
  }
  /** The middle value (the lower one of two): over all, or along a dim with its position. */
  median(): Tensor;
  median(dim: number, options?: { keepdim?: boolean }): ValuesIndices;
  median(dim?: number, options: { keepdim?: boolean } = {}): Tensor | ValuesIndices {
    const n = dim === undefined ? this.numel : this.shape[normalizeDim('median', dim, this.ndim)]!;
    if (n === 0) throw new ValueError('median', 'at least one element is needed', showShape(this.shape), '');
    const k = Math.floor((n - 1) / 2) + 1;
    if (dim === undefined) return evenly(me(this), this.flatten().kthvalue(k, 0).values);
    return this.kthvalue(k, dim, options);
  }
  /** The middle value (the lower one of two) of those that are not NaN: over all, or along a dim with its position. */
  nanmedian(): Tensor;
  nanmedian(dim: number, options?: { keepdim?: boolean }): ValuesIndices;
  nanmedian(dim?: number, options: { keepdim?: boolean } = {}): Tensor | ValuesIndices {
    if (dim === undefined) return this.flatten().nanmedian(0).values;
    const sorted = this.sort(dim);
    const there = me(this).eq(me(this)).sum(dim, { keepdim: true });
    return pick(sorted, there.sub(1).div(2, { rounding: 'floor' }).clamp(0), dim, options);
  }
  /** The most frequent value along a dim, the smallest where several are, and its last position. */
  mode(dim = -1, options: { keepdim?: boolean } = {}): ValuesIndices {
    const d = normalizeDim('mode', dim, this.ndim);
    if (this.ndim === 0) return this.sort();
    const sorted = this.sort(d);
    const n = this.shape[d]!;
    const place = arange(n, { device: this.device }).reshape(along(this.ndim, d, n));
    const { values } = sorted;
    // The first counts as a change or not: its place is 0.
    const before = cat([values.narrow(d, 0, 1), values.narrow(d, 0, n - 1)], d);
    const length = place.sub(values.ne(before).mul(place).cummax(d).values);
    return pick(sorted, length.argmax(d, { keepdim: true }), d, options);
  }
  /**
   * The value below which the share q of all elements lies (or along a dim): between the two at q · (n − 1) in order, as
   * `interpolation` says; a list of q gives a leading dim. NaN where there is a NaN.
   */
  quantile(q: number | readonly number[], dim?: number, options: QuantileOptions = {}): Tensor {
    if (typeof q !== 'number') return stack(q.map(v => this.quantile(v, dim, options)));
    if (dim === undefined) {
      const value = this.flatten().quantile(q, 0, { ...options, keepdim: false });
      return options.keepdim ? value.reshape(this.shape.map(() => 1)) : value;
    }
    const d = normalizeDim('quantile', dim, this.ndim);
    const n = this.shape[d]!;
    if (!(q >= 0 && q <= 1) || n === 0)
      throw new ValueError('quantile', 'q must be in 0 … 1, of at least one element', `${q} of ${n}`, '');
    const { values } = this.sort(d);
    const at = q * (n - 1);
    const one = (i: number): Tensor => values.narrow(d, i, 1);
    // NaN stands last in order.
    const last = one(n - 1);
    const between = one(Math.floor(at)).lerp(
      one(Math.ceil(at)),
      SHARE[options.interpolation ?? 'linear'](at),
    );
    const value = between.where(last.eq(last), Number.NaN);
    return options.keepdim ? value : value.squeeze(d);
  }
  /** Distinct values in order, with counts and where each element went if asked for. Reads the data. */
  unique(): Tensor;
  unique(options: { returnInverse?: boolean; returnCounts?: boolean; sorted?: boolean }): {
    values: Tensor;
    inverse: Tensor;
    counts: Tensor;
  };
  unique(options?: {
    returnInverse?: boolean;
    returnCounts?: boolean;
    sorted?: boolean;
  }): Tensor | { values: Tensor; inverse: Tensor; counts: Tensor } {
    if (recording.now !== null) recording.now.refuse('unique (its size depends on the data)');
    const d = Array.from(this.flatten().dataSync() as ArrayLike<number>);
    const values = [...new Set(d)].sort((a, b) => Number(a) - Number(b));
    const place = new Map(values.map((v, i) => [v, i]));
    const inverse = d.map(v => place.get(v)!);
    const counts = new Array<number>(values.length).fill(0);
    for (const i of inverse) counts[i]!++;
    const out = wrap(hostData(values, [values.length], this.dtype, this.device));
    if (options === undefined) return out;
    return {
      values: out,
      inverse: wrap(hostData(inverse, this.shape, 'int64', this.device)),
      counts: wrap(hostData(counts, [counts.length], 'int64', this.device)),
    };
  }
  /** How often each of 0, 1, 2, … occurs (or the sum of its weights). Reads the data. */
  bincount(options: { weights?: Tensor; minlength?: number } = {}): Tensor {
    if (recording.now !== null) recording.now.refuse('bincount (its size depends on the data)');
    if (this.ndim !== 1) throw new ShapeError('bincount', 'it takes a vector', showShape(this.shape), '');
    const d = Array.from(this.dataSync() as ArrayLike<number>, Number);
    if (d.some(v => v < 0 || !Number.isInteger(v)))
      throw new ValueError('bincount', 'values must be integers >= 0', 'others', '');
    const n = d.reduce((a, v) => Math.max(a, v + 1), options.minlength ?? 0);
    const zeros = wrap(
      hostData(new Array<number>(n).fill(0), [n], options.weights?.dtype ?? 'int64', this.device),
    );
    const index = this.long();
    return zeros.scatterAdd(0, index, options.weights ?? index.mul(0).add(1));
  }
  /** A histogram of `bins` equal cells from min to max (the range of the data where both are equal). */
  histc(bins = 100, min = 0, max = 0): Tensor {
    const d = Array.from(this.flatten().dataSync() as ArrayLike<number>, Number);
    let [lo, hi] = [min, max];
    if (lo === hi && d.length > 0) {
      lo = d.reduce((a, b) => Math.min(a, b));
      hi = d.reduce((a, b) => Math.max(a, b));
    }
    if (lo === hi) [lo, hi] = [lo - 1, hi + 1];
    const counts = new Array<number>(bins).fill(0);
    for (const v of d)
      if (v >= lo && v <= hi) counts[Math.min(bins - 1, Math.floor(((v - lo) / (hi - lo)) * bins))]!++;
    return wrap(hostData(counts, [bins], this.dtype, this.device));
  }
}

/** For each value the first position in a sorted row (or rows) at which it could stand; `right` takes the last. */
export function searchsorted(sorted: Tensor, values: Tensor, options: { right?: boolean } = {}): Tensor {
  const rows = sorted.ndim === 1 ? sorted.unsqueeze(0) : sorted.unsqueeze(-2);
  const v = values.unsqueeze(-1);
  // The position is how many elements lie below (or at) the value.
  const below = options.right ? rows.le(v) : rows.lt(v);
  return below.sum(-1);
}

/** For each value the interval between rising boundaries that it lies in; `right` puts a value on a boundary above it. */
export const bucketize = (values: Tensor, boundaries: Tensor, options: { right?: boolean } = {}): Tensor =>
  searchsorted(boundaries, values, options);
/** Whether each element is one of the test elements. Shape of x, bool. */
export const isin = (x: Tensor, test: Tensor): Tensor => x.unsqueeze(-1).eq(test.flatten()).any(-1);

/** The elements of a sorted tensor at a position along a dim. */
function pick(s: ValuesIndices, at: Tensor, dim: number, options: { keepdim?: boolean }): ValuesIndices {
  const [values, indices] = [s.values.gather(dim, at), s.indices.gather(dim, at)];
  return options.keepdim
    ? { values, indices }
    : { values: values.squeeze(dim), indices: indices.squeeze(dim) };
}
/** A value of x whose gradient all elements equal to it share. */
function evenly(x: Tensor, value: Tensor): Tensor {
  if (!x.requiresGrad) return value;
  const v = value.detach();
  const equal = x.detach().eq(v).logicalOr(x.detach().isnan().logicalAnd(v.isnan()));
  return x.maskedFill(equal.logicalNot(), Number.POSITIVE_INFINITY).amin();
}

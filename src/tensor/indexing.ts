// Indexing: at(…) with ranges, integers, new axes, integer tensors and masks, and assignment to the same places;
// gather, scatter and their kin.
// In: index lists. Out: views where PyTorch gives views, copies otherwise.

import type { DType } from '../base/dtype.ts';
import { isInt } from '../base/dtype.ts';
import { DTypeError, ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { broadcastShapes, normalizeDim, otherDims, resized, type Shape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { type ScatterMode, scatter, take } from '../ir/ops/index.ts';
import * as mv from '../ir/ops/movement.ts';
import { expand } from '../ir/ops/reduce.ts';
import { wrap } from './core.ts';
import { hostData } from './create.ts';
import { Scalar } from './host.ts';
import { MovementTensor } from './movement.ts';
import { isTensor, operandLike, type TensorLike } from './operand.ts';
import { recording } from './record.ts';
import { gatherNode, places } from './reduce.ts';
import type { Tensor } from './tensor.ts';

/** A range of positions, as Python's start:stop:step. */
export class Range {
  readonly start: number | null;
  readonly stop: number | null;
  readonly step: number;
  constructor(start: number | null, stop: number | null, step: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
}
/** `range(1, 4)`, `range(null, null, 2)`, `range(-3)`: positions for `at`; negative ones count from the end. */
export function range(start: number | null = null, stop: number | null = null, step = 1): Range {
  if (!Number.isInteger(step) || step === 0)
    throw new ValueError(
      'range',
      'the step must be an integer other than 0',
      show(step),
      'a negative step runs backwards',
    );
  return new Range(start, stop, step);
}

/** One entry of an index: a position, a range, null for a new dim, '...' for all dims in between, positions, or a mask. */
export type Index = number | Range | null | '...' | Tensor | readonly number[] | readonly boolean[];

const me = (t: unknown): Tensor => t as Tensor;

/** An index list taken apart: ranges and new dims first (a view), then index tensors on the view's dims. */
interface Plan {
  readonly ranges: { start: number; size: number; step: number }[];
  /** Shape of the view after dropping integer dims and adding new ones. */
  readonly shape: number[];
  /** Index tensors by dim of that view. */
  readonly advanced: { dim: number; index: Tensor }[];
}

export class IndexTensor extends MovementTensor {
  /**
   * Elements by index, as PyTorch's x[…]: `x.at(0)`, `x.at(range(1, 3), '...', -1)`, `x.at(null)`, `x.at(indices)`,
   * `x.at(mask)`. Ranges and integers give a view; tensors give a copy.
   */
  at(...index: readonly Index[]): Tensor {
    const p = plan(me(this), index);
    const base = this.sliceView(p.ranges).reshape(p.shape);
    if (p.advanced.length === 0) return base;
    const { dims, nodes, lead, place } = advanced(base, p);
    const taken = take(base.node(), nodes, dims);
    return wrap(toPlace(taken, lead, place));
  }
  /** Replaces the elements that `at` would give; the value broadcasts. In place. */
  set(index: Index | readonly Index[], value: TensorLike): Tensor {
    const list =
      Array.isArray(index) && !index.every(x => typeof x === 'number' || typeof x === 'boolean')
        ? (index as readonly Index[])
        : [index as Index];
    return this.setAt(list, value, 'set');
  }
  /** @internal */
  private setAt(list: readonly Index[], value: TensorLike, mode: ScatterMode): Tensor {
    const self = me(this);
    const mask = list.length === 1 ? onlyMask(list[0]!, this.shape) : null;
    if (mask !== null && mode === 'set' && !isTensor(value)) {
      const m = mv.reshape(mask.node(), [...mask.shape, ...Array<number>(this.ndim - mask.ndim).fill(1)]);
      return this._assign(ops.where(m, operandLike('set', self, value), this.node()), 'set');
    }
    const p = plan(self, list);
    const view = this.sliceView(p.ranges).reshape(p.shape);
    const v = operandLike('set', self, value);
    if (p.advanced.length === 0) {
      const fitted = stretched('set', v, view.shape);
      if (mode === 'set') view._assign(ops.alias(fitted), 'set');
      else view.add_(wrap(fitted));
      return self;
    }
    const { dims, nodes, lead, place } = advanced(view, p);
    const rest = view.shape.filter((_, d) => !dims.includes(d));
    const index = broadcastShapes(
      'set',
      nodes.map(n => n.shape),
    );
    const natural = [...rest.slice(0, place), ...index, ...rest.slice(place)];
    const full = stretched('set', v, natural);
    const order = [...index.map((_, i) => place + i), ...rest.map((_, i) => (i < place ? i : i + lead))];
    view._assign(scatter(view.node(), mv.permute(full, order), nodes, dims, mode), 'set');
    return self;
  }
  /** Adds to (or replaces) the elements at index tensors, one per leading dim; repeated positions add up with accumulate. */
  indexPut_(index: readonly Index[], value: Tensor, options: { accumulate?: boolean } = {}): Tensor {
    return this.setAt(index, value, options.accumulate ? 'add' : 'set');
  }

  /** out[i][j] = this[index[i][j]][j] along dim 0, and so for other dims; `index` may be smaller than this. */
  gather(dim: number, index: Tensor): Tensor {
    const d = normalizeDim('gather', dim, this.ndim);
    indexFits('gather', this.shape, index, d);
    if (this.ndim === 0) return me(this).clone();
    return wrap(gatherNode(this.node(), d, indexNode(index)));
  }
  /** Values at positions along a dim; index and tensor broadcast in the other dims. */
  takeAlongDim(index: Tensor, dim?: number): Tensor {
    if (dim === undefined) return this.flatten().gather(0, index.flatten());
    const d = normalizeDim('takeAlongDim', dim, this.ndim);
    const others = broadcastShapes('takeAlongDim', [resized(this.shape, d, 1), resized(index.shape, d, 1)]);
    const x = this.expand(resized(others, d, this.shape[d]!));
    const i = index.expand(resized(others, d, index.shape[d]!));
    return x.gather(d, i);
  }
  /** Whole slices along a dim, by a vector of positions. */
  indexSelect(dim: number, index: Tensor): Tensor {
    const d = normalizeDim('indexSelect', dim, this.ndim);
    if (index.ndim > 1)
      throw new ShapeError('indexSelect', 'the index must be a vector', showShape(index.shape), '');
    const i = index.ndim === 0 ? index.reshape(1) : index;
    if (this.ndim === 0) return me(this).reshape(1).indexSelect(0, i).squeeze(0);
    return wrap(toPlace(take(this.node(), [indexNode(i)], [d]), 1, d));
  }
  /** Elements by row-major position. */
  take(index: Tensor): Tensor {
    return wrap(take(this.flatten().node(), [indexNode(index)], [0]));
  }
  /** The elements where the mask holds, as a vector. Its size depends on the data: not inside compile. */
  maskedSelect(mask: Tensor): Tensor {
    const shape = broadcastShapes('maskedSelect', [this.shape, mask.shape]);
    return this.expand(shape)
      .flatten()
      .take(maskPositions('maskedSelect', mask.expand(shape)));
  }
  /** The positions of elements that are not zero: (count, ndim). */
  nonzero(): Tensor {
    const flat = maskPositions('nonzero', this.ne(0));
    if (this.ndim === 0) return flat.reshape([flat.numel, 0]);
    const columns: Tensor[] = [];
    let rest = flat;
    for (let d = this.ndim - 1; d >= 0; d--) {
      const n = Math.max(this.shape[d]!, 1);
      columns.unshift(rest.remainder(n).unsqueeze(1));
      rest = rest.floorDivide(n);
    }
    return wrap(
      mv.cat(
        columns.map(c => c.node()),
        1,
      ),
    );
  }

  private scattered(op: string, dim: number, index: Tensor, source: TensorLike, mode: ScatterMode): Node {
    const d = normalizeDim(op, dim, this.ndim);
    indexFits(op, isTensor(source) ? source.shape : index.shape, index, -1);
    indexFits(op, this.shape, index, d);
    const src = operandLike(op, me(this), source);
    const v = isTensor(source)
      ? mv.slice(src, { start: index.shape.map(() => 0), size: index.shape, step: index.shape.map(() => 1) })
      : expand(src, index.shape);
    const i = indexNode(index);
    const rank = this.ndim;
    const at = this.shape.map((_, k) => (k === d ? i : places(i, k, rank)));
    return scatter(this.node(), v, at, otherDims(rank), mode);
  }
  /** A copy with source written to positions along a dim; the last of equal positions wins. */
  scatter(
    dim: number,
    index: Tensor,
    source: TensorLike,
    options: { reduce?: 'add' | 'multiply' } = {},
  ): Tensor {
    return wrap(
      this.scattered(
        'scatter',
        dim,
        index,
        source,
        options.reduce === 'add' ? 'add' : options.reduce === 'multiply' ? 'mul' : 'set',
      ),
    );
  }
  /** A copy in which source is added at the positions of index along a dim: out[…index…] += source. */
  scatterAdd(dim: number, index: Tensor, source: Tensor): Tensor {
    return wrap(this.scattered('scatterAdd', dim, index, source, 'add'));
  }
  /** Folds source into positions along a dim: sum, prod, mean, amax or amin; with or without what was there. */
  scatterReduce(
    dim: number,
    index: Tensor,
    source: Tensor,
    reduce: 'sum' | 'prod' | 'mean' | 'amax' | 'amin',
    options: { includeSelf?: boolean } = {},
  ): Tensor {
    const { includeSelf = true } = options;
    const modes = { sum: 'add', mean: 'add', prod: 'mul', amax: 'max', amin: 'min' } as const;
    const mode = modes[reduce];
    if (mode === undefined)
      throw new ValueError('scatterReduce', 'reduce is sum, prod, mean, amax or amin', show(reduce), '');
    let base = me(this);
    if (!includeSelf) {
      // Positions that get something start from the neutral value.
      const start = { add: 0, mul: 1, max: Number.NEGATIVE_INFINITY, min: Number.POSITIVE_INFINITY }[mode];
      const touched = base.mul(0).detach().scatter(dim, index, 1).ne(0);
      base = base.maskedFill(
        touched,
        isInt(base.dtype) ? Math.max(-2147483648, Math.min(2147483647, start)) : start,
      );
    }
    const out = wrap((base as IndexTensor).scattered('scatterReduce', dim, index, source, mode));
    if (reduce !== 'mean') return out;
    const ones = source.mul(0).add(1).detach();
    const count = base
      .mul(0)
      .add(includeSelf ? 1 : 0)
      .detach()
      .scatterAdd(dim, index, ones)
      .clamp(1);
    return isInt(out.dtype) ? out.floorDivide(count) : out.div(count);
  }
  /** A copy with `alpha · source` added to whole slices along a dim. */
  indexAdd(dim: number, index: Tensor, source: Tensor, options: { alpha?: number } = {}): Tensor {
    const scaled = options.alpha === undefined ? source : source.mul(options.alpha);
    return wrap(this.slices('indexAdd', dim, index, scaled, 'add'));
  }
  /** A copy with whole slices along a dim replaced. */
  indexCopy(dim: number, index: Tensor, source: Tensor): Tensor {
    return wrap(this.slices('indexCopy', dim, index, source, 'set'));
  }
  /** A copy whose slices at the given positions of a dim are `value`. */
  indexFill(dim: number, index: Tensor, value: number): Tensor {
    const d = normalizeDim('indexFill', dim, this.ndim);
    const shape = resized(this.shape, d, index.numel);
    return wrap(
      this.slices(
        'indexFill',
        d,
        index,
        wrap(expand(operandLike('indexFill', me(this), value), shape)),
        'set',
      ),
    );
  }
  private slices(op: string, dim: number, index: Tensor, source: Tensor, mode: ScatterMode): Node {
    const d = normalizeDim(op, dim, this.ndim);
    const i = index.ndim === 0 ? index.reshape(1) : index;
    const want = resized(this.shape, d, i.numel);
    if (showShape(source.shape) !== showShape(want)) {
      throw new ShapeError(op, `the source must have shape ${showShape(want)}`, showShape(source.shape), '');
    }
    const front = [d, ...otherDims(this.ndim, d)];
    return scatter(
      this.node(),
      mv.permute(ops.cast(source.node(), this.dtype), front),
      [indexNode(i)],
      [d],
      mode,
    );
  }
  /** `scatter` in place. */
  scatter_(
    dim: number,
    index: Tensor,
    source: TensorLike,
    options: { reduce?: 'add' | 'multiply' } = {},
  ): Tensor {
    return this._assign(this.scatter(dim, index, source, options).node(), 'scatter_');
  }
  /** `scatterAdd` in place. */
  scatterAdd_(dim: number, index: Tensor, source: Tensor): Tensor {
    return this._assign(this.scatterAdd(dim, index, source).node(), 'scatterAdd_');
  }
  /** `indexAdd` in place. */
  indexAdd_(dim: number, index: Tensor, source: Tensor, options: { alpha?: number } = {}): Tensor {
    return this._assign(this.indexAdd(dim, index, source, options).node(), 'indexAdd_');
  }
  /** `indexCopy` in place. */
  indexCopy_(dim: number, index: Tensor, source: Tensor): Tensor {
    return this._assign(this.indexCopy(dim, index, source).node(), 'indexCopy_');
  }
  /** `indexFill` in place. */
  indexFill_(dim: number, index: Tensor, value: number): Tensor {
    return this._assign(this.indexFill(dim, index, value).node(), 'indexFill_');
  }
  /** @internal A vector of positions on this tensor's device. */
  indexTensor(values: readonly number[]): Tensor {
    return wrap(hostData(values, [values.length], 'int64', this.device));
  }
}

// ---- index lists ----------------------------------------------------------------------------------------------------------

function plan(x: Tensor, list: readonly Index[]): Plan {
  const used = list.reduce<number>(
    (n, i) =>
      n + (i === null || i === '...' ? 0 : isTensor(i) && i.dtype === 'bool' ? Math.max(i.ndim, 1) : 1),
    0,
  );
  if (used > x.ndim) {
    throw new ShapeError(
      'at',
      `a tensor of shape ${showShape(x.shape)} takes at most ${x.ndim} indices`,
      `${used}`,
      '',
    );
  }
  if (list.filter(i => i === '...').length > 1)
    throw new ValueError('at', "'...' may occur once", show(list), '');
  const entries = list.includes('...') ? [...list] : [...list, '...' as const];
  const ranges: Plan['ranges'] = [];
  const shape: number[] = [];
  const advancedAt: Plan['advanced'] = [];
  let d = 0;
  const whole = (): void => {
    const n = x.shape[d++]!;
    ranges.push({ start: 0, size: n, step: 1 });
    shape.push(n);
  };
  for (const e of entries) {
    if (e === '...') {
      for (let k = x.ndim - used; k > 0; k--) whole();
    } else if (e === null) shape.push(1);
    else if (typeof e === 'number') {
      const n = x.shape[d]!;
      const i = e < 0 ? e + n : e;
      if (!Number.isInteger(e) || i < 0 || i >= n) {
        throw new ShapeError(
          'at',
          `index ${d} must be an integer in ${-n} … ${n - 1}`,
          show(e),
          `the shape is ${showShape(x.shape)}`,
        );
      }
      ranges.push({ start: i, size: 1, step: 1 });
      d++;
    } else if (e instanceof Range) {
      ranges.push(clip(e, x.shape[d++]!));
      shape.push(ranges[ranges.length - 1]!.size);
    } else {
      // A number argument of a compiled function is a position that changes from call to call.
      const t =
        e instanceof Scalar
          ? wrap(e.node('int64', x.device))
          : isTensor(e)
            ? e
            : listTensor(x, e as readonly (number | boolean)[]);
      if (t.dtype === 'bool') {
        const covers = x.shape.slice(d, d + t.ndim);
        if (showShape(covers) !== showShape(t.shape)) {
          throw new ShapeError(
            'at',
            `a mask must have the sizes of the dims that it covers, ${showShape(covers)}`,
            showShape(t.shape),
            '',
          );
        }
        for (const column of t.nonzero().unbind(1)) {
          advancedAt.push({ dim: shape.length, index: column });
          whole();
        }
      } else {
        if (!isInt(t.dtype))
          throw new DTypeError(
            'at',
            'index tensors are integers or masks',
            t.dtype,
            "convert with .to('int64')",
          );
        advancedAt.push({ dim: shape.length, index: t });
        whole();
      }
    }
  }
  return { ranges, shape, advanced: advancedAt };
}
function listTensor(x: Tensor, list: readonly (number | boolean)[]): Tensor {
  const bools = list.length > 0 && list.every(v => typeof v === 'boolean');
  return wrap(hostData(list.map(Number), [list.length], bools ? 'bool' : 'int64', x.device));
}
/** Python's rules for slices: out-of-range ends are clipped. */
function clip(r: Range, n: number): { start: number; size: number; step: number } {
  const { step } = r;
  const at = (v: number | null, fallback: number): number => {
    if (v === null) return fallback;
    const i = v < 0 ? v + n : v;
    return step > 0 ? Math.min(Math.max(i, 0), n) : Math.min(Math.max(i, -1), n - 1);
  };
  const start = at(r.start, step > 0 ? 0 : n - 1);
  const stop = at(r.stop, step > 0 ? n : -1);
  const size = Math.max(0, Math.ceil((stop - start) / step));
  return { start: size === 0 ? 0 : start, size, step };
}

/** Nodes, dims and the place of the index dims in the result, by NumPy's rule: together where they are neighbours. */
function advanced(x: Tensor, p: Plan): { dims: number[]; nodes: Node[]; lead: number; place: number } {
  const dims = p.advanced.map(a => a.dim);
  const nodes = p.advanced.map(a => wrapped(indexNode(a.index), x.shape[a.dim]!));
  const lead = broadcastShapes(
    'at',
    nodes.map(n => n.shape),
  ).length;
  const neighbours = dims.every((d, i) => i === 0 || d === dims[i - 1]! + 1);
  return { dims, nodes, lead, place: neighbours ? dims[0]! : 0 };
}
/** Moves the leading index dims of `take` to their place. */
function toPlace(n: Node, lead: number, place: number): Node {
  if (place === 0) return n;
  const rest = n.shape.length - lead;
  const order = Array.from({ length: n.shape.length }, (_, i) => {
    if (i < place) return lead + i;
    return i < place + lead ? i - place : i;
  });
  return rest === 0 ? n : mv.permute(n, order);
}
/** Negative positions count from the end. */
function wrapped(i: Node, n: number): Node {
  const zero = ops.constLike(i, 0);
  return ops.where(ops.lt(i, zero), ops.add(i, ops.constLike(i, n)), i);
}
function indexNode(t: Tensor): Node {
  if (!isInt(t.dtype))
    throw new DTypeError('index', 'indices are integers', t.dtype, "convert with .to('int64')");
  return t.dtype === 'int64' || t.dtype === 'int32' ? t.node() : ops.cast(t.node(), 'int64');
}
function onlyMask(i: Index, shape: Shape): Tensor | null {
  if (!isTensor(i) || i.dtype !== 'bool') return null;
  return i.shape.every((n, d) => n === shape[d]) ? i : null;
}
function stretched(op: string, v: Node, shape: Shape): Node {
  // Leading dims of size 1 of a value may be dropped, as in NumPy.
  let s = v;
  while (s.shape.length > shape.length && s.shape[0] === 1) s = mv.reshape(s, s.shape.slice(1));
  const lead = shape.length - s.shape.length;
  if (lead < 0 || s.shape.some((n, d) => n !== 1 && n !== shape[lead + d])) {
    throw new ShapeError(op, `the value must broadcast to ${showShape(shape)}`, showShape(v.shape), '');
  }
  return expand(s, shape);
}
function indexFits(op: string, shape: Shape, index: Tensor, dim: number): void {
  const ok = index.ndim === shape.length && index.shape.every((n, d) => d === dim || n <= shape[d]!);
  if (!ok && !(shape.length === 0 && index.ndim <= 1)) {
    throw new ShapeError(
      op,
      'the index must have as many dims as the tensor and be no larger (but along dim)',
      `${showShape(index.shape)} for ${showShape(shape)}`,
      '',
    );
  }
}
/** Row-major positions where a mask holds; reads the data. */
function maskPositions(op: string, mask: Tensor): Tensor {
  if (recording.now !== null)
    recording.now.refuse(`${op} (its size depends on the data; use where or maskedFill)`);
  const d = mask.bool().dataSync() as Uint8Array;
  const at: number[] = [];
  for (let i = 0; i < d.length; i++) if (d[i]) at.push(i);
  return wrap(hostData(at, [at.length], 'int64' satisfies DType, mask.device));
}

// Movement methods: reshape, permute, slices, joins, padding. Views share memory with their base.
// In: dims as users write them. Out: views where PyTorch gives views. Not its job: index lists (indexing.ts).

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import {
  along,
  inferReshape,
  normalizeDim,
  normalizeDims,
  numel,
  otherDims,
  type Shape,
} from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { scatter, take } from '../ir/ops/index.ts';
import * as mv from '../ir/ops/movement.ts';
import { expand } from '../ir/ops/reduce.ts';
import { lower, onDiagonal, upper } from '../ir/ops/triangle.ts';
import { wrap, wrapView } from './core.ts';
import { placeNode, type Scalar } from './host.ts';
import { commonDType, isTensor } from './operand.ts';
import { type Dims, ReduceTensor } from './reduce.ts';
import type { Tensor } from './tensor.ts';

const me = (t: unknown): Tensor => t as Tensor;
const sizes = (s: readonly (number | readonly number[])[]): readonly number[] =>
  Array.isArray(s[0]) ? s[0] : (s as readonly number[]);

export class MovementTensor extends ReduceTensor {
  /**
   * The same elements in row-major order under another shape; one size may be -1 and is computed. Shares memory. A
   * shape with another number of elements is an error.
   */
  reshape(...shape: readonly number[] | [readonly number[]]): Tensor {
    const to = inferReshape('reshape', this.shape, sizes(shape));
    const from = this.shape;
    return wrapView(
      this,
      b => mv.reshape(b, to),
      (_, v) => mv.reshape(v, from),
    );
  }
  /** The same as `reshape`: every tensor can be viewed under any shape. */
  view(...shape: readonly number[] | [readonly number[]]): Tensor {
    return this.reshape(...shape);
  }
  /** Reshaped to the shape of another tensor. */
  reshapeAs(other: Tensor): Tensor {
    return this.reshape(other.shape);
  }
  /** Reshaped to the shape of another tensor. */
  viewAs(other: Tensor): Tensor {
    return this.reshape(other.shape);
  }
  /**
   * Dims in another order: `permute(2, 0, 1)` of (A, B, C) is (C, A, B). Every dim once, negative ones count from the
   * end. A view.
   */
  permute(...order: readonly number[] | [readonly number[]]): Tensor {
    const o = sizes(order).map(d => normalizeDim('permute', d, this.ndim));
    if (o.length !== this.ndim || new Set(o).size !== o.length) {
      throw new ShapeError(
        'permute',
        `the order must name each of the ${this.ndim} dims once`,
        show(sizes(order)),
        '',
      );
    }
    return wrapView(
      this,
      b => mv.permute(b, o),
      (_, v) => mv.permute(v, mv.inverse(o)),
    );
  }
  /** Two dims swapped: `transpose(0, 1)` of (M, N) is (N, M). A view. */
  transpose(a: number, b: number): Tensor {
    const x = normalizeDim('transpose', a, this.ndim);
    const y = normalizeDim('transpose', b, this.ndim);
    return wrapView(
      this,
      n => mv.swap(n, x, y),
      (_, v) => mv.swap(v, x, y),
    );
  }
  /** The same as `transpose`. */
  swapaxes(a: number, b: number): Tensor {
    return this.transpose(a, b);
  }
  /** The same as `transpose`. */
  swapdims(a: number, b: number): Tensor {
    return this.transpose(a, b);
  }
  /** The transpose of a matrix (a vector is its own). */
  t(): Tensor {
    if (this.ndim > 2)
      throw new ShapeError(
        't',
        'it takes at most 2 dims',
        showShape(this.shape),
        'use transpose(a, b) or mT',
      );
    return this.ndim < 2 ? me(this) : this.transpose(0, 1);
  }
  /** All dims in reverse order. */
  get T(): Tensor {
    return this.permute(this.shape.map((_, i) => this.ndim - 1 - i));
  }
  /** The last two dims swapped. */
  get mT(): Tensor {
    return this.transpose(-2, -1);
  }
  /** Moves dims to other places; the rest keeps its order. */
  movedim(source: Dims, destination: Dims): Tensor {
    const list = (d: Dims): number[] =>
      (typeof d === 'number' ? [d] : [...d]).map(x => normalizeDim('movedim', x, this.ndim));
    const from = list(source);
    const to = list(destination);
    if (from.length !== to.length || new Set(from).size !== from.length || new Set(to).size !== to.length) {
      throw new ShapeError(
        'movedim',
        'source and destination must name equally many different dims',
        `${show(source)} and ${show(destination)}`,
        '',
      );
    }
    const order = new Array<number>(this.ndim).fill(-1);
    from.forEach((f, i) => {
      order[to[i]!] = f;
    });
    const rest = otherDims(this.ndim, ...from);
    return this.permute(order.map(o => (o < 0 ? rest.shift()! : o)));
  }
  /** Dims of size 1 stretched, new leading dims added; -1 keeps a size. A view, to be read only where it repeats. */
  expand(...shape: readonly number[] | [readonly number[]]): Tensor {
    const want = sizes(shape);
    const lead = want.length - this.ndim;
    if (lead < 0)
      throw new ShapeError(
        'expand',
        `at least ${this.ndim} sizes are needed for ${showShape(this.shape)}`,
        showShape(want),
        '',
      );
    const to = want.map((n, d) => {
      if (n !== -1) return n;
      if (d < lead)
        throw new ShapeError(
          'expand',
          '-1 keeps the size of an existing dim',
          showShape(want),
          'give the size of new leading dims',
        );
      return this.shape[d - lead]!;
    });
    const from = this.shape;
    return wrapView(
      this,
      b => expand(b, to),
      (_, v) => {
        if (numel(to) === numel(from)) return mv.reshape(v, from);
        throw new ShapeError(
          'expand',
          'elements that stand in several places cannot be changed in place',
          `a tensor of shape ${showShape(from)} stretched to ${showShape(to)}`,
          'clone() it first',
        );
      },
    );
  }
  /** Expanded to the shape of another tensor. */
  expandAs(other: Tensor): Tensor {
    return this.expand(other.shape);
  }
  /** The same as `expand`. */
  broadcastTo(shape: Shape): Tensor {
    return this.expand(shape);
  }
  /** Without dims of size 1: all of them, or the ones named (left alone where larger). */
  squeeze(dim?: Dims): Tensor {
    const drop = normalizeDims('squeeze', dim, this.ndim);
    return this.reshape(this.shape.filter((n, d) => n !== 1 || !drop.includes(d)));
  }
  /**
   * A new dim of size 1 before dim `dim` of the result: `unsqueeze(0)` of (N) is (1, N), `unsqueeze(-1)` is (N, 1). A
   * view.
   */
  unsqueeze(dim: number): Tensor {
    const d = normalizeDim('unsqueeze', dim, this.ndim + 1);
    return this.reshape([...this.shape.slice(0, d), 1, ...this.shape.slice(d)]);
  }
  /** Dims start … end (all unless named) as one: `flatten(1)` of (N, C, H, W) is (N, C·H·W). */
  flatten(start = 0, end = -1): Tensor {
    if (this.ndim === 0) return this.reshape([1]);
    const a = normalizeDim('flatten', start, this.ndim);
    const b = normalizeDim('flatten', end, this.ndim);
    if (a > b) throw new ShapeError('flatten', 'start must not come after end', `${start} and ${end}`, '');
    return this.reshape([
      ...this.shape.slice(0, a),
      numel(this.shape.slice(a, b + 1)),
      ...this.shape.slice(b + 1),
    ]);
  }
  /** One dim with all elements in row-major order. */
  ravel(): Tensor {
    return this.reshape([-1]);
  }
  /** One dim as several; one size may be -1. */
  unflatten(dim: number, shape: readonly number[]): Tensor {
    const d = normalizeDim('unflatten', dim, this.ndim);
    const inner = inferReshape('unflatten', [this.shape[d]!], shape);
    return this.reshape([...this.shape.slice(0, d), ...inner, ...this.shape.slice(d + 1)]);
  }
  /** The order along dims reversed. */
  flip(...dims: readonly number[] | [readonly number[]]): Tensor {
    const d = normalizeDims('flip', sizes(dims), this.ndim);
    return wrap(mv.flip(this.node(), d));
  }
  /** Columns in reverse order: dim 1. */
  fliplr(): Tensor {
    return this.flip(1);
  }
  /** Rows in reverse order: dim 0. */
  flipud(): Tensor {
    return this.flip(0);
  }
  /** Elements shifted along dims, round the end; without dims, in row-major order. */
  roll(shifts: Dims, dims?: Dims): Tensor {
    const by = typeof shifts === 'number' ? [shifts] : [...shifts];
    if (dims === undefined) {
      if (by.length !== 1) throw new ValueError('roll', 'without dims one shift is needed', show(shifts), '');
      return this.flatten().roll(by, 0).reshape(this.shape);
    }
    const along = (typeof dims === 'number' ? [dims] : [...dims]).map(d =>
      normalizeDim('roll', d, this.ndim),
    );
    if (along.length !== by.length)
      throw new ValueError(
        'roll',
        'shifts and dims must be equally many',
        `${show(shifts)} and ${show(dims)}`,
        '',
      );
    let x = this.node();
    along.forEach((d, i) => {
      const n = x.shape[d]!;
      if (n === 0) return;
      const s = ((by[i]! % n) + n) % n;
      if (s !== 0) x = mv.cat([mv.narrow(x, d, n - s, s), mv.narrow(x, d, 0, n - s)], d);
    });
    return x === this.node() ? me(this).clone() : wrap(x);
  }
  /** The tensor repeated `reps` times per dim; missing leading reps are 1. */
  tile(...reps: readonly number[] | [readonly number[]]): Tensor {
    const r = sizes(reps);
    const pad = Math.max(0, this.ndim - r.length);
    return this.repeat([...Array<number>(pad).fill(1), ...r]);
  }
  /** The tensor repeated; one count per dim, further counts make new leading dims. */
  repeat(...reps: readonly number[] | [readonly number[]]): Tensor {
    const r = sizes(reps);
    const lead = r.length - this.ndim;
    if (lead < 0 || r.some(n => !Number.isInteger(n) || n < 0)) {
      throw new ShapeError('repeat', `at least ${this.ndim} counts >= 0 are needed`, show(r), '');
    }
    const s = [...Array<number>(lead).fill(1), ...this.shape];
    const x = mv.reshape(
      this.node(),
      s.flatMap(n => [1, n]),
    );
    const wide = expand(
      x,
      s.flatMap((n, d) => [r[d]!, n]),
    );
    return wrap(
      mv.reshape(
        wide,
        s.map((n, d) => n * r[d]!),
      ),
    );
  }
  /** Every element `count` times in a row along a dim (or of the flat tensor); counts per element may be a tensor. */
  repeatInterleave(count: number | Tensor, dim?: number): Tensor {
    const x = dim === undefined ? this.flatten() : me(this);
    const d = dim === undefined ? 0 : normalizeDim('repeatInterleave', dim, this.ndim);
    if (isTensor(count)) {
      const counts = count.tolistSync() as number[];
      const each = typeof counts === 'number' ? [counts] : counts;
      const index = each.flatMap((n, i) => Array<number>(n).fill(i));
      return x.indexSelect(d, count.indexTensor(index));
    }
    const s = x.shape;
    const wide = expand(mv.reshape(x.node(), [...s.slice(0, d + 1), 1, ...s.slice(d + 1)]), [
      ...s.slice(0, d + 1),
      count,
      ...s.slice(d + 1),
    ]);
    return wrap(mv.reshape(wide, [...s.slice(0, d), s[d]! * count, ...s.slice(d + 1)]));
  }
  /** Turned k times by 90° from the first of two dims towards the second. */
  rot90(k = 1, dims: readonly [number, number] = [0, 1]): Tensor {
    const turns = ((k % 4) + 4) % 4;
    if (turns === 2) return this.flip(dims);
    const turned = turns === 0 ? me(this) : this.transpose(...dims);
    return turns === 0 ? turned.clone() : turned.flip(turns === 1 ? [dims[0]] : [dims[1]]);
  }
  /**
   * `length` elements of a dim from `start`. A view. `start` may be an integer tensor of one element or a number argument
   * of a compiled function: then it changes from call to call without a new plan, and must lie inside when it runs.
   */
  narrow(dim: number, start: number | Tensor, length: number): Tensor {
    const d = normalizeDim('narrow', dim, this.ndim);
    const n = this.shape[d]!;
    if (typeof start !== 'number') return this.moving(d, start, length);
    const from = start < 0 ? start + n : start;
    if (from < 0 || length < 0 || from + length > n) {
      throw new ShapeError(
        'narrow',
        `start and length must stay within the ${n} elements of dim ${d}`,
        `${start} and ${length}`,
        '',
      );
    }
    return this.sliceView(
      this.shape.map((s, k) =>
        k === d ? { start: from, size: length, step: 1 } : { start: 0, size: s, step: 1 },
      ),
    );
  }
  private moving(dim: number, start: Tensor | Scalar, length: number): Tensor {
    const from = isTensor(start) ? start.reshape(1).node() : start.node('int32', this.device);
    const index = ops.add(ops.iota([length], from.dtype, this.device), from);
    const front = [dim, ...otherDims(this.ndim, dim)];
    return wrapView(
      this,
      b => mv.permute(take(b, [index], [dim]), mv.inverse(front)),
      (b, v) => scatter(b, mv.permute(v, front), [index], [dim], 'set', true),
    );
  }
  /** @internal A view of ranges, one per dim. */
  sliceView(ranges: readonly { start: number; size: number; step: number }[]): Tensor {
    const a: mv.SliceAttrs = {
      start: ranges.map(r => r.start),
      size: ranges.map(r => r.size),
      step: ranges.map(r => r.step),
    };
    return wrapView(
      this,
      b => mv.slice(b, a),
      (b, v) => putSlice(b, v, a),
    );
  }
  /** One position of a dim, which goes. A view. `index` may change from call to call as `start` of `narrow`. */
  select(dim: number, index: number | Tensor): Tensor {
    const d = normalizeDim('select', dim, this.ndim);
    if (this.ndim === 0) throw new ShapeError('select', 'the tensor needs at least one dim', '()', '');
    if (typeof index !== 'number') return this.moving(d, index, 1).squeeze(d);
    const n = this.shape[d]!;
    const i = index < 0 ? index + n : index;
    if (!Number.isInteger(index) || i < 0 || i >= n) {
      throw new ShapeError('select', `the index must be in ${-n} … ${n - 1} for dim ${d}`, show(index), '');
    }
    return this.narrow(d, i, 1).squeeze(d);
  }
  /** All windows of a dim: size `size` at distance `step`; the window is the last dim. */
  unfold(dim: number, size: number, step: number): Tensor {
    const d = normalizeDim('unfold', dim, this.ndim);
    return wrapView(
      this,
      b => mv.window(b, { dim: d, size, step, dilation: 1 }),
      () => {
        throw new ShapeError(
          'unfold',
          'windows share elements and cannot be changed in place',
          `windows of ${size} at distance ${step}`,
          'clone() them first',
        );
      },
    );
  }
  /** The upper triangle from diagonal `k`, zero below. */
  triu(k = 0): Tensor {
    return this.triangle('triu', k, upper);
  }
  /** The lower triangle of each matrix, 0 above diagonal k. */
  tril(k = 0): Tensor {
    return this.triangle('tril', k, lower);
  }
  private triangle(op: string, k: number, of: typeof upper): Tensor {
    if (this.ndim < 2) throw new ShapeError(op, 'it takes at least 2 dims', showShape(this.shape), '');
    return wrap(of(this.node(), k));
  }
  /** The k-th diagonal of dims a and b, as the last dim. */
  diagonal(k = 0, a = 0, b = 1): Tensor {
    const d1 = normalizeDim('diagonal', a, this.ndim);
    const d2 = normalizeDim('diagonal', b, this.ndim);
    if (this.ndim < 2 || d1 === d2)
      throw new ShapeError(
        'diagonal',
        'two different dims are needed',
        `${a} and ${b} of ${showShape(this.shape)}`,
        '',
      );
    const rest = otherDims(this.ndim, d1, d2);
    const get = (n: Node): Node => diagonalNode(mv.permute(n, [...rest, d1, d2]), k);
    const back = mv.inverse([...rest, d1, d2]);
    return wrapView(this, get, (base, v) => {
      const x = mv.permute(base, [...rest, d1, d2]);
      return mv.permute(where(diagonalMask(x, k), embedDiagonal(v, x, k), x), back);
    });
  }
  /** A vector as a diagonal matrix, or the diagonal of a matrix. */
  diag(k = 0): Tensor {
    if (this.ndim === 2) return this.diagonal(k);
    if (this.ndim !== 1)
      throw new ShapeError(
        'diag',
        'it takes a vector or a matrix',
        showShape(this.shape),
        'use diagonal or diagEmbed',
      );
    return this.diagEmbed(k);
  }
  /** The last dim as the diagonal of new matrices. */
  diagEmbed(k = 0): Tensor {
    const x = this.node();
    const n = x.shape[x.shape.length - 1]! + Math.abs(k);
    const base = expand(ops.constLike(x, 0), [...x.shape.slice(0, -1), n, n]);
    return wrap(embedDiagonal(x, base, k));
  }
  /** Splits a dim into parts of `size` (the last may be smaller), or into the listed sizes. */
  split(size: number | readonly number[], dim = 0): Tensor[] {
    const d = normalizeDim('split', dim, this.ndim);
    const n = this.shape[d]!;
    let parts: readonly number[];
    if (typeof size === 'number') {
      if (size < 1) throw new ValueError('split', 'the size must be positive', String(size), '');
      parts = Array.from({ length: Math.max(1, Math.ceil(n / size)) }, (_, i) =>
        Math.min(size, n - i * size),
      );
    } else {
      parts = size;
      const total = parts.reduce((a, b) => a + b, 0);
      if (total !== n)
        throw new ShapeError(
          'split',
          `the sizes must add up to the ${n} elements of dim ${d}`,
          `${show(size)}, which is ${total}`,
          '',
        );
    }
    let at = 0;
    return parts.map(p => {
      const part = this.narrow(d, at, p);
      at += p;
      return part;
    });
  }
  /** Splits a dim into `count` parts as equal as `ceil` makes them. */
  chunk(count: number, dim = 0): Tensor[] {
    const d = normalizeDim('chunk', dim, this.ndim);
    if (count < 1) throw new ValueError('chunk', 'the count must be positive', String(count), '');
    return this.split(Math.max(1, Math.ceil(this.shape[d]! / count)), d);
  }
  /** Splits a dim into `sections` nearly equal parts, or before each of the listed positions. */
  tensorSplit(sections: number | readonly number[], dim = 0): Tensor[] {
    const d = normalizeDim('tensorSplit', dim, this.ndim);
    const n = this.shape[d]!;
    let cuts: number[];
    if (typeof sections === 'number') {
      const small = Math.floor(n / sections);
      const extra = n % sections;
      cuts = Array.from({ length: sections - 1 }, (_, i) => (i + 1) * small + Math.min(i + 1, extra));
    } else cuts = sections.map(c => Math.max(0, Math.min(n, c < 0 ? c + n : c)));
    const edges = [0, ...cuts, n];
    return edges.slice(1).map((e, i) => this.narrow(d, edges[i]!, Math.max(0, e - edges[i]!)));
  }
  /** The slices along a dim, without it. */
  unbind(dim = 0): Tensor[] {
    const d = normalizeDim('unbind', dim, this.ndim);
    return Array.from({ length: this.shape[d]! }, (_, i) => this.select(d, i));
  }
}

const where = ops.where;

/** The base with a slice of it replaced. */
function putSlice(base: Node, v: Node, a: mv.SliceAttrs): Node {
  const rank = base.shape.length;
  const index = a.size.map((n, d) => {
    const i = ops.iota([n], 'int32', base.device);
    const at = ops.add(ops.mul(i, ops.constLike(i, a.step[d]!)), placeNode(a.start[d]!, base.device));
    return mv.reshape(at, along(rank, d, n));
  });
  // Dims taken whole need no index: they stay contiguous in the kernel.
  const whole = a.size.map((n, d) => n === base.shape[d] && a.step[d] === 1);
  let last = rank;
  while (last > 0 && whole[last - 1]) last--;
  // All of it replaced: the base is gone, unless its history must stay though the new values have none.
  if (last === 0 && (rank === 0 || v.needsGrad || !base.needsGrad)) return ops.alias(v);
  last = Math.max(last, 1);
  const dims = otherDims(last);
  const at = index.slice(0, last).map(n => mv.reshape(n, n.shape.slice(0, last)));
  return scatter(base, v, at, dims, 'set', true);
}

/** The k-th diagonal of the last two dims, as the last dim. */
function diagonalNode(x: Node, k: number): Node {
  const rank = x.shape.length;
  const [r, c] = x.shape.slice(-2) as [number, number];
  const [top, left] = [Math.max(-k, 0), Math.max(k, 0)];
  const i = ops.iota([Math.max(0, Math.min(r - top, c - left))], 'int32', x.device);
  const d = take(
    x,
    [ops.add(i, ops.constLike(i, top)), ops.add(i, ops.constLike(i, left))],
    [rank - 2, rank - 1],
  );
  return mv.permute(d, [...otherDims(d.shape.length, 0), 0]);
}
const diagonalMask = (x: Node, k: number): Node =>
  onDiagonal(...(x.shape.slice(-2) as [number, number]), k, x.device);
/** Matrices like `base` with v on the k-th diagonal and zeros elsewhere. */
function embedDiagonal(v: Node, base: Node, k: number): Node {
  const rank = base.shape.length;
  const [r, c] = base.shape.slice(-2) as [number, number];
  // v along the columns (rows for k < 0), shifted to where the diagonal starts.
  const along = k >= 0 ? rank - 2 : rank - 1;
  const n = v.shape[v.shape.length - 1]!;
  const size = k >= 0 ? r : c;
  const padded = mv.pad(
    v,
    v.shape.map(() => 0),
    v.shape.map((_, d) => (d === v.shape.length - 1 ? size - n : 0)),
    0,
  );
  const shaped = mv.reshape(padded, [
    ...v.shape.slice(0, -1),
    ...(along === rank - 2 ? [size, 1] : [1, size]),
  ]);
  return ops.where(diagonalMask(base, k), expand(shaped, base.shape), ops.constLike(v, 0));
}

/**
 * Joins tensors along an existing dim (0 unless named); dtypes are promoted. Other sizes must agree, or it is an
 * error.
 */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  const first = tensors[0];
  if (first === undefined) throw new ValueError('cat', 'at least one tensor is needed', 'an empty list', '');
  const dtype = commonDType('cat', tensors);
  // PyTorch lets empty 1-D tensors join anything.
  const real = tensors.filter(t => !(t.ndim === 1 && t.numel === 0));
  const model = real[0] ?? first;
  const d = normalizeDim('cat', dim, model.ndim);
  if (model.ndim === 0) throw new ShapeError('cat', 'tensors need at least one dim', '()', 'use stack');
  const list = real.length > 0 ? real : [first];
  const nodes = list.map(t => ops.cast(t.node(), dtype));
  return nodes.length === 1 ? wrap(ops.alias(nodes[0]!)) : wrap(mv.cat(nodes, d));
}
/** Joins tensors of one shape along a new dim (0 unless named): n tensors of shape (…) give (n, …). */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const first = tensors[0];
  if (first === undefined)
    throw new ValueError('stack', 'at least one tensor is needed', 'an empty list', '');
  for (const t of tensors) {
    if (showShape(t.shape) !== showShape(first.shape)) {
      throw new ShapeError(
        'stack',
        'all tensors must have one shape',
        `${showShape(first.shape)} and ${showShape(t.shape)}`,
        '',
      );
    }
  }
  return cat(
    tensors.map(t => t.unsqueeze(dim)),
    normalizeDim('stack', dim, first.ndim + 1),
  );
}

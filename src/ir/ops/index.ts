// Reading and writing at computed positions: take and its transpose, scatter.
// In: nodes and index nodes. Out: nodes. Not its job: ranges and masks (tensor/indexing.ts).

import { DTypeError, ShapeError, showShape } from '../../base/errors.ts';
import type { Shape } from '../../base/shape.ts';
import { broadcastShapes, sameShape } from '../../base/shape.ts';
import type { Node } from '../node.ts';
import type { OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { cast, constLike, div, eq, iota, logicalAnd, mul, where } from './elementwise.ts';
import { reshape } from './movement.ts';
import { expand } from './reduce.ts';

export interface TakeAttrs {
  /** The dims of x that the index tensors address, one each. */
  readonly dims: readonly number[];
}
const checkIndices = (op: string, indices: readonly Node[]): Shape => {
  for (const i of indices) {
    if (i.dtype !== 'int64' && i.dtype !== 'int32') {
      throw new DTypeError(op, 'indices are int64 or int32', i.dtype, "convert with .to('int64')");
    }
  }
  return broadcastShapes(
    op,
    indices.map(i => i.shape),
  );
};
/** Sizes of the dims that are not indexed. */
const restOf = (x: Node, dims: readonly number[]): number[] => x.shape.filter((_, d) => !dims.includes(d));

const takeDef: OpDef<TakeAttrs> = defineOp<TakeAttrs>({
  name: 'take',
  doc: 'result[i…, r…] = x with the listed dims at the index tensors’ values and the others at r; index dims come first.',
  kind: 'index',
  arity: 2,
  shape: (src, a) => [...checkIndices('take', src.slice(1)), ...restOf(src[0]!, a.dims)],
  dtype: src => src[0]!.dtype,
  vjp: (g, n, i) =>
    i > 0 ? null : scatter(expand(constLike(g, 0), n.src[0]!.shape), g, n.src.slice(1), n.attrs.dims, 'add'),
  linearIn: [0],
  batch: (src, batched, { attrs: a }, size) => {
    const index = alignIndices(src, batched);
    // One table for all examples: the batch is one more dim of the indices.
    if (!batched[0]) return take(src[0]!, index, a.dims);
    return take(src[0]!, [batchIota(size, src, batched), ...index], [0, ...a.dims.map(d => d + 1)]);
  },
  raises: 'an index outside its dim',
  cost: 3,
  samples: () => [
    { shapes: [[5, 3], [4]], dtypes: ['float32', 'int64'], attrs: { dims: [0] }, range: [0, 4.99] },
    {
      shapes: [[4, 3, 4], [2, 2], [2]],
      dtypes: ['float32', 'int64', 'int32'],
      attrs: { dims: [0, 2] },
      range: [0, 3.99],
    },
    { shapes: [[3, 37], [35]], dtypes: ['float32', 'int32'], attrs: { dims: [1] }, range: [0, 36.99] },
    { shapes: [[1, 3], []], dtypes: ['float32', 'int64'], attrs: { dims: [0] }, range: [0, 0.99] },
    { shapes: [[4, 3], [0]], dtypes: ['float32', 'int64'], attrs: { dims: [0] } },
  ],
  errors: () => [
    { shapes: [[5, 3], [4]], attrs: { dims: [0] }, message: 'take: indices are int64 or int32, got float32' },
    {
      shapes: [[5, 3], [4], [3]],
      dtypes: ['float32', 'int64', 'int64'],
      attrs: { dims: [0, 1] },
      message: 'take: shapes must be equal or broadcast (aligned right, sizes equal or 1), got (4) and (3)',
    },
  ],
});
/** Index tensors of a batched take, all with the batch first. */
function alignIndices(src: readonly Node[], batched: readonly boolean[], from = 1): Node[] {
  const rank = Math.max(...src.slice(from).map((s, i) => s.shape.length - (batched[i + from] ? 1 : 0)));
  return src.slice(from).map((s, i) => {
    const own = batched[i + from] ? s.shape.slice(1) : s.shape;
    const lead = batched[i + from] ? s.shape[0]! : 1;
    return reshape(s, [lead, ...Array<number>(rank - own.length).fill(1), ...own]);
  });
}
function batchIota(size: number, src: readonly Node[], batched: readonly boolean[], from = 1): Node {
  const rank = Math.max(...src.slice(from).map((s, i) => s.shape.length - (batched[i + from] ? 1 : 0)));
  return reshape(iota([size], 'int64', src[0]!.device), [size, ...Array<number>(rank).fill(1)]);
}

export const take = (x: Node, indices: readonly Node[], dims: readonly number[]): Node =>
  build(takeDef, [x, ...indices], { dims });

export type ScatterMode = 'set' | 'add' | 'mul' | 'max' | 'min';
export interface ScatterAttrs {
  readonly dims: readonly number[];
  readonly mode: ScatterMode;
  /** No position occurs twice. */
  readonly unique: boolean;
}
const scatterDef: OpDef<ScatterAttrs> = defineOp<ScatterAttrs>({
  name: 'scatter',
  doc: 'base with values written at the index tensors’ positions: set (the last wins), add, mul, max or min.',
  kind: 'scatter',
  arity: 3,
  shape: (src, a) => {
    const [base, values] = src as [Node, Node];
    const want = [...checkIndices('scatter', src.slice(2)), ...restOf(base, a.dims)];
    if (!sameShape(values.shape, want)) {
      throw new ShapeError(
        'scatter',
        `values must have shape ${showShape(want)}`,
        showShape(values.shape),
        '',
      );
    }
    if (values.dtype !== base.dtype) {
      throw new DTypeError(
        'scatter',
        `values must have the dtype of the base, ${base.dtype}`,
        values.dtype,
        '',
      );
    }
    return base.shape;
  },
  dtype: src => src[0]!.dtype,
  vjp: (g, n, i) => (i > 1 ? null : scatterVjp(g, n, i)),
  linearIn: null,
  batch: (src, batched, n, size, lift) => {
    const [base, values] = lift(n.src.slice(0, 2)) as [Node, Node];
    const index = [batchIota(size, src, batched, 2), ...alignIndices(src, batched, 2)];
    const { dims, mode, unique } = n.attrs;
    return scatter(base, values, index, [0, ...dims.map(d => d + 1)], mode, unique);
  },
  raises: 'an index outside its dim',
  cost: 4,
  samples: () => [
    {
      shapes: [[5, 3], [2, 3], [2]],
      dtypes: ['float32', 'float32', 'int64'],
      attrs: { dims: [0], mode: 'add', unique: false },
      range: [0, 4.99],
    },
    {
      shapes: [[5], [7], [7]],
      dtypes: ['float32', 'float32', 'int64'],
      attrs: { dims: [0], mode: 'mul', unique: false },
      range: [0.5, 4.99],
    },
    {
      shapes: [[4, 4], [3, 2], [3, 1], [2]],
      dtypes: ['float32', 'float32', 'int64', 'int32'],
      attrs: { dims: [0, 1], mode: 'max', unique: false },
      range: [0, 3.99],
    },
    {
      shapes: [[4, 3], [5, 3], [5]],
      dtypes: ['float32', 'float32', 'int64'],
      attrs: { dims: [0], mode: 'set', unique: false },
      range: [0, 3.99],
    },
    {
      shapes: [[3, 37], [35, 3], [35]],
      dtypes: ['float32', 'float32', 'int32'],
      attrs: { dims: [1], mode: 'min', unique: false },
      range: [0, 36.99],
    },
    {
      shapes: [[1], [1], [1]],
      dtypes: ['float32', 'float32', 'int64'],
      attrs: { dims: [0], mode: 'add', unique: true },
      range: [0, 0.99],
    },
    {
      shapes: [[4], [0], [0]],
      dtypes: ['float32', 'float32', 'int64'],
      attrs: { dims: [0], mode: 'add', unique: false },
    },
  ],
  errors: () => [
    {
      shapes: [[5, 3], [2, 2], [2]],
      dtypes: ['float32', 'float32', 'int64'],
      attrs: { dims: [0], mode: 'add', unique: false },
      message: 'scatter: values must have shape (2, 3), got (2, 2)',
    },
    {
      shapes: [[5, 3], [2, 3], [2]],
      dtypes: ['float32', 'int64', 'int64'],
      attrs: { dims: [0], mode: 'add', unique: false },
      message: 'scatter: values must have the dtype of the base, float32, got int64',
    },
    {
      shapes: [[5], [2], [2]],
      attrs: { dims: [0], mode: 'add', unique: false },
      message: 'scatter: indices are int64 or int32, got float32',
    },
  ],
});
export const scatter = (
  base: Node,
  values: Node,
  indices: readonly Node[],
  dims: readonly number[],
  mode: ScatterMode,
  unique = false,
): Node => build(scatterDef, [base, values, ...indices], { dims, mode, unique });

function scatterVjp(g: Node, n: Node<ScatterAttrs>, i: number): Node {
  const [base, values] = n.src as [Node, Node];
  const index = n.src.slice(2);
  const { dims, mode, unique } = n.attrs;
  const put = (to: Node, v: Node, how: ScatterMode) => scatter(to, v, index, dims, how);
  const read = (x: Node) => take(x, index, dims);
  const nothing = (x: Node) => expand(constLike(x, 0), x.shape);
  if (mode === 'add') return i === 0 ? g : read(g);
  if (mode === 'set') {
    if (i === 0) return put(g, nothing(values), 'set');
    if (unique) return read(g);
    // Of equal positions the last wins: only it has a gradient.
    const order = iota(values.shape, 'int32', g.device);
    const winner = read(put(expand(constLike(order, 0), base.shape), order, 'set'));
    return where(eq(winner, order), read(g), constLike(g, 0));
  }
  if (mode === 'mul') {
    if (i === 0) {
      const ones = expand(constLike(base, 1), base.shape);
      return mul(g, put(ones, values, 'mul'));
    }
    // A single zero among the factors of an element still has a gradient: the product of the others.
    const isZero = eq(values, constLike(values, 0));
    const zeros = put(nothing(base), cast(isZero, values.dtype), 'add');
    const lone = logicalAnd(isZero, eq(read(zeros), constLike(values, 1)));
    const others = put(base, where(lone, constLike(values, 1), values), 'mul');
    const safe = where(isZero, constLike(values, 1), values);
    return where(lone, read(mul(g, others)), div(read(mul(g, n)), safe));
  }
  const fromBase = cast(eq(base, n), base.dtype);
  const fromValues = cast(eq(values, read(n)), values.dtype);
  const each = div(g, put(fromBase, fromValues, 'add'));
  return i === 0 ? mul(fromBase, each) : mul(fromValues, read(each));
}

// Movement ops: where each element of the result comes from. They cost nothing: kernels read through them.
// In: nodes. Out: nodes with index maps. Not its job: shared memory of views (tensor/movement.ts).

import { ShapeError, show, showShape } from '../../base/errors.ts';
import type { Shape } from '../../base/shape.ts';
import { numel, sameShape } from '../../base/shape.ts';
import type { Node } from '../node.ts';

import type { OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';
import type { E } from '../scalar.ts';
import { addScaled, constAffine, indexOf, m } from '../scalar.ts';
import { dataHash, add as plus } from './elementwise.ts';

const sameDType = (src: readonly Node[]) => src[0]!.dtype;

interface ReshapeAttrs {
  readonly shape: Shape;
}
const reshapeDef: OpDef<ReshapeAttrs> = defineOp<ReshapeAttrs>({
  name: 'reshape',
  doc: 'The same elements in row-major order under another shape.',
  kind: 'movement',
  shape: (src, a) => {
    if (numel(src[0]!.shape) !== numel(a.shape)) {
      throw new ShapeError(
        'reshape',
        `the new shape must keep all elements of ${showShape(src[0]!.shape)}`,
        showShape(a.shape),
        '',
      );
    }
    return a.shape;
  },
  dtype: sameDType,
  relabels: true,
  vjp: (g, n) => reshape(g, n.src[0]!.shape),
  linearIn: [0],
  batch: ([x], _, n, size) => reshape(x!, [size, ...n.shape]),
  cost: 0,
  samples: () => [
    { shapes: [[3, 4]], attrs: { shape: [2, 6] } },
    { shapes: [[0, 4]], attrs: { shape: [2, 0] } },
    { shapes: [[1]], attrs: { shape: [] } },
    { shapes: [[5, 7]], attrs: { shape: [35] } },
    { shapes: [[2, 3, 6]], attrs: { shape: [4, 1, 9] } },
  ],
  errors: () => [
    {
      shapes: [[3, 4]],
      attrs: { shape: [5] },
      message: 'reshape: the new shape must keep all elements of (3, 4), got (5)',
    },
  ],
});
export function reshape(x: Node, shape: Shape): Node {
  return sameShape(x.shape, shape) ? x : build(reshapeDef, [x], { shape });
}

interface PermuteAttrs {
  readonly order: readonly number[];
}
export const permuteDef: OpDef<PermuteAttrs> = defineOp<PermuteAttrs>({
  name: 'permute',
  doc: 'Dims in another order: dim i of the result is dim order[i] of x.',
  kind: 'movement',
  shape: (src, { order }) => {
    const s = src[0]!.shape;
    const seen = new Set(order);
    if (order.length !== s.length || seen.size !== s.length || order.some(d => d < 0 || d >= s.length)) {
      throw new ShapeError(
        'permute',
        `the order must name each of the ${s.length} dims once`,
        show(order),
        '',
      );
    }
    return order.map(d => s[d]!);
  },
  dtype: sameDType,
  index: (at, n) => {
    const out = new Array(at.length);
    n.attrs.order.forEach((d, i) => {
      out[d] = at[i]!;
    });
    return { at: out };
  },
  vjp: (g, n) => permute(g, inverse(n.attrs.order)),
  linearIn: [0],
  batch: ([x], _, n) => permute(x!, [0, ...n.attrs.order.map(d => d + 1)]),
  cost: 0,
  samples: () => [
    { shapes: [[2, 3, 4]], attrs: { order: [2, 0, 1] } },
    { shapes: [[3, 5]], attrs: { order: [1, 0] } },
    { shapes: [[5, 1, 9]], attrs: { order: [2, 0, 1] } },
    { shapes: [[3, 0]], attrs: { order: [1, 0] } },
  ],
  errors: () => [
    {
      shapes: [[3, 4]],
      attrs: { order: [0, 0] },
      message: 'permute: the order must name each of the 2 dims once',
    },
  ],
});
export const inverse = (order: readonly number[]): number[] => {
  const out = new Array<number>(order.length);
  order.forEach((d, i) => {
    out[d] = i;
  });
  return out;
};
export function permute(x: Node, order: readonly number[]): Node {
  return order.every((d, i) => d === i) ? x : build(permuteDef, [x], { order });
}
/** Swaps two dims. */
export function swap(x: Node, a: number, b: number): Node {
  const order = x.shape.map((_, i) => (i === a ? b : i === b ? a : i));
  return permute(x, order);
}

export interface SliceAttrs {
  readonly start: readonly number[];
  readonly size: readonly number[];
  readonly step: readonly number[];
}
export const sliceDef: OpDef<SliceAttrs> = defineOp<SliceAttrs>({
  name: 'slice',
  doc: 'Per dim: `size` elements from `start` at distance `step`; a negative step runs backwards.',
  kind: 'movement',
  shape: (src, { start, size, step }) => {
    src[0]!.shape.forEach((n, d) => {
      const last = start[d]! + (size[d]! - 1) * step[d]!;
      if (size[d]! > 0 && (start[d]! < 0 || start[d]! >= n || last < 0 || last >= n)) {
        throw new ShapeError('slice', `dim ${d} has positions 0 … ${n - 1}`, `${start[d]} … ${last}`, '');
      }
    });
    return size;
  },
  dtype: sameDType,
  index: (at, { attrs: { start, step } }) => ({
    at: at.map((a, d) => addScaled(constAffine(start[d]!), a, step[d]!)),
  }),
  vjp: (g, n) => {
    // Undo the steps: flip what ran backwards, spread what skipped, then pad to the source.
    const { start, size, step } = n.attrs;
    const shape = n.src[0]!.shape;
    let y = g;
    if (step.some(s => s < 0))
      y = flip(
        y,
        step.flatMap((s, d) => (s < 0 ? [d] : [])),
      );
    y = dilate(y, step.map(Math.abs));
    const low = start.map((s, d) => (step[d]! < 0 ? s + (size[d]! - 1) * step[d]! : s));
    return pad(
      y,
      low,
      shape.map((s, d) => s - low[d]! - y.shape[d]!),
      0,
    );
  },
  linearIn: [0],
  batch: ([x], _, { attrs: a }, size) =>
    slice(x!, { start: [0, ...a.start], size: [size, ...a.size], step: [1, ...a.step] }),
  cost: 0,
  samples: () => [
    { shapes: [[5, 6]], attrs: { start: [1, 0], size: [3, 3], step: [1, 2] } },
    { shapes: [[7]], attrs: { start: [6], size: [4], step: [-2] } },
    { shapes: [[37]], attrs: { start: [35], size: [12], step: [-3] } },
    { shapes: [[1, 3]], attrs: { start: [0, 2], size: [1, 1], step: [1, 1] } },
    { shapes: [[3, 4]], attrs: { start: [0, 1], size: [0, 2], step: [1, 1] } },
  ],
  errors: () => [
    {
      shapes: [[3]],
      attrs: { start: [1], size: [3], step: [1] },
      message: 'slice: dim 0 has positions 0 … 2, got 1 … 3',
    },
  ],
});
export function slice(x: Node, a: SliceAttrs): Node {
  const whole = x.shape.every((n, d) => a.start[d] === 0 && a.size[d] === n && a.step[d] === 1);
  if (whole) return x;
  const n = build(sliceDef, [x], a);
  // A part of data is data: where it starts is no matter of the plan.
  if (partOffset(n) >= 0) n.hash = dataHash(n.shape, n.dtype);
  return n;
}
/** Where a slice of data begins that is one piece of its memory, in elements; -1 for any other node. */
export function partOffset(n: Node): number {
  if (n.op !== sliceDef || n.src.length === 0 || n.src[0]!.value === null) return -1;
  const { shape } = n.src[0]!;
  const { start, size, step } = n.attrs as SliceAttrs;
  if (size.includes(0)) return -1;
  let d = 0;
  while (d < size.length && size[d] === 1) d++;
  if (d < size.length && step[d] !== 1) return -1;
  for (let k = d + 1; k < size.length; k++) if (size[k] !== shape[k] || step[k] !== 1) return -1;
  return start.reduce((at, s, k) => at * shape[k]! + s, 0);
}
/** `size` elements of one dim from `start`. */
export function narrow(x: Node, dim: number, start: number, size: number, step = 1): Node {
  return slice(x, {
    start: x.shape.map((_, d) => (d === dim ? start : 0)),
    size: x.shape.map((n, d) => (d === dim ? size : n)),
    step: x.shape.map((_, d) => (d === dim ? step : 1)),
  });
}
/** A reshape of some rows of x as rows of a reshape of x, whose index needs no division; null for any other node. */
export function rowsLater(n: Node, shape: Shape): Node | null {
  if (n.op !== sliceDef || n.value !== null || shape.length === 0 || n.shape.length === 0) return null;
  const [x] = n.src as [Node];
  const { start, size, step } = n.attrs as SliceAttrs;
  const row = numel(x.shape.slice(1));
  const inner = numel(shape.slice(1));
  const whole = step[0] === 1 && size.every((s, d) => d === 0 || (s === x.shape[d] && step[d] === 1));
  if (!whole || inner === 0 || row % inner !== 0) return null;
  const wide = reshape(x, [(x.shape[0]! * row) / inner, ...shape.slice(1)]);
  return narrow(wide, 0, (start[0]! * row) / inner, shape[0]!);
}
export function flip(x: Node, dims: readonly number[]): Node {
  return slice(x, {
    start: x.shape.map((n, d) => (dims.includes(d) ? Math.max(n - 1, 0) : 0)),
    size: x.shape,
    step: x.shape.map((_, d) => (dims.includes(d) ? -1 : 1)),
  });
}
/** Puts step−1 zeros between neighbours. */
export function dilate(x: Node, step: readonly number[]): Node {
  if (step.every((s, d) => s === 1 || x.shape[d]! <= 1)) return x;
  // (n) → (n, 1) → pad to (n, step) → (n·step) → drop the last step−1.
  const n = x.shape;
  const wide = pad(
    reshape(
      x,
      n.flatMap(s => [s, 1]),
    ),
    n.flatMap(() => [0, 0]),
    step.flatMap(s => [0, s - 1]),
    0,
  );
  const merged = reshape(
    wide,
    n.map((s, d) => s * step[d]!),
  );
  return slice(merged, {
    start: n.map(() => 0),
    size: n.map((s, d) => (s === 0 ? 0 : (s - 1) * step[d]! + 1)),
    step: n.map(() => 1),
  });
}

export interface PadAttrs {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly value: number;
}
export const padDef: OpDef<PadAttrs> = defineOp<PadAttrs>({
  name: 'pad',
  doc: 'Puts `before` and `after` elements of `value` around x; negative amounts cut.',
  kind: 'movement',
  shape: (src, { before, after }) =>
    src[0]!.shape.map((n, d) => {
      const out = n + before[d]! + after[d]!;
      if (out < 0)
        throw new ShapeError(
          'pad',
          `dim ${d} of size ${n} cannot lose more than it has`,
          `${before[d]} and ${after[d]}`,
          '',
        );
      return out;
    }),
  dtype: sameDType,
  index: (at, n) => {
    const { before } = n.attrs;
    const size = n.src[0]!.shape;
    let guard: E | null = null;
    const out = at.map((a, d) => {
      const i = addScaled(constAffine(-before[d]!), a, 1);
      const e = indexOf(i);
      if (before[d]! > 0) guard = both(guard, m.le(m.const(0, 'i32'), e));
      if (n.attrs.after[d]! > 0) guard = both(guard, m.lt(e, m.const(size[d]!, 'i32')));
      return i;
    });
    return { at: out, guard };
  },
  vjp: (g, { src, attrs: { before, after } }) => {
    const s = src[0]!.shape;
    if (before.every(b => b >= 0) && after.every(a => a >= 0)) {
      return slice(g, { start: before, size: s, step: s.map(() => 1) });
    }
    return pad(
      g,
      before.map(b => -b),
      after.map(a => -a),
      0,
    );
  },
  // Not linear where the value is not 0: forward mode transposes the rule above.
  batch: ([x], _, { attrs: a }) => pad(x!, [0, ...a.before], [0, ...a.after], a.value),
  cost: 2,
  samples: () => [
    { shapes: [[2, 3]], attrs: { before: [1, 0], after: [0, 2], value: 0 } },
    { shapes: [[4]], attrs: { before: [-1], after: [2], value: 0 } },
    { shapes: [[3, 35]], attrs: { before: [0, 1], after: [2, 3], value: 1.5 } },
    { shapes: [[1]], attrs: { before: [2], after: [0], value: -1 } },
    { shapes: [[0, 2]], attrs: { before: [1, 1], after: [0, 0], value: 0 } },
  ],
  errors: () => [
    {
      shapes: [[2]],
      attrs: { before: [-3], after: [0], value: 0 },
      message: 'pad: dim 0 of size 2 cannot lose more than it has',
    },
  ],
});
const both = (a: E | null, b: E): E => (a === null ? b : m.and(a, b));
export function pad(x: Node, before: readonly number[], after: readonly number[], value: number): Node {
  if (before.every(n => n === 0) && after.every(n => n === 0)) return x;
  // Cuts are slices: what is left only grows, so that the index guard needs no case for them.
  if (before.some(n => n < 0) || after.some(n => n < 0)) {
    const cutB = before.map(n => Math.max(-n, 0));
    const cutA = after.map(n => Math.max(-n, 0));
    build(padDef, [x], { before, after, value }); // refuses to cut more than there is
    const size = x.shape.map((n, d) => Math.max(n - cutB[d]! - cutA[d]!, 0));
    const lost = x.shape.map((n, d) => Math.min(n - cutB[d]! - cutA[d]!, 0));
    const inner = slice(x, {
      start: cutB.map((c, d) => (size[d] === 0 ? 0 : c)),
      size,
      step: size.map(() => 1),
    });
    const b = before.map((n, d) => Math.max(n, 0) + (n > 0 ? lost[d]! : 0));
    return pad(
      inner,
      b,
      after.map((n, d) => Math.max(n, 0) + (before[d]! > 0 ? 0 : lost[d]!)),
      value,
    );
  }
  return build(padDef, [x], { before, after, value });
}
/**
 * a + b, where both are zeros but for a piece each and the pieces are neighbours: the pieces joined, with zeros around
 * them. So the gradients of many slices are written once and not added up slice by slice. Null for any other a and b, and
 * for pieces of different sizes where they do not lie one after the other in memory.
 */
export function joinPads(a: Node, b: Node): Node | null {
  const [x, y] = [piece(a), piece(b)];
  if (x === null || y === null || x.dim !== y.dim) return null;
  const [first, second] = x.start < y.start ? [x, y] : [y, x];
  if (first.end !== second.start) return null;
  const { dim } = x;
  const list = [...partsOf(first.of, dim), ...partsOf(second.of, dim)];
  const oneStretch = a.shape.slice(0, dim).every(s => s === 1);
  if (!oneStretch && list.some(n => !sameShape(n.shape, list[0]!.shape))) return null;
  const at = a.shape.map((_, d) => (d === dim ? first.start : 0));
  const after = a.shape.map((n, d) => (d === dim ? n - second.end : 0));
  return pad(cat(list, dim), at, after, 0);
}
/** What a node joins along a dim. */
const partsOf = (n: Node, dim: number): readonly Node[] =>
  n.op === catDef && n.value === null && (n.attrs as JoinAttrs).dim === dim ? n.src : [n];
export const joinRows = (a: Node, b: Node): Node => cat([...partsOf(a, 0), ...partsOf(b, 0)], 0);
/** Where the source of a pad with zeros lies along the one dim that it pads; null for any other node. */
function piece(n: Node): { of: Node; dim: number; start: number; end: number } | null {
  if (n.op !== padDef || n.value !== null) return null;
  const { before, after, value } = n.attrs as PadAttrs;
  const grown = n.shape.flatMap((_, d) => (before[d] !== 0 || after[d] !== 0 ? [d] : []));
  if (value !== 0 || grown.length !== 1) return null;
  const dim = grown[0]!;
  return { of: n.src[0]!, dim, start: before[dim]!, end: n.shape[dim]! - after[dim]! };
}
export const padFill = (n: Node): number => (n.attrs as PadAttrs).value;

export interface WindowAttrs {
  readonly dim: number;
  readonly size: number;
  readonly step: number;
  readonly dilation: number;
}
const windowCount = (n: number, a: WindowAttrs): number =>
  Math.floor((n - (a.size - 1) * a.dilation - 1) / a.step) + 1;
export const windowDef: OpDef<WindowAttrs> = defineOp<WindowAttrs>({
  name: 'window',
  doc: 'All windows of one dim: result[…, o, …, k] = x[…, o·step + k·dilation, …]; k is the last dim.',
  kind: 'movement',
  shape: (src, a) => {
    const s = src[0]!.shape;
    const n = s[a.dim]!;
    const count = windowCount(n, a);
    if (count < 1 || a.size < 1 || a.step < 1 || a.dilation < 1) {
      throw new ShapeError(
        'window',
        `dim ${a.dim} has ${n} elements`,
        `size ${a.size}, step ${a.step}, dilation ${a.dilation}`,
        'the window must fit at least once',
      );
    }
    return [...s.map((v, d) => (d === a.dim ? count : v)), a.size];
  },
  dtype: sameDType,
  index: (at, { attrs: a }) => {
    const out = at.slice(0, -1);
    const k = at[at.length - 1]!;
    out[a.dim] = addScaled(addScaled(constAffine(0), out[a.dim]!, a.step), k, a.dilation);
    return { at: out };
  },
  vjp: (g, n) => windowSum(g, n.attrs, n.src[0]!.shape[n.attrs.dim]!),
  linearIn: [0],
  batch: ([x], _, { attrs: a }) => window(x!, { ...a, dim: a.dim + 1 }),
  cost: 0,
  samples: () => [
    { shapes: [[2, 7]], attrs: { dim: 1, size: 3, step: 2, dilation: 1 } },
    { shapes: [[9, 2]], attrs: { dim: 0, size: 2, step: 1, dilation: 3 } },
    { shapes: [[37]], attrs: { dim: 0, size: 5, step: 3, dilation: 2 } },
    { shapes: [[1, 3]], attrs: { dim: 0, size: 1, step: 1, dilation: 1 } },
  ],
  errors: () => [
    {
      shapes: [[2]],
      attrs: { dim: 0, size: 3, step: 1, dilation: 1 },
      message: 'window: dim 0 has 2 elements',
    },
  ],
});
export const window = (x: Node, a: WindowAttrs): Node => build(windowDef, [x], a);

interface JoinAttrs {
  readonly dim: number;
}
export const catDef: OpDef<JoinAttrs> = defineOp<JoinAttrs>({
  name: 'cat',
  doc: 'All sources one after another along a dim.',
  kind: 'join',
  arity: 2,
  shape: (src, { dim }) => {
    const first = src[0]!.shape;
    let total = 0;
    for (const s of src) {
      const fits = s.shape.length === first.length && s.shape.every((n, d) => d === dim || n === first[d]);
      if (!fits) {
        throw new ShapeError(
          'cat',
          `sizes must agree except in dim ${dim}`,
          src.map(n => showShape(n.shape)).join(' and '),
          '',
        );
      }
      total += s.shape[dim]!;
    }
    return first.map((n, d) => (d === dim ? total : n));
  },
  dtype: sameDType,
  vjp: (g, n, i) => {
    const { dim } = n.attrs;
    let start = 0;
    for (let j = 0; j < i; j++) start += n.src[j]!.shape[dim]!;
    return narrow(g, dim, start, n.src[i]!.shape[dim]!);
  },
  additive: true,
  batch: (_src, _batched, n, _size, lift) => build(catDef, lift(n.src), { dim: n.attrs.dim + 1 }),
  cost: 1,
  samples: () => [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      attrs: { dim: 1 },
    },
    {
      shapes: [
        [2, 3],
        [0, 3],
      ],
      attrs: { dim: 0 },
    },
    {
      shapes: [
        [3, 35],
        [3, 1],
        [3, 7],
      ],
      attrs: { dim: 1 },
    },
  ],
  errors: () => [
    {
      shapes: [
        [2, 3],
        [3, 2],
      ],
      attrs: { dim: 0 },
      message: 'cat: sizes must agree except in dim 0',
    },
  ],
});
export function cat(src: readonly Node[], dim: number): Node {
  return src.length === 1 ? src[0]! : build(catDef, src, { dim });
}
export const joinDim = (n: Node): number => (n.attrs as JoinAttrs).dim;

/** The transpose of `window`: adds every window back where it came from. */
export function windowSum(y: Node, a: WindowAttrs, length: number): Node {
  const last = y.shape.length - 1;
  const { dim, size, step } = a;
  if (size === step && a.dilation === 1 && size > 1) {
    // Windows side by side: nothing meets.
    const order = y.shape.map((_, d) => d).slice(0, -1);
    order.splice(dim + 1, 0, last);
    const shape = y.shape.slice(0, -1).map((n, d) => (d === dim ? n * size : n));
    const beside = reshape(permute(y, order), shape);
    const after = shape.map((n, d) => (d === dim ? length - n : 0));
    return pad(
      beside,
      after.map(() => 0),
      after,
      0,
    );
  }
  let sum: Node | null = null;
  for (let i = 0; i < a.size; i++) {
    const tap = reshape(narrow(y, last, i, 1), y.shape.slice(0, -1));
    const step = tap.shape.map((_, d) => (d === a.dim ? a.step : 1));
    const spread = dilate(tap, step);
    const before = tap.shape.map((_, d) => (d === a.dim ? i * a.dilation : 0));
    const after = tap.shape.map((_, d) => (d === a.dim ? length - i * a.dilation - spread.shape[d]! : 0));
    const placed = pad(spread, before, after, 0);
    sum = sum === null ? placed : plus(sum, placed);
  }
  return sum!;
}

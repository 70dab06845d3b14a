// Reductions and their transpose, expand; running reductions (scans) and the linear recurrence.
// In: nodes and normalised dims. Out: nodes. Not its job: statistics made of them (tensor/reduce.ts).

import { DTypeError, ShapeError, showShape, ValueError } from '../../base/errors.ts';
import type { Shape } from '../../base/shape.ts';
import { sameShape } from '../../base/shape.ts';
import type { Node } from '../node.ts';
import type { OpDef, Sample } from '../op.ts';
import { build, defineOp } from '../op.ts';
import type { E, Fold } from '../scalar.ts';
import { constAffine, m } from '../scalar.ts';
import { add, cast, constLike, div, eq, exp, log, logAddExp, mul, sub, where } from './elementwise.ts';
import { cat, narrow, pad, reshape } from './movement.ts';

// ---- expand ----------------------------------------------------------------------------------------------------

interface ExpandAttrs {
  readonly shape: Shape;
}
export const expandDef: OpDef<ExpandAttrs> = defineOp<ExpandAttrs>({
  name: 'expand',
  doc: 'x repeated along dims of size 1 and new leading dims, without a copy.',
  kind: 'movement',
  shape: (src, { shape }) => {
    const s = src[0]!.shape;
    const lead = shape.length - s.length;
    if (lead < 0 || s.some((n, d) => n !== 1 && n !== shape[lead + d])) {
      throw new ShapeError(
        'expand',
        `only dims of size 1 of ${showShape(s)} stretch, and new dims come first`,
        showShape(shape),
        '',
      );
    }
    return shape;
  },
  dtype: src => src[0]!.dtype,
  index: (at, n) => {
    const s = n.src[0]!.shape;
    const lead = n.shape.length - s.length;
    return { at: s.map((v, d) => (v === 1 && n.shape[lead + d] !== 1 ? constAffine(0) : at[lead + d]!)) };
  },
  vjp: (g, n) => sumTo(g, n.src[0]!.shape),
  linearIn: [0],
  batch: ([x], _, n, size) => {
    const s = n.src[0]!.shape;
    const lead = n.shape.length - s.length;
    return expand(reshape(x!, [size, ...Array<number>(lead).fill(1), ...s]), [size, ...n.shape]);
  },
  cost: 0,
  samples: () => [
    { shapes: [[3, 1]], attrs: { shape: [2, 3, 4] } },
    { shapes: [[]], attrs: { shape: [3] } },
    { shapes: [[1, 7]], attrs: { shape: [5, 7] } },
    { shapes: [[1]], attrs: { shape: [37] } },
    { shapes: [[3, 1]], attrs: { shape: [3, 0] } },
  ],
  errors: () => [
    { shapes: [[3]], attrs: { shape: [4] }, message: 'expand: only dims of size 1 of (3) stretch' },
  ],
});
export function expand(x: Node, shape: Shape): Node {
  return sameShape(x.shape, shape) ? x : build(expandDef, [x], { shape });
}

/** Sums the dims along which `shape` was broadcast to x's shape. */
export function sumTo(x: Node, shape: Shape): Node {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const dims: number[] = [];
  for (let d = 0; d < x.shape.length; d++) {
    if (d < lead || (shape[d - lead] === 1 && x.shape[d] !== 1)) dims.push(d);
  }
  return reshape(sum(x, dims, true), shape);
}

// ---- folds -----------------------------------------------------------------------------------------------------

const monoid = (name: string, first: (t: E['type']) => number, join: (a: E, b: E) => E): Fold => ({
  name,
  init: t => [m.const(first(t), t)],
  step: ([a], [x]) => [join(a!, x!)],
  merge: ([a], [b]) => [join(a!, b!)],
  result: 0,
  positional: false,
});
const lowest = (t: E['type']): number =>
  t === 'i32' ? -2147483648 : t === 'b' ? 0 : Number.NEGATIVE_INFINITY;
const highest = (t: E['type']): number =>
  t === 'i32' ? 2147483647 : t === 'b' ? 1 : Number.POSITIVE_INFINITY;
const extreme = (
  name: string,
  first: (t: E['type']) => number,
  i64: bigint,
  join: (a: E, b: E) => E,
): Fold => ({
  ...monoid(name, first, join),
  init: t => [t === 'i64' ? m.const(i64, t) : m.const(first(t), t)],
});
const MIN64 = -(2n ** 63n);
export const FOLD_ADD: Fold = monoid('add', () => 0, m.add);
const FOLD_MUL = monoid('mul', () => 1, m.mul);
const FOLD_MAX = extreme('max', lowest, MIN64, (a, b) => (a.type === 'b' ? m.or(a, b) : m.max(a, b)));
/** One instruction where FOLD_MAX takes eight: it need not pass NaN on. */
const FOLD_TOP = extreme('top', lowest, MIN64, (a, b) => (a.type === 'b' ? m.or(a, b) : m.pmax(a, b)));
const FOLD_MIN = extreme('min', highest, -MIN64 - 1n, (a, b) => (a.type === 'b' ? m.and(a, b) : m.min(a, b)));
const FOLD_OR = monoid('or', () => 0, m.or);
const FOLD_AND = monoid('and', () => 1, m.and);

/** First position of the largest (or smallest) value; NaN counts as the most extreme, as in PyTorch. */
const arg = (name: string, better: (x: E, best: E) => E, first: Fold, last: boolean): Fold => {
  const pick = (a: readonly E[], x: E, at: E): E[] => {
    const [best, where0] = a as [E, E];
    // Loops may run in another order than positions: an equal value counts where it stands before. Scans run in order.
    const before = m.lt(at, where0);
    let take = m.or(better(x, best), last ? m.eq(x, best) : m.and(m.eq(x, best), before));
    if (x.type === 'f32' || x.type === 'f64') {
      const nan = last ? m.ne(x, x) : m.and(m.ne(x, x), m.or(m.eq(best, best), before));
      take = m.or(take, nan);
      if (last) take = m.and(take, m.or(m.ne(x, x), m.eq(best, best)));
    }
    // Nothing seen yet: the position is -1, so that a value equal to the start still counts.
    take = m.or(take, m.lt(where0, m.const(0, 'i32')));
    return [m.select(take, x, best), m.select(take, at, where0)];
  };
  return {
    name,
    init: t => [...first.init(t), m.const(-1, 'i32')],
    step: (a, [x], at) => pick(a, x!, at!),
    // b may hold positions before a's: the earlier position wins a tie, and -1 means none.
    merge: (a, b) => {
      const [va, pa] = a as [E, E];
      const [vb, pb] = b as [E, E];
      let takeB = better(vb, va);
      const tie = m.and(m.eq(va, vb), last ? m.lt(pa, pb) : m.lt(pb, pa));
      takeB = m.or(takeB, tie);
      if (va.type === 'f32' || va.type === 'f64') {
        const nanA = m.ne(va, va);
        const nanB = m.ne(vb, vb);
        const nanWins = m.and(nanB, m.or(m.not(nanA), last ? m.lt(pa, pb) : m.lt(pb, pa)));
        takeB = m.or(m.and(takeB, m.not(nanA)), nanWins);
      }
      const none = m.const(0, 'i32');
      takeB = m.or(m.lt(pa, none), m.and(takeB, m.le(none, pb)));
      return [m.select(takeB, vb, va), m.select(takeB, pb, pa)];
    },
    result: 1,
    positional: true,
  };
};
const FOLD_ARGMAX = arg('argmax', (x, best) => m.lt(best, x), FOLD_MAX, false);
const FOLD_ARGMIN = arg('argmin', (x, best) => m.lt(x, best), FOLD_MIN, false);

// ---- reductions ------------------------------------------------------------------------------------------------

export interface ReduceAttrs {
  /** Sorted, non-negative. */
  readonly dims: readonly number[];
  readonly keepdim: boolean;
}
const reduced = (src: readonly Node[], { dims, keepdim }: ReduceAttrs): Shape => {
  const s = src[0]!.shape;
  return keepdim ? s.map((n, d) => (dims.includes(d) ? 1 : n)) : s.filter((_, d) => !dims.includes(d));
};
/** Brings a reduced tensor back to where it broadcasts against the source. */
export function unreduce(x: Node, src: Node, a: ReduceAttrs): Node {
  return reshape(
    x,
    src.shape.map((n, d) => (a.dims.includes(d) ? 1 : n)),
  );
}

const reduceSamples =
  (range: readonly [number, number] = [-2, 2], empty = true): (() => Sample[]) =>
  () => [
    { shapes: [[3, 4]], attrs: { dims: [1], keepdim: false }, range },
    { shapes: [[3, 4, 2]], attrs: { dims: [0, 2], keepdim: true }, range },
    { shapes: [[5]], attrs: { dims: [0], keepdim: false }, range },
    { shapes: [[37, 5]], attrs: { dims: [0], keepdim: false }, range },
    { shapes: [[3, 67]], attrs: { dims: [1], keepdim: true }, range },
    { shapes: [[2, 1, 3]], attrs: { dims: [1], keepdim: false }, range },
    { shapes: [[1]], attrs: { dims: [0], keepdim: false }, range },
    ...(empty ? [{ shapes: [[0, 3]], attrs: { dims: [0], keepdim: false }, range }] : []),
  ];

interface ReduceSpec {
  name: string;
  doc: string;
  fold: Fold;
  dtype?: (x: Node) => Node['dtype'];
  needsElements?: boolean;
  onlyBool?: boolean;
  vjp?: (g: Node, x: Node, y: Node, a: ReduceAttrs) => Node;
  linear?: boolean;
  samples?: () => Sample[];
}
type ReduceOp = ((x: Node, dims: readonly number[], keepdim: boolean) => Node) & {
  readonly def: OpDef<ReduceAttrs>;
};

function reduction(spec: ReduceSpec): ReduceOp {
  const { vjp } = spec;
  const def: OpDef<ReduceAttrs> = defineOp<ReduceAttrs>({
    name: spec.name,
    doc: spec.doc,
    kind: 'reduce',
    shape: (src, a) => {
      if (spec.needsElements && a.dims.some(d => src[0]!.shape[d] === 0)) {
        throw new ValueError(
          spec.name,
          'a reduced dim needs at least one element',
          `shape ${showShape(src[0]!.shape)}`,
          'the result of nothing is undefined',
        );
      }
      return reduced(src, a);
    },
    dtype: src => {
      if (spec.onlyBool && src[0]!.dtype !== 'bool') {
        throw new DTypeError(spec.name, 'it takes bool', src[0]!.dtype, 'compare first');
      }
      return spec.dtype ? spec.dtype(src[0]!) : src[0]!.dtype;
    },
    fold: spec.fold,
    ...(vjp ? { vjp: (g, n) => vjp(g, n.src[0]!, n, n.attrs) } : {}),
    linearIn: spec.linear ? [0] : null,
    batch: ([x], _, { attrs: a }) => build(def, [x!], { ...a, dims: a.dims.map(d => d + 1) }),
    samples: spec.samples ?? reduceSamples(undefined, !spec.needsElements),
    errors: () =>
      spec.onlyBool
        ? [
            {
              shapes: [[3]],
              attrs: { dims: [0], keepdim: false },
              message: `${spec.name}: it takes bool, got float32`,
            },
          ]
        : spec.needsElements
          ? [
              {
                shapes: [[0, 3]],
                attrs: { dims: [0], keepdim: false },
                message: `${spec.name}: a reduced dim needs at least one element`,
              },
            ]
          : [],
  });
  const op = (x: Node, dims: readonly number[], keepdim: boolean): Node =>
    dims.length === 0 && !spec.fold.positional ? x : build(def, [x], { dims, keepdim });
  return Object.assign(op, { def });
}

export const sum: ReduceOp = reduction({
  name: 'sum',
  doc: 'Σ x over dims',
  fold: FOLD_ADD,
  linear: true,
  vjp: (g, x, _, a) => expand(unreduce(g, x, a), x.shape),
});
const share = (g: Node, x: Node, y: Node, a: ReduceAttrs): Node => {
  // Equal extremes share the gradient, as torch.amax does.
  const hit = cast(eq(x, unreduce(y, x, a)), x.dtype);
  return mul(hit, div(unreduce(g, x, a), sum(hit, a.dims, true)));
};
export const amax: ReduceOp = reduction({
  name: 'amax',
  doc: 'the largest x over dims; equal ones share the gradient',
  fold: FOLD_MAX,
  needsElements: true,
  vjp: share,
});
/** What a softmax subtracts. */
export const top: ReduceOp = reduction({
  name: 'top',
  doc: 'the largest number over dims, −∞ where all are NaN',
  fold: FOLD_TOP,
  needsElements: true,
  vjp: share,
});
export const amin: ReduceOp = reduction({
  name: 'amin',
  doc: 'the smallest x over dims; equal ones share the gradient',
  fold: FOLD_MIN,
  needsElements: true,
  vjp: share,
});
export const prod: ReduceOp = reduction({
  name: 'prod',
  doc: 'Π x over dims',
  fold: FOLD_MUL,
  vjp: (g, x, _, a) => mul(expand(unreduce(g, x, a), x.shape), productOfOthers(x, a.dims)),
});
/** For each element the product of all others over dims: products before and after it, so that zeros are right. */
function productOfOthers(x: Node, dims: readonly number[]): Node {
  let out: Node | null = null;
  let rest = x;
  for (const d of dims) {
    const before = exclusiveProd(rest, d, false);
    const after = exclusiveProd(rest, d, true);
    const here = expand(mul(before, after), x.shape);
    out = out === null ? here : mul(out, here);
    rest = prod(rest, [d], true);
  }
  return out ?? constLike(x, 1);
}
function exclusiveProd(x: Node, dim: number, reverse: boolean): Node {
  const n = x.shape[dim]!;
  if (n === 0) return x;
  const ones = expand(
    constLike(x, 1),
    x.shape.map((s, d) => (d === dim ? 1 : s)),
  );
  const part = narrow(x, dim, reverse ? 1 : 0, n - 1);
  return cumprod(cat(reverse ? [part, ones] : [ones, part], dim), dim, reverse);
}

const position = () => 'int64' as const;
const argDoc = 'over dims taken as one row-major range; the first on a tie, NaN before all';
export const argmax: ReduceOp = reduction({
  name: 'argmax',
  doc: `the position of the largest x ${argDoc}`,
  fold: FOLD_ARGMAX,
  dtype: position,
  needsElements: true,
});
export const argmin: ReduceOp = reduction({
  name: 'argmin',
  doc: `the position of the smallest x ${argDoc}`,
  fold: FOLD_ARGMIN,
  dtype: position,
  needsElements: true,
});
const boolSamples = (): Sample[] => [
  { shapes: [[3, 4]], dtypes: ['bool'], attrs: { dims: [1], keepdim: false } },
  { shapes: [[0, 4]], dtypes: ['bool'], attrs: { dims: [0], keepdim: true } },
  { shapes: [[3, 67]], dtypes: ['bool'], attrs: { dims: [0, 1], keepdim: false } },
];
export const any: ReduceOp = reduction({
  name: 'any',
  doc: 'whether some x holds',
  fold: FOLD_OR,
  onlyBool: true,
  samples: boolSamples,
});
export const all: ReduceOp = reduction({
  name: 'all',
  doc: 'whether every x holds',
  fold: FOLD_AND,
  onlyBool: true,
  samples: boolSamples,
});

// ---- scans -----------------------------------------------------------------------------------------------------

export interface ScanAttrs {
  readonly dim: number;
  /** From the last element to the first. */
  readonly reverse: boolean;
}
type ScanOp = ((x: Node, dim: number, reverse?: boolean) => Node) & { readonly def: OpDef<ScanAttrs> };
const scanSamples = (): Sample[] => [
  { shapes: [[3, 4]], attrs: { dim: 1, reverse: false } },
  { shapes: [[4, 3, 2]], attrs: { dim: 0, reverse: true } },
  { shapes: [[2, 37]], attrs: { dim: 1, reverse: true } },
  { shapes: [[3, 35]], attrs: { dim: 0, reverse: false } },
  { shapes: [[1]], attrs: { dim: 0, reverse: false } },
  { shapes: [[0]], attrs: { dim: 0, reverse: false } },
];

function scan(spec: {
  name: string;
  doc: string;
  fold: Fold;
  dtype?: () => Node['dtype'];
  vjp?: (g: Node, x: Node, y: Node, a: ScanAttrs) => Node;
  linear?: boolean;
}): ScanOp {
  const { vjp } = spec;
  const def: OpDef<ScanAttrs> = defineOp<ScanAttrs>({
    name: spec.name,
    doc: spec.doc,
    kind: 'scan',
    shape: src => src[0]!.shape,
    dtype: src => (spec.dtype ? spec.dtype() : src[0]!.dtype),
    fold: spec.fold,
    ...(vjp ? { vjp: (g, n) => vjp(g, n.src[0]!, n, n.attrs) } : {}),
    linearIn: spec.linear ? [0] : null,
    batch: ([x], _, { attrs: a }) => build(def, [x!], { ...a, dim: a.dim + 1 }),
    cost: 4,
    samples: scanSamples,
  });
  return Object.assign((x: Node, dim: number, reverse = false) => build(def, [x], { dim, reverse }), { def });
}

export const cumsum: ScanOp = scan({
  name: 'cumsum',
  doc: 'running sum along a dim',
  fold: FOLD_ADD,
  linear: true,
  vjp: (g, _x, _y, a) => cumsum(g, a.dim, !a.reverse),
});
export const cumprod: ScanOp = scan({
  name: 'cumprod',
  doc: 'running product along a dim',
  fold: FOLD_MUL,
  // dx_k = (Π_{j<k} x_j) · s_k with s_k = g_k + x_{k+1} s_{k+1}: no division, so zeros are right.
  vjp: (g, x, _, a) =>
    mul(
      exclusiveProd(x, a.dim, a.reverse),
      linearScan(neighbour(x, a.dim, !a.reverse, 0), g, a.dim, !a.reverse),
    ),
});
export const logcumsumexp: ScanOp = scan({
  name: 'logcumsumexp',
  doc: 'ln of the running sum of eˣ along a dim, without overflow',
  fold: {
    name: 'logaddexp',
    init: t => [m.const(Number.NEGATIVE_INFINITY, t)],
    step: ([a], [x]) => [logAddExp(a!, x!)],
    merge: null,
    result: 0,
    positional: false,
  },
  // y never falls, so e^{y_i − y_{i+1}} ≤ 1 and the recurrence is stable. Where y is still −∞ nothing has a share.
  vjp: (g, x, y, a) => {
    const finite = where(eq(y, constLike(y, Number.NEGATIVE_INFINITY)), constLike(y, 0), y);
    const decay = exp(sub(y, neighbour(finite, a.dim, !a.reverse, 0)));
    return mul(exp(sub(x, finite)), linearScan(zeroFirst(decay, a.dim, !a.reverse), g, a.dim, !a.reverse));
  },
});
/** Each element's neighbour in scan order: the one visited before it. */
export function neighbour(x: Node, dim: number, reverse: boolean, fill: number): Node {
  const n = x.shape[dim]!;
  if (n === 0) return x;
  const rest = narrow(x, dim, reverse ? 1 : 0, n - 1);
  const lo = x.shape.map((_, d) => (d === dim && !reverse ? 1 : 0));
  const hi = x.shape.map((_, d) => (d === dim && reverse ? 1 : 0));
  return pad(rest, lo, hi, fill);
}
/** The first visited element has no predecessor: its factor is 0. */
function zeroFirst(x: Node, dim: number, reverse: boolean): Node {
  const n = x.shape[dim]!;
  if (n === 0) return x;
  const rest = narrow(x, dim, reverse ? 0 : 1, n - 1);
  const lo = x.shape.map((_, d) => (d === dim && !reverse ? 1 : 0));
  const hi = x.shape.map((_, d) => (d === dim && reverse ? 1 : 0));
  return pad(rest, lo, hi, 0);
}

const positional = ({ name, doc, fold }: { name: string; doc: string; fold: Fold }): ScanOp =>
  scan({ name, doc, fold: { ...fold, merge: null }, dtype: () => 'int64' });
export const cummaxIndices: ScanOp = positional({
  name: 'cummaxIndices',
  doc: 'position of the running maximum; the last on a tie, as in PyTorch',
  fold: arg('cummax', (x, best) => m.lt(best, x), FOLD_MAX, true),
});
export const cumminIndices: ScanOp = positional({
  name: 'cumminIndices',
  doc: 'position of the running minimum; the last on a tie, as in PyTorch',
  fold: arg('cummin', (x, best) => m.lt(x, best), FOLD_MIN, true),
});

const linearScanDef: OpDef<ScanAttrs> = defineOp<ScanAttrs>({
  name: 'linearScan',
  doc: 'h_t = a_t · h_{t−1} + b_t along a dim, from h = 0',
  kind: 'scan',
  arity: 2,
  shape: src => {
    if (!sameShape(src[0]!.shape, src[1]!.shape)) {
      throw new ShapeError(
        'linearScan',
        'a and b must have one shape',
        src.map(s => showShape(s.shape)).join(' and '),
        '',
      );
    }
    return src[0]!.shape;
  },
  dtype: src => src[1]!.dtype,
  fold: {
    name: 'linear',
    init: t => [m.const(0, t)],
    step: ([h], [a, b]) => [m.fma(a!, h!, b!)],
    merge: null,
    result: 0,
    positional: false,
  },
  // db_t = g_t + a_{t+1} db_{t+1}; da_t = db_t · h_{t−1}.
  vjp: (g, n, i) => {
    const { dim, reverse } = n.attrs;
    const db = linearScan(neighbour(n.src[0]!, dim, !reverse, 0), g, dim, !reverse);
    return i === 1 ? db : mul(db, neighbour(n, dim, reverse, 0));
  },
  batch: (_src, _batched, n, _size, lift) =>
    build(linearScanDef, lift(n.src), { ...n.attrs, dim: n.attrs.dim + 1 }),
  cost: 2,
  samples: () => [
    {
      shapes: [
        [3, 4],
        [3, 4],
      ],
      attrs: { dim: 1, reverse: false },
    },
    {
      shapes: [
        [4, 3],
        [4, 3],
      ],
      attrs: { dim: 0, reverse: true },
    },
    {
      shapes: [
        [2, 37],
        [2, 37],
      ],
      attrs: { dim: 1, reverse: true },
    },
    { shapes: [[1], [1]], attrs: { dim: 0, reverse: false }, flat: [0] },
    { shapes: [[0], [0]], attrs: { dim: 0, reverse: false } },
  ],
  errors: () => [
    {
      shapes: [[3], [4]],
      attrs: { dim: 0, reverse: false },
      message: 'linearScan: a and b must have one shape',
    },
  ],
});
export const linearScan = (a: Node, b: Node, dim: number, reverse = false): Node =>
  build(linearScanDef, [a, b], { dim, reverse });

// ---- composites that others need -------------------------------------------------------------------------------

export const countOf = (x: Node, dims: readonly number[]): number =>
  dims.reduce((p, d) => p * x.shape[d]!, 1);
export function mean(x: Node, dims: readonly number[], keepdim: boolean): Node {
  return div(sum(x, dims, keepdim), constLike(x, countOf(x, dims)));
}
/** ln Σ eˣ with the maximum taken out; a row of −∞ gives −∞ and gradient 0, not NaN. */
export function logsumexp(x: Node, dims: readonly number[], keepdim: boolean): Node {
  const largest = top(x, dims, true);
  largest.needsGrad = false;
  const finite = eq(sub(largest, largest), constLike(x, 0));
  finite.needsGrad = false;
  const shift = where(finite, largest, constLike(x, 0));
  shift.needsGrad = false;
  const total = sum(exp(sub(x, shift)), dims, true);
  const none = eq(total, constLike(x, 0));
  const safe = add(log(where(none, constLike(x, 1), total)), shift);
  const lse = where(none, constLike(x, Number.NEGATIVE_INFINITY), safe);
  return keepdim ? lse : reshape(lse, reduced([x], { dims, keepdim }));
}

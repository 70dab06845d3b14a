// The algebra of the graph, as tables of rules for rewrite.ts.
// In: a node. Out: a simpler one, or null. Not its job: choosing kernels.

import { DTYPES, isFloat } from '../base/dtype.ts';
import { flag } from '../base/env.ts';
import { numel, type Shape, sameShape } from '../base/shape.ts';
import { floatPermutes } from './layout.ts';
import { shareMargins } from './margins.ts';
import type { Node } from './node.ts';
import { build, hasKernel } from './op.ts';
import { contract, contractDef, contractionOf, joinProducts, type Labels } from './ops/contract.ts';
import {
  add,
  argOf,
  cast,
  castDef,
  constant,
  constLike,
  constValue,
  isConst,
  mul,
  neg,
} from './ops/elementwise.ts';
import { cat, joinPads, narrow, reshape, rowsLater } from './ops/movement.ts';
import { countOf, expandDef, type ReduceAttrs, sum } from './ops/reduce.ts';
import { type Rule, rewrite, type Trace } from './rewrite.ts';
import { withExprs } from './scalar.ts';
import { verify } from './verify.ts';

/** Composites become plain ops, but for those that have a kernel. */
const expandComposites: Rule[] = [
  n => (n.op.decompose === null || hasKernel(n) ? null : n.op.decompose(n.src, n.attrs)),
];

/** No-ops go; chains of one movement become one. */
const canonicalize: Rule[] = [
  // alias and detach matter to gradients only
  n => (n.op.kind === 'elementwise' && n.op.cost === 0 && n.src.length === 1 ? n.src[0]! : null),
  // cast(cast(x)) where the inner one loses nothing
  n => {
    if (n.op !== (castDef as unknown as typeof n.op)) return null;
    const [x] = n.src as [Node];
    if (x.dtype === n.dtype) return x;
    if (x.op !== n.op || x.value !== null) return null;
    const inner = x.src[0]!;
    return widens(inner, x) ? cast(inner, n.dtype) : null;
  },
  // a reduction that drops its dims is one that keeps them, relabelled: so that both forms are one node
  n => {
    if (n.op.kind !== 'reduce' || (n.attrs as ReduceAttrs).keepdim) return null;
    return reshape(build(n.op, n.src, { ...(n.attrs as ReduceAttrs), keepdim: true }), n.shape);
  },
  // reshape(reshape(x)), and reshape to the shape it has
  n => {
    if (!n.op.relabels) return null;
    const [x] = n.src as [Node];
    if (sameShape(x.shape, n.shape)) return x;
    return x.op.relabels && x.value === null ? reshape(x.src[0]!, n.shape) : rowsLater(x, n.shape);
  },
  factorOut,
  n => {
    if (n.op !== add.def) return null;
    const [a, b] = n.src as [Node, Node];
    return joinPads(a, b) ?? joinProducts(a, b) ?? joinFurther(a, b);
  },
];
/** x + y + z where z is the neighbour of x or of y, but they are none of each other. */
function joinFurther(a: Node, z: Node): Node | null {
  if (a.op !== add.def || a.value !== null) return null;
  const [x, y] = a.src as [Node, Node];
  const [xz, yz] = [joinPads(x, z), joinPads(y, z)];
  return xz !== null ? add(xz, y) : yz !== null ? add(x, yz) : null;
}
const widens = (from: Node, to: Node): boolean => {
  const a = DTYPES[from.dtype];
  const b = DTYPES[to.dtype];
  if (a.category === b.category)
    return from.dtype !== 'uint8' && a.bytes <= b.bytes && from.dtype !== 'bfloat16';
  return a.category === 0;
};

/** Arithmetic with constants. */
const fold: Rule[] = [
  // an elementwise op on constants alone
  n => {
    if (n.op.kind !== 'elementwise' || n.op.usesPosition || n.src.length === 0 || n.shape.length > 0)
      return null;
    if (!n.src.every(s => isConst(s))) return null;
    return withExprs(() => {
      const e = n.op.scalar!(
        n.src.map(s => s.op.scalar!([], s.attrs, s.dtype)),
        n.attrs,
        n.dtype,
      );
      return e.op === 'const' && DTYPES[n.dtype].bytes >= 4 ? constant(e.value, n.dtype, n.device) : null;
    });
  },
  // x·1, x+0, x−0, x/1: the identities of each op are found by trying its body on a symbol and the constant
  n => {
    if (n.op.kind !== 'elementwise' || n.src.length !== 2 || !isFloat(n.dtype)) return null;
    const at = n.src.findIndex(s => isConst(s));
    if (at < 0) return null;
    const other = n.src[1 - at]!;
    if (other.dtype !== n.dtype || !sameShape(other.shape, n.shape)) return null;
    return withExprs(() => {
      const k = n.src[at]!;
      const x = argOf(n, 1 - at);
      const c = k.op.scalar!([], k.attrs, k.dtype);
      const e = n.op.scalar!(at === 0 ? [c, x] : [x, c], n.attrs, n.dtype);
      return e === x || (n.op.additive && Number(constValue(k)) === 0 && at === 1) ? other : null;
    });
  },
];

/** The factors of a product, and of products in it; −x counts as −1 · x. */
function factorsOf(n: Node, out: Node[] = []): Node[] {
  if (n.value === null && n.op === mul.def) for (const s of n.src) factorsOf(s, out);
  else if (n.value === null && n.op === neg.def) {
    out.push(constLike(n, -1));
    factorsOf(n.src[0]!, out);
  } else out.push(n);
  return out;
}
/** Factors that are the same all along a sum stand before it: Σ a·x = a·Σ x. */
function factorOut(n: Node): Node | null {
  if (n.op !== sum.def || !isFloat(n.dtype)) return null;
  const [x] = n.src as [Node];
  const { dims, keepdim } = n.attrs as ReduceAttrs;
  if (!keepdim || x.value !== null) return null;
  const factors = factorsOf(x);
  if (factors.length === 1) return null;
  const before = factors.map(f => alongOne(f, x.shape, dims));
  const left = factors.filter((_, i) => before[i] === null);
  const out = before.filter(f => f !== null);
  if (out.length === 0 || left.length === 0) return null;
  const inner = left.reduce((a, b) => mul(a, b));
  if (!sameShape(inner.shape, x.shape) || inner.dtype !== x.dtype) return null;
  return out.reduce((a, b) => mul(a, b), sum(inner, dims, true));
}
/** A factor as it is with dims of size 1, where it is the same all along them; else null. */
function alongOne(f: Node, shape: Shape, dims: readonly number[]): Node | null {
  if (f.value === null && f.op.id === expandDef.id) return alongOne(f.src[0]!, shape, dims);
  const lead = shape.length - f.shape.length;
  return dims.every(d => d < lead || f.shape[d - lead] === 1) ? f : null;
}

/** A reduction this large with so few results is cut in two, so that threads can share it (the cut depends on shape only). */
const SPLIT_FROM = 32768;
const FEW_RESULTS = 32;
const CHUNKS = 64;
/**
 * Long columns side by side are cut, too, where all of them do not fit a cache: some columns at a time would touch a few bytes
 * of every row; so all columns of some rows do, and then those of the next.
 */
const COLUMNS_FROM = 1 << 19;
const MANY_ROWS = 1024;
const MOST_COLUMNS = 4096;
const sumsColumns = (x: Node, dims: readonly number[], results: number): boolean =>
  !dims.includes(x.shape.length - 1) &&
  results <= MOST_COLUMNS &&
  countOf(x, dims) >= MANY_ROWS &&
  countOf(x, dims) * results >= COLUMNS_FROM;
const splitReductions: Rule[] = [
  n => {
    if (n.op.kind !== 'reduce' || n.op.fold!.positional || n.op.fold!.merge === null) return null;
    const [x] = n.src as [Node];
    const { dims, keepdim } = n.attrs as ReduceAttrs;
    const count = countOf(x, dims);
    const results = numel(n.shape);
    const few = results <= FEW_RESULTS && count >= 2048 && count * results >= SPLIT_FROM;
    if (results === 0 || !(few || sumsColumns(x, dims, results))) return null;
    const again = (y: Node, at: readonly number[]): Node => build(n.op, [y], { dims: at, keepdim: false });
    const finish = (y: Node): Node => (keepdim ? reshape(y, n.shape) : y);
    const first = x.shape[dims[0]!]!;
    if (dims.length > 1 && first >= 16 && first <= 8192) {
      return finish(again(again(x, dims.slice(1)), [dims[0]!]));
    }
    const d = dims.reduce((a, b) => (x.shape[b]! > x.shape[a]! ? b : a));
    const size = x.shape[d]!;
    const chunks = chunkCount(size);
    if (chunks < 8) return null;
    const each = Math.floor(size / chunks);
    const main = narrow(x, d, 0, chunks * each);
    const split = reshape(main, [...x.shape.slice(0, d), chunks, each, ...x.shape.slice(d + 1)]);
    // (…, chunks, each, …): reduce everything but the chunks, then the chunks (joined with what was left over).
    const part = again(
      split,
      dims.map(k => (k < d ? k : k + 1)),
    );
    const at = d - dims.filter(k => k < d).length;
    const left = size - chunks * each;
    if (left === 0) return finish(again(part, [at]));
    const tail = build(n.op, [narrow(x, d, chunks * each, left)], { dims, keepdim: false });
    const row = reshape(tail, [...tail.shape.slice(0, at), 1, ...tail.shape.slice(at)]);
    return finish(again(cat([part, row], at), [at]));
  },
];
/** Bytes of an operand that a part of a long product reads: with its partner and the sums it stays in L2. */
const PART_BYTES = 128 * 1024;
/** A product of long sums with a small result (the gradient of a kernel) is cut into parts that each stay in the cache. */
const splitProducts: Rule = n => {
  if (n.op.kind !== 'contraction') return null;
  const [a, b] = contractionOf(n).labels;
  const [x, y] = n.src as [Node, Node];
  if (a[0] === undefined || a[0] >= 0) return null;
  const at = b.indexOf(a[0]);
  const plain = n.op.id !== contractDef.id;
  if (plain && (n.shape.length > 2 || at > 0 || numel(n.shape) > FEW_SUMS)) return null;
  const size = x.shape[0]!;
  const most = Math.min((numel(y.shape) * 4) / PART_BYTES, (2 * numel(y.shape)) / numel(n.shape));
  let parts = Math.min(size, Math.floor(most));
  while (parts > 1 && size % parts !== 0) parts--;
  if (parts < 4 || numel(n.shape) === 0) return null;
  const cut = (s: Node, labels: Labels, d: number): [Node, number[]] => [
    reshape(s, [...s.shape.slice(0, d), parts, size / parts, ...s.shape.slice(d + 1)]),
    [...labels.slice(0, d), -1, ...labels.slice(d)].map((l, i) => (i === d ? 0 : l < 0 ? l : l + 1)),
  ];
  const [left, la] = cut(x, a, 0);
  const [right, lb] = cut(y, b, at);
  return sum(plain ? build(n.op, [left, right], n.attrs) : contract(left, right, la, lb), [0], false);
};
/** Results of a matrix product that are few enough to be added up part by part. */
const FEW_SUMS = 1 << 17;
function chunkCount(size: number): number {
  for (let c = CHUNKS; c <= CHUNKS * 2; c++) if (size % c === 0 && size / c >= 16) return c;
  return size >= CHUNKS * 16 ? CHUNKS : size >= 256 ? 16 : 1;
}

const PASSES: readonly (readonly [name: string, rules: readonly Rule[]])[] = [
  ['expand composites', expandComposites],
  ['permutes towards the results', floatPermutes],
  ['canonicalize and fold', [...canonicalize, ...fold]],
  ['split reductions', [...splitReductions, splitProducts]],
];

/** All passes in order; DEBUG=3 prints the graph after each, TENON_VERIFY=1 checks it. */
export function simplify(roots: readonly Node[], trace: Trace | null = null): Node[] {
  const checked = flag('TENON_VERIFY');
  let now = [...roots];
  for (const [name, rules] of PASSES) {
    const next = rewrite(now, rules, name, trace);
    if (checked) verify(name, now, next);
    now = next;
  }
  const shared = shareMargins(now);
  if (checked) verify('share margins', now, shared);
  trace?.('share margins', shared);
  return shared;
}

// Attention as one op, and its gradient as another: defined by plain products, computed by kernels of their own that never
// hold all scores. Letters: B batch, T queries, S keys, N heads of queries, H heads of keys, G = N / H that share one of
// these, D and E head dims of keys and values.
// In: nodes. Out: nodes. Not its job: the code of the kernels (kernels/attention.ts), other layouts (nn/functional).

import { isFloat } from '../../base/dtype.ts';
import { DTypeError, ShapeError, showShape } from '../../base/errors.ts';
import { numel, type Shape, sameShape } from '../../base/shape.ts';
import type { Node } from '../node.ts';
import { type BatchRule, build, defineOp, type OpDef, type OwnKernel, type Sample } from '../op.ts';
import type { Affine } from '../scalar.ts';
import { addScaled, constAffine } from '../scalar.ts';
import { type MatmulAttrs, matmul } from './contract.ts';
import { add, constLike, exp, iota, le, mul, neg, sub, where } from './elementwise.ts';
import { softmax } from './fused.ts';
import { permute, reshape } from './movement.ts';
import { expand, logsumexp, sum, sumTo } from './reduce.ts';

export interface AttentionAttrs {
  /** Factor of the scores. */
  readonly scale: number;
  /** Query t sees the keys up to t. */
  readonly causal: boolean;
  /** There is a mask that broadcasts to (B, N, T, S): true takes part, or numbers that are added. */
  readonly masked: boolean;
  /** There is a bool (B, N, T, S) that drops weights where false; the others are multiplied by this. Null without one. */
  readonly kept: number | null;
  /** Which result: see the op. */
  readonly output: number;
}
type Shape4 = readonly [number, number, number, number];
function sizesOf([q, , v]: readonly Node[]) {
  const [B, T, N, D] = q!.shape as unknown as Shape4;
  const [, S, H, E] = v!.shape as unknown as Shape4;
  return { B, T, N, D, S, H, E, G: N / H };
}
/** Sources from `from` on: the mask and what dropout keeps, where there are such. */
const extras = (
  src: readonly Node[],
  a: AttentionAttrs,
  from: number,
): [mask: Node | null, keep: Node | null] => [
  a.masked ? src[from]! : null,
  a.kept === null ? null : src[from + Number(a.masked)]!,
];

const PLAIN: MatmulAttrs = { ta: false, tb: false };

// ---- the definition ----------------------------------------------------------------------------------------------------

/** Heads before rows and back: (B, T, N, D) and (B, N, T, D). */
const turned = (x: Node): Node => permute(x, [0, 2, 1, 3]);
/** A product of each head of queries with its head of keys, in the layout (B, heads, rows, columns). */
function headwise(x: Node, y: Node, attrs: MatmulAttrs): Node {
  const [B, N, ...rows] = x.shape as unknown as Shape4;
  const [, H, ...cols] = y.shape as unknown as Shape4;
  if (N === H) return matmul(x, y, attrs);
  const z = matmul(reshape(x, [B, H, N / H, ...rows]), reshape(y, [B, H, 1, ...cols]), attrs);
  return reshape(z, [B, N, ...z.shape.slice(3)]);
}
/** The gradient of keys or values (B, S, H, D): what queries of their head sum up. */
function gathered(x: Node, y: Node, H: number): Node {
  const z = matmul(x, y, { ta: true, tb: false }); // (B, N, S, D)
  const [B, N, ...rest] = z.shape as unknown as Shape4;
  return turned(N === H ? z : sum(reshape(z, [B, H, N / H, ...rest]), [2], false));
}
/** A number for each query, (B, T, N) as (B, N, T, 1). */
function perRow(x: Node): Node {
  const [B, T, N] = x.shape as unknown as [number, number, number];
  return reshape(permute(x, [0, 2, 1]), [B, N, T, 1]);
}
/** q kᵀ · scale, masked: (B, N, T, S). */
function scores(q: Node, k: Node, mask: Node | null, a: AttentionAttrs): Node {
  const plain = headwise(turned(q), turned(k), { ta: false, tb: true });
  let s = mul(plain, constLike(q, a.scale));
  const hidden = constLike(q, Number.NEGATIVE_INFINITY);
  if (mask !== null) s = mask.dtype === 'bool' ? where(mask, s, hidden) : add(s, mask);
  if (!a.causal) return s;
  const [T, S] = s.shape.slice(2) as [number, number];
  return where(le(iota([S], 'int32', q.device), reshape(iota([T], 'int32', q.device), [T, 1])), s, hidden);
}
const dropped = (x: Node, keep: Node | null, a: AttentionAttrs): Node =>
  keep === null ? x : where(keep, mul(x, constLike(x, a.kept!)), constLike(x, 0));

/** Weights and the gradient of the scores before their scale, out of what the gradient op is given. */
function backward(src: readonly Node[], a: AttentionAttrs): { weights: Node; dScores: Node } {
  const [q, k, v, lse, delta, g] = src as [Node, Node, Node, Node, Node, Node];
  const [mask, keep] = extras(src, a, 6);
  const p = exp(sub(scores(q, k, mask, a), perRow(lse)));
  const dp = dropped(headwise(turned(g), turned(v), { ta: false, tb: true }), keep, a);
  return { weights: dropped(p, keep, a), dScores: mul(p, sub(dp, perRow(delta))) };
}

// ---- the kernels' loops --------------------------------------------------------------------------------------------------

/** Fewer queries are not worth it: their scores are few, and plain loops read keys as they lie. */
const MIN_QUERIES = 4;
/** b, h, g, t, s, d, e: head n = h G + g. */
const loops = (n: Node): number[] => {
  const { B, H, G, T, S, D, E } = sizesOf(n.src);
  return [B, H, G, T, S, D, E];
};
const takes = (n: Node): boolean =>
  n.src.every(s => (s.dtype === 'float32' || s.dtype === 'bool') && numel(s.shape) > 0) &&
  sizesOf(n.src).T >= MIN_QUERIES;
/** Where queries, keys, values, numbers per query, and masks are. */
function places(node: Node, at: readonly Affine[]) {
  const [b, h, g, t, s, d, e] = at as [Affine, Affine, Affine, Affine, Affine, Affine, Affine];
  const n = addScaled(g, h, sizesOf(node.src).G);
  const inMemory = (...index: Affine[]) => ({ at: index, inMemory: true });
  return {
    q: inMemory(b, t, n, d),
    k: inMemory(b, s, h, d),
    v: inMemory(b, s, h, e),
    out: inMemory(b, t, n, e),
    row: { at: [b, t, n], inMemory: false },
    mask: (x: Node) => ({
      at: [b, n, t, s].map((a, i) => (x.shape[i] === 1 ? constAffine(0) : a)),
      inMemory: false,
    }),
  };
}
/** Scalar operations: `products` of all scores with a head dim, and what is done with each score. */
function work(n: Node<AttentionAttrs>, products: number): number {
  const { B, N, T, S, D, E } = sizesOf(n.src);
  return B * N * T * S * (products * (D + E) + 20) * (n.attrs.causal ? 0.5 : 1);
}
export const attentionKernel: OwnKernel<AttentionAttrs> = {
  takes,
  loops,
  reads: (n, at) => {
    const p = places(n, at);
    return [p.q, p.k, p.v, ...n.src.slice(3).map(p.mask)];
  },
  writes: (n, at) => (n.attrs.output === 0 ? places(n, at).out : places(n, at).row).at,
  work: n => work(n, 2),
};
export const attentionGradKernel: OwnKernel<AttentionAttrs> = {
  takes,
  loops,
  reads: (n, at) => {
    const p = places(n, at);
    return [p.q, p.k, p.v, p.row, p.row, p.out, ...n.src.slice(6).map(p.mask)];
  },
  writes: (n, at) => {
    const p = places(n, at);
    return [p.q, p.k, p.v][n.attrs.output]!.at;
  },
  work: n => work(n, 5),
};

// ---- the records ---------------------------------------------------------------------------------------------------------

/** More examples are a larger batch. */
const moreBatches: BatchRule<AttentionAttrs> = (_src, _batched, n, size, lift) => {
  const { B } = sizesOf(n.src);
  const src = lift(n.src).map(x => {
    const [, , ...rest] = x.shape;
    return reshape(expand(x, [size, B, ...rest]), [size * B, ...rest]);
  });
  return reshape(build(n.op, src, n.attrs), [size, ...n.shape]);
};
function checkShapes(name: string, src: readonly Node[]): void {
  if (src.slice(0, 3).every(x => x.shape.length === 4)) {
    const { B, D, S, H, G } = sizesOf(src);
    const fits = sameShape(src[1]!.shape, [B, S, H, D]) && src[2]!.shape[0] === B;
    if (fits && (H === 0 || Number.isInteger(G))) return;
  }
  const got = src.slice(0, 3).map(x => showShape(x.shape));
  throw new ShapeError(
    name,
    'queries are (B, T, N, D), keys (B, S, H, D), values (B, S, H, E), and H divides N',
    got.join(', '),
    '',
  );
}
const floating =
  (name: string) =>
  ([q, k, v]: readonly Node[]) => {
    if (q!.dtype === k!.dtype && q!.dtype === v!.dtype && isFloat(q!.dtype)) return q!.dtype;
    const got = [q, k, v].map(x => x!.dtype).join(', ');
    throw new DTypeError(name, 'all are of one floating dtype', got, '');
  };
const attrs = (output: number, more: Partial<AttentionAttrs> = {}): AttentionAttrs => ({
  scale: 0.5,
  causal: false,
  masked: false,
  kept: null,
  ...more,
  output,
});
const small: Pick<Sample, 'range'> = { range: [-1, 1] };
const qkv = (T: number, S: number, H: number, G: number, D: number, E: number): Shape[] => [
  [1, T, H * G, D],
  [1, S, H, D],
  [1, S, H, E],
];

export const attentionDef: OpDef<AttentionAttrs> = defineOp<AttentionAttrs>({
  name: 'attention',
  doc: 'softmax(q kᵀ · scale + mask) v, (B, T, N, E); as output 1 the logarithm of each row’s sum, (B, T, N).',
  paper:
    'Vaswani et al. 2017, section 3.2.1; computed by blocks as in Dao et al. 2022 (arXiv 2205.14135), algorithm 1',
  kind: 'composite',
  arity: 3,
  shape: (src, { output }) => {
    checkShapes('attention', src);
    const { B, T, N, E } = sizesOf(src);
    return output === 0 ? [B, T, N, E] : [B, T, N];
  },
  dtype: floating('attention'),
  decompose: (src, a) => {
    const [q, k, v] = src as [Node, Node, Node];
    const [mask, keep] = extras(src, a, 3);
    const s = scores(q, k, mask, a);
    if (a.output === 1) return permute(logsumexp(s, [3], false), [0, 2, 1]);
    return turned(headwise(dropped(softmax(s, 3), keep, a), turned(v), PLAIN));
  },
  kernel: attentionKernel,
  vjp: (given, n, i) => {
    const { src, attrs: a } = n;
    const [q, k, v] = src as [Node, Node, Node];
    const y = expand(given, n.shape);
    const lse = a.output === 1 ? n : build(attentionDef, src, { ...a, output: 1 });
    // Σ g · out per row; a gradient of the logarithms takes part with the opposite sign.
    const g = a.output === 0 ? y : expand(constLike(v, 0), [...q.shape.slice(0, 3), v.shape[3]!]);
    const delta = a.output === 0 ? sum(mul(y, n), [3], false) : neg(y);
    const all = [q, k, v, lse, delta, g, ...src.slice(3)];
    if (i < 3) return build(attentionGradDef, all, { ...a, output: i });
    return a.masked && i === 3 && isFloat(src[3]!.dtype)
      ? sumTo(backward(all, a).dScores, src[3]!.shape)
      : null;
  },
  batch: moreBatches,
  cost: 100,
  samples: () => [
    { shapes: qkv(5, 7, 2, 1, 4, 3), attrs: attrs(0), ...small },
    {
      shapes: [...qkv(9, 9, 1, 2, 3, 5), [1, 2, 9, 9]],
      attrs: attrs(0, { causal: true, masked: true }),
      ...small,
    },
    {
      shapes: [...qkv(4, 3, 1, 1, 2, 2), [1, 1, 4, 3]],
      dtypes: ['float32', 'float32', 'float32', 'bool'],
      attrs: attrs(0, { kept: 1.25 }),
      ...small,
    },
    { shapes: qkv(6, 4, 1, 1, 2, 2), attrs: attrs(1, { causal: true }), flat: [2], ...small },
    { shapes: qkv(0, 3, 1, 1, 2, 2), attrs: attrs(0), ...small },
  ],
  errors: () => [
    {
      shapes: [
        [1, 2, 1, 3],
        [1, 2, 1, 4],
        [1, 2, 1, 4],
      ],
      attrs: attrs(0),
      message: 'values (B, S, H, E), and H divides N, got (1, 2, 1, 3), (1, 2, 1, 4), (1, 2, 1, 4)',
    },
    {
      shapes: qkv(2, 2, 1, 1, 2, 2),
      dtypes: ['float32', 'float32', 'float64'],
      attrs: attrs(0),
      message: 'attention: all are of one floating dtype, got float32, float32, float64',
    },
  ],
});

export const attentionGradDef: OpDef<AttentionAttrs> = defineOp<AttentionAttrs>({
  name: 'attentionGrad',
  doc: 'The gradient of attention for q, k or v (output 0, 1, 2), out of q, k, v, the rows’ logarithms, Σ g · out, and g.',
  paper: 'Dao et al. 2022 (arXiv 2205.14135), algorithm 4',
  kind: 'composite',
  arity: 6,
  shape: (src, { output }) => {
    checkShapes('attentionGrad', src);
    return src[output]!.shape;
  },
  dtype: floating('attentionGrad'),
  decompose: (src, a) => {
    const [q, k, , , , g] = src as [Node, Node, Node, Node, Node, Node];
    const { H } = sizesOf(src);
    const { weights, dScores } = backward(src, a);
    if (a.output === 2) return gathered(weights, turned(g), H);
    const d = mul(dScores, constLike(q, a.scale));
    return a.output === 0 ? turned(headwise(d, turned(k), PLAIN)) : gathered(d, turned(q), H);
  },
  kernel: attentionGradKernel,
  batch: moreBatches,
  cost: 250,
  samples: () =>
    [0, 1, 2].map(output => ({
      shapes: [...qkv(4, 3, 1, 2, 2, 3), [1, 4, 2], [1, 4, 2], [1, 4, 2, 3]],
      attrs: attrs(output, { causal: output === 1 }),
      flat: output === 2 ? [2, 4] : [],
      ...small,
    })),
});

/** softmax(q kᵀ · scale + mask) v of queries (B, T, N, D), keys (B, S, H, D) and values (B, S, H, E): (B, T, N, E). */
export const attention = (
  q: Node,
  k: Node,
  v: Node,
  options: { scale: number; causal: boolean; mask: Node | null; keep: Node | null; kept: number },
): Node => {
  const { scale, causal, mask, keep, kept } = options;
  const src = [q, k, v, mask, keep].filter(n => n !== null);
  return build(attentionDef, src, {
    scale,
    causal,
    masked: mask !== null,
    kept: keep === null ? null : kept,
    output: 0,
  });
};

// Contractions: products summed over a shared dim.
// In: matrices in the last two dims, batches before them. Out: nodes. Not its job: vectors (tensor/linalg.ts), speed (kernels).

import type { DType } from '../../base/dtype.ts';
import { DTypeError, ShapeError, showShape } from '../../base/errors.ts';
import { broadcastShapes } from '../../base/shape.ts';
import type { Node } from '../node.ts';
import type { OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { joinRows, reshape } from './movement.ts';

export interface MatmulAttrs {
  /** Whether a (b) is stored with its last two dims swapped. */
  readonly ta: boolean;
  readonly tb: boolean;
}
interface MatmulDims {
  readonly M: number;
  readonly N: number;
  readonly K: number;
}
function matmulDims(a: Node, b: Node, { ta, tb }: MatmulAttrs): MatmulDims {
  const [ra, rb] = [a.shape.length, b.shape.length];
  return {
    M: a.shape[ta ? ra - 1 : ra - 2]!,
    K: a.shape[ta ? ra - 2 : ra - 1]!,
    N: b.shape[tb ? rb - 2 : rb - 1]!,
  };
}

/** Which index each dim of an operand runs over: a dim of the result (0, 1, …) or the sum number k as -1 - k. */
export type Labels = readonly number[];
/** A product of two operands, written like an Einstein sum. */
export interface Contraction {
  readonly labels: readonly [a: Labels, b: Labels];
  /** Sizes of the sums, the last one innermost. */
  readonly sums: readonly number[];
  /** Elements of the result along dims that only a has and only b has, and of all sums. */
  readonly M: number;
  readonly N: number;
  readonly K: number;
}
export function contractionOf(n: Node): Contraction {
  const [a, b] = n.src as [Node, Node];
  if (n.op !== (matmulDef as unknown as typeof n.op)) {
    const { a: la, b: lb } = n.attrs as ContractAttrs;
    const sums: number[] = [];
    la.forEach((l, d) => {
      if (l < 0) sums[-1 - l] = a.shape[d]!;
    });
    const only = (x: Labels, y: Labels): number =>
      n.shape.reduce((p, s, d) => (x.includes(d) && !y.includes(d) ? p * s : p), 1);
    const K = sums.reduce((p, s) => p * s, 1);
    return { labels: [la, lb], sums, M: only(la, lb), N: only(lb, la), K };
  }
  const attrs = n.attrs as MatmulAttrs;
  const rank = n.shape.length;
  const dims = matmulDims(a, b, attrs);
  const batch = (x: Node): number[] => x.shape.slice(0, -2).map((_, d) => rank - x.shape.length + d);
  return {
    labels: [
      [...batch(a), ...(attrs.ta ? [-1, rank - 2] : [rank - 2, -1])],
      [...batch(b), ...(attrs.tb ? [rank - 1, -1] : [-1, rank - 1])],
    ],
    sums: [dims.K],
    ...dims,
  };
}
/** The common dtype of both operands. */
function numbersOf(op: string, a: Node, b: Node): DType {
  if (a.dtype !== b.dtype)
    throw new DTypeError(
      op,
      'both must have one dtype',
      `${a.dtype} and ${b.dtype}`,
      'convert one with .to(dtype)',
    );
  if (a.dtype === 'bool') throw new DTypeError(op, 'it takes numbers', 'bool', 'convert with .to(dtype)');
  return a.dtype;
}

export const matmulDef: OpDef<MatmulAttrs> = defineOp<MatmulAttrs>({
  name: 'matmul',
  doc: 'C = A B over the last two dims; leading dims broadcast; ta and tb take an operand transposed.',
  kind: 'contraction',
  arity: 2,
  shape: (src, attrs) => {
    const [a, b] = src as [Node, Node];
    if (a.shape.length < 2 || b.shape.length < 2) {
      throw new ShapeError(
        'matmul',
        'both need at least 2 dims',
        `${showShape(a.shape)} and ${showShape(b.shape)}`,
        'unsqueeze the vector',
      );
    }
    const { M, N, K } = matmulDims(a, b, attrs);
    const kb = b.shape[attrs.tb ? b.shape.length - 1 : b.shape.length - 2]!;
    if (K !== kb) {
      throw new ShapeError(
        'matmul',
        'the inner sizes must agree',
        `${showShape(a.shape)}${attrs.ta ? 'ᵀ' : ''} and ${showShape(b.shape)}${attrs.tb ? 'ᵀ' : ''}: ${K} against ${kb}`,
        'transpose one of them, or check the layer sizes',
      );
    }
    if (a.shape.length === 2 && b.shape.length === 2) return [M, N];
    return [...broadcastShapes('matmul', [a.shape.slice(0, -2), b.shape.slice(0, -2)]), M, N];
  },
  dtype: ([a, b]) => numbersOf('matmul', a!, b!),
  vjp: (g, n, i) => {
    const [a, b] = n.src as [Node, Node];
    const { ta, tb } = n.attrs;
    if (i === 0) return ta ? matmul(b, g, { ta: tb, tb: true }) : matmul(g, b, { ta: false, tb: !tb });
    return tb ? matmul(g, a, { ta: true, tb: ta }) : matmul(a, g, { ta: !ta, tb: false });
  },
  linearIn: [0, 1],
  batch: (src, batched, n) => {
    // Leading dims align right: give both the same rank before the batch goes in front.
    const rank = Math.max(...n.src.map(s => s.shape.length));
    const [a, b] = src.map((s, i) => {
      const own = batched[i] ? s.shape.slice(1) : s.shape;
      return reshape(s, [batched[i] ? s.shape[0]! : 1, ...Array<number>(rank - own.length).fill(1), ...own]);
    });
    return matmul(a!, b!, n.attrs);
  },
  cost: 2,
  samples: () => [
    {
      shapes: [
        [3, 4],
        [4, 5],
      ],
      attrs: { ta: false, tb: false },
    },
    {
      shapes: [
        [4, 3],
        [5, 4],
      ],
      attrs: { ta: true, tb: true },
    },
    {
      shapes: [
        [2, 1, 3, 4],
        [5, 4, 2],
      ],
      attrs: { ta: false, tb: false },
    },
    {
      shapes: [
        [17, 33],
        [33, 29],
      ],
      attrs: { ta: false, tb: false },
    },
    {
      shapes: [
        [7, 37],
        [7, 5],
      ],
      attrs: { ta: true, tb: false },
    },
    {
      shapes: [
        [3, 35, 5],
        [3, 9, 5],
      ],
      attrs: { ta: false, tb: true },
    },
    {
      shapes: [
        [1, 37],
        [37, 1],
      ],
      attrs: { ta: false, tb: false },
    },
    {
      shapes: [
        [5, 1],
        [1, 3],
      ],
      attrs: { ta: false, tb: false },
    },
    {
      shapes: [
        [0, 4],
        [4, 5],
      ],
      attrs: { ta: false, tb: false },
    },
    {
      shapes: [
        [3, 0],
        [0, 2],
      ],
      attrs: { ta: false, tb: false },
    },
  ],
  errors: () => [
    { shapes: [[3], [3, 4]], attrs: PLAIN, message: 'matmul: both need at least 2 dims, got (3) and (3, 4)' },
    {
      shapes: [
        [2, 3, 4],
        [3, 4, 5],
      ],
      attrs: PLAIN,
      message: 'matmul: shapes must be equal or broadcast',
    },
    {
      shapes: [
        [2, 2],
        [2, 2],
      ],
      dtypes: ['float32', 'int32'],
      attrs: PLAIN,
      message: 'matmul: both must have one dtype, got float32 and int32',
    },
    {
      shapes: [
        [2, 2],
        [2, 2],
      ],
      dtypes: ['bool', 'bool'],
      attrs: PLAIN,
      message: 'matmul: it takes numbers, got bool',
    },
    {
      shapes: [
        [3, 4],
        [5, 6],
      ],
      attrs: { ta: false, tb: false },
      message: 'matmul: the inner sizes must agree, got (3, 4) and (5, 6): 4 against 5',
    },
  ],
});
const PLAIN: MatmulAttrs = { ta: false, tb: false };
/**
 * Aᵀ B + Cᵀ D as one product of longer matrices, where the rows are few: the gradient of weights that are used at every
 * time step is then written once. Null where a copy of the rows costs more than adding up.
 */
export function joinProducts(x: Node, y: Node): Node | null {
  const fits = (n: Node): boolean => {
    if (n.op !== matmulDef || n.value !== null) return false;
    const { ta, tb } = n.attrs as MatmulAttrs;
    return ta && !tb && n.src.every(s => s.shape.length === 2);
  };
  if (!fits(x) || !fits(y)) return null;
  const [M, N] = x.shape as [number, number];
  const K = Math.min(x.src[0]!.shape[0]!, y.src[0]!.shape[0]!);
  if (M * N <= (M + N) * K) return null;
  return build(
    matmulDef,
    [0, 1].map(i => joinRows(x.src[i]!, y.src[i]!)),
    { ta: true, tb: false },
  );
}

export const matmul = (a: Node, b: Node, attrs: MatmulAttrs = PLAIN): Node => build(matmulDef, [a, b], attrs);

export interface ContractAttrs {
  readonly a: Labels;
  readonly b: Labels;
}
/**
 * Products over any dims of two operands in one sum: several dims may be summed, and an operand may be read through a
 * view such as the windows of a convolution, which no reshape could join into one dim without a copy.
 */
export const contractDef: OpDef<ContractAttrs> = defineOp<ContractAttrs>({
  name: 'contract',
  doc: 'result[…] = Σ a[…] b[…]: each dim of a and b runs over a dim of the result (label ≥ 0) or a sum (label < 0).',
  kind: 'contraction',
  arity: 2,
  shape: (src, attrs) => {
    const out: number[] = [];
    const sums: number[] = [];
    [attrs.a, attrs.b].forEach((labels, i) => {
      labels.forEach((l, d) => {
        const [list, k] = l < 0 ? [sums, -1 - l] : [out, l];
        const size = src[i]!.shape[d]!;
        if ((list[k] ??= size) !== size) {
          throw new ShapeError(
            'contract',
            'dims with one label must have one size',
            `${list[k]} and ${size}`,
            '',
          );
        }
      });
    });
    return out;
  },
  dtype: ([a, b]) => numbersOf('contract', a!, b!),
  vjp: (g, n, i) => {
    const { a, b } = n.attrs;
    const [own, other] = i === 0 ? [a, b] : [b, a];
    // What the operand has is a dim of its gradient; what only the other has is summed.
    let sums = 0;
    const lost = new Map<number, number>();
    const label = (l: number): number => {
      const d = own.indexOf(l);
      if (d >= 0) return d;
      if (!lost.has(l)) lost.set(l, --sums);
      return lost.get(l)!;
    };
    const ofG = n.shape.map((_, d) => label(d));
    const x = n.src[1 - i]!;
    return i === 0 ? contract(g, x, ofG, other.map(label)) : contract(x, g, other.map(label), ofG);
  },
  linearIn: [0, 1],
  batch: (src, batched, { attrs }) => {
    const labels = (own: Labels, i: number): number[] => [
      ...(batched[i] ? [0] : []),
      ...own.map(l => (l < 0 ? l : l + 1)),
    ];
    return contract(src[0]!, src[1]!, labels(attrs.a, 0), labels(attrs.b, 1));
  },
  cost: 2,
  samples: () => [
    {
      shapes: [
        [3, 4],
        [4, 5],
      ],
      attrs: { a: [0, -1], b: [-1, 1] },
    },
    {
      shapes: [
        [2, 3, 4],
        [4, 5, 3],
      ],
      attrs: { a: [0, -1, -2], b: [-2, 1, -1] },
    },
    {
      shapes: [
        [6, 2, 5, 7],
        [7, 9, 2, 3],
      ],
      attrs: { a: [1, 0, 2, -1], b: [-1, 3, 0, 4] },
    },
    {
      shapes: [
        [4, 13, 3, 5],
        [3, 5, 13],
      ],
      attrs: { a: [0, 1, -1, -2], b: [-1, -2, 2] },
    },
    {
      shapes: [
        [4, 5, 21],
        [4, 5, 22],
      ],
      attrs: { a: [-1, -2, 0], b: [-1, -2, 1] },
    },
    {
      shapes: [
        [2, 0, 3],
        [0, 3, 2],
      ],
      attrs: { a: [0, -1, -2], b: [-1, -2, 1] },
    },
  ],
  errors: () => [
    {
      shapes: [
        [2, 3],
        [4, 2],
      ],
      attrs: { a: [0, -1], b: [-1, 1] },
      message: 'contract: dims with one label must have one size, got 3 and 4',
    },
  ],
});
export const contract = (x: Node, y: Node, a: Labels, b: Labels): Node =>
  build(contractDef, [x, y], { a, b });

// Solves and determinants of batches of matrices as host ops, and what factor.ts shares with them.
// An op with several results holds them one after another in its last dim; `partOf` takes them out.
// In: nodes whose last two dims are matrices. Out: nodes. Not its job: the numerics (linalg-host.ts).
// Gradients from Giles 2008, "Collected matrix derivative results for forward and reverse mode"; X̄ is the gradient of X.

import { isFloat } from '../../base/dtype.ts';
import { DTypeError, ShapeError, showShape, ValueError } from '../../base/errors.ts';
import { broadcastShapes, numel, type Shape } from '../../base/shape.ts';
import * as la from '../linalg-host.ts';
import type { Node } from '../node.ts';
import type { HostValue, OpDef, Sample } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { matmul } from './contract.ts';
import { cast, constLike, div, eq, logicalAnd, mul, neg, sub, where } from './elementwise.ts';
import { narrow, reshape, swap } from './movement.ts';
import { sum } from './reduce.ts';
import { lower, onDiagonal, upper } from './triangle.ts';

// ---- matrices in nodes -----------------------------------------------------------------------------------------------------

export const rowsOf = (x: Node): number => x.shape[x.shape.length - 2]!;
export const colsOf = (x: Node): number => x.shape[x.shape.length - 1]!;
const leadOf = (x: Node): Shape => x.shape.slice(0, -2);
export const T = (x: Node): Node => swap(x, x.shape.length - 2, x.shape.length - 1);
export const AT = (a: Node, b: Node): Node => matmul(a, b, { ta: true, tb: false });
export const BT = (a: Node, b: Node): Node => matmul(a, b, { ta: false, tb: true });

/** A result of a packed factorisation: `size` numbers of the last dim from `start`, as matrices or vectors. */
export function partOf(packed: Node, start: number, shape: Shape): Node {
  const part = narrow(packed, packed.shape.length - 1, start, numel(shape));
  return reshape(part, [...packed.shape.slice(0, -1), ...shape]);
}
/** The matrix with v on its diagonal. */
export function diagonalMatrix(v: Node): Node {
  const n = colsOf(v);
  return where(onDiagonal(n, n, 0, v.device), reshape(v, [...v.shape, 1]), constLike(v, 0));
}
const eyeLike = (x: Node, n: number): Node => cast(onDiagonal(n, n, 0, x.device), x.dtype);
/** v[j] − v[i] (or of squares) at row i, column j. */
export const differences = (v: Node): Node =>
  sub(reshape(v, [...v.shape.slice(0, -1), 1, colsOf(v)]), reshape(v, [...v.shape, 1]));
/** x / d, and 0 where x is 0, even if d is 0 too: nothing that was not asked for divides by zero. */
export function over(x: Node, d: Node): Node {
  const nothing = logicalAnd(eq(x, constLike(x, 0)), eq(d, constLike(d, 0)));
  return div(x, where(nothing, constLike(d, 1), d));
}

// ---- matrices on the host --------------------------------------------------------------------------------------------------

const matrixAt = (x: HostValue, batch: number): la.Matrix => {
  const size = x.shape[x.shape.length - 2]! * x.shape[x.shape.length - 1]!;
  return Float64Array.from({ length: size }, (_, i) => x.data[batch * size + i]!);
};
/** Runs `f` for each matrix of the result's batch; sources with fewer leading dims repeat. */
function batched(
  inputs: readonly HostValue[],
  node: Node,
  resultDims: number,
  f: (matrices: la.Matrix[], index: number) => ArrayLike<number>,
): Float64Array {
  const lead = node.shape.slice(0, node.shape.length - resultDims);
  const size = numel(node.shape.slice(lead.length));
  const out = new Float64Array(numel(node.shape));
  const count = size === 0 ? 0 : numel(lead);
  for (let b = 0; b < count; b++) {
    const matrices = inputs.map(x => matrixAt(x, batchIn(x.shape.slice(0, -2), lead, b)));
    out.set(f(matrices, b), b * size);
  }
  return out;
}
/** Which matrix of a source with leading dims `own` belongs to matrix b of the broadcast batch. */
function batchIn(own: Shape, lead: Shape, b: number): number {
  let at = 0;
  let stride = 1;
  let rest = b;
  for (let d = lead.length - 1; d >= 0; d--) {
    const i = rest % lead[d]!;
    rest = Math.floor(rest / lead[d]!);
    const k = d - (lead.length - own.length);
    if (k < 0) continue;
    if (own[k] !== 1) at += i * stride;
    stride *= own[k]!;
  }
  return at;
}
const whichMatrix = (count: number, b: number): string =>
  count > 1 ? `matrix ${b} of the batch` : 'this one';

// ---- checks ----------------------------------------------------------------------------------------------------------------

function needsMatrices(op: string, x: Node): void {
  if (x.shape.length < 2)
    throw new ShapeError(op, 'it takes matrices: at least 2 dims', showShape(x.shape), '');
}
function needsSquare(op: string, x: Node): void {
  needsMatrices(op, x);
  if (rowsOf(x) !== colsOf(x))
    throw new ShapeError(op, 'the matrices must be square', showShape(x.shape), '');
}
function floating(op: string, x: Node): Node['dtype'] {
  if (!isFloat(x.dtype))
    throw new DTypeError(op, 'it takes a floating dtype', x.dtype, "convert with .to('float32')");
  return x.dtype;
}
function oneDType(op: string, a: Node, b: Node): Node['dtype'] {
  if (a.dtype !== b.dtype)
    throw new DTypeError(op, 'both must have one dtype', `${a.dtype} and ${b.dtype}`, '');
  return floating(op, a);
}

export interface MatrixSpec<A> {
  readonly name: string;
  readonly doc: string;
  readonly square: boolean;
  /** Shape of one result for an m × n matrix. */
  readonly result: (m: number, n: number, attrs: A) => Shape;
  readonly compute: (a: la.Matrix, m: number, n: number, attrs: A, which: () => string) => ArrayLike<number>;
  readonly vjp: (g: Node, node: Node<A>) => Node;
  readonly raises?: string;
  readonly samples: () => Sample[];
  readonly paper?: string;
}
/** An op of one batch of matrices. */
export function matrixOp<A>(spec: MatrixSpec<A>): OpDef<A> {
  const { name } = spec;
  const def: OpDef<A> = defineOp<A>({
    name,
    doc: spec.doc,
    kind: 'host',
    shape: ([x], attrs) => {
      (spec.square ? needsSquare : needsMatrices)(name, x!);
      return [...leadOf(x!), ...spec.result(rowsOf(x!), colsOf(x!), attrs)];
    },
    dtype: ([x]) => floating(name, x!),
    host: (inputs, node) => {
      const [x] = node.src as [Node];
      const attrs = node.attrs as A;
      const dims = node.shape.length - leadOf(x).length;
      const count = numel(leadOf(x));
      return batched(inputs, node, dims, ([a], b) =>
        spec.compute(a!, rowsOf(x), colsOf(x), attrs, () => whichMatrix(count, b)),
      );
    },
    vjp: (g, n) => spec.vjp(g, n),
    batch: ([x], _, n) => build(def, [x!], n.attrs),
    raises: spec.raises ?? null,
    cost: 1000,
    samples: spec.samples,
    errors: () => [
      spec.square
        ? { shapes: [[2, 3]], attrs: null, message: `${name}: the matrices must be square, got (2, 3)` }
        : { shapes: [[3]], attrs: null, message: `${name}: it takes matrices: at least 2 dims, got (3)` },
    ],
    paper: spec.paper ?? null,
  });
  return def;
}

// ---- solves ----------------------------------------------------------------------------------------------------------------

interface TriangleAttrs {
  readonly upper: boolean;
  /** The diagonal counts as ones. */
  readonly unit: boolean;
}
/** Shape of X in A X = B with batches that broadcast. */
function solveShape(op: string, src: readonly Node[]): Shape {
  const [a, b] = src as [Node, Node];
  needsSquare(op, a);
  needsMatrices(op, b);
  if (rowsOf(b) !== rowsOf(a)) {
    throw new ShapeError(
      op,
      'B must have as many rows as A',
      `${showShape(a.shape)} and ${showShape(b.shape)}`,
      '',
    );
  }
  return [...broadcastShapes(op, [leadOf(a), leadOf(b)]), rowsOf(b), colsOf(b)];
}
/** Both sources with the batch first and equally many dims. */
function alignBatch(src: readonly Node[], isBatched: readonly boolean[]): Node[] {
  const own = src.map((s, i) => (isBatched[i] ? s.shape.slice(1) : s.shape));
  const rank = Math.max(...own.map(s => s.length));
  return src.map((s, i) =>
    reshape(s, [isBatched[i] ? s.shape[0]! : 1, ...Array<number>(rank - own[i]!.length).fill(1), ...own[i]!]),
  );
}
const SOLVE_SAMPLES: Sample[] = [
  {
    shapes: [
      [3, 3],
      [3, 2],
    ],
  },
  {
    shapes: [
      [2, 1, 2, 2],
      [3, 2, 1],
    ],
  },
];

const solveDef: OpDef<null> = defineOp<null>({
  name: 'solve',
  doc: 'X with A X = B, by LU with partial pivoting.',
  kind: 'host',
  arity: 2,
  shape: src => solveShape('solve', src),
  dtype: ([a, b]) => oneDType('solve', a!, b!),
  host: (inputs, node) => {
    const n = rowsOf(node);
    const count = numel(leadOf(node));
    return batched(inputs, node, 2, ([a, b], i) => {
      const lu = la.luFactor(a!, n);
      if (la.isSingular(lu, n)) {
        throw new ValueError(
          'solve',
          'the matrix must have an inverse',
          `a singular one (${whichMatrix(count, i)})`,
          'use pinv or lstsq, or add a small multiple of the identity',
        );
      }
      return la.luSolve(lu, b!, n, colsOf(node));
    });
  },
  // B̄ = A⁻ᵀ X̄, Ā = −B̄ Xᵀ (Giles 2.2.3)
  vjp: (g, n, i) => {
    const gb = solve(T(n.src[0]!), g);
    return i === 1 ? gb : neg(BT(gb, n));
  },
  linearIn: [1],
  batch: (src, isBatched) => build(solveDef, alignBatch(src, isBatched), null),
  raises: 'a singular matrix',
  cost: 1000,
  samples: () => SOLVE_SAMPLES,
  errors: () => [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      message: 'solve: the matrices must be square, got (2, 3)',
    },
    {
      shapes: [
        [2, 2],
        [3, 1],
      ],
      message: 'solve: B must have as many rows as A, got (2, 2) and (3, 1)',
    },
  ],
});
export const solve = (a: Node, b: Node): Node => build(solveDef, [a, b], null);
export const inverse = (a: Node): Node => solve(a, eyeLike(a, rowsOf(a)));

const triangularDef: OpDef<TriangleAttrs> = defineOp<TriangleAttrs>({
  name: 'triangularSolve',
  doc: 'X with A X = B, where only the upper (or lower) triangle of A counts.',
  kind: 'host',
  arity: 2,
  shape: src => solveShape('triangularSolve', src),
  dtype: ([a, b]) => oneDType('triangularSolve', a!, b!),
  host: (inputs, node) => {
    const attrs = node.attrs as TriangleAttrs;
    const [n, k] = [rowsOf(node), colsOf(node)];
    const count = numel(leadOf(node));
    return batched(inputs, node, 2, ([a, b], i) => {
      for (let d = 0; d < n && !attrs.unit; d++) {
        if (a![d * n + d] === 0) {
          throw new ValueError(
            'triangularSolve',
            'the diagonal must not have zeros',
            `one at row ${d} (${whichMatrix(count, i)})`,
            '',
          );
        }
      }
      la.substitute(a!, b!, n, k, attrs.upper, attrs.unit);
      return b!;
    });
  },
  vjp: (g, n, i) => {
    const { upper: up, unit } = n.attrs;
    const gb = triangularSolve(T(n.src[0]!), g, { upper: !up, unit });
    if (i === 1) return gb;
    const ga = neg(BT(gb, n));
    return up ? upper(ga, unit ? 1 : 0) : lower(ga, unit ? -1 : 0);
  },
  linearIn: [1],
  batch: (src, isBatched, n) => build(triangularDef, alignBatch(src, isBatched), n.attrs),
  raises: 'a zero on the diagonal',
  cost: 500,
  samples: () => SOLVE_SAMPLES.map((s, i) => ({ ...s, attrs: { upper: i === 0, unit: false } })),
  errors: () => [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      attrs: { upper: true, unit: false },
      message: 'triangularSolve: the matrices must be square, got (2, 3)',
    },
  ],
});
export const triangularSolve = (a: Node, b: Node, attrs: TriangleAttrs): Node =>
  build(triangularDef, [a, b], attrs);

// ---- determinants ----------------------------------------------------------------------------------------------------------

const determinant = ({ lu, sign }: la.Lu, n: number): number => {
  let d: number = sign;
  for (let i = 0; i < n; i++) d *= lu[i * n + i]!;
  return d;
};
export const squareSamples = (): Sample[] => [{ shapes: [[3, 3]] }, { shapes: [[2, 2, 2]] }];
/** A number per matrix, to be multiplied with the matrix. */
const perMatrix = (g: Node): Node => reshape(g, [...g.shape, 1, 1]);

const detDef = matrixOp<null>({
  name: 'det',
  doc: 'the determinant, by LU',
  square: true,
  result: () => [],
  compute: (a, n) => [determinant(la.luFactor(a, n), n)],
  vjp: (g, n) => mul(perMatrix(g), cofactors(n.src[0]!)),
  samples: squareSamples,
});
export const det = (a: Node): Node => build(detDef, [a], null);

const cofactorDef = matrixOp<null>({
  name: 'cofactors',
  doc: 'the gradient of the determinant: det(A) A⁻ᵀ, defined for singular matrices too',
  square: true,
  result: (m, n) => [m, n],
  compute: (a, n) => {
    const lu = la.luFactor(a.slice(), n);
    if (!la.isSingular(lu, n)) {
      const d = determinant(lu, n);
      return la.transposed(la.luSolve(lu, la.identity(n), n, n), n, n).map(v => v * d);
    }
    // A = U S Vᵀ: the cofactors are det(U) det(V) U S′ Vᵀ, where s′ᵢ is the product of all other singular values.
    const { u, s, vt } = la.jacobiSvd(a, n, n);
    const sign = Math.sign(
      determinant(la.luFactor(u.slice(), n), n) * determinant(la.luFactor(vt.slice(), n), n),
    );
    const others = Array.from(s, (_, i) => s.reduce((p, v, j) => (j === i ? p : p * v), sign));
    return la.product(
      u.map((v, i) => v * others[i % n]!),
      vt,
      n,
      n,
      n,
    );
  },
  // C = d Y with Y = A⁻ᵀ, dd = ⟨C, dA⟩, dY = −Y dAᵀ Y: Ā = ⟨Ḡ, Y⟩ C − d Y Ḡᵀ Y
  vjp: (g, n) => {
    const y = T(inverse(n.src[0]!));
    const dims = [n.shape.length - 2, n.shape.length - 1];
    return sub(mul(sum(mul(g, y), dims, true), n), matmul(BT(n, g), y));
  },
  samples: squareSamples,
});
const cofactors = (a: Node): Node => build(cofactorDef, [a], null);

const slogdetDef = matrixOp<null>({
  name: 'slogdet',
  doc: 'the sign of the determinant and ln |det|, packed',
  square: true,
  result: () => [2],
  compute: (a, n) => {
    const { lu, sign } = la.luFactor(a, n);
    let [s, log]: [number, number] = [sign, 0];
    for (let i = 0; i < n; i++) {
      s *= Math.sign(lu[i * n + i]!);
      log += Math.log(Math.abs(lu[i * n + i]!));
    }
    return [s, log];
  },
  vjp: (g, n) => mul(perMatrix(partOf(g, 1, [])), T(inverse(n.src[0]!))),
  samples: squareSamples,
});
export function slogdet(a: Node): [sign: Node, logabsdet: Node] {
  const packed = build(slogdetDef, [a], null);
  return [partOf(packed, 0, []), partOf(packed, 1, [])];
}

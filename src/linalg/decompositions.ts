// torch.linalg: norms, solves, determinants, factorisations and what follows from them. Matrices are the last two dims,
// all others are a batch. Computed on the host in float64 (cpu and reference devices).
// In: tensors. Out: tensors, with gradients. Not its job: products (tensor/linalg.ts), the numerics (ir/linalg-host.ts).

import type { DType } from '../base/dtype.ts';
import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { normalizeDim } from '../base/shape.ts';
import * as ops from '../ir/ops/elementwise.ts';
import * as factor from '../ir/ops/factor.ts';
import * as solves from '../ir/ops/linalg.ts';
import { broadcastTensors } from '../tensor/combine.ts';
import { wrap } from '../tensor/core.ts';
import { arange, eye } from '../tensor/create.ts';
import { setLinalg } from '../tensor/linalg.ts';
import type { ReduceOptions } from '../tensor/reduce.ts';
import type { Tensor } from '../tensor/tensor.ts';

type Dims = readonly [number, number];
export type VectorOrder = number;
export type MatrixOrder = 'fro' | 'nuc' | 1 | -1 | 2 | -2 | number;

const lastTwo = (op: string, x: Tensor): [number, number] => {
  if (x.ndim < 2) throw new ShapeError(op, 'it takes matrices: at least 2 dims', showShape(x.shape), '');
  return x.shape.slice(-2) as [number, number];
};
const converted = (x: Tensor, dtype: DType | undefined): Tensor => (dtype === undefined ? x : x.to(dtype));
const EPSILON: Partial<Record<DType, number>> = {
  float64: 2 ** -52,
  float32: 2 ** -23,
  float16: 2 ** -10,
  bfloat16: 2 ** -7,
};

// ---- norms -----------------------------------------------------------------------------------------------------------------

/** (Σ|x|ᵖ)^{1/p} over dims (all by default); p = 2 by default, ±Infinity and 0 as in PyTorch. */
export function vectorNorm(
  x: Tensor,
  ord: VectorOrder = 2,
  dim?: number | readonly number[] | null,
  options: ReduceOptions = {},
): Tensor {
  const { dtype, ...keep } = options;
  return converted(x, dtype).norm(ord, dim, keep);
}
/**
 * The norm of matrices in two dims (the last two by default): 'fro' (default), 'nuc' (sum of the singular values), 1 and
 * Infinity (largest column and row sum), 2 (largest singular value); -1, -Infinity and -2 the smallest ones.
 */
export function matrixNorm(
  x: Tensor,
  ord: MatrixOrder = 'fro',
  dim: Dims = [-2, -1],
  options: ReduceOptions = {},
): Tensor {
  const { dtype, keepdim = false } = options;
  lastTwo('matrixNorm', x);
  const dims = dim.map(d => normalizeDim('matrixNorm', d, x.ndim)) as [number, number];
  if (dims[0] === dims[1]) throw new ShapeError('matrixNorm', 'two different dims are needed', show(dim), '');
  const a = converted(x, dtype);
  if (ord === 'fro') return a.norm(2, dims, { keepdim });
  // Matrices to the end, their result back to its place.
  const moved = a.movedim(dims, [-2, -1]);
  const value = normOfLast(moved, ord);
  if (!keepdim) return value;
  const kept = x.shape.map((n, d) => (dims.includes(d) ? 1 : n));
  return value.reshape(kept);
}
function normOfLast(a: Tensor, ord: MatrixOrder): Tensor {
  if (ord === 'nuc') return svdvals(a).sum(-1);
  const size = Math.abs(ord as number);
  const largest = (ord as number) > 0;
  const pick = (v: Tensor): Tensor => (largest ? v.amax(-1) : v.amin(-1));
  if (size === 2) return pick(svdvals(a));
  if (size === 1) return pick(a.abs().sum(-2));
  if (size === Number.POSITIVE_INFINITY) return pick(a.abs().sum(-1));
  throw new ValueError('matrixNorm', "ord is 'fro', 'nuc', ±1, ±2 or ±Infinity", show(ord), '');
}
/**
 * With `ord` left out, the 2-norm of all elements (or over dims). With it: of a vector for one dim (or a 1-D tensor), of
 * matrices for two dims (or a 2-D tensor).
 */
export function norm(
  x: Tensor,
  ord?: MatrixOrder | null,
  dim?: number | readonly number[] | null,
  options: ReduceOptions = {},
): Tensor {
  const over = dim == null ? null : typeof dim === 'number' ? [dim] : dim;
  if (ord == null) return vectorNorm(x, 2, over, options);
  const rank = over === null ? x.ndim : over.length;
  if (rank === 2) return matrixNorm(x, ord, (over ?? [0, 1]) as Dims, options);
  if (rank !== 1 || typeof ord === 'string') {
    throw new ShapeError(
      'norm',
      `order ${show(ord)} needs ${typeof ord === 'string' ? 'two dims' : 'one or two dims'}`,
      show(dim ?? x.shape),
      '',
    );
  }
  return vectorNorm(x, ord, over, options);
}
/** How much a solution can amplify errors: ‖A‖ ‖A⁻¹‖ in the given norm; by default the ratio of the singular values. */
export function cond(x: Tensor, p?: MatrixOrder | null): Tensor {
  if (p == null || p === 2 || p === -2) {
    const s = svdvals(x);
    const [first, last] = [s.select(-1, 0), s.select(-1, -1)];
    return p === -2 ? last.div(first) : first.div(last);
  }
  return matrixNorm(x, p).mul(matrixNorm(inv(x), p));
}

// ---- solves ----------------------------------------------------------------------------------------------------------------

/** Whether b is a vector per matrix: 1-D, or the shape of A without its last dim. */
const isVector = (a: Tensor, b: Tensor): boolean =>
  b.ndim === 1 || (b.ndim === a.ndim - 1 && showShape(b.shape) === showShape(a.shape.slice(0, -1)));

/** X with A X = B. B is (…, n, k), or (…, n) for one vector per matrix. A singular A is an error. */
export function solve(A: Tensor, B: Tensor): Tensor {
  if (isVector(A, B)) return solve(A, B.unsqueeze(-1)).squeeze(-1);
  return wrap(solves.solve(A.node(), B.node()));
}
/** A⁻¹. A singular matrix is an error. */
export const inv = (A: Tensor): Tensor => wrap(solves.inverse(A.node()));
/** X with A X = B (or X A = B with `left: false`) for a triangular A; the other triangle of A is not read. */
export function solveTriangular(
  A: Tensor,
  B: Tensor,
  options: { upper: boolean; left?: boolean; unitriangular?: boolean },
): Tensor {
  const { upper, left = true, unitriangular: unit = false } = options;
  if (left) return wrap(solves.triangularSolve(A.node(), B.node(), { upper, unit }));
  return wrap(solves.triangularSolve(A.mT.node(), B.mT.node(), { upper: !upper, unit })).mT;
}
/** torch.triangular_solve: X with A X = B where one triangle of A is read, and A. */
export function triangularSolve(
  B: Tensor,
  A: Tensor,
  options: { upper?: boolean; transpose?: boolean; unitriangular?: boolean } = {},
): { solution: Tensor; coefficient: Tensor } {
  const { upper = true, transpose = false, unitriangular = false } = options;
  const solution = transpose
    ? solveTriangular(A.mT, B, { upper: !upper, unitriangular })
    : solveTriangular(A, B, { upper, unitriangular });
  return { solution, coefficient: A };
}
export interface RankOptions {
  /** Singular values up to max(atol, rtol · the largest) count as zero. Default 0. */
  readonly atol?: number;
  /** Default: max(m, n) times the precision of the dtype, or 0 where atol is given. */
  readonly rtol?: number;
}
function tolerances(x: Tensor, { atol = 0, rtol }: RankOptions): { atol: number; rtol: number } {
  const [m, n] = lastTwo('matrixRank', x);
  return { atol, rtol: rtol ?? (atol > 0 ? 0 : Math.max(m, n) * (EPSILON[x.dtype] ?? 0)) };
}
/** The pseudo-inverse of Moore and Penrose. */
export const pinv = (A: Tensor, options: RankOptions = {}): Tensor =>
  wrap(factor.pinv(A.node(), tolerances(A, options)));
/**
 * The X that makes ‖A X − B‖ least; the smallest such X where there are many. `residuals` are the squared distances per
 * column where A has more rows than columns, else empty; `rank` is that of A.
 */
export function lstsq(
  A: Tensor,
  B: Tensor,
  options: RankOptions = {},
): { solution: Tensor; residuals: Tensor; rank: Tensor } {
  if (isVector(A, B)) {
    const { solution, ...rest } = lstsq(A, B.unsqueeze(-1), options);
    return { solution: solution.squeeze(-1), ...rest };
  }
  const [m, n] = lastTwo('lstsq', A);
  const solution = pinv(A, options).matmul(B);
  const residuals = m > n ? A.matmul(solution).sub(B).square().sum(-2) : B.flatten().narrow(0, 0, 0);
  return { solution, residuals, rank: matrixRank(A, options) };
}
/** How many singular values are not negligible, int64. */
export function matrixRank(A: Tensor, options: RankOptions & { readonly tol?: number } = {}): Tensor {
  const { tol, ...given } = options;
  const { atol, rtol } = tol === undefined ? tolerances(A, given) : { atol: tol, rtol: 0 };
  const s = svdvals(A.detach());
  if (s.numel === 0) return s.sum(-1).long();
  const least = s.amax(-1, { keepdim: true }).mul(rtol).clamp(atol);
  return s.gt(least).sum(-1);
}

// ---- determinants ----------------------------------------------------------------------------------------------------------

/** The determinant. Its gradient, the cofactors, exists for singular matrices too. */
export const det = (A: Tensor): Tensor => wrap(solves.det(A.node()));
/** The sign of the determinant and ln |det|, which does not overflow. */
export function slogdet(A: Tensor): { sign: Tensor; logabsdet: Tensor } {
  const [sign, log] = solves.slogdet(A.node());
  return { sign: wrap(ops.detach(sign)), logabsdet: wrap(log) };
}
/** ln det; NaN where the determinant is negative. */
export function logdet(A: Tensor): Tensor {
  const { sign, logabsdet } = slogdet(A);
  return logabsdet.where(sign.ge(0), Number.NaN);
}

// ---- factorisations --------------------------------------------------------------------------------------------------------

/** Lower L with L Lᵀ = A (or upper Lᵀ), for positive definite A, of which the lower triangle is read. */
export function cholesky(A: Tensor, options: { upper?: boolean } = {}): Tensor {
  const L = wrap(factor.cholesky(options.upper ? A.mT.node() : A.node()));
  return options.upper ? L.mT : L;
}
/** X with A X = B from the Cholesky factor L of A. */
export function choleskySolve(B: Tensor, L: Tensor, options: { upper?: boolean } = {}): Tensor {
  const lower = options.upper ? L.mT : L;
  return solveTriangular(lower.mT, solveTriangular(lower, B, { upper: false }), { upper: true });
}
/** A⁻¹ from the Cholesky factor L of A. */
export const choleskyInverse = (L: Tensor, options: { upper?: boolean } = {}): Tensor =>
  choleskySolve(eye(L.shape[L.ndim - 1]!, undefined, { dtype: L.dtype, device: L.device }), L, options);
/** Q R = A with orthonormal columns in Q. Mode 'complete' makes Q square, 'r' gives no Q. */
export function qr(
  A: Tensor,
  options: { mode?: 'reduced' | 'complete' | 'r' } = {},
): { Q: Tensor; R: Tensor } {
  const { mode = 'reduced' } = options;
  if (!['reduced', 'complete', 'r'].includes(mode))
    throw new ValueError('qr', "mode is 'reduced', 'complete' or 'r'", show(mode), '');
  lastTwo('qr', A);
  const [q, r] = factor.qr(A.node(), mode === 'complete');
  const Q = wrap(q);
  return { Q: mode === 'r' ? Q.flatten().narrow(0, 0, 0) : Q, R: wrap(r) };
}
/** Eigenvalues in rising order and eigenvectors (columns) of symmetric matrices, of which one triangle is read. */
export function eigh(
  A: Tensor,
  options: { uplo?: 'L' | 'U' } = {},
): { eigenvalues: Tensor; eigenvectors: Tensor } {
  const { uplo = 'L' } = options;
  if (uplo !== 'L' && uplo !== 'U') throw new ValueError('eigh', "uplo is 'L' or 'U'", show(uplo), '');
  lastTwo('eigh', A);
  const [values, vectors] = factor.eigh(uplo === 'L' ? A.node() : A.mT.node());
  return { eigenvalues: wrap(values), eigenvectors: wrap(vectors) };
}
/** Eigenvalues of symmetric matrices, in rising order. */
export const eigvalsh = (A: Tensor, options: { uplo?: 'L' | 'U' } = {}): Tensor =>
  eigh(A, options).eigenvalues;
/**
 * U diag(S) Vh = A with singular values in falling order. U is m × m and Vh n × n unless `fullMatrices` is false.
 * Where m ≠ n, gradients need `fullMatrices: false`; equal singular values make those of U and Vh infinite.
 */
export function svd(
  A: Tensor,
  options: { fullMatrices?: boolean } = {},
): { U: Tensor; S: Tensor; Vh: Tensor } {
  lastTwo('svd', A);
  const [u, s, vt] = factor.svd(A.node(), options.fullMatrices ?? true);
  return { U: wrap(u), S: wrap(s), Vh: wrap(vt) };
}
/** The singular values, in falling order. */
export const svdvals = (A: Tensor): Tensor => svd(A, { fullMatrices: false }).S;

// ---- functions of matrices -------------------------------------------------------------------------------------------------

/** A multiplied n times with itself; negative n inverts. */
export function matrixPower(A: Tensor, n: number): Tensor {
  const [rows, cols] = lastTwo('matrixPower', A);
  if (rows !== cols)
    throw new ShapeError('matrixPower', 'the matrices must be square', showShape(A.shape), '');
  if (!Number.isInteger(n)) throw new ValueError('matrixPower', 'n must be an integer', show(n), '');
  let base = n < 0 ? inv(A) : A;
  let result: Tensor | null = null;
  for (let k = Math.abs(n); k > 0; k = Math.floor(k / 2)) {
    if (k % 2 === 1) result = result === null ? base : result.matmul(base);
    if (k > 1) base = base.matmul(base);
  }
  if (result !== null) return result === A ? A.clone() : result;
  return eye(rows, undefined, { dtype: A.dtype, device: A.device }).expand(A.shape);
}
/** e^A = Σ Aᵏ / k!. */
export const matrixExp = (A: Tensor): Tensor => wrap(factor.matrixExp(A.node()));
/** The product of several matrices, in the order that takes the fewest multiplications; the ends may be vectors. */
export function multiDot(matrices: readonly Tensor[]): Tensor {
  if (matrices.length < 2)
    throw new ValueError('multiDot', 'at least two tensors are needed', `${matrices.length}`, '');
  const list = matrices.map((m, i) =>
    m.ndim === 1 && i === 0 ? m.unsqueeze(0) : m.ndim === 1 && i === matrices.length - 1 ? m.unsqueeze(1) : m,
  );
  const size = [...list.map(m => m.shape[0]!), list[list.length - 1]!.shape[1]!];
  // cost[i][j]: the fewest multiplications for factors i … j (Cormen et al., Introduction to Algorithms, 15.2).
  const best = (i: number, j: number): { cost: number; value: () => Tensor } => {
    const key = i * list.length + j;
    const had = known.get(key);
    if (had !== undefined) return had;
    let found = { cost: 0, value: (): Tensor => list[i]! };
    for (let k = i; k < j; k++) {
      const [a, b] = [best(i, k), best(k + 1, j)];
      const cost = a.cost + b.cost + size[i]! * size[k + 1]! * size[j + 1]!;
      if (k === i || cost < found.cost) found = { cost, value: () => a.value().mm(b.value()) };
    }
    known.set(key, found);
    return found;
  };
  const known = new Map<number, { cost: number; value: () => Tensor }>();
  const product = best(0, list.length - 1).value();
  const dropped = matrices[0]!.ndim === 1 ? product.squeeze(0) : product;
  return matrices[matrices.length - 1]!.ndim === 1 ? dropped.squeeze(-1) : dropped;
}
/** Σ x y along a dim. */
export const vecdot = (x: Tensor, y: Tensor, options: { dim?: number } = {}): Tensor =>
  x.mul(y).sum(options.dim ?? -1);
/** The cross product along a dim of size 3, the last by default; other dims broadcast. */
export function cross(x: Tensor, y: Tensor, options: { dim?: number } = {}): Tensor {
  const [a, b] = broadcastTensors([x, y]) as [Tensor, Tensor];
  return a.cross(b, options.dim ?? -1);
}
/** Powers of each element as rows: x⁰, x¹, … xᴺ⁻¹; N is the length of x by default. */
export function vander(x: Tensor, options: { N?: number } = {}): Tensor {
  const n = options.N ?? x.shape[x.ndim - 1] ?? 1;
  return x.unsqueeze(-1).pow(arange(0, n, 1, { device: x.device }));
}

setLinalg({ cholesky, det, inv, logdet, matrixExp, matrixPower, pinv, slogdet });

// Products of vectors, matrices and batches of matrices.
// In: tensors. Out: contraction nodes with leading dims folded where that makes one matrix product of many.
// Not its job: factorisations and what follows from them (linalg/), einsum.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { normalizeDim, numel, sameShape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { matmul } from '../ir/ops/contract.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { reshape } from '../ir/ops/movement.ts';
import { sum } from '../ir/ops/reduce.ts';
import type * as decompositions from '../linalg/decompositions.ts';
import { wrap } from './core.ts';
import { promoted } from './operand.ts';
import { SortTensor } from './sort.ts';
import type { Tensor } from './tensor.ts';

export interface ScaledSum {
  /** Factor of the tensor itself. Default 1; with 0 its values (NaN too) do not count. */
  readonly beta?: number;
  /** Factor of the product. Default 1. */
  readonly alpha?: number;
}

const me = (t: unknown): Tensor => t as Tensor;

type Linalg = Pick<
  typeof decompositions,
  'cholesky' | 'det' | 'inv' | 'logdet' | 'matrixExp' | 'matrixPower' | 'pinv' | 'slogdet'
>;
let loaded: Linalg | null = null;
/** Called by linalg/, which lies above tensors, when it is loaded. */
export function setLinalg(linalg: Linalg): void {
  loaded = linalg;
}
function linalg(): Linalg {
  if (loaded === null)
    throw new ValueError(
      'linalg',
      'it must be loaded before its methods are called',
      '',
      "import 'tenon/linalg'",
    );
  return loaded;
}

export class LinalgTensor extends SortTensor {
  /**
   * The matrix product, as torch.matmul. Vectors: the dot product. A vector on the left is a row, on the right a
   * column, and its dim goes. More than 2 dims: batches of matrices, whose leading dims broadcast.
   * Shapes: (…, M, K) and (…, K, N) give (…, M, N).
   */
  matmul(other: Tensor): Tensor {
    return wrap(matmulNode(this.node(), other.node()));
  }
  /** The product of two matrices: (M, K) and (K, N) give (M, N). */
  mm(other: Tensor): Tensor {
    needsDims('mm', [this.ndim, other.ndim], [2, 2], 'two matrices');
    return this.matmul(other);
  }
  /** Products of equally many matrices: (B, M, K) and (B, K, N) give (B, M, N). */
  bmm(other: Tensor): Tensor {
    needsDims('bmm', [this.ndim, other.ndim], [3, 3], 'two batches of matrices');
    if (this.shape[0] !== other.shape[0]) {
      throw new ShapeError(
        'bmm',
        'both need equally many matrices',
        `${showShape(this.shape)} and ${showShape(other.shape)}`,
        'matmul broadcasts',
      );
    }
    return this.matmul(other);
  }
  /** A matrix times a vector: (M, K) and (K) give (M). */
  mv(vector: Tensor): Tensor {
    needsDims('mv', [this.ndim, vector.ndim], [2, 1], 'a matrix and a vector');
    return this.matmul(vector);
  }
  /** Σ aᵢ bᵢ of two vectors. */
  dot(other: Tensor): Tensor {
    needsDims('dot', [this.ndim, other.ndim], [1, 1], 'two vectors');
    return this.matmul(other);
  }
  /** The same as dot: there are no complex numbers. */
  vdot(other: Tensor): Tensor {
    return this.dot(other);
  }
  /** Sums of products along the last dims; with a 0-dim tensor, the product. */
  inner(other: Tensor): Tensor {
    if (this.ndim === 0 || other.ndim === 0) return me(this).mul(other);
    return tensordot(me(this), other, [[-1], [-1]]);
  }
  /** All products of two vectors: (M) and (N) give (M, N). */
  outer(other: Tensor): Tensor {
    needsDims('outer', [this.ndim, other.ndim], [1, 1], 'two vectors');
    return this.unsqueeze(1).mul(other);
  }
  /** beta · this + alpha · (a b) for matrices a and b. */
  addmm(a: Tensor, b: Tensor, options: ScaledSum = {}): Tensor {
    return scaledSum(me(this), a.mm(b), options);
  }
  /** beta · this + alpha · (matrix vector). */
  addmv(matrix: Tensor, vector: Tensor, options: ScaledSum = {}): Tensor {
    return scaledSum(me(this), matrix.mv(vector), options);
  }
  /** beta · this + alpha · (a bᵀ) for vectors a and b. */
  addr(a: Tensor, b: Tensor, options: ScaledSum = {}): Tensor {
    return scaledSum(me(this), a.outer(b), options);
  }
  /** beta · this + alpha · Σ over the batch of (a b). */
  addbmm(a: Tensor, b: Tensor, options: ScaledSum = {}): Tensor {
    return scaledSum(me(this), a.bmm(b).sum(0), options);
  }
  /** beta · this + alpha · (a b) per matrix of the batch. */
  baddbmm(a: Tensor, b: Tensor, options: ScaledSum = {}): Tensor {
    return scaledSum(me(this), a.bmm(b), options);
  }
  /** The Kronecker product: each element of this times the whole of other. Sizes multiply. */
  kron(other: Tensor): Tensor {
    const rank = Math.max(this.ndim, other.ndim);
    const full = (s: readonly number[]): number[] => [...Array<number>(rank - s.length).fill(1), ...s];
    const [a, b] = [full(this.shape), full(other.shape)];
    const left = this.reshape(a.flatMap(n => [n, 1]));
    const right = other.reshape(b.flatMap(n => [1, n]));
    return left.mul(right).reshape(a.map((n, d) => n * b[d]!));
  }
  /** The cross product along a dim of size 3: by default the first one of that size. */
  cross(other: Tensor, dim?: number): Tensor {
    const at = dim === undefined ? this.shape.indexOf(3) : normalizeDim('cross', dim, this.ndim);
    if (at < 0 || this.shape[at] !== 3 || other.ndim !== this.ndim || other.shape[at] !== 3) {
      throw new ShapeError(
        'cross',
        'both need size 3 in the dim of the product',
        `${showShape(this.shape)} and ${showShape(other.shape)}`,
        '',
      );
    }
    // cᵢ = aᵢ₊₁ bᵢ₊₂ − aᵢ₊₂ bᵢ₊₁
    return this.roll(-1, at)
      .mul(other.roll(-2, at))
      .sub(this.roll(-2, at).mul(other.roll(-1, at)));
  }

  /** The determinant of square matrices. */
  det(): Tensor {
    return linalg().det(me(this));
  }
  /** ln det; NaN where the determinant is negative. */
  logdet(): Tensor {
    return linalg().logdet(me(this));
  }
  /** The sign of the determinant and ln |det|. */
  slogdet(): { sign: Tensor; logabsdet: Tensor } {
    return linalg().slogdet(me(this));
  }
  /** The inverse of square matrices; a singular one is an error. */
  inverse(): Tensor {
    return linalg().inv(me(this));
  }
  /** The pseudo-inverse. */
  pinverse(): Tensor {
    return linalg().pinv(me(this));
  }
  /** Lower L with L Lᵀ = this, for positive definite matrices. */
  cholesky(options: { upper?: boolean } = {}): Tensor {
    return linalg().cholesky(me(this), options);
  }
  /** Square matrices multiplied n times with themselves; negative n inverts. */
  matrixPower(n: number): Tensor {
    return linalg().matrixPower(me(this), n);
  }
  /** e^A = Σ Aᵏ / k! of square matrices. */
  matrixExp(): Tensor {
    return linalg().matrixExp(me(this));
  }
}

function needsDims(op: string, got: readonly number[], want: readonly number[], what: string): void {
  if (!sameShape(got, want)) {
    throw new ShapeError(
      op,
      `it takes ${what}`,
      `tensors with ${got.join(' and ')} dims`,
      'matmul takes any',
    );
  }
}

function matmulNode(a: Node, b: Node): Node {
  const [ra, rb] = [a.shape.length, b.shape.length];
  if (ra === 0 || rb === 0) {
    throw new ShapeError(
      'matmul',
      'both need at least 1 dim',
      `${showShape(a.shape)} and ${showShape(b.shape)}`,
      'use mul for a number',
    );
  }
  if (ra === 1 && rb === 1) {
    if (a.shape[0] !== b.shape[0] || a.dtype !== b.dtype || a.dtype === 'bool') {
      return matmul(reshape(a, [1, a.shape[0]!]), reshape(b, [b.shape[0]!, 1])); // refuses with its message
    }
    return sum(ops.mul(a, b), [0], false);
  }
  if (ra === 1) {
    const y = matmul(reshape(a, [1, a.shape[0]!]), b);
    return reshape(y, [...y.shape.slice(0, -2), y.shape[y.shape.length - 1]!]);
  }
  if (rb === 1) {
    const y = matmulNode(a, reshape(b, [b.shape[0]!, 1]));
    return reshape(y, y.shape.slice(0, -1));
  }
  if (rb === 2 && ra > 2 && a.shape[ra - 1] === b.shape[0]) {
    // The same matrix for the whole batch: one product with all rows.
    const rows = numel(a.shape.slice(0, -1));
    const y = matmul(reshape(a, [rows, a.shape[ra - 1]!]), b);
    return reshape(y, [...a.shape.slice(0, -1), b.shape[1]!]);
  }
  return matmul(a, b);
}

function scaledSum(x: Tensor, product: Tensor, { beta = 1, alpha = 1 }: ScaledSum): Tensor {
  const scaled = alpha === 1 ? product : product.mul(alpha);
  if (beta === 0) return x.shape.length > scaled.ndim ? scaled.expand(x.shape) : scaled;
  return (beta === 1 ? x : x.mul(beta)).add(scaled);
}

/**
 * Sums of products over pairs of dims: `dims` lists them for a and for b, or says how many last dims of a meet the
 * first dims of b. The result has the other dims of a, then those of b.
 */
export function tensordot(
  a: Tensor,
  b: Tensor,
  dims: number | readonly [readonly number[], readonly number[]] = 2,
): Tensor {
  const pairs =
    typeof dims === 'number'
      ? ([0, 1] as const).map(i => Array.from({ length: dims }, (_, k) => (i === 0 ? a.ndim - dims + k : k)))
      : dims.map((list, i) => list.map(d => normalizeDim('tensordot', d, (i === 0 ? a : b).ndim)));
  const [da, db] = pairs as [number[], number[]];
  const fits =
    da.length === db.length &&
    da.every((d, i) => d >= 0 && a.shape[d] !== undefined && a.shape[d] === b.shape[db[i]!]);
  if (!fits) {
    throw new ShapeError(
      'tensordot',
      'the dims to be summed must be equally many and equally long',
      `${showShape(a.shape)} and ${showShape(b.shape)} with dims ${show(dims)}`,
      '',
    );
  }
  const [x, y] = promoted('tensordot', [a, b]) as [Node, Node];
  const restA = a.shape.flatMap((_, d) => (da.includes(d) ? [] : [d]));
  const restB = b.shape.flatMap((_, d) => (db.includes(d) ? [] : [d]));
  const K = numel(da.map(d => a.shape[d]!));
  const [outA, outB] = [restA.map(d => a.shape[d]!), restB.map(d => b.shape[d]!)];
  const left = wrap(x)
    .permute([...restA, ...da])
    .reshape([numel(outA), K]);
  const right = wrap(y)
    .permute([...db, ...restB])
    .reshape([K, numel(outB)]);
  return left.matmul(right).reshape([...outA, ...outB]);
}

/**
 * All distances between rows: (…, P, M) and (…, R, M) give (…, P, R); p-norm of the differences, p = 2 by default.
 * Between equal rows the gradient is 0.
 */
export function cdist(x1: Tensor, x2: Tensor, options: { p?: number } = {}): Tensor {
  const [m1, m2] = [x1.shape[x1.ndim - 1], x2.shape[x2.ndim - 1]];
  if (x1.ndim < 2 || x2.ndim < 2 || m1 !== m2) {
    throw new ShapeError(
      'cdist',
      'both are rows of one length, (…, P, M) and (…, R, M)',
      `${showShape(x1.shape)} and ${showShape(x2.shape)}`,
      '',
    );
  }
  return x1
    .unsqueeze(-2)
    .sub(x2.unsqueeze(-3))
    .norm(options.p ?? 2, -1);
}
/** The p-norm of the difference. */
export const dist = (a: Tensor, b: Tensor, options: { p?: number } = {}): Tensor =>
  a.sub(b).norm(options.p ?? 2);

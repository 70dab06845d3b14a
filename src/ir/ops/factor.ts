// Factorisations of batches of matrices, the pseudo-inverse and the exponential, with their gradients.
// In: nodes whose last two dims are matrices. Out: nodes. Not its job: the numerics (linalg-host.ts).
// Gradients: Murray 2016 (arXiv:1602.07527) for Cholesky; Walter & Lehmann 2018 (arXiv:1009.6112) for QR; Giles 2008 for
// eigenvalues; Townsend 2016, "Differentiating the singular value decomposition"; Golub & Pereyra 1973 for the
// pseudo-inverse; Mathias 1996 for the exponential. X̄ is the gradient of X.

import { GradError, showShape, ValueError } from '../../base/errors.ts';
import * as la from '../linalg-host.ts';
import type { Node } from '../node.ts';
import { build } from '../op.ts';
import { matmul } from './contract.ts';
import { add, constLike, mul, neg, sub } from './elementwise.ts';
import {
  AT,
  BT,
  colsOf,
  diagonalMatrix,
  differences,
  matrixOp,
  over,
  partOf,
  rowsOf,
  squareSamples,
  T,
  triangularSolve,
} from './linalg.ts';
import { cat, narrow, reshape } from './movement.ts';
import { expand } from './reduce.ts';
import { lower, upper } from './triangle.ts';

const choleskyDef = matrixOp<null>({
  name: 'cholesky',
  doc: 'lower L with L Lᵀ = A; only the lower triangle of A is read',
  square: true,
  result: (n, m) => [n, m],
  compute: (a, n, _, __, which) => {
    const row = la.cholesky(a, n);
    if (row < 0) return a;
    throw new ValueError(
      'cholesky',
      'the matrix must be positive definite',
      `one whose leading minor of order ${row + 1} is not positive (${which()})`,
      'add a small multiple of the identity, or check that it is symmetric',
    );
  },
  // Ā = L⁻ᵀ Φ L⁻¹ with Φ the symmetric part of tril(Lᵀ L̄) with its diagonal halved (Murray 2016, 10)
  vjp: (g, n) => {
    const p = lower(AT(n, g));
    const phi = mul(add(p, T(lower(p, -1))), constLike(p, 0.5));
    const left = triangularSolve(T(n), phi, { upper: true, unit: false });
    return T(triangularSolve(T(n), T(left), { upper: true, unit: false }));
  },
  raises: 'a matrix that is not positive definite',
  samples: () => [
    { shapes: [[1, 1]], range: [0.5, 2] },
    { shapes: [[3, 1, 1]], range: [0.5, 2] },
  ],
  paper: 'https://arxiv.org/abs/1602.07527',
});
export const cholesky = (a: Node): Node => build(choleskyDef, [a], null);

interface QrAttrs {
  /** Q is m × m and R is m × n, instead of min(m, n) inside. */
  readonly complete: boolean;
}
const qrDef = matrixOp<QrAttrs>({
  name: 'qr',
  doc: 'Q with orthonormal columns and upper triangular R with Q R = A, packed',
  square: false,
  result: (m, n, { complete }) => {
    const k = complete ? m : Math.min(m, n);
    return [m * k + k * n];
  },
  compute: (a, m, n, { complete }) => {
    const { q, r } = la.householderQr(a, m, n, complete ? m : Math.min(m, n));
    return [...q, ...r];
  },
  // Ā = [Q̄ + Q sym(triu(R̄ Rᵀ − Qᵀ Q̄))] R⁻ᵀ, sym(X) = X + Xᵀ − diag X, for m ≥ n (Walter & Lehmann 2018)
  vjp: (g, node) => {
    const [x] = node.src as [Node];
    const [m, n] = [rowsOf(x), colsOf(x)];
    const k = node.attrs.complete ? m : Math.min(m, n);
    if (k !== n) {
      throw new GradError(
        'qr',
        'the gradient needs as many columns in Q as in A',
        `${showShape(x.shape)} with a ${m} × ${k} Q`,
        "use mode 'reduced'",
      );
    }
    const [q, r] = [partOf(node, 0, [m, k]), partOf(node, m * k, [k, n])];
    const [gq, gr] = [partOf(g, 0, [m, k]), partOf(g, m * k, [k, n])];
    const s = upper(sub(BT(gr, r), AT(q, gq)));
    const total = add(gq, matmul(q, add(s, T(upper(s, 1)))));
    return T(triangularSolve(r, T(total), { upper: true, unit: false }));
  },
  samples: () => [
    { shapes: [[4, 3]], attrs: { complete: false } },
    { shapes: [[2, 3, 3]], attrs: { complete: false } },
    { shapes: [[4, 2]], attrs: { complete: true }, wrt: [] },
  ],
});
/** Q and R. A wide matrix is split: its left part decides Q. */
export function qr(a: Node, complete: boolean): [q: Node, r: Node] {
  const [m, n] = [rowsOf(a), colsOf(a)];
  if (m < n) {
    const dim = a.shape.length - 1;
    const [q, left] = qr(narrow(a, dim, 0, m), false);
    return [q, cat([left, AT(q, narrow(a, dim, m, n - m))], dim)];
  }
  const packed = build(qrDef, [a], { complete });
  const k = complete ? m : n;
  return [partOf(packed, 0, [m, k]), partOf(packed, m * k, [k, n])];
}

const eighDef = matrixOp<null>({
  name: 'eigh',
  doc: 'eigenvalues in rising order and eigenvectors (columns) of the symmetric matrix in the lower triangle, packed',
  square: true,
  result: n => [n + n * n],
  compute: (a, n) => {
    const { values, vectors } = la.symmetricEigen(a, n);
    return [...values, ...vectors];
  },
  // Ā = V (diag λ̄ + (Vᵀ V̄) / E) Vᵀ, E_ij = λ_j − λ_i (Giles 3.1), and of that the symmetric part
  vjp: (g, node) => {
    const n = rowsOf(node.src[0]!);
    const [values, v] = [partOf(node, 0, [n]), partOf(node, n, [n, n])];
    const [gValues, gv] = [partOf(g, 0, [n]), partOf(g, n, [n, n])];
    const skew = mul(sub(AT(v, gv), AT(gv, v)), constLike(v, 0.5));
    const inner = add(diagonalMatrix(gValues), over(skew, differences(values)));
    return BT(matmul(v, inner), v);
  },
  // The gradient is that of a symmetric matrix: others can only be compared in value (test/tensor/linalg.test.ts).
  samples: () => [{ shapes: [[3, 3]], wrt: [] }, { shapes: [[2, 2, 2]], wrt: [] }, { shapes: [[2, 1, 1]] }],
});
export function eigh(a: Node): [values: Node, vectors: Node] {
  const n = rowsOf(a);
  const packed = build(eighDef, [a], null);
  return [partOf(packed, 0, [n]), partOf(packed, n, [n, n])];
}
interface SvdAttrs {
  /** U is m × m and Vᵀ is n × n. */
  readonly full: boolean;
}
const svdDef = matrixOp<SvdAttrs>({
  name: 'svd',
  doc: 'U, the singular values in falling order, and Vᵀ with U diag(S) Vᵀ = A, packed',
  square: false,
  result: (m, n, { full }) => {
    const k = Math.min(m, n);
    return [full ? m * m + k + n * n : m * k + k + k * n];
  },
  compute: (a, m, n, { full }) => {
    const k = Math.min(m, n);
    const { u, s, vt } = la.jacobiSvd(a, m, n);
    if (!full) return [...u, ...s, ...vt];
    const v = la.completed(la.transposed(vt, k, n), n, k, k, n);
    return [...la.completed(u, m, k, k, m), ...s, ...la.transposed(v, n, n)];
  },
  vjp: (g, node) => svdVjp(g, node),
  samples: () => [
    { shapes: [[4, 3]], attrs: { full: false } },
    { shapes: [[2, 2, 3]], attrs: { full: false } },
    { shapes: [[4, 2]], attrs: { full: true }, wrt: [] },
  ],
});
/**
 * Ā = U [(skew(Uᵀ Ū) / E) S + S (skew(Vᵀ V̄) / E) + diag S̄] Vᵀ + (I − U Uᵀ) Ū S⁻¹ Vᵀ + U S⁻¹ V̄ᵀ (I − V Vᵀ)
 * with E_ij = s_j² − s_i² and skew(X) = X − Xᵀ (Townsend 2016).
 */
function svdVjp(g: Node, node: Node<SvdAttrs>): Node {
  const [x] = node.src as [Node];
  const [m, n] = [rowsOf(x), colsOf(x)];
  const k = Math.min(m, n);
  if (node.attrs.full && m !== n) {
    throw new GradError(
      'svd',
      'full matrices of a matrix that is not square have no gradient',
      showShape(x.shape),
      'pass {fullMatrices: false}',
    );
  }
  const parts = (p: Node): [Node, Node, Node] => [
    partOf(p, 0, [m, k]),
    partOf(p, m * k, [k]),
    partOf(p, m * k + k, [k, n]),
  ];
  const [u, s, vt] = parts(node);
  const [gu, gs, gvt] = parts(g);
  const column = reshape(s, [...s.shape, 1]);
  const row = reshape(s, [...s.shape.slice(0, -1), 1, k]);
  const e = differences(mul(s, s));
  const skew = (a: Node): Node => sub(a, T(a));
  const turnU = mul(over(skew(AT(u, gu)), e), row);
  const turnV = mul(over(skew(BT(vt, gvt)), e), column);
  let out = matmul(u, matmul(add(add(turnU, turnV), diagonalMatrix(gs)), vt));
  if (m > k) {
    const outside = sub(gu, matmul(u, AT(u, gu)));
    out = add(out, matmul(over(outside, row), vt));
  }
  if (n > k) {
    const outside = sub(gvt, matmul(BT(gvt, vt), vt));
    out = add(out, matmul(u, over(outside, column)));
  }
  return out;
}
export function svd(a: Node, full: boolean): [u: Node, s: Node, vt: Node] {
  const [m, n] = [rowsOf(a), colsOf(a)];
  const k = Math.min(m, n);
  const packed = build(svdDef, [a], { full });
  const [ku, kv] = full ? [m, n] : [k, k];
  return [partOf(packed, 0, [m, ku]), partOf(packed, m * ku, [k]), partOf(packed, m * ku + k, [kv, n])];
}

interface PinvAttrs {
  /** Singular values up to max(atol, rtol · the largest) count as zero. */
  readonly atol: number;
  readonly rtol: number;
}
const pinvDef = matrixOp<PinvAttrs>({
  name: 'pinv',
  doc: 'the pseudo-inverse V S⁺ Uᵀ',
  square: false,
  result: (m, n) => [n, m],
  compute: (a, m, n, { atol, rtol }) => {
    const k = Math.min(m, n);
    const { u, s, vt } = la.jacobiSvd(a, m, n);
    const least = Math.max(atol, rtol * (s[0] ?? 0));
    const v = la.transposed(vt, k, n).map((x, i) => (s[i % k]! > least ? x / s[i % k]! : 0));
    return la.product(v, la.transposed(u, m, k), n, k, m);
  },
  // dP = −P dA P + P Pᵀ dAᵀ (I − A P) + (I − P A) dAᵀ Pᵀ P for a fixed rank (Golub & Pereyra 1973, 4.12)
  vjp: (g, p) => {
    const [a] = p.src as [Node];
    const gt = T(g);
    const first = neg(matmul(AT(p, g), T(p)));
    const right = BT(matmul(gt, p), p);
    const left = AT(p, matmul(p, gt));
    const second = sub(right, matmul(a, matmul(p, right)));
    const third = sub(left, matmul(matmul(left, p), a));
    return add(first, add(second, third));
  },
  samples: () => [
    { shapes: [[4, 3]], attrs: { atol: 0, rtol: 1e-6 } },
    { shapes: [[2, 2, 3]], attrs: { atol: 0, rtol: 1e-6 } },
  ],
});
export const pinv = (a: Node, attrs: PinvAttrs): Node => build(pinvDef, [a], attrs);

const expDef = matrixOp<null>({
  name: 'matrixExp',
  doc: 'e^A = Σ Aᵏ / k!',
  square: true,
  result: (m, n) => [m, n],
  compute: (a, n) => la.matrixExponential(a, n),
  // Ā is the upper right block of exp [[Aᵀ, Ḡ], [0, Aᵀ]] (Mathias 1996, "A chain rule for matrix functions")
  vjp: (g, node) => {
    const a = T(node.src[0]!);
    const [n, dim] = [rowsOf(a), a.shape.length - 1];
    const zero = expand(constLike(a, 0), a.shape);
    const block = matrixExp(cat([cat([a, g], dim), cat([zero, a], dim)], dim - 1));
    return narrow(narrow(block, dim - 1, 0, n), dim, n, n);
  },
  samples: squareSamples,
});
export const matrixExp = (a: Node): Node => build(expDef, [a], null);

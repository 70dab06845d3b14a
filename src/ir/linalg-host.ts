// Factorisations of single matrices: plain TypeScript on Float64Array, row-major, no blocking.
// In: one matrix (a copy that may be changed). Out: its factors. Not its job: batches, gradients, error texts.
// Sources: Golub & Van Loan, Matrix Computations, 4th edition (section numbers below); signs of QR as LAPACK's.

export type Matrix = Float64Array;

export const identity = (n: number): Matrix => {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) a[i * n + i] = 1;
  return a;
};
/** The transpose of an m × n matrix. */
export function transposed(a: Matrix, m: number, n: number): Matrix {
  const t = new Float64Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) t[j * m + i] = a[i * n + j]!;
  return t;
}
/** The product of an m × k and a k × n matrix. */
export function product(a: Matrix, b: Matrix, m: number, k: number, n: number): Matrix {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const f = a[i * k + p]!;
      if (f !== 0) for (let j = 0; j < n; j++) c[i * n + j]! += f * b[p * n + j]!;
    }
  }
  return c;
}

// ---- Gaussian elimination (3.4) ------------------------------------------------------------------------------------------

export interface Lu {
  /** L below the diagonal (its own diagonal is 1), U on and above it. */
  readonly lu: Matrix;
  /** Row i of L U is row perm[i] of the matrix. */
  readonly perm: Int32Array;
  /** The sign of the permutation. */
  readonly sign: number;
}
/** P A = L U with partial pivoting; a is overwritten. A zero pivot is left where it is. */
export function luFactor(a: Matrix, n: number): Lu {
  const perm = Int32Array.from({ length: n }, (_, i) => i);
  let sign = 1;
  for (let k = 0; k < n; k++) {
    let p = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]!) > Math.abs(a[p * n + k]!)) p = i;
    if (p !== k) {
      sign = -sign;
      [perm[k], perm[p]] = [perm[p]!, perm[k]!];
      for (let j = 0; j < n; j++) [a[k * n + j], a[p * n + j]] = [a[p * n + j]!, a[k * n + j]!];
    }
    const pivot = a[k * n + k]!;
    if (pivot === 0) continue;
    for (let i = k + 1; i < n; i++) {
      const f = a[i * n + k]! / pivot;
      a[i * n + k] = f;
      if (f !== 0) for (let j = k + 1; j < n; j++) a[i * n + j]! -= f * a[k * n + j]!;
    }
  }
  return { lu: a, perm, sign };
}
/** Whether some pivot is zero (or NaN): the matrix has no inverse. */
export function isSingular({ lu }: Lu, n: number): boolean {
  for (let i = 0; i < n; i++) if (!(Math.abs(lu[i * n + i]!) > 0)) return true;
  return false;
}
/** X with A X = B, for an n × k matrix B. */
export function luSolve({ lu, perm }: Lu, b: Matrix, n: number, k: number): Matrix {
  const x = new Float64Array(n * k);
  for (let i = 0; i < n; i++) x.set(b.subarray(perm[i]! * k, (perm[i]! + 1) * k), i * k);
  substitute(lu, x, n, k, false, true);
  substitute(lu, x, n, k, true, false);
  return x;
}
/** Solves T X = B in place, T triangular: forwards for a lower, backwards for an upper one (3.1). */
export function substitute(t: Matrix, b: Matrix, n: number, k: number, upper: boolean, unit: boolean): void {
  for (let s = 0; s < n; s++) {
    const i = upper ? n - 1 - s : s;
    for (let p = upper ? i + 1 : 0; p < (upper ? n : i); p++) {
      const f = t[i * n + p]!;
      if (f !== 0) for (let j = 0; j < k; j++) b[i * k + j]! -= f * b[p * k + j]!;
    }
    if (!unit) for (let j = 0; j < k; j++) b[i * k + j]! /= t[i * n + i]!;
  }
}

/** A = L Lᵀ from the lower triangle, in place, zeros above (4.2). Returns the first row whose pivot is not positive, or -1. */
export function cholesky(a: Matrix, n: number): number {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let s = a[i * n + j]!;
      for (let p = 0; p < j; p++) s -= a[i * n + p]! * a[j * n + p]!;
      if (i > j) a[i * n + j] = s / a[j * n + j]!;
      else {
        if (!(s > 0)) return j;
        a[j * n + j] = Math.sqrt(s);
      }
    }
    for (let i = 0; i < j; i++) a[i * n + j] = 0;
  }
  return -1;
}

// ---- Householder QR (5.2) ------------------------------------------------------------------------------------------------

/** A = Q R for an m × n matrix: Q is m × q with orthonormal columns, R is q × n. `q` is min(m, n), or m. */
export function householderQr(a: Matrix, m: number, n: number, q: number): { q: Matrix; r: Matrix } {
  const steps = Math.min(m, n);
  const vectors: Matrix[] = [];
  const taus: number[] = [];
  for (let k = 0; k < steps; k++) {
    const { v, tau } = reflector(a, m, n, k);
    vectors.push(v);
    taus.push(tau);
    reflect(a, m, n, v, tau, k, k);
  }
  const r = new Float64Array(q * n);
  for (let i = 0; i < q; i++) for (let j = i; j < n; j++) r[i * n + j] = a[i * n + j]!;
  const Q = new Float64Array(m * q);
  for (let i = 0; i < q; i++) Q[i * q + i] = 1;
  for (let k = steps - 1; k >= 0; k--) reflect(Q, m, q, vectors[k]!, taus[k]!, k, 0);
  return { q: Q, r };
}
/** The reflection I − τ v vᵀ that clears column k below the diagonal; v starts at row k with 1. */
function reflector(a: Matrix, m: number, n: number, k: number): { v: Matrix; tau: number } {
  const v = new Float64Array(m - k);
  const alpha = a[k * n + k]!;
  let below = 0;
  for (let i = k + 1; i < m; i++) below = Math.hypot(below, a[i * n + k]!);
  v[0] = 1;
  if (below === 0) return { v, tau: 0 };
  const beta = alpha >= 0 ? -Math.hypot(alpha, below) : Math.hypot(alpha, below);
  for (let i = k + 1; i < m; i++) v[i - k] = a[i * n + k]! / (alpha - beta);
  return { v, tau: (beta - alpha) / beta };
}
function reflect(a: Matrix, m: number, n: number, v: Matrix, tau: number, row: number, col: number): void {
  if (tau === 0) return;
  for (let j = col; j < n; j++) {
    let s = 0;
    for (let i = row; i < m; i++) s += v[i - row]! * a[i * n + j]!;
    s *= tau;
    for (let i = row; i < m; i++) a[i * n + j]! -= s * v[i - row]!;
  }
}

// ---- symmetric eigenproblem (8.3) ----------------------------------------------------------------------------------------

/** Eigenvalues in rising order and their vectors (as columns) of the symmetric matrix in the lower triangle of a. */
export function symmetricEigen(a: Matrix, n: number): { values: Float64Array; vectors: Matrix } {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[j * n + i] = a[i * n + j]!;
  const { diagonal, beside, basis } = tridiagonal(a, n);
  implicitQl(diagonal, beside, basis, n);
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[i]! - diagonal[j]!);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    for (let i = 0; i < n; i++) vectors[i * n + to] = basis[from * n + i]!;
  });
  return { values: Float64Array.from(order, i => diagonal[i]!), vectors };
}
/** T = Bᵀ A B with T tridiagonal; `basis` has the columns of B as rows. */
function tridiagonal(a: Matrix, n: number): { diagonal: Float64Array; beside: Float64Array; basis: Matrix } {
  const basis = identity(n);
  for (let k = 0; k < n - 2; k++) {
    // The reflection that clears column k below its second entry, applied from both sides.
    const { v, tau } = reflector(a.subarray(n), n - 1, n, k);
    if (tau === 0) continue;
    reflect(a, n, n, v, tau, k + 1, 0);
    reflectRows(a, n, v, tau, k + 1);
    reflect(basis, n, n, v, tau, k + 1, 0);
  }
  return {
    diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!),
    beside: Float64Array.from({ length: n }, (_, i) => (i + 1 < n ? a[(i + 1) * n + i]! : 0)),
    basis,
  };
}
function reflectRows(a: Matrix, n: number, v: Matrix, tau: number, from: number): void {
  for (let i = 0; i < n; i++) {
    let s = 0;
    for (let j = from; j < n; j++) s += v[j - from]! * a[i * n + j]!;
    s *= tau;
    for (let j = from; j < n; j++) a[i * n + j]! -= s * v[j - from]!;
  }
}
/** Diagonalises a tridiagonal matrix by QL steps with Wilkinson's shift, turning the rows of `basis` along (8.3.3). */
function implicitQl(d: Float64Array, e: Float64Array, basis: Matrix, n: number): void {
  for (let l = 0; l < n; l++) {
    for (let round = 0; round < 60; round++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l) break;
      qlStep(d, e, basis, n, l, m);
    }
  }
}
function qlStep(d: Float64Array, e: Float64Array, basis: Matrix, n: number, l: number, m: number): void {
  const half = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  const shift = d[l]! - e[l]! / (half + Math.sign(half || 1) * Math.hypot(half, 1));
  let g = d[m]! - shift;
  let [s, c, p] = [1, 1, 0];
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      // The matrix splits here.
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1]! - p;
    const t = (d[i]! - g) * s + 2 * c * b;
    p = s * t;
    d[i + 1] = g + p;
    g = c * t - b;
    turn(basis, i * n, (i + 1) * n, n, c, s);
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}
/** Rows x, y become c x − s y, s x + c y. */
function turn(a: Matrix, x: number, y: number, n: number, c: number, s: number): void {
  for (let k = 0; k < n; k++) {
    const [u, w] = [a[x + k]!, a[y + k]!];
    a[x + k] = c * u - s * w;
    a[y + k] = s * u + c * w;
  }
}

// ---- singular values (8.6.3: one-sided Jacobi, after Drmač & Veselić 2008) -------------------------------------------------

export interface Svd {
  /** m × k, k = min(m, n): left vectors as columns. */
  readonly u: Matrix;
  /** In falling order. */
  readonly s: Float64Array;
  /** k × n: right vectors as rows. */
  readonly vt: Matrix;
}
const MAX_SWEEPS = 60;
/** A = U diag(s) Vᵀ, accurate for small singular values too. */
export function jacobiSvd(a: Matrix, m: number, n: number): Svd {
  if (m < n) {
    const { u, s, vt } = jacobiSvd(transposed(a, m, n), n, m);
    return { u: transposed(vt, m, m), s, vt: transposed(u, n, m) };
  }
  const largest = a.reduce((x, v) => Math.max(x, Math.abs(v)), 0) || 1;
  const { q, r } = householderQr(
    a.map(v => v / largest),
    m,
    n,
    n,
  );
  // The eigenvectors of R Rᵀ turn the rows of R nearly orthogonal, to the root of the precision; Jacobi's rotations do
  // the rest. Rows of w = J R are then σᵢ pᵢᵀ, and R = Jᵀ diag(σ) P.
  const { vectors } = symmetricEigen(product(r, transposed(r, n, n), n, n, n), n);
  const j = transposed(vectors, n, n);
  const w = product(j, r, n, n, n);
  orthogonalize(w, j, n);
  const s = Float64Array.from({ length: n }, (_, i) => Math.sqrt(dot(w, i * n, i * n, n)));
  const order = Array.from(s.keys()).sort((x, y) => s[y]! - s[x]!);
  const vt = new Float64Array(n * n);
  const left = new Float64Array(n * n);
  const rank = order.filter(i => s[i]! > 0).length;
  order.forEach((from, to) => {
    for (let k = 0; k < n; k++) {
      left[k * n + to] = j[from * n + k]!;
      if (to < rank) vt[to * n + k] = w[from * n + k]! / s[from]!;
    }
  });
  if (rank < n) vt.set(transposed(completed(transposed(vt, n, n), n, n, rank, n), n, n));
  return { u: product(q, left, m, n, n), s: Float64Array.from(order, i => s[i]! * largest), vt };
}
function dot(a: Matrix, x: number, y: number, n: number): number {
  let s = 0;
  for (let k = 0; k < n; k++) s += a[x + k]! * a[y + k]!;
  return s;
}
/** Turns pairs of rows of w, and of j along with them, until all rows of w are orthogonal to each other. */
function orthogonalize(w: Matrix, j: Matrix, n: number): void {
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    const squares = Float64Array.from({ length: n }, (_, i) => dot(w, i * n, i * n, n));
    let turned = false;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const pq = dot(w, p * n, q * n, n);
        const [pp, qq] = [squares[p]!, squares[q]!];
        if (!(Math.abs(pq) > n * Number.EPSILON * Math.sqrt(pp * qq))) continue;
        turned = true;
        const zeta = (qq - pp) / (2 * pq);
        const t = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        turn(w, p * n, q * n, n, c, c * t);
        turn(j, p * n, q * n, n, c, c * t);
        squares[p] = dot(w, p * n, p * n, n);
        squares[q] = dot(w, q * n, q * n, n);
      }
    }
    if (!turned) return;
  }
}
/** The first `rank` of the `have` columns of an m-row matrix, and further orthonormal columns up to `want`. */
export function completed(a: Matrix, m: number, have: number, rank: number, want: number): Matrix {
  const first = new Float64Array(m * rank);
  for (let i = 0; i < m; i++) for (let k = 0; k < rank; k++) first[i * rank + k] = a[i * have + k]!;
  const { q } = householderQr(first.slice(), m, rank, m);
  const out = new Float64Array(m * want);
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < want; k++) out[i * want + k] = k < rank ? first[i * rank + k]! : q[i * m + k]!;
  }
  return out;
}

// ---- exponential ----------------------------------------------------------------------------------------------------------

/** Coefficients of the [13/13] Padé approximant of eˣ (Higham 2005, "The scaling and squaring method revisited", (2.2)). */
const PADE = Array.from({ length: 14 }, (_, k) => {
  let c = 1;
  for (let i = 0; i < k; i++) c *= (13 - i) / ((26 - i) * (i + 1));
  return c;
});
/** Largest 1-norm for which that approximant is exact to rounding. */
const THETA = 5.371920351148152;
/** e^A by scaling and squaring. */
export function matrixExponential(a: Matrix, n: number): Matrix {
  let norm = 0;
  for (let j = 0; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += Math.abs(a[i * n + j]!);
    norm = Math.max(norm, sum);
  }
  if (!Number.isFinite(norm)) return new Float64Array(n * n).fill(Number.NaN);
  const squarings = norm > THETA ? Math.ceil(Math.log2(norm / THETA)) : 0;
  const x = a.map(v => v / 2 ** squarings);
  // Even and odd parts: e^X ≈ (E − O)⁻¹ (E + O).
  let power = identity(n);
  const [even, odd] = [new Float64Array(n * n), new Float64Array(n * n)];
  PADE.forEach((c, k) => {
    const part = k % 2 === 0 ? even : odd;
    power.forEach((v, i) => {
      part[i]! += c * v;
    });
    if (k < 13) power = product(power, x, n, n, n);
  });
  const plus = even.map((v, i) => v + odd[i]!);
  const minus = even.map((v, i) => v - odd[i]!);
  let y = luSolve(luFactor(minus, n), plus, n, n);
  for (let s = 0; s < squarings; s++) y = product(y, y, n, n, n);
  return y;
}

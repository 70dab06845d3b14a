// Special functions in float64, error below 1e-14 relative unless said: the meaning of the scalar ops that Math lacks.
// In: numbers. Out: numbers. Not its job: fast float32 versions (codegen/math.ts).

const SQRT_PI = Math.sqrt(Math.PI);

/** eˣ for x ≤ 0 and NaN, and 0 where a float32 of it would be subnormal. */
export const expWeight = (x: number): number => (x <= -87 ? 0 : Math.exp(x));

/** erf by its all-positive series e^{-x²}·Σ 2ⁿx^{2n+1}/(2n+1)!! (DLMF 7.6.2), beyond 2.5 by erfc. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a > 2.5) return Math.sign(x) * (1 - erfc(a));
  let term = a;
  let sum = a;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * a * a) / (2 * n + 1);
    sum += term;
  }
  const y = (2 / SQRT_PI) * Math.exp(-a * a) * sum;
  return x < 0 ? -y : Object.is(x, -0) ? -0 : y;
}

/** Complementary error function, relative error kept for large x (continued fraction, DLMF 7.9.3). */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < 0) return 2 - erfc(-x);
  if (x < 1) return 1 - erf(x);
  if (x > 28) return 0;
  // K = x + (1/2)/(x + 1/(x + (3/2)/(x + …))), evaluated from the tail; the tail needs fewer terms as x grows.
  let k = x;
  for (let n = Math.ceil(30 + 300 / (x * x)); n >= 1; n--) k = x + n / 2 / k;
  return Math.exp(-x * x) / (SQRT_PI * k);
}

/** Inverse of erf: Winitzki's start (2008), then Halley steps. */
export function erfinv(y: number): number {
  if (Number.isNaN(y) || y < -1 || y > 1) return Number.NaN;
  if (y === 1 || y === -1) return y * Number.POSITIVE_INFINITY;
  if (y === 0) return y;
  const w = Math.log((1 - y) * (1 + y));
  const t = 2 / (Math.PI * 0.147) + w / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(t * t - w / 0.147) - t);
  for (let i = 0; i < 4; i++) {
    // Near 1 the difference is taken on erfc, which keeps its digits.
    const d = y > 0.5 ? 1 - y - erfc(x) : y < -0.5 ? erfc(-x) - (1 + y) : erf(x) - y;
    const u = ((y > 0.5 ? -d : d) * SQRT_PI * Math.exp(x * x)) / 2;
    x -= y > 0.5 ? -u / (1 - x * u) : u / (1 + x * u);
  }
  return x;
}

const BERNOULLI = [
  1 / 6,
  -1 / 30,
  1 / 42,
  -1 / 30,
  5 / 66,
  -691 / 2730,
  7 / 6,
  -3617 / 510,
  43867 / 798,
  -174611 / 330,
];

/** log|Γ(x)|: recurrence up to 12, then Stirling's series (DLMF 5.11.1); reflection below 1/2. */
export function lgamma(x: number): number {
  if (Number.isNaN(x)) return x;
  if (!Number.isFinite(x)) return Number.POSITIVE_INFINITY;
  if (x <= 0 && Number.isInteger(x)) return Number.POSITIVE_INFINITY;
  if (x === 1 || x === 2) return 0;
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * (x % 2)))) - lgamma(1 - x);
  let shift = 1;
  let z = x;
  while (z < 12) {
    shift *= z;
    z += 1;
  }
  let series = 0;
  let p = z;
  for (let k = 1; k <= 8; k++) {
    series += BERNOULLI[k - 1]! / (2 * k * (2 * k - 1) * p);
    p *= z * z;
  }
  return (z - 0.5) * Math.log(z) - z + 0.9189385332046727 + series - Math.log(shift);
}

/** ψ(x) = d/dx log Γ(x): recurrence and asymptotic series (DLMF 5.11.2); reflection below 0. */
export function digamma(x: number): number {
  if (Number.isNaN(x) || x === Number.NEGATIVE_INFINITY) return Number.NaN;
  if (x === 0) return Object.is(x, -0) ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  if (x < 0) {
    if (Number.isInteger(x)) return Number.NaN;
    return digamma(1 - x) - Math.PI / Math.tan(Math.PI * (x % 1));
  }
  let r = 0;
  let z = x;
  while (z < 12) {
    r -= 1 / z;
    z += 1;
  }
  const q = 1 / (z * z);
  let p = q;
  for (let k = 1; k <= 8; k++) {
    r -= (BERNOULLI[k - 1]! / (2 * k)) * p;
    p *= q;
  }
  return r + Math.log(z) - 0.5 / z;
}

/** ψ⁽ⁿ⁾(x) = (−1)ⁿ⁺¹ n! ζ(n+1, x), the Hurwitz zeta by Euler–Maclaurin (DLMF 25.11.5). */
export function polygamma(n: number, x: number): number {
  if (n === 0) return digamma(x);
  const s = n + 1;
  if (x <= 0 && Number.isInteger(x)) return n % 2 === 1 ? Number.POSITIVE_INFINITY : Number.NaN;
  let zeta = 0;
  let z = x;
  while (z < 15) {
    zeta += z ** -s;
    z += 1;
  }
  zeta += z ** (1 - s) / (s - 1) + 0.5 * z ** -s;
  let factor = s;
  let p = z ** (-s - 1);
  for (let k = 1; k <= 9; k++) {
    zeta += (BERNOULLI[k - 1]! / factorial(2 * k)) * factor * p;
    factor *= (s + 2 * k - 1) * (s + 2 * k);
    p /= z * z;
  }
  return (n % 2 === 0 ? -1 : 1) * factorial(n) * zeta;
}

function factorial(n: number): number {
  let r = 1;
  for (let i = 2; i <= n; i++) r *= i;
  return r;
}

/** C's pow: 1 to any power and (-1)^±∞ are 1, where JavaScript says NaN. */
export function pow(a: number, b: number): number {
  return a === 1 || (a === -1 && !Number.isFinite(b) && !Number.isNaN(b)) ? 1 : a ** b;
}

// float32 mathematics in machine operations, the same for one lane and for four. Polynomials are our own minimax
// fits (Remez in 40 digits, rounded to float32); `npm run ulp` measures every function over all floats.
// In: expressions. Out: expressions without that function. Not its job: float64, which targets take from the host.

import type { ComputeType } from '../base/dtype.ts';
import type { E, MathOp } from '../ir/scalar.ts';
import { m, rare } from '../ir/scalar.ts';

const f = (v: number): E => m.const(v, 'f32');
const i = (v: number): E => m.const(v, 'i32');

/** Horner's rule, coefficients from the constant upwards. */
function poly(x: E, c: readonly number[]): E {
  let y = f(c[c.length - 1]!);
  for (let k = c.length - 2; k >= 0; k--) y = m.fma(y, x, f(c[k]!));
  return y;
}

const MAGIC = 12582912; // 1.5·2²³: adding it leaves the nearest integer in the low bits
const MAGIC_BITS = 0x4b400000;
const LN2_HI = 0.693359375; // 10 bits, so that n·LN2_HI is exact
const LN2_LO = -2.1219444005469057e-4;
const EXP = [
  0.4999999403953552, 0.16666515171527863, 0.04166845604777336, 0.008369418792426586, 0.0013813144760206342,
];
const EXPM1 = [
  0.5, 0.1666666716337204, 0.04166634380817413, 0.008333270438015461, 0.0013942045625299215,
  0.00019915623124688864,
];

/** x = n·ln 2 + r with |r| ≤ ln 2 / 2; the low bits of t hold n. */
function splitExp(x: E): { r: E; t: E } {
  const t = m.fma(x, f(Math.LOG2E), f(MAGIC));
  const n = m.sub(t, f(MAGIC));
  return { r: m.fma(n, f(-LN2_LO), m.fma(n, f(-LN2_HI), x)), t: m.bitcast(t, 'i32') };
}
/** n, out of what splitExp left. */
const exponentOf = (t: E): E => m.sub(t, i(MAGIC_BITS));
/** 2ⁿ for −126 ≤ n ≤ 127. */
const pow2 = (n: E): E => m.bitcast(m.shl(m.add(n, i(127)), i(23)), 'f32');
/** p·2ⁿ by adding n to the exponent, for p near 1 and a normal result; only the low 9 bits of n count. */
const scaled = (p: E, n: E): E => m.bitcast(m.add(m.bitcast(p, 'i32'), m.shl(n, i(23))), 'f32');
const expOf = (r: E): E => m.add(m.fma(m.mul(r, r), poly(r, EXP), r), f(1));

/** ≤ 1.1 ULP. Two factors 2ⁿ reach the subnormals and infinity without a branch. */
function exp(x: E): E {
  const { r, t } = splitExp(m.pmin(m.pmax(x, f(-104)), f(89)));
  const n = exponentOf(t);
  const half = m.shr(n, i(1));
  return keepNaN(x, m.mul(scaled(expOf(r), half), pow2(m.sub(n, half))));
}
/** ≤ 1.1 ULP for −87 < x < 88, and 0 below: for weights relative to a largest one. */
export function expFlushed(x: E): E {
  const { r, t } = splitExp(x);
  // What is left where x is not in range: 0, or NaN.
  return m.select(m.lt(f(-87), x), scaled(expOf(r), t), m.pmax(x, f(0)));
}
/** y, or x where that is NaN: work on the exponent's bits may make a number of a NaN's payload. */
const keepNaN = (x: E, y: E): E => m.select(m.eq(x, x), y, x);
/** exp for −80 < x < 80: no limits to watch. */
function expModerate(x: E): E {
  const { r, t } = splitExp(x);
  return scaled(expOf(r), t);
}

/** eˣ − 1, |x| bounded by the caller to (−20, 88.7): 2·(h·(eʳ−1) + (h−½)) with h = 2ⁿ⁻¹ cannot overflow early. */
function expm1Bounded(x: E): E {
  const { r, t } = splitExp(x);
  const p = m.fma(m.mul(r, r), poly(r, EXPM1), r);
  const h = pow2(m.sub(exponentOf(t), i(1)));
  const y = m.fma(h, p, m.sub(h, f(0.5)));
  return m.add(y, y);
}
/** ≤ 2 ULP. */
function expm1(x: E): E {
  const y = expm1Bounded(m.pmin(m.pmax(x, f(-20)), f(88.7)));
  const big = m.select(m.lt(f(88.7), x), exp(x), y);
  return m.select(m.eq(x, f(0)), x, big);
}

const LOG = [
  0.3333333134651184, -0.2500081956386566, 0.20001226663589478, -0.16623356938362122, 0.14201758801937103,
  -0.13160182535648346, 0.12761574983596802, -0.07634493708610535,
];
const SQRT_HALF_BITS = 0x3f3504f3;
/** x = 2ᵉ·(1+t) with 1+t in [√½, √2), for positive normal or subnormal x. */
function splitLog(x: E): { t: E; e: E } {
  const small = m.lt(x, f(1.1754943508222875e-38));
  const y = m.select(small, m.mul(x, f(8388608)), x);
  const b = m.sub(m.bitcast(y, 'i32'), i(SQRT_HALF_BITS));
  const e = m.sub(m.shr(b, i(23)), m.select(small, i(23), i(0)));
  const mantissa = m.bitcast(m.add(m.and(b, i(0x7fffff)), i(SQRT_HALF_BITS)), 'f32');
  return { t: m.sub(mantissa, f(1)), e: m.convert(e, 'f32') };
}
/** −∞ at 0, NaN below, ∞ and NaN stay. */
function logEdges(x: E, y: E): E {
  const bad = m.select(m.eq(x, f(0)), f(Number.NEGATIVE_INFINITY), f(Number.NaN));
  const ends = m.select(m.lt(x, f(Number.POSITIVE_INFINITY)), y, x);
  return m.select(m.le(x, f(0)), bad, ends);
}
/** ln(1+t) − t, as t²·(−½ + t·P(t)). */
const log1pTail = (t: E): E => m.mul(m.mul(t, t), m.fma(t, poly(t, LOG), f(-0.5)));

/** ≤ 1 ULP. */
function log(x: E): E {
  const { t, e } = splitLog(x);
  const low = m.fma(e, f(LN2_LO), log1pTail(t));
  return logEdges(x, m.fma(e, f(LN2_HI), m.add(t, low)));
}
/** ≤ 2 ULP, exact at powers of two. */
function log2(x: E): E {
  const { t, e } = splitLog(x);
  // log₂e = 1 + 0.4427 keeps the leading part of t exact.
  const tail = log1pTail(t);
  const low = m.fma(t, f(Math.LOG2E - 1), m.mul(tail, f(Math.LOG2E)));
  return logEdges(x, m.add(e, m.add(t, low)));
}
/** ≤ 2 ULP: ln u corrected for what 1 + x rounded away (Kahan). */
function log1p(x: E): E {
  const u = m.add(x, f(1));
  const lost = m.div(m.sub(x, m.sub(u, f(1))), u);
  const y = m.add(log(u), lost);
  const finite = m.select(m.eq(u, f(Number.POSITIVE_INFINITY)), x, y);
  return m.select(m.eq(u, f(0)), f(Number.NEGATIVE_INFINITY), m.select(m.eq(x, f(0)), x, finite));
}

const ARTANH = [
  0.3333333432674408, 0.19999851286411285, 0.14296294748783112, 0.10851599276065826, 0.11619823426008224,
];
/** ln(1 + w) for 0 ≤ w ≤ 1 or NaN, ≤ 2 ULP: 2·artanh s with s = w / (2 + w). */
function log1pWeight(w: E): E {
  const s = m.div(w, m.add(w, f(2)));
  const z = m.mul(s, s);
  const twice = m.add(s, s);
  return m.fma(m.mul(twice, z), poly(z, ARTANH), twice);
}

const SIN = [-0.1666666716337204, 0.008333329111337662, -0.00019839256128761917, 2.7175644845556235e-6];
const COS = [0.0416666679084301, -0.0013888883404433727, 2.479943577782251e-5, -2.7203304853173904e-7];
/** π/2 in four parts; the first three have few enough bits that n·part is exact for |n| < 2¹³. */
const HALF_PI = [1.5703125, 4.837512969970703e-4, 7.549533620476723e-8, 2.563344151594519e-12];
const REDUCIBLE = 8192;

/** ≤ 2 ULP; |x| > 8192 goes to the host, which reduces by π to full length. */
function sinCos(x: E, shift: 0 | 1): E {
  const t = m.fma(x, f(2 / Math.PI), f(MAGIC));
  const n = m.sub(t, f(MAGIC));
  let r = x;
  for (const part of HALF_PI) r = m.fma(n, f(-part), r);
  const r2 = m.mul(r, r);
  const s = m.fma(m.mul(r, r2), poly(r2, SIN), r);
  const c = m.fma(m.mul(r2, r2), poly(r2, COS), m.fma(r2, f(-0.5), f(1)));
  const q = m.add(m.bitcast(t, 'i32'), i(shift));
  const y = m.select(m.eq(m.and(q, i(1)), i(0)), s, c);
  const sign = m.shl(m.and(q, i(2)), i(30));
  const fast = m.bitcast(m.xor(m.bitcast(y, 'i32'), sign), 'f32');
  const kept = shift === 0 ? m.select(m.eq(x, f(0)), x, fast) : fast;
  return rare(shift === 0 ? 'sin' : 'cos', kept, x, m.lt(f(REDUCIBLE), m.abs(x)));
}

/** ≤ 2 ULP: t/(t+2) with t = e^{2|x|} − 1. */
function tanh(x: E): E {
  const a = m.abs(x);
  const t = expm1Bounded(m.pmin(m.add(a, a), f(20)));
  const y = m.div(t, m.add(t, f(2)));
  return m.copysign(m.select(m.lt(a, f(1e-4)), a, y), x);
}

const ERF_SPLIT = 0.85;
const ERF_SMALL = [
  1.1283791065216064, -0.3761257529258728, 0.11282770335674286, -0.026804570108652115, 0.0050542703829705715,
  -0.0006332611665129662,
];
const ERF_LARGE = [
  -0.0014353286242112517, -1.121825098991394, -0.6484001874923706, -0.09276153147220612, 0.0161428339779377,
  -0.0013263350119814277,
];
/** ≤ 2 ULP: x·P(x²) up to 0.85, beyond it 1 − e^{−Q(x)} where the error of Q hardly counts. */
function erf(x: E): E {
  const a = m.abs(x);
  const near = m.mul(x, poly(m.mul(x, x), ERF_SMALL));
  const far = m.sub(f(1), expModerate(poly(m.pmin(a, f(4)), ERF_LARGE)));
  const sign = m.and(m.bitcast(x, 'i32'), i(-2147483648));
  const signed = m.bitcast(m.or(m.bitcast(far, 'i32'), sign), 'f32');
  return m.select(m.lt(f(ERF_SPLIT), a), signed, near);
}

const EXPANSIONS: Partial<Record<MathOp, (x: E) => E>> = {
  exp,
  expWeight: expFlushed,
  expm1,
  log,
  log2,
  log1p,
  log1pWeight,
  sin: x => sinCos(x, 0),
  cos: x => sinCos(x, 1),
  tanh,
  erf,
};

/** The expansion of a function at a type, or null: then the target asks its host. */
export function expansionOf(name: MathOp, type: ComputeType): ((x: E) => E) | null {
  return type === 'f32' ? (EXPANSIONS[name] ?? null) : null;
}

/** float16 bits (an i32) to f32: the exponent is moved by a product, which also normalises subnormals. */
export function fromHalf(bits: E): E {
  const magnitude = m.shl(m.and(bits, i(0x7fff)), i(13));
  const scaled = m.mul(m.bitcast(magnitude, 'f32'), f(2 ** 112));
  const special = m.or(magnitude, i(0x7f800000));
  const value = m.select(m.le(i(0x0f800000), magnitude), special, m.bitcast(scaled, 'i32'));
  return m.bitcast(m.or(value, m.shl(m.and(bits, i(0x8000)), i(16))), 'f32');
}
/** f32 to float16 bits, half to even. */
export function toHalf(x: E): E {
  const b = m.bitcast(x, 'i32');
  const sign = m.and(m.shru(b, i(16)), i(0x8000));
  const a = m.and(b, i(0x7fffffff));
  // Normal: add the rounding of the 13 dropped bits, then rebase the exponent from 127 to 15.
  const odd = m.and(m.shru(a, i(13)), i(1));
  const normal = m.shru(m.add(m.sub(a, i(0x38000000)), m.add(i(0xfff), odd)), i(13));
  // Subnormal: adding 0.5 leaves the mantissa, rounded by the float unit, in the low bits.
  const sub = m.sub(m.bitcast(m.add(m.bitcast(a, 'f32'), f(0.5)), 'i32'), i(0x3f000000));
  const finite = m.select(m.lt(a, i(0x38800000)), sub, normal);
  const big = m.select(m.lt(i(0x7f800000), a), i(0x7e00), i(0x7c00));
  return m.or(m.select(m.lt(a, i(0x477ff000)), finite, big), sign);
}
export const fromBrain = (bits: E): E => m.bitcast(m.shl(bits, i(16)), 'f32');
export function toBrain(x: E): E {
  const b = m.bitcast(x, 'i32');
  const rounded = m.shru(m.add(b, m.add(i(0x7fff), m.and(m.shru(b, i(16)), i(1)))), i(16));
  return m.select(m.ne(x, x), m.or(m.shru(b, i(16)), i(0x40)), rounded);
}

// Arithmetic of the oracle: float32 arrays with an error bound per element.
// In: arrays. Out: arrays, computed at once in float64 and rounded. The bound says how far any correct float32 program may be
// off (other summation orders, fused multiply-add); where it is 0 every program must give exactly this number.

export interface Arr {
  readonly shape: readonly number[];
  readonly data: Float64Array;
  readonly err: Float64Array;
}
/** The oracle cannot say what float32 arithmetic gives here, or the statement makes no sense: leave it out. */
export class Skip extends Error {}

const EPS = 2 ** -23;
/** Multiples of 2^-10 below 2^14 add up without rounding in any order. */
const GRID = 1024;
const LARGEST = 2048;

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const need = (ok: boolean): void => {
  if (!ok) throw new Skip();
};
export function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** Rounds computed values; `err` holds what the operands' errors make of them. */
export function rounded(shape: readonly number[], values: ArrayLike<number>, err: Float64Array): Arr {
  const data = new Float64Array(values.length);
  for (let i = 0; i < data.length; i++) {
    const v = values[i]!;
    const r = Math.fround(v);
    // Anything that was not exact may be rounded elsewhere or not at all.
    if (r !== v || err[i]! > 0) err[i] = err[i]! * 1.01 + Math.abs(v) * EPS;
    need(Math.abs(r) <= LARGEST && err[i]! <= 1e-3 * Math.max(1, Math.abs(r)));
    data[i] = r;
  }
  return { shape, data, err };
}
export function exact(shape: readonly number[], values: ArrayLike<number>): Arr {
  return { shape, data: Float64Array.from(values), err: new Float64Array(values.length) };
}
export const full = (shape: readonly number[], v: number): Arr => {
  const n = sizeOf(shape);
  const r = Math.fround(v);
  return { shape, data: new Float64Array(n).fill(r), err: new Float64Array(n) };
};

export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, d) => {
    const x = a[a.length - rank + d] ?? 1;
    const y = b[b.length - rank + d] ?? 1;
    need(x === y || x === 1 || y === 1);
    return x === 1 ? y : x;
  });
}
/** For each element of `to`: the position in a broadcast source. */
export function positions(from: readonly number[], to: readonly number[]): Int32Array {
  const out = new Int32Array(sizeOf(to));
  const lead = to.length - from.length;
  need(lead >= 0);
  let stride = 1;
  const strides = new Array<number>(to.length).fill(0);
  for (let d = from.length - 1; d >= 0; d--) {
    need(from[d] === to[lead + d] || from[d] === 1);
    strides[lead + d] = from[d] === 1 ? 0 : stride;
    stride *= from[d]!;
  }
  for (let i = 0; i < out.length; i++) {
    let rest = i;
    for (let d = to.length - 1; d >= 0; d--) {
      out[i]! += (rest % to[d]!) * strides[d]!;
      rest = Math.floor(rest / to[d]!);
    }
  }
  return out;
}
/** Elements at positions. */
export function pick(a: Arr, at: Int32Array, shape: readonly number[]): Arr {
  const data = new Float64Array(at.length);
  const err = new Float64Array(at.length);
  for (let i = 0; i < at.length; i++) {
    data[i] = a.data[at[i]!]!;
    err[i] = a.err[at[i]!]!;
  }
  return { shape, data, err };
}
export const stretch = (a: Arr, shape: readonly number[]): Arr =>
  same(a.shape, shape) ? a : pick(a, positions(a.shape, shape), shape);

/** out[slot] = Σ of the elements that go there, with the bound of any summation order. */
export function sumInto(
  n: number,
  shape: readonly number[],
  terms: Iterable<readonly [slot: number, value: number, err: number]>,
): Arr {
  const data = new Float64Array(n);
  const err = new Float64Array(n);
  const total = new Float64Array(n);
  const count = new Float64Array(n);
  const onGrid = new Uint8Array(n).fill(1);
  for (const [s, v, e] of terms) {
    data[s]! += v;
    err[s]! += e;
    total[s]! += Math.abs(v);
    count[s]!++;
    if (!Number.isInteger(v * GRID)) onGrid[s] = 0;
  }
  for (let i = 0; i < n; i++) {
    const free = count[i]! <= 1 || (err[i] === 0 && onGrid[i] === 1 && total[i]! * GRID < 2 ** 24);
    if (!free) err[i]! += total[i]! * EPS * count[i]!;
  }
  return rounded(shape, data, err);
}
/** Sums a gradient back to the shape that was broadcast. */
export function sumTo(g: Arr, shape: readonly number[]): Arr {
  if (same(g.shape, shape)) return g;
  const at = positions(shape, g.shape);
  return sumInto(
    sizeOf(shape),
    shape,
    Array.from(g.data, (v, i) => [at[i]!, v, g.err[i]!] as const),
  );
}

/** f of each element; `slope` bounds |f'| near it. */
export function map(a: Arr, f: (x: number) => number, slope: (x: number, y: number) => number): Arr {
  const v = new Float64Array(a.data.length);
  const err = new Float64Array(a.data.length);
  for (let i = 0; i < v.length; i++) {
    v[i] = f(a.data[i]!);
    err[i] = a.err[i]! === 0 ? 0 : a.err[i]! * slope(a.data[i]!, v[i]!);
  }
  return rounded(a.shape, v, err);
}
/** A function whose float32 code is only accurate to a few units in the last place. */
export function transcendental(
  a: Arr,
  f: (x: number) => number,
  slope: (x: number, y: number) => number,
): Arr {
  const r = map(a, f, slope);
  for (let i = 0; i < r.data.length; i++) r.err[i]! += Math.abs(r.data[i]!) * EPS * 4 + 2 ** -140;
  return r;
}
export function zip(
  a: Arr,
  b: Arr,
  f: (x: number, y: number) => number,
  spread: (x: number, y: number, ex: number, ey: number) => number,
): Arr {
  const shape = broadcast(a.shape, b.shape);
  const [x, y] = [stretch(a, shape), stretch(b, shape)];
  const v = new Float64Array(x.data.length);
  const err = new Float64Array(x.data.length);
  for (let i = 0; i < v.length; i++) {
    v[i] = f(x.data[i]!, y.data[i]!);
    err[i] = spread(x.data[i]!, y.data[i]!, x.err[i]!, y.err[i]!);
  }
  return rounded(shape, v, err);
}
export const add = (a: Arr, b: Arr): Arr =>
  zip(
    a,
    b,
    (x, y) => x + y,
    (_x, _y, e, f) => e + f,
  );
export const sub = (a: Arr, b: Arr): Arr =>
  zip(
    a,
    b,
    (x, y) => x - y,
    (_x, _y, e, f) => e + f,
  );
export const mul = (a: Arr, b: Arr): Arr =>
  zip(
    a,
    b,
    (x, y) => x * y,
    (x, y, e, f) => Math.abs(x) * f + Math.abs(y) * e + e * f,
  );
export const div = (a: Arr, b: Arr): Arr =>
  zip(
    a,
    b,
    (x, y) => x / y,
    (x, y, e, f) => {
      const low = Math.abs(y) - f;
      need(low > 0);
      // Division may be a product with the reciprocal, which is exact for powers of two only.
      const reciprocal = Number.isInteger(Math.log2(Math.abs(y))) ? 0 : Math.abs(x / y) * EPS;
      return x === 0 && e === 0 ? 0 : (e + (Math.abs(x) * f) / Math.abs(y)) / low + reciprocal;
    },
  );
export const neg = (a: Arr): Arr =>
  map(
    a,
    x => -x,
    () => 1,
  );
export const scale = (a: Arr, k: number): Arr => mul(a, full([], k));

/** Whether each element is above 0; unclear where the error bound reaches it. */
export function positive(a: Arr): Uint8Array {
  return Uint8Array.from(a.data, (x, i) => {
    need(a.err[i] === 0 || Math.abs(x) > 2 * a.err[i]!);
    return x > 0 ? 1 : 0;
  });
}
/** a where the mask is 1, else b; all of one shape. */
export function choose(mask: Uint8Array, a: Arr, b: Arr): Arr {
  const data = new Float64Array(mask.length);
  const err = new Float64Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    const from = mask[i] ? a : b;
    data[i] = from.data[i]!;
    err[i] = from.err[i]!;
  }
  return { shape: a.shape, data, err };
}
/** (n, k) · (k, m), either operand transposed. */
export function matmul(a: Arr, b: Arr, ta = false, tb = false): Arr {
  need(a.shape.length === 2 && b.shape.length === 2);
  const [n, k] = ta ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
  const [k2, m] = tb ? [b.shape[1]!, b.shape[0]!] : [b.shape[0]!, b.shape[1]!];
  need(k === k2);
  const terms: (readonly [number, number, number])[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      for (let l = 0; l < k; l++) {
        const p = ta ? l * n + i : i * k + l;
        const q = tb ? j * k + l : l * m + j;
        const [x, y, e, f] = [a.data[p]!, b.data[q]!, a.err[p]!, b.err[q]!];
        terms.push([i * m + j, x * y, Math.abs(x) * f + Math.abs(y) * e + e * f]);
      }
    }
  }
  return sumInto(n * m, [n, m], terms);
}

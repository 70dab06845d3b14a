// npm run ulp -- [FUNCTION …] [--every N]: how far the float32 functions are off, in units of the last place, over all
// 2³² float32 values (or every N-th), against float64. Ends with 1 where one is beyond 4 ULP.

import { parseArgs } from 'node:util';
import { type Tensor, tensor } from '../src/index.ts';

/** 2/√π · e^{−x²} · Σ 2ⁿ x^{2n+1} / (2n+1)!!: all terms of one sign. Beyond 3 by Lentz's continued fraction of erfc. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let [term, sum] = [a, a];
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
  }
  let t = 0;
  for (let k = 60; k > 0; k--) t = k / 2 / (a + t);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + t)));
}

export const FUNCTIONS: Readonly<
  Record<string, readonly [ours: (x: Tensor) => Tensor, exact: (x: number) => number]>
> = {
  exp: [x => x.exp(), Math.exp],
  expm1: [x => x.expm1(), Math.expm1],
  log: [x => x.log(), Math.log],
  log1p: [x => x.log1p(), Math.log1p],
  sin: [x => x.sin(), Math.sin],
  cos: [x => x.cos(), Math.cos],
  tanh: [x => x.tanh(), Math.tanh],
  erf: [x => x.erf(), erf],
};
export const BAR = 4;

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);
/** The distance between neighbouring float32 at v. */
function ulp(v: number): number {
  float[0] = Math.abs(v);
  const exponent = Math.max(1, (bits[0]! >>> 23) & 255);
  return 2 ** (Math.min(exponent, 254) - 150);
}

export interface Worst {
  readonly ulp: number;
  readonly x: number;
}
/** The largest error over the float32 values with these bit patterns. */
export function worstOf(name: string, patterns: Uint32Array): Worst {
  const [ours, exact] = FUNCTIONS[name]!;
  const x = new Float32Array(patterns.buffer, patterns.byteOffset, patterns.length);
  const got = ours(tensor(x)).dataSync() as Float32Array;
  let worst: Worst = { ulp: 0, x: Number.NaN };
  for (let i = 0; i < x.length; i++) {
    const want = exact(x[i]!);
    const [a, b] = [got[i]!, Math.fround(want)];
    if (Object.is(a, b) || a === b) continue;
    // Infinity for what is just below it, and the other way, is one step of the format.
    const error =
      Number.isNaN(a) || Number.isNaN(b)
        ? Number.POSITIVE_INFINITY
        : Number.isFinite(a) && Number.isFinite(b)
          ? Math.abs(a - want) / ulp(want)
          : Math.abs(clamp(a) - clamp(want)) / ulp(3e38) + 1;
    if (error > worst.ulp) worst = { ulp: error, x: x[i]! };
  }
  return worst;
}
const clamp = (v: number): number => Math.min(3.4028234663852886e38, Math.max(-3.4028234663852886e38, v));

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { every: { type: 'string', default: '1' } },
  });
  const every = Number(values.every);
  const unknown = positionals.filter(n => !(n in FUNCTIONS));
  if (unknown.length > 0 || !Number.isInteger(every) || every < 1) {
    console.error(`npm run ulp -- [${Object.keys(FUNCTIONS).join(' | ')}] [--every N]`);
    return 2;
  }
  const names = positionals.length > 0 ? positionals : Object.keys(FUNCTIONS);
  const CHUNK = 2 ** 20;
  let code = 0;
  for (const name of names) {
    const start = performance.now();
    let worst: Worst = { ulp: 0, x: Number.NaN };
    const patterns = new Uint32Array(CHUNK);
    for (let at = 0; at < 2 ** 32; at += CHUNK * every) {
      for (let i = 0; i < CHUNK; i++) patterns[i] = at + i * every;
      const w = worstOf(name, patterns);
      if (w.ulp > worst.ulp) worst = w;
    }
    if (worst.ulp > BAR) code = 1;
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`${name.padEnd(6)} ${worst.ulp.toFixed(3)} ULP at ${worst.x}  (${seconds} s)`);
  }
  return code;
}
if (import.meta.main) process.exitCode = main();

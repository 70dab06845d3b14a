// Random numbers on the host: for orders and for data that is made number by number.
// In: a generator, of which each takes one draw. Out: words, integers, uniform numbers, permutations.

import { threefry2x32 } from '../base/rng.ts';
import type { Generator } from '../tensor/random.ts';

/** 32-bit words of one draw of the generator. */
export function words(g: Generator): () => number {
  const [k0, k1] = g.key(g.calls++);
  let at = 0;
  let pair: [number, number] = [0, 0];
  return () => {
    if ((at & 1) === 0) pair = threefry2x32(k0, k1, at >>> 1, 0);
    return pair[at++ & 1]!;
  };
}
/** Integers in [0, n), each equally likely: words beyond the last whole multiple of n are drawn again. */
export function below(next: () => number): (n: number) => number {
  return n => {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const w = next();
      if (w < limit) return w % n;
    }
  };
}
/** Uniform numbers in (0, 1). */
export function uniforms(g: Generator): () => number {
  const next = words(g);
  return () => (next() + 0.5) / 2 ** 32;
}
/** Fisher–Yates. */
export function shuffle<A extends Int32Array | unknown[]>(list: A, pick: (n: number) => number): A {
  for (let i = list.length - 1; i > 0; i--) {
    const j = pick(i + 1);
    const x = list[i]!;
    list[i] = list[j]!;
    list[j] = x;
  }
  return list;
}
export const counting = (n: number): Int32Array<ArrayBuffer> => {
  const a = new Int32Array(n);
  for (let i = 0; i < n; i++) a[i] = i;
  return a;
};
/** 0 … n−1 in random order. */
export const shuffled = (n: number, g: Generator): Int32Array<ArrayBuffer> =>
  shuffle(counting(n), below(words(g)));

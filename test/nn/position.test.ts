// Positions: waves, turned pairs, biases by distance; a cache of keys and values is attention over all that came before.

import { describe, expect, it } from 'vitest';
import {
  compile,
  F,
  gradcheck,
  manualSeed,
  nn,
  noGrad,
  randn,
  type Tensor,
  tensor,
} from '../../src/index.ts';
import { numbers } from '../support.ts';

const farthest = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().itemSync();

describe('sinusoidalPositions', () => {
  it('is the formula: sin(t / 10000^(2i/C)), cos of the same', () => {
    const [T, C] = [9, 6];
    const p = numbers(F.sinusoidalPositions(T, C));
    for (let t = 0; t < T; t++)
      for (let c = 0; c < C; c++) {
        const angle = t / 10_000 ** ((c - (c % 2)) / C);
        expect(p[t * C + c]).toBeCloseTo(c % 2 === 0 ? Math.sin(angle) : Math.cos(angle), 5);
      }
    expect(() => F.sinusoidalPositions(3, 5)).toThrow('sinusoidalPositions: the width must be even, got 5');
  });
});

describe('rotary', () => {
  manualSeed(1);
  it('turns pair i at place t by t · base^(−2i/D), neighbours or halves', () => {
    const x = randn([2, 5, 6]);
    const v = numbers(x);
    for (const pairs of ['neighbours', 'halves'] as const) {
      const y = numbers(F.rotary(x, { pairs, base: 100, start: 3 }));
      for (let n = 0; n < 2; n++)
        for (let t = 0; t < 5; t++)
          for (let i = 0; i < 3; i++) {
            const row = 6 * (5 * n + t);
            const [a, b] = pairs === 'neighbours' ? [row + 2 * i, row + 2 * i + 1] : [row + i, row + i + 3];
            const angle = (3 + t) * 100 ** ((-2 * i) / 6);
            expect(y[a]).toBeCloseTo(v[a]! * Math.cos(angle) - v[b]! * Math.sin(angle), 5);
            expect(y[b]).toBeCloseTo(v[a]! * Math.sin(angle) + v[b]! * Math.cos(angle), 5);
          }
    }
  });
  it('makes a score depend on the distance only', () => {
    const [q, k] = [randn([8]), randn([8])];
    const at = (x: Tensor, place: number): Tensor => F.rotary(x.reshape(1, 8), { start: place }).flatten();
    const score = (s: number, t: number): number => at(q, s).dot(at(k, t)).itemSync();
    expect(score(3, 7)).toBeCloseTo(score(20, 24), 4);
    expect(Math.abs(score(3, 7) - score(3, 8))).toBeGreaterThan(1e-2);
  });
  it('has the right gradient', () => {
    const x = randn([3, 4], { dtype: 'float64' });
    expect(gradcheck((x: Tensor) => F.rotary(x).pow(2).mul(x), [x])).toBe(true);
    expect(() => F.rotary(randn([3]))).toThrow('rotary: x is (…, T, D), got (3)');
  });
});

it('linearBiases: slopes 2^(−8h/H) times the distance, nothing of the future', () => {
  const b = numbers(F.linearBiases(4, 3));
  const at = (h: number, t: number, s: number): number => b[9 * h + 3 * t + s]!;
  expect([at(0, 2, 0), at(1, 2, 0), at(3, 2, 1)]).toEqual([-2 / 4, -2 / 16, -1 / 256]);
  expect([at(0, 1, 1), at(2, 0, 1), at(3, 1, 2)]).toEqual([0, -Infinity, -Infinity]);
  expect(() => F.linearBiases(3, 3)).toThrow('the number of heads is a power of two, got 3');
});

describe('KVCache', () => {
  const [B, H, K, S, D] = [2, 4, 2, 7, 3];
  const make = (): [Tensor, Tensor, Tensor] => [
    randn([B, H, S, D]),
    randn([B, K, S, D]),
    randn([B, K, S, D]),
  ];
  const whole = (q: Tensor, k: Tensor, v: Tensor): Tensor =>
    F.scaledDotProductAttention(q, k.repeatInterleave(H / K, 1), v.repeatInterleave(H / K, 1), {
      isCausal: true,
    });
  it('token by token or in pieces it is causal attention, heads sharing keys', () => {
    manualSeed(2);
    const [q, k, v] = make();
    const want = whole(q, k, v);
    for (const cuts of [
      [0, 1, 2, 3, 4, 5, 6, 7],
      [0, 3, 4, 7],
      [0, 7],
    ]) {
      const cache = new nn.KVCache({ batch: B, heads: K, places: S + 2, headDim: D });
      for (const [i, from] of cuts.slice(0, -1).entries()) {
        const part = (x: Tensor): Tensor => x.narrow(2, from, cuts[i + 1]! - from);
        const got = cache.attend(part(q), part(k), part(v), from);
        expect(farthest(got, part(want))).toBeLessThan(1e-6);
      }
    }
  });
  it('compiled, all places are one plan, and what stood there before is not seen', () => {
    manualSeed(3);
    const cache = new nn.KVCache({ batch: B, heads: K, places: S, headDim: D });
    const step = compile((q: Tensor, k: Tensor, v: Tensor, at: number) =>
      noGrad(() => cache.attend(q, k, v, at)),
    );
    for (let text = 0; text < 2; text++) {
      const [q, k, v] = make();
      const want = whole(q, k, v);
      for (let t = 0; t < S; t++) {
        const one = (x: Tensor): Tensor => x.narrow(2, t, 1).contiguous();
        expect(farthest(step(one(q), one(k), one(v), t), one(want))).toBeLessThan(1e-6);
      }
    }
    expect(step.stats.captures).toBe(1);
    expect(tensor(0).add(cache.keys.sum()).itemSync()).not.toBe(0);
  });
});

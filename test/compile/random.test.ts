// Random draws: compiled, recorded and thrown-away calls advance the generator as the same calls uncompiled do.

import { describe, expect, it } from 'vitest';
import { compile, manualSeed, rand, type Tensor } from '../../src/index.ts';
import { defaultGenerator } from '../../src/tensor/random.ts';

const two = (): Tensor => rand([4]).add(rand([4]));
const data = (t: Tensor): number[] => [...(t.dataSync() as Float32Array)];

describe('generator state', () => {
  it('is the same after compiled and uncompiled draws, call by call', () => {
    manualSeed(3);
    const want = Array.from({ length: 5 }, () => [data(two()), defaultGenerator.calls]);
    manualSeed(3);
    const f = compile(two);
    const got = Array.from({ length: 5 }, () => [data(f()), defaultGenerator.calls]);
    expect(got).toEqual(want);
    expect(defaultGenerator.calls).toBe(10);
  });
  it('is as before a call that throws while it is recorded', () => {
    manualSeed(3);
    const f = compile((fail: boolean) => {
      const t = two();
      if (fail) throw new Error('in the middle');
      return t;
    });
    expect(() => f(true)).toThrow('in the middle');
    expect(defaultGenerator.calls).toBe(0);
    const a = data(f(false));
    manualSeed(3);
    expect(a).toEqual(data(two()));
  });
  it('counts draws whose result is not used', () => {
    manualSeed(3);
    const f = compile(() => {
      rand([2]);
      return rand([2]);
    });
    const got = [data(f()), data(f()), data(f())];
    manualSeed(3);
    const want = [0, 1, 2].map(() => {
      rand([2]);
      return data(rand([2]));
    });
    expect(got).toEqual(want);
  });
});

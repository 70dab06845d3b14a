// A random draw after a product: it becomes part of the product's kernel, and each of its rounds is computed once.

import { describe, expect, it } from 'vitest';
import { compile, F, manualSeed, ones, rand } from '../../src/index.ts';
import { numbers } from '../support.ts';

describe('a random draw fused behind a product', () => {
  it('compiles (its 20 rounds are not written out at each use) and gives the draws of program order', () => {
    const [x, w] = [ones([33, 48]), ones([48, 40])];
    const plain = (): number[] => {
      manualSeed(11);
      const h = x.matmul(w).realize();
      return numbers(h.mul(rand(h.shape).lt(0.5).to('float32')));
    };
    const fused = compile(() => {
      const h = x.matmul(w);
      return h.mul(rand(h.shape).lt(0.5).to('float32'));
    });
    const want = plain();
    manualSeed(11);
    expect(numbers(fused())).toEqual(want);
    expect(new Set(want)).toEqual(new Set([0, 48]));
  });
  it('dropout behind a linear layer', () => {
    manualSeed(12);
    const step = compile(() => F.dropout(F.linear(ones([64, 32]), ones([32, 32])), { p: 0.25 }));
    const out = numbers(step());
    const kept = out.filter(v => v !== 0).length / out.length;
    expect(Math.abs(kept - 0.75)).toBeLessThan(0.05);
    expect(Math.max(...out)).toBeCloseTo(32 / 0.75, 4);
  });
});

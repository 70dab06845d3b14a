// The mathematical functions stay within 4 units of the last place: 2²⁰ float32 values of every size and sign, the edges
// included. `npm run ulp` looks at all 2³².

import { describe, expect, it } from 'vitest';
import { BAR, FUNCTIONS, worstOf } from '../../scripts/ulp.ts';

/** Bit patterns spread over the whole format by a Weyl sequence, after the edges. */
function patterns(n: number): Uint32Array {
  const out = new Uint32Array(n);
  const edges = [
    0, 0x80000000, 1, 0x007fffff, 0x00800000, 0x3f800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
  ];
  for (let i = 0; i < n; i++) out[i] = edges[i] ?? Math.imul(i, 0x9e3779b1);
  return out;
}

describe('float32 functions', () => {
  const all = patterns(2 ** 20);
  it.each(Object.keys(FUNCTIONS))('%s', name => {
    const { ulp, x } = worstOf(name, all);
    expect(ulp, `at ${x}`).toBeLessThanOrEqual(BAR);
    // Better than exact is a check that does not look.
    expect(ulp).toBeGreaterThan(0.4);
  });
});

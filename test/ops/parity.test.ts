// Every op of the registry, on every sample: the cpu device computes what the reference computes.

import { describe, expect, it } from 'vitest';
import { wrap } from '../../src/tensor/core.ts';
import { allOps, applyOp, firstWrong, inputsOf, numbers } from '../support.ts';

describe('cpu computes what the reference computes', () => {
  for (const def of allOps) {
    def.samples().forEach((s, k) => {
      it(`${def.name} #${k} ${s.shapes.map(x => `(${x})`).join(' ')}`, () => {
        const run = (device: string): { shape: readonly number[]; data: number[] } => {
          const src = inputsOf(s, 17 + k, device).map(t => t.node());
          const t = wrap(applyOp(def, s, src));
          return { shape: t.shape, data: numbers(t) };
        };
        const got = run('cpu');
        const want = run('reference');
        expect(got.shape).toEqual(want.shape);
        expect(firstWrong(got.data, want.data, 2e-6, 2e-6)).toBeNull();
      });
    });
  }
});

// Every differentiable op of the registry, on every sample: gradients, forward mode and second derivatives against
// central differences in float64. Ops without a gradient say why.

import { describe, expect, it } from 'vitest';
import { isFloat } from '../../src/base/dtype.ts';
import type { OpDef, Sample } from '../../src/ir/op.ts';
import { wrap } from '../../src/tensor/core.ts';
import { gradcheck, gradgradcheck } from '../../src/tensor/gradcheck.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { allOps, applyOp, inputsOf } from '../support.ts';

/** The inputs that a check varies, and the op as a function of them. */
function functionOf(def: OpDef<unknown>, s: Sample, device: string) {
  const all = inputsOf(s, 41, device, 'float64');
  const varied = (s.wrt ?? all.map((_, i) => i)).filter(i => isFloat(all[i]!.dtype));
  const fn = (...xs: Tensor[]): Tensor => {
    const full = [...all];
    varied.forEach((i, k) => {
      full[i] = xs[k]!;
    });
    return wrap(
      applyOp(
        def,
        s,
        full.map(t => t.node()),
      ),
    );
  };
  const inputs = varied.map(i => all[i]!);
  const flat = varied.flatMap((i, k) => (s.flat?.includes(i) ? [k] : []));
  return { fn, inputs, flat };
}

describe('gradients of every op', () => {
  for (const def of allOps.filter(d => d.differentiable && d.kind !== 'source')) {
    const samples = def.samples();
    it(`${def.name} has a sample whose gradient can be checked`, () => {
      const some = samples.some(s => {
        const { inputs } = functionOf(def, s, 'cpu');
        return inputs.length > 0 && inputs.every(t => t.numel > 0);
      });
      // A conversion rounds: its gradient is a test of its own (test/grad/conversion.test.ts).
      expect(some).toBe(def.name !== 'cast');
    });
    samples.forEach((s, k) => {
      const title = `${def.name} #${k} ${s.shapes.map(x => `(${x})`).join(' ')}`;
      const { fn, inputs, flat } = functionOf(def, s, 'cpu');
      if (inputs.length === 0) return;
      it(title, () => {
        expect(gradcheck(fn, inputs, { checkForward: true, allowZero: flat })).toBe(true);
      });
      it(`${title}, second order`, () => {
        // Without elements, or where the first derivative is 0, so is the second.
        const none = [...inputs, fn(...inputs)].some(t => t.numel === 0);
        const allowZero = none || flat.length === inputs.length;
        expect(gradgradcheck(fn, inputs, { checkForward: true, allowZero })).toBe(true);
      });
      if (k > 0) return;
      it(`${title} on the reference`, () => {
        const r = functionOf(def, s, 'reference');
        expect(gradcheck(r.fn, r.inputs, { allowZero: flat })).toBe(true);
      });
    });
  }
});

describe('ops without a gradient', () => {
  for (const def of allOps.filter(d => !d.differentiable)) {
    it(`${def.name} says why`, () => {
      expect(def.vjp).toBeNull();
      expect(def.why.length).toBeGreaterThan(10);
    });
  }
});

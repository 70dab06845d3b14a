// Every op of the registry, on every sample, for every choice of batched inputs: vmap(op) is what stacking the results
// of the single examples gives.

import { describe, expect, it } from 'vitest';
import type { OpDef, Sample } from '../../src/ir/op.ts';
import { wrap } from '../../src/tensor/core.ts';
import { stack } from '../../src/tensor/movement.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { vmap } from '../../src/tensor/vmap.ts';
import { allOps, applyOp, firstWrong, inputsOf, numbers } from '../support.ts';

const BATCH = 3;

/** The non-empty sets of n inputs, as flags. */
const choices = (n: number): boolean[][] =>
  Array.from({ length: 2 ** n - 1 }, (_, k) =>
    Array.from({ length: n }, (_, i) => (((k + 1) >> i) & 1) === 1),
  );

function checkBatching(def: OpDef<unknown>, s: Sample, batched: readonly boolean[], inDim: 0 | -1): void {
  const examples = Array.from({ length: BATCH }, (_, b) => inputsOf(s, 100 + b, 'cpu', 'float64'));
  const run = (...xs: Tensor[]): Tensor =>
    wrap(
      applyOp(
        def,
        s,
        xs.map(t => t.node()),
      ),
    );
  const single = (b: number): Tensor[] => batched.map((own, i) => examples[own ? b : 0]![i]!);
  const want = stack(Array.from({ length: BATCH }, (_, b) => run(...single(b))));
  const args = batched.map((own, i) =>
    own
      ? stack(
          examples.map(e => e[i]!),
          inDim,
        )
      : examples[0]![i]!,
  );
  const got = vmap(run, { inDims: batched.map(own => (own ? inDim : null)) })(...args);
  expect(got.shape).toEqual(want.shape);
  expect(got.dtype).toBe(want.dtype);
  expect(firstWrong(numbers(got), numbers(want), 1e-12, 1e-12)).toBeNull();
}

describe('vmap(op) is stacking', () => {
  for (const def of allOps.filter(d => d.arity > 0 && d.name !== 'random')) {
    def.samples().forEach((s, k) => {
      for (const batched of choices(s.shapes.length)) {
        const which = batched.flatMap((own, i) => (own ? [i] : [])).join(',');
        it(`${def.name} #${k} ${s.shapes.map(x => `(${x})`).join(' ')}, batched ${which}`, () => {
          checkBatching(def, s, batched, 0);
          if (batched.every(Boolean)) checkBatching(def, s, batched, -1);
        });
      }
    });
  }
});

// A compiled step whose arguments need more plans than are kept: its own is made again, and in use it is not the oldest.

import { expect, it } from 'vitest';
import { compile, range, type Tensor, tensor } from '../../src/index.ts';

it('a step goes on when its plan was dropped for those of its arguments', () => {
  const all = tensor(Float32Array.from({ length: 700 }, (_, i) => i));
  const step = compile((x: Tensor) => x.mul(2).sum());
  for (let n = 1; n < 700; n++) {
    // A plan for each length, made when the step reads it.
    const pending = all.at(range(0, n)).add(1).sum();
    expect(step(pending.reshape(1)).itemSync()).toBe(n * (n + 1));
  }
  expect(step.stats.captures).toBe(1);
});

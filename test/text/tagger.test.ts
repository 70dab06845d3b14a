// Many to many: a tag for every word.

import { expect, it } from 'vitest';
import { compile, F, manualSeed, noGrad, randint, type Tensor, zeros } from '../../src/index.ts';
import { Adam } from '../../src/optim/index.ts';
import { Tagger } from '../../src/text/index.ts';

const WORDS = 10;
const draw = (N: number, T: number): Tensor => randint(1, WORDS + 1, [N, T]); // (N, T)
/** 2 · (the word before is odd) + (the word after is odd); beyond the ends no word is odd. */
const tagsOf = (x: Tensor): Tensor => {
  const odd = x.remainder(2); // (N, T)
  const T = x.shape[1]!;
  return F.pad(odd, [1, 0])
    .narrow(1, 0, T)
    .mul(2)
    .add(F.pad(odd, [0, 1]).narrow(1, 1, T));
};

it('tags that hang on both neighbours are found in 99 %', () => {
  manualSeed(0);
  const model = new Tagger(WORDS + 1, 4, { dim: 32 });
  const optimizer = new Adam(model.parameters(), { lr: 0.01 });
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model(x).reshape([-1, 4]), y.reshape([-1]));
    loss.backward();
    optimizer.step();
    return loss;
  });
  for (let i = 0; i < 150; i++) {
    const x = draw(32, 10);
    step(x, tagsOf(x));
  }
  // Longer than those learned from.
  const x = draw(64, 17);
  const right = noGrad(() => model(x).argmax(2).eq(tagsOf(x)).to('float32').mean().itemSync());
  expect(right).toBeGreaterThanOrEqual(0.99);
}, 60_000);

it('with lengths, what stands behind the end of a text changes no tag of it', () => {
  manualSeed(1);
  const model = new Tagger(WORDS + 1, 4, { dim: 8 });
  const x = draw(1, 5);
  const want = model(x); // (1, 5, 4)
  const other = draw(1, 9);
  for (const tail of [zeros([1, 4], { dtype: 'int64' }), other.narrow(1, 5, 4)]) {
    const longer = F.pad(x, [0, 4]).add(F.pad(tail, [5, 0]));
    const both = model(F.pad(longer, [0, 0, 0, 1]).add(F.pad(other, [0, 0, 1, 0])), [5, 9]); // (2, 9, 4)
    expect(both.shape).toEqual([2, 9, 4]);
    const gap = both.select(0, 0).narrow(0, 0, 5).sub(want.select(0, 0)).abs().max().itemSync();
    expect(gap).toBeLessThan(1e-5);
  }
});

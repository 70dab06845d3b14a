// Steps in time: what T of them cost grows with T, not with T². Gradients of slices are written side by side, gradients of
// weights that are used at every step are one product.

import { describe, expect, it } from 'vitest';
import { compile, F, nn, profile, randn, type Tensor } from '../../src/index.ts';

const size = { I: 8, H: 40, N: 2 };
/** Work and products of a training step of a recurrent net over T steps. */
async function costs(T: number): Promise<{ work: number; products: number }> {
  const { I, H, N } = size;
  const rnn = new nn.RNN(I, H);
  const x = randn([T, N, I]).realize();
  const step = compile((x: Tensor) => {
    for (const p of rnn.parameters()) p.grad = null;
    const loss = rnn(x)[0].square().mean();
    loss.backward();
    return loss;
  });
  step(x).itemSync();
  const { rows } = await profile(() => step(x).itemSync());
  const sum = (of: typeof rows): number => of.reduce((n, r) => n + r.flops, 0);
  return { work: sum(rows), products: rows.filter(r => r.kind === 'gemm').reduce((n, r) => n + r.count, 0) };
}

describe('a recurrent step', () => {
  it('works in proportion to its length', async () => {
    const [short, long] = [await costs(16), await costs(64)];
    expect(long.work).toBeLessThan(5 * short.work);
    // A product forward and one backward per step, three for all steps: the input's part and two gradients of weights.
    expect(long.products).toBeLessThanOrEqual(2 * 64 + 3);
  });
});

it('the joined gradients are those of each part', () => {
  const x = randn([6, 3], { dtype: 'float64' }).requiresGrad_();
  const w = randn([20, 3], { dtype: 'float64' }).requiresGrad_();
  const parts = compile(() => {
    x.grad = null;
    w.grad = null;
    const rows = x.split([1, 2, 1, 2]);
    const loss = rows
      .map((r, i) =>
        F.linear(r, w)
          .tanh()
          .mul(i + 1)
          .sum(),
      )
      .reduce((a, b) => a.add(b));
    loss.backward();
    return [x.grad!.clone(), w.grad!.clone()];
  });
  const [gx, gw] = parts() as [Tensor, Tensor];
  x.grad = null;
  w.grad = null;
  const weights = [1, 2, 2, 3, 4, 4];
  const scale = randn([6, 1], { dtype: 'float64' }).mul(0).add(1);
  const each = weights.map((k, i) => scale.narrow(0, i, 1).mul(k));
  each.forEach((k, i) => {
    F.linear(x.narrow(0, i, 1), w)
      .tanh()
      .mul(k)
      .sum()
      .backward();
  });
  expect(gx.sub(x.grad!).abs().max().itemSync()).toBeLessThan(1e-12);
  expect(gw.sub(w.grad!).abs().max().itemSync()).toBeLessThan(1e-12);
});

// A longer sequence costs more of the same: memory and commands in proportion, no kernels and no code.

import { expect, it } from 'vitest';
import {
  compile,
  F,
  getDevice,
  grad,
  manualSeed,
  nn,
  randn,
  SGD,
  type Tensor,
  zeros,
} from '../../src/index.ts';

const memory = (): { arena: number; plans: number; code: number } =>
  getDevice('cpu').memory() as ReturnType<typeof memory>;

// First of all: the arena is as large as the largest plan so far.
it('takes less memory with checkpoints', () => {
  const w = randn([16, 16]).mul(0.2).realize();
  const x = randn([1024, 1, 16]).realize();
  const run = (checkpointEvery: number): [arena: number, gradient: Tensor] => {
    const f = (h: Tensor, x: Tensor): [Tensor, Tensor] => {
      const next = x.add(h.matmul(w)).tanh().sin().exp().tanh();
      return [next, next.sum()];
    };
    const loss = (x: Tensor) => F.scan(f, zeros([128, 16]), x, { checkpointEvery })[1].sum();
    const g = (compile(grad(loss))(x) as Tensor).realize();
    return [memory().arena, g];
  };
  const [few, g] = run(32);
  const [all, want] = run(0);
  expect(all / few).toBeGreaterThan(5);
  expect(g.sub(want).abs().max().itemSync()).toBeLessThan(1e-3 * want.abs().max().itemSync());
});

const kinds = ['RNN', 'GRU', 'LSTM'] as const;
function stepOf(length: number, kind: (typeof kinds)[number]) {
  manualSeed(1);
  const layer = new nn[kind](16, 64) as nn.RNN;
  const optimizer = new SGD([...layer.parameters()], { lr: 0.01 });
  const step = compile((x: Tensor) => {
    optimizer.zeroGrad();
    const [ys] = layer(x);
    const loss = ys.square().mean();
    loss.backward();
    optimizer.step();
    return loss;
  });
  const before = memory();
  const value = (step(randn([length, 32, 16])) as Tensor).itemSync();
  expect(Number.isFinite(value)).toBe(true);
  const { arena, plans, code } = memory();
  return { kernels: step.stats.kernels, arena, plans: plans - before.plans, code: code - before.code };
}
it('takes few kernels: forwards a product with its gates, backwards two or three', () => {
  expect(kinds.map(kind => stepOf(32, kind).kernels)).toEqual([16, 16, 20]);
});
it.each(kinds)('%s: no kernels, hardly any code, memory and commands in proportion', kind => {
  const first = stepOf(160, kind);
  const [a, b, c] = [320, 640, 1280].map(length => stepOf(length, kind));
  // Sums outside of the loop are cut into more parts when they grow.
  expect(c!.kernels - a!.kernels).toBeLessThanOrEqual(3);
  expect(c!.code).toBeLessThan(3000);
  for (const [x, y] of [
    [first, a!],
    [a!, b!],
    [b!, c!],
  ] as const) {
    expect(y.plans / x.plans).toBeLessThan(2.1);
    expect(y.plans / x.plans).toBeGreaterThan(1.9);
    expect(y.arena / x.arena).toBeLessThan(2.3);
  }
});

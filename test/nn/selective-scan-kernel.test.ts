// The selective scan's kernels against the recurrence written out in float64: values, gradients, tails, views, parts, and that
// memory does not hold the states of all channels.

import { describe, expect, it } from 'vitest';
import {
  compile,
  F,
  getDevice,
  grad,
  jvp,
  manualSeed,
  nn,
  profile,
  rand,
  randn,
  type Tensor,
  useDevice,
  vmap,
  zeros,
} from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

type Operands = [u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor];
function operands(N: number, L: number, D: number, S: number): Operands {
  const inTime = [
    randn([N, D, L]),
    rand([N, D, L]).mul(0.5),
    rand([D, S]).neg().sub(0.1),
    randn([N, S, L]),
    randn([N, S, L]),
  ];
  return inTime.map(x => x.realize()) as Operands;
}
/** y, the last state, and the gradients of Σ y · c + Σ last · e for the operands. */
function pass(x: Operands, c: Tensor, e: Tensor): number[][] {
  const leaves = x.map(t => t.detach().requiresGrad_()) as Operands;
  const { y, lastState } = F.selectiveScanWithState(...leaves);
  y.mul(c).sum().add(lastState.mul(e).sum()).backward();
  return [y, lastState, ...leaves.map(t => t.grad!)].map(numbers);
}
const NAMES = ['y', 'last state', 'u', 'delta', 'A', 'B', 'C'];
/** float64 takes the plain form, which other tests hold against the recurrence. */
function agree(x: Operands): void {
  const [N, D, L] = x[0].shape as [number, number, number];
  const S = x[2].shape[1]!;
  const [c, e] = [randn([N, D, L]).realize(), randn([N, D, S]).realize()];
  const want = pass(x.map(t => t.to('float64').realize()) as Operands, c.to('float64'), e.to('float64'));
  pass(x, c, e).forEach((got, i) => {
    const top = Math.max(...want[i]!.map(Math.abs));
    // In the first step there is nothing that could decay.
    if (L > 1 || NAMES[i] !== 'A') expect(top, NAMES[i]).toBeGreaterThan(1e-3);
    expect(firstWrong(got, want[i]!, 1e-4, 1e-5 * top), NAMES[i]).toBeNull();
  });
}

describe('agrees with float64', () => {
  it.each([
    ['whole vectors of channels', [2, 37, 8, 16]],
    ['channels one by one', [3, 9, 7, 3]],
    ['one channel, one state', [2, 5, 1, 1]],
    ['one step', [2, 1, 8, 4]],
    ['one example with many parts', [1, 70, 128, 16]],
    ['parts that do not come out even', [3, 12, 44, 5]],
    ['more examples than tasks', [21, 6, 16, 2]],
    ['two vectors side by side', [4, 9, 40, 3]],
    ['four vectors side by side', [4, 9, 64, 5]],
  ] as const)('%s', (_, [N, L, D, S]) => {
    manualSeed(1);
    agree(operands(N, L, D, S));
  });
  it('views of larger tensors, in another order of dims', () => {
    manualSeed(2);
    const [N, L, D, S] = [2, 11, 12, 4];
    const wide = randn([L, N, D + 2 * S]).realize();
    const at = (from: number, size: number): Tensor => wide.narrow(2, from, size).permute(1, 2, 0);
    const [u, delta, A] = operands(N, L, D, S);
    agree([at(0, D), delta, A, at(D, S), at(D + S, S)]);
    agree([u, at(0, D).sigmoid(), rand([S, D]).neg().mT, at(D, S).tanh(), at(D, S)]);
  });
  it('decays that grow, and those that underflow', () => {
    manualSeed(3);
    const [u, delta, , B, C] = operands(1, 20, 4, 3);
    agree([u, delta, rand([4, 3]), B, C]);
    agree([u, delta, rand([4, 3]).mul(-400), B, C]);
  });
});

describe('transforms', () => {
  it('compiled it is the same', () => {
    manualSeed(4);
    const x = operands(2, 40, 32, 8);
    const [c, e] = [randn([2, 32, 40]).realize(), randn([2, 32, 8]).realize()];
    const step = compile(() => {
      const leaves = x.map(t => t.detach().requiresGrad_()) as Operands;
      const { y, lastState } = F.selectiveScanWithState(...leaves);
      y.mul(c).sum().add(lastState.mul(e).sum()).backward();
      return [y, lastState, ...leaves.map(t => t.grad!)];
    });
    step();
    const plainly = pass(x, c, e);
    step().forEach((got, i) => {
      expect(firstWrong(numbers(got), plainly[i]!, 1e-5, 1e-5), NAMES[i]).toBeNull();
    });
  });
  it('second derivatives, forward mode, batches', () => {
    manualSeed(5);
    const [u, delta, A, B, C] = operands(2, 6, 4, 3);
    const double = [u, delta, A, B, C].map(t => t.to('float64').realize()) as Operands;
    const along = randn([2, 4, 6]).realize();
    const f = (x: Operands) => (v: Tensor) => F.selectiveScan(x[0], v, x[2], x[3], x[4]);
    const second = (x: Operands): Tensor =>
      grad((v: Tensor) =>
        grad((w: Tensor) => f(x)(w).square().sum())(v)
          .sin()
          .sum(),
      )(x[1]) as Tensor;
    const single: Operands = [u, delta, A, B, C];
    expect(firstWrong(numbers(second(single)), numbers(second(double)), 1e-3, 1e-3)).toBeNull();
    const tangent = (x: Operands): Tensor => jvp(f(x), [x[1]], [along.to(x[1].dtype)])[1] as Tensor;
    expect(firstWrong(numbers(tangent(single)), numbers(tangent(double)), 1e-3, 1e-4)).toBeNull();
    const batch = rand([3, 2, 4, 6]).realize();
    const each = vmap(f(single))(batch);
    const rows = [0, 1, 2].map(i => f(single)(batch.select(0, i)));
    rows.forEach((row, i) => {
      expect(firstWrong(numbers(each.select(0, i)), numbers(row), 1e-4, 1e-5)).toBeNull();
    });
  });
});

describe('what it costs', () => {
  it('is one kernel forward and one backward', async () => {
    manualSeed(6);
    const x = operands(2, 16, 8, 4).map(t => t.detach().requiresGrad_()) as Operands;
    const { events } = await profile(() => {
      F.selectiveScan(...x)
        .square()
        .sum()
        .backward();
      for (const t of x) t.grad!.realize();
    });
    const own = events.filter(e => e.kind === 'own').map(e => e.name);
    expect(new Set(own)).toEqual(new Set(['selectiveScan', 'selectiveScanGrad']));
  });
  it('a training step of Mamba holds less than the states of all channels, and grows with the length', async () => {
    const device = 'null';
    await useDevice(device);
    const [N, M] = [2, 128];
    const block = new nn.Mamba(M).to({ device });
    const arena = (L: number): number => {
      const x = zeros([N, L, M], { device }).realize();
      const step = compile(() => {
        for (const p of block.parameters()) p.grad = null;
        block(x).square().sum().backward();
      });
      step();
      return getDevice(device).memory().arena!;
    };
    const bytes = arena(512);
    expect(bytes).toBeLessThan(2 * N * 512 * block.dInner * block.dState * 4);
    // The arena only grows: the longer one comes second.
    expect(arena(1024)).toBeLessThan(2.1 * bytes);
    await useDevice('cpu');
  });
});

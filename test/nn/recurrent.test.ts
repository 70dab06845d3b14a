// Recurrent layers beside their cells, packed sequences, conventions of the GRU, errors. Values of PyTorch: golden.test.ts.

import { describe, expect, it } from 'vitest';
import {
  compile,
  F,
  manualSeed,
  nn,
  randn,
  SGD,
  stack,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.ts';

const farthest = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().itemSync();
const [T, N, I, H] = [5, 3, 4, 6];
const copyInto = (cell: nn.Module, layer: nn.Module): void => {
  const from = layer.stateDict();
  cell.loadStateDict(
    Object.fromEntries(Object.keys(cell.stateDict()).map(name => [name, from[`${name}_l0`]!])),
  );
};

describe('a layer is its cell, step by step', () => {
  manualSeed(1);
  const x = randn([T, N, I]);
  it.each(['tanh', 'relu'] as const)('RNN with %s', nonlinearity => {
    const layer = new nn.RNN(I, H, { nonlinearity });
    const cell = new nn.RNNCell(I, H, { nonlinearity });
    copyInto(cell, layer);
    let h = zeros([N, H]);
    const steps = x.unbind(0).map(xt => {
      h = cell(xt, h);
      return h;
    });
    const [out, last] = layer(x);
    expect(farthest(out, stack(steps))).toBeLessThan(1e-6);
    expect(farthest(last.squeeze(0), h)).toBeLessThan(1e-6);
  });
  it.each([{}, { resetAfter: false }, { zKeeps: false }, { resetAfter: false, zKeeps: false }])(
    'GRU %o',
    convention => {
      const layer = new nn.GRU(I, H, convention);
      const cell = new nn.GRUCell(I, H, convention);
      copyInto(cell, layer);
      let h = zeros([N, H]);
      const steps = x.unbind(0).map(xt => {
        h = cell(xt, h);
        return h;
      });
      expect(farthest(layer(x)[0], stack(steps))).toBeLessThan(1e-6);
    },
  );
  it('LSTM', () => {
    const layer = new nn.LSTM(I, H);
    const cell = new nn.LSTMCell(I, H);
    copyInto(cell, layer);
    let state: readonly [Tensor, Tensor] = [zeros([N, H]), zeros([N, H])];
    const steps = x.unbind(0).map(xt => {
      state = cell(xt, state);
      return state[0];
    });
    const [out, [h, c]] = layer(x);
    expect(farthest(out, stack(steps))).toBeLessThan(1e-6);
    expect(farthest(h.squeeze(0), state[0])).toBeLessThan(1e-6);
    expect(farthest(c.squeeze(0), state[1])).toBeLessThan(1e-6);
  });
  it('a GRU whose z renews is one whose z keeps with the gate negated', () => {
    const a = new nn.GRU(I, H);
    const b = new nn.GRU(I, H, { zKeeps: false });
    const state = a.stateDict();
    const negated = Object.fromEntries(
      Object.entries(state).map(([name, t]) => {
        const copy = t.clone().detach();
        copy.narrow(0, H, H).mul_(-1);
        return [name, copy];
      }),
    );
    b.loadStateDict(negated);
    expect(farthest(a(x)[0], b(x)[0])).toBeLessThan(1e-6);
  });
});

describe('packed sequences', () => {
  manualSeed(2);
  const x = randn([N, T, I]);
  const lengths = [2, 5, 3];
  it.each(['RNN', 'GRU', 'LSTM'] as const)('%s: each sequence as if it were alone', kind => {
    const layer = new nn[kind](I, H, { numLayers: 2, bidirectional: true, batchFirst: true }) as nn.GRU;
    const packed = nn.packPaddedSequence(x, lengths, { batchFirst: true, enforceSorted: false });
    const [out] = layer(packed);
    const [padded, back] = nn.padPackedSequence(out, { batchFirst: true });
    expect(back.tolistSync()).toEqual(lengths);
    lengths.forEach((n, i) => {
      const alone = layer(x.narrow(0, i, 1).narrow(1, 0, n))[0].squeeze(0);
      expect(farthest(padded.select(0, i).narrow(0, 0, n), alone)).toBeLessThan(1e-6);
      if (n < T)
        expect(
          padded
            .select(0, i)
            .narrow(0, n, T - n)
            .abs()
            .max()
            .itemSync(),
        ).toBe(0);
    });
  });
  it('packs and unpacks to the same, padding and total length as asked for', () => {
    const p = nn.packPaddedSequence(x, tensor(lengths.map(BigInt)), {
      batchFirst: true,
      enforceSorted: false,
    });
    expect(p.batchSizes).toEqual([3, 3, 2, 1, 1]);
    expect(p.data.shape).toEqual([10, I]);
    const [y] = nn.padPackedSequence(p, { batchFirst: true, paddingValue: -1, totalLength: 7 });
    expect(y.shape).toEqual([N, 7, I]);
    expect(farthest(y.select(0, 1).narrow(0, 0, 5), x.select(0, 1))).toBe(0);
    expect(y.select(0, 0).narrow(0, 2, 5).max().itemSync()).toBe(-1);
    const q = nn.packSequence(
      lengths.map((n, i) => x.select(0, i).narrow(0, 0, n)),
      { enforceSorted: false },
    );
    expect(farthest(q.data, p.data)).toBe(0);
  });
  it('refuses lengths that do not fit', () => {
    expect(() => nn.packPaddedSequence(x, [2, 5], { batchFirst: true })).toThrow(
      /it takes 3 lengths in 1 … 5/,
    );
    expect(() => nn.packPaddedSequence(x, lengths, { batchFirst: true })).toThrow(/lengths must fall/);
  });
});

it('the number of parameters does not depend on the length, for all three kinds', () => {
  const count = (m: nn.Module): number => m.parameters().reduce((n, p) => n + p.numel, 0);
  const per = H * I + H * H + 2 * H;
  for (const [kind, gates] of [
    ['RNN', 1],
    ['GRU', 3],
    ['LSTM', 4],
  ] as const)
    expect(count(new nn[kind](I, H))).toBe(gates * per);
});

it('learns in a compiled step, as uncompiled', () => {
  const losses = [true, false].map(compiled => {
    manualSeed(3);
    const rnn = new nn.GRU(1, 8, { batchFirst: true });
    const head = new nn.Linear(8, 1);
    const optimizer = new SGD([...rnn.parameters(), ...head.parameters()], { lr: 0.1 });
    const body = (x: Tensor, y: Tensor): Tensor => {
      optimizer.zeroGrad();
      const loss = F.mseLoss(head(rnn(x)[0].select(1, 5)), y);
      loss.backward();
      optimizer.step();
      return loss;
    };
    const step = compiled ? compile(body) : body;
    const x = randn([16, 6, 1]);
    const y = x.sum(1).mul(0.2).realize();
    return Array.from({ length: 40 }, () => step(x, y).itemSync());
  });
  expect(losses[0]!.at(-1)).toBeLessThan(losses[0]![0]! / 5);
  losses[0]!.forEach((l, i) => {
    expect(l).toBeCloseTo(losses[1]![i]!, 5);
  });
});

it('refuses what does not fit', () => {
  expect(() => new nn.LSTM(I, H)(randn([T, N, I + 1]))).toThrow(/LSTM: x is \(T, N, 4\) or \(T, 4\)/);
  expect(() => new nn.GRU(I, H)(randn([T, N, I]), zeros([2, N, H]))).toThrow(/the state is \(1, 3, 6\)/);
  expect(() => new nn.RNN(0, H)).toThrow(/inputSize must be positive/);
  expect(() => new nn.LSTM(I, H, { projSize: H })).toThrow(/projSize must be in 0 … 5/);
});

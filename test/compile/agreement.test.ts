// A net with dropout under Adam with a changing learning rate, 200 steps: compiled, uncompiled and on the reference
// device the losses and the parameters are the same.

import { beforeAll, expect, it } from 'vitest';
import {
  Adam,
  compile,
  F,
  manualSeed,
  randn,
  type Tensor,
  tensor,
  useDevice,
  zeros,
} from '../../src/index.ts';
import { numbers } from '../support.ts';

beforeAll(() => useDevice('reference'));

interface Run {
  readonly losses: number[];
  readonly params: number[][];
}
function train(device: string, compiled: boolean, steps = 200): Run {
  manualSeed(11);
  const sizes = [2, 16, 8, 3];
  const layers = sizes.slice(1).map((n, i) => ({
    weight: randn([n, sizes[i]!], { device }).mul(0.5).realize().requiresGrad_(),
    bias: zeros([n], { device }).realize().requiresGrad_(),
  }));
  const o = new Adam(layers.flatMap(l => [l.weight, l.bias]));
  const plain = (x: Tensor, y: Tensor): Tensor => {
    o.zeroGrad();
    let h = x;
    layers.forEach((l, i) => {
      h = F.linear(h, l.weight, l.bias);
      // tanh: at the kink of relu a last bit would decide.
      if (i < layers.length - 1) h = F.dropout(h.tanh(), { p: 0.25 });
    });
    const loss = F.crossEntropy(h, y);
    loss.backward();
    o.step();
    return loss;
  };
  const step = compiled ? compile(plain) : plain;
  const losses = Array.from({ length: steps }, (_, i) => {
    // The last batch of every ten is short.
    const n = i % 10 === 9 ? 7 : 24;
    const points = Float32Array.from({ length: 2 * n }, (_, k) => Math.sin(i * 0.7 + k * 1.3));
    const classes = Int32Array.from(
      { length: n },
      (_, k) => (points[2 * k]! > 0 ? 1 : 0) + (points[2 * k + 1]! > 0.5 ? 1 : 0),
    );
    o.paramGroups[0]!.lr = 0.01 * (1 + Math.cos((Math.PI * i) / steps));
    return step(
      tensor(points, { shape: [n, 2], device }),
      tensor(classes, { dtype: 'int64', device }),
    ).itemSync();
  });
  return { losses, params: layers.flatMap(l => [numbers(l.weight), numbers(l.bias)]) };
}

it('agree over 200 steps', () => {
  const want = train('reference', false);
  const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
  expect(mean(want.losses.slice(-20))).toBeLessThan(0.7 * mean(want.losses.slice(0, 20)));
  const worst = (a: readonly number[], b: readonly number[]): number =>
    Math.max(...a.map((v, i) => Math.abs(v - b[i]!) / (1 + Math.abs(b[i]!))));
  const [compiled, plain] = [train('cpu', true), train('cpu', false)];
  for (const got of [compiled, plain]) {
    expect(worst(got.losses, want.losses)).toBeLessThan(2e-4);
    expect(worst(got.params.flat(), want.params.flat())).toBeLessThan(2e-4);
  }
  // On one device they differ by the order of sums at most.
  expect(worst(compiled.losses, plain.losses)).toBeLessThan(2e-5);
});

// How many kernels a piece of program becomes. The null device plans and emits code like cpu and runs none of it.

import { beforeAll, describe, expect, it } from 'vitest';
import { Adam, compile, F, randn, SGD, type Tensor, tensor, useDevice, zeros } from '../../src/index.ts';

const device = 'null';
beforeAll(() => useDevice(device));

const filled = (...shape: number[]): Tensor => zeros(shape, { device }).realize();
const labels = (n: number): Tensor => tensor(new Int32Array(n), { dtype: 'int64', device });
function kernels(fn: () => unknown): number {
  const step = compile(fn);
  step();
  return step.stats.kernels;
}

describe('one kernel', () => {
  let [w, b, matrix, y] = [] as unknown as [Tensor, Tensor, Tensor, Tensor];
  beforeAll(() => {
    [w, b, matrix, y] = [filled(100), filled(100), filled(30, 100), labels(64)];
  });
  const ONE: readonly [string, (x: Tensor) => unknown][] = [
    ['a chain of elementwise ops', x => x.mul(2).add(1).relu().tanh().sub(x)],
    [
      'a chain with broadcasting, views and a cast',
      x => x.add(x.select(0, 0)).mT.mul(x.mT).to('float64').exp(),
    ],
    ['gelu(2x+1).sum()', x => F.gelu(x.mul(2).add(1)).sum()],
    ['several results of the same loops', x => [x.sin(), x.cos(), x.sin().mul(x.cos())]],
    ['softmax over rows', x => x.softmax(-1)],
    ['softmax over columns', x => x.softmax(0)],
    ['log-softmax', x => F.logSoftmax(x, -1)],
    ['layer norm', x => F.layerNorm(x, [100], w, b)],
    ['RMS norm', x => F.rmsNorm(x, [100], w)],
    ['cross-entropy', x => F.crossEntropy(x, y)],
    ['cross-entropy without reduction', x => F.crossEntropy(x, y, { reduction: 'none' })],
    ['mean squared error', x => F.mseLoss(x, x.flip(0))],
    ['a product with bias and activation', x => F.linear(x, matrix, b.narrow(0, 0, 30)).relu()],
    ['a product of what is computed from its operands', x => x.matmul(x.mT).mul(0.1).exp()],
  ];
  it.each(ONE)('%s', (_, f) => {
    const x = filled(64, 100);
    expect(kernels(() => f(x))).toBe(1);
  });
  it('the same of large tensors', () => {
    const [x, many] = [filled(4096, 1024), labels(4096)];
    expect(kernels(() => x.softmax(-1))).toBe(1);
    expect(kernels(() => F.layerNorm(x, [1024]))).toBe(1);
    // A sum of many is cut, so that threads can share it.
    expect(kernels(() => F.crossEntropy(x, many))).toBeLessThanOrEqual(3);
  });
});

describe('optimizers', () => {
  it.each(['Adam', 'SGD'] as const)('%s updates all parameters in at most two kernels', name => {
    const params = [[784, 256], [256], [256, 128], [128], [128, 10], [10]].map(s =>
      randn(s, { device }).requiresGrad_(),
    );
    for (const p of params) p.grad = filled(...p.shape);
    const o =
      name === 'Adam' ? new Adam(params) : new SGD(params, { lr: 0.1, momentum: 0.9, nesterov: true });
    expect(kernels(() => void o.step())).toBeLessThanOrEqual(2);
  });
});

describe('a training step of an MLP', () => {
  /** Of L layers: L products forward, 2L − 1 backward, L bias gradients, the loss and its gradient, the update, … */
  const STEPS: readonly [sizes: number[], most: number][] = [
    [[2, 4, 4, 2], 17],
    [[2, 32, 16, 2], 17],
    [[784, 256, 128, 10], 17],
    [[20, 10], 9],
  ];
  it.each(STEPS)('%j takes at most %i kernels', (sizes, most) => {
    const layers = sizes.slice(1).map((n, i) => ({
      weight: filled(n, sizes[i]!).requiresGrad_(),
      bias: filled(n).requiresGrad_(),
    }));
    const o = new Adam(layers.flatMap(l => [l.weight, l.bias]));
    const [x, y] = [filled(128, sizes[0]!), labels(128)];
    const n = kernels(() => {
      o.zeroGrad();
      let h = x;
      layers.forEach((l, i) => {
        h = F.linear(h, l.weight, l.bias);
        if (i < layers.length - 1) h = h.relu();
      });
      const loss = F.crossEntropy(h, y);
      loss.backward();
      o.step();
      return loss;
    });
    expect(n).toBeLessThanOrEqual(most);
  });
});

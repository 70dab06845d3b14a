// Every stage once, in a few seconds: the first test to run after a change.

import { expect, it } from 'vitest';
import {
  Adam,
  compile,
  F,
  grad,
  manualSeed,
  memory,
  profile,
  randn,
  type Tensor,
  tensor,
  useDevice,
} from '../src/index.ts';

const list = (t: Tensor): number[] => [...(t.dataSync() as Float32Array)];

it('computes: elementwise, reduce, movement, indexing, product', () => {
  const x = tensor([
    [1, -2],
    [3, 4],
  ]);
  expect(list(x.mul(2).add(1).relu())).toEqual([3, 0, 7, 9]);
  expect(list(x.sum(0))).toEqual([4, 2]);
  expect(list(x.T.at(1))).toEqual([-2, 4]);
  expect(list(x.matmul(x))).toEqual([-5, -10, 15, 10]);
  expect(list(tensor([3, 1, 2]).sort().values)).toEqual([1, 2, 3]);
});
it('differentiates, to second order', () => {
  const w = tensor([1, 2], { requiresGrad: true });
  w.square().sum().backward();
  expect(list(w.grad!)).toEqual([2, 4]);
  const second = grad((x: Tensor) => grad((y: Tensor) => y.pow(3).sum())(x).sum());
  expect(list(second(tensor([1, 2])))).toEqual([6, 12]);
});
it('keeps the value of the place in the program', () => {
  const t = tensor([1, 2]);
  const before = t.mul(10);
  t.add_(1);
  expect([list(before), list(t)]).toEqual([
    [10, 20],
    [2, 3],
  ]);
});
it('trains the same way compiled, uncompiled and on the reference', async () => {
  await useDevice('reference');
  const train = (device: string, compiled: boolean): number[] => {
    manualSeed(0);
    const [w, b] = [randn([4, 2], { device }), randn([4], { device })].map(t => t.realize().requiresGrad_());
    const o = new Adam([w!, b!], { lr: 0.1 });
    const plain = (x: Tensor, y: Tensor): Tensor => {
      o.zeroGrad();
      const loss = F.crossEntropy(F.linear(x, w!, b!), y);
      loss.backward();
      o.step();
      return loss;
    };
    const step = compiled ? compile(plain) : plain;
    return Array.from({ length: 20 }, (_, i) => {
      const x = tensor([0.1 * i, 1, -1, 0.3, 2, -0.2], { shape: [3, 2], device });
      return step(x, tensor([0, 1, 2], { dtype: 'int64', device })).itemSync();
    });
  };
  const want = train('reference', false);
  expect(want[19]!).toBeLessThan(want[0]!);
  for (const got of [train('cpu', false), train('cpu', true)])
    got.forEach((v, i) => {
      expect(Math.abs(v - want[i]!)).toBeLessThan(1e-5);
    });
});
it('shows kernels and memory, and refuses with a reason', () => {
  const p = profile(() =>
    randn([64, 64])
      .matmul(randn([64, 64]))
      .softmax(-1)
      .realize(),
  );
  expect(p.rows.some(r => r.kind === 'gemm')).toBe(true);
  expect(memory()['used']).toBeGreaterThan(0);
  expect(() => randn([2, 3]).matmul(randn([2, 3]))).toThrow(/^matmul: .*\(2, 3\)/);
});

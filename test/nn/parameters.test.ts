// What works on all parameters: clipping, vectors, weight and spectral norm, functional calls, summaries, kernel counts.

import { describe, expect, test } from 'vitest';
import {
  compile,
  F,
  grad,
  linalg,
  manualSeed,
  nn,
  noGrad,
  ones,
  randn,
  SGD,
  type Tensor,
  tensor,
  vmap,
} from '../../src/index.ts';

const numbers = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array);
const near = (a: readonly number[], b: readonly number[]): void => {
  expect(a).toHaveLength(b.length);
  a.forEach((v, i) => {
    expect(v).toBeCloseTo(b[i]!, 4);
  });
};
const field = (m: nn.Module, name: string): Tensor => (m as unknown as Record<string, Tensor>)[name]!;

describe('clipping', () => {
  const withGrads = (): Tensor[] =>
    [
      [3, 4],
      [12, 0],
    ].map(g => {
      const p = tensor([0, 0], { requiresGrad: true });
      p.grad = tensor(g);
      return p;
    });
  test('scales to the norm, and not below it', () => {
    const ps = withGrads();
    expect(nn.clipGradNorm_(ps, 6.5).itemSync()).toBeCloseTo(13, 5);
    near(
      ps.flatMap(p => numbers(p.grad!)),
      [1.5, 2, 6, 0],
    );
    expect(nn.clipGradNorm_(ps, 100).itemSync()).toBeCloseTo(6.5, 4);
    near(
      ps.flatMap(p => numbers(p.grad!)),
      [1.5, 2, 6, 0],
    );
    expect(nn.clipGradNorm_(withGrads(), 1, { normType: Number.POSITIVE_INFINITY }).itemSync()).toBe(12);
  });
  test('an infinite norm is an error where asked for, and changes nothing', () => {
    const [p] = withGrads() as [Tensor];
    p.grad = tensor([Number.POSITIVE_INFINITY, 1]);
    expect(() => nn.clipGradNorm_(p, 1, { errorIfNonfinite: true })).toThrow('must be finite, got Infinity');
    expect(numbers(p.grad!)).toEqual([Number.POSITIVE_INFINITY, 1]);
  });
  test('limits every element', () => {
    const ps = withGrads();
    nn.clipGradValue_(ps, 3.5);
    expect(ps.flatMap(p => numbers(p.grad!))).toEqual([3, 3.5, 3.5, 0]);
    expect(nn.clipGradNorm_([], 1).itemSync()).toBe(0);
  });
});
test('parameters as a vector and back', () => {
  const [a, b] = [new nn.Linear(3, 2), new nn.Linear(3, 2)];
  const v = nn.parametersToVector(a.parameters());
  expect(v.shape).toEqual([8]);
  nn.vectorToParameters(v.mul(2), b.parameters());
  near(numbers(b.weight), numbers(a.weight.mul(2)));
  near(numbers(b.bias!), numbers(a.bias!.mul(2)));
  expect(() => nn.vectorToParameters(v.narrow(0, 0, 5), b.parameters())).toThrow('the 8 elements');
});

describe('weights made of others', () => {
  test('weight norm: the same function, with length and direction as parameters', () => {
    const m = new nn.Linear(4, 3);
    const x = randn([2, 4]);
    const want = numbers(m(x));
    nn.weightNorm(m);
    expect(m.namedParameters().map(([n, p]) => [n, p.shape])).toEqual([
      ['bias', [3]],
      ['weight_g', [3, 1]],
      ['weight_v', [3, 4]],
    ]);
    near(numbers(m(x)), want);
    noGrad(() => field(m, 'weight_v').mul_(7));
    near(numbers(m(x)), want);
    m(x).sum().backward();
    expect(m.parameters().every(p => p.grad !== null)).toBe(true);
    nn.removeWeightNorm(m);
    expect(Object.keys(m.stateDict())).toEqual(['bias', 'weight']);
    near(numbers(m(x)), want);
    expect(() => nn.removeWeightNorm(m)).toThrow("Linear has none, got 'weight'");
    expect(() => nn.weightNorm(new nn.ReLU())).toThrow("ReLU must have the parameter, got 'weight'");
  });
  test('spectral norm: the largest singular value goes to 1, and eval does not iterate', () => {
    manualSeed(1);
    const m = nn.spectralNorm(new nn.Linear(5, 4));
    expect(Object.keys(m.stateDict())).toEqual(['bias', 'weight_orig', 'weight_u', 'weight_v']);
    const x = randn([2, 5]);
    for (let i = 0; i < 40; i++) m(x).dataSync();
    expect(numbers(linalg.svdvals(m.weight.detach()))[0]).toBeCloseTo(1, 4);
    m.eval();
    const u = numbers(field(m, 'weight_u'));
    m(x).dataSync();
    expect(numbers(field(m, 'weight_u'))).toEqual(u);
    m.train();
    m(x).sum().backward();
    expect(field(m, 'weight_orig').grad).not.toBe(null);
  });
});

test('functionalCall: gradients per example', () => {
  const net = new nn.Sequential(new nn.Linear(3, 4), new nn.Tanh(), new nn.Linear(4, 1));
  const [xs, ys] = [randn([5, 3]), randn([5, 1])];
  const params = Object.fromEntries(net.namedParameters().map(([n, p]) => [n, p.detach()]));
  const loss = (p: Record<string, Tensor>, x: Tensor, y: Tensor): Tensor =>
    F.mseLoss(nn.functionalCall(net, p, x), y);
  const each = vmap(grad(loss), { inDims: [null, 0, 0] })(params, xs, ys) as Record<string, Tensor>;
  for (let i = 0; i < 5; i++) {
    net.zeroGrad();
    F.mseLoss(net(xs.select(0, i)), ys.select(0, i)).backward();
    for (const [name, p] of net.namedParameters()) {
      near(numbers(each[name]!.select(0, i)), numbers(p.grad!));
    }
  }
  expect(net.parameters().every(p => p instanceof nn.Parameter)).toBe(true);
  expect(() => nn.functionalCall(net, { '0.nothing': xs }, xs)).toThrow("got '0.nothing'");
});

test('a summary has shapes, parameters and multiply-accumulates, and computes nothing', () => {
  const net = new nn.Sequential(
    new nn.Conv2d(1, 6, 5, { padding: 2 }),
    new nn.BatchNorm2d(6),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(6 * 14 * 14, 10),
  );
  net.at(1).eval();
  const s = nn.summary(net, [2, 1, 28, 28]);
  expect(s.rows.map(r => r.outputShapes)).toEqual([
    [[2, 10]],
    [[2, 6, 28, 28]],
    [[2, 6, 28, 28]],
    [[2, 6, 14, 14]],
    [[2, 1176]],
    [[2, 10]],
  ]);
  const [conv, fc] = [2 * 6 * 28 * 28 * 25, 2 * 1176 * 10];
  expect(s.rows.map(r => r.macs)).toEqual([conv + fc, conv, 0, 0, 0, fc]);
  expect(s.rows.map(r => r.parameters)).toEqual([156 + 12 + 11770, 156, 12, 0, 0, 11770]);
  expect(net.modules().map(m => m.training)).toEqual([true, true, false, true, true, true]);
  net.at(0).requiresGrad_(false);
  const text = `${nn.summary(net, [2, 1, 28, 28])}`.split('\n');
  const kept = [9408, 9408, 2352, 2352, 20].map(n => 4 * n);
  expect(s.rows.map(r => r.activationBytes)).toEqual([kept.reduce((a, b) => a + b), ...kept]);
  // Running mean and variance (float32), and the count of batches (int64).
  expect(s.stateBytes).toBe(4 * 11_938 + 2 * 4 * 6 + 8);
  expect(text.at(-2)).toBe('parameters 11,938, trainable 11,782, MACs 258,720');
  expect(text.at(-1)).toBe('bytes: parameters and buffers 47,808, outputs 94,160');
  expect(text[3]).toBe('  0: Conv2d       (2, 6, 28, 28)         156  235,200     37,632');
  expect(numbers((net.at(1) as nn.BatchNorm2d).running_mean!)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('kernels: batch norm in training, layer norm, and a step of an MLP', () => {
  const kernels = (fn: (x: Tensor) => unknown, x: Tensor): number => {
    const step = compile(fn);
    step(x);
    return step.stats.kernels;
  };
  const x = randn([32, 16]).realize();
  expect(kernels(x => new nn.LayerNorm(16)(x), x)).toBe(1);
  const bn = new nn.BatchNorm1d(16);
  // Mean and running mean; variance and result; running variance; the count of batches.
  expect(kernels(x => bn(x), x)).toBe(4);
  const backward = (x: Tensor): Tensor => {
    bn.zeroGrad();
    const loss = bn(x).square().mean();
    loss.backward();
    return loss;
  };
  // The loss, and the gradients of weight and bias.
  expect(kernels(backward, x)).toBe(8);
  expect(kernels(x => bn.eval()(x), x)).toBe(1);
  const net = new nn.Sequential(new nn.Linear(16, 8), new nn.ReLU(), new nn.Linear(8, 4));
  const opt = new SGD(net.parameters(), { lr: 0.1 });
  const target = ones([32, 4]).realize();
  const train = (x: Tensor): Tensor => {
    opt.zeroGrad();
    const loss = F.mseLoss(net(x), target);
    loss.backward();
    opt.step();
    return loss;
  };
  expect(kernels(train, x)).toBeLessThanOrEqual(10);
});

// Every number that the course's texts print and that tensors alone can give, computed.

import { describe, expect, it } from 'vitest';
import { makeMlp } from '../../src/cli/recipes/mlp.ts';
import { F, manualSeed, SGD, type Tensor, tensor, truthTable, zeros } from '../../src/index.ts';
import { numbers } from '../support.ts';

const close = (got: Tensor | readonly number[], want: readonly number[], digits = 4): void => {
  const list = Array.isArray(got) ? got : numbers(got as Tensor);
  expect(list.length).toBe(want.length);
  for (const [i, v] of want.entries()) expect(list[i]).toBeCloseTo(v, digits);
};

describe('losses', () => {
  it('BCE of (1, .9) (1, .6) (0, .4) (0, .1), and of z = 2', () => {
    const loss = F.binaryCrossEntropy(tensor([0.9, 0.6, 0.4, 0.1]), tensor([1, 1, 0, 0]), {
      reduction: 'none',
    });
    close(loss, [0.1054, 0.5108, 0.5108, 0.1054]);
    const z = tensor([2]);
    close(z.sigmoid(), [0.8808]);
    close(F.binaryCrossEntropyWithLogits(z, tensor([1]), { reduction: 'none' }), [0.1269]);
  });
  it('softmax of [2, 1, .1], and the cross-entropy of class 1', () => {
    const z = tensor([[2, 1, 0.1]]);
    close(z.softmax(1), [0.659, 0.2424, 0.0986]);
    close([F.crossEntropy(z, tensor([1n])).itemSync()], [1.417]);
    close([F.crossEntropy(z, tensor([[0, 1, 0]])).itemSync()], [1.417]);
  });
  it('the cross-entropy of a guess is ln of the number of classes', () => {
    for (const [classes, printed] of [
      [2, '0.693'],
      [10, '2.303'],
      [100, '4.605'],
    ] as const) {
      const loss = F.crossEntropy(zeros([8, classes]), tensor([0n, 1n, 0n, 1n, 0n, 1n, 0n, 1n])).itemSync();
      expect(loss).toBeCloseTo(Math.log(classes), 5);
      expect(loss.toFixed(3)).toBe(printed);
    }
  });
  it('both plans for two classes are one: z = z₁ − z₀', () => {
    const logits = tensor([
      [0.3, -1.2],
      [2, 5],
      [-1000, 1000],
      [1000, -1000],
    ]);
    const labels = tensor([0n, 1n, 1n, 1n]);
    const b = F.crossEntropy(logits, labels, { reduction: 'none' });
    const z = logits.select(1, 1).sub(logits.select(1, 0));
    const a = F.binaryCrossEntropyWithLogits(z, labels.to('float32'), { reduction: 'none' });
    close(a, numbers(b), 5);
    expect(numbers(b).every(Number.isFinite)).toBe(true);
  });
});

describe('training', () => {
  it('He: 256 inputs give a standard deviation of .0884', () => {
    manualSeed(0);
    const [layer] = makeMlp([256, 512], 'he');
    expect(Math.sqrt(2 / 256)).toBeCloseTo(0.0884, 4);
    expect(layer!.weight.std().itemSync()).toBeCloseTo(0.0884, 3);
  });
  it('two batches of five: means .3 and .7, variance .02 of the population and .025 of the sample', () => {
    const batches = tensor([
      [0.1, 0.2, 0.3, 0.4, 0.5],
      [0.5, 0.6, 0.7, 0.8, 0.9],
    ]);
    close(batches.mean(1), [0.3, 0.7]);
    close(batches.var(1, { correction: 0 }), [0.02, 0.02]);
    close(batches.var(1), [0.025, 0.025]);
    const normalised = F.batchNorm(batches.t(), null, null, null, null, { training: true, eps: 0 });
    close(normalised.mean(0), [0, 0]);
    close(normalised.var(0, { correction: 0 }), [1, 1]);
  });
  it('850 of 1000 right is 85 %; 1000 points are 10 batches of 100', () => {
    const right = zeros(1000).add(tensor(Array.from({ length: 1000 }, (_, i) => (i < 850 ? 1 : 0))));
    expect(right.mean().itemSync()).toBeCloseTo(0.85, 6);
    expect(right.split(100).length).toBe(10);
  });
});

describe('neurons', () => {
  it('AND with weights (1, 1) and bias −1.5: z(1, 1) = .5', () => {
    const { x, y } = truthTable('and');
    const z = F.linear(x, tensor([[1, 1]]), tensor([-1.5])).squeeze(1);
    close(z, [-1.5, -0.5, -0.5, 0.5]);
    expect(numbers(z.ge(0))).toEqual(numbers(y));
  });
  it('one step of ADALINE from 0 at (1, 1), t = 1, η = .1', () => {
    const w = zeros([2], { requiresGrad: true });
    const b = zeros([], { requiresGrad: true });
    const error = tensor(1).sub(tensor([1, 1]).mul(w).sum().add(b));
    error.square().mul(0.5).backward();
    new SGD([w, b], { lr: 0.1 }).step();
    close(w, [0.1, 0.1], 7);
    close(b, [0.1], 7);
  });
  it('XOR by the feature x₁x₂, and by two ReLU units', () => {
    const { x, y } = truthTable('xor');
    const [x1, x2] = [x.select(1, 0), x.select(1, 1)];
    const z = x1.add(x2).sub(x1.mul(x2).mul(2));
    expect(numbers(z)).toEqual([0, 1, 1, 0]);
    expect(numbers(z.ge(0.5))).toEqual(numbers(y));
    const h = F.linear(
      x,
      tensor([
        [1, 1],
        [1, 1],
      ]),
      tensor([0, -1]),
    ).relu();
    expect(h.tolistSync()).toEqual([
      [0, 0],
      [1, 0],
      [1, 0],
      [2, 1],
    ]);
    expect(numbers(F.linear(h, tensor([[1, -2]])).relu())).toEqual([0, 1, 1, 0]);
  });
  it('h_T = wᵀ: the gradient of ½h² is T·w^(2T−1)', () => {
    for (const [w0, T] of [
      [0.9, 5],
      [1.1, 7],
      [-0.7, 4],
      [0.5, 1],
    ] as const) {
      const w = tensor(w0, { dtype: 'float64', requiresGrad: true });
      let h = tensor(1, { dtype: 'float64' });
      for (let t = 0; t < T; t++) h = h.mul(w);
      h.square().mul(0.5).backward();
      expect(h.itemSync()).toBeCloseTo(w0 ** T, 12);
      expect(w.grad!.itemSync()).toBeCloseTo(T * w0 ** (2 * T - 1), 12);
    }
  });
});

describe('convolutions', () => {
  it('32², 3 → 16 channels, kernel 3, padding 1, stride 2: 16², 432 weights, 448 with biases', () => {
    const weight = zeros([16, 3, 3, 3]);
    const bias = zeros([16]);
    const out = F.conv2d(zeros([1, 3, 32, 32]), weight, bias, { stride: 2, padding: 1 });
    expect(out.shape).toEqual([1, 16, 16, 16]);
    expect([weight.numel, weight.numel + bias.numel]).toEqual([432, 448]);
  });
  it('pooling 2 × 2 saves 75 % of the next convolution, if the channels stay', () => {
    const x = zeros([1, 8, 32, 32]);
    const cost = (input: Tensor, out: number): number => {
      const weight = zeros([out, 8, 3, 3]);
      return F.conv2d(input, weight, null, { padding: 1 }).numel * 8 * 9;
    };
    expect(1 - cost(F.maxPool2d(x, 2), 8) / cost(x, 8)).toBe(0.75);
    expect(1 - cost(F.maxPool2d(x, 2), 16) / cost(x, 8)).toBe(0.5);
  });
  it('one 5 × 5 or two 3 × 3: 25C² and 18C² weights, 28 % less, the same field', () => {
    const C = 6;
    const [five, three] = [zeros([C, C, 5, 5]), zeros([C, C, 3, 3])];
    expect([five.numel, 2 * three.numel]).toEqual([25 * C * C, 18 * C * C]);
    expect(1 - (2 * three.numel) / five.numel).toBeCloseTo(0.28, 12);
    const x = zeros([1, C, 9, 9]);
    expect(F.conv2d(F.conv2d(x, three), three).shape).toEqual(F.conv2d(x, five).shape);
  });
  it('a bottleneck 256 → 64 → 64 → 256 has 69 632 weights, one 3 × 3 of 256 channels 589 824', () => {
    const bottleneck = [zeros([64, 256, 1, 1]), zeros([64, 64, 3, 3]), zeros([256, 64, 1, 1])];
    expect(bottleneck.reduce((n, w) => n + w.numel, 0)).toBe(69_632);
    expect(zeros([256, 256, 3, 3]).numel).toBe(589_824);
    expect(589_824 / 69_632).toBeCloseTo(8.5, 1);
  });
});

// Where the sources write one thing in two ways: both forms, and that they agree where they should.

import { describe, expect, it } from 'vitest';
import { F, manualSeed, nn, ones, type Tensor, tensor, zeros } from '../../src/index.ts';

const data = (t: Tensor): number[] => Array.from(t.dataSync(), Number);

describe('dropout', () => {
  const x = ones([200_000]);
  it('scaled in training or in the test: the test has what training expects', () => {
    manualSeed(1);
    for (const p of [0.2, 0.5]) {
      const inverted = new nn.Dropout(p);
      const original = new nn.Dropout(p, { scaleIn: 'test' });
      expect(inverted(x).mean().itemSync()).toBeCloseTo(1, 2);
      expect(original(x).mean().itemSync()).toBeCloseTo(1 - p, 2);
      expect(new Set(data(original(x)))).toEqual(new Set([0, 1]));
      inverted.eval();
      original.eval();
      expect(data(inverted(x.narrow(0, 0, 2)))).toEqual([1, 1]);
      expect(data(original(x.narrow(0, 0, 2)))[1]).toBeCloseTo(1 - p, 6);
    }
  });
  it('whole channels, too', () => {
    manualSeed(3);
    const planes = ones([400, 50, 3]);
    const drop = new nn.Dropout1d(0.2, { scaleIn: 'test' });
    const y = drop(planes);
    expect(new Set(data(y))).toEqual(new Set([0, 1]));
    expect(y.mean().itemSync()).toBeCloseTo(0.8, 1);
    expect(data(y.std(2)).every(v => v === 0)).toBe(true);
    drop.eval();
    expect(data(drop(planes))[0]).toBeCloseTo(0.8, 6);
  });
  it('p is the share that goes; the share that is kept is 1 − p', () => {
    manualSeed(2);
    const kept = F.dropout(x, { p: 0.3 }).ne(0).to('float32').mean().itemSync();
    expect(kept).toBeCloseTo(0.7, 2);
  });
});

describe('three factors before a squared error', () => {
  const y = tensor([1, 3, -2], { requiresGrad: true });
  const t = tensor([0, 1, 1]);
  it('1/n, 1/(2N) and ½ differ by a constant, and so do their gradients', () => {
    const sum = (): Tensor => y.sub(t).square().sum();
    const gradient = (loss: Tensor): number[] => {
      y.grad = null;
      loss.backward();
      return data(y.grad!);
    };
    const mean = gradient(F.mseLoss(y, t));
    const halfMean = gradient(sum().div(6));
    const half = gradient(sum().div(2));
    mean.forEach((g, i) => {
      expect(halfMean[i]).toBeCloseTo(g / 2, 6);
      expect(half[i]).toBeCloseTo((g * 3) / 2, 6);
    });
    expect(half).toEqual([1, 2, -3]);
  });
});

describe('cross-entropy of probabilities', () => {
  const logits = tensor([[60, 0, -60]], { requiresGrad: true });
  it('log(p + 1e-12) caps the loss at 27.6 and loses the gradient; log-softmax does neither', () => {
    const p = logits.softmax(1);
    const capped = p.add(1e-12).log().select(1, 2).neg().sum();
    expect(capped.itemSync()).toBeCloseTo(-Math.log(1e-12), 3);
    logits.softmax(1).add(1e-12).log().select(1, 2).neg().sum().backward();
    expect(Math.abs(data(logits.grad!)[2]!)).toBeLessThan(1e-6);
    logits.grad = null;
    const exact = F.crossEntropy(logits, tensor([2n]));
    expect(exact.itemSync()).toBeCloseTo(120, 3);
    F.crossEntropy(logits, tensor([2n])).backward();
    expect(data(logits.grad!)[2]).toBeCloseTo(-1, 6);
  });
});

describe('several labels at once', () => {
  it('one sigmoid per label: labels do not compete, as they do under softmax', () => {
    const z = zeros([1, 3], { requiresGrad: true });
    const both = tensor([[1, 1, 0]]);
    const descend = (loss: () => Tensor): void => {
      for (let i = 0; i < 300; i++) {
        z.grad = null;
        loss().backward();
        z.detach().sub_(z.grad!);
      }
    };
    descend(() => F.binaryCrossEntropyWithLogits(z, both));
    const p = data(z.sigmoid());
    expect(p[0]).toBeGreaterThan(0.95);
    expect(p[1]).toBeGreaterThan(0.95);
    expect(p[2]).toBeLessThan(0.05);
    z.detach().zero_();
    descend(() => F.crossEntropy(z, both.div(2)));
    for (const share of data(z.softmax(1)).slice(0, 2)) expect(share).toBeCloseTo(0.5, 1);
  });
});

// Layers and initialisers that draw: how much, where, and how spread.

import { describe, expect, test } from 'vitest';
import { manualSeed, nn, noGrad, ones, randn, type Tensor, zeros } from '../../src/index.ts';

const numbers = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array);
const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
const variance = (x: readonly number[]): number => {
  const m = mean(x);
  return mean(x.map(v => (v - m) ** 2));
};

describe('dropout', () => {
  test('zeros a share p of the elements and scales the others; eval changes nothing', () => {
    manualSeed(1);
    const drop = new nn.Dropout(0.25);
    const y = numbers(drop(ones([100, 100])));
    expect(new Set(y)).toEqual(new Set([0, Math.fround(4 / 3)]));
    // Standard error of the share: √(p q / n) = 0.0043.
    expect(Math.abs(mean(y.map(v => (v === 0 ? 1 : 0))) - 0.25)).toBeLessThan(0.02);
    const x = ones([3]);
    expect(drop.eval()(x)).toBe(x);
    expect(() => new nn.Dropout(1.5)).toThrow('Dropout: p must be in 0 … 1, got 1.5');
  });
  test.each([
    ['Dropout1d', () => new nn.Dropout1d(0.5), [8, 16, 5], 5],
    ['Dropout2d', () => new nn.Dropout2d(0.5), [8, 16, 3, 3], 9],
    ['Dropout3d', () => new nn.Dropout3d(0.5), [8, 16, 2, 2, 2], 8],
    ['FeatureAlphaDropout', () => new nn.FeatureAlphaDropout(0.5), [8, 16, 3, 3], 9],
  ] as const)('%s drops whole channels', (_, make, shape, size) => {
    manualSeed(2);
    const y = numbers(make()(ones([...shape])));
    const channels = Array.from({ length: 128 }, (_, i) => new Set(y.slice(i * size, (i + 1) * size)));
    expect(channels.every(c => c.size === 1)).toBe(true);
    expect(new Set(channels.map(c => [...c][0])).size).toBe(2);
  });
  test('AlphaDropout keeps mean 0 and variance 1', () => {
    manualSeed(3);
    const y = numbers(new nn.AlphaDropout(0.3)(randn([200, 200])));
    expect(Math.abs(mean(y))).toBeLessThan(0.03);
    expect(Math.abs(variance(y) - 1)).toBeLessThan(0.05);
  });
});

describe('initialisers', () => {
  test('Xavier and He: bounds and variances', () => {
    manualSeed(8);
    const [fanIn, fanOut] = [300, 200];
    const fresh = (): Tensor => zeros([fanOut, fanIn]);
    const uniform = [
      [nn.init.xavierUniform_(fresh()), Math.sqrt(6 / (fanIn + fanOut))],
      [nn.init.kaimingUniform_(fresh(), { nonlinearity: 'relu' }), Math.sqrt(6 / fanIn)],
      [nn.init.kaimingUniform_(fresh(), { nonlinearity: 'relu', mode: 'fan_out' }), Math.sqrt(6 / fanOut)],
    ] as const;
    for (const [w, bound] of uniform) {
      const values = numbers(w);
      expect(Math.max(...values.slice(0, 20000))).toBeLessThanOrEqual(bound);
      expect(variance(values) / (bound ** 2 / 3)).toBeCloseTo(1, 1);
    }
    const normal = [
      [nn.init.xavierNormal_(fresh()), 2 / (fanIn + fanOut)],
      [nn.init.kaimingNormal_(fresh(), { nonlinearity: 'relu' }), 2 / fanIn],
      [nn.init.kaimingNormal_(fresh(), { a: 0.2 }), 2 / ((1 + 0.2 ** 2) * fanIn)],
    ] as const;
    for (const [w, want] of normal) expect(variance(numbers(w)) / want).toBeCloseTo(1, 1);
  });
  test('the gain of leaky ReLU is √(2 / (1 + slope²))', () => {
    expect(nn.init.calculateGain('leaky_relu', 0.2)).toBeCloseTo(Math.sqrt(2 / 1.04), 12);
    expect(nn.init.calculateGain('leaky_relu', 1)).toBe(1);
    expect(nn.init.calculateGain('leaky_relu')).toBeCloseTo(Math.sqrt(2 / 1.0001), 12);
    expect([nn.init.calculateGain('relu'), nn.init.calculateGain('tanh')]).toEqual([Math.SQRT2, 5 / 3]);
  });
  test('fans of linear and convolution', () => {
    expect(nn.init.fanInAndFanOut(new nn.Linear(7, 5).weight)).toEqual([7, 5]);
    expect(nn.init.fanInAndFanOut(new nn.Conv2d(3, 16, 5).weight)).toEqual([3 * 25, 16 * 25]);
  });
  test('an output layer that starts ten times smaller', () => {
    const head = new nn.Linear(64, 10);
    const was = numbers(head.weight);
    noGrad(() => head.weight.mul_(0.1));
    expect(Math.sqrt(variance(numbers(head.weight)) / variance(was))).toBeCloseTo(0.1, 5);
  });
  test('batch norm starts with γ = 1 and β = 0', () => {
    const bn = new nn.BatchNorm1d(3);
    expect([numbers(bn.weight!), numbers(bn.bias!)]).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });
  test('orthogonal: rows or columns are orthonormal', () => {
    manualSeed(4);
    for (const [rows, columns] of [
      [4, 6],
      [6, 4],
    ] as const) {
      const w = nn.init.orthogonal_(zeros([rows, columns]), { gain: 2 });
      const gram = rows < columns ? w.matmul(w.t()) : w.t().matmul(w);
      (gram.tolistSync() as number[][]).forEach((row, i) => {
        row.forEach((v, j) => {
          expect(v).toBeCloseTo(i === j ? 4 : 0, 4);
        });
      });
    }
    // A convolution weight counts as a matrix of its outputs.
    const conv = nn.init.orthogonal_(zeros([3, 2, 2, 2])).flatten(1);
    expect(numbers(conv.matmul(conv.t()))[0]).toBeCloseTo(1, 5);
  });
  test('dirac hands inputs through', () => {
    const conv = new nn.Conv1d(2, 3, 3, { padding: 1, bias: false });
    nn.init.dirac_(conv.weight);
    const x = randn([1, 2, 5]);
    expect(numbers(conv(x)).slice(0, 10)).toEqual(numbers(x));
    expect(numbers(conv(x)).slice(10)).toEqual([0, 0, 0, 0, 0]);
    const grouped = nn.init.dirac_(zeros([4, 2, 1]), 2);
    expect(numbers(grouped)).toEqual([1, 0, 0, 1, 1, 0, 0, 1]);
  });
  test('sparse: the given share of every column is zero', () => {
    manualSeed(5);
    const w = nn.init.sparse_(zeros([10, 50]), 0.25);
    const zerosPerColumn = numbers(w.eq(0).sum(0)).map(Number);
    expect(zerosPerColumn).toEqual(new Array(50).fill(3));
    expect(Math.sqrt(variance(numbers(w).filter(v => v !== 0)))).toBeCloseTo(0.01, 2);
  });
  test('truncNormal stays within its cuts, and draws what the inverse distribution gives', () => {
    manualSeed(6);
    const w = numbers(nn.init.truncNormal_(zeros([20000]), 1, 2, 0, 2));
    expect(Math.min(...w)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...w)).toBeLessThanOrEqual(2);
    // Symmetric about 1; the variance is σ² (1 − 2 z φ(z) / (2Φ(z) − 1)) at z = ½, 0.3237.
    expect(mean(w)).toBeCloseTo(1, 1);
    expect(variance(w)).toBeCloseTo(0.3237, 1);
    expect(() => nn.init.truncNormal_(zeros([2]), 0, 1, 2, 2)).toThrow('a must be below b, got 2 and 2');
  });
  test('truncNormal with cuts that no normal number reaches is the normal distribution itself', () => {
    manualSeed(7);
    const far = numbers(nn.init.truncNormal_(zeros([20000]), 0.1, 0.02, -2, 2));
    manualSeed(7);
    expect(far).toEqual(numbers(nn.init.normal_(zeros([20000]), 0.1, 0.02)));
    expect(variance(far)).toBeCloseTo(0.0004, 4);
  });
  test('filling a parameter records nothing and keeps it a leaf', () => {
    const p = new nn.Parameter(zeros([3, 3]));
    expect(nn.init.xavierUniform_(p)).toBe(p);
    expect(p.isLeaf && p.requiresGrad).toBe(true);
    expect(numbers(nn.init.eye_(p))).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(numbers(nn.init.constant_(p, 2))).toEqual(new Array(9).fill(2));
  });
  test('errors name what is wrong', () => {
    expect(() => nn.init.xavierNormal_(zeros([3]))).toThrow(
      'a fan needs a weight with at least 2 dims, got (3)',
    );
    expect(() => nn.init.eye_(zeros([2, 2, 2]))).toThrow('eye_: it fills a matrix, got (2, 2, 2)');
    expect(() => nn.init.calculateGain('swish' as 'relu')).toThrow("leaky_relu, selu, got 'swish'");
    expect(() => nn.init.dirac_(zeros([3, 2]))).toThrow('3 to 5 dims');
  });
  test('layers start as in PyTorch: the same seed gives the same values', () => {
    manualSeed(7);
    const a = new nn.Linear(5, 4);
    manualSeed(7);
    const b = new nn.Linear(5, 4);
    expect(numbers(a.weight)).toEqual(numbers(b.weight));
    const bound = 1 / Math.sqrt(5);
    expect(Math.max(...numbers(a.weight).map(Math.abs))).toBeLessThanOrEqual(bound);
  });
});

// Missions 0 and 1 reach what they must, through the recipes that the command line runs.
// The medians of 20 seeds are a command of their own (npm run missions-20); here fewer seeds stand for them.

import { describe, expect, it } from 'vitest';
import { fitPieces, kinksOf } from '../../src/cli/recipes/kinks.ts';
import { leastSquares } from '../../src/cli/recipes/line.ts';
import { RECIPES } from '../../src/cli/recipes/list.ts';
import { lastOf, makeMlp, probabilities, trainClassifier } from '../../src/cli/recipes/mlp.ts';
import type { Result } from '../../src/cli/recipes/recipe.ts';
import { median } from '../../src/cli/recipes/recipe.ts';
import { settingsOf } from '../../src/cli/run-recipe.ts';
import { makeRings, makeShape, manualSeed, trainTestSplit } from '../../src/index.ts';
import { fit } from '../../src/train/index.ts';
import { numbers } from '../support.ts';

async function run(name: string, seed: number, given: Record<string, string> = {}): Promise<Result> {
  const recipe = RECIPES.find(r => r.name === name)!;
  manualSeed(seed);
  return recipe.train({
    settings: settingsOf(recipe, given),
    language: 'en',
    progress: () => {},
    fit: (_, m, o) => fit(m, o),
  });
}
const seeds = async (name: string, n: number, given: Record<string, string> = {}): Promise<Result[]> => {
  const out: Result[] = [];
  for (let seed = 0; seed < n; seed++) out.push(await run(name, 100 + seed, given));
  return out;
};
const accuracies = (results: readonly Result[]): number[] => results.map(r => r.metrics['testAccuracy']!);

describe('mission 0', () => {
  it('leastSquares solves the normal equations', () => {
    // y = 2x − 1 with residuals (1, −2, 1), which are orthogonal to 1 and x.
    const { a, b } = leastSquares([0, 1, 2], [-1 + 1, 1 - 2, 3 + 1]);
    expect(a).toBeCloseTo(2, 12);
    expect(b).toBeCloseTo(-1, 12);
  });
  it('finds the line, and y(5) = 5', async () => {
    for (const { metrics } of await seeds('line', 5)) {
      const exact = leastSquares([-3, -2, -1, 0, 1, 2, 3], [-3, -2, -1, 0, 1, 2, 3]);
      expect(Math.abs(metrics['a']! - exact.a)).toBeLessThan(1e-3);
      expect(Math.abs(metrics['b']! - exact.b)).toBeLessThan(1e-3);
      expect(Math.abs(metrics['yAt5']! - 5)).toBeLessThan(0.01);
    }
  });
});

describe('mission 1', () => {
  it.each([
    ['circle', 0.97],
    ['triangle', 0.98],
    ['square', 0.975],
    ['rings', 0.99],
  ])('%s: median test accuracy of 5 seeds >= %f', async (name, goal) => {
    expect(median(accuracies(await seeds(name, 5)))).toBeGreaterThanOrEqual(goal);
  });
  it('a linear classifier cannot do it', async () => {
    for (const accuracy of accuracies(await seeds('linear', 3))) expect(accuracy).toBeLessThan(0.7);
  });
  it('points per step: single and mini-batch learn, the full batch has hardly begun', async () => {
    for (const { metrics } of await seeds('batch-size', 2, { epochs: '120' })) {
      expect(metrics['testAccuracySingle']).toBeGreaterThan(0.9);
      expect(metrics['testAccuracy']).toBeGreaterThan(0.9);
      expect(metrics['testAccuracyFull']).toBeLessThan(metrics['testAccuracy']!);
    }
  });
  it('a seed repeats bit for bit', async () => {
    const [a, b] = [await run('triangle', 3, { epochs: '20' }), await run('triangle', 3, { epochs: '20' })];
    expect(a.metrics).toEqual(b.metrics);
    expect(await a.pictures()).toEqual(await b.pictures());
  });
  it('starts with the spread that was asked for, and 42 numbers', () => {
    manualSeed(1);
    const layers = makeMlp([2, 4, 4, 2], 'he');
    expect(layers.reduce((n, l) => n + l.weight.numel + l.bias.numel, 0)).toBe(42);
    const wide = makeMlp([200, 300, 100], 'he');
    expect(wide[0]!.weight.std().itemSync()).toBeCloseTo(Math.sqrt(2 / 200), 2);
    expect(wide[1]!.weight.std().itemSync()).toBeCloseTo(Math.sqrt(2 / 300), 2);
    expect(makeMlp([200, 300], 'small')[0]!.weight.std().itemSync()).toBeCloseTo(0.1, 2);
    expect(numbers(wide[0]!.bias).every(v => v === 0)).toBe(true);
  });
  it('a step of training is gradient descent on the cross-entropy, by hand', async () => {
    // One epoch of one batch, so one step: W ← W − lr · dW with the formulas of the course.
    manualSeed(2);
    const data = makeShape('circle', 40);
    const { train, test } = trainTestSplit([data.x, data.y]);
    const layers = makeMlp([2, 4, 4, 2], 'he');
    const before = layers.map(l => ({ w: numbers(l.weight), b: numbers(l.bias) }));
    const expected = byHand(numbers(train[0]), numbers(train[1]), before, 0.1);
    await trainClassifier(
      layers,
      { x: train[0], y: train[1] },
      { x: test[0], y: test[1] },
      { epochs: 1, batchSize: 1000, lr: 0.1, finalLr: 0.1 },
    );
    for (const [i, layer] of layers.entries()) {
      const [w, b] = [numbers(layer.weight), numbers(layer.bias)];
      for (const [k, v] of expected[i]!.w.entries()) expect(w[k]).toBeCloseTo(v, 5);
      for (const [k, v] of expected[i]!.b.entries()) expect(b[k]).toBeCloseTo(v, 5);
    }
  });
  it('probabilities are rows of sum 1 whose larger one is the class', async () => {
    manualSeed(3);
    const { x, y } = makeRings(300);
    const layers = makeMlp([2, 8, 2], 'he');
    const history = await trainClassifier(
      layers,
      { x, y },
      { x, y },
      { epochs: 40, batchSize: 32, lr: 0.1, finalLr: 0.1 },
    );
    const p = numbers(probabilities(layers, x));
    const labels = numbers(y);
    let right = 0;
    for (const [i, label] of labels.entries()) {
      expect(p[2 * i]! + p[2 * i + 1]!).toBeCloseTo(1, 6);
      if ((p[2 * i + 1]! > p[2 * i]! ? 1 : 0) === label) right++;
    }
    expect(lastOf(history)['testAccuracy']).toBeCloseTo(right / labels.length, 6);
    expect(history.trainLoss.length).toBe(40);
  });
});

interface Plain {
  readonly w: readonly number[];
  readonly b: readonly number[];
}
/** One step of the 2-4-4-2 network in plain loops: dlogits = (p − onehot)/m, dW = dzᵀ·h, dh = dz·W, ReLU mask. */
function byHand(x: readonly number[], y: readonly number[], layers: readonly Plain[], lr: number): Plain[] {
  const sizes = [2, 4, 4, 2];
  const m = y.length;
  const grads = layers.map(l => ({ w: l.w.map(() => 0), b: l.b.map(() => 0) }));
  for (let s = 0; s < m; s++) {
    const h: number[][] = [[x[2 * s]!, x[2 * s + 1]!]];
    for (const [l, { w, b }] of layers.entries()) {
      const z = b.map((bias, o) => h[l]!.reduce((sum, v, i) => sum + w[o * sizes[l]! + i]! * v, bias));
      h.push(l < 2 ? z.map(v => Math.max(0, v)) : z);
    }
    const e = h[3]!.map(Math.exp);
    let d = e.map((v, k) => (v / (e[0]! + e[1]!) - (k === y[s] ? 1 : 0)) / m);
    for (let l = 2; l >= 0; l--) {
      const { w } = layers[l]!;
      const n = sizes[l]!;
      const back = h[l]!.map((v, i) =>
        l > 0 && v <= 0 ? 0 : d.reduce((sum, g, o) => sum + g * w[o * n + i]!, 0),
      );
      for (const [o, g] of d.entries()) {
        grads[l]!.b[o]! += g;
        for (const [i, v] of h[l]!.entries()) grads[l]!.w[o * n + i]! += g * v;
      }
      d = back;
    }
  }
  return layers.map(({ w, b }, l) => ({
    w: w.map((v, k) => v - lr * grads[l]!.w[k]!),
    b: b.map((v, k) => v - lr * grads[l]!.b[k]!),
  }));
}

describe('the folded line', () => {
  it('has its kinks at −b/w and nowhere else', async () => {
    manualSeed(4);
    const points = 2001;
    const { pieces, xs, fitted, loss } = await fitPieces({ epochs: 1500, lr: 0.01, points });
    expect(loss).toBeLessThan(0.2);
    const h = xs[1]! - xs[0]!;
    const kinks = kinksOf(pieces).filter(k => Math.abs(k) < 3);
    expect(kinks.length).toBeGreaterThan(0);
    expect(kinks.length).toBeLessThanOrEqual(5);
    for (let i = 1; i < points - 1; i++) {
      const bend = (fitted[i - 1]! - 2 * fitted[i]! + fitted[i + 1]!) / h;
      // Rounding of float32 leaves about 1e-6 / h.
      const near = kinks.some(k => Math.abs(k - xs[i]!) <= 1.001 * h);
      if (!near) expect(Math.abs(bend)).toBeLessThan(2e-3);
    }
    for (const [i, v] of pieces.v.entries()) {
      const k = -pieces.b[i]! / pieces.w[i]!;
      if (Math.abs(k) > 2.99 || Math.abs(v * pieces.w[i]!) < 0.1) continue;
      const at = Math.round((k + 3) / h);
      const around = [at - 1, at, at + 1].map(j => (fitted[j - 1]! - 2 * fitted[j]! + fitted[j + 1]!) / h);
      expect(Math.max(...around.map(Math.abs))).toBeGreaterThan(0.02);
    }
  });
  it('reaches its goal for most starts', async () => {
    const losses = (await seeds('kinks', 9)).map(r => r.metrics['trainLoss']!);
    expect(median(losses)).toBeLessThan(0.01);
  });
});

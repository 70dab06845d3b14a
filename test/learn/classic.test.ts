// The history line of the course: every machine reproduces the trace that the texts print.

import { describe, expect, it } from 'vitest';
import {
  Adaline,
  DeepBeliefNet,
  GATES,
  LinearSVM,
  Perceptron,
  RBM,
  SoftmaxRegression,
  withProduct,
  xorNet,
} from '../../src/classic/index.ts';
import { cat, manualSeed, rand, randn, randperm, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

const POINTS = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);
const AND = tensor([0, 0, 0, 1]);
const XOR = tensor([0, 1, 1, 0]);
const share = (told: Tensor, target: Tensor): number =>
  told.eq(target).to('float32').mean().itemSync() as number;

describe('M-P neuron', () => {
  it('makes AND, OR and NOT', () => {
    const bits = [0, 1] as const;
    const table = (gate: (a: 0 | 1, b: 0 | 1) => 0 | 1): number[] =>
      bits.flatMap(a => bits.map(b => gate(a, b)));
    expect(table(GATES.and)).toEqual([0, 0, 0, 1]);
    expect(table(GATES.or)).toEqual([0, 1, 1, 1]);
    expect(bits.map(GATES.not)).toEqual([1, 0]);
  });
});

describe('perceptron', () => {
  it('(1, 1, −1.5) tells AND: z(1, 1) = .5', () => {
    const p = new Perceptron(2);
    p.weight = tensor([1, 1]);
    p.bias = tensor(-1.5);
    expect(numbers(p.predict(POINTS))).toEqual([0, 0, 0, 1]);
    expect(numbers(POINTS.matmul(p.weight).add(p.bias))).toEqual([-1.5, -0.5, -0.5, 0.5]);
  });
  it('learns AND from 0 with η = 1 in 6 passes and 11 corrections: w = (2, 1), b = −3', () => {
    const p = new Perceptron(2);
    const { epochs, converged, updates } = p.fit(POINTS, AND);
    expect({ epochs, converged, updates: updates.length }).toEqual({
      epochs: 6,
      converged: true,
      updates: 11,
    });
    expect(numbers(p.weight)).toEqual([2, 1]);
    expect(p.bias.itemSync()).toBe(-3);
  });
  it('never gets XOR right', () => {
    const p = new Perceptron(2);
    expect(p.fit(POINTS, XOR, { epochs: 50 }).converged).toBe(false);
    expect(share(p.predict(POINTS), XOR)).toBeLessThan(1);
  });
});

describe('ADALINE', () => {
  it('one step from 0: (1, 1) → 1 with η = .1 gives w = (.1, .1), b = .1', () => {
    const a = new Adaline(2);
    a.fit(tensor([[1, 1]]), tensor([1]), { lr: 0.1, epochs: 1, mode: 'online' });
    for (const v of [...numbers(a.weight), a.bias.itemSync() as number]) expect(v).toBeCloseTo(0.1, 7);
  });
  it('XOR: z = .5 everywhere and E = 1/8', () => {
    const a = new Adaline(2);
    const losses = a.fit(POINTS, XOR, { lr: 0.5, epochs: 500 });
    for (const z of numbers(a.score(POINTS))) expect(z).toBeCloseTo(0.5, 3);
    expect(losses.at(-1)).toBeCloseTo(1 / 8, 6);
  });
  it('XOR with x₁x₂: w → (1, 1, −2), b → 0, E → 0', () => {
    const a = new Adaline(3);
    const x = withProduct(POINTS);
    const losses = a.fit(x, XOR, { lr: 0.5, epochs: 2000 });
    for (const [i, v] of [1, 1, -2].entries()) expect(numbers(a.weight)[i]).toBeCloseTo(v, 2);
    expect(a.bias.itemSync()).toBeCloseTo(0, 2);
    expect(losses.at(-1)).toBeLessThan(1e-4);
    expect(losses[0]).toBeGreaterThan(0.05);
    expect(numbers(a.predict(x))).toEqual([0, 1, 1, 0]);
  });
  it('features on scales 1 and 1000: diverges raw, learns standardised', () => {
    manualSeed(3);
    const raw = cat([rand([200, 1]), rand([200, 1]).mul(1000)], 1).realize();
    const target = raw.select(1, 0).add(raw.select(1, 1).div(1000)).gt(1).to('float32').realize();
    const scaled = raw.sub(raw.mean(0)).div(raw.std(0).add(1e-8)).realize();
    const [far, near] = [new Adaline(2), new Adaline(2)];
    const bad = far.fit(raw, target, { lr: 0.1, epochs: 20 }).at(-1)!;
    expect(Number.isFinite(bad) ? bad : Infinity).toBeGreaterThan(1e6);
    near.fit(scaled, target, { lr: 0.1, epochs: 100 });
    expect(share(near.predict(scaled), target)).toBeGreaterThan(0.93);
  });
  it('online and batch end at the same line; a threshold off the middle is found on a validation set', () => {
    manualSeed(4);
    const x = randn([120, 2]).realize();
    const target = x.select(1, 0).gt(0.8).to('float32').realize(); // 21 % of class 1
    const [online, batch] = [new Adaline(2), new Adaline(2)];
    online.fit(x, target, { lr: 0.005, epochs: 30, mode: 'online' });
    batch.fit(x, target, { lr: 0.3, epochs: 300 });
    for (const [i, v] of numbers(batch.weight).entries())
      expect(Math.abs(numbers(online.weight)[i]! - v)).toBeLessThan(0.02);
    const fixed = share(batch.predict(x), target);
    const tuned = batch.tuneThreshold(x, target);
    expect(share(batch.predict(x), target)).toBeCloseTo(tuned, 6);
    expect(tuned).toBeGreaterThan(fixed);
  });
});

describe('XOR by two layers of ReLU', () => {
  it('gives the rows that the text prints', () => {
    const { hidden, output } = xorNet(POINTS);
    expect(numbers(hidden)).toEqual([0, 0, 1, 0, 1, 0, 2, 1]);
    expect(numbers(output)).toEqual([0, 1, 1, 0]);
  });
});

describe('linear classifiers', () => {
  const blobs = (): { x: Tensor; y: Tensor } => {
    manualSeed(5);
    const centres = tensor([
      [0, 2],
      [2, -1],
      [-2, -1],
    ]);
    const y = randperm(300).remainder(3).realize(); // int64
    return {
      x: centres
        .indexSelect(0, y)
        .add(randn([300, 2]).mul(0.5))
        .realize(),
      y,
    };
  };
  it.each([
    ['softmax regression', () => new SoftmaxRegression(2, 3)],
    ['linear SVM', () => new LinearSVM(2, 3)],
  ])('%s tells three blobs apart', (_, make) => {
    const { x, y } = blobs();
    const model = make();
    expect(share(model.predict(x), y)).toBeLessThan(0.6);
    const losses = model.fit(x, y, { lr: 0.2, epochs: 200, penalty: 1e-3 });
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 4);
    expect(share(model.predict(x), y)).toBeGreaterThan(0.98);
  });
});

describe('Boltzmann machines', () => {
  /** Bars: four columns or four rows of a 4 × 4 picture, one of each class lit, with 5 % of the pixels flipped. */
  const bars = (n: number): { x: Tensor; y: Tensor } => {
    const patterns = tensor(
      Array.from({ length: 8 }, (_, k) =>
        Array.from({ length: 16 }, (_, p) => ((k < 4 ? p % 4 : Math.floor(p / 4)) === k % 4 ? 1 : 0)),
      ),
    );
    const which = randperm(n).remainder(8).realize();
    const clean = patterns.indexSelect(0, which);
    const flipped = rand([n, 16]).lt(0.05).to('float32');
    return { x: clean.sub(flipped).abs().realize(), y: which.ge(4).to('int64').realize() };
  };
  it('an RBM learns to redraw what it sees', () => {
    manualSeed(6);
    const { x } = bars(1024);
    const errors = new RBM(16, 24).fit(x, { lr: 0.5, epochs: 30, batchSize: 32 });
    expect(errors[0]).toBeGreaterThan(0.15);
    expect(errors.at(-1)).toBeLessThan(0.08);
  });
  it('a deep belief net tells rows from columns after pretraining and tuning', () => {
    manualSeed(7);
    const { x, y } = bars(1024);
    const net = new DeepBeliefNet([16, 24, 12], 2);
    const errors = net.pretrain(x, { lr: 0.5, epochs: 20, batchSize: 32 });
    expect(errors.length).toBe(2);
    const losses = net.tune(x, y, { lr: 0.1, epochs: 10, batchSize: 32 });
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    const fresh = bars(512);
    expect(share(net.forward(fresh.x).detach().argmax(1), fresh.y)).toBeGreaterThan(0.97);
  });
});

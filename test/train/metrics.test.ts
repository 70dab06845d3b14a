// Metrics against values by hand, and batch-wise sums equal to one pass.

import { describe, expect, it } from 'vitest';
import { F, manualSeed, rand, randint, randn, tensor } from '../../src/index.ts';
import {
  Accuracy,
  AUROC,
  ConfusionMatrix,
  MeanAbsoluteError,
  MeanSquaredError,
  Perplexity,
  PrecisionRecallF1,
  R2Score,
} from '../../src/train/index.ts';

const logits = tensor([
  [3, 1, 0],
  [0, 2, 1],
  [1, 0, 2],
  [2, 1, 0],
]);
const target = tensor([0n, 1n, 1n, 2n]);

describe('classification', () => {
  it('accuracy: two of four; three of four among the best two', () => {
    const [one, two] = [new Accuracy(), new Accuracy({ topK: 2 })];
    one.update(logits, target);
    two.update(logits, target);
    expect(one.compute()).toBe(0.5);
    // Row 3 has 1 in last place, row 4 has 2 in last place.
    expect(two.compute()).toBe(0.5);
    two.reset();
    two.update(logits, tensor([1n, 2n, 0n, 2n]));
    expect(two.compute()).toBe(0.75);
  });
  it('leaves ignored targets out, and tells two classes by the sign', () => {
    const m = new Accuracy({ ignoreIndex: -100 });
    m.update(logits, tensor([0n, 1n, -100n, -100n]));
    expect(m.compute()).toBe(1);
    const b = new Accuracy();
    b.update(tensor([2, -1, 0.5]), tensor([1, 0, 0]));
    expect(b.compute()).toBeCloseTo(2 / 3, 7);
  });
  it('is NaN before the first batch and adds up over batches', () => {
    const m = new Accuracy();
    expect(m.compute()).toBeNaN();
    m.update(logits.narrow(0, 0, 2), target.narrow(0, 0, 2));
    expect(m.compute()).toBe(1);
    m.update(logits.narrow(0, 2, 2), target.narrow(0, 2, 2));
    expect(m.compute()).toBe(0.5);
  });
  it('confusion matrix: rows are the truth', () => {
    const m = new ConfusionMatrix({ classes: 3 });
    m.update(logits, target);
    expect(m.compute()).toEqual([
      [1, 0, 0],
      [0, 1, 1],
      [1, 0, 0],
    ]);
    expect(() => m.update(logits, tensor([0n, 1n, 5n, 0n]))).toThrow(/^ConfusionMatrix: classes are 0 … 2/);
  });
  it('precision, recall and F1 by class, together and for class 1', () => {
    // Told: 0 1 2 0, truth: 0 1 1 2. Class 0: P 1/2, R 1; class 1: P 1, R 1/2; class 2: P 0, R 0.
    const score = (average: 'macro' | 'micro' | 'binary') => {
      const m = new PrecisionRecallF1({ classes: 3, average });
      m.update(logits, target);
      return m.compute();
    };
    expect(score('macro').precision).toBeCloseTo(0.5, 10);
    expect(score('macro').recall).toBeCloseTo(0.5, 10);
    expect(score('macro').f1).toBeCloseTo((2 / 3 + 2 / 3 + 0) / 3, 10);
    expect(score('micro')).toEqual({ precision: 0.5, recall: 0.5, f1: 0.5 });
    expect(score('binary')).toEqual({ precision: 1, recall: 0.5, f1: 2 / 3 });
  });
  it('AUROC equals the share of pairs in the right order, ties half', () => {
    manualSeed(1);
    const n = 60;
    const score = randint(0, 12, [n]).to('float32').realize();
    const label = rand([n]).lt(0.4).to('float32').realize();
    const [s, l] = [Array.from(score.dataSync(), Number), Array.from(label.dataSync(), Number)];
    let [right, pairs] = [0, 0];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (l[i] !== 1 || l[j] !== 0) continue;
        pairs++;
        right += s[i]! > s[j]! ? 1 : s[i] === s[j] ? 0.5 : 0;
      }
    }
    const m = new AUROC();
    m.update(score.narrow(0, 0, 25), label.narrow(0, 0, 25));
    m.update(score.narrow(0, 25, n - 25), label.narrow(0, 25, n - 25));
    expect(m.compute()).toBeCloseTo(right / pairs, 12);
    m.reset();
    m.update(tensor([1, 2]), tensor([1, 1]));
    expect(m.compute()).toBeNaN();
  });
  it('perplexity is exp of the mean cross-entropy', () => {
    const m = new Perplexity();
    m.update(logits, target);
    expect(m.compute()).toBeCloseTo(Math.exp(F.crossEntropy(logits, target).itemSync() as number), 5);
    const ignoring = new Perplexity({ ignoreIndex: 2 });
    ignoring.update(logits, target);
    const rest = F.crossEntropy(logits.narrow(0, 0, 3), target.narrow(0, 0, 3)).itemSync() as number;
    expect(ignoring.compute()).toBeCloseTo(Math.exp(rest), 5);
  });
});

describe('regression', () => {
  it('MSE, MAE and R²', () => {
    const [told, truth] = [tensor([1, 2, 3, 5]), tensor([1, 2, 4, 3])];
    const value = (m: MeanSquaredError | MeanAbsoluteError | R2Score): number => {
      m.update(told.narrow(0, 0, 3), truth.narrow(0, 0, 3));
      m.update(told.narrow(0, 3, 1), truth.narrow(0, 3, 1));
      return m.compute();
    };
    expect(value(new MeanSquaredError())).toBeCloseTo(5 / 4, 7);
    expect(value(new MeanAbsoluteError())).toBeCloseTo(3 / 4, 7);
    expect(value(new R2Score())).toBeCloseTo(1 - 5 / 5, 7); // Σ(t − 2.5)² = 5
    expect(() => new MeanSquaredError().update(told, randn([3]))).toThrow(/one shape, got \(4\) and \(3\)/);
  });
  it('R² keeps its digits where the mean is large', () => {
    const m = new R2Score();
    m.update(tensor([1e6 + 1, 1e6 + 2, 1e6 + 3]), tensor([1e6 + 1, 1e6 + 2, 1e6 + 4]));
    expect(m.compute()).toBeCloseTo(1 - 1 / (14 / 3), 6);
  });
});

it('a metric goes on from its state', () => {
  for (const make of [
    () => new Accuracy(),
    () => new ConfusionMatrix({ classes: 3 }),
    () => new PrecisionRecallF1({ classes: 3 }),
    () => new Perplexity(),
  ]) {
    const [whole, first, second] = [make(), make(), make()];
    for (const m of [whole, first]) m.update(logits.narrow(0, 0, 3), target.narrow(0, 0, 3));
    second.load(JSON.parse(JSON.stringify(first.state())));
    for (const m of [whole, second]) m.update(logits.narrow(0, 3, 1), target.narrow(0, 3, 1));
    expect(second.compute()).toEqual(whole.compute());
  }
});

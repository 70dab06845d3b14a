// Metrics: what is counted over the batches of a pass, beside the loss.
// In: outputs and targets, batch by batch. Out: one value per pass. `measure` is recorded into the compiled step and gives
// small tensors; only these are read and added up on the host, in float64.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { onesLike } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What `measure` gave, read. */
export type Measured = Readonly<Record<string, ArrayLike<number | bigint>>>;

/** A value over all batches of a pass, made of small tensors of each. */
export abstract class Metric<T = number> {
  /** What is needed of one batch: tensor methods only, since it becomes part of a compiled step. */
  abstract measure(output: Tensor, target: Tensor): Record<string, Tensor>;
  /** Takes the numbers of one batch in. */
  abstract add(batch: Measured): void;
  /** The value over all batches since `reset`; NaN where there were none. */
  abstract compute(): T;
  abstract reset(): void;
  /** What `compute` is made from, as plain data: a training goes on from it in the middle of an epoch. */
  abstract state(): unknown;
  abstract load(state: unknown): void;

  /** Measures one batch and takes it in, for loops of one's own. */
  update(output: Tensor, target: Tensor): void {
    const measured = Object.entries(this.measure(output, target));
    this.add(Object.fromEntries(measured.map(([name, t]) => [name, t.dataSync()])));
  }
}

const total = (values: ArrayLike<number | bigint>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Number(values[i]);
  return sum;
};
function sameShape(op: string, output: Tensor, target: Tensor): void {
  if (output.shape.join() === target.shape.join()) return;
  throw new ShapeError(
    op,
    'output and target must have one shape',
    `${showShape(output.shape)} and ${showShape(target.shape)}`,
    '',
  );
}

/** A share or mean: a sum over a count. */
abstract class Mean extends Metric {
  private sum = 0;
  private count = 0;
  override add({ sum, count }: Measured): void {
    this.sum += total(sum!);
    this.count += total(count!);
  }
  override compute(): number {
    return this.count === 0 ? Number.NaN : this.sum / this.count;
  }
  override reset(): void {
    this.load([0, 0]);
  }
  override state(): unknown {
    return [this.sum, this.count];
  }
  override load(state: unknown): void {
    [this.sum, this.count] = state as [number, number];
  }
}

export interface AccuracyOptions {
  /** Right where the target is among the k largest outputs. Default 1. */
  topK?: number;
  /** Targets of this value are left out. */
  ignoreIndex?: number;
}
/**
 * The share of targets that are told right.
 *
 * output (N, C, …) logits with target (N, …) classes; or output and target of one shape: two classes, told apart by the sign
 * of the logit.
 */
export class Accuracy extends Mean {
  private readonly topK: number;
  private readonly ignoreIndex: number | null;
  constructor({ topK = 1, ignoreIndex }: AccuracyOptions = {}) {
    super();
    if (!Number.isInteger(topK) || topK < 1)
      throw new ValueError('Accuracy', 'topK must be an integer >= 1', show(topK), '');
    this.topK = topK;
    this.ignoreIndex = ignoreIndex ?? null;
  }
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    const right = this.right(output, target); // shape of target
    if (this.ignoreIndex === null)
      return { sum: right.to('float32').sum(), count: onesLike(right, { dtype: 'float32' }).sum() };
    const counted = target.ne(this.ignoreIndex);
    return { sum: right.logicalAnd(counted).to('float32').sum(), count: counted.to('float32').sum() };
  }
  private right(output: Tensor, target: Tensor): Tensor {
    if (output.shape.join() === target.shape.join()) return output.gt(0).eq(target.gt(0.5));
    if (this.topK === 1) return output.argmax(1).eq(target);
    return output.topk(this.topK, { dim: 1 }).indices.eq(target.unsqueeze(1)).any(1);
  }
}

/** How often class i (row) was told to be class j (column): number[][] of C × C. */
export class ConfusionMatrix extends Metric<number[][]> {
  readonly classes: number;
  private counts: number[];
  constructor({ classes }: { classes: number }) {
    super();
    if (!Number.isInteger(classes) || classes < 2)
      throw new ValueError('ConfusionMatrix', 'classes must be an integer >= 2', show(classes), '');
    this.classes = classes;
    this.counts = new Array<number>(classes * classes).fill(0);
  }
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    return { told: told(output, target).flatten().to('int32'), target: target.flatten().to('int32') };
  }
  override add({ told, target }: Measured): void {
    for (let i = 0; i < target!.length; i++) {
      const [t, p] = [Number(target![i]), Number(told![i])];
      if (!(t >= 0 && t < this.classes && p < this.classes))
        throw new ValueError(
          'ConfusionMatrix',
          `classes are 0 … ${this.classes - 1}`,
          `target ${t}, told ${p}`,
          '',
        );
      this.counts[t * this.classes + p]!++;
    }
  }
  override compute(): number[][] {
    return Array.from({ length: this.classes }, (_, i) =>
      this.counts.slice(i * this.classes, (i + 1) * this.classes),
    );
  }
  override reset(): void {
    this.counts.fill(0);
  }
  override state(): unknown {
    return [...this.counts];
  }
  override load(state: unknown): void {
    this.counts = [...(state as number[])];
  }
}
const told = (output: Tensor, target: Tensor): Tensor =>
  output.shape.join() === target.shape.join() ? output.gt(0) : output.argmax(1);

export interface PrecisionRecall {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}
/**
 * Precision TP/(TP+FP), recall TP/(TP+FN) and F1 = 2PR/(P+R); 0 where a denominator is 0.
 *
 * average: 'macro' (default) is the mean over classes, 'micro' counts all classes together, 'binary' looks at class 1 only.
 */
export class PrecisionRecallF1 extends Metric<PrecisionRecall> {
  private readonly matrix: ConfusionMatrix;
  private readonly average: 'macro' | 'micro' | 'binary';
  constructor({ classes, average = 'macro' }: { classes: number; average?: 'macro' | 'micro' | 'binary' }) {
    super();
    this.matrix = new ConfusionMatrix({ classes });
    this.average = average;
  }
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    return this.matrix.measure(output, target);
  }
  override add(batch: Measured): void {
    this.matrix.add(batch);
  }
  override reset(): void {
    this.matrix.reset();
  }
  override state(): unknown {
    return this.matrix.state();
  }
  override load(state: unknown): void {
    this.matrix.load(state);
  }
  override compute(): PrecisionRecall {
    const m = this.matrix.compute();
    const perClass = m.map((row, c) => {
      const right = row[c]!;
      return { right, told: m.reduce((s, r) => s + r[c]!, 0), there: total(row) };
    });
    const score = ({ right, told, there }: (typeof perClass)[number]): PrecisionRecall => ({
      precision: ratio(right, told),
      recall: ratio(right, there),
      f1: ratio(2 * right, told + there),
    });
    if (this.average === 'binary') return score(perClass[1]!);
    if (this.average === 'micro')
      return score({
        right: total(perClass.map(c => c.right)),
        told: total(perClass.map(c => c.told)),
        there: total(perClass.map(c => c.there)),
      });
    const scores = perClass.map(score);
    const mean = (pick: keyof PrecisionRecall): number => total(scores.map(s => s[pick])) / scores.length;
    return { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
  }
}
const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

/**
 * The area under the ROC curve: how likely a positive scores above a negative, ties counted half.
 *
 * output and target of one shape; output is any score, target 0 or 1. NaN where one class is missing.
 */
export class AUROC extends Metric {
  private scores: number[] = [];
  private labels: number[] = [];
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    sameShape('AUROC', output, target);
    return { score: output.flatten(), target: target.flatten().to('float32') };
  }
  override add({ score, target }: Measured): void {
    for (let i = 0; i < score!.length; i++) {
      this.scores.push(Number(score![i]));
      this.labels.push(Number(target![i]));
    }
  }
  /** By ranks: (Σ ranks of positives − P(P+1)/2) / (P·N), with the mean rank for equal scores. */
  override compute(): number {
    const order = this.scores.map((_, i) => i).sort((a, b) => this.scores[a]! - this.scores[b]!);
    const positives = this.labels.filter(v => v > 0.5).length;
    let ranks = 0;
    for (let from = 0; from < order.length; ) {
      let to = from;
      while (to < order.length && this.scores[order[to]!] === this.scores[order[from]!]) to++;
      const rank = (from + 1 + to) / 2;
      for (let k = from; k < to; k++) if (this.labels[order[k]!]! > 0.5) ranks += rank;
      from = to;
    }
    const negatives = order.length - positives;
    if (positives === 0 || negatives === 0) return Number.NaN;
    return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives);
  }
  override reset(): void {
    this.load([[], []]);
  }
  override state(): unknown {
    return [[...this.scores], [...this.labels]];
  }
  override load(state: unknown): void {
    [this.scores, this.labels] = (state as [number[], number[]]).map(v => [...v]) as [number[], number[]];
  }
}

/** exp of the mean cross-entropy per target. output (N, C, …) logits, target (N, …) classes. */
export class Perplexity extends Mean {
  private readonly ignoreIndex: number | null;
  constructor({ ignoreIndex }: { ignoreIndex?: number } = {}) {
    super();
    this.ignoreIndex = ignoreIndex ?? null;
  }
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    const counted = this.ignoreIndex === null ? target.eq(target) : target.ne(this.ignoreIndex);
    const classes = target.maskedFill(counted.logicalNot(), 0);
    const nll = output.logSoftmax(1).gather(1, classes.unsqueeze(1)).squeeze(1).neg(); // shape of target
    return { sum: nll.maskedFill(counted.logicalNot(), 0).sum(), count: counted.to('float32').sum() };
  }
  override compute(): number {
    return Math.exp(super.compute());
  }
}

/** Mean of (output − target)². */
export class MeanSquaredError extends Mean {
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    sameShape('MeanSquaredError', output, target);
    return { sum: output.sub(target).square().sum(), count: onesLike(output).sum() };
  }
}
/** Mean of |output − target|. */
export class MeanAbsoluteError extends Mean {
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    sameShape('MeanAbsoluteError', output, target);
    return { sum: output.sub(target).abs().sum(), count: onesLike(output).sum() };
  }
}
/** R² = 1 − Σ(target − output)² / Σ(target − mean)²: the share of the variance that is explained. */
export class R2Score extends Metric {
  private error = 0;
  private count = 0;
  private mean = 0;
  private spread = 0;
  override measure(output: Tensor, target: Tensor): Record<string, Tensor> {
    sameShape('R2Score', output, target);
    return { error: output.sub(target).square().sum(), target: target.flatten() };
  }
  override add({ error, target }: Measured): void {
    this.error += total(error!);
    // Welford's update: no cancellation where the mean is large against the spread.
    for (let i = 0; i < target!.length; i++) {
      const v = Number(target![i]);
      const off = v - this.mean;
      this.mean += off / ++this.count;
      this.spread += off * (v - this.mean);
    }
  }
  override compute(): number {
    return this.count === 0 ? Number.NaN : 1 - this.error / this.spread;
  }
  override reset(): void {
    this.load([0, 0, 0, 0]);
  }
  override state(): unknown {
    return [this.error, this.count, this.mean, this.spread];
  }
  override load(state: unknown): void {
    [this.error, this.count, this.mean, this.spread] = state as [number, number, number, number];
  }
}

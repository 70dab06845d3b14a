// 1957: Rosenblatt's perceptron. A line (plane, hyperplane) that is moved only where it tells a point wrong.

import { type Tensor, zeros } from '../index.ts';

/** Where the rule is after one sample. */
export interface PerceptronTrace {
  readonly epoch: number;
  readonly sample: number;
  readonly weight: readonly number[];
  readonly bias: number;
}
export interface PerceptronFit {
  /** Passes that were made, the last one without a mistake where it converged. */
  readonly epochs: number;
  readonly converged: boolean;
  /** One entry per correction. */
  readonly updates: readonly PerceptronTrace[];
}

/** y = H(w·x + b) with H(0) = 1. */
export class Perceptron {
  weight: Tensor;
  bias: Tensor;
  constructor(features: number) {
    this.weight = zeros([features]);
    this.bias = zeros([]);
  }
  /** 0 or 1 for each row of x (n, features), as float32 (n). */
  predict(x: Tensor): Tensor {
    return x.matmul(this.weight).add(this.bias).ge(0).to('float32'); // (n)
  }
  /**
   * The learning rule, sample by sample in order: w ← w + η (t − y) x, b ← b + η (t − y), until a pass has no mistake or
   * `epochs` are over. x (n, features), t (n) of 0 and 1. Converges where a line can tell the classes apart (Novikoff 1962).
   */
  fit(x: Tensor, t: Tensor, { lr = 1, epochs = 100 }: { lr?: number; epochs?: number } = {}): PerceptronFit {
    const updates: PerceptronTrace[] = [];
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const before = updates.length;
      for (let sample = 0; sample < t.numel; sample++) {
        const row = x.select(0, sample); // (features)
        const error = t.select(0, sample).sub(this.predict(row.unsqueeze(0)).squeeze(0)); // t − y
        if (error.itemSync() === 0) continue;
        this.weight = this.weight.add(row.mul(error).mul(lr)).realize();
        this.bias = this.bias.add(error.mul(lr)).realize();
        const [weight, bias] = [Array.from(this.weight.dataSync(), Number), this.bias.itemSync() as number];
        updates.push({ epoch, sample, weight, bias });
      }
      if (updates.length === before) return { epochs: epoch, converged: true, updates };
    }
    return { epochs, converged: false, updates };
  }
}

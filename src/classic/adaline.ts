// 1960: ADALINE of Widrow and Hoff. The same line as the perceptron's, but moved by how far off it is (LMS), not only
// where it is wrong; a threshold decides afterwards.

import { stack, type Tensor, zeros } from '../index.ts';

export interface AdalineOptions {
  lr?: number;
  epochs?: number;
  /** 'batch' (default): one step per pass over all samples. 'online': one after every sample. */
  mode?: 'batch' | 'online';
}

/** z = w·x + b; class 1 where z ≥ threshold. */
export class Adaline {
  weight: Tensor;
  bias: Tensor;
  threshold: number;
  constructor(features: number, { threshold = 0.5 }: { threshold?: number } = {}) {
    this.weight = zeros([features]);
    this.bias = zeros([]);
    this.threshold = threshold;
  }
  /** z for each row of x (n, features): (n). */
  score(x: Tensor): Tensor {
    return x.matmul(this.weight).add(this.bias);
  }
  predict(x: Tensor): Tensor {
    return this.score(x).ge(this.threshold).to('float32');
  }
  /** E = 1/(2N) Σ (t − z)². */
  loss(x: Tensor, t: Tensor): number {
    return t.sub(this.score(x)).square().mean().div(2).itemSync() as number;
  }
  /** Widrow-Hoff: w ← w + η/N Σ (t − z) x and b ← b + η/N Σ (t − z); online with N = 1. Returns E after each pass. */
  fit(x: Tensor, t: Tensor, { lr = 0.1, epochs = 100, mode = 'batch' }: AdalineOptions = {}): number[] {
    const losses: number[] = [];
    const n = t.numel;
    for (let epoch = 0; epoch < epochs; epoch++) {
      if (mode === 'batch') this.step(x, t, lr);
      else for (let i = 0; i < n; i++) this.step(x.narrow(0, i, 1), t.narrow(0, i, 1), lr);
      losses.push(this.loss(x, t));
    }
    return losses;
  }
  private step(x: Tensor, t: Tensor, lr: number): void {
    const error = t.sub(this.score(x)); // (n)
    const n = t.numel;
    this.weight = this.weight.add(error.matmul(x).mul(lr / n)).realize(); // (features)
    this.bias = this.bias.add(error.sum().mul(lr / n)).realize();
  }
  /** Sets the threshold that tells most of a validation set right: one half-way between two scores. Returns its accuracy. */
  tuneThreshold(x: Tensor, t: Tensor): number {
    const scores = Array.from(this.score(x).dataSync(), Number);
    const targets = Array.from(t.dataSync(), Number);
    const sorted = [...new Set(scores)].sort((a, b) => a - b);
    const cuts = [sorted[0]! - 1, ...sorted.slice(1).map((s, i) => (s + sorted[i]!) / 2), sorted.at(-1)! + 1];
    const right = (cut: number): number =>
      scores.filter((s, i) => (s >= cut ? 1 : 0) === targets[i]).length / scores.length;
    const best = cuts.reduce((a, b) => (right(b) > right(a) ? b : a));
    this.threshold = best;
    return right(best);
  }
}

/** φ(x) = (x₁, x₂, x₁x₂): with the product as a feature a line tells XOR. x (n, 2) → (n, 3). */
export const withProduct = (x: Tensor): Tensor => {
  const [a, b] = [x.select(1, 0), x.select(1, 1)];
  return stack([a, b, a.mul(b)], 1);
};

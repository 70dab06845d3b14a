// The 1990s and before: linear classifiers with a loss of their own. Softmax regression asks for probabilities, the
// support vector machine for a margin.

import { compile, F, SGD, type Tensor, zeros } from '../index.ts';

export interface LinearFitOptions {
  lr?: number;
  epochs?: number;
  /** λ of the penalty λ/2 ‖W‖². */
  penalty?: number;
}

abstract class LinearClassifier {
  /** (classes, features) */
  readonly weight: Tensor;
  readonly bias: Tensor;
  constructor(features: number, classes: number) {
    this.weight = zeros([classes, features], { requiresGrad: true });
    this.bias = zeros([classes], { requiresGrad: true });
  }
  /** (n, classes) for x (n, features). */
  scores(x: Tensor): Tensor {
    return F.linear(x, this.weight, this.bias);
  }
  predict(x: Tensor): Tensor {
    return this.scores(x).detach().argmax(1);
  }
  protected abstract loss(scores: Tensor, target: Tensor): Tensor;
  /** Full-batch gradient descent. x (n, features), target (n) classes. Returns the loss before each step. */
  fit(x: Tensor, target: Tensor, { lr = 0.1, epochs = 200, penalty = 0 }: LinearFitOptions = {}): number[] {
    const optimizer = new SGD([this.weight, this.bias], { lr });
    const step = compile(() => {
      optimizer.zeroGrad();
      const loss = this.loss(this.scores(x), target).add(
        this.weight
          .square()
          .sum()
          .mul(penalty / 2),
      );
      loss.backward();
      optimizer.step();
      return loss;
    });
    return Array.from({ length: epochs }, () => step().itemSync() as number);
  }
}

/** p = softmax(W x + b), mean cross-entropy: −log p of the target. */
export class SoftmaxRegression extends LinearClassifier {
  protected override loss(scores: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(scores, target);
  }
}

/** The sum over the other classes of max(0, 1 + s_j − s_target), mean over samples (Weston and Watkins 1999). */
export class LinearSVM extends LinearClassifier {
  protected override loss(scores: Tensor, target: Tensor): Tensor {
    const right = scores.gather(1, target.unsqueeze(1)); // (n, 1)
    const hinge = scores.sub(right).add(1).relu(); // (n, classes); 1 at the target itself
    return hinge.sum(1).sub(1).mean();
  }
}

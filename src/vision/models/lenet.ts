// LeNet-5: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document Recognition,
// Proceedings of the IEEE 86 (1998), section II: https://doi.org/10.1109/5.726791
//
// Two networks: LeNet5, as it is taught and trained today, and LeNet5Original, the one of the paper.

import {
  Conv2d,
  functional as F,
  Flatten,
  init,
  Linear,
  MaxPool2d,
  Module,
  ModuleList,
  Parameter,
  ReLU,
  Sequential,
} from '../../nn/index.ts';
import { full, ones, zeros } from '../../tensor/create.ts';
import { cat } from '../../tensor/movement.ts';
import { bernoulli } from '../../tensor/random.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/**
 * LeNet-5 for 28 × 28 images, with ReLU, max pooling and a linear output: 61 706 parameters. (N, 1, 28, 28) →
 * (N, numClasses). A Sequential, so the keys are `0.weight` … `11.bias`.
 */
export class LeNet5 extends Sequential {
  constructor(options: { readonly numClasses?: number; readonly inChannels?: number } = {}) {
    const { numClasses = 10, inChannels = 1 } = options;
    super(
      new Conv2d(inChannels, 6, 5, { padding: 2 }), // (N, 6, 28, 28)
      new ReLU(),
      new MaxPool2d(2), // (N, 6, 14, 14)
      new Conv2d(6, 16, 5), // (N, 16, 10, 10)
      new ReLU(),
      new MaxPool2d(2), // (N, 16, 5, 5)
      new Flatten(), // (N, 400)
      new Linear(400, 120), // (N, 120)
      new ReLU(),
      new Linear(120, 84), // (N, 84)
      new ReLU(),
      new Linear(84, numClasses), // (N, numClasses)
    );
  }
}

/** Table I of the paper: which of the six maps of S2 each of the sixteen maps of C3 sees. */
const C3_SEES = [
  [0, 1, 2],
  [1, 2, 3],
  [2, 3, 4],
  [3, 4, 5],
  [0, 4, 5],
  [0, 1, 5],
  [0, 1, 2, 3],
  [1, 2, 3, 4],
  [2, 3, 4, 5],
  [0, 3, 4, 5],
  [0, 1, 4, 5],
  [0, 1, 2, 5],
  [0, 1, 3, 4],
  [1, 2, 4, 5],
  [0, 2, 3, 5],
  [0, 1, 2, 3, 4, 5],
];
/** The squashing function of Appendix A: A tanh(S a), so that f(±1) = ±1. */
const squash = (a: Tensor): Tensor =>
  a
    .mul(2 / 3)
    .tanh()
    .mul(1.7159);

/** S2 and S4: the mean of 2 × 2 places, times a trained coefficient and plus a trained bias per map, squashed. */
class Subsample extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  constructor(channels: number) {
    super();
    this.weight = new Parameter(ones([channels]));
    this.bias = new Parameter(zeros([channels]));
  }
  forward(x: Tensor): Tensor {
    const perMap = (p: Parameter): Tensor => p.reshape([-1, 1, 1]); // (C, 1, 1)
    return squash(F.avgPool2d(x, 2).mul(perMap(this.weight)).add(perMap(this.bias))); // (N, C, H/2, W/2)
  }
}
/** C3: one small convolution per output map, over the maps that Table I gives it. */
class SparseConv extends Module {
  readonly maps = new ModuleList(C3_SEES.map(seen => new Conv2d(seen.length, 1, 5)));
  forward(x: Tensor): Tensor {
    const seen = (i: number): Tensor =>
      cat(
        C3_SEES[i]!.map(c => x.narrow(1, c, 1)),
        1,
      ); // (N, 3 … 6, 14, 14)
    return cat(
      this.maps.toArray().map((map, i) => map(seen(i))),
      1,
    ); // (N, 16, 10, 10)
  }
}

/**
 * LeNet-5 of the paper: 32 × 32 images, trained subsampling, the partial connections of C3, tanh, and an output of
 * radial basis functions, whose 84 components per class are ±1 and are not trained: 60 000 parameters. (N, 1, 32, 32) →
 * (N, numClasses), the negated squared distances to the codes of the classes, so that the largest is the answer. The paper
 * draws its codes by hand as pictures of the characters and says that random ones would do for other classes; they are
 * random here, and part of the state (`codes`).
 */
export class LeNet5Original extends Module {
  readonly c1 = new Conv2d(1, 6, 5);
  readonly s2 = new Subsample(6);
  readonly c3 = new SparseConv();
  readonly s4 = new Subsample(16);
  readonly c5 = new Conv2d(16, 120, 5);
  readonly f6 = new Linear(120, 84);
  declare codes: Tensor;

  constructor(options: { readonly numClasses?: number } = {}) {
    super();
    const { numClasses = 10 } = options;
    this.registerBuffer(
      'codes',
      bernoulli(full([numClasses, 84], 0.5))
        .mul(2)
        .sub(1),
    );
    // Section III.B: uniform between ±2.4 / F, with F the number of inputs of a unit.
    for (const m of this.modules()) {
      if (m instanceof Conv2d || m instanceof Linear) {
        const bound = 2.4 / init.fanInAndFanOut(m.weight)[0];
        init.uniform_(m.weight, -bound, bound);
        init.uniform_(m.bias!, -bound, bound);
      }
    }
  }
  forward(x: Tensor): Tensor {
    x = squash(this.c1(x)); // (N, 6, 28, 28)
    x = this.s2(x); // (N, 6, 14, 14)
    x = squash(this.c3(x)); // (N, 16, 10, 10)
    x = this.s4(x); // (N, 16, 5, 5)
    x = squash(this.c5(x)).flatten(1); // (N, 120)
    x = squash(this.f6(x)); // (N, 84)
    return x.unsqueeze(1).sub(this.codes).square().sum(-1).neg(); // (N, numClasses)
  }
}

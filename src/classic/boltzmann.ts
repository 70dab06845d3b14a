// 2006: restricted Boltzmann machines, and the deep belief net that stacks them: layer by layer each learns to redraw
// what it sees, before any label is used; then the whole net is tuned with labels (Hinton, Osindero, Teh 2006).

import { compile, F, noGrad, rand, randn, SGD, type Tensor, zeros } from '../index.ts';

export interface RbmOptions {
  lr?: number;
  epochs?: number;
  batchSize?: number;
}

/** Visible units v and hidden units h, all 0 or 1, with energy −vᵀWh − a·v − b·h. */
export class RBM {
  /** (visible, hidden) */
  readonly weight: Tensor;
  readonly visibleBias: Tensor;
  readonly hiddenBias: Tensor;
  constructor(visible: number, hidden: number) {
    this.weight = randn([visible, hidden]).mul(0.01).realize();
    this.visibleBias = zeros([visible]);
    this.hiddenBias = zeros([hidden]);
  }
  /** p(h = 1 | v) = σ(vW + b). v (n, visible) → (n, hidden). */
  hidden(v: Tensor): Tensor {
    return v.matmul(this.weight).add(this.hiddenBias).sigmoid();
  }
  /** p(v = 1 | h) = σ(hWᵀ + a). h (n, hidden) → (n, visible). */
  visible(h: Tensor): Tensor {
    return h.matmul(this.weight.t()).add(this.visibleBias).sigmoid();
  }
  /**
   * Contrastive divergence with one step (Hinton 2002): W ← W + η/n (vᵀp(h|v) − v′ᵀp(h|v′)), where v′ is redrawn from a sample
   * of h. x (n, visible) in [0, 1]. Returns the mean squared error of the redrawing after each epoch.
   */
  fit(x: Tensor, { lr = 0.1, epochs = 5, batchSize = 64 }: RbmOptions = {}): number[] {
    const step = compile((v: Tensor) =>
      noGrad(() => {
        const n = v.shape[0]!;
        const up = this.hidden(v); // (n, hidden)
        const sample = rand(up.shape).lt(up).to('float32');
        const down = this.visible(sample); // (n, visible)
        const again = this.hidden(down); // (n, hidden)
        this.weight.add_(
          v
            .t()
            .matmul(up)
            .sub(down.t().matmul(again))
            .mul(lr / n),
        );
        this.visibleBias.add_(v.sub(down).mean(0).mul(lr));
        this.hiddenBias.add_(up.sub(again).mean(0).mul(lr));
        return v.sub(down).square().mean();
      }),
    );
    const errors: number[] = [];
    const batches = Math.floor(x.shape[0]! / batchSize);
    for (let epoch = 0; epoch < epochs; epoch++) {
      let sum = 0;
      for (let b = 0; b < batches; b++)
        sum += step(x.narrow(0, b * batchSize, batchSize)).itemSync() as number;
      errors.push(sum / batches);
    }
    return errors;
  }
}

/** Stacked machines below a softmax layer: sizes [784, 256, 128] and 10 classes give 784-256-128-10 with sigmoids. */
export class DeepBeliefNet {
  readonly machines: readonly RBM[];
  /** (out, in) and (out) of every layer, the output layer last; filled by `pretrain`, changed by `tune`. */
  private readonly layers: { weight: Tensor; bias: Tensor }[];
  constructor(sizes: readonly number[], classes: number) {
    this.machines = sizes.slice(1).map((hidden, i) => new RBM(sizes[i]!, hidden));
    const last = sizes.at(-1)!;
    const output = { weight: randn([classes, last]).mul(Math.sqrt(1 / last)), bias: zeros([classes]) };
    this.layers = [...this.machines.map(m => ({ weight: m.weight.t(), bias: m.hiddenBias })), output].map(
      ({ weight, bias }) => ({
        weight: weight.detach().clone().realize().requiresGrad_(),
        bias: bias.detach().clone().realize().requiresGrad_(),
      }),
    );
  }
  /** Every machine in turn learns to redraw what the one below makes of x. Returns the errors of each. */
  pretrain(x: Tensor, options: RbmOptions = {}): number[][] {
    let seen = x;
    return this.machines.map((m, i) => {
      const errors = m.fit(seen, options);
      seen = noGrad(() => m.hidden(seen)).realize();
      noGrad(() => {
        this.layers[i]!.weight.copy_(m.weight.t());
        this.layers[i]!.bias.copy_(m.hiddenBias);
      });
      return errors;
    });
  }
  /** Logits (n, classes). */
  forward(x: Tensor): Tensor {
    return this.layers.reduce((h, { weight, bias }, i) => {
      const z = F.linear(h, weight, bias);
      return i === this.layers.length - 1 ? z : z.sigmoid();
    }, x);
  }
  /** Back-propagation through the whole net with labels. Returns the mean loss of each epoch. */
  tune(x: Tensor, target: Tensor, { lr = 0.1, epochs = 10, batchSize = 64 }: RbmOptions = {}): number[] {
    const optimizer = new SGD(
      this.layers.flatMap(l => [l.weight, l.bias]),
      { lr, momentum: 0.9 },
    );
    const step = compile((v: Tensor, t: Tensor) => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(this.forward(v), t);
      loss.backward();
      optimizer.step();
      return loss;
    });
    const batches = Math.floor(x.shape[0]! / batchSize);
    return Array.from({ length: epochs }, () => {
      let sum = 0;
      for (let b = 0; b < batches; b++) {
        const [from, n] = [b * batchSize, batchSize];
        sum += step(x.narrow(0, from, n), target.narrow(0, from, n)).itemSync() as number;
      }
      return sum / batches;
    });
  }
}

// Softmax over very many classes: frequent ones in a short list, rare ones in clusters with smaller layers.

import { show, ValueError } from '../base/errors.ts';
import { cat } from '../tensor/movement.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { ModuleList, Sequential } from './container.ts';
import { Linear, type PlaceOptions } from './linear.ts';
import { Module } from './module.ts';

export interface AdaptiveSoftmaxOptions extends PlaceOptions {
  /** How many times smaller the layers of each further cluster are. Default 4. */
  readonly divValue?: number;
  /** Default false. */
  readonly headBias?: boolean;
}

/**
 * Adaptive softmax (Grave et al. 2017) with its negative log-likelihood. Classes are sorted by frequency: those below
 * cutoffs[0] are in the head, and each further cutoff ends a cluster, which has one output of the head.
 * ln p(class) = ln p_head(class), or ln p_head(cluster) + ln p_cluster(class).
 * Shapes: x (N, inFeatures) or (inFeatures), target (N) or (); output like the target, loss ().
 */
export class AdaptiveLogSoftmaxWithLoss extends Module {
  readonly inFeatures: number;
  readonly nClasses: number;
  readonly cutoffs: readonly number[];
  readonly head: Linear;
  readonly tail: ModuleList<Sequential>;

  constructor(
    inFeatures: number,
    nClasses: number,
    cutoffs: readonly number[],
    options: AdaptiveSoftmaxOptions = {},
  ) {
    super();
    const { divValue = 4, headBias = false, ...place } = options;
    const rising = cutoffs.every((c, i) => Number.isInteger(c) && c > (cutoffs[i - 1] ?? 0) && c < nClasses);
    if (cutoffs.length === 0 || !rising) {
      const rule = `cutoffs must be rising integers between 1 and ${nClasses - 1}`;
      throw new ValueError('AdaptiveLogSoftmaxWithLoss', rule, show(cutoffs), '');
    }
    this.inFeatures = inFeatures;
    this.nClasses = nClasses;
    this.cutoffs = [...cutoffs, nClasses];
    this.head = new Linear(inFeatures, cutoffs[0]! + cutoffs.length, { ...place, bias: headBias });
    this.tail = new ModuleList(
      cutoffs.map((from, i) => {
        const hidden = Math.floor(inFeatures / divValue ** (i + 1));
        const size = this.cutoffs[i + 1]! - from;
        const plain = { ...place, bias: false };
        return new Sequential(new Linear(inFeatures, hidden, plain), new Linear(hidden, size, plain));
      }),
    );
  }
  /** ln p of every class: (N, nClasses). */
  logProb(x: Tensor): Tensor {
    const shortlist = this.cutoffs[0]!;
    const head = this.head(x).logSoftmax(-1); // (N, shortlist + clusters)
    const clusters = this.tail.toArray().map((layer, i) =>
      layer(x)
        .logSoftmax(-1)
        .add(head.narrow(-1, shortlist + i, 1)),
    ); // (N, size)
    return cat([head.narrow(-1, 0, shortlist), ...clusters], -1);
  }
  /** The most probable class: (N). */
  predict(x: Tensor): Tensor {
    return this.logProb(x).argmax(-1);
  }
  /** ln p of the targets, and the mean of its negative. */
  forward(x: Tensor, target: Tensor): { output: Tensor; loss: Tensor } {
    const output = this.logProb(x).gather(-1, target.unsqueeze(-1)).squeeze(-1); // (N)
    return { output, loss: output.mean().neg() };
  }
}

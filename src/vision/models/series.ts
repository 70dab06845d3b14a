// Convolutions along time: Z. Wang, W. Yan, T. Oates, Time Series Classification from Scratch with Deep Neural Networks: A
// Strong Baseline, IJCNN 2017, section II.B: https://arxiv.org/abs/1611.06455

import { BatchNorm1d, Conv1d, Linear, Module, ReLU, Sequential } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface SeriesNetOptions {
  /** Variables of the series. Default 1. */
  readonly inChannels?: number;
  /** Default 2. */
  readonly numClasses?: number;
  /** Channels of the three convolutions. Default [128, 256, 128], the paper's. */
  readonly widths?: readonly [number, number, number];
}

/**
 * The fully convolutional network for series of any length: convolutions over 8, 5 and 3 times, each with batch norm and
 * ReLU, the mean over time, a linear layer. (N, inChannels, T) → (N, numClasses).
 */
export class SeriesNet extends Module {
  readonly features: Sequential;
  readonly classifier: Linear;

  constructor(options: SeriesNetOptions = {}) {
    super();
    const { inChannels = 1, numClasses = 2, widths = [128, 256, 128] } = options;
    const kernelSizes = [8, 5, 3];
    const block = (width: number, i: number): Sequential =>
      new Sequential(
        new Conv1d(i === 0 ? inChannels : widths[i - 1]!, width, kernelSizes[i]!, { padding: 'same' }), // (N, width, T)
        new BatchNorm1d(width),
        new ReLU(),
      );
    this.features = new Sequential(...widths.map(block));
    this.classifier = new Linear(widths[2], numClasses);
  }
  forward(x: Tensor): Tensor {
    x = this.features(x); // (N, 128, T)
    return this.classifier(x.mean(-1)); // (N, numClasses)
  }
}

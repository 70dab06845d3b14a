// VGG: K. Simonyan, A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015, table 1:
// https://arxiv.org/abs/1409.1556. With batch norm after each convolution as in torchvision.

import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  init,
  type Layer,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** Convolutions per stage of configurations A, B, D and E. */
const STAGES = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
} as const;
const WIDTHS = [64, 128, 256, 512, 512] as const;

export interface VggOptions {
  /** Default 1000, with `small` 10. */
  readonly numClasses?: number;
  /** Batch norm between convolution and ReLU: torchvision's `vgg16_bn`. Default false. */
  readonly batchNorm?: boolean;
  /** Of the two dropouts. Default 0.5. */
  readonly dropout?: number;
  /**
   * For images of 32 × 32, which the five poolings bring to 1 × 1: hidden layers of 512 in place of 4096, as in
   * https://github.com/chenyaofo/pytorch-cifar-models. Default false.
   */
  readonly small?: boolean;
}

/** Stages of 3 × 3 convolutions, each closed by 2 × 2 max pooling. (N, 3, H, W) → (N, numClasses). torchvision's keys. */
export class VGG extends Module {
  readonly features: Sequential;
  readonly avgpool: AdaptiveAvgPool2d;
  readonly classifier: Sequential;

  constructor(depth: keyof typeof STAGES, options: VggOptions = {}) {
    super();
    const { batchNorm = false, dropout = 0.5, small = false, numClasses = small ? 10 : 1000 } = options;
    const [places, hidden] = small ? [1, 512] : [7, 4096];
    this.features = convolutions(STAGES[depth], batchNorm);
    this.avgpool = new AdaptiveAvgPool2d([places, places]);
    this.classifier = new Sequential(
      new Linear(512 * places * places, hidden),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hidden, hidden),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hidden, numClasses),
    );
    initialise(this);
  }
  forward(x: Tensor): Tensor {
    x = this.features(x); // (N, 512, H/32, W/32)
    x = this.avgpool(x).flatten(1); // (N, 25088), small: (N, 512)
    return this.classifier(x); // (N, numClasses)
  }
}
function convolutions(stages: readonly number[], batchNorm: boolean): Sequential {
  const layers: Layer[] = [];
  let channels = 3;
  stages.forEach((count, stage) => {
    const width = WIDTHS[stage]!;
    for (let i = 0; i < count; i++) {
      layers.push(new Conv2d(channels, width, 3, { padding: 1 })); // (N, width, H/2^stage, W/2^stage)
      if (batchNorm) layers.push(new BatchNorm2d(width));
      layers.push(new ReLU());
      channels = width;
    }
    layers.push(new MaxPool2d(2)); // half of height and width
  });
  return new Sequential(...layers);
}
/** torchvision's: He's normal by fan-out for convolutions, N(0, 0.01²) for linear layers, biases 0. */
function initialise(net: Module): void {
  for (const m of net.modules()) {
    if (m instanceof Conv2d) init.kaimingNormal_(m.weight, { mode: 'fan_out', nonlinearity: 'relu' });
    else if (m instanceof Linear) init.normal_(m.weight, 0, 0.01);
    else continue;
    init.zeros_(m.bias!);
  }
}

/** Configuration A: 8 convolutions and 3 linear layers, 132.9 M parameters. */
export const vgg11 = (options: VggOptions = {}): VGG => new VGG(11, options);
/** Configuration B: 10 convolutions, 133.0 M parameters. */
export const vgg13 = (options: VggOptions = {}): VGG => new VGG(13, options);
/** Configuration D: 13 convolutions, 138.4 M parameters. */
export const vgg16 = (options: VggOptions = {}): VGG => new VGG(16, options);
/** Configuration E: 16 convolutions, 143.7 M parameters. */
export const vgg19 = (options: VggOptions = {}): VGG => new VGG(19, options);

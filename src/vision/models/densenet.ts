// DenseNet-BC: G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, Densely Connected Convolutional Networks, CVPR 2017,
// table 1 and section 4.2: https://arxiv.org/abs/1608.06993

import { show, ValueError } from '../../base/errors.ts';
import {
  AvgPool2d,
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
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface DenseNetOptions {
  /** Default 1000, with `small` 10. */
  readonly numClasses?: number;
  /** k, the channels that each layer adds. Default 32. */
  readonly growthRate?: number;
  /** Layers per block. Default [6, 12, 24, 16]. */
  readonly blocks?: readonly number[];
  /** Channels of the first convolution. Default 2k. */
  readonly initFeatures?: number;
  /** Channels that a layer's first convolution gives, in k. Default 4. */
  readonly bnSize?: number;
  /** After each layer. Default 0. */
  readonly dropout?: number;
  /** For images of 32 × 32: a 3 × 3 convolution alone in front. Default false. */
  readonly small?: boolean;
}

/** 1 × 1 convolution to bnSize k channels, 3 × 3 convolution to k, each after batch norm and ReLU. (N, C, H, W) → (N, k, H, W). */
class DenseLayer extends Module {
  readonly norm1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly norm2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly dropout: Dropout;
  constructor(inChannels: number, k: number, bnSize: number, dropout: number) {
    super();
    this.norm1 = new BatchNorm2d(inChannels);
    this.conv1 = new Conv2d(inChannels, bnSize * k, 1, { bias: false });
    this.norm2 = new BatchNorm2d(bnSize * k);
    this.conv2 = new Conv2d(bnSize * k, k, 3, { padding: 1, bias: false });
    this.dropout = new Dropout(dropout);
  }
  forward(x: Tensor): Tensor {
    x = this.conv1(this.norm1(x).relu()); // (N, bnSize k, H, W)
    x = this.conv2(this.norm2(x).relu()); // (N, k, H, W)
    return this.dropout(x); // (N, k, H, W)
  }
}
/** Each layer sees what all before it made: (N, C, H, W) → (N, C + layers k, H, W). */
class DenseBlock extends Sequential {
  constructor(layers: number, inChannels: number, k: number, bnSize: number, dropout: number) {
    const named = Array.from({ length: layers }, (_, i): [string, Layer] => [
      `denselayer${i + 1}`,
      new DenseLayer(inChannels + i * k, k, bnSize, dropout),
    ]);
    super(Object.fromEntries(named));
  }
  override forward(x: Tensor): Tensor {
    for (const layer of this) x = cat([x, layer(x)], 1); // (N, C + i k, H, W)
    return x;
  }
}

/** Dense blocks, between them transitions that halve channels and places. (N, 3, H, W) → (N, numClasses). torchvision's keys. */
export class DenseNet extends Module {
  readonly features: Sequential;
  readonly classifier: Linear;

  constructor(options: DenseNetOptions = {}) {
    super();
    const { small = false, numClasses = small ? 10 : 1000, bnSize = 4, dropout = 0 } = options;
    const { growthRate: k = 32, blocks = [6, 12, 24, 16], initFeatures = 2 * k } = options;
    const layers: Record<string, Layer> = small
      ? { conv0: new Conv2d(3, initFeatures, 3, { padding: 1, bias: false }) }
      : {
          conv0: new Conv2d(3, initFeatures, 7, { stride: 2, padding: 3, bias: false }),
          norm0: new BatchNorm2d(initFeatures),
          relu0: new ReLU(),
          pool0: new MaxPool2d(3, { stride: 2, padding: 1 }),
        };
    let channels = initFeatures;
    blocks.forEach((count, i) => {
      layers[`denseblock${i + 1}`] = new DenseBlock(count, channels, k, bnSize, dropout);
      channels += count * k;
      if (i === blocks.length - 1) return;
      const half = Math.floor(channels / 2);
      layers[`transition${i + 1}`] = new Sequential({
        norm: new BatchNorm2d(channels),
        relu: new ReLU(),
        conv: new Conv2d(channels, half, 1, { bias: false }),
        pool: new AvgPool2d(2),
      });
      channels = half;
    });
    // torchvision calls it norm5 with any number of blocks.
    layers['norm5'] = new BatchNorm2d(channels);
    this.features = new Sequential(layers);
    this.classifier = new Linear(channels, numClasses);
    for (const m of this.modules()) if (m instanceof Conv2d) init.kaimingNormal_(m.weight);
    init.zeros_(this.classifier.bias!);
  }
  forward(x: Tensor): Tensor {
    x = this.features(x).relu(); // (N, C, H/32, W/32), small: (N, C, H/4, W/4)
    return this.classifier(x.mean([2, 3])); // (N, numClasses)
  }
}
/** k = 32, blocks of 6, 12, 24 and 16 layers: 8.0 M parameters. */
export const densenet121 = (options: DenseNetOptions = {}): DenseNet => new DenseNet(options);
/**
 * The networks of the paper for CIFAR: three equal blocks of (depth − 4) / 6 layers. Depth 100 with k = 12 (default):
 * 0.77 M parameters, 4.51 % error on CIFAR-10 with augmentation.
 */
export function densenetCifar(
  options: { readonly depth?: number } & Pick<DenseNetOptions, 'numClasses' | 'growthRate' | 'dropout'> = {},
): DenseNet {
  const { depth = 100, growthRate = 12, ...rest } = options;
  const layers = (depth - 4) / 6;
  if (!(Number.isInteger(layers) && layers >= 1))
    throw new ValueError('densenetCifar', 'the depth must be 6n + 4', show(depth), '');
  return new DenseNet({ ...rest, growthRate, blocks: [layers, layers, layers], small: true });
}

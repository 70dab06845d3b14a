// GoogLeNet: C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015, table 1: https://arxiv.org/abs/1409.4842

import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  type ConvLayerOptions,
  Dropout,
  functional as F,
  Identity,
  init,
  type Layer,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  Module,
  Sequential,
} from '../../nn/index.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface GoogLeNetOptions {
  /** Default 1000, with `small` 10. */
  readonly numClasses?: number;
  /** The two classifiers on inner layers, for `withAux`. Default false (torchvision's is true). */
  readonly auxLogits?: boolean;
  /**
   * The network of the paper: biases and local response norm in place of batch norm, and 5 × 5 convolutions in the third
   * branch, where torchvision has 3 × 3. Default false.
   */
  readonly original?: boolean;
  /** For images of 32 × 32: one 3 × 3 convolution in front, no pooling before the first inception. Default false. */
  readonly small?: boolean;
  /** Before the last layer. Default 0.2; the paper drops 0.4. */
  readonly dropout?: number;
}
type Style = Required<Pick<GoogLeNetOptions, 'original'>>;

/** Convolution, batch norm (or a bias, in the original), ReLU. */
class BasicConv2d extends Module {
  readonly conv: Conv2d;
  readonly bn: Layer | null;
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    options: ConvLayerOptions & Style,
  ) {
    super();
    const { original, ...rest } = options;
    this.conv = new Conv2d(inChannels, outChannels, kernelSize, { ...rest, bias: original });
    this.bn = original ? null : new BatchNorm2d(outChannels, { eps: 0.001 });
  }
  forward(x: Tensor): Tensor {
    x = this.conv(x); // (N, O, H′, W′)
    return (this.bn === null ? x : this.bn(x)).relu(); // (N, O, H′, W′)
  }
}

/** Channels of the four branches as table 1 names them: [#1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj]. */
type Branches = readonly [number, number, number, number, number, number];
/** Windows of 1, 3 and 5 and a pooling beside each other, concatenated: (N, C, H, W) → (N, sum of branches, H, W). */
class Inception extends Module {
  readonly branch1: BasicConv2d;
  readonly branch2: Sequential;
  readonly branch3: Sequential;
  readonly branch4: Sequential;
  constructor(inChannels: number, [one, reduce3, three, reduce5, five, pool]: Branches, style: Style) {
    super();
    const large = style.original ? 5 : 3; // https://github.com/pytorch/vision/issues/906
    this.branch1 = new BasicConv2d(inChannels, one, 1, style);
    this.branch2 = new Sequential(
      new BasicConv2d(inChannels, reduce3, 1, style),
      new BasicConv2d(reduce3, three, 3, { padding: 1, ...style }),
    );
    this.branch3 = new Sequential(
      new BasicConv2d(inChannels, reduce5, 1, style),
      new BasicConv2d(reduce5, five, large, { padding: (large - 1) / 2, ...style }),
    );
    this.branch4 = new Sequential(
      new MaxPool2d(3, { stride: 1, padding: 1, ceilMode: true }),
      new BasicConv2d(inChannels, pool, 1, style),
    );
  }
  forward(x: Tensor): Tensor {
    return cat([this.branch1(x), this.branch2(x), this.branch3(x), this.branch4(x)], 1); // (N, Σ, H, W)
  }
}
/** A classifier on an inner layer, whose loss helps the layers below it (section 5). */
class InceptionAux extends Module {
  readonly conv: BasicConv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly dropout = new Dropout(0.7);
  constructor(inChannels: number, numClasses: number, style: Style) {
    super();
    this.conv = new BasicConv2d(inChannels, 128, 1, style);
    this.fc1 = new Linear(2048, 1024);
    this.fc2 = new Linear(1024, numClasses);
  }
  forward(x: Tensor): Tensor {
    x = F.adaptiveAvgPool2d(x, 4); // (N, C, 4, 4)
    x = this.conv(x).flatten(1); // (N, 2048)
    return this.fc2(this.dropout(this.fc1(x).relu())); // (N, numClasses)
  }
}

/** Nine inceptions. (N, 3, H, W) → (N, numClasses). Without `original` torchvision's keys. */
export class GoogLeNet extends Module {
  readonly conv1: BasicConv2d;
  readonly maxpool1: Layer;
  readonly conv2: Layer;
  readonly conv3: Layer;
  readonly maxpool2: Layer;
  readonly inception3a: Inception;
  readonly inception3b: Inception;
  readonly maxpool3 = new MaxPool2d(3, { stride: 2, ceilMode: true });
  readonly inception4a: Inception;
  readonly inception4b: Inception;
  readonly inception4c: Inception;
  readonly inception4d: Inception;
  readonly inception4e: Inception;
  readonly maxpool4: MaxPool2d;
  readonly inception5a: Inception;
  readonly inception5b: Inception;
  readonly aux1: InceptionAux | null;
  readonly aux2: InceptionAux | null;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly dropout: Dropout;
  readonly fc: Linear;

  constructor(options: GoogLeNetOptions = {}) {
    super();
    const {
      original = false,
      small = false,
      numClasses = small ? 10 : 1000,
      dropout = 0.2,
      auxLogits = false,
    } = options;
    const style = { original };
    const norm = (): Layer[] => (original ? [new LocalResponseNorm(5)] : []);
    const pool = (...layers: Layer[]): Layer => {
      const all = [...layers, new MaxPool2d(3, { stride: 2, ceilMode: true })];
      return all.length === 1 ? all[0]! : new Sequential(...all);
    };
    const skip = small ? new Identity() : null;
    this.conv1 = small
      ? new BasicConv2d(3, 192, 3, { padding: 1, ...style })
      : new BasicConv2d(3, 64, 7, { stride: 2, padding: 3, ...style });
    // The original normalises after the first pooling and before the second.
    this.maxpool1 = skip ?? (original ? new Sequential(pool(), ...norm()) : pool());
    this.conv2 = skip ?? new BasicConv2d(64, 64, 1, style);
    this.conv3 = skip ?? new BasicConv2d(64, 192, 3, { padding: 1, ...style });
    this.maxpool2 = skip ?? pool(...norm());
    const inception = (inChannels: number, ...branches: Branches): Inception =>
      new Inception(inChannels, branches, style);
    this.inception3a = inception(192, 64, 96, 128, 16, 32, 32);
    this.inception3b = inception(256, 128, 128, 192, 32, 96, 64);
    this.inception4a = inception(480, 192, 96, 208, 16, 48, 64);
    this.inception4b = inception(512, 160, 112, 224, 24, 64, 64);
    this.inception4c = inception(512, 128, 128, 256, 24, 64, 64);
    this.inception4d = inception(512, 112, 144, 288, 32, 64, 64);
    this.inception4e = inception(528, 256, 160, 320, 32, 128, 128);
    this.maxpool4 = new MaxPool2d(original ? 3 : 2, { stride: 2, ceilMode: true });
    this.inception5a = inception(832, 256, 160, 320, 32, 128, 128);
    this.inception5b = inception(832, 384, 192, 384, 48, 128, 128);
    this.aux1 = auxLogits ? new InceptionAux(512, numClasses, style) : null;
    this.aux2 = auxLogits ? new InceptionAux(528, numClasses, style) : null;
    this.dropout = new Dropout(dropout);
    this.fc = new Linear(1024, numClasses);
    for (const m of this.modules())
      if (m instanceof Conv2d || m instanceof Linear) init.truncNormal_(m.weight, 0, 0.01, -2, 2);
  }
  forward(x: Tensor): Tensor {
    return this.withAux(x).logits; // (N, numClasses)
  }
  /** The logits, and those of the two inner classifiers where the model has them; the paper adds 0.3 of each loss. */
  withAux(x: Tensor): {
    readonly logits: Tensor;
    readonly aux1: Tensor | null;
    readonly aux2: Tensor | null;
  } {
    x = this.maxpool1(this.conv1(x)); // (N, 64, 56, 56), small: (N, 192, 32, 32)
    x = this.maxpool2(this.conv3(this.conv2(x))); // (N, 192, 28, 28), small: (N, 192, 32, 32)
    x = this.inception3b(this.inception3a(x)); // (N, 480, 28, 28)
    x = this.inception4a(this.maxpool3(x)); // (N, 512, 14, 14)
    const aux1 = this.aux1?.(x) ?? null; // (N, numClasses)
    x = this.inception4d(this.inception4c(this.inception4b(x))); // (N, 528, 14, 14)
    const aux2 = this.aux2?.(x) ?? null; // (N, numClasses)
    x = this.maxpool4(this.inception4e(x)); // (N, 832, 7, 7)
    x = this.inception5b(this.inception5a(x)); // (N, 1024, 7, 7)
    x = this.dropout(this.avgpool(x).flatten(1)); // (N, 1024)
    return { logits: this.fc(x), aux1, aux2 }; // (N, numClasses)
  }
}
/** torchvision's GoogLeNet: 6.6 M parameters. */
export const googlenet = (options: GoogLeNetOptions = {}): GoogLeNet => new GoogLeNet(options);

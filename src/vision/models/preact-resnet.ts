// ResNets with pre-activation: K. He, X. Zhang, S. Ren, J. Sun, Identity Mappings in Deep Residual Networks, ECCV 2016,
// figure 4 (e) and the appendix: https://arxiv.org/abs/1603.05027

import { show, ValueError } from '../../base/errors.ts';
import { BatchNorm2d, Conv2d, init, Linear, Module, Sequential } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface PreActOptions {
  /** Default 10. */
  readonly numClasses?: number;
  /** Start the last convolution of each block at 0, so that every block starts as the identity. Default false. */
  readonly zeroInitResidual?: boolean;
}
const conv = (inChannels: number, outChannels: number, kernelSize: number, stride = 1): Conv2d =>
  new Conv2d(inChannels, outChannels, kernelSize, { stride, padding: (kernelSize - 1) / 2, bias: false });

/**
 * Batch norm and ReLU before each convolution, so that the sum passes from block to block unchanged:
 * x + F(relu(bn(x))). Where the shape changes, the shortcut is a 1 × 1 convolution of the activated input.
 */
abstract class PreAct extends Module {
  readonly bn1: BatchNorm2d;
  abstract readonly shortcut: Conv2d | null;
  constructor(inChannels: number) {
    super();
    this.bn1 = new BatchNorm2d(inChannels);
  }
  /** F, from the activated input. */
  protected abstract residual(x: Tensor): Tensor;
  abstract get lastConv(): Conv2d;
  forward(x: Tensor): Tensor {
    const active = this.bn1(x).relu(); // (N, C, H, W)
    const skip = this.shortcut === null ? x : this.shortcut(active); // (N, O, H′, W′)
    return this.residual(active).add(skip); // (N, O, H′, W′)
  }
}
/** Two 3 × 3 convolutions. */
export class PreActBlock extends PreAct {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly shortcut: Conv2d | null;
  constructor(inChannels: number, width: number, stride: number) {
    super(inChannels);
    this.conv1 = conv(inChannels, width, 3, stride);
    this.bn2 = new BatchNorm2d(width);
    this.conv2 = conv(width, width, 3);
    this.shortcut = stride === 1 && inChannels === width ? null : conv(inChannels, width, 1, stride);
  }
  protected residual(x: Tensor): Tensor {
    return this.conv2(this.bn2(this.conv1(x)).relu()); // (N, width, H′, W′)
  }
  get lastConv(): Conv2d {
    return this.conv2;
  }
}
/** 1 × 1, 3 × 3, and 1 × 1 to four times the width. */
export class PreActBottleneck extends PreAct {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly shortcut: Conv2d | null;
  constructor(inChannels: number, width: number, stride: number) {
    super(inChannels);
    const wide = 4 * width;
    this.conv1 = conv(inChannels, width, 1);
    this.bn2 = new BatchNorm2d(width);
    this.conv2 = conv(width, width, 3, stride);
    this.bn3 = new BatchNorm2d(width);
    this.conv3 = conv(width, wide, 1);
    this.shortcut = stride === 1 && inChannels === wide ? null : conv(inChannels, wide, 1, stride);
  }
  protected residual(x: Tensor): Tensor {
    x = this.conv1(x); // (N, width, H, W)
    x = this.conv2(this.bn2(x).relu()); // (N, width, H′, W′)
    return this.conv3(this.bn3(x).relu()); // (N, 4 width, H′, W′)
  }
  get lastConv(): Conv2d {
    return this.conv3;
  }
}

/** A 3 × 3 convolution, stages of blocks that double the channels, a last batch norm. (N, 3, 32, 32) → (N, numClasses). */
export class PreActResNet extends Module {
  readonly conv1: Conv2d;
  readonly layers: Sequential;
  readonly bn: BatchNorm2d;
  readonly linear: Linear;

  constructor(
    block: typeof PreActBlock | typeof PreActBottleneck,
    blocks: readonly number[],
    width: number,
    options: PreActOptions = {},
  ) {
    super();
    const { numClasses = 10, zeroInitResidual = false } = options;
    this.conv1 = conv(3, width, 3);
    let channels = width;
    const stages = blocks.map((count, i) => {
      const made = Array.from({ length: count }, (_, k) => {
        const b = new block(channels, width << i, i > 0 && k === 0 ? 2 : 1);
        channels = (width << i) * block.expansion;
        return b;
      });
      return new Sequential(...made);
    });
    this.layers = new Sequential(...stages);
    this.bn = new BatchNorm2d(channels);
    this.linear = new Linear(channels, numClasses);
    const all = this.modules();
    for (const m of all)
      if (m instanceof Conv2d) init.kaimingNormal_(m.weight, { mode: 'fan_out', nonlinearity: 'relu' });
    if (zeroInitResidual) for (const m of all) if (m instanceof PreAct) init.zeros_(m.lastConv.weight);
  }
  forward(x: Tensor): Tensor {
    x = this.layers(this.conv1(x)); // (N, C, H / 2^(stages − 1), …)
    x = this.bn(x).relu(); // (N, C, H′, W′)
    return this.linear(x.mean([2, 3])); // (N, numClasses)
  }
}
/**
 * The networks of the paper for CIFAR: three stages of 16, 32 and 64 channels. `bottleneck` (default from depth 164 on, as
 * in the paper) has depths 9n + 2, basic blocks have 6n + 2.
 */
export function preactResnet(
  depth: number,
  options: PreActOptions & { readonly bottleneck?: boolean } = {},
): PreActResNet {
  const { bottleneck = depth >= 164, ...rest } = options;
  const n = (depth - 2) / (bottleneck ? 9 : 6);
  if (!(Number.isInteger(n) && n >= 1)) {
    const rule = `the depth must be ${bottleneck ? '9n + 2 with bottlenecks' : '6n + 2 with basic blocks'}`;
    throw new ValueError('preactResnet', rule, show(depth), '');
  }
  return new PreActResNet(bottleneck ? PreActBottleneck : PreActBlock, [n, n, n], 16, rest);
}
/** ResNet-18's four stages from 64 channels, with pre-activation, for images of 32 × 32: 11.2 M parameters. */
export const preactResnet18 = (options: PreActOptions = {}): PreActResNet =>
  new PreActResNet(PreActBlock, [2, 2, 2, 2], 64, options);

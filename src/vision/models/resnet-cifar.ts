// The ResNets for CIFAR and their plain counterparts: K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning for Image
// Recognition, CVPR 2016, section 4.2: https://arxiv.org/abs/1512.03385
// Keys as in https://github.com/akamaster/pytorch_resnet_cifar10, whose weights can be loaded.

import { show, ValueError } from '../../base/errors.ts';
import { BatchNorm2d, Conv2d, functional as F, init, Linear, Module, Sequential } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface CifarResNetOptions {
  /** Default 10. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /**
   * Where a block changes the shape: 'A' takes every second place and fills up with channels of zeros, without parameters
   * (the paper's choice for CIFAR); 'B' is a 1 × 1 convolution with batch norm; 'none' is the plain network, without any
   * shortcut. Default 'A'.
   */
  readonly shortcut?: 'A' | 'B' | 'none';
  /** Start the last batch norm of each block at γ = 0. Goyal et al. 2017. Default false. */
  readonly zeroInitResidual?: boolean;
  /** Channels of the first stage; the next have twice and four times as many. Default 16. */
  readonly width?: number;
}

/** Two 3 × 3 convolutions and a shortcut. (N, C, H, W) → (N, O, H / stride, W / stride). */
export class CifarBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly shortcut: Sequential | null = null;
  readonly kind: 'A' | 'B' | 'none';
  readonly stride: number;

  constructor(inChannels: number, outChannels: number, stride: number, kind: 'A' | 'B' | 'none') {
    super();
    this.conv1 = new Conv2d(inChannels, outChannels, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(outChannels);
    this.conv2 = new Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(outChannels);
    this.kind = kind;
    this.stride = stride;
    if (kind === 'B' && (stride !== 1 || inChannels !== outChannels)) {
      const project = new Conv2d(inChannels, outChannels, 1, { stride, bias: false });
      this.shortcut = new Sequential(project, new BatchNorm2d(outChannels));
    }
  }
  forward(x: Tensor): Tensor {
    const y = this.residual(x); // (N, O, H′, W′)
    return (this.kind === 'none' ? y : y.add(this.skip(x))).relu(); // (N, O, H′, W′)
  }
  /** F(x), what is added to the shortcut. */
  residual(x: Tensor): Tensor {
    const y = this.bn1(this.conv1(x)).relu(); // (N, O, H′, W′)
    return this.bn2(this.conv2(y)); // (N, O, H′, W′)
  }
  /** The shortcut. */
  skip(x: Tensor): Tensor {
    if (this.shortcut !== null) return this.shortcut(x); // (N, O, H′, W′)
    const more = this.conv1.outChannels - this.conv1.inChannels;
    if (this.stride === 1 && more === 0) return x; // (N, O, H, W)
    const places = F.maxPool2d(x, 1, { stride: this.stride }); // (N, C, H′, W′): every stride-th place
    const before = Math.floor(more / 2);
    return F.pad(places, [0, 0, 0, 0, before, more - before]); // (N, O, H′, W′)
  }
}

/**
 * A 3 × 3 convolution, three stages of blocks with 16, 32 and 64 channels, global average pooling, a linear layer: as many
 * weight layers as `depth`. The paper's depths are 6n + 2; other even ones give the first stages a block more.
 * (N, 3, 32, 32) → (N, numClasses).
 */
export class CifarResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly linear: Linear;

  constructor(depth: number, options: CifarResNetOptions = {}) {
    super();
    const { numClasses = 10, inChannels = 3, shortcut = 'A', zeroInitResidual = false, width = 16 } = options;
    if (!(Number.isInteger(depth) && depth >= 8 && depth % 2 === 0))
      throw new ValueError('CifarResNet', 'the depth must be even and at least 8', show(depth), '');
    const blocks = (depth - 2) / 2;
    this.conv1 = new Conv2d(inChannels, width, 3, { padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(width);
    const stage = (i: number): Sequential => {
      const count = Math.floor(blocks / 3) + (i < blocks % 3 ? 1 : 0);
      const [before, after] = i === 0 ? [width, width] : [width << (i - 1), width << i];
      return new Sequential(
        ...Array.from({ length: count }, (_, k) =>
          k === 0
            ? new CifarBlock(before, after, i === 0 ? 1 : 2, shortcut)
            : new CifarBlock(after, after, 1, shortcut),
        ),
      );
    };
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.linear = new Linear(4 * width, numClasses);
    for (const m of this.modules()) {
      if (m instanceof Conv2d || m instanceof Linear) init.kaimingNormal_(m.weight);
      if (zeroInitResidual && m instanceof CifarBlock) init.zeros_(m.bn2.weight!);
    }
  }
  forward(x: Tensor): Tensor {
    x = this.bn1(this.conv1(x)).relu(); // (N, 16, 32, 32)
    x = this.layer1(x); // (N, 16, 32, 32)
    x = this.layer2(x); // (N, 32, 16, 16)
    x = this.layer3(x); // (N, 64, 8, 8)
    return this.linear(x.mean([2, 3])); // (N, numClasses)
  }
}

type Make = (options?: CifarResNetOptions) => CifarResNet;
const residual =
  (depth: number): Make =>
  options =>
    new CifarResNet(depth, options);
/** 0.27 M parameters, 8.75 % error on CIFAR-10 in the paper. */
export const resnet20: Make = residual(20);
/** 0.46 M parameters, 7.51 % error. */
export const resnet32: Make = residual(32);
/** 0.66 M parameters, 7.17 % error. */
export const resnet44: Make = residual(44);
/** 0.85 M parameters, 6.97 % error. */
export const resnet56: Make = residual(56);
/** 1.7 M parameters, 6.43 % error. */
export const resnet110: Make = residual(110);
/** The plain network of a depth (8, 20, 22, 32, 34, 56 …): the same layers without shortcuts. */
export const plainNet = (depth: number, options: Omit<CifarResNetOptions, 'shortcut'> = {}): CifarResNet =>
  new CifarResNet(depth, { ...options, shortcut: 'none' });

// ResNet: K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning for Image Recognition, CVPR 2016, table 1:
// https://arxiv.org/abs/1512.03385
// ResNeXt: S. Xie et al., Aggregated Residual Transformations for Deep Neural Networks, CVPR 2017, table 1:
// https://arxiv.org/abs/1611.05431
//
// As in torchvision, a bottleneck halves the image in its 3 × 3 convolution, not in the first 1 × 1 (ResNet "v1.5").

import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Identity,
  init,
  type Layer,
  Linear,
  MaxPool2d,
  Module,
  Sequential,
} from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface ResNetOptions {
  /** Default 1000, with `small` 10. */
  readonly numClasses?: number;
  /** Start the last batch norm of each block at γ = 0, so that every block starts as the identity. Goyal et al. 2017. */
  readonly zeroInitResidual?: boolean;
  /** Groups of the 3 × 3 convolution in a bottleneck: the cardinality of ResNeXt. Default 1. */
  readonly groups?: number;
  /** Channels per group in the first stage. Default 64. */
  readonly widthPerGroup?: number;
  /** For images of 32 × 32: a 3 × 3 convolution at stride 1 in front, and no pooling. Same keys. Default false. */
  readonly small?: boolean;
  /** Whether blocks add their input; `false` is the plain counterpart of the paper. Default true. */
  readonly residual?: boolean;
}
/** What a block is told about its place. */
interface Place {
  readonly stride: number;
  readonly groups: number;
  readonly widthPerGroup: number;
  readonly residual: boolean;
}

const conv3x3 = (inChannels: number, outChannels: number, stride = 1, groups = 1): Conv2d =>
  new Conv2d(inChannels, outChannels, 3, { stride, padding: 1, groups, bias: false });
const conv1x1 = (inChannels: number, outChannels: number, stride = 1): Conv2d =>
  new Conv2d(inChannels, outChannels, 1, { stride, bias: false });

/** What the shortcut does where the shapes differ: a 1 × 1 convolution with batch norm (option B of the paper). */
function projection(inChannels: number, outChannels: number, { stride, residual }: Place): Sequential | null {
  if (!residual || (stride === 1 && inChannels === outChannels)) return null;
  return new Sequential(conv1x1(inChannels, outChannels, stride), new BatchNorm2d(outChannels));
}

/** Two 3 × 3 convolutions: relu(F(x) + x). (N, C, H, W) → (N, width, H / stride, W / stride). */
export class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;
  readonly residual: boolean;

  constructor(inChannels: number, width: number, place: Place) {
    super();
    this.conv1 = conv3x3(inChannels, width, place.stride);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = conv3x3(width, width);
    this.bn2 = new BatchNorm2d(width);
    this.downsample = projection(inChannels, width, place);
    this.residual = place.residual;
  }
  forward(x: Tensor): Tensor {
    let y = this.bn1(this.conv1(x)).relu(); // (N, width, H′, W′)
    y = this.bn2(this.conv2(y)); // (N, width, H′, W′)
    return (this.residual ? y.add(this.downsample === null ? x : this.downsample(x)) : y).relu(); // (N, width, H′, W′)
  }
  get lastNorm(): BatchNorm2d {
    return this.bn2;
  }
}
/** 1 × 1 to a narrow 3 × 3 (in groups, for ResNeXt) and 1 × 1 to four times the width. */
export class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;
  readonly residual: boolean;

  constructor(inChannels: number, width: number, place: Place) {
    super();
    const narrow = Math.floor(width * (place.widthPerGroup / 64)) * place.groups;
    const wide = width * Bottleneck.expansion;
    this.conv1 = conv1x1(inChannels, narrow);
    this.bn1 = new BatchNorm2d(narrow);
    this.conv2 = conv3x3(narrow, narrow, place.stride, place.groups);
    this.bn2 = new BatchNorm2d(narrow);
    this.conv3 = conv1x1(narrow, wide);
    this.bn3 = new BatchNorm2d(wide);
    this.downsample = projection(inChannels, wide, place);
    this.residual = place.residual;
  }
  forward(x: Tensor): Tensor {
    let y = this.bn1(this.conv1(x)).relu(); // (N, narrow, H, W)
    y = this.bn2(this.conv2(y)).relu(); // (N, narrow, H′, W′)
    y = this.bn3(this.conv3(y)); // (N, 4 width, H′, W′)
    return (this.residual ? y.add(this.downsample === null ? x : this.downsample(x)) : y).relu(); // (N, 4 width, H′, W′)
  }
  get lastNorm(): BatchNorm2d {
    return this.bn3;
  }
}

/** Four stages of 64, 128, 256 and 512 (times the block's expansion) channels. (N, 3, H, W) → (N, numClasses). */
export class ResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly maxpool: Layer;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor(
    block: typeof BasicBlock | typeof Bottleneck,
    blocks: readonly [number, number, number, number],
    options: ResNetOptions = {},
  ) {
    super();
    const { small = false, groups = 1, widthPerGroup = 64, residual = true } = options;
    const { numClasses = small ? 10 : 1000, zeroInitResidual = false } = options;
    this.conv1 = small ? conv3x3(3, 64) : new Conv2d(3, 64, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = new BatchNorm2d(64);
    this.maxpool = small ? new Identity() : new MaxPool2d(3, { stride: 2, padding: 1 });
    let channels = 64;
    const stage = (count: number, width: number, stride: number): Sequential => {
      const layers = Array.from({ length: count }, (_, i) => {
        const place = { stride: i === 0 ? stride : 1, groups, widthPerGroup, residual };
        const made = new block(channels, width, place);
        channels = width * block.expansion;
        return made;
      });
      return new Sequential(...layers);
    };
    this.layer1 = stage(blocks[0], 64, 1);
    this.layer2 = stage(blocks[1], 128, 2);
    this.layer3 = stage(blocks[2], 256, 2);
    this.layer4 = stage(blocks[3], 512, 2);
    this.fc = new Linear(channels, numClasses);
    for (const m of this.modules()) {
      if (m instanceof Conv2d) init.kaimingNormal_(m.weight, { mode: 'fan_out', nonlinearity: 'relu' });
      if (zeroInitResidual && (m instanceof BasicBlock || m instanceof Bottleneck))
        init.zeros_(m.lastNorm.weight!);
    }
  }
  forward(x: Tensor): Tensor {
    x = this.bn1(this.conv1(x)).relu(); // (N, 64, H/2, W/2), small: (N, 64, H, W)
    x = this.maxpool(x); // (N, 64, H/4, W/4), small: (N, 64, H, W)
    x = this.layer1(x); // (N, 64 e, H/4, W/4)
    x = this.layer2(x); // (N, 128 e, H/8, W/8)
    x = this.layer3(x); // (N, 256 e, H/16, W/16)
    x = this.layer4(x); // (N, 512 e, H/32, W/32)
    x = this.avgpool(x).flatten(1); // (N, 512 e)
    return this.fc(x); // (N, numClasses)
  }
}

/** 11.7 M parameters. */
export const resnet18 = (options: ResNetOptions = {}): ResNet =>
  new ResNet(BasicBlock, [2, 2, 2, 2], options);
/** 21.8 M parameters. */
export const resnet34 = (options: ResNetOptions = {}): ResNet =>
  new ResNet(BasicBlock, [3, 4, 6, 3], options);
/** 25.6 M parameters. */
export const resnet50 = (options: ResNetOptions = {}): ResNet =>
  new ResNet(Bottleneck, [3, 4, 6, 3], options);
/** 44.5 M parameters. */
export const resnet101 = (options: ResNetOptions = {}): ResNet =>
  new ResNet(Bottleneck, [3, 4, 23, 3], options);
/** 60.2 M parameters. */
export const resnet152 = (options: ResNetOptions = {}): ResNet =>
  new ResNet(Bottleneck, [3, 8, 36, 3], options);
/** ResNeXt-50 (32 × 4d): 25.0 M parameters. */
export const resnext50 = (options: ResNetOptions = {}): ResNet =>
  resnet50({ groups: 32, widthPerGroup: 4, ...options });
/** ResNeXt-101 (32 × 8d): 88.8 M parameters. */
export const resnext101 = (options: ResNetOptions = {}): ResNet =>
  resnet101({ groups: 32, widthPerGroup: 8, ...options });

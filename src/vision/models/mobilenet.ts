// MobileNetV2: M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen, MobileNetV2: Inverted Residuals and Linear
// Bottlenecks, CVPR 2018, table 2: https://arxiv.org/abs/1801.04381

import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  init,
  type Layer,
  Linear,
  Module,
  ReLU6,
  Sequential,
} from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface MobileNetOptions {
  /** Default 1000, with `small` 10. */
  readonly numClasses?: number;
  /** Factor on all channels, rounded to multiples of 8. Default 1. */
  readonly widthMult?: number;
  /** Before the last layer. Default 0.2. */
  readonly dropout?: number;
  /** For images of 32 × 32: stride 1 in the first convolution and the second stage. Default false. */
  readonly small?: boolean;
}

/** Rows of table 2: expansion, channels, repeats, stride. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** The nearest multiple of 8 that is not more than a tenth below. */
function divisible(channels: number): number {
  const near = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return near < 0.9 * channels ? near + 8 : near;
}
function convBnRelu6(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  stride = 1,
  groups = 1,
): Sequential {
  const padding = (kernelSize - 1) / 2;
  return new Sequential(
    new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, groups, bias: false }),
    new BatchNorm2d(outChannels),
    new ReLU6(),
  );
}

/** Wide depthwise convolution between narrow ends, the last without activation; the shortcut joins the narrow ends. */
class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly shortcut: boolean;
  constructor(inChannels: number, outChannels: number, stride: number, expand: number) {
    super();
    const hidden = inChannels * expand;
    this.conv = new Sequential(
      ...(expand === 1 ? [] : [convBnRelu6(inChannels, hidden, 1)]),
      convBnRelu6(hidden, hidden, 3, stride, hidden),
      new Conv2d(hidden, outChannels, 1, { bias: false }),
      new BatchNorm2d(outChannels),
    );
    this.shortcut = stride === 1 && inChannels === outChannels;
  }
  forward(x: Tensor): Tensor {
    const y = this.conv(x); // (N, O, H / stride, W / stride)
    return this.shortcut ? x.add(y) : y; // (N, O, H / stride, W / stride)
  }
}

/** (N, 3, H, W) → (N, numClasses): 3.5 M parameters at width 1. torchvision's keys. */
export class MobileNetV2 extends Module {
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor(options: MobileNetOptions = {}) {
    super();
    const { small = false, numClasses = small ? 10 : 1000, widthMult = 1, dropout = 0.2 } = options;
    let channels = divisible(32 * widthMult);
    const last = divisible(1280 * Math.max(1, widthMult));
    const layers: Layer[] = [convBnRelu6(3, channels, 3, small ? 1 : 2)];
    STAGES.forEach(([expand, width, repeats, stride], stage) => {
      const out = divisible(width * widthMult);
      for (let i = 0; i < repeats; i++) {
        const step = i > 0 || (small && stage === 1) ? 1 : stride;
        layers.push(new InvertedResidual(channels, out, step, expand));
        channels = out;
      }
    });
    layers.push(convBnRelu6(channels, last, 1));
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(new Dropout(dropout), new Linear(last, numClasses));
    for (const m of this.modules()) {
      if (m instanceof Conv2d) init.kaimingNormal_(m.weight, { mode: 'fan_out' });
      if (m instanceof Linear) {
        init.normal_(m.weight, 0, 0.01);
        init.zeros_(m.bias!);
      }
    }
  }
  forward(x: Tensor): Tensor {
    x = this.features(x); // (N, 1280, H/32, W/32), small: (N, 1280, H/8, W/8)
    return this.classifier(x.mean([2, 3])); // (N, numClasses)
  }
}
/** MobileNetV2. */
export const mobilenetV2 = (options: MobileNetOptions = {}): MobileNetV2 => new MobileNetV2(options);

// U-Net: O. Ronneberger, P. Fischer, T. Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015,
// figure 1: https://arxiv.org/abs/1505.04597

import { ShapeError, showShape } from '../../base/errors.ts';
import {
  BatchNorm2d,
  Conv2d,
  ConvTranspose2d,
  functional as F,
  init,
  type Layer,
  Module,
  ModuleList,
  ReLU,
  Sequential,
  Upsample,
} from '../../nn/index.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface UNetOptions {
  /** Default 3. */
  readonly inChannels?: number;
  /** Classes per pixel. Default 2. */
  readonly numClasses?: number;
  /** Channels at full size; each level below has twice as many. Default 16. */
  readonly width?: number;
  /** How often the image is halved. Default 3. */
  readonly levels?: number;
  /** How it grows again: a trained 2 × 2 transposed convolution, or bilinear interpolation and a convolution. Default 'bilinear'. */
  readonly upsampling?: 'transposed' | 'bilinear';
  /** Keep the size with zeros around, and batch norm; without, as in the paper, borders are lost. Default true. */
  readonly padding?: boolean;
}

/** Two 3 × 3 convolutions with ReLU: (N, C, H, W) → (N, O, H, W), or (N, O, H − 4, W − 4) without padding. */
function twice(inChannels: number, outChannels: number, padding: boolean): Sequential {
  const conv = (channels: number): Layer[] => [
    new Conv2d(channels, outChannels, 3, { padding: padding ? 1 : 0, bias: !padding }),
    ...(padding ? [new BatchNorm2d(outChannels)] : []),
    new ReLU(),
  ];
  return new Sequential(...conv(inChannels), ...conv(outChannels));
}
/** Twice the size, half the channels. */
function grow(channels: number, upsampling: 'transposed' | 'bilinear'): Layer {
  if (upsampling === 'transposed') return new ConvTranspose2d(channels, channels / 2, 2, { stride: 2 });
  return new Sequential(
    new Upsample({ scaleFactor: 2, mode: 'bilinear' }),
    new Conv2d(channels, channels / 2, 1),
  );
}
/** The middle of x with the places of `like`: what the way up can use of the way down. */
function cropTo(x: Tensor, like: Tensor): Tensor {
  const [h, w] = [like.shape[2]!, like.shape[3]!];
  const [top, left] = [(x.shape[2]! - h) >> 1, (x.shape[3]! - w) >> 1];
  return x.narrow(2, top, h).narrow(3, left, w); // (N, C, h, w)
}

/**
 * Down by max pooling, up again, and at each size what was there on the way down beside what comes from below: a class per
 * pixel. (N, inChannels, H, W) → (N, numClasses, H, W), height and width divisible by 2^levels.
 */
export class UNet extends Module {
  readonly down: ModuleList<Sequential>;
  readonly up: ModuleList;
  readonly merge: ModuleList<Sequential>;
  readonly head: Conv2d;
  readonly levels: number;

  constructor(options: UNetOptions = {}) {
    super();
    const {
      inChannels = 3,
      numClasses = 2,
      width = 16,
      levels = 3,
      upsampling = 'bilinear',
      padding = true,
    } = options;
    this.levels = levels;
    const widths = Array.from({ length: levels + 1 }, (_, i) => width << i);
    this.down = new ModuleList(
      widths.map((w, i) => twice(i === 0 ? inChannels : widths[i - 1]!, w, padding)),
    );
    const wide = widths.slice(1).reverse();
    this.up = new ModuleList(wide.map(w => grow(w, upsampling)));
    this.merge = new ModuleList(wide.map(w => twice(w, w / 2, padding)));
    this.head = new Conv2d(width, numClasses, 1);
    // Section 3: N(0, 2 / fan-in).
    for (const m of this.modules()) if (m instanceof Conv2d) init.kaimingNormal_(m.weight);
  }
  forward(x: Tensor): Tensor {
    const across: Tensor[] = [];
    this.down.toArray().forEach((block, i) => {
      if (i > 0) x = F.maxPool2d(halvable(x), 2); // (N, C, H / 2^i, W / 2^i)
      x = block(x); // (N, width 2^i, H / 2^i, W / 2^i)
      across.push(x);
    });
    across.pop();
    this.up.toArray().forEach((grow, i) => {
      x = grow(x); // (N, C / 2, 2 H, 2 W)
      x = cat([cropTo(across.pop()!, x), x], 1); // (N, C, 2 H, 2 W)
      x = this.merge.at(i)(x); // (N, C / 2, 2 H, 2 W)
    });
    return this.head(x); // (N, numClasses, H, W)
  }
}
function halvable(x: Tensor): Tensor {
  if (x.shape[2]! % 2 === 0 && x.shape[3]! % 2 === 0) return x;
  throw new ShapeError('UNet', 'height and width must be even before each halving', showShape(x.shape), '');
}
/** The paper's network: one channel in, 64 to 1024 channels, transposed convolutions, borders lost (572 → 388). */
export const unetOriginal = (
  options: { readonly inChannels?: number; readonly numClasses?: number } = {},
): UNet =>
  new UNet({ inChannels: 1, ...options, width: 64, levels: 4, upsampling: 'transposed', padding: false });

// Layers that move elements: flattening, windows, shuffles, other sizes of images.

import type { Tensor } from '../tensor/tensor.ts';
import * as F from './functional/conv.ts';
import * as R from './functional/resample.ts';
import { Module } from './module.ts';
import { py, pyFloat } from './repr.ts';

/** The dims from startDim to endDim as one: (N, C, H, W) → (N, C·H·W). */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;
  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }
  forward(x: Tensor): Tensor {
    return x.flatten(this.startDim, this.endDim);
  }
  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`;
  }
}
/** One dim as several of the given sizes. */
export class Unflatten extends Module {
  readonly dim: number;
  readonly unflattenedSize: readonly number[];
  constructor(dim: number, unflattenedSize: readonly number[]) {
    super();
    this.dim = dim;
    this.unflattenedSize = [...unflattenedSize];
  }
  forward(x: Tensor): Tensor {
    return x.unflatten(this.dim, this.unflattenedSize);
  }
  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${py(this.unflattenedSize)}`;
  }
}

/** All windows of images as columns: (N, C, H, W) → (N, C·kH·kW, places). */
export class Unfold extends Module {
  readonly kernelSize: F.PerDim;
  readonly options: F.WindowOptions;
  constructor(kernelSize: F.PerDim, options: F.WindowOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    return F.unfold(x, this.kernelSize, this.options);
  }
  override extraRepr(): string {
    const { dilation = 1, padding = 0, stride = 1 } = this.options;
    return `kernel_size=${py(this.kernelSize)}, dilation=${py(dilation)}, padding=${py(padding)}, stride=${py(stride)}`;
  }
}
/** The transpose of Unfold: columns (N, C·kH·kW, places) added up into images (N, C, …outputSize). */
export class Fold extends Unfold {
  readonly outputSize: F.PerDim;
  constructor(outputSize: F.PerDim, kernelSize: F.PerDim, options: F.WindowOptions = {}) {
    super(kernelSize, options);
    this.outputSize = outputSize;
  }
  override forward(x: Tensor): Tensor {
    return F.fold(x, this.outputSize, this.kernelSize, this.options);
  }
  override extraRepr(): string {
    return `output_size=${py(this.outputSize)}, ${super.extraRepr()}`;
  }
}

/** Channels become places: (…, C r², H, W) → (…, C, H r, W r). Shi et al. 2016. */
export class PixelShuffle extends Module {
  readonly upscaleFactor: number;
  constructor(upscaleFactor: number) {
    super();
    this.upscaleFactor = upscaleFactor;
  }
  forward(x: Tensor): Tensor {
    return R.pixelShuffle(x, this.upscaleFactor);
  }
  override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`;
  }
}
/** Places become channels: (…, C, H r, W r) → (…, C r², H, W). */
export class PixelUnshuffle extends Module {
  readonly downscaleFactor: number;
  constructor(downscaleFactor: number) {
    super();
    this.downscaleFactor = downscaleFactor;
  }
  forward(x: Tensor): Tensor {
    return R.pixelUnshuffle(x, this.downscaleFactor);
  }
  override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`;
  }
}
/** Channels of all groups interleaved. Zhang et al. 2018. */
export class ChannelShuffle extends Module {
  readonly groups: number;
  constructor(groups: number) {
    super();
    this.groups = groups;
  }
  forward(x: Tensor): Tensor {
    return R.channelShuffle(x, this.groups);
  }
  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}

/** Another size of the places of (N, C, …): by `size` or `scaleFactor`, nearest by default. */
export class Upsample extends Module {
  readonly options: R.InterpolateOptions;
  constructor(options: R.InterpolateOptions = {}) {
    super();
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    return R.interpolate(x, this.options);
  }
  override extraRepr(): string {
    const { size, scaleFactor, mode = 'nearest' } = this.options;
    const factor =
      typeof scaleFactor === 'number' ? pyFloat(scaleFactor) : `(${scaleFactor?.map(pyFloat).join(', ')})`;
    return `${scaleFactor == null ? `size=${py(size)}` : `scale_factor=${factor}`}, mode=${py(mode)}`;
  }
}
/** Upsample by repeating the nearest pixel. Shape: (N, C, H, W) → (N, C, H·s, W·s). */
export class UpsamplingNearest2d extends Upsample {
  constructor(options: Pick<R.InterpolateOptions, 'size' | 'scaleFactor'> = {}) {
    super({ ...options, mode: 'nearest' });
  }
}
/** Bilinear, with aligned corners. */
export class UpsamplingBilinear2d extends Upsample {
  constructor(options: Pick<R.InterpolateOptions, 'size' | 'scaleFactor'> = {}) {
    super({ ...options, mode: 'bilinear', alignCorners: true });
  }
}

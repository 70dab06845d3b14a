// Pooling layers.

import type { ValuesIndices } from '../tensor/reduce.ts';
import type { Tensor } from '../tensor/tensor.ts';
import * as A from './functional/adaptive.ts';
import type { PerDim } from './functional/conv.ts';
import * as F from './functional/pool.ts';
import { Module } from './module.ts';
import { py, pyFloat } from './repr.ts';

/** A layer over windows of a size. */
abstract class Pool<O extends F.PoolOptions> extends Module {
  readonly kernelSize: PerDim;
  readonly options: O;
  constructor(kernelSize: PerDim, options: O = {} as O) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
  override extraRepr(): string {
    const { stride, padding = 0 } = this.options;
    return `kernel_size=${py(this.kernelSize)}, stride=${py(stride ?? this.kernelSize)}, padding=${py(padding)}`;
  }
}
type MaxOptions = NonNullable<Parameters<typeof F.maxPool2d>[2]>;

/** The largest element of each window; `withIndices` also returns where it was, for MaxUnpool. */
abstract class MaxPool extends Pool<MaxOptions> {
  abstract withIndices(x: Tensor): ValuesIndices;
  override extraRepr(): string {
    const { dilation = 1, ceilMode = false } = this.options;
    return `${super.extraRepr()}, dilation=${py(dilation)}, ceil_mode=${py(ceilMode)}`;
  }
}
/** (N, C, L) or (C, L); the stride is the window's size by default. */
export class MaxPool1d extends MaxPool {
  forward(x: Tensor): Tensor {
    return F.maxPool1d(x, this.kernelSize, this.options);
  }
  withIndices(x: Tensor): ValuesIndices {
    return F.maxPool1dWithIndices(x, this.kernelSize, this.options);
  }
}
/** (N, C, H, W) or (C, H, W); the stride is the window's size by default. */
export class MaxPool2d extends MaxPool {
  forward(x: Tensor): Tensor {
    return F.maxPool2d(x, this.kernelSize, this.options);
  }
  withIndices(x: Tensor): ValuesIndices {
    return F.maxPool2dWithIndices(x, this.kernelSize, this.options);
  }
}
/** (N, C, D, H, W) or (C, D, H, W); the stride is the window's size by default. */
export class MaxPool3d extends MaxPool {
  forward(x: Tensor): Tensor {
    return F.maxPool3d(x, this.kernelSize, this.options);
  }
  withIndices(x: Tensor): ValuesIndices {
    return F.maxPool3dWithIndices(x, this.kernelSize, this.options);
  }
}

/** The transposes of max pools: values at their indices, zeros elsewhere. */
export class MaxUnpool1d extends Pool<F.UnpoolOptions> {
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor {
    return F.maxUnpool1d(x, indices, this.kernelSize, { ...this.options, outputSize: outputSize ?? null });
  }
}
/** Values of MaxPool2d back at their indices. */
export class MaxUnpool2d extends Pool<F.UnpoolOptions> {
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor {
    return F.maxUnpool2d(x, indices, this.kernelSize, { ...this.options, outputSize: outputSize ?? null });
  }
}
/** Values of MaxPool3d back at their indices. */
export class MaxUnpool3d extends Pool<F.UnpoolOptions> {
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[] | null): Tensor {
    return F.maxUnpool3d(x, indices, this.kernelSize, { ...this.options, outputSize: outputSize ?? null });
  }
}

/** The mean of each window of (N, C, L) or (C, L). */
export class AvgPool1d extends Pool<F.AvgPoolOptions> {
  forward(x: Tensor): Tensor {
    return F.avgPool1d(x, this.kernelSize, this.options);
  }
}
/** The mean of each window of (N, C, H, W) or (C, H, W). */
export class AvgPool2d extends Pool<F.AvgPoolOptions> {
  forward(x: Tensor): Tensor {
    return F.avgPool2d(x, this.kernelSize, this.options);
  }
}
/** The mean of each window of (N, C, D, H, W) or (C, D, H, W). */
export class AvgPool3d extends Pool<F.AvgPoolOptions> {
  forward(x: Tensor): Tensor {
    return F.avgPool3d(x, this.kernelSize, this.options);
  }
}

/** (Σ xᵖ)^{1/p} of each window. */
abstract class LPPool extends Pool<F.PoolOptions> {
  readonly normType: number;
  constructor(normType: number, kernelSize: PerDim, options: F.PoolOptions = {}) {
    super(kernelSize, options);
    this.normType = normType;
  }
  override extraRepr(): string {
    const { stride, ceilMode = false } = this.options;
    const norm = pyFloat(this.normType);
    return `norm_type=${norm}, kernel_size=${py(this.kernelSize)}, stride=${py(stride)}, ceil_mode=${py(ceilMode)}`;
  }
}
/** (Σ xᵖ)^{1/p} over windows of (N, C, L). */
export class LPPool1d extends LPPool {
  forward(x: Tensor): Tensor {
    return F.lpPool1d(x, this.normType, this.kernelSize, this.options);
  }
}
/** (Σ xᵖ)^{1/p} over windows of (N, C, H, W). */
export class LPPool2d extends LPPool {
  forward(x: Tensor): Tensor {
    return F.lpPool2d(x, this.normType, this.kernelSize, this.options);
  }
}

/** Pooling to a given number of places; null keeps a dim. */
abstract class AdaptivePool extends Module {
  readonly outputSize: A.OutputSize;
  constructor(outputSize: A.OutputSize) {
    super();
    this.outputSize = outputSize;
  }
  override extraRepr(): string {
    return `output_size=${py(this.outputSize)}`;
  }
}
/** The mean of equal parts: (N, C, L) → (N, C, outputSize). */
export class AdaptiveAvgPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return A.adaptiveAvgPool1d(x, this.outputSize);
  }
}
/** The mean of equal parts: (N, C, H, W) → (N, C, …outputSize); size 1 is global average pooling. */
export class AdaptiveAvgPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return A.adaptiveAvgPool2d(x, this.outputSize);
  }
}
/** The mean of equal parts: (N, C, D, H, W) → (N, C, …outputSize). */
export class AdaptiveAvgPool3d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return A.adaptiveAvgPool3d(x, this.outputSize);
  }
}
/** The largest element of equal parts: (N, C, L) → (N, C, outputSize). */
export class AdaptiveMaxPool1d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return A.adaptiveMaxPool1d(x, this.outputSize);
  }
}
/** The largest element of equal parts: (N, C, H, W) → (N, C, …outputSize). */
export class AdaptiveMaxPool2d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return A.adaptiveMaxPool2d(x, this.outputSize);
  }
}
/** The largest element of equal parts: (N, C, D, H, W) → (N, C, …outputSize). */
export class AdaptiveMaxPool3d extends AdaptivePool {
  forward(x: Tensor): Tensor {
    return A.adaptiveMaxPool3d(x, this.outputSize);
  }
}

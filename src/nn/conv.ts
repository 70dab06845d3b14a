// Convolution layers and their transposes.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import * as F from './functional/conv.ts';
import { type PadMode, pad } from './functional/pad.ts';
import * as init from './init.ts';
import { type LayerOptions, resetBias, unfilled } from './linear.ts';
import { Module } from './module.ts';
import type { Parameter } from './parameter.ts';
import { py } from './repr.ts';

export interface ConvLayerOptions extends LayerOptions {
  readonly stride?: F.PerDim;
  /** Zeros (or what `paddingMode` says) around the places; 'same' keeps their number. Default 0. */
  readonly padding?: F.PerDim | 'same' | 'valid';
  readonly dilation?: F.PerDim;
  /** Channels are split into groups that do not see each other. Default 1. */
  readonly groups?: number;
  /** Default 'zeros'. */
  readonly paddingMode?: 'zeros' | Exclude<PadMode, 'constant'>;
}

/** What all convolutions share: sizes, parameters, their first values, the print. */
abstract class ConvBase extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[] | 'same' | 'valid';
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly paddingMode: NonNullable<ConvLayerOptions['paddingMode']>;
  declare weight: Parameter;
  declare bias: Parameter | null;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: F.PerDim,
    options: ConvLayerOptions & { readonly outputPadding?: F.PerDim },
    transposed: boolean,
  ) {
    super();
    const {
      stride = 1,
      padding = 0,
      outputPadding = 0,
      dilation = 1,
      groups = 1,
      paddingMode = 'zeros',
    } = options;
    const op = new.target.name;
    const each = (name: string, value: F.PerDim, least: number): number[] =>
      F.perDim(op, name, value, this.rank, least);
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      const got = `${inChannels} and ${outChannels} for ${groups}`;
      throw new ValueError(op, 'both numbers of channels must be divisible by groups', got, '');
    }
    if (
      !['zeros', 'reflect', 'replicate', 'circular'].includes(paddingMode) ||
      (transposed && paddingMode !== 'zeros')
    )
      throw new ValueError(op, 'paddingMode is zeros, reflect, replicate or circular', show(paddingMode), '');
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = each('kernelSize', kernelSize, 1);
    this.stride = each('stride', stride, 1);
    this.padding = typeof padding === 'string' ? padding : each('padding', padding, 0);
    this.outputPadding = each('outputPadding', outputPadding, 0);
    this.dilation = each('dilation', dilation, 1);
    this.groups = groups;
    this.paddingMode = paddingMode;
    const channels = transposed ? [inChannels, outChannels / groups] : [outChannels, inChannels / groups];
    this.weight = unfilled([...channels, ...this.kernelSize], options);
    this.registerParameter('bias', options.bias === false ? null : unfilled([outChannels], options));
    this.resetParameters();
  }
  /** The number of dims of a place. */
  protected abstract get rank(): 1 | 2 | 3;
  resetParameters(): void {
    init.kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    resetBias(this.bias, init.fanInAndFanOut(this.weight)[0]);
  }
  override extraRepr(): string {
    const { padding, dilation, outputPadding, groups, paddingMode } = this;
    const other = (list: readonly number[], value: number): boolean => list.some(n => n !== value);
    return [
      `${this.inChannels}, ${this.outChannels}, kernel_size=${py(this.kernelSize)}, stride=${py(this.stride)}`,
      ...(typeof padding === 'string' || other(padding, 0)
        ? [`padding=${typeof padding === 'string' ? padding : py(padding)}`]
        : []),
      ...(other(dilation, 1) ? [`dilation=${py(dilation)}`] : []),
      ...(other(outputPadding, 0) ? [`output_padding=${py(outputPadding)}`] : []),
      ...(groups === 1 ? [] : [`groups=${groups}`]),
      ...(this.bias === null ? ['bias=False'] : []),
      ...(paddingMode === 'zeros' ? [] : [`padding_mode=${paddingMode}`]),
    ].join(', ');
  }
}

abstract class Conv extends ConvBase {
  constructor(inChannels: number, outChannels: number, kernelSize: F.PerDim, options: ConvLayerOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, false);
  }
  forward(x: Tensor): Tensor {
    const { stride, padding, dilation, groups, paddingMode: mode, weight, bias } = this;
    const convolve = [F.conv1d, F.conv2d, F.conv3d][this.rank - 1]!;
    if (mode === 'zeros') return convolve(x, weight, bias, { stride, padding, dilation, groups });
    return convolve(pad(x, this.amounts(), { mode }), weight, bias, { stride, dilation, groups });
  }
  override macs(_: readonly unknown[], y: Tensor): number {
    return (y.numel * this.weight.numel) / this.outChannels;
  }
  /** Padding at both ends of each dim, the last dim first. */
  private amounts(): number[] {
    const { padding, kernelSize, dilation } = this;
    const ends = kernelSize.map((k, d) => {
      if (typeof padding === 'object') return [padding[d]!, padding[d]!];
      const total = padding === 'same' ? dilation[d]! * (k - 1) : 0;
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    });
    return ends.reverse().flat();
  }
}
/**
 * Convolution of sequences: (N, C, L) or (C, L) → (N, O, L′) with
 * L′ = ⌊(L + 2 padding − dilation (k − 1) − 1) / stride⌋ + 1. Weight (O, C / groups, k), bias (O), both uniform in
 * ±√(groups / (C k)).
 */
export class Conv1d extends Conv {
  protected get rank(): 1 {
    return 1;
  }
}
/** Convolution of images: (N, C, H, W) or (C, H, W) → (N, O, H′, W′); weight (O, C / groups, kH, kW). */
export class Conv2d extends Conv {
  protected get rank(): 2 {
    return 2;
  }
}
/** Convolution of volumes: (N, C, D, H, W) or (C, D, H, W); weight (O, C / groups, kD, kH, kW). */
export class Conv3d extends Conv {
  protected get rank(): 3 {
    return 3;
  }
}

export interface ConvTransposeLayerOptions extends LayerOptions {
  readonly stride?: F.PerDim;
  readonly padding?: F.PerDim;
  /** Added to one side of the output's size: which of the sizes that lead to the same input. Default 0. */
  readonly outputPadding?: F.PerDim;
  readonly groups?: number;
  readonly dilation?: F.PerDim;
}
abstract class ConvTranspose extends ConvBase {
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: F.PerDim,
    options: ConvTransposeLayerOptions = {},
  ) {
    super(inChannels, outChannels, kernelSize, options, true);
  }
  /** `outputSize` names the places of the output, instead of `outputPadding`. */
  forward(x: Tensor, outputSize?: readonly number[] | null): Tensor {
    const { stride, dilation, groups, weight, bias } = this;
    const padding = this.padding as readonly number[];
    const outputPadding = outputSize == null ? this.outputPadding : this.paddingFor(x, outputSize);
    const convolve = [F.convTranspose1d, F.convTranspose2d, F.convTranspose3d][this.rank - 1]!;
    return convolve(x, weight, bias, { stride, padding, outputPadding, groups, dilation });
  }
  override macs([x]: readonly unknown[]): number {
    return ((x as Tensor).numel * this.weight.numel) / this.inChannels;
  }
  private paddingFor(x: Tensor, outputSize: readonly number[]): number[] {
    const places = x.shape.slice(-this.rank);
    const want = outputSize.slice(-this.rank);
    const padding = this.padding as readonly number[];
    return places.map((n, d) => {
      const least =
        (n - 1) * this.stride[d]! - 2 * padding[d]! + this.dilation[d]! * (this.kernelSize[d]! - 1) + 1;
      const more = (want[d] ?? -1) - least;
      if (!(more >= 0 && more < this.stride[d]!)) {
        throw new ShapeError(
          this.constructor.name,
          `dim ${d} of the output is at least ${least} and below ${least + this.stride[d]!}`,
          showShape(outputSize),
          '',
        );
      }
      return more;
    });
  }
}
/** The transpose of Conv1d: (N, C, L) → (N, O, (L − 1) stride − 2 padding + dilation (k − 1) + outputPadding + 1). */
export class ConvTranspose1d extends ConvTranspose {
  protected get rank(): 1 {
    return 1;
  }
}
/** The transpose of Conv2d; weight (C, O / groups, kH, kW). */
export class ConvTranspose2d extends ConvTranspose {
  protected get rank(): 2 {
    return 2;
  }
}
/** The transpose of Conv3d; weight (C, O / groups, kD, kH, kW). */
export class ConvTranspose3d extends ConvTranspose {
  protected get rank(): 3 {
    return 3;
  }
}

// Functions of pictures: what the transforms do, without chance, in torchvision.transforms.functional's names.
// In: a picture of bytes, or a floating tensor (…, C, H, W) with values of 0 … 1. Out: the same kind. Bytes come out as
// Pillow makes them; tensors in tensor ops, so that gradients pass and compiled programs may hold them.

import { isFloat } from '../base/dtype.ts';
import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { where } from '../tensor/functions.ts';
import type { Tensor } from '../tensor/tensor.ts';
import * as floatColor from './floating/color.ts';
import * as floatPlace from './floating/geometry.ts';
import { Image, type Size } from './image.ts';
import * as byteColor from './raster/color.ts';
import * as bytePlace from './raster/place.ts';
import { resize as resizeBytes, resizedSize } from './raster/resample.ts';
import {
  affineMatrix,
  type Point,
  rotation,
  rotate as turn,
  type WarpOptions,
  warp as warpBytes,
} from './raster/warp.ts';
import { checkPadding, middle, type PaddingOption, type PadOptions } from './transforms/crop.ts';
import type { ResizeTransformOptions, RotationOptions } from './transforms/geometry.ts';
import { Normalize } from './transforms/tensor.ts';
import { checkSize, type SizeOption } from './transforms/transform.ts';

export type Picture = Image | Tensor;

/** Calls the one that fits. */
function each<P extends Picture>(
  op: string,
  x: P,
  bytes: (x: Image) => Image,
  numbers: (x: Tensor) => Tensor,
): P {
  if (x instanceof Image) return bytes(x) as P;
  if (!isFloat(x.dtype) || x.ndim < 3)
    throw new ShapeError(
      op,
      'it takes an Image or a floating tensor (…, C, H, W)',
      `${x.dtype} ${showShape(x.shape)}`,
      'Image.toTensor() makes one of an Image',
    );
  return numbers(x) as P;
}
/** Functions of (N, C, H, W) for any number of dims before the channels. */
const batched =
  (f: (x: Tensor) => Tensor) =>
  (x: Tensor): Tensor => {
    const y = f(x.reshape([-1, ...x.shape.slice(-3)]));
    return y.reshape([...x.shape.slice(0, -3), ...y.shape.slice(1)]);
  };
const sizeOf = (x: Picture): Size =>
  x instanceof Image ? x : { height: x.shape.at(-2)!, width: x.shape.at(-1)! };

// ---- places ------------------------------------------------------------------------------------------------------------

/** To [height, width]; one number is the shorter side. Tensors: 'nearest', 'bilinear', 'bicubic'. Default 'bilinear'. */
export function resize<P extends Picture>(x: P, size: SizeOption, options: ResizeTransformOptions = {}): P {
  checkSize('resize', size);
  const to = resizedSize(size, sizeOf(x), options.maxSize);
  return each(
    'resize',
    x,
    y => resizeBytes(y, to.height, to.width, options),
    batched(y => floatPlace.resize(y, to, options)),
  );
}
/** A part; 0 where it lies beyond the edges. */
export function crop<P extends Picture>(x: P, top: number, left: number, height: number, width: number): P {
  const region = { top, left, height, width };
  return each(
    'crop',
    x,
    y => bytePlace.crop(y, region),
    y => floatPlace.crop(y, region),
  );
}
/** The middle, 0 around a smaller picture. */
export function centerCrop<P extends Picture>(x: P, size: SizeOption): P {
  const { top, left, height, width } = middle(sizeOf(x), checkSize('centerCrop', size));
  return crop(x, top, left, height, width);
}
/** The four corners (top left, top right, bottom left, bottom right) and the middle. */
export function fiveCrop<P extends Picture>(x: P, size: SizeOption): [P, P, P, P, P] {
  const { height: h, width: w } = checkSize('fiveCrop', size);
  const { height, width } = sizeOf(x);
  if (h > height || w > width)
    throw new ShapeError(
      'fiveCrop',
      `the picture must be at least ${showShape([h, w])}`,
      showShape([height, width]),
      'resize first',
    );
  const corner = (top: number, left: number): P => crop(x, top, left, h, w);
  const [bottom, right] = [height - h, width - w];
  return [corner(0, 0), corner(0, right), corner(bottom, 0), corner(bottom, right), centerCrop(x, size)];
}
/** More pixels at the edges: [left and right, top and bottom] or [left, top, right, bottom]. */
export function pad<P extends Picture>(x: P, padding: PaddingOption, options: PadOptions = {}): P {
  const sides = checkPadding('pad', padding, options);
  const { fill, paddingMode } = options;
  return each(
    'pad',
    x,
    y => bytePlace.pad(y, sides, fill, paddingMode),
    batched(y => floatPlace.pad(y, sides, fill, paddingMode)),
  );
}
/** Left and right change places. */
export const hflip = <P extends Picture>(x: P): P =>
  each('hflip', x, bytePlace.horizontalFlip, y => y.flip(-1));
/** Top and bottom change places. */
export const vflip = <P extends Picture>(x: P): P =>
  each('vflip', x, bytePlace.verticalFlip, y => y.flip(-2));
/** By degrees against the clock. */
export function rotate<P extends Picture>(x: P, degrees: number, options: RotationOptions = {}): P {
  const r = rotation(sizeOf(x), degrees, options);
  return each(
    'rotate',
    x,
    y => turn(y, r, options),
    batched(y => floatPlace.warp(y, r.from, r.size, options)),
  );
}
export interface AffineFunctionOptions extends WarpOptions {
  /** Degrees with the clock. Default 0. */
  readonly angle?: number;
  /** Pixels to the right and down. Default [0, 0]. */
  readonly translate?: Point;
  /** Default 1. */
  readonly scale?: number;
  /** Degrees along x and y. Default [0, 0]. */
  readonly shear?: Point;
  /** The point that stays, (x, y). Default: the middle. */
  readonly center?: Point;
}
/** Rotation, shift, scale and shear about a point. */
export function affine<P extends Picture>(x: P, options: AffineFunctionOptions = {}): P {
  const size = sizeOf(x);
  const { angle = 0, translate = [0, 0], scale = 1, shear = [0, 0] } = options;
  const { center = [size.width / 2, size.height / 2] } = options;
  const from = affineMatrix(center, { angle, translate, scale, shear });
  return each(
    'affine',
    x,
    y => warpBytes(y, from, size, options),
    batched(y => floatPlace.warp(y, from, size, options)),
  );
}
/**
 * Smoothed by exp(−d²/2σ²), each channel by itself, mirrored at the edges. Odd sizes and deviations σ are one number or
 * [width, height]; default σ = 0.15 size + 0.35.
 */
export function gaussianBlur<P extends Picture>(
  x: P,
  kernelSize: number | readonly [number, number],
  sigma?: number | readonly [number, number],
): P {
  const sizes = typeof kernelSize === 'number' ? ([kernelSize, kernelSize] as const) : kernelSize;
  const sigmas = typeof sigma === 'number' ? [sigma, sigma] : (sigma ?? sizes.map(k => 0.15 * k + 0.35));
  if (!sizes.every(k => Number.isInteger(k) && k > 0 && k % 2 === 1) || !sigmas.every(s => s > 0))
    throw new ValueError(
      'gaussianBlur',
      'kernelSize must be odd and sigma > 0',
      `${show(kernelSize)} and ${show(sigma)}`,
      '',
    );
  const blur = batched(y => floatPlace.gaussianBlur(y, sizes, sigmas));
  return each('gaussianBlur', x, y => Image.from(blur(y.toTensor())), blur);
}

// ---- colours -----------------------------------------------------------------------------------------------------------

function checkFactor(op: string, factor: number): void {
  if (!(factor >= 0)) throw new ValueError(op, 'the factor must be >= 0', show(factor), '');
}
const adjusting =
  (
    op: string,
    bytes: (x: Image, factor: number) => Image,
    numbers: (x: Tensor, factor: number) => Tensor,
    check: (op: string, factor: number) => void = checkFactor,
  ) =>
  <P extends Picture>(x: P, factor: number): P => {
    check(op, factor);
    return each(
      op,
      x,
      y => bytes(y, factor),
      y => numbers(y, factor),
    );
  };
/** 0: black, 1: the picture, 2: twice as bright. */
export const adjustBrightness = adjusting(
  'adjustBrightness',
  byteColor.adjustBrightness,
  floatColor.adjustBrightness,
);
/** 0: all pixels of the mean grey, 1: the picture. */
export const adjustContrast = adjusting(
  'adjustContrast',
  byteColor.adjustContrast,
  floatColor.adjustContrast,
);
/** 0: grey, 1: the picture. */
export const adjustSaturation = adjusting(
  'adjustSaturation',
  byteColor.adjustSaturation,
  floatColor.adjustSaturation,
);
/** 0: smoothed, 1: the picture, 2: sharper. Edges stay. */
export const adjustSharpness = adjusting(
  'adjustSharpness',
  byteColor.adjustSharpness,
  floatColor.adjustSharpness,
);
/** Turns the colour circle by a share of it, −0.5 … 0.5. */
export const adjustHue = adjusting('adjustHue', byteColor.adjustHue, floatColor.adjustHue, (op, factor) => {
  if (!(Math.abs(factor) <= 0.5))
    throw new ValueError(op, 'the factor must be in -0.5 … 0.5', show(factor), '');
});
/** gain · v^gamma of values of 0 … 1: above 1 darker, below 1 brighter shadows. */
export function adjustGamma<P extends Picture>(x: P, gamma: number, gain = 1): P {
  if (!(gamma >= 0)) throw new ValueError('adjustGamma', 'gamma must be >= 0', show(gamma), '');
  return each(
    'adjustGamma',
    x,
    y => byteColor.adjustGamma(y, gamma, gain),
    y => floatColor.adjustGamma(y, gamma, gain),
  );
}
/** Grey in one channel, or the same grey in three. */
export function rgbToGrayscale<P extends Picture>(x: P, numOutputChannels: 1 | 3 = 1): P {
  return each(
    'rgbToGrayscale',
    x,
    y => byteColor.grayscale(y, numOutputChannels),
    y => {
      const grey = floatColor.grayscale(y);
      return numOutputChannels === 1 ? grey : grey.expand([...y.shape.slice(0, -3), 3, ...y.shape.slice(-2)]);
    },
  );
}
/** (x − mean) / std for each channel of a tensor. */
export const normalize = (x: Tensor, mean: readonly number[], std: readonly number[]): Tensor =>
  new Normalize(mean, std)(x);
/** The negative. */
export const invert = <P extends Picture>(x: P): P => each('invert', x, byteColor.invert, y => y.rsub(1));
/** Inverts values from the threshold on: of bytes 0 … 255, of numbers 0 … 1. */
export const solarize = <P extends Picture>(x: P, threshold: number): P =>
  each(
    'solarize',
    x,
    y => byteColor.solarize(y, threshold),
    y => where(y.lt(threshold), y, y.rsub(1)),
  );
/** Keeps the upper `bits` of each byte. */
export const posterize: (x: Image, bits: number) => Image = byteColor.posterize;
/** Stretches each channel to 0 … 255. */
export const autocontrast: (x: Image) => Image = byteColor.autocontrast;
/** Makes the values of each channel about equally frequent. */
export const equalize: (x: Image) => Image = byteColor.equalize;

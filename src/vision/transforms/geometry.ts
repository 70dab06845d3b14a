// Resizing, flips, rotations and affine maps, of pictures, masks and boxes together.
// Names, defaults and values as torchvision.transforms.v2 on pictures of Pillow.

import { show, ValueError } from '../../base/errors.ts';
import { type BoundingBoxes, Mask, type Raster, type Size } from '../image.ts';
import { type Fill, horizontalFlip, verticalFlip } from '../raster/place.ts';
import { checkInterpolation, type Interpolation, resize, resizedSize } from '../raster/resample.ts';
import {
  affineMatrix,
  apply,
  inverse,
  type Matrix,
  type Point,
  type Rotation,
  rotate,
  rotation,
  type WarpInterpolation,
  warp,
} from '../raster/warp.ts';
import type { Draw } from './draw.ts';
import { checkRange, checkShare, checkSize, Geometry, type SizeOption } from './transform.ts';

export interface ResizeTransformOptions {
  /** Default 'bilinear'. */
  readonly interpolation?: Interpolation;
  /** The longer side is at most this; only with one number for size. */
  readonly maxSize?: number;
  /** Average over all that a smaller pixel covers. Default true. */
  readonly antialias?: boolean;
}
/** To [height, width]; one number is the length of the shorter side. */
export class Resize extends Geometry<Size> {
  readonly random = false;
  private readonly size: SizeOption;
  private readonly options: ResizeTransformOptions;
  constructor(size: SizeOption, options: ResizeTransformOptions = {}) {
    super();
    checkSize('Resize', size);
    checkInterpolation('Resize', options.interpolation ?? 'bilinear');
    const { maxSize } = options;
    if (maxSize !== undefined && !(typeof size === 'number' && maxSize > size))
      throw new ValueError('Resize', 'maxSize must be above size, a single number', show(maxSize), '');
    this.size = size;
    this.options = options;
  }
  protected override choose(from: Size): Size {
    return resizedSize(this.size, from, this.options.maxSize);
  }
  protected override move<R extends Raster>(x: R, { height, width }: Size): R {
    return resize(x, height, width, x instanceof Mask ? { interpolation: 'nearest' } : this.options);
  }
  protected override moveBoxes(boxes: BoundingBoxes, to: Size): BoundingBoxes {
    return boxes.moved(to, (x, y) => [(x * to.width) / boxes.width, (y * to.height) / boxes.height]);
  }
}

/** A reflection with probability p. */
abstract class Flip extends Geometry<true> {
  readonly random = true;
  readonly p: number;
  constructor(p = 0.5) {
    super();
    this.p = checkShare(new.target.name, 'p', p);
  }
  protected override choose(_size: Size, draw: Draw): true | null {
    return draw.chance(this.p) || null;
  }
}
/** Mirrors left and right with probability p. */
export class RandomHorizontalFlip extends Flip {
  protected override move<R extends Raster>(x: R): R {
    return horizontalFlip(x);
  }
  protected override moveBoxes(boxes: BoundingBoxes): BoundingBoxes {
    return boxes.moved(boxes, (x, y) => [boxes.width - x, y]);
  }
}
/** Turns upside down, mirrored, with probability p. */
export class RandomVerticalFlip extends Flip {
  protected override move<R extends Raster>(x: R): R {
    return verticalFlip(x);
  }
  protected override moveBoxes(boxes: BoundingBoxes): BoundingBoxes {
    return boxes.moved(boxes, (x, y) => [x, boxes.height - y]);
  }
}

export interface WarpTransformOptions {
  /** Default 'nearest'. */
  readonly interpolation?: WarpInterpolation;
  /** The colour of what comes from outside, a number or one for each channel; masks get 0. Default 0. */
  readonly fill?: Fill;
  /** The point that stays, [x, y]. Default: the middle. */
  readonly center?: Point;
}
const maskOptions = { interpolation: 'nearest', fill: 0 } as const;
const spread = (op: string, name: string, v: number | readonly number[]): readonly [number, number] => {
  if (typeof v === 'number' && !(v >= 0))
    throw new ValueError(op, `${name} must be >= 0, or [low, high]`, show(v), '');
  return checkRange(op, name, typeof v === 'number' ? [-v, v] : v);
};

export interface RotationOptions extends WarpTransformOptions {
  /** Make the result so large that nothing is cut off. Default false. */
  readonly expand?: boolean;
}
/** Turns by an angle in [−degrees, degrees] or [low, high], against the clock. */
export class RandomRotation extends Geometry<Rotation> {
  readonly random = true;
  private readonly degrees: readonly [number, number];
  private readonly options: RotationOptions;
  constructor(degrees: number | readonly [number, number], options: RotationOptions = {}) {
    super();
    this.degrees = spread('RandomRotation', 'degrees', degrees);
    this.options = options;
  }
  protected override choose(size: Size, draw: Draw): Rotation {
    return rotation(size, draw.uniform(...this.degrees), this.options);
  }
  protected override move<R extends Raster>(x: R, r: Rotation): R {
    return rotate(x, r, x instanceof Mask ? maskOptions : this.options);
  }
  protected override moveBoxes(boxes: BoundingBoxes, { from, size }: Rotation): BoundingBoxes {
    const to = inverse(from);
    return boxes.moved(size, (x, y) => apply(to, x, y));
  }
}

export interface AffineOptions extends WarpTransformOptions {
  /** Shares of width and height by which it shifts at most. */
  readonly translate?: Point;
  /** Factors [low, high]. */
  readonly scale?: readonly [number, number];
  /** Degrees: along x in [−a, a] or [low, high]; four numbers: along x and along y. */
  readonly shear?: number | readonly number[];
}
/** Rotation with the clock, shift, scale and shear about a point, each drawn from its range. */
export class RandomAffine extends Geometry<Matrix> {
  readonly random = true;
  private readonly degrees: readonly [number, number];
  private readonly shears: readonly [readonly [number, number], readonly [number, number]];
  private readonly options: AffineOptions;
  constructor(degrees: number | readonly [number, number], options: AffineOptions = {}) {
    super();
    const { shear = 0, scale = [1, 1], translate = [0, 0] } = options;
    this.degrees = spread('RandomAffine', 'degrees', degrees);
    const four = typeof shear === 'object' && shear.length === 4;
    this.shears = four
      ? [spread('RandomAffine', 'shear', shear.slice(0, 2)), spread('RandomAffine', 'shear', shear.slice(2))]
      : [spread('RandomAffine', 'shear', shear), [0, 0]];
    if (!(checkRange('RandomAffine', 'scale', scale)[0] > 0))
      throw new ValueError('RandomAffine', 'scale must be > 0', show(scale), '');
    for (const t of translate) checkShare('RandomAffine', 'translate', t);
    this.options = options;
  }
  protected override choose({ height, width }: Size, draw: Draw): Matrix {
    const { translate = [0, 0], scale = [1, 1], center = [width / 2, height / 2] } = this.options;
    const shift = (share: number, n: number): number => {
      const v = Math.round(draw.uniform(-share * n, share * n));
      return v === 0 ? 0 : v;
    };
    return affineMatrix(center, {
      angle: draw.uniform(...this.degrees),
      translate: [shift(translate[0], width), shift(translate[1], height)],
      scale: draw.uniform(...scale),
      shear: [draw.uniform(...this.shears[0]), draw.uniform(...this.shears[1])],
    });
  }
  protected override move<R extends Raster>(x: R, from: Matrix): R {
    return warp(x, from, x, x instanceof Mask ? maskOptions : this.options);
  }
  protected override moveBoxes(boxes: BoundingBoxes, from: Matrix): BoundingBoxes {
    const to = inverse(from);
    return boxes.moved(boxes, (x, y) => apply(to, x, y));
  }
}

// Crops and padding, of pictures, masks and boxes together.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { type BoundingBoxes, Mask, type Raster, type Size } from '../image.ts';
import { crop, type Fill, type PaddingMode, pad, type Region, type Sides } from '../raster/place.ts';
import { checkInterpolation, type Interpolation, resize } from '../raster/resample.ts';
import type { Draw } from './draw.ts';
import { checkRange, checkSize, Geometry, type SizeOption } from './transform.ts';

/** One number for all sides; [left and right, top and bottom]; [left, top, right, bottom]. */
export type PaddingOption = number | readonly [number, number] | Sides;
const MODES: readonly PaddingMode[] = ['constant', 'edge', 'reflect', 'symmetric'];

export interface PadOptions {
  /** A number or one for each channel; masks get 0. Default 0. */
  readonly fill?: Fill;
  /** What stands beyond the edges: a colour, the last pixel, a mirror without or with the last pixel. Default 'constant'. */
  readonly paddingMode?: PaddingMode;
}
export function checkPadding(
  op: string,
  padding: PaddingOption,
  { paddingMode = 'constant' }: PadOptions,
): Sides {
  const list = typeof padding === 'number' ? [padding, padding] : padding;
  if (![2, 4].includes(list.length) || !list.every(v => Number.isInteger(v) && v >= 0))
    throw new ValueError(op, 'padding must be 1, 2 or 4 integers >= 0', show(padding), '');
  if (!MODES.includes(paddingMode))
    throw new ValueError(op, `paddingMode must be one of ${MODES.join(', ')}`, show(paddingMode), '');
  const [left, top, right = left, bottom = top] = list as Sides;
  return [left, top, right, bottom];
}
const padded = <R extends Raster>(x: R, sides: Sides, { fill = 0, paddingMode }: PadOptions): R =>
  pad(x, sides, x instanceof Mask ? 0 : fill, paddingMode);
const cropBoxes = (boxes: BoundingBoxes, { top, left, height, width }: Region): BoundingBoxes =>
  boxes.moved({ height, width }, (x, y) => [x - left, y - top]);

/** Adds pixels at the edges. */
export class Pad extends Geometry<Sides> {
  readonly random = false;
  private readonly sides: Sides;
  private readonly options: PadOptions;
  constructor(padding: PaddingOption, options: PadOptions = {}) {
    super();
    this.sides = checkPadding('Pad', padding, options);
    this.options = options;
  }
  protected override choose(): Sides {
    return this.sides;
  }
  protected override move<R extends Raster>(x: R, sides: Sides): R {
    return padded(x, sides, this.options);
  }
  protected override moveBoxes(boxes: BoundingBoxes, [left, top, right, bottom]: Sides): BoundingBoxes {
    const canvas = { height: boxes.height + top + bottom, width: boxes.width + left + right };
    return boxes.moved(canvas, (x, y) => [x + left, y + top]);
  }
}

/** Halves to the even neighbour, as Python rounds. */
function halve(v: number): number {
  const low = Math.floor(v / 2);
  return v % 2 === 0 ? v / 2 : low % 2 === 0 ? low : low + 1;
}
/** The middle of a picture, beyond its edges where it is smaller. */
export function middle(from: Size, { height, width }: Size): Region {
  const start = (has: number, wants: number): number =>
    wants > has ? -Math.floor((wants - has) / 2) : halve(has - wants);
  return { top: start(from.height, height), left: start(from.width, width), height, width };
}
/** The middle; a smaller picture is filled up with 0 around it. */
export class CenterCrop extends Geometry<Region> {
  readonly random = false;
  private readonly size: Size;
  constructor(size: SizeOption) {
    super();
    this.size = checkSize('CenterCrop', size);
  }
  protected override choose(from: Size): Region {
    return middle(from, this.size);
  }
  protected override move<R extends Raster>(x: R, region: Region): R {
    return crop(x, region);
  }
  protected override moveBoxes(boxes: BoundingBoxes, region: Region): BoundingBoxes {
    return cropBoxes(boxes, region);
  }
}

export interface RandomCropOptions extends PadOptions {
  /** Added before the crop. */
  readonly padding?: PaddingOption;
  /** Fill up a picture that is too small. Default false: an error. */
  readonly padIfNeeded?: boolean;
}
/** A part of the given size, anywhere. He et al. 2015 train on CIFAR with size 32 and padding 4. */
export class RandomCrop extends Geometry<{ readonly sides: Sides; readonly region: Region }> {
  readonly random = true;
  private readonly size: Size;
  private readonly sides: Sides;
  private readonly options: RandomCropOptions;
  constructor(size: SizeOption, options: RandomCropOptions = {}) {
    super();
    this.size = checkSize('RandomCrop', size);
    this.sides = checkPadding('RandomCrop', options.padding ?? 0, options);
    this.options = options;
  }
  protected override choose(from: Size, draw: Draw): { sides: Sides; region: Region } {
    const { height, width } = this.size;
    let [left, top, right, bottom] = this.sides;
    const missing = (wants: number, has: number): number =>
      this.options.padIfNeeded === true ? Math.max(0, wants - has) : 0;
    const across = missing(width, from.width + left + right);
    const along = missing(height, from.height + top + bottom);
    [left, right, top, bottom] = [left + across, right + across, top + along, bottom + along];
    const room = [from.height + top + bottom - height, from.width + left + right - width] as const;
    if (room[0] < 0 || room[1] < 0)
      throw new ShapeError(
        'RandomCrop',
        `the picture with its padding must be at least ${showShape([height, width])}`,
        showShape([from.height + top + bottom, from.width + left + right]),
        'resize first, or pass {padIfNeeded: true}',
      );
    const region = { top: draw.below(room[0] + 1), left: draw.below(room[1] + 1), height, width };
    return { sides: [left, top, right, bottom], region };
  }
  protected override move<R extends Raster>(x: R, p: { sides: Sides; region: Region }): R {
    const [left, top] = p.sides;
    const { fill = 0, paddingMode = 'constant' } = this.options;
    // Padding with a colour and cropping are one copy.
    if (paddingMode === 'constant')
      return crop(x, shifted(p.region, top, left), x instanceof Mask ? 0 : fill);
    return crop(padded(x, p.sides, this.options), p.region);
  }
  protected override moveBoxes(boxes: BoundingBoxes, p: { sides: Sides; region: Region }): BoundingBoxes {
    return cropBoxes(boxes, shifted(p.region, p.sides[1], p.sides[0]));
  }
}
const shifted = (r: Region, top: number, left: number): Region => ({
  ...r,
  top: r.top - top,
  left: r.left - left,
});

export interface RandomResizedCropOptions {
  /** The part's share of the area, [low, high]. Default [0.08, 1]. */
  readonly scale?: readonly [number, number];
  /** Its width over its height, [low, high]. Default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
  /** Default 'bilinear'. */
  readonly interpolation?: Interpolation;
  /** Default true. */
  readonly antialias?: boolean;
}
/** A part of random area and form, resized. Szegedy et al. 2014, "Going deeper with convolutions", section 6. */
export class RandomResizedCrop extends Geometry<Region> {
  readonly random = true;
  private readonly size: Size;
  private readonly options: RandomResizedCropOptions;
  constructor(size: SizeOption, options: RandomResizedCropOptions = {}) {
    super();
    this.size = checkSize('RandomResizedCrop', size);
    const { scale = [0.08, 1], ratio = [3 / 4, 4 / 3], interpolation = 'bilinear' } = options;
    checkRange('RandomResizedCrop', 'scale', scale);
    if (!(checkRange('RandomResizedCrop', 'ratio', ratio)[0] > 0))
      throw new ValueError('RandomResizedCrop', 'ratio must be > 0', show(ratio), '');
    checkInterpolation('RandomResizedCrop', interpolation);
    this.options = options;
  }
  protected override choose({ height, width }: Size, draw: Draw): Region {
    const { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] } = this.options;
    for (let i = 0; i < 10; i++) {
      const area = height * width * draw.uniform(...scale);
      const form = Math.exp(draw.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
      const [w, h] = [Math.round(Math.sqrt(area * form)), Math.round(Math.sqrt(area / form))];
      if (w > 0 && w <= width && h > 0 && h <= height)
        return { top: draw.below(height - h + 1), left: draw.below(width - w + 1), height: h, width: w };
    }
    // No such part fits: the largest one in the middle with an allowed form.
    const form = width / height;
    const w = form > ratio[1] ? Math.round(height * ratio[1]) : width;
    const h = form < ratio[0] ? Math.round(width / ratio[0]) : height;
    return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
  }
  protected override move<R extends Raster>(x: R, region: Region): R {
    const { interpolation = 'bilinear', antialias = true } = this.options;
    return resize(x, this.size.height, this.size.width, {
      interpolation: x instanceof Mask ? 'nearest' : interpolation,
      antialias,
      region,
    });
  }
  protected override moveBoxes(boxes: BoundingBoxes, r: Region): BoundingBoxes {
    const { height, width } = this.size;
    return boxes.moved(this.size, (x, y) => [
      (Math.min(Math.max(x - r.left, 0), r.width) * width) / r.width,
      (Math.min(Math.max(y - r.top, 0), r.height) * height) / r.height,
    ]);
  }
}

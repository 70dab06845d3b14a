// Augmentation with learned, random or trivial choice of steps, of pictures, masks and boxes together.
// AutoAugment: Cubuk et al. 2019, arXiv 1805.09501; RandAugment: Cubuk et al. 2020, arXiv 1909.13719; TrivialAugment:
// Müller and Hutter 2021, arXiv 2103.10158. Ranges and defaults as torchvision has them.

import { show, ValueError } from '../../base/errors.ts';
import { type BoundingBoxes, Image, type Raster, type Size } from '../image.ts';
import {
  adjustBrightness,
  adjustContrast,
  adjustSaturation,
  adjustSharpness,
  autocontrast,
  equalize,
  invert,
  posterize,
  solarize,
} from '../raster/color.ts';
import type { Fill } from '../raster/place.ts';
import {
  affineMatrix,
  apply,
  inverse,
  type Matrix,
  rotate,
  rotation,
  type WarpInterpolation,
  warp,
} from '../raster/warp.ts';
import type { Draw } from './draw.ts';
import { Geometry } from './transform.ts';

const degrees = (radians: number): number => (radians * 180) / Math.PI;
/** Where pixels come from, for a step that moves them. */
type Move = (m: number, size: Size) => Matrix;
const MOVES = {
  ShearX: m => sheared([degrees(Math.atan(m)), 0]),
  ShearY: m => sheared([0, degrees(Math.atan(m))]),
  TranslateX: m => [1, 0, -Math.trunc(m), 0, 1, 0],
  TranslateY: m => [1, 0, 0, 0, 1, -Math.trunc(m)],
  Rotate: (m, size) => rotation(size, m).from,
} satisfies Record<string, Move>;
const sheared = (shear: readonly [number, number]): Matrix =>
  affineMatrix([0, 0], { angle: 0, translate: [0, 0], scale: 1, shear });
/** What a step does to colours. Factors are 1 + magnitude. */
const PAINTS = {
  Identity: x => x,
  Brightness: (x, m) => adjustBrightness(x, 1 + m),
  Color: (x, m) => adjustSaturation(x, 1 + m),
  Contrast: (x, m) => adjustContrast(x, 1 + m),
  Sharpness: (x, m) => adjustSharpness(x, 1 + m),
  Posterize: (x, m) => posterize(x, Math.trunc(m)),
  Solarize: (x, m) => solarize(x, m),
  AutoContrast: x => autocontrast(x),
  Equalize: x => equalize(x),
  Invert: x => invert(x),
} satisfies Record<string, (x: Image, m: number) => Image>;
type MoveName = keyof typeof MOVES;
export type AugmentName = MoveName | keyof typeof PAINTS;
export interface AugmentStep {
  readonly name: AugmentName;
  readonly magnitude: number;
}
const isMove = (name: AugmentName): name is MoveName => Object.hasOwn(MOVES, name);

/** Magnitudes of a step by strength, and whether the sign is drawn. */
export interface Magnitudes {
  readonly at: (bin: number) => number;
  readonly signed: boolean;
}
interface Limits {
  readonly shear: number;
  /** Pixels along a side of so many. */
  readonly translate: (side: number) => number;
  readonly rotate: number;
  readonly factor: number;
  /** Bits that are lost at most. */
  readonly posterize: number;
}
const AUTO: Limits = {
  shear: 0.3,
  translate: side => (150 / 331) * side,
  rotate: 30,
  factor: 0.9,
  posterize: 4,
};
const WIDE: Limits = { shear: 0.99, translate: () => 32, rotate: 135, factor: 0.99, posterize: 6 };
const NAMES: readonly AugmentName[] = [
  'Identity',
  'ShearX',
  'ShearY',
  'TranslateX',
  'TranslateY',
  'Rotate',
  'Brightness',
  'Color',
  'Contrast',
  'Sharpness',
  'Posterize',
  'Solarize',
  'AutoContrast',
  'Equalize',
];
/** The magnitudes of each step in `bins` strengths. */
function magnitudes(name: AugmentName, bins: number, limits: Limits, { height, width }: Size): Magnitudes {
  const upTo = (most: number): Magnitudes => ({ at: i => (most * i) / (bins - 1), signed: true });
  switch (name) {
    case 'ShearX':
    case 'ShearY':
      return upTo(limits.shear);
    case 'TranslateX':
      return upTo(limits.translate(width));
    case 'TranslateY':
      return upTo(limits.translate(height));
    case 'Rotate':
      return upTo(limits.rotate);
    case 'Brightness':
    case 'Color':
    case 'Contrast':
    case 'Sharpness':
      return upTo(limits.factor);
    case 'Posterize':
      return { at: i => 8 - Math.round((i * limits.posterize) / (bins - 1)), signed: false };
    case 'Solarize':
      return { at: i => 255 - (255 * i) / (bins - 1), signed: false };
    default:
      return { at: () => 0, signed: false };
  }
}
export const autoMagnitudes = (name: AugmentName, bins: number, size: Size): Magnitudes =>
  magnitudes(name, bins, AUTO, size);
export const wideMagnitudes = (name: AugmentName, bins: number, size: Size): Magnitudes =>
  magnitudes(name, bins, WIDE, size);

export interface AugmentOptions {
  /** Default 'nearest'. */
  readonly interpolation?: WarpInterpolation;
  /** The colour of what comes from outside; masks get 0. Default 0. */
  readonly fill?: Fill;
}
/** A chain of named steps. */
abstract class Augment extends Geometry<readonly AugmentStep[]> {
  readonly random = true;
  private readonly options: AugmentOptions;
  constructor(options: AugmentOptions) {
    super();
    this.options = options;
  }
  protected override move<R extends Raster>(x: R, steps: readonly AugmentStep[]): R {
    return steps.reduce((y, step) => applyStep(y, step, this.options), x);
  }
  protected override moveBoxes(boxes: BoundingBoxes, steps: readonly AugmentStep[]): BoundingBoxes {
    return steps.reduce((b, { name, magnitude }) => {
      if (!isMove(name)) return b;
      const to = inverse((MOVES[name] as Move)(magnitude, b));
      return b.moved(b, (x, y) => apply(to, x, y));
    }, boxes);
  }
}
/** One step: masks are moved only. */
export function applyStep<R extends Raster>(
  x: R,
  { name, magnitude }: AugmentStep,
  options: AugmentOptions = {},
): R {
  const picture = x instanceof Image;
  if (!isMove(name)) return picture ? (PAINTS[name](x, magnitude) as Raster as R) : x;
  const how: AugmentOptions = picture ? options : { interpolation: 'nearest', fill: 0 };
  if (name === 'Rotate') return rotate(x, rotation(x, magnitude), how);
  return warp(x, (MOVES[name] as Move)(magnitude, x), x, how);
}
function signed({ at, signed }: Magnitudes, bin: number, draw: Draw): number {
  const v = at(bin);
  return signed && draw.chance(0.5) ? -v : v;
}

export type AutoAugmentPolicy = 'imagenet' | 'cifar10' | 'svhn';
export interface AutoAugmentOptions extends AugmentOptions {
  /** The data that the steps were learned for. Default 'imagenet'. */
  readonly policy?: AutoAugmentPolicy;
}
/** One of 25 learned pairs of steps, each with its own probability and strength. */
export class AutoAugment extends Augment {
  private readonly pairs: readonly (readonly [string, string])[];
  constructor(options: AutoAugmentOptions = {}) {
    super(options);
    const { policy = 'imagenet' } = options;
    this.pairs = POLICIES[policy] ?? [];
    if (this.pairs.length === 0)
      throw new ValueError(
        'AutoAugment',
        `policy must be one of ${Object.keys(POLICIES).join(', ')}`,
        show(policy),
        '',
      );
  }
  protected override choose(size: Size, draw: Draw): readonly AugmentStep[] {
    return this.pairs[draw.below(this.pairs.length)]!.flatMap(text => {
      const [name, p, bin] = text.split(' ') as [AugmentName, string, string];
      if (!draw.chance(Number(p))) return [];
      return [{ name, magnitude: signed(autoMagnitudes(name, 10, size), Number(bin), draw) }];
    });
  }
}

export interface RandAugmentOptions extends AugmentOptions {
  /** Steps in a row. Default 2. */
  readonly numOps?: number;
  /** Strength of all of them, below numMagnitudeBins. Default 9. */
  readonly magnitude?: number;
  /** Default 31. */
  readonly numMagnitudeBins?: number;
}
/** Some random steps of one strength. */
export class RandAugment extends Augment {
  private readonly settings: { readonly numOps: number; readonly magnitude: number; readonly bins: number };
  constructor(options: RandAugmentOptions = {}) {
    super(options);
    const { numOps = 2, magnitude = 9, numMagnitudeBins: bins = 31 } = options;
    if (!(Number.isInteger(magnitude) && magnitude >= 0 && magnitude < bins))
      throw new ValueError(
        'RandAugment',
        `magnitude must be an integer in 0 … ${bins - 1}`,
        show(magnitude),
        '',
      );
    this.settings = { numOps, magnitude, bins };
  }
  protected override choose(size: Size, draw: Draw): readonly AugmentStep[] {
    const { numOps, magnitude, bins } = this.settings;
    return Array.from({ length: numOps }, () => {
      const name = NAMES[draw.below(NAMES.length)]!;
      return { name, magnitude: signed(autoMagnitudes(name, bins, size), magnitude, draw) };
    });
  }
}

export interface TrivialAugmentOptions extends AugmentOptions {
  /** Default 31. */
  readonly numMagnitudeBins?: number;
}
/** One random step of random strength, from wide ranges. */
export class TrivialAugmentWide extends Augment {
  private readonly bins: number;
  constructor(options: TrivialAugmentOptions = {}) {
    super(options);
    this.bins = options.numMagnitudeBins ?? 31;
    if (!(Number.isInteger(this.bins) && this.bins >= 2))
      throw new ValueError(
        'TrivialAugmentWide',
        'numMagnitudeBins must be an integer >= 2',
        show(this.bins),
        '',
      );
  }
  protected override choose(size: Size, draw: Draw): readonly AugmentStep[] {
    const name = NAMES[draw.below(NAMES.length)]!;
    const range = wideMagnitudes(name, this.bins, size);
    return [{ name, magnitude: signed(range, draw.below(this.bins), draw) }];
  }
}

/** The pairs of the paper's appendix: step, probability, strength of 0 … 9. */
export const POLICIES: Readonly<Record<AutoAugmentPolicy, readonly (readonly [string, string])[]>> = {
  // biome-ignore-start format: tables
  imagenet: [
    ['Posterize 0.4 8', 'Rotate 0.6 9'],
    ['Solarize 0.6 5', 'AutoContrast 0.6 0'],
    ['Equalize 0.8 0', 'Equalize 0.6 0'],
    ['Posterize 0.6 7', 'Posterize 0.6 6'],
    ['Equalize 0.4 0', 'Solarize 0.2 4'],
    ['Equalize 0.4 0', 'Rotate 0.8 8'],
    ['Solarize 0.6 3', 'Equalize 0.6 0'],
    ['Posterize 0.8 5', 'Equalize 1 0'],
    ['Rotate 0.2 3', 'Solarize 0.6 8'],
    ['Equalize 0.6 0', 'Posterize 0.4 6'],
    ['Rotate 0.8 8', 'Color 0.4 0'],
    ['Rotate 0.4 9', 'Equalize 0.6 0'],
    ['Equalize 0 0', 'Equalize 0.8 0'],
    ['Invert 0.6 0', 'Equalize 1 0'],
    ['Color 0.6 4', 'Contrast 1 8'],
    ['Rotate 0.8 8', 'Color 1 2'],
    ['Color 0.8 8', 'Solarize 0.8 7'],
    ['Sharpness 0.4 7', 'Invert 0.6 0'],
    ['ShearX 0.6 5', 'Equalize 1 0'],
    ['Color 0.4 0', 'Equalize 0.6 0'],
    ['Equalize 0.4 0', 'Solarize 0.2 4'],
    ['Solarize 0.6 5', 'AutoContrast 0.6 0'],
    ['Invert 0.6 0', 'Equalize 1 0'],
    ['Color 0.6 4', 'Contrast 1 8'],
    ['Equalize 0.8 0', 'Equalize 0.6 0'],
  ],
  cifar10: [
    ['Invert 0.1 0', 'Contrast 0.2 6'],
    ['Rotate 0.7 2', 'TranslateX 0.3 9'],
    ['Sharpness 0.8 1', 'Sharpness 0.9 3'],
    ['ShearY 0.5 8', 'TranslateY 0.7 9'],
    ['AutoContrast 0.5 0', 'Equalize 0.9 0'],
    ['ShearY 0.2 7', 'Posterize 0.3 7'],
    ['Color 0.4 3', 'Brightness 0.6 7'],
    ['Sharpness 0.3 9', 'Brightness 0.7 9'],
    ['Equalize 0.6 0', 'Equalize 0.5 0'],
    ['Contrast 0.6 7', 'Sharpness 0.6 5'],
    ['Color 0.7 7', 'TranslateX 0.5 8'],
    ['Equalize 0.3 0', 'AutoContrast 0.4 0'],
    ['TranslateY 0.4 3', 'Sharpness 0.2 6'],
    ['Brightness 0.9 6', 'Color 0.2 8'],
    ['Solarize 0.5 2', 'Invert 0 0'],
    ['Equalize 0.2 0', 'AutoContrast 0.6 0'],
    ['Equalize 0.2 0', 'Equalize 0.6 0'],
    ['Color 0.9 9', 'Equalize 0.6 0'],
    ['AutoContrast 0.8 0', 'Solarize 0.2 8'],
    ['Brightness 0.1 3', 'Color 0.7 0'],
    ['Solarize 0.4 5', 'AutoContrast 0.9 0'],
    ['TranslateY 0.9 9', 'TranslateY 0.7 9'],
    ['AutoContrast 0.9 0', 'Solarize 0.8 3'],
    ['Equalize 0.8 0', 'Invert 0.1 0'],
    ['TranslateY 0.7 9', 'AutoContrast 0.9 0'],
  ],
  svhn: [
    ['ShearX 0.9 4', 'Invert 0.2 0'],
    ['ShearY 0.9 8', 'Invert 0.7 0'],
    ['Equalize 0.6 0', 'Solarize 0.6 6'],
    ['Invert 0.9 0', 'Equalize 0.6 0'],
    ['Equalize 0.6 0', 'Rotate 0.9 3'],
    ['ShearX 0.9 4', 'AutoContrast 0.8 0'],
    ['ShearY 0.9 8', 'Invert 0.4 0'],
    ['ShearY 0.9 5', 'Solarize 0.2 6'],
    ['Invert 0.9 0', 'AutoContrast 0.8 0'],
    ['Equalize 0.6 0', 'Rotate 0.9 3'],
    ['ShearX 0.9 4', 'Solarize 0.3 3'],
    ['ShearY 0.8 8', 'Invert 0.7 0'],
    ['Equalize 0.9 0', 'TranslateY 0.6 6'],
    ['Invert 0.9 0', 'Equalize 0.6 0'],
    ['Contrast 0.3 3', 'Rotate 0.8 4'],
    ['Invert 0.8 0', 'TranslateY 0 2'],
    ['ShearY 0.7 6', 'Solarize 0.4 8'],
    ['Invert 0.6 0', 'Rotate 0.8 4'],
    ['ShearY 0.3 7', 'TranslateX 0.9 3'],
    ['ShearX 0.1 6', 'Invert 0.6 0'],
    ['Solarize 0.7 2', 'TranslateY 0.6 7'],
    ['ShearY 0.8 4', 'Invert 0.8 0'],
    ['ShearX 0.7 9', 'TranslateY 0.8 3'],
    ['ShearY 0.8 5', 'AutoContrast 0.7 0'],
    ['ShearX 0.7 2', 'Invert 0.1 0'],
  ],
  // biome-ignore-end format: tables
};

// Colours: jitter, grey, and the single steps of automatic augmentation by chance.

import { show, ValueError } from '../../base/errors.ts';
import type { Image } from '../image.ts';
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  adjustSharpness,
  autocontrast,
  equalize,
  grayscale,
  invert,
  posterize,
  shiftColours,
  solarize,
  toChannels,
} from '../raster/color.ts';
import type { Draw } from './draw.ts';
import { Colour, checkRange, checkShare } from './transform.ts';

type Factor = number | readonly [number, number];
export interface ColorJitterOptions {
  /** Factors in [max(0, 1 − v), 1 + v], or [low, high]. Default: none. */
  readonly brightness?: Factor;
  readonly contrast?: Factor;
  readonly saturation?: Factor;
  /** Turns of the colour circle in [−v, v], v ≤ 0.5, or [low, high]. Default: none. */
  readonly hue?: Factor;
}
type Step = (x: Image) => Image;
const ADJUST = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  hue: adjustHue,
} as const;

/** Brightness, contrast, saturation and hue by random factors, in random order. */
export class ColorJitter extends Colour<readonly Step[]> {
  readonly random = true;
  private readonly ranges: readonly (readonly [keyof typeof ADJUST, readonly [number, number]])[];
  constructor(options: ColorJitterOptions = {}) {
    super();
    this.ranges = (Object.keys(ADJUST) as (keyof typeof ADJUST)[]).flatMap(name => {
      const v = options[name];
      return v === undefined || v === 0 ? [] : [[name, jitterRange(name, v)] as const];
    });
  }
  protected override choose(draw: Draw): readonly Step[] {
    const order = draw.order(this.ranges.length);
    return order.map(i => {
      const [name, range] = this.ranges[i]!;
      const factor = draw.uniform(...range);
      return x => ADJUST[name](x, factor);
    });
  }
  protected override paint(x: Image, steps: readonly Step[]): Image {
    return steps.reduce((y, step) => step(y), x);
  }
}
function jitterRange(name: keyof typeof ADJUST, v: Factor): readonly [number, number] {
  const hue = name === 'hue';
  const [low, high] =
    typeof v !== 'number' ? checkRange('ColorJitter', name, v) : hue ? [-v, v] : [Math.max(0, 1 - v), 1 + v];
  const [least, most] = hue ? [-0.5, 0.5] : [0, Number.POSITIVE_INFINITY];
  const negative = typeof v === 'number' && v < 0;
  if (!negative && low >= least && high <= most) return [low, high];
  throw new ValueError(
    'ColorJitter',
    hue ? 'hue must be in 0 … 0.5, or [low, high] in -0.5 … 0.5' : `${name} must be >= 0`,
    show(v),
    '',
  );
}

/** Principal components of the colours of ImageNet, one a column, and their deviations, as v/255. */
const COMPONENTS = [
  [-0.5675, 0.7192, 0.4009],
  [-0.5808, -0.0045, -0.814],
  [-0.5836, -0.6948, 0.4203],
] as const;
const DEVIATIONS = [0.2175, 0.0188, 0.0045] as const;
/**
 * Adds to all pixels the colour Σ αₖ λₖ pₖ, αₖ ~ N(0, std), along the principal components of natural colours. Krizhevsky,
 * Sutskever and Hinton 2012, section 4.1.
 */
export class Lighting extends Colour<readonly number[]> {
  readonly random = true;
  private readonly std: number;
  constructor(options: { readonly std?: number } = {}) {
    super();
    this.std = options.std ?? 0.1;
    if (!(this.std >= 0)) throw new ValueError('Lighting', 'std must be >= 0', show(this.std), '');
  }
  protected override choose(draw: Draw): readonly number[] {
    const steps = DEVIATIONS.map(d => draw.normal() * this.std * d);
    return COMPONENTS.map(row => 255 * row.reduce((sum, p, k) => sum + p * steps[k]!, 0));
  }
  protected override paint(x: Image, shift: readonly number[]): Image {
    return shiftColours(x, shift);
  }
}

/** Grey in one channel, or the same grey in three. */
export class Grayscale extends Colour<1 | 3> {
  readonly random = false;
  private readonly channels: 1 | 3;
  constructor(options: { readonly numOutputChannels?: 1 | 3 } = {}) {
    super();
    this.channels = options.numOutputChannels ?? 1;
    if (this.channels !== 1 && this.channels !== 3)
      throw new ValueError('Grayscale', 'numOutputChannels must be 1 or 3', show(this.channels), '');
  }
  protected override choose(): 1 | 3 {
    return this.channels;
  }
  protected override paint(x: Image, channels: 1 | 3): Image {
    return grayscale(x, channels);
  }
}
/** Pictures with three channels, whatever they had. */
export class RGB extends Colour<true> {
  readonly random = false;
  protected override choose(): true {
    return true;
  }
  protected override paint(x: Image): Image {
    return toChannels(x, 3);
  }
}

/** One step, taken with probability p. */
abstract class ByChance extends Colour<Step> {
  readonly random = true;
  readonly p: number;
  private readonly step: Step;
  constructor(p: number, step: Step) {
    super();
    this.p = checkShare(new.target.name, 'p', p);
    this.step = step;
  }
  protected override choose(draw: Draw): Step | null {
    return draw.chance(this.p) ? this.step : null;
  }
  protected override paint(x: Image, step: Step): Image {
    return step(x);
  }
}
/** Grey with probability p, in as many channels as before. */
export class RandomGrayscale extends ByChance {
  constructor(p = 0.1) {
    super(p, x => grayscale(x, x.channels === 1 ? 1 : 3));
  }
}
/** The negative with probability p. */
export class RandomInvert extends ByChance {
  constructor(p = 0.5) {
    super(p, invert);
  }
}
/** Keeps the upper `bits` of each byte with probability p. */
export class RandomPosterize extends ByChance {
  constructor(bits: number, p = 0.5) {
    super(p, x => posterize(x, bits));
  }
}
/** Inverts values from `threshold` on with probability p. */
export class RandomSolarize extends ByChance {
  constructor(threshold: number, p = 0.5) {
    super(p, x => solarize(x, threshold));
  }
}
/** Sharpness by `factor` (0 smooth, 1 as it is) with probability p. */
export class RandomAdjustSharpness extends ByChance {
  constructor(factor: number, p = 0.5) {
    super(p, x => adjustSharpness(x, factor));
  }
}
/** Stretches each channel to 0 … 255 with probability p. */
export class RandomAutocontrast extends ByChance {
  constructor(p = 0.5) {
    super(p, autocontrast);
  }
}
/** Makes the values of each channel about equally frequent with probability p. */
export class RandomEqualize extends ByChance {
  constructor(p = 0.5) {
    super(p, equalize);
  }
}

// Cases of torchvision's functions on pictures of bytes, which ours are; those on pictures of floats are skipped.
// In: a case and the tensors stored with it. Out: nothing, or a Mismatch or Missing.

import { Image } from '../../src/vision/image.ts';
import * as color from '../../src/vision/raster/color.ts';
import { horizontalFlip, verticalFlip } from '../../src/vision/raster/place.ts';
import { type Interpolation, resize } from '../../src/vision/raster/resample.ts';
import { rotate, rotation, type WarpInterpolation } from '../../src/vision/raster/warp.ts';
import { CenterCrop } from '../../src/vision/transforms/crop.ts';
import { Mismatch, Missing } from './check.ts';
import { type Case, plain, type Stored, toTensor } from './format.ts';

interface Options {
  readonly size?: readonly number[];
  readonly output_size?: readonly number[];
  readonly interpolation?: Interpolation;
  readonly antialias?: boolean;
  readonly angle?: number;
  readonly threshold?: number;
}
/** [height, width]; a single number is the shorter side. */
function sizeFor(x: Image, size: readonly number[]): [height: number, width: number] {
  if (size.length === 2) return [size[0]!, size[1]!];
  const short = size[0]!;
  const long = Math.trunc((short * Math.max(x.height, x.width)) / Math.min(x.height, x.width));
  return x.height < x.width ? [short, long] : [long, short];
}
const OPS: Readonly<Record<string, (x: Image, o: Options, factor: number) => Image>> = {
  resize: (x, { size, interpolation = 'bilinear', antialias = true }) =>
    resize(x, ...sizeFor(x, size!), { interpolation, antialias }),
  center_crop: (x, o) => new CenterCrop(o.output_size as [number, number])(x),
  hflip: horizontalFlip,
  vflip: verticalFlip,
  rotate: (x, { angle, interpolation = 'nearest' }) =>
    rotate(x, rotation(x, angle!), { interpolation: interpolation as WarpInterpolation }),
  adjust_brightness: (x, _, factor) => color.adjustBrightness(x, factor),
  adjust_contrast: (x, _, factor) => color.adjustContrast(x, factor),
  adjust_saturation: (x, _, factor) => color.adjustSaturation(x, factor),
  adjust_hue: (x, _, factor) => color.adjustHue(x, factor),
  adjust_sharpness: (x, _, factor) => color.adjustSharpness(x, factor),
  solarize: (x, o) => color.solarize(x, o.threshold!),
  autocontrast: color.autocontrast,
  equalize: color.equalize,
};

export function runVision(c: Case, stored: ReadonlyMap<string, Stored>): void {
  if (c.mode === 'float') throw new Missing('vision: pictures are bytes here, not floats');
  const name = c.op.split('.').at(-1)!;
  const op = OPS[name];
  if (op === undefined) throw new Missing(`vision: there is no ${name}`);
  const input = toTensor(stored.get(c.inputs['img']!)!);
  const rows = c.mode === 'pil';
  const planes = rows ? input.permute([2, 0, 1]) : input;
  const y = op(Image.from(planes), plain(c.kwargs) as Options, (plain(c.args) as number[])[0] ?? 1);
  const want = toTensor(stored.get((c.outputs as readonly string[])[0]!)!);
  const shape = rows ? [y.height, y.width, y.channels] : [y.channels, y.height, y.width];
  if (shape.join() !== want.shape.join()) throw new Mismatch(`shape ${shape}, wants ${want.shape}`);
  const bytes = Array.from((rows ? want : want.permute([1, 2, 0])).contiguous().dataSync(), Number);
  const worst = Math.max(...bytes.map((v, i) => Math.abs(v - y.data[i]!)));
  if (worst > 1) throw new Mismatch(`bytes differ by ${worst}`);
}

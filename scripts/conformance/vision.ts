// Cases of torchvision.transforms.functional, on pictures of bytes as Pillow has them and on floating tensors.
// In: a case and the tensors stored with it. Out: nothing, or a Mismatch or Missing.

import type { Tensor } from '../../src/index.ts';
import { Image, transforms } from '../../src/vision/index.ts';
import { compare, Mismatch, Missing } from './check.ts';
import { type Case, plain, type Stored, toTensor } from './format.ts';

const TF = transforms.functional;
type Pair = readonly [number, number];
interface Options {
  readonly size?: readonly number[];
  readonly max_size?: number;
  readonly output_size?: Pair;
  readonly interpolation?: 'nearest' | 'bilinear' | 'bicubic';
  readonly antialias?: boolean;
  readonly top?: number;
  readonly left?: number;
  readonly height?: number;
  readonly width?: number;
  readonly angle?: number;
  readonly translate?: Pair;
  readonly scale?: number;
  readonly shear?: Pair;
  readonly threshold?: number;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly num_output_channels?: 1 | 3;
  readonly padding?: readonly [number, number, number, number];
  readonly padding_mode?: 'constant' | 'edge' | 'reflect' | 'symmetric';
  readonly fill?: number;
  readonly kernel_size?: Pair;
  readonly sigma?: Pair;
}
type Picture = Image | Tensor;
type Run = (x: Picture, o: Options, factor: number) => Picture | readonly Picture[];
/** Of bytes alone. */
const ofBytes =
  (f: (x: Image) => Image): Run =>
  x => {
    if (x instanceof Image) return f(x);
    throw new Missing('vision: it is for pictures of bytes only');
  };
const OPS: Readonly<Record<string, Run>> = {
  resize: (x, { size, interpolation, antialias, max_size }) =>
    TF.resize(x, size!.length === 1 ? size![0]! : (size as Pair), {
      ...(interpolation === undefined ? {} : { interpolation }),
      ...(antialias === undefined ? {} : { antialias }),
      ...(max_size === undefined ? {} : { maxSize: max_size }),
    }),
  crop: (x, { top, left, height, width }) => TF.crop(x, top!, left!, height!, width!),
  center_crop: (x, o) => TF.centerCrop(x, o.output_size!),
  five_crop: (x, o) => TF.fiveCrop(x, o.size as Pair),
  pad: (x, { padding, padding_mode = 'constant', fill = 0 }) =>
    TF.pad(x, padding!, { paddingMode: padding_mode, fill }),
  hflip: x => TF.hflip(x),
  vflip: x => TF.vflip(x),
  rotate: (x, { angle, interpolation = 'nearest' }) => TF.rotate(x, angle!, { interpolation }),
  affine: (x, { angle, translate, scale, shear, interpolation = 'nearest' }) =>
    TF.affine(x, { angle: angle!, translate: translate!, scale: scale!, shear: shear!, interpolation }),
  gaussian_blur: (x, { kernel_size, sigma }) => TF.gaussianBlur(x, kernel_size!, sigma),
  adjust_brightness: (x, _, factor) => TF.adjustBrightness(x, factor),
  adjust_contrast: (x, _, factor) => TF.adjustContrast(x, factor),
  adjust_saturation: (x, _, factor) => TF.adjustSaturation(x, factor),
  adjust_hue: (x, _, factor) => TF.adjustHue(x, factor),
  adjust_sharpness: (x, _, factor) => TF.adjustSharpness(x, factor),
  adjust_gamma: (x, _, factor) => TF.adjustGamma(x, factor),
  rgb_to_grayscale: (x, { num_output_channels }) => TF.rgbToGrayscale(x, num_output_channels),
  normalize: (x, { mean, std }) => TF.normalize(x as Tensor, mean!, std!),
  solarize: (x, o) => TF.solarize(x, o.threshold!),
  autocontrast: ofBytes(TF.autocontrast),
  equalize: ofBytes(TF.equalize),
};

export function runVision(c: Case, stored: ReadonlyMap<string, Stored>): void {
  const name = c.op.split('.').at(-1)!;
  const op = OPS[name];
  if (op === undefined) throw new Missing(`vision: there is no ${name}`);
  const input = toTensor(stored.get(c.inputs['img']!)!);
  const rows = c.mode === 'pil';
  const x = c.mode === 'float' ? input : Image.from(rows ? input.permute([2, 0, 1]) : input);
  const made = op(x, plain(c.kwargs) as Options, (plain(c.args) as number[])[0] ?? 1);
  const results = Array.isArray(made) ? (made as Picture[]) : [made as Picture];
  const wanted = (c.outputs as readonly string[]).map(key => stored.get(key)!);
  if (results.length !== wanted.length)
    throw new Mismatch(`${results.length} results, wants ${wanted.length}`);
  for (const [i, y] of results.entries()) {
    if (y instanceof Image) compareBytes(y, toTensor(wanted[i]!), rows);
    else compare(name, y, wanted[i]!, c.tolerance);
  }
}
/** A byte may be rounded the other way. */
function compareBytes(y: Image, want: Tensor, rows: boolean): void {
  const shape = rows ? [y.height, y.width, y.channels] : [y.channels, y.height, y.width];
  if (shape.join() !== want.shape.join()) throw new Mismatch(`shape ${shape}, wants ${want.shape}`);
  const bytes = Array.from((rows ? want : want.permute([1, 2, 0])).contiguous().dataSync(), Number);
  const worst = Math.max(...bytes.map((v, i) => Math.abs(v - y.data[i]!)));
  if (worst > 1) throw new Mismatch(`bytes differ by ${worst}`);
}

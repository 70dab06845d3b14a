// transforms.functional: of tensors what Pillow makes of bytes, up to rounding; gradients; errors. The outside cases of
// torchvision are `npm run conformance -- golden DIR vision`.

import { describe, expect, it } from 'vitest';
import { compile, gradcheck, type Tensor, tensor } from '../../src/index.ts';
import { Image, transforms } from '../../src/vision/index.ts';
import { numbers } from '../support.ts';
import { picture } from './pictures.ts';

const TF = transforms.functional;
type Step = <P extends Image | Tensor>(x: P) => P;
/** The largest distance of two bytes between the function of a picture and that of its tensor. */
function apart(step: Step, x: Image): number {
  const want = step(x);
  const got = numbers(step(x.toTensor()));
  const bytes = numbers(want.toTensor()).map(v => Math.round(255 * v));
  expect(got.length).toBe(bytes.length);
  return Math.max(...got.map((v, i) => Math.abs(255 * v - bytes[i]!)));
}

describe('of tensors and of bytes', () => {
  const moved: Record<string, Step> = {
    'crop, beyond the edges': x => TF.crop(x, -2, 3, 9, 20),
    centerCrop: x => TF.centerCrop(x, [7, 4]),
    'pad, edge': x => TF.pad(x, [1, 2, 3, 4], { paddingMode: 'edge' }),
    'pad, symmetric': x => TF.pad(x, 3, { paddingMode: 'symmetric' }),
    'pad, a colour': x => TF.pad(x, 2, { fill: x instanceof Image ? [255, 0, 51] : [1, 0, 0.2] }),
    hflip: x => TF.hflip(x),
    vflip: x => TF.vflip(x),
    'rotate by 180 degrees': x => TF.rotate(x, 180),
    invert: x => TF.invert(x),
  };
  it.each(Object.entries(moved))('%s: equal', (_, step) => {
    expect(apart(step, picture(12, 17, 3))).toBeLessThan(1e-4);
  });
  const mixed: Record<string, Step> = {
    'resize, smaller': x => TF.resize(x, 7),
    'resize, larger': x => TF.resize(x, [30, 20]),
    adjustBrightness: x => TF.adjustBrightness(x, 1.4),
    adjustContrast: x => TF.adjustContrast(x, 0.5),
    adjustSaturation: x => TF.adjustSaturation(x, 1.6),
    adjustSharpness: x => TF.adjustSharpness(x, 0.3),
    adjustGamma: x => TF.adjustGamma(x, 0.6),
    rgbToGrayscale: x => TF.rgbToGrayscale(x, 3),
    gaussianBlur: x => TF.gaussianBlur(x, [5, 3], 1.2),
  };
  it.each(Object.entries(mixed))('%s: up to the rounding of bytes', (_, step) => {
    const x = picture(12, 17, 3);
    expect(apart(step, x)).toBeLessThan(1.6);
    // It does change the picture.
    expect(Math.max(...changes(step, x))).toBeGreaterThan(3);
  });
  const changes = (step: Step, x: Image): number[] => {
    const y = step(x);
    if (y.data.length !== x.data.length) return [Number.POSITIVE_INFINITY];
    return Array.from(y.data, (v, i) => Math.abs(v - x.data[i]!));
  };
  it('adjustHue turns red by a third of the circle to green, and keeps grey', () => {
    const red = tensor([0.8, 0.2, 0.2], { shape: [3, 1, 1] });
    expect(numbers(TF.adjustHue(red, 1 / 3)).map(v => +v.toFixed(4))).toEqual([0.2, 0.8, 0.2]);
    const grey = tensor([0.4, 0.4, 0.4], { shape: [3, 1, 1] });
    expect(numbers(TF.adjustHue(grey, 0.4)).map(v => +v.toFixed(4))).toEqual([0.4, 0.4, 0.4]);
  });
  it('fiveCrop gives the corners and the middle', () => {
    const x = tensor(
      Array.from({ length: 20 }, (_, i) => i),
      { shape: [1, 4, 5] },
    );
    expect(TF.fiveCrop(x, [2, 3]).map(c => numbers(c)[0])).toEqual([0, 2, 10, 12, 6]);
  });
});

describe('in programs', () => {
  it('batches, inside of compile, give what pictures give one by one', () => {
    const x = tensor(
      Array.from({ length: 2 * 3 * 8 * 9 }, (_, i) => ((i * 37) % 101) / 101),
      { shape: [2, 3, 8, 9] },
    );
    const f = (y: Tensor): Tensor => TF.rotate(TF.resize(y, [6, 6]), 20, { interpolation: 'bilinear' });
    const both = numbers(compile(f)(x));
    const single = [0, 1].flatMap(i => numbers(f(x.select(0, i))));
    expect(Math.max(...both.map((v, i) => Math.abs(v - single[i]!)))).toBeLessThan(1e-6);
  });
  it('gradients pass through places and colours', async () => {
    const x = tensor(
      Array.from({ length: 3 * 4 * 5 }, (_, i) => 0.2 + ((i * 17) % 23) / 50),
      { shape: [1, 3, 4, 5], dtype: 'float64', requiresGrad: true },
    );
    const f = (y: Tensor): Tensor =>
      TF.adjustContrast(TF.gaussianBlur(TF.rotate(y, 90), 3, 1), 0.7).mul(TF.adjustGamma(y, 2));
    expect(await gradcheck(f, [x])).toBe(true);
  });
});

it('errors say what to do', () => {
  expect(() => TF.hflip(tensor([1, 2]))).toThrow(/hflip: it takes an Image or a floating tensor .*toTensor/s);
  expect(() => TF.gaussianBlur(picture(4, 4, 3), 4)).toThrow(/gaussianBlur: kernelSize must be odd/);
  expect(() => TF.fiveCrop(picture(4, 4, 3), 5)).toThrow(/fiveCrop: the picture must be at least \(5, 5\)/);
  expect(() => TF.resize(picture(4, 4, 3).toTensor(), 3, { interpolation: 'lanczos' })).toThrow(
    /resize: of a/,
  );
});

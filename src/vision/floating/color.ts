// Colours of floating pictures (…, C, H, W) with values of 0 … 1, as torchvision computes them with tensors.

import * as F from '../../nn/functional.ts';
import { tensor } from '../../tensor/create.ts';
import { where } from '../../tensor/functions.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

const channel = (x: Tensor, c: number): Tensor => x.narrow(-3, c, 1);
/** other + factor · (x − other), cut to 0 … 1. */
const blend = (x: Tensor, factor: number, other: Tensor | number): Tensor =>
  x
    .mul(factor)
    .add(typeof other === 'number' ? other * (1 - factor) : other.mul(1 - factor))
    .clamp(0, 1);

/** Luma of ITU-R BT.601. (…, 3, H, W) → (…, 1, H, W); grey stays. */
export function grayscale(x: Tensor): Tensor {
  if (x.shape.at(-3) === 1) return x;
  return channel(x, 0).mul(0.2989).add(channel(x, 1).mul(0.587)).add(channel(x, 2).mul(0.114));
}
export const adjustBrightness = (x: Tensor, factor: number): Tensor => blend(x, factor, 0);
export const adjustContrast = (x: Tensor, factor: number): Tensor =>
  blend(x, factor, grayscale(x).mean([-3, -2, -1], { keepdim: true }));
export const adjustSaturation = (x: Tensor, factor: number): Tensor => blend(x, factor, grayscale(x));
export const adjustGamma = (x: Tensor, gamma: number, gain: number): Tensor =>
  x.pow(gamma).mul(gain).clamp(0, 1);

const SMOOTH = [1, 1, 1, 1, 5, 1, 1, 1, 1].map(v => v / 13);
export function adjustSharpness(x: Tensor, factor: number): Tensor {
  const [channels, height, width] = x.shape.slice(-3) as [number, number, number];
  if (height <= 2 || width <= 2) return x;
  const flat = x.reshape([-1, channels, height, width]);
  const kernel = tensor(SMOOTH, { shape: [1, 1, 3, 3], dtype: x.dtype }).expand([channels, 1, 3, 3]);
  const middle = F.conv2d(flat, kernel, null, { groups: channels }); // (N, C, H − 2, W − 2)
  const sides = [1, 1, 1, 1];
  // The edges stay as they are.
  const edge = flat.sub(F.pad(flat.narrow(-2, 1, height - 2).narrow(-1, 1, width - 2), sides));
  return blend(x, factor, F.pad(middle, sides).add(edge).reshape(x.shape));
}

/** Hue, saturation and value of each pixel, all in 0 … 1. */
function toHsv(x: Tensor): [hue: Tensor, saturation: Tensor, value: Tensor] {
  const [r, g, b] = [0, 1, 2].map(c => channel(x, c)) as [Tensor, Tensor, Tensor];
  const value = x.amax(-3, { keepdim: true });
  const span = value.sub(x.amin(-3, { keepdim: true }));
  const away = (v: Tensor): Tensor => value.sub(v).div(span.maskedFill(span.eq(0), 1));
  const [redIs, greenIs] = [r.eq(value), g.eq(value)];
  const notRed = where(greenIs, away(r).sub(away(b)).add(2), away(g).sub(away(r)).add(4));
  const sextant = where(redIs, away(b).sub(away(g)), notRed);
  return [sextant.div(6).add(1).fmod(1), span.div(value.maskedFill(value.eq(0), 1)), value];
}
/** Smith 1978, "Color gamut transform pairs"; each colour is v − v·s·max(0, min(k, 4 − k, 1)), k = (n + 6h) mod 6. */
function fromHsv(hue: Tensor, saturation: Tensor, value: Tensor): Tensor {
  const depth = value.mul(saturation);
  const one = (n: number): Tensor => {
    const k = hue.mul(6).add(n).remainder(6);
    return value.sub(depth.mul(k.minimum(k.rsub(4)).clamp(0, 1)));
  };
  return cat([one(5), one(3), one(1)], -3);
}
export function adjustHue(x: Tensor, factor: number): Tensor {
  if (x.shape.at(-3) === 1) return x;
  const [hue, saturation, value] = toHsv(x);
  return fromHsv(hue.add(factor).remainder(1), saturation, value);
}

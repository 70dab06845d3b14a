// Colours: brightness, contrast, saturation, hue and the byte tables of automatic augmentation, as Pillow computes them.
// In: a picture. Out: a picture of the same size.

import { ShapeError, show, ValueError } from '../../base/errors.ts';
import type { Image } from '../image.ts';

const isGrey = (x: Image): boolean => x.channels === 1;
function colours(op: string, x: Image): void {
  if (x.channels !== 1 && x.channels !== 3)
    throw new ShapeError(op, 'the picture must have 1 or 3 channels', String(x.channels), '');
}

/** Luma of ITU-R BT.601, rounded: (19595 R + 38470 G + 7471 B + 2¹⁵) / 2¹⁶. One byte a pixel. */
function luma(x: Image): Uint8Array<ArrayBuffer> {
  if (isGrey(x)) return x.data;
  const { data, channels } = x;
  const out = new Uint8Array(x.height * x.width);
  for (let i = 0, p = 0; i < out.length; i++, p += channels)
    out[i] = (data[p]! * 19595 + data[p + 1]! * 38470 + data[p + 2]! * 7471 + 0x8000) >> 16;
  return out;
}
/** Grey in one channel, or the same grey in three. */
export function grayscale(x: Image, channels: 1 | 3 = 1): Image {
  const grey = luma(x);
  if (channels === 1) return x.with(grey, x.height, x.width, 1);
  const out = new Uint8Array(grey.length * 3);
  for (let i = 0, p = 0; i < grey.length; i++, p += 3) out[p] = out[p + 1] = out[p + 2] = grey[i]!;
  return x.with(out, x.height, x.width, 3);
}
/** Another number of channels: grey is repeated, colours become grey, alpha is dropped or opaque. */
export function toChannels(x: Image, channels: 1 | 3 | 4): Image {
  const has = x.channels;
  if (has === channels) return x;
  if (channels === 1) return has === 2 ? pickChannels(x, [0]) : grayscale(x);
  const colour = has < 3 ? [0, 0, 0] : [0, 1, 2];
  return pickChannels(x, channels === 3 ? colour : [...colour, has === 2 ? 1 : -1]);
}
/** Channels by number; −1 stands for 255. */
function pickChannels(x: Image, which: readonly number[]): Image {
  const [n, k] = [x.channels, which.length];
  const out = new Uint8Array(x.height * x.width * k);
  for (const [c, from] of which.entries())
    for (let i = c, p = from; i < out.length; i += k, p += n) out[i] = from < 0 ? 255 : x.data[p]!;
  return x.with(out, x.height, x.width, k);
}

/** other + factor · (x − other), cut to 0 … 255: factor 1 is the picture, 0 the other one. In float32. */
function blend(x: Image, factor: number, other: (i: number) => number): Image {
  const alpha = Math.fround(factor);
  const out = new Uint8ClampedArray(x.data.length);
  for (let i = 0; i < out.length; i++) {
    const o = other(i);
    // Clamped bytes round, here the fraction is dropped.
    out[i] = Math.trunc(Math.fround(o + Math.fround(alpha * (x.data[i]! - o))));
  }
  return x.with(new Uint8Array(out.buffer), x.height, x.width);
}
function positive(op: string, factor: number): void {
  if (!(factor >= 0)) throw new ValueError(op, 'the factor must be >= 0', show(factor), '');
}
/** 0: black, 1: the picture, 2: twice as bright. */
export function adjustBrightness(x: Image, factor: number): Image {
  positive('adjustBrightness', factor);
  return blend(x, factor, () => 0);
}
/** 0: all pixels of the mean grey, 1: the picture. */
export function adjustContrast(x: Image, factor: number): Image {
  positive('adjustContrast', factor);
  const grey = luma(x);
  let sum = 0;
  for (let i = 0; i < grey.length; i++) sum += grey[i]!;
  const mean = Math.trunc(sum / grey.length + 0.5);
  return blend(x, factor, () => mean);
}
/** 0: grey, 1: the picture. */
export function adjustSaturation(x: Image, factor: number): Image {
  positive('adjustSaturation', factor);
  colours('adjustSaturation', x);
  const grey = luma(x);
  return isGrey(x) ? x : blend(x, factor, i => grey[Math.trunc(i / 3)]!);
}
/** 0: smoothed by (1 1 1; 1 5 1; 1 1 1)/13, 1: the picture, 2: sharper. Edges stay. */
export function adjustSharpness(x: Image, factor: number): Image {
  positive('adjustSharpness', factor);
  const { data, height, width, channels: n } = x;
  const smooth = data.slice();
  const row = width * n;
  const [edge, middle] = [Math.fround(1 / 13), Math.fround(5 / 13)];
  for (let y = 1; y < height - 1; y++)
    for (let i = n; i < row - n; i++) {
      const p = y * row + i;
      const line = (q: number, m: number): number =>
        Math.fround(
          Math.fround(Math.fround(data[q - n]! * edge) + Math.fround(data[q]! * m)) +
            Math.fround(data[q + n]! * edge),
        );
      let sum = 0.5;
      sum = Math.fround(sum + line(p + row, edge));
      sum = Math.fround(sum + line(p, middle));
      smooth[p] = Math.fround(sum + line(p - row, edge));
    }
  return blend(x, factor, i => smooth[i]!);
}

/** Turns the colour circle by `factor` of it, −0.5 … 0.5; through hue, saturation, value of a byte each. */
export function adjustHue(x: Image, factor: number): Image {
  if (!(Math.abs(factor) <= 0.5))
    throw new ValueError('adjustHue', 'the factor must be in -0.5 … 0.5', show(factor), '');
  colours('adjustHue', x);
  if (isGrey(x)) return x;
  const turn = Math.trunc(factor * 255);
  const out = new Uint8Array(x.data.length);
  for (let p = 0; p < out.length; p += 3) {
    const [r, g, b] = [x.data[p]!, x.data[p + 1]!, x.data[p + 2]!];
    const value = Math.max(r, g, b);
    const span = value - Math.min(r, g, b);
    let hue = 0;
    let saturation = 0;
    if (span > 0) {
      saturation = Math.trunc(Math.fround(span / value) * 255);
      hue = hueOf(r, g, b, value, span);
    }
    fromHsv((hue + turn) & 255, saturation, value, out, p);
  }
  return x.with(out, x.height, x.width);
}
function hueOf(r: number, g: number, b: number, value: number, span: number): number {
  const away = (v: number): number => Math.fround((value - v) / span);
  const sextant =
    r === value
      ? Math.fround(away(b) - away(g))
      : g === value
        ? Math.fround(2 + away(r) - away(b))
        : Math.fround(4 + away(g) - away(r));
  return Math.trunc(Math.fround((sextant / 6 + 1) % 1) * 255);
}
/** Halves away from 0, as C's round. */
const round = (v: number): number => Math.floor(v + 0.5);
function fromHsv(h: number, s: number, v: number, out: Uint8Array, p: number): void {
  if (s === 0) {
    out[p] = out[p + 1] = out[p + 2] = v;
    return;
  }
  const sixth = (h * 6) / 255;
  const i = Math.floor(sixth);
  const f = Math.fround(sixth - i);
  const share = Math.fround(s / 255);
  const low = round(v * (1 - share));
  const falling = round(v * (1 - share * f));
  const rising = round(v * (1 - share * (1 - f)));
  const [r, g, b] = (
    [
      [v, rising, low],
      [falling, v, low],
      [low, v, rising],
      [low, falling, v],
      [rising, low, v],
      [v, low, falling],
    ] as const
  )[i % 6]!;
  out[p] = r;
  out[p + 1] = g;
  out[p + 2] = b;
}

// ---- tables of bytes ---------------------------------------------------------------------------------------------------

/** Each byte of channel c becomes table(c)[v]. */
function mapBytes(x: Image, table: (channel: number) => Uint8ClampedArray): Image {
  const n = x.channels;
  const out = new Uint8Array(x.data.length);
  for (let c = 0; c < n; c++) {
    const t = table(c);
    for (let i = c; i < out.length; i += n) out[i] = t[x.data[i]!]!;
  }
  return x.with(out, x.height, x.width);
}
const tableOf = (f: (v: number) => number): Uint8ClampedArray =>
  Uint8ClampedArray.from({ length: 256 }, (_, v) => f(v));
/** Adds a number to each channel. Errors: other than three channels. */
export function shiftColours(x: Image, shift: readonly number[]): Image {
  if (x.channels !== 3)
    throw new ShapeError('shiftColours', 'the picture must have 3 channels', String(x.channels), '');
  return mapBytes(x, c => tableOf(v => v + shift[c]!));
}
/** 255 − v. */
export const invert = (x: Image): Image => mapBytes(x, () => tableOf(v => 255 - v));
/** Keeps the upper `bits` of each byte, 0 … 8. */
export function posterize(x: Image, bits: number): Image {
  if (!(Number.isInteger(bits) && bits >= 0 && bits <= 8))
    throw new ValueError('posterize', 'bits must be an integer in 0 … 8', show(bits), '');
  return mapBytes(x, () => tableOf(v => v & ~(2 ** (8 - bits) - 1)));
}
/** Inverts values from the threshold on. */
export const solarize = (x: Image, threshold: number): Image =>
  mapBytes(x, () => tableOf(v => (v < threshold ? v : 255 - v)));

/** gain · (v/255)^gamma. */
export function adjustGamma(x: Image, gamma: number, gain: number): Image {
  return mapBytes(x, () => tableOf(v => Math.trunc(255.999 * gain * (v / 255) ** gamma)));
}

function histogram(x: Image, channel: number): number[] {
  const counts = Array<number>(256).fill(0);
  for (let i = channel; i < x.data.length; i += x.channels) counts[x.data[i]!]!++;
  return counts;
}
/** Stretches each channel to 0 … 255. */
export const autocontrast = (x: Image): Image =>
  mapBytes(x, c => {
    const counts = histogram(x, c);
    const low = counts.findIndex(n => n > 0);
    const high = counts.findLastIndex(n => n > 0);
    if (high <= low) return tableOf(v => v);
    const scale = 255 / (high - low);
    return tableOf(v => Math.trunc(v * scale + -low * scale));
  });
/** Makes the values of each channel about equally frequent. */
export const equalize = (x: Image): Image =>
  mapBytes(x, c => {
    const counts = histogram(x, c);
    const used = counts.filter(n => n > 0);
    const step = Math.trunc((used.reduce((a, b) => a + b, 0) - used.at(-1)!) / 255);
    if (used.length <= 1 || step === 0) return tableOf(v => v);
    let sum = Math.trunc(step / 2);
    return tableOf(v => {
      const to = Math.trunc(sum / step);
      sum += counts[v]!;
      return to;
    });
  });

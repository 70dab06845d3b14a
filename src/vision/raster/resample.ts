// Resizing: two passes of a filter, columns first, in integers, bit for bit as Pillow does it.
// In: a raster and a size. Out: a raster. A downscaled picture averages over all pixels that it covers (antialias).

import { show, ValueError } from '../../base/errors.ts';
import type { Raster, Size } from '../image.ts';
import type { Region } from './place.ts';

export type Interpolation = 'nearest' | 'bilinear' | 'bicubic' | 'box' | 'lanczos';
interface Filter {
  readonly reach: number;
  readonly weight: (x: number) => number;
}
const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
/** Keys 1981, "Cubic convolution interpolation", with a = −0.5. */
function cubic(x: number): number {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}
const FILTERS: Readonly<Record<Exclude<Interpolation, 'nearest'>, Filter>> = {
  box: { reach: 0.5, weight: x => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { reach: 1, weight: x => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { reach: 2, weight: cubic },
  lanczos: { reach: 3, weight: x => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};
export const INTERPOLATIONS: readonly Interpolation[] = ['nearest', 'bilinear', 'bicubic', 'box', 'lanczos'];
export function checkInterpolation(op: string, name: Interpolation): Interpolation {
  if (!INTERPOLATIONS.includes(name))
    throw new ValueError(op, `interpolation must be one of ${INTERPOLATIONS.join(', ')}`, show(name), '');
  return name;
}

/** Weights are integers of so many binary digits: 8 bits of pixel and 2 of room stay below 2³². */
const BITS = 22;
const HALF = 1 << (BITS - 1);

/** For each result the first pixel that counts, how many do, and their weights, `taps` apart. */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  readonly taps: number;
}
function weightsFor(from: number, to: number, filter: Filter, antialias: boolean): Weights {
  const scale = from / to;
  const stretch = antialias ? Math.max(1, scale) : 1;
  const reach = filter.reach * stretch;
  const taps = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * taps);
  const row = new Float64Array(taps);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - reach + 0.5));
    const n = Math.min(from, Math.trunc(center + reach + 0.5)) - begin;
    let sum = 0;
    for (let k = 0; k < n; k++) sum += row[k] = filter.weight((k + begin - center + 0.5) * (1 / stretch));
    for (let k = 0; k < n; k++) {
      const w = (sum === 0 ? row[k]! : row[k]! / sum) * (1 << BITS);
      weights[i * taps + k] = w < 0 ? w - 0.5 : w + 0.5;
    }
    first[i] = begin;
    count[i] = n;
  }
  return { first, count, weights, taps };
}

/** [height, width] as it is; one number is the shorter side, and the longer one is cut down, at most `maxSize`. */
export function resizedSize(
  size: number | readonly number[],
  { height, width }: Size,
  maxSize = Number.POSITIVE_INFINITY,
): Size {
  if (typeof size !== 'number') return { height: size[0]!, width: size[1]! };
  const [short, long] = height < width ? [height, width] : [width, height];
  let [s, l] = [size, Math.trunc((size * long) / short)];
  if (l > maxSize) [s, l] = [Math.trunc((maxSize * s) / l), maxSize];
  return width <= height ? { height: l, width: s } : { height: s, width: l };
}

export interface ResizeOptions {
  readonly interpolation?: Interpolation;
  /** false: a filter of one pixel's width, whatever the scale. Default true. */
  readonly antialias?: boolean;
  /** Only this part of the picture, as if it had been cropped before. */
  readonly region?: Region;
}
/** The picture, or a part of it, in another size. */
export function resize<R extends Raster>(
  x: R,
  height: number,
  width: number,
  options: ResizeOptions = {},
): R {
  const { interpolation = 'bilinear', antialias = true } = options;
  const region = options.region ?? { top: 0, left: 0, height: x.height, width: x.width };
  if (interpolation === 'nearest') return x.with(nearest(x, region, height, width), height, width);
  const filter = FILTERS[interpolation];
  const start = (region.top * x.width + region.left) * x.channels;
  let rows = { data: x.data as Uint8Array, at: start, pitch: x.width * x.channels };
  if (width !== region.width) {
    const w = weightsFor(region.width, width, filter, antialias);
    const data = columnPass(rows, region.height, width, x.channels, w);
    rows = { data, at: 0, pitch: width * x.channels };
  }
  const length = width * x.channels;
  const out =
    height !== region.height
      ? rowPass(rows, height, length, weightsFor(region.height, height, filter, antialias))
      : compact(rows, height, length);
  return x.with(new Uint8Array(out.buffer), height, width);
}
/** Bytes of rows `pitch` apart. */
interface Rows {
  readonly data: Uint8Array;
  readonly at: number;
  readonly pitch: number;
}

// Two and three taps are what photographs need that shrink to less than half: they have no inner loop.

function columnPass(
  { data, at, pitch }: Rows,
  height: number,
  width: number,
  channels: number,
  { first, count, weights, taps }: Weights,
): Uint8Array {
  const size = height * width * channels;
  if (between.length < size) between = new Uint8ClampedArray(size);
  const out = between;
  for (let y = 0, o = 0; y < height; y++) {
    const row = at + y * pitch;
    for (let i = 0; i < width; i++) {
      const n = count[i]!;
      const w = i * taps;
      const p = row + first[i]! * channels;
      if (channels === 3 && n === 3) {
        const [a, b, c] = [weights[w]!, weights[w + 1]!, weights[w + 2]!];
        for (let q = p; q < p + 3; q++)
          out[o++] =
            (HALF + Math.imul(data[q]!, a) + Math.imul(data[q + 3]!, b) + Math.imul(data[q + 6]!, c)) >> BITS;
      } else if (channels === 3 && n === 2) {
        const [a, b] = [weights[w]!, weights[w + 1]!];
        for (let q = p; q < p + 3; q++)
          out[o++] = (HALF + Math.imul(data[q]!, a) + Math.imul(data[q + 3]!, b)) >> BITS;
      } else if (channels === 3) {
        let [r, g, b] = [HALF, HALF, HALF];
        for (let k = 0, q = p; k < n; k++, q += 3) {
          const weight = weights[w + k]!;
          r = (r + Math.imul(data[q]!, weight)) | 0;
          g = (g + Math.imul(data[q + 1]!, weight)) | 0;
          b = (b + Math.imul(data[q + 2]!, weight)) | 0;
        }
        out[o] = r >> BITS;
        out[o + 1] = g >> BITS;
        out[o + 2] = b >> BITS;
        o += 3;
      } else {
        for (let c = 0; c < channels; c++) {
          let sum = HALF;
          for (let k = 0, q = p + c; k < n; k++, q += channels)
            sum = (sum + Math.imul(data[q]!, weights[w + k]!)) | 0;
          out[o++] = sum >> BITS;
        }
      }
    }
  }
  return new Uint8Array(out.buffer, 0, size);
}
/**
 * What stands between the passes, kept for the next picture: its rows are read before that comes. Clamped bytes take what
 * a filter with negative weights gives beyond 0 … 255.
 */
let between = new Uint8ClampedArray(0);
function rowPass(
  { data, at, pitch }: Rows,
  height: number,
  length: number,
  { first, count, weights, taps }: Weights,
): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(height * length);
  for (let y = 0, o = 0; y < height; y++) {
    const n = count[y]!;
    const p = at + first[y]! * pitch;
    const w = y * taps;
    const [a, b, c] = [weights[w]!, weights[w + 1]!, weights[w + 2]!];
    if (n === 3) {
      for (let q = p; q < p + length; q++)
        out[o++] =
          (HALF +
            Math.imul(data[q]!, a) +
            Math.imul(data[q + pitch]!, b) +
            Math.imul(data[q + 2 * pitch]!, c)) >>
          BITS;
      continue;
    }
    if (n === 2) {
      for (let q = p; q < p + length; q++)
        out[o++] = (HALF + Math.imul(data[q]!, a) + Math.imul(data[q + pitch]!, b)) >> BITS;
      continue;
    }
    for (let i = 0; i < length; i++) {
      let sum = HALF;
      for (let k = 0, q = p + i; k < n; k++, q += pitch)
        sum = (sum + Math.imul(data[q]!, weights[w + k]!)) | 0;
      out[o++] = sum >> BITS;
    }
  }
  return out;
}
function compact({ data, at, pitch }: Rows, height: number, length: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(height * length);
  for (let y = 0; y < height; y++)
    out.set(data.subarray(at + y * pitch, at + y * pitch + length), y * length);
  return out;
}

function nearest(x: Raster, region: Region, height: number, width: number): Uint8Array<ArrayBuffer> {
  const n = x.channels;
  const pick = (from: number, to: number): Int32Array => {
    const out = new Int32Array(to);
    const step = from / to;
    // Added up and not multiplied, as Pillow does: the last bits decide at halves.
    for (let i = 0, at = step * 0.5; i < to; i++, at += step) out[i] = Math.min(Math.trunc(at), from - 1);
    return out;
  };
  const columns = pick(region.width, width);
  const rows = pick(region.height, height);
  const out = new Uint8Array(height * width * n);
  for (let y = 0, o = 0; y < height; y++) {
    const row = (region.top + rows[y]!) * x.width + region.left;
    for (let i = 0; i < width; i++)
      for (let c = 0, p = (row + columns[i]!) * n; c < n; c++) out[o++] = x.data[p++]!;
  }
  return out;
}

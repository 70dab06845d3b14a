// Moving whole pixels: crop, pad, flip.
// In: a raster and places. Out: a new raster of the same kind.

import { ValueError } from '../../base/errors.ts';
import type { Raster } from '../image.ts';

/** A part of a picture; it may reach beyond the edges. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}
export type PaddingMode = 'constant' | 'edge' | 'reflect' | 'symmetric';
/** A colour: one number for all channels or one for each. */
export type Fill = number | readonly number[];

export function fillOf(op: string, fill: Fill, channels: number): readonly number[] {
  if (typeof fill === 'number') return Array(channels).fill(Math.trunc(fill));
  if (fill.length !== channels)
    throw new ValueError(
      op,
      'fill must have a number for each channel',
      `${fill.length} for ${channels}`,
      '',
    );
  return fill.map(Math.trunc);
}
/** A raster's bytes, all of one colour. */
export function filled(pixels: number, colour: readonly number[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(pixels * colour.length);
  if (colour.every(v => v === colour[0])) return colour[0] === 0 ? out : out.fill(colour[0]!);
  for (let i = 0; i < out.length; i++) out[i] = colour[i % colour.length]!;
  return out;
}

/** Rows longer than this many bytes are copied by the engine, shorter ones byte by byte. */
const SHORT = 48;
function copyRow(from: Uint8Array, at: number, to: Uint8Array, start: number, length: number): void {
  if (length > SHORT) to.set(from.subarray(at, at + length), start);
  else for (let i = 0; i < length; i++) to[start + i] = from[at + i]!;
}

/** The region, filled with `fill` where it lies beyond the edges. */
export function crop<R extends Raster>(x: R, region: Region, fill: Fill = 0): R {
  const { top, left, height, width } = region;
  if (top === 0 && left === 0 && height === x.height && width === x.width) return x;
  const n = x.channels;
  const inside = top >= 0 && left >= 0 && top + height <= x.height && left + width <= x.width;
  const out = inside ? new Uint8Array(height * width * n) : filled(height * width, fillOf('crop', fill, n));
  const from = Math.max(0, left);
  const columns = Math.min(x.width, left + width) - from;
  if (columns > 0)
    for (let y = Math.max(0, -top); y < height && top + y < x.height; y++)
      copyRow(x.data, ((top + y) * x.width + from) * n, out, (y * width + from - left) * n, columns * n);
  return x.with(out, height, width);
}

/** Where a coordinate beyond the edges takes its pixel from. */
export function mirrored(i: number, n: number, mode: PaddingMode): number {
  if (mode === 'edge') return Math.min(Math.max(i, 0), n - 1);
  const period = mode === 'reflect' ? Math.max(2 * n - 2, 1) : 2 * n;
  const k = ((i % period) + period) % period;
  return k < n ? k : mode === 'reflect' ? period - k : period - 1 - k;
}
/** Left, top, right, bottom. */
export type Sides = readonly [number, number, number, number];
export function pad<R extends Raster>(
  x: R,
  [left, top, right, bottom]: Sides,
  fill: Fill = 0,
  mode: PaddingMode = 'constant',
): R {
  const region = { top: -top, left: -left, height: x.height + top + bottom, width: x.width + left + right };
  if (mode === 'constant') return crop(x, region, fill);
  const n = x.channels;
  const out = new Uint8Array(region.height * region.width * n);
  const columns = Int32Array.from({ length: region.width }, (_, i) => mirrored(i - left, x.width, mode));
  for (let y = 0, at = 0; y < region.height; y++) {
    const row = mirrored(y - top, x.height, mode) * x.width;
    for (let i = 0; i < region.width; i++)
      for (let c = 0, p = (row + columns[i]!) * n; c < n; c++) out[at++] = x.data[p++]!;
  }
  return x.with(out, region.height, region.width);
}

export function horizontalFlip<R extends Raster>(x: R): R {
  const { data, height, width, channels: n } = x;
  const out = new Uint8Array(data.length);
  for (let y = 0, at = 0; y < height; y++) {
    let p = (y + 1) * width * n - n;
    if (n === 3)
      for (let i = 0; i < width; i++, p -= 3, at += 3) {
        out[at] = data[p]!;
        out[at + 1] = data[p + 1]!;
        out[at + 2] = data[p + 2]!;
      }
    else for (let i = 0; i < width; i++, p -= n) for (let c = 0; c < n; c++) out[at++] = data[p + c]!;
  }
  return x.with(out, height, width);
}
export function verticalFlip<R extends Raster>(x: R): R {
  const { data, height, width, channels } = x;
  const row = width * channels;
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) copyRow(data, (height - 1 - y) * row, out, y * row, row);
  return x.with(out, height, width);
}
/** A quarter turn against the clock, as often as told. */
export function quarterTurns<R extends Raster>(x: R, turns: number): R {
  const k = ((turns % 4) + 4) % 4;
  if (k === 0) return x;
  if (k === 2) return verticalFlip(horizontalFlip(x));
  const { data, height, width, channels: n } = x;
  const out = new Uint8Array(data.length);
  for (let y = 0, at = 0; y < width; y++)
    for (let i = 0; i < height; i++) {
      const [row, column] = k === 1 ? [i, width - 1 - y] : [height - 1 - i, y];
      for (let c = 0, p = (row * width + column) * n; c < n; c++) out[at++] = data[p++]!;
    }
  return x.with(out, width, height);
}

// Numbers over a plane as pixels: feature maps, filters, and heat laid over a picture (saliency, Grad-CAM).
// In: rows of numbers, pixels. Out: pixels, for pictureGrid or a canvas.

import { mix } from './color.ts';
import type { Pixels } from './png.ts';
import { THEME } from './theme.ts';

type Rows = readonly (readonly number[])[];
type Colour = readonly [number, number, number];
const rgb = (hex: string): Colour =>
  [1, 3, 5].map(i => Number.parseInt(hex.slice(i, i + 2), 16)) as unknown as Colour;
const STEPS = 64;
/** 0 … 1 to a colour, from stop to stop. */
function scale(...stops: readonly string[]): (t: number) => Colour {
  const table = Array.from({ length: STEPS + 1 }, (_, i) => {
    const at = (i / STEPS) * (stops.length - 1);
    const k = Math.min(Math.floor(at), stops.length - 2);
    return rgb(mix(stops[k]!, stops[k + 1]!, at - k));
  });
  return t => table[Math.round(STEPS * Math.min(1, Math.max(0, t)))]!;
}
const SCALES = {
  /** From nothing, dark, to much, bright. */
  heat: scale('#1b1464', '#b5367a', '#fb8861', '#fcf7b9'),
  /** From black to white. */
  grey: scale('#000000', '#ffffff'),
  /** Negative orange, zero the page's ground, positive blue; the middle of the domain is its middle. */
  signed: scale(THEME.negative, THEME.ground, THEME.positive),
} as const;
export type HeatScale = keyof typeof SCALES;

export interface HeatOptions {
  /** Default 'heat'. */
  readonly scale?: HeatScale;
  /** The values of the scale's ends. Default: the smallest and largest; of 'signed' ± the largest size. */
  readonly domain?: readonly [number, number];
}
const finite = (rows: Rows): number[] => rows.flat().filter(Number.isFinite);
function domainOf(rows: Rows, { scale = 'heat', domain }: HeatOptions): readonly [number, number] {
  if (domain !== undefined) return domain;
  const values = finite(rows);
  if (scale === 'signed') {
    const most = values.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    return [-most, most];
  }
  return [
    values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  ];
}

/** Rows of numbers as pixels, one each; where all are equal, the middle of the scale. */
export function heatPixels(rows: Rows, options: HeatOptions = {}): Pixels {
  const [low, high] = domainOf(rows, options);
  const colour = SCALES[options.scale ?? 'heat'];
  const width = rows[0]?.length ?? 0;
  const data = new Uint8Array(rows.length * width * 3);
  for (const [y, row] of rows.entries())
    for (const [x, v] of row.entries())
      data.set(colour(high > low ? (v - low) / (high - low) : 0.5), (y * width + x) * 3);
  return { data, height: rows.length, width, channels: 3 };
}

/** The value at a place between the middles of cells; beyond them that of the edge. */
function between(rows: Rows, y: number, x: number): number {
  const [h, w] = [rows.length, rows[0]!.length];
  const [py, px] = [Math.min(Math.max(y, 0), h - 1), Math.min(Math.max(x, 0), w - 1)];
  const [i, j] = [Math.min(Math.floor(py), Math.max(0, h - 2)), Math.min(Math.floor(px), Math.max(0, w - 2))];
  const [dy, dx] = [py - i, px - j];
  const at = (r: number, c: number): number => rows[Math.min(r, h - 1)]![Math.min(c, w - 1)]!;
  const top = at(i, j) * (1 - dx) + at(i, j + 1) * dx;
  const bottom = at(i + 1, j) * (1 - dx) + at(i + 1, j + 1) * dx;
  return top * (1 - dy) + bottom * dy;
}

/**
 * Heat over a picture, bilinear where it has fewer places than the picture has pixels; the picture shows through in grey,
 * so that colour is heat only.
 */
export function heatOverlay(
  picture: Pixels,
  rows: Rows,
  options: HeatOptions & {
    /** The heat's share of each pixel. Default 0.6. */
    readonly share?: number;
  } = {},
): Pixels {
  const { share = 0.6 } = options;
  const { data, height, width, channels } = picture;
  const [low, high] = domainOf(rows, options);
  const colour = SCALES[options.scale ?? 'heat'];
  const [fy, fx] = [rows.length / height, rows[0]!.length / width];
  const out = new Uint8Array(height * width * 3);
  for (let y = 0, p = 0; y < height; y++)
    for (let x = 0; x < width; x++, p++) {
      const v = between(rows, (y + 0.5) * fy - 0.5, (x + 0.5) * fx - 0.5);
      const heat = colour(high > low ? (v - low) / (high - low) : 0);
      const at = p * channels;
      const grey =
        channels < 3 ? data[at]! : 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
      for (let c = 0; c < 3; c++) out[3 * p + c] = Math.round(share * heat[c]! + (1 - share) * grey);
    }
  return { data: out, height, width, channels: 3 };
}

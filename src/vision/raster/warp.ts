// Affine maps of a picture: rotation, shift, scale, shear, bit for bit as Pillow does them.
// In: a raster and a matrix that tells where each result's pixel comes from. Out: a raster.

import { ValueError } from '../../base/errors.ts';
import type { Raster, Size } from '../image.ts';
import { type Fill, filled, fillOf, quarterTurns } from './place.ts';
import type { Interpolation } from './resample.ts';

/** x′ = a·x + b·y + c, y′ = d·x + e·y + f. */
export type Matrix = readonly [number, number, number, number, number, number];
export type Point = readonly [number, number];
export const apply = ([a, b, c, d, e, f]: Matrix, x: number, y: number): [number, number] => [
  a * x + b * y + c,
  d * x + e * y + f,
];
export function inverse([a, b, c, d, e, f]: Matrix): Matrix {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

export type WarpInterpolation = Extract<Interpolation, 'nearest' | 'bilinear' | 'bicubic'>;
export interface WarpOptions {
  readonly interpolation?: WarpInterpolation;
  readonly fill?: Fill;
}
/** Each pixel (x, y) of the result comes from `from`·(x, y); what lies outside of the picture has the colour `fill`. */
export function warp<R extends Raster>(x: R, from: Matrix, size: Size, options: WarpOptions = {}): R {
  const { interpolation = 'nearest', fill = 0 } = options;
  const out = filled(size.height * size.width, fillOf('warp', fill, x.channels));
  if (interpolation === 'nearest') {
    if (from[1] === 0 && from[3] === 0) scaled(x, from, size, out);
    else fixedPoint(x, from, size, out);
  } else smooth(x, from, size, out, interpolation === 'bilinear' ? bilinear : bicubic);
  return x.with(out, size.height, size.width);
}

/** Without rotation and shear: columns and rows are picked by themselves. */
function scaled(x: Raster, [a, , c, , e, f]: Matrix, size: Size, out: Uint8Array): void {
  const n = x.channels;
  const whole = (v: number): number => (v < 0 ? -1 : Math.trunc(v));
  let py = f + e * 0.5;
  for (let y = 0; y < size.height; y++, py += e) {
    const row = whole(py);
    let px = c + a * 0.5;
    if (row < 0 || row >= x.height) continue;
    for (let i = 0; i < size.width; i++, px += a) {
      const column = whole(px);
      if (column < 0 || column >= x.width) continue;
      const p = (row * x.width + column) * n;
      for (let k = 0, o = (y * size.width + i) * n; k < n; k++) out[o + k] = x.data[p + k]!;
    }
  }
}
/** Nearest pixel with 16 binary digits behind the point. */
function fixedPoint(x: Raster, [a, b, c, d, e, f]: Matrix, size: Size, out: Uint8Array): void {
  const n = x.channels;
  const fix = (v: number): number => Math.floor(v * 65536 + 0.5);
  const [a0, a1, a3, a4] = [fix(a), fix(b), fix(d), fix(e)];
  let rowX = fix(c + a * 0.5 + b * 0.5);
  let rowY = fix(f + d * 0.5 + e * 0.5);
  for (let y = 0, o = 0; y < size.height; y++, rowX += a1, rowY += a4) {
    let [px, py] = [rowX, rowY];
    for (let i = 0; i < size.width; i++, px += a0, py += a3, o += n) {
      const [column, row] = [px >> 16, py >> 16];
      if (column < 0 || column >= x.width || row < 0 || row >= x.height) continue;
      const p = (row * x.width + column) * n;
      for (let k = 0; k < n; k++) out[o + k] = x.data[p + k]!;
    }
  }
}

type Sampler = (x: Raster, px: number, py: number, out: Uint8Array, o: number) => void;
function smooth(x: Raster, from: Matrix, size: Size, out: Uint8Array, sample: Sampler): void {
  const [a, b, c, d, e, f] = from;
  for (let y = 0, o = 0; y < size.height; y++) {
    for (let i = 0; i < size.width; i++, o += x.channels) {
      const [u, v] = [i + 0.5, y + 0.5];
      const px = a * u + b * v + c;
      const py = d * u + e * v + f;
      if (px >= 0 && px < x.width && py >= 0 && py < x.height) sample(x, px - 0.5, py - 0.5, out, o);
    }
  }
}
const clip = (i: number, n: number): number => (i < 0 ? 0 : i < n ? i : n - 1);
const bilinear: Sampler = (x, px, py, out, o) => {
  const { data, width, height, channels: n } = x;
  const [column, row] = [Math.floor(px), Math.floor(py)];
  const [dx, dy] = [px - column, py - row];
  const [left, right] = [clip(column, width) * n, clip(column + 1, width) * n];
  const top = clip(row, height) * width * n;
  const bottom = clip(row + 1, height) * width * n;
  for (let k = 0; k < n; k++) {
    const a = data[top + left + k]! + (data[top + right + k]! - data[top + left + k]!) * dx;
    const b = data[bottom + left + k]! + (data[bottom + right + k]! - data[bottom + left + k]!) * dx;
    out[o + k] = a + (b - a) * dy;
  }
};
/** The cubic through four values with a = −0.5, `d` behind the second. */
function cubic(v1: number, v2: number, v3: number, v4: number, d: number): number {
  const p2 = -v1 + v3;
  const p3 = 2 * (v1 - v2) + v3 - v4;
  const p4 = -v1 + v2 - v3 + v4;
  return v2 + d * (p2 + d * (p3 + d * p4));
}
const bicubic: Sampler = (x, px, py, out, o) => {
  const { data, width, height, channels: n } = x;
  const [column, row] = [Math.floor(px), Math.floor(py)];
  const [dx, dy] = [px - column, py - row];
  for (let k = 0; k < n; k++) {
    const at = (i: number, j: number) =>
      data[(clip(row + j, height) * width + clip(column + i, width)) * n + k]!;
    const line = (j: number) => cubic(at(-1, j), at(0, j), at(1, j), at(2, j), dx);
    const v = cubic(line(-1), line(0), line(1), line(2), dy);
    out[o + k] = v <= 0 ? 0 : v >= 255 ? 255 : v;
  }
};

// ---- maps ------------------------------------------------------------------------------------------------------------

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

export interface AffineParameters {
  /** Degrees with the clock. */
  readonly angle: number;
  readonly translate: Point;
  readonly scale: number;
  /** Degrees along x and y. */
  readonly shear: Point;
}
/** Where the pixels of the result come from: the inverse of shift · rotation · shear · scale about `center`. */
export function affineMatrix(center: Point, { angle, translate, scale, shear }: AffineParameters): Matrix {
  if (!(scale > 0)) throw new ValueError('affine', 'scale must be > 0', String(scale), '');
  const [rot, sx, sy] = [radians(angle), radians(shear[0]), radians(shear[1])];
  const [[cx, cy], [tx, ty]] = [center, translate];
  const a = Math.cos(rot - sy) / Math.cos(sy);
  const b = (-Math.cos(rot - sy) * Math.tan(sx)) / Math.cos(sy) - Math.sin(rot);
  const c = Math.sin(rot - sy) / Math.cos(sy);
  const d = (-Math.sin(rot - sy) * Math.tan(sx)) / Math.cos(sy) + Math.cos(rot);
  const [m0, m1, m3, m4] = [d / scale, -b / scale, -c / scale, a / scale];
  const moved = (p: number, q: number): number => p * (-cx - tx) + q * (-cy - ty);
  return [m0, m1, moved(m0, m1) + cx, m3, m4, moved(m3, m4) + cy];
}

export interface RotateOptions extends WarpOptions {
  /** Make the result so large that nothing is cut off. Default false. */
  readonly expand?: boolean;
  /** The point that stays, (x, y). Default: the middle. */
  readonly center?: Point;
}
export interface Rotation {
  readonly from: Matrix;
  readonly size: Size;
  /** Quarter turns against the clock, where the rotation is nothing else. */
  readonly turns: number | null;
}
/** A rotation by degrees against the clock. */
export function rotation(size: Size, degrees: number, options: RotateOptions = {}): Rotation {
  const { height: h, width: w } = size;
  const { expand = false, center } = options;
  const angle = ((degrees % 360) + 360) % 360;
  const right = angle % 90 === 0 && center === undefined;
  const square = angle % 180 === 0 || expand || w === h;
  const t = -radians(angle);
  // 15 decimals: a quarter turn then has zeros.
  const tidy = (v: number): number => Number(v.toFixed(15));
  const [cos, sin] = [tidy(Math.cos(t)), tidy(Math.sin(t))];
  const [cx, cy] = center ?? [w / 2, h / 2];
  let from: Matrix = [cos, sin, cos * -cx + sin * -cy + cx, -sin, cos, -sin * -cx + cos * -cy + cy];
  let to = size;
  if (expand) {
    const corners = [apply(from, 0, 0), apply(from, w, 0), apply(from, w, h), apply(from, 0, h)];
    const span = (k: 0 | 1): number =>
      Math.ceil(Math.max(...corners.map(p => p[k]))) - Math.floor(Math.min(...corners.map(p => p[k])));
    to = { width: span(0), height: span(1) };
    const [c, f] = apply(from, -(to.width - w) / 2, -(to.height - h) / 2);
    from = [from[0], from[1], c, from[3], from[4], f];
  }
  return { from, size: to, turns: right && square ? Math.round(angle / 90) : null };
}
export function rotate<R extends Raster>(x: R, r: Rotation, options: WarpOptions): R {
  return r.turns === null ? warp(x, r.from, r.size, options) : quarterTurns(x, r.turns);
}

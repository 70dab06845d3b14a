// Pictures as bytes, and what may lie on them: masks and boxes.
// In: bytes, numbers, tensors. Out: things that a transform knows how to move. Not its job: files (codec), pixels' maths.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { adopt } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface Size {
  readonly height: number;
  readonly width: number;
}

/** Bytes in rows from the top, the channels of a pixel side by side: byte (y·width + x)·channels + c. */
export class Raster implements Size {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly height: number;
  readonly width: number;
  readonly channels: number;

  /** Takes the bytes over. Errors: a length that is not height · width · channels. */
  constructor(data: Uint8Array<ArrayBuffer>, height: number, width: number, channels: number) {
    const sizes = [height, width, channels];
    if (sizes.some(v => !Number.isInteger(v) || v < 1) || data.length !== height * width * channels)
      throw new ValueError(
        new.target.name,
        'it takes height · width · channels bytes',
        `${data.length} for ${showShape(sizes)}`,
        '',
      );
    this.data = data;
    this.height = height;
    this.width = width;
    this.channels = channels;
  }
  /** Another picture of the same kind. */
  with(data: Uint8Array<ArrayBuffer>, height: number, width: number, channels = this.channels): this {
    const Kind = this.constructor as new (d: Uint8Array, h: number, w: number, c: number) => this;
    return new Kind(data, height, width, channels);
  }
}

/** A picture: 1 channel (grey), 3 (red, green, blue) or 4 (and alpha) bytes a pixel. */
export class Image extends Raster {
  /** Values v/255, as `transforms.ToTensor`. Shape: (C, H, W), float32. */
  toTensor(): Tensor {
    const out = new Float32Array(this.data.length);
    writeScaled(this, UNIT, out);
    return adopt(out, [this.channels, this.height, this.width], 'float32');
  }
  /**
   * The picture of a tensor: uint8 as it is, floating values of 0 … 1 times 255, rounded and clamped.
   * Shape: (C, H, W) or (H, W).
   */
  static from(t: Tensor): Image {
    const shape = t.ndim === 2 ? [1, ...t.shape] : t.shape;
    if (shape.length !== 3 || ![1, 3, 4].includes(shape[0]!))
      throw new ShapeError(
        'Image.from',
        'a picture has shape (C, H, W) with 1, 3 or 4 channels, or (H, W)',
        showShape(t.shape),
        'take one picture out of a batch',
      );
    const [channels, height, width] = shape as [number, number, number];
    const values = t
      .detach()
      .to(t.dtype === 'uint8' ? 'uint8' : 'float32')
      .dataSync() as Uint8Array | Float32Array;
    const scale = t.dtype === 'uint8' ? 1 : 255;
    // Clamped bytes round to the nearest.
    const data = new Uint8ClampedArray(values.length);
    const plane = height * width;
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < plane; i++) data[i * channels + c] = values[c * plane + i]! * scale;
    return new Image(new Uint8Array(data.buffer), height, width, channels);
  }
}

/** Classes of pixels, a byte each: transforms move it as the picture, never mix its values and leave its colours alone. */
export class Mask extends Raster {
  constructor(data: Uint8Array<ArrayBuffer>, height: number, width: number, channels = 1) {
    super(data, height, width, channels);
  }
  /** Shape: (H, W), or (channels, H, W) where there are several; int64. */
  toTensor(): Tensor {
    const { channels, height, width, data } = this;
    const plane = height * width;
    const out = new BigInt64Array(data.length);
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < plane; i++) out[c * plane + i] = BigInt(data[i * channels + c]!);
    return adopt(out, channels === 1 ? [height, width] : [channels, height, width], 'int64');
  }
}

/** Corners (x1, y1, x2, y2); corner and size (x, y, w, h); centre and size (cx, cy, w, h). */
export type BoxFormat = 'XYXY' | 'XYWH' | 'CXCYWH';
const FORMATS: readonly BoxFormat[] = ['XYXY', 'XYWH', 'CXCYWH'];

/** Boxes on a picture of the given size, in pixels, four numbers each. */
export class BoundingBoxes implements Size {
  readonly data: Float32Array<ArrayBuffer>;
  readonly height: number;
  readonly width: number;
  readonly format: BoxFormat;

  constructor(
    boxes: ArrayLike<number> | readonly (readonly number[])[],
    canvas: Size,
    options: { readonly format?: BoxFormat } = {},
  ) {
    const { format = 'XYXY' } = options;
    this.data = Float32Array.from((Array.from(boxes as ArrayLike<number | number[]>) as number[]).flat());
    if (this.data.length % 4 !== 0 || !FORMATS.includes(format))
      throw new ValueError(
        'BoundingBoxes',
        'a box has four numbers, as XYXY, XYWH or CXCYWH',
        `${this.data.length} numbers as ${show(format)}`,
        '',
      );
    this.height = canvas.height;
    this.width = canvas.width;
    this.format = format;
  }
  get count(): number {
    return this.data.length / 4;
  }
  /** The same boxes in another form. */
  to(format: BoxFormat): BoundingBoxes {
    const out = new Float32Array(this.data.length);
    for (let i = 0; i < out.length; i += 4) {
      const [a, b, c, d] = this.data.subarray(i, i + 4) as unknown as [number, number, number, number];
      const [x1, y1] = this.format === 'CXCYWH' ? [a - c / 2, b - d / 2] : [a, b];
      const [w, h] = this.format === 'XYXY' ? [c - a, d - b] : [c, d];
      if (format === 'XYXY') out.set([x1, y1, x1 + w, y1 + h], i);
      else if (format === 'XYWH') out.set([x1, y1, w, h], i);
      else out.set([x1 + w / 2, y1 + h / 2, w, h], i);
    }
    return new BoundingBoxes(out, this, { format });
  }
  /**
   * The smallest upright boxes around the moved corners, cut at the edges of the new canvas.
   * `move` tells where a point goes.
   */
  moved(canvas: Size, move: (x: number, y: number) => readonly [number, number]): BoundingBoxes {
    const out = this.to('XYXY').data;
    for (let i = 0; i < out.length; i += 4) {
      const [x1, y1, x2, y2] = out.subarray(i, i + 4) as unknown as [number, number, number, number];
      const corners = [move(x1, y1), move(x2, y1), move(x2, y2), move(x1, y2)];
      const inside = (k: 0 | 1, end: number) =>
        corners.map(p => Math.min(Math.max(p[k], 0), end)).sort((a, b) => a - b);
      const [xs, ys] = [inside(0, canvas.width), inside(1, canvas.height)];
      out.set([xs[0]!, ys[0]!, xs[3]!, ys[3]!], i);
    }
    return new BoundingBoxes(out, canvas).to(this.format);
  }
  /** Shape: (n, 4), float32. */
  toTensor(): Tensor {
    return adopt(this.data.slice(), [this.count, 4], 'float32');
  }
}

// ---- bytes to numbers ------------------------------------------------------------------------------------------------

/** What each byte of each channel becomes: channel c, byte v at 256·c + v. One channel's table serves all. */
export type ByteTable = Float32Array;
const UNIT: ByteTable = Float32Array.from({ length: 256 }, (_, v) => v / 255);
/** (v/255 − mean) / std in float32, as ToTensor and Normalize give it one after the other. */
export function normalizing(mean: readonly number[], std: readonly number[]): ByteTable {
  const out = new Float32Array(256 * mean.length);
  for (const [c, m] of mean.entries())
    for (let v = 0; v < 256; v++)
      out[256 * c + v] = Math.fround(UNIT[v]! - Math.fround(m)) / Math.fround(std[c]!);
  return out;
}
export const UNIT_TABLE = UNIT;

/** Writes a picture as planes of numbers, (C, H, W), from `at` on. */
export function writeScaled(image: Raster, table: ByteTable, out: Float32Array, at = 0): void {
  const { data, channels } = image;
  const plane = image.height * image.width;
  const own = table.length > 256;
  if (channels === 3) {
    const [green, blue] = own ? [256, 512] : [0, 0];
    for (let i = 0, p = 0, g = at + plane, b = g + plane; i < plane; i++, p += 3) {
      out[at + i] = table[data[p]!]!;
      out[g + i] = table[green + data[p + 1]!]!;
      out[b + i] = table[blue + data[p + 2]!]!;
    }
    return;
  }
  for (let c = 0; c < channels; c++) {
    const base = own ? 256 * c : 0;
    for (let i = 0, p = c; i < plane; i++, p += channels) out[at + c * plane + i] = table[base + data[p]!]!;
  }
}

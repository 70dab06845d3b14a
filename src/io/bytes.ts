// Bytes of files: tensors over them, their order, their growth. In: bytes of a file. Out: tensors, or bytes to write.

import { DTYPES, type DType, typedArray } from '../base/dtype.ts';
import { adopt } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** A tensor whose memory is these bytes (little-endian), copied only where they are not aligned; true is any byte but 0. */
export function tensorOf(bytes: Uint8Array, shape: readonly number[], dtype: DType): Tensor {
  const width = DTYPES[dtype].bytes;
  // Not slice(): of Node's Buffer that is no copy.
  const whole = dtype !== 'bool' || bytes.every(b => b <= 1) ? bytes : bytes.map(b => (b === 0 ? 0 : 1));
  const own = whole.byteOffset % 8 === 0 ? whole : new Uint8Array(whole);
  return adopt(typedArray(dtype, own.buffer, own.byteOffset, own.length / width), shape, dtype);
}
/** A copy with the bytes of each element the other way round. */
export function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let at = 0; width > 1 && at < out.length; at += width) out.subarray(at, at + width).reverse();
  return out;
}
export const isSize = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
export const isSizes = (x: unknown): x is number[] => Array.isArray(x) && x.every(isSize);
/** Elements of a shape that a file gives; null where it is no list of sizes, or more than can be counted. */
export function sizeOf(shape: unknown): number | null {
  if (!isSizes(shape)) return null;
  const n = shape.reduce((product, d) => product * d, 1);
  return Number.isSafeInteger(n) ? n : null;
}

/** Bytes that grow while they are written. */
export class ByteWriter {
  private bytes = new Uint8Array(256);
  private view = new DataView(this.bytes.buffer);
  private length = 0;
  private room(n: number): number {
    const at = this.length;
    this.length += n;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, 2 * this.bytes.length));
      grown.set(this.bytes);
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }
  u8(...values: readonly number[]): this {
    const at = this.room(values.length);
    this.bytes.set(values, at);
    return this;
  }
  u16(v: number): this {
    const at = this.room(2);
    this.view.setUint16(at, v, true);
    return this;
  }
  u32(v: number): this {
    const at = this.room(4);
    this.view.setUint32(at, v, true);
    return this;
  }
  /** Big-endian, as pickles have it. */
  f64(v: number): this {
    const at = this.room(8);
    this.view.setFloat64(at, v);
    return this;
  }
  put(bytes: Uint8Array): this {
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }
  text(s: string): this {
    return this.put(new TextEncoder().encode(s));
  }
  done(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

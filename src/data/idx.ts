// The IDX format of MNIST: a magic number with type and rank, the sizes, then the numbers, all big-endian.
// In: bytes. Out: an array with its shape. Source: the description at the end of http://yann.lecun.com/exdb/mnist/.

import { type DType, typedArray } from '../base/dtype.ts';
import { FileError, show, showShape } from '../base/errors.ts';
import { numel } from '../base/shape.ts';
import type { ArrayData } from './rows.ts';

const TYPES: Readonly<Record<number, { dtype: DType; bytes: number }>> = {
  8: { dtype: 'uint8', bytes: 1 },
  9: { dtype: 'int8', bytes: 1 },
  11: { dtype: 'int16', bytes: 2 },
  12: { dtype: 'int32', bytes: 4 },
  13: { dtype: 'float32', bytes: 4 },
  14: { dtype: 'float64', bytes: 8 },
};

/** Reads an IDX file. Errors: wrong magic number, unknown type, fewer or more bytes than the sizes say. */
export function parseIdx(bytes: Uint8Array, name = 'the file'): ArrayData {
  const refuse = (rule: string, got: string): never => {
    throw new FileError('parseIdx', `${name}: ${rule}`, got, 'the file is damaged or no IDX file');
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) refuse('it must begin with 4 bytes of type and rank', `${bytes.length} bytes`);
  const type = TYPES[bytes[2]!];
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined)
    return refuse('it must begin with 0, 0 and a type 8, 9 or 11 … 14', show([bytes[0], bytes[1], bytes[2]]));
  const rank = bytes[3]!;
  const start = 4 + 4 * rank;
  if (bytes.length < start) refuse(`the sizes of ${rank} dims must follow`, `${bytes.length} bytes`);
  const shape = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d));
  const wanted = start + numel(shape) * type.bytes;
  if (bytes.length !== wanted)
    refuse(`the shape ${showShape(shape)} of ${type.dtype} needs ${wanted} bytes`, String(bytes.length));
  // A copy, also of a Node Buffer, whose slice() shares memory.
  const body = new Uint8Array(bytes.subarray(start));
  if (type.bytes > 1) swapBytes(body, type.bytes);
  return { data: typedArray(type.dtype, body.buffer), shape, dtype: type.dtype };
}

/** Big-endian to little-endian, the order of every machine that runs WebAssembly. */
function swapBytes(bytes: Uint8Array, width: number): void {
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

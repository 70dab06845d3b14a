// The rows of an array in memory, gathered into batches with one copy.
// In: a tensor, or an array with a shape. Out: tensors of chosen rows.

import { type DType, type TypedArray, typedArray } from '../base/dtype.ts';
import { numel, type Shape } from '../base/shape.ts';
import { adopt } from '../tensor/create.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Numbers with a shape that are not a tensor yet: what file readers give. 16-bit floats are held as float32. */
export interface ArrayData {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Rows of up to this many words are copied word by word; longer ones by the engine's own copy. */
const SHORT = 16;
type Units = Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

export class RowStore {
  private readonly row: Shape;
  private readonly source: ArrayData;
  private readonly device: string | undefined;
  /** The bytes in the largest unit that divides a row, and a row's length in it. */
  private readonly units: Units;
  private readonly unitsPerRow: number;

  constructor(from: Tensor | ArrayData) {
    this.source = isTensor(from)
      ? { data: from.dataSync(), shape: from.shape, dtype: from.dtype }
      : { data: from.data, shape: from.shape, dtype: from.dtype };
    this.device = isTensor(from) ? from.device : undefined;
    this.row = from.shape.slice(1);
    const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = this.source.data;
    const words = (numel(this.row) * BYTES_PER_ELEMENT) % 4 === 0 && byteOffset % 4 === 0;
    this.units = words
      ? new Uint32Array(buffer as ArrayBuffer, byteOffset, byteLength >> 2)
      : new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    this.unitsPerRow = (numel(this.row) * BYTES_PER_ELEMENT) / (words ? 4 : 1);
  }
  /** The rows at these indices: (n, …row), or one row without its first dim. */
  gather(indices: ArrayLike<number>, single: boolean): Tensor {
    const n = indices.length;
    const out = new (this.units.constructor as new (n: number) => Units)(n * this.unitsPerRow);
    copyRows(this.units, out, indices, this.unitsPerRow);
    return this.wrap(out, single ? this.row : [n, ...this.row]);
  }
  all(): Tensor {
    return this.wrap(this.units.slice(), this.source.shape);
  }
  private wrap(units: Units, shape: Shape): Tensor {
    const { dtype } = this.source;
    const held = dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype;
    const t = adopt(typedArray(held, units.buffer), shape, held, this.device);
    return held === dtype ? t : t.to(dtype);
  }
}

function copyRows(from: Units, to: Units, rows: ArrayLike<number>, length: number): void {
  if (length > SHORT) {
    for (let i = 0; i < rows.length; i++)
      to.set(from.subarray(rows[i]! * length, (rows[i]! + 1) * length), i * length);
    return;
  }
  for (let i = 0, k = 0; i < rows.length; i++)
    for (let j = 0, at = rows[i]! * length; j < length; j++) to[k++] = from[at++]!;
}

// Comparing results with what the files want, and the two ways in which a case can end early.

import { type DType, nn, Tensor } from '../../src/index.ts';
import type { Stored, Tolerance } from './format.ts';

/** The result is not what the file says. */
export class Mismatch extends Error {}
/** What the case is about does not exist in the library (yet). */
export class Missing extends Error {}

const isFloat = (d: DType): boolean => d.startsWith('float') || d === 'bfloat16';

/** |got − want| ≤ atol + rtol·|want|; NaN matches NaN, an infinity its own sign, integers and bools must be equal. */
export function compare(name: string, got: Tensor, want: Stored, tolerance: Tolerance, dtype?: string): void {
  if (dtype !== undefined && got.dtype !== dtype) {
    throw new Mismatch(`${name}: dtype ${got.dtype}, wants ${dtype}`);
  }
  if (got.shape.join() !== want.shape.join()) {
    throw new Mismatch(`${name}: shape (${got.shape.join(', ')}), wants (${want.shape.join(', ')})`);
  }
  compareValues(name, got.dataSync(), want, tolerance);
}
export function compareValues(
  name: string,
  got: ArrayLike<number | bigint>,
  want: Stored,
  { rtol, atol }: Tolerance,
): void {
  const exact = !isFloat(want.dtype);
  for (let i = 0; i < want.data.length; i++) {
    const a = Number(got[i]);
    const b = Number(want.data[i]);
    const same = a === b || (Number.isNaN(a) && Number.isNaN(b));
    const near = !exact && Math.abs(a - b) <= atol + rtol * Math.abs(b);
    if (!same && !near) throw new Mismatch(`${name}[${i}]: ${a}, wants ${b}`);
  }
}

/** Results as a flat list: tuples, lists and named results in their order; packed ones as padded ones and lengths. */
export function flatten(out: unknown, batchFirst = false): Tensor[] {
  if (out === null || out === undefined) return [];
  if (out instanceof Tensor) return [out];
  if (out instanceof nn.PackedSequence) return nn.padPackedSequence(out, { batchFirst });
  if (Array.isArray(out)) return out.flatMap(x => flatten(x, batchFirst));
  if (typeof out === 'object') return Object.values(out).flatMap(x => flatten(x, batchFirst));
  throw new Mismatch(`a result is no tensor: ${String(out)}`);
}

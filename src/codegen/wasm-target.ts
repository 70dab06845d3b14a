// What emitted kernels agree on with the runtime: their type, what they import, where they report failed checks.

import { HOST_MATH, takesTwo } from '../ir/scalar.ts';
import { type Bytes, F64, type FuncType, I32, type ValType } from './wasm-asm.ts';

/** Host functions that every kernel module imports, in this order: mathematics, and the product of a native BLAS. */
export const HOST_IMPORTS: readonly { readonly name: string; readonly type: FuncType }[] = [
  ...Object.keys(HOST_MATH).map(name => ({
    name,
    type: {
      params: takesTwo(name) ? [F64, F64] : [F64],
      results: [F64],
    } satisfies FuncType,
  })),
  { name: 'sgemm', type: { params: new Array<ValType>(11).fill(I32), results: [] } },
];
export const HOST_INDEX: ReadonlyMap<string, number> = new Map(HOST_IMPORTS.map((f, i) => [f.name, i]));
/** Where a failed check leaves its code and the bad value. */
export const STATUS = 16;
/** (parameter block, begin, end) */
export const KERNEL_TYPE: FuncType = { params: [I32, I32, I32], results: [] };

export interface Emitted {
  readonly code: Bytes;
  readonly locals: readonly ValType[];
  /** Integers that follow the buffer pointers in the parameter block. */
  readonly ints: readonly number[];
  /** Calls host functions that only the main thread has. */
  readonly mainThreadOnly: boolean;
}
export interface Target {
  /** Whether the engine has relaxed SIMD: fused multiply-add and one-instruction selects. */
  readonly fma: boolean;
}

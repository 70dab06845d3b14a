import type { DType } from '../base/dtype.ts';
import type { Target } from '../codegen/wasm.ts';
import type { Pieces } from '../runtime/cpu-plan.ts';
import type { GemmKernel } from '../schedule/kernel.ts';
export const gemmLimit = (_m: number, _n: number, _k: number, _d: DType): boolean => false;
export function emitGemm(_k: GemmKernel, _t: Target): Pieces {
  throw new Error('gemm');
}

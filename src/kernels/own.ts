// The code of kernels that ops bring along: it comes with the functions that use the op, not with the core.
// In: an op's kernel. Out: how it is emitted. Not its job: any particular one.

import type { Target } from '../codegen/wasm-target.ts';
import type { OwnKernel } from '../ir/op.ts';
import type { OwnKernelCall } from '../schedule/kernel.ts';
import type { Pieces } from './pieces.ts';

export type OwnCode = (k: OwnKernelCall, target: Target) => Pieces;
const codes = new Map<unknown, OwnCode>();

export function provideCode<A extends { readonly output: number }>(by: OwnKernel<A>, code: OwnCode): void {
  codes.set(by, code);
}
export const codeOf = (by: OwnKernel): OwnCode => codes.get(by)!;

// What several suites need: inputs drawn from an op's samples, comparison with a readable failure.

import { type DType, isFloat } from '../src/base/dtype.ts';
import { threefry2x32 } from '../src/base/rng.ts';
import { numel } from '../src/base/shape.ts';
import type { Node } from '../src/ir/node.ts';
import { build, OPS, type OpDef, type Sample } from '../src/ir/op.ts';
import '../src/index.ts';
import '../src/runtime/reference.ts';
import { wrap } from '../src/tensor/core.ts';
import { hostData } from '../src/tensor/create.ts';
import type { Tensor } from '../src/tensor/tensor.ts';

/** Without those of a body's steps, which are nothing without one: test/nn/steps.test.ts is theirs. */
export const allOps = (OPS as unknown as OpDef<unknown>[]).filter(
  d => d.kind !== 'steps' && d.kind !== 'part',
);

/** A stream of numbers in [0, 1) that depends on the seed only. */
export function stream(seed: number): () => number {
  let i = 0;
  return () => threefry2x32(seed, 0, i++, 0)[0] / 2 ** 32;
}

/** Values for input i of a sample: inside its range, away from kinks, exact in float32. */
export function drawInput(s: Sample, i: number, next: () => number, dtype: DType): number[] {
  const [lo, hi] = s.range ?? [-2, 2];
  return Array.from({ length: numel(s.shapes[i]!) }, () => {
    for (;;) {
      const v = Math.fround(lo + (hi - lo) * next());
      if (dtype === 'bool') return next() < 0.5 ? 1 : 0;
      if (!isFloat(dtype)) return Math.trunc(v);
      if (!(s.kinks ?? []).some(k => Math.abs(v - k) < 0.05)) return v;
    }
  });
}
export function inputsOf(s: Sample, seed: number, device: string, float: DType = 'float32'): Tensor[] {
  const next = stream(seed);
  return s.shapes.map((shape, i) => {
    const own = s.dtypes?.[i] ?? 'float32';
    const dtype = own === 'float32' ? float : own;
    return wrap(hostData(drawInput(s, i, next, dtype), shape, dtype, device));
  });
}
/** The op's result for a sample. */
export function applyOp(def: OpDef<unknown>, s: Sample, src: readonly Node[]): Node {
  return build(def, src, s.attrs ?? null);
}
export const numbers = (t: Tensor): number[] => Array.from(t.dataSync() as ArrayLike<number>, Number);

/** The first element outside atol + rtol·|want|, or null. */
export function firstWrong(
  got: readonly number[],
  want: readonly number[],
  rtol: number,
  atol: number,
): string | null {
  if (got.length !== want.length) return `${got.length} elements, wants ${want.length}`;
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i]!, want[i]!];
    if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!(Math.abs(a - b) <= atol + rtol * Math.abs(b))) return `[${i}]: ${a}, wants ${b}`;
  }
  return null;
}

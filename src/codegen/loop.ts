// The loop IR: what a kernel does, as loops over expressions. Targets turn it into bytes or text.
// In: built by lower.ts. Out: read by wasm.ts (and text targets). Not its job: choosing loops.

import type { DType } from '../base/dtype.ts';
import type { Affine, E, LoopVar } from '../ir/scalar.ts';

/** A mutable local: an accumulator. */
export interface Acc {
  readonly id: number;
  readonly type: E['type'];
  readonly lanes: 1 | 4;
}

export type Stmt =
  /** Gives a local its first or next value; all values of one statement are computed before any is set. */
  | { readonly kind: 'set'; readonly accs: readonly Acc[]; readonly values: readonly E[] }
  /** Writes one or four elements; `step` is the distance of the lanes. */
  | {
      readonly kind: 'store';
      readonly buffer: number;
      readonly at: Affine;
      readonly dtype: DType;
      readonly value: E;
      readonly step: number;
    }
  /** Names the value of a loop variable that is not counted by a loop of its own. */
  | { readonly kind: 'let'; readonly v: LoopVar; readonly value: E }
  /**
   * Counts v from `from` to `to`. Each variant runs while a whole step fits, the last has step 1:
   * {16: four vectors, 4: one vector, 1: the tail}.
   */
  | {
      readonly kind: 'for';
      readonly v: LoopVar;
      readonly from: E;
      readonly to: E;
      readonly variants: readonly { readonly step: number; readonly body: readonly Stmt[] }[];
    };

/** A kernel ready to be emitted: run with a range [begin, end) of its outermost loop. */
export interface LoopProgram {
  readonly body: readonly Stmt[];
  /** Size of the range that may be cut between threads; 1 where it may not. */
  readonly range: number;
  /** Where the body reads begin and end. */
  readonly begin: Acc;
  readonly end: Acc;
  /** Bytes of scratch that each thread needs. */
  readonly scratch: number;
}

// What a kernel becomes on the cpu: functions with the ranges that they run over.
// In: nothing. Out: types, and how a range is cut between threads.

import type { Emitted } from '../codegen/wasm-target.ts';

/** One function with its tasks: ranges that any thread may run, in any order. */
export interface Piece {
  readonly emitted: Emitted;
  readonly tasks: readonly (readonly [begin: number, end: number])[];
  /** About how long it takes on one thread. */
  readonly ns: number;
}
export interface Pieces {
  readonly pieces: readonly Piece[];
  /** Bytes of working memory; their addresses follow the kernel's buffers in the parameter block. */
  readonly scratch: readonly number[];
}

/** Nanoseconds per scalar operation, about. A constant, so that cuts depend on shapes only: same bits on any thread count. */
export const NS_PER_OP = 0.15;
const INLINE_BELOW_NS = 8_000;
const TASK_NS = 12_000;
const MAX_TASKS = 64;

/** Cuts a range into tasks by the time it takes, at most so many; `align` keeps vectors whole. */
export function cutRange(range: number, ns: number, align: number, most = MAX_TASKS): [number, number][] {
  if (ns < INLINE_BELOW_NS || range < 2) return [[0, range]];
  const wanted = Math.min(most, Math.max(2, Math.ceil(ns / TASK_NS)), range);
  const each = Math.ceil(Math.ceil(range / wanted) / align) * align;
  const out: [number, number][] = [];
  for (let at = 0; at < range; at += each) out.push([at, Math.min(at + each, range)]);
  return out;
}

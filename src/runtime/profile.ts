// Time per kernel: while a recording is on, devices run their kernels one by one and note each.
// In: notes from devices. Out: records. Not its job: showing them (tensor/profile.ts).

import type { KernelInfo } from './device.ts';

export interface KernelTime extends KernelInfo {
  /** Milliseconds, by performance.now(). */
  readonly start: number;
  readonly ms: number;
}
export const profiling: { now: KernelTime[] | null } = { now: null };

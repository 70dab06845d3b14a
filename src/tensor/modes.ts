// Scoped modes: whether gradients are recorded. Bodies are synchronous: a mode must not leak into other tasks.

import { CompileError } from '../base/errors.ts';
import { gradMode } from '../ir/node.ts';

/** Refuses the Promise of an async function, in which the mode would be gone at the first await. */
export function synchronous<T>(op: string, value: T): T {
  if (value instanceof Promise) {
    throw new CompileError(
      op,
      'its function must be synchronous',
      'one that returns a Promise',
      'await before or after it, not inside',
    );
  }
  return value;
}
function withGrad<T>(op: string, on: boolean, body: () => T): T {
  const before = gradMode.enabled;
  gradMode.enabled = on;
  try {
    return synchronous(op, body());
  } finally {
    gradMode.enabled = before;
  }
}
/** Runs `body` without recording gradients; returns its result. */
export const noGrad = <T>(body: () => T): T => withGrad('noGrad', false, body);
/** Runs `body` with gradients recorded, inside a noGrad. */
export const enableGrad = <T>(body: () => T): T => withGrad('enableGrad', true, body);
/** Whether gradients are being recorded: false inside noGrad. */
export const isGradEnabled = (): boolean => gradMode.enabled;

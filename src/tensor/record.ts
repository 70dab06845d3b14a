// The recording in progress, if any: compile() sees every tensor that a step reads and changes through it.
// In: set by compile.ts. Out: asked by core.ts. Not its job: what is done with a recording.

import type { Node } from '../ir/node.ts';
import type { TensorCore } from './core.ts';
import { setRecorder } from './host.ts';

export interface Recording {
  readonly id: number;
  /** The node of a base tensor, noting that the step reads it. */
  read(t: TensorCore): Node;
  /** Notes the state of a tensor before the step changes it. */
  change(t: TensorCore): void;
  /** Notes that the step sets the gradient of a tensor. */
  setGrad(t: TensorCore): void;
  /** Notes that the step's course depends on whether a tensor has a gradient. */
  askGrad(t: TensorCore): void;
  /** Notes that the step's course depends on this text: where it changes, the step is recorded anew. */
  check(read: () => string): void;
  /** Refuses what needs values now. */
  refuse(what: string): never;
}

export const recording: { now: Recording | null } = { now: null };
export const recordingId = (): number => (recording.now === null ? 0 : recording.now.id);

/** Counts changes of structure (requiresGrad, hooks, parameter groups, replaced parameters): recordings are keyed by it. */
export const structure = {
  version: 0,
  /** Which modules are in eval mode, as one number: flipped back, it finds the recordings of before again. */
  modes: 0n,
};
/** Notes such a change, unless it is part of a recorded step itself. */
export function structureChanged(): void {
  if (recording.now === null) structure.version++;
}

/** Runs something as if no recording were in progress: what it makes lives on after the step. */
export function outside<T>(body: () => T): T {
  const r = recording.now;
  if (r === null) return body();
  const recorder = setRecorder(null);
  recording.now = null;
  try {
    return body();
  } finally {
    recording.now = r;
    setRecorder(recorder);
  }
}

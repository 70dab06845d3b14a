// The recording in progress, if any: compile() sees every tensor that a step reads and changes through it.
// In: set by compile.ts. Out: asked by core.ts. Not its job: what is done with a recording.

import type { Node } from '../ir/node.ts';
import type { TensorCore } from './core.ts';

export interface Recording {
  readonly id: number;
  /** The node of a base tensor, noting that the step reads it. */
  read(t: TensorCore): Node;
  /** Notes the state of a tensor before the step changes it. */
  change(t: TensorCore): void;
  /** Notes that the step's course depends on whether a tensor has a gradient. */
  askGrad(t: TensorCore): void;
  /** Refuses what needs values now. */
  refuse(what: string): never;
}

export const recording: { now: Recording | null } = { now: null };
export const recordingId = (): number => (recording.now === null ? 0 : recording.now.id);

/** Counts changes of structure (train/eval, requiresGrad, hooks, parameter groups): recordings are keyed by it. */
export const structure = { version: 0 };

// The recording in progress, if any: compile() sees every tensor that a step reads and changes through it.
// In: set by compile.ts. Out: asked by core.ts. Not its job: what is done with a recording.

import { CompileError } from '../base/errors.ts';
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

/** A recording of one example or one step of many, inside another or alone: there are no values yet. */
export abstract class InnerRecording implements Recording {
  readonly id: number;
  protected readonly outer: Recording | null;
  private readonly op: string;
  private readonly refusal: string;
  /** `own` is the id where it is not a part of another recording; `refusal` says what is not known yet. */
  constructor(op: string, refusal: string, outer: Recording | null, own: () => number) {
    this.op = op;
    this.refusal = refusal;
    this.outer = outer;
    this.id = outer?.id ?? own();
  }
  abstract change(t: TensorCore): void;
  abstract setGrad(t: TensorCore): void;
  read(t: TensorCore): Node {
    return this.outer === null ? t._node : this.outer.read(t);
  }
  askGrad(t: TensorCore): void {
    this.outer?.askGrad(t);
  }
  check(read: () => string): void {
    this.outer?.check(read);
  }
  refuse(what: string): never {
    const advice = 'return the tensor and read it outside; conditions are where(…)';
    throw new CompileError(this.op, this.refusal, what, advice);
  }
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

// Host numbers and effects: what a step reads from and does to JavaScript besides tensors (step counts, learning rates,
// random keys). Uncompiled they happen at once; inside compile() they are recorded, in order, and repeated at each call.

import type { DType } from '../base/dtype.ts';
import type { Generator } from '../base/rng.ts';
import type { Node } from '../ir/node.ts';
import { constant, type HostScalar, uniform } from '../ir/ops/elementwise.ts';

/** JavaScript state that a recorded step changes; it is put back when the step fails. */
export interface HostState {
  save(): unknown;
  restore(state: unknown): void;
}

class Current implements HostScalar {
  now: number;
  constructor(now: number) {
    this.now = now;
  }
  value(): number {
    return this.now;
  }
}

/** What compile() records. */
export interface Recorder {
  /** Something to be repeated at each call; `state` is what it changes. */
  event(run: () => void, state: HostState | null): void;
  /** A number that the trace takes as given: another trace must find the same. */
  fixed(value: number): void;
}
let recorder: Recorder | null = null;
export function setRecorder(r: Recorder | null): Recorder | null {
  const before = recorder;
  recorder = r;
  return before;
}

/** A number read anew at each call of a compiled step; now, once. */
export function hostNumber(read: () => number, dtype: DType, device: string): Node {
  const s = new Current(read());
  recorder?.event(() => {
    s.now = read();
  }, null);
  return uniform(s, dtype, device);
}

/** Changes host state; repeated at each call of a compiled step. */
export function hostEffect(state: HostState, run: () => void): void {
  recorder?.event(run, state);
  run();
}

/** While set, it gives the keys of draws: those of a body that runs many times. */
export const drawing: { now: { key(g: Generator, device: string): [Node, Node] } | null } = { now: null };
/** The two key words of the next draw of a generator. */
export function randomKey(g: Generator, device: string): [Node, Node] {
  if (drawing.now !== null) return drawing.now.key(g, device);
  const k0 = new Current(0);
  const k1 = new Current(0);
  const draw = (): void => {
    const [a, b] = g.key(g.calls++);
    k0.now = a | 0;
    k1.now = b | 0;
  };
  recorder?.event(draw, {
    save: () => g.getState(),
    restore: s => {
      g.setState(s as { seed: number; calls: number });
    },
  });
  draw();
  return [uniform(k0, 'int32', device), uniform(k1, 'int32', device)];
}

const PLAIN_LIMIT = 16;
/**
 * A number that the user wrote. Small integers and halves are part of the program; others are bound at each run, so
 * that a learning rate that changes does not compile a new kernel each time.
 */
export function numberNode(v: number | bigint | boolean, dtype: DType, device: string): Node {
  const x = typeof v === 'bigint' ? v : Number(v);
  const plain =
    typeof x === 'bigint' || (Number.isInteger(x * 2) && Math.abs(x) <= PLAIN_LIMIT) || !Number.isFinite(x);
  if (plain) return constant(x, dtype, device);
  recorder?.fixed(x);
  return uniform(new Current(x), dtype, device);
}

/** Where a slice begins that is to be replaced: bound at each run but for a recorded step, whose places are known. */
export const placeNode = (at: number, device: string): Node =>
  at === 0 || recorder !== null ? constant(at, 'int32', device) : uniform(new Current(at), 'int32', device);

/** A number argument of a compiled function: ops take it like a number, JavaScript arithmetic cannot see through it. */
export class Scalar {
  private readonly read: () => number;
  constructor(read: () => number) {
    this.read = read;
  }
  node(dtype: DType, device: string): Node {
    return hostNumber(this.read, dtype, device);
  }
  valueOf(): number {
    throw new TypeError(
      'compile: a number argument stands for a value that changes between calls, so JavaScript arithmetic on it would ' +
        'be frozen. Use tensor ops (x.mul(lr)), or compute the number before the call and pass the result',
    );
  }
}

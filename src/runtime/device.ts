// What the tensor layer asks of a device, and the buffers it keeps.
// In: nothing. Out: types. Not its job: any particular device.

import type { Node, Storage } from '../ir/node.ts';
import type { HostScalar } from '../ir/ops/elementwise.ts';

/** A graph to be run many times with other data. */
export interface ProgramSpec {
  /** What to compute. */
  readonly roots: readonly Node[];
  /** Realised nodes in the order in which run() gets their storages. */
  readonly sources: readonly Node[];
  /** Host numbers in the order in which run() gets them. */
  readonly uniforms: readonly Node[];
  /** Per root: -1 for a new result, else the number of the target (a cell) that it replaces. */
  readonly targetOf: readonly number[];
  /** Per source: the target whose old value it is, or -1. */
  readonly aliasOf: readonly number[];
}

export interface KernelInfo {
  readonly name: string;
  readonly kind: string;
  /** Scalar operations, about. */
  work: number;
  bytes: number;
}

export interface Executable {
  /** Runs once. Targets are overwritten; the result has a storage per root without target. Throws before any target changes. */
  run(
    sources: readonly Storage[],
    uniforms: readonly HostScalar[],
    targets: readonly Storage[],
  ): (Storage | null)[];
  readonly kernels: readonly KernelInfo[];
  /** Memory that this plan holds beside the shared arena. */
  readonly bytes: number;
  dispose(): void;
}

export interface Device {
  readonly name: string;
  compile(spec: ProgramSpec): Executable;
  /** A storage with these bytes (copied). */
  upload(bytes: Uint8Array): Storage;
  /** A storage that takes these bytes over: whoever gives them must not touch them again. */
  adopt(bytes: Uint8Array<ArrayBuffer>): Storage;
  /** A storage whose bytes are still to be written. */
  empty(bytes: number): Storage;
  /** A copy of a storage's bytes. */
  download(s: Storage): Uint8Array<ArrayBuffer>;
  /** A storage's bytes themselves where they can be had: to be used before anything else is computed. */
  peek?(s: Storage): Uint8Array;
  /** A storage that is a copy of another. */
  clone(s: Storage): Storage;
  /** A part of a storage, as a source of runs; left out where a device has none. */
  part?(s: Storage, offset: number, bytes: number): Storage;
  memory(): Record<string, number>;
  /** What it runs on and with, for people (`tenon doctor`). */
  describe(): Record<string, string | number | boolean>;
}

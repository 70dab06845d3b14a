// What a loader and its workers say to each other, and how tensors travel: their bytes move, they are not copied.

import type { DType, TypedArray } from '../base/dtype.ts';
import type { Shape } from '../base/shape.ts';
import { adopt } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { mapTensors } from '../tensor/tree.ts';
import type { Job } from './fetch.ts';

/** Where a data set comes from, so that a worker can make it too. */
export interface Origin {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
}
export type Request =
  | {
      readonly kind: 'open';
      readonly origin: Origin;
      readonly id: number;
      readonly count: number;
      /** The data folder: flags that a program or a page's address set are not known to its workers. */
      readonly folder: string;
    }
  | { readonly kind: 'batch'; readonly ticket: number; readonly job: Job; readonly raw: boolean }
  | { readonly kind: 'start'; readonly stream: Stream }
  | { readonly kind: 'next'; readonly ticket: number };
/** How a worker cuts its stream into batches; `raw`: lists of samples, which the loader collates. */
export interface Stream {
  readonly seed: number;
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly raw: boolean;
}
export interface Reply {
  readonly ticket: number;
  readonly value?: unknown;
  /** The stream is over. */
  readonly done?: boolean;
  /** What was said about samples that were left out. */
  readonly skipped?: readonly string[];
  readonly error?: string;
}

/** One end of the wire, in the worker. */
export interface Port {
  post(reply: Reply, transfer: readonly ArrayBuffer[]): void;
  listen(f: (request: Request) => void): void;
}
/** A running worker, as the loader sees it. */
export interface Thread {
  post(request: Request, transfer?: readonly ArrayBuffer[]): void;
  /** Whether it keeps the process alive. */
  hold(on: boolean): void;
  stop(): void;
}
export interface ThreadEvents {
  message(reply: Reply): void;
  end(why: string): void;
}

class Packed {
  readonly packed: DType;
  readonly held: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
  constructor(t: Tensor) {
    this.packed = t.dtype;
    this.held = t.dtype === 'float16' || t.dtype === 'bfloat16' ? 'float32' : t.dtype;
    this.shape = t.shape;
    this.data = t.dataSync();
  }
}
/** The same tree with tensors as plain objects, and the buffers that move along. */
export function pack(tree: unknown): { value: unknown; transfer: ArrayBuffer[] } {
  const transfer: ArrayBuffer[] = [];
  const value = mapTensors(tree, t => {
    const p = new Packed(t);
    transfer.push(p.data.buffer as ArrayBuffer);
    return { ...p };
  });
  return { value, transfer };
}
export function unpack(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(unpack);
  if (tree === null || typeof tree !== 'object' || Object.getPrototypeOf(tree) !== Object.prototype)
    return tree;
  if ('packed' in tree && 'held' in tree) {
    const { packed, held, shape, data } = tree as Packed;
    const t = adopt(data, shape, held);
    return held === packed ? t : t.to(packed);
  }
  return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, unpack(v)]));
}

// What the scheduler hands to a device: values with their homes, and the kernels that make them.
// Data only. Out of fuse.ts, into memory.ts, codegen and the runtimes.

import type { DType } from '../base/dtype.ts';
import type { Node } from '../ir/node.ts';
import type { OwnKernel } from '../ir/op.ts';
import type { ScatterMode } from '../ir/ops/index.ts';
import type { Affine, E, Exprs, Fold, LoopVar } from '../ir/scalar.ts';
import type { PartAttrs, StepsAttrs } from '../ir/steps.ts';

/** Bytes that kernels read or write: a source of the graph, or a node that was given memory. */
export interface Value {
  readonly id: number;
  readonly node: Node;
  readonly dtype: DType;
  readonly numel: number;
  readonly bytes: number;
  /** source: data from outside; uniform: a host number; computed: made by a kernel of this schedule. */
  readonly kind: 'source' | 'uniform' | 'computed';
}

/** One result of a kernel. */
export interface KernelStore {
  /** Position in the kernel's `buffers`. */
  readonly buffer: number;
  readonly at: Affine;
  readonly dtype: DType;
  readonly value: E;
  /** How many leading blocks of loops surround it: all, or fewer for a result per row. */
  readonly depth: number;
  /** Combine with what is there instead of replacing it. */
  readonly mode: ScatterMode;
}

/** Loops over elements: elementwise chains, row kernels, reductions, scans, scatters, with everything inlined. */
export interface LoopKernel {
  readonly kind: 'loop';
  readonly buffers: readonly Value[];
  /** Loop variables from outside in; values that depend on fewer blocks are computed further out. */
  readonly blocks: readonly (readonly LoopVar[])[];
  readonly stores: readonly KernelStore[];
  /** A running fold along the innermost loop: the stores read its accumulator. */
  readonly scan: {
    readonly v: LoopVar;
    readonly fold: Fold;
    readonly inputs: readonly E[];
    readonly acc: E;
  } | null;
  /** Loop variables that must run in order on one thread (scatter positions). */
  readonly serial: readonly LoopVar[];
  readonly exprs: Exprs;
  readonly nodes: readonly Node[];
  /** Scalar operations, about. */
  readonly work: number;
}

/** One matrix of a GEMM: which buffer, and its index in the loop variables. */
export interface GemmOperand {
  readonly buffer: number;
  readonly at: Affine;
}
/** C[b, i, j] = epilogue(Σ_k A[b, i, k]·B[b, k, j]), with one or more loops for k; the stores read the sum as `acc`. */
export interface GemmKernel {
  readonly kind: 'gemm';
  readonly buffers: readonly Value[];
  readonly batch: readonly LoopVar[];
  readonly i: LoopVar;
  readonly j: LoopVar;
  /** From outside in. */
  readonly k: readonly LoopVar[];
  readonly a: GemmOperand;
  readonly b: GemmOperand;
  readonly acc: E;
  readonly stores: readonly KernelStore[];
  readonly exprs: Exprs;
  readonly nodes: readonly Node[];
  readonly work: number;
}

/** A kernel that an op brings along (ir/op.ts): its loops, what it reads at a place in them, and where its results go. */
export interface OwnKernelCall {
  readonly kind: 'own';
  readonly by: OwnKernel;
  readonly buffers: readonly Value[];
  /** One result of the run; others may be wanted, too. */
  readonly node: Node;
  readonly vars: readonly LoopVar[];
  /** Per source: a load where it is in memory, else any expression of the loops. */
  readonly inputs: readonly E[];
  /** By `output`; holes where nobody wants one. */
  readonly outputs: readonly (GemmOperand | undefined)[];
  readonly exprs: Exprs;
  readonly nodes: readonly Node[];
  readonly work: number;
}

/** Plain TypeScript on typed arrays. */
export interface HostKernel {
  readonly kind: 'host';
  readonly buffers: readonly Value[];
  readonly node: Node;
  readonly nodes: readonly Node[];
  readonly work: number;
}

/** A source of a kernel that may be a stretch of a larger value: from which byte on. */
export interface Stretch {
  readonly buffer: number;
  readonly offset: number;
}
/** Kernels that run once per step of a body. */
export interface StepsKernel {
  readonly kind: 'steps';
  readonly buffers: readonly Value[];
  readonly node: Node<StepsAttrs>;
  /** Where the inputs of the body come from. */
  readonly sources: readonly Stretch[];
  readonly body: Schedule;
  /** Per carry what it becomes in a step; null where nobody needs it. */
  readonly next: readonly (Value | null)[];
  /** What of each step is kept, and in which buffer. */
  readonly results: readonly {
    readonly part: PartAttrs;
    readonly buffer: number;
    readonly value: Value | null;
  }[];
  readonly nodes: readonly Node[];
  readonly work: number;
}

export type Kernel = LoopKernel | GemmKernel | HostKernel | StepsKernel | OwnKernelCall;

/** What a device can do, as data. */
export interface Limits {
  /** Has a hand-tuned GEMM for these shapes; smaller ones become loops. */
  gemm(M: number, N: number, K: number, dtype: DType): boolean;
  readonly hostOps: boolean;
}

export interface Schedule {
  readonly values: readonly Value[];
  readonly kernels: readonly Kernel[];
}

/** The values that a kernel makes. */
export function writesOf(k: Kernel): Value[] {
  if (k.kind === 'host') return [k.buffers[k.buffers.length - 1]!];
  if (k.kind === 'steps') return k.results.map(r => k.buffers[r.buffer]!);
  if (k.kind === 'own') return k.outputs.flatMap(o => k.buffers[o!.buffer]!);
  return [...new Set(k.stores.map(s => k.buffers[s.buffer]!))];
}
/** A name for people: the ops it computes. */
export function nameOf(k: Kernel): string {
  const names = k.nodes.filter(n => n.op.kind !== 'source' && n.op.kind !== 'movement').map(n => n.op.name);
  const unique = [...new Set(names)];
  const text = unique.slice(-6).join('+');
  return `${text || 'copy'}${unique.length > 6 ? '+…' : ''}`;
}

// What the loops of a kernel end in: stores, folds into accumulators, scans; and questions about their expressions.
// In: a LoopKernel. Out: sinks. Not its job: loops (lower.ts).

import type { Affine, E, Fold, LoadData, ReduceData } from '../ir/scalar.ts';
import { addScaled, asAffine, constAffine, isMathOp, rebuild, termsOf } from '../ir/scalar.ts';
import type { KernelStore, LoopKernel } from '../schedule/kernel.ts';
import type { Acc } from './loop.ts';

/** Something to be done inside a number of loops. */
export interface StoreSink {
  readonly kind: 'store';
  readonly depth: number;
  readonly buffer: number;
  readonly at: Affine;
  readonly dtype: KernelStore['dtype'];
  readonly value: E;
  readonly mode: KernelStore['mode'];
  readonly step: number;
}
export interface FoldSink {
  readonly kind: 'fold';
  readonly depth: number;
  readonly target: FoldTarget;
  /** Which set of accumulators: 0 scalar (or lanes of an outer loop), 1 … four lanes along the reduced loop. */
  readonly set: number;
  readonly x: E;
  readonly position: E | null;
}
export interface ScanSink {
  readonly kind: 'scan';
  readonly depth: number;
  readonly lanes: 1 | 4;
  readonly inputs: readonly E[];
  readonly stores: readonly StoreSink[];
}
export type Sink = StoreSink | FoldSink | ScanSink;

export interface FoldTarget {
  readonly fold: Fold;
  readonly type: E['type'];
  readonly lanes: 1 | 4;
  /** sets[0] is the result; further sets are partial accumulators along the reduced loop. */
  readonly sets: Acc[][];
}

/** An i32 that becomes int64 is widened when it is stored, so that its loops can have four lanes. */
function narrowed({ dtype, value, mode }: KernelStore): E {
  const inner = value.op === 'convert' ? value.args[0]! : value;
  return dtype === 'int64' && mode === 'set' && inner.type === 'i32' ? inner : value;
}

/** What a kernel has to do, before any loop is chosen. */
export function initialSinks(k: LoopKernel): Sink[] {
  const depthOf = (s: KernelStore): number => k.blocks.slice(0, s.depth).reduce((n, b) => n + b.length, 0);
  const stores = k.stores.map(
    (s): StoreSink => ({
      kind: 'store',
      depth: depthOf(s),
      buffer: s.buffer,
      at: s.at,
      dtype: s.dtype,
      value: narrowed(s),
      mode: s.mode,
      step: 1,
    }),
  );
  if (k.scan === null) return stores;
  const { v, inputs } = k.scan;
  const outer = k.blocks.flat().filter(x => x !== v).length;
  return [{ kind: 'scan', depth: outer, lanes: 1, inputs, stores: stores.map(s => ({ ...s, depth: 0 })) }];
}
/** All expressions of a sink. */
export function exprsOf(s: Sink): E[] {
  if (s.kind === 'store') return [s.value, ...s.at.terms.map(t => t[0])];
  if (s.kind === 'fold') return s.position === null ? [s.x] : [s.x, s.position];
  return [...s.inputs, ...s.stores.flatMap(x => exprsOf(x))];
}
export function mapSink<S extends Sink>(s: S, f: (e: E) => E): S {
  const at = (a: Affine): Affine => {
    let out = constAffine(a.c);
    for (const [t, n] of a.terms) out = addScaled(out, asAffine(f(t)), n);
    return out;
  };
  if (s.kind === 'store') return { ...s, value: f(s.value), at: at(s.at) };
  if (s.kind === 'fold') return { ...s, x: f(s.x), position: s.position === null ? null : f(s.position) };
  return { ...s, inputs: s.inputs.map(f), stores: s.stores.map(x => mapSink(x, f)) };
}
export function substitute<S extends Sink>(sinks: readonly S[], map: ReadonlyMap<E, E>): S[] {
  const memo = new Map<E, E>();
  const leaf = (e: E): E | null => map.get(e) ?? null;
  return sinks.map(s => mapSink(s, e => rebuild(e, leaf, memo)));
}

/** Every index in the kernel, with a weight. */
export function accesses(sinks: readonly Sink[]): { at: Affine; store: boolean }[] {
  const out: { at: Affine; store: boolean }[] = [];
  const seen = new Set<E>();
  const walk = (e: E): void => {
    if (seen.has(e)) return;
    seen.add(e);
    for (let i = 0; i < e.args.length; i++) walk(e.args[i]!);
    if (e.op === 'load') out.push({ at: (e.data as LoadData).at, store: false });
    const terms = termsOf(e);
    for (let i = 0; i < terms.length; i++) if (terms[i]![0].op !== 'var') walk(terms[i]![0]);
    if (e.op === 'reduce' && (e.data as ReduceData).position !== null) walk((e.data as ReduceData).position!);
  };
  const visit = (s: Sink): void => {
    for (const e of exprsOf(s)) walk(e);
    if (s.kind === 'store') out.push({ at: s.at, store: true });
    if (s.kind === 'scan') s.stores.forEach(visit);
  };
  sinks.forEach(visit);
  return out;
}

/** Operations of one evaluation, loops inside counted as many. */
export function opCount(e: E): number {
  const seen = new Set<E>();
  const walk = (x: E): number => {
    if (seen.has(x)) return 0;
    seen.add(x);
    let n = x.op === 'const' ? 0 : isMathOp(x.op) ? 16 : x.op === 'reduce' ? 1000 : 1;
    for (let i = 0; i < x.args.length; i++) n += walk(x.args[i]!);
    return n;
  };
  return walk(e);
}

/** Whether a reduction lies below. */
export function hasReduce(e: E): boolean {
  const seen = new Set<E>();
  const walk = (x: E): boolean => {
    if (seen.has(x)) return false;
    seen.add(x);
    return x.op === 'reduce' || x.args.some(walk);
  };
  return walk(e);
}
/** Whether any sink has a reduction below. */
export function hasLoopsInside(sinks: readonly Sink[]): boolean {
  const seen = new Set<E>();
  const walk = (e: E): boolean => {
    if (seen.has(e)) return false;
    seen.add(e);
    return e.op === 'reduce' || e.args.some(walk);
  };
  return sinks.some(s => exprsOf(s).some(walk));
}

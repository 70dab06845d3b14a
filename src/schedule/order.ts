// The order of kernels, and which results may replace a cell in place.
// In: kernels in a valid order, which value goes to which target, which source is a target's old value.
// Out: the order, the values that may be written directly, and where failed checks must be looked for.

import type { E, LoadData } from '../ir/scalar.ts';
import { keyOf } from './affine.ts';
import { type Kernel, type KernelStore, type Value, writesOf } from './kernel.ts';

export interface Order {
  readonly order: Kernel[];
  readonly direct: Map<Value, number>;
  /** Kernels from this position on change cells: checks come first. -1 where nothing can fail. */
  readonly checkAt: number;
}

export function orderKernels(
  kernels: readonly Kernel[],
  wanted: ReadonlyMap<Value, number>,
  aliasOf: (v: Value) => number,
): Order {
  const n = kernels.length;
  const writers = new Map<Value, number[]>();
  kernels.forEach((k, i) => {
    for (const v of writesOf(k)) writers.set(v, [...(writers.get(v) ?? []), i]);
  });
  const deps: Set<number>[] = kernels.map((k, i) => {
    const d = new Set<number>();
    for (const v of k.buffers) for (const w of writers.get(v) ?? []) if (w < i) d.add(w);
    return d;
  });
  const seen = new Int32Array(n);
  let walks = 0;
  /** Whether the kernel, or one that must run before it, is what is looked for. */
  const isBehind = (kernel: number, wanted: (x: number) => boolean): boolean => {
    const walk = ++walks;
    const stack = [kernel];
    for (let x = stack.pop(); x !== undefined; x = stack.pop()) {
      if (wanted(x)) return true;
      if (seen[x] === walk) continue;
      seen[x] = walk;
      for (const d of deps[x]!) if (seen[d] !== walk) stack.push(d);
    }
    return false;
  };

  // Readers of a cell's old value run before the kernel that replaces it, where that is possible.
  const readers = new Map<number, number[]>();
  kernels.forEach((k, i) => {
    const done = new Set<number>();
    for (const v of k.buffers) {
      const t = aliasOf(v);
      if (t >= 0 && !done.has(t)) {
        done.add(t);
        readers.set(t, [...(readers.get(t) ?? []), i]);
      }
    }
  });
  const direct = new Map<Value, number>();
  const changesCells = new Set<number>();
  const tryDirect = (v: Value, t: number): void => {
    const w = writers.get(v);
    if (w === undefined || w.length !== 1) return;
    const writer = w[0]!;
    const others = (readers.get(t) ?? []).filter(r => r !== writer);
    if (others.some(r => isBehind(r, x => x === writer))) return;
    if ((readers.get(t) ?? []).includes(writer) && !readsInPlace(kernels[writer]!, v, x => aliasOf(x) === t))
      return;
    for (const r of others) deps[writer]!.add(r);
    direct.set(v, t);
    changesCells.add(writer);
  };
  for (const [v, t] of wanted) tryDirect(v, t);

  const canFail = kernels.map(k => k.nodes.some(x => x.op.raises !== null));
  if (canFail.some(Boolean)) {
    // A check that depends on a changed cell comes too late: such cells are changed by a copy at the end.
    for (let again = true; again; ) {
      again = false;
      for (const [v] of direct) {
        const writer = writers.get(v)![0]!;
        if (canFail.some((f, i) => f && isBehind(i, x => x === writer))) {
          direct.delete(v);
          changesCells.delete(writer);
          again = true;
        }
      }
    }
    for (const v of direct.keys()) changesCells.add(writers.get(v)![0]!);
  }

  // Late: what changes cells, and what needs it. The optimizer's updates stand together at the end.
  const late = kernels.map((k, i) => changesCells.has(i) && (k.kind === 'loop' || canFail.some(Boolean)));
  const order: Kernel[] = [];
  const state = new Uint8Array(n);
  const place = (i: number): void => {
    if (state[i]) return;
    state[i] = 1;
    for (const d of [...deps[i]!].sort((a, b) => a - b)) place(d);
    order.push(kernels[i]!);
  };
  for (let i = 0; i < n; i++) if (!isBehind(i, x => late[x]!)) place(i);
  const checkAt = canFail.some(Boolean) ? order.length : -1;
  // What nobody reads comes last: the updates of all parameters side by side, so that equal ones run as one.
  const read = new Set<number>();
  for (const d of deps) for (const x of d) read.add(x);
  for (let i = 0; i < n; i++) if (read.has(i)) place(i);
  for (let i = 0; i < n; i++) place(i);
  return { order, direct, checkAt };
}

/** Whether the kernel reads the old value only at the element that it is about to write. */
function readsInPlace(k: Kernel, v: Value, isOld: (x: Value) => boolean): boolean {
  if (k.kind === 'host' || k.kind === 'steps' || k.kind === 'own') return false;
  const [store, ...others] = k.stores.filter(s => k.buffers[s.buffer] === v) as [KernelStore];
  if (others.length > 0) return false;
  if (k.kind === 'gemm' && [k.a, k.b].some(o => isOld(k.buffers[o.buffer]!))) return false;
  if (k.kind === 'loop' && k.scan !== null) return false;
  if (store.mode !== 'set') return false;
  const where = keyOf(store.at);
  const seen = new Set<E>();
  const ok = (e: E): boolean => {
    if (seen.has(e)) return true;
    seen.add(e);
    if (e.op === 'load') {
      const d = e.data as LoadData;
      if (isOld(k.buffers[d.buffer]!) && (keyOf(d.at) !== where || d.dtype !== v.dtype || e.args.length > 0))
        return false;
      if (!d.at.terms.every(([t]) => ok(t))) return false;
    }
    // Inside a reduction the element would be read again after other elements were written.
    if (e.op === 'reduce') return !containsOld(e, k, isOld);
    return e.args.every(ok);
  };
  return k.stores.every(s => ok(s.value));
}
function containsOld(e: E, k: Kernel, isOld: (x: Value) => boolean): boolean {
  const seen = new Set<E>();
  const walk = (x: E): boolean => {
    if (seen.has(x)) return false;
    seen.add(x);
    if (x.op === 'load') {
      const d = x.data as LoadData;
      if (isOld(k.buffers[d.buffer]!)) return true;
      if (d.at.terms.some(([t]) => walk(t))) return true;
    }
    return x.args.some(walk);
  };
  return walk(e);
}

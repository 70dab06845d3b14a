// A draft becomes a kernel: the expressions of its stores with everything else inlined, and the buffers they read.
// In: a draft, who writes what. Out: a Kernel. Not its job: deciding who gets memory (fuse.ts).

import { DTYPES } from '../base/dtype.ts';
import type { Shape } from '../base/shape.ts';
import { numel } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { contractionOf } from '../ir/ops/contract.ts';
import { CHECK, elementOf } from '../ir/ops/elementwise.ts';
import type { ScatterAttrs, TakeAttrs } from '../ir/ops/index.ts';
import { padFill } from '../ir/ops/movement.ts';
import { FOLD_ADD, type ReduceAttrs } from '../ir/ops/reduce.ts';
import type { Affine, E, LoadData, ReduceData } from '../ir/scalar.ts';
import {
  accOf,
  addScaled,
  asAffine,
  checked,
  constAffine,
  indexOf,
  isMathOp,
  LoopVar,
  load,
  m,
  reduce,
  termsOf,
  varOf,
  withExprs,
} from '../ir/scalar.ts';
import { bounds, keyOfAll, linear, loopVarOf, reshapeIndex } from './affine.ts';
import { type Draft, type DraftStore, NeedsMemory, varsOf } from './draft.ts';
import { alignIndex, operandIndices, reduceIndex, takeIndex } from './indices.ts';
import type {
  GemmKernel,
  GemmOperand,
  HostKernel,
  Kernel,
  KernelStore,
  LoopKernel,
  OwnKernelCall,
  Value,
} from './kernel.ts';

const GEMM_ACC = 1 << 19;
const SCAN_ACC = GEMM_ACC + 1;

export class KernelBuilder {
  private readonly d: Draft;
  private readonly writers: ReadonlyMap<Node, readonly Draft[]>;
  private readonly valueFor: (n: Node) => Value;
  private readonly buffers: Value[] = [];
  private readonly bufferIndex = new Map<Value, number>();
  private memo = new Map<Node, Map<string, E>>();
  private readonly reduceVars: LoopVar[][] = [];
  private ordinal = 0;
  private readonly nodes = new Set<Node>();
  private readonly own: ReadonlySet<Node>;

  constructor(d: Draft, writers: ReadonlyMap<Node, readonly Draft[]>, valueFor: (n: Node) => Value) {
    this.d = d;
    this.writers = writers;
    this.valueFor = valueFor;
    this.own = new Set(d.stores.map(s => s.node));
  }

  build(): Kernel {
    const d = this.d;
    if (d.kind === 'host') {
      const { node } = d.part!;
      const buffers = [...node.src, node].map(this.valueFor);
      return {
        kind: 'host',
        buffers,
        node,
        nodes: [node],
        work: numel(node.shape) * 100,
      } satisfies HostKernel;
    }
    return withExprs(() => {
      // Cutting a loop changes indices that were already used: start over with the cut in place.
      for (;;) {
        this.memo = new Map();
        this.ordinal = 0;
        try {
          return d.kind === 'own' ? this.ownKernel() : d.core !== null ? this.gemm() : this.loop();
        } catch (e) {
          if (e !== AGAIN) throw e;
        }
      }
    }, d.exprs);
  }

  private buffer(v: Value): number {
    let i = this.bufferIndex.get(v);
    if (i === undefined) {
      i = this.buffers.push(v) - 1;
      this.bufferIndex.set(v, i);
    }
    return i;
  }

  private blocks(): LoopVar[][] {
    return this.d.blocks.map(b => b.vars.filter(v => v.size !== 1));
  }
  private depthOf(s: DraftStore): number {
    if (s.scope.end === null) return 0;
    return this.d.blocks.indexOf(s.scope.end) + 1;
  }

  private loop(): LoopKernel {
    const d = this.d;
    let scan: LoopKernel['scan'] = null;
    let serial: LoopVar[] = [];
    const stores: KernelStore[] = [];
    for (const s of d.stores) {
      const at = s.at.map(a => this.now(a));
      let value: E;
      // The loops of a scatter run over its values, which may have fewer dims than the base.
      let to = d.kind === 'scatter' ? null : linear(at, s.node.shape);
      let mode: KernelStore['mode'] = 'set';
      if (s.from !== undefined)
        value = this.expr(
          s.from.node,
          s.from.at.map(a => this.now(a)),
          null,
        );
      else if (d.kind === 'scan') {
        const n = s.node;
        const inputs = n.src.map(x => this.expr(x, at, null));
        const block = d.blocks[1]!.vars[0];
        const type = DTYPES[n.src[n.src.length - 1]!.dtype].compute;
        const acc = accOf(SCAN_ACC, n.op.fold!.positional ? 'i32' : type, 1);
        scan = { v: block ?? new LoopVar(1), fold: n.op.fold!, inputs, acc };
        value = m.convert(acc, DTYPES[n.dtype].compute);
      } else if (d.kind === 'scatter') {
        const n = s.node;
        // Its indices can be bad: the plan must look at the result of the check.
        this.nodes.add(n);
        const { dims, mode: how } = n.attrs as ScatterAttrs;
        value = this.expr(n.src[1]!, at, null);
        const lead = at.length - (n.shape.length - dims.length);
        const index = this.checkedIndices(n.src.slice(2), at.slice(0, lead), dims, n.shape, null);
        to = linear(takeIndex(at.slice(lead), dims, index), n.shape);
        mode = how;
        const moving = varsOf(at.slice(0, lead))!;
        serial = [...moving];
      } else value = this.compute(s.node, at, null);
      stores.push({
        buffer: this.buffer(this.valueFor(s.node)),
        at: to!,
        dtype: s.node.dtype,
        value,
        depth: this.depthOf(s),
        mode,
      });
    }
    const kernel = {
      kind: 'loop' as const,
      buffers: this.buffers,
      blocks: this.blocks(),
      stores,
      scan,
      serial,
      exprs: d.exprs,
      nodes: [...this.nodes],
    };
    return { ...kernel, work: workOf(kernel) };
  }

  private gemm(): GemmKernel {
    const d = this.d;
    const { node, at } = d.core!;
    const type = DTYPES[node.dtype].compute;
    const acc = accOf(GEMM_ACC, type, 1);
    const { labels, sums } = contractionOf(node);
    // Rows and columns: the innermost dim that only a has, and only b.
    const [i, j] = [0, 1].map(x => {
      const own = (r: number): boolean =>
        node.shape[r]! > 1 &&
        labels[x]!.includes(r) &&
        !(labels[1 - x]!.includes(r) && sizeIn(node.src[1 - x]!, labels[1 - x]!, r) > 1);
      const r = node.shape.findLastIndex((_, r) => own(r));
      return r < 0 ? new LoopVar(1) : loopAt(at[r]!);
    }) as [LoopVar, LoopVar];
    const k = sums.map(size => new LoopVar(size));
    // The loops are this attempt's own: a cut would be forgotten, and asked for again without end.
    for (const v of k) d.fixed.add(v);
    const kAt = k.map(v => asAffine(varOf(v)));
    const operands = operandIndices(node, at, kAt).map((a, x) => {
      const e = this.expr(node.src[x]!, a, null);
      if (e.op !== 'load' || e.args.length > 0) throw new NeedsMemory(node.src[x]!);
      const data = e.data as LoadData;
      return { buffer: data.buffer, at: data.at };
    });
    this.memo.set(node, new Map([[keyOfAll(at), acc]]));
    this.nodes.add(node);
    const stores = d.stores.map(
      (s): KernelStore => ({
        buffer: this.buffer(this.valueFor(s.node)),
        at: linear(s.at, s.node.shape),
        dtype: s.node.dtype,
        value: this.compute(s.node, s.at, null),
        depth: this.depthOf(s),
        mode: 'set',
      }),
    );
    const batch = this.blocks()
      .flat()
      .filter(v => v !== i && v !== j);
    const total = batch.reduce((p, v) => p * v.size, 1) * i.size * j.size;
    return {
      kind: 'gemm',
      buffers: this.buffers,
      batch,
      i,
      j,
      k,
      a: operands[0]!,
      b: operands[1]!,
      acc,
      stores,
      exprs: d.exprs,
      nodes: [...this.nodes],
      work: k.reduce((p, v) => p * v.size, total),
    };
  }

  private ownKernel(): OwnKernelCall {
    const { part, at, stores, exprs } = this.d;
    const node = part!.node as OwnNode;
    const by = node.op.kernel!;
    const inputs = by.reads(node, at).map((r, i) => {
      const e = this.expr(node.src[i]!, r.at, null);
      const usable = r.inMemory ? e.op === 'load' && e.args.length === 0 : fitsLanes(e);
      if (!usable) throw new NeedsMemory(node.src[i]!);
      return e;
    });
    const outputs: GemmOperand[] = [];
    for (const s of stores) {
      const { output } = s.node.attrs as OwnNode['attrs'];
      outputs[output] = { buffer: this.buffer(this.valueFor(s.node)), at: linear(s.at, s.node.shape) };
    }
    return {
      kind: 'own',
      by,
      buffers: this.buffers,
      node,
      vars: at.map(loopAt),
      inputs,
      outputs,
      exprs,
      nodes: [...this.nodes, node],
      work: by.work(node),
    };
  }

  private now(at: Affine): Affine {
    let out = constAffine(at.c);
    for (const [e, k] of at.terms) {
      const v = loopVarOf(e);
      const cut = v === null ? undefined : this.d.cuts.get(v);
      if (cut === undefined) out = addScaled(out, asAffine(e), k);
      else {
        const whole = addScaled(asAffine(varOf(cut.inner)), asAffine(varOf(cut.outer)), cut.inner.size);
        out = addScaled(out, this.now(whole), k);
      }
    }
    return out;
  }

  /** The value of n at an index: from memory where it has some, computed here otherwise. */
  private expr(n: Node, at: readonly Affine[], within: E | null): E {
    if (numel(n.shape) === 0) return m.const(0, DTYPES[n.dtype].compute); // never evaluated
    // What the loops of a guard do not change can be read whether it holds or not: once, outside of them.
    const guard = within !== null && this.isFree(at, within) ? null : within;
    if (n.value !== null || n.op.bound || (this.writers.has(n) && !this.own.has(n))) {
      return this.read(n, linear(at, n.shape), guard);
    }
    return this.compute(n, at, guard);
  }
  private isFree(at: readonly Affine[], guard: E): boolean {
    const vars = varsOf(at);
    return vars !== null && ![...vars].some(v => contains(guard, varOf(v)));
  }
  private read(n: Node, at: Affine, guard: E | null): E {
    const v = this.valueFor(n);
    // Indices and labels are stored as int64; kernels need their low word only.
    return load(this.buffer(v), at, n.dtype, DTYPES[n.dtype].compute, guard);
  }

  private compute(n: Node, at: readonly Affine[], guard: E | null): E {
    let byIndex = this.memo.get(n);
    if (byIndex === undefined) {
      byIndex = new Map();
      this.memo.set(n, byIndex);
    }
    const key = guard === null ? keyOfAll(at) : `${keyOfAll(at)}?${guard.id}`;
    const had = byIndex.get(key) ?? byIndex.get(keyOfAll(at));
    if (had !== undefined) return had;
    this.nodes.add(n);
    const { exprs } = this.d;
    const outer = exprs.guard;
    exprs.guard = guard;
    try {
      const e = this.make(n, at, guard);
      byIndex.set(key, e);
      return e;
    } finally {
      exprs.guard = outer;
    }
  }

  private make(n: Node, at: readonly Affine[], guard: E | null): E {
    switch (n.op.kind) {
      case 'source':
        return elementOf(n, []);
      case 'movement':
        return this.move(n, at, guard);
      case 'reduce': {
        const x = n.src[0]!;
        const { dims, keepdim } = n.attrs as ReduceAttrs;
        const vars = this.varsFor(dims.map(k => x.shape[k]!));
        const index = reduceIndex(at, x.shape.length, dims, keepdim, vars).map(a => this.now(a));
        const body = this.expr(x, index, guard);
        const live = this.live(vars);
        const fold = n.op.fold!;
        if (!fold.positional) return reduce(fold, live, body, null, body.type);
        const within = linear(
          dims.map(k => index[k]!),
          dims.map(k => x.shape[k]!),
        );
        return m.convert(reduce(fold, live, body, indexOf(within), 'i32'), DTYPES[n.dtype].compute);
      }
      case 'contraction': {
        const vars = this.varsFor(contractionOf(n).sums);
        const sums = vars.map(v => this.now(v.size === 1 ? constAffine(0) : asAffine(varOf(v))));
        const [a, b] = operandIndices(n, at, sums).map((x, i) => this.expr(n.src[i]!, x, guard));
        const body = m.mul(a!, b!);
        return reduce(FOLD_ADD, this.live(vars), body, null, body.type);
      }
      case 'index': {
        const { dims } = n.attrs as TakeAttrs;
        const x = n.src[0]!;
        const lead = at.length - (x.shape.length - dims.length);
        const index = this.checkedIndices(n.src.slice(1), at.slice(0, lead), dims, x.shape, guard);
        const value = this.expr(x, takeIndex(at.slice(lead), dims, index), guard);
        // Where every position holds the same (a constant, an expanded dim) nothing depends on the index, but a bad one
        // is an error all the same.
        const checks = index.flatMap(i => i.terms.map(t => t[0])).filter(e => e.op === 'checked');
        return checks.reduce((v, c) => (contains(v, c) ? v : tied(v, c)), value);
      }
      default: {
        const args = n.src.map(s => this.expr(s, alignIndex(at, s.shape), guard));
        if (n.op.usesPosition) args.push(indexOf(linear(at, n.shape)));
        return elementOf(n, args);
      }
    }
  }

  private checkedIndices(
    nodes: readonly Node[],
    at: readonly Affine[],
    dims: readonly number[],
    shape: Shape,
    guard: E | null,
  ): Affine[] {
    return nodes.map((n, i) => {
      const size = shape[dims[i]!]!;
      const raw = lowWord(this.expr(n, alignIndex(at, n.shape), guard));
      if (raw.op === 'const' && Number(raw.value) >= 0 && Number(raw.value) < size) return asAffine(raw);
      if (raw.op === 'index' || raw.op === 'var') {
        const b = bounds(asAffine(raw));
        if (b !== null && b[0] >= 0 && b[1] < size) return asAffine(raw);
      }
      const good = m.and(m.le(m.const(0, 'i32'), raw), m.lt(raw, m.const(size, 'i32')));
      return asAffine(checked(raw, good, CHECK.index, 0));
    });
  }

  private varsFor(sizes: readonly number[]): LoopVar[] {
    const i = this.ordinal++;
    let vars = this.reduceVars[i];
    if (vars === undefined) {
      vars = sizes.map(s => new LoopVar(s));
      this.reduceVars[i] = vars;
    }
    return vars;
  }
  /** The loops that a list of variables has become. */
  private live(vars: readonly LoopVar[]): LoopVar[] {
    return vars.flatMap(v => {
      const cut = this.d.cuts.get(v);
      if (cut !== undefined) return this.live([cut.outer, cut.inner]);
      return v.size === 1 ? [] : [v];
    });
  }

  private move(n: Node, at: readonly Affine[], guard: E | null): E {
    const x = n.src[0]!;
    if (!n.op.relabels) {
      const r = n.op.index!(at, n);
      if (r.guard == null) return this.expr(x, r.at, guard);
      const inner = guard === null ? r.guard : m.and(guard, r.guard);
      const value = this.expr(x, r.at, inner);
      return m.select(r.guard, value, m.const(padFill(n), value.type));
    }
    if (x.value !== null || x.op.bound || (this.writers.has(x) && !this.own.has(x))) {
      return this.read(x, linear(at, n.shape), guard);
    }
    const r = reshapeIndex(at, n.shape, x.shape);
    if (r === null) throw new NeedsMemory(x);
    if ('v' in r) {
      if (this.d.fixed.has(r.v) || this.d.cuts.has(r.v)) throw new NeedsMemory(x);
      const outer = new LoopVar(r.v.size / r.inner);
      const inner = new LoopVar(r.inner);
      this.d.cuts.set(r.v, { outer, inner });
      for (const b of this.d.blocks) {
        const i = b.vars.indexOf(r.v);
        if (i >= 0) b.vars.splice(i, 1, outer, inner);
      }
      throw AGAIN;
    }
    return this.expr(x, r, guard);
  }
}
/** The size of the dim of an operand that has a label. */
const sizeIn = (n: Node, labels: readonly number[], l: number): number => n.shape[labels.indexOf(l)]!;
/** The loop of a dim; one of a single step has none. */
const loopAt = (a: Affine): LoopVar =>
  (a.terms.length === 0 ? null : loopVarOf(a.terms[0]![0])) ?? new LoopVar(1);
type OwnNode = Node<{ readonly output: number }>;
/** Whether four values of an expression fit a vector. */
function fitsLanes(e: E, seen = new Set<E>()): boolean {
  if (e.type === 'i64' || e.type === 'f64') return false;
  if (seen.has(e)) return true;
  seen.add(e);
  return [...e.args, ...termsOf(e).map(t => t[0])].every(x => fitsLanes(x, seen));
}
const AGAIN = Symbol('build the kernel again');

/** An integer index as i32: of an int64 in memory only the low word is read. */
function lowWord(e: E): E {
  if (e.type !== 'i64') return e;
  if (e.op === 'convert' && e.args[0]!.type === 'i32') return e.args[0]!;
  if (e.op === 'select') return m.select(e.args[0]!, lowWord(e.args[1]!), lowWord(e.args[2]!));
  return m.convert(e, 'i32');
}

/** Scalar operations of a kernel, about: each expression counts once per combination of the loops it depends on. */
function workOf(k: Pick<LoopKernel, 'stores' | 'scan' | 'blocks'>): number {
  const vars: LoopVar[] = [];
  const bitOf = (v: LoopVar): number => {
    let i = vars.indexOf(v);
    if (i < 0) i = vars.push(v) - 1;
    return 2 ** i;
  };
  // The loops of each expression, as a set of bits.
  const memo = new Map<E, number>();
  let total = 0;
  const walk = (e: E): number => {
    const had = memo.get(e);
    if (had !== undefined) return had;
    let set = e.op === 'var' ? bitOf(e.data as LoopVar) : 0;
    const terms = termsOf(e);
    for (let i = 0; i < terms.length; i++) set |= walk(terms[i]![0]);
    for (let i = 0; i < e.args.length; i++) set |= walk(e.args[i]!);
    let count = 1;
    for (let i = 0; i < vars.length; i++) if (set & (2 ** i)) count *= vars[i]!.size;
    total += count * (isMathOp(e.op) ? 12 : e.op === 'div' || e.op === 'sqrt' ? 4 : e.op === 'const' ? 0 : 1);
    if (e.op === 'reduce') for (const v of (e.data as ReduceData).vars) set &= ~bitOf(v);
    memo.set(e, set);
    return set;
  };
  for (const s of k.stores) {
    walk(s.value);
    let count = 1;
    for (const b of k.blocks.slice(0, s.depth)) for (const v of b) count *= v.size;
    total += count;
  }
  for (const e of k.scan?.inputs ?? []) walk(e);
  return total;
}
/** Whether an expression needs another, for its value or for the place that it is loaded from. */
function contains(e: E, part: E, seen = new Set<E>()): boolean {
  if (e === part) return true;
  if (seen.has(e)) return false;
  seen.add(e);
  return e.args.some(a => contains(a, part, seen)) || termsOf(e).some(t => contains(t[0], part, seen));
}
/** A value that waits for a check; a checked index is never negative. */
const tied = (value: E, check: E): E => {
  const other = m.like(value.op === 'const' && Number(value.value) === 0 ? 1 : 0, value);
  return m.select(m.le(m.const(0, 'i32'), check), value, other);
};

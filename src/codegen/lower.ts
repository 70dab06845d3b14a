// Kernel to loops: order and join the loops, choose what runs four lanes wide, unroll what is tiny, and place each
// reduction right inside the loops it depends on.
// In: a LoopKernel. Out: a LoopProgram. Not its job: instructions.

import type { E, LoadData, LoopVar, ReduceData } from '../ir/scalar.ts';
import {
  accOf,
  addScaled,
  asAffine,
  constAffine,
  indexOf,
  LoopVar as Loop,
  lane,
  load,
  m,
  rebuild,
  splat,
  termsOf,
  varOf,
  withExprs,
} from '../ir/scalar.ts';
import type { LoopKernel } from '../schedule/kernel.ts';
import { Lanes } from './lanes.ts';
import type { Acc, LoopProgram, Stmt } from './loop.ts';
import { coalesce, orderedVars } from './loop-order.ts';
import {
  exprsOf,
  type FoldSink,
  type FoldTarget,
  hasLoopsInside,
  hasReduce,
  initialSinks,
  mapSink,
  opCount,
  type ScanSink,
  type Sink,
  type StoreSink,
  substitute,
} from './sinks.ts';
import { TINY, UNROLL_OPS, unrollReduces } from './unroll.ts';
import { Dependence } from './widen.ts';

const UNROLL_VECTORS = 16;
const WIDE_OPS = 8;
const PARALLEL_ROWS = 64;

export function lower(kernel: LoopKernel): LoopProgram {
  return withExprs(() => new Lowerer(kernel).run(), kernel.exprs);
}

class Lowerer {
  private readonly kernel: LoopKernel;
  private readonly deps = new Dependence();
  private readonly lanes: Lanes;
  private nextAcc = 0;
  private laneVar: LoopVar | null = null;

  constructor(kernel: LoopKernel) {
    this.kernel = kernel;
    this.lanes = new Lanes(kernel, this.deps);
  }

  run(): LoopProgram {
    const k = this.kernel;
    let sinks = initialSinks(k);
    let vars = orderedVars(k, sinks);
    ({ vars, sinks } = coalesce(k, vars, sinks));
    const unrolled = new Map<E, E>();
    sinks = sinks.map(s => mapSink(s, e => unrollReduces(e, unrolled)));
    this.laneVar = this.lanes.choose(vars, sinks);
    const begin = this.acc('i32', 1);
    const end = this.acc('i32', 1);
    const serial = k.serial.length > 0 || vars.length === 0 || (k.scan !== null && vars.length === 0);
    const { body, range } = this.top(vars, sinks, serial, begin, end);
    return { body, range, begin, end, scratch: 0 };
  }

  private acc(type: E['type'], lanes: 1 | 4): Acc {
    return { id: this.nextAcc++, type, lanes };
  }

  // ---- loops ------------------------------------------------------------------------------------------------------

  private top(
    vars: readonly LoopVar[],
    sinks: readonly Sink[],
    serial: boolean,
    begin: Acc,
    end: Acc,
  ): { body: Stmt[]; range: number } {
    const b = accOf(begin.id, 'i32', 1);
    const e = accOf(end.id, 'i32', 1);
    const [v0, v1] = vars;
    const hoisted = sinks.some(s => s.depth === 0);
    // A plain run over elements is the same code for any size, so that equal updates of many tensors are one kernel.
    const plain = vars.length === 1 && !hasLoopsInside(sinks);
    if (v0 === undefined || serial || hoisted || (!plain && this.unrolls(v0, vars, sinks))) {
      return { body: this.gen(vars, sinks, 0), range: 1 };
    }
    // Too few rows to share: count pairs of rows and columns instead.
    const pairs =
      v0.size < PARALLEL_ROWS &&
      v1 !== undefined &&
      (vars.length > 2 || hasLoopsInside(sinks)) &&
      v1 !== this.laneVar &&
      v0 !== this.laneVar &&
      !sinks.some(s => s.depth === 1) &&
      this.readyReductions(sinks, this.deps.bit(v0)).length === 0 &&
      !this.unrolls(
        v1,
        vars.slice(1),
        sinks.map(s => ({ ...s, depth: s.depth - 1 })),
      );
    if (pairs) {
      const t = new Loop(v0.size * v1.size);
      const q = m.div(varOf(t), m.const(v1.size, 'i32'));
      const inside = sinks.map(s => ({ ...s, depth: s.depth - 2 }));
      const bound = this.deps.mask([v0, v1]);
      const body: Stmt[] = [
        { kind: 'let', v: v0, value: q },
        { kind: 'let', v: v1, value: m.sub(varOf(t), m.mul(varOf(v0), m.const(v1.size, 'i32'))) },
        ...this.gen(vars.slice(2), inside, bound),
      ];
      return { body: [{ kind: 'for', v: t, from: b, to: e, variants: [{ step: 1, body }] }], range: t.size };
    }
    return { body: this.loop(vars, sinks, 0, b, e), range: v0.size };
  }

  /** Statements for sinks inside the loops still to come; `bound` is the set of loops already around. */
  private gen(vars: readonly LoopVar[], sinks: readonly Sink[], bound: number): Stmt[] {
    const out: Stmt[] = [];
    const ready = this.placeReductions(sinks, vars, bound, out);
    const now = ready.filter(s => s.depth === 0);
    const later = ready.filter(s => s.depth > 0);
    for (const s of now) if (s.kind !== 'scan') this.emit(s, out);
    const scans = now.filter(s => s.kind === 'scan');
    if (scans.length > 0) this.emitScans(scans, out);
    if (later.length > 0) out.push(...this.loop(vars, later, bound, null, null));
    return out;
  }

  private loop(
    vars: readonly LoopVar[],
    sinks: readonly Sink[],
    bound: number,
    from: E | null,
    to: E | null,
  ): Stmt[] {
    const v = vars[0]!;
    const rest = vars.slice(1);
    const inside = sinks.map(s => ({ ...s, depth: s.depth - 1 }));
    const now = bound | this.deps.bit(v);
    const wide = this.isWide(v, vars, sinks, from !== null);
    if (from === null && this.unrolls(v, vars, sinks)) return this.unrolled(v, rest, inside, bound, wide);
    const one = m.const(0, 'i32');
    const variants: { step: number; body: Stmt[] }[] = [];
    if (wide) {
      const copies = this.copies(sinks);
      const vector = (set: number, shift: number): Sink[] => {
        const w = inside.map(s => this.lanes.widenSink(s, v, set));
        return shift === 0
          ? w
          : substitute(
              w,
              new Map([[varOf(v), indexOf(addScaled(constAffine(shift), asAffine(varOf(v)), 1))]]),
            );
      };
      if (copies > 1 && v.size >= 4 * copies) {
        const all = Array.from({ length: copies }, (_, u) => vector(this.setFor(sinks, u + 1), 4 * u)).flat();
        variants.push({ step: 4 * copies, body: this.gen(rest, all, now) });
      }
      variants.push({ step: 4, body: this.gen(rest, vector(this.setFor(sinks, 1), 0), now) });
    }
    if (!wide || from !== null || v.size % 4 !== 0)
      variants.push({ step: 1, body: this.gen(rest, inside, now) });
    return [{ kind: 'for', v, from: from ?? one, to: to ?? m.const(v.size, 'i32'), variants }];
  }
  /** Only folds along this loop have sets of accumulators. */
  private setFor(sinks: readonly Sink[], set: number): number {
    return sinks.some(s => s.kind === 'fold') ? set : 0;
  }
  private isWide(v: LoopVar, vars: readonly LoopVar[], sinks: readonly Sink[], anySize: boolean): boolean {
    if (v.size < 4 && !(anySize && vars.length === 1)) return false;
    if (v === this.laneVar) return true;
    if (this.laneVar !== null && this.insideLanes(sinks)) return false;
    const innermost = vars.length === 1 || sinks.every(s => s.depth === 1);
    if (!innermost || this.kernel.serial.includes(v)) return false;
    if (sinks.some(s => exprsOf(s).some(e => hasReduce(e)))) return false;
    if (sinks.some(s => s.kind === 'scan')) return false;
    return this.lanes.canWiden(sinks, v);
  }
  /** Inside the wide outer loop everything has lanes already. */
  private insideLanes(sinks: readonly Sink[]): boolean {
    return sinks.some(s =>
      s.kind === 'fold'
        ? s.x.lanes === 4 || s.target.lanes === 4
        : s.kind === 'store'
          ? s.value.lanes === 4
          : s.lanes === 4,
    );
  }
  /** Independent accumulators hide the latency of short bodies. */
  private copies(sinks: readonly Sink[]): number {
    const ops = sinks.reduce((n, s) => n + exprsOf(s).reduce((k, e) => k + opCount(e), 0), 0);
    if (sinks.every(s => s.kind === 'scan')) return ops <= 3 * WIDE_OPS ? 4 : 1;
    if (sinks.some(s => s.kind === 'fold')) return ops <= WIDE_OPS ? 4 : ops <= 3 * WIDE_OPS ? 2 : 1;
    return sinks.every(s => s.kind === 'store') && hasLoopsInside(sinks) && ops < 2000 ? 4 : 1;
  }
  /** Tiny loops around a reduction are unrolled, so that its results become accumulators side by side. */
  private unrolls(v: LoopVar, vars: readonly LoopVar[], sinks: readonly Sink[]): boolean {
    if (v.size > TINY || sinks.some(s => s.kind === 'scan') || this.kernel.serial.includes(v)) return false;
    if (sinks.some(s => s.kind === 'fold')) return false;
    let vectors = 1;
    for (const x of vars)
      vectors *=
        x === this.laneVar || (x === vars[vars.length - 1] && this.laneVar === null)
          ? Math.ceil(x.size / 4)
          : x.size;
    const ops = sinks.reduce((n, s) => n + exprsOf(s).reduce((k, e) => k + opCount(e), 0), 0);
    const inReduce = hasLoopsInside(sinks);
    if (inReduce) return vectors <= UNROLL_VECTORS && sinks.every(s => s.depth === vars.length);
    return vars.length === 1 && v.size * ops <= 2 * UNROLL_OPS;
  }
  private unrolled(
    v: LoopVar,
    rest: readonly LoopVar[],
    inside: readonly Sink[],
    bound: number,
    wide: boolean,
  ): Stmt[] {
    const all: Sink[] = [];
    let at = 0;
    while (at < v.size) {
      const step = wide && at + 4 <= v.size ? 4 : 1;
      const part = step === 4 ? inside.map(s => this.lanes.widenSink(s, v, 0)) : inside;
      all.push(...substitute(part, new Map([[varOf(v), m.const(at, 'i32')]])));
      at += step;
    }
    return this.gen(rest, all, bound);
  }

  // ---- reductions -------------------------------------------------------------------------------------------------

  /** Emits the loops of every reduction that depends on nothing but bound loops; returns the sinks with the results. */
  private placeReductions(
    sinks: readonly Sink[],
    vars: readonly LoopVar[],
    bound: number,
    out: Stmt[],
  ): Sink[] {
    let current = [...sinks];
    for (;;) {
      const ready = this.readyReductions(current, bound);
      if (ready.length === 0) return current;
      // Reductions over equal ranges share their loops.
      const groups = new Map<string, E[]>();
      for (const r of ready) {
        const key = (r.data as ReduceData).vars.map(v => v.size).join('x');
        const g = groups.get(key);
        if (g === undefined) groups.set(key, [r]);
        else g.push(r);
      }
      const map = new Map<E, E>();
      for (const g of groups.values()) {
        const shared = this.shareWithStore(g, current, vars);
        current = shared.sinks;
        this.reduceLoops(g, shared.early, bound, out, map);
      }
      current = substitute(current, map);
    }
  }
  private readyReductions(sinks: readonly Sink[], bound: number): E[] {
    const found: E[] = [];
    const state = new Map<E, boolean>();
    // True where an unplaced reduction that could go here lies below.
    const walk = (e: E): boolean => {
      const had = state.get(e);
      if (had !== undefined) return had;
      state.set(e, false);
      let below = false;
      for (let i = 0; i < e.args.length; i++) below = walk(e.args[i]!) || below;
      const terms = termsOf(e);
      for (let i = 0; i < terms.length; i++) below = walk(terms[i]![0]) || below;
      if (e.op === 'reduce' && (this.deps.free(e) & ~bound) === 0) {
        if (!below) found.push(e);
        below = true;
      }
      state.set(e, below);
      return below;
    };
    for (const s of sinks) for (const e of exprsOf(s)) walk(e);
    return found;
  }

  /**
   * A costly value that a reduction and a later store of the same row both need is computed once: the reduction's loop
   * writes it to where the store will go, and the store's loop takes it from there (softmax: one exponential, not two).
   */
  private shareWithStore(
    group: readonly E[],
    sinks: readonly Sink[],
    vars: readonly LoopVar[],
  ): { sinks: Sink[]; early: StoreSink | null } {
    const none = { sinks: [...sinks], early: null };
    const [v] = vars;
    const r = (group[0]!.data as ReduceData).vars;
    const stores = sinks.filter((s): s is StoreSink => s.kind === 'store' && s.depth === 1);
    if (vars.length !== 1 || r.length !== 1 || r[0]!.size !== v!.size || stores.length !== 1) return none;
    const [store] = stores as [StoreSink];
    if (store.mode !== 'set' || store.dtype !== 'float32' || store.value.lanes === 4) return none;
    // The place holds one value: what another reduction has left there is still to be read.
    const parts = new Set<E>();
    collect(store.value, parts);
    for (const e of parts) {
      if (e.op === 'load' && (e.data as LoadData).buffer === store.buffer) return none;
    }
    const toRow = new Map<E, E>([[varOf(r[0]!), varOf(v!)]]);
    const memo = new Map<E, E>();
    const inReduction = new Set<E>();
    for (const x of group) {
      const own = (x.data as ReduceData).vars[0]!;
      const back = own === r[0] ? toRow : new Map<E, E>([[varOf(own), varOf(v!)]]);
      collect(
        rebuild(x.args[0]!, e => back.get(e) ?? null, own === r[0] ? memo : new Map()),
        inReduction,
      );
    }
    const shared = this.largestShared(store.value, inReduction, this.deps.bit(v!));
    if (shared === null || shared === store.value) return none;
    const rowToReduce = new Map<E, E>([[varOf(v!), varOf(r[0]!)]]);
    const early = substitute([{ ...store, value: shared }], rowToReduce)[0]!;
    const kept = load(store.buffer, store.at, 'float32', 'f32');
    const later = substitute([store], new Map([[shared, kept]]))[0]! as StoreSink;
    // The place may be that of a source, which the result replaces: nothing of it may be read once the row is there.
    const seen = new Set<E>([...group, kept]);
    const readsOn = (e: E): boolean => {
      if (seen.has(e)) return false;
      seen.add(e);
      return (
        (e.op === 'load' && (this.deps.free(e) & this.deps.bit(v!)) !== 0) ||
        e.op === 'reduce' ||
        e.args.some(readsOn)
      );
    };
    if (readsOn(later.value)) return none;
    return { sinks: sinks.map(s => (s === store ? later : s)), early };
  }
  /** The outermost float that contains a mathematical function, varies along the row, and is in the set. */
  private largestShared(e: E, set: ReadonlySet<E>, row: number, seen = new Set<E>()): E | null {
    if (seen.has(e) || !(this.deps.free(e) & row)) return null;
    seen.add(e);
    if (set.has(e) && e.type === 'f32' && opCount(e) >= 16 && !hasReduce(e)) return e;
    for (const a of e.args) {
      const found = this.largestShared(a, set, row, seen);
      if (found !== null) return found;
    }
    return null;
  }

  private reduceLoops(
    group: readonly E[],
    early: StoreSink | null,
    bound: number,
    out: Stmt[],
    map: Map<E, E>,
  ): void {
    const vars = (group[0]!.data as ReduceData).vars;
    const targets: FoldTarget[] = [];
    const sinks = group.map((r): FoldSink => {
      const d = r.data as ReduceData;
      const rename = new Map<E, E>();
      d.vars.forEach((v, i) => {
        if (v !== vars[i]) rename.set(varOf(v), varOf(vars[i]!));
      });
      const memo = new Map<E, E>();
      const body = r.args[0]!;
      const x = rename.size === 0 ? body : rebuild(body, e => rename.get(e) ?? null, memo);
      const position = d.position === null ? null : rebuild(d.position, e => rename.get(e) ?? null, memo);
      const lanes = body.lanes;
      const accs = d.fold.init(x.type).map(i => this.acc(i.type, lanes));
      const target: FoldTarget = { fold: d.fold, type: x.type, lanes, sets: [accs] };
      targets.push(target);
      const result = accs[d.fold.result]!;
      for (const a of accs) this.deps.accMasks.set(a.id, this.deps.free(r));
      map.set(r, accOf(result.id, result.type, result.lanes));
      return { kind: 'fold', depth: vars.length, target, set: 0, x, position };
    });
    const body = this.gen(vars, early === null ? sinks : [early, ...sinks], bound);
    for (const t of targets) {
      for (const set of t.sets)
        if (set !== undefined) out.push({ kind: 'set', accs: set, values: this.initial(t, set[0]!.lanes) });
    }
    out.push(...body);
    for (const t of targets) this.joinSets(t, out);
  }
  private initial(t: FoldTarget, lanes: 1 | 4): E[] {
    return t.fold.init(t.type).map(e => (lanes === 4 ? splat(e) : e));
  }
  /** Joins partial accumulators: sets pairwise, then the lanes in order. */
  private joinSets(t: FoldTarget, out: Stmt[]): void {
    const partial = t.sets.slice(1).filter(s => s !== undefined);
    if (partial.length === 0) return;
    const read = (s: readonly Acc[]): E[] => s.map(a => accOf(a.id, a.type, a.lanes));
    let all = partial.map(read);
    while (all.length > 1) {
      const next: E[][] = [];
      for (let i = 0; i + 1 < all.length; i += 2) next.push(t.fold.merge!(all[i]!, all[i + 1]!));
      if (all.length % 2 === 1) next.push(all[all.length - 1]!);
      all = next;
    }
    let value = all[0]!;
    const target = t.sets[0]!;
    if (target[0]!.lanes === 1) {
      const l = (i: number): E[] => value.map(e => lane(e, i));
      const merge = t.fold.merge!;
      value = merge(merge(l(0), l(1)), merge(l(2), l(3)));
    }
    out.push({ kind: 'set', accs: target, values: t.fold.merge!(value, read(target)) });
  }

  private emit(s: StoreSink | FoldSink, out: Stmt[]): void {
    if (s.kind === 'store') {
      const value = s.mode === 'set' ? s.value : this.combined(s);
      out.push({
        kind: 'store',
        buffer: s.buffer,
        at: s.at,
        dtype: s.dtype,
        value,
        step: s.value.lanes === 4 ? s.step : 1,
      });
      return;
    }
    const { target } = s;
    const lanes = s.set === 0 ? target.lanes : 4;
    let set = target.sets[s.set];
    if (set === undefined) {
      set = target.sets[0]!.map(a => this.acc(a.type, lanes));
      target.sets[s.set] = set;
    }
    const before = set.map(a => accOf(a.id, a.type, a.lanes));
    out.push({ kind: 'set', accs: set, values: target.fold.step(before, [s.x], s.position) });
  }
  /** A store that joins with what is there. */
  private combined(s: StoreSink): E {
    const type = s.value.type;
    const old = load(s.buffer, s.at, s.dtype, type, null, s.value.lanes, s.step);
    if (s.mode === 'add') return type === 'b' ? m.or(old, s.value) : m.add(old, s.value);
    if (s.mode === 'mul') return type === 'b' ? m.and(old, s.value) : m.mul(old, s.value);
    if (type === 'b') return s.mode === 'max' ? m.or(old, s.value) : m.and(old, s.value);
    return s.mode === 'max' ? m.max(old, s.value) : m.min(old, s.value);
  }
  /** Scans of rows side by side share the loop: each waits for its own last value only. */
  private emitScans(scans: readonly ScanSink[], out: Stmt[]): void {
    const { v, fold, acc, inputs } = this.kernel.scan!;
    const type = inputs[inputs.length - 1]!.type;
    const body: Stmt[] = [];
    for (const s of scans) {
      const accs = fold.init(type).map(e => this.acc(e.type, s.lanes));
      out.push({ kind: 'set', accs, values: fold.init(type).map(e => (s.lanes === 4 ? splat(e) : e)) });
      const now = accs.map(a => accOf(a.id, a.type, a.lanes));
      body.push({ kind: 'set', accs, values: fold.step(now, s.inputs, varOf(v)) });
      for (const st of substitute(s.stores, new Map([[acc, now[fold.result]!]]))) this.emit(st, body);
    }
    out.push({
      kind: 'for',
      v,
      from: m.const(0, 'i32'),
      to: m.const(v.size, 'i32'),
      variants: [{ step: 1, body }],
    });
  }
}

function collect(e: E, into: Set<E>): void {
  if (into.has(e)) return;
  into.add(e);
  for (const a of e.args) collect(a, into);
}

// Kernel to loops: order and join the loops, choose what runs four lanes wide, unroll what is tiny, and place each
// reduction right inside the loops it depends on.
// In: a LoopKernel. Out: a LoopProgram. Not its job: instructions.

import { DTYPES } from '../base/dtype.ts';
import type { Affine, E, Fold, LoadData, LoopVar, ReduceData } from '../ir/scalar.ts';
import {
  accOf,
  addScaled,
  asAffine,
  constAffine,
  indexOf,
  isMathOp,
  LoopVar as Loop,
  lane,
  load,
  m,
  rebuild,
  reduce,
  splat,
  varOf,
  withExprs,
} from '../ir/scalar.ts';
import { loopVarOf } from '../schedule/affine.ts';
import type { KernelStore, LoopKernel } from '../schedule/kernel.ts';
import type { Acc, LoopProgram, Stmt } from './loop.ts';
import { Dependence } from './widen.ts';

/** Something to be done inside a number of loops. */
interface StoreSink {
  readonly kind: 'store';
  readonly depth: number;
  readonly buffer: number;
  readonly at: Affine;
  readonly dtype: KernelStore['dtype'];
  readonly value: E;
  readonly mode: KernelStore['mode'];
  readonly step: number;
}
interface FoldSink {
  readonly kind: 'fold';
  readonly depth: number;
  readonly target: FoldTarget;
  /** Which set of accumulators: 0 scalar (or lanes of an outer loop), 1 … four lanes along the reduced loop. */
  readonly set: number;
  readonly x: E;
  readonly position: E | null;
}
interface ScanSink {
  readonly kind: 'scan';
  readonly depth: number;
  readonly lanes: 1 | 4;
  readonly inputs: readonly E[];
  readonly stores: readonly StoreSink[];
}
type Sink = StoreSink | FoldSink | ScanSink;

interface FoldTarget {
  readonly fold: Fold;
  readonly type: E['type'];
  readonly lanes: 1 | 4;
  /** sets[0] is the result; further sets are partial accumulators along the reduced loop. */
  readonly sets: Acc[][];
}

const UNROLL_OPS = 64;
const UNROLL_VECTORS = 16;
const TINY = 16;
const WIDE_OPS = 8;
const PARALLEL_ROWS = 64;

export function lower(kernel: LoopKernel): LoopProgram {
  return withExprs(() => new Lowerer(kernel).run(), kernel.exprs);
}

class Lowerer {
  private readonly kernel: LoopKernel;
  private readonly deps = new Dependence();
  private nextAcc = 0;
  private laneVar: LoopVar | null = null;

  constructor(kernel: LoopKernel) {
    this.kernel = kernel;
  }

  run(): LoopProgram {
    const k = this.kernel;
    let sinks = this.initialSinks();
    let vars = this.orderedVars(sinks);
    ({ vars, sinks } = this.coalesce(vars, sinks));
    sinks = sinks.map(s => this.mapSink(s, e => this.unrollReduces(e)));
    this.laneVar = this.chooseLanes(vars, sinks);
    const begin = this.acc('i32', 1);
    const end = this.acc('i32', 1);
    const serial = k.serial.length > 0 || vars.length === 0 || (k.scan !== null && vars.length === 0);
    const { body, range } = this.top(vars, sinks, serial, begin, end);
    return { body, range, begin, end, scratch: 0 };
  }

  // ---- sinks ------------------------------------------------------------------------------------------------------

  private acc(type: E['type'], lanes: 1 | 4): Acc {
    return { id: this.nextAcc++, type, lanes };
  }
  private initialSinks(): Sink[] {
    const k = this.kernel;
    const depthOf = (s: KernelStore): number => k.blocks.slice(0, s.depth).reduce((n, b) => n + b.length, 0);
    const stores = k.stores.map(
      (s): StoreSink => ({
        kind: 'store',
        depth: depthOf(s),
        buffer: s.buffer,
        at: s.at,
        dtype: s.dtype,
        value: s.value,
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
  private exprsOf(s: Sink): E[] {
    if (s.kind === 'store') return [s.value, ...s.at.terms.map(t => t[0])];
    if (s.kind === 'fold') return s.position === null ? [s.x] : [s.x, s.position];
    return [...s.inputs, ...s.stores.flatMap(x => this.exprsOf(x))];
  }
  private mapSink<S extends Sink>(s: S, f: (e: E) => E): S {
    const at = (a: Affine): Affine => {
      let out = constAffine(a.c);
      for (const [t, n] of a.terms) out = addScaled(out, asAffine(f(t)), n);
      return out;
    };
    if (s.kind === 'store') return { ...s, value: f(s.value), at: at(s.at) };
    if (s.kind === 'fold') return { ...s, x: f(s.x), position: s.position === null ? null : f(s.position) };
    return { ...s, inputs: s.inputs.map(f), stores: s.stores.map(x => this.mapSink(x, f)) };
  }
  private substitute<S extends Sink>(sinks: readonly S[], map: ReadonlyMap<E, E>): S[] {
    const memo = new Map<E, E>();
    const leaf = (e: E): E | null => map.get(e) ?? null;
    return sinks.map(s => this.mapSink(s, e => rebuild(e, leaf, memo)));
  }

  // ---- order and coalesce -----------------------------------------------------------------------------------------

  /** Every index in the kernel, with a weight. */
  private accesses(sinks: readonly Sink[]): { at: Affine; store: boolean }[] {
    const out: { at: Affine; store: boolean }[] = [];
    const seen = new Set<E>();
    const walk = (e: E): void => {
      if (seen.has(e)) return;
      seen.add(e);
      for (const a of e.args) walk(a);
      if (e.op === 'load') out.push({ at: (e.data as LoadData).at, store: false });
      const at = e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
      if (at !== null) for (const [t] of at.terms) if (t.op !== 'var') walk(t);
      if (e.op === 'reduce' && (e.data as ReduceData).position !== null)
        walk((e.data as ReduceData).position!);
    };
    const visit = (s: Sink): void => {
      for (const e of this.exprsOf(s)) walk(e);
      if (s.kind === 'store') out.push({ at: s.at, store: true });
      if (s.kind === 'scan') s.stores.forEach(visit);
    };
    sinks.forEach(visit);
    return out;
  }

  private unitScore(v: LoopVar, accesses: readonly { at: Affine; store: boolean }[]): number {
    let score = 0;
    for (const { at, store } of accesses) {
      for (const [e, k] of at.terms) {
        if (loopVarOf(e) === v) score += Math.abs(k) === 1 ? (store ? 2.5 : 2) : store ? -1.5 : -1;
      }
    }
    return score;
  }
  private orderedVars(sinks: readonly Sink[]): LoopVar[] {
    const acc = this.accesses(sinks);
    const scanVar = this.kernel.scan?.v;
    return this.kernel.blocks.flatMap(block =>
      this.unitLast(
        block.filter(v => v !== scanVar),
        acc,
      ),
    );
  }
  /** The loop with the most neighbours in memory goes innermost. */
  private unitLast(block: readonly LoopVar[], acc: readonly { at: Affine; store: boolean }[]): LoopVar[] {
    if (block.length < 2) return [...block];
    let best = block.length - 1;
    const scores = block.map(v => this.unitScore(v, acc));
    scores.forEach((s, i) => {
      if (s > scores[best]!) best = i;
    });
    return [...block.filter((_, i) => i !== best), block[best]!];
  }

  /** Joins neighbouring loops that run through memory as one in every access. */
  private coalesce(vars: LoopVar[], sinks: Sink[]): { vars: LoopVar[]; sinks: Sink[] } {
    let list = vars;
    let out = sinks;
    // Reduction loops first, then the outer ones.
    const memo = new Map<E, E>();
    const inner = (e: E): E =>
      rebuild(
        e,
        x => {
          if (x.op !== 'reduce') return null;
          const d = x.data as ReduceData;
          let body = inner(x.args[0]!);
          let position = d.position === null ? null : inner(d.position);
          let own = this.unitLast(
            d.vars,
            this.accesses([{ kind: 'fold', depth: 0, target: null!, set: 0, x: body, position }]),
          );
          for (let i = own.length - 2; i >= 0; i--) {
            const fake: Sink = { kind: 'fold', depth: 0, target: null!, set: 0, x: body, position };
            const joined = this.join(own[i]!, own[i + 1]!, [fake]);
            if (joined === null) continue;
            const [f] = joined.sinks as [FoldSink];
            body = f.x;
            position = f.position;
            own = [...own.slice(0, i), joined.v, ...own.slice(i + 2)];
          }
          return reduce(d.fold, own, body, position, x.type);
        },
        memo,
      );
    out = out.map(s => this.mapSink(s, inner));
    for (let i = list.length - 2; i >= 0; i--) {
      // A store between the two loops keeps them apart.
      if (out.some(s => s.depth === i + 1)) continue;
      if (this.kernel.serial.includes(list[i]!) !== this.kernel.serial.includes(list[i + 1]!)) continue;
      const joined = this.join(list[i]!, list[i + 1]!, out);
      if (joined === null) continue;
      list = [...list.slice(0, i), joined.v, ...list.slice(i + 2)];
      out = joined.sinks.map(s => (s.depth > i + 1 ? { ...s, depth: s.depth - 1 } : s));
    }
    return { vars: list, sinks: out };
  }
  private join(a: LoopVar, b: LoopVar, sinks: readonly Sink[]): { v: LoopVar; sinks: Sink[] } | null {
    const ok = (at: Affine): boolean => {
      let ka = 0;
      let kb = 0;
      for (const [e, k] of at.terms) {
        const v = loopVarOf(e);
        if (v === a) ka = k;
        else if (v === b) kb = k;
      }
      return ka === kb * b.size;
    };
    const seen = new Set<E>();
    const fits = (e: E): boolean => {
      if (seen.has(e)) return true;
      seen.add(e);
      if (e.op === 'var') return e.data !== a && e.data !== b;
      const at = e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
      if (at !== null && !(ok(at) && at.terms.every(([t]) => t.op === 'var' || fits(t)))) return false;
      if (e.op === 'reduce') {
        const { position } = e.data as ReduceData;
        if (position !== null && !fits(position)) return false;
      }
      return e.args.every(fits);
    };
    const fitsSink = (s: Sink): boolean => {
      if (s.kind === 'store')
        return ok(s.at) && s.at.terms.every(([t]) => t.op === 'var' || fits(t)) && fits(s.value);
      if (s.kind === 'scan') return s.inputs.every(fits) && s.stores.every(fitsSink);
      return (
        fits(s.x) &&
        (s.position === null || s.position.op === 'index'
          ? s.position === null || ok(s.position.data as Affine)
          : fits(s.position))
      );
    };
    if (!sinks.every(fitsSink)) return null;
    const v = new Loop(a.size * b.size);
    // a·kb·|b| + b·kb = v·kb
    const to = new Map<E, E>([
      [varOf(a), m.const(0, 'i32')],
      [varOf(b), varOf(v)],
    ]);
    return { v, sinks: this.substitute(sinks, to) };
  }

  // ---- tiny reductions become expressions --------------------------------------------------------------------------

  private unrollMemo = new Map<E, E>();
  private unrollReduces(e: E): E {
    return rebuild(
      e,
      x => {
        if (x.op !== 'reduce') return null;
        const d = x.data as ReduceData;
        const body = this.unrollReduces(x.args[0]!);
        const total = d.vars.reduce((p, v) => p * v.size, 1);
        const position = d.position;
        if (total === 0) return d.fold.init(body.type)[d.fold.result]!;
        if (total > TINY || total * this.opCount(body) > UNROLL_OPS || d.fold.merge === null) {
          return reduce(d.fold, d.vars, body, position, x.type);
        }
        let accs: E[] | null = null;
        for (let n = 0; n < total; n++) {
          const map = new Map<E, E>();
          let rest = n;
          for (let i = d.vars.length - 1; i >= 0; i--) {
            const v = d.vars[i]!;
            map.set(varOf(v), m.const(rest % v.size, 'i32'));
            rest = Math.floor(rest / v.size);
          }
          const memo = new Map<E, E>();
          const at = (y: E): E => rebuild(y, z => map.get(z) ?? null, memo);
          const value = at(body);
          // The first value is the fold so far: nothing is added to 0.
          if (accs === null)
            accs = d.fold.positional ? d.fold.step(d.fold.init(body.type), [value], at(position!)) : [value];
          else accs = d.fold.step(accs, [value], position === null ? null : at(position));
        }
        return accs![d.fold.result]!;
      },
      this.unrollMemo,
    );
  }
  /** Operations of one evaluation, loops inside counted as many. */
  private opCount(e: E): number {
    const seen = new Set<E>();
    const walk = (x: E): number => {
      if (seen.has(x)) return 0;
      seen.add(x);
      let n = x.op === 'const' ? 0 : isMathOp(x.op) ? 16 : x.op === 'reduce' ? 1000 : 1;
      for (const a of x.args) n += walk(a);
      return n;
    };
    return walk(e);
  }

  // ---- lanes ------------------------------------------------------------------------------------------------------

  /**
   * Which outer loop runs four lanes wide with everything inside it, or null: then each innermost loop is made wide on
   * its own. Decided by a count of memory accesses and operations under each choice.
   */
  private chooseLanes(vars: readonly LoopVar[], sinks: readonly Sink[]): LoopVar | null {
    const serial = new Set(this.kernel.serial);
    const candidates: (LoopVar | null)[] = [null];
    // Only a loop that all results are inside of: the last one before the shallowest store.
    const depth = Math.min(...sinks.map(s => s.depth));
    const last = vars[depth - 1];
    if (last !== undefined && !serial.has(last) && last.size >= 4 && this.canWiden(sinks, last)) {
      const innermost = depth === vars.length && !this.hasLoopsInside(sinks);
      if (!innermost || this.kernel.scan !== null) candidates.push(last);
    }
    // Where the last loop is tiny, the one before it may be wide instead.
    const outer = vars[depth - 2];
    if (
      last !== undefined &&
      last.size <= TINY &&
      outer !== undefined &&
      !serial.has(outer) &&
      outer.size >= 8
    ) {
      if (depth === vars.length && this.canWiden(sinks, outer)) candidates.push(outer);
    }
    const inner = vars[vars.length - 1];
    if (
      depth < vars.length &&
      inner !== undefined &&
      inner.size <= TINY &&
      last !== undefined &&
      last.size >= 8
    ) {
      if (!candidates.includes(last) && !serial.has(last) && this.canWiden(sinks, last))
        candidates.push(last);
    }
    if (this.kernel.scan !== null && candidates.length === 1) return null;
    let best: LoopVar | null = null;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const c of candidates) {
      const cost = this.costWith(c, vars, sinks);
      if (cost < bestCost) {
        best = c;
        bestCost = cost;
      }
    }
    return best;
  }
  private hasLoopsInside(sinks: readonly Sink[]): boolean {
    const seen = new Set<E>();
    const walk = (e: E): boolean => {
      if (seen.has(e)) return false;
      seen.add(e);
      return e.op === 'reduce' || e.args.some(walk);
    };
    return sinks.some(s => this.exprsOf(s).some(walk));
  }
  private costWith(laneVar: LoopVar | null, vars: readonly LoopVar[], sinks: readonly Sink[]): number {
    const innermost = laneVar === null ? (vars[vars.length - 1] ?? null) : null;
    const eff = (size: number): number => (Math.floor(size / 4) + (size % 4)) / Math.max(size, 1);
    let cost = 0;
    const seen = new Set<E>();
    const access = (at: Affine, mask: number, wide: LoopVar | null): void => {
      const total = this.deps.sizeOf(mask);
      if (wide === null || !(mask & this.deps.bit(wide))) {
        cost += total;
        return;
      }
      const k = at.terms.find(([t]) => loopVarOf(t) === wide)?.[1] ?? 0;
      const computed = at.terms.some(([t]) => t.op !== 'var' && this.deps.free(t) & this.deps.bit(wide));
      cost += total * (Math.abs(k) === 1 && !computed ? eff(wide.size) : 1.3);
    };
    const walk = (e: E, wide: LoopVar | null): void => {
      if (seen.has(e)) return;
      seen.add(e);
      const mask = this.deps.free(e);
      let inside = wide;
      if (e.op === 'reduce') {
        const d = e.data as ReduceData;
        if (laneVar === null) inside = d.vars[d.vars.length - 1] ?? null;
        // A horizontal join of lanes per result.
        if (laneVar === null) cost += this.deps.sizeOf(mask) * 8;
      }
      for (const a of e.args) walk(a, inside);
      if (e.op === 'load') access((e.data as LoadData).at, mask, wide);
      else if (e.op !== 'const' && e.op !== 'var' && e.op !== 'index') {
        const weight = isMathOp(e.op) ? 16 : 1;
        const isWide = wide !== null && mask & this.deps.bit(wide);
        cost += this.deps.sizeOf(mask) * weight * (isWide ? eff(wide.size) : 1);
      }
    };
    const visit = (s: Sink): void => {
      const wide = laneVar ?? innermost;
      for (const e of this.exprsOf(s)) walk(e, wide);
      if (s.kind === 'store') access(s.at, this.deps.freeAt(s.at) | this.deps.free(s.value), wide);
      if (s.kind === 'scan') s.stores.forEach(visit);
    };
    sinks.forEach(visit);
    return cost;
  }

  /** Whether everything that varies with v has 32-bit lanes. */
  private canWiden(sinks: readonly Sink[], v: LoopVar): boolean {
    const b = this.deps.bit(v);
    const seen = new Set<E>();
    const ok = (e: E): boolean => {
      if (seen.has(e) || !(this.deps.free(e) & b)) return true;
      seen.add(e);
      if (e.type === 'f64' || e.type === 'i64') return false;
      const at = e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
      if (at !== null && !at.terms.every(([t]) => ok(t))) return false;
      if (e.op === 'reduce') {
        const d = e.data as ReduceData;
        if (d.position !== null && !ok(d.position)) return false;
      }
      return e.args.every(ok);
    };
    const okSink = (s: Sink): boolean => {
      if (s.kind === 'scan')
        return (
          s.inputs.every(ok) &&
          s.stores.every(okSink) &&
          this.kernel.scan!.acc.type !== 'i64' &&
          this.kernel.scan!.acc.type !== 'f64'
        );
      if (s.kind === 'fold')
        return (
          s.target.fold.merge !== null &&
          s.x.type !== 'f64' &&
          s.x.type !== 'i64' &&
          this.exprsOf(s).every(ok)
        );
      // A result that does not vary with v cannot be written four at a time, nor can 8-byte elements.
      if (DTYPES[s.dtype].bytes === 8 || !(this.deps.freeAt(s.at) & b)) return false;
      if (s.mode !== 'set' && s.at.terms.some(([t]) => t.op !== 'var' && this.deps.free(t) & b)) return false;
      return s.at.terms.every(([t]) => ok(t)) && ok(s.value);
    };
    return sinks.every(okSink);
  }

  private widenSink(s: Sink, v: LoopVar, set: number): Sink {
    if (s.kind === 'fold') {
      return {
        ...s,
        set,
        x: splat(this.deps.widen(s.x, v)),
        position: s.position === null ? null : this.deps.widen(s.position, v),
      };
    }
    if (s.kind === 'scan') {
      return {
        ...s,
        lanes: 4,
        inputs: s.inputs.map(e => splat(this.deps.widen(e, v))),
        stores: s.stores.map(x => this.widenSink(x, v, set) as StoreSink),
      };
    }
    const at = this.deps.widenAt(s.at, v);
    return { ...s, at: at.at, step: at.step ?? 0, value: splat(this.deps.widen(s.value, v)) };
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
    const plain = vars.length === 1 && !this.hasLoopsInside(sinks);
    if (v0 === undefined || serial || hoisted || (!plain && this.unrolls(v0, vars, sinks))) {
      return { body: this.gen(vars, sinks, 0), range: 1 };
    }
    // Too few rows to share: count pairs of rows and columns instead.
    const pairs =
      v0.size < PARALLEL_ROWS &&
      v1 !== undefined &&
      (vars.length > 2 || this.hasLoopsInside(sinks)) &&
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
    for (const s of now) this.emit(s, bound, out);
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
        const w = inside.map(s => this.widenSink(s, v, set));
        return shift === 0
          ? w
          : this.substitute(
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
    if (sinks.some(s => this.exprsOf(s).some(e => this.hasReduce(e)))) return false;
    if (sinks.some(s => s.kind === 'scan')) return false;
    return this.canWiden(sinks, v);
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
  private hasReduce(e: E): boolean {
    const seen = new Set<E>();
    const walk = (x: E): boolean => {
      if (seen.has(x)) return false;
      seen.add(x);
      return x.op === 'reduce' || x.args.some(walk);
    };
    return walk(e);
  }
  /** Independent accumulators hide the latency of short bodies. */
  private copies(sinks: readonly Sink[]): number {
    const ops = sinks.reduce((n, s) => n + this.exprsOf(s).reduce((k, e) => k + this.opCount(e), 0), 0);
    if (sinks.some(s => s.kind === 'fold')) return ops <= WIDE_OPS ? 4 : ops <= 3 * WIDE_OPS ? 2 : 1;
    return sinks.every(s => s.kind === 'store') && this.hasReduces(sinks) && ops < 2000 ? 4 : 1;
  }
  private hasReduces(sinks: readonly Sink[]): boolean {
    return sinks.some(s => this.exprsOf(s).some(e => this.hasReduce(e)));
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
    const ops = sinks.reduce((n, s) => n + this.exprsOf(s).reduce((k, e) => k + this.opCount(e), 0), 0);
    const inReduce = this.hasReduces(sinks);
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
      const part = step === 4 ? inside.map(s => this.widenSink(s, v, 0)) : inside;
      all.push(...this.substitute(part, new Map([[varOf(v), m.const(at, 'i32')]])));
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
      current = this.substitute(current, map);
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
      for (const a of e.args) below = walk(a) || below;
      const at = e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
      if (at !== null) for (const [t] of at.terms) below = walk(t) || below;
      if (e.op === 'reduce' && (this.deps.free(e) & ~bound) === 0) {
        if (!below) found.push(e);
        below = true;
      }
      state.set(e, below);
      return below;
    };
    for (const s of sinks) for (const e of this.exprsOf(s)) walk(e);
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
    const early = this.substitute([{ ...store, value: shared }], rowToReduce)[0]!;
    const kept = load(store.buffer, store.at, 'float32', 'f32');
    const later = this.substitute([store], new Map([[shared, kept]]))[0]!;
    return { sinks: sinks.map(s => (s === store ? later : s)), early };
  }
  /** The outermost float that contains a mathematical function, varies along the row, and is in the set. */
  private largestShared(e: E, set: ReadonlySet<E>, row: number): E | null {
    if (!(this.deps.free(e) & row)) return null;
    if (set.has(e) && e.type === 'f32' && this.opCount(e) >= 16 && !this.hasReduce(e)) return e;
    for (const a of e.args) {
      const found = this.largestShared(a, set, row);
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

  private emit(s: Sink, bound: number, out: Stmt[]): void {
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
    if (s.kind === 'scan') {
      this.emitScan(s, bound, out);
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
  private emitScan(s: ScanSink, bound: number, out: Stmt[]): void {
    const { v, fold, acc, inputs } = this.kernel.scan!;
    const type = inputs[inputs.length - 1]!.type;
    const accs = fold.init(type).map(e => this.acc(e.type, s.lanes));
    out.push({ kind: 'set', accs, values: fold.init(type).map(e => (s.lanes === 4 ? splat(e) : e)) });
    const now = accs.map(a => accOf(a.id, a.type, a.lanes));
    const body: Stmt[] = [{ kind: 'set', accs, values: fold.step(now, s.inputs, varOf(v)) }];
    for (const st of this.substitute(s.stores, new Map([[acc, now[fold.result]!]])))
      this.emit(st, bound, body);
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

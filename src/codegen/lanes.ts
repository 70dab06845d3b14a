// Which loop runs four lanes wide.
// In: loops in order, sinks. Out: a choice, and sinks made wide. Not its job: the code around the choice (lower.ts).

import { DTYPES } from '../base/dtype.ts';
import type { Affine, E, LoadData, LoopVar, ReduceData } from '../ir/scalar.ts';
import { isMathOp, splat, termsOf } from '../ir/scalar.ts';
import { loopVarOf } from '../schedule/affine.ts';
import type { LoopKernel } from '../schedule/kernel.ts';
import { exprsOf, hasLoopsInside, type Sink, type StoreSink } from './sinks.ts';
import { TINY } from './unroll.ts';
import type { Dependence } from './widen.ts';

export class Lanes {
  private readonly kernel: LoopKernel;
  private readonly deps: Dependence;
  constructor(kernel: LoopKernel, deps: Dependence) {
    this.kernel = kernel;
    this.deps = deps;
  }

  /**
   * Which outer loop runs four lanes wide with everything inside it, or null: then each innermost loop is made wide on
   * its own. Decided by a count of memory accesses and operations under each choice.
   */
  choose(vars: readonly LoopVar[], sinks: readonly Sink[]): LoopVar | null {
    const serial = new Set(this.kernel.serial);
    const candidates: (LoopVar | null)[] = [null];
    // Only a loop that all results are inside of: the last one before the shallowest store.
    const depth = Math.min(...sinks.map(s => s.depth));
    const last = vars[depth - 1];
    if (last !== undefined && !serial.has(last) && last.size >= 4 && this.canWiden(sinks, last)) {
      const innermost = depth === vars.length && !hasLoopsInside(sinks);
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
      const cost = this.cost(c, vars, sinks);
      if (cost < bestCost) {
        best = c;
        bestCost = cost;
      }
    }
    return best;
  }
  private cost(laneVar: LoopVar | null, vars: readonly LoopVar[], sinks: readonly Sink[]): number {
    // A scan has no lanes but those of a loop around it.
    const innermost = laneVar === null && this.kernel.scan === null ? (vars[vars.length - 1] ?? null) : null;
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
      for (const e of exprsOf(s)) walk(e, wide);
      if (s.kind === 'store') access(s.at, this.deps.freeAt(s.at) | this.deps.free(s.value), wide);
      if (s.kind === 'scan') s.stores.forEach(visit);
    };
    sinks.forEach(visit);
    return cost;
  }

  /** Whether everything that varies with v has 32-bit lanes. */
  canWiden(sinks: readonly Sink[], v: LoopVar): boolean {
    const b = this.deps.bit(v);
    const seen = new Set<E>();
    const ok = (e: E): boolean => {
      if (seen.has(e) || !(this.deps.free(e) & b)) return true;
      seen.add(e);
      if (e.type === 'f64' || e.type === 'i64') return false;
      if (!termsOf(e).every(([t]) => ok(t))) return false;
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
          s.target.fold.merge !== null && s.x.type !== 'f64' && s.x.type !== 'i64' && exprsOf(s).every(ok)
        );
      // A result that does not vary with v cannot be written four at a time, nor can 8-byte elements but for widened ones.
      if ((DTYPES[s.dtype].bytes === 8 && s.value.type !== 'i32') || !(this.deps.freeAt(s.at) & b))
        return false;
      if (s.mode !== 'set' && s.at.terms.some(([t]) => t.op !== 'var' && this.deps.free(t) & b)) return false;
      return s.at.terms.every(([t]) => ok(t)) && ok(s.value);
    };
    return sinks.every(okSink);
  }

  widenSink(s: Sink, v: LoopVar, set: number): Sink {
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
}

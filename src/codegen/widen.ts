// Which loops an expression depends on, and the same expression for four neighbours of one loop.
// In: scalar expressions. Out: vector expressions. Not its job: choosing the loop.

import type { Affine, E, LoadData, LoopVar, ReduceData } from '../ir/scalar.ts';
import { indexOf, load, m, ramp, rebuild, reduce, splat } from '../ir/scalar.ts';
import { loopVarOf } from '../schedule/affine.ts';

export class Dependence {
  /** What an accumulator depends on: the loops inside of which it gets its value. */
  readonly accMasks = new Map<number, number>();
  /** Accumulators that have a vector form of their own. */
  readonly accVectors = new Map<number, E>();
  private readonly bits = new Map<LoopVar, number>();
  /** By the number of their bit. */
  private readonly vars: LoopVar[] = [];
  private readonly masks = new Map<E, number>();
  private readonly memos = new Map<LoopVar, Map<E, E>>();

  bit(v: LoopVar): number {
    let b = this.bits.get(v);
    if (b === undefined) {
      if (this.bits.size >= 31) throw new Error('lower: more than 31 loops in one kernel');
      b = 1 << this.bits.size;
      this.bits.set(v, b);
      this.vars.push(v);
    }
    return b;
  }
  mask(vars: readonly LoopVar[]): number {
    let r = 0;
    for (const v of vars) r |= this.bit(v);
    return r;
  }
  /** The loops of an expression, as a set of bits. */
  free(e: E): number {
    const had = this.masks.get(e);
    if (had !== undefined) return had;
    let r = 0;
    if (e.op === 'var') r = this.bit(e.data as LoopVar);
    else if (e.op === 'acc') r = this.accMasks.get(Number(e.value)) ?? 0;
    else {
      for (let i = 0; i < e.args.length; i++) r |= this.free(e.args[i]!);
      if (e.op === 'load') r |= this.freeAt((e.data as LoadData).at);
      else if (e.op === 'index') r |= this.freeAt(e.data as Affine);
      else if (e.op === 'reduce') {
        const d = e.data as ReduceData;
        if (d.position !== null) r |= this.free(d.position);
        r &= ~this.mask(d.vars);
      }
    }
    this.masks.set(e, r);
    return r;
  }
  freeAt(at: Affine): number {
    let r = 0;
    for (let i = 0; i < at.terms.length; i++) r |= this.free(at.terms[i]![0]);
    return r;
  }
  /** How many combinations the loops of a set have. */
  sizeOf(mask: number): number {
    let n = 1;
    for (let i = 0; i < this.vars.length; i++) if (mask & (1 << i)) n *= this.vars[i]!.size;
    return n;
  }

  /** The values for v, v+1, v+2, v+3; an expression that does not depend on v stays as it is. */
  widen(e: E, v: LoopVar): E {
    if (!(this.free(e) & this.bit(v))) return e;
    let memo = this.memos.get(v);
    if (memo === undefined) {
      memo = new Map();
      this.memos.set(v, memo);
    }
    return rebuild(e, x => this.wide(x, v), memo);
  }
  private wide(x: E, v: LoopVar): E | null {
    if (!(this.free(x) & this.bit(v))) return x;
    switch (x.op) {
      case 'var':
        return ramp(x);
      case 'acc':
        return this.accVectors.get(Number(x.value)) ?? x;
      case 'index': {
        const at = this.widenAt(x.data as Affine, v);
        if (at.step === null) return indexVector(at.at);
        const lanes = m.mul(ramp(m.const(0, 'i32')), splat(m.const(at.step, 'i32')));
        return m.add(splat(indexOf(at.at)), lanes);
      }
      case 'load': {
        const d = x.data as LoadData;
        const guard = x.args.length ? splat(this.widen(x.args[0]!, v)) : null;
        const at = this.widenAt(d.at, v);
        if (at.step === 0 && guard === null) return x;
        return load(d.buffer, at.at, d.dtype, x.type, guard, 4, at.step ?? 0);
      }
      case 'reduce': {
        const d = x.data as ReduceData;
        return reduce(d.fold, d.vars, splat(this.widen(x.args[0]!, v)), d.position, x.type);
      }
      default:
        return null;
    }
  }
  /** An index for four lanes: by a constant step, or (step null) with vectors among its terms. */
  widenAt(at: Affine, v: LoopVar): { at: Affine; step: number | null } {
    let step = 0;
    let computed = false;
    for (const [t, k] of at.terms) {
      if (loopVarOf(t) === v) step += k;
      else if (t.op !== 'var' && this.free(t) & this.bit(v)) computed = true;
    }
    if (!computed) return { at, step };
    return { at: { c: at.c, terms: at.terms.map(([t, k]) => [this.widen(t, v), k] as const) }, step: null };
  }
}

/** The value of an index with vectors among its terms. */
function indexVector(at: Affine): E {
  let sum: E = m.const(at.c, 'i32');
  for (const [t, k] of at.terms) sum = m.add(sum, m.mul(t, m.const(k, 'i32')));
  return splat(sum);
}

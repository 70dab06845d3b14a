// Loops to WebAssembly: values are numbered, computed once, and placed in the outermost loop that has what they need
// (constants and splats included: V8 does not hoist them by itself).
// In: a LoopProgram. Out: the bytes of one function and the integers it reads from its parameter block.

import type { E, Exprs, LoadData } from '../ir/scalar.ts';
import { termsOf, withExprs } from '../ir/scalar.ts';
import type { Acc, LoopProgram, Stmt } from './loop.ts';
import { I32, type Op } from './wasm-asm.ts';
import { wasmType } from './wasm-scope.ts';
import type { Emitted, Target } from './wasm-target.ts';
import { ValueCode } from './wasm-values.ts';

/** Emits statements; hand-written kernels use it for their epilogues. */
export class Emitter extends ValueCode {
  // ---- statements ---------------------------------------------------------------------------------------------------

  program(p: LoopProgram): void {
    this.scan(p.body);
    this.accLocal.set(p.begin.id, 1);
    this.accLocal.set(p.end.id, 2);
    this.statements(p.body);
  }
  /** Counts uses and finds the buffers that are read after being written. */
  private scan(body: readonly Stmt[]): void {
    const loads = (e: E, buffer: number, seen: Set<E>): boolean => {
      if (e.op === 'load' && (e.data as LoadData).buffer === buffer) return true;
      if (seen.has(e)) return false;
      seen.add(e);
      for (let i = 0; i < e.args.length; i++) if (loads(e.args[i]!, buffer, seen)) return true;
      const terms = termsOf(e);
      for (let i = 0; i < terms.length; i++) if (loads(terms[i]![0], buffer, seen)) return true;
      return false;
    };
    const visit = (list: readonly Stmt[]): void => {
      for (const s of list) {
        if (s.kind === 'for') for (const v of s.variants) visit(v.body);
        else if (s.kind === 'set') this.countUses(s.values);
        else if (s.kind === 'let') this.countUses([s.value]);
        else {
          this.countUses([s.value, ...s.at.terms.map(t => t[0])]);
          if (loads(s.value, s.buffer, new Set())) this.volatileBuffers.add(s.buffer);
        }
      }
    };
    visit(body);
  }

  private statements(list: readonly Stmt[]): void {
    for (let i = 0; i < list.length; i++) {
      const s = list[i]!;
      if (s.kind === 'for') this.loop(s);
      else if (s.kind === 'set') this.set(s.accs, s.values);
      else if (s.kind === 'let') {
        this.val(s.value);
        const l = this.local(I32);
        this.code.set(l);
        this.bindVar(s.v, l);
      } else {
        // All values of neighbouring stores come first: a store may change what another one reads.
        const group = [s];
        while (list[i + 1]?.kind === 'store') group.push(list[++i] as typeof s);
        if (group.length === 1) this.store(s, null);
        else {
          const kept = group.map(g => {
            const value = this.stored(g.dtype, g.value);
            this.val(value);
            const l = this.local(wasmType(value.type, value.lanes));
            this.code.set(l);
            return l;
          });
          group.forEach((g, k) => {
            this.store(g, kept[k]!);
          });
        }
      }
    }
  }
  private set(accs: readonly Acc[], values: readonly E[]): void {
    for (const v of values) this.val(v);
    for (let i = accs.length - 1; i >= 0; i--) this.code.set(this.accLocalOf(accs[i]!));
    for (const a of accs) this.accDepth.set(a.id, this.current);
    this.forget();
  }

  private loop(s: Extract<Stmt, { kind: 'for' }>): void {
    const v = this.local(I32);
    this.val(s.from);
    this.code.set(v);
    const end = this.local(I32);
    const outer = this.current;
    if (s.to.op === 'const') this.val(this.int(Number(s.to.value)));
    else this.val(s.to);
    this.code.set(end);
    const inside = new Set<number>();
    collectAccs(
      s.variants.flatMap(x => x.body),
      inside,
    );
    for (const { step, body } of s.variants) {
      this.push();
      this.bindVar(s.v, v);
      for (const id of inside) this.accDepth.set(id, this.current);
      this.forget();
      this.statements(body);
      const bytes = this.pop();
      const c = this.scopes[outer]!.code;
      // last = end - step; while (v <= last) { body; v += step }
      const last = step === 1 ? end : this.local(I32);
      if (step !== 1) c.get(end).i32(step).op('i32.sub').set(last);
      const stop: Op = step === 1 ? 'i32.ge_s' : 'i32.gt_s';
      const again: Op = step === 1 ? 'i32.lt_s' : 'i32.le_s';
      c.block().get(v).get(last).op(stop).brIf(0).loop();
      c.out.append(bytes);
      c.get(v).i32(step).op('i32.add').tee(v).get(last).op(again).brIf(0).end().end();
      for (const id of inside) this.accDepth.set(id, outer);
      this.forget();
    }
  }
}

function collectAccs(body: readonly Stmt[], into: Set<number>): void {
  for (const s of body) {
    if (s.kind === 'set') for (const a of s.accs) into.add(a.id);
    else if (s.kind === 'for') for (const v of s.variants) collectAccs(v.body, into);
  }
}

/** One kernel as a function body. */
export function emitLoops(p: LoopProgram, exprs: Exprs, buffers: number, target: Target): Emitted {
  return withExprs(() => {
    const em = new Emitter(buffers, target);
    em.program(p);
    return { code: em.code.out, locals: em.locals, ints: em.ints, mainThreadOnly: em.mainThreadOnly };
  }, exprs);
}

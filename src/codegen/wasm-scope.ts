// Value numbering in nested loops: which local holds a value, and in which loop it is computed.
// In: expressions, loops. Out: code that leaves values on the stack. Not its job: opcodes (wasm-values.ts).

import type { ComputeType } from '../base/dtype.ts';
import type { Affine, E, LoadData, LoopVar } from '../ir/scalar.ts';
import { m, param } from '../ir/scalar.ts';
import type { Acc } from './loop.ts';
import { type Bytes, Code, F32, F64, I32, I64, V128, type ValType } from './wasm-asm.ts';
import { KERNEL_TYPE, type Target } from './wasm-target.ts';

interface Scope {
  readonly code: Code;
  readonly memo: Map<E, number>;
  /** Values that contain an accumulator: forgotten when one is set. */
  readonly fleeting: Map<E, number>;
}

/** Integers up to this size are burned in; larger ones are read from the parameter block. */
export const SMALL = 16;
export const wasmType = (t: ComputeType, lanes: 1 | 4): ValType =>
  lanes === 4 ? V128 : t === 'f32' ? F32 : t === 'f64' ? F64 : t === 'i64' ? I64 : I32;

/** Code in nested loops: each value is computed once, in the outermost loop that has what it needs. */
export abstract class ScopedCode {
  readonly scopes: Scope[] = [];
  readonly locals: ValType[] = [];
  readonly ints: number[] = [];
  mainThreadOnly = false;
  protected current = 0;
  readonly fma: boolean;
  protected readonly buffers: number;
  protected readonly firstLocal: number;
  protected readonly uses = new Map<E, number>();
  protected readonly varLocal = new Map<LoopVar, { local: number; depth: number }>();
  protected readonly accLocal = new Map<number, number>();
  protected readonly accDepth = new Map<number, number>();
  protected depths = new Map<E, number>();
  protected readonly accs = new Map<E, boolean>();
  protected readonly volatileBuffers = new Set<number>();
  protected readonly intSlot = new Map<number, number>();

  constructor(buffers: number, target: Target, firstLocal = KERNEL_TYPE.params.length) {
    this.buffers = buffers;
    this.fma = target.fma;
    this.firstLocal = firstLocal;
    this.scopes.push({ code: new Code(), memo: new Map(), fleeting: new Map() });
  }

  get code(): Code {
    return this.scopes[this.current]!.code;
  }
  local(type: ValType): number {
    return this.firstLocal + this.locals.push(type) - 1;
  }

  // ---- scopes, variables, accumulators --------------------------------------------------------------------------------

  push(): void {
    this.scopes.push({ code: new Code(), memo: new Map(), fleeting: new Map() });
    this.current = this.scopes.length - 1;
  }
  /** Ends the innermost scope and appends its code, wrapped by the caller. */
  pop(): Bytes {
    const s = this.scopes.pop()!;
    this.current = this.scopes.length - 1;
    return s.code.out;
  }
  bindVar(v: LoopVar, local: number): void {
    this.varLocal.set(v, { local, depth: this.current });
    this.depths = new Map();
  }
  bindAcc(id: number, local: number): void {
    this.accLocal.set(id, local);
    this.accDepth.set(id, this.current);
    this.forget();
  }
  protected accLocalOf(a: Acc): number {
    let l = this.accLocal.get(a.id);
    if (l === undefined) {
      l = this.local(wasmType(a.type, a.lanes));
      this.accLocal.set(a.id, l);
    }
    return l;
  }
  /** Accumulators changed: values that contain one must be computed anew. */
  protected forget(): void {
    for (const s of this.scopes) s.fleeting.clear();
    this.depths = new Map();
  }

  /** An integer of the kernel: burned in when small, else a word of the parameter block, so that code is not shape. */
  int(n: number): E {
    if (Math.abs(n) <= SMALL) return m.const(n, 'i32');
    let slot = this.intSlot.get(n);
    if (slot === undefined) {
      slot = this.buffers + this.ints.push(n) - 1;
      this.intSlot.set(n, slot);
    }
    return param(slot);
  }
  /** An integer that is never burned in: a count that follows from a dim of any size. */
  word(n: number): E {
    return param(this.buffers + this.ints.push(n) - 1);
  }

  protected hasAcc(e: E): boolean {
    let r = this.accs.get(e);
    if (r === undefined) {
      r =
        e.op === 'acc' ||
        (e.op === 'load' && this.volatileBuffers.has((e.data as LoadData).buffer)) ||
        this.below(e).some(x => this.hasAcc(x));
      this.accs.set(e, r);
    }
    return r;
  }
  protected below(e: E): readonly E[] {
    const at = e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
    return at === null ? e.args : [...e.args, ...at.terms.map(t => t[0])];
  }
  /** The scope in which a value can be computed at the earliest. */
  protected depth(e: E): number {
    const had = this.depths.get(e);
    if (had !== undefined) return had;
    let d = 0;
    if (e.op === 'var') d = this.varLocal.get(e.data as LoopVar)?.depth ?? 0;
    else if (e.op === 'acc') d = this.accDepth.get(Number(e.value)) ?? 0;
    else if (e.op === 'load' && this.volatileBuffers.has((e.data as LoadData).buffer))
      d = this.scopes.length - 1;
    else for (const x of this.below(e)) d = Math.max(d, this.depth(x));
    this.depths.set(e, d);
    return d;
  }

  countUses(roots: readonly E[]): void {
    const visit = (e: E): void => {
      const n = this.uses.get(e) ?? 0;
      this.uses.set(e, n + 1);
      if (n === 0) this.below(e).forEach(visit);
    };
    roots.forEach(visit);
  }

  // ---- values --------------------------------------------------------------------------------------------------------

  /** Leaves the value on the stack. */
  val(e: E): void {
    if (e.op === 'const' && e.lanes === 1) {
      this.constant(e);
      return;
    }
    if (e.op === 'acc') {
      this.code.get(this.accLocal.get(Number(e.value))!);
      return;
    }
    if (e.op === 'var') {
      const v = this.varLocal.get(e.data as LoopVar);
      if (v === undefined)
        throw new Error(`wasm: loop variable of size ${(e.data as LoopVar).size} is not bound here`);
      this.code.get(v.local);
      return;
    }
    const depth = Math.min(this.depth(e), this.scopes.length - 1);
    const home = this.scopes[depth]!;
    const table = this.hasAcc(e) ? 'fleeting' : 'memo';
    const had = home[table].get(e);
    if (had !== undefined) {
      this.code.get(had);
      return;
    }
    const before = this.current;
    if (depth < before) {
      this.current = depth;
      this.compute(e);
      const l = this.local(wasmType(e.type, e.lanes));
      this.code.set(l);
      home[table].set(e, l);
      this.current = before;
      this.code.get(l);
      return;
    }
    this.compute(e);
    const uses = this.uses.get(e);
    if (uses === undefined ? e.op === 'shl' || e.op === 'mul' || e.op === 'param' : uses > 1) {
      const l = this.local(wasmType(e.type, e.lanes));
      this.code.tee(l);
      home[table].set(e, l);
    }
  }
  protected constant(e: E): void {
    const c = this.code;
    if (e.type === 'f32') c.f32(Number(e.value));
    else if (e.type === 'f64') c.f64(Number(e.value));
    else if (e.type === 'i64') c.i64(BigInt(e.value));
    else c.i32(Number(e.value));
  }
  /** Leaves the value on the stack by its operation; each operand is a value of its own. */
  protected abstract compute(e: E): void;
}

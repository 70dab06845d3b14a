// Value numbering in nested loops: which local holds a value, and in which loop it is computed.
// In: expressions, loops. Out: code that leaves values on the stack. Not its job: opcodes (wasm-values.ts).

import type { ComputeType } from '../base/dtype.ts';
import type { E, LoadData, LoopVar } from '../ir/scalar.ts';
import { m, param, termsOf } from '../ir/scalar.ts';
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
  protected readonly varLocal = new Map<LoopVar, { local: number; depth: number }>();
  protected readonly accLocal = new Map<number, number>();
  protected readonly accDepth = new Map<number, number>();
  /**
   * What is known of expressions, by their numbers. Code is made once and cold, where maps cost more than all else: here they
   * were a tenth of a compilation's garbage.
   */
  private readonly owner: (E | null)[] = [];
  private readonly uses: number[] = [];
  private readonly fleeting: (boolean | null)[] = [];
  private readonly depths: number[] = [];
  /** When a depth was found: what binds a loop or an accumulator makes it void. */
  private readonly found: number[] = [];
  private now = 1;
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
    this.now++;
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
    for (let i = 0; i < this.scopes.length; i++) this.scopes[i]!.fleeting.clear();
    this.now++;
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

  /** The place of an expression in the lists; -1 for one of another table, whose number is taken. */
  private slot(e: E): number {
    const { id } = e;
    while (this.owner.length <= id) {
      this.owner.push(null);
      this.uses.push(0);
      this.fleeting.push(null);
      this.depths.push(0);
      this.found.push(0);
    }
    this.owner[id] ??= e;
    return this.owner[id] === e ? id : -1;
  }
  protected hasAcc(e: E): boolean {
    const i = this.slot(e);
    const had = i < 0 ? null : this.fleeting[i]!;
    if (had !== null) return had;
    let r = e.op === 'acc' || (e.op === 'load' && this.volatileBuffers.has((e.data as LoadData).buffer));
    for (let k = 0; k < e.args.length && !r; k++) r = this.hasAcc(e.args[k]!);
    const terms = termsOf(e);
    for (let k = 0; k < terms.length && !r; k++) r = this.hasAcc(terms[k]![0]);
    if (i >= 0) this.fleeting[i] = r;
    return r;
  }
  /** The scope in which a value can be computed at the earliest. */
  protected depth(e: E): number {
    const i = this.slot(e);
    if (i >= 0 && this.found[i] === this.now) return this.depths[i]!;
    let d = 0;
    if (e.op === 'var') d = this.varLocal.get(e.data as LoopVar)?.depth ?? 0;
    else if (e.op === 'acc') d = this.accDepth.get(Number(e.value)) ?? 0;
    else if (e.op === 'load' && this.volatileBuffers.has((e.data as LoadData).buffer))
      d = this.scopes.length - 1;
    else {
      for (let k = 0; k < e.args.length; k++) d = Math.max(d, this.depth(e.args[k]!));
      const terms = termsOf(e);
      for (let k = 0; k < terms.length; k++) d = Math.max(d, this.depth(terms[k]![0]));
    }
    if (i >= 0) {
      this.depths[i] = d;
      this.found[i] = this.now;
    }
    return d;
  }

  countUses(roots: readonly E[]): void {
    for (let k = 0; k < roots.length; k++) this.countUse(roots[k]!);
  }
  private countUse(e: E): void {
    const i = this.slot(e);
    if (i < 0 || this.uses[i]!++ > 0) return;
    this.countUses(e.args);
    const terms = termsOf(e);
    for (let k = 0; k < terms.length; k++) this.countUse(terms[k]![0]);
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
    const i = this.slot(e);
    const uses = i < 0 ? 0 : this.uses[i]!;
    if (uses === 0 ? e.op === 'shl' || e.op === 'mul' || e.op === 'param' : uses > 1) {
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

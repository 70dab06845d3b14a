// Loops to WebAssembly: values are numbered, computed once, and placed in the outermost loop that has what they need
// (constants and splats included: V8 does not hoist them by itself).
// In: a LoopProgram. Out: the bytes of one function and the integers it reads from its parameter block.

import type { ComputeType, DType } from '../base/dtype.ts';
import { byteWidth } from '../base/dtype.ts';
import type { Affine, ArithOp, CheckedData, E, Exprs, LoadData, MathOp, ReduceData } from '../ir/scalar.ts';
import {
  HOST_MATH,
  isBinaryMath,
  isMathOp,
  LoopVar,
  lane,
  load,
  m,
  param,
  ramp,
  splat,
  withExprs,
} from '../ir/scalar.ts';
import type { Acc, LoopProgram, Stmt } from './loop.ts';
import { expansionOf, fromBrain, fromHalf, toBrain, toHalf } from './math.ts';
import {
  type Bytes,
  Code,
  F32,
  F64,
  type FuncType,
  I32,
  I64,
  type Op,
  V128,
  type ValType,
} from './wasm-asm.ts';

/** Host functions that every kernel module imports, in this order. */
export const HOST_IMPORTS: readonly { readonly name: string; readonly type: FuncType }[] = Object.keys(
  HOST_MATH,
).map(name => ({
  name,
  type: { params: isBinaryMath(name) || name === 'rem' ? [F64, F64] : [F64], results: [F64] },
}));
const HOST_INDEX = new Map(HOST_IMPORTS.map((f, i) => [f.name, i]));
/** Where a failed check leaves its code and the bad value. */
export const STATUS = 16;
/** (parameter block, begin, end) */
export const KERNEL_TYPE: FuncType = { params: [I32, I32, I32], results: [] };

export interface Emitted {
  readonly code: Bytes;
  readonly locals: readonly ValType[];
  /** Integers that follow the buffer pointers in the parameter block. */
  readonly ints: readonly number[];
  /** Calls host functions that only the main thread has. */
  readonly mainThreadOnly: boolean;
}
export interface Target {
  /** Whether the engine has relaxed SIMD's fused multiply-add. */
  readonly fma: boolean;
}

interface Scope {
  readonly code: Code;
  readonly memo: Map<E, number>;
  /** Values that contain an accumulator: forgotten when one is set. */
  readonly fleeting: Map<E, number>;
}

const SMALL = 16;
const wasmType = (t: ComputeType, lanes: 1 | 4): ValType =>
  lanes === 4 ? V128 : t === 'f32' ? F32 : t === 'f64' ? F64 : t === 'i64' ? I64 : I32;

/** Emits expressions and statements; hand-written kernels use it for their epilogues. */
export class Emitter {
  readonly scopes: Scope[] = [];
  readonly locals: ValType[] = [];
  readonly ints: number[] = [];
  mainThreadOnly = false;
  private current = 0;
  readonly fma: boolean;
  private readonly buffers: number;
  private readonly firstLocal: number;
  private readonly uses = new Map<E, number>();
  private readonly varLocal = new Map<LoopVar, { local: number; depth: number }>();
  private readonly accLocal = new Map<number, number>();
  private readonly accDepth = new Map<number, number>();
  private depths = new Map<E, number>();
  private readonly accs = new Map<E, boolean>();
  private readonly volatileBuffers = new Set<number>();
  private readonly intSlot = new Map<number, number>();

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
  private accLocalOf(a: Acc): number {
    let l = this.accLocal.get(a.id);
    if (l === undefined) {
      l = this.local(wasmType(a.type, a.lanes));
      this.accLocal.set(a.id, l);
    }
    return l;
  }
  /** Accumulators changed: values that contain one must be computed anew. */
  private forget(): void {
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

  private hasAcc(e: E): boolean {
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
  private below(e: E): readonly E[] {
    const at = e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
    return at === null ? e.args : [...e.args, ...at.terms.map(t => t[0])];
  }
  /** The scope in which a value can be computed at the earliest. */
  private depth(e: E): number {
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

  // ---- statements ---------------------------------------------------------------------------------------------------

  program(p: LoopProgram): void {
    this.scan(p.body);
    this.accLocal.set(p.begin.id, 1);
    this.accLocal.set(p.end.id, 2);
    this.statements(p.body);
  }
  /** Counts uses and finds the buffers that are read after being written. */
  private scan(body: readonly Stmt[]): void {
    const loadedBy = (root: E): Set<number> => {
      const loaded = new Set<number>();
      const seen = new Set<E>();
      const walk = (e: E): void => {
        if (seen.has(e)) return;
        seen.add(e);
        if (e.op === 'load') loaded.add((e.data as LoadData).buffer);
        this.below(e).forEach(walk);
      };
      walk(root);
      return loaded;
    };
    const visit = (list: readonly Stmt[]): void => {
      for (const s of list) {
        if (s.kind === 'for') for (const v of s.variants) visit(v.body);
        else if (s.kind === 'set') this.countUses(s.values);
        else if (s.kind === 'let') this.countUses([s.value]);
        else {
          this.countUses([s.value, ...s.at.terms.map(t => t[0])]);
          if (loadedBy(s.value).has(s.buffer)) this.volatileBuffers.add(s.buffer);
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

  // ---- for hand-written kernels --------------------------------------------------------------------------------------

  /** Notes that a local changes in the current scope, by binding it to a loop of its own. */
  touch(local: number): void {
    this.bindVar(new LoopVar(1), local);
  }
  /** The address of a buffer. */
  pointer(buffer: number): E {
    return param(buffer);
  }
  /** The byte address of an index. */
  addressOf(buffer: number, at: Affine, bytes: number): E {
    const { e, offset } = this.address(buffer, at, bytes);
    return m.add(e, this.int(offset));
  }
  /** Writes the first `lanes` lanes of a local, at distance `step`. */
  storeLanes(buffer: number, at: Affine, dtype: DType, local: number, step: number, lanes: number): void {
    const { e, offset } = this.address(buffer, at, byteWidth(dtype));
    if (lanes === 4 && step === 1) {
      this.val(e);
      this.code.get(local);
      this.storeVector(dtype, offset);
      return;
    }
    const bytes = byteWidth(dtype);
    this.val(e);
    const base = this.local(I32);
    this.code.set(base);
    for (let l = 0; l < lanes; l++) {
      this.code.get(base);
      if (l > 0 && step !== 1) {
        this.val(this.int(l * step * bytes));
        this.code.op('i32.add');
      }
      const at = offset + (step === 1 ? l * bytes : 0);
      if (bytes === 4) this.code.get(local).laneMem('v128.store32_lane', l, at);
      else {
        this.code.get(local).lane('i32x4.extract_lane', l);
        if (dtype === 'bool') this.code.i32(1).op('i32.and');
        this.storeScalar(dtype, at);
      }
    }
  }

  // ---- memory --------------------------------------------------------------------------------------------------------

  /** The byte address of an index, terms of outer loops first so that they are hoisted; the constant part apart. */
  private address(buffer: number, at: Affine, bytes: number): { e: E; offset: number } {
    const terms = [...at.terms].sort((a, b) => this.depth(a[0]) - this.depth(b[0]));
    let e = param(buffer);
    for (const [t, k] of terms) e = m.add(e, this.scaled(t, k * bytes));
    let offset = at.c * bytes;
    if (offset < 0) {
      e = m.add(e, this.int(offset));
      offset = 0;
    }
    return { e, offset };
  }
  private scaled(t: E, k: number): E {
    if (k === 1) return t;
    if (k > 0 && (k & (k - 1)) === 0 && k <= 64) return m.shl(t, m.const(31 - Math.clz32(k), 'i32'));
    return m.mul(t, this.int(k));
  }

  private load(e: E): void {
    const d = e.data as LoadData;
    if (d.dtype === 'float16' || d.dtype === 'bfloat16') {
      const raw = load(d.buffer, d.at, 'int16', 'i32', e.args[0] ?? null, e.lanes, d.step);
      this.val(d.dtype === 'float16' ? fromHalf(raw) : fromBrain(raw));
      return;
    }
    const bytes = byteWidth(d.dtype);
    const { e: addr, offset } = this.address(d.buffer, d.at, bytes);
    const guard = e.args[0];
    if (e.lanes === 1) {
      this.val(addr);
      if (guard !== undefined) {
        if (offset > 0) this.code.i32(offset).op('i32.add');
        this.val(param(d.buffer));
        this.val(guard);
        this.code.op('select');
        this.loadScalar(d.dtype, e.type, 0);
      } else this.loadScalar(d.dtype, e.type, offset);
      return;
    }
    if (addr.lanes === 1 && guard === undefined && d.step === 1 && bytes < 8) {
      this.val(addr);
      this.loadVector(d.dtype, offset);
      return;
    }
    if (addr.lanes === 1 && guard === undefined && d.step === -1 && bytes === 4) {
      // Four neighbours backwards.
      this.val(m.add(addr, m.const(offset - 12, 'i32')));
      this.code.mem('v128.load');
      const v = this.local(V128);
      this.code.tee(v).get(v).shuffle([12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3]);
      if (d.dtype === 'bool') this.toMask();
      return;
    }
    this.gather(e, addr, offset, bytes);
  }
  private loadScalar(dtype: DType, type: ComputeType, offset: number): void {
    const c = this.code;
    switch (dtype) {
      case 'float32':
        c.mem('f32.load', offset);
        return;
      case 'float64':
        c.mem('f64.load', offset);
        return;
      case 'int64':
        c.mem(type === 'i32' ? 'i32.load' : 'i64.load', offset);
        return;
      case 'int32':
        c.mem('i32.load', offset);
        return;
      case 'int16':
        c.mem('i32.load16_s', offset);
        return;
      case 'int8':
        c.mem('i32.load8_s', offset);
        return;
      default:
        c.mem('i32.load8_u', offset);
    }
  }
  private loadVector(dtype: DType, offset: number): void {
    const c = this.code;
    switch (dtype) {
      case 'float32':
      case 'int32':
        c.mem('v128.load', offset);
        return;
      case 'int16':
        c.mem('v128.load16x4_s', offset);
        return;
      case 'int8':
        c.mem('v128.load32_zero', offset).op('i16x8.extend_low_i8x16_s').op('i32x4.extend_low_i16x8_s');
        return;
      default:
        c.mem('v128.load32_zero', offset).op('i16x8.extend_low_i8x16_u').op('i32x4.extend_low_i16x8_u');
        if (dtype === 'bool') this.toMask();
    }
  }
  /** 0/1 lanes to masks: 0 − x. */
  private toMask(): void {
    this.code.op('i32x4.neg');
  }
  /** Four elements from four addresses. */
  private gather(e: E, addr: E, offset: number, bytes: number): void {
    const d = e.data as LoadData;
    const guard = e.args[0];
    const result = this.local(V128);
    const wide = addr.lanes === 4;
    let base = -1;
    if (wide) {
      this.val(addr);
      base = this.local(V128);
      this.code.set(base);
    } else {
      this.val(addr);
      base = this.local(I32);
      this.code.set(base);
    }
    let mask = -1;
    if (guard !== undefined) {
      this.val(guard);
      mask = this.local(V128);
      this.code.set(mask);
    }
    for (let l = 0; l < 4; l++) {
      const near = !wide && Math.abs(d.step) <= SMALL && d.step >= 0;
      const put = (): void => {
        const c = this.code;
        if (wide) c.get(base).lane('i32x4.extract_lane', l);
        else if (near || l === 0) c.get(base);
        else {
          this.val(this.int(d.step * bytes * l));
          this.code.get(base).op('i32.add');
        }
      };
      const extra = offset + (near ? d.step * bytes * l : 0);
      const c = this.code;
      if (
        mask < 0 &&
        (d.dtype === 'float32' || d.dtype === 'int32' || (d.dtype === 'int64' && e.type === 'i32'))
      ) {
        put();
        if (l === 0) c.mem('v128.load32_zero', extra).set(result);
        else c.get(result).laneMem('v128.load32_lane', l, extra).set(result);
        continue;
      }
      if (l > 0) c.get(result);
      put();
      if (mask >= 0) {
        if (extra > 0) c.i32(extra).op('i32.add');
        this.val(param(d.buffer));
        this.code.get(mask).lane('i32x4.extract_lane', l).op('select');
      }
      this.loadScalar(d.dtype, e.type, mask >= 0 ? 0 : extra);
      if (l === 0) this.code.op(e.type === 'f32' ? 'f32x4.splat' : 'i32x4.splat').set(result);
      else this.code.lane(e.type === 'f32' ? 'f32x4.replace_lane' : 'i32x4.replace_lane', l).set(result);
    }
    this.code.get(result);
    if (d.dtype === 'bool') this.toMask();
  }

  /** The value as its bytes are stored. */
  private stored(dtype: DType, value: E): E {
    return dtype === 'float16' ? toHalf(value) : dtype === 'bfloat16' ? toBrain(value) : value;
  }
  private store(s: Extract<Stmt, { kind: 'store' }>, kept: number | null): void {
    const bytes = byteWidth(s.dtype);
    const value = this.stored(s.dtype, s.value);
    const { e: addr, offset } = this.address(s.buffer, s.at, bytes);
    const push = (): void => {
      if (kept === null) this.val(value);
      else this.code.get(kept);
    };
    if (value.lanes === 1) {
      this.val(addr);
      push();
      this.storeScalar(s.dtype, offset);
      return;
    }
    if (addr.lanes === 1 && s.step === 1) {
      this.val(addr);
      push();
      this.storeVector(s.dtype, offset);
      return;
    }
    push();
    const v = this.local(V128);
    this.code.set(v);
    const wide = addr.lanes === 4;
    this.val(addr);
    const base = this.local(wide ? V128 : I32);
    this.code.set(base);
    for (let l = 0; l < 4; l++) {
      const near = !wide && s.step >= 0 && s.step <= SMALL;
      if (wide) this.code.get(base).lane('i32x4.extract_lane', l);
      else if (near || l === 0) this.code.get(base);
      else {
        this.val(this.int(s.step * bytes * l));
        this.code.get(base).op('i32.add');
      }
      const at = offset + (near ? s.step * bytes * l : 0);
      if (bytes === 4) this.code.get(v).laneMem('v128.store32_lane', l, at);
      else {
        this.code.get(v).lane('i32x4.extract_lane', l);
        if (s.dtype === 'bool') this.code.i32(1).op('i32.and');
        this.storeScalar(s.dtype, at);
      }
    }
  }
  private storeScalar(dtype: DType, offset: number): void {
    const c = this.code;
    if (dtype === 'float32') c.mem('f32.store', offset);
    else if (dtype === 'float64') c.mem('f64.store', offset);
    else if (dtype === 'int64') c.mem('i64.store', offset);
    else if (dtype === 'int32') c.mem('i32.store', offset);
    else if (byteWidth(dtype) === 2) c.mem('i32.store16', offset);
    else c.mem('i32.store8', offset);
  }
  private storeVector(dtype: DType, offset: number): void {
    const c = this.code;
    const bytes = byteWidth(dtype);
    if (bytes === 4) {
      c.mem('v128.store', offset);
      return;
    }
    // Low halves (or bytes) of the lanes side by side.
    const v = this.local(V128);
    if (dtype === 'bool') {
      this.val(splat(m.const(1, 'i32')));
      this.code.op('v128.and');
    }
    const pick = bytes === 2 ? [0, 1, 4, 5, 8, 9, 12, 13] : [0, 4, 8, 12];
    const lanes = Array.from({ length: 16 }, (_, i) => pick[i] ?? 0);
    this.code
      .tee(v)
      .get(v)
      .shuffle(lanes)
      .laneMem(bytes === 2 ? 'v128.store64_lane' : 'v128.store32_lane', 0, offset);
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
  private constant(e: E): void {
    const c = this.code;
    if (e.type === 'f32') c.f32(Number(e.value));
    else if (e.type === 'f64') c.f64(Number(e.value));
    else if (e.type === 'i64') c.i64(BigInt(e.value));
    else c.i32(Number(e.value));
  }

  private compute(e: E): void {
    switch (e.op) {
      case 'load':
        this.load(e);
        return;
      case 'param':
        this.code.get(0).mem('i32.load', Number(e.value) * 4);
        return;
      case 'index': {
        const at = e.data as Affine;
        let sum: E = this.int(at.c);
        const terms = [...at.terms].sort((a, b) => this.depth(a[0]) - this.depth(b[0]));
        for (const [t, k] of terms) sum = m.add(sum, this.scaled(t, k));
        if (sum === e) throw new Error('wasm: index expands to itself');
        this.val(sum);
        return;
      }
      case 'checked':
        this.checked(e);
        return;
      case 'rare':
        this.rare(e);
        return;
      case 'splat':
        this.splat(e);
        return;
      case 'ramp': {
        const [x] = e.args as [E];
        if (x.op === 'const') {
          const v = Number(x.value);
          this.code.v128(new Uint8Array(new Int32Array([v, v + 1, v + 2, v + 3]).buffer));
          return;
        }
        this.val(x);
        this.code.op('i32x4.splat');
        this.val(ramp(m.const(0, 'i32')));
        this.code.op('i32x4.add');
        return;
      }
      case 'lane':
        this.val(e.args[0]!);
        this.code.lane(e.type === 'f32' ? 'f32x4.extract_lane' : 'i32x4.extract_lane', Number(e.value));
        if (e.type === 'b') this.code.i32(1).op('i32.and');
        return;
      case 'reduce':
        throw new Error(`wasm: a reduction (${(e.data as ReduceData).fold.name}) was not placed`);
      default:
        if (isMathOp(e.op)) this.math(e, e.op);
        else if (e.lanes === 4) this.vector(e);
        else this.scalar(e);
    }
  }

  private splat(e: E): void {
    const [x] = e.args as [E];
    if (x.op === 'const') {
      const v = Number(x.value);
      const lanes =
        x.type === 'f32' ? new Float32Array(4).fill(v) : new Int32Array(4).fill(x.type === 'b' ? -v : v);
      this.code.v128(new Uint8Array(lanes.buffer));
      return;
    }
    if (x.type === 'b') this.code.i32(0);
    this.val(x);
    if (x.type === 'b') this.code.op('i32.sub');
    this.code.op(x.type === 'f32' ? 'f32x4.splat' : 'i32x4.splat');
  }

  private math(e: E, name: MathOp): void {
    const expand = expansionOf(name, e.type);
    if (expand !== null) {
      // The expansion is new to the table of uses: count it as the one expression it stands for.
      const x = expand(e.args[0]!);
      this.countUses([x]);
      this.val(x);
      return;
    }
    this.host(name, e.type, e.lanes, e.args);
  }
  /** Calls the host's function, lane by lane where need be. */
  private host(name: string, type: ComputeType, lanes: 1 | 4, args: readonly E[]): void {
    if (!(name in Math) && name !== 'rem') this.mainThreadOnly = true;
    const call = (value: (a: E) => void): void => {
      for (const a of args) {
        value(a);
        if (type === 'f32') this.code.op('f64.promote_f32');
      }
      this.code.call(HOST_INDEX.get(name)!);
      if (type === 'f32') this.code.op('f32.demote_f64');
    };
    if (lanes === 1) {
      call(a => this.val(a));
      return;
    }
    const kept = args.map(a => {
      this.val(a);
      const l = this.local(V128);
      this.code.set(l);
      return l;
    });
    const result = this.local(V128);
    for (let l = 0; l < 4; l++) {
      if (l > 0) this.code.get(result);
      call(a => {
        this.code.get(kept[args.indexOf(a)]!).lane('f32x4.extract_lane', l);
      });
      if (l === 0) this.code.op('f32x4.splat').set(result);
      else this.code.lane('f32x4.replace_lane', l).set(result);
    }
    this.code.get(result);
  }

  private checked(e: E): void {
    const { code, instead } = e.data as CheckedData;
    const [x, good] = e.args as [E, E];
    const type = wasmType(e.type, e.lanes);
    const v = this.local(type);
    const g = this.local(e.lanes === 4 ? V128 : I32);
    this.val(x);
    this.code.set(v);
    this.val(good);
    const c = this.code;
    c.set(g);
    if (e.lanes === 4) c.get(g).op('v128.not').op('v128.any_true').if();
    else c.get(g).op('i32.eqz').if();
    c.i32(STATUS).i32(code).mem('i32.store').i32(STATUS);
    if (e.lanes === 4) {
      // The bad lane's value: the good ones are masked to 0 and joined out.
      const bad = this.local(V128);
      c.get(v).get(g).op('v128.andnot').set(bad);
      c.get(bad).lane('i32x4.extract_lane', 0).get(bad).lane('i32x4.extract_lane', 1).op('i32.or');
      c.get(bad)
        .lane('i32x4.extract_lane', 2)
        .op('i32.or')
        .get(bad)
        .lane('i32x4.extract_lane', 3)
        .op('i32.or');
    } else {
      c.get(v);
      if (e.type === 'i64') c.op('i32.wrap_i64');
    }
    c.mem('i32.store', 4).end();
    const safe = m.const(instead, e.type);
    c.get(v);
    this.val(e.lanes === 4 ? splat(safe) : safe);
    this.code.get(g).op(e.lanes === 4 ? 'v128.bitselect' : 'select');
  }

  private rare(e: E): void {
    const [fast, x, bad] = e.args as [E, E, E];
    const name = e.data as MathOp;
    this.val(fast);
    const r = this.local(wasmType(e.type, e.lanes));
    this.code.set(r);
    this.val(x);
    const arg = this.local(wasmType(e.type, e.lanes));
    this.code.set(arg);
    this.val(bad);
    if (e.lanes === 1) {
      this.code
        .if()
        .get(arg)
        .op('f64.promote_f32')
        .call(HOST_INDEX.get(name)!)
        .op('f32.demote_f64')
        .set(r)
        .end();
    } else {
      const mask = this.local(V128);
      this.code.tee(mask).op('v128.any_true').if();
      for (let l = 0; l < 4; l++) {
        this.code.get(mask).lane('i32x4.extract_lane', l).if();
        this.code
          .get(r)
          .get(arg)
          .lane('f32x4.extract_lane', l)
          .op('f64.promote_f32')
          .call(HOST_INDEX.get(name)!);
        this.code.op('f32.demote_f64').lane('f32x4.replace_lane', l).set(r).end();
      }
      this.code.end();
    }
    this.code.get(r);
  }

  // ---- opcodes -------------------------------------------------------------------------------------------------------

  private args(e: E): void {
    for (const a of e.args) this.val(a);
  }

  private scalar(e: E): void {
    const op = e.op as ArithOp;
    const t = e.type;
    const [a, b] = e.args as [E, E];
    const from = a.type;
    const direct = SCALAR[t === 'b' ? `b ${op} ${from === 'b' ? 'b' : from}` : `${t} ${op}`];
    if (direct !== undefined) {
      this.args(e);
      for (const o of direct) this.code.op(o);
      return;
    }
    const c = this.code;
    switch (op) {
      case 'select':
        this.val(e.args[1]!);
        this.val(e.args[2]!);
        this.val(a);
        this.code.op('select');
        return;
      case 'convert':
        this.convert(a, t);
        return;
      case 'fma':
        if (this.fma && t === 'f32') {
          for (const x of e.args) {
            this.val(x);
            this.code.op('f32x4.splat');
          }
          this.code.op('f32x4.relaxed_madd').lane('f32x4.extract_lane', 0);
          return;
        }
        this.val(a);
        this.val(b);
        this.code.op(`${t as 'f32'}.mul`);
        this.val(e.args[2]!);
        this.code.op(`${t as 'f32'}.add`);
        return;
      case 'pmax':
      case 'pmin': {
        const [la, lb] = this.twice(a, b);
        const lt: Op = t === 'i32' || t === 'i64' ? `${t}.lt_s` : `${t as 'f32'}.lt`;
        if (op === 'pmax') this.code.get(lb).get(la).get(la).get(lb);
        else this.code.get(lb).get(la).get(lb).get(la);
        this.code.op(lt).op('select');
        return;
      }
      case 'min':
      case 'max': {
        const [la, lb] = this.twice(a, b);
        const i = t as 'i32' | 'i64';
        this.code
          .get(la)
          .get(lb)
          .get(la)
          .get(lb)
          .op(op === 'min' ? `${i}.lt_s` : `${i}.gt_s`)
          .op('select');
        return;
      }
      case 'rem':
        if (t === 'f32' || t === 'f64') {
          this.host('rem', t, 1, e.args);
          return;
        }
        this.divide(t as 'i32', a, b, true);
        return;
      case 'div':
        this.divide(t as 'i32', a, b, false);
        return;
      case 'neg':
        if (t === 'i64') c.i64(0n);
        else c.i32(0);
        this.val(a);
        this.code.op(`${t as 'i32'}.sub`);
        return;
      case 'abs': {
        this.val(a);
        const l = this.local(wasmType(t, 1));
        const s = this.local(wasmType(t, 1));
        const i = t as 'i32' | 'i64';
        this.code.tee(l).get(l);
        if (i === 'i64') this.code.i64(63n);
        else this.code.i32(31);
        this.code.op(`${i}.shr_s`).tee(s).op(`${i}.xor`).get(s).op(`${i}.sub`);
        return;
      }
      case 'not':
        this.val(a);
        if (t === 'b') this.code.op('i32.eqz');
        else if (t === 'i64') this.code.i64(-1n).op('i64.xor');
        else this.code.i32(-1).op('i32.xor');
        return;
      default:
        throw new Error(`wasm: no code for ${op} on ${t}`);
    }
  }
  private twice(a: E, b: E): [number, number] {
    const type = wasmType(a.type, a.lanes);
    this.val(a);
    const la = this.local(type);
    this.code.set(la);
    this.val(b);
    const lb = this.local(type);
    this.code.set(lb);
    return [la, lb];
  }
  /** Integer division that cannot trap: ÷0 gives 0, and the smallest number ÷ −1 itself. */
  private divide(t: 'i32' | 'i64', a: E, b: E, remainder: boolean): void {
    if (b.op === 'const' && Number(b.value) > 0) {
      this.val(a);
      this.val(b);
      this.code.op(remainder ? `${t}.rem_s` : `${t}.div_s`);
      return;
    }
    const [la, lb] = this.twice(a, b);
    const type = wasmType(t, 1);
    const k = (v: number): Code => (t === 'i64' ? this.code.i64(BigInt(v)) : this.code.i32(v));
    this.code.get(lb);
    k(0);
    this.code.op(`${t}.eq`).if(type);
    k(0);
    this.code.else().get(lb);
    k(-1);
    this.code.op(`${t}.eq`).if(type);
    k(0);
    if (!remainder) this.code.get(la).op(`${t}.sub`);
    this.code
      .else()
      .get(la)
      .get(lb)
      .op(remainder ? `${t}.rem_s` : `${t}.div_s`)
      .end()
      .end();
  }
  private convert(x: E, to: ComputeType): void {
    this.val(x);
    for (const o of CONVERT[`${x.type} ${to}`]!) this.code.op(o);
    if (to === 'b') {
      if (x.type === 'f32') this.code.f32(0).op('f32.ne');
      else if (x.type === 'f64') this.code.f64(0).op('f64.ne');
      else if (x.type === 'i64') this.code.i64(0n).op('i64.ne');
      else this.code.i32(0).op('i32.ne');
    }
  }

  private vector(e: E): void {
    const op = e.op as ArithOp;
    const t = e.type;
    const [a, b] = e.args as [E, E];
    const direct = VECTOR[t === 'b' ? `b ${op} ${a.type}` : `${t} ${op}`];
    if (direct !== undefined) {
      this.args(e);
      for (const o of direct) this.code.op(o);
      return;
    }
    switch (op) {
      case 'select':
        this.val(e.args[1]!);
        this.val(e.args[2]!);
        this.val(a);
        // Masks are whole lanes, so the one-instruction form means the same.
        this.code.op(this.fma ? 'i32x4.relaxed_laneselect' : 'v128.bitselect');
        return;
      case 'fma':
        this.args(e);
        if (this.fma) this.code.op('f32x4.relaxed_madd');
        else {
          // c is on top of the stack: keep it while a·b is computed.
          const c = this.local(V128);
          this.code.set(c).op('f32x4.mul').get(c).op('f32x4.add');
        }
        return;
      case 'copysign':
        this.val(b);
        this.val(a);
        this.val(splat(m.const(-2147483648, 'i32')));
        this.code.op('v128.bitselect');
        return;
      case 'shl':
      case 'shr':
      case 'shru':
        if (b.op === 'splat') {
          this.val(a);
          this.val(b.args[0]!);
          this.code.op(op === 'shl' ? 'i32x4.shl' : op === 'shr' ? 'i32x4.shr_s' : 'i32x4.shr_u');
          return;
        }
        break;
      case 'convert':
        this.convertVector(a, t);
        return;
      case 'rem':
        if (t === 'f32') {
          this.host('rem', t, 4, e.args);
          return;
        }
        break;
      default:
    }
    this.lanewise(e);
  }
  private convertVector(x: E, to: ComputeType): void {
    this.val(x);
    if (x.type === 'b') {
      // A mask and the bits of 1.
      this.val(splat(m.const(1, to)));
      this.code.op('v128.and');
    } else if (to === 'b') {
      this.val(splat(m.const(0, x.type)));
      this.code.op(x.type === 'f32' ? 'f32x4.ne' : 'i32x4.ne');
    } else this.code.op(to === 'f32' ? 'f32x4.convert_i32x4_s' : 'i32x4.trunc_sat_f32x4_s');
  }
  /** What has no vector instruction runs once per lane. */
  private lanewise(e: E): void {
    const result = this.local(V128);
    const out: Op = e.type === 'f32' ? 'f32x4.splat' : 'i32x4.splat';
    for (let l = 0; l < 4; l++) {
      const one = m.scalarOf(
        e,
        e.args.map(a => lane(a, l)),
      );
      if (l > 0) this.code.get(result);
      this.val(one);
      if (e.type === 'b') {
        const k = this.local(I32);
        this.code.set(k).i32(0).get(k).op('i32.sub');
      }
      if (l === 0) this.code.op(out).set(result);
      else this.code.lane(e.type === 'f32' ? 'f32x4.replace_lane' : 'i32x4.replace_lane', l).set(result);
    }
    this.code.get(result);
  }
}

function collectAccs(body: readonly Stmt[], into: Set<number>): void {
  for (const s of body) {
    if (s.kind === 'set') for (const a of s.accs) into.add(a.id);
    else if (s.kind === 'for') for (const v of s.variants) collectAccs(v.body, into);
  }
}

/** Opcodes of scalar operations, by result type (for bools also the operands' type). */
const SCALAR: Record<string, readonly Op[]> = {};
for (const t of ['f32', 'f64'] as const) {
  for (const o of [
    'add',
    'sub',
    'mul',
    'div',
    'min',
    'max',
    'neg',
    'abs',
    'sqrt',
    'floor',
    'ceil',
    'trunc',
    'nearest',
    'copysign',
  ] as const) {
    SCALAR[`${t} ${o}`] = [`${t}.${o}`];
  }
  for (const o of ['eq', 'ne', 'lt', 'le'] as const) SCALAR[`b ${o} ${t}`] = [`${t}.${o}`];
}
for (const t of ['i32', 'i64'] as const) {
  for (const o of ['add', 'sub', 'mul', 'and', 'or', 'xor', 'shl'] as const)
    SCALAR[`${t} ${o}`] = [`${t}.${o}`];
  SCALAR[`${t} shr`] = [`${t}.shr_s`];
  SCALAR[`${t} shru`] = [`${t}.shr_u`];
  for (const o of ['eq', 'ne'] as const) SCALAR[`b ${o} ${t}`] = [`${t}.${o}`];
  SCALAR[`b lt ${t}`] = [`${t}.lt_s`];
  SCALAR[`b le ${t}`] = [`${t}.le_s`];
}
for (const o of ['and', 'or', 'xor'] as const) SCALAR[`b ${o} b`] = [`i32.${o}`];
SCALAR['b eq b'] = ['i32.eq'];
SCALAR['b ne b'] = ['i32.ne'];
SCALAR['f32 bitcast'] = ['f32.reinterpret_i32'];
SCALAR['i32 bitcast'] = ['i32.reinterpret_f32'];
SCALAR['f64 bitcast'] = ['f64.reinterpret_i64'];
SCALAR['i64 bitcast'] = ['i64.reinterpret_f64'];

const CONVERT: Record<string, readonly Op[]> = {
  'f32 f64': ['f64.promote_f32'],
  'f64 f32': ['f32.demote_f64'],
  'f32 i32': ['i32.trunc_sat_f32_s'],
  'f64 i32': ['i32.trunc_sat_f64_s'],
  'f32 i64': ['i64.trunc_sat_f32_s'],
  'f64 i64': ['i64.trunc_sat_f64_s'],
  'i32 f32': ['f32.convert_i32_s'],
  'i32 f64': ['f64.convert_i32_s'],
  'i64 f32': ['f32.convert_i64_s'],
  'i64 f64': ['f64.convert_i64_s'],
  'i32 i64': ['i64.extend_i32_s'],
  'i64 i32': ['i32.wrap_i64'],
  'b i32': [],
  'b i64': ['i64.extend_i32_u'],
  'b f32': ['f32.convert_i32_u'],
  'b f64': ['f64.convert_i32_s'],
  'f32 b': [],
  'f64 b': [],
  'i32 b': [],
  'i64 b': [],
};

const VECTOR: Record<string, readonly Op[]> = {
  'f32 bitcast': [],
  'i32 bitcast': [],
  'i32 not': ['v128.not'],
  'b not b': ['v128.not'],
  'i32 min': ['i32x4.min_s'],
  'i32 max': ['i32x4.max_s'],
  'i32 pmin': ['i32x4.min_s'],
  'i32 pmax': ['i32x4.max_s'],
  'b lt i32': ['i32x4.lt_s'],
  'b le i32': ['i32x4.le_s'],
};
for (const o of [
  'add',
  'sub',
  'mul',
  'div',
  'min',
  'max',
  'pmin',
  'pmax',
  'neg',
  'abs',
  'sqrt',
  'floor',
  'ceil',
  'trunc',
  'nearest',
] as const) {
  VECTOR[`f32 ${o}`] = [`f32x4.${o}`];
}
for (const o of ['eq', 'ne', 'lt', 'le'] as const) VECTOR[`b ${o} f32`] = [`f32x4.${o}`];
for (const o of ['add', 'sub', 'mul', 'neg', 'abs'] as const) VECTOR[`i32 ${o}`] = [`i32x4.${o}`];
for (const o of ['eq', 'ne'] as const) {
  VECTOR[`b ${o} i32`] = [`i32x4.${o}`];
  VECTOR[`b ${o} b`] = [`i32x4.${o}`];
}
for (const o of ['and', 'or', 'xor'] as const) {
  VECTOR[`i32 ${o}`] = [`v128.${o}`];
  VECTOR[`b ${o} b`] = [`v128.${o}`];
}

/** One kernel as a function body. */
export function emitLoops(p: LoopProgram, exprs: Exprs, buffers: number, target: Target): Emitted {
  return withExprs(() => {
    const em = new Emitter(buffers, target);
    em.program(p);
    return { code: em.code.out, locals: em.locals, ints: em.ints, mainThreadOnly: em.mainThreadOnly };
  }, exprs);
}

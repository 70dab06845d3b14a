// Loads and stores: scalars, vectors, gathers, of every dtype.
// In: buffers with index expressions. Out: code. Not its job: what is computed with the values.

import type { ComputeType, DType } from '../base/dtype.ts';
import { byteWidth } from '../base/dtype.ts';
import type { Affine, E, LoadData } from '../ir/scalar.ts';
import { LoopVar, load, m, param, splat } from '../ir/scalar.ts';
import type { Stmt } from './loop.ts';
import { fromBrain, fromHalf, toBrain, toHalf } from './math.ts';
import { I32, V128 } from './wasm-asm.ts';
import { ScopedCode, SMALL } from './wasm-scope.ts';

export abstract class MemoryCode extends ScopedCode {
  /** Whether distances of rows, which follow from dims of any size, stay out of the instructions. */
  protected farApart = false;

  // ---- for hand-written kernels --------------------------------------------------------------------------------------

  /** From now on the code is the same for rows of any length: for kernels that write out several rows. */
  rowsOfAnyLength(): void {
    this.farApart = true;
  }

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
  protected address(buffer: number, at: Affine, bytes: number): { e: E; offset: number } {
    const terms = [...at.terms].sort((a, b) => this.depth(a[0]) - this.depth(b[0]));
    let e = param(buffer);
    for (const [t, k] of terms) e = m.add(e, this.scaled(t, k * bytes));
    let offset = at.c * bytes;
    if (offset < 0 || (this.farApart && offset > SMALL * bytes)) {
      e = m.add(e, this.int(offset));
      offset = 0;
    }
    return { e, offset };
  }
  protected scaled(t: E, k: number): E {
    if (k === 1) return t;
    if (k > 0 && (k & (k - 1)) === 0 && k <= 64) return m.shl(t, m.const(31 - Math.clz32(k), 'i32'));
    return m.mul(t, this.int(k));
  }

  protected load(e: E): void {
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
    if (addr.lanes === 1 && guard?.op === 'splat' && d.step === 1 && bytes < 8) {
      // All four or none: where none, what lies at the start of the buffer is read and not used.
      this.val(addr);
      if (offset > 0) this.code.i32(offset).op('i32.add');
      this.val(param(d.buffer));
      this.val(guard.args[0]!);
      this.code.op('select');
      this.loadVector(d.dtype, 0);
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
  protected loadScalar(dtype: DType, type: ComputeType, offset: number): void {
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
  protected loadVector(dtype: DType, offset: number): void {
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
  protected toMask(): void {
    this.code.op('i32x4.neg');
  }
  /** Four elements from four addresses. */
  protected gather(e: E, addr: E, offset: number, bytes: number): void {
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
  protected stored(dtype: DType, value: E): E {
    return dtype === 'float16' ? toHalf(value) : dtype === 'bfloat16' ? toBrain(value) : value;
  }
  protected store(s: Extract<Stmt, { kind: 'store' }>, kept: number | null): void {
    const bytes = byteWidth(s.dtype);
    const value = this.stored(s.dtype, s.value);
    const widens = s.dtype === 'int64' && value.type === 'i32';
    const { e: addr, offset } = this.address(s.buffer, s.at, bytes);
    const push = (): void => {
      if (kept === null) this.val(value);
      else this.code.get(kept);
    };
    if (value.lanes === 1) {
      this.val(addr);
      push();
      if (widens) this.code.op('i64.extend_i32_s');
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
        if (widens) this.code.op('i64.extend_i32_s');
        this.storeScalar(s.dtype, at);
      }
    }
  }
  protected storeScalar(dtype: DType, offset: number): void {
    const c = this.code;
    if (dtype === 'float32') c.mem('f32.store', offset);
    else if (dtype === 'float64') c.mem('f64.store', offset);
    else if (dtype === 'int64') c.mem('i64.store', offset);
    else if (dtype === 'int32') c.mem('i32.store', offset);
    else if (byteWidth(dtype) === 2) c.mem('i32.store16', offset);
    else c.mem('i32.store8', offset);
  }
  protected storeVector(dtype: DType, offset: number): void {
    const c = this.code;
    const bytes = byteWidth(dtype);
    if (bytes === 4) {
      c.mem('v128.store', offset);
      return;
    }
    const v = this.local(V128);
    if (bytes === 8) {
      const to = this.local(I32);
      c.set(v).tee(to).get(v).op('i64x2.extend_low_i32x4_s').mem('v128.store', offset);
      c.get(to)
        .get(v)
        .op('i64x2.extend_high_i32x4_s')
        .mem('v128.store', offset + 16);
      return;
    }
    // Low halves (or bytes) of the lanes side by side.
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
}

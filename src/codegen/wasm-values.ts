// Expressions to instructions, for one lane and for four.
// In: expressions. Out: code that leaves their value on the stack. Not its job: loops, memory.

import type { ComputeType } from '../base/dtype.ts';
import type { Affine, ArithOp, CheckedData, E, MathOp, ReduceData } from '../ir/scalar.ts';
import { isMathOp, lane, m, ramp, splat } from '../ir/scalar.ts';
import { expansionOf } from './math.ts';
import { type Code, I32, type Op, V128 } from './wasm-asm.ts';
import { MemoryCode } from './wasm-memory.ts';
import { CONVERT, SCALAR, VECTOR } from './wasm-opcodes.ts';
import { wasmType } from './wasm-scope.ts';
import { HOST_INDEX, STATUS } from './wasm-target.ts';

export abstract class ValueCode extends MemoryCode {
  protected compute(e: E): void {
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

  protected splat(e: E): void {
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

  protected math(e: E, name: MathOp): void {
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
  protected host(name: string, type: ComputeType, lanes: 1 | 4, args: readonly E[]): void {
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

  protected checked(e: E): void {
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

  protected rare(e: E): void {
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
    for (let i = 0; i < e.args.length; i++) this.val(e.args[i]!);
  }

  private scalar(e: E): void {
    const op = e.op as ArithOp;
    const t = e.type;
    const a = e.args[0]!;
    const b = e.args[1]!;
    const from = a.type;
    const direct = SCALAR[t === 'b' ? `b ${op} ${from === 'b' ? 'b' : from}` : `${t} ${op}`];
    if (direct !== undefined) {
      this.args(e);
      for (let i = 0; i < direct.length; i++) this.code.op(direct[i]!);
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
    const a = e.args[0]!;
    const b = e.args[1]!;
    const direct = VECTOR[t === 'b' ? `b ${op} ${a.type}` : `${t} ${op}`];
    if (direct !== undefined) {
      this.args(e);
      for (let i = 0; i < direct.length; i++) this.code.op(direct[i]!);
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

// Operands of matrix products: how they lie in memory, and their copies in panels.
// In: an operand. Out: a function that packs it. Not its job: the product (gemm.ts).

import { Emitter } from '../codegen/wasm.ts';
import { I32, V128 } from '../codegen/wasm-asm.ts';
import type { Emitted, Target } from '../codegen/wasm-target.ts';
import { type Affine, type E, type LoopVar, m } from '../ir/scalar.ts';
import { loopVarOf } from '../schedule/affine.ts';
import type { GemmOperand } from '../schedule/kernel.ts';
import { cutRange, type Piece } from './pieces.ts';

export interface Layout {
  /** k: neighbours along the summed dim; x: neighbours along the rows of A (columns of B); none: neither. */
  readonly kind: 'k' | 'x' | 'none';
  readonly strideX: number;
  readonly strideK: number;
}

export function coefficient(at: Affine, v: LoopVar): number {
  for (const [e, k] of at.terms) if (loopVarOf(e) === v) return k;
  return 0;
}
export function layoutOf(o: GemmOperand, x: LoopVar, k: LoopVar): Layout {
  const strideX = coefficient(o.at, x);
  const strideK = coefficient(o.at, k);
  return { kind: strideX === 1 ? 'x' : strideK === 1 ? 'k' : 'none', strideX, strideK };
}
export const without = (at: Affine, ...vars: LoopVar[]): Affine => ({
  c: at.c,
  terms: at.terms.filter(([e]) => !vars.includes(loopVarOf(e)!)),
});

/** Copies an operand into panels [panel][k][R]; what lies beyond the last row repeats it. Outer sums are tasks of their own. */
export function packPiece(
  o: GemmOperand,
  x: LoopVar,
  ks: readonly LoopVar[],
  own: readonly LoopVar[],
  l: Layout,
  R: number,
  to: number,
  words: number,
  target: Target,
): Piece {
  const em = new Emitter(words, target);
  const panels = Math.ceil(x.size / R);
  const outer = ks.slice(0, -1);
  const sums = outer.reduce((p, v) => p * v.size, 1);
  const total = own.reduce((p, v) => p * v.size, 1) * panels * sums;
  const K = ks[ks.length - 1]!.size;
  const t = em.local(I32);
  const end = 2;
  em.code.get(1).set(t);
  em.push();
  em.touch(t);
  let panel = bindBatch(em, t, own, em.word(panels * sums));
  if (outer.length > 0) {
    const place = em.local(I32);
    em.code.get(panel);
    em.val(em.word(sums));
    em.code.op('i32.rem_u').set(place).get(panel);
    panel = em.local(I32);
    em.val(em.word(sums));
    em.code.op('i32.div_u').set(panel);
    bindBatch(em, place, outer, m.const(1, 'i32'));
  }
  // First row of the panel, and the address of each of its rows at k = 0 (clamped to the last row).
  const first = em.local(I32);
  em.code.get(panel).i32(R).op('i32.mul').set(first);
  const base = em.local(I32);
  em.val(em.addressOf(o.buffer, without(o.at, x, ks[ks.length - 1]!), 4));
  em.code.set(base);
  const out = em.local(I32);
  em.val(em.pointer(to));
  em.code.get(t);
  em.val(em.int(K * R * 4));
  em.code.op('i32.mul').op('i32.add').set(out);
  const rowAt = (r: number): void => {
    // base + min(first + r, size − 1)·stride
    em.code.get(first).i32(r).op('i32.add');
    em.val(em.int(x.size - 1));
    em.code.get(first).i32(r).op('i32.add');
    em.val(em.int(x.size - 1));
    em.code.op('i32.lt_s').op('select');
    em.val(em.int(l.strideX * 4));
    em.code.op('i32.mul').get(base).op('i32.add');
  };
  const rows = Array.from({ length: R }, (_, r) => {
    rowAt(r);
    const p = em.local(I32);
    em.code.set(p);
    return p;
  });
  if (l.kind === 'k') packRows(em, rows, out, K, R);
  else packColumns(em, rows, out, K, R, l);
  closeTaskLoop(em, t, end);
  const ns = total * K * R * 0.35;
  return { emitted: finish(em), tasks: cutRange(total, ns, 1), ns };
}

/** Rows contiguous along k: four k of four rows at a time, transposed in registers. */
function packRows(em: Emitter, rows: readonly number[], out: number, K: number, R: number): void {
  const c = em.code;
  const whole = Math.floor(K / 4) * 4;
  const v = Array.from({ length: 8 }, () => em.local(V128));
  if (whole > 0) {
    const stop = em.local(I32);
    c.get(rows[0]!);
    em.val(em.int(whole * 4));
    c.op('i32.add').set(stop).loop();
    for (let g = 0; g < R; g += 4) {
      const n = Math.min(4, R - g);
      for (let r = 0; r < 4; r++)
        c.get(rows[g + Math.min(r, n - 1)]!)
          .mem('v128.load')
          .set(v[r]!);
      // 4 × 4 transpose: interleave pairs of rows, then pairs of pairs.
      const lo = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
      const hi = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
      const front = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
      const back = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];
      c.get(v[0]!).get(v[1]!).shuffle(lo).set(v[4]!);
      c.get(v[2]!).get(v[3]!).shuffle(lo).set(v[5]!);
      c.get(v[0]!).get(v[1]!).shuffle(hi).set(v[6]!);
      c.get(v[2]!).get(v[3]!).shuffle(hi).set(v[7]!);
      const put = (k: number, a: number, b: number, mask: readonly number[]): void => {
        const at = (k * R + g) * 4;
        c.get(out).get(a).get(b).shuffle(mask);
        if (n === 4) c.mem('v128.store', at);
        else if (n === 3) {
          const keep = em.local(V128);
          c.set(keep).get(keep).laneMem('v128.store64_lane', 0, at);
          c.get(out)
            .get(keep)
            .laneMem('v128.store32_lane', 2, at + 8);
        } else if (n === 2) c.laneMem('v128.store64_lane', 0, at);
        else c.laneMem('v128.store32_lane', 0, at);
      };
      put(0, v[4]!, v[5]!, front);
      put(1, v[4]!, v[5]!, back);
      put(2, v[6]!, v[7]!, front);
      put(3, v[6]!, v[7]!, back);
    }
    for (const p of rows) c.get(p).i32(16).op('i32.add').set(p);
    c.get(out)
      .i32(R * 16)
      .op('i32.add')
      .set(out);
    c.get(rows[0]!).get(stop).op('i32.lt_u').brIf(0).end();
  }
  for (let k = 0; k < K - whole; k++) {
    rows.forEach((p, r) => {
      c.get(out)
        .get(p)
        .mem('f32.load', k * 4)
        .mem('f32.store', (k * R + r) * 4);
    });
  }
}
/** Columns contiguous (or nothing): for each k the R values side by side. */
function packColumns(
  em: Emitter,
  rows: readonly number[],
  out: number,
  K: number,
  R: number,
  l: Layout,
): void {
  const c = em.code;
  const n = em.local(I32);
  em.val(em.int(K));
  c.set(n).loop();
  if (l.kind === 'x') {
    // The first row's address leads the vectors; where rows are clamped, lanes are read one by one.
    const last = rows[R - 1]!;
    c.get(last)
      .get(rows[0]!)
      .op('i32.sub')
      .i32((R - 1) * 4)
      .op('i32.eq')
      .if();
    let r = 0;
    for (; r + 4 <= R; r += 4)
      c.get(out)
        .get(rows[0]!)
        .mem('v128.load', r * 4)
        .mem('v128.store', r * 4);
    for (; r < R; r++)
      c.get(out)
        .get(rows[0]!)
        .mem('f32.load', r * 4)
        .mem('f32.store', r * 4);
    c.else();
    rows.forEach((p, i) => {
      c.get(out)
        .get(p)
        .mem('f32.load')
        .mem('f32.store', i * 4);
    });
    c.end();
  } else {
    rows.forEach((p, i) => {
      c.get(out)
        .get(p)
        .mem('f32.load')
        .mem('f32.store', i * 4);
    });
  }
  for (const p of rows) {
    c.get(p);
    em.val(em.int(l.strideK * 4));
    em.code.op('i32.add').set(p);
  }
  c.get(out)
    .i32(R * 4)
    .op('i32.add')
    .set(out);
  c.get(n).i32(1).op('i32.sub').tee(n).brIf(0).end();
}

/** Gives each batch loop its value for task t; returns a local with what is left: t modulo `inner`. */
export function bindBatch(em: Emitter, t: number, batch: readonly LoopVar[], inner: E): number {
  const rest = em.local(I32);
  if (batch.length === 0) {
    em.code.get(t).set(rest);
    return rest;
  }
  const outer = em.local(I32);
  em.code.get(t);
  em.val(inner);
  em.code.op('i32.rem_u').set(rest);
  em.code.get(t);
  em.val(inner);
  em.code.op('i32.div_u').set(outer);
  for (let i = batch.length - 1; i >= 0; i--) {
    const v = batch[i]!;
    const l = em.local(I32);
    if (i === 0) em.code.get(outer).set(l);
    else {
      em.code.get(outer);
      em.val(em.int(v.size));
      em.code.op('i32.rem_u').set(l).get(outer);
      em.val(em.int(v.size));
      em.code.op('i32.div_u').set(outer);
    }
    em.bindVar(v, l);
  }
  return rest;
}
/** Ends the scope of a task and wraps it: while (t < end) { …; t++ }. */
export function closeTaskLoop(em: Emitter, t: number, end: number): void {
  const bytes = em.pop();
  const c = em.code;
  c.block().get(t).get(end).op('i32.ge_u').brIf(0).loop();
  c.out.append(bytes);
  c.get(t).i32(1).op('i32.add').tee(t).get(end).op('i32.lt_u').brIf(0).end().end();
}
export const finish = (em: Emitter): Emitted => ({
  code: em.code.out,
  locals: em.locals,
  ints: em.ints,
  mainThreadOnly: em.mainThreadOnly,
});

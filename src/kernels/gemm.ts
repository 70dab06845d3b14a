// Matrix products: register tiles over panels, packed where memory order asks for it, any tail, any epilogue.
// In: a GemmKernel. Out: functions and tasks. Blocking (BLIS letters): MR × NR registers, panels of NR columns stay in
// L1 while MT rows of A pass from L2. Measured figures are in bench/results.

import type { DType } from '../base/dtype.ts';
import { Emitter } from '../codegen/wasm.ts';
import { I32, V128 } from '../codegen/wasm-asm.ts';
import type { Emitted, Target } from '../codegen/wasm-target.ts';
import { Dependence } from '../codegen/widen.ts';
import type { Affine, E, LoopVar } from '../ir/scalar.ts';
import {
  accOf,
  addScaled,
  asAffine,
  constAffine,
  indexOf,
  m,
  rebuild,
  varOf,
  withExprs,
} from '../ir/scalar.ts';
import { loopVarOf } from '../schedule/affine.ts';
import type { GemmKernel, GemmOperand, KernelStore } from '../schedule/kernel.ts';
import { cutRange, type Piece, type Pieces } from './pieces.ts';

/** Products smaller than this are loops: fused with what is around them they cost less. */
export function gemmLimit(M: number, N: number, K: number, dtype: DType): boolean {
  return dtype === 'float32' && K >= 8 && N >= 4 && M >= 4 && M * N * K >= 8192;
}

/** GFLOP/s of one thread, for cutting into tasks only. */
const RATE = 45;
/** Columns are packed when this many bytes of B would be read across rows further apart than a page. */
const PACK_B_FROM = 96 * 1024;
const PACK_A_FROM = 96 * 1024;
/** Bytes of A that a tile keeps in L2. */
const L2_BYTES = 320 * 1024;

interface Layout {
  /** k: neighbours along the summed dim; x: neighbours along the rows of A (columns of B); none: neither. */
  readonly kind: 'k' | 'x' | 'none';
  readonly strideX: number;
  readonly strideK: number;
}

function coefficient(at: Affine, v: LoopVar): number {
  for (const [e, k] of at.terms) if (loopVarOf(e) === v) return k;
  return 0;
}
function layoutOf(o: GemmOperand, x: LoopVar, k: LoopVar): Layout {
  const strideX = coefficient(o.at, x);
  const strideK = coefficient(o.at, k);
  return { kind: strideX === 1 ? 'x' : strideK === 1 ? 'k' : 'none', strideX, strideK };
}
const without = (at: Affine, ...vars: LoopVar[]): Affine => ({
  c: at.c,
  terms: at.terms.filter(([e]) => !vars.includes(loopVarOf(e)!)),
});

/** Tile shapes by the number of columns: twelve accumulators, and what one row of B and one value of A need. */
function tileOf(N: number): { MR: number; NV: number } {
  const vectors = Math.ceil(N / 4);
  if (vectors === 1) return { MR: 8, NV: 1 };
  if (vectors === 3) return { MR: 4, NV: 3 };
  if (vectors === 4) return { MR: 3, NV: 4 };
  return { MR: 6, NV: 2 };
}

export function emitGemm(g: GemmKernel, target: Target): Pieces {
  return withExprs(() => {
    const [M, N, K] = [g.i.size, g.j.size, g.k.size];
    const batch = g.batch.reduce((p, v) => p * v.size, 1);
    const { MR, NV } = tileOf(N);
    const NR = NV * 4;
    const a = layoutOf(g.a, g.i, g.k);
    const b = layoutOf(g.b, g.j, g.k);
    const bytesB = K * N * 4;
    const packB = b.kind !== 'x' || (bytesB >= PACK_B_FROM && M >= 4 * MR && b.strideK > 512);
    const packA =
      a.kind === 'none' || (a.kind === 'x' && M * K * 4 >= PACK_A_FROM && N >= 4 * NR && a.strideK > 512);
    const scratch: number[] = [];
    const pieces: Piece[] = [];
    const panelsB = Math.ceil(N / NR);
    const panelsA = Math.ceil(M / MR);
    let bufferA = g.a.buffer;
    let bufferB = g.b.buffer;
    // B (or A) without a batch of its own is packed once.
    const batchOf = (o: GemmOperand): LoopVar[] => g.batch.filter(v => coefficient(o.at, v) !== 0);
    const ownA = batchOf(g.a);
    const ownB = batchOf(g.b);
    const count = (vars: readonly LoopVar[]): number => vars.reduce((p, v) => p * v.size, 1);
    if (packB) {
      bufferB = g.buffers.length + scratch.length;
      scratch.push(count(ownB) * panelsB * K * NR * 4 + 64);
    }
    if (packA) {
      bufferA = g.buffers.length + scratch.length;
      scratch.push(count(ownA) * panelsA * K * MR * 4 + 64);
    }
    const words = g.buffers.length + scratch.length;
    if (packB) pieces.push(packPiece(g.b, g.j, g.k, ownB, b, NR, bufferB, words, target));
    if (packA) pieces.push(packPiece(g.a, g.i, g.k, ownA, a, MR, bufferA, words, target));

    const rows = Math.max(MR, Math.floor(L2_BYTES / (K * 4) / MR) * MR);
    const plan: TilePlan = {
      MR,
      NV,
      MT: Math.min(Math.ceil(M / MR) * MR, rows),
      NT: Math.ceil(N / NR) * NR,
      a: packA ? packed(bufferA, ownA, panelsA, K, MR) : direct(g.a, a, g.i, g.k),
      b: packB ? packed(bufferB, ownB, panelsB, K, NR) : direct(g.b, b, g.j, g.k),
    };
    balance(plan, M, N, K, batch);
    const tiles = batch * Math.ceil(M / plan.MT) * Math.ceil(N / plan.NT);
    const ns = (2 * M * N * K * batch) / RATE;
    pieces.push({
      emitted: new GemmEmitter(g, plan, words, target).emit(),
      tasks: cutRange(tiles, ns, 1),
      ns,
    });
    return { pieces, scratch };
  }, g.exprs);
}

/** Work below this stays one tile; above it there are tiles to share, more of them the longer it takes. */
const SHARED_FROM_NS = 8_000;

/** Smaller tiles where there would be too few to share, as even as can be. Depends on the shape only. */
function balance(p: TilePlan, M: number, N: number, K: number, batch: number): void {
  const ns = (2 * M * N * K * batch) / RATE;
  if (ns < SHARED_FROM_NS) return;
  const wanted = Math.min(16, Math.max(ns < 20_000 ? 2 : 4, ns / 30_000));
  const NR = p.NV * 4;
  const [rowPanels, colPanels] = [Math.ceil(M / p.MR), Math.ceil(N / NR)];
  const tiles = (mt: number, nt: number): number => batch * Math.ceil(M / mt) * Math.ceil(N / nt);
  if (tiles(p.MT, p.NT) >= wanted) return;
  let best = Number.POSITIVE_INFINITY;
  let chosen = { mt: p.MT, nt: p.NT };
  for (let rows = 1; rows <= Math.min(rowPanels, 16); rows++) {
    const mt = Math.min(p.MT, Math.ceil(rowPanels / rows) * p.MR);
    const columns = Math.min(colPanels, Math.ceil(wanted / batch / Math.ceil(M / mt)));
    const nt = Math.ceil(colPanels / columns) * NR;
    const n = tiles(mt, nt);
    // What the largest tile leaves the others to wait for, and a little for every cut through the columns.
    const cost = (Math.min(mt, M) * Math.min(nt, N) * n) / (M * N * batch) + 0.01 * columns;
    if (n >= Math.min(wanted, batch * rowPanels * colPanels) && cost < best) {
      best = cost;
      chosen = { mt, nt };
    }
  }
  p.MT = chosen.mt;
  p.NT = chosen.nt;
}

/** How a tile reads an operand. */
interface Access {
  readonly buffer: number;
  /** Index of the first element of row (column) x = 0, k = 0, without x and k. */
  readonly base: Affine;
  /** Elements from one group of MR rows (NR columns) to the next, and from one k to the next. */
  readonly group: number;
  readonly strideK: number;
  /** Elements from row to row inside the group; 1 means that a group's values for one k are neighbours. */
  readonly strideX: number;
}
interface TilePlan {
  readonly MR: number;
  readonly NV: number;
  MT: number;
  NT: number;
  readonly a: Access;
  readonly b: Access;
}
const direct = (o: GemmOperand, l: Layout, x: LoopVar, k: LoopVar): Access => ({
  buffer: o.buffer,
  base: without(o.at, x, k),
  group: l.strideX,
  strideK: l.strideK,
  strideX: l.strideX,
});
function packed(buffer: number, own: readonly LoopVar[], panels: number, K: number, R: number): Access {
  let base = constAffine(0);
  let stride = panels * K * R;
  for (let i = own.length - 1; i >= 0; i--) {
    base = addScaled(base, asAffine(varOf(own[i]!)), stride);
    stride *= own[i]!.size;
  }
  // `group` counts per row: a panel of R rows takes K·R elements.
  return { buffer, base, group: K, strideK: R, strideX: 1 };
}

// ---- packing ------------------------------------------------------------------------------------------------------------

/** Copies an operand into panels [panel][k][R]; what lies beyond the last row repeats it. */
function packPiece(
  o: GemmOperand,
  x: LoopVar,
  k: LoopVar,
  own: readonly LoopVar[],
  l: Layout,
  R: number,
  to: number,
  words: number,
  target: Target,
): Piece {
  const em = new Emitter(words, target);
  const panels = Math.ceil(x.size / R);
  const total = own.reduce((p, v) => p * v.size, 1) * panels;
  const K = k.size;
  const t = em.local(I32);
  const end = 2;
  em.code.get(1).set(t);
  em.push();
  em.touch(t);
  const panel = bindBatch(em, t, own, panels);
  // First row of the panel, and the address of each of its rows at k = 0 (clamped to the last row).
  const first = em.local(I32);
  em.code.get(panel).i32(R).op('i32.mul').set(first);
  const base = em.local(I32);
  em.val(em.addressOf(o.buffer, without(o.at, x, k), 4));
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
function bindBatch(em: Emitter, t: number, batch: readonly LoopVar[], inner: number): number {
  const rest = em.local(I32);
  if (batch.length === 0) {
    em.code.get(t).set(rest);
    return rest;
  }
  const outer = em.local(I32);
  em.code.get(t);
  em.val(em.int(inner));
  em.code.op('i32.rem_u').set(rest);
  em.code.get(t);
  em.val(em.int(inner));
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
function closeTaskLoop(em: Emitter, t: number, end: number): void {
  const bytes = em.pop();
  const c = em.code;
  c.block().get(t).get(end).op('i32.ge_u').brIf(0).loop();
  c.out.append(bytes);
  c.get(t).i32(1).op('i32.add').tee(t).get(end).op('i32.lt_u').brIf(0).end().end();
}
const finish = (em: Emitter): Emitted => ({
  code: em.code.out,
  locals: em.locals,
  ints: em.ints,
  mainThreadOnly: em.mainThreadOnly,
});

// ---- tiles ----------------------------------------------------------------------------------------------------------------

class GemmEmitter {
  private readonly g: GemmKernel;
  private readonly p: TilePlan;
  private readonly em: Emitter;
  private readonly deps = new Dependence();
  private readonly accs: number[];
  private readonly values: number[];
  private nextAcc = 1 << 24;

  constructor(g: GemmKernel, p: TilePlan, words: number, target: Target) {
    this.g = g;
    this.p = p;
    this.em = new Emitter(words, target);
    this.accs = Array.from({ length: p.MR * p.NV }, () => this.em.local(V128));
    this.values = Array.from({ length: p.NV + 1 }, () => this.em.local(V128));
  }

  emit(): Emitted {
    const { em, g, p } = this;
    const [M, N] = [g.i.size, g.j.size];
    const tilesI = Math.ceil(M / p.MT);
    const tilesJ = Math.ceil(N / p.NT);
    const t = em.local(I32);
    em.code.get(1).set(t);
    em.push();
    em.touch(t);
    const rest = bindBatch(em, t, g.batch, tilesI * tilesJ);
    const bounds = (tile: () => void, size: number, T: number): [number, number] => {
      const from = em.local(I32);
      const to = em.local(I32);
      tile();
      em.val(em.int(T));
      em.code.op('i32.mul').set(from);
      em.code.get(from);
      em.val(em.int(T));
      em.code.op('i32.add').set(to);
      em.val(em.int(size));
      em.code.get(to);
      em.val(em.int(size));
      em.code.get(to).op('i32.lt_u').op('select').set(to);
      return [from, to];
    };
    const [i0, i1] = bounds(
      () => {
        em.code.get(rest);
        em.val(em.int(tilesI));
        em.code.op('i32.rem_u');
      },
      M,
      p.MT,
    );
    const [j0, j1] = bounds(
      () => {
        em.code.get(rest);
        em.val(em.int(tilesI));
        em.code.op('i32.div_u');
      },
      N,
      p.NT,
    );
    const NR = p.NV * 4;
    const tailJ = N % NR;
    this.columns(j0, j1, i0, i1, NR, p.NV, 0);
    if (tailJ > 0) this.columns(j0, j1, i0, i1, tailJ, Math.ceil(tailJ / 4), tailJ % 4);
    closeTaskLoop(em, t, 2);
    return finish(em);
  }

  /** All panels of `width` columns from j on (for a tail: the one that is left when the tile reaches the edge). */
  private columns(
    j: number,
    j1: number,
    i0: number,
    i1: number,
    width: number,
    NV: number,
    partial: number,
  ): void {
    const { em, g, p } = this;
    const M = g.i.size;
    em.push();
    em.bindVar(g.j, j);
    const i = em.local(I32);
    em.code.get(i0).set(i);
    const b = em.local(I32);
    em.val(em.addressOf(p.b.buffer, p.b.base, 4));
    em.code.get(j);
    em.val(em.int(p.b.group * 4));
    em.code.op('i32.mul').op('i32.add').set(b);
    this.rows(i, i1, b, p.MR, NV, partial);
    const tailI = M % p.MR;
    if (tailI > 0) this.rows(i, i1, b, tailI, NV, partial);
    const bytes = em.pop();
    const c = em.code;
    // while (j + width <= j1) { …; j += width }
    c.block().loop();
    c.get(j).i32(width).op('i32.add').get(j1).op('i32.gt_u').brIf(1);
    c.out.append(bytes);
    c.get(j).i32(width).op('i32.add').set(j).br(0).end().end();
  }

  private rows(i: number, i1: number, b: number, MR: number, NV: number, partial: number): void {
    const { em, g } = this;
    em.push();
    em.bindVar(g.i, i);
    this.micro(i, b, MR, NV);
    this.epilogue(MR, NV, partial);
    const bytes = em.pop();
    const c = em.code;
    c.block().loop();
    c.get(i).i32(MR).op('i32.add').get(i1).op('i32.gt_u').brIf(1);
    c.out.append(bytes);
    c.get(i).i32(MR).op('i32.add').set(i).br(0).end().end();
  }

  /** Sums over k for MR rows and NV vectors of columns into the accumulators. */
  private micro(i: number, b: number, MR: number, NV: number): void {
    const { em, g, p } = this;
    const c = em.code;
    const K = g.k.size;
    const acc = (r: number, v: number): number => this.accs[r * p.NV + v]!;
    for (let r = 0; r < MR; r++) {
      for (let v = 0; v < NV; v++) c.v128(ZERO).set(acc(r, v));
    }
    const pb = em.local(I32);
    c.get(b).set(pb);
    const rowsApart = p.a.strideX !== 1;
    const base = em.local(I32);
    em.val(em.addressOf(p.a.buffer, p.a.base, 4));
    c.get(i);
    em.val(em.int(p.a.group * 4));
    c.op('i32.mul').op('i32.add').set(base);
    // Rows at distance strideX have a pointer each; neighbours share one.
    const pa = Array.from({ length: rowsApart ? MR : 1 }, () => em.local(I32));
    pa.forEach((l, r) => {
      if (r === 0) c.get(base).set(l);
      else {
        c.get(pa[r - 1]!);
        em.val(em.int(p.a.strideX * 4));
        c.op('i32.add').set(l);
      }
    });
    const UNROLL = 4;
    const stepA = p.a.strideK * 4;
    const stepB = p.b.strideK * 4;
    // Short distances become constant offsets of one unrolled group; long ones move the pointer at each k.
    const fixedA = stepA <= 256;
    const fixedB = stepB <= 256;
    const move = (l: number, by: number, fixed: boolean): void => {
      c.get(l);
      if (fixed) c.i32(by);
      else em.val(em.int(by));
      c.op('i32.add').set(l);
    };
    const one = (u: number): void => {
      const offA = fixedA ? u * stepA : 0;
      const offB = fixedB ? u * stepB : 0;
      for (let v = 0; v < NV; v++)
        c.get(pb)
          .mem('v128.load', offB + v * 16)
          .set(this.values[v]!);
      const x = this.values[p.NV]!;
      for (let r = 0; r < MR; r++) {
        c.get(rowsApart ? pa[r]! : pa[0]!)
          .mem('v128.load32_splat', offA + (rowsApart ? 0 : r * 4))
          .set(x);
        for (let v = 0; v < NV; v++) {
          if (em.fma) c.get(x).get(this.values[v]!).get(acc(r, v)).op('f32x4.relaxed_madd').set(acc(r, v));
          else c.get(x).get(this.values[v]!).op('f32x4.mul').get(acc(r, v)).op('f32x4.add').set(acc(r, v));
        }
      }
      if (!fixedA) for (const l of pa) move(l, stepA, false);
      if (!fixedB) move(pb, stepB, false);
    };
    const advance = (n: number): void => {
      if (fixedA) for (const l of pa) move(l, n * stepA, true);
      if (fixedB) move(pb, n * stepB, true);
    };
    const groups = Math.floor(K / UNROLL);
    if (groups > 0) {
      const n = em.local(I32);
      em.val(em.int(groups));
      c.set(n).loop();
      for (let u = 0; u < UNROLL; u++) one(u);
      advance(UNROLL);
      c.get(n).i32(1).op('i32.sub').tee(n).brIf(0).end();
    }
    const left = K % UNROLL;
    for (let u = 0; u < left; u++) one(u);
  }

  /** What is done with the sums: each store's expression, for every row and vector, with the sum in a register. */
  private epilogue(MR: number, NV: number, partial: number): void {
    const { em, g, p } = this;
    const jBit = this.deps.bit(g.j);
    const accId = Number(g.acc.value);
    this.deps.accMasks.set(accId, jBit);
    for (let r = 0; r < MR; r++) {
      for (let v = 0; v < NV; v++) {
        const vector = accOf(this.nextAcc++, 'f32', 4);
        em.bindAcc(Number(vector.value), this.accs[r * p.NV + v]!);
        const lanes = partial > 0 && v === NV - 1 ? partial : 4;
        const kept = g.stores.map(s => {
          const wide = m.splat(this.shifted(this.vectorOf(s), r, v, vector));
          // Without the counts a shared part is written out at each use: a random draw 2^20 times.
          em.countUses([wide]);
          em.val(wide);
          const l = em.local(V128);
          em.code.set(l);
          return l;
        });
        g.stores.forEach((s, k) => {
          this.store(s, r, v, kept[k]!, lanes);
        });
      }
    }
  }
  private readonly vectors = new Map<KernelStore, E>();
  private vectorOf(s: KernelStore): E {
    let e = this.vectors.get(s);
    if (e === undefined) {
      const accId = Number(this.g.acc.value);
      this.deps.accVectors.set(accId, accOf(accId, 'f32', 4));
      e = this.deps.widen(s.value, this.g.j);
      this.vectors.set(s, e);
    }
    return e;
  }
  /** An expression for row i + r, columns j + 4v …, and the accumulator of that place. */
  private shifted(e: E, r: number, v: number, vector: E): E {
    const { g } = this;
    const i = varOf(g.i);
    const j = varOf(g.j);
    const accId = Number(g.acc.value);
    return rebuild(
      e,
      x => {
        if (x.op === 'acc' && Number(x.value) === accId) return vector;
        if (x === i) return indexOf(addScaled(constAffine(r), asAffine(i), 1));
        if (x === j) return indexOf(addScaled(constAffine(4 * v), asAffine(j), 1));
        return null;
      },
      new Map(),
    );
  }
  private store(s: KernelStore, r: number, v: number, value: number, lanes: number): void {
    const { em, g } = this;
    const i = coefficient(s.at, g.i);
    const j = coefficient(s.at, g.j);
    const at: Affine = { c: s.at.c + i * r + j * 4 * v, terms: s.at.terms };
    em.storeLanes(s.buffer, at, s.dtype, value, j, lanes);
  }
}
const ZERO = new Uint8Array(16);

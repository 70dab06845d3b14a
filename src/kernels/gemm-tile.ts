// The tiles of a matrix product: sums in registers, or in memory where they come in parts, and the epilogue behind them.
// In: a product and a plan of its tiles. Out: the function of a tile range. Not its job: choosing the plan (gemm.ts).

import { Emitter } from '../codegen/wasm.ts';
import { I32, V128 } from '../codegen/wasm-asm.ts';
import type { Emitted, Target } from '../codegen/wasm-target.ts';
import { Dependence } from '../codegen/widen.ts';
import type { Affine, E } from '../ir/scalar.ts';
import { accOf, addScaled, asAffine, constAffine, indexOf, m, rebuild, varOf } from '../ir/scalar.ts';
import type { KernelStore } from '../schedule/kernel.ts';
import type { Product } from './gemm-loops.ts';
import { bindBatch, closeTaskLoop, coefficient, finish } from './gemm-pack.ts';

/**
 * A large B whose rows are far apart is read some rows at a time, in all columns: more of them would lie in more pages
 * than the processor remembers, and in the same sets of its cache.
 */
const BLOCK_K = 8;

/** How a tile reads an operand. */
export interface Access {
  readonly buffer: number;
  /** Index of the first element of row (column) x = 0, k = 0, without x and k. */
  readonly base: Affine;
  /** Elements per row from one group of MR rows (NR columns) to the next. */
  readonly group: number;
  /** Elements from row to row inside the group; 1 means that a group's values for one k are neighbours. */
  readonly strideX: number;
  /** Rows in two loops: `by` more elements after every `after` rows. */
  readonly turn: { readonly after: number; readonly by: number } | null;
}
/** A loop of the sum: elements from step to step in A and in B. */
export interface Level {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}
export interface TilePlan {
  readonly MR: number;
  readonly NV: number;
  MT: number;
  NT: number;
  readonly native: NativePlan | null;
  /** Few rows of A: all columns for some rows of B, then for the next, with the sums in memory meanwhile. */
  readonly blocked: Sums | null;
  readonly a: Access;
  readonly b: Access;
  /** From outside in. */
  readonly levels: readonly Level[];
}
/** Sums that pass through memory: where, and how far its rows are apart. */
export interface Sums {
  readonly c: { readonly buffer: number; readonly base: Affine };
  readonly ldc: number;
}
/** Bounds of a tile: locals. */
export type Bounds = readonly [i0: number, i1: number, j0: number, j1: number];
/** Tiles whose sums something else computes: into the result itself, or into working memory that the epilogue reads. */
export interface NativePlan extends Sums {
  readonly epilogue: boolean;
  call(em: Emitter, at: Bounds): void;
}

/** Steps of k that are written out. */
const UNROLL = 4;

export class GemmEmitter {
  private readonly g: Product;
  private readonly p: TilePlan;
  private readonly em: Emitter;
  private readonly deps = new Dependence();
  private readonly accs: number[];
  private readonly values: number[];
  private readonly inner: Level;
  /** How many times UNROLL steps of the innermost sum there are. */
  private readonly groups: E;
  private nextAcc = 1 << 24;

  constructor(g: Product, p: TilePlan, words: number, target: Target) {
    this.g = g;
    this.p = p;
    this.em = new Emitter(words, target);
    this.em.rowsOfAnyLength();
    this.accs = Array.from({ length: p.MR * p.NV }, () => this.em.local(V128));
    this.values = Array.from({ length: p.NV + 1 }, () => this.em.local(V128));
    this.inner = p.levels[p.levels.length - 1]!;
    this.groups = this.em.word(Math.floor(this.inner.size / UNROLL));
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
    const down = em.word(tilesI);
    const rest = bindBatch(em, t, g.batch, em.word(tilesI * tilesJ));
    const bounds = (tile: () => void, size: number, T: number): [number, number] => {
      const from = em.local(I32);
      const to = em.local(I32);
      const [step, end] = [em.word(T), em.word(size)];
      tile();
      em.val(step);
      em.code.op('i32.mul').set(from);
      em.code.get(from);
      em.val(step);
      em.code.op('i32.add').set(to);
      em.val(end);
      em.code.get(to);
      em.val(end);
      em.code.get(to).op('i32.lt_u').op('select').set(to);
      return [from, to];
    };
    const [i0, i1] = bounds(
      () => {
        em.code.get(rest);
        em.val(down);
        em.code.op('i32.rem_u');
      },
      M,
      p.MT,
    );
    const [j0, j1] = bounds(
      () => {
        em.code.get(rest);
        em.val(down);
        em.code.op('i32.div_u');
      },
      N,
      p.NT,
    );
    p.native?.call(em, [i0, i1, j0, j1]);
    if (p.blocked !== null) this.blocks(p.blocked, i0, i1, j0, j1);
    if (p.native?.epilogue !== false) this.panels(j0, j1, i0, i1);
    closeTaskLoop(em, t, 2);
    return finish(em);
  }

  /** All panels of a tile; `j` is the first column and moves on. */
  private panels(j: number, j1: number, i0: number, i1: number): void {
    const { g, p } = this;
    const NR = p.NV * 4;
    const tailJ = g.j.size % NR;
    this.columns(j, j1, i0, i1, NR, p.NV, 0);
    if (tailJ > 0) this.columns(j, j1, i0, i1, tailJ, Math.ceil(tailJ / 4), tailJ % 4);
  }
  /** The tile's sums, some rows of B at a time. */
  private blocks(sums: Sums, i0: number, i1: number, j0: number, j1: number): void {
    const { em } = this;
    const c = em.code;
    const k = em.local(I32);
    const n = em.local(I32);
    const j = em.local(I32);
    c.i32(0).set(k);
    em.push();
    em.code.get(j0).set(j);
    // n = min(BLOCK_K, K − k) / 4
    em.val(em.int(this.inner.size));
    em.code.get(k).op('i32.sub').i32(BLOCK_K);
    em.val(em.int(this.inner.size));
    em.code.get(k).op('i32.sub').i32(BLOCK_K).op('i32.lt_u').op('select').i32(2).op('i32.shr_u').set(n);
    this.block = { k, groups: n, sums };
    this.panels(j, j1, i0, i1);
    this.block = null;
    em.code.get(k).i32(BLOCK_K).op('i32.add').tee(k);
    em.val(em.int(this.inner.size));
    em.code.op('i32.lt_u').brIf(0);
    const bytes = em.pop();
    c.loop();
    c.out.append(bytes);
    c.end();
  }
  private block: { k: number; groups: number; sums: Sums } | null = null;

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
    if (p.a.turn !== null) this.turn = this.firstRow(i0, p.a.turn.after, p.a.turn.by);
    const b = em.local(I32);
    const point = (l: number, from: { buffer: number; base: Affine }, apart: number): void => {
      em.val(em.addressOf(from.buffer, from.base, 4));
      em.code.get(j);
      em.val(em.int(apart * 4));
      em.code.op('i32.mul').op('i32.add').set(l);
    };
    const sums = this.block?.sums ?? p.native ?? p.blocked;
    const s = em.local(I32);
    if (sums !== null) point(s, sums.c, 1);
    if (sums === null || this.block !== null) point(b, p.b, p.b.group);
    if (this.block !== null) {
      em.code.get(b).get(this.block.k);
      em.val(em.int(this.inner.b * 4));
      em.code.op('i32.mul').op('i32.add').set(b);
    }
    this.rows(i, i1, b, s, p.MR, NV, partial);
    const tailI = M % p.MR;
    if (tailI > 0) this.rows(i, i1, b, s, tailI, NV, partial);
    const bytes = em.pop();
    const c = em.code;
    // while (j + width <= j1) { …; j += width }
    c.block().loop();
    c.get(j).i32(width).op('i32.add').get(j1).op('i32.gt_u').brIf(1);
    c.out.append(bytes);
    c.get(j).i32(width).op('i32.add').set(j).br(0).end().end();
  }

  /** Where rows in two loops are: the place in the inner one, and the bytes from row 0. */
  private turn: { place: number; bytes: number } | null = null;
  private firstRow(i0: number, after: number, by: number): { place: number; bytes: number } {
    const { em, p } = this;
    const c = em.code;
    const [place, bytes] = [em.local(I32), em.local(I32)];
    c.get(i0);
    em.val(em.int(after));
    c.op('i32.rem_u').set(place).get(i0);
    em.val(em.int(after));
    c.op('i32.div_u');
    em.val(em.int(by * 4));
    c.op('i32.mul').get(i0);
    em.val(em.int(p.a.strideX * 4));
    c.op('i32.mul').op('i32.add').set(bytes);
    return { place, bytes };
  }
  /** Sets the address of each row in turn, and moves on. */
  private turning(
    pa: readonly number[],
    base: number,
    { place, bytes }: { place: number; bytes: number },
  ): void {
    const { em, p } = this;
    const c = em.code;
    const { after, by } = p.a.turn!;
    const ends = em.local(I32);
    for (const l of pa) {
      c.get(base).get(bytes).op('i32.add').set(l);
      c.get(place).i32(1).op('i32.add').tee(place);
      em.val(em.int(after));
      c.op('i32.eq').set(ends);
      c.get(bytes);
      em.val(em.int((p.a.strideX + by) * 4));
      em.val(em.int(p.a.strideX * 4));
      c.get(ends).op('select').op('i32.add').set(bytes);
      c.i32(0).get(place).get(ends).op('select').set(place);
    }
  }

  private rows(i: number, i1: number, b: number, s: number, MR: number, NV: number, partial: number): void {
    const { em, g } = this;
    em.push();
    em.bindVar(g.i, i);
    const { block } = this;
    const sums = block?.sums ?? this.p.native ?? this.p.blocked;
    const at = sums === null ? -1 : this.rowOf(sums, i, s);
    if (block !== null) {
      em.code.get(block.k).if();
      this.pass(at, sums!, MR, NV, 'load');
      em.code.else();
      this.clear(MR, NV);
      em.code.end();
      this.micro(i, b, MR, NV);
      this.pass(at, sums!, MR, NV, 'store');
    } else {
      if (sums !== null) this.pass(at, sums, MR, NV, 'load');
      else {
        this.clear(MR, NV);
        this.micro(i, b, MR, NV);
      }
      this.epilogue(MR, NV, partial);
    }
    const bytes = em.pop();
    const c = em.code;
    c.block().loop();
    c.get(i).i32(MR).op('i32.add').get(i1).op('i32.gt_u').brIf(1);
    c.out.append(bytes);
    c.get(i).i32(MR).op('i32.add').set(i).br(0).end().end();
  }

  /** The address of the sums of row i, from column 0 of the panel on. */
  private rowOf(sums: Sums, i: number, s: number): number {
    const { em } = this;
    const row = em.local(I32);
    em.code.get(i);
    em.val(em.int(sums.ldc * 4));
    em.code.op('i32.mul').get(s).op('i32.add').set(row);
    return row;
  }
  /** Sums from memory into the accumulators, or back. */
  private pass(row: number, sums: Sums, MR: number, NV: number, how: 'load' | 'store'): void {
    const { em, p } = this;
    const c = em.code;
    const at = em.local(I32);
    c.get(row).set(at);
    for (let r = 0; r < MR; r++) {
      if (r > 0) {
        c.get(at);
        em.val(em.int(sums.ldc * 4));
        c.op('i32.add').set(at);
      }
      for (let v = 0; v < NV; v++) {
        const acc = this.accs[r * p.NV + v]!;
        if (how === 'load')
          c.get(at)
            .mem('v128.load', v * 16)
            .set(acc);
        else
          c.get(at)
            .get(acc)
            .mem('v128.store', v * 16);
      }
    }
  }
  private clear(MR: number, NV: number): void {
    for (let r = 0; r < MR; r++) {
      for (let v = 0; v < NV; v++) this.em.code.v128(ZERO).set(this.accs[r * this.p.NV + v]!);
    }
  }

  /** Adds the products over k (of the block) for MR rows and NV vectors of columns to the accumulators. */
  private micro(i: number, b: number, MR: number, NV: number): void {
    const { em, p, inner } = this;
    const c = em.code;
    const acc = (r: number, v: number): number => this.accs[r * p.NV + v]!;
    const pb = em.local(I32);
    c.get(b).set(pb);
    const rowsApart = p.a.strideX !== 1;
    const base = em.local(I32);
    em.val(em.addressOf(p.a.buffer, p.a.base, 4));
    if (this.turn === null) {
      c.get(i);
      em.val(em.int(p.a.group * 4));
      c.op('i32.mul').op('i32.add');
    }
    c.set(base);
    if (this.block !== null) {
      c.get(base).get(this.block.k);
      em.val(em.int(inner.a * 4));
      c.op('i32.mul').op('i32.add').set(base);
    }
    // Rows at distance strideX have a pointer each; neighbours share one.
    const pa = Array.from({ length: rowsApart ? MR : 1 }, () => em.local(I32));
    if (this.turn !== null) this.turning(pa, base, this.turn);
    else {
      pa.forEach((l, r) => {
        if (r === 0) c.get(base).set(l);
        else {
          c.get(pa[r - 1]!);
          em.val(em.int(p.a.strideX * 4));
          c.op('i32.add').set(l);
        }
      });
    }
    const move = (l: number, by: number, fixed: boolean): void => {
      c.get(l);
      if (fixed) c.i32(by);
      else em.val(em.int(by));
      c.op('i32.add').set(l);
    };
    const stepA = inner.a * 4;
    const stepB = inner.b * 4;
    // Short distances become constant offsets of one unrolled group; long ones move the pointer at each k.
    const fixedA = stepA <= 256;
    const fixedB = stepB <= 256;
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
    /** The loops from a level on inwards; tells how many elements the pointers have moved. */
    const level = (d: number): { a: number; b: number } => {
      if (d === p.levels.length - 1) {
        const { size } = inner;
        const groups = Math.floor(size / UNROLL);
        if (groups > 0) {
          const n = em.local(I32);
          if (this.block !== null) c.get(this.block.groups);
          else em.val(this.groups);
          c.set(n).loop();
          for (let u = 0; u < UNROLL; u++) one(u);
          advance(UNROLL);
          c.get(n).i32(1).op('i32.sub').tee(n).brIf(0).end();
        }
        for (let u = 0; u < size % UNROLL; u++) one(u);
        const moved = (fixed: boolean): number => (fixed ? groups * UNROLL : size);
        return { a: moved(fixedA) * inner.a, b: moved(fixedB) * inner.b };
      }
      const { size, a, b: ofB } = p.levels[d]!;
      const n = em.local(I32);
      em.val(em.word(size));
      c.set(n).loop();
      const moved = level(d + 1);
      for (const l of pa) move(l, (a - moved.a) * 4, false);
      move(pb, (ofB - moved.b) * 4, false);
      c.get(n).i32(1).op('i32.sub').tee(n).brIf(0).end();
      return { a: size * a, b: size * ofB };
    };
    level(0);
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

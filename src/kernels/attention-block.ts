// What both directions of attention are made of: loops over blocks of queries and keys, packed operands, scores with scale,
// masks and dropout, rows in working memory.
// In: the call of an attention kernel. Out: pieces of code. Not its job: the order of the steps (attention.ts).

import { Emitter } from '../codegen/wasm.ts';
import { type F32, I32, V128 } from '../codegen/wasm-asm.ts';
import type { Target } from '../codegen/wasm-target.ts';
import { Dependence } from '../codegen/widen.ts';
import type { AttentionAttrs } from '../ir/ops/attention.ts';
import type { Affine, E, LoadData, LoopVar } from '../ir/scalar.ts';
import { accOf, m, ramp, splat, varOf } from '../ir/scalar.ts';
import type { GemmOperand, OwnKernelCall } from '../schedule/kernel.ts';
import { BlockProducts, move, PANEL, push, repeat, type Step, TILE_ROWS } from './block-product.ts';
import { spread } from './gemm.ts';
import { coefficient, layoutOf, packPiece, without } from './gemm-pack.ts';
import type { Piece } from './pieces.ts';

/** Queries of a block: few, so that causal attention skips most of what it may. */
export const ROWS = 4 * TILE_ROWS;
/** Keys of a block: a multiple of ROWS, so that a block begins where the queries before it end. */
const COLUMNS = 4 * ROWS;
export const ROW_BYTES = 4 * COLUMNS;
export const BLOCK_BYTES = ROWS * ROW_BYTES;
/** Places for vectors and numbers of a row, bound to locals. */
export const [SCORE, OTHER, TOP, LIMIT, LSE, DELTA] = [1, 2, 3, 4, 5, 6].map(i => (1 << 25) + i) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

export const panelsOf = (size: number): number => Math.ceil(size / PANEL);

/** What both directions share: the loops, packed operands, blocks of scores, masks. */
export class Attention {
  readonly call: OwnKernelCall;
  readonly attrs: AttentionAttrs;
  readonly target: Target;
  readonly b: LoopVar;
  readonly h: LoopVar;
  readonly g: LoopVar;
  readonly t: LoopVar;
  readonly s: LoopVar;
  readonly d: LoopVar;
  readonly e: LoopVar;
  readonly scratch: number[] = [];
  readonly pieces: Piece[] = [];
  private readonly packs: (() => Piece)[] = [];
  readonly mask: E | null;
  readonly keep: E | null;
  private readonly deps = new Dependence();

  constructor(call: OwnKernelCall, target: Target, extrasFrom: number) {
    this.call = call;
    this.attrs = call.node.attrs as AttentionAttrs;
    this.target = target;
    [this.b, this.h, this.g, this.t, this.s, this.d, this.e] = call.vars as [
      LoopVar,
      LoopVar,
      LoopVar,
      LoopVar,
      LoopVar,
      LoopVar,
      LoopVar,
    ];
    const { masked, kept } = this.attrs;
    this.mask = masked ? call.inputs[extrasFrom]! : null;
    this.keep = kept === null ? null : call.inputs[extrasFrom + Number(masked)]!;
  }
  /** A source in memory. */
  operand(i: number): GemmOperand {
    return this.call.inputs[i]!.data as LoadData;
  }
  /** Working memory; returns its buffer. */
  reserve(bytes: number): number {
    return this.call.buffers.length + this.scratch.push(bytes) - 1;
  }
  get words(): number {
    return this.call.buffers.length + this.scratch.length;
  }
  /** Has source i copied into panels of `x`, in rows along `k`. */
  pack(i: number, x: LoopVar, k: LoopVar, batch: readonly LoopVar[]): Packed {
    const own = batch.filter(v => v.size > 1);
    const size = panelsOf(x.size) * k.size * PANEL;
    const buffer = this.reserve(own.reduce((p, v) => p * v.size, 1) * size * 4 + 64);
    const o = this.operand(i);
    this.packs.push(() =>
      packPiece(o, x, [k], own, layoutOf(o, x, k), PANEL, buffer, this.words, this.target),
    );
    return { buffer, base: spread(own, size), depth: k.size };
  }
  /** All memory is reserved: the functions that pack. */
  packAll(): void {
    for (const make of this.packs) this.pieces.push(make());
  }

  /** The scores of four keys as they go into the exponential, out of SCORE: scaled, masked, cut off. */
  score(): E {
    const { attrs, s } = this;
    const raw = accOf(SCORE, 'f32', 4);
    let x = m.mul(raw, splat(m.const(attrs.scale, 'f32')));
    const hidden = splat(m.const(Number.NEGATIVE_INFINITY, 'f32'));
    if (this.mask !== null) {
      const mask = splat(this.deps.widen(this.mask, s));
      x = mask.type === 'b' ? m.select(mask, x, hidden) : m.add(x, mask);
    }
    return this.cut ? m.select(this.inside(), x, hidden) : x;
  }
  /** Whether a vector may reach over the last key that a row sees. */
  get cut(): boolean {
    return this.attrs.causal || this.s.size % PANEL !== 0;
  }
  inside(): E {
    return m.lt(ramp(varOf(this.s)), splat(accOf(LIMIT, 'i32', 1)));
  }
  /** What dropout leaves of a vector. */
  dropped(x: E): E {
    if (this.keep === null) return x;
    const kept = m.mul(x, splat(m.const(this.attrs.kept!, 'f32')));
    return m.select(splat(this.deps.widen(this.keep, this.s)), kept, splat(m.const(0, 'f32')));
  }
  /** Remainders of the rows of blocks, along the queries, or along the keys that they see. */
  tails(along: 'queries' | 'keys'): number[] {
    const [T, S] = [this.t.size, this.s.size];
    const ends = along === 'queries' ? [T] : this.attrs.causal ? [S, Math.min(T, S)] : [S];
    return [...new Set(ends.map(n => n % TILE_ROWS))].filter(n => n > 0);
  }
}
export interface Packed {
  readonly buffer: number;
  /** Index of the first panel. */
  readonly base: Affine;
  /** Rows of a panel. */
  readonly depth: number;
}

/** The code of one function: where its blocks lie, and loops over the rows and keys of a block. */
export class Block {
  readonly em: Emitter;
  readonly products: BlockProducts;
  readonly a: Attention;
  /** First query, their number, where the keys that they see end. */
  readonly t0: number;
  readonly rows: number;
  readonly end: number;
  /** First key of the block, the number of keys, their panels. */
  readonly s0: number;
  readonly width: number;
  readonly panels: number;
  /** Whether there were keys before. */
  readonly later: number;

  constructor(a: Attention) {
    this.a = a;
    this.em = new Emitter(a.words, a.target);
    this.em.rowsOfAnyLength();
    this.products = new BlockProducts(this.em);
    [this.t0, this.rows, this.end, this.s0, this.width, this.panels, this.later] = Array.from(
      { length: 7 },
      () => this.em.local(I32),
    ) as [number, number, number, number, number, number, number];
  }

  /** A local with the address of working memory of task range `begin`, `each` tasks having `size` bytes. */
  region(buffer: number, each: number, size: number): number {
    const { em } = this;
    const l = em.local(I32);
    em.code.get(1);
    em.val(em.word(each));
    em.code.op('i32.div_u');
    em.val(em.word(size));
    em.code.op('i32.mul');
    em.val(em.pointer(buffer));
    em.code.op('i32.add').set(l);
    return l;
  }
  /** A local with `from` + bytes. */
  beside(from: number, bytes: number): number {
    const l = this.em.local(I32);
    this.em.code.get(from);
    this.em.val(this.em.int(bytes));
    this.em.code.op('i32.add').set(l);
    return l;
  }
  /** Notes how many queries there are from t0 on, and which keys they see. */
  setRows(): void {
    const { em, a } = this;
    this.smaller(() => em.code.i32(ROWS), this.t0, a.t.size, this.rows);
    if (!a.attrs.causal) {
      em.val(em.int(a.s.size));
      em.code.set(this.end);
      return;
    }
    const upto = em.local(I32);
    em.code.get(this.t0).get(this.rows).op('i32.add').set(upto);
    this.least(
      () => em.code.get(upto),
      () => em.val(em.int(a.s.size)),
      this.end,
    );
  }
  /** The blocks of keys that the queries see, one after the other. */
  eachBlock(body: () => void): void {
    const { em } = this;
    em.code.i32(0).set(this.s0);
    repeat(em, () => {
      em.code.get(this.s0).i32(0).op('i32.ne').set(this.later);
      const left = em.local(I32);
      em.code.get(this.end).get(this.s0).op('i32.sub').set(left);
      this.least(
        () => em.code.get(left),
        () => em.code.i32(COLUMNS),
        this.width,
      );
      em.code
        .get(this.width)
        .i32(PANEL - 1)
        .op('i32.add')
        .i32(3)
        .op('i32.shr_u')
        .set(this.panels);
      body();
      em.code.get(this.s0).i32(COLUMNS).op('i32.add').tee(this.s0).get(this.end).op('i32.lt_u');
    });
  }
  /** l = min(most, size − from) */
  private smaller(most: () => void, from: number, size: number, l: number): void {
    const { em } = this;
    const left = em.local(I32);
    em.val(em.int(size));
    em.code.get(from).op('i32.sub').set(left);
    this.least(most, () => em.code.get(left), l);
  }
  private least(x: () => void, y: () => void, l: number): void {
    x();
    y();
    x();
    y();
    this.em.code.op('i32.lt_u').op('select').set(l);
  }

  /** A source that is read as it lies, from query t0 on, as the left operand. */
  left(i: number, along: LoopVar): { at: number; row: Step; k: Step } {
    const { em, a } = this;
    const o = a.operand(i);
    em.bindVar(a.t, this.t0);
    const at = em.local(I32);
    em.val(em.addressOf(o.buffer, without(o.at, along), 4));
    em.code.set(at);
    const k = coefficient(o.at, along);
    return {
      at,
      row: em.int(coefficient(o.at, a.t) * 4),
      k: k === 1 || along.size === 1 ? 4 : em.int(k * 4),
    };
  }
  /** Packed panels from a row on (a local), or from the panel of a column on. */
  right(p: Packed, from: { row: number } | { column: number } | null): { at: number; panel: Step } {
    const { em } = this;
    const at = em.local(I32);
    em.val(em.addressOf(p.buffer, p.base, 4));
    if (from !== null && 'row' in from)
      em.code
        .get(from.row)
        .i32(4 * PANEL)
        .op('i32.mul')
        .op('i32.add');
    if (from !== null && 'column' in from) {
      // Columns are whole panels of `depth` rows.
      em.code.get(from.column);
      em.val(em.int(p.depth * 4));
      em.code.op('i32.mul').op('i32.add');
    }
    em.code.set(at);
    return { at, panel: em.int(p.depth * PANEL * 4) };
  }
  /** The number of panels of a head dim, as a local. */
  count(size: number): number {
    const l = this.em.local(I32);
    this.em.val(this.em.word(size));
    this.em.code.set(l);
    return l;
  }

  /** Runs over the queries of the block: `body` gets a local that counts them; t is bound, LIMIT is where its keys end. */
  eachRow(body: (r: number) => void): void {
    const { em, a } = this;
    const [r, t, limit] = [em.local(I32), em.local(I32), em.local(I32)];
    em.code.i32(0).set(r);
    repeat(em, () => {
      em.code.get(this.t0).get(r).op('i32.add').set(t);
      em.bindVar(a.t, t);
      if (a.attrs.causal)
        this.least(
          () => em.code.get(t).i32(1).op('i32.add'),
          () => em.val(em.int(a.s.size)),
          limit,
        );
      else {
        em.val(em.int(a.s.size));
        em.code.set(limit);
      }
      em.bindAcc(LIMIT, limit);
      body(r);
      em.code.get(r).i32(1).op('i32.add').tee(r).get(this.rows).op('i32.lt_u');
    });
  }
  /** Runs over the vectors of the block's keys: `at` are locals that point to them and move along; s is bound. */
  eachVector(at: readonly number[], body: () => void): void {
    const { em, a } = this;
    const [s, stop] = [em.local(I32), em.local(I32)];
    em.code.get(this.s0).set(s);
    em.code.get(this.panels).i32(PANEL).op('i32.mul').get(this.s0).op('i32.add').set(stop);
    repeat(em, () => {
      em.bindVar(a.s, s);
      body();
      for (const l of at) move(em, l, 16);
      em.code.get(s).i32(4).op('i32.add').tee(s).get(stop).op('i32.lt_u');
    });
  }
  /** Loads a vector and binds it as an accumulator; returns its local. */
  vector(id: number, at: number): number {
    const l = this.em.local(V128);
    this.em.code.get(at).mem('v128.load').set(l);
    this.em.bindAcc(id, l);
    return l;
  }
  /** Leaves the value of an expression in a local. */
  keep(e: E, type: typeof V128 | typeof F32 = V128): number {
    const { em } = this;
    em.countUses([e]);
    em.val(e);
    const l = em.local(type);
    em.code.set(l);
    return l;
  }
  /** The lanes of a local folded into one number on the stack. */
  fold(l: number, op: 'f32.add' | 'f32.max'): void {
    const c = this.em.code;
    for (let i = 0; i < 4; i++) {
      c.get(l).lane('f32x4.extract_lane', i);
      if (i > 0) c.op(op);
    }
  }
  /** A local with `from` + r · step. */
  rowOf(from: number, r: number, step: Step): number {
    const l = this.em.local(I32);
    this.em.code.get(r);
    push(this.em, step);
    this.em.code.op('i32.mul').get(from).op('i32.add').set(l);
    return l;
  }
  /** Runs over the vectors of a row of `panels` panels: `at` are pointers that move along. */
  eachPart(panels: number, at: readonly number[], body: () => void): void {
    const { em } = this;
    const n = em.local(I32);
    em.code.get(panels).i32(1).op('i32.shl').set(n);
    repeat(em, () => {
      body();
      for (const l of at) move(em, l, 16);
      em.code.get(n).i32(1).op('i32.sub').tee(n);
    });
  }
  /** Writes a row of `size` numbers, at `from`, times a vector where there is one. */
  writeRow(from: number, to: number, size: number, factor: number | null): void {
    const { em } = this;
    const put = (last: number): void => {
      const c = em.code;
      const x = em.local(V128);
      c.get(from).mem('v128.load');
      if (factor !== null) c.get(factor).op('f32x4.mul');
      c.set(x);
      if (last === 0) c.get(to).get(x).mem('v128.store');
      else
        for (let i = 0; i < last; i++)
          c.get(to)
            .get(x)
            .laneMem('v128.store32_lane', i, 4 * i);
    };
    if (size >= 4) {
      const n = em.local(I32);
      em.val(em.word(size >> 2));
      em.code.set(n);
      repeat(em, () => {
        put(0);
        move(em, from, 16);
        move(em, to, 16);
        em.code.get(n).i32(1).op('i32.sub').tee(n);
      });
    }
    if (size % 4 > 0) put(size % 4);
  }
  /** A local with the address of a result at the loops that are bound, `along` being 0. */
  result(o: GemmOperand, along: LoopVar): number {
    const l = this.em.local(I32);
    this.em.val(this.em.addressOf(o.buffer, without(o.at, along), 4));
    this.em.code.set(l);
    return l;
  }
}

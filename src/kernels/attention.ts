// Attention by blocks: scores of some queries and some keys at a time, in memory that stays in the cache; a running maximum
// and sum per row (online softmax). The gradient computes the scores anew. Dao et al. 2022 (arXiv 2205.14135).
// In: the call of an attention kernel. Out: functions and tasks. Letters as in ir/ops/attention.ts.

import { expFlushed } from '../codegen/math.ts';
import { Emitter } from '../codegen/wasm.ts';
import { F32, I32, V128 } from '../codegen/wasm-asm.ts';
import type { Target } from '../codegen/wasm-target.ts';
import { Dependence } from '../codegen/widen.ts';
import { type AttentionAttrs, attentionGradKernel, attentionKernel } from '../ir/ops/attention.ts';
import type { Affine, E, LoadData, LoopVar } from '../ir/scalar.ts';
import { accOf, m, ramp, splat, varOf, withExprs } from '../ir/scalar.ts';
import type { GemmOperand, OwnKernelCall } from '../schedule/kernel.ts';
import { BlockProducts, move, PANEL, push, repeat, type Step, TILE_ROWS, when } from './block-product.ts';
import { spread } from './gemm.ts';
import { bindBatch, closeTaskLoop, coefficient, finish, layoutOf, packPiece, without } from './gemm-pack.ts';
import { provideCode } from './own.ts';
import { cutRange, type Piece, type Pieces } from './pieces.ts';

/** Queries of a block: few, so that causal attention skips most of what it may. */
const ROWS = 4 * TILE_ROWS;
/** Keys of a block: a multiple of ROWS, so that a block begins where the queries before it end. */
const COLUMNS = 4 * ROWS;
const ROW_BYTES = 4 * COLUMNS;
const BLOCK_BYTES = ROWS * ROW_BYTES;
/** Tasks of the gradient: each has memory for the sums of all keys of a head. */
const GRADIENT_TASKS = 16;
/** Nanoseconds of a multiply-add, and of what is done with one score, about: for cutting into tasks only. */
const NS_PER_MAC = 2 / 45;
const NS_PER_SCORE = 2;

/** Places for vectors and numbers of a row, bound to locals. */
const [SCORE, OTHER, TOP, LIMIT, LSE, DELTA] = [1, 2, 3, 4, 5, 6].map(i => (1 << 25) + i) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

const panelsOf = (size: number): number => Math.ceil(size / PANEL);

/** What both directions share: the loops, packed operands, blocks of scores, masks. */
class Attention {
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
interface Packed {
  readonly buffer: number;
  /** Index of the first panel. */
  readonly base: Affine;
  /** Rows of a panel. */
  readonly depth: number;
}

/** The code of one function: where its blocks lie, and loops over the rows and keys of a block. */
class Block {
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

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64 + 64;

function forward(call: OwnKernelCall, target: Target): Pieces {
  const a = new Attention(call, target, 3);
  const { b, h, g, t, s, d, e } = a;
  const [out, logs] = [call.outputs[0] ?? null, call.outputs[1] ?? null];
  const keys = a.pack(1, s, d, [b, h]);
  const values = out === null ? null : a.pack(2, e, s, [b, h]);
  const blocks = Math.ceil(t.size / ROWS);
  const batch = [b, h, g].filter(v => v.size > 1);
  const range = batch.reduce((p, v) => p * v.size, 1) * blocks;
  const scores = (range / blocks) * t.size * s.size * (a.attrs.causal ? 0.5 : 1);
  const ns = scores * ((d.size + e.size) * NS_PER_MAC + NS_PER_SCORE);
  const tasks = cutRange(range, ns, 1);
  // Scores, sums of values, and per row its maximum and sum.
  const sumBytes = panelsOf(e.size) * PANEL * 4;
  const size = aligned(BLOCK_BYTES + ROWS * (sumBytes + 8));
  const memory = a.reserve(tasks.length * size);
  a.packAll();

  const k = new Block(a);
  const { em } = k;
  const score = k.region(memory, tasks[0]![1], size);
  const states = k.beside(score, BLOCK_BYTES);
  const sums = k.beside(states, ROWS * 8);
  const [depth, parts] = [k.count(d.size), k.count(panelsOf(e.size))];
  const task = em.local(I32);
  em.code.get(1).set(task);
  em.push();
  const rest = bindBatch(em, task, batch, em.word(blocks));
  em.code.get(rest).i32(ROWS).op('i32.mul').set(k.t0);
  k.setRows();
  const query = k.left(0, d);
  k.eachRow(r => {
    const state = k.rowOf(states, r, 8);
    em.code.get(state).f32(Number.NEGATIVE_INFINITY).mem('f32.store');
    em.code.get(state).f32(0).mem('f32.store', 4);
  });
  k.eachBlock(() => {
    k.products.emit({
      rows: k.rows,
      tails: a.tails('queries'),
      panels: k.panels,
      depth,
      a: query,
      b: k.right(keys, { column: k.s0 }),
      c: { at: score, row: ROW_BYTES },
      goOn: null,
    });
    k.eachRow(r => softmaxRow(k, r, score, states, out === null ? null : { sums, sumBytes, parts }));
    if (out === null) return;
    k.products.emit({
      rows: k.rows,
      tails: a.tails('queries'),
      panels: parts,
      depth: k.width,
      a: { at: score, row: ROW_BYTES, k: 4 },
      b: k.right(values!, { row: k.s0 }),
      c: { at: sums, row: em.int(sumBytes) },
      goOn: k.later,
    });
  });
  k.eachRow(r => {
    const state = k.rowOf(states, r, 8);
    const total = em.local(F32);
    em.code.get(state).mem('f32.load', 4).set(total);
    if (out !== null) {
      const share = em.local(V128);
      em.code.f32(1).get(total).op('f32.div').op('f32x4.splat').set(share);
      k.writeRow(k.rowOf(sums, r, em.int(sumBytes)), k.result(out, e), e.size, share);
    }
    if (logs !== null) {
      const to = k.result(logs, e);
      em.bindAcc(LSE, total);
      const log = k.keep(m.log(accOf(LSE, 'f32', 1)), F32);
      em.code.get(to).get(state).mem('f32.load').get(log).op('f32.add').mem('f32.store');
    }
  });
  closeTaskLoop(em, task, 2);
  a.pieces.push({ emitted: finish(em), tasks, ns });
  return { pieces: a.pieces, scratch: a.scratch };
}

/** Scores of a row become weights relative to the row's maximum so far; what was summed before is brought to it. */
function softmaxRow(
  k: Block,
  r: number,
  score: number,
  states: number,
  sums: { readonly sums: number; readonly sumBytes: number; readonly parts: number } | null,
): void {
  const { em, a } = k;
  const state = k.rowOf(states, r, 8);
  const row = k.rowOf(score, r, ROW_BYTES);
  const at = em.local(I32);
  // A mask may be costly: its scores are kept.
  const masked = a.mask !== null;
  const top = em.local(V128);
  em.code.f32(Number.NEGATIVE_INFINITY).op('f32x4.splat').set(top);
  em.code.get(row).set(at);
  k.eachVector([at], () => {
    k.vector(SCORE, at);
    const x = k.keep(a.score());
    if (masked) em.code.get(at).get(x).mem('v128.store');
    em.code.get(x).get(top).op('f32x4.max').set(top);
  });
  const [before, now] = [em.local(F32), em.local(F32)];
  em.code.get(state).mem('f32.load').set(before);
  k.fold(top, 'f32.max');
  em.code.get(before).op('f32.max').set(now);
  em.code.get(state).get(now).mem('f32.store');
  // A row that sees nothing yet has no maximum to subtract.
  em.code.f32(0).get(now).get(now).f32(Number.NEGATIVE_INFINITY).op('f32.eq').op('select').set(now);
  em.bindAcc(TOP, now);
  const total = em.local(V128);
  em.code.f32(0).op('f32x4.splat').set(total);
  em.code.get(row).set(at);
  k.eachVector([at], () => {
    k.vector(SCORE, at);
    const x = masked ? accOf(SCORE, 'f32', 4) : a.score();
    const p = k.keep(expFlushed(m.sub(x, splat(accOf(TOP, 'f32', 1)))));
    em.code.get(p).get(total).op('f32x4.add').set(total);
    em.bindAcc(OTHER, p);
    if (sums === null) return;
    const left = k.keep(a.dropped(accOf(OTHER, 'f32', 4)));
    em.code.get(at).get(left).mem('v128.store');
  });
  em.code.get(k.later);
  when(em, () => {
    em.bindAcc(LSE, before);
    const factor = k.keep(expFlushed(m.sub(splat(accOf(LSE, 'f32', 1)), splat(accOf(TOP, 'f32', 1)))));
    em.code.get(state).get(state).mem('f32.load', 4);
    em.code.get(factor).lane('f32x4.extract_lane', 0).op('f32.mul').mem('f32.store', 4);
    if (sums === null) return;
    const part = k.rowOf(sums.sums, r, em.int(sums.sumBytes));
    k.eachPart(sums.parts, [part], () => {
      em.code.get(part).get(part).mem('v128.load').get(factor).op('f32x4.mul').mem('v128.store');
    });
  });
  em.code.get(state).get(state).mem('f32.load', 4);
  k.fold(total, 'f32.add');
  em.code.op('f32.add').mem('f32.store', 4);
}

function gradient(call: OwnKernelCall, target: Target): Pieces {
  const a = new Attention(call, target, 6);
  const { b, h, g, t, s, d, e } = a;
  const [dq, dk, dv] = [0, 1, 2].map(i => call.outputs[i] ?? null);
  const ofScores = dq != null || dk != null;
  const keys = a.pack(1, s, d, [b, h]);
  const values = ofScores ? a.pack(2, s, e, [b, h]) : null;
  const keyRows = dq == null ? null : a.pack(1, d, s, [b, h]);
  const queryRows = dk == null ? null : a.pack(0, d, t, [b, h, g]);
  const gradRows = dv == null ? null : a.pack(5, e, t, [b, h, g]);
  // A task has all queries of some keys: sums over queries stay in one place.
  const batch = [b, h].filter(v => v.size > 1);
  const range = batch.reduce((p, v) => p * v.size, 1);
  const scores = range * g.size * t.size * s.size * (a.attrs.causal ? 0.5 : 1);
  const ns = scores * (2.5 * (d.size + e.size) * NS_PER_MAC + NS_PER_SCORE);
  const tasks = cutRange(range, ns, 1, GRADIENT_TASKS);
  const [bytesD, bytesE] = [d, e].map(v => panelsOf(v.size) * PANEL * 4) as [number, number];
  const sizes = [BLOCK_BYTES, BLOCK_BYTES, ROWS * bytesD, s.size * bytesD, s.size * bytesE].map(aligned);
  const size = sizes.reduce((x, y) => x + y, 0);
  const memory = a.reserve(tasks.length * size);
  a.packAll();

  const k = new Block(a);
  const { em } = k;
  const weight = k.region(memory, tasks[0]![1], size);
  const dScore = k.beside(weight, sizes[0]!);
  const sumQ = k.beside(dScore, sizes[1]!);
  const sumK = k.beside(sumQ, sizes[2]!);
  const sumV = k.beside(sumK, sizes[3]!);
  const [depthD, depthE] = [k.count(d.size), k.count(e.size)];
  const [partsD, partsE] = [k.count(panelsOf(d.size)), k.count(panelsOf(e.size))];
  const task = em.local(I32);
  em.code.get(1).set(task);
  em.push();
  bindBatch(em, task, batch, em.word(1));
  for (const [sum, parts, wanted] of [
    [sumK, partsD, dk],
    [sumV, partsE, dv],
  ] as const) {
    if (wanted == null) continue;
    const [at, n] = [em.local(I32), em.local(I32)];
    em.code.get(sum).set(at).get(parts);
    em.val(em.int(s.size));
    em.code.op('i32.mul').set(n);
    k.eachPart(n, [at], () => {
      em.code.get(at).f32(0).op('f32x4.splat').mem('v128.store');
    });
  }
  const group = em.local(I32);
  em.code.i32(0).set(group);
  repeat(em, () => {
    em.bindVar(g, group);
    em.code.i32(0).set(k.t0);
    repeat(em, () => {
      k.setRows();
      const [query, grad] = [k.left(0, d), k.left(5, e)];
      k.eachBlock(() => {
        const block = { rows: k.rows, tails: a.tails('queries'), goOn: null };
        const toBlock = (at: number) => ({ c: { at, row: ROW_BYTES }, panels: k.panels });
        k.products.emit({
          ...block,
          ...toBlock(weight),
          depth: depthD,
          a: query,
          b: k.right(keys, { column: k.s0 }),
        });
        if (values !== null)
          k.products.emit({
            ...block,
            ...toBlock(dScore),
            depth: depthE,
            a: grad,
            b: k.right(values, { column: k.s0 }),
          });
        k.eachRow(r => gradientRow(k, r, weight, values === null ? null : dScore));
        if (keyRows !== null)
          k.products.emit({
            ...block,
            panels: partsD,
            depth: k.width,
            a: { at: dScore, row: ROW_BYTES, k: 4 },
            b: k.right(keyRows, { row: k.s0 }),
            c: { at: sumQ, row: em.int(bytesD) },
            goOn: k.later,
          });
        // Sums over the queries, for the keys of the block.
        const one = em.local(I32);
        em.code.i32(1).set(one);
        const overQueries = (from: number, p: Packed, to: number, bytes: number, panels: number): void => {
          k.products.emit({
            rows: k.width,
            tails: a.tails('keys'),
            panels,
            depth: k.rows,
            a: { at: from, row: 4, k: ROW_BYTES },
            b: k.right(p, { row: k.t0 }),
            c: { at: k.rowOf(to, k.s0, em.int(bytes)), row: em.int(bytes) },
            goOn: one,
          });
        };
        if (queryRows !== null) overQueries(dScore, queryRows, sumK, bytesD, partsD);
        if (gradRows !== null) overQueries(weight, gradRows, sumV, bytesE, partsE);
      });
      if (dq != null)
        k.eachRow(r => {
          k.writeRow(k.rowOf(sumQ, r, em.int(bytesD)), k.result(dq, d), d.size, null);
        });
      em.code.get(k.t0).i32(ROWS).op('i32.add').tee(k.t0);
      em.val(em.int(t.size));
      em.code.op('i32.lt_u');
    });
    em.code.get(group).i32(1).op('i32.add').tee(group);
    em.val(em.int(g.size));
    em.code.op('i32.lt_u');
  });
  const key = em.local(I32);
  em.code.i32(0).set(key);
  repeat(em, () => {
    em.bindVar(s, key);
    if (dk != null) k.writeRow(k.rowOf(sumK, key, em.int(bytesD)), k.result(dk, d), d.size, null);
    if (dv != null) k.writeRow(k.rowOf(sumV, key, em.int(bytesE)), k.result(dv, e), e.size, null);
    em.code.get(key).i32(1).op('i32.add').tee(key);
    em.val(em.int(s.size));
    em.code.op('i32.lt_u');
  });
  closeTaskLoop(em, task, 2);
  a.pieces.push({ emitted: finish(em), tasks, ns });
  return { pieces: a.pieces, scratch: a.scratch };
}

/** Scores of a row become weights; gradients of weights become gradients of scores: p (dp − Σ g · out) · scale. */
function gradientRow(k: Block, r: number, weight: number, dScore: number | null): void {
  const { em, a } = k;
  const [lse, delta] = [3, 4].map(i => k.keep(a.call.inputs[i]!, F32)) as [number, number];
  em.bindAcc(LSE, lse);
  em.bindAcc(DELTA, delta);
  const w = k.rowOf(weight, r, ROW_BYTES);
  const ds = dScore === null ? null : k.rowOf(dScore, r, ROW_BYTES);
  const zero = splat(m.const(0, 'f32'));
  k.eachVector(ds === null ? [w] : [w, ds], () => {
    k.vector(SCORE, w);
    const p = k.keep(expFlushed(m.sub(a.score(), splat(accOf(LSE, 'f32', 1)))));
    em.bindAcc(OTHER, p);
    const kept = k.keep(a.dropped(accOf(OTHER, 'f32', 4)));
    em.code.get(w).get(kept).mem('v128.store');
    if (ds === null) return;
    k.vector(SCORE, ds);
    const dp = m.sub(a.dropped(accOf(SCORE, 'f32', 4)), splat(accOf(DELTA, 'f32', 1)));
    const d = m.mul(m.mul(accOf(OTHER, 'f32', 4), dp), splat(m.const(a.attrs.scale, 'f32')));
    const x = k.keep(a.cut ? m.select(a.inside(), d, zero) : d);
    em.code.get(ds).get(x).mem('v128.store');
  });
}

provideCode(attentionKernel, (k, target) => withExprs(() => forward(k, target), k.exprs));
provideCode(attentionGradKernel, (k, target) => withExprs(() => gradient(k, target), k.exprs));

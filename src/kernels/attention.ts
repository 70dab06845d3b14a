// Attention by blocks: scores of some queries and some keys at a time, in memory that stays in the cache; a running maximum
// and sum per row (online softmax). The gradient computes the scores anew. Dao et al. 2022 (arXiv 2205.14135).
// In: the call of an attention kernel. Out: functions and tasks. Not its job: blocks and rows (attention-block.ts).
// Letters as in ir/ops/attention.ts.

import { expFlushed } from '../codegen/math.ts';
import { F32, I32, V128 } from '../codegen/wasm-asm.ts';
import type { Target } from '../codegen/wasm-target.ts';
import { attentionGradKernel, attentionKernel } from '../ir/ops/attention.ts';
import { accOf, m, splat, withExprs } from '../ir/scalar.ts';
import type { OwnKernelCall } from '../schedule/kernel.ts';
import {
  Attention,
  BLOCK_BYTES,
  Block,
  DELTA,
  LSE,
  OTHER,
  type Packed,
  panelsOf,
  ROW_BYTES,
  ROWS,
  SCORE,
  TOP,
} from './attention-block.ts';
import { PANEL, repeat, when } from './block-product.ts';
import { bindBatch, closeTaskLoop, finish } from './gemm-pack.ts';
import { provideCode } from './own.ts';
import { cutRange, type Pieces } from './pieces.ts';

/** Tasks of the gradient: each has memory for the sums of all keys of a head. */
const GRADIENT_TASKS = 16;
/** Nanoseconds of a multiply-add, and of what is done with one score, about: for cutting into tasks only. */
const NS_PER_MAC = 2 / 45;
const NS_PER_SCORE = 2;

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

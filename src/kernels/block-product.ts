// Products of small blocks inside of a larger kernel: register tiles over one packed operand, sums that start anew or go on.
// In: where the blocks lie. Out: code. Not its job: packing (gemm-pack.ts), whole matrix products (gemm-tile.ts).

import type { Emitter } from '../codegen/wasm.ts';
import { I32, V128 } from '../codegen/wasm-asm.ts';
import type { E } from '../ir/scalar.ts';

/** Rows of a tile, and vectors of its columns: with a row of B and a value of A they fill the 15 registers that V8 gives. */
export const TILE_ROWS = 6;
const TILE_VECTORS = 2;
/** Columns of a panel of B: rows of eight lie one after the other. */
export const PANEL = 4 * TILE_VECTORS;
const UNROLL = 4;
const ZERO = new Uint8Array(16);

/** Bytes from one element to the next: burned in, or a value. */
export type Step = number | E;
/** C (+)= A · B. Pointers and counts are locals. */
export interface BlockProduct {
  readonly rows: number;
  /** What may be left of the rows behind the last whole tile. */
  readonly tails: readonly number[];
  /** Panels of columns. */
  readonly panels: number;
  readonly depth: number;
  readonly a: { readonly at: number; readonly row: Step; readonly k: Step };
  readonly b: { readonly at: number; readonly panel: Step };
  readonly c: { readonly at: number; readonly row: Step };
  /** A local that says whether the sums in C go on; null where they start anew. */
  readonly goOn: number | null;
}

/** do { body } while (what body leaves on the stack). */
export function repeat(em: Emitter, body: () => void): void {
  em.push();
  body();
  em.code.brIf(0);
  const bytes = em.pop();
  em.code.loop();
  em.code.out.append(bytes);
  em.code.end();
}
/** if (what is on the stack) { body }. */
export function when(em: Emitter, body: () => void): void {
  em.push();
  body();
  const bytes = em.pop();
  em.code.if();
  em.code.out.append(bytes);
  em.code.end();
}
export function push(em: Emitter, step: Step): void {
  if (typeof step === 'number') em.code.i32(step);
  else em.val(step);
}
/** l += step */
export function move(em: Emitter, l: number, step: Step): void {
  em.code.get(l);
  push(em, step);
  em.code.op('i32.add').set(l);
}

export class BlockProducts {
  private readonly em: Emitter;
  private readonly sums: readonly number[];
  private readonly row: readonly number[];
  private readonly value: number;

  constructor(em: Emitter) {
    this.em = em;
    this.sums = Array.from({ length: TILE_ROWS * TILE_VECTORS }, () => em.local(V128));
    this.row = Array.from({ length: TILE_VECTORS }, () => em.local(V128));
    this.value = em.local(V128);
  }

  emit(p: BlockProduct): void {
    const { em } = this;
    const [j, b, c] = [em.local(I32), em.local(I32), em.local(I32)];
    em.code.get(p.panels).set(j).get(p.b.at).set(b).get(p.c.at).set(c);
    repeat(em, () => {
      const [i, a, to] = [em.local(I32), em.local(I32), em.local(I32)];
      em.code.get(p.rows).set(i).get(p.a.at).set(a).get(c).set(to);
      const down = (rows: number): void => {
        this.tile(p, rows, a, b, to);
        for (const [l, step] of [
          [a, p.a.row],
          [to, p.c.row],
        ] as const) {
          em.code.get(l);
          push(em, step);
          em.code.i32(rows).op('i32.mul').op('i32.add').set(l);
        }
        em.code.get(i).i32(rows).op('i32.sub').tee(i);
      };
      em.code.get(i).i32(TILE_ROWS).op('i32.ge_u');
      when(em, () => {
        repeat(em, () => {
          down(TILE_ROWS);
          em.code.i32(TILE_ROWS).op('i32.ge_u');
        });
      });
      for (const rows of p.tails) {
        em.code.get(i).i32(rows).op('i32.eq');
        when(em, () => {
          down(rows);
          em.code.set(i);
        });
      }
      move(em, b, p.b.panel);
      move(em, c, 4 * PANEL);
      em.code.get(j).i32(1).op('i32.sub').tee(j);
    });
  }

  /** Calls back with a pointer and an offset for each of `n` rows. */
  private each(at: number, step: Step, n: number, f: (l: number, offset: number, r: number) => void): void {
    if (typeof step === 'number') {
      for (let r = 0; r < n; r++) f(at, r * step, r);
      return;
    }
    const l = this.em.local(I32);
    this.em.code.get(at).set(l);
    for (let r = 0; r < n; r++) {
      if (r > 0) move(this.em, l, step);
      f(l, 0, r);
    }
  }

  private tile(p: BlockProduct, rows: number, a: number, b: number, to: number): void {
    const { em } = this;
    const c = em.code;
    const sum = (r: number, v: number): number => this.sums[r * TILE_VECTORS + v]!;
    const clear = (): void => {
      for (let i = 0; i < rows * TILE_VECTORS; i++) em.code.v128(ZERO).set(this.sums[i]!);
    };
    if (p.goOn === null) clear();
    else {
      c.get(p.goOn).if();
      this.each(to, p.c.row, rows, (l, offset, r) => {
        for (let v = 0; v < TILE_VECTORS; v++)
          c.get(l)
            .mem('v128.load', offset + 16 * v)
            .set(sum(r, v));
      });
      c.else();
      clear();
      c.end();
    }
    // Rows at a distance that is not known here have a pointer each.
    const pointers: number[] = [];
    const offsets: number[] = [];
    this.each(a, p.a.row, rows, (l, offset) => {
      if (pointers.length === 0 || typeof p.a.row !== 'number') {
        const own = em.local(I32);
        c.get(l).set(own);
        pointers.push(own);
      }
      offsets.push(offset);
    });
    const [pb, n] = [em.local(I32), em.local(I32)];
    c.get(b).set(pb);
    const steps = (count: number): void => {
      for (let u = 0; u < count; u++) {
        const near = typeof p.a.k === 'number' ? u * p.a.k : 0;
        for (let v = 0; v < TILE_VECTORS; v++)
          em.code
            .get(pb)
            .mem('v128.load', 4 * PANEL * u + 16 * v)
            .set(this.row[v]!);
        for (let r = 0; r < rows; r++) {
          em.code
            .get(pointers[pointers.length === 1 ? 0 : r]!)
            .mem('v128.load32_splat', near + offsets[r]!)
            .set(this.value);
          for (let v = 0; v < TILE_VECTORS; v++) {
            const s = sum(r, v);
            if (em.fma) em.code.get(this.value).get(this.row[v]!).get(s).op('f32x4.relaxed_madd').set(s);
            else em.code.get(this.value).get(this.row[v]!).op('f32x4.mul').get(s).op('f32x4.add').set(s);
          }
        }
        if (typeof p.a.k !== 'number') for (const l of pointers) move(em, l, p.a.k);
      }
      if (typeof p.a.k === 'number') for (const l of pointers) move(em, l, count * p.a.k);
      move(em, pb, count * 4 * PANEL);
      em.code.get(n).i32(1).op('i32.sub').tee(n);
    };
    for (const [count, shift] of [
      [UNROLL, true],
      [1, false],
    ] as const) {
      c.get(p.depth).i32(shift ? 2 : UNROLL - 1);
      c.op(shift ? 'i32.shr_u' : 'i32.and').tee(n);
      when(em, () => repeat(em, () => steps(count)));
    }
    this.each(to, p.c.row, rows, (l, offset, r) => {
      for (let v = 0; v < TILE_VECTORS; v++)
        c.get(l)
          .get(sum(r, v))
          .mem('v128.store', offset + 16 * v);
    });
  }
}

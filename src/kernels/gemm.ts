// Matrix products: register tiles over panels, packed where memory order asks for it, any tail, any epilogue.
// In: a GemmKernel. Out: functions and tasks. Blocking (BLIS letters): MR × NR registers, panels of NR columns stay in
// L1 while MT rows of A pass from L2. Measured figures are in bench/results.

import type { DType } from '../base/dtype.ts';
import type { Target } from '../codegen/wasm-target.ts';
import type { Affine, LoopVar } from '../ir/scalar.ts';
import { addScaled, asAffine, constAffine, varOf, withExprs } from '../ir/scalar.ts';
import type { GemmKernel, GemmOperand } from '../schedule/kernel.ts';
import { joinLoops, type Product } from './gemm-loops.ts';
import { coefficient, type Layout, layoutOf, packPiece, without } from './gemm-pack.ts';
import { type Access, GemmEmitter, type Level, type TilePlan } from './gemm-tile.ts';
import { cutRange, type Piece, type Pieces } from './pieces.ts';

/** Products smaller than this are loops: fused with what is around them they cost less. */
export function gemmLimit(M: number, N: number, K: number, dtype: DType): boolean {
  return dtype === 'float32' && K >= 8 && N >= 4 && M >= 4 && M * N * K >= 8192;
}

/** GFLOP/s of one thread, for cutting into tasks only. */
const RATE = 45;
/** Columns are packed when this many bytes of B would be read across rows that are far apart. */
const PACK_B_FROM = 96 * 1024;
const PACK_A_FROM = 96 * 1024;
/** Rows further apart than this many elements meet in few sets of the caches; many rows of A pay for packing them. */
const APART = 256;
/** Rows further apart than this take half a page and more each: few rows of A pay for packing them. */
const PAGES_APART = 512;
/** Rows of A whose sums are several loops jump more often: nearer ones are packed, too. */
const FAR = 128;
/** Operands from this size on, and rows up to which B is read as it lies; from there on packing pays for itself. */
const BLOCK_FROM = 512 * 1024;
const BLOCK_ROWS = 96;
/** Rows of A per tile then: their sums share the cache. */
const BLOCK_TILE = 12;
/** Bytes of A that a tile keeps in L2. */
const L2_BYTES = 320 * 1024;

/** Tile shapes by the number of columns: sums, a row of B and a value of A fit the 15 vector registers that V8 gives. */
export function tileOf(N: number): { MR: number; NV: number } {
  const vectors = Math.ceil(N / 4);
  if (vectors === 1) return { MR: 8, NV: 1 };
  return vectors === 3 ? { MR: 3, NV: 3 } : { MR: 6, NV: 2 };
}

/** Sums shorter than this do not pay for results written column by column. */
const TURN_FROM_K = 128;
/**
 * The transposed product where that spares packing the larger operand: rows times a matrix stored [N, K], as a linear
 * layer has it, are that matrix, read as it lies, times few columns.
 */
function turned(g: Product): Product {
  if (g.k.length > 1 || g.rows !== null) return g;
  const [k] = g.k as [LoopVar];
  const pays = g.j.size > g.i.size && k.size >= TURN_FROM_K && layoutOf(g.b, g.j, k).kind === 'k';
  return pays ? { ...g, i: g.j, j: g.i, a: g.b, b: g.a } : g;
}

/** Products that something else computes; null for those that it leaves to us. */
export type NativeGemm = (g: Product, target: Target) => Pieces | null;

export function emitGemm(g: GemmKernel, target: Target, native: NativeGemm): Pieces {
  return withExprs(() => {
    const p = joinLoops(g);
    return native(p, target) ?? emitOwn(turned(p), target);
  }, g.exprs);
}
const count = (vars: readonly LoopVar[]): number => vars.reduce((p, v) => p * v.size, 1);
export const batchSize = (g: GemmKernel): number => count(g.batch);

function emitOwn(g: Product, target: Target): Pieces {
  const [M, N, K] = [g.i.size, g.j.size, count(g.k)];
  const batch = batchSize(g);
  const { MR, NV } = tileOf(N);
  const NR = NV * 4;
  const k = g.k[g.k.length - 1]!;
  const a = layoutOf(g.a, g.rows?.inner ?? g.i, k);
  const b = layoutOf(g.b, g.j, k);
  const bytesB = K * N * 4;
  const scattered = b.kind === 'x' && b.strideK > PAGES_APART;
  const inBlocks = scattered && bytesB >= BLOCK_FROM && M < BLOCK_ROWS && K % 4 === 0 && g.k.length === 1;
  const enough = M >= (scattered ? 4 * MR : BLOCK_ROWS);
  const packB = b.kind !== 'x' || (b.strideK > APART && !inBlocks && bytesB >= PACK_B_FROM && enough);
  // Rows in two loops are always neighbours along k.
  const packA =
    a.kind === 'none' ||
    (a.kind === 'x' && M * K * 4 >= PACK_A_FROM && N >= 4 * NR && a.strideK > (g.k.length > 1 ? FAR : APART));
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
  if (packB) {
    bufferB = g.buffers.length + scratch.length;
    scratch.push(count(ownB) * panelsB * K * NR * 4 + 64);
  }
  if (packA) {
    bufferA = g.buffers.length + scratch.length;
    scratch.push(count(ownA) * panelsA * K * MR * 4 + 64);
  }
  const wideN = panelsB * NR;
  const blocked = inBlocks && !packA && g.rows === null;
  if (blocked) scratch.push(batch * M * wideN * 4);
  const words = g.buffers.length + scratch.length;
  if (packB) pieces.push(packPiece(g.b, g.j, g.k, ownB, b, NR, bufferB, words, target));
  if (packA) pieces.push(packPiece(g.a, g.i, g.k, ownA, a, MR, bufferA, words, target));

  const rows = Math.max(MR, Math.floor(L2_BYTES / (K * 4) / MR) * MR);
  const plan: TilePlan = {
    MR,
    NV,
    MT: Math.min(Math.ceil(M / MR) * MR, rows),
    NT: Math.ceil(N / NR) * NR,
    native: null,
    blocked: blocked ? { c: { buffer: words - 1, base: spread(g.batch, M * wideN) }, ldc: wideN } : null,
    a: packA ? packed(bufferA, ownA, panelsA, K, MR) : rowsOf(g, a),
    b: packB ? packed(bufferB, ownB, panelsB, K, NR) : direct(g.b, b, [g.j, ...g.k]),
    levels: levelsOf(
      g.k,
      packA ? packedSteps(g.k, MR) : stepsOf(g.a, g.k),
      packB ? packedSteps(g.k, NR) : stepsOf(g.b, g.k),
    ),
  };
  if (blocked) plan.MT = Math.min(plan.MT, BLOCK_TILE);
  const ns = (2 * M * N * K * batch) / RATE;
  if (ns >= SHARED_FROM_NS)
    balance(plan, M, N, batch, Math.min(16, Math.max(ns < 20_000 ? 2 : 4, ns / 30_000)));
  pieces.push(tilePiece(g, plan, ns, words, target));
  return { pieces, scratch };
}
export function tilePiece(g: Product, plan: TilePlan, ns: number, words: number, target: Target): Piece {
  const tiles = batchSize(g) * Math.ceil(g.i.size / plan.MT) * Math.ceil(g.j.size / plan.NT);
  return { emitted: new GemmEmitter(g, plan, words, target).emit(), tasks: cutRange(tiles, ns, 1), ns };
}

/** Work below this stays one tile; above it there are tiles to share, more of them the longer it takes. */
export const SHARED_FROM_NS = 8_000;

/** Smaller tiles where there would be too few to share, as even as can be. Depends on the shape only. */
export function balance(p: TilePlan, M: number, N: number, batch: number, wanted: number): void {
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

const direct = (o: GemmOperand, l: Layout, loops: readonly LoopVar[]): Access => ({
  buffer: o.buffer,
  base: without(o.at, ...loops),
  group: l.strideX,
  strideX: l.strideX,
  turn: null,
});
/** The rows of A where they lie. */
function rowsOf(g: Product, l: Layout): Access {
  if (g.rows === null) return direct(g.a, l, [g.i, ...g.k]);
  const { outer, inner } = g.rows;
  const turn = { after: inner.size, by: coefficient(g.a.at, outer) - inner.size * l.strideX };
  return { ...direct(g.a, l, [outer, inner, ...g.k]), turn };
}
/** Both operands where they lie, with their sums. */
export const operandsOf = (g: Product): Pick<TilePlan, 'a' | 'b' | 'levels'> => {
  const k = g.k[g.k.length - 1]!;
  return {
    a: rowsOf(g, layoutOf(g.a, g.rows?.inner ?? g.i, k)),
    b: direct(g.b, layoutOf(g.b, g.j, k), [g.j, ...g.k]),
    levels: levelsOf(g.k, stepsOf(g.a, g.k), stepsOf(g.b, g.k)),
  };
};
const stepsOf = (o: GemmOperand, k: readonly LoopVar[]): number[] => k.map(v => coefficient(o.at, v));
/** Steps of the sums in panels of R rows. */
const packedSteps = (k: readonly LoopVar[], R: number): number[] =>
  k.map((_, i) => count(k.slice(i + 1)) * R);
/** The sums with their steps; those that follow each other in both operands are one. */
function levelsOf(k: readonly LoopVar[], a: readonly number[], b: readonly number[]): Level[] {
  const out: Level[] = [];
  for (let i = k.length - 1; i >= 0; i--) {
    const [inner] = out;
    const { size } = k[i]!;
    if (inner !== undefined && a[i] === inner.a * inner.size && b[i] === inner.b * inner.size)
      out[0] = { ...inner, size: size * inner.size };
    else out.unshift({ size, a: a[i]!, b: b[i]! });
  }
  return out;
}
function packed(buffer: number, own: readonly LoopVar[], panels: number, K: number, R: number): Access {
  // `group` counts per row: a panel of R rows takes K·R elements.
  return { buffer, base: spread(own, panels * K * R), group: K, strideX: 1, turn: null };
}
/** Index of what each combination of loops has `size` elements of, one after the other. */
export function spread(vars: readonly LoopVar[], size: number): Affine {
  let base = constAffine(0);
  let stride = size;
  for (let i = vars.length - 1; i >= 0; i--) {
    base = addScaled(base, asAffine(varOf(vars[i]!)), stride);
    stride *= vars[i]!.size;
  }
  return base;
}

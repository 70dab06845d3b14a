// Products by a native BLAS: it computes the sums of a tile, our epilogue does the rest.
// In: a product. Out: functions and tasks, or null where our own tiles are the better way. Not its job: finding the
// library (runtime/blas.node.ts), which is why pages do without this file.

import type { Emitter } from '../codegen/wasm.ts';
import { HOST_INDEX, type Target } from '../codegen/wasm-target.ts';
import type { Affine, LoopVar } from '../ir/scalar.ts';
import type { KernelStore } from '../schedule/kernel.ts';
import { balance, batchSize, operandsOf, SHARED_FROM_NS, spread, tileOf, tilePiece } from './gemm.ts';
import type { Product } from './gemm-loops.ts';
import { coefficient, type Layout, layoutOf, without } from './gemm-pack.ts';
import type { Bounds, NativePlan, Sums, TilePlan } from './gemm-tile.ts';
import type { Pieces } from './pieces.ts';

/** A call costs up to 2 µs, and tiles are packed anew in each. */
const NATIVE_FROM = 200_000;
/** Fewer rows or columns are as quick here, and libraries have shapes among them that take twice as long. */
const NATIVE_WIDTH = 16;
const NATIVE_RATE = 100;
const NATIVE_TILE_NS = 300_000;

/** How it would be called; null where it cannot, or where our own tiles are as quick. */
function planOf(g: Product): NativePlan | null {
  if (g.k.length > 1 || g.rows !== null) return null;
  const [k] = g.k as [LoopVar];
  const [M, N, K] = [g.i.size, g.j.size, k.size];
  const a = layoutOf(g.a, g.i, k);
  const b = layoutOf(g.b, g.j, k);
  if (M * N * K < NATIVE_FROM || Math.min(M, N) < NATIVE_WIDTH) return null;
  if (a.kind === 'none' || b.kind === 'none') return null;
  const ta = a.kind === 'x' ? 1 : 0;
  const tb = b.kind === 'k' ? 1 : 0;
  const lda = ta ? a.strideK : a.strideX;
  const ldb = tb ? b.strideX : b.strideK;
  if (lda < (ta ? M : K) || ldb < (tb ? K : N)) return null;
  const [s] = g.stores as [KernelStore];
  const ldc = coefficient(s.at, g.i);
  const plain = g.stores.length === 1 && s.value === g.acc && s.dtype === 'float32';
  const inPlace = plain && coefficient(s.at, g.j) === 1 && ldc >= N;
  const sums: Sums = inPlace
    ? { c: { buffer: s.buffer, base: without(s.at, g.i, g.j) }, ldc }
    : { c: { buffer: g.buffers.length, base: spread(g.batch, M * N) }, ldc: N };
  return {
    ...sums,
    epilogue: !inPlace,
    call: (em, at) => call(em, g, { ta, tb, lda, ldb, ...sums }, a, b, at),
  };
}
export function nativeGemm(g: Product, target: Target): Pieces | null {
  const native = planOf(g);
  if (native === null) return null;
  const batch = batchSize(g);
  const [M, N] = [g.i.size, g.j.size];
  const { MR, NV } = tileOf(N);
  const plan: TilePlan = {
    MR,
    NV,
    MT: Math.ceil(M / MR) * MR,
    NT: Math.ceil(N / (4 * NV)) * 4 * NV,
    native,
    blocked: null,
    ...operandsOf(g),
  };
  const ns = (2 * M * N * g.k[0]!.size * batch) / NATIVE_RATE;
  // A tile packs what it reads: few of them, but enough to share.
  if (ns >= 2 * SHARED_FROM_NS) balance(plan, M, N, batch, Math.min(16, Math.max(2, ns / NATIVE_TILE_NS)));
  const scratch = native.epilogue ? [batch * M * N * 4 + 64] : [];
  return {
    pieces: [tilePiece(g, plan, ns, g.buffers.length + scratch.length, target)],
    scratch,
  };
}

interface Call extends Sums {
  readonly ta: 0 | 1;
  readonly tb: 0 | 1;
  readonly lda: number;
  readonly ldb: number;
}
/** Calls sgemm for one tile. */
function call(em: Emitter, g: Product, n: Call, a: Layout, b: Layout, [i0, i1, j0, j1]: Bounds): void {
  const c = em.code;
  /** The address of an element in row (column) `x` of an operand, `stride` elements apart. */
  const address = (o: { buffer: number; base: Affine }, x: number, stride: number): void => {
    em.val(em.addressOf(o.buffer, o.base, 4));
    c.get(x);
    em.val(em.int(stride * 4));
    c.op('i32.mul').op('i32.add');
  };
  c.i32(n.ta).i32(n.tb);
  c.get(i1).get(i0).op('i32.sub').get(j1).get(j0).op('i32.sub');
  const [k] = g.k as [LoopVar];
  em.val(em.int(k.size));
  address({ buffer: g.a.buffer, base: without(g.a.at, g.i, k) }, i0, a.strideX);
  em.val(em.int(n.lda));
  address({ buffer: g.b.buffer, base: without(g.b.at, g.j, k) }, j0, b.strideX);
  em.val(em.int(n.ldb));
  address(n.c, i0, n.ldc);
  c.get(j0).i32(2).op('i32.shl').op('i32.add');
  em.val(em.int(n.ldc));
  c.call(HOST_INDEX.get('sgemm')!);
}

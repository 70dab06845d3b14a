// Tensors of drawn shapes, strides and dtypes through families of ops: cpu computes what the reference computes, or both
// refuse. A failure prints its seed and, after shrinking, the smallest case. TENON_PROPERTY_SEED repeats a run; CI draws
// the same cases each time.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '../../src/runtime/reference.ts';
import { cat, range, type Tensor, tensor, where } from '../../src/index.ts';
import { firstWrong, numbers, stream } from '../support.ts';

const { TENON_PROPERTY_SEED, CI } = process.env;
const seed = Number(TENON_PROPERTY_SEED ?? (CI ? 1 : Math.floor(Math.random() * 2 ** 31)));
console.log(`properties: TENON_PROPERTY_SEED=${seed}`);

// ---- tensors as data ----------------------------------------------------------------------------------------------------

type DTypeName = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool' | 'float16';
/** A step of a chain of views; what does not fit the shape is left out. */
type ViewStep =
  | { readonly kind: 'permute'; readonly by: number }
  | { readonly kind: 'slice'; readonly dim: number; readonly from: number; readonly step: number }
  | { readonly kind: 'flip'; readonly dim: number }
  | { readonly kind: 'expand'; readonly n: number }
  | { readonly kind: 'unsqueeze'; readonly dim: number }
  | { readonly kind: 'flatten' };
interface Spec {
  readonly shape: readonly number[];
  readonly dtype: DTypeName;
  readonly salt: number;
  readonly views: readonly ViewStep[];
}
const size = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 9 }) },
  fc.constantFrom(0, 1, 16, 17, 33),
);
const shapes = (most: number) =>
  fc.array(size, { minLength: 0, maxLength: most }).filter(s => s.reduce((a, b) => a * b, 1) <= 4000);
const small = fc.integer({ min: 0, max: 3 });
const step: fc.Arbitrary<ViewStep> = fc.oneof(
  fc.record({ kind: fc.constant('permute' as const), by: small }),
  fc.record({
    kind: fc.constant('slice' as const),
    dim: small,
    from: small,
    step: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constant('flip' as const), dim: small }),
  fc.record({ kind: fc.constant('expand' as const), n: small }),
  fc.record({ kind: fc.constant('unsqueeze' as const), dim: small }),
  fc.record({ kind: fc.constant('flatten' as const) }),
);
const floats: readonly DTypeName[] = ['float32', 'float32', 'float64', 'float16'];
const all: readonly DTypeName[] = [...floats, 'int32', 'int64', 'uint8', 'bool'];
const spec = (dtypes: readonly DTypeName[], most = 4): fc.Arbitrary<Spec> =>
  fc.record({
    shape: shapes(most),
    dtype: fc.constantFrom(...dtypes),
    salt: fc.nat(1000),
    views: fc.array(step, { maxLength: 3 }),
  });

function view(t: Tensor, v: ViewStep): Tensor {
  const { shape, ndim } = t;
  const dim = 'dim' in v ? v.dim % Math.max(ndim, 1) : 0;
  switch (v.kind) {
    case 'permute':
      return t.permute(...shape.map((_, d) => (d + v.by) % ndim));
    case 'slice':
      if (ndim === 0 || shape[dim]! <= v.from) return t;
      return t.at(...shape.map((_, d) => (d === dim ? range(v.from, null, v.step) : range())));
    case 'flip':
      return ndim === 0 ? t : t.flip(dim);
    case 'expand':
      return t.numel > 1000 ? t : t.expand(v.n, ...shape);
    case 'unsqueeze':
      return t.unsqueeze(dim);
    case 'flatten':
      return t.flatten();
  }
}
function make(s: Spec, device: string): Tensor {
  const next = stream(s.salt);
  const n = s.shape.reduce((a, b) => a * b, 1);
  // Multiples of 1/8: exact in every float dtype.
  const data = Array.from({ length: n }, () => {
    const v = Math.floor(next() * 33 - 16) / 8;
    return s.dtype.startsWith('float')
      ? v
      : s.dtype === 'bool'
        ? Number(v > 0)
        : s.dtype === 'uint8'
          ? Math.abs(Math.trunc(4 * v))
          : Math.trunc(4 * v);
  });
  const base = tensor(Float64Array.from(data), { shape: s.shape, dtype: 'float64', device }).to(s.dtype);
  return s.views.reduce(view, base.realize());
}

// ---- the comparison -----------------------------------------------------------------------------------------------------

interface Outcome {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: number[];
}
/** The result, or the message with which it was refused. */
function outcome(f: (device: string) => Tensor, device: string): Outcome | string {
  try {
    const t = f(device);
    return { shape: t.shape, dtype: t.dtype, data: numbers(t) };
  } catch (e) {
    return e instanceof Error ? e.message : String(e);
  }
}
const ROUNDING: Readonly<Record<string, number>> = { float16: 4e-3, float64: 1e-12 };
function agree(f: (device: string) => Tensor): void {
  const [got, want] = [outcome(f, 'cpu'), outcome(f, 'reference')];
  if (typeof got === 'string' || typeof want === 'string') {
    // The same rule; which op of a fused chain and which of several bad values is named may differ.
    const rule = (x: unknown): string =>
      String(x)
        .replace(/^[^:]*: /, '')
        .replace(/, got .*/s, '');
    expect(rule(got)).toBe(rule(want));
    // In the one format: op: rule, got value.
    expect(got).toMatch(/^[\w.]+: .+, got /s);
    return;
  }
  expect([got.shape, got.dtype]).toEqual([want.shape, want.dtype]);
  const eps = ROUNDING[got.dtype] ?? 1e-5;
  expect(firstWrong(got.data, want.data, eps, eps)).toBeNull();
}
function property<T>(
  name: string,
  inputs: fc.Arbitrary<T>,
  f: (x: T, device: string) => Tensor,
  numRuns = 120,
): void {
  it(name, () => {
    fc.assert(
      fc.property(inputs, x => agree(device => f(x, device))),
      { seed, numRuns, endOnFailure: false },
    );
  });
}

// ---- families -----------------------------------------------------------------------------------------------------------

type Method = (x: Tensor) => Tensor;
const UNARY: Readonly<Record<string, Method>> = {
  neg: x => x.neg(),
  abs: x => x.abs(),
  square: x => x.square(),
  relu: x => x.relu(),
  exp: x => x.exp(),
  tanh: x => x.tanh(),
  floor: x => x.floor(),
  'cast to int32': x => x.to('int32'),
  'cast to bool': x => x.to('bool'),
  'cast to float32': x => x.to('float32'),
};
const BINARY: Readonly<Record<string, (a: Tensor, b: Tensor) => Tensor>> = {
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  maximum: (a, b) => a.maximum(b),
  lt: (a, b) => a.lt(b),
  eq: (a, b) => a.eq(b),
  where: (a, b) => where(a.gt(b), a, b),
};
const REDUCE: Readonly<
  Record<string, (x: Tensor, dim: number | number[] | null, keepdim: boolean) => Tensor>
> = {
  sum: (x, dim, keepdim) => x.sum(dim, { keepdim }),
  mean: (x, dim, keepdim) => x.mean(dim, { keepdim }),
  amax: (x, dim, keepdim) => x.amax(dim, { keepdim }),
  prod: (x, dim, keepdim) => x.sign().prod(Array.isArray(dim) ? dim[0]! : dim, { keepdim }),
  any: (x, dim, keepdim) => x.gt(1).any(dim, { keepdim }),
  argmax: (x, dim, keepdim) => x.argmax(Array.isArray(dim) ? dim[0]! : dim, { keepdim }),
  logsumexp: (x, dim, keepdim) => x.logsumexp(dim ?? -1, { keepdim }),
  cumsum: (x, dim) => x.cumsum(Array.isArray(dim) ? dim[0]! : (dim ?? 0)),
};
const named = <T>(table: Readonly<Record<string, T>>): fc.Arbitrary<string> =>
  fc.constantFrom(...Object.keys(table));

describe('any view of any dtype, on both devices', () => {
  property('elementwise, one source', fc.tuple(named(UNARY), spec(all)), ([op, s], d) =>
    UNARY[op]!(make(s, d)),
  );
  property(
    'elementwise with broadcasting and promotion',
    fc.tuple(named(BINARY), spec(all, 3), spec(all, 3), fc.nat(7)),
    ([op, a, b, mask], d) => {
      const x = make(a, d);
      // Mostly a shape that broadcasts: that of x with some dims 1 and some missing.
      const fits =
        mask < 6
          ? { ...b, shape: x.shape.map((n, i) => ((mask >> i) & 1 ? 1 : n)).slice(mask & 1), views: [] }
          : b;
      return BINARY[op]!(x, make(fits, d));
    },
  );
  property(
    'reduce over any dims',
    fc.tuple(
      named(REDUCE),
      spec([...all]),
      fc.option(fc.uniqueArray(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 3 })),
      fc.boolean(),
    ),
    ([op, s, dims, keepdim], d) =>
      REDUCE[op]!(make(s, d), dims !== null && dims.length === 1 ? dims[0]! : dims, keepdim),
    200,
  );
  property(
    'movement',
    fc.tuple(spec(all), fc.array(step, { maxLength: 4 }), fc.integer({ min: -3, max: 3 })),
    ([s, steps, shift], d) => {
      const x = steps.reduce(view, make(s, d));
      return x.ndim === 0 ? x : x.roll(shift, 0).repeatInterleave(2, -1);
    },
  );
  property(
    'products of views, any sizes, batches that broadcast',
    fc.tuple(fc.tuple(size, size, size), fc.nat(3), fc.nat(3), fc.nat(1000), fc.boolean(), fc.boolean()),
    ([[m, k, n], batchA, batchB, salt, ta, tb], d) => {
      const of = (rows: number, columns: number, batch: number, turn: boolean, by: number): Tensor => {
        const inner = turn ? [columns, rows] : [rows, columns];
        const shape = batch === 0 ? inner : [batch, ...inner];
        const t = make({ shape, dtype: 'float32', salt: salt + by, views: [] }, d);
        return turn ? t.transpose(-1, -2) : t;
      };
      return of(m, k, batchA, ta, 0)
        .matmul(of(k, n, batchB, tb, 1))
        .add(0.5);
    },
    200,
  );
  property(
    'indexing by lists and slices',
    fc.tuple(spec(all, 3), fc.array(fc.integer({ min: -10, max: 10 }), { maxLength: 5 }), fc.nat(3)),
    ([s, rows, how], d) => {
      const x = make(s, d);
      if (how === 0) return x.at(rows);
      if (how === 1) return x.at(range(null, null, 2), rows);
      const index = tensor(Int32Array.from(rows), { dtype: 'int64', device: d });
      // Into nothing nothing is written, wherever: cpu runs no kernel there.
      if (how === 3 && x.numel === 0) return x;
      return how === 2 ? x.indexSelect(0, index) : x.clone().indexFill_(0, index, 1);
    },
  );
  property(
    'joining and splitting',
    fc.tuple(spec(all, 3), fc.integer({ min: -4, max: 3 }), fc.integer({ min: 1, max: 4 })),
    ([s, dim, n], d) => {
      const x = make(s, d);
      return cat(x.split(n, dim).toReversed(), dim);
    },
  );
  property(
    'chains that become one kernel',
    fc.tuple(spec(floats), spec(floats, 2), fc.integer({ min: -2, max: 1 })),
    ([a, b, dim], d) => {
      const x = make(a, d).to('float32');
      const y = make(b, d).to('float32').sum();
      return x
        .sub(x.amax(dim, { keepdim: true }))
        .exp()
        .mul(y)
        .add(x.mT)
        .sum(dim);
    },
  );
});

// The scalar language: the machine operations in which every op's element is written, as hash-consed expressions.
// In: calls of `m.*`. Out: E nodes and their meaning in TypeScript. Not its job: loops, opcodes, devices.

import type { ComputeType, DType } from '../base/dtype.ts';
import { roundHalfEven } from '../base/dtype.ts';
import * as special from './special.ts';

/** A loop variable: runs 0 … size-1. */
export class LoopVar {
  static next = 0;
  readonly id = LoopVar.next++;
  readonly size: number;
  constructor(size: number) {
    this.size = size;
  }
}

/** An index in elements: c + Σ kᵢ·termᵢ, where a term is a loop variable or a computed i32. */
export interface Affine {
  readonly c: number;
  readonly terms: readonly (readonly [E, number])[];
}

/** How a reduction folds values: a monoid on one or two accumulators. */
export interface Fold {
  readonly name: string;
  /** Starting values for a compute type. */
  init(type: ComputeType): E[];
  /** Folds the values at one point (and its position, for argmax) into the accumulators. */
  step(acc: readonly E[], x: readonly E[], position: E | null): E[];
  /** Joins the accumulators of a part with those of a later part; null where only running in order is defined. */
  readonly merge: ((a: readonly E[], b: readonly E[]) => E[]) | null;
  /** Which accumulator is the result. */
  readonly result: number;
  /** Whether `step` needs the position in the reduced range. */
  readonly positional: boolean;
}

type Unary = (x: number) => number;
type Binary = (a: number, b: number) => number;
// biome-ignore format: a table
const OF_MATH = [
  'exp', 'log', 'log2', 'log10', 'expm1', 'log1p', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh',
  'tanh', 'asinh', 'acosh', 'atanh',
] as const;
const UNARY_MATH = {
  ...(Object.fromEntries(OF_MATH.map(n => [n, Math[n]])) as Record<(typeof OF_MATH)[number], Unary>),
  expWeight: special.expWeight,
  log1pWeight: Math.log1p,
  erf: special.erf,
  erfc: special.erfc,
  erfinv: special.erfinv,
  lgamma: special.lgamma,
  digamma: special.digamma,
};
const BINARY_MATH = { pow: special.pow, atan2: Math.atan2, polygamma: special.polygamma };
const MATH = { ...UNARY_MATH, ...BINARY_MATH };
export type MathOp = keyof typeof MATH;
// biome-ignore format: a table
export type ArithOp =
  | 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'min' | 'max' | 'pmax' | 'pmin' | 'neg' | 'abs' | 'sqrt' | 'floor'
  | 'ceil' | 'trunc' | 'nearest' | 'copysign' | 'fma' | 'and' | 'or' | 'xor' | 'not' | 'shl' | 'shr' | 'shru'
  | 'eq' | 'ne' | 'lt' | 'le' | 'select' | 'convert' | 'bitcast' | 'splat';
export type MachineOp = ArithOp | MathOp;
/**
 * param: an i32 word of the kernel's parameter block; ramp: x, x+1, x+2, x+3; lane: one lane of a vector;
 * rare: the first argument, but where the third holds the host function of the second.
 */
type LeafOp =
  | 'rare'
  | 'const'
  | 'arg'
  | 'var'
  | 'index'
  | 'load'
  | 'reduce'
  | 'acc'
  | 'checked'
  | 'param'
  | 'ramp'
  | 'lane';
export type EOp = MachineOp | LeafOp;

/** One expression. Equal expressions of one builder are one object. */
export class E {
  readonly id: number;
  readonly op: EOp;
  readonly type: ComputeType;
  readonly lanes: 1 | 4;
  readonly args: readonly E[];
  /** const: its value. */
  readonly value: number | bigint;
  /** What else the op needs: see the builders below. */
  readonly data: unknown;
  constructor(
    id: number,
    op: EOp,
    type: ComputeType,
    lanes: 1 | 4,
    args: readonly E[],
    value: number | bigint,
    data: unknown,
  ) {
    this.id = id;
    this.op = op;
    this.type = type;
    this.lanes = lanes;
    this.args = args;
    this.value = value;
    this.data = data;
  }
}

export interface LoadData {
  /** Which buffer of the kernel. */
  readonly buffer: number;
  readonly at: Affine;
  readonly dtype: DType;
  /** lanes 4: 1 for neighbours in memory, otherwise the distance of the lanes in elements. */
  readonly step: number;
}
export interface ReduceData {
  readonly fold: Fold;
  readonly vars: readonly LoopVar[];
  /** The position inside the reduced range, for folds that need it. */
  readonly position: E | null;
}
/** args: value, whether it is good. A bad one is reported with `code` and replaced by `instead`. */
export interface CheckedData {
  readonly code: number;
  readonly instead: number;
}

/** The table of one kernel's expressions. */
export class Exprs {
  private readonly table = new Map<string | number, E>();
  private count = 0;
  /** Where this is false the value being built is not used: a check must not fail there. */
  guard: E | null = null;
  make(
    op: EOp,
    type: ComputeType,
    lanes: 1 | 4,
    args: readonly E[],
    value: number | bigint = 0,
    data: unknown = null,
    key = '',
  ): E {
    let k: string | number = key === '' && op !== 'const' ? plainKey(op, type, lanes, args) : -1;
    if (k === -1) {
      k = `${op} ${type}${lanes} ${key}`;
      if (op === 'const') k += Object.is(value, -0) ? '-0' : `${value}`;
      for (let i = 0; i < args.length; i++) k += `,${args[i]!.id}`;
    }
    let e = this.table.get(k);
    if (e === undefined) {
      e = new E(this.count++, op, type, lanes, args, value, data);
      this.table.set(k, e);
    }
    return e;
  }
}
const TYPE_CODE: Readonly<Record<ComputeType, number>> = { b: 0, i32: 1, i64: 2, f32: 3, f64: 4 };
const opCodes = new Map<EOp, number>();
/** An operation on up to three of the first 2¹³ expressions as one number, which leaves less garbage than a text; else -1. */
function plainKey(op: EOp, type: ComputeType, lanes: 1 | 4, args: readonly E[]): number {
  if (args.length === 0 || args.length > 3) return -1;
  let code = opCodes.get(op);
  if (code === undefined) {
    code = opCodes.size;
    opCodes.set(op, code);
  }
  let k = (code * 5 + TYPE_CODE[type]) * 2 + (lanes >> 2);
  k = k * 4 + args.length;
  for (let i = 0; i < 3; i++) {
    const id = i < args.length ? args[i]!.id : 0;
    if (id >= 8192) return -1;
    k = k * 8192 + id;
  }
  return k;
}

let current = new Exprs();
/** Runs `body` with a table of its own (or the one given). */
export function withExprs<T>(body: () => T, table = new Exprs()): T {
  const before = current;
  current = table;
  try {
    return body();
  } finally {
    current = before;
  }
}

const isConst = (e: E): boolean => e.op === 'const';
export const isZero = (e: E): boolean => e.op === 'const' && Number(e.value) === 0 && !Object.is(e.value, -0);
const isOne = (e: E): boolean => e.op === 'const' && Number(e.value) === 1;

export function konst(value: number | bigint | boolean, type: ComputeType): E {
  let v: number | bigint = typeof value === 'boolean' ? Number(value) : value;
  if (type === 'i64') v = typeof v === 'bigint' ? v : BigInt(Math.trunc(v));
  else if (type === 'i32') v = Number(v) | 0;
  else if (type === 'b') v = Number(v) !== 0 ? 1 : 0;
  else v = type === 'f32' ? Math.fround(Number(v)) : Number(v);
  return current.make('const', type, 1, [], v);
}

const lanesOf = (args: readonly E[]): 1 | 4 => {
  for (let i = 0; i < args.length; i++) if (args[i]!.lanes === 4) return 4;
  return 1;
};
/** Makes all operands as wide as the widest. */
function widen(args: readonly E[]): readonly E[] {
  if (lanesOf(args) === 1) return args;
  return args.map(a => (a.lanes === 4 ? a : splat(a)));
}
export function splat(x: E): E {
  return x.lanes === 4 ? x : current.make('splat', x.type, 4, [x]);
}

function op(name: MachineOp, type: ComputeType, args: readonly E[]): E {
  if (args.every(isConst) && name !== 'splat' && args.length > 0) {
    const v = evaluate(
      name,
      type,
      args[0]!.type,
      args.map(a => a.value),
    );
    if (v !== null) return konst(v, type);
  }
  const w = widen(args);
  return current.make(name, type, lanesOf(w), w);
}

const bin =
  (name: ArithOp) =>
  (a: E, b: E): E =>
    op(name, a.type, [a, b]);
const un =
  (name: MachineOp) =>
  (a: E): E =>
    op(name, a.type, [a]);
const cmp =
  (name: ArithOp) =>
  (a: E, b: E): E =>
    op(name, 'b', [a, b]);

const logical = { min: bin('and'), max: bin('or'), not: un('not') };
/** a and b (where `by` is false) or a or b (where it is true), of bools, when a is known. */
const decided = (a: E, b: E, by: boolean): E | null =>
  a.type !== 'b' || a.op !== 'const' ? null : Boolean(a.value) === by ? a : b;
/** a < b; of bools: only false < true. */
const less = (a: E, b: E): E => (a.type === 'b' ? logical.min(logical.not(a), b) : op('lt', 'b', [a, b]));
const lessOrEqual = (a: E, b: E): E =>
  a.type === 'b' ? logical.max(logical.not(a), b) : op('le', 'b', [a, b]);

const isFloatType = (t: ComputeType): boolean => t === 'f32' || t === 'f64';
const baseSub = bin('sub');
const baseDiv = bin('div');

/** The builders of the scalar language. */
export const m = {
  const: konst,
  /** A constant of the type of `like`. */
  like: (v: number, like: E): E => konst(v, like.type),
  add: (a: E, b: E): E =>
    isZero(b) && !isFloatType(a.type) ? a : isZero(a) && !isFloatType(a.type) ? b : op('add', a.type, [a, b]),
  sub: (a: E, b: E): E => (isZero(b) ? a : baseSub(a, b)),
  mul: (a: E, b: E): E => (isOne(b) ? a : isOne(a) ? b : op('mul', a.type, [a, b])),
  /** Float division, or integer division that truncates. */
  div: (a: E, b: E): E => {
    if (isOne(b)) return a;
    // A power of two has an exact reciprocal, and a product costs a third of a quotient.
    if (b.op === 'const' && isFloatType(b.type) && isPowerOfTwo(Number(b.value))) {
      return m.mul(a, konst(1 / Number(b.value), b.type));
    }
    return baseDiv(a, b);
  },
  /** Integer remainder with the sign of the dividend, or C's fmod. */
  rem: bin('rem'),
  /** Minimum and maximum that pass NaN on. */
  min: (a: E, b: E): E => (a.type === 'b' ? logical.min(a, b) : op('min', a.type, [a, b])),
  max: (a: E, b: E): E => (a.type === 'b' ? logical.max(a, b) : op('max', a.type, [a, b])),
  /** a < b ? b : a, one instruction; NaN in a survives, NaN in b does not. */
  pmax: bin('pmax'),
  /** b < a ? b : a. */
  pmin: bin('pmin'),
  neg: un('neg'),
  abs: un('abs'),
  sqrt: un('sqrt'),
  floor: un('floor'),
  ceil: un('ceil'),
  trunc: un('trunc'),
  /** Round half to even. */
  nearest: un('nearest'),
  copysign: bin('copysign'),
  /** a·b + c, fused where the machine can. */
  fma: (a: E, b: E, c: E): E => op('fma', a.type, [a, b, c]),
  and: (a: E, b: E): E => decided(a, b, false) ?? decided(b, a, false) ?? logical.min(a, b),
  or: (a: E, b: E): E => decided(a, b, true) ?? decided(b, a, true) ?? logical.max(a, b),
  xor: bin('xor'),
  /** Logical not of a bool, bitwise not of an integer. */
  not: un('not'),
  shl: bin('shl'),
  shr: bin('shr'),
  shru: bin('shru'),
  eq: cmp('eq'),
  ne: cmp('ne'),
  lt: less,
  le: lessOrEqual,
  gt: (a: E, b: E): E => less(b, a),
  ge: (a: E, b: E): E => lessOrEqual(b, a),
  select: (c: E, a: E, b: E): E => {
    if (c.op === 'const') return c.value ? a : b;
    return a === b ? a : op('select', a.type, [c, a, b]);
  },
  convert: (x: E, type: ComputeType): E => {
    if (x.type === type) return x;
    // The low word of an int64 in memory is read by itself: four of them fill a vector.
    if (x.type === 'i64' && type === 'i32' && x.op === 'load') {
      const d = x.data as LoadData;
      return load(d.buffer, d.at, d.dtype, 'i32', x.args[0] ?? null);
    }
    if (x.type === 'i64' && type === 'i32' && x.op === 'convert' && x.args[0]!.type === 'i32')
      return x.args[0]!;
    return op('convert', type, [x]);
  },
  bitcast: (x: E, type: ComputeType): E => (x.type === type ? x : op('bitcast', type, [x])),
  math: (name: MathOp, ...args: E[]): E => op(name, args[0]!.type, args),
  exp: un('exp'),
  log: un('log'),
  splat: (x: E): E => splat(x),
  /** The operation of a vector expression on other (scalar) arguments. */
  scalarOf: (e: E, args: readonly E[]): E => remake(e, args),
};

const isPowerOfTwo = (x: number): boolean => {
  const l = Math.log2(Math.abs(x));
  return Number.isInteger(l) && Math.abs(l) < 120;
};

/** An argument of an op's scalar body. */
export const arg = (i: number, type: ComputeType): E => current.make('arg', type, 1, [], i, null, `${i}`);
/** The value of a loop variable as i32. */
export const varOf = (v: LoopVar): E => current.make('var', 'i32', 1, [], 0, v, `${v.id}`);

const affineKey = (a: Affine): string => {
  let k = `${a.c}`;
  for (let i = 0; i < a.terms.length; i++) k += `+${a.terms[i]![1]}*${a.terms[i]![0].id}`;
  return k;
};
/** The value of an index expression as i32. */
export function indexOf(at: Affine): E {
  if (at.terms.length === 0) return konst(at.c, 'i32');
  if (at.terms.length === 1 && at.c === 0 && at.terms[0]![1] === 1) return at.terms[0]![0];
  let lanes: 1 | 4 = 1;
  for (const [e] of at.terms) if (e.lanes === 4) lanes = 4;
  return current.make('index', 'i32', lanes, [], 0, at, affineKey(at));
}
export function load(
  buffer: number,
  at: Affine,
  dtype: DType,
  type: ComputeType,
  guard: E | null = null,
  lanes: 1 | 4 = 1,
  step = 0,
): E {
  const data: LoadData = { buffer, at, dtype, step };
  const args = guard === null ? [] : [guard];
  return current.make('load', type, lanes, args, 0, data, `${buffer} ${dtype} ${step} ${affineKey(at)}`);
}
export function reduce(
  fold: Fold,
  vars: readonly LoopVar[],
  body: E,
  position: E | null,
  type: ComputeType,
): E {
  const data: ReduceData = { fold, vars, position };
  const key = `${fold.name} ${vars.map(v => v.id).join(' ')} ${position?.id ?? ''}`;
  return current.make('reduce', type, body.lanes, [body], 0, data, key);
}
export function checked(x: E, good: E, code: number, instead: number): E {
  const data: CheckedData = { code, instead };
  const { guard } = current;
  const args =
    guard === null
      ? widen([x, good])
      : widen([m.select(guard, x, m.like(instead, x)), m.or(good, m.not(guard))]);
  return current.make('checked', x.type, lanesOf(args), args, 0, data, `${code} ${instead}`);
}
/** A mutable local of the generated code: an accumulator or a value bound by a hand-written kernel. */
export const accOf = (id: number, type: ComputeType, lanes: 1 | 4): E =>
  current.make('acc', type, lanes, [], id, null, `${id}`);

export const param = (i: number): E => current.make('param', 'i32', 1, [], i, null, `${i}`);
export const ramp = (x: E): E => current.make('ramp', 'i32', 4, [x]);
/** A fast value with a slow exception: where `bad` holds, the host's `name`(x) replaces it. */
export function rare(name: MathOp, fast: E, x: E, bad: E): E {
  const args = widen([fast, x, bad]);
  return current.make('rare', fast.type, lanesOf(args), args, 0, name, name);
}
export const lane = (x: E, i: number): E =>
  x.op === 'splat' ? x.args[0]! : current.make('lane', x.type, 1, [x], i, null, `${i}`);

/** Rebuilds an expression with leaves replaced. `leaf` returns null to keep walking. */
export function rebuild(e: E, leaf: (e: E) => E | null, memo: Map<E, E>): E {
  const done = memo.get(e);
  if (done !== undefined) return done;
  let out = leaf(e);
  if (out === null) {
    if (e.op === 'load') {
      const d = e.data as LoadData;
      const guard = e.args.length ? rebuild(e.args[0]!, leaf, memo) : null;
      out = load(d.buffer, rebuildAffine(d.at, leaf, memo), d.dtype, e.type, guard, e.lanes, d.step);
    } else if (e.op === 'index') {
      out = indexOf(rebuildAffine(e.data as Affine, leaf, memo));
    } else if (e.op === 'reduce') {
      const d = e.data as ReduceData;
      const position = d.position === null ? null : rebuild(d.position, leaf, memo);
      out = reduce(d.fold, d.vars, rebuild(e.args[0]!, leaf, memo), position, e.type);
    } else if (e.op === 'checked') {
      const d = e.data as CheckedData;
      out = checked(rebuild(e.args[0]!, leaf, memo), rebuild(e.args[1]!, leaf, memo), d.code, d.instead);
    } else if (e.args.length === 0) {
      out = e;
    } else {
      let args: E[] | null = null;
      for (let i = 0; i < e.args.length; i++) {
        const a = rebuild(e.args[i]!, leaf, memo);
        if (a !== e.args[i]) args ??= e.args.slice();
        if (args !== null) args[i] = a;
      }
      out = args === null ? e : remake(e, args);
    }
  }
  memo.set(e, out);
  return out;
}

/** The same operation on other arguments, simplified anew. */
export function remake(e: E, args: readonly E[]): E {
  const a = args[0]!;
  const b = args[1]!;
  const c = args[2]!;
  switch (e.op) {
    case 'add':
      return m.add(a, b);
    case 'sub':
      return m.sub(a, b);
    case 'mul':
      return m.mul(a, b);
    case 'select':
      return m.select(a, b, c);
    case 'splat':
      return splat(a);
    case 'ramp':
      return ramp(a);
    case 'rare':
      return rare(e.data as MathOp, a, b, c);
    case 'lane':
      return lane(a, Number(e.value));
    default:
      return op(e.op as MachineOp, e.type, args);
  }
}

export function rebuildAffine(at: Affine, leaf: (e: E) => E | null, memo: Map<E, E>): Affine {
  let out: Affine = { c: at.c, terms: [] };
  for (let i = 0; i < at.terms.length; i++) {
    const term = at.terms[i]!;
    out = addScaled(out, asAffine(rebuild(term[0], leaf, memo)), term[1]);
  }
  return out;
}
/** The index that an expression is or reads at; null for any other. */
export const affineIn = (e: E): Affine | null =>
  e.op === 'load' ? (e.data as LoadData).at : e.op === 'index' ? (e.data as Affine) : null;
const NO_TERMS: Affine['terms'] = [];
export const termsOf = (e: E): Affine['terms'] => affineIn(e)?.terms ?? NO_TERMS;
/** Reads an expression as an index where it is one. */
export function asAffine(e: E): Affine {
  if (e.op === 'const') return { c: Number(e.value), terms: [] };
  if (e.op === 'index') return e.data as Affine;
  return { c: 0, terms: [[e, 1]] };
}
/** a + k·b. */
export function addScaled(a: Affine, b: Affine, k: number): Affine {
  if (k === 0) return a;
  if (b.terms.length === 0) return { c: a.c + b.c * k, terms: a.terms };
  const terms = a.terms.slice();
  for (let j = 0; j < b.terms.length; j++) {
    const e = b.terms[j]![0];
    const n = b.terms[j]![1] * k;
    let i = 0;
    while (i < terms.length && terms[i]![0] !== e) i++;
    if (i === terms.length) terms.push([e, n]);
    else if (terms[i]![1] + n === 0) terms.splice(i, 1);
    else terms[i] = [e, terms[i]![1] + n];
  }
  return { c: a.c + b.c * k, terms };
}
export const constAffine = (c: number): Affine => ({ c, terms: [] });

// ---- meaning -------------------------------------------------------------------------------------------------

const f32 = new Float32Array(1);
const i32 = new Int32Array(f32.buffer);
const f64 = new Float64Array(1);
const i64 = new BigInt64Array(f64.buffer);

const UNARY: Readonly<Record<string, Unary>> = {
  neg: x => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  nearest: roundHalfEven,
  ...UNARY_MATH,
};
const rem: Binary = (a, b) => a % b;
const BINARY: Readonly<Record<string, Binary>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  rem,
  min: Math.min,
  max: Math.max,
  pmax: (a, b) => (a < b ? b : a),
  pmin: (a, b) => (b < a ? b : a),
  copysign: (a, b) => (b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a)),
  ...BINARY_MATH,
};
const INT: Record<string, (a: bigint, b: bigint) => bigint> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? 0n : a / b),
  rem: (a, b) => (b === 0n ? 0n : a % b),
  min: (a, b) => (a < b ? a : b),
  max: (a, b) => (a > b ? a : b),
  pmax: (a, b) => (a < b ? b : a),
  pmin: (a, b) => (b < a ? b : a),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

/** The functions that a target without an instruction or an expansion may import, by name. */
export const HOST_MATH: Readonly<Record<string, Binary>> = { ...MATH, rem };
export const takesTwo = (name: string): boolean => name in BINARY;
export const isMathOp = (name: string): name is MathOp => name in MATH;

/** The value of one machine operation on constants; null where it has none. This is the definition of each. */
export function evaluate(
  name: MachineOp,
  type: ComputeType,
  from: ComputeType,
  v: readonly (number | bigint)[],
): number | bigint | boolean | null {
  switch (name) {
    case 'eq':
      return v[0] === v[1];
    case 'ne':
      return v[0] !== v[1];
    case 'lt':
      return v[0]! < v[1]!;
    case 'le':
      return v[0]! <= v[1]!;
    case 'select':
      return v[0] ? v[1]! : v[2]!;
    case 'convert':
      return convertValue(v[0]!, from, type);
    case 'bitcast':
      if (from === 'f32') {
        f32[0] = Number(v[0]);
        return i32[0]!;
      }
      if (from === 'i32') {
        i32[0] = Number(v[0]);
        return f32[0]!;
      }
      if (from === 'f64') {
        f64[0] = Number(v[0]);
        return i64[0]!;
      }
      i64[0] = BigInt(v[0]!);
      return f64[0]!;
    case 'fma':
      return Number(v[0]) * Number(v[1]) + Number(v[2]);
    default:
  }
  if (type === 'i64' || type === 'i32') return wrapInt(intValue(name, type, v), type);
  if (type === 'b') {
    const a = Boolean(v[0]);
    const b = Boolean(v[1]);
    if (name === 'and' || name === 'min' || name === 'pmin' || name === 'mul') return a && b;
    if (name === 'or' || name === 'max' || name === 'pmax' || name === 'add') return a || b;
    if (name === 'xor') return a !== b;
    return name === 'not' ? !a : null;
  }
  const one = UNARY[name];
  if (one !== undefined) return one(Number(v[0]));
  return BINARY[name]?.(Number(v[0]), Number(v[1])) ?? null;
}

function intValue(name: string, type: ComputeType, v: readonly (number | bigint)[]): bigint {
  const a = BigInt(v[0]!);
  if (name === 'neg') return -a;
  if (name === 'abs') return a < 0n ? -a : a;
  if (name === 'not') return ~a;
  const b = BigInt(v[1] ?? 0);
  const bits = type === 'i32' ? 31n : 63n;
  if (name === 'shl') return a << (b & bits);
  if (name === 'shr') return a >> (b & bits);
  if (name === 'shru') return BigInt.asUintN(Number(bits) + 1, a) >> (b & bits);
  return INT[name]!(a, b);
}
const wrapInt = (x: bigint, type: ComputeType): number | bigint =>
  type === 'i32' ? Number(BigInt.asIntN(32, x)) : BigInt.asIntN(64, x);

function convertValue(x: number | bigint, from: ComputeType, to: ComputeType): number | bigint | boolean {
  if (to === 'b') return from === 'i64' ? x !== 0n : Number(x) !== 0;
  if (to === 'f32' || to === 'f64') return Number(x);
  if (typeof x === 'bigint') return to === 'i64' ? x : Number(BigInt.asIntN(32, x));
  if (from === 'i32' || from === 'b') return to === 'i64' ? BigInt(x) : x;
  // Float to integer truncates and saturates, as WebAssembly's trunc_sat; NaN gives 0.
  if (Number.isNaN(x)) return to === 'i64' ? 0n : 0;
  const t = Math.trunc(x);
  if (to === 'i32') return Math.max(-2147483648, Math.min(2147483647, t));
  if (t >= 2 ** 63) return 2n ** 63n - 1n;
  return t <= -(2 ** 63) ? -(2n ** 63n) : BigInt(t);
}

// A WebAssembly assembler: opcodes by the names of the specification, sections, LEB128. No knowledge of tensors.
// In: calls. Out: the bytes of a module.

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export type ValType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128;
const VOID = 0x40;

const NUMBER = new DataView(new ArrayBuffer(8));
const EIGHT = new Uint8Array(NUMBER.buffer);
const FOUR = EIGHT.subarray(0, 4);

/** A growing list of bytes with the encodings that WebAssembly uses. */
export class Bytes {
  private buf: Uint8Array;
  length = 0;
  /** Most pieces are short, and up to 64 bytes the engine keeps arrays in its own heap. */
  constructor(size = 64) {
    this.buf = new Uint8Array(size);
  }
  private room(n: number): void {
    if (this.length + n <= this.buf.length) return;
    const next = new Uint8Array(Math.max(this.buf.length * 2, this.length + n));
    next.set(this.buf.subarray(0, this.length));
    this.buf = next;
  }
  u8(x: number): this {
    this.room(1);
    this.buf[this.length++] = x;
    return this;
  }
  all(x: Uint8Array | readonly number[]): this {
    this.room(x.length);
    this.buf.set(x, this.length);
    this.length += x.length;
    return this;
  }
  append(b: Bytes): this {
    return this.all(b.view());
  }
  u32(x: number): this {
    let v = x >>> 0;
    while (v >= 0x80) {
      this.u8((v & 0x7f) | 0x80);
      v >>>= 7;
    }
    return this.u8(v);
  }
  s32(x: number): this {
    let v = x | 0;
    for (;;) {
      const b = v & 0x7f;
      v >>= 7;
      if ((v === 0 && !(b & 0x40)) || (v === -1 && b & 0x40)) return this.u8(b);
      this.u8(b | 0x80);
    }
  }
  s64(x: bigint): this {
    let v = BigInt.asIntN(64, x);
    for (;;) {
      const b = Number(v & 0x7fn);
      v >>= 7n;
      if ((v === 0n && !(b & 0x40)) || (v === -1n && b & 0x40)) return this.u8(b);
      this.u8(b | 0x80);
    }
  }
  f32(x: number): this {
    NUMBER.setFloat32(0, x, true);
    return this.all(FOUR);
  }
  f64(x: number): this {
    NUMBER.setFloat64(0, x, true);
    return this.all(EIGHT);
  }
  name(s: string): this {
    this.u32(s.length);
    for (let i = 0; i < s.length; i++) this.u8(s.charCodeAt(i));
    return this;
  }
  view(): Uint8Array {
    return this.buf.subarray(0, this.length);
  }
  slice(): Uint8Array<ArrayBuffer> {
    return this.buf.slice(0, this.length) as Uint8Array<ArrayBuffer>;
  }
}

type Words<S extends string> = S extends `${infer W} ${infer Rest}` ? W | Words<Rest> : S;
type Names<S extends string> = S extends `${string} ${infer Type}: ${infer Rest}`
  ? `${Type}.${Exclude<Words<Rest>, '-'>}`
  : S extends `${string} ${infer Rest}`
    ? Words<Rest>
    : never;
/**
 * The bytes of instructions by name. A row is a code and the names that begin with it, in the order of their codes; '-'
 * is one that nobody uses. After a prefix codes are LEB128.
 */
function opcodes<const S extends string>(
  prefix: readonly number[],
  ...rows: readonly S[]
): Record<Names<S>, Uint8Array> {
  const bytes: Record<string, Uint8Array> = {};
  for (const row of rows) {
    const [, first, type, names] = /^(\S+) (\w+: )?(.+)$/.exec(row)!;
    for (const [i, name] of names!.split(' ').entries()) {
      const out = new Bytes(4).all(prefix);
      const code = Number(first) + i;
      bytes[(type ?? '').replace(': ', '.') + name] = (
        prefix.length === 0 ? out.u8(code) : out.u32(code)
      ).view();
    }
  }
  return bytes;
}

const PLAIN = opcodes(
  [],
  '0x00 unreachable',
  '0x0f return',
  '0x1a drop select',
  '0x45 i32: eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u',
  '0x50 i64: eqz eq ne lt_s lt_u gt_s - le_s - ge_s',
  '0x5b f32: eq ne lt gt le ge',
  '0x61 f64: eq ne lt gt le ge',
  '0x6a i32: add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u',
  '0x7c i64: add sub mul div_s - rem_s - and or xor shl shr_s shr_u',
  '0x8b f32: abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign',
  '0x99 f64: abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign',
  '0xa7 i32: wrap_i64',
  '0xac i64: extend_i32_s extend_i32_u',
  '0xb2 f32: convert_i32_s convert_i32_u convert_i64_s - demote_f64',
  '0xb7 f64: convert_i32_s - convert_i64_s - promote_f32',
  '0xbc i32: reinterpret_f32',
  '0xbd i64: reinterpret_f64',
  '0xbe f32: reinterpret_i32',
  '0xbf f64: reinterpret_i64',
);
/** Saturating conversions. */
const SAT = opcodes(
  [0xfc],
  '0x00 i32: trunc_sat_f32_s - trunc_sat_f64_s',
  '0x04 i64: trunc_sat_f32_s - trunc_sat_f64_s',
);
const SIMD = opcodes(
  [0xfd],
  '0x0e i8x16: swizzle splat',
  '0x10 i16x8: splat',
  '0x11 i32x4: splat',
  '0x12 i64x2: splat',
  '0x13 f32x4: splat',
  '0x14 f64x2: splat',
  '0x37 i32x4: eq ne lt_s lt_u gt_s - le_s - ge_s',
  '0x41 f32x4: eq ne lt gt le ge',
  '0x4d v128: not and andnot or xor bitselect any_true',
  '0x5e f32x4: demote_f64x2_zero',
  '0x5f f64x2: promote_low_f32x4',
  '0x65 i8x16: narrow_i16x8_s narrow_i16x8_u',
  '0x67 f32x4: ceil floor trunc nearest',
  '0x74 f64x2: ceil floor',
  '0x7a f64x2: trunc',
  '0x85 i16x8: narrow_i32x4_s narrow_i32x4_u extend_low_i8x16_s - extend_low_i8x16_u',
  '0xa0 i32x4: abs neg - all_true',
  '0xa7 i32x4: extend_low_i16x8_s - extend_low_i16x8_u - shl shr_s shr_u add - - sub - - - mul min_s min_u max_s max_u',
  '0xc7 i64x2: extend_low_i32x4_s extend_high_i32x4_s',
  '0xe0 f32x4: abs neg - sqrt add sub mul div min max pmin pmax',
  '0xf0 f64x2: add sub mul',
  '0xf8 i32x4: trunc_sat_f32x4_s',
  '0xfa f32x4: convert_i32x4_s convert_i32x4_u',
  // Relaxed SIMD.
  '0x101 i32x4: relaxed_trunc_f32x4_s',
  '0x105 f32x4: relaxed_madd relaxed_nmadd',
  '0x107 f64x2: relaxed_madd',
  '0x10b i32x4: relaxed_laneselect',
);
const OPS = { ...PLAIN, ...SAT, ...SIMD };
export type Op = keyof typeof OPS;

const ATOMIC = opcodes(
  [0xfe],
  '0x00 memory: atomic.notify atomic.wait32',
  '0x10 i32: atomic.load',
  '0x17 i32: atomic.store',
  '0x1e i32: atomic.rmw.add',
  '0x48 i32: atomic.rmw.cmpxchg',
);
const MEMORY = {
  ...opcodes(
    [],
    '0x28 i32: load',
    '0x29 i64: load',
    '0x2a f32: load',
    '0x2b f64: load',
    '0x2c i32: load8_s load8_u load16_s load16_u',
    '0x36 i32: store',
    '0x37 i64: store',
    '0x38 f32: store',
    '0x39 f64: store',
    '0x3a i32: store8 store16',
  ),
  ...opcodes(
    [0xfd],
    '0x00 v128: load load8x8_s load8x8_u load16x4_s load16x4_u',
    '0x09 v128: load32_splat',
    '0x0b v128: store',
    '0x5c v128: load32_zero load64_zero',
  ),
  ...ATOMIC,
};
export type MemOp = keyof typeof MEMORY;

const LANE_MEMORY = opcodes(
  [0xfd],
  '0x56 v128: load32_lane load64_lane store8_lane store16_lane store32_lane store64_lane',
);
const LANE = opcodes(
  [0xfd],
  '0x1b i32x4: extract_lane replace_lane',
  '0x1f f32x4: extract_lane replace_lane',
);

/** The code of one function body; locals are numbered after the parameters. */
export class Code {
  readonly out = new Bytes();
  op(name: Op): this {
    this.out.all(OPS[name]);
    return this;
  }
  mem(name: MemOp, offset = 0, align = 0): this {
    // Atomic accesses must state their natural alignment.
    this.out
      .all(MEMORY[name])
      .u32(name in ATOMIC ? 2 : align)
      .u32(offset);
    return this;
  }
  laneMem(name: keyof typeof LANE_MEMORY, lane: number, offset = 0): this {
    this.out.all(LANE_MEMORY[name]).u32(0).u32(offset).u8(lane);
    return this;
  }
  lane(name: keyof typeof LANE, lane: number): this {
    this.out.all(LANE[name]).u8(lane);
    return this;
  }
  shuffle(lanes: readonly number[]): this {
    this.out.u8(0xfd).u32(13).all(lanes);
    return this;
  }
  get(i: number): this {
    this.out.u8(0x20).u32(i);
    return this;
  }
  set(i: number): this {
    this.out.u8(0x21).u32(i);
    return this;
  }
  tee(i: number): this {
    this.out.u8(0x22).u32(i);
    return this;
  }
  i32(x: number): this {
    this.out.u8(0x41).s32(x);
    return this;
  }
  i64(x: bigint): this {
    this.out.u8(0x42).s64(x);
    return this;
  }
  f32(x: number): this {
    this.out.u8(0x43).f32(x);
    return this;
  }
  f64(x: number): this {
    this.out.u8(0x44).f64(x);
    return this;
  }
  v128(lanes: Uint8Array): this {
    this.out.u8(0xfd).u32(12).all(lanes);
    return this;
  }
  block(): this {
    this.out.u8(0x02).u8(VOID);
    return this;
  }
  loop(): this {
    this.out.u8(0x03).u8(VOID);
    return this;
  }
  if(type: ValType | null = null): this {
    this.out.u8(0x04).u8(type ?? VOID);
    return this;
  }
  else(): this {
    this.out.u8(0x05);
    return this;
  }
  end(): this {
    this.out.u8(0x0b);
    return this;
  }
  br(depth: number): this {
    this.out.u8(0x0c).u32(depth);
    return this;
  }
  brIf(depth: number): this {
    this.out.u8(0x0d).u32(depth);
    return this;
  }
  call(f: number): this {
    this.out.u8(0x10).u32(f);
    return this;
  }
  callIndirect(type: number): this {
    this.out.u8(0x11).u32(type).u8(0);
    return this;
  }
  fence(): this {
    this.out.all([0xfe, 0x03, 0x00]);
    return this;
  }
}

export interface FuncType {
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}
export interface Func {
  readonly type: FuncType;
  readonly locals: readonly ValType[];
  readonly code: Bytes;
  readonly exported?: string;
}
export interface ModuleSpec {
  /** Imported functions come first in the function numbering. */
  readonly imports: readonly { readonly name: string; readonly type: FuncType }[];
  readonly funcs: readonly Func[];
  /** Types used by call_indirect only; type 0 … of the module. */
  readonly types: readonly FuncType[];
  /** Puts funcs into the imported table from this position; -1 for not at all. */
  readonly tableBase: number;
  /** Pages: the largest maximum of memory that the importing side may have. */
  readonly maxPages: number;
}

const typeKey = (t: FuncType): string => `${t.params.join()}>${t.results.join()}`;

/** Assembles a module that imports memory `e.m` (shared), table `e.t` and its functions from `e`. */
export function assemble(spec: ModuleSpec): Uint8Array<ArrayBuffer> {
  const types: FuncType[] = [];
  const index = new Map<string, number>();
  const typeOf = (t: FuncType): number => {
    const k = typeKey(t);
    let i = index.get(k);
    if (i === undefined) {
      i = types.push(t) - 1;
      index.set(k, i);
    }
    return i;
  };
  for (const t of spec.types) typeOf(t);
  const importTypes = spec.imports.map(f => typeOf(f.type));
  const funcTypes = spec.funcs.map(f => typeOf(f.type));

  const out = new Bytes(4096).all([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  const section = (id: number, body: Bytes): void => {
    out.u8(id).u32(body.length).append(body);
  };
  const list = (n: number): Bytes => new Bytes(1024).u32(n);

  const t = list(types.length);
  for (const ft of types) {
    t.u8(0x60).u32(ft.params.length).all(ft.params);
    t.u32(ft.results.length).all(ft.results);
  }
  section(1, t);

  const im = list(spec.imports.length + 2);
  im.name('e').name('m').u8(2).u8(3).u32(1).u32(spec.maxPages); // shared memory with a maximum
  im.name('e').name('t').u8(1).u8(0x70).u8(0).u32(0);
  spec.imports.forEach((f, i) => {
    im.name('e').name(f.name).u8(0).u32(importTypes[i]!);
  });
  section(2, im);

  const fn = list(funcTypes.length);
  for (const i of funcTypes) fn.u32(i);
  section(3, fn);

  const named = spec.funcs.flatMap((f, i) => (f.exported === undefined ? [] : [[f.exported, i] as const]));
  const ex = list(named.length);
  for (const [name, i] of named)
    ex.name(name)
      .u8(0)
      .u32(spec.imports.length + i);
  section(7, ex);

  if (spec.tableBase >= 0 && spec.funcs.length > 0) {
    const el = list(1).u32(0).u8(0x41).s32(spec.tableBase).u8(0x0b).u32(spec.funcs.length);
    for (let i = 0; i < spec.funcs.length; i++) el.u32(spec.imports.length + i);
    section(9, el);
  }

  const code = list(spec.funcs.length);
  for (const f of spec.funcs) {
    const body = new Bytes(f.code.length + 64);
    const groups: [ValType, number][] = [];
    for (const l of f.locals) {
      const last = groups[groups.length - 1];
      if (last !== undefined && last[0] === l) last[1]++;
      else groups.push([l, 1]);
    }
    body.u32(groups.length);
    for (const [type, n] of groups) body.u32(n).u8(type);
    body.append(f.code).u8(0x0b);
    code.u32(body.length).append(body);
  }
  section(10, code);
  return out.slice();
}

// A WebAssembly assembler: opcodes by the names of the specification, sections, LEB128. No knowledge of tensors.
// In: calls. Out: the bytes of a module.

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;
export type ValType = typeof I32 | typeof I64 | typeof F32 | typeof F64 | typeof V128;
const VOID = 0x40;

/** A growing list of bytes with the encodings that WebAssembly uses. */
export class Bytes {
  private buf: Uint8Array;
  length = 0;
  constructor(size = 256) {
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
    this.room(4);
    new DataView(this.buf.buffer).setFloat32(this.length, x, true);
    this.length += 4;
    return this;
  }
  f64(x: number): this {
    this.room(8);
    new DataView(this.buf.buffer).setFloat64(this.length, x, true);
    this.length += 8;
    return this;
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

/** One-byte opcodes. */
// biome-ignore format: a table
const PLAIN = {
  unreachable: 0x00, return: 0x0f, drop: 0x1a, select: 0x1b,
  'i32.eqz': 0x45, 'i32.eq': 0x46, 'i32.ne': 0x47, 'i32.lt_s': 0x48, 'i32.lt_u': 0x49, 'i32.gt_s': 0x4a,
  'i32.gt_u': 0x4b, 'i32.le_s': 0x4c, 'i32.le_u': 0x4d, 'i32.ge_s': 0x4e, 'i32.ge_u': 0x4f,
  'i64.eqz': 0x50, 'i64.eq': 0x51, 'i64.ne': 0x52, 'i64.lt_s': 0x53, 'i64.lt_u': 0x54, 'i64.gt_s': 0x55,
  'i64.le_s': 0x57, 'i64.ge_s': 0x59,
  'f32.eq': 0x5b, 'f32.ne': 0x5c, 'f32.lt': 0x5d, 'f32.gt': 0x5e, 'f32.le': 0x5f, 'f32.ge': 0x60,
  'f64.eq': 0x61, 'f64.ne': 0x62, 'f64.lt': 0x63, 'f64.gt': 0x64, 'f64.le': 0x65, 'f64.ge': 0x66,
  'i32.add': 0x6a, 'i32.sub': 0x6b, 'i32.mul': 0x6c, 'i32.div_s': 0x6d, 'i32.div_u': 0x6e, 'i32.rem_s': 0x6f,
  'i32.rem_u': 0x70, 'i32.and': 0x71, 'i32.or': 0x72, 'i32.xor': 0x73, 'i32.shl': 0x74, 'i32.shr_s': 0x75,
  'i32.shr_u': 0x76,
  'i64.add': 0x7c, 'i64.sub': 0x7d, 'i64.mul': 0x7e, 'i64.div_s': 0x7f, 'i64.rem_s': 0x81, 'i64.and': 0x83,
  'i64.or': 0x84, 'i64.xor': 0x85, 'i64.shl': 0x86, 'i64.shr_s': 0x87, 'i64.shr_u': 0x88,
  'f32.abs': 0x8b, 'f32.neg': 0x8c, 'f32.ceil': 0x8d, 'f32.floor': 0x8e, 'f32.trunc': 0x8f, 'f32.nearest': 0x90,
  'f32.sqrt': 0x91, 'f32.add': 0x92, 'f32.sub': 0x93, 'f32.mul': 0x94, 'f32.div': 0x95, 'f32.min': 0x96,
  'f32.max': 0x97, 'f32.copysign': 0x98,
  'f64.abs': 0x99, 'f64.neg': 0x9a, 'f64.ceil': 0x9b, 'f64.floor': 0x9c, 'f64.trunc': 0x9d, 'f64.nearest': 0x9e,
  'f64.sqrt': 0x9f, 'f64.add': 0xa0, 'f64.sub': 0xa1, 'f64.mul': 0xa2, 'f64.div': 0xa3, 'f64.min': 0xa4,
  'f64.max': 0xa5, 'f64.copysign': 0xa6,
  'i32.wrap_i64': 0xa7, 'i64.extend_i32_s': 0xac, 'i64.extend_i32_u': 0xad, 'f32.convert_i32_s': 0xb2,
  'f32.convert_i32_u': 0xb3, 'f32.convert_i64_s': 0xb4, 'f32.demote_f64': 0xb6, 'f64.convert_i32_s': 0xb7,
  'f64.convert_i64_s': 0xb9, 'f64.promote_f32': 0xbb, 'i32.reinterpret_f32': 0xbc, 'i64.reinterpret_f64': 0xbd,
  'f32.reinterpret_i32': 0xbe, 'f64.reinterpret_i64': 0xbf,
} as const;

/** Saturating conversions: prefix 0xfc. */
// biome-ignore format: a table
const SAT = {
  'i32.trunc_sat_f32_s': 0, 'i32.trunc_sat_f64_s': 2, 'i64.trunc_sat_f32_s': 4, 'i64.trunc_sat_f64_s': 6,
} as const;

/** SIMD: prefix 0xfd. */
// biome-ignore format: a table
const SIMD = {
  'i8x16.swizzle': 14, 'i8x16.splat': 15, 'i16x8.splat': 16, 'i32x4.splat': 17, 'i64x2.splat': 18,
  'f32x4.splat': 19, 'f64x2.splat': 20,
  'i32x4.eq': 0x37, 'i32x4.ne': 0x38, 'i32x4.lt_s': 0x39, 'i32x4.lt_u': 0x3a, 'i32x4.gt_s': 0x3b,
  'i32x4.le_s': 0x3d, 'i32x4.ge_s': 0x3f,
  'f32x4.eq': 0x41, 'f32x4.ne': 0x42, 'f32x4.lt': 0x43, 'f32x4.gt': 0x44, 'f32x4.le': 0x45, 'f32x4.ge': 0x46,
  'v128.not': 0x4d, 'v128.and': 0x4e, 'v128.andnot': 0x4f, 'v128.or': 0x50, 'v128.xor': 0x51,
  'v128.bitselect': 0x52, 'v128.any_true': 0x53,
  'i8x16.narrow_i16x8_s': 0x65, 'i8x16.narrow_i16x8_u': 0x66, 'f32x4.ceil': 0x67, 'f32x4.floor': 0x68,
  'f32x4.trunc': 0x69, 'f32x4.nearest': 0x6a, 'f64x2.ceil': 0x74, 'f64x2.floor': 0x75, 'f64x2.trunc': 0x7a,
  'i16x8.narrow_i32x4_s': 0x85, 'i16x8.narrow_i32x4_u': 0x86, 'i16x8.extend_low_i8x16_s': 0x87,
  'i16x8.extend_low_i8x16_u': 0x89,
  'i64x2.extend_low_i32x4_s': 0xc7, 'i64x2.extend_high_i32x4_s': 0xc8,
  'i32x4.abs': 0xa0, 'i32x4.neg': 0xa1, 'i32x4.all_true': 0xa3, 'i32x4.extend_low_i16x8_s': 0xa7,
  'i32x4.extend_low_i16x8_u': 0xa9, 'i32x4.shl': 0xab, 'i32x4.shr_s': 0xac, 'i32x4.shr_u': 0xad,
  'i32x4.add': 0xae, 'i32x4.sub': 0xb1, 'i32x4.mul': 0xb5, 'i32x4.min_s': 0xb6, 'i32x4.min_u': 0xb7,
  'i32x4.max_s': 0xb8, 'i32x4.max_u': 0xb9,
  'f32x4.abs': 0xe0, 'f32x4.neg': 0xe1, 'f32x4.sqrt': 0xe3, 'f32x4.add': 0xe4, 'f32x4.sub': 0xe5,
  'f32x4.mul': 0xe6, 'f32x4.div': 0xe7, 'f32x4.min': 0xe8, 'f32x4.max': 0xe9, 'f32x4.pmin': 0xea,
  'f32x4.pmax': 0xeb,
  'f64x2.add': 0xf0, 'f64x2.sub': 0xf1, 'f64x2.mul': 0xf2,
  'i32x4.trunc_sat_f32x4_s': 0xf8, 'f32x4.convert_i32x4_s': 0xfa, 'f32x4.convert_i32x4_u': 0xfb,
  'f32x4.demote_f64x2_zero': 0x5e, 'f64x2.promote_low_f32x4': 0x5f,
  'i32x4.relaxed_trunc_f32x4_s': 0x101, 'f32x4.relaxed_madd': 0x105, 'f32x4.relaxed_nmadd': 0x106,
  'i32x4.relaxed_laneselect': 0x10b, 'f64x2.relaxed_madd': 0x107,
} as const;

export type Op = keyof typeof PLAIN | keyof typeof SAT | keyof typeof SIMD;

// biome-ignore format: a table
const LOADS = {
  'i32.load': [0x28], 'i64.load': [0x29], 'f32.load': [0x2a], 'f64.load': [0x2b], 'i32.load8_s': [0x2c],
  'i32.load8_u': [0x2d], 'i32.load16_s': [0x2e], 'i32.load16_u': [0x2f],
  'i32.store': [0x36], 'i64.store': [0x37], 'f32.store': [0x38], 'f64.store': [0x39], 'i32.store8': [0x3a],
  'i32.store16': [0x3b],
  'v128.load': [0xfd, 0], 'v128.load8x8_s': [0xfd, 1], 'v128.load8x8_u': [0xfd, 2], 'v128.load16x4_s': [0xfd, 3],
  'v128.load16x4_u': [0xfd, 4], 'v128.load32_splat': [0xfd, 9], 'v128.store': [0xfd, 11],
  'v128.load32_zero': [0xfd, 0x5c], 'v128.load64_zero': [0xfd, 0x5d],
  'i32.atomic.load': [0xfe, 0x10], 'i32.atomic.store': [0xfe, 0x17], 'i32.atomic.rmw.add': [0xfe, 0x1e],
  'i32.atomic.rmw.cmpxchg': [0xfe, 0x48], 'memory.atomic.notify': [0xfe, 0x00], 'memory.atomic.wait32': [0xfe, 0x01],
} as const;
export type MemOp = keyof typeof LOADS;

// biome-ignore format: a table
const LANE_MEM = { 'v128.load32_lane': 0x56, 'v128.load64_lane': 0x57, 'v128.store8_lane': 0x58, 'v128.store16_lane': 0x59, 'v128.store32_lane': 0x5a, 'v128.store64_lane': 0x5b } as const;
// biome-ignore format: a table
const LANE = { 'i32x4.extract_lane': 0x1b, 'i32x4.replace_lane': 0x1c, 'f32x4.extract_lane': 0x1f, 'f32x4.replace_lane': 0x20 } as const;

/** The code of one function body; locals are numbered after the parameters. */
export class Code {
  readonly out = new Bytes();
  op(name: Op): this {
    const p = (PLAIN as Record<string, number>)[name];
    if (p !== undefined) {
      this.out.u8(p);
      return this;
    }
    const s = (SIMD as Record<string, number>)[name];
    if (s !== undefined) {
      this.out.u8(0xfd).u32(s);
      return this;
    }
    this.out.u8(0xfc).u32((SAT as Record<string, number>)[name]!);
    return this;
  }
  mem(name: MemOp, offset = 0, align = 0): this {
    const [first, second] = LOADS[name];
    this.out.u8(first);
    if (second !== undefined) this.out.u32(second);
    // Atomic accesses must state their natural alignment.
    this.out.u32(LOADS[name][0] === 0xfe ? 2 : align).u32(offset);
    return this;
  }
  laneMem(name: keyof typeof LANE_MEM, lane: number, offset = 0): this {
    this.out.u8(0xfd).u32(LANE_MEM[name]).u32(0).u32(offset).u8(lane);
    return this;
  }
  lane(name: keyof typeof LANE, lane: number): this {
    this.out.u8(0xfd).u32(LANE[name]).u8(lane);
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

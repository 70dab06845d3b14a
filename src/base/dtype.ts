// Element types: widths, categories, PyTorch's promotion rules and the bits of the 16-bit floats.
// In: nothing. Out: plain data and functions. Not its job: tensors, devices.

export type DType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

export type TypedArray =
  | Float64Array
  | Float32Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

/** The type in which a kernel computes; narrow types are widened on load and narrowed on store. */
export type ComputeType = 'f32' | 'f64' | 'i32' | 'i64' | 'b';

interface DTypeInfo {
  readonly bytes: number;
  /** 0 bool, 1 integer, 2 floating: a higher category wins a promotion. */
  readonly category: 0 | 1 | 2;
  readonly compute: ComputeType;
  readonly code: number;
  readonly short: string;
}

export const DTYPES: Readonly<Record<DType, DTypeInfo>> = {
  float64: { bytes: 8, category: 2, compute: 'f64', code: 0, short: 'f64' },
  float32: { bytes: 4, category: 2, compute: 'f32', code: 1, short: 'f32' },
  float16: { bytes: 2, category: 2, compute: 'f32', code: 2, short: 'f16' },
  bfloat16: { bytes: 2, category: 2, compute: 'f32', code: 3, short: 'bf16' },
  int64: { bytes: 8, category: 1, compute: 'i64', code: 4, short: 'i64' },
  int32: { bytes: 4, category: 1, compute: 'i32', code: 5, short: 'i32' },
  int16: { bytes: 2, category: 1, compute: 'i32', code: 6, short: 'i16' },
  int8: { bytes: 1, category: 1, compute: 'i32', code: 7, short: 'i8' },
  uint8: { bytes: 1, category: 1, compute: 'i32', code: 8, short: 'u8' },
  bool: { bytes: 1, category: 0, compute: 'b', code: 9, short: 'bool' },
};

export const isDType = (x: unknown): x is DType => typeof x === 'string' && Object.hasOwn(DTYPES, x);
export const isFloat = (d: DType): boolean => DTYPES[d].category === 2;
export const isInt = (d: DType): boolean => DTYPES[d].category === 1;
export const byteWidth = (d: DType): number => DTYPES[d].bytes;

const INT_RANK: Partial<Record<DType, number>> = { int8: 1, int16: 2, int32: 3, int64: 4 };
const FLOAT_RANK: Partial<Record<DType, number>> = { float16: 1, bfloat16: 1, float32: 2, float64: 3 };

/** The smallest type that holds both, by PyTorch's table (`torch.promote_types`). */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a;
  const ca = DTYPES[a].category;
  const cb = DTYPES[b].category;
  if (ca !== cb) return ca > cb ? a : b;
  if (ca === 2) {
    const ra = FLOAT_RANK[a]!;
    const rb = FLOAT_RANK[b]!;
    return ra === rb ? 'float32' : ra > rb ? a : b; // float16 with bfloat16 gives float32
  }
  if (a === 'uint8') return b === 'int8' ? 'int16' : b;
  if (b === 'uint8') return a === 'int8' ? 'int16' : a;
  return INT_RANK[a]! > INT_RANK[b]! ? a : b;
}

/** One operand of a promotion: tensors with dims outrank 0-dim tensors, which outrank plain numbers. */
export interface Operand {
  readonly dtype: DType;
  readonly rank: 'dim' | 'zero' | 'number';
}

/** PyTorch's `result_type`: a lower rank takes part only when its category is higher. */
export function resultType(operands: readonly Operand[]): DType {
  let out: DType | null = null;
  let category = -1;
  for (const rank of ['dim', 'zero', 'number'] as const) {
    let here: DType | null = null;
    for (const o of operands) {
      if (o.rank === rank) here = here === null ? o.dtype : promoteTypes(here, o.dtype);
    }
    if (here !== null && DTYPES[here].category > category) {
      out = here;
      category = DTYPES[here].category;
    }
  }
  return out ?? 'float32';
}

export function typedArray(
  dtype: DType,
  buffer: ArrayBufferLike,
  byteOffset = 0,
  length?: number,
): TypedArray {
  switch (dtype) {
    case 'float64':
      return new Float64Array(buffer, byteOffset, length);
    case 'float32':
      return new Float32Array(buffer, byteOffset, length);
    case 'float16':
    case 'bfloat16':
      return new Uint16Array(buffer, byteOffset, length);
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, length);
    case 'int32':
      return new Int32Array(buffer, byteOffset, length);
    case 'int16':
      return new Int16Array(buffer, byteOffset, length);
    case 'int8':
      return new Int8Array(buffer, byteOffset, length);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, byteOffset, length);
  }
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** float32 to bfloat16 bits, round half to even; NaN stays NaN. */
export function toBFloat16(x: number): number {
  f32[0] = x;
  const u = u32[0]!;
  if ((u & 0x7fffffff) > 0x7f800000) return (u >>> 16) | 0x40;
  return ((u + 0x7fff + ((u >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBFloat16(bits: number): number {
  u32[0] = bits << 16;
  return f32[0]!;
}

/** float64 to float16 bits, round half to even. */
export function toFloat16(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const a = Math.abs(x);
  if (Number.isNaN(x)) return 0x7e00;
  if (a >= 65520) return sign | 0x7c00;
  if (a < 2 ** -14) {
    return sign | roundHalfEven(a * 2 ** 24); // subnormal; 1024 carries into the first normal
  }
  const e = Math.floor(Math.log2(a));
  const exp = a < 2 ** e ? e - 1 : a >= 2 ** (e + 1) ? e + 1 : e;
  return sign | (((exp + 15) << 10) + roundHalfEven((a / 2 ** exp - 1) * 1024));
}

export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const e = (bits >> 10) & 31;
  const m = bits & 1023;
  if (e === 0) return sign * m * 2 ** -24;
  if (e === 31) return m ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + m / 1024) * 2 ** (e - 15);
}

export function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** Reads element `i` as a JavaScript number (bool gives 0 or 1; int64 beyond 2^53 loses digits). */
export function readElement(a: TypedArray, dtype: DType, i: number): number {
  if (dtype === 'float16') return fromFloat16(a[i] as number);
  if (dtype === 'bfloat16') return fromBFloat16(a[i] as number);
  return Number(a[i]);
}

/** Writes a JavaScript number as PyTorch converts it: integers wrap, bool is x !== 0. */
export function writeElement(a: TypedArray, dtype: DType, i: number, x: number | bigint | boolean): void {
  switch (dtype) {
    case 'int64':
      (a as BigInt64Array)[i] =
        typeof x === 'bigint' ? x : Number.isFinite(Number(x)) ? BigInt(Math.trunc(Number(x))) : -(2n ** 63n);
      return;
    case 'float16':
      a[i] = toFloat16(Number(x));
      return;
    case 'bfloat16':
      a[i] = toBFloat16(Number(x));
      return;
    case 'bool':
      a[i] = Number(x) !== 0 ? 1 : 0;
      return;
    default:
      a[i] = Number(x);
  }
}

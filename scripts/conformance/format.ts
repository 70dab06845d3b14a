// The golden format: manifests, the safetensors beside them, and the JSON notation of arguments.
// In: files. Out: cases, stored tensors, decoded arguments. Not its job: running anything.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DType, nn, range, type Tensor, tensor } from '../../src/index.ts';

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}
export interface Step {
  readonly op: string;
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly out?: readonly string[];
  readonly steps?: readonly Step[];
}
type Keys = Readonly<Record<string, string>>;

/** What random values must look like. */
export interface Distribution {
  readonly dist: string;
  readonly low?: number;
  readonly high?: number;
  readonly mean?: number;
  readonly std?: number;
  readonly value?: number;
  readonly zero_rows?: readonly number[];
}
/** One case; which fields are there depends on its kind. */
export interface Case {
  readonly id: string;
  readonly group: string;
  readonly kind: string;
  readonly op: string;
  readonly tolerance: Tolerance;
  readonly grad_tolerance: Tolerance;
  readonly tolerance_f32?: Tolerance;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly inputs: Keys;
  readonly outputs: readonly string[] | Keys;
  readonly dtypes: readonly string[];
  readonly cotangents: readonly (string | null)[];
  readonly grads: Keys;
  readonly native?: boolean;
  readonly requires_grad: readonly string[];
  readonly steps: readonly Step[] | number;
  /** Of pictures: 'float', 'u8' (CHW) or 'pil' (bytes, HWC). */
  readonly mode?: string;
  readonly problem: string;
  readonly property: string;
  readonly record_every: number;
  readonly groups: readonly Readonly<Record<string, unknown>>[] | null;
  readonly n: number;
  readonly zero_fraction: number;
  readonly tol: number;
  readonly kept_value: number;
  readonly init: Readonly<Record<string, unknown>>;
  readonly state: Keys;
  readonly train: boolean;
  readonly losses: readonly number[];
  readonly final_state: Keys;
  readonly final_tolerance: Tolerance;
  readonly calls: number;
  readonly state_after: Keys;
  readonly named_parameters: readonly (readonly [name: string, shape: readonly number[]])[];
  readonly state_dict: readonly (readonly [name: string, shape: readonly number[], dtype: string])[];
  readonly named_modules: readonly string[];
  readonly shape: readonly number[];
  readonly value: number | readonly number[];
  readonly expect: Distribution;
  readonly path: string;
  readonly tensors: Readonly<Record<string, FileTensor>>;
  readonly values: Readonly<Record<string, null | boolean | number | string | { readonly $float: string }>>;
  readonly model_inputs?: readonly string[];
  readonly model_output?: string;
  readonly check: { readonly mean_abs_max: number; readonly std_rel: number };
  readonly params: Readonly<Record<string, Distribution>>;
  readonly data: Keys;
  readonly band: readonly [low: number, high: number];
  readonly higher_is_better: boolean;
}
/** A tensor in a file: stored beside the case, or where it is large, sums and ends. */
export interface FileTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly key?: string;
  readonly sum?: number;
  readonly sumsq?: number;
  readonly first?: readonly number[];
  readonly last?: readonly number[];
}
export interface Manifest {
  readonly group: string;
  readonly file: string | null;
  readonly cases: readonly Case[];
}

export interface Stored {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

/** A number that the file writes as a float although it is whole: 2.0 and not 2. */
export class WholeFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Folders with manifests at or below `dir`. */
export function findManifests(dir: string, depth = 3): string[] {
  if (!existsSync(dir) || !statSync(dir).isDirectory()) return [];
  const names = readdirSync(dir).sort();
  const here = names.filter(f => f.endsWith('.json') && isManifest(join(dir, f))).map(f => join(dir, f));
  if (here.length > 0 || depth === 0) return here;
  return names.flatMap(f => findManifests(join(dir, f), depth - 1));
}
const isManifest = (file: string): boolean => /^\s*\{\s*"format"\s*:/.test(readFileSync(file, 'latin1'));

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;
const keepFloats: Reviver = (_, v, context) =>
  typeof v === 'number' && Number.isInteger(v) && /[.eE]/.test(context?.source ?? '') ? new WholeFloat(v) : v;

const NOTATION = ['args', 'kwargs', 'steps'];
/** Reads a manifest; whole floats stay marked in the arguments and are plain numbers elsewhere. */
export function readManifest(file: string): Manifest {
  const m = JSON.parse(readFileSync(file, 'utf8'), keepFloats as (key: string, value: unknown) => unknown);
  const cases = (m.cases as Record<string, unknown>[]).map(c =>
    Object.fromEntries(Object.entries(c).map(([k, v]) => [k, NOTATION.includes(k) ? v : plain(v)])),
  );
  return { ...m, cases };
}
export function plain(v: unknown): unknown {
  if (v instanceof WholeFloat) return v.value;
  if (Array.isArray(v)) return v.map(plain);
  if (v !== null && typeof v === 'object') {
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
  }
  return v;
}

const STORED: Record<string, readonly [DType, (b: ArrayBuffer) => ArrayLike<number | bigint>]> = {
  F64: ['float64', b => new Float64Array(b)],
  F32: ['float32', b => new Float32Array(b)],
  F16: ['float16', b => Float32Array.from(new Uint16Array(b), halfToNumber)],
  BF16: ['bfloat16', b => Float32Array.from(new Uint16Array(b), bfloatToNumber)],
  I64: ['int64', b => new BigInt64Array(b)],
  I32: ['int32', b => new Int32Array(b)],
  I16: ['int16', b => new Int16Array(b)],
  I8: ['int8', b => new Int8Array(b)],
  U8: ['uint8', b => new Uint8Array(b)],
  BOOL: ['bool', b => new Uint8Array(b)],
};
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
function bfloatToNumber(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0]!;
}

/** All tensors of a safetensors file: 8 bytes header length, JSON header, raw data. */
export function readTensors(file: string): Map<string, Stored> {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString('utf8')) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const out = new Map<string, Stored>();
  for (const [key, m] of Object.entries(header)) {
    if (key === '__metadata__') continue;
    const [dtype, view] = STORED[m.dtype]!;
    const [a, b] = m.data_offsets;
    out.set(key, {
      dtype,
      shape: m.shape,
      data: view(Uint8Array.from(bytes.subarray(start + a, start + b)).buffer),
    });
  }
  return out;
}

export const toTensor = (s: Stored, options: { requiresGrad?: boolean; dtype?: DType } = {}): Tensor =>
  tensor(Array.from(s.data), { shape: s.shape, dtype: s.dtype, ...options });

/** Arguments in the file's notation as ours: tensors by name, ranges, dtypes, special floats. */
export function decode(v: unknown, named: Readonly<Record<string, Tensor>>): unknown {
  if (Array.isArray(v)) return v.map(x => decode(x, named));
  if (v === null || typeof v !== 'object' || v instanceof WholeFloat) return v;
  const o = v as Record<string, unknown>;
  if ('$t' in o) return named[o.$t as string];
  if ('$float' in o)
    return { nan: Number.NaN, inf: Number.POSITIVE_INFINITY }[o.$float as string] ?? Number.NEGATIVE_INFINITY;
  if ('$packed' in o) {
    const { data, lengths, batch_first, enforce_sorted } = o.$packed as Record<string, unknown>;
    const options = { batchFirst: Boolean(batch_first), enforceSorted: enforce_sorted !== false };
    return nn.packPaddedSequence(decode(data, named) as Tensor, plain(lengths) as number[], options);
  }
  if ('$dtype' in o) return o.$dtype;
  if ('$slice' in o) {
    const [start, stop, step] = o.$slice as [number | null, number | null, number | null | undefined];
    return range(start, stop ?? null, step ?? 1);
  }
  return Object.fromEntries(Object.entries(o).map(([k, x]) => [k, decode(x, named)]));
}

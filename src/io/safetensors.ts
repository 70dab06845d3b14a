// The safetensors format (huggingface.co/docs/safetensors): a length, a header in JSON, the bytes of all tensors.
// In: bytes, or tensors by name. Out: the other. Reading runs nothing and copies nothing where bytes are aligned.

import { joined } from '../base/bytes.ts';
import { DTYPES, type DType } from '../base/dtype.ts';
import { FileError, show, ValueError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { isSize, tensorOf } from './bytes.ts';
import { duplicateKey } from './json.ts';

export interface Safetensors {
  readonly tensors: Record<string, Tensor>;
  readonly metadata: Record<string, string>;
}

const CODES: Readonly<Record<DType, string>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};
const DTYPE_OF: Readonly<Record<string, DType>> = Object.fromEntries(
  Object.entries(CODES).map(([dtype, code]) => [code, dtype as DType]),
);
/** What the official reader allows for the header. */
const MAX_HEADER = 100_000_000;

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Reads a file's bytes. Errors: FileError for whatever the official reader refuses. */
export function parseSafetensors(bytes: Uint8Array, file = 'the file'): Safetensors {
  const bad = (rule: string, got: string): FileError =>
    new FileError('safetensors', `${file}: ${rule}`, got, 'the file is damaged or of another format');
  if (bytes.length < 8) throw bad('it begins with a length of 8 bytes', `${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER) || Number(length) > bytes.length - 8)
    throw bad('the header must be in the file', `a length of ${length} in ${bytes.length} bytes`);
  const start = 8 + Number(length);
  const { entries, metadata } = parseHeader(bytes.subarray(8, start), bytes.length - start, bad);
  const tensors: Record<string, Tensor> = Object.create(null) as Record<string, Tensor>;
  for (const e of entries)
    tensors[e.name] = tensorOf(bytes.subarray(start + e.begin, start + e.end), e.shape, e.dtype);
  return { tensors: { ...tensors }, metadata };
}

type Bad = (rule: string, got: string) => FileError;
function parseHeader(
  bytes: Uint8Array,
  dataLength: number,
  bad: Bad,
): { entries: Entry[]; metadata: Record<string, string> } {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (e) {
    throw bad('the header must be JSON in UTF-8', (e as Error).message);
  }
  if (!text.startsWith('{') || !isRecord(header))
    throw bad('the header must be an object', text.slice(0, 20));
  const twice = duplicateKey(text);
  if (twice !== null) throw bad('a name stands for one tensor', `${show(twice)} twice`);
  const metadata: Record<string, string> = {};
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') entries.push(entryOf(name, value, bad));
    else {
      if (!isRecord(value) || !Object.values(value).every(v => typeof v === 'string'))
        throw bad('__metadata__ holds texts by name', show(value));
      Object.assign(metadata, value);
    }
  }
  // Every byte belongs to exactly one tensor: nothing can hide between them.
  let at = 0;
  for (const e of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (e.begin !== at)
      throw bad('tensors lie side by side without gaps and overlaps', `${e.name} at ${e.begin}, not ${at}`);
    at = e.end;
  }
  if (at !== dataLength) throw bad('tensors fill the file', `${at} of ${dataLength} bytes`);
  return { entries, metadata };
}
const isRecord = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && !Array.isArray(x);

function entryOf(name: string, value: unknown, bad: Bad): Entry {
  if (!isRecord(value)) throw bad(`${name} has dtype, shape and data_offsets`, show(value));
  const { dtype: code, shape, data_offsets: offsets } = value;
  const dtype = typeof code === 'string' && Object.hasOwn(DTYPE_OF, code) ? DTYPE_OF[code]! : null;
  if (dtype === null)
    throw bad(`the dtype of ${name} is one of ${Object.keys(DTYPE_OF).join(', ')}`, show(code));
  if (!Array.isArray(shape) || !shape.every(isSize))
    throw bad(`the shape of ${name} is a list of sizes`, show(shape));
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[1]! < offsets[0]!)
    throw bad(`data_offsets of ${name} are [begin, end]`, show(offsets));
  const [begin, end] = offsets as [number, number];
  const bytes = (shape as number[]).reduce((n, d) => n * d, DTYPES[dtype].bytes);
  if (bytes !== end - begin) throw bad(`${name} has ${bytes} bytes by its shape`, `${end - begin}`);
  return { name, dtype, shape: shape as number[], begin, end };
}

/**
 * The pieces of a file, in order: header, then each tensor, as views of its memory that hold until something is computed.
 * Larger elements come first, so that all are aligned.
 */
export function* safetensorsChunks(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const names = Object.keys(tensors).sort((a, b) => {
    const width = (n: string): number => DTYPES[tensors[n]!.dtype].bytes;
    return width(b) - width(a) || (a < b ? -1 : 1);
  });
  if (names.includes('__metadata__'))
    throw new ValueError('safetensors', 'no tensor may be called __metadata__', '__metadata__', '');
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) header['__metadata__'] = metadata;
  let at = 0;
  for (const name of names) {
    const { dtype, shape, numel } = tensors[name]!;
    const end = at + numel * DTYPES[dtype].bytes;
    header[name] = { dtype: CODES[dtype], shape, data_offsets: [at, end] };
    at = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text, 8);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  yield padded;
  // What is pending is computed first: then nothing runs while the views are in use.
  for (const name of names) tensors[name]!.realize();
  for (const name of names) yield tensors[name]!._peek();
}
/** A file's bytes. */
export function safetensorsBytes(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  return joined(safetensorsChunks(tensors, metadata));
}

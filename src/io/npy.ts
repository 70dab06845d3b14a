// NumPy's files (numpy.lib.format, versions 1 to 3): .npy is one array behind a header that is a Python dict, .npz a zip
// archive of them. In: bytes, or tensors. Out: the other. Not its job: pickled objects, texts, complex numbers.

import { joined } from '../base/bytes.ts';
import { DTYPES, type DType } from '../base/dtype.ts';
import { DTypeError, FileError, show } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { ByteWriter, sizeOf, swapped, tensorOf } from './bytes.ts';
import { Zip, zipChunks } from './zip.ts';

/** NumPy's codes of our dtypes; bfloat16 has none. */
const CODES: Readonly<Record<DType, string | null>> = {
  float64: 'f8',
  float32: 'f4',
  float16: 'f2',
  bfloat16: null,
  int64: 'i8',
  int32: 'i4',
  int16: 'i2',
  int8: 'i1',
  uint8: 'u1',
  bool: 'b1',
};
const DTYPE_OF: Readonly<Record<string, DType>> = Object.fromEntries(
  Object.entries(CODES).flatMap(([dtype, code]) => (code === null ? [] : [[code, dtype as DType]])),
);
/** Unsigned types that become int64: their values fit. */
const WIDENED: Readonly<Record<string, number>> = { u2: 2, u4: 4, u8: 8 };
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** What NumPy takes for a header without being asked. */
const MAX_HEADER = 10_000;

export const isNpy = (bytes: Uint8Array): boolean => MAGIC.every((b, i) => bytes[i] === b);

type Bad = (rule: string, got: string) => FileError;
/**
 * Reads a .npy file: any byte order, C or Fortran order; uint16, uint32 and uint64 become int64. Errors: FileError for a
 * damaged file and for elements that are no numbers.
 */
export function parseNpy(bytes: Uint8Array, file = 'the file'): Tensor {
  const bad: Bad = (rule, got) => new FileError('npy', `${file}: ${rule}`, got, '');
  if (!isNpy(bytes))
    throw bad('it begins with \\x93NUMPY', `bytes ${bytes.subarray(0, 6).join(' ') || 'none'}`);
  const version = bytes[6]!;
  const front = version === 1 ? 10 : 12;
  if (!(version >= 1 && version <= 3) || bytes.length < front)
    throw bad('the version is 1, 2 or 3', String(version));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER || front + length > bytes.length)
    throw bad(`the header is in the file and at most ${MAX_HEADER} bytes`, `${length} bytes`);
  const start = front + length;
  const { code, big, fortran, shape } = headerOf(
    new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(front, start)),
    bad,
  );
  const width = Number(code.slice(1));
  const numel = sizeOf(shape);
  if (numel === null || numel * width !== bytes.length - start)
    throw bad(
      `the data of shape (${shape.join(', ')}) is ${numel === null ? 'a countable number of' : numel * width} bytes`,
      `${bytes.length - start}`,
    );
  const raw = bytes.subarray(start);
  const data = big ? swapped(raw, width) : raw;
  const sizes = fortran ? shape.toReversed() : shape;
  const t =
    code in WIDENED
      ? tensorOf(widened(data, width, bad), sizes, 'int64')
      : tensorOf(data, sizes, DTYPE_OF[code]!);
  return fortran ? t.permute(sizes.map((_, i) => sizes.length - 1 - i)) : t;
}

interface Header {
  readonly code: string;
  readonly big: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}
/** {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
function headerOf(text: string, bad: Bad): Header {
  const field =
    /\s*(['"])(\w+)\1\s*:\s*(True|False|\(\s*(?:\d+L?\s*(?:,\s*|(?=\))))*\)|'[^'\\]*'|"[^"\\]*"|\[.*\])\s*(,|\}\s*$)/y;
  const fields = new Map<string, string>();
  const open = /^\s*\{/.exec(text);
  for (field.lastIndex = open?.[0].length ?? text.length; ; ) {
    const m = field.exec(text);
    if (m === null) break;
    if (fields.has(m[2]!)) throw bad('a field stands once in the header', `${m[2]} twice`);
    fields.set(m[2]!, m[3]!);
    // After the last field a comma may stand, as NumPy writes it.
    if (m[4] !== ',' || /^\s*\}\s*$/.test(text.slice(field.lastIndex))) {
      if ([...fields.keys()].sort().join() === 'descr,fortran_order,shape') return fieldsOf(fields, bad);
      break;
    }
  }
  throw bad('the header has descr, fortran_order and shape', show(text.trim().slice(0, 60)));
}
function fieldsOf(fields: ReadonlyMap<string, string>, bad: Bad): Header {
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map(k => fields.get(k)!) as [
    string,
    string,
    string,
  ];
  const [, endian, code] = /^.([<>|=])([a-zA-Z]\d+).$/.exec(descr) ?? [];
  if (code === undefined || !(code in DTYPE_OF || code in WIDENED))
    throw bad(
      `elements are ${[...Object.keys(DTYPE_OF), ...Object.keys(WIDENED)].join(', ')}`,
      descr.startsWith('[')
        ? 'a structure'
        : descr.includes('O')
          ? 'Python objects, which are not read'
          : descr,
    );
  if (order !== 'True' && order !== 'False') throw bad('fortran_order is True or False', order);
  if (!shape.startsWith('(')) throw bad('the shape is a tuple', shape);
  const sizes = shape.match(/\d+/g) ?? [];
  return { code, big: endian === '>', fortran: order === 'True', shape: sizes.map(Number) };
}
/** Unsigned numbers as int64. */
function widened(bytes: Uint8Array, width: number, bad: Bad): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const read =
    width === 8
      ? (at: number) => view.getBigInt64(at, true)
      : (at: number) => BigInt(width === 4 ? view.getUint32(at, true) : view.getUint16(at, true));
  const out = BigInt64Array.from({ length: bytes.length / width }, (_, i) => read(i * width));
  if (out.some(v => v < 0n)) throw bad('uint64 below 2⁶³ can be int64', 'larger ones');
  return new Uint8Array(out.buffer);
}

/** The bytes of a .npy file, in C order. Errors: DTypeError for bfloat16, which NumPy does not have. */
export function npyBytes(t: Tensor): Uint8Array {
  const code = CODES[t.dtype];
  if (code === null)
    throw new DTypeError(
      'npy',
      'NumPy must have the dtype',
      t.dtype,
      "convert it with to({ dtype: 'float32' })",
    );
  const endian = DTYPES[t.dtype].bytes === 1 ? '|' : '<';
  const shape = t.shape.length === 1 ? `(${t.shape[0]},)` : `(${t.shape.join(', ')})`;
  const text = `{'descr': '${endian}${code}', 'fortran_order': False, 'shape': ${shape}, }`;
  // Data begins at a multiple of 64.
  const padded = text.padEnd(Math.ceil((10 + text.length + 1) / 64) * 64 - 11);
  return new ByteWriter()
    .u8(...MAGIC, 1, 0)
    .u16(padded.length + 1)
    .text(`${padded}\n`)
    .put(t._bytes())
    .done();
}

/** Reads a .npz file: arrays by name. Errors: FileError. */
export async function parseNpz(bytes: Uint8Array, file = 'the file'): Promise<Record<string, Tensor>> {
  const zip = new Zip(bytes, 'npz', file);
  const tensors: [string, Tensor][] = [];
  for (const name of zip.names) {
    if (!name.endsWith('.npy')) throw new FileError('npz', `${file} holds .npy files`, show(name), '');
    tensors.push([name.slice(0, -'.npy'.length), parseNpy(await zip.read(name), `${file}, ${name}`)]);
  }
  return Object.fromEntries(tensors);
}
/** The pieces of a .npz file, in order. */
export function* npzChunks(tensors: Readonly<Record<string, Tensor>>): Generator<Uint8Array> {
  function* entries(): Generator<readonly [string, Uint8Array]> {
    for (const [name, t] of Object.entries(tensors)) yield [`${name}.npy`, npyBytes(t)];
  }
  yield* zipChunks('npz', entries());
}
/** A file's bytes. */
export const npzBytes = (tensors: Readonly<Record<string, Tensor>>): Uint8Array => joined(npzChunks(tensors));

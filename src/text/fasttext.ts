// fastText's own files, .bin (Bojanowski, Grave, Joulin and Mikolov 2017, arXiv 1607.04606): the vector of a word is the mean
// of the vectors of the word and of its pieces of characters, so that unknown words have one, too.
// In: bytes (versions 11 and 12, not quantized). Out: words and vectors.

import { FileError } from '../base/errors.ts';
import { encodeUtf8 } from './utf8.ts';
import { WordVectors } from './vectors.ts';

const MAGIC = 793712314;
const END_OF_SENTENCE = '</s>';
const utf8 = new TextDecoder();

/** Reads numbers one after the other; beyond the end it is the error of the file. */
class Reader {
  at = 0;
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly file: string;
  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.file = file;
  }
  bad(rule: string, got: string): FileError {
    return new FileError(
      'parseFastText',
      `${this.file}: ${rule}`,
      got,
      'the file is damaged or of another format',
    );
  }
  private take(n: number): number {
    const from = this.at;
    if (from + n > this.bytes.length) throw this.bad('it must be whole', `${this.bytes.length} bytes`);
    this.at += n;
    return from;
  }
  int8(): number {
    return this.bytes[this.take(1)]!;
  }
  int32(): number {
    return this.view.getInt32(this.take(4), true);
  }
  int64(what: string): number {
    const v = this.view.getBigInt64(this.take(8), true);
    if (v < -1n || v > BigInt(Number.MAX_SAFE_INTEGER)) throw this.bad(`${what} must be a count`, String(v));
    return Number(v);
  }
  skip(n: number): void {
    this.take(n);
  }
  /** Text up to a NUL. */
  text(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw this.bad('words end with a NUL', 'none');
    const text = utf8.decode(this.bytes.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }
  floatsAt(from: number, n: number, into: Float64Array): void {
    for (let i = 0; i < n; i++) into[i]! += this.view.getFloat32(from + 4 * i, true);
  }
}

interface Model {
  readonly dim: number;
  readonly buckets: number;
  readonly minn: number;
  readonly maxn: number;
  readonly words: readonly string[];
}

/** The words and vectors of a fastText model; vectors of unknown words come from their pieces. */
export function parseFastText(bytes: Uint8Array, limit: number, file: string): WordVectors {
  const r = new Reader(bytes, file);
  const model = readHead(r);
  const { dim, words, buckets } = model;
  if (r.int8() !== 0) throw r.bad('the model must not be quantized', 'a quantized one');
  const [rows, columns] = [r.int64('rows'), r.int64('columns')];
  const start = r.at;
  if (columns !== dim || rows < words.length + (model.maxn > 0 ? buckets : 0))
    throw r.bad(`the matrix has ${dim} columns and a row for each word and bucket`, `${rows} × ${columns}`);
  if (rows * columns * 4 > bytes.length - start)
    throw r.bad('the matrix must be in the file', `${rows} × ${columns}`);
  const mean = (ids: readonly number[]): Float32Array => {
    const sum = new Float64Array(dim);
    for (const id of ids) r.floatsAt(start + 4 * dim * id, dim, sum);
    return Float32Array.from(sum, v => v / Math.max(1, ids.length));
  };
  const kept = words.slice(0, limit);
  const data = new Float32Array(kept.length * dim);
  for (const [i, word] of kept.entries()) data.set(mean([i, ...pieceIds(word, model)]), i * dim);
  const odd = data.findIndex(v => !Number.isFinite(v));
  if (odd >= 0) throw r.bad('numbers must be finite', `${data[odd]} in word ${Math.floor(odd / dim)}`);
  return new WordVectors(kept, data, dim, {
    compose: word => {
      const ids = pieceIds(word, model);
      return ids.length === 0 ? null : mean(ids);
    },
  });
}
function readHead(r: Reader): Model {
  if (r.int32() !== MAGIC) throw r.bad('it begins with the number of fastText', 'another one');
  const version = r.int32();
  if (version !== 11 && version !== 12) throw r.bad('versions are 11 and 12', String(version));
  const dim = r.int32();
  // ws, epoch, minCount, neg, wordNgrams, loss
  r.skip(4 * 6);
  const kind = r.int32();
  const [buckets, minn, maxn] = [r.int32(), r.int32(), r.int32()];
  // lrUpdateRate and t, a double
  r.skip(4 + 8);
  if (dim < 1 || buckets < 0 || minn < 0 || maxn < 0 || minn > 64 || maxn > 64)
    throw r.bad(
      'dims and pieces must be sizes',
      `${dim} dims, ${buckets} buckets, pieces of ${minn} … ${maxn}`,
    );
  const [size, count, labels] = [r.int32(), r.int32(), r.int32()];
  r.skip(8);
  const pruned = r.int64('pruned pieces');
  if (size !== count + labels || count < 1 || labels < 0)
    throw r.bad('there are words and labels', `${size} entries, ${count} words, ${labels} labels`);
  if (pruned > 0) throw r.bad('the model must not be pruned', 'a pruned one');
  const words: string[] = [];
  for (let i = 0; i < size; i++) {
    const word = r.text();
    r.skip(8);
    if (r.int8() !== 0) continue;
    if (words.length < i) throw r.bad('words come before labels', 'a word after one');
    words.push(word);
  }
  if (words.length !== count) throw r.bad(`there are ${count} words`, String(words.length));
  if (new Set(words).size !== count) throw r.bad('words must differ', 'one that comes twice');
  // Version 11 wrote maxn for classifiers that have no pieces.
  return { dim, buckets, minn, maxn: version === 11 && kind === 3 ? 0 : maxn, words };
}

/** Rows of a word's pieces: minn … maxn characters of <word>, hashed into buckets behind the words. */
function pieceIds(word: string, { minn, maxn, buckets, words }: Model): number[] {
  if (maxn === 0 || buckets === 0 || word === END_OF_SENTENCE) return [];
  const chars = [...`<${word}>`];
  const ids: number[] = [];
  for (let from = 0; from < chars.length; from++) {
    for (let n = Math.max(1, minn); n <= maxn && from + n <= chars.length; n++) {
      // The marks of begin and end alone are no piece.
      if (n === 1 && (from === 0 || from === chars.length - 1)) continue;
      ids.push(words.length + (fnv1a(encodeUtf8(chars.slice(from, from + n).join(''))) % buckets));
    }
  }
  return ids;
}
/** FNV-1a in 32 bits over signed bytes, as fastText has it. */
function fnv1a(bytes: Uint8Array): number {
  let h = 2166136261;
  for (const b of bytes) h = Math.imul(h ^ ((b << 24) >> 24), 16777619);
  return h >>> 0;
}

// Files of word vectors: GloVe's text, word2vec's text (fastText's .vec is the same) and binary, fastText's .bin.
// In: bytes. Out: words and vectors. Files may be larger than the largest string, so bytes are read as they are.

import { FileError, show, ValueError } from '../base/errors.ts';
import { readBytes, type Source } from '../io/index.ts';
import { parseFastText } from './fasttext.ts';
import { WordVectors } from './vectors.ts';

export type VectorFormat = 'glove' | 'word2vec' | 'word2vec-binary' | 'fasttext';
export interface VectorFileOptions {
  /** Default: found out from the first bytes. */
  readonly format?: VectorFormat;
  /** Reads the first so many words only: the most frequent ones in most files. Default: all. */
  readonly limit?: number;
  /** What errors call the bytes. Default 'the file'. */
  readonly file?: string;
}

/** Reads a file of word vectors of any known format. Errors: FileError with line or word for what is damaged. */
export async function readWordVectors(source: Source, options: VectorFileOptions = {}): Promise<WordVectors> {
  const file = typeof source === 'string' ? source : 'the file';
  return parseWordVectors(await readBytes('readWordVectors', source), { file, ...options });
}
/** The same from bytes. */
export function parseWordVectors(bytes: Uint8Array, options: VectorFileOptions = {}): WordVectors {
  const { limit = Number.POSITIVE_INFINITY, file = 'the file' } = options;
  if (!(limit >= 1)) throw new ValueError('parseWordVectors', 'limit must be >= 1', show(limit), '');
  const format = options.format ?? formatOf(bytes);
  const read = READERS[format];
  if (read === undefined)
    throw new ValueError(
      'parseWordVectors',
      `formats are ${Object.keys(READERS).join(', ')}`,
      show(format),
      '',
    );
  return read(bytes, limit, file);
}
const READERS: Readonly<Record<VectorFormat, (b: Uint8Array, limit: number, file: string) => WordVectors>> = {
  glove: (b, limit, file) => textVectors(b, 0, null, limit, file),
  word2vec: (b, limit, file) => {
    const head = header(b, file);
    return textVectors(b, head.end, head, limit, file);
  },
  'word2vec-binary': binaryVectors,
  fasttext: parseFastText,
};

const FASTTEXT = [0xba, 0x16, 0x4f, 0x2f];
/** A header of two numbers is word2vec's; what follows it, text or floats, tells which of the two. */
function formatOf(bytes: Uint8Array): VectorFormat {
  if (FASTTEXT.every((b, i) => bytes[i] === b)) return 'fasttext';
  const first = lineAt(bytes, 0);
  if (!/^\d+ \d+\s*$/.test(first.text)) return 'glove';
  const { text } = lineAt(bytes, first.end);
  return text.trim().split(' ').slice(1).every(isNumber) && !text.includes('\0')
    ? 'word2vec'
    : 'word2vec-binary';
}
const utf8 = new TextDecoder();
const LINE = 10;
function lineAt(bytes: Uint8Array, from: number): { text: string; end: number } {
  const found = bytes.indexOf(LINE, from);
  const end = found < 0 ? bytes.length : found;
  // Of a binary file a line may be the rest of it.
  return {
    text: utf8.decode(bytes.subarray(from, Math.min(end, from + 100_000))),
    end: Math.min(end + 1, bytes.length),
  };
}
const isNumber = (text: string): boolean => text !== '' && Number.isFinite(Number(text));

interface Header {
  readonly count: number;
  readonly dim: number;
  readonly end: number;
}
const bad = (file: string, rule: string, got: string): FileError =>
  new FileError('parseWordVectors', `${file}: ${rule}`, got, 'the file is damaged or of another format');
function header(bytes: Uint8Array, file: string): Header {
  const { text, end } = lineAt(bytes, 0);
  const found = /^(\d+) (\d+)\s*$/.exec(text);
  if (found === null)
    throw bad(file, 'it begins with the numbers of words and dims', show(text.slice(0, 40)));
  const [count, dim] = [Number(found[1]), Number(found[2])];
  // Each word needs a byte, a space and its numbers.
  if (dim < 1 || count * dim > bytes.length)
    throw bad(file, `${bytes.length} bytes must hold all vectors`, `${count} words of ${dim} dims`);
  return { count, dim, end };
}
/** Words and vectors that come one by one; of a word that comes twice the first counts, as in gensim. */
class Collector {
  private readonly words: string[] = [];
  private readonly seen = new Set<string>();
  private data: Float32Array;
  private readonly dim: number;
  constructor(dim: number) {
    this.dim = dim;
    this.data = new Float32Array(1024 * dim);
  }
  get count(): number {
    return this.words.length;
  }
  add(word: string, vector: ArrayLike<number>): void {
    if (this.seen.has(word)) return;
    this.seen.add(word);
    const at = this.words.push(word) - 1;
    if (at * this.dim === this.data.length) {
      const wider = new Float32Array(2 * this.data.length);
      wider.set(this.data);
      this.data = wider;
    }
    this.data.set(vector, at * this.dim);
  }
  done(): WordVectors {
    return new WordVectors(this.words, this.data.slice(0, this.words.length * this.dim), this.dim);
  }
}

/** Lines `word v1 … vd`. A word may have spaces in it (GloVe 840B): the last d fields are the numbers. */
function textVectors(
  bytes: Uint8Array,
  from: number,
  head: Header | null,
  limit: number,
  file: string,
): WordVectors {
  let line = head === null ? 1 : 2;
  let dim = head?.dim ?? 0;
  let out: Collector | null = null;
  for (let at = from; at < bytes.length && (out?.count ?? 0) < limit; line++) {
    const { text, end } = lineAt(bytes, at);
    at = end;
    const fields = text.replace(/[\r ]+$/, '').split(' ');
    if (fields.length === 1 && fields[0] === '') continue;
    if (dim === 0) dim = fields.length - 1;
    const numbers = fields.slice(fields.length - dim).map(Number);
    if (dim < 1 || fields.length <= dim || fields.slice(fields.length - dim).some(f => !isNumber(f)))
      throw bad(
        file,
        `a line is a word and ${dim || 'its'} numbers`,
        `${show(text.slice(0, 60))} at line ${line}`,
      );
    out ??= new Collector(dim);
    out.add(fields.slice(0, fields.length - dim).join(' '), numbers);
  }
  if (out === null) throw bad(file, 'there must be words', 'none');
  if (head !== null && limit >= head.count && line - 2 < head.count)
    throw bad(file, `it has ${head.count} words`, `${line - 2}: it was cut off`);
  return out.done();
}

/** word2vec's binary: a header line, then for each word its bytes, a space, d float32 (little-endian), maybe a line end. */
function binaryVectors(bytes: Uint8Array, limit: number, file: string): WordVectors {
  const { count, dim, end } = header(bytes, file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Collector(dim);
  const vector = new Float32Array(dim);
  let at = end;
  for (let i = 0; i < Math.min(count, limit); i++) {
    while (bytes[at] === LINE) at++;
    const space = bytes.indexOf(0x20, at);
    if (space < 0 || space + 1 + 4 * dim > bytes.length)
      throw bad(file, `it has ${count} words`, `${i}: it was cut off`);
    for (let k = 0; k < dim; k++) vector[k] = view.getFloat32(space + 1 + 4 * k, true);
    const odd = vector.findIndex(v => !Number.isFinite(v));
    if (odd >= 0) throw bad(file, 'numbers must be finite', `${vector[odd]} in word ${i}`);
    out.add(utf8.decode(bytes.subarray(at, space)), vector);
    at = space + 1 + 4 * dim;
  }
  if (out.count === 0) throw bad(file, 'there must be words', 'none');
  return out.done();
}

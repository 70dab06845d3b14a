// The tokenizer of llama2.c (SentencePiece BPE with scores): of two neighbours that make a token together the pair of the
// highest score is joined first; characters without a token are bytes.
// In: tokenizer.bin: the longest token's length (int32), then for each token score (float32), length (int32) and bytes.

import { joined } from '../base/bytes.ts';
import { FileError, show, ValueError } from '../base/errors.ts';
import { type Merged, mergeNeighbours } from './merging.ts';
import type { Tokenizer } from './tokenizer.ts';
import { encodeUtf8 } from './utf8.ts';

/** Tokens 0 … 2 are <unk>, <s> and </s>, 3 … 258 the bytes. */
const BYTES = 3;
const BEGIN = 1;
const END = 2;

/** The tokenizer of Llama 2 and of the models that llama2.c trains. */
export class LlamaTokenizer implements Tokenizer {
  readonly vocabSize: number;
  /** The token before a text, and the one after it. */
  readonly bos = BEGIN;
  readonly eos = END;
  private readonly pieces: readonly Uint8Array[];
  private readonly scores: Float32Array;
  private readonly ids: ReadonlyMap<string, number>;

  private constructor(pieces: readonly Uint8Array[], scores: Float32Array) {
    this.pieces = pieces;
    this.scores = scores;
    this.vocabSize = pieces.length;
    this.ids = new Map(pieces.map((p, id) => [keyOf(p), id] as const).reverse());
  }
  /** From the bytes of tokenizer.bin. Errors: FileError where it is torn. */
  static fromBytes(bytes: Uint8Array, file = 'tokenizer.bin'): LlamaTokenizer {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const bad = (got: string): FileError =>
      new FileError(
        'LlamaTokenizer',
        `${file}: tokens are score, length and bytes`,
        got,
        'the file is damaged or of another format',
      );
    if (bytes.length < 4) throw bad(`${bytes.length} bytes`);
    const longest = view.getInt32(0, true);
    const pieces: Uint8Array[] = [];
    const scores: number[] = [];
    for (let at = 4; at < bytes.length; ) {
      const size = at + 8 <= bytes.length ? view.getInt32(at + 4, true) : -1;
      if (size < 0 || size > longest || at + 8 + size > bytes.length)
        throw bad(`token ${pieces.length} of ${size} bytes`);
      const score = view.getFloat32(at, true);
      if (Number.isNaN(score)) throw bad(`the score NaN of token ${pieces.length}`);
      scores.push(score);
      pieces.push(bytes.slice(at + 8, at + 8 + size));
      at += 8 + size;
    }
    if (pieces.length < BYTES + 256) throw bad(`${pieces.length} tokens: the 256 bytes must be among them`);
    return new LlamaTokenizer(pieces, Float32Array.from(scores));
  }

  /** A space is put before the text, as SentencePiece does. With `begin: true` the token <s> comes first. */
  encode(text: string, options: { readonly begin?: boolean } = {}): number[] {
    const start = options.begin ? [BEGIN] : [];
    if (text === '') return start;
    const ids: number[] = [];
    for (const c of ` ${text}`) {
      const utf8 = encodeUtf8(c);
      const id = this.ids.get(keyOf(utf8));
      if (id !== undefined) ids.push(id);
      else for (const b of utf8) ids.push(BYTES + b);
    }
    return [...start, ...mergeNeighbours(ids, (left, right) => this.joint(left, right))];
  }
  /** The token that two make together; the highest score is joined first. */
  private joint(left: number, right: number): Merged | undefined {
    const id = this.ids.get(keyOf(this.pieces[left]!) + keyOf(this.pieces[right]!));
    return id === undefined ? undefined : { priority: -this.scores[id]!, id };
  }
  /** The bytes of one token; none for <unk>, <s> and </s>. */
  bytes(id: number): Uint8Array {
    const piece = this.pieces[id];
    if (piece === undefined)
      throw new ValueError('LlamaTokenizer', `numbers are 0 … ${this.vocabSize - 1}`, show(id), '');
    if (id < BYTES) return new Uint8Array();
    return id < BYTES + 256 ? Uint8Array.of(id - BYTES) : piece;
  }
  /** The text of numbers, without the space that encode puts before it. */
  decode(ids: ArrayLike<number>): string {
    const all = joined(Array.from(ids, id => this.bytes(id)));
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(all);
    return text.startsWith(' ') ? text.slice(1) : text;
  }
}
/** Bytes as a string of that many characters: keys of a map that are joined as bytes are. */
const keyOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

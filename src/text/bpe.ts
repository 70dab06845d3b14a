// Byte-pair encoding of UTF-8 bytes (Sennrich, Haddow and Birch 2016, arXiv 1508.07909; on bytes: Radford et al. 2019,
// "Language models are unsupervised multitask learners", section 2.2): no text is unknown to it.
// In: a text to learn merges from, or GPT-2's files. Out: a tokenizer.

import { joined } from '../base/bytes.ts';
import { FileError, show, ValueError } from '../base/errors.ts';
import { Heap } from './heap.ts';
import { type Merged, mergeNeighbours } from './merging.ts';
import type { Tokenizer } from './tokenizer.ts';
import { encodeUtf8 } from './utf8.ts';
import { parsed } from './vocab.ts';

/** GPT-2's cut into pieces that no merge crosses: words with the space before them, numbers, marks, spaces. */
const GPT2_PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Token a and token b become a new one. */
export type Merge = readonly [left: number, right: number];
export interface BpeOptions {
  /** Texts that are one token each, and its number. They count only where `encode` is told to look for them. */
  readonly specialTokens?: Readonly<Record<string, number>>;
}
export interface BpeTraining {
  /** Tokens at the end: the 256 bytes and the merges, without special tokens. */
  readonly vocabSize: number;
  /** A pair that comes less often is not merged. Default 2. */
  readonly minCount?: number;
  /** Special tokens; they get the numbers after the last. */
  readonly specials?: readonly string[];
}

/** Tokens that are pieces of UTF-8 bytes. */
export class BpeTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly specialTokens: Readonly<Record<string, number>>;
  private readonly pieces: readonly (Uint8Array | undefined)[];
  private readonly byteIds: readonly number[];
  /** left · 2²⁶ + right → rank and the token that comes of it. */
  private readonly merges: ReadonlyMap<number, Merged>;
  private readonly special: RegExp | null;
  private readonly cache = new Map<string, readonly number[]>();

  /** @internal Use `train`, `fromGpt2` or `fromJSON`. */
  constructor(
    pieces: readonly (Uint8Array | undefined)[],
    byteIds: readonly number[],
    merges: readonly (readonly [left: number, right: number, id: number])[],
    options: BpeOptions = {},
  ) {
    const { specialTokens = {} } = options;
    this.pieces = pieces;
    this.byteIds = byteIds;
    this.merges = new Map(merges.map(([a, b, id], priority) => [pairKey(a, b), { priority, id }]));
    this.specialTokens = specialTokens;
    const names = Object.keys(specialTokens);
    this.special =
      names.length === 0
        ? null
        : new RegExp(
            `(${names
              .sort((a, b) => b.length - a.length)
              .map(escaped)
              .join('|')})`,
          );
    this.vocabSize = Math.max(pieces.length, ...names.map(n => specialTokens[n]! + 1));
  }

  /** Tokens 0 … 255 are the bytes, then merges in their order: each time the pair that comes most often, of equals the least. */
  static train(texts: Iterable<string>, options: BpeTraining): BpeTokenizer {
    const { vocabSize, minCount = 2, specials = [] } = options;
    if (!Number.isInteger(vocabSize) || vocabSize < 256 || vocabSize >= ID_LIMIT)
      throw new ValueError(
        'BpeTokenizer.train',
        'vocabSize must be an integer >= 256',
        show(vocabSize),
        'the 256 bytes are tokens themselves',
      );
    const merges = learnMerges(texts, vocabSize - 256, minCount);
    return fromMerges(merges, specials);
  }
  /** GPT-2's tokenizer from the texts of encoder.json and vocab.bpe. Errors: FileError where they do not fit together. */
  static fromGpt2(encoder: string, vocab: string): BpeTokenizer {
    return gpt2(encoder, vocab);
  }

  /**
   * The numbers of a text. With `special: true` texts of special tokens become those tokens; by default they are text like
   * any other, so that what a user writes cannot end a document.
   */
  encode(text: string, options: { readonly special?: boolean } = {}): number[] {
    if (options.special !== true || this.special === null) return this.ordinary(text, []);
    const ids: number[] = [];
    for (const [i, part] of text.split(this.special).entries()) {
      if (i % 2 === 1) ids.push(this.specialTokens[part]!);
      else this.ordinary(part, ids);
    }
    return ids;
  }
  private ordinary(text: string, ids: number[]): number[] {
    for (const [piece] of text.matchAll(GPT2_PIECES)) {
      let found = this.cache.get(piece);
      if (found === undefined) {
        found = mergeNeighbours(
          Array.from(encodeUtf8(piece), b => this.byteIds[b]!),
          (left, right) => this.merges.get(pairKey(left, right)),
        );
        if (this.cache.size >= CACHED) this.cache.clear();
        if (piece.length <= CACHED_LENGTH) this.cache.set(piece, found);
      }
      for (const id of found) ids.push(id);
    }
    return ids;
  }
  /** The bytes of one token. */
  bytes(id: number): Uint8Array {
    const piece = this.pieces[id] ?? this.specialBytes(id);
    if (piece === undefined)
      throw new ValueError('BpeTokenizer', `numbers are 0 … ${this.vocabSize - 1}`, show(id), '');
    return piece;
  }
  private specialBytes(id: number): Uint8Array | undefined {
    const found = Object.entries(this.specialTokens).find(([, n]) => n === id);
    return found === undefined ? undefined : encodeUtf8(found[0]);
  }
  /** The text of numbers; bytes that are no UTF-8 together become U+FFFD. */
  decode(ids: ArrayLike<number>): string {
    const all = joined(Array.from(ids, id => this.bytes(id)));
    // ignoreBOM: a mark at the start is text here, too.
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(all);
  }

  /** Plain JSON, for files: of a tokenizer that `train` made. */
  toJSON(): { readonly merges: readonly Merge[]; readonly specials: readonly string[] } {
    const list = [...this.merges].sort(([, a], [, b]) => a.priority - b.priority);
    if (this.byteIds.some((id, b) => id !== b) || list.some(([, m], i) => m.id !== 256 + i))
      throw new ValueError(
        'BpeTokenizer.toJSON',
        'tokens must be numbered as train does',
        'a tokenizer of GPT-2’s files',
        'keep those files',
      );
    return {
      merges: list.map(([key]) => [Math.floor(key / ID_LIMIT), key % ID_LIMIT]),
      specials: Object.entries(this.specialTokens)
        .sort(([, a], [, b]) => a - b)
        .map(([name]) => name),
    };
  }
  /** From what `toJSON` gave, or its text. */
  static fromJSON(json: unknown, file = 'the tokenizer'): BpeTokenizer {
    const value = typeof json === 'string' ? parsed(json, file) : json;
    const { merges, specials } = (value ?? {}) as { merges?: unknown; specials?: unknown };
    const good =
      Array.isArray(merges) &&
      Array.isArray(specials) &&
      specials.every(s => typeof s === 'string' && s !== '') &&
      merges.every((m, i) => Array.isArray(m) && m.length === 2 && m.every(v => isId(v, 256 + i)));
    if (!good)
      throw new FileError('BpeTokenizer.fromJSON', `${file} must have merges and specials`, show(value), '');
    return fromMerges(merges as Merge[], specials as string[]);
  }
}

const ID_LIMIT = 2 ** 26;
/** Pieces that are kept with their tokens, and how long they may be. */
const CACHED = 100_000;
const CACHED_LENGTH = 64;
const pairKey = (left: number, right: number): number => left * ID_LIMIT + right;
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
const isId = (v: unknown, limit: number): boolean =>
  Number.isInteger(v) && (v as number) >= 0 && (v as number) < limit;

function fromMerges(merges: readonly Merge[], specials: readonly string[]): BpeTokenizer {
  const pieces: Uint8Array[] = Array.from({ length: 256 }, (_, b) => Uint8Array.of(b));
  for (const [a, b] of merges) pieces.push(Uint8Array.of(...pieces[a]!, ...pieces[b]!));
  return new BpeTokenizer(
    pieces,
    Array.from({ length: 256 }, (_, b) => b),
    merges.map(([a, b], i) => [a, b, 256 + i]),
    { specialTokens: Object.fromEntries(specials.map((s, i) => [s, pieces.length + i])) },
  );
}

// ---- learning ----------------------------------------------------------------------------------------------------------

/** The merges of texts, counted over their distinct pieces. */
function learnMerges(texts: Iterable<string>, wanted: number, minCount: number): Merge[] {
  const pieces = new Map<string, number>();
  for (const text of texts)
    for (const [piece] of text.matchAll(GPT2_PIECES)) pieces.set(piece, (pieces.get(piece) ?? 0) + 1);
  const words = [...pieces.keys()].map(p => Array.from(encodeUtf8(p)));
  const weights = [...pieces.values()];
  const counts = new Map<number, number>();
  const where = new Map<number, Set<number>>();
  const heap = new Heap<{ readonly key: number; readonly count: number }>(
    (a, b) => a.count > b.count || (a.count === b.count && a.key < b.key),
  );
  const touched = new Set<number>();
  const add = (word: number, sign: number): void => {
    const w = words[word]!;
    for (let i = 0; i + 1 < w.length; i++) {
      const key = pairKey(w[i]!, w[i + 1]!);
      counts.set(key, (counts.get(key) ?? 0) + sign * weights[word]!);
      touched.add(key);
      if (sign < 0) continue;
      const places = where.get(key);
      if (places === undefined) where.set(key, new Set([word]));
      else places.add(word);
    }
  };
  const offer = (): void => {
    for (const key of touched) {
      const count = counts.get(key)!;
      if (count >= minCount) heap.push({ key, count });
    }
    touched.clear();
  };
  for (let i = 0; i < words.length; i++) add(i, 1);
  offer();
  const merges: Merge[] = [];
  while (merges.length < wanted) {
    const best = heap.pop();
    if (best === undefined) break;
    if (counts.get(best.key) !== best.count) continue;
    const merge: Merge = [Math.floor(best.key / ID_LIMIT), best.key % ID_LIMIT];
    for (const word of where.get(best.key)!) {
      add(word, -1);
      words[word] = replaced(words[word]!, merge, 256 + merges.length);
      add(word, 1);
    }
    where.delete(best.key);
    merges.push(merge);
    offer();
  }
  return merges;
}
/** Each occurrence of a pair, from the left, as one token. */
function replaced(word: readonly number[], [left, right]: Merge, id: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      out.push(id);
      i++;
    } else out.push(word[i]!);
  }
  return out;
}

// ---- GPT-2's files -----------------------------------------------------------------------------------------------------

/** GPT-2 writes bytes as characters that can be seen: those that can stay, the others follow from U+0100 on. */
function byteChars(): string[] {
  const seen = (b: number): boolean => (b > 0x20 && b < 0x7f) || (b > 0xa0 && b !== 0xad);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(seen(b) ? b : next++));
}
const END_OF_TEXT = '<|endoftext|>';

function gpt2(encoder: string, vocab: string): BpeTokenizer {
  const op = 'BpeTokenizer.fromGpt2';
  const bad = (rule: string, got: string): FileError =>
    new FileError(op, rule, got, 'use files that belong together');
  const value = parsed(encoder, 'encoder.json');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('encoder.json must be an object of tokens and numbers', show(value));
  const ids = new Map(Object.entries(value as Record<string, unknown>));
  for (const [token, id] of ids)
    if (!isId(id, ids.size))
      throw bad(`numbers in encoder.json are 0 … ${ids.size - 1}`, `${show(token)}: ${show(id)}`);
  const chars = byteChars();
  const byteOf = new Map(chars.map((c, b) => [c, b]));
  const idOf = (token: string, from: string): number => {
    const id = ids.get(token);
    if (id === undefined) throw bad(`encoder.json must have every token of ${from}`, show(token));
    return id as number;
  };
  const pieces: (Uint8Array | undefined)[] = new Array(ids.size).fill(undefined);
  for (const [token, id] of ids) {
    const bytes = [...token].map(c => byteOf.get(c));
    if (bytes.every(b => b !== undefined)) pieces[id as number] = Uint8Array.from(bytes as number[]);
    else if (token !== END_OF_TEXT)
      throw bad('tokens are written in GPT-2’s characters for bytes', show(token));
  }
  const lines = vocab.split('\n').filter(line => line !== '' && !line.startsWith('#version'));
  const merges = lines.map((line, i) => {
    const parts = line.split(' ');
    if (parts.length !== 2) throw bad('lines of vocab.bpe are two tokens', `${show(line)} as merge ${i + 1}`);
    const [a, b] = parts as [string, string];
    return [idOf(a, 'vocab.bpe'), idOf(b, 'vocab.bpe'), idOf(a + b, 'vocab.bpe')] as const;
  });
  const end = ids.get(END_OF_TEXT) as number | undefined;
  if (end !== undefined) pieces[end] = undefined;
  return new BpeTokenizer(
    pieces,
    chars.map(c => idOf(c, 'the 256 bytes')),
    merges,
    end === undefined ? {} : { specialTokens: { [END_OF_TEXT]: end } },
  );
}

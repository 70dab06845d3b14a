// Tokenizers by characters and by words, and what all tokenizers have in common.
// In: a text. Out: numbers, and the text again. Not its job: batches.

import { show, ValueError } from '../base/errors.ts';
import { Vocab, type VocabOptions } from './vocab.ts';

/** Text to numbers and back. */
export interface Tokenizer {
  /** Numbers are 0 … vocabSize − 1. */
  readonly vocabSize: number;
  /** The numbers of a text; [] for the empty text. */
  encode(text: string): number[];
  /** The text of numbers. */
  decode(ids: ArrayLike<number>): string;
  /** The bytes of one token, where tokens are pieces of bytes: several may make one character. */
  bytes?(id: number): Uint8Array;
}

/** The characters of a text as code points: a letter with combining marks is several, half a surrogate pair is one. */
export const splitChars = (text: string): string[] => [...text];

const HAN = '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}';
const LETTERS = `(?:(?![${HAN}])[\\p{L}\\p{M}])+`;
const WORD = new RegExp(
  `[${HAN}]|${LETTERS}(?:['’]${LETTERS})*|\\p{N}+(?:[.,]\\p{N}+)*|[^\\s\\p{L}\\p{N}\\p{M}]`,
  'gu',
);
export interface SplitOptions {
  /** Small letters throughout. Default true. */
  readonly lower?: boolean;
}
/**
 * The words of a text: runs of letters (with apostrophes inside), numbers, single marks of punctuation; Chinese characters
 * and kana one by one, since nothing is between their words.
 */
export const splitWords = (text: string, options: SplitOptions = {}): string[] =>
  (options.lower === false ? text : text.toLowerCase()).match(WORD) ?? [];
/** What is between spaces: for texts that are cut into tokens already. */
export const splitSpaces = (text: string): string[] => text.match(/\S+/g) ?? [];

/** One token a character (code point). */
export class CharTokenizer implements Tokenizer {
  readonly vocab: Vocab;
  constructor(vocab: Vocab) {
    this.vocab = vocab;
  }
  /** All characters of a text, in the order of their code points unless options of a vocabulary are given. */
  static train(text: string, options?: VocabOptions): CharTokenizer {
    if (options !== undefined) return new CharTokenizer(Vocab.build([splitChars(text)], options));
    const chars = [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
    return new CharTokenizer(new Vocab(chars));
  }
  get vocabSize(): number {
    return this.vocab.size;
  }
  /** Errors: ValueError with the place of a character that is unknown, where the vocabulary has no unk. */
  encode(text: string): number[] {
    const { vocab } = this;
    const ids: number[] = [];
    let place = 0;
    for (const c of text) {
      if (vocab.unk === null && !vocab.has(c)) unknown(c, place, vocab.size);
      ids.push(vocab.id(c));
      place++;
    }
    return ids;
  }
  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, id => this.vocab.token(id)).join('');
  }
}
function unknown(char: string, place: number, size: number): never {
  const code = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw new ValueError(
    'CharTokenizer.encode',
    `characters must be among the ${size} of the vocabulary`,
    `${show(char)} (U+${code}) at character ${place}`,
    'train on a text that has it, or give the vocabulary an unk token',
  );
}

export type Split = (text: string) => string[];
/** One token a word, as `split` cuts them. */
export class WordTokenizer implements Tokenizer {
  readonly vocab: Vocab;
  private readonly split: Split;
  constructor(vocab: Vocab, options: { readonly split?: Split } = {}) {
    this.vocab = vocab;
    this.split = options.split ?? splitWords;
  }
  /** The words of texts. Default: specials <pad> (0) and <unk> (1), which stands for unknown words. */
  static train(
    texts: Iterable<string>,
    options: VocabOptions & { readonly split?: Split } = {},
  ): WordTokenizer {
    const { split = splitWords, specials = ['<pad>', '<unk>'], unk = '<unk>', ...rest } = options;
    const lists = function* (): Iterable<string[]> {
      for (const text of texts) yield split(text);
    };
    return new WordTokenizer(Vocab.build(lists(), { ...rest, specials, unk }), { split });
  }
  get vocabSize(): number {
    return this.vocab.size;
  }
  encode(text: string): number[] {
    return this.split(text).map(w => this.vocab.id(w));
  }
  /** Words with a space between them, without the spaces around Chinese characters. What was between words is lost. */
  decode(ids: ArrayLike<number>): string {
    const words = Array.from(ids, id => this.vocab.token(id));
    return words.reduce((text, w, i) => text + (i > 0 && spaced(words[i - 1]!, w) ? ' ' : '') + w, '');
  }
}
const CHINESE = new RegExp(`^[${HAN}\\u3000-\\u303f\\uff00-\\uffef]`, 'u');
const spaced = (before: string, word: string): boolean => !CHINESE.test(before) && !CHINESE.test(word);

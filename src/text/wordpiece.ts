// WordPiece as BERT has it (Devlin et al. 2018, arXiv 1810.04805; after Schuster and Nakajima 2012): words, each cut from
// the left into the longest pieces of the vocabulary.
// In: a text and a vocabulary (vocab.txt). Out: a tokenizer.

import { show, ValueError } from '../base/errors.ts';
import type { Tokenizer } from './tokenizer.ts';
import { Vocab } from './vocab.ts';

export interface WordPieceOptions {
  /** Small letters without accents, as the uncased models. Default true. */
  readonly lower?: boolean;
  /** The token of words that cannot be put together. Default '[UNK]'. */
  readonly unk?: string;
  /** What marks pieces that go on a word. Default '##'. */
  readonly prefix?: string;
  /** A longer word is unknown. Default 100. */
  readonly maxWordLength?: number;
}
export interface WordPieceEncoding {
  /** Put [CLS] before and [SEP] after. Default false. */
  readonly special?: boolean;
}

const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
/** Control characters and what stands for broken text, but not the spaces among them. */
const DROPPED = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
/** Marks of punctuation; of ASCII everything that is neither letter, digit nor space. */
const PIECES = /[\p{P}!-/:-@[-`{-~]|[^\s\p{P}!-/:-@[-`{-~]+/gu;

/** The words that BERT cuts a text into before it looks for pieces: Chinese characters and punctuation one by one. */
export function splitBert(text: string, options: { readonly lower?: boolean } = {}): string[] {
  let t = text.replace(DROPPED, '').replace(CHINESE, ' $& ');
  if (options.lower ?? true)
    t = t
      .toLowerCase()
      .normalize('NFD')
      .replace(/\p{Mn}/gu, '');
  return t.match(PIECES) ?? [];
}

/** Pieces of words. */
export class WordPieceTokenizer implements Tokenizer {
  readonly vocab: Vocab;
  private readonly options: Required<WordPieceOptions>;
  constructor(vocab: Vocab | readonly string[], options: WordPieceOptions = {}) {
    const { lower = true, unk = '[UNK]', prefix = '##', maxWordLength = 100 } = options;
    this.options = { lower, unk, prefix, maxWordLength };
    this.vocab = vocab instanceof Vocab ? vocab : new Vocab(vocab, { unk });
    if (!this.vocab.has(unk))
      throw new ValueError('WordPieceTokenizer', 'unk must be one of the tokens', show(unk), '');
  }
  /** From the text of vocab.txt: one token a line, numbered from 0 on. */
  static fromVocab(text: string, options: WordPieceOptions = {}): WordPieceTokenizer {
    return new WordPieceTokenizer(text.replace(/\r?\n$/, '').split(/\r?\n/), options);
  }
  get vocabSize(): number {
    return this.vocab.size;
  }
  /** The pieces of a text as tokens. */
  tokenize(text: string): string[] {
    return splitBert(text, this.options).flatMap(w => this.pieces(w));
  }
  encode(text: string, options: WordPieceEncoding = {}): number[] {
    const ids = this.tokenize(text).map(t => this.vocab.id(t));
    return options.special ? [this.vocab.id('[CLS]'), ...ids, this.vocab.id('[SEP]')] : ids;
  }
  /** Words with a space between them, pieces joined. */
  decode(ids: ArrayLike<number>): string {
    const { prefix } = this.options;
    return Array.from(ids, id => this.vocab.token(id)).reduce(
      (text, t, i) => text + (t.startsWith(prefix) ? t.slice(prefix.length) : (i > 0 ? ' ' : '') + t),
      '',
    );
  }
  private pieces(word: string): string[] {
    const { unk, prefix, maxWordLength } = this.options;
    const chars = [...word];
    if (chars.length > maxWordLength) return [unk];
    const out: string[] = [];
    for (let start = 0; start < chars.length; ) {
      let end = chars.length;
      let piece = '';
      for (; end > start; end--) {
        piece = (start > 0 ? prefix : '') + chars.slice(start, end).join('');
        if (this.vocab.has(piece)) break;
      }
      if (end === start) return [unk];
      out.push(piece);
      start = end;
    }
    return out;
  }
}

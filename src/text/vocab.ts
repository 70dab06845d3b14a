// A vocabulary: which tokens there are, and the number of each.
// In: lists of tokens, or a file. Out: numbers for tokens and tokens for numbers. Not its job: cutting text.

import { FileError, show, ValueError } from '../base/errors.ts';

export interface VocabOptions {
  /** Tokens that come less often are left out. Default 1. */
  readonly minCount?: number;
  /** At most so many tokens, special ones included. Default: all. */
  readonly maxSize?: number;
  /** Tokens with the first numbers, whether they come or not. Default: none. */
  readonly specials?: readonly string[];
  /** The token that stands for unknown ones; it must be one of the tokens. Default: none, unknown tokens are errors. */
  readonly unk?: string | null;
}

/** Tokens numbered from 0 on. */
export class Vocab {
  /** Token by number. */
  readonly tokens: readonly string[];
  /** The token that stands for unknown ones, or null. */
  readonly unk: string | null;
  private readonly ids: ReadonlyMap<string, number>;
  private readonly unkId: number | undefined;

  constructor(tokens: readonly string[], options: { readonly unk?: string | null } = {}) {
    const { unk = null } = options;
    this.tokens = [...tokens];
    this.ids = new Map(tokens.map((t, i) => [t, i]));
    if (this.ids.size !== tokens.length) {
      const twice = tokens.find((t, i) => this.ids.get(t) !== i);
      throw new ValueError('Vocab', 'each token has one number', `${show(twice)} twice`, '');
    }
    if (unk !== null && !this.ids.has(unk))
      throw new ValueError('Vocab', 'unk must be one of the tokens', show(unk), 'add it to the specials');
    this.unk = unk;
    this.unkId = unk === null ? undefined : this.ids.get(unk);
  }
  /**
   * The vocabulary of token lists: the specials first, then the tokens from the most frequent on, equally frequent ones in
   * the order of their characters' code points.
   */
  static build(lists: Iterable<Iterable<string>>, options: VocabOptions = {}): Vocab {
    const { minCount = 1, maxSize = Number.POSITIVE_INFINITY, specials = [], unk = null } = options;
    if (!(minCount >= 1)) throw new ValueError('Vocab.build', 'minCount must be >= 1', show(minCount), '');
    if (!(maxSize >= specials.length))
      throw new ValueError('Vocab.build', 'maxSize must have room for the specials', show(maxSize), '');
    const counts = new Map<string, number>();
    for (const list of lists) for (const t of list) counts.set(t, (counts.get(t) ?? 0) + 1);
    for (const s of specials) counts.delete(s);
    const found = [...counts]
      .filter(([, n]) => n >= minCount)
      .sort(([a, m], [b, n]) => n - m || byCodePoint(a, b))
      .slice(0, maxSize - specials.length)
      .map(([t]) => t);
    return new Vocab([...specials, ...found], { unk });
  }

  get size(): number {
    return this.tokens.length;
  }
  has(token: string): boolean {
    return this.ids.has(token);
  }
  /** The number of a token; that of `unk` for unknown ones. Errors: ValueError for unknown ones where there is no unk. */
  id(token: string): number {
    const id = this.ids.get(token) ?? this.unkId;
    if (id === undefined)
      throw new ValueError(
        'Vocab.id',
        `the token must be one of ${this.size}`,
        show(token),
        'give the vocabulary an unk token for what it does not know',
      );
    return id;
  }
  /** The token of a number. Errors: ValueError where there is none. */
  token(id: number): string {
    const t = this.tokens[id];
    if (t === undefined)
      throw new ValueError('Vocab.token', `numbers are 0 … ${this.size - 1}`, show(id), '');
    return t;
  }

  /** Plain JSON, for files. */
  toJSON(): { readonly tokens: readonly string[]; readonly unk: string | null } {
    return { tokens: this.tokens, unk: this.unk };
  }
  /** From what `toJSON` gave, or its text. Errors: FileError where it is something else. */
  static fromJSON(json: unknown, file = 'the vocabulary'): Vocab {
    const value = typeof json === 'string' ? parsed(json, file) : json;
    const { tokens, unk = null } = (value ?? {}) as { tokens?: unknown; unk?: unknown };
    const strings = Array.isArray(tokens) && tokens.every(t => typeof t === 'string');
    if (!strings || !(unk === null || typeof unk === 'string'))
      throw new FileError('Vocab.fromJSON', `${file} must have tokens and unk`, show(value), '');
    return new Vocab(tokens as string[], { unk });
  }
}

/** The order of code points, which differs from that of UTF-16 units where a surrogate meets U+E000 … U+FFFF. */
export function byCodePoint(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  let i = 0;
  while (i < n && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === n) return a.length - b.length;
  const raised = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);
  return raised(a.charCodeAt(i)) - raised(b.charCodeAt(i));
}
/** JSON or a FileError that names the file. */
export function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (e) {
    throw new FileError('parse', `${file} must be JSON`, (e as Error).message, '');
  }
}

// Trees of sentences with a label at every phrase, as the Stanford Sentiment Treebank has them (Socher et al. 2013,
// "Recursive deep models for semantic compositionality over a sentiment treebank").
// In: lines of brackets, (3 (2 It) (4 (2 's) (4 great))). Out: trees, and their phrases.

import { FileError, show } from '../base/errors.ts';

export interface SentimentTree {
  /** 0 very negative, 1 negative, 2 neutral, 3 positive, 4 very positive. */
  readonly label: number;
  /** The words below, in order. */
  readonly words: readonly string[];
  /** The parts: none for a single word. */
  readonly children: readonly SentimentTree[];
}

/** How deep brackets may be; sentences are tens of words. */
const DEPTH = 1000;

/** Trees, one a line. Errors: FileError with the line for what is no tree. */
export function parseTrees(text: string, file = 'the text'): SentimentTree[] {
  return text
    .split(/\r?\n/)
    .flatMap((line, i) => (line.trim() === '' ? [] : [new Line(line, `${file} line ${i + 1}`).tree()]));
}
class Line {
  private readonly text: string;
  private readonly place: string;
  private at = 0;
  constructor(text: string, place: string) {
    this.text = text.trim();
    this.place = place;
  }
  tree(): SentimentTree {
    const tree = this.node(0);
    if (this.at < this.text.length)
      this.refuse('one tree must be on it', this.text.slice(this.at, this.at + 20));
    return tree;
  }
  private node(depth: number): SentimentTree {
    if (depth > DEPTH) this.refuse(`brackets are at most ${DEPTH} deep`, 'more');
    this.expect('(');
    const label = Number(this.token());
    if (!(Number.isInteger(label) && label >= 0 && label <= 4))
      this.refuse('labels are 0 … 4', String(label));
    const children: SentimentTree[] = [];
    let words: readonly string[];
    if (this.text[this.at] === '(') {
      while (this.text[this.at] === '(') children.push(this.node(depth + 1));
      words = children.flatMap(c => c.words);
    } else words = [this.token()];
    this.expect(')');
    return { label, words, children };
  }
  private expect(c: string): void {
    if (this.text[this.at] !== c)
      this.refuse(`'${c}' must stand at character ${this.at + 1}`, this.text[this.at] ?? 'the end');
    this.at++;
    this.spaces();
  }
  private token(): string {
    const from = this.at;
    while (this.at < this.text.length && !' ()'.includes(this.text[this.at]!)) this.at++;
    if (this.at === from)
      this.refuse(`a word must stand at character ${from + 1}`, this.text[from] ?? 'the end');
    const word = this.text.slice(from, this.at);
    this.spaces();
    return word;
  }
  private spaces(): void {
    while (this.text[this.at] === ' ') this.at++;
  }
  private refuse(rule: string, got: string): never {
    throw new FileError('parseTrees', `${this.place}: ${rule}`, show(got), '');
  }
}

/** A word as it is in plain text: brackets are written -LRB- and -RRB- in trees, slashes \/. */
const plain = (word: string): string =>
  word.replace('-LRB-', '(').replace('-RRB-', ')').replaceAll('\\/', '/').replaceAll('\\*', '*');

export interface PhraseOptions {
  /** 2: negative (0, 1) is 0, positive (3, 4) is 1, neutral is left out; 5: the labels. Default 2. */
  readonly classes?: 2 | 5;
  /** false: whole sentences only. Default true. */
  readonly phrases?: boolean;
}
/**
 * The phrases of trees with their classes, each text once (with its first label), in small letters, words with spaces
 * between them.
 */
export function treePhrases(
  trees: readonly SentimentTree[],
  options: PhraseOptions = {},
): { readonly text: string; readonly label: number }[] {
  const { classes = 2, phrases = true } = options;
  const found = new Map<string, number>();
  const visit = (t: SentimentTree): void => {
    const label = classes === 5 ? t.label : t.label === 2 ? null : t.label > 2 ? 1 : 0;
    const text = t.words.map(plain).join(' ').toLowerCase();
    if (label !== null && !found.has(text)) found.set(text, label);
    if (phrases) for (const child of t.children) visit(child);
  };
  for (const t of trees) visit(t);
  return Array.from(found, ([text, label]) => ({ text, label }));
}

// Word vectors: what is near, what is to what as what is to what, and tables for Embedding layers.
// In: words with their vectors. Out: neighbours, analogies, tensors, a plane. Not its job: files (vector-files.ts).

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { eigh } from '../linalg/index.ts';
import { adopt } from '../tensor/create.ts';
import { type Generator, randn } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Vocab } from './vocab.ts';

export interface Neighbour {
  readonly word: string;
  /** Cosine of the angle, −1 … 1. */
  readonly similarity: number;
}
export interface NearestOptions {
  /** How many. Default 10. */
  readonly count?: number;
  /** Words that are left out, besides those that were asked for. */
  readonly exclude?: readonly string[];
  /** Looks among the first so many words only: the most frequent ones in most files. Default: all. */
  readonly first?: number;
}

/** Words, each with a vector of the same length. */
export class WordVectors {
  readonly vocab: Vocab;
  readonly dim: number;
  /** Row-major (words, dim). */
  readonly data: Float32Array;
  private readonly compose: ((word: string) => Float32Array | null) | null;
  private norms: Float64Array | null = null;

  /** `compose` gives vectors of words that are not in the list, made of their parts, or null. */
  constructor(
    words: readonly string[],
    data: Float32Array,
    dim: number,
    options: { readonly compose?: (word: string) => Float32Array | null } = {},
  ) {
    if (data.length !== words.length * dim)
      throw new ShapeError(
        'WordVectors',
        `${words.length} words of ${dim} numbers need ${words.length * dim}`,
        String(data.length),
        '',
      );
    this.vocab = new Vocab(words);
    this.data = data;
    this.dim = dim;
    this.compose = options.compose ?? null;
  }
  get words(): readonly string[] {
    return this.vocab.tokens;
  }
  has(word: string): boolean {
    return this.vocab.has(word);
  }
  /** The vector of a word. Errors: ValueError where there is none. */
  vector(word: string): Float32Array {
    if (this.vocab.has(word)) {
      const at = this.vocab.id(word) * this.dim;
      return this.data.subarray(at, at + this.dim);
    }
    const made = this.compose?.(word) ?? null;
    if (made === null)
      throw new ValueError(
        'WordVectors',
        `the word must be one of ${this.words.length}`,
        show(word),
        word === word.toLowerCase() ? '' : `try ${show(word.toLowerCase())}`,
      );
    return made;
  }
  /** cos(a, b) = a·b / (|a| |b|); 0 where one of them is zero. */
  similarity(a: string, b: string): number {
    return cosine(this.vector(a), this.vector(b));
  }
  /** The words with the largest cosine to a word, which is left out itself, or to a vector. */
  nearest(to: string | ArrayLike<number>, options: NearestOptions = {}): Neighbour[] {
    const { count = 10, exclude = [], first = this.words.length } = options;
    const target = typeof to === 'string' ? this.vector(to) : Float32Array.from(to);
    if (target.length !== this.dim)
      throw new ShapeError('nearest', `vectors have ${this.dim} numbers`, String(target.length), '');
    const left = new Set(typeof to === 'string' ? [to, ...exclude] : exclude);
    const norms = this.lengths();
    const size = length(target);
    const best: Neighbour[] = [];
    for (let i = 0; i < Math.min(first, this.words.length); i++) {
      const similarity =
        norms[i] === 0 || size === 0 ? 0 : dot(this.data, i * this.dim, target) / (norms[i]! * size);
      if (best.length === count && similarity <= best[count - 1]!.similarity) continue;
      if (left.has(this.words[i]!)) continue;
      let at = best.length;
      while (at > 0 && best[at - 1]!.similarity < similarity) at--;
      best.splice(at, 0, { word: this.words[i]!, similarity });
      if (best.length > count) best.pop();
    }
    return best;
  }
  /**
   * b is to a as which word is to c? The words nearest to b − a + c, each at length 1 (3CosAdd of Mikolov, Yih and Zweig
   * 2013, "Linguistic regularities in continuous space word representations"), a, b and c left out:
   * analogy('man', 'king', 'woman') asks for the queen.
   */
  analogy(a: string, b: string, c: string, options: NearestOptions = {}): Neighbour[] {
    const [x, y, z] = [a, b, c].map(w => unit(this.vector(w))) as [Float32Array, Float32Array, Float32Array];
    const target = y.map((v, i) => v - x[i]! + z[i]!);
    return this.nearest(target, { ...options, exclude: [a, b, c, ...(options.exclude ?? [])] });
  }
  /** Shape: (words, dim). */
  tensor(): Tensor {
    return adopt(this.data.slice(), [this.words.length, this.dim], 'float32');
  }
  /**
   * A table for the words of a vocabulary, for `Embedding.fromPretrained`: the vectors of words that have one, for others
   * normal numbers with the standard deviation of all vectors' elements, zeros at `zeros`. Shape: (vocab, dim).
   */
  tableFor(
    vocab: Vocab,
    options: { readonly zeros?: readonly string[]; readonly generator?: Generator } = {},
  ): { readonly table: Tensor; readonly found: number } {
    const { zeros = [], generator } = options;
    const std = Math.sqrt(this.data.reduce((s, v) => s + v * v, 0) / Math.max(1, this.data.length));
    const shape = [vocab.size, this.dim];
    const table = Float32Array.from(
      randn(shape, generator === undefined ? {} : { generator })
        .mul(std)
        .dataSync() as Float32Array,
    );
    let found = 0;
    for (const [i, word] of vocab.tokens.entries()) {
      const at = i * this.dim;
      if (zeros.includes(word)) table.fill(0, at, at + this.dim);
      else if (this.vocab.has(word)) {
        table.set(this.vector(word), at);
        found++;
      }
    }
    return { table: adopt(table, shape, 'float32'), found };
  }
  /** Places of words in the plane of their two widest directions: see `pca`. */
  plane(
    words: readonly string[] = this.words,
  ): { readonly word: string; readonly x: number; readonly y: number }[] {
    const rows = new Float32Array(words.length * this.dim);
    for (const [i, w] of words.entries()) rows.set(this.vector(w), i * this.dim);
    const at = pca(adopt(rows, [words.length, this.dim], 'float32'), 2).dataSync();
    return words.map((word, i) => ({ word, x: Number(at[2 * i]), y: Number(at[2 * i + 1]) }));
  }
  private lengths(): Float64Array {
    this.norms ??= Float64Array.from(this.words, (_, i) =>
      length(this.data.subarray(i * this.dim, (i + 1) * this.dim)),
    );
    return this.norms;
  }
}

/**
 * Principal components: rows minus their mean, times the right singular vectors of the largest k singular values. The sign
 * of a component is that its element of the largest size is positive. Shape: (n, d) to (n, k).
 */
export function pca(rows: Tensor, k: number): Tensor {
  if (rows.ndim !== 2 || rows.shape[0]! < 1)
    throw new ShapeError('pca', 'it takes rows (n, d)', showShape(rows.shape), '');
  const d = rows.shape[1]!;
  if (!Number.isInteger(k) || k < 1 || k > d)
    throw new ValueError('pca', `k must be an integer from 1 to ${d}`, show(k), '');
  const centred = rows.to('float64').sub(rows.to('float64').mean(0, { keepdim: true })); // (n, d)
  const { eigenvectors } = eigh(centred.t().matmul(centred)); // (d, d), ascending
  const top = eigenvectors.narrow(1, d - k, k).flip(1); // (d, k)
  const places = centred.matmul(top).realize(); // (n, k)
  const widest = places.gather(0, places.abs().argmax(0, { keepdim: true })); // (1, k)
  return places.mul(widest.sign()).to(rows.dtype).realize();
}

function dot(data: Float32Array, from: number, v: ArrayLike<number>): number {
  let s = 0;
  for (let i = 0; i < v.length; i++) s += data[from + i]! * v[i]!;
  return s;
}
const length = (v: Float32Array): number => Math.sqrt(dot(v, 0, v));
function unit(v: Float32Array): Float32Array {
  const n = length(v);
  return n === 0 ? v : v.map(x => x / n);
}
/** cos(a, b) = a·b / (|a| |b|); 0 where one of them is zero. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw new ShapeError('cosine', 'vectors must have the same length', `${a.length} and ${b.length}`, '');
  const [x, y] = [Float32Array.from(a), Float32Array.from(b)];
  const size = length(x) * length(y);
  return size === 0 ? 0 : dot(x, 0, y) / size;
}

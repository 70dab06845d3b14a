// A tag for every word: an LSTM from each end, so that a tag knows the words before and after its own.
// In: tokens (N, T). Out: logits (N, T, tags).

import {
  Dropout,
  type Embedding,
  Linear,
  LSTM,
  Module,
  packPaddedSequence,
  padPackedSequence,
} from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { smallEmbedding } from './embedding.ts';

export interface TaggerOptions {
  /** Numbers of a word, and units of each direction. Default 64. */
  readonly dim?: number;
  /** Before the last layer. Default 0. */
  readonly dropout?: number;
  /** Whether a second LSTM reads from the end. Default true; without it a tag knows only the words up to its own. */
  readonly bidirectional?: boolean;
}

/** Tags of all words by an LSTM in both directions. x (N, T) → (N, T, tags). Graves & Schmidhuber 2005. */
export class Tagger extends Module {
  embedding: Embedding;
  lstm: LSTM;
  drop: Dropout;
  fc: Linear;
  constructor(vocabSize: number, tags: number, options: TaggerOptions = {}) {
    super();
    const { dim = 64, dropout = 0, bidirectional = true } = options;
    this.embedding = smallEmbedding(vocabSize, dim);
    this.lstm = new LSTM(dim, dim, { batchFirst: true, bidirectional });
    this.drop = new Dropout(dropout);
    this.fc = new Linear(bidirectional ? 2 * dim : dim, tags);
  }
  /** With `lengths`, what stands behind the end of a text changes none of its tags. */
  forward(x: Tensor, lengths: readonly number[] | null = null): Tensor {
    const words = this.embedding(x); // (N, T, E)
    return this.fc(this.drop(lengths === null ? this.lstm(words)[0] : this.packed(words, lengths))); // (N, T, tags)
  }
  private packed(words: Tensor, lengths: readonly number[]): Tensor {
    const options = { batchFirst: true, enforceSorted: false };
    const [h] = this.lstm(packPaddedSequence(words, lengths, options));
    return padPackedSequence(h, { batchFirst: true, totalLength: words.shape[1]! })[0]; // (N, T, 2E)
  }
}

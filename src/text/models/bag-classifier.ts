// Classes of texts by the mean of their words' vectors (Iyyer et al. 2015, "Deep unordered composition rivals syntactic
// methods for text classification"; Joulin et al. 2016, arXiv 1607.01759): the order of the words does not count.
// In: tokens (N, T), 0 is padding. Out: logits (N, classes).

import { Dropout, type Embedding, Linear, Module } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { smallEmbedding } from './embedding.ts';

export interface BagOptions {
  /** Default 2. */
  readonly classes?: number;
  /** Numbers of a word. Default 100. */
  readonly dim?: number;
  /** Units of a hidden layer, ReLU; 0 for none. Default 0. */
  readonly hidden?: number;
  /** Default .5, on the mean and on the hidden layer. */
  readonly dropout?: number;
}
/** The mean of the embeddings, dropout, a linear layer (or two). x (N, T) → (N, classes). */
export class BagClassifier extends Module {
  embedding: Embedding;
  drop: Dropout;
  hidden: Linear | null;
  fc: Linear;
  constructor(vocabSize: number, options: BagOptions = {}) {
    super();
    const { classes = 2, dim = 100, hidden = 0, dropout = 0.5 } = options;
    this.embedding = smallEmbedding(vocabSize, dim);
    this.drop = new Dropout(dropout);
    this.hidden = hidden > 0 ? new Linear(dim, hidden) : null;
    this.fc = new Linear(hidden > 0 ? hidden : dim, classes);
  }
  forward(x: Tensor): Tensor {
    const mask = x.ne(0).to('float32').unsqueeze(2); // (N, T, 1)
    const sum = this.embedding(x).mul(mask).sum(1); // (N, E)
    // A text without words has the mean 0.
    let h = this.drop(sum.div(mask.sum(1).clamp(1))); // (N, E)
    if (this.hidden !== null) h = this.drop(this.hidden(h).relu()); // (N, H)
    return this.fc(h); // (N, classes)
  }
}

// Classes of texts by convolutions over their words (Kim 2014, arXiv 1408.5882): each filter looks for a short run of words,
// and tells whether it came anywhere.
// In: tokens (N, T), 0 is padding. Out: logits (N, classes).

import { show, ValueError } from '../../base/errors.ts';
import { Conv1d, Dropout, type Embedding, Linear, Module, ModuleList } from '../../nn/index.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { smallEmbedding } from './embedding.ts';

export interface ConvOptions {
  /** Default 2. */
  readonly classes?: number;
  /** Numbers of a word. Default 128. */
  readonly dim?: number;
  /** Words that a filter sees. Default 3, 4, 5. */
  readonly widths?: readonly number[];
  /** Filters of each width. Default 100. */
  readonly filters?: number;
  /** On the embeddings; Kim has none here. Default 0. */
  readonly embeddingDropout?: number;
  /** Before the last layer. Default .5. */
  readonly dropout?: number;
}
/**
 * Embeddings, for each width a Conv1d with ReLU and its maximum over time, dropout, a linear layer. A filter stands on every
 * word, zeros beside the text, so that padding changes nothing. x (N, T) → (N, classes).
 */
export class ConvClassifier extends Module {
  embedding: Embedding;
  embeddingDrop: Dropout;
  convs: ModuleList<Conv1d>;
  drop: Dropout;
  fc: Linear;
  constructor(vocabSize: number, options: ConvOptions = {}) {
    super();
    const { classes = 2, dim = 128, widths = [3, 4, 5], filters = 100, dropout = 0.5 } = options;
    if (widths.length === 0) throw new ValueError('ConvClassifier', 'there must be widths', show(widths), '');
    this.embedding = smallEmbedding(vocabSize, dim);
    this.embeddingDrop = new Dropout(options.embeddingDropout ?? 0);
    this.convs = new ModuleList(widths.map(k => new Conv1d(dim, filters, k, { padding: 'same' })));
    this.drop = new Dropout(dropout);
    this.fc = new Linear(widths.length * filters, classes);
  }
  forward(x: Tensor): Tensor {
    const mask = x.ne(0).to('float32').unsqueeze(1); // (N, 1, T)
    const words = this.embeddingDrop(this.embedding(x)).transpose(1, 2).mul(mask); // (N, E, T)
    // ReLU leaves nothing below 0, so that 0 beside the text is never the maximum of a filter that fired.
    const found = [...this.convs].map(conv => conv(words).relu().mul(mask).amax(2)); // (N, F) each
    return this.fc(this.drop(cat(found, 1))); // (N, classes)
  }
}

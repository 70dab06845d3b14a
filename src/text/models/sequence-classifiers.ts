// Classes of texts by models that read in order: LSTMs in both directions, a Transformer encoder, Mamba. What they say of each
// word is pooled over the words, so that padding changes nothing.
// In: tokens (N, T), 0 is padding. Out: logits (N, classes).

import {
  Dropout,
  type Embedding,
  LayerNorm,
  Linear,
  LSTM,
  Mamba,
  Module,
  RMSNorm,
  TransformerEncoder,
  TransformerEncoderLayer,
} from '../../nn/index.ts';
import { arange } from '../../tensor/create.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { smallEmbedding } from './embedding.ts';

export interface SequenceOptions {
  /** Default 2. */
  readonly classes?: number;
  /** Numbers of a word and width of the model. Default 128. */
  readonly dim?: number;
  /** Before the last layer. Default .5. */
  readonly dropout?: number;
}
/** The largest value over the words of a text, 0 for a text without words. x (N, T, E), mask (N, T, 1) → (N, E). */
const maxOver = (x: Tensor, mask: Tensor): Tensor => {
  const most = x.sub(mask.rsub(1).mul(1e9)).amax(1); // (N, E)
  return most.mul(mask.amax(1));
};
const meanOver = (x: Tensor, mask: Tensor): Tensor => x.mul(mask).sum(1).div(mask.sum(1).clamp(1));
const maskOf = (x: Tensor): Tensor => x.ne(0).to('float32').unsqueeze(2); // (N, T, 1)

/** An LSTM from each end, the largest value of each unit over the words. x (N, T) → (N, classes). */
export class BiLSTMClassifier extends Module {
  embedding: Embedding;
  forwards: LSTM;
  backwards: LSTM;
  drop: Dropout;
  fc: Linear;
  constructor(vocabSize: number, options: SequenceOptions = {}) {
    super();
    const { classes = 2, dim = 128, dropout = 0.5 } = options;
    this.embedding = smallEmbedding(vocabSize, dim);
    this.forwards = new LSTM(dim, dim, { batchFirst: true });
    this.backwards = new LSTM(dim, dim, { batchFirst: true });
    this.drop = new Dropout(dropout);
    this.fc = new Linear(2 * dim, classes);
  }
  forward(x: Tensor): Tensor {
    const mask = maskOf(x); // (N, T, 1)
    // Turned round within its length: padding stays at the end, after all that counts.
    const last = x.ne(0).to('int64').sum(1, { keepdim: true }).sub(1); // (N, 1)
    const turned = x.gather(1, last.sub(arange(x.shape[1]!)).clamp(0)); // (N, T)
    const read = (lstm: LSTM, ids: Tensor): Tensor => maxOver(lstm(this.drop(this.embedding(ids)))[0], mask);
    const h = cat([read(this.forwards, x), read(this.backwards, turned)], 1); // (N, 2E)
    return this.fc(this.drop(h)); // (N, classes)
  }
}

/** Words and places, encoder layers with norms first, the mean over the words. x (N, T) → (N, classes). */
export class TransformerClassifier extends Module {
  embedding: Embedding;
  position: Embedding;
  encoder: TransformerEncoder;
  drop: Dropout;
  fc: Linear;
  constructor(
    vocabSize: number,
    options: SequenceOptions & {
      readonly layers?: number;
      readonly heads?: number;
      readonly longest?: number;
    } = {},
  ) {
    super();
    const { classes = 2, dim = 128, dropout = 0.5, layers = 2, heads = 4, longest = 512 } = options;
    this.embedding = smallEmbedding(vocabSize, dim);
    this.position = smallEmbedding(longest, dim);
    const layer = new TransformerEncoderLayer(dim, heads, {
      dimFeedforward: 2 * dim,
      dropout: 0.2,
      batchFirst: true,
      normFirst: true,
    });
    this.encoder = new TransformerEncoder(layer, layers, new LayerNorm(dim));
    this.drop = new Dropout(dropout);
    this.fc = new Linear(dim, classes);
  }
  forward(x: Tensor): Tensor {
    const mask = maskOf(x); // (N, T, 1)
    const words = this.embedding(x).add(this.position(arange(x.shape[1]!))); // (N, T, E)
    // A text without words looks at its first place, so that there is something to look at.
    const first = arange(x.shape[1]!).eq(0).unsqueeze(0); // (1, T)
    const srcKeyPaddingMask = x.eq(0).logicalAnd(first.logicalNot()); // (N, T)
    const h = this.encoder(this.drop(words), { srcKeyPaddingMask }); // (N, T, E)
    return this.fc(this.drop(meanOver(h, mask))); // (N, classes)
  }
}

/** x + Mamba(norm(x)), the largest value of each channel over the words. x (N, T) → (N, classes). */
export class MambaClassifier extends Module {
  embedding: Embedding;
  norm: RMSNorm;
  mixer: Mamba;
  norm_f: RMSNorm;
  drop: Dropout;
  fc: Linear;
  constructor(vocabSize: number, options: SequenceOptions = {}) {
    super();
    const { classes = 2, dim = 128, dropout = 0.5 } = options;
    this.embedding = smallEmbedding(vocabSize, dim);
    this.norm = new RMSNorm(dim);
    this.mixer = new Mamba(dim, { dState: 8 });
    this.norm_f = new RMSNorm(dim);
    this.drop = new Dropout(dropout);
    this.fc = new Linear(dim, classes);
  }
  forward(x: Tensor): Tensor {
    const e = this.drop(this.embedding(x)); // (N, T, E)
    const h = this.norm_f(e.add(this.mixer(this.norm(e)))); // (N, T, E)
    return this.fc(this.drop(maxOver(h, maskOf(x)))); // (N, classes)
  }
}

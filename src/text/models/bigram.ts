// The bigram language model: the next token depends on the last one alone. The least that any other must beat.
// In: tokens. Out: logits of the token after each.

import { show, ValueError } from '../../base/errors.ts';
import { Embedding, Module } from '../../nn/index.ts';
import { tensor } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** A table of logits: row = last token, column = next one. x (…) integers → (…, vocabSize). */
export class BigramLM extends Module {
  readonly vocabSize: number;
  token_embedding_table: Embedding;
  constructor(vocabSize: number) {
    super();
    this.vocabSize = vocabSize;
    this.token_embedding_table = new Embedding(vocabSize, vocabSize);
  }
  /**
   * The table of the largest likelihood, by counting: logits ln((n(a, b) + smoothing) / (n(a) + smoothing · V)). Pairs that
   * never came have the probability of the smoothing, default 1.
   */
  static fromCounts(
    texts: readonly ArrayLike<number>[],
    vocabSize: number,
    options: { readonly smoothing?: number } = {},
  ): BigramLM {
    const { smoothing = 1 } = options;
    if (!(smoothing > 0)) throw new ValueError('BigramLM', 'smoothing must be > 0', show(smoothing), '');
    const counts = new Float64Array(vocabSize * vocabSize).fill(smoothing);
    for (const ids of texts)
      for (let i = 1; i < ids.length; i++) {
        const [a, b] = [ids[i - 1]!, ids[i]!];
        if (!(a >= 0 && a < vocabSize && b >= 0 && b < vocabSize))
          throw new ValueError('BigramLM', `tokens are 0 … ${vocabSize - 1}`, `${a}, ${b}`, '');
        counts[a * vocabSize + b]!++;
      }
    const logits = new Float32Array(counts.length);
    for (let a = 0; a < vocabSize; a++) {
      const row = counts.subarray(a * vocabSize, (a + 1) * vocabSize);
      const total = row.reduce((s, n) => s + n, 0);
      for (let b = 0; b < vocabSize; b++) logits[a * vocabSize + b] = Math.log(row[b]! / total);
    }
    const model = new BigramLM(vocabSize);
    const table = tensor(logits).reshape([vocabSize, vocabSize]);
    noGrad(() => model.token_embedding_table.weight.copy_(table));
    return model;
  }
  forward(x: Tensor): Tensor {
    return this.token_embedding_table(x); // (…, V)
  }
}

// Word vectors that are learned: a word tells the words around it (skip-gram, Mikolov et al. 2013, arXiv 1301.3781), with the
// whole softmax, for small vocabularies.
// In: sentences. Out: pairs to learn from, a model, its vectors.

import { Embedding, Linear, Module } from '../../nn/index.ts';
import { adopt } from '../../tensor/create.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { WordVectors } from '../vectors.ts';
import type { Vocab } from '../vocab.ts';

/** Logits of the words around a word: W′ v. x (N) → (N, vocab). */
export class SkipGram extends Module {
  in_embed: Embedding;
  out_embed: Linear;
  constructor(vocabSize: number, dim: number) {
    super();
    this.in_embed = new Embedding(vocabSize, dim);
    this.out_embed = new Linear(dim, vocabSize, { bias: false });
  }
  forward(x: Tensor): Tensor {
    return this.out_embed(this.in_embed(x)); // (N, V)
  }
  /** The vectors, the rows of the first table. */
  vectors(vocab: Vocab): WordVectors {
    const { weight, embeddingDim } = this.in_embed;
    return new WordVectors(vocab.tokens, Float32Array.from(weight.dataSync() as Float32Array), embeddingDim);
  }
}
/** All pairs of a word and one that stands at most `window` words beside it. Shape: x, y int64 (pairs). */
export function skipGramPairs(
  sentences: readonly (readonly number[])[],
  window = 4,
): { x: Tensor; y: Tensor } {
  const [x, y]: [bigint[], bigint[]] = [[], []];
  for (const ids of sentences)
    for (const [i, a] of ids.entries())
      for (let j = Math.max(0, i - window); j <= Math.min(ids.length - 1, i + window); j++)
        if (j !== i) {
          x.push(BigInt(a));
          y.push(BigInt(ids[j]!));
        }
  const column = (list: readonly bigint[]): Tensor => adopt(BigInt64Array.from(list), [list.length], 'int64');
  return { x: column(x), y: column(y) };
}

// Word vectors that start small, for classifiers of texts.

import { Embedding, init } from '../../nn/index.ts';
import { noGrad } from '../../tensor/modes.ts';

/**
 * A table from N(0, 0.1²), its row 0 (padding) zero. Embedding's own N(0, 1) would let words that came a few times in training
 * speak louder than what was learned of the others: on SST-2 it costs one to three points.
 */
export function smallEmbedding(vocabSize: number, dim: number): Embedding {
  const layer = new Embedding(vocabSize, dim, { paddingIdx: 0 });
  init.normal_(layer.weight, 0, 0.1);
  noGrad(() => layer.weight.select(0, 0).zero_());
  return layer;
}

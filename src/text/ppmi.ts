// Word vectors by counting (Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization"): how much more
// often two words come near each other than by chance, brought into few dims by the eigenvectors of the largest eigenvalues.
// In: sentences as lists of words. Out: word vectors. The same from run to run: nothing is drawn.

import { show, ValueError } from '../base/errors.ts';
import { eigh } from '../linalg/index.ts';
import { tensor } from '../tensor/create.ts';
import { WordVectors } from './vectors.ts';
import { Vocab } from './vocab.ts';

export interface CountedOptions {
  /** Numbers of a word. Default 16. */
  readonly dim?: number;
  /** Words to each side that count as near. Default 4. */
  readonly window?: number;
  /** Words that come less often are left out. Default 1. */
  readonly minCount?: number;
}
/**
 * M = max(0, ln(n(a, b) · N / (n(a) n(b)))), the positive pointwise mutual information, n counted within the window; vectors
 * are the rows of V √|Λ| for the eigenvalues Λ of M that are largest in size.
 */
export function countedVectors(
  sentences: readonly (readonly string[])[],
  options: CountedOptions = {},
): WordVectors {
  const { dim = 16, window = 4, minCount = 1 } = options;
  const vocab = Vocab.build(sentences, { minCount });
  const n = vocab.size;
  for (const [name, v] of Object.entries({ dim, window }))
    if (!Number.isInteger(v) || v < 1)
      throw new ValueError('countedVectors', `${name} must be an integer >= 1`, show(v), '');
  if (dim > n) throw new ValueError('countedVectors', `dim must be at most the ${n} words`, show(dim), '');
  const pairs = new Float64Array(n * n);
  for (const sentence of sentences) {
    const ids = sentence.filter(w => vocab.has(w)).map(w => vocab.id(w));
    for (const [i, a] of ids.entries())
      for (const b of ids.slice(Math.max(0, i - window), i)) {
        pairs[a * n + b]!++;
        pairs[b * n + a]!++;
      }
  }
  const counts = Float64Array.from({ length: n }, (_, a) =>
    pairs.subarray(a * n, (a + 1) * n).reduce((s, v) => s + v, 0),
  );
  const total = counts.reduce((s, v) => s + v, 0);
  const ppmi = pairs.map((v, at) =>
    v === 0 ? 0 : Math.max(0, Math.log((v * total) / (counts[Math.floor(at / n)]! * counts[at % n]!))),
  );
  return new WordVectors(vocab.tokens, widest(ppmi, n, dim), dim);
}
/** Rows of V √|Λ| for the `dim` eigenvalues of the largest size. */
function widest(matrix: Float64Array, n: number, dim: number): Float32Array {
  const { eigenvalues, eigenvectors } = eigh(tensor(matrix).reshape([n, n]));
  const [values, vectors] = [eigenvalues.dataSync() as Float64Array, eigenvectors.dataSync() as Float64Array];
  const order = Array.from(values.keys())
    .sort((i, j) => Math.abs(values[j]!) - Math.abs(values[i]!))
    .slice(0, dim);
  const out = new Float32Array(n * dim);
  for (let a = 0; a < n; a++)
    for (const [k, i] of order.entries())
      out[a * dim + k] = vectors[a * n + i]! * Math.sqrt(Math.abs(values[i]!));
  return out;
}

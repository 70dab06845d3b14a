// A sentence step by step: what a classifier says after each word, and what it would say without it.
// In: a model of texts and the tokens of one. Out: numbers for pictures.

import { noGrad } from '../tensor/modes.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { padIds } from './batches.ts';

export interface SentenceSteps {
  /** Probability of the class after the words 0 … i. */
  readonly after: readonly number[];
  /** Probability of the class for the sentence without word i. */
  readonly without: readonly number[];
}
/** The probability of a class (default 1) for a model of tokens (N, T), 0 padding, to logits (N, classes). */
export async function sentenceSteps(
  model: (x: Tensor) => Tensor,
  ids: readonly number[],
  options: { readonly label?: number } = {},
): Promise<SentenceSteps> {
  const { label = 1 } = options;
  if (ids.length === 0) return { after: [], without: [] };
  const prefixes = ids.map((_, i) => ids.slice(0, i + 1));
  const others = ids.map((_, i) => ids.filter((_, k) => k !== i));
  const x = padIds([...prefixes, ...others], { length: ids.length }).ids; // (2T, T)
  const p = await noGrad(() => model(x).softmax(-1).select(1, label)).data(); // (2T)
  const all = Array.from(p as Float32Array, Number);
  return { after: all.slice(0, ids.length), without: all.slice(ids.length) };
}

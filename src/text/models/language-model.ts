// What the language models have in common.

import { ValueError } from '../../base/errors.ts';
import type { Module } from '../../nn/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { NextLogits } from '../sampling.ts';

/** A model of texts: logits of the token after each, and a reader for writing one token after the other. */
export interface LanguageModel extends Module {
  readonly vocabSize: number;
  /** x (B, T) → (B, T, vocabSize). */
  forward(x: Tensor): Tensor;
  /** Logits after a context that grows by one token a call. */
  reader(): NextLogits;
}
/** A reader has nothing to say before the first token. */
export function checkContext(op: string, context: readonly number[]): void {
  if (context.length === 0)
    throw new ValueError(
      op,
      'the context has at least one token',
      'none',
      'begin with one that begins a text',
    );
}

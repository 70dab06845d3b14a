// Reading a text token by token through caches of keys and values: what is there already is not read again.
// In: a model that reads tokens from a place on. Out: logits after a context that grows.

import type { KVCache } from '../../nn/index.ts';
import { compile } from '../../tensor/compile.ts';
import { tensor } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { NextLogits } from '../sampling.ts';
import { checkContext } from './language-model.ts';

/** The caches of all layers, and the place where the first of the tokens goes that are read now. */
export interface Past {
  readonly caches: readonly KVCache[];
  readonly start: number | Tensor;
}
export interface CachedModel {
  readonly contextLength: number;
  /** x (1, T) → (1, T, vocabSize). */
  forward(x: Tensor, past: Past | null): Tensor;
  /** One cache a layer, for one text. */
  caches(): KVCache[];
}
/** A long beginning is read in pieces of this length, the rest one by one: two plans, whatever the length. */
const PIECE = 32;

/**
 * One set of caches for all texts of a model. It knows which tokens it holds: a context that goes on with them costs only
 * what is new, another one is read from where they part.
 */
export class CachedReader {
  private readonly model: CachedModel;
  private readonly caches: readonly KVCache[];
  private held: readonly number[] = [];
  private readonly step = compile((x: Tensor, start: number) =>
    noGrad(() => this.model.forward(x, { caches: this.caches, start }).select(1, -1).squeeze(0)),
  );
  constructor(model: CachedModel) {
    this.model = model;
    this.caches = model.caches();
  }
  /** Forgets what was read: the weights may be others now. */
  reader(): NextLogits {
    this.held = [];
    return context => this.read(context);
  }
  private read(context: readonly number[]): Tensor {
    checkContext('CachedReader', context);
    const ids = windowOf(context, this.model.contextLength);
    const parted = ids.findIndex((id, i) => id !== this.held[i]);
    // The last token is always read: its logits are what is asked for.
    let at = Math.min(parted < 0 ? ids.length : parted, ids.length - 1);
    this.held = [];
    let logits: Tensor | null = null;
    while (at < ids.length) {
      const n = ids.length - at >= PIECE ? PIECE : 1;
      logits = this.step(tensor([ids.slice(at, at + n)], { dtype: 'int64' }), at); // (V)
      at += n;
    }
    this.held = ids;
    return logits!;
  }
}
/**
 * What is read of a text longer than the context: its end, from a multiple of half the context on. So the window moves only
 * once in that many tokens, and what is kept is good in between.
 */
function windowOf(context: readonly number[], length: number): readonly number[] {
  const half = Math.max(1, Math.floor(length / 2));
  const from = Math.max(0, Math.ceil((context.length - length) / half) * half);
  return context.slice(from);
}

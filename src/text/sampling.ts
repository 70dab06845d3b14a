// Choosing the next token from scores, and a text token by token.
// In: logits, how bold to be, a seed. Out: numbers of tokens, one after the other, and text that can be shown as it comes.

import { show, ValueError } from '../base/errors.ts';
import { uniforms } from '../data/draws.ts';
import { defaultGenerator, type Generator } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface SamplingOptions {
  /** Logits are divided by it; 0 takes the likeliest token. Default 1. */
  readonly temperature?: number;
  /** Only the k likeliest tokens. Default: all. */
  readonly topK?: number;
  /**
   * Only the likeliest tokens that together have this probability (Holtzman et al. 2019, arXiv 1904.09751, section 3.1), the
   * one that reaches it included. Default 1.
   */
  readonly topP?: number;
  /**
   * Logits of tokens that were used are divided by it where positive, multiplied where negative (Keskar et al. 2019, arXiv
   * 1909.05858, section 4.1, in the form of Hugging Face). Default 1.
   */
  readonly repetitionPenalty?: number;
  /** Tokens that are never drawn, like the one for unknown characters. Default: none. */
  readonly suppress?: readonly number[];
  /** Draws from this stream. Default: the one that `manualSeed` restarts. */
  readonly generator?: Generator;
}

/**
 * One token drawn with the probabilities softmax(logits / temperature), of those that topK and topP leave. −∞ forbids a
 * token. Errors: ValueError for NaN or +∞, no token that is allowed, options out of range.
 */
export function sampleToken(
  logits: ArrayLike<number>,
  options: SamplingOptions = {},
  previous: ArrayLike<number> = [],
): number {
  const { ids, probs } = tokenProbs(logits, options, previous);
  if (ids.length === 1) return ids[0]!;
  let u = uniforms(options.generator ?? defaultGenerator)();
  for (let i = 0; i < ids.length; i++) {
    u -= probs[i]!;
    if (u < 0) return ids[i]!;
  }
  // Rounding left a little: the last token that is possible.
  return ids[probs.findLastIndex(p => p > 0)]!;
}

export interface TokenProbs {
  /** Tokens that can be drawn, the likeliest first; equally likely ones by number. */
  readonly ids: number[];
  /** Their probabilities; they sum to 1. */
  readonly probs: number[];
}
/** What `sampleToken` draws from: for pictures of the choice. */
export function tokenProbs(
  logits: ArrayLike<number>,
  options: SamplingOptions = {},
  previous: ArrayLike<number> = [],
): TokenProbs {
  const { temperature, topK, topP, suppress } = checked(options, logits.length);
  const scores = penalized(logits, options.repetitionPenalty ?? 1, previous);
  for (const id of suppress) scores[id] = Number.NEGATIVE_INFINITY;
  const order = Array.from(scores.keys()).filter(i => scores[i]! > Number.NEGATIVE_INFINITY);
  if (order.length === 0)
    throw new ValueError('sampleToken', 'at least one token must be allowed', 'only -Infinity', '');
  order.sort((a, b) => scores[b]! - scores[a]! || a - b);
  if (temperature === 0) return { ids: [order[0]!], probs: [1] };
  const kept = order.slice(0, topK);
  const weights = kept.map(i => Math.exp((scores[i]! - scores[kept[0]!]!) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let count = 0;
  let sum = 0;
  do sum += weights[count++]!;
  while (count < kept.length && sum < topP * total);
  return { ids: kept.slice(0, count), probs: weights.slice(0, count).map(w => w / sum) };
}
function checked(
  options: SamplingOptions,
  n: number,
): Required<Pick<SamplingOptions, 'temperature' | 'topK' | 'topP' | 'suppress'>> {
  const { temperature = 1, topK = n, topP = 1, repetitionPenalty = 1, suppress = [] } = options;
  const refuse = (rule: string, got: unknown): never => {
    throw new ValueError('sampleToken', rule, show(got), '');
  };
  if (n === 0) throw new ValueError('sampleToken', 'there must be logits', 'no number', '');
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY))
    refuse('temperature must be a number >= 0', temperature);
  if (!Number.isInteger(topK) || topK < 1) refuse('topK must be an integer >= 1', topK);
  if (!(topP > 0 && topP <= 1)) refuse('topP must be in (0, 1]', topP);
  if (!(repetitionPenalty > 0 && repetitionPenalty < Number.POSITIVE_INFINITY))
    refuse('repetitionPenalty must be a number > 0', repetitionPenalty);
  for (const id of suppress)
    if (!Number.isInteger(id) || id < 0 || id >= n) refuse(`suppress must have tokens 0 … ${n - 1}`, id);
  return { temperature, topK, topP, suppress };
}
function penalized(logits: ArrayLike<number>, penalty: number, previous: ArrayLike<number>): Float64Array {
  const scores = Float64Array.from(logits);
  const bad = scores.findIndex(v => Number.isNaN(v) || v === Number.POSITIVE_INFINITY);
  if (bad >= 0)
    throw new ValueError(
      'sampleToken',
      'logits must be numbers or -Infinity',
      `${scores[bad]} for token ${bad}`,
      'the model has gone wrong: look at its weights',
    );
  if (penalty !== 1)
    for (const id of new Set(Array.from(previous))) {
      const v = scores[id];
      if (v !== undefined) scores[id] = v > 0 ? v / penalty : v * penalty;
    }
  return scores;
}

/**
 * The logits (V) of the token after a context of tokens. A model with a state or a cache sees the same context grow by one
 * token a call, and may take what is new alone.
 */
export type NextLogits = (context: readonly number[]) => Tensor | Promise<Tensor>;
export interface GenerateOptions extends SamplingOptions {
  /** How many tokens at most. */
  readonly tokens: number;
  /** Ends the text; it is not part of it. */
  readonly stop?: number | readonly number[];
  readonly signal?: AbortSignal;
}
/** Tokens that go on a prompt, one by one: `for await (const id of generate(next, prompt, {tokens: 100}))`. */
export async function* generate(
  next: NextLogits,
  prompt: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<number, void> {
  const { tokens, stop = [], signal } = options;
  if (!Number.isInteger(tokens) || tokens < 0)
    throw new ValueError('generate', 'tokens must be an integer >= 0', show(tokens), '');
  const ends = new Set(typeof stop === 'number' ? [stop] : stop);
  const context = [...prompt];
  for (let i = 0; i < tokens; i++) {
    signal?.throwIfAborted();
    const logits = await next(context);
    if (logits.ndim !== 1)
      throw new ValueError('generate', 'logits are a vector, one number a token', `${logits.ndim} dims`, '');
    const id = sampleToken((await logits.data()) as Float32Array, options, context);
    if (ends.has(id)) return;
    context.push(id);
    yield id;
  }
}

/** Tokens as text as it comes: bytes of a character that is not whole yet are held back until it is. */
export async function* streamText(
  tokenizer: Tokenizer,
  ids: AsyncIterable<number> | Iterable<number>,
): AsyncGenerator<string, void> {
  if (tokenizer.bytes !== undefined) {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    for await (const id of ids) {
      const text = decoder.decode(tokenizer.bytes(id), { stream: true });
      if (text !== '') yield text;
    }
    const rest = decoder.decode();
    if (rest !== '') yield rest;
    return;
  }
  // A few tokens tell what stands between two words, and whether a character is whole.
  const last: number[] = [];
  let shown = '';
  for await (const id of ids) {
    last.push(id);
    const text = tokenizer.decode(last);
    if (text.endsWith('\ufffd') && last.length < 4 * CONTEXT) continue;
    if (text.length > shown.length) yield text.slice(shown.length);
    last.splice(0, last.length - CONTEXT);
    shown = tokenizer.decode(last);
  }
  const rest = last.length === 0 ? '' : tokenizer.decode(last).slice(shown.length);
  if (rest !== '') yield rest;
}
const CONTEXT = 8;

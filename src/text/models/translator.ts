// From one sequence to another, with attention (Bahdanau, Cho and Bengio 2015; scores by products as in Luong, Pham and
// Manning 2015, section 3.1): a GRU reads the source, a second one writes the target, and each of its words looks at all
// states of the first. In: tokens (N, S) and what was written so far (N, T), 0 is padding. Out: logits (N, T, V).
// Letters: N batch, S source length, T target length, H units, V target tokens.

import { Embedding, GRU, Linear, Module } from '../../nn/index.ts';
import { compile } from '../../tensor/compile.ts';
import { full } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import { cat, stack } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface TranslatorOptions {
  /** Units of both nets, and numbers of a word. Default 64. */
  readonly dim?: number;
}
/** What the source says: the state of the reader at each word (N, S, H), which words there are, and the last state. */
export interface Memory {
  readonly states: Tensor;
  /** (N, 1, S): false for padding. */
  readonly there: Tensor;
  /** (1, N, H) */
  readonly last: Tensor;
}
export interface Translated {
  /** Tokens (N, T), what comes after an end included. */
  readonly ids: Tensor;
  /** What each of them looked at (N, T, S). */
  readonly weights: Tensor;
}

/** Source and what was written so far to the next words. x (N, S), y (N, T) → (N, T, V). */
export class Translator extends Module {
  source: Embedding;
  target: Embedding;
  reader: GRU;
  writer: GRU;
  score: Linear;
  mix: Linear;
  head: Linear;
  private readonly compiledStep = compile((word: Tensor, h: Tensor, memory: Memory) =>
    noGrad(() => {
      const { logits, weights, state } = this.write(word, memory, h);
      return { word: logits.select(1, 0).argmax(-1, { keepdim: true }), weights, state };
    }),
  );
  constructor(sourceSize: number, targetSize: number, options: TranslatorOptions = {}) {
    super();
    const { dim: H = 64 } = options;
    this.source = new Embedding(sourceSize, H);
    this.target = new Embedding(targetSize, H);
    this.reader = new GRU(H, H, { batchFirst: true });
    this.writer = new GRU(H, H, { batchFirst: true });
    this.score = new Linear(H, H, { bias: false });
    this.mix = new Linear(2 * H, H);
    this.head = new Linear(H, targetSize);
  }
  /** Reads the source. x (N, S) */
  read(x: Tensor): Memory {
    const [states] = this.reader(this.source(x)); // (N, S, H)
    const there = x.ne(0); // (N, S)
    const [N, , H] = states.shape as [number, number, number];
    // The state after the last word: what comes behind it is padding.
    const end = there.to('int64').sum(1).sub(1).clamp(0).reshape(N, 1, 1).expand(N, 1, H); // (N, 1, H)
    return { states, there: there.unsqueeze(1), last: states.gather(1, end).transpose(0, 1) };
  }
  /** Writes on from the words y (N, T) and the state h (1, N, H): logits (N, T, V), weights (N, T, S). */
  write(y: Tensor, memory: Memory, h: Tensor): { logits: Tensor; weights: Tensor; state: Tensor } {
    const [d, state] = this.writer(this.target(y), h); // (N, T, H)
    const scores = d.matmul(this.score(memory.states).mT); // (N, T, S)
    const weights = scores.where(memory.there, -1e9).softmax(-1); // (N, T, S)
    const context = weights.matmul(memory.states); // (N, T, H)
    const mixed = this.mix(cat([context, d], -1)).tanh(); // (N, T, H)
    return { logits: this.head(mixed), weights, state };
  }
  /** Of the words before each: y begins with the token that begins a target. (N, T, V) */
  forward(x: Tensor, y: Tensor): Tensor {
    const memory = this.read(x);
    return this.write(y, memory, memory.last).logits;
  }
  /** The likeliest word after each word that it chose itself, `length` of them; `begin` is the token before the first. */
  translate(x: Tensor, length: number, begin: number): Translated {
    const memory = noGrad(() => this.read(x));
    let word = full([x.shape[0]!, 1], begin, { dtype: 'int64' }); // (N, 1)
    let state = memory.last;
    const words: Tensor[] = [];
    const looks: Tensor[] = [];
    for (let t = 0; t < length; t++) {
      const next = this.compiledStep(word, state, memory);
      word = next.word;
      state = next.state;
      words.push(word.squeeze(1));
      looks.push(next.weights.squeeze(1));
    }
    return { ids: stack(words, 1), weights: stack(looks, 1) };
  }
}

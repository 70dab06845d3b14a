// A language model with a recurrent net: one switch, RNN, GRU or LSTM, everything else alike (Karpathy 2015, "The unreasonable
// effectiveness of recurrent neural networks"). The number of parameters does not depend on the length of the text.
// In: tokens (B, T). Out: logits of the token after each (B, T, V).

import { show, ValueError } from '../../base/errors.ts';
import { Dropout, Embedding, GRU, Linear, LSTM, Module, RNN } from '../../nn/index.ts';
import { compile } from '../../tensor/compile.ts';
import { tensor } from '../../tensor/create.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { NextLogits } from '../sampling.ts';
import { checkContext, type LanguageModel } from './language-model.ts';

export type RecurrentKind = 'rnn' | 'gru' | 'lstm';
/** h, or h and c of an LSTM: (layers, B, H) each. */
export type RecurrentState = readonly Tensor[];
export interface RecurrentLMOptions {
  /** Numbers of a token and of the state, H. Default 128. */
  readonly dModel?: number;
  /** Default 2. */
  readonly layers?: number;
  /** Between layers and before the last. Default 0. */
  readonly dropout?: number;
}
const KINDS = { rnn: RNN, gru: GRU, lstm: LSTM };

/** Embedding, recurrent layers, a linear layer. x (B, T) → (B, T, vocabSize). */
export class RecurrentLM extends Module implements LanguageModel {
  readonly vocabSize: number;
  readonly kind: RecurrentKind;
  embedding: Embedding;
  rnn: RNN | GRU | LSTM;
  drop: Dropout;
  head: Linear;
  private readonly compiledStep = compile((x: Tensor, state: RecurrentState | null) =>
    noGrad(() => this.forwardWithState(x, state)),
  );
  constructor(kind: RecurrentKind, vocabSize: number, options: RecurrentLMOptions = {}) {
    super();
    const Net = KINDS[kind];
    if (Net === undefined)
      throw new ValueError('RecurrentLM', `kinds are ${Object.keys(KINDS).join(', ')}`, show(kind), '');
    const { dModel = 128, layers = 2, dropout = 0 } = options;
    this.vocabSize = vocabSize;
    this.kind = kind;
    this.embedding = new Embedding(vocabSize, dModel);
    this.rnn = new Net(dModel, dModel, { numLayers: layers, batchFirst: true, dropout });
    this.drop = new Dropout(dropout);
    this.head = new Linear(dModel, vocabSize);
  }
  forward(x: Tensor): Tensor {
    return this.forwardWithState(x, null).logits;
  }
  /** The logits and the state after the last token, for texts that go on: detach it between steps of training. */
  forwardWithState(x: Tensor, state: RecurrentState | null): { logits: Tensor; state: RecurrentState } {
    const e = this.embedding(x); // (B, T, H)
    const [h, last] =
      this.rnn instanceof LSTM
        ? this.rnn(e, state as [Tensor, Tensor] | null)
        : this.rnn(e, state?.[0] ?? null); // (B, T, H)
    const after = Array.isArray(last) ? last : [last];
    return { logits: this.head(this.drop(h)), state: after }; // (B, T, V)
  }
  reader(): NextLogits {
    let state: RecurrentState | null = null;
    let read = 0;
    let logits: Tensor | null = null;
    return async context => {
      checkContext('RecurrentLM', context);
      for (; read < context.length; read++) {
        const x = tensor([[context[read]!]], { dtype: 'int64' }); // (1, 1)
        const next: { logits: Tensor; state: RecurrentState } = this.compiledStep(x, state);
        logits = next.logits;
        state = next.state;
      }
      return logits!.squeeze(0).squeeze(0);
    };
  }
}

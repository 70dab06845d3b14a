// One switch, RNN, GRU or LSTM, between numbers that come step by step and an answer: after the last step, or at each.
// The number of parameters does not depend on the length T. Letters: N batch, T length, I inputs, H units, O outputs.

import { show, ValueError } from '../../base/errors.ts';
import { GRU, init, Linear, LSTM, Module, RNN } from '../../nn/index.ts';
import { noGrad } from '../../tensor/modes.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { RecurrentKind } from './recurrent-lm.ts';

export interface RecurrentNetOptions {
  /** H. Default 32. */
  readonly hidden?: number;
  /** Default 1. */
  readonly layers?: number;
  /** 'plain' (default): PyTorch's first weights; 'keep': those of `startKeeping`. */
  readonly start?: 'plain' | 'keep';
}
const KINDS = { rnn: RNN, gru: GRU, lstm: LSTM };

/**
 * First weights with which a state stays what it is for long. RNN: W_hh is orthogonal, so that no direction grows or
 * shrinks (Le, Jaitly and Hinton 2015 take the identity). GRU and LSTM: the bias of the gate that keeps (z, f) is `bias`
 * (Jozefowicz, Zaremba and Sutskever 2015, section 2.2); σ(3) = .95 is left of a state after a step.
 */
export function startKeeping(net: RNN | GRU | LSTM, bias = 3): void {
  const H = net.hiddenSize;
  // Rows of gates: r, z, n of a GRU; i, f, g, o of an LSTM. The one that keeps is the second of both.
  for (const [name, p] of net.namedParameters()) {
    if (net instanceof RNN) {
      if (name.startsWith('weight_hh')) init.orthogonal_(p);
      else if (name.startsWith('bias')) init.zeros_(p);
    } else if (name.startsWith('bias_ih')) noGrad(() => p.narrow(0, H, H).fill_(bias));
  }
}

/** Recurrent layers and a linear layer on the last state. x (N, T, I) → (N, O); `steps` gives all answers (N, T, O). */
export class RecurrentNet extends Module {
  readonly kind: RecurrentKind;
  rnn: RNN | GRU | LSTM;
  head: Linear;
  constructor(kind: RecurrentKind, inputs: number, outputs: number, options: RecurrentNetOptions = {}) {
    super();
    const Net = KINDS[kind];
    if (Net === undefined)
      throw new ValueError('RecurrentNet', `kinds are ${Object.keys(KINDS).join(', ')}`, show(kind), '');
    const { hidden = 32, layers = 1, start = 'plain' } = options;
    this.kind = kind;
    this.rnn = new Net(inputs, hidden, { numLayers: layers, batchFirst: true });
    this.head = new Linear(hidden, outputs);
    if (start === 'keep') startKeeping(this.rnn);
  }
  /** The states of the last layer at all steps. (N, T, H) */
  states(x: Tensor): Tensor {
    return (this.rnn as GRU)(x)[0];
  }
  steps(x: Tensor): Tensor {
    return this.head(this.states(x)); // (N, T, O)
  }
  forward(x: Tensor): Tensor {
    return this.head(this.states(x).select(1, -1)); // (N, O)
  }
}

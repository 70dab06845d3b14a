// The net of characters that is measured, the same as in peers/pytorch.py: embedding, recurrent layers, logits.
// Letters: B batch, T context, E features of a character, H hidden, V vocabulary.

import { Adam, type Tensor } from '../src/index.ts';
import { Embedding, GRU, Linear, LSTM, RNN } from '../src/nn/index.ts';
import { tokenSteps } from './gpt.ts';
import type { Step } from './serve.ts';
import type { Recurrent } from './workloads.ts';

/** A whole training step: fresh batch in, Adam, loss read. */
export function recurrent(spec: Recurrent): Step {
  const { cell, layers: numLayers, width: H, vocabulary: V } = spec;
  const E = H / 2;
  const tokens = new Embedding(V, E);
  const Layer = { rnn: RNN, gru: GRU, lstm: LSTM }[cell] as typeof RNN;
  const layer = new Layer(E, H, { numLayers, batchFirst: true });
  const head = new Linear(H, V);
  const optimizer = new Adam(
    [tokens, layer, head].flatMap(m => [...m.parameters()]),
    { lr: 2e-3 },
  );
  const net = (x: Tensor): Tensor => head(layer(tokens(x))[0]).flatten(0, 1); // (B, T, E) → (B · T, V)
  return tokenSteps(net, optimizer, spec);
}

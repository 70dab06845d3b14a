// What goes on inside a recurrent layer while it reads: its states, its gates, and how much of the gradient comes back.
// In: a layer that reads forwards, and a batch x (N, T, I). Out: numbers by time step, for pictures.

import { linear } from '../nn/functional/linear.ts';
import { GRU, type LSTM, RNN } from '../nn/index.ts';
import { grad } from '../tensor/autograd.ts';
import { zeros } from '../tensor/create.ts';
import { noGrad } from '../tensor/modes.ts';
import { stack } from '../tensor/movement.ts';
import type { Tensor } from '../tensor/tensor.ts';

type Recurrent = RNN | GRU | LSTM;
/** The state after each step: h, or h and c, (layers, N, H) each. */
function statesOf(layer: Recurrent, x: Tensor): Tensor[][] {
  const dim = layer.batchFirst ? 1 : 0;
  const states: Tensor[][] = [];
  let state: Tensor | [Tensor, Tensor] | null = null;
  for (let t = 0; t < x.shape[dim]!; t++) {
    state = (layer as GRU)(x.narrow(dim, t, 1), state as Tensor | null)[1] as Tensor | [Tensor, Tensor];
    states.push(Array.isArray(state) ? state : [state]);
  }
  return states;
}

/**
 * ‖∂L/∂h_t‖ for each step t of a loss of what the layer says last (N, H): how far back a mistake is felt. Of an LSTM h and
 * c together are the state. Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013, section 2.
 */
export async function gradientsThroughTime(
  layer: Recurrent,
  x: Tensor,
  loss: (last: Tensor) => Tensor,
): Promise<number[]> {
  const states = statesOf(layer, x);
  // The state of the last level is what the layer says.
  const parts = grad(loss(states.at(-1)![0]!.select(0, -1)), states.flat(), { allowUnused: true });
  const each = states[0]!.length;
  const norms = states.map((_, t) =>
    parts
      .slice(t * each, (t + 1) * each)
      .filter(g => g !== null)
      .map(g => g.square().sum())
      .reduce((a, b) => a.add(b))
      .sqrt(),
  );
  return Array.from((await stack(norms).data()) as Float32Array);
}

export interface GateValues {
  /** Of each unit at each step, [step][unit], for the first sample of the batch. */
  readonly [gate: string]: readonly (readonly number[])[];
}
/**
 * The states of the first level for the first sample, and its gates: reset and update of a GRU; input, forget, output and
 * the cell of an LSTM; an RNN has none.
 */
export async function gatesThroughTime(layer: Recurrent, x: Tensor): Promise<GateValues> {
  const parameters = Object.fromEntries(layer.namedParameters());
  const of = (kind: string): Tensor | null => parameters[`${kind}_l0`] ?? null;
  const first = layer.batchFirst ? x.narrow(0, 0, 1) : x.narrow(1, 0, 1).transpose(0, 1); // (1, T, I)
  const states = noGrad(() => statesOf(layer, layer.batchFirst ? first : first.transpose(0, 1)));
  const [h, c] = [0, 1].map(i =>
    states[0]![i] === undefined ? null : stack(states.map(s => s[i]!.select(0, 0).select(0, 0))),
  );
  const all: Record<string, Tensor> = { state: h! }; // (T, H)
  if (!(layer instanceof RNN)) {
    const H = layer.hiddenSize;
    const before = noGrad(() =>
      stack([zeros([H]), ...states.slice(0, -1).map(s => s[0]!.select(0, 0).select(0, 0))]),
    ); // (T, H)
    const z = linear(first.squeeze(0), of('weight_ih')!, of('bias_ih')).add(
      linear(before, of('weight_hh')!, of('bias_hh')),
    ); // (T, gates · H)
    const names = layer instanceof GRU ? ['reset', 'update'] : ['input', 'forget', '', 'output'];
    for (const [i, name] of names.entries()) if (name !== '') all[name] = z.narrow(1, i * H, H).sigmoid();
    if (c !== null) all['cell'] = c!;
  }
  const out: Record<string, number[][]> = {};
  for (const [name, t] of Object.entries(all)) out[name] = (await t.detach().tolist()) as number[][];
  return out;
}

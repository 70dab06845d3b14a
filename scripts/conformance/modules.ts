// Cases about layers: what a call returns, gradients and buffers after it; names of parameters, buffers and modules.

import type { nn, Tensor } from '../../src/index.ts';
import { type Arguments, camel, construct, type Options } from './call.ts';
import { compare, flatten, Missing } from './check.ts';
import { type Case, decode, plain, type Stored, toTensor } from './format.ts';

type Store = ReadonlyMap<string, Stored>;
type Module = nn.Module;

/** Classes by torch's name: torch's parameters as ours, in the notation of names.ts. */
const CLASSES: Readonly<Record<string, string>> = {
  Linear: 'nn.Linear(in_features, out_features, {bias})',
  Bilinear: 'nn.Bilinear(in1_features, in2_features, out_features, {bias})',
  Flatten: 'nn.Flatten(start_dim, end_dim)',
  Unflatten: 'nn.Unflatten(dim, unflattened_size)',
  Embedding:
    'nn.Embedding(num_embeddings, embedding_dim, {padding_idx, max_norm, norm_type, scale_grad_by_freq})',
  EmbeddingBag:
    'nn.EmbeddingBag(num_embeddings, embedding_dim, {max_norm, norm_type, scale_grad_by_freq, mode, include_last_offset, padding_idx})',
  PReLU: 'nn.PReLU(num_parameters, {init})',
  ReLU: 'nn.ReLU({inplace})',
  ELU: 'nn.ELU(alpha, {inplace})',
  LeakyReLU: 'nn.LeakyReLU(negative_slope, {inplace})',
  GELU: 'nn.GELU({approximate})',
  Softmax: 'nn.Softmax(dim)',
  Dropout: 'nn.Dropout(p, {inplace})',
  Dropout2d: 'nn.Dropout2d(p, {inplace})',
  LayerNorm: 'nn.LayerNorm(normalized_shape, {eps, elementwise_affine})',
  RMSNorm: 'nn.RMSNorm(normalized_shape, {eps, elementwise_affine})',
  GroupNorm: 'nn.GroupNorm(num_groups, num_channels, {eps, affine})',
  CrossEntropyLoss: 'nn.CrossEntropyLoss({weight, ignore_index, reduction, label_smoothing})',
  MSELoss: 'nn.MSELoss({reduction})',
  SmoothL1Loss: 'nn.SmoothL1Loss({reduction, beta})',
  Upsample: 'nn.Upsample({size, scale_factor, mode, align_corners, recompute_scale_factor})',
  ...perRank('BatchNorm', 'nn.BatchNorm@d(num_features, {eps, momentum, affine, track_running_stats})'),
  ...perRank('InstanceNorm', 'nn.InstanceNorm@d(num_features, {eps, momentum, affine, track_running_stats})'),
  ...perRank(
    'Conv',
    'nn.Conv@d(in_channels, out_channels, kernel_size, {stride, padding, dilation, groups, bias, padding_mode})',
  ),
  ...perRank(
    'ConvTranspose',
    'in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation => nn.ConvTranspose@d(in_channels, out_channels, kernel_size, {stride, padding, output_padding, groups, bias, dilation})',
  ),
  ...Object.fromEntries(
    ['RNN', 'GRU', 'LSTM'].map(kind => [
      kind,
      `nn.${kind}(input_size, hidden_size, {num_layers, nonlinearity, bias, batch_first, dropout, bidirectional, proj_size})`,
    ]),
  ),
  RNNCell: 'nn.RNNCell(input_size, hidden_size, {bias, nonlinearity})',
  GRUCell: 'nn.GRUCell(input_size, hidden_size, {bias})',
  LSTMCell: 'nn.LSTMCell(input_size, hidden_size, {bias})',
  MultiheadAttention:
    'embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first => nn.MultiheadAttention(embed_dim, num_heads, {dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first})',
  ...Object.fromEntries(
    ['Encoder', 'Decoder'].map(kind => [
      `Transformer${kind}Layer`,
      `d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first => nn.Transformer${kind}Layer(d_model, nhead, {dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first})`,
    ]),
  ),
  TransformerEncoder: 'nn.TransformerEncoder(encoder_layer, num_layers, norm)',
  TransformerDecoder: 'nn.TransformerDecoder(decoder_layer, num_layers, norm)',
  Transformer:
    'd_model, nhead, num_encoder_layers, num_decoder_layers, dim_feedforward, dropout, activation, custom_encoder, custom_decoder, layer_norm_eps, batch_first, norm_first => nn.Transformer({d_model, nhead, num_encoder_layers, num_decoder_layers, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first})',
  'mamba_ssm.Mamba':
    'd_model, d_state, d_conv, expand, dt_rank => nn.Mamba(d_model, {d_state, d_conv, expand, dt_rank})',
  ...perRank('ReflectionPad', 'nn.ReflectionPad@d(padding)'),
};
function perRank(name: string, entry: string): Record<string, string> {
  return Object.fromEntries([1, 2, 3].map(n => [`${name}${n}d`, entry.replaceAll('@', `${n}`)]));
}

/** The layer that torch's name makes. */
export function makeModule(name: string, args: Arguments, kwargs: Options): Module {
  const bare = name.replace(/^nn\./, '');
  if (bare === 'Sequential') return construct('nn.Sequential(...layers)', args, {}) as Module;
  if (bare === 'ModuleDict') return construct('nn.ModuleDict(modules)', [kwargs], {}) as Module;
  const entry = CLASSES[bare];
  if (entry === undefined) throw new Missing(`there is no ${name}`);
  return construct(entry, args, kwargs) as Module;
}

export function runModule(c: Case, stored: Store): void {
  const m = makeModule(c.op, [], plain(c.init) as Options);
  const load = (keys: Readonly<Record<string, string>>): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, toTensor(stored.get(key)!)]));
  m.loadStateDict(load(c.state));
  m.train(c.train);
  const named: Record<string, Tensor> = {};
  for (const [name, key] of Object.entries(c.inputs)) {
    named[name] = toTensor(stored.get(key)!, { requiresGrad: name in c.grads });
  }
  const args = decode(plain(c.args), named) as unknown[];
  const kwargs = Object.entries(decode(plain(c.kwargs ?? {}), named) as Options);
  if (kwargs.length > 0) args.push(Object.fromEntries(kwargs.map(([name, v]) => [camel(name), v])));
  const forward = m as unknown as (...args: unknown[]) => unknown;
  let out: Tensor[] = [];
  for (let i = 0; i < c.calls; i++) out = flatten(forward(...args), c.init['batch_first'] === true);
  const want = c.outputs as readonly string[];
  if (out.length !== want.length) throw new Error(`${out.length} results, wants ${want.length}`);
  out.forEach((o, i) => {
    compare(`result ${i}`, o, stored.get(want[i]!)!, c.tolerance);
  });
  const parts = c.cotangents.flatMap((key, i) =>
    key === null ? [] : [out[i]!.mul(toTensor(stored.get(key)!)).sum()],
  );
  if (Object.keys(c.grads).length > 0) parts.reduce((a, b) => a.add(b)).backward();
  const parameters = new Map(m.namedParameters());
  for (const [name, key] of Object.entries(c.grads)) {
    const leaf = name.startsWith('param:') ? parameters.get(name.slice('param:'.length))! : named[name]!;
    compare(`grad ${name}`, leaf.grad ?? leaf.mul(0), stored.get(key)!, c.grad_tolerance);
  }
  const after = m.stateDict();
  for (const [name, key] of Object.entries(c.state_after)) {
    compare(`${name} after`, after[name]!, stored.get(key)!, c.tolerance);
  }
}

export function runNames(c: Case): void {
  const m = parseModule(c.op);
  const same = (what: string, got: unknown, want: unknown): void => {
    const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
    if (a !== b) throw new Error(`${what}: ${a}, wants ${b}`);
  };
  same(
    'named parameters',
    m.namedParameters().map(([n, p]) => [n, p.shape]),
    c.named_parameters,
  );
  same(
    'state dict',
    Object.entries(m.stateDict()).map(([n, t]) => [n, t.shape, t.dtype]),
    c.state_dict,
  );
  same(
    'named modules',
    m.namedModules().map(([n]) => n),
    c.named_modules,
  );
}

/** A layer from Python's expression: Sequential(Linear(4,3),BatchNorm1d(3,affine=False)). */
export function parseModule(expression: string): Module {
  const tokens = expression.match(/[A-Za-z_][\w.]*|-?[\d.]+(?:e-?\d+)?|[(),=]/g)!;
  let at = 0;
  const value = (): unknown => {
    const token = tokens[at++]!;
    if (/^[-\d]/.test(token)) return Number(token);
    const word = { True: true, False: false, None: null }[token];
    if (word !== undefined) return word;
    const args: unknown[] = [];
    const kwargs: Record<string, unknown> = {};
    at++; // (
    while (tokens[at] !== ')') {
      if (tokens[at] === ',') at++;
      else if (tokens[at + 1] === '=') {
        const name = tokens[at]!;
        at += 2;
        kwargs[name] = value();
      } else args.push(value());
    }
    at++; // )
    return makeModule(token, args, kwargs);
  };
  return value() as Module;
}

// Recurrent layers and cells: RNN, GRU, LSTM. Letters: N batch, T length, I input features, H hidden, P projection
// (H without one), K gates.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { tensor, zeros } from '../tensor/create.ts';
import { cat, stack } from '../tensor/movement.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { dropout } from './functional/dropout.ts';
import { linear } from './functional/linear.ts';
import { scan } from './functional/scan.ts';
import * as init from './init.ts';
import { type LayerOptions, unfilled } from './linear.ts';
import { Module } from './module.ts';
import { PackedSequence, packPaddedSequence, padPackedSequence } from './packed.ts';
import type { Parameter } from './parameter.ts';
import { py } from './repr.ts';

// ---- one step --------------------------------------------------------------------------------------------------------

/** Weights of one layer in one direction, rows of all gates below each other. */
interface Weights {
  readonly hh: Tensor;
  readonly bhh: Tensor | null;
  /** LSTM with a projection: (P, H). */
  readonly hr: Tensor | null;
}
type State = readonly Tensor[];
/** From the input's part of all gates (N, K·H) and the state to the next state; its first tensor is the output. */
type Step = (input: Tensor, state: State, w: Weights) => State;

const elman =
  (nonlinearity: 'tanh' | 'relu'): Step =>
  (input, [h], w) => {
    const z = input.add(linear(h!, w.hh, w.bhh)); // (N, H)
    return [nonlinearity === 'tanh' ? z.tanh() : z.relu()];
  };
/** How a GRU is written; the default is PyTorch's and cuDNN's. */
export interface GruConvention {
  /** Reset what W_hn gives (true, default), or what it takes: n = tanh(… + W_hn (r ⊙ h)). Cho et al. 2014 do the latter. */
  readonly resetAfter?: boolean;
  /** z keeps: h′ = z ⊙ h + (1 − z) ⊙ n (true, default), or z renews: h′ = (1 − z) ⊙ h + z ⊙ n. */
  readonly zKeeps?: boolean;
}
const gated =
  ({ resetAfter = true, zKeeps = true }: GruConvention): Step =>
  (input, [h], w) => {
    const [xr, xz, xn] = input.chunk(3, -1) as [Tensor, Tensor, Tensor];
    let r: Tensor;
    let z: Tensor;
    let n: Tensor;
    if (resetAfter) {
      const [hr, hz, hn] = linear(h!, w.hh, w.bhh).chunk(3, -1) as [Tensor, Tensor, Tensor];
      r = xr.add(hr).sigmoid();
      z = xz.add(hz).sigmoid();
      n = xn.add(r.mul(hn)).tanh();
    } else {
      const H = h!.shape.at(-1)!;
      const part = (i: number, k: number, of: Tensor): Tensor =>
        linear(of, w.hh.narrow(0, i * H, k * H), w.bhh === null ? null : w.bhh.narrow(0, i * H, k * H));
      const [hr, hz] = part(0, 2, h!).chunk(2, -1) as [Tensor, Tensor];
      r = xr.add(hr).sigmoid();
      z = xz.add(hz).sigmoid();
      n = xn.add(part(2, 1, r.mul(h!))).tanh();
    }
    return [zKeeps ? n.add(z.mul(h!.sub(n))) : h!.add(z.mul(n.sub(h!)))];
  };
const memory: Step = (input, [h, c], w) => {
  const [i, f, g, o] = input.add(linear(h!, w.hh, w.bhh)).chunk(4, -1) as [Tensor, Tensor, Tensor, Tensor];
  const next = f.sigmoid().mul(c!).add(i.sigmoid().mul(g.tanh())); // (N, H)
  const out = o.sigmoid().mul(next.tanh()); // (N, H)
  return [w.hr === null ? out : linear(out, w.hr), next];
};

// ---- cells -----------------------------------------------------------------------------------------------------------

abstract class Cell extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  weight_ih: Parameter;
  weight_hh: Parameter;
  declare bias_ih: Parameter | null;
  declare bias_hh: Parameter | null;
  protected abstract readonly states: number;
  constructor(inputSize: number, hiddenSize: number, gates: number, options: LayerOptions) {
    super();
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    const rows = gates * hiddenSize;
    this.weight_ih = unfilled([rows, inputSize], options);
    this.weight_hh = unfilled([rows, hiddenSize], options);
    const bias = options.bias === false ? null : () => unfilled([rows], options);
    this.registerParameter('bias_ih', bias?.() ?? null);
    this.registerParameter('bias_hh', bias?.() ?? null);
    this.resetParameters();
  }
  resetParameters(): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const p of this.parameters()) init.uniform_(p, -bound, bound);
  }
  /** One step from (N, I) or (I) and a state like it. */
  protected advance(step: Step, x: Tensor, state: State | null): Tensor[] {
    if (x.ndim < 1 || x.ndim > 2 || x.shape.at(-1) !== this.inputSize)
      throw new ShapeError(
        this.constructor.name,
        `x is (N, ${this.inputSize}) or (${this.inputSize})`,
        showShape(x.shape),
        '',
      );
    const rows = x.ndim === 1 ? x.unsqueeze(0) : x; // (N, I)
    const start =
      state?.map(s => (s.ndim === 1 ? s.unsqueeze(0) : s)) ??
      Array.from({ length: this.states }, () =>
        zeros([rows.shape[0]!, this.hiddenSize], { dtype: x.dtype, device: x.device }),
      );
    const w = { hh: this.weight_hh, bhh: this.bias_hh, hr: null };
    const next = step(linear(rows, this.weight_ih, this.bias_ih), start, w);
    return next.map(s => (x.ndim === 1 ? s.squeeze(0) : s));
  }
  override extraRepr(): string {
    const bias = this.bias_ih === null ? ', bias=False' : '';
    return `${this.inputSize}, ${this.hiddenSize}${bias}`;
  }
}
export interface RnnCellOptions extends LayerOptions {
  /** Default 'tanh'. */
  readonly nonlinearity?: 'tanh' | 'relu';
}
/** h′ = tanh(W_ih x + b_ih + W_hh h + b_hh). x (N, I), h (N, H) → (N, H). Elman 1990. */
export class RNNCell extends Cell {
  protected readonly states = 1;
  readonly nonlinearity: 'tanh' | 'relu';
  constructor(inputSize: number, hiddenSize: number, options: RnnCellOptions = {}) {
    super(inputSize, hiddenSize, 1, options);
    this.nonlinearity = options.nonlinearity ?? 'tanh';
  }
  forward(x: Tensor, h: Tensor | null = null): Tensor {
    return this.advance(elman(this.nonlinearity), x, h === null ? null : [h])[0]!;
  }
}
/** One step of a GRU; gates r, z, n in the rows of the weights. x (N, I), h (N, H) → (N, H). Cho et al. 2014. */
export class GRUCell extends Cell {
  protected readonly states = 1;
  private readonly convention: GruConvention;
  constructor(inputSize: number, hiddenSize: number, options: LayerOptions & GruConvention = {}) {
    super(inputSize, hiddenSize, 3, options);
    this.convention = options;
  }
  forward(x: Tensor, h: Tensor | null = null): Tensor {
    return this.advance(gated(this.convention), x, h === null ? null : [h])[0]!;
  }
}
/** One step of an LSTM; gates i, f, g, o in the rows of the weights. x (N, I), [h, c] (N, H) → [h, c]. Gers et al. 2000. */
export class LSTMCell extends Cell {
  protected readonly states = 2;
  constructor(inputSize: number, hiddenSize: number, options: LayerOptions = {}) {
    super(inputSize, hiddenSize, 4, options);
  }
  forward(x: Tensor, state: readonly [Tensor, Tensor] | null = null): [h: Tensor, c: Tensor] {
    return this.advance(memory, x, state) as [Tensor, Tensor];
  }
}

// ---- layers ----------------------------------------------------------------------------------------------------------

export interface RecurrentOptions extends LayerOptions {
  /** Layers on top of each other. Default 1. */
  readonly numLayers?: number;
  /** (N, T, I) instead of (T, N, I). Default false. */
  readonly batchFirst?: boolean;
  /** Between layers, in training. Default 0. */
  readonly dropout?: number;
  /** A second run from the end, whose outputs are set beside the first's. Default false. */
  readonly bidirectional?: boolean;
}

abstract class Recurrent extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  readonly bias: boolean;
  readonly projSize: number;

  constructor(
    inputSize: number,
    hiddenSize: number,
    gates: number,
    o: RecurrentOptions & { projSize?: number },
  ) {
    super();
    const {
      numLayers = 1,
      batchFirst = false,
      dropout: p = 0,
      bidirectional = false,
      bias = true,
      projSize = 0,
    } = o;
    const op = new.target.name;
    for (const [name, v] of Object.entries({ inputSize, hiddenSize, numLayers }))
      if (!Number.isInteger(v) || v < 1) throw new ValueError(op, `${name} must be positive`, show(v), '');
    if (!(p >= 0 && p <= 1)) throw new ValueError(op, 'dropout must be in 0 … 1', show(p), '');
    if (!Number.isInteger(projSize) || projSize < 0 || projSize >= hiddenSize)
      throw new ValueError(op, `projSize must be in 0 … ${hiddenSize - 1}`, show(projSize), '');
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.batchFirst = batchFirst;
    this.dropout = p;
    this.bidirectional = bidirectional;
    this.bias = bias;
    this.projSize = projSize;
    const out = projSize || hiddenSize;
    const rows = gates * hiddenSize;
    for (let layer = 0; layer < numLayers; layer++) {
      for (const end of this.ends) {
        const inward = layer === 0 ? inputSize : out * this.ends.length;
        const add = (name: string, ...shape: number[]): void =>
          this.registerParameter(`${name}_l${layer}${end}`, unfilled(shape, o));
        add('weight_ih', rows, inward);
        add('weight_hh', rows, out);
        if (bias) {
          add('bias_ih', rows);
          add('bias_hh', rows);
        }
        if (projSize > 0) add('weight_hr', projSize, hiddenSize);
      }
    }
    this.resetParameters();
  }
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const p of this.parameters()) init.uniform_(p, -bound, bound);
  }
  /** Ends of the names of the weights, one per direction. */
  private get ends(): readonly string[] {
    return this.bidirectional ? ['', '_reverse'] : [''];
  }
  protected abstract readonly step: Step;
  /** Sizes of the tensors of a state. */
  protected abstract get stateSizes(): readonly number[];

  /** All layers over a batch or a packed sequence: outputs, and the last states (layers · directions, N, …). */
  protected run(
    input: Tensor | PackedSequence,
    given: readonly Tensor[] | null,
  ): { output: Tensor | PackedSequence; last: Tensor[] } {
    if (input instanceof PackedSequence) return this.runPacked(input, given);
    const single = input.ndim === 2;
    if (input.ndim < 2 || input.ndim > 3 || input.shape.at(-1) !== this.inputSize)
      throw new ShapeError(
        this.constructor.name,
        `x is (${this.batchFirst ? 'N, T' : 'T, N'}, ${this.inputSize}) or (T, ${this.inputSize})`,
        showShape(input.shape),
        '',
      );
    const x = single ? input.unsqueeze(1) : this.batchFirst ? input.transpose(0, 1) : input; // (T, N, I)
    const state = given?.map(s => (single ? s.unsqueeze(1) : s)) ?? null;
    const { output, last } = this.layers(x, state, null);
    const shaped = single ? output.squeeze(1) : this.batchFirst ? output.transpose(0, 1) : output;
    return { output: shaped, last: last.map(s => (single ? s.squeeze(1) : s)) };
  }
  private runPacked(
    p: PackedSequence,
    given: readonly Tensor[] | null,
  ): { output: PackedSequence; last: Tensor[] } {
    // Sorted, the longest first, padded: a sequence that is over keeps its state.
    const sorted = new PackedSequence(p.data, p.batchSizes);
    const [x] = padPackedSequence(sorted); // (T, N, I)
    const order = p.sortedIndices;
    const along = (s: Tensor, rows: readonly number[]): Tensor => s.indexSelect(1, tensor(rows.map(BigInt)));
    const state = given?.map(s => (order === null ? s : along(s, order))) ?? null;
    const { output, last } = this.layers(x, state, p.sortedLengths);
    const repacked = packPaddedSequence(output, p.sortedLengths);
    const back = order?.map((_, i) => order.indexOf(i)) ?? null;
    return {
      output: new PackedSequence(repacked.data, p.batchSizes, order),
      last: last.map(s => (back === null ? s : along(s, back))),
    };
  }

  private layers(x: Tensor, given: readonly Tensor[] | null, lengths: readonly number[] | null) {
    const N = x.shape[1]!;
    const count = this.numLayers * this.ends.length;
    const start =
      given ?? this.stateSizes.map(n => zeros([count, N, n], { dtype: x.dtype, device: x.device }));
    start.forEach((s, i) => {
      const want = [count, N, this.stateSizes[i]!];
      if (showShape(s.shape) !== showShape(want))
        throw new ShapeError(
          this.constructor.name,
          `the state is ${showShape(want)}`,
          showShape(s.shape),
          '',
        );
    });
    const last: Tensor[][] = start.map(() => []);
    let h = x;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const outputs = this.ends.map((end, d) => {
        const at = start.map(s => s.select(0, layer * this.ends.length + d)); // (N, …)
        const r = this.direction(h, at, `l${layer}${end}`, d === 1, lengths);
        r.state.forEach((s, i) => {
          last[i]!.push(s);
        });
        return r.output;
      });
      h = outputs.length === 1 ? outputs[0]! : cat(outputs, -1); // (T, N, P · directions)
      if (layer < this.numLayers - 1) h = dropout(h, { p: this.dropout, training: this.training });
    }
    return { output: h, last: last.map(s => stack(s)) };
  }
  /** One layer in one direction: the input's part of all steps is one product. */
  private direction(
    x: Tensor,
    start: readonly Tensor[],
    name: string,
    backward: boolean,
    lengths: readonly number[] | null,
  ): { output: Tensor; state: State } {
    const own = this as unknown as Record<string, Tensor | undefined>;
    const input = linear(x, own[`weight_ih_${name}`]!, own[`bias_ih_${name}`] ?? null); // (T, N, K·H)
    const w = {
      hh: own[`weight_hh_${name}`]!,
      bhh: own[`bias_hh_${name}`] ?? null,
      hr: own[`weight_hr_${name}`] ?? null,
    };
    const T = x.shape[0]!;
    if (T === 0) return { output: input.narrow(2, 0, start[0]!.shape[1]!), state: start };
    // A sequence that is over keeps its state.
    const going =
      lengths === null
        ? null
        : tensor(
            Array.from({ length: T }, (_, t) => lengths.map(n => [t < n])),
            { device: x.device },
          ); // (T, N, 1)
    const [state, output] = scan(
      (before: State, [part, on]: readonly Tensor[]): [State, Tensor] => {
        const next = this.step(part!, before, w);
        const kept = on === undefined ? next : next.map((s, i) => s.where(on, before[i]!));
        return [kept, kept[0]!];
      },
      start,
      going === null ? [input] : [input, going],
      { reverse: backward },
    );
    return { output, state };
  }
  override extraRepr(): string {
    const parts = [`${this.inputSize}, ${this.hiddenSize}`];
    if (this.projSize > 0) parts.push(`proj_size=${this.projSize}`);
    if (this.numLayers !== 1) parts.push(`num_layers=${this.numLayers}`);
    if (!this.bias) parts.push('bias=False');
    if (this.batchFirst) parts.push('batch_first=True');
    if (this.dropout > 0) parts.push(`dropout=${py(this.dropout)}`);
    if (this.bidirectional) parts.push('bidirectional=True');
    return parts.join(', ');
  }
}

export interface RnnOptions extends RecurrentOptions {
  /** Default 'tanh'. */
  readonly nonlinearity?: 'tanh' | 'relu';
}
/** A call takes a batch or a packed sequence, and gives the like. */
export interface RNN {
  (input: Tensor, h0?: Tensor | null): [output: Tensor, hN: Tensor];
  (input: PackedSequence, h0?: Tensor | null): [output: PackedSequence, hN: Tensor];
}
/**
 * hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh). Shapes: x (T, N, I), h0 (layers · directions, N, H); gives [output
 * (T, N, H · directions), hN like h0]; batch first, without N, or packed as given. Elman 1990.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the call signatures have no other place
export class RNN extends Recurrent {
  protected readonly step: Step;
  readonly nonlinearity: 'tanh' | 'relu';
  constructor(inputSize: number, hiddenSize: number, options: RnnOptions = {}) {
    const { nonlinearity = 'tanh' } = options;
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
      throw new ValueError('RNN', "nonlinearity is 'tanh' or 'relu'", show(nonlinearity), '');
    super(inputSize, hiddenSize, 1, options);
    this.nonlinearity = nonlinearity;
    this.step = elman(nonlinearity);
  }
  protected get stateSizes(): readonly number[] {
    return [this.hiddenSize];
  }
  forward(input: Tensor | PackedSequence, h0: Tensor | null = null): [Tensor | PackedSequence, Tensor] {
    const { output, last } = this.run(input, h0 === null ? null : [h0]);
    return [output, last[0]!];
  }
}

/** A call takes a batch or a packed sequence, and gives the like. */
export interface GRU {
  (input: Tensor, h0?: Tensor | null): [output: Tensor, hN: Tensor];
  (input: PackedSequence, h0?: Tensor | null): [output: PackedSequence, hN: Tensor];
}
/**
 * r = σ(W_ir x + b_ir + W_hr h + b_hr), z likewise, n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn)), h′ = z ⊙ h + (1 − z) ⊙ n;
 * `resetAfter` and `zKeeps` choose other conventions. Shapes as in RNN. Cho et al. 2014.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the call signatures have no other place
export class GRU extends Recurrent {
  protected readonly step: Step;
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions & GruConvention = {}) {
    super(inputSize, hiddenSize, 3, options);
    this.step = gated(options);
  }
  protected get stateSizes(): readonly number[] {
    return [this.hiddenSize];
  }
  forward(input: Tensor | PackedSequence, h0: Tensor | null = null): [Tensor | PackedSequence, Tensor] {
    const { output, last } = this.run(input, h0 === null ? null : [h0]);
    return [output, last[0]!];
  }
}

export interface LstmOptions extends RecurrentOptions {
  /** Projects h to so many features; 0 (default) leaves it out. Sak et al. 2014. */
  readonly projSize?: number;
}
type LstmState = readonly [h: Tensor, c: Tensor];
/** A call takes a batch or a packed sequence, and gives the like. */
export interface LSTM {
  (input: Tensor, state?: LstmState | null): [output: Tensor, state: [hN: Tensor, cN: Tensor]];
  (
    input: PackedSequence,
    state?: LstmState | null,
  ): [output: PackedSequence, state: [hN: Tensor, cN: Tensor]];
}
/**
 * i, f, o = σ(W x + b + W h + b), g = tanh(…), c′ = f ⊙ c + i ⊙ g, h′ = o ⊙ tanh(c′). Shapes as in RNN, h (layers ·
 * directions, N, P) and c (layers · directions, N, H); gives [output, [hN, cN]]. Hochreiter & Schmidhuber 1997, Gers et
 * al. 2000.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the call signatures have no other place
export class LSTM extends Recurrent {
  protected readonly step: Step = memory;
  constructor(inputSize: number, hiddenSize: number, options: LstmOptions = {}) {
    super(inputSize, hiddenSize, 4, options);
  }
  protected get stateSizes(): readonly number[] {
    return [this.projSize || this.hiddenSize, this.hiddenSize];
  }
  forward(
    input: Tensor | PackedSequence,
    state: LstmState | null = null,
  ): [Tensor | PackedSequence, [hN: Tensor, cN: Tensor]] {
    const { output, last } = this.run(input, state);
    return [output, last as [Tensor, Tensor]];
  }
}

// Mamba's blocks: a causal convolution and a selective scan between two projections, in parallel form for training and
// as a recurrence with constant state for generation.
// Letters: N batch, L length, M model width, D inner channels, S states, R rank of Δ, W window of the convolution.

import { ShapeError, showShape, ValueError } from '../base/errors.ts';
import { arange, ones, zeros } from '../tensor/create.ts';
import { noGrad } from '../tensor/modes.ts';
import { cat } from '../tensor/movement.ts';
import { rand } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Conv1d } from './conv.ts';
import { silu, softplus } from './functional/activation.ts';
import { selectiveScanWithState, selectiveStep, stateSpaceDual } from './functional/ssm.ts';
import * as init from './init.ts';
import { Linear } from './linear.ts';
import { Module } from './module.ts';
import { RMSNorm } from './norm.ts';
import { Parameter } from './parameter.ts';

/** What a block remembers between tokens: the last W − 1 inputs of the convolution, and the states. */
export interface MambaState {
  readonly conv: Tensor;
  readonly ssm: Tensor;
}

/** y_t = Σ_k w_k x_{t−W+1+k} + b per channel, with `before` (N, W − 1, D) in front. x (N, L, D) → (N, L, D). */
function causalConv(x: Tensor, conv: Conv1d, before: Tensor): Tensor {
  const [L, W] = [x.shape[1]!, conv.kernelSize[0]!];
  const padded = cat([before, x], 1); // (N, W − 1 + L, D)
  let y = padded.narrow(1, 0, L).mul(conv.weight.select(2, 0).squeeze(1)); // (N, L, D)
  for (let k = 1; k < W; k++) y = y.add(padded.narrow(1, k, L).mul(conv.weight.select(2, k).squeeze(1)));
  return conv.bias === null ? y : y.add(conv.bias);
}
function checkInput(name: string, x: Tensor, width: number): void {
  if (x.ndim !== 3 || x.shape[2] !== width)
    throw new ShapeError(name, `x must be (batch, length, ${width})`, showShape(x.shape), '');
}
/** The inverse of softplus at log-uniform steps between dtMin and dtMax: where Δ starts. */
function stepBias(n: number, o: { dtMin?: number; dtMax?: number; dtInitFloor?: number }): Tensor {
  const { dtMin = 0.001, dtMax = 0.1, dtInitFloor = 1e-4 } = o;
  const [low, high] = [Math.log(dtMin), Math.log(dtMax)];
  const dt = rand([n])
    .mul(high - low)
    .add(low)
    .exp()
    .clamp(dtInitFloor);
  return dt.add(dt.neg().expm1().neg().log());
}

export interface MambaOptions {
  /** States per channel. Default 16. */
  readonly dState?: number;
  /** Window of the causal convolution. Default 4. */
  readonly dConv?: number;
  /** Inner channels per input channel. Default 2. */
  readonly expand?: number;
  /** Rank of the projection that gives Δ. Default 'auto': ⌈dModel / 16⌉. */
  readonly dtRank?: number | 'auto';
  readonly dtMin?: number;
  readonly dtMax?: number;
  readonly dtInitFloor?: number;
  /** Bias of the two projections. Default false. */
  readonly bias?: boolean;
  /** Bias of the convolution. Default true. */
  readonly convBias?: boolean;
}

/**
 * The Mamba block. x (N, L, dModel) → (N, L, dModel). Keys as in the official checkpoints: in_proj, conv1d, x_proj,
 * dt_proj, A_log, D, out_proj. `step` gives the same one token at a time from a state of constant size. Gu & Dao 2023,
 * section 3.4.
 */
export class Mamba extends Module {
  readonly dModel: number;
  readonly dInner: number;
  readonly dState: number;
  readonly dConv: number;
  readonly dtRank: number;
  in_proj: Linear;
  conv1d: Conv1d;
  x_proj: Linear;
  dt_proj: Linear;
  A_log: Parameter;
  D: Parameter;
  out_proj: Linear;

  constructor(dModel: number, options: MambaOptions = {}) {
    super();
    const { dState = 16, dConv = 4, expand = 2, dtRank = 'auto', bias = false, convBias = true } = options;
    this.dModel = dModel;
    this.dInner = Math.floor(expand * dModel);
    this.dState = dState;
    this.dConv = dConv;
    this.dtRank = dtRank === 'auto' ? Math.ceil(dModel / 16) : dtRank;
    const { dInner } = this;
    this.in_proj = new Linear(dModel, 2 * dInner, { bias });
    this.conv1d = new Conv1d(dInner, dInner, dConv, { groups: dInner, padding: dConv - 1, bias: convBias });
    this.x_proj = new Linear(dInner, this.dtRank + 2 * dState, { bias: false });
    this.dt_proj = new Linear(this.dtRank, dInner);
    this.A_log = new Parameter(
      arange(1, dState + 1)
        .to('float32')
        .log()
        .expand(dInner, dState)
        .clone(),
    );
    this.D = new Parameter(ones([dInner]));
    this.out_proj = new Linear(dInner, dModel, { bias });
    const bound = this.dtRank ** -0.5;
    init.uniform_(this.dt_proj.weight, -bound, bound);
    noGrad(() => this.dt_proj.bias!.copy_(stepBias(dInner, options)));
  }
  /** The state before the first token. */
  initialState(batch: number): MambaState {
    const { dtype, device } = this.D;
    return {
      conv: zeros([batch, this.dConv - 1, this.dInner], { dtype, device }),
      ssm: zeros([batch, this.dInner, this.dState], { dtype, device }),
    };
  }
  forward(x: Tensor): Tensor {
    return this.forwardWithState(x).y;
  }
  /** The whole sequence at once, and the state after it. */
  forwardWithState(x: Tensor): { y: Tensor; state: MambaState } {
    checkInput('Mamba', x, this.dModel);
    const [u0, z] = this.in_proj(x).chunk(2, -1) as [Tensor, Tensor]; // (N, L, D) each
    const before = this.initialState(x.shape[0]!).conv; // (N, W − 1, D)
    const u = silu(causalConv(u0, this.conv1d, before)); // (N, L, D)
    const { dt, B, C } = this.selected(u);
    const swap = (t: Tensor): Tensor => t.transpose(1, 2);
    const { y, lastState } = selectiveScanWithState(
      swap(u),
      swap(dt),
      this.A_log.exp().neg(),
      swap(B),
      swap(C),
      {
        D: this.D,
        z: swap(z),
        deltaBias: this.dt_proj.bias!,
        deltaSoftplus: true,
      },
    ); // (N, D, L)
    const last = cat([before, u0], 1).narrow(1, x.shape[1]!, this.dConv - 1); // (N, W − 1, D)
    return { y: this.out_proj(swap(y)), state: { conv: last, ssm: lastState } };
  }
  /** One token: x (N, dModel) and the state before it give y (N, dModel) and the state after it. */
  step(x: Tensor, state: MambaState): { y: Tensor; state: MambaState } {
    const [u0, z] = this.in_proj(x).chunk(2, -1) as [Tensor, Tensor]; // (N, D) each
    const u = silu(causalConv(u0.unsqueeze(1), this.conv1d, state.conv)).squeeze(1); // (N, D)
    const { dt, B, C } = this.selected(u);
    const next = selectiveStep(state.ssm, u, dt, this.A_log.exp().neg(), B, C, {
      D: this.D,
      z,
      deltaBias: this.dt_proj.bias!,
      deltaSoftplus: true,
    });
    const conv = cat([state.conv, u0.unsqueeze(1)], 1).narrow(1, 1, this.dConv - 1); // (N, W − 1, D)
    return { y: this.out_proj(next.y), state: { conv, ssm: next.state } };
  }
  /** What the scan of a sequence x (N, L, dModel) works with: u and Δ (N, L, D), A (D, S), B and C (N, L, S). */
  scanned(x: Tensor): { u: Tensor; dt: Tensor; A: Tensor; B: Tensor; C: Tensor } {
    checkInput('Mamba', x, this.dModel);
    const u0 = this.in_proj(x).narrow(2, 0, this.dInner); // (N, L, D)
    const u = silu(causalConv(u0, this.conv1d, this.initialState(x.shape[0]!).conv)); // (N, L, D)
    const { dt, B, C } = this.selected(u);
    return { u, dt: softplus(dt.add(this.dt_proj.bias!)), A: this.A_log.exp().neg(), B, C };
  }
  /** What the input selects: Δ before its bias (…, D), B and C (…, S). */
  private selected(u: Tensor): { dt: Tensor; B: Tensor; C: Tensor } {
    const { dtRank, dState } = this;
    const [low, B, C] = this.x_proj(u).split([dtRank, dState, dState], -1) as [Tensor, Tensor, Tensor];
    return { dt: low.matmul(this.dt_proj.weight.T), B, C };
  }
}

export interface Mamba2Options {
  /** States per head. Default 128. */
  readonly dState?: number;
  /** Window of the causal convolution. Default 4. */
  readonly dConv?: number;
  /** Inner channels per input channel. Default 2. */
  readonly expand?: number;
  /** Channels per head. Default 64. */
  readonly headDim?: number;
  /** Heads that share B and C. Default 1. */
  readonly groups?: number;
  /** Steps per chunk of the parallel form. Default 64. */
  readonly chunkSize?: number;
}

/**
 * The Mamba-2 block: one decay per head, states as matrices, computed in chunks. x (N, L, dModel) → (N, L, dModel). Keys
 * as in the official checkpoints: in_proj, conv1d, dt_bias, A_log, D, norm, out_proj. Dao & Gu 2024, section 7.
 */
export class Mamba2 extends Module {
  readonly dModel: number;
  readonly dInner: number;
  readonly dState: number;
  readonly dConv: number;
  readonly headDim: number;
  readonly heads: number;
  readonly groups: number;
  readonly chunkSize: number;
  in_proj: Linear;
  conv1d: Conv1d;
  dt_bias: Parameter;
  A_log: Parameter;
  D: Parameter;
  norm: RMSNorm;
  out_proj: Linear;

  constructor(dModel: number, options: Mamba2Options = {}) {
    super();
    const { dState = 128, dConv = 4, expand = 2, headDim = 64, groups = 1, chunkSize = 64 } = options;
    this.dModel = dModel;
    this.dInner = Math.floor(expand * dModel);
    this.dState = dState;
    this.dConv = dConv;
    this.headDim = headDim;
    this.heads = this.dInner / headDim;
    this.groups = groups;
    this.chunkSize = chunkSize;
    const { dInner, heads } = this;
    if (!Number.isInteger(heads) || heads % groups !== 0) {
      const got = `${dInner} channels, heads of ${headDim}, ${groups} groups`;
      throw new ValueError('Mamba2', 'channels must divide into heads and heads into groups', got, '');
    }
    const mixed = dInner + 2 * groups * dState;
    this.in_proj = new Linear(dModel, 2 * dInner + 2 * groups * dState + heads, { bias: false });
    this.conv1d = new Conv1d(mixed, mixed, dConv, { groups: mixed, padding: dConv - 1 });
    this.dt_bias = new Parameter(stepBias(heads, {}));
    this.A_log = new Parameter(rand([heads]).mul(15).add(1).log());
    this.D = new Parameter(ones([heads]));
    this.norm = new RMSNorm(dInner, { eps: 1e-5 });
    this.out_proj = new Linear(dInner, dModel, { bias: false });
  }
  /** The state before the first token. */
  initialState(batch: number): MambaState {
    const mixed = this.dInner + 2 * this.groups * this.dState;
    const { dtype, device } = this.D;
    return {
      conv: zeros([batch, this.dConv - 1, mixed], { dtype, device }),
      ssm: zeros([batch, this.heads, this.headDim, this.dState], { dtype, device }),
    };
  }
  forward(x: Tensor): Tensor {
    return this.forwardWithState(x).y;
  }
  /** The sequence after `state` (default: nothing) at once, and the state after it. */
  forwardWithState(x: Tensor, state?: MambaState): { y: Tensor; state: MambaState } {
    checkInput('Mamba2', x, this.dModel);
    const [N, L] = x.shape as [number, number, number];
    const { heads, headDim, groups, dState, dInner } = this;
    const before = state ?? this.initialState(N);
    const mixed = dInner + 2 * groups * dState;
    const [z, m0, dt0] = this.in_proj(x).split([dInner, mixed, heads], -1) as [Tensor, Tensor, Tensor];
    const m = silu(causalConv(m0, this.conv1d, before.conv)); // (N, L, D + 2 G S)
    const [u, B, C] = m.split([dInner, groups * dState, groups * dState], -1) as [Tensor, Tensor, Tensor];
    const dt = softplus(dt0.add(this.dt_bias)); // (N, L, H)
    const perHead = (t: Tensor): Tensor =>
      t.reshape(N, L, groups, dState).repeatInterleave(heads / groups, 2); // (N, L, H, S)
    const X = u.reshape(N, L, heads, headDim); // (N, L, H, P)
    // Steps behind the end neither decay nor add: Δ = 0 there.
    const chunk = Math.min(this.chunkSize, Math.max(L, 1));
    const extra = (chunk - (L % chunk)) % chunk;
    const filled = (t: Tensor): Tensor =>
      extra === 0
        ? t
        : cat([t, zeros([N, extra, ...t.shape.slice(2)], { dtype: t.dtype, device: t.device })], 1);
    const decay = dt.mul(this.A_log.exp().neg()); // (N, L, H)
    const { Y, finalState } = stateSpaceDual(
      filled(X.mul(dt.unsqueeze(-1))),
      filled(decay),
      filled(perHead(B)),
      filled(perHead(C)),
      chunk,
      before.ssm,
    );
    const y = Y.narrow(1, 0, L)
      .add(X.mul(this.D.unsqueeze(-1)))
      .reshape(N, L, dInner); // (N, L, D)
    const conv = cat([before.conv, m0], 1).narrow(1, L, this.dConv - 1);
    return { y: this.out_proj(this.norm(y.mul(silu(z)))), state: { conv, ssm: finalState } };
  }
  /** One token: x (N, dModel) and the state before it give y (N, dModel) and the state after it. */
  step(x: Tensor, state: MambaState): { y: Tensor; state: MambaState } {
    const { y, state: next } = this.forwardWithState(x.unsqueeze(1), state);
    return { y: y.squeeze(1), state: next };
  }
}

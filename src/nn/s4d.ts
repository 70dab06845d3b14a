// The S4D block: a diagonal state space model per channel, a bend, and a gated mix of the channels; in parallel form for
// training and as a recurrence with constant state for generation.
// Letters: N batch, L length, H channels, M complex states per channel.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { arange, full, zeros } from '../tensor/create.ts';
import { stack } from '../tensor/movement.ts';
import { rand, randn } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { GLU } from './activation.ts';
import { Sequential } from './container.ts';
import { Conv1d } from './conv.ts';
import { Dropout } from './dropout.ts';
import { gelu } from './functional/activation.ts';
import { diagonalStateSpace, diagonalStep } from './functional/diagonal-ssm.ts';
import { Module } from './module.ts';
import { Parameter } from './parameter.ts';

export interface S4DOptions {
  /** Real states per channel; half as many complex ones. Default 64. */
  readonly dState?: number;
  /** Default 0. */
  readonly dropout?: number;
  /** Where steps Δ start, log-uniform. Default 0.001 … 0.1. */
  readonly dtMin?: number;
  readonly dtMax?: number;
  /** Steps per chunk of the parallel form. Default 64. */
  readonly chunkSize?: number;
}

/** What makes the convolution: Δ, A = −e^{log_A_real} + i A_imag, and C. */
class S4DKernel extends Module {
  C: Parameter;
  log_dt: Parameter;
  log_A_real: Parameter;
  A_imag: Parameter;
  constructor(H: number, M: number, dtMin: number, dtMax: number) {
    super();
    const [low, high] = [Math.log(dtMin), Math.log(dtMax)];
    this.C = new Parameter(randn([H, M, 2]).mul(Math.SQRT1_2));
    this.log_dt = new Parameter(
      rand([H])
        .mul(high - low)
        .add(low),
    );
    this.log_A_real = new Parameter(full([H, M], Math.log(0.5)));
    this.A_imag = new Parameter(arange(M).to('float32').mul(Math.PI).expand(H, M).clone());
  }
  /** The convolution's kernel, what the model answers to a single 1: (H, L). */
  forward(L: number): Tensor {
    const { dt, A } = this.system();
    const first = arange(L).eq(0).to(A.dtype).reshape(1, L, 1); // (1, L, 1)
    return diagonalStateSpace(first.expand(1, L, dt.shape[0]!), dt, A, this.C).y.select(0, 0).mT;
  }
  /** Δ (H), and A (H, M, 2). */
  system(): { dt: Tensor; A: Tensor } {
    return { dt: this.log_dt.exp(), A: stack([this.log_A_real.exp().neg(), this.A_imag], -1) };
  }
}

/**
 * The S4D block, with A = −½ + iπn (S4D-Lin): x (N, L, dModel) → (N, L, dModel). Keys as in the official code: D, kernel.C,
 * kernel.log_dt, kernel.log_A_real, kernel.A_imag, output_linear.0. `step` gives the same one token at a time from a state
 * of constant size (N, dModel, dState / 2, 2). Gu, Gupta, Goel & Ré 2022 (arXiv 2206.11893), sections 3 and 4.
 */
export class S4D extends Module {
  readonly dModel: number;
  readonly dState: number;
  readonly chunkSize: number;
  D: Parameter;
  kernel: S4DKernel;
  dropout: Dropout;
  output_linear: Sequential;

  constructor(dModel: number, options: S4DOptions = {}) {
    super();
    const { dState = 64, dropout = 0, dtMin = 0.001, dtMax = 0.1, chunkSize = 64 } = options;
    if (!Number.isInteger(dState / 2) || dState < 2)
      throw new ValueError('S4D', 'dState must be a positive even number', show(dState), '');
    this.dModel = dModel;
    this.dState = dState;
    this.chunkSize = chunkSize;
    this.D = new Parameter(randn([dModel]));
    this.kernel = new S4DKernel(dModel, dState / 2, dtMin, dtMax);
    this.dropout = new Dropout(dropout);
    this.output_linear = new Sequential(new Conv1d(dModel, 2 * dModel, 1), new GLU(-2));
  }
  /** The state before the first token. */
  initialState(batch: number): Tensor {
    const { dtype, device } = this.D;
    return zeros([batch, this.dModel, this.dState / 2, 2], { dtype, device });
  }
  forward(x: Tensor): Tensor {
    return this.forwardWithState(x).y;
  }
  /** The sequence after `state` (default: nothing) at once, and the state after it. */
  forwardWithState(x: Tensor, state?: Tensor): { y: Tensor; state: Tensor } {
    if (x.ndim !== 3 || x.shape[2] !== this.dModel)
      throw new ShapeError('S4D', `x must be (batch, length, ${this.dModel})`, showShape(x.shape), '');
    const { dt, A } = this.kernel.system();
    const { y, lastState } = diagonalStateSpace(x, dt, A, this.kernel.C, {
      chunk: this.chunkSize,
      ...(state === undefined ? {} : { state }),
    }); // (N, L, H)
    return { y: this.mixed(y.add(x.mul(this.D))), state: lastState };
  }
  /** One token: x (N, dModel) and the state before it give y (N, dModel) and the state after it. */
  step(x: Tensor, state: Tensor): { y: Tensor; state: Tensor } {
    const { dt, A } = this.kernel.system();
    const next = diagonalStep(state, x, dt, A, this.kernel.C); // (N, H)
    const y = this.mixed(next.y.add(x.mul(this.D)).unsqueeze(1)).squeeze(1); // (N, H)
    return { y, state: next.state };
  }
  /** Bend, dropout, and the gated mix of channels. (N, L, H) → (N, L, H) */
  private mixed(y: Tensor): Tensor {
    return (this.output_linear(this.dropout(gelu(y)).mT) as Tensor).mT;
  }
}

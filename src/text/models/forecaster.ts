// What comes next in a series: an LSTM reads the values so far and says how far the next ones are from the last.
// Letters: N batch, T values so far, P values to come.

import { Module } from '../../nn/index.ts';
import { noGrad } from '../../tensor/modes.ts';
import { cat } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { RecurrentNet } from './recurrent-net.ts';

export interface ForecasterOptions {
  /** Units. Default 32. */
  readonly hidden?: number;
  /** P. Default 1. */
  readonly horizon?: number;
}
/**
 * The next P values from the T before. x (N, T) → (N, P). The net sees values on the scale `std` around `mean`, which are
 * kept with its weights; what it says is added to the last value, so that it has only the change to learn.
 */
export class Forecaster extends Module {
  net: RecurrentNet;
  declare mean: Tensor;
  declare std: Tensor;
  /** Scale and place of the series, such as those of its training part. */
  constructor(mean: Tensor, std: Tensor, options: ForecasterOptions = {}) {
    super();
    const { hidden = 32, horizon = 1 } = options;
    this.net = new RecurrentNet('lstm', 1, horizon, { hidden });
    this.registerBuffer('mean', mean);
    this.registerBuffer('std', std);
  }
  forward(x: Tensor): Tensor {
    const scaled = x.sub(this.mean).div(this.std).unsqueeze(-1); // (N, T, 1)
    return this.net(scaled)
      .mul(this.std)
      .add(x.narrow(1, x.shape[1]! - 1, 1)); // (N, P)
  }
  /** Goes on for `steps` values, each time from what it said itself. x (N, T) → (N, steps) */
  forecast(x: Tensor, steps: number): Tensor {
    const [T, said]: [number, Tensor[]] = [x.shape[1]!, []];
    let now = x; // (N, T)
    let count = 0;
    while (count < steps) {
      const next = noGrad(() => this.forward(now)).realize(); // (N, P)
      said.push(next);
      count += next.shape[1]!;
      now = cat([now, next], 1).narrow(1, next.shape[1]!, T);
    }
    return cat(said, 1).narrow(1, 0, steps);
  }
}

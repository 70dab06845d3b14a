// The range test: how the loss answers to rates from tiny to huge, on a copy of the training's state.

import { ValueError } from '../base/errors.ts';
import { noGrad } from '../tensor/modes.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { mapTensors } from '../tensor/tree.ts';
import type { CommonOptions, Optimizer, OptimizerStateDict } from './optimizer.ts';

export interface FindLrOptions {
  startLr?: number;
  endLr?: number;
  steps?: number;
  /** Rates grow by a factor, or by a difference. */
  mode?: 'exp' | 'linear';
  /** β of the moving average of the loss, with its bias taken out. */
  smooth?: number;
  /** Stops when the average is so many times its best. */
  diverged?: number;
}
export interface FoundLr {
  readonly lrs: readonly number[];
  readonly losses: readonly number[];
  /** The moving average, which the suggestion is read from. */
  readonly smoothed: readonly number[];
  /** The rate where the average falls fastest per factor of lr; null where it never falls. */
  readonly suggestion: number | null;
}

/**
 * Takes steps at rates from startLr to endLr and notes the losses; then parameters, state and rates are what they were.
 * `closure` computes a loss and its gradients (zeroGrad, loss, backward), on a new batch each time. Defaults: 1e-7 to 10 in
 * 100 steps, exponential, smooth .9, diverged 4. Smith 2017, section 3.3.
 */
export async function findLr<O extends CommonOptions>(
  optimizer: Optimizer<O>,
  closure: () => Tensor,
  options: FindLrOptions = {},
): Promise<FoundLr> {
  const { startLr = 1e-7, endLr = 10, steps = 100, mode = 'exp', smooth = 0.9, diverged = 4 } = options;
  if (!(startLr > 0 && endLr > startLr && steps >= 2))
    throw new ValueError(
      'findLr',
      'rates must rise in at least 2 steps',
      `${startLr} to ${endLr} in ${steps}`,
      '',
    );
  const back = keep(optimizer);
  const out = { lrs: [] as number[], losses: [] as number[], smoothed: [] as number[] };
  let [average, best] = [0, Number.POSITIVE_INFINITY];
  try {
    for (let i = 0; i < steps; i++) {
      const r = i / (steps - 1);
      const lr = mode === 'exp' ? startLr * (endLr / startLr) ** r : startLr + (endLr - startLr) * r;
      for (const g of optimizer.paramGroups) g.lr = lr;
      // The loss is that before the step.
      const loss = await optimizer.step(closure)!.item();
      average = smooth * average + (1 - smooth) * loss;
      const corrected = average / (1 - smooth ** (i + 1));
      if (!Number.isFinite(loss) || (i > 0 && corrected > diverged * best)) break;
      best = Math.min(best, corrected);
      out.lrs.push(lr);
      out.losses.push(loss);
      out.smoothed.push(corrected);
    }
  } finally {
    back();
  }
  return { ...out, suggestion: steepest(out.lrs, out.smoothed) };
}

/** Remembers everything that steps change; the result puts it back. */
function keep<O extends CommonOptions>(optimizer: Optimizer<O>): () => void {
  const params = optimizer.paramGroups.flatMap(g => g.params);
  const values = noGrad(() => params.map(p => p.clone()));
  const grads = params.map(p => p.grad);
  const state = noGrad(() => mapTensors(optimizer.stateDict(), t => t.clone())) as OptimizerStateDict;
  return () => {
    noGrad(() => {
      params.forEach((p, i) => {
        p.copy_(values[i]!);
        p.grad = grads[i]!;
      });
    });
    optimizer.loadStateDict(state);
  };
}
function steepest(lrs: readonly number[], losses: readonly number[]): number | null {
  let found: number | null = null;
  let least = 0;
  for (let i = 1; i + 1 < lrs.length; i++) {
    const slope = (losses[i + 1]! - losses[i - 1]!) / Math.log(lrs[i + 1]! / lrs[i - 1]!);
    if (slope < least) [least, found] = [slope, lrs[i]!];
  }
  return found;
}

// What all nets that are measured do in a step: forward, cross-entropy, backward, update, the loss read.

import { compile, F, type SGD, type Tensor, tensor } from '../src/index.ts';
import type { batches } from './serve.ts';

/** Takes a batch with its shape; `compiled` is the default. */
export function trainingStep(
  net: (x: Tensor) => Tensor,
  optimizer: Pick<SGD, 'zeroGrad' | 'step'>,
  compiled = true,
): (x: Batch['x'] | Batch['y'], shape: readonly number[], y: Batch['y']) => void {
  const whole = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(net(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  };
  const step = compiled ? compile(whole) : whole;
  return (x, shape, y) => {
    const loss = step(tensor(x, { shape, copy: false }), tensor(y, { copy: false })).itemSync();
    if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
  };
}
type Batch = ReturnType<typeof batches>[number];

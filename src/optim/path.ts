// The way of an optimizer down a function: data for pictures of races.

import { ValueError } from '../base/errors.ts';
import { tensor } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { CommonOptions, Optimizer } from './optimizer.ts';

export interface DescentPath {
  /** Where it was before each step, and at the end. */
  readonly points: readonly (readonly number[])[];
  /** The function there. */
  readonly values: readonly number[];
}

/**
 * Takes `steps` steps down f from a start, in float64, and notes the way. `make` gets the parameter, a vector. An optimizer
 * with a closure (LBFGS) may look at f several times in a step.
 */
export async function descend<O extends CommonOptions>(
  f: (p: Tensor) => Tensor,
  start: readonly number[],
  make: (params: readonly Tensor[]) => Optimizer<O>,
  options: { readonly steps: number },
): Promise<DescentPath> {
  if (!(options.steps >= 1))
    throw new ValueError('descend', 'steps must be at least 1', String(options.steps), '');
  const p = tensor([...start], { dtype: 'float64', requiresGrad: true });
  const optimizer = make([p]);
  const closure = (): Tensor => {
    optimizer.zeroGrad();
    const value = f(p);
    value.backward();
    return value;
  };
  const points: (readonly number[])[] = [[...start]];
  const values: number[] = [];
  for (let i = 0; i < options.steps; i++) {
    values.push(await optimizer.step(closure)!.item());
    points.push(Array.from(await p.data(), Number));
  }
  values.push(await f(p.detach()).item());
  return { points, values };
}

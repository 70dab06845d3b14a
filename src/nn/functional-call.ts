// A module as a function of its parameters.

import type { Tensor } from '../tensor/tensor.ts';
import { type Module, withTensors } from './module.ts';

/**
 * Calls the module with other tensors in the place of its parameters and buffers, by name; those that are not named stay.
 * With grad, vmap and jvp it gives what torch.func.functional_call gives:
 *
 *     const loss = (params: Record<string, Tensor>, x: Tensor, y: Tensor) =>
 *       F.mseLoss(functionalCall(net, params, x), y);
 *     vmap(grad(loss), { inDims: [null, 0, 0] })(params, xs, ys); // a gradient per example
 */
export function functionalCall<M extends Module>(
  module: M,
  tensors: Readonly<Record<string, Tensor>>,
  ...inputs: Parameters<M['forward']>
): ReturnType<M['forward']> {
  const call = module as unknown as (...inputs: unknown[]) => ReturnType<M['forward']>;
  return withTensors(module, tensors, () => call(...inputs));
}

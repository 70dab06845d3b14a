// A module as a function of its parameters.

import { show, ValueError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Fields, fieldsOf, registryOf } from './fields.ts';
import type { Module } from './module.ts';

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

/** Runs `body` while fields (by path) hold other tensors; nobody is told of the change. */
function withTensors<T>(m: Module, tensors: Readonly<Record<string, Tensor>>, body: () => T): T {
  const before: (readonly [fields: Fields, name: string, was: unknown])[] = [];
  try {
    for (const [path, t] of Object.entries(tensors)) {
      const dot = path.lastIndexOf('.');
      const r = registryOf(m.getSubmodule(path.slice(0, Math.max(dot, 0))));
      const name = path.slice(dot + 1);
      if (!r.parameters.has(name) && !r.buffers.has(name)) {
        const op = 'functionalCall';
        throw new ValueError(op, 'names are those of parameters and buffers', show(path), '');
      }
      const fields = fieldsOf(r.target);
      before.push([fields, name, fields[name]]);
      fields[name] = t;
    }
    return body();
  } finally {
    for (const [fields, name, was] of before.reverse()) fields[name] = was;
  }
}

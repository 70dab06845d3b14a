// Copies of modules.

import { isTensor } from '../tensor/operand.ts';
import { run } from './call.ts';
import { bare, fieldsOf, isModule, registryOf } from './fields.ts';
import type { Module } from './module.ts';
import { Parameter } from './parameter.ts';

/**
 * A copy with parameters, buffers and modules of its own; what is shared within the module is shared within the copy.
 * Fields are copied and no constructor runs, so a class with private `#fields` cannot be copied. As copy.deepcopy.
 */
export function deepCopy<M extends Module>(module: M, copies = new Map<unknown, unknown>()): M {
  const copy = (x: unknown): unknown => {
    if (typeof x !== 'object' && typeof x !== 'function') return x;
    if (x === null || copies.has(x)) return x === null ? null : copies.get(x);
    const plain = Object.getPrototypeOf(x) === Object.prototype;
    if (!isModule(x) && !isTensor(x) && !Array.isArray(x) && !plain) return x;
    const y = isModule(x)
      ? deepCopy(x, copies)
      : x instanceof Parameter
        ? new Parameter(x, { requiresGrad: x.requiresGrad })
        : isTensor(x)
          ? x.detach().clone()
          : Array.isArray(x)
            ? x.map(copy)
            : Object.fromEntries(Object.entries(x).map(([k, v]) => [k, copy(v)]));
    copies.set(x, y);
    return y;
  };
  const made = bare(Object.getPrototypeOf(module), run);
  copies.set(module, made);
  const [from, to] = [registryOf(module), registryOf(made)];
  for (const kind of ['parameters', 'buffers', 'transient', 'modules'] as const)
    for (const name of from[kind]) to[kind].add(name);
  if (from.hooks !== null) to.hooks = from.hooks.copy();
  for (const [name, value] of Object.entries(from.target)) fieldsOf(made)[name] = copy(value);
  return made as M;
}

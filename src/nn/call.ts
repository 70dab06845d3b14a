// Calls of modules: hooks around forward, the path of the module in errors, outputs that belong to the step.

import { TenonError } from '../base/errors.ts';
import { want } from '../tensor/realize.ts';
import { recording } from '../tensor/record.ts';
import { tensorsIn } from '../tensor/tree.ts';
import { registryOf, running } from './fields.ts';
import type { Module } from './module.ts';
import { settleFresh } from './parameter.ts';

/** Sees every call that ends well. */
type Observer = (module: Module, inputs: readonly unknown[], output: unknown) => void;
let observer: Observer | null = null;
/** Runs `body` while `see` is told of every call of a module, inner ones first; outputs are not computed for it. */
export function observeCalls<T>(see: Observer, body: () => T): T {
  const before = observer;
  observer = see;
  try {
    return body();
  } finally {
    observer = before;
  }
}

/** Calls a module. */
export function run(m: Module, inputs: unknown[]): unknown {
  const registry = registryOf(m);
  const outermost = running.length === 0;
  if (outermost) settleFresh();
  registry.ran = true;
  running.push(m);
  try {
    const forward = (given: unknown[]): unknown => (m.forward as (...inputs: unknown[]) => unknown)(...given);
    const output = registry.hooks === null ? forward(inputs) : registry.hooks.run(m, inputs, forward);
    observer?.(m, inputs, output);
    // What a model returns is likely to be read after the step: it is computed with the step and not once more.
    if (outermost && recording.now === null && observer === null) {
      for (const t of tensorsIn(output)) if (t._node.value === null) want(t.node());
    }
    return output;
  } catch (e) {
    if (e instanceof TenonError && e.module === null) e.inModule(where());
    throw e;
  } finally {
    running.pop();
  }
}

/** The path of the innermost running module in the outermost one, and what it is. */
function where(): string {
  const inner = running[running.length - 1]!;
  const path = running[0]!.namedModules().find(([, m]) => m === inner)?.[0] ?? '';
  const what = inner.children().length > 0 ? inner.constructor.name : inner.toString();
  return path === '' ? what : `${path}: ${what}`;
}

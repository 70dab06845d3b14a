// What can be run around a module's forward and backward.

import type { FunctionContext } from '../tensor/custom.ts';
import { CustomFunction } from '../tensor/custom.ts';
import { structureChanged } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { mapTensors, tensorsIn } from '../tensor/tree.ts';
import type { Module } from './module.ts';

/** Sees the inputs before forward; what it returns replaces them. */
export type ForwardPreHook = (module: Module, inputs: unknown[]) => unknown[] | undefined;
/** Sees inputs and output after forward; what it returns replaces the output. */
export type ForwardHook = (module: Module, inputs: readonly unknown[], output: unknown) => unknown;
/** Gradients by tensor input or output, in their order; null where there is none. */
export type Grads = (Tensor | null)[];
/** Sees the gradients of the outputs before they enter the module; what it returns replaces them. */
export type BackwardPreHook = (module: Module, gradOutput: Grads) => Grads | undefined;
/** Sees the gradients of inputs and outputs; what it returns replaces those of the inputs. */
export type BackwardHook = (module: Module, gradInput: Grads, gradOutput: Grads) => Grads | undefined;

/** All hooks of one module, each list in the order of registration. */
export class Hooks {
  readonly before: ForwardPreHook[] = [];
  readonly after: ForwardHook[] = [];
  readonly backwardBefore: BackwardPreHook[] = [];
  readonly backward: BackwardHook[] = [];

  copy(): Hooks {
    const out = new Hooks();
    for (const list of ['before', 'after', 'backwardBefore', 'backward'] as const)
      (out[list] as unknown[]).push(...this[list]);
    return out;
  }
  /** Runs forward with everything around it. */
  run(module: Module, inputs: unknown[], forward: (inputs: unknown[]) => unknown): unknown {
    for (const hook of this.before) inputs = hook(module, inputs) ?? inputs;
    const watched = this.backward.length > 0 || this.backwardBefore.length > 0;
    const watch = watched ? new GradWatch(this, module) : null;
    if (watch !== null) inputs = watch.inputs(inputs);
    let output = forward(inputs);
    for (const hook of this.after) output = hook(module, inputs, output) ?? output;
    return watch === null ? output : watch.outputs(output);
  }
}

/** Adds a hook to a list; the result removes it again. */
export function addHook<T>(list: T[], hook: T): () => void {
  list.push(hook);
  structureChanged();
  return () => {
    const i = list.indexOf(hook);
    if (i < 0) return;
    list.splice(i, 1);
    structureChanged();
  };
}

/** Identities around forward, whose backward is where the backward hooks run. */
class GradWatch {
  private readonly hooks: Hooks;
  private readonly module: Module;
  private gradOutput: Grads = [];
  private watchesInputs = false;
  constructor(hooks: Hooks, module: Module) {
    this.hooks = hooks;
    this.module = module;
  }
  inputs(inputs: unknown[]): unknown[] {
    const tensors = tensorsIn(inputs).filter(t => t.requiresGrad);
    if (tensors.length === 0 || this.hooks.backward.length === 0) return inputs;
    this.watchesInputs = true;
    return replaced(inputs, tensors, grads => this.runBackward(grads)) as unknown[];
  }
  outputs(output: unknown): unknown {
    const tensors = tensorsIn(output).filter(t => t.requiresGrad);
    if (tensors.length === 0) return output;
    return replaced(output, tensors, grads => {
      let out: Grads = grads;
      for (const hook of this.hooks.backwardBefore) out = hook(this.module, out) ?? out;
      this.gradOutput = out;
      if (!this.watchesInputs) this.runBackward([]);
      return out;
    });
  }
  private runBackward(gradInput: Grads): Grads {
    let out = gradInput;
    for (const hook of this.hooks.backward) out = hook(this.module, out, this.gradOutput) ?? out;
    return out;
  }
}

class Watched extends CustomFunction {
  static forward(ctx: FunctionContext, run: (grads: Grads) => Grads, ...tensors: Tensor[]): Tensor[] {
    ctx.run = run;
    return tensors.map(t => t.clone());
  }
  static backward(ctx: FunctionContext, ...grads: Tensor[]): Grads {
    return [null, ...(ctx.run as (grads: Grads) => Grads)(grads)];
  }
}
/** The tree with these tensors passed through an identity with that backward. */
function replaced(tree: unknown, tensors: readonly Tensor[], run: (grads: Grads) => Grads): unknown {
  const made = Watched.apply(run, ...tensors);
  const by = new Map(tensors.map((t, i) => [t, made[i]!]));
  return mapTensors(tree, t => by.get(t) ?? t);
}

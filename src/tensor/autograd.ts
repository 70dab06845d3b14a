// Gradients of chosen outputs with respect to chosen inputs, without touching any `.grad`: torch.autograd.

import { gradients } from '../autograd/grad.ts';
import { GradError, ShapeError, showShape } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import type { Node } from '../ir/node.ts';
import { constLike } from '../ir/ops/elementwise.ts';
import { expand } from '../ir/ops/reduce.ts';
import { wrap } from './core.ts';
import type { Tensor } from './tensor.ts';

export interface GradOptions {
  /** The cotangent of each output; may be left out (or null) for outputs with one element. */
  readonly gradOutputs?: readonly (Tensor | null)[];
  /** Make the gradients differentiable. Default false. */
  readonly createGraph?: boolean;
  /** Keep the graph for another pass. Default: as createGraph. */
  readonly retainGraph?: boolean;
  /** Give null for inputs that the outputs do not depend on, instead of an error. Default false. */
  readonly allowUnused?: boolean;
}

/** The gradients of Σ outputs·gradOutputs with respect to the inputs, in their order. */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions & { readonly allowUnused: true },
): (Tensor | null)[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options?: GradOptions,
): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const from = list(outputs);
  const to = list(inputs);
  const { createGraph = false, allowUnused = false } = options;
  const starts = from.map((t, i) => cotangent(t, options.gradOutputs?.[i] ?? null));
  for (const t of to) {
    if (!t.requiresGrad)
      throw new GradError(
        'grad',
        'every input must require grad',
        `one of shape ${showShape(t.shape)} that does not`,
        'call requiresGrad_() on it before the outputs are computed',
      );
  }
  const nodes = from.map(t => t.node());
  const targets = to.map(t => t.node());
  const free = !(options.retainGraph ?? createGraph);
  const found = gradients(nodes, starts, targets, { createGraph, free });
  return found.map((g, i) => {
    if (g !== null) return wrap(g);
    if (allowUnused) return null;
    throw new GradError(
      'grad',
      'the outputs must depend on every input',
      `input ${i} of shape ${showShape(to[i]!.shape)}, on which they do not`,
      'pass {allowUnused: true} to get null for it',
    );
  });
}
const list = (x: Tensor | readonly Tensor[]): readonly Tensor[] =>
  Array.isArray(x) ? (x as readonly Tensor[]) : [x as Tensor];

function cotangent(t: Tensor, given: Tensor | null): Node {
  if (given === null) {
    if (t.numel !== 1)
      throw new GradError(
        'grad',
        'gradients start from a scalar',
        `an output of shape ${showShape(t.shape)}`,
        'reduce it (mean, sum), or pass gradOutputs',
      );
    return expand(constLike(t.node(), 1), t.shape);
  }
  if (!sameShape(given.shape, t.shape))
    throw new ShapeError(
      'grad',
      `the cotangent must have the shape ${showShape(t.shape)} of its output`,
      showShape(given.shape),
      '',
    );
  return given.node();
}

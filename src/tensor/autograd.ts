// The `autograd` namespace: what PyTorch users know as torch.autograd.
// In: tensors with a recorded graph. Out: their gradients, without touching `.grad`.

import { gradients, gradOrder } from '../autograd/grad.ts';
import { GradError, ShapeError, showShape } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import { gradMode, type Node } from '../ir/node.ts';
import { add, alias, constLike } from '../ir/ops/elementwise.ts';
import { expand } from '../ir/ops/reduce.ts';
import { wrap } from './core.ts';
import type { Tensor } from './tensor.ts';

export { CustomFunction as Function } from './custom.ts';
export { gradcheck, gradgradcheck } from './gradcheck.ts';
export { enableGrad, isGradEnabled, noGrad } from './modes.ts';

export interface AutogradGradOptions {
  /** Cotangents, one per output; null means 1 and is for scalars only. */
  readonly gradOutputs?: Tensor | null | readonly (Tensor | null)[];
  /** Keep the graph for another pass. Default: the value of createGraph. */
  readonly retainGraph?: boolean;
  /** Make the gradients differentiable. Default false. */
  readonly createGraph?: boolean;
  /** Give null for inputs that the outputs do not depend on, instead of an error. Default false. */
  readonly allowUnused?: boolean;
}

/**
 * Gradients of Σ outputs·gradOutputs for the inputs, as a list in their order: torch.autograd.grad. `.grad` fields stay
 * as they are. Inputs may be leaves or results on the way.
 *
 * Throws a GradError where an output is no scalar and has no gradOutput, an input does not require grad, is not part of
 * the graph (unless allowUnused), or the graph was freed by an earlier pass.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: AutogradGradOptions & { readonly allowUnused: true },
): (Tensor | null)[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options?: AutogradGradOptions,
): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: AutogradGradOptions = {},
): (Tensor | null)[] {
  const outs = listed(outputs);
  const ins = listed(inputs);
  const createGraph = options.createGraph ?? false;
  const given = options.gradOutputs == null ? [] : listed(options.gradOutputs);
  const roots = outs.map(t => t.node());
  if (!roots.some(n => n.needsGrad)) {
    throw new GradError(
      'autograd.grad',
      'an output must depend on a tensor that requires grad',
      'none that does (were they computed under noGrad, or detached?)',
      'call requiresGrad_() on the inputs first',
    );
  }
  const starts = outs.map((t, i) => cotangent(t, given[i] ?? null));
  const targets = targetsOf(ins, roots);
  const found = gradients(roots, starts, targets.flat(), {
    createGraph,
    free: !(options.retainGraph ?? createGraph),
  });
  let at = 0;
  return targets.map((nodes, i) => {
    const parts = nodes.map(() => found[at++]!).filter(g => g !== null);
    if (parts.length === 0) {
      if (options.allowUnused) return null;
      throw new GradError(
        'autograd.grad',
        'the outputs must depend on every input',
        `input ${i} of shape ${showShape(ins[i]!.shape)}, which is not in their graph`,
        'pass {allowUnused: true} to get null for it',
      );
    }
    const mode = gradMode.enabled;
    gradMode.enabled = mode && createGraph;
    try {
      // An alias: the gradient may be the value of another tensor, which an in-place change must not reach.
      return wrap(alias(parts.reduce((a, b) => add(a, b))));
    } finally {
      gradMode.enabled = mode;
    }
  });
}

const listed = <T>(x: T | readonly T[]): readonly T[] => (Array.isArray(x) ? x : [x as T]);

function cotangent(out: Tensor, given: Tensor | null): Node {
  if (given !== null) {
    if (!sameShape(given.shape, out.shape)) {
      throw new ShapeError(
        'autograd.grad',
        `a gradOutput must have the shape ${showShape(out.shape)} of its output`,
        showShape(given.shape),
        '',
      );
    }
    return given.node();
  }
  if (out.numel !== 1) {
    throw new GradError(
      'autograd.grad',
      'gradients start from a scalar',
      `an output of shape ${showShape(out.shape)}`,
      'reduce it (mean, sum), or pass gradOutputs',
    );
  }
  const n = out.node();
  return expand(constLike(n, 1), n.shape);
}

/** The nodes that stand for each input: of a leaf all versions that the graph has read. */
function targetsOf(inputs: readonly Tensor[], roots: readonly Node[]): Node[][] {
  const leaves = new Map<unknown, Node[]>();
  for (const n of gradOrder(roots)) {
    if (n.leaf !== null) leaves.set(n.leaf, [...(leaves.get(n.leaf) ?? []), n]);
  }
  return inputs.map((t, i) => {
    const n = t.node();
    if (!n.needsGrad) {
      throw new GradError(
        'autograd.grad',
        'every input must require grad',
        `input ${i} of shape ${showShape(t.shape)}, which does not`,
        'call requiresGrad_() on it before computing the outputs',
      );
    }
    return t._leaf ? (leaves.get(t) ?? []) : [n];
  });
}

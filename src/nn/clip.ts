// Gradient clipping, and all parameters as one vector.

import { GradError, ShapeError, show, showShape } from '../base/errors.ts';
import { gradMode, internal } from '../ir/node.ts';
import { tensor } from '../tensor/create.ts';
import { noGrad } from '../tensor/modes.ts';
import { cat, stack } from '../tensor/movement.ts';
import { isTensor } from '../tensor/operand.ts';
import { recording } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';

type Tensors = Tensor | Iterable<Tensor>;
const listOf = (parameters: Tensors): Tensor[] => (isTensor(parameters) ? [parameters] : [...parameters]);
/** The gradients that are there. Unlike `.grad` this leaves their storage to the next step. */
function gradsOf(parameters: Tensors): Tensor[] {
  return listOf(parameters).flatMap(p => {
    recording.now?.askGrad(p);
    return p._grad === null ? [] : [p._grad];
  });
}
/** Changes gradients as part of the step, without a graph of its own. */
function changing<T>(body: () => T): T {
  const [mode, before] = [gradMode.enabled, internal.on];
  gradMode.enabled = false;
  internal.on = true;
  try {
    return body();
  } finally {
    gradMode.enabled = mode;
    internal.on = before;
  }
}

/** The norm of several tensors as if they were one vector. */
function normOf(grads: readonly Tensor[], normType: number): Tensor {
  if (grads.length === 0) return tensor(0);
  const norms = grads.map(g => g.flatten().norm(normType));
  return norms.length === 1 ? norms[0]! : stack(norms).norm(normType);
}
/** The norm of all gradients together (2 by default). */
export function getTotalNorm(tensors: Tensors, normType = 2): Tensor {
  return changing(() => normOf(listOf(tensors), normType));
}

/**
 * Scales all gradients by maxNorm / (norm + 1e-6) where their norm together is larger than maxNorm; returns the norm
 * before. With `errorIfNonfinite` an infinite or NaN norm is an error (it is read at once, so not inside compile).
 */
export function clipGradNorm_(
  parameters: Tensors,
  maxNorm: number,
  options: { readonly normType?: number; readonly errorIfNonfinite?: boolean } = {},
): Tensor {
  const { normType = 2, errorIfNonfinite = false } = options;
  const grads = gradsOf(parameters);
  const total = changing(() => normOf(grads, normType));
  if (errorIfNonfinite && !Number.isFinite(total.itemSync())) {
    throw new GradError(
      'clipGradNorm_',
      'the norm of the gradients must be finite',
      String(total.itemSync()),
      'look for the first bad gradient, or lower the learning rate',
    );
  }
  changing(() => {
    const factor = total.add(1e-6).reciprocal().mul(maxNorm).clamp(null, 1);
    for (const g of grads) g.mul_(factor);
  });
  return total;
}
/** Limits every element of the gradients to ±clipValue. */
export function clipGradValue_(parameters: Tensors, clipValue: number): void {
  const grads = gradsOf(parameters);
  changing(() => {
    for (const g of grads) g.clamp_(-clipValue, clipValue);
  });
}

/** All parameters flattened, one after the other. */
export const parametersToVector = (parameters: Tensors): Tensor =>
  cat(listOf(parameters).map(p => p.flatten()));
/** Takes the values of all parameters from a vector, in the order of parametersToVector. */
export function vectorToParameters(vector: Tensor, parameters: Tensors): void {
  const list = listOf(parameters);
  const count = list.reduce((n, p) => n + p.numel, 0);
  if (!isTensor(vector)) throw new ShapeError('vectorToParameters', 'it takes a vector', show(vector), '');
  if (vector.ndim !== 1 || vector.numel !== count) {
    const rule = `the vector must have the ${count} elements of the parameters`;
    throw new ShapeError('vectorToParameters', rule, showShape(vector.shape), '');
  }
  let at = 0;
  noGrad(() => {
    for (const p of list) {
      p.copy_(vector.narrow(0, at, p.numel).reshape(p.shape));
      at += p.numel;
    }
  });
}

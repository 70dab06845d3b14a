// The guard of a training: gradients in bounds, and the name of the first tensor that is not finite.

import { TenonError } from '../base/errors.ts';
import type { Module } from '../nn/index.ts';
import { noGrad } from '../tensor/modes.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { tensorsIn } from '../tensor/tree.ts';
import type { Forward } from './evaluate.ts';

/** A loss, gradient or activation is NaN or infinite; nothing was learned from it. */
export class NonFiniteError extends TenonError {
  /** The first tensor that is not finite, such as `gradient of fc2.weight`. */
  readonly tensor: string;
  readonly step: number;
  constructor(tensor: string, kind: string, step: number, epoch: number) {
    super(
      'fit',
      'all numbers must be finite',
      `${kind} in ${tensor} at step ${step} (epoch ${epoch})`,
      'lower the learning rate, clip gradients, check the input, or go on from the last checkpoint',
    );
    this.tensor = tensor;
    this.step = step;
  }
}

/** √Σ‖g‖² over all gradients that there are. */
export function gradientNorm(parameters: readonly Tensor[]): Tensor | null {
  return noGrad(() => {
    let sum: Tensor | null = null;
    for (const { grad } of parameters) {
      if (grad === null) continue;
      const square = grad.square().sum();
      sum = sum === null ? square : sum.add(square);
    }
    return sum?.sqrt() ?? null;
  });
}
/** g ← g · min(1, max / (norm + 1e-6)), the rule of torch.nn.utils.clip_grad_norm_. */
export function clipCoefficient(parameters: readonly Tensor[], norm: Tensor, max: number): void {
  noGrad(() => {
    const coefficient = norm.add(1e-6).reciprocal().mul(max).clamp(null, 1);
    for (const p of parameters) if (p.grad !== null) p.grad = p.grad.mul(coefficient);
  });
}
/** g ← min(max(g, −limit), limit), element by element. */
export function clipValues(parameters: readonly Tensor[], limit: number): void {
  noGrad(() => {
    for (const p of parameters) if (p.grad !== null) p.grad = p.grad.clamp(-limit, limit);
  });
}

/** 'NaN' or 'Infinity' where a tensor holds one. */
function badness(t: Tensor): string | null {
  if (!t.isFloatingPoint) return null;
  return noGrad(() => {
    if (t.isnan().any().itemSync()) return 'NaN';
    return t.isfinite().all().itemSync() ? null : 'Infinity';
  });
}
/** Runs the batch again, uncompiled, and names the first bad tensor: input, parameter, output of a module, loss, gradient. */
export function diagnose<B>(
  model: Module,
  forward: Forward<B>,
  batch: B,
  step: number,
  epoch: number,
): NonFiniteError {
  let found: { tensor: string; kind: string } | null = null;
  const look = (t: Tensor, name: string): void => {
    if (found !== null) return;
    const kind = badness(t);
    if (kind !== null) found = { tensor: name, kind };
  };
  for (const [i, t] of tensorsIn(batch).entries()) look(t, `tensor ${i} of the batch`);
  for (const [name, p] of model.namedParameters()) look(p, `parameter ${name}`);
  for (const [name, b] of model.namedBuffers()) look(b, `buffer ${name}`);
  const hooks = model.namedModules().map(([name, m]) =>
    m.registerForwardHook((_, __, output) => {
      for (const t of tensorsIn(isTensor(output) ? [output] : output))
        look(t, `the output of ${name === '' ? 'the model' : name} (${m.constructor.name})`);
    }),
  );
  try {
    const { loss } = forward(batch);
    look(loss, 'the loss');
    if (found === null) {
      loss.backward();
      for (const [name, p] of model.namedParameters())
        if (p.grad !== null) look(p.grad, `the gradient of ${name}`);
    }
  } finally {
    for (const remove of hooks) remove();
  }
  const { tensor, kind } = found ?? { tensor: 'the gradient norm', kind: 'Infinity' };
  return new NonFiniteError(tensor, kind, step, epoch);
}

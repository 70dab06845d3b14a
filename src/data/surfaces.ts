// Surfaces for optimizers to race on: functions of two coordinates.
// In: points (…, 2). Out: heights (…), differentiable.

import { ShapeError, showShape, ValueError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';

function coordinates(op: string, p: Tensor): [Tensor, Tensor] {
  if (p.shape.at(-1) !== 2)
    throw new ShapeError(op, 'points have two coordinates in the last dim', showShape(p.shape), '');
  return [p.select(-1, 0), p.select(-1, 1)];
}

/**
 * A curved, narrow valley whose floor is almost flat: f(x, y) = (a − x)² + b (y − x²)², least at (a, a²), where it is 0.
 * Defaults a = 1, b = 100 (Rosenbrock 1960). Shape: p (…, 2), result (…).
 */
export function rosenbrock(p: Tensor, options: { readonly a?: number; readonly b?: number } = {}): Tensor {
  const { a = 1, b = 100 } = options;
  const [x, y] = coordinates('rosenbrock', p);
  return x.rsub(a).square().add(y.sub(x.square()).square().mul(b));
}

/**
 * A straight ravine: f(x, y) = ½ (x² + κ y²), steep across and flat along, least at 0. κ is the condition number
 * (default 100): gradient descent needs lr < 2/κ across, and then shrinks x by only 1 − lr a step.
 * Shape: p (…, 2), result (…). Errors: κ below 1.
 */
export function ravine(p: Tensor, options: { readonly kappa?: number } = {}): Tensor {
  const { kappa = 100 } = options;
  if (!(kappa >= 1)) throw new ValueError('ravine', 'kappa must be >= 1', String(kappa), '');
  const [x, y] = coordinates('ravine', p);
  return x.square().add(y.square().mul(kappa)).mul(0.5);
}

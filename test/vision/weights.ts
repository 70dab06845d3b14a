// Weights that are a formula of their key, the same as in models_fixture.py, so that none are stored.

import { type nn, type Tensor, tensor } from '../../src/index.ts';

/** n numbers in [0, 1): a hash of the name mixed with the position. */
export function numbers(name: string, n: number): Float64Array {
  let h = 2166136261;
  for (const c of name) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  return Float64Array.from({ length: n }, (_, i) => {
    let x = (Math.imul(i + 1, 2654435761) + h) | 0;
    x = Math.imul(x ^ (x >>> 15), 2246822519);
    return ((x ^ (x >>> 13)) >>> 0) / 4294967296;
  });
}
function value(name: string, shape: readonly number[]): Float32Array {
  const bound = Math.sqrt(6 / shape.slice(1).reduce((a, b) => a * b, 1));
  const of = (u: number): number => {
    if (name.endsWith('running_var')) return 0.5 + u;
    if (name.endsWith('running_mean')) return 0.4 * (u - 0.5);
    if (shape.length >= 2) return (2 * u - 1) * bound;
    return name.endsWith('weight') ? 0.8 + 0.4 * u : 0.2 * (u - 0.5);
  };
  return Float32Array.from(
    numbers(
      name,
      shape.reduce((a, b) => a * b, 1),
    ),
    of,
  );
}
/** The model in eval mode with the formula's weights. */
export function fill<M extends nn.Module>(model: M): M {
  const state = Object.entries(model.stateDict()).map(([k, t]): [string, Tensor] => [
    k,
    k.endsWith('num_batches_tracked') ? t : tensor(value(k, t.shape)).reshape(t.shape),
  ]);
  model.loadStateDict(Object.fromEntries(state));
  return model.eval();
}
/** An image of numbers in ±1. */
export const image = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(Float32Array.from(numbers('image', count), u => 2 * u - 1)).reshape(shape);
};

// Jacobians and Hessians: one pass per output (or input) element, all of them batched into one graph.
// In: a function of tensors. Out: a function that gives all its partial derivatives.

import { numel } from '../base/shape.ts';
import { eye } from './create.ts';
import { type Argnums, type At, Level, likeArgs, listOf, pair, trackArgs } from './differentiate.ts';
import type { Tensor } from './tensor.ts';
import { mapTensors, tensorsIn } from './tree.ts';
import { vmap } from './vmap.ts';

export interface JacobianOptions<N extends Argnums> {
  /** The position, or positions, of the arguments to differentiate. Default 0. */
  readonly argnums?: N;
  /**
   * 'reverse' does one backward pass per element of the result, 'forward' one forward pass per element of the argument.
   * Default 'reverse', which suits more inputs than outputs.
   */
  readonly strategy?: 'reverse' | 'forward';
  /** The function returns [result, aux]; so does this one. Default false. */
  readonly hasAux?: boolean;
}

/** All unit tensors like x: (numel, …x.shape). */
const units = (x: Tensor): Tensor =>
  eye(x.numel, x.numel, { dtype: x.dtype, device: x.device }).reshape([x.numel, ...x.shape]);

/**
 * A function that returns ∂fn/∂argument: for a result of shape (…out) and an argument of shape (…in) a tensor of shape
 * (…out, …in) with J[o…, i…] = ∂result[o…] / ∂argument[i…].
 *
 * `jacobian(fn)(x)` is torch.func.jacrev(fn)(x), and torch.autograd.functional.jacobian(fn, x). Results and arguments
 * may be trees: the Jacobian then has the form of the result, with the form of the argument at each of its tensors (a
 * list of forms where `argnums` is a list). Nests: `jacobian(jacobian(fn))` has all second derivatives.
 */
export function jacobian<A extends unknown[] = Tensor[], const N extends Argnums = 0>(
  fn: (...args: A) => Tensor,
  options?: JacobianOptions<N> & { readonly hasAux?: false },
): (...args: A) => At<A, NoInfer<N>>;
export function jacobian<A extends unknown[] = Tensor[], R = unknown, const N extends Argnums = 0>(
  fn: (...args: A) => R,
  options?: JacobianOptions<N>,
): (...args: A) => unknown;
export function jacobian(
  fn: (...args: never[]) => unknown,
  options: JacobianOptions<Argnums> = {},
): (...args: unknown[]) => unknown {
  const { argnums = 0, strategy = 'reverse', hasAux = false } = options;
  return (...args) => {
    const list = listOf('jacobian', argnums, args.length);
    const level = new Level('jacobian');
    const tracked = trackArgs(level, args, list);
    const raw = level.run(() => (fn as (...a: unknown[]) => unknown)(...tracked));
    const [result, aux] = hasAux ? pair('jacobian', raw) : [raw, undefined];
    const outputs = tensorsIn(result);
    const inputs = list.flatMap(a => tensorsIn(args[a]));
    const parts = strategy === 'reverse' ? byRows(level, outputs, inputs) : byColumns(level, outputs, inputs);
    let o = 0;
    const form = mapTensors(result, () => likeArgs(args, list, typeof argnums === 'number', parts[o++]!));
    return hasAux ? [form, level.surfaceAll(aux)] : form;
  };
}

/** For each output the Jacobians of all inputs, by pulling back every unit cotangent. */
function byRows(level: Level, outputs: readonly Tensor[], inputs: readonly Tensor[]): Tensor[][] {
  return outputs.map(out => {
    const n = out.node();
    const rows = vmap((v: Tensor) => level.pull([n], [v.node()]))(units(out));
    return rows.map((r, i) => r.reshape([...out.shape, ...inputs[i]!.shape]));
  });
}
/** The same by pushing every unit tangent of each input forward. */
function byColumns(level: Level, outputs: readonly Tensor[], inputs: readonly Tensor[]): Tensor[][] {
  const nodes = outputs.map(t => t.node());
  const columns = inputs.map((input, i) =>
    vmap((v: Tensor) =>
      level.push(
        nodes,
        inputs.map((x, j) => (i === j ? v : x.mul(0)).node()),
      ),
    )(units(input)),
  );
  return outputs.map((out, o) =>
    inputs.map((input, i) => {
      // (in, …out) → (…out, in) → (…out, …in)
      const c = columns[i]![o]!.reshape([input.numel, numel(out.shape)]);
      return c.transpose(0, 1).reshape([...out.shape, ...input.shape]);
    }),
  );
}

/**
 * A function that returns the Hessian of a scalar function: shape (…in, …in) with H[i…, j…] = ∂²fn / ∂x[i…] ∂x[j…].
 *
 * `hessian(fn)(x)` is torch.func.hessian(fn)(x): forward over reverse. With a list as `argnums`, or trees as arguments,
 * the result is a form of forms, as of jacobian(jacobian(fn)).
 */
export function hessian<A extends unknown[] = Tensor[], const N extends Argnums = 0>(
  fn: (...args: A) => Tensor,
  options: { readonly argnums?: N } = {},
): (...args: A) => At<A, NoInfer<N>> {
  const inner = jacobian(fn as (...args: unknown[]) => Tensor, { ...options, strategy: 'reverse' });
  return jacobian(inner, { ...options, strategy: 'forward' }) as (...args: unknown[]) => unknown as (
    ...args: A
  ) => At<A, NoInfer<N>>;
}

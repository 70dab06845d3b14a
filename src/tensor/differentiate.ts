// Differentiation as a transformation of functions: grad, valueAndGrad, vjp, jvp.
// In: a function of tensors. Out: a function that gives its derivatives. They nest: what one gives can be
// differentiated, batched and compiled again. Not its job: `.grad` fields (core.ts), rules (ir/ops).

import { gradients, gradOrder, pushForward } from '../autograd/grad.ts';
import { isFloat } from '../base/dtype.ts';
import { DTypeError, GradError, ShapeError, show, showShape } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import { gradMode, type Node } from '../ir/node.ts';
import { alias, constLike, detach } from '../ir/ops/elementwise.ts';
import { expand } from '../ir/ops/reduce.ts';
import { wrap } from './core.ts';
import { enableGrad } from './modes.ts';
import { isTensor } from './operand.ts';
import type { Tensor } from './tensor.ts';
import { mapTensors, tensorsIn } from './tree.ts';

/** Inputs of the differentiations in progress. */
const active = new Set<Node>();

/**
 * One differentiation: the function sees aliases of its arguments that require gradients, so that the arguments
 * themselves, and graphs outside, stay as they are.
 */
export class Level {
  readonly inputs: Node[] = [];
  private readonly op: string;
  private readonly seen: Tensor[] = [];

  constructor(op: string) {
    this.op = op;
  }

  /** A tree of tensors as the function is to see it. */
  track<T>(tree: T, place: string): T {
    const before = this.inputs.length;
    const out = mapTensors(tree, t => {
      if (!isFloat(t.dtype)) {
        throw new DTypeError(
          this.op,
          'only floating tensors have gradients',
          `${t.dtype} in ${place}`,
          "convert with .to('float32'), or choose other argnums",
        );
      }
      const n = alias(t.node());
      n.needsGrad = true;
      this.inputs.push(n);
      const seen = wrap(n);
      this.seen.push(seen);
      return seen;
    });
    if (this.inputs.length === before) {
      throw new GradError(
        this.op,
        `${place} must be a tensor, or hold some in lists and plain objects`,
        show(tree),
        'choose other argnums',
      );
    }
    return out as T;
  }

  /** Runs the function with gradients recorded. */
  run<R>(body: () => R): R {
    for (const n of this.inputs) active.add(n);
    try {
      const result = enableGrad(body);
      if (this.seen.some(t => t._version > 0)) {
        throw new GradError(
          this.op,
          'the function must leave its arguments as they are',
          'one changed in place',
          'use the method without the underscore, or clone() first',
        );
      }
      return result;
    } finally {
      for (const n of this.inputs) active.delete(n);
    }
  }

  /** Gradients of Σ outputs·cotangents for the inputs; zeros where an input does not take part. */
  pull(outputs: readonly Node[], cotangents: readonly (Node | null)[]): Tensor[] {
    const createGraph =
      gradMode.enabled && [...outputs, ...cotangents].some(n => n !== null && this.reachesOut(n));
    const grads = gradients(outputs, cotangents, this.inputs, { createGraph });
    return this.inputs.map((n, i) => this.surface(grads[i] ?? expand(constLike(n, 0), n.shape)));
  }
  /** Tangents of the outputs for tangents of the inputs. */
  push(outputs: readonly Node[], tangents: readonly Node[]): Tensor[] {
    const out = enableGrad(() => pushForward(outputs, this.inputs, tangents));
    return outputs.map((n, i) => this.surface(out[i] ?? expand(constLike(n, 0), n.shape)));
  }

  /** A result as the code outside sees it: it requires grad only where something outside does. */
  surface(n: Node): Tensor {
    return wrap(gradMode.enabled && this.reachesOut(n) ? alias(n) : detach(n));
  }
  surfaceAll<T>(tree: T): T {
    return mapTensors(tree, t => this.surface(t.node())) as T;
  }

  /** Whether anything beside this level's own inputs wants gradients through a node. */
  private reachesOut(root: Node): boolean {
    const own = new Set(this.inputs);
    return gradOrder([root]).some(n => {
      if (own.has(n)) return n.src[0]!.needsGrad;
      return n.leaf !== null || active.has(n);
    });
  }
}

// ---- arguments and results ------------------------------------------------------------------------------------------

/** Which arguments to differentiate. */
export type Argnums = number | readonly number[];
/** The argument at one position, or the arguments at several. */
export type At<A extends readonly unknown[], N> = N extends number
  ? A[N]
  : { -readonly [K in keyof N]: N[K] extends number ? A[N[K]] : never };

export interface GradTransformOptions<N extends Argnums> {
  /** The position, or positions, of the arguments to differentiate. Default 0. */
  readonly argnums?: N;
  /** The function returns [loss, aux]: aux is handed back untouched. Default false. */
  readonly hasAux?: boolean;
}

export function listOf(op: string, argnums: Argnums, count: number): number[] {
  const list = typeof argnums === 'number' ? [argnums] : [...argnums];
  for (const a of list) {
    if (!Number.isInteger(a) || a < 0 || a >= count || list.indexOf(a) !== list.lastIndexOf(a)) {
      throw new GradError(
        op,
        `argnums must name different arguments among 0 … ${count - 1}`,
        show(argnums),
        'the function was called with that many arguments',
      );
    }
  }
  return list;
}

/** The arguments with those at `list` tracked. */
export function trackArgs<A extends unknown[]>(level: Level, args: A, list: readonly number[]): A {
  const out = [...args] as A;
  for (const a of list) out[a] = level.track(args[a], `argument ${a}`);
  return out;
}
/** Flat results for all inputs, back in the form of the arguments: one tree, or a list of trees. */
export function likeArgs<T>(
  args: readonly unknown[],
  list: readonly number[],
  single: boolean,
  flat: readonly T[],
): unknown {
  let i = 0;
  const trees = list.map(a => mapTensors(args[a], () => flat[i++]));
  return single ? trees[0] : trees;
}

export function pair(op: string, result: unknown): [unknown, unknown] {
  if (Array.isArray(result) && result.length === 2) return result as [unknown, unknown];
  throw new GradError(op, 'with hasAux the function must return [result, aux]', show(result), '');
}
function scalarNode(op: string, value: unknown): Node {
  if (!isTensor(value))
    throw new GradError(
      op,
      'the function must return a tensor',
      show(value),
      'with further results pass {hasAux: true}',
    );
  if (value.numel !== 1) {
    throw new GradError(
      op,
      'the function must return a scalar',
      `shape ${showShape(value.shape)}`,
      'reduce it (mean, sum), or use vjp or jacobian',
    );
  }
  if (!isFloat(value.dtype))
    throw new DTypeError(op, 'the function must return a floating tensor', value.dtype, '');
  return value.node();
}

// ---- grad and valueAndGrad --------------------------------------------------------------------------------------------

function differentiated(
  op: string,
  fn: (...args: unknown[]) => unknown,
  args: unknown[],
  options: GradTransformOptions<Argnums>,
): { value: Tensor; aux: unknown; grads: unknown } {
  const { argnums = 0, hasAux = false } = options;
  const list = listOf(op, argnums, args.length);
  const level = new Level(op);
  const tracked = trackArgs(level, args, list);
  const result = level.run(() => fn(...tracked));
  const [out, aux] = hasAux ? pair(op, result) : [result, undefined];
  const value = scalarNode(op, out);
  const flat = level.pull([value], [null]);
  return {
    value: level.surface(value),
    aux: level.surfaceAll(aux),
    grads: likeArgs(args, list, typeof argnums === 'number', flat),
  };
}

/**
 * A function that returns ∂fn/∂argument instead of fn: `grad(x => x.square().sum())(x)` is 2x.
 *
 * `fn` returns a scalar; `argnums` chooses arguments (default the first). An argument may be a tensor or a tree of them
 * (lists, plain objects, such as named parameters); the gradient has its form and shapes, zeros where fn does not
 * depend on it. With `hasAux` fn returns [loss, aux] and the result is [gradient, aux].
 * Nests with itself, vjp, jvp, vmap and compile. Captured tensors that require grad are no obstacle: they get nothing.
 *
 * Like torch.func.grad. Throws a GradError where fn returns no scalar or changes an argument in place.
 */
export function grad<A extends unknown[] = Tensor[], X = unknown, const N extends Argnums = 0>(
  fn: (...args: A) => readonly [Tensor, X],
  options: { readonly argnums?: N; readonly hasAux: true },
): (...args: A) => [At<A, NoInfer<N>>, X];
export function grad<A extends unknown[] = Tensor[], const N extends Argnums = 0>(
  fn: (...args: A) => Tensor,
  options?: { readonly argnums?: N; readonly hasAux?: false },
): (...args: A) => At<A, NoInfer<N>>;
export function grad(
  fn: (...args: never[]) => unknown,
  options: GradTransformOptions<Argnums> = {},
): (...args: unknown[]) => unknown {
  return (...args) => {
    const { grads, aux } = differentiated('grad', fn as (...args: unknown[]) => unknown, args, options);
    return options.hasAux ? [grads, aux] : grads;
  };
}

/**
 * Like `grad`, but returns [value, gradient], or [[value, aux], gradient] with `hasAux`: both from one pass.
 */
export function valueAndGrad<A extends unknown[] = Tensor[], X = unknown, const N extends Argnums = 0>(
  fn: (...args: A) => readonly [Tensor, X],
  options: { readonly argnums?: N; readonly hasAux: true },
): (...args: A) => [[Tensor, X], At<A, NoInfer<N>>];
export function valueAndGrad<A extends unknown[] = Tensor[], const N extends Argnums = 0>(
  fn: (...args: A) => Tensor,
  options?: { readonly argnums?: N; readonly hasAux?: false },
): (...args: A) => [Tensor, At<A, NoInfer<N>>];
export function valueAndGrad(
  fn: (...args: never[]) => unknown,
  options: GradTransformOptions<Argnums> = {},
): (...args: unknown[]) => unknown {
  return (...args) => {
    const r = differentiated('valueAndGrad', fn as (...args: unknown[]) => unknown, args, options);
    return [options.hasAux ? [r.value, r.aux] : r.value, r.grads];
  };
}

// ---- vjp and jvp ------------------------------------------------------------------------------------------------------

/** Checks that one tree of tensors has the tensors and shapes of another; returns its nodes in the other's dtypes. */
function matching(op: string, what: string, given: unknown, like: readonly Tensor[]): Node[] {
  const list = tensorsIn(given);
  if (list.length !== like.length) {
    throw new GradError(
      op,
      `${what}s must be as many as the tensors they belong to, ${like.length}`,
      `${list.length}`,
      '',
    );
  }
  return list.map((t, i) => {
    const want = like[i]!;
    if (!sameShape(t.shape, want.shape)) {
      throw new ShapeError(
        op,
        `a ${what} must have the shape ${showShape(want.shape)} of its tensor`,
        showShape(t.shape),
        '',
      );
    }
    return t.to(want.dtype).node();
  });
}

/**
 * [fn(...primals), pullback]: `pullback(cotangents)` is the list of Jᵀ·cotangents, one entry per primal, where J is the
 * Jacobian of fn at the primals. Cotangents have the form of fn's result; the pullback may be called any number of times.
 *
 * Like torch.func.vjp. Primals are tensors or trees of tensors.
 */
export function vjp<A extends unknown[], R>(
  fn: (...args: A) => R,
  primals: readonly [...A],
): [R, (cotangents: R) => A] {
  const args = [...primals] as unknown as A;
  const list = args.map((_, i) => i);
  const level = new Level('vjp');
  const tracked = trackArgs(level, args, list);
  const result = level.run(() => fn(...tracked));
  const outputs = tensorsIn(result);
  const nodes = outputs.map(t => t.node());
  const pullback = (cotangents: R): A =>
    likeArgs(args, list, false, level.pull(nodes, matching('vjp', 'cotangent', cotangents, outputs))) as A;
  return [level.surfaceAll(result), pullback];
}

/**
 * [fn(...primals), J·tangents]: the value and its directional derivative, in one forward pass.
 * `tangents` has the form of `primals`, the second result the form of the first.
 *
 * Like torch.func.jvp.
 */
export function jvp<A extends unknown[], R>(
  fn: (...args: A) => R,
  primals: readonly [...A],
  tangents: readonly [...A],
): [R, R] {
  const args = [...primals] as unknown as A;
  const level = new Level('jvp');
  const tracked = trackArgs(
    level,
    args,
    args.map((_, i) => i),
  );
  const directions = matching('jvp', 'tangent', tangents, tensorsIn(args));
  const result = level.run(() => fn(...tracked));
  const nodes = tensorsIn(result).map(t => t.node());
  const pushed = level.push(nodes, directions);
  let i = 0;
  return [level.surfaceAll(result), mapTensors(result, () => pushed[i++]) as R];
}

// biome-ignore-all lint/complexity/noThisInStatic: `apply` is called on the subclass, whose forward and backward it needs
// biome-ignore-all lint/complexity/noStaticOnlyClass: PyTorch's form, made to be subclassed
// Functions with a backward of their own: autograd.Function as in PyTorch, and customGrad, the light form.
// In: a forward and a backward in tensor ops. Out: a function whose gradient is that backward.

import { GradError, ShapeError, show, showShape } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import { gradMode, type Node } from '../ir/node.ts';
import { customAll } from '../ir/ops/custom.ts';
import { cast } from '../ir/ops/elementwise.ts';
import { wrap } from './core.ts';
import { noGrad } from './modes.ts';
import { isTensor } from './operand.ts';
import type { Tensor } from './tensor.ts';

/** What forward leaves for backward. Any further property may be set on it: `ctx.scale = 2`. */
export class FunctionContext {
  /** For each argument of forward whether its gradient is wanted (false for anything but tensors). */
  readonly needsInputGrad: readonly boolean[];
  /** @internal */
  _saved: Node[] = [];
  /** @internal Differentiable results by the nodes that forward made. */
  _results = new Map<Node, Node>();
  /** @internal */
  _constant = new Set<Tensor>();
  [property: string]: unknown;

  constructor(needsInputGrad: readonly boolean[]) {
    this.needsInputGrad = needsInputGrad;
  }
  /** Keeps inputs or results for backward. */
  saveForBackward(...tensors: Tensor[]): void {
    this._saved = tensors.map(t => t.node());
  }
  /** What saveForBackward kept, in its order: differentiable where it was an input or a result. */
  get savedTensors(): Tensor[] {
    return this._saved.map(n => wrap(this._results.get(n) ?? n));
  }
  /** Names results that have no gradient, such as indices. Results that are not floating have none anyway. */
  markNonDifferentiable(...tensors: Tensor[]): void {
    for (const t of tensors) this._constant.add(t);
  }
}

type Grads = Tensor | null | undefined | readonly (Tensor | null | undefined)[];
/** The static side of a custom function. */
export interface FunctionClass<A extends unknown[], R> {
  readonly name: string;
  forward(ctx: FunctionContext, ...args: A): R;
  backward(ctx: FunctionContext, ...grads: Tensor[]): Grads;
}

/**
 * A function with a backward of its own, as torch.autograd.Function: subclass it with two static methods and call
 * `apply`.
 *
 *     class Exp extends autograd.Function {
 *       static forward(ctx: FunctionContext, x: Tensor): Tensor {
 *         const y = x.exp();
 *         ctx.saveForBackward(y);
 *         return y;
 *       }
 *       static backward(ctx: FunctionContext, g: Tensor): Tensor {
 *         return g.mul(ctx.savedTensors[0]!);
 *       }
 *     }
 *     Exp.apply(x)
 *
 * forward runs without recording gradients and returns a tensor or a list of tensors. backward gets one gradient per
 * result (zeros for a result that nobody used) and returns one per argument of forward: of the argument's shape, or null
 * for what is no tensor or has no gradient. Made of tensor ops it can be differentiated again, batched by vmap and
 * compiled.
 */
export class CustomFunction {
  static apply<A extends unknown[], R>(this: FunctionClass<A, R>, ...args: A): R {
    return applyCustom(
      this.name,
      args,
      ctx => this.forward(ctx, ...args),
      (ctx, grads) => this.backward(ctx, ...grads),
    );
  }
}

/**
 * `forward` with another gradient: `backward(g, inputs, result)` returns the gradient of the input, or a list with one
 * per argument (null for none). The light form of autograd.Function for one result:
 * `const roundSte = customGrad(x => x.round(), g => g)`.
 */
export function customGrad<A extends unknown[]>(
  forward: (...args: A) => Tensor,
  backward: (g: Tensor, inputs: A, result: Tensor) => Grads,
): (...args: A) => Tensor {
  return (...args) =>
    applyCustom(
      'customGrad',
      args,
      ctx => {
        const y = forward(...args);
        ctx.saveForBackward(...[...args, y].filter(isTensor));
        return y;
      },
      (ctx, [g]) => {
        const saved = ctx.savedTensors;
        const inputs = args.map(a => (isTensor(a) ? saved.shift() : a)) as A;
        return backward(g!, inputs, saved[0]!);
      },
    );
}

function applyCustom<R>(
  name: string,
  args: readonly unknown[],
  forward: (ctx: FunctionContext) => R,
  backward: (ctx: FunctionContext, grads: Tensor[]) => Grads,
): R {
  const needs = args.map(a => isTensor(a) && a.requiresGrad && gradMode.enabled);
  const ctx = new FunctionContext(needs);
  const result = noGrad(() => forward(ctx));
  const outputs = (Array.isArray(result) ? result : [result]) as Tensor[];
  for (const t of outputs) {
    if (!isTensor(t))
      throw new GradError(name, 'forward must return a tensor or a list of tensors', show(t), '');
  }
  if (!needs.some(Boolean)) return result;
  const inputs = args.filter((_, i) => needs[i]) as Tensor[];
  const moving = outputs.filter(t => t.isFloatingPoint && !ctx._constant.has(t));
  const made = customAll(
    moving.map(t => t.node()),
    inputs.map(t => t.node()),
    grads => checkedGrads(name, backward(ctx, grads.map(wrap)), args, needs),
  );
  const replaced = new Map(moving.map((t, i) => [t, made[i]!]));
  for (const [t, n] of replaced) ctx._results.set(t.node(), n);
  const finals = outputs.map(t => {
    const n = replaced.get(t);
    return n === undefined ? t : wrap(n);
  });
  return (Array.isArray(result) ? finals : finals[0]) as R;
}

/** The gradients that backward returned for the inputs that want one. */
function checkedGrads(
  name: string,
  returned: Grads,
  args: readonly unknown[],
  needs: readonly boolean[],
): (Node | null)[] {
  const list = Array.isArray(returned) ? returned : [returned];
  if (list.length !== args.length) {
    throw new GradError(
      name,
      `backward must return one gradient per argument of forward, ${args.length}`,
      `${list.length}`,
      'return null for an argument without gradient',
    );
  }
  const out: (Node | null)[] = [];
  args.forEach((a, i) => {
    if (!needs[i]) return;
    const g = list[i];
    const x = a as Tensor;
    if (g == null) {
      out.push(null);
      return;
    }
    if (!isTensor(g)) throw new GradError(name, 'backward must return tensors or null', show(g), '');
    if (!sameShape(g.shape, x.shape)) {
      throw new ShapeError(
        name,
        `the gradient of argument ${i} must have its shape ${showShape(x.shape)}`,
        showShape(g.shape),
        'sum over the dims that were broadcast',
      );
    }
    out.push(cast(g.node(), x.dtype));
  });
  return out;
}

// Functions with a backward of their own: autograd.Function and customGrad.

import { describe, expect, it } from 'vitest';
import {
  autograd,
  compile,
  customGrad,
  type FunctionContext,
  grad,
  gradcheck,
  gradgradcheck,
  jvp,
  type Tensor,
  tensor,
  vmap,
} from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

const f64 = (x: Parameters<typeof tensor>[0], requiresGrad = false): Tensor =>
  tensor(x, { dtype: 'float64', requiresGrad });
const near = (got: Tensor, want: readonly number[], tol = 1e-12): void => {
  expect(firstWrong(numbers(got), want, tol, tol)).toBeNull();
};

/** eˣ from its own result. */
class Exp extends autograd.Function {
  static forward(ctx: FunctionContext, x: Tensor): Tensor {
    const y = x.exp();
    ctx.saveForBackward(y);
    return y;
  }
  static backward(ctx: FunctionContext, g: Tensor): Tensor {
    return g.mul(ctx.savedTensors[0]!);
  }
}
/** (a·b, a + k·b), and which a were positive. */
class Mixed extends autograd.Function {
  static needed: readonly boolean[] = [];
  static forward(ctx: FunctionContext, a: Tensor, b: Tensor, k: number): [Tensor, Tensor, Tensor] {
    ctx.saveForBackward(a, b);
    ctx.k = k;
    Mixed.needed = ctx.needsInputGrad;
    return [a.mul(b), a.add(b.mul(k)), a.gt(0)];
  }
  static backward(ctx: FunctionContext, gp: Tensor, gs: Tensor): (Tensor | null)[] {
    const [a, b] = ctx.savedTensors as [Tensor, Tensor];
    return [gp.mul(b).add(gs), gp.mul(a).add(gs.mul(ctx.k as number)), null];
  }
}

describe('autograd.Function', () => {
  it('gradient, second order and forward mode are right', () => {
    const f = (x: Tensor): Tensor => Exp.apply(x);
    expect(gradcheck(f, f64([0.5, -1]), { checkForward: true })).toBe(true);
    expect(gradgradcheck(f, f64([0.5, -1]))).toBe(true);
  });
  it('several results, numbers as arguments, results without gradient', () => {
    const f = (a: Tensor, b: Tensor): Tensor[] => Mixed.apply(a, b, 3).slice(0, 2);
    expect(gradcheck(f, [f64([0.5, -1]), f64([2, 3])], { checkForward: true })).toBe(true);
    expect(gradgradcheck(f, [f64([0.5, -1]), f64([2, 3])])).toBe(true);
    const [, , positive] = Mixed.apply(f64([0.5, -1], true), f64([1, 1]), 1);
    expect(positive.requiresGrad).toBe(false);
    expect(positive.tolistSync()).toEqual([true, false]);
  });
  it('a result that nobody used has zeros as its gradient', () => {
    const a = f64([2], true);
    const b = f64([5], true);
    Mixed.apply(a, b, 3)[1].sum().backward();
    near(a.grad!, [1]);
    near(b.grad!, [3]);
  });
  it('needsInputGrad tells what is wanted', () => {
    Mixed.apply(f64([1], true), f64([1]), 2);
    expect(Mixed.needed).toEqual([true, false, false]);
    autograd.noGrad(() => Mixed.apply(f64([1], true), f64([1]), 2));
    expect(Mixed.needed).toEqual([false, false, false]);
  });
  it('backward runs once per pass, with all gradients', () => {
    let runs = 0;
    class Counted extends autograd.Function {
      static forward(_: FunctionContext, a: Tensor, b: Tensor): [Tensor, Tensor] {
        return [a.add(b), a.sub(b)];
      }
      static backward(_: FunctionContext, gs: Tensor, gd: Tensor): Tensor[] {
        runs++;
        return [gs.add(gd), gs.sub(gd)];
      }
    }
    const a = f64([1], true);
    const b = f64([2], true);
    const [s, d] = Counted.apply(a, b);
    s.add(d.mul(10)).sum().backward();
    expect(runs).toBe(1);
    near(a.grad!, [11]);
    near(b.grad!, [-9]);
  });
  it('backward decides: a rule that is not the derivative is used', () => {
    class Clipped extends autograd.Function {
      static forward(_: FunctionContext, x: Tensor): Tensor {
        return x.mul(10);
      }
      static backward(_: FunctionContext, g: Tensor): Tensor {
        return g.clamp(-1, 1);
      }
    }
    const x = f64([1, 2], true);
    Clipped.apply(x)
      .mul(f64([5, 0.5]))
      .sum()
      .backward();
    near(x.grad!, [1, 0.5]);
  });
  it('compiled, batched and on the reference', () => {
    const x = f64([0.5, -1]);
    const want = [0.5, -1].map(v => Math.exp(v) * v + Math.exp(v));
    const g = grad((t: Tensor) => Exp.apply(t).mul(t).sum());
    const c = compile((t: Tensor) => g(t));
    for (let i = 0; i < 3; i++) near(c(x), want);
    near(g(x.to('reference')), want);
    // grad inside vmap, vmap inside grad
    near(vmap((t: Tensor) => grad((s: Tensor) => Exp.apply(s).mul(s))(t))(x), want);
    near(grad((t: Tensor) => vmap((s: Tensor) => Exp.apply(s).mul(s))(t).sum())(x), want);
    near(
      grad((t: Tensor) => grad((u: Tensor) => vmap((s: Tensor) => Exp.apply(s))(u).sum())(t).sum())(x),
      [0.5, -1].map(Math.exp),
    );
    near(jvp((t: Tensor) => vmap((s: Tensor) => Exp.apply(s))(t), [x], [f64([2, 3])])[1], [
      2 * Math.exp(0.5),
      3 * Math.exp(-1),
    ]);
  });
  it('an input shared by a batch gets the sum of its gradients', () => {
    const w = f64([2], true);
    vmap((x: Tensor) => Mixed.apply(w, x, 3)[0])(f64([[1], [2], [3]]))
      .sum()
      .backward();
    near(w.grad!, [6]);
  });
  it('one plan serves all steps', () => {
    const step = compile((t: Tensor) => grad((s: Tensor) => Exp.apply(s).sum())(t));
    for (let i = 0; i < 5; i++) step(f64([i]));
    expect(step.stats.captures).toBe(1);
  });
});

describe('customGrad', () => {
  it('straight-through rounding', () => {
    const ste = customGrad(
      (x: Tensor) => x.round(),
      g => g,
    );
    const x = f64([0.4, 1.6], true);
    const y = ste(x);
    near(y, [0, 2]);
    y.mul(f64([3, 4]))
      .sum()
      .backward();
    near(x.grad!, [3, 4]);
  });
  it('gets gradient, inputs and result', () => {
    const f = customGrad(
      (x: Tensor, w: Tensor) => x.mul(w).exp(),
      (g, [x, w], y) => [g.mul(y).mul(w), g.mul(y).mul(x)],
    );
    expect(gradcheck(f, [f64([0.5, -1]), f64([2, 0.3])])).toBe(true);
    expect(gradgradcheck(f, [f64([0.5, -1]), f64([2, 0.3])])).toBe(true);
  });
});

describe('mistakes in a backward', () => {
  const run = (backward: (g: Tensor) => unknown): (() => void) => {
    const f = customGrad((x: Tensor, _w: Tensor) => x.mul(2), backward as (g: Tensor) => Tensor);
    return () =>
      f(f64([1, 2], true), f64([1, 2], true))
        .sum()
        .backward();
  };
  it('too few gradients', () => {
    expect(run(g => g)).toThrow(
      'customGrad: backward must return one gradient per argument of forward, 2, got 1. return null for an argument without gradient',
    );
  });
  it('a wrong shape', () => {
    expect(run(g => [g.sum(), null])).toThrow(
      'customGrad: the gradient of argument 0 must have its shape (2), got (). sum over the dims that were broadcast',
    );
  });
  it('no tensor', () => {
    expect(run(() => [3, null])).toThrow('customGrad: backward must return tensors or null, got 3');
  });
  it('a forward without tensor', () => {
    expect(() => customGrad((() => 3) as never, g => g)()).toThrow(
      'customGrad: forward must return a tensor or a list of tensors, got 3',
    );
  });
  it('a saved value that is changed in place', () => {
    const x = f64([1, 2], true);
    const y = x.mul(1);
    const z = customGrad(
      (t: Tensor) => t.square(),
      (g, [t]) => g.mul(t).mul(2),
    )(y);
    y.add_(1);
    expect(() => z.sum().backward()).toThrow(
      'needs for its gradient was replaced in place, got a tensor changed by add_',
    );
  });
});

// grad, valueAndGrad, vjp, jvp, jacobian and hessian: uncompiled, compiled and on the reference device.

import { describe, expect, it } from 'vitest';
import {
  compile,
  grad,
  hessian,
  jacobian,
  jvp,
  noGrad,
  stack,
  type Tensor,
  tensor,
  valueAndGrad,
  vjp,
  vmap,
} from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

type Fn = (...xs: Tensor[]) => Tensor;
/** The three ways to run a function of tensors. */
const modes: Record<string, { device: string; run: (f: Fn) => Fn }> = {
  uncompiled: { device: 'cpu', run: f => f },
  compiled: { device: 'cpu', run: f => compile(f as never) as unknown as Fn },
  reference: { device: 'reference', run: f => f },
};
const near = (got: Tensor, want: readonly number[], tol = 1e-12): void => {
  expect(firstWrong(numbers(got), want, tol, tol)).toBeNull();
};

for (const [mode, { device, run }] of Object.entries(modes)) {
  const f64 = (x: Parameters<typeof tensor>[0]): Tensor => tensor(x, { dtype: 'float64', device });
  const xs = [0.5, -1, 2];
  const x = f64(xs);

  describe(`transforms, ${mode}`, () => {
    it('grad of a sum of squares is 2x', () => {
      near(
        run(grad((t: Tensor) => t.square().sum()))(x),
        xs.map(v => 2 * v),
      );
    });
    it('grad of grad, and one more', () => {
      // x⁴: 4x³, 12x², 24x
      const f = (t: Tensor): Tensor => t.pow(4).sum();
      const d1 = grad(f);
      const d2 = grad((t: Tensor) => d1(t).sum());
      const d3 = grad((t: Tensor) => d2(t).sum());
      near(
        run(d2)(x),
        xs.map(v => 12 * v ** 2),
      );
      near(
        run(d3)(x),
        xs.map(v => 24 * v),
      );
    });
    it('a derivative by another argument of a derivative', () => {
      // f = x³w², ∂f/∂x = 3x²w², ∂²f/∂x∂w = 6x²w
      const f = (a: Tensor, w: Tensor): Tensor => a.pow(3).mul(w.square()).sum();
      const mixed = grad((w: Tensor, a: Tensor) => grad(f)(a, w).sum());
      near(run(mixed)(f64(3), f64(2)), [6 * 4 * 3]);
    });
    it('valueAndGrad gives both', () => {
      const f = run((t: Tensor) => valueAndGrad((s: Tensor) => s.exp().sum())(t)[0]);
      const g = run((t: Tensor) => valueAndGrad((s: Tensor) => s.exp().sum())(t)[1]);
      near(f(x), [xs.reduce((s, v) => s + Math.exp(v), 0)]);
      near(g(x), xs.map(Math.exp));
    });
    it('vjp is Jᵀv and jvp is Jv', () => {
      // f(x) = (x₀x₁, x₁ + x₂²): J = [[x₁, x₀, 0], [0, 1, 2x₂]]
      const f = (t: Tensor): Tensor => {
        const [a, b, c] = t.unbind() as [Tensor, Tensor, Tensor];
        return stack([a.mul(b), b.add(c.square())]);
      };
      const v = f64([2, 3]);
      const u = f64([1, 2, 3]);
      near(run((t: Tensor, w: Tensor) => vjp(f, [t])[1](w)[0])(x, v), [-1 * 2, 0.5 * 2 + 3, 4 * 3]);
      near(run((t: Tensor, w: Tensor) => jvp(f, [t], [w])[1])(x, u), [-1 + 0.5 * 2, 2 + 4 * 3]);
      near(run((t: Tensor, w: Tensor) => jvp(f, [t], [w])[0])(x, u), [-0.5, 3]);
    });
    it('jacobian by rows and by columns', () => {
      // f(A) = A·(1, 2)ᵀ: ∂fᵢ/∂A_jk = δ_ij (k + 1)
      const f = (a: Tensor): Tensor => a.matmul(f64([1, 2]));
      const want = [1, 2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 2];
      const a = f64([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
      for (const strategy of ['reverse', 'forward'] as const) {
        const j = run(jacobian(f, { strategy }))(a);
        expect(j.shape).toEqual([3, 3, 2]);
        near(j, want);
      }
    });
    it('hessian', () => {
      // x₀²x₁ + sin x₂
      const f = (t: Tensor): Tensor => {
        const [a, b, c] = t.unbind() as [Tensor, Tensor, Tensor];
        return a.square().mul(b).add(c.sin());
      };
      near(run(hessian(f))(x), [-2, 1, 0, 1, 0, 0, 0, 0, -Math.sin(2)]);
      near(run(jacobian(jacobian(f)))(x), [-2, 1, 0, 1, 0, 0, 0, 0, -Math.sin(2)]);
    });
    it('forward over forward', () => {
      const f = (t: Tensor): Tensor => t.exp().mul(t);
      const one = f64([1, 1, 1]);
      const second = run((t: Tensor) => jvp((s: Tensor) => jvp(f, [s], [one])[1], [t], [one])[1]);
      near(
        second(x),
        xs.map(v => Math.exp(v) * (v + 2)),
      );
    });
    it('reverse over forward: a Hessian times a vector', () => {
      // f = Σ x³: H·v = 6x·v
      const f = (t: Tensor): Tensor => t.pow(3).sum();
      const v = f64([1, 2, 3]);
      near(
        run(grad((t: Tensor) => jvp(f, [t], [v])[1]))(x),
        xs.map((t, i) => 6 * t * (i + 1)),
      );
    });
  });
}

describe('arguments and results of transforms', () => {
  it('parameters of a bare arrow are tensors', () => {
    const x = tensor([1, 2]);
    const square: Tensor = grad(t => t.square().sum())(x);
    const product: Tensor = grad((t, u) => t.mul(u).sum(), { argnums: 1 })(x, x);
    const all: Tensor = jacobian(t => t.square())(x);
    const second: Tensor = hessian(t => t.pow(3).sum())(x);
    const [value, slope]: [Tensor, Tensor] = valueAndGrad(t => t.square().sum())(x);
    const batch: Tensor = vmap(t => t.mul(2))(x);
    const step: Tensor = compile(t => t.mul(2))(x);
    for (const t of [square, slope, batch, step]) near(t, [2, 4]);
    near(product, [1, 2]);
    near(all, [2, 0, 0, 4]);
    near(second, [6, 0, 0, 12]);
    near(value, [5]);
  });
  const t = (v: Parameters<typeof tensor>[0]): Tensor => tensor(v, { dtype: 'float64' });

  it('argnums chooses arguments: one, or a list', () => {
    const f = (a: Tensor, b: Tensor): Tensor => a.mul(b.square()).sum();
    near(grad(f, { argnums: 1 })(t([3]), t([5])), [30]);
    const [da, db] = grad(f, { argnums: [0, 1] })(t([3]), t([5]));
    near(da, [25]);
    near(db, [30]);
  });
  it('an argument may be a tree of tensors', () => {
    const params = { layers: [{ w: t([2]), b: t([1]) }], scale: t([3]) };
    const g = grad((p: typeof params) => p.layers[0]!.w.mul(p.scale).add(p.layers[0]!.b).sum())(params);
    near(g.layers[0]!.w, [3]);
    near(g.layers[0]!.b, [1]);
    near(g.scale, [2]);
  });
  it('what fn does not use gets zeros', () => {
    const [da, db] = grad((a: Tensor, _b: Tensor) => a.sum(), { argnums: [0, 1] })(t([1, 2]), t([3, 4]));
    near(da, [1, 1]);
    near(db, [0, 0]);
  });
  it('hasAux hands further results through', () => {
    const [g, aux] = grad((a: Tensor) => [a.square().sum(), { twice: a.mul(2) }] as const, { hasAux: true })(
      t([3]),
    );
    near(g, [6]);
    near(aux.twice, [6]);
    expect(aux.twice.requiresGrad).toBe(false);
    const [[v, more], d] = valueAndGrad((a: Tensor) => [a.square().sum(), a] as const, { hasAux: true })(
      t([3]),
    );
    near(v, [9]);
    near(more, [3]);
    near(d, [6]);
  });
  it('results do not require grad where nothing outside does', () => {
    const [v, g] = valueAndGrad((a: Tensor) => a.exp().sum())(t([1, 2]));
    expect(v.requiresGrad).toBe(false);
    expect(g.requiresGrad).toBe(false);
  });
  it('captured parameters keep their gradients: backward through grad', () => {
    // d/dx of w x² is 2wx; its derivative by w is 2x.
    const w = tensor([2], { dtype: 'float64', requiresGrad: true });
    const g = grad((a: Tensor) => a.square().mul(w).sum())(t([5]));
    expect(g.requiresGrad).toBe(true);
    g.sum().backward();
    near(w.grad!, [10]);
    const plain = noGrad(() => grad((a: Tensor) => a.square().mul(w).sum())(t([5])));
    expect(plain.requiresGrad).toBe(false);
    near(plain, [20]);
  });
  it('arguments that require grad keep their graph', () => {
    const a = tensor([2], { dtype: 'float64', requiresGrad: true });
    const g = grad((s: Tensor) => s.pow(3).sum())(a);
    g.sum().backward();
    near(a.grad!, [12]);
  });
  it('a result may be changed in place without reaching anything else', () => {
    const b = t([3, 4]);
    const g = grad((a: Tensor) => a.mul(b).sum())(t([1, 2]));
    g.add_(1);
    near(g, [4, 5]);
    near(b, [3, 4]);
  });
  it('noGrad inside the function cuts, noGrad outside does not', () => {
    const f = (a: Tensor): Tensor => a.mul(noGrad(() => a.mul(1))).sum();
    near(grad(f)(t([3])), [3]);
    near(
      noGrad(() => grad((a: Tensor) => a.square().sum())(t([3]))),
      [6],
    );
  });
  it('values can be read inside', () => {
    let seen = 0;
    near(
      grad((a: Tensor) => {
        const y = a.exp().sum();
        seen = y.itemSync();
        return y.square();
      })(t([1])),
      [2 * Math.exp(2)],
    );
    expect(seen).toBeCloseTo(Math.E);
  });
  it('vjp and jvp of trees', () => {
    const f = (p: { a: Tensor; b: Tensor }): { sum: Tensor; product: Tensor } => ({
      sum: p.a.add(p.b),
      product: p.a.mul(p.b),
    });
    const p = { a: t([2]), b: t([5]) };
    const [out, pullback] = vjp(f, [p]);
    near(out.product, [10]);
    const [g] = pullback({ sum: t([1]), product: t([10]) });
    near(g.a, [51]);
    near(g.b, [21]);
    const [again] = pullback({ sum: t([0]), product: t([1]) });
    near(again.a, [5]);
    const [, tangent] = jvp(f, [p], [{ a: t([1]), b: t([0]) }]);
    near(tangent.sum, [1]);
    near(tangent.product, [5]);
  });
  it('jacobian of a tree by two arguments', () => {
    const j = jacobian((a: Tensor, b: Tensor) => ({ y: a.mul(b) }), { argnums: [0, 1] })(
      t([1, 2]),
      t([3, 4]),
    ) as {
      y: [Tensor, Tensor];
    };
    near(j.y[0], [3, 0, 0, 4]);
    near(j.y[1], [1, 0, 0, 2]);
  });
  it('hessian by two arguments', () => {
    const h = hessian((a: Tensor, b: Tensor) => a.mul(b).sum(), { argnums: [0, 1] })(
      t([1, 2]),
      t([3, 4]),
    ) as unknown as Tensor[][];
    near(h[0]![0]!, [0, 0, 0, 0]);
    near(h[0]![1]!, [1, 0, 0, 1]);
    near(h[1]![0]!, [1, 0, 0, 1]);
  });
  it('a compiled function inside is differentiated', () => {
    const f = compile((a: Tensor) => a.pow(3).sum());
    f(t([1]));
    near(grad((a: Tensor) => f(a))(t([2])), [12]);
    const a = tensor([2], { dtype: 'float64', requiresGrad: true });
    f(a.mul(1)).backward();
    near(a.grad!, [12]);
  });
});

describe('mistakes with transforms', () => {
  const t = tensor([1, 2]);
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    [
      'no scalar',
      () => grad((a: Tensor) => a.mul(2))(t),
      'grad: the function must return a scalar, got shape (2). reduce it (mean, sum), or use vjp or jacobian',
    ],
    ['no tensor', () => grad((() => 3) as never)(t), 'grad: the function must return a tensor, got 3'],
    [
      'an integer argument',
      () => grad((a: Tensor) => a.sum())(tensor([1], { dtype: 'int64' })),
      'grad: only floating tensors have gradients, got int64 in argument 0',
    ],
    [
      'a number',
      () => grad(((a: number) => t.mul(a).sum()) as never)(3 as never),
      'grad: argument 0 must be a tensor, or hold some in lists and plain objects, got 3',
    ],
    [
      'argnums out of range',
      () => grad((a: Tensor) => a.sum(), { argnums: 1 as never })(t),
      'grad: argnums must name different arguments among 0 … 0, got 1',
    ],
    [
      'hasAux without a pair',
      () => grad(((a: Tensor) => a.sum()) as never, { hasAux: true })(t),
      'grad: with hasAux the function must return [result, aux], got Tensor',
    ],
    [
      'an argument in place',
      () => grad((a: Tensor) => a.mul_(2).sum())(t),
      'grad: the function must leave its arguments as they are, got one changed in place',
    ],
    [
      'an async function',
      () => grad((async (a: Tensor) => a.sum()) as never)(t),
      'its function must be synchronous, got one that returns a Promise',
    ],
    [
      'a cotangent of another shape',
      () => vjp((a: Tensor) => a.mul(2), [t])[1](tensor([1])),
      'vjp: a cotangent must have the shape (2) of its tensor, got (1)',
    ],
    [
      'too few tangents',
      () => jvp((a: Tensor) => a.mul(2), [t], [] as never),
      'jvp: tangents must be as many as the tensors they belong to, 1, got 0',
    ],
  ];
  for (const [name, run, message] of cases) it(name, () => expect(run).toThrow(message));
});

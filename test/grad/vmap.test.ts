// vmap of whole functions: dims, nesting, per-example gradients, random draws, mistakes.

import { describe, expect, it } from 'vitest';
import {
  compile,
  F,
  grad,
  hessian,
  jvp,
  manualSeed,
  rand,
  randn,
  stack,
  type Tensor,
  tensor,
  vmap,
} from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

const near = (got: Tensor, want: Tensor, tol = 1e-6): void => {
  expect(got.shape).toEqual(want.shape);
  expect(firstWrong(numbers(got), numbers(want), tol, tol)).toBeNull();
};
manualSeed(7);
const X = randn([5, 3]).realize();
const Y = randn([5, 3]).realize();
const W = randn([3, 4]).realize();

for (const [mode, device, wrapped] of [
  ['uncompiled', 'cpu', false],
  ['compiled', 'cpu', true],
  ['reference', 'reference', false],
] as const) {
  const on = (t: Tensor): Tensor => t.to(device);
  const run = (f: (...xs: Tensor[]) => Tensor): ((...xs: Tensor[]) => Tensor) =>
    wrapped ? (compile(f as never) as unknown as (...xs: Tensor[]) => Tensor) : f;

  describe(`vmap, ${mode}`, () => {
    it('a batch of dot products', () => {
      near(run(vmap((a: Tensor, b: Tensor) => a.mul(b).sum()))(on(X), on(Y)), X.mul(Y).sum(1));
    });
    it('inDims and outDims move the batch', () => {
      const f = vmap((a: Tensor, b: Tensor) => a.add(b), { inDims: [1, null], outDims: -1 });
      near(run(f)(on(X), on(X.at(0, 0))), X.add(X.at(0, 0)));
    });
    it('a captured matrix is shared', () => {
      const w = on(W);
      near(run(vmap((a: Tensor) => a.matmul(w).tanh()))(on(X)), X.matmul(W).tanh(), 1e-5);
    });
    it('operands of different rank broadcast inside one example', () => {
      // A scalar per example against a vector per example.
      const f = vmap((s: Tensor, v: Tensor) => s.mul(v));
      near(run(f)(on(X.select(1, 0)), on(Y)), X.narrow(1, 0, 1).mul(Y));
    });
    it('vmap of vmap: all pairs', () => {
      const pairs = vmap((a: Tensor, B: Tensor) => vmap((b: Tensor) => a.mul(b).sum())(B), {
        inDims: [0, null],
      });
      near(run(pairs)(on(X), on(Y)), X.matmul(Y.t()), 1e-5);
    });
    it('per-example gradients', () => {
      const target = tensor([0, 1, 2, 3, 0], { dtype: 'int64' });
      const loss = (w: Tensor, x: Tensor, t: Tensor): Tensor =>
        F.crossEntropy(x.matmul(w).unsqueeze(0), t.unsqueeze(0));
      const each = vmap(grad(loss), { inDims: [null, 0, 0] });
      const want = stack(X.unbind(0).map((x, i) => grad(loss)(W, x, target.at(i))));
      near(run(each)(on(W), on(X), on(target)), want, 1e-5);
    });
    it('a batch of Hessians', () => {
      const f = (x: Tensor): Tensor => x.pow(3).sum();
      near(run(vmap(hessian(f)))(on(X)), stack(X.unbind(0).map(x => x.mul(6).diag())), 1e-5);
    });
    it('a gradient through vmap', () => {
      const f = (x: Tensor): Tensor =>
        vmap((a: Tensor) => a.exp().sum())(x)
          .square()
          .sum();
      const e = X.exp();
      near(run(grad(f))(on(X)), e.mul(e.sum(1, { keepdim: true })).mul(2), 1e-5);
    });
    it('forward mode over vmap and vmap over forward mode', () => {
      const f = vmap((a: Tensor) => a.sin().sum());
      const want = X.cos().mul(Y).sum(1);
      near(run((x: Tensor, v: Tensor) => jvp(f, [x], [v])[1])(on(X), on(Y)), want, 1e-5);
      const g = vmap((a: Tensor, v: Tensor) => jvp((s: Tensor) => s.sin().sum(), [a], [v])[1]);
      near(run(g)(on(X), on(Y)), want, 1e-5);
    });
    it('sorting, indexing and scans keep examples apart', () => {
      const f = (a: Tensor): Tensor =>
        a
          .sort()
          .values.cumsum(0)
          .at([2, 0])
          .add(a.gather(0, a.argmax().reshape(1)));
      near(run(vmap(f))(on(X)), stack(X.unbind(0).map(f)), 1e-5);
    });
    it('random draws differ between examples, or are shared', () => {
      const different = run(vmap((a: Tensor) => a.mul(0).add(rand([3], { device }))))(
        on(X),
      ).tolistSync() as number[][];
      expect(new Set(different.map(r => r.join())).size).toBe(5);
      const f = vmap((a: Tensor) => a.mul(0).add(rand([3], { device })), { randomness: 'same' });
      const same = run(f)(on(X)).tolistSync() as number[][];
      expect(new Set(same.map(r => r.join())).size).toBe(1);
    });
  });
}

describe('arguments and results of vmap', () => {
  it('numbers drawn before are shared, numbers drawn inside are not', () => {
    const noise = rand([3]);
    const rows = vmap((a: Tensor) => a.mul(0).add(noise))(X).tolistSync() as number[][];
    expect(new Set(rows.map(r => r.join())).size).toBe(1);
    expect(rows[0]).toEqual(noise.tolistSync());
  });
  it('nested draws are independent over both batches', () => {
    const f = vmap((r: Tensor) => vmap((a: Tensor) => a.mul(0).add(rand([])))(r));
    expect(new Set(numbers(f(X))).size).toBe(15);
  });
  it('trees in and out', () => {
    const f = vmap((p: { a: Tensor; b: Tensor }, k: number) => ({ s: p.a.add(p.b), list: [p.a.mul(k)] }), {
      inDims: [{ a: 0, b: null }, null],
      outDims: { s: 1, list: [0] },
    });
    const out = f({ a: X, b: Y.at(0) }, 2);
    near(out.s, X.add(Y.at(0)).t());
    near(out.list[0]!, X.mul(2));
  });
  it('a result that does not depend on the batch is repeated', () => {
    near(vmap((_a: Tensor) => W)(X), W.expand(5, 3, 4));
  });
  it('an empty batch', () => {
    const out = vmap((a: Tensor) => a.exp().sum())(X.narrow(0, 0, 0));
    expect(out.shape).toEqual([0]);
  });
  it('gradients reach tensors that require grad', () => {
    const w = W.detach().clone().requiresGrad_();
    vmap((a: Tensor) => a.matmul(w).square().sum())(X)
      .sum()
      .backward();
    near(w.grad!, X.t().matmul(X.matmul(W)).mul(2), 1e-5);
  });
  it('what is made and changed inside stays inside', () => {
    const f = vmap((a: Tensor) => {
      const y = a.mul(2);
      y.add_(a);
      y.narrow(0, 0, 1).zero_();
      return y;
    });
    const want = X.mul(3);
    want.narrow(1, 0, 1).zero_();
    near(f(X), want);
  });
});

describe('mistakes with vmap', () => {
  const outside = tensor([0, 0, 0]);
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    [
      'different batch sizes',
      () => vmap((a: Tensor, b: Tensor) => a.add(b))(X, W),
      'vmap: all batched arguments must have one batch size, got 5 and 3',
    ],
    [
      'nothing batched',
      () => vmap((a: Tensor) => a, { inDims: null })(X),
      'vmap: at least one argument must be batched, got none',
    ],
    [
      'a scalar',
      () => vmap((a: Tensor) => a)(tensor(1)),
      'vmap: a batched argument needs at least one dim, got (). share it with inDims: null',
    ],
    [
      'too few inDims',
      () => vmap((a: Tensor, b: Tensor) => a.add(b), { inDims: [0] })(X, Y),
      'vmap: inDims needs one entry for each of the 2 arguments, got [0]',
    ],
    [
      'a dim out of range',
      () => vmap((a: Tensor) => a, { inDims: 2 })(X),
      'vmap: dim must be an integer in -2 … 1, got 2',
    ],
    [
      'reading a value',
      () => vmap((a: Tensor) => a.mul(a.sum().itemSync()))(X),
      'vmap: the values of one example are not known inside, got item()',
    ],
    [
      'a size that depends on data',
      () => vmap((a: Tensor) => a.maskedSelect(a.gt(0)))(X),
      'vmap: the values of one example are not known inside, got maskedSelect',
    ],
    [
      'a tensor from outside, in place',
      () => vmap((a: Tensor) => outside.add_(a))(X),
      'vmap: the function must not change tensors from outside, got one of shape (3)',
    ],
    [
      'an argument in place',
      () => vmap((a: Tensor) => a.add_(1))(X),
      'vmap: the function must leave its arguments as they are',
    ],
    [
      'no tensors returned',
      () => vmap(((_: Tensor) => 3) as never)(X as never),
      'vmap: the function must return tensors, got 3',
    ],
    [
      'an async function',
      () => vmap((async (a: Tensor) => a) as never)(X as never),
      'vmap: its function must be synchronous',
    ],
  ];
  for (const [name, run, message] of cases) it(name, () => expect(run).toThrow(message));
  it('after a mistake everything goes on', () => {
    near(vmap((a: Tensor) => a.mul(2))(X), X.mul(2));
    near(outside.add(1), tensor([1, 1, 1]));
  });
});

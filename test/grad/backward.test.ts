// backward(), `.grad`, autograd.grad, hooks, detach and noGrad, and what happens after the classic mistakes.

import { describe, expect, it } from 'vitest';
import { autograd, compile, enableGrad, noGrad, type Tensor, tensor } from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

const leaf = (x: Parameters<typeof tensor>[0], device = 'cpu'): Tensor =>
  tensor(x, { requiresGrad: true, device });
const near = (got: Tensor | null, want: readonly number[]): void => {
  expect(got).not.toBeNull();
  expect(firstWrong(numbers(got!), want, 1e-6, 1e-6)).toBeNull();
};

describe('.grad', () => {
  for (const device of ['cpu', 'reference']) {
    it(`accumulates over passes, on ${device}`, () => {
      const x = leaf([1, 2], device);
      x.square().sum().backward();
      near(x.grad, [2, 4]);
      x.mul(10).sum().backward();
      near(x.grad, [12, 14]);
      x.grad = null;
      x.sum().backward();
      near(x.grad, [1, 1]);
    });
  }
  it('accumulates inside compile: the first call sets, the next adds', () => {
    const x = leaf([1, 2]);
    const step = compile((t: Tensor) => {
      const loss = x.mul(t).sum();
      loss.backward();
      return loss;
    });
    for (let i = 1; i <= 4; i++) {
      step(tensor([1, 10]));
      near(x.grad, [i, 10 * i]);
    }
  });
  it('a gradient that was read keeps its value', () => {
    const x = leaf([1]);
    x.mul(2).sum().backward();
    const first = x.grad!.clone();
    x.mul(3).sum().backward();
    near(first, [2]);
    near(x.grad, [5]);
  });
  it('a value used twice gets both parts', () => {
    const x = leaf([3]);
    const y = x.mul(2);
    y.mul(y).add(y).sum().backward();
    near(x.grad, [2 * 2 * 6 + 2]);
  });
  it('backward takes a cotangent', () => {
    const x = leaf([1, 2, 3]);
    x.square().backward(tensor([1, 0, 10]));
    near(x.grad, [2, 0, 60]);
  });
  it('createGraph gives gradients of gradients', () => {
    const x = leaf([2]);
    x.pow(3).sum().backward(null, { createGraph: true });
    const g = x.grad!;
    expect(g.requiresGrad).toBe(true);
    x.grad = null;
    g.sum().backward();
    near(x.grad, [12]);
  });
  it('deep graphs do not overflow the stack', () => {
    const x = leaf([1]);
    let y: Tensor = x;
    for (let i = 0; i < 20000; i++) y = y.add(1);
    y.sum().backward();
    near(x.grad, [1]);
  });
});

describe('detach, noGrad, retainGrad, hooks', () => {
  it('detach cuts, and shares memory', () => {
    const x = leaf([1, 2]);
    const d = x.detach();
    expect(d.requiresGrad).toBe(false);
    x.mul(d).sum().backward();
    near(x.grad, [1, 2]);
    noGrad(() => d.mul_(10));
    near(x, [10, 20]);
  });
  it('noGrad records nothing, enableGrad inside does', () => {
    const x = leaf([2]);
    const [off, on] = noGrad(() => [x.mul(2), enableGrad(() => x.mul(3))]);
    expect(off!.requiresGrad).toBe(false);
    on!.sum().backward();
    near(x.grad, [3]);
  });
  it('retainGrad keeps the gradient of a result on the way', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3).retainGrad();
    expect(y.isLeaf).toBe(false);
    y.square().sum().backward();
    near(y.grad, [6, 12]);
    near(x.grad, [18, 36]);
  });
  it('without retainGrad a result has no .grad', () => {
    const x = leaf([1]);
    const y = x.mul(3);
    y.sum().backward();
    expect(y.grad).toBeNull();
  });
  it('a hook sees the gradient and may replace it', () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    const seen: number[][] = [];
    y.registerHook(g => {
      seen.push(g.tolistSync() as number[]);
      return g.mul(10);
    });
    y.square().sum().backward();
    expect(seen).toEqual([[6, 12]]);
    near(x.grad, [180, 360]);
  });
  it('hooks run in order, and go when they are removed', () => {
    const x = leaf([1]);
    const first = x.registerHook(g => g.add(1));
    x.registerHook(g => g.mul(10));
    x.mul(2).sum().backward();
    near(x.grad, [30]);
    first();
    x.grad = null;
    x.mul(2).sum().backward();
    near(x.grad, [20]);
  });
  it('a hook on a parameter stays while steps change the parameter', () => {
    const w = leaf([1]);
    w.registerHook(g => g.mul(10));
    for (let i = 0; i < 3; i++) {
      w.grad = null;
      w.mul(2).sum().backward();
      near(w.grad, [20]);
      noGrad(() => w.sub_(w.grad!.mul(0.01)));
    }
    near(w, [1 - 0.6]);
  });
  it('a hook on a parameter runs inside compile', () => {
    const w = leaf([1]);
    w.registerHook(g => g.clamp(-1, 1));
    const step = compile((t: Tensor) => {
      w.grad = null;
      const loss = w.mul(t).sum();
      loss.backward();
      noGrad(() => w.sub_(w.grad!));
      return loss;
    });
    for (let i = 0; i < 3; i++) step(tensor([100]));
    near(w, [-2]);
  });
});

describe('autograd.grad', () => {
  it('gives gradients and leaves .grad alone', () => {
    const x = leaf([1, 2]);
    const w = leaf([3, 4]);
    const [gx, gw] = autograd.grad(x.mul(w).sum(), [x, w]);
    near(gx!, [3, 4]);
    near(gw!, [1, 2]);
    expect(x.grad).toBeNull();
    gx!.add_(1);
    near(w, [3, 4]);
  });
  it('takes results on the way as inputs', () => {
    const x = leaf([2]);
    const h = x.square();
    const [gh, gx] = autograd.grad(h.mul(3).sum(), [h, x]);
    near(gh!, [3]);
    near(gx!, [12]);
  });
  it('several outputs, gradOutputs, null for 1', () => {
    const x = leaf([1, 2]);
    const [g] = autograd.grad([x.mul(2), x.sum()], x, { gradOutputs: [tensor([1, 10]), null] });
    near(g!, [3, 21]);
  });
  it('createGraph, three times', () => {
    const x = leaf([2]);
    let y = x.pow(4).sum();
    for (const want of [32, 48, 48]) {
      y = autograd.grad(y, x, { createGraph: true })[0]!.sum();
      near(y, [want]);
    }
  });
  it('retainGraph keeps the graph for a second pass', () => {
    const x = leaf([2]);
    const y = x.square().sum();
    autograd.grad(y, x, { retainGraph: true });
    near(autograd.grad(y, x)[0]!, [4]);
    expect(() => autograd.grad(y, x)).toThrow('the graph of this value was freed by an earlier backward');
  });
  it('allowUnused gives null', () => {
    const x = leaf([2]);
    const z = leaf([1]);
    expect(autograd.grad(x.sum(), [x, z], { allowUnused: true })[1]).toBeNull();
  });
  it('a parameter that was updated between two uses gets both parts', () => {
    const w = leaf([2]);
    const a = w.mul(3);
    noGrad(() => w.add_(1));
    const b = w.mul(5);
    near(autograd.grad(a.add(b).sum(), w)[0]!, [8]);
  });
  it('inside compile', () => {
    const w = leaf([2]);
    const f = compile((t: Tensor) => autograd.grad(w.mul(t).square().sum(), w)[0]!);
    for (const v of [1, 2, 3]) near(f(tensor([v])), [2 * 2 * v * v]);
  });
});

describe('in place', () => {
  it('the replaced value may be what the change itself needs', () => {
    // torch: y.square_(), y.pow_(3), y.diagonal().square_() are recorded with a copy of y
    const x = leaf([1, 2, 3, 4]);
    const run = (change: (y: Tensor) => unknown): Tensor => {
      x.grad = null;
      const y = x.mul(2);
      change(y);
      y.sum().backward();
      return x.grad!;
    };
    near(
      run(y => y.square_()),
      [8, 16, 24, 32],
    );
    near(
      run(y => y.pow_(3)),
      [24, 96, 216, 384],
    );
    near(
      run(y => y.view(2, 2).diagonal().square_()),
      [8, 2, 2, 32],
    );
    near(
      run(y => y.exp_()),
      [2, 4, 6, 8].map(v => 2 * Math.exp(v)),
    );
    near(
      run(y => y.narrow(0, 0, 2).mul_(y.narrow(0, 2, 2))),
      [12, 16, 6, 10],
    );
    near(
      run(y => {
        y.realize();
        y.square_().realize();
        y.square_();
      }),
      [2, 4, 6, 8].map(v => 8 * v ** 3),
    );
  });
  it('a change under noGrad after the value was used', () => {
    const w = leaf([2]);
    const y = w.square().sum();
    noGrad(() => w.add_(1));
    expect(() => y.backward()).toThrow(
      'the value that square needs for its gradient was replaced in place, got a tensor changed by add_',
    );
  });
});

describe('classic mistakes', () => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    [
      'backward on a tensor with several elements',
      () => leaf([1, 2]).mul(2).backward(),
      'backward: gradients start from a scalar, got shape (2). reduce it (mean, sum), or pass a gradient of the same shape',
    ],
    [
      'a cotangent of another shape',
      () =>
        leaf([1, 2])
          .mul(2)
          .backward(tensor([1])),
      'backward: the gradient must have the shape (2), got (1)',
    ],
    [
      'backward twice',
      () => {
        const y = leaf([1]).square().sum();
        y.backward();
        y.backward();
      },
      'backward: the graph of this value was freed by an earlier backward, got a second pass through square. pass {retainGraph: true} to the first one, or compute the value again',
    ],
    [
      'backward through a part that was freed',
      () => {
        const h = leaf([1]).exp();
        h.square().sum().backward();
        h.mul(2).sum().backward();
      },
      'backward: the graph of this value was freed by an earlier backward, got a second pass through exp',
    ],
    [
      'backward on a detached tensor',
      () => leaf([1]).mul(2).detach().sum().backward(),
      'backward: the tensor must depend on one that requires grad, got one that does not (was it computed under noGrad, or detached?)',
    ],
    [
      'backward on what was computed under noGrad',
      () => noGrad(() => leaf([1]).mul(2).sum()).backward(),
      'was it computed under noGrad, or detached?',
    ],
    [
      'a value that backward needs, in place',
      () => {
        const y = leaf([1, 2]).mul(2);
        const z = y.sin();
        y.add_(1);
        z.sum().backward();
      },
      'backward: the value that sin needs for its gradient was replaced in place, got a tensor changed by add_. use the method without the underscore, or clone() before changing it',
    ],
    [
      'a result that backward needs, in place',
      () => {
        const z = leaf([1, 2]).exp();
        z.add_(1);
        z.sum().backward();
      },
      'backward: the value that exp needs for its gradient was replaced in place, got a tensor changed by add_',
    ],
    [
      'a leaf in place',
      () => leaf([1, 2]).add_(1),
      'add_: a leaf that requires grad cannot be changed in place where gradients are recorded, got a tensor of shape (2). wrap the change in noGrad(() => …)',
    ],
    [
      'a view of a leaf in place',
      () => leaf([1, 2]).narrow(0, 0, 1).zero_(),
      'fill_: a leaf that requires grad cannot be changed in place where gradients are recorded',
    ],
    [
      'requiresGrad on integers',
      () => tensor([1], { dtype: 'int64', requiresGrad: true }),
      "requiresGrad: only floating tensors have gradients, got int64. convert with .to('float32')",
    ],
    [
      'a result that should stop requiring grad',
      () => leaf([1]).mul(2).requiresGrad_(false),
      'requiresGrad_: only a leaf can stop requiring grad, got the result of an op. use detach()',
    ],
    [
      'a hook where there is no gradient',
      () => tensor([1]).registerHook(g => g),
      'registerHook: the tensor must require grad, got one that does not',
    ],
    [
      'autograd.grad of several elements',
      () => {
        const x = leaf([1, 2]);
        autograd.grad(x.mul(2), x);
      },
      'autograd.grad: gradients start from a scalar, got an output of shape (2). reduce it (mean, sum), or pass gradOutputs',
    ],
    [
      'autograd.grad of an unused input',
      () => autograd.grad(leaf([1]).sum(), leaf([1])),
      'autograd.grad: the outputs must depend on every input, got input 0 of shape (1), which is not in their graph. pass {allowUnused: true} to get null for it',
    ],
    [
      'autograd.grad for an input without grad',
      () => autograd.grad(leaf([1]).sum(), tensor([1])),
      'autograd.grad: every input must require grad, got input 0 of shape (1), which does not',
    ],
    [
      'autograd.grad of a constant',
      () => autograd.grad(tensor([1]), leaf([1])),
      'autograd.grad: an output must depend on a tensor that requires grad',
    ],
    [
      'an async body under noGrad',
      () => noGrad(async () => 1),
      'noGrad: its function must be synchronous, got one that returns a Promise. await before or after it, not inside',
    ],
  ];
  for (const [name, run, message] of cases) it(name, () => expect(run).toThrow(message));
  it('afterwards everything goes on', () => {
    const x = leaf([3]);
    x.square().sum().backward();
    near(x.grad, [6]);
  });
});

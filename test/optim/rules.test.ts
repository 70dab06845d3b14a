// Each rule against its formula, written here a second time in plain numbers: ten steps down a quadratic in float64,
// uncompiled, compiled and on the reference device.

import { describe, expect, test } from 'vitest';
import { compile, manualSeed, optim, profile, randn, type Tensor, tensor } from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

type Options = Record<string, unknown>;
/** One weight: the new value from value, gradient and step. */
type Weight = (p: number, g: number, t: number) => number;
interface Optimizer {
  zeroGrad(): void;
  step(): unknown;
}
type Make = (params: Tensor[], options: Options) => Optimizer;
const make =
  (name: string): Make =>
  (params, options) =>
    new (optim as unknown as Record<string, new (p: Tensor[], o: Options) => Optimizer>)[name]!(
      params,
      options,
    );

/** An Adam-like weight with a step made of both moments. */
const moments = (
  b1: number,
  b2: number,
  step: (m: number, v: number, g: number, t: number) => number,
): Weight => {
  let [m, v] = [0, 0];
  return (p, g, t) => {
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * g * g;
    return p - step(m, v, g, t);
  };
};
const adam =
  (lr = 0.1, b1 = 0.9, b2 = 0.999, eps = 1e-8) =>
  (): Weight =>
    moments(b1, b2, (m, v, _, t) => (lr * (m / (1 - b1 ** t))) / (Math.sqrt(v / (1 - b2 ** t)) + eps));
const velocity = (mu: number, rule: (v: number, g: number, p: number) => [number, number]): Weight => {
  let v = 0;
  return (p, g) => {
    let next: number;
    [v, next] = rule(v * mu, g, p);
    return next;
  };
};
const l2 =
  (lambda: number, inner: () => Weight): (() => Weight) =>
  () => {
    const w = inner();
    return (p, g, t) => w(p, g + lambda * p, t);
  };
const shrunk =
  (factor: number, inner: () => Weight): (() => Weight) =>
  () => {
    const w = inner();
    return (p, g, t) => w(p * factor, g, t);
  };

const CASES: [name: string, options: Options, weight: () => Weight][] = [
  ['SGD', { lr: 0.1 }, () => (p, g) => p - 0.1 * g],
  ['SGD', { lr: 0.1, maximize: true }, () => (p, g) => p + 0.1 * g],
  ['SGD', { lr: 0.1, weightDecay: 0.2 }, l2(0.2, () => (p, g) => p - 0.1 * g)],
  ['SGD', { lr: 0.1, weightDecay: 0.2, l2Factor: 2 }, l2(0.4, () => (p, g) => p - 0.1 * g)],
  [
    'SGD',
    { lr: 0.1, weightDecay: 0.2, decoupledWeightDecay: true },
    shrunk(0.98, () => (p, g) => p - 0.1 * g),
  ],
  ['SGD', { lr: 0.1, momentum: 0.9 }, () => velocity(0.9, (v, g, p) => [v + g, p - 0.1 * (v + g)])],
  [
    'SGD',
    { lr: 0.1, momentum: 0.9, nesterov: true },
    () => velocity(0.9, (v, g, p) => [v + g, p - 0.1 * (g + 0.9 * (v + g))]),
  ],
  [
    'SGD',
    { lr: 0.1, momentum: 0.9, dampening: 0.3 },
    () => {
      let v = 0;
      return (p, g, t) => {
        v = t === 1 ? g : 0.9 * v + 0.7 * g;
        return p - 0.1 * v;
      };
    },
  ],
  [
    'SGD',
    { lr: 1, momentum: 0.9, form: 'ema' },
    () => velocity(0.9, (v, g, p) => [v + 0.1 * g, p - (v + 0.1 * g)]),
  ],
  [
    'SGD',
    { lr: 0.1, momentum: 0.9, form: 'classical' },
    () => velocity(0.9, (v, g, p) => [v - 0.1 * g, p + v - 0.1 * g]),
  ],
  [
    'SGD',
    { lr: 0.1, momentum: 0.9, form: 'classical', nesterov: true },
    () => velocity(0.9, (v, g, p) => [v - 0.1 * g, p + 0.9 * (v - 0.1 * g) - 0.1 * g]),
  ],
  ['Adam', { lr: 0.1 }, adam()],
  ['Adam', { lr: 0.1, weightDecay: 0.3 }, l2(0.3, adam())],
  ['Adam', { lr: 0.1, betas: [0.8, 0.9], eps: 0.01 }, adam(0.1, 0.8, 0.9, 0.01)],
  [
    'Adam',
    { lr: 0.1, eps: 0.01, epsInside: true },
    () =>
      moments(
        0.9,
        0.999,
        (m, v, _, t) => (0.1 * (m / (1 - 0.9 ** t))) / Math.sqrt(v / (1 - 0.999 ** t) + 0.01),
      ),
  ],
  [
    'Adam',
    { lr: 0.1, amsgrad: true, betas: [0.9, 0.5] },
    () => {
      let top = 0;
      return moments(0.9, 0.5, (m, v, _, t) => {
        top = Math.max(top, v);
        return (0.1 * (m / (1 - 0.9 ** t))) / (Math.sqrt(top / (1 - 0.5 ** t)) + 1e-8);
      });
    },
  ],
  ['AdamW', { lr: 0.1 }, shrunk(1 - 0.1 * 0.01, adam())],
  ['AdamW', { lr: 0.1, weightDecay: 0.5 }, shrunk(0.95, adam())],
  [
    'Adagrad',
    { lr: 0.5, lrDecay: 0.1, initialAccumulatorValue: 0.2 },
    () => {
      let s = 0.2;
      return (p, g, t) => {
        s += g * g;
        return p - ((0.5 / (1 + (t - 1) * 0.1)) * g) / (Math.sqrt(s) + 1e-10);
      };
    },
  ],
  [
    'Adagrad',
    { lr: 0.5, eps: 0.1, epsInside: true },
    () => {
      let s = 0;
      return (p, g) => {
        s += g * g;
        return p - (0.5 * g) / Math.sqrt(s + 0.1);
      };
    },
  ],
  [
    'Adadelta',
    { lr: 0.5, rho: 0.8 },
    () => {
      let [s, d] = [0, 0];
      return (p, g) => {
        s = 0.8 * s + 0.2 * g * g;
        const delta = (Math.sqrt(d + 1e-6) / Math.sqrt(s + 1e-6)) * g;
        d = 0.8 * d + 0.2 * delta * delta;
        return p - 0.5 * delta;
      };
    },
  ],
  [
    'RMSprop',
    { lr: 0.05, alpha: 0.9 },
    () => {
      let s = 0;
      return (p, g) => {
        s = 0.9 * s + 0.1 * g * g;
        return p - (0.05 * g) / (Math.sqrt(s) + 1e-8);
      };
    },
  ],
  [
    'RMSprop',
    { lr: 0.05, alpha: 0.9, centered: true, momentum: 0.5, eps: 0.01, epsInside: true },
    () => {
      let [s, a, b] = [0, 0, 0];
      return (p, g) => {
        s = 0.9 * s + 0.1 * g * g;
        a = 0.9 * a + 0.1 * g;
        b = 0.5 * b + g / Math.sqrt(s - a * a + 0.01);
        return p - 0.05 * b;
      };
    },
  ],
  [
    'Rprop',
    { lr: 0.1, etas: [0.4, 1.5], stepSizes: [0.05, 0.6] },
    () => {
      let [before, size] = [0, 0.1];
      return (p, grad) => {
        const turn = Math.sign(before * grad);
        size = Math.min(0.6, Math.max(0.05, size * (turn > 0 ? 1.5 : turn < 0 ? 0.4 : 1)));
        before = turn < 0 ? 0 : grad;
        return p - size * Math.sign(before);
      };
    },
  ],
  [
    'ASGD',
    { lr: 0.1, lambd: 0.2, t0: 3 },
    () => {
      let eta = Math.fround(0.1);
      return (p, g, t) => {
        const next = p * (1 - 0.2 * eta) - eta * g;
        eta = Math.fround(0.1 / (1 + 0.2 * 0.1 * t) ** 0.75);
        return next;
      };
    },
  ],
  [
    'Adamax',
    { lr: 0.1, betas: [0.8, 0.9] },
    () => {
      let [m, u] = [0, 0];
      return (p, g, t) => {
        m = 0.8 * m + 0.2 * g;
        u = Math.max(0.9 * u, Math.abs(g) + 1e-8);
        return p - ((0.1 / (1 - 0.8 ** t)) * m) / u;
      };
    },
  ],
  ...[false, true].map((exact): [string, Options, () => Weight] => [
    'NAdam',
    { lr: 0.1, momentumDecay: 0.5, exactProduct: exact },
    () => {
      const mu = (t: number): number => 0.9 * (1 - 0.5 * 0.96 ** (t * 0.5));
      let product = 1;
      return moments(0.9, 0.999, (m, v, g, t) => {
        product = Math.fround(product * mu(t));
        const next = product * mu(t + 1) * (exact ? 1 : mu(t));
        const step = (mu(t + 1) * m) / (1 - next) + ((1 - mu(t)) * g) / (1 - product);
        return (0.1 * step) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
      });
    },
  ]),
  [
    'RAdam',
    { lr: 0.1, decoupledWeightDecay: true, weightDecay: 0.1 },
    shrunk(0.99, () =>
      moments(0.9, 0.999, (m, v, _, t) => {
        const top = 2 / 0.001 - 1;
        const rho = top - (2 * t * 0.999 ** t) / (1 - 0.999 ** t);
        const mHat = m / (1 - 0.9 ** t);
        if (rho <= 5) return 0.1 * mHat;
        const r = Math.sqrt(((rho - 4) * (rho - 2) * top) / ((top - 4) * (top - 2) * rho));
        return (0.1 * mHat * r * Math.sqrt(1 - 0.999 ** t)) / (Math.sqrt(v) + 1e-8);
      }),
    ),
  ],
  [
    'Lion',
    { lr: 0.1, weightDecay: 0.2 },
    shrunk(0.98, () => {
      let m = 0;
      return (p, g) => {
        const next = p - 0.1 * Math.sign(0.9 * m + 0.1 * g);
        m = 0.99 * m + 0.01 * g;
        return next;
      };
    }),
  ],
];

const CURVATURE = [0.5, 3, 1, -0.2, 10, 0];
const START = [1, -2, 0.5, 0.3, -1, 4];
const STEPS = 10;

/** All values of the weights after each step. */
function descend(create: Make, options: Options, how: 'plain' | 'compiled' | 'reference'): number[] {
  const at = { dtype: 'float64', device: how === 'reference' ? 'reference' : 'cpu' } as const;
  const p = tensor(START, { ...at, requiresGrad: true });
  const curvature = tensor(CURVATURE, at);
  const optimizer = create([p], options);
  const body = (): void => {
    optimizer.zeroGrad();
    // ½ Σ a p²
    p.square().mul(curvature).sum().mul(0.5).backward();
    optimizer.step();
  };
  const step = how === 'compiled' ? compile(body) : body;
  const out: number[] = [];
  for (let t = 1; t <= STEPS; t++) {
    step();
    out.push(...numbers(p));
  }
  if (how === 'compiled') expect((step as ReturnType<typeof compile>).stats.captures).toBe(1);
  return out;
}
function formula(weight: () => Weight): number[] {
  const weights = START.map(weight);
  let p = START;
  const out: number[] = [];
  for (let t = 1; t <= STEPS; t++) {
    p = p.map((x, i) => weights[i]!(x, CURVATURE[i]! * x, t));
    out.push(...p);
  }
  return out;
}

describe.each(CASES)('%s %o', (name, options, weight) => {
  test.each(['plain', 'compiled', 'reference'] as const)('%s: ten steps by the formula', how => {
    expect(firstWrong(descend(make(name), options, how), formula(weight), 1e-12, 1e-13)).toBe(null);
  });
});

test('the average of ASGD begins at t0', () => {
  const p = tensor([1], { dtype: 'float64', requiresGrad: true });
  const o = new optim.ASGD([p], { lr: 0.1, lambd: 0, t0: 2 });
  const seen: number[] = [];
  for (let t = 1; t <= 6; t++) {
    p.grad = tensor([1], { dtype: 'float64' });
    o.step();
    seen.push(p.itemSync());
  }
  // μ of a step is 1 / max(1, t − 1 − t0): the mean of what steps 4, 5 and 6 leave.
  const mean = (seen[3]! + seen[4]! + seen[5]!) / 3;
  expect(o.state.get(p)!.tensors.ax!.itemSync()).toBeCloseTo(mean, 7);
});

describe('Muon', () => {
  type Matrix = number[][];
  const product = (a: Matrix, b: Matrix): Matrix =>
    a.map(row => b[0]!.map((_, j) => row.reduce((s, x, k) => s + x * b[k]![j]!, 0)));
  const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map(r => r[j]!));
  const combined = (x: number, a: Matrix, y: number, b: Matrix): Matrix =>
    a.map((r, i) => r.map((v, j) => x * v + y * b[i]![j]!));
  function newtonSchulz(g: Matrix): Matrix {
    const norm = Math.sqrt(g.flat().reduce((s, x) => s + x * x, 0)) + 1e-7;
    let x = g.map(r => r.map(v => v / norm));
    if (g.length > g[0]!.length) x = transposed(x);
    for (let i = 0; i < 5; i++) {
      const s = product(x, transposed(x));
      x = combined(3.4445, x, 1, product(combined(-4.775, s, 2.0315, product(s, s)), x));
    }
    return g.length > g[0]!.length ? transposed(x) : x;
  }

  test.each([
    [3, 5],
    [5, 3],
  ])('three steps of a (%i, %i) matrix by the formula, compiled and not', (rows, columns) => {
    manualSeed(3);
    const at = { dtype: 'float64' } as const;
    const start = randn([rows, columns]).to('float64').realize();
    const grads = [1, 2, 3].map(() => randn([rows, columns]).to('float64').realize());
    const run = (compiled: boolean): number[] => {
      const p = tensor(start.tolistSync() as number[][], { ...at, requiresGrad: true });
      const o = new optim.Muon([p], { lr: 0.1 });
      const step = compiled ? compile(() => void o.step()) : () => void o.step();
      for (const g of grads) {
        p.grad = g;
        step();
      }
      return numbers(p);
    };
    let p = start.tolistSync() as Matrix;
    let v = p.map(r => r.map(() => 0));
    for (const grad of grads) {
      const g = grad.tolistSync() as Matrix;
      v = combined(0.95, v, 0.05, g);
      const u = newtonSchulz(combined(0.95, v, 0.05, g));
      p = combined(1 - 0.1 * 0.1, p, -0.1 * Math.sqrt(Math.max(1, rows / columns)), u);
    }
    expect(firstWrong(run(false), p.flat(), 1e-10, 1e-12)).toBe(null);
    expect(firstWrong(run(true), p.flat(), 1e-10, 1e-12)).toBe(null);
  });

  test('the step is nearly orthogonal: its singular values are near 1', () => {
    manualSeed(1);
    const p = randn([8, 20]).requiresGrad_();
    const before = p.clone().realize();
    p.grad = randn([8, 20]).realize();
    new optim.Muon([p], { lr: 1, weightDecay: 0 }).step();
    const u = before.sub(p.detach());
    const squares = numbers(u.mm(u.transpose(0, 1)).diagonal());
    for (const s of squares) expect(Math.sqrt(s)).toBeGreaterThan(0.6);
    for (const s of squares) expect(Math.sqrt(s)).toBeLessThan(1.3);
  });

  test('takes matrices only', () => {
    expect(() => new optim.Muon([tensor([1, 2], { requiresGrad: true })])).toThrow(
      'Muon: parameters are matrices, got shape (2)',
    );
  });
});

const ONE_KERNEL = [
  'SGD',
  'Adam',
  'AdamW',
  'NAdam',
  'RAdam',
  'RMSprop',
  'Rprop',
  'Adagrad',
  'Adamax',
  'ASGD',
];
test.each([...ONE_KERNEL, 'Lion', 'Adadelta'])('%s updates all parameters in at most two kernels', name => {
  // Code for one element is another kernel than code for many.
  const one = ONE_KERNEL.includes(name) ? [[1]] : [];
  const shapes = [[64, 32], [32], ...one, [3, 3, 8, 8], [7], [128, 10]];
  const params = shapes.map(s => randn(s).requiresGrad_());
  for (const p of params) p.grad = randn(p.shape).realize();
  const o = make(name)(params, name === 'SGD' ? { momentum: 0.9 } : {});
  o.step();
  const kernels = profile(() => o.step()).rows.reduce((n, r) => n + r.count, 0);
  expect(kernels).toBeGreaterThan(0);
  expect(kernels).toBeLessThanOrEqual(2);
  const step = compile(() => void o.step());
  step();
  expect(step.stats.kernels).toBeLessThanOrEqual(2);
});

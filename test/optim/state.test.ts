// Steps, groups and state dicts: what is shared by all rules.

import { describe, expect, test } from 'vitest';
import { compile, manualSeed, optim, randn, type Tensor, tensor } from '../../src/index.ts';
import { counters } from '../../src/tensor/realize.ts';
import { numbers } from '../support.ts';

type Options = Record<string, unknown>;
type Any = optim.Optimizer<optim.AdamOptions>;
type Class = new (params: unknown, options?: Options) => Any;
const classOf = (name: string): Class => (optim as unknown as Record<string, Class>)[name]!;

/** Every rule with state, and the names PyTorch gives to it. */
const RULES: [name: string, options: Options, keys: string[]][] = [
  ['SGD', { lr: 0.1, momentum: 0.9, dampening: 0.5 }, ['momentum_buffer']],
  ['SGD', { lr: 0.1, momentum: 0.9, form: 'classical' }, ['momentum_buffer']],
  ['ASGD', { lambd: 0.1, t0: 2 }, ['ax', 'eta', 'mu', 'step']],
  ['Adagrad', { lrDecay: 0.1 }, ['step', 'sum']],
  ['Adadelta', {}, ['acc_delta', 'square_avg', 'step']],
  ['RMSprop', { momentum: 0.5, centered: true }, ['grad_avg', 'momentum_buffer', 'square_avg', 'step']],
  ['Rprop', {}, ['prev', 'step', 'step_size']],
  ['Adam', { amsgrad: true }, ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'step']],
  ['AdamW', {}, ['exp_avg', 'exp_avg_sq', 'step']],
  ['Adamax', {}, ['exp_avg', 'exp_inf', 'step']],
  ['NAdam', {}, ['exp_avg', 'exp_avg_sq', 'mu_product', 'step']],
  ['RAdam', {}, ['exp_avg', 'exp_avg_sq', 'step']],
  ['Lion', {}, ['exp_avg', 'step']],
  ['Muon', {}, ['momentum_buffer']],
];
const start = (): Tensor[] => {
  manualSeed(5);
  return [randn([3, 4]), randn([2, 3])].map(t => t.realize().requiresGrad_());
};
const copies = (ps: readonly Tensor[]): Tensor[] =>
  ps.map(p => tensor(p.tolistSync() as number[][], { requiresGrad: true }));
/** A step whose gradients depend on the values. */
function stepper(o: Any, ps: readonly Tensor[], compiled: boolean): () => void {
  const body = (): void => {
    o.zeroGrad();
    ps.map(p => p.sin().add(p.square()).sum())
      .reduce((a, b) => a.add(b))
      .backward();
    o.step();
  };
  return compiled ? compile(body) : body;
}
const repeat = (n: number, f: () => void): void => {
  for (let i = 0; i < n; i++) f();
};
const values = (ps: readonly Tensor[]): number[] => ps.flatMap(numbers);

describe.each(RULES)('%s %o', (name, options, keys) => {
  test.each([false, true])('a loaded state dict continues bit for bit, compiled %s', compiled => {
    const ps = start();
    const o = new (classOf(name))(ps, options);
    const step = stepper(o, ps, compiled);
    repeat(3, step);
    const others = copies(ps);
    const saved = o.stateDict();
    expect(Object.keys(saved.state)).toEqual(['0', '1']);
    expect(Object.keys(saved.state[0]!).sort()).toEqual(keys);
    expect(saved.param_groups[0]!.params).toEqual([0, 1]);
    const again = new (classOf(name))(others, { lr: 0.5 });
    again.loadStateDict(saved);
    repeat(4, step);
    repeat(4, stepper(again, others, compiled));
    expect(values(others)).toEqual(values(ps));
    expect(new Set(values(ps)).size).toBeGreaterThan(10);
  });
  test('state made in the first compiled step is the same as without compile', () => {
    const [a, b] = [start(), start()];
    const [oa, ob] = [new (classOf(name))(a, options), new (classOf(name))(b, options)];
    const compiled = stepper(oa, a, true);
    repeat(5, compiled);
    repeat(5, stepper(ob, b, false));
    expect(values(a)).toEqual(values(b));
    expect((compiled as unknown as { stats: { captures: number } }).stats.captures).toBe(1);
  });
});

describe('state dicts', () => {
  test('take a PyTorch checkpoint: numbers for steps, text keys, options of another version', () => {
    const p = tensor([1, 2], { requiresGrad: true });
    const o = new optim.Adam([p]);
    const state = { step: 7, exp_avg: tensor([0.5, 0.25]), exp_avg_sq: tensor([0.1, 0.2]) };
    o.loadStateDict({
      state: { '0': state },
      param_groups: [
        {
          lr: 0.25,
          betas: [0.5, 0.5],
          eps: 0,
          weight_decay: 0,
          amsgrad: false,
          maximize: false,
          foreach: null,
          capturable: false,
          differentiable: false,
          fused: null,
          params: [0],
        },
      ],
    });
    expect(o.paramGroups[0]).toMatchObject({ lr: 0.25, betas: [0.5, 0.5], eps: 0 });
    expect(o.paramGroups[0]).not.toHaveProperty('fused');
    p.grad = tensor([1, 1]);
    o.step();
    const [m, v, c] = [0.75, 0.55, 1 - 0.5 ** 8];
    expect(numbers(p)[0]).toBeCloseTo(1 - (0.25 * (m / c)) / Math.sqrt(v / c), 6);
    // The dict is a copy's source, not shared.
    expect(numbers(state.exp_avg)).toEqual([0.5, 0.25]);
  });

  test('with numbered state in a Map, as a reader of pickles may give it', () => {
    const p = tensor([1], { requiresGrad: true });
    const o = new optim.SGD([p], { momentum: 0.5 });
    const state = new Map([[0, { momentum_buffer: tensor([4]) }]]);
    o.loadStateDict({ state, param_groups: o.stateDict().param_groups });
    expect(numbers(o.state.get(p)!.tensors.momentum_buffer!)).toEqual([4]);
  });

  test('numbers of parameters count over all groups; options of ours are there where they are set', () => {
    const ps = [1, 2, 3].map(x => tensor([x], { requiresGrad: true }));
    const o = new optim.SGD([{ params: [ps[0]!] }, { params: ps.slice(1), lr: 0.5, form: 'ema' }], {
      lr: 0.1,
    });
    expect(o.stateDict().param_groups).toEqual([
      { lr: 0.1, momentum: 0, dampening: 0, weight_decay: 0, nesterov: false, maximize: false, params: [0] },
      {
        lr: 0.5,
        momentum: 0,
        dampening: 0,
        weight_decay: 0,
        nesterov: false,
        maximize: false,
        form: 'ema',
        params: [1, 2],
      },
    ]);
  });

  test.each([
    [
      'groups of other sizes',
      (d: Options) => ({ ...d, param_groups: [] }),
      'the groups must have the sizes (1), got ()',
    ],
    ['no groups', () => ({ state: {} }), 'a state dict has state and param_groups, got Object'],
    [
      'another shape',
      (d: Options) => ({ ...d, state: { 0: { step: 1, exp_avg: tensor([1]), exp_avg_sq: tensor([1]) } } }),
      'exp_avg must have the shape (2) of its parameter, got (1)',
    ],
    [
      'a step that is no number',
      (d: Options) => ({ ...d, state: { 0: { step: 'x' } } }),
      "step must be a number, got 'x'",
    ],
    [
      'a bad option',
      (d: Options) => ({ ...d, param_groups: [{ ...(d.param_groups as Options[])[0], lr: -1 }] }),
      'Adam: lr must be at least 0, got -1',
    ],
  ])('%s: refused, and nothing is changed', (_, change, message) => {
    const p = tensor([1, 2], { requiresGrad: true });
    const o = new optim.Adam([p], { lr: 0.125 });
    p.grad = tensor([1, 1]);
    o.step();
    const before = numbers(o.state.get(p)!.tensors.exp_avg!);
    const bad = change({ ...o.stateDict() }) as unknown as optim.OptimizerStateDict;
    expect(() => o.loadStateDict(bad)).toThrow(message);
    expect(o.paramGroups[0]!.lr).toBe(0.125);
    expect(numbers(o.state.get(p)!.tensors.exp_avg!)).toEqual(before);
    expect(o.state.get(p)!.numbers.values.step).toBe(1);
  });
});

describe('groups', () => {
  const p = (): Tensor => tensor([1, 2], { requiresGrad: true });
  test('have options of their own; an empty one is allowed', () => {
    const [a, b] = [p(), p()];
    const o = new optim.SGD([{ params: [a] }, { params: [b], lr: 1 }, { params: [] }], { lr: 0.5 });
    a.grad = tensor([1, 1]);
    b.grad = tensor([1, 1]);
    o.step();
    expect([numbers(a), numbers(b)]).toEqual([
      [0.5, 1.5],
      [0, 1],
    ]);
  });
  test('state of all groups is made in the first compiled step, which is recorded once', () => {
    const ps = [p(), p(), p()];
    const o = new optim.Adam([{ params: [ps[0]!] }, { params: [ps[1]!], lr: 0.1 }, { params: [ps[2]!] }]);
    const step = stepper(o, ps, true) as ReturnType<typeof compile>;
    repeat(4, step);
    expect(step.stats.captures).toBe(1);
    expect(ps.map(x => o.state.get(x)!.numbers.values.step)).toEqual([4, 4, 4]);
  });
  test('one that is added later steps in a compiled step', () => {
    const [a, b] = [p(), p()];
    const o = new optim.SGD([a], { lr: 0.5 });
    const step = compile(() => {
      o.zeroGrad();
      a.sum().add(b.sum()).backward();
      o.step();
    });
    repeat(3, step);
    expect(numbers(b)).toEqual([1, 2]);
    o.addParamGroup({ params: [b], lr: 0.25 });
    repeat(3, step);
    expect(numbers(b)).toEqual([0.25, 1.25]);
    expect(numbers(a)).toEqual([-2, -1]);
  });
  const shared = p();
  test.each<[string, () => unknown, string]>([
    ['no parameters', () => new optim.SGD([]), 'SGD: at least one parameter is needed, got an empty list'],
    ['the same twice', () => new optim.SGD([shared, shared]), 'SGD: a parameter may be there once only'],
    [
      'the same in two groups',
      () => new optim.Adam([{ params: [shared] }, { params: [shared] }]),
      'Adam: a parameter may be there once only',
    ],
    [
      'no tensor',
      () => new optim.SGD([{ params: [1 as unknown as Tensor] }]),
      'SGD: parameters are tensors, got 1',
    ],
    ['no leaf', () => new optim.SGD([p().mul(2)]), 'SGD: parameters are leaves, got the result of mul'],
    [
      'no group',
      () => new optim.SGD([{ lr: 1 } as never]),
      'SGD: a group is an object with params, got Object',
    ],
    ['lr', () => new optim.AdamW([p()], { lr: -1 }), 'AdamW: lr must be at least 0, got -1'],
    ['NaN', () => new optim.AdamW([p()], { lr: Number.NaN }), 'AdamW: lr must be at least 0, got NaN'],
    ['betas', () => new optim.Adam([p()], { betas: [0.9, 1] }), 'Adam: betas[1] must be in [0, 1), got 1'],
    [
      'of a group',
      () => new optim.Adam([{ params: [p()], eps: -1 }]),
      'Adam: eps must be at least 0, got -1',
    ],
    ['rho', () => new optim.Adadelta([p()], { rho: 2 }), 'Adadelta: rho must be'],
    [
      'etas',
      () => new optim.Rprop([p()], { etas: [2, 3] }),
      'Rprop: etas must be one in (0, 1) and one above 1',
    ],
    [
      'nesterov',
      () => new optim.SGD([p()], { nesterov: true }),
      'SGD: nesterov needs a momentum above 0 and dampening 0, got momentum 0 and dampening 0',
    ],
    [
      'form',
      () => new optim.SGD([p()], { form: 'x' as 'ema' }),
      "SGD: form must be 'torch' or 'ema' or 'classical', got 'x'",
    ],
    [
      'a name that is none',
      () => new optim.SGD([p()], { learningRate: 1 } as never),
      'SGD: options are lr, momentum, dampening, weightDecay, nesterov, maximize, form, l2Factor, ' +
        'decoupledWeightDecay, got learningRate',
    ],
    [
      'of LBFGS',
      () => new optim.LBFGS([{ params: [p()] }, { params: [p()] }]),
      'LBFGS: there can be one group only',
    ],
  ])('refused: %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
  test('a group that is refused is not added', () => {
    const o = new optim.SGD([p()]);
    expect(() => o.addParamGroup({ params: [p()], lr: -1 })).toThrow('lr');
    expect(o.paramGroups.length).toBe(1);
  });
});

describe('steps', () => {
  test('a closure runs with gradients on, and its loss is returned', () => {
    const p = tensor([3], { requiresGrad: true });
    const o = new optim.SGD([p], { lr: 0.5 });
    const loss = o.step(() => {
      o.zeroGrad();
      const l = p.square().sum();
      l.backward();
      return l;
    });
    expect(loss!.itemSync()).toBe(9);
    expect(numbers(p)).toEqual([0]);
    expect(o.step()).toBe(null);
  });

  test('parameters without gradients stay, and count their steps apart', () => {
    const ps = [1, 1].map(x => tensor([x], { dtype: 'float64', requiresGrad: true }));
    const alone = tensor([1], { dtype: 'float64', requiresGrad: true });
    const [o, single] = [new optim.Adam(ps, { lr: 0.1 }), new optim.Adam([alone], { lr: 0.1 })];
    const one = (): Tensor => tensor([0.5], { dtype: 'float64' });
    for (const active of [true, false, true, true, false, true]) {
      ps[0]!.grad = one();
      ps[1]!.grad = active ? one() : null;
      o.step();
      alone.grad = active ? one() : null;
      single.step();
    }
    expect(o.state.get(ps[0]!)!.numbers.values.step).toBe(6);
    expect(o.state.get(ps[1]!)!.numbers.values.step).toBe(4);
    expect(numbers(ps[1]!)).toEqual(numbers(alone));
  });

  test('the same in compiled steps that alternate between all parameters and some', () => {
    const make = (): Tensor[] => [1, 2].map(x => tensor([x], { dtype: 'float64', requiresGrad: true }));
    const run = (compiled: boolean): number[] => {
      const [a, b] = make() as [Tensor, Tensor];
      const o = new optim.Adam([a, b], { lr: 0.1 });
      const body = (both: boolean): void => {
        o.zeroGrad();
        (both ? a.square().add(b.square()) : a.square()).sum().backward();
        o.step();
      };
      const step = compiled ? compile(body) : body;
      for (const both of [true, true, false, true, false, false, true, true, false, true]) step(both);
      return [...numbers(a), ...numbers(b)];
    };
    expect(run(true)).toEqual(run(false));
  });

  test('numbers that change are no part of the plan: nothing is compiled again', () => {
    const ps = start();
    const o = new optim.AdamW(ps, { lr: 0.1 });
    const plain = stepper(o, ps, false);
    const compiled = compile(plain);
    repeat(3, plain);
    repeat(3, compiled);
    const before = counters.compiles;
    for (const lr of [0.2, 0.01, 0, 0.3]) {
      Object.assign(o.paramGroups[0]!, {
        lr,
        betas: [0.8 + lr / 10, 0.99],
        eps: lr / 100,
        weightDecay: 0.1 + lr,
      });
      compiled();
      plain();
    }
    expect(counters.compiles).toBe(before);
    expect(compiled.stats.captures).toBe(1);
  });

  test('an option that changes the rule takes hold in a compiled step', () => {
    const [a, b] = [start(), start()];
    const [oa, ob] = [new optim.SGD(a, { lr: 0.01 }), new optim.SGD(b, { lr: 0.01 })];
    const steps = [stepper(oa as never, a, true), stepper(ob as never, b, false)];
    for (const change of [
      {},
      {},
      { momentum: 0.9 },
      { nesterov: true },
      { weightDecay: 0.1 },
      { momentum: 0, nesterov: false },
    ]) {
      Object.assign(oa.paramGroups[0]!, change);
      Object.assign(ob.paramGroups[0]!, change);
      for (const s of steps) repeat(2, s);
    }
    expect(values(a)).toEqual(values(b));
  });

  test('each layer can have an optimizer of its own', () => {
    const layers = [1, 2, 3].map(x => tensor([x], { dtype: 'float64', requiresGrad: true }));
    const rules = [
      new optim.SGD([layers[0]!], { lr: 0.5 }),
      new optim.Adam([layers[1]!], { lr: 0.5 }),
      new optim.Rprop([layers[2]!], { lr: 0.25 }),
    ];
    const step = compile(() => {
      for (const o of rules) o.zeroGrad();
      const [a, b, c] = layers as [Tensor, Tensor, Tensor];
      a.mul(b).mul(c).sum().backward();
      for (const o of rules) o.step();
    });
    step();
    // Gradients 6, 3 and 2: descent takes half of 6, Adam about its rate, Rprop its step size.
    expect(numbers(layers[0]!)).toEqual([-2]);
    expect(numbers(layers[1]!)[0]).toBeCloseTo(1.5, 7);
    expect(numbers(layers[2]!)).toEqual([2.75]);
  });

  test('float16 and float64 parameters step beside float32 ones', () => {
    const ps = (['float16', 'float32', 'float64'] as const).map(dtype =>
      tensor([1, 2], { dtype, requiresGrad: true }),
    );
    const o = new optim.SGD(ps, { lr: 0.5, momentum: 0.5 });
    for (const p of ps) p.grad = tensor([1, 1], { dtype: p.dtype });
    o.step();
    o.step();
    for (const p of ps) expect(numbers(p)).toEqual([-0.25, 0.75]);
    expect(ps.map(p => o.state.get(p)!.tensors.momentum_buffer!.dtype)).toEqual([
      'float16',
      'float32',
      'float64',
    ]);
  });
});

describe('LBFGS', () => {
  /** ½ xᵀA x − bᵀx with a condition number of 100. */
  const quadratic = (options: Options): [Any, Tensor, () => Tensor, { n: number }] => {
    const p = tensor(
      [
        [1, 1],
        [1, 1],
      ],
      { dtype: 'float64', requiresGrad: true },
    );
    const a = tensor(
      [
        [1, 10],
        [50, 100],
      ],
      { dtype: 'float64' },
    );
    const o = new (classOf('LBFGS'))([p], options);
    const calls = { n: 0 };
    const closure = (): Tensor => {
      calls.n++;
      o.zeroGrad();
      const loss = p.square().mul(a).mul(0.5).sub(p).sum();
      loss.backward();
      return loss;
    };
    return [o, p, closure, calls];
  };
  test('solves a quadratic with strong Wolfe', () => {
    const [o, p, closure, calls] = quadratic({ lineSearchFn: 'strong_wolfe', maxIter: 50 });
    o.step(closure);
    expect(calls.n).toBeLessThan(40);
    numbers(p).forEach((x, i) => {
      expect(x).toBeCloseTo(1 / [1, 10, 50, 100][i]!, 5);
    });
  });
  test('a loaded state dict continues bit for bit', () => {
    const options = { maxIter: 3, lineSearchFn: 'strong_wolfe', historySize: 2 };
    const [o, p, closure] = quadratic(options);
    o.step(closure);
    const [again, q, other] = quadratic(options);
    q.requiresGrad_(false).copy_(p.detach()).requiresGrad_();
    const saved = o.stateDict();
    expect(Object.keys(saved.state[0]!).sort()).toEqual(
      [
        'H_diag',
        'd',
        'func_evals',
        'n_iter',
        'old_dirs',
        'old_stps',
        'prev_flat_grad',
        'prev_loss',
        'ro',
        't',
      ].sort(),
    );
    again.loadStateDict(saved);
    repeat(2, () => void o.step(closure));
    repeat(2, () => void again.step(other));
    expect(numbers(q)).toEqual(numbers(p));
  });
  test('a closure that throws in the line search leaves the parameters', () => {
    const [o, p, closure, calls] = quadratic({ lineSearchFn: 'strong_wolfe' });
    const before = numbers(p);
    expect(() =>
      o.step(() => {
        if (calls.n === 1) throw new Error('stop');
        return closure();
      }),
    ).toThrow('stop');
    expect(numbers(p)).toEqual(before);
  });
  test.each([
    [null, 'LBFGS.loadStateDict: a state dict has state and param_groups, got null'],
    [{ state: { 0: { d: 'x' } } }, "LBFGS.loadStateDict: d must be a number or a vector, got 'x'"],
  ])('a bad state dict is refused', (change, message) => {
    const [o] = quadratic({});
    const dict = change && { ...o.stateDict(), ...change };
    expect(() => o.loadStateDict(dict as unknown as optim.LoadedStateDict)).toThrow(message);
  });
  test('needs a closure, and values', () => {
    const [o, p, closure] = quadratic({});
    closure();
    expect(() => o.step()).toThrow('LBFGS: a step needs a closure');
    expect(() => compile(() => o.step(closure))()).toThrow('LBFGS.step()');
    expect(numbers(p)).toEqual([1, 1, 1, 1]);
  });
});

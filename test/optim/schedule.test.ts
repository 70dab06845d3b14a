// Schedules against their formulas at five points and more, state dicts, the range test.

import { describe, expect, test } from 'vitest';
import { compile, optim, tensor } from '../../src/index.ts';
import { firstWrong, numbers } from '../support.ts';

type Make = (o: optim.Scheduled) => { step(argument?: number): void };
const BASE = 0.2;
const T = 12;
const points = (f: (e: number) => number, n = 40): number[] => Array.from({ length: n }, (_, e) => f(e));
const preview = (make: Make, steps = 40, momentum = 0): { lr: number[]; momentum: number[] } =>
  optim.previewSchedule(make, { steps, lr: BASE, momentum });
const cosine = (x: number): number => (1 + Math.cos(Math.PI * x)) / 2;
/** The triangle wave that rises in `up` steps and falls in `down`. */
const triangle = (e: number, up: number, down: number): number => {
  const x = e % (up + down);
  return x <= up ? x / up : 1 - (x - up) / down;
};

const CURVES: [name: string, make: Make, lr: (e: number) => number, steps?: number][] = [
  ['LambdaLR', o => new optim.LambdaLR(o, { lrLambda: e => 0.95 ** e }), e => BASE * 0.95 ** e],
  ['MultiplicativeLR', o => new optim.MultiplicativeLR(o, { lrLambda: () => 0.9 }), e => BASE * 0.9 ** e],
  [
    'StepLR(10, .5)',
    o => new optim.StepLR(o, { stepSize: 10, gamma: 0.5 }),
    e => BASE * 0.5 ** Math.floor(e / 10),
  ],
  [
    'MultiStepLR',
    o => new optim.MultiStepLR(o, { milestones: [3, 8, 8] }),
    e => BASE * (e < 3 ? 1 : e < 8 ? 0.1 : 0.001),
  ],
  [
    'ConstantLR',
    o => new optim.ConstantLR(o, { factor: 0.25, totalIters: T }),
    e => BASE * (e < T ? 0.25 : 1),
  ],
  [
    'LinearLR',
    o => new optim.LinearLR(o, { startFactor: 0.1, endFactor: 0.7, totalIters: T }),
    e => BASE * (0.1 + 0.6 * Math.min(1, e / T)),
  ],
  ['ExponentialLR', o => new optim.ExponentialLR(o, { gamma: 0.9 }), e => BASE * 0.9 ** e],
  [
    'PolynomialLR',
    o => new optim.PolynomialLR(o, { totalIters: T, power: 2 }),
    e => BASE * (1 - Math.min(e, T) / T) ** 2,
  ],
  [
    'CosineAnnealingLR',
    o => new optim.CosineAnnealingLR(o, { tMax: T, etaMin: 0.05 }),
    e => 0.05 + (BASE - 0.05) * cosine(e / T),
  ],
  [
    'CosineAnnealingWarmRestarts',
    o => new optim.CosineAnnealingWarmRestarts(o, { t0: 5, tMult: 2, etaMin: 0.01 }),
    e => {
      const [start, length] = e < 5 ? [0, 5] : e < 15 ? [5, 10] : e < 35 ? [15, 20] : [35, 40];
      return 0.01 + (BASE - 0.01) * cosine((e - start) / length);
    },
  ],
  [
    'CyclicLR triangular',
    o => new optim.CyclicLR(o, { baseLr: 0.1, maxLr: 0.5, stepSizeUp: 4, stepSizeDown: 6 }),
    e => 0.1 + 0.4 * triangle(e, 4, 6),
  ],
  [
    'CyclicLR triangular2',
    o => new optim.CyclicLR(o, { baseLr: 0.1, maxLr: 0.5, stepSizeUp: 5, mode: 'triangular2' }),
    e => 0.1 + (0.4 * triangle(e, 5, 5)) / 2 ** Math.floor(e / 10),
  ],
  [
    'CyclicLR exp_range',
    o => new optim.CyclicLR(o, { baseLr: 0.1, maxLr: 0.5, stepSizeUp: 5, mode: 'exp_range', gamma: 0.98 }),
    e => 0.1 + 0.4 * triangle(e, 5, 5) * 0.98 ** e,
  ],
  [
    'OneCycleLR',
    o => new optim.OneCycleLR(o, { maxLr: 0.5, totalSteps: 41, pctStart: 11 / 41 }),
    e => (e <= 10 ? 0.5 + (0.02 - 0.5) * cosine(e / 10) : 2e-6 + (0.5 - 2e-6) * cosine((e - 10) / 30)),
  ],
  ['WarmupLR', o => new optim.WarmupLR(o, { totalIters: T }), e => BASE * Math.min(1, e / T)],
  [
    'WarmupLR cosine',
    o => new optim.WarmupLR(o, { totalIters: T, mode: 'cosine', startFactor: 0.1 }),
    e => BASE * (0.1 + 0.9 * (1 - cosine(Math.min(1, e / T)))),
  ],
  ['InverseTimeLR a/(b + t)', o => new optim.InverseTimeLR(o, { a: 3, b: 10 }), e => 3 / (10 + e)],
  [
    'InverseTimeLR from the own rate',
    o => new optim.InverseTimeLR(o, { b: 10 }),
    e => (BASE * 10) / (10 + e),
  ],
  [
    'SequentialLR of warm-up and cosine',
    o =>
      new optim.SequentialLR(o, {
        schedulers: [new optim.WarmupLR(o, { totalIters: 5 }), new optim.CosineAnnealingLR(o, { tMax: 20 })],
        milestones: [5],
      }),
    e => (e < 5 ? (BASE * e) / 5 : BASE * cosine((e - 5) / 20)),
    25,
  ],
  [
    'ChainedScheduler',
    o =>
      new optim.ChainedScheduler([
        new optim.ConstantLR(o, { factor: 0.1, totalIters: 2 }),
        new optim.ExponentialLR(o, { gamma: 0.9 }),
      ]),
    e => BASE * (e < 2 ? 0.1 : 1) * 0.9 ** e,
  ],
];

describe.each(CURVES)('%s', (_, make, formula, steps = 40) => {
  test('is its formula at every step', () => {
    expect(firstWrong(preview(make, steps).lr, points(formula, steps), 1e-10, 1e-15)).toBe(null);
  });
  test('goes on from a state dict', () => {
    type Saving = {
      step(): void;
      stateDict(): optim.ScheduleState;
      loadStateDict(s: optim.ScheduleState): void;
    };
    const fresh = (): [optim.SGD, Saving] => {
      const o = new optim.SGD([tensor([0], { requiresGrad: true })], { lr: BASE, momentum: 0.5 });
      return [o, make(o) as unknown as Saving];
    };
    const [o, schedule] = fresh();
    for (let e = 0; e < 7; e++) schedule.step();
    const [other, again] = fresh();
    other.loadStateDict(o.stateDict());
    again.loadStateDict(structuredClone(schedule.stateDict()));
    for (let e = 0; e < 9; e++) {
      schedule.step();
      again.step();
      expect(other.paramGroups).toMatchObject([
        { lr: o.paramGroups[0]!.lr, momentum: o.paramGroups[0]!.momentum },
      ]);
    }
    expect(again.stateDict()).toEqual(schedule.stateDict());
  });
});

describe('momentum', () => {
  test('ramp from .5 to .9', () => {
    const { momentum, lr } = preview(o => new optim.MomentumRamp(o, { totalIters: 8 }), 12);
    expect(
      firstWrong(
        momentum,
        points(e => 0.5 + 0.4 * Math.min(1, e / 8), 12),
        1e-12,
        0,
      ),
    ).toBe(null);
    expect(new Set(lr)).toEqual(new Set([BASE]));
  });
  test('falls while the rate rises: cyclic and one cycle', () => {
    const cyclic = preview(o => new optim.CyclicLR(o, { baseLr: 0.1, maxLr: 0.5, stepSizeUp: 4 }));
    expect(
      firstWrong(
        cyclic.momentum,
        points(e => 0.9 - 0.1 * triangle(e, 4, 4)),
        1e-12,
        0,
      ),
    ).toBe(null);
    const one = preview(o => new optim.OneCycleLR(o, { maxLr: 0.5, totalSteps: 41, pctStart: 11 / 41 }));
    const wanted = points(e => (e <= 10 ? 0.85 + 0.1 * cosine(e / 10) : 0.95 - 0.1 * cosine((e - 10) / 30)));
    expect(firstWrong(one.momentum, wanted, 1e-12, 0)).toBe(null);
  });
  test('is β₁ of Adam', () => {
    const o = new optim.Adam([tensor([0], { requiresGrad: true })]);
    new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 10 });
    expect(o.paramGroups[0]!.betas).toEqual([0.95, 0.999]);
    expect(o.paramGroups[0]!.lr).toBeCloseTo(0.04, 12);
  });
  test('an optimizer without one is refused', () => {
    const o = new optim.Adagrad([tensor([0], { requiresGrad: true })]);
    expect(() => new optim.OneCycleLR(o, { maxLr: 1, totalSteps: 10 })).toThrow(
      'OneCycleLR: the optimizer must have momentum or betas',
    );
  });
});

describe('ReduceLROnPlateau', () => {
  test('halves on a plateau', () => {
    const metrics = [5, 4, 4, 4, 3, 3, 3, 3, 3, 3];
    const make: Make = o => {
      const s = new optim.ReduceLROnPlateau(o, { factor: 0.5, patience: 1 });
      return { step: m => s.step(m!) };
    };
    const { lr } = optim.previewSchedule(make, { steps: 11, lr: 1, metrics: [...metrics, 3] });
    // Bad steps: 3, 4 | 6, 7 | 8, 9 | …
    expect(lr).toEqual([1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]);
  });
  test('goes on from a state dict', () => {
    const fresh = () => {
      const o = new optim.SGD([tensor([0], { requiresGrad: true })], { lr: 1 });
      return { o, s: new optim.ReduceLROnPlateau(o, { mode: 'max', patience: 2, minLr: 0.05, cooldown: 1 }) };
    };
    const [a, b] = [fresh(), fresh()];
    for (const m of [1, 2, 2, 2]) a.s.step(m);
    b.o.loadStateDict(a.o.stateDict());
    b.s.loadStateDict(structuredClone(a.s.stateDict()));
    for (const m of [2, 2, 2, 2, 2, 2, 2]) {
      a.s.step(m);
      b.s.step(m);
      expect(b.s.getLastLr()).toEqual(a.s.getLastLr());
    }
    expect(a.s.getLastLr()).toEqual([0.05]);
  });
});

describe('state dicts have PyTorch’s names', () => {
  const o = (): optim.SGD => new optim.SGD([tensor([0], { requiresGrad: true })], { lr: 1 });
  test.each<[string, () => optim.ScheduleState, object]>([
    ['StepLR', () => new optim.StepLR(o(), { stepSize: 3 }).stateDict(), { step_size: 3, gamma: 0.1 }],
    [
      'CosineAnnealingLR',
      () => new optim.CosineAnnealingLR(o(), { tMax: 9 }).stateDict(),
      { T_max: 9, eta_min: 0 },
    ],
    [
      'CosineAnnealingWarmRestarts',
      () => new optim.CosineAnnealingWarmRestarts(o(), { t0: 9 }).stateDict(),
      { T_0: 9, T_mult: 1, T_cur: 0, T_i: 9 },
    ],
    [
      'MultiStepLR',
      () => new optim.MultiStepLR(o(), { milestones: [2, 4, 4] }).stateDict(),
      { milestones: { 2: 1, 4: 2 } },
    ],
    ['LinearLR', () => new optim.LinearLR(o()).stateDict(), { start_factor: 1 / 3, total_iters: 5 }],
  ])('%s', (_, make, names) => {
    expect(make()).toMatchObject({ ...names, base_lrs: [1], last_epoch: 0, _step_count: 1 });
  });
  test('a state that does not fit is refused', () => {
    const s = new optim.StepLR(o(), { stepSize: 3 });
    expect(() => s.loadStateDict({})).toThrow('StepLR.loadStateDict: the state has base_lrs and last_epoch');
    expect(() => s.loadStateDict({ base_lrs: [1, 2], last_epoch: 1 })).toThrow(
      '1 base_lrs, one for each group',
    );
  });
});

describe('refused', () => {
  const o = new optim.SGD([tensor([0], { requiresGrad: true })], { lr: 1 });
  test.each<[string, () => unknown, string]>([
    [
      'no optimizer',
      () => new optim.StepLR({} as never, { stepSize: 1 }),
      'the first argument is an optimizer',
    ],
    ['stepSize', () => new optim.StepLR(o, { stepSize: 0 }), 'StepLR: stepSize must be above 0, got 0'],
    ['tMax', () => new optim.CosineAnnealingLR(o, {} as never), 'tMax must be above 0, got undefined'],
    [
      't0',
      () => new optim.CosineAnnealingWarmRestarts(o, { t0: 1.5 }),
      't0 must be an integer from 1 on, got 1.5',
    ],
    ['mode', () => new optim.CyclicLR(o, { baseLr: 1, maxLr: 2, mode: 'x' as 'triangular' }), 'mode must be'],
    ['total', () => new optim.OneCycleLR(o, { maxLr: 1 }), 'totalSteps, or epochs and stepsPerEpoch'],
    ['per group', () => new optim.LambdaLR(o, { lrLambda: [] }), 'one value for each of the 1 groups, got 0'],
    [
      'milestones',
      () => new optim.SequentialLR(o, { schedulers: [], milestones: [] }),
      'one milestone between two',
    ],
    ['nothing chained', () => new optim.ChainedScheduler([]), 'at least one scheduler'],
    [
      'resume',
      () => new optim.StepLR(new optim.SGD([tensor([0])]), { stepSize: 1, lastEpoch: 3 }),
      'initialLr',
    ],
    ['factor', () => new optim.ReduceLROnPlateau(o, { factor: 1 }), 'factor must be below 1, got 1'],
    ['metric', () => new optim.ReduceLROnPlateau(o).step('1' as never), "the metric is a number, got '1'"],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message);
  });
  test('a step after the end of the cycle', () => {
    const s = new optim.OneCycleLR(new optim.SGD([tensor([0])], { lr: 1 }), { maxLr: 1, totalSteps: 2 });
    s.step();
    s.step();
    expect(() => s.step()).toThrow('OneCycleLR.step: the cycle has 2 steps, got step 3');
  });
});

test('the linear rule: k times the batch, k times the rate', () => {
  expect(optim.scaleLr(0.1, 1024, 256)).toBe(0.4);
});

test('a compiled step follows a schedule without being recorded again', () => {
  const run = (compiled: boolean): number[] => {
    const p = tensor([1, 2], { dtype: 'float64', requiresGrad: true });
    const o = new optim.SGD([p], { momentum: 0.9 });
    const schedule = new optim.OneCycleLR(o, { maxLr: 0.2, totalSteps: 20 });
    const body = (): void => {
      o.zeroGrad();
      p.square().sum().backward();
      o.step();
    };
    const step = compiled ? compile(body) : body;
    for (let i = 0; i < 15; i++) {
      step();
      schedule.step();
    }
    if (compiled) expect((step as ReturnType<typeof compile>).stats.captures).toBe(1);
    return numbers(p);
  };
  expect(run(true)).toEqual(run(false));
});

describe('findLr', () => {
  const setup = () => {
    const p = tensor([3, -2], { dtype: 'float64', requiresGrad: true });
    const o = new optim.SGD([p], { lr: 0.125, momentum: 0.5 });
    const closure = () => {
      o.zeroGrad();
      const loss = p.square().sum();
      loss.backward();
      return loss;
    };
    o.step(closure);
    return { p, o, closure };
  };
  test('suggests a rate between too small and divergent, and leaves the training as it was', async () => {
    const { p, o, closure } = setup();
    const before = { p: numbers(p), v: numbers(o.state.get(p)!.tensors.momentum_buffer!) };
    const found = await optim.findLr(o, closure, { startLr: 1e-5, endLr: 100, steps: 80 });
    expect(found.suggestion).toBeGreaterThan(1e-3);
    // Momentum descent of p² is stable below lr (1 + μ) = 1.5.
    expect(found.suggestion).toBeLessThan(1.5);
    expect(found.lrs.length).toBeLessThan(80);
    expect(found.lrs.length).toBe(found.losses.length);
    expect(found.lrs[0]).toBeCloseTo(1e-5, 12);
    expect(numbers(p)).toEqual(before.p);
    expect(numbers(o.state.get(p)!.tensors.momentum_buffer!)).toEqual(before.v);
    expect(o.paramGroups[0]!.lr).toBe(0.125);
    const other = setup();
    o.step(closure);
    other.o.step(other.closure);
    expect(numbers(p)).toEqual(numbers(other.p));
  });
  test('a closure that throws leaves the training as it was', async () => {
    const { p, o, closure } = setup();
    const before = numbers(p);
    let calls = 0;
    const failing = () => {
      if (++calls === 3) throw new Error('no data');
      return closure();
    };
    await expect(optim.findLr(o, failing)).rejects.toThrow('no data');
    expect(numbers(p)).toEqual(before);
    expect(o.paramGroups[0]!.lr).toBe(0.125);
  });
  test('rates must rise', async () => {
    const { o, closure } = setup();
    await expect(optim.findLr(o, closure, { startLr: 1, endLr: 0.1 })).rejects.toThrow(
      'findLr: rates must rise',
    );
  });
});

// Surfaces, scales, clouds, and the Playground's addresses and sets.

import { describe, expect, it } from 'vitest';
import {
  batchNormExample,
  classCounts,
  makeBlobs,
  makeMoons,
  makePlayground,
  makeScales,
  makeSpirals,
  type PlaygroundSet,
  parsePlayground,
  ravine,
  rosenbrock,
} from '../../src/data/index.ts';
import { Generator, gradcheck, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

const from = (seed: number) => ({ generator: new Generator(seed) });
const points = (values: readonly number[]) =>
  Array.from({ length: values.length / 2 }, (_, i) => [values[2 * i]!, values[2 * i + 1]!] as const);
const mean = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / v.length;
const std = (v: readonly number[]) => Math.sqrt(mean(v.map(x => (x - mean(v)) ** 2)));

describe('surfaces', () => {
  it('rosenbrock has its minimum 0 at (a, a²), and its formula', () => {
    expect(
      numbers(
        rosenbrock(
          tensor([
            [1, 1],
            [0, 0],
            [-1.5, 2],
          ]),
        ),
      ),
    ).toEqual([0, 1, 2.5 ** 2 + 100 * 0.25 ** 2]);
    expect(rosenbrock(tensor([2, 4]), { a: 2, b: 7 }).itemSync()).toBe(0);
    const at = tensor([-1.2, 1], { dtype: 'float64', requiresGrad: true });
    expect(gradcheck(p => rosenbrock(p!), [at])).toBe(true);
    // ∂f/∂x = −2(1 − x) − 400x(y − x²), ∂f/∂y = 200(y − x²)
    rosenbrock(at).backward();
    const [gx, gy] = numbers(at.grad!);
    expect(gx).toBeCloseTo(-2 * 2.2 + 400 * 1.2 * (1 - 1.44), 9);
    expect(gy).toBeCloseTo(200 * (1 - 1.44), 9);
  });
  it('ravine is kappa times as steep across as along', () => {
    const p = tensor([1, 1], { requiresGrad: true });
    ravine(p, { kappa: 50 }).backward();
    expect(numbers(p.grad!)).toEqual([1, 50]);
    expect(ravine(tensor([[3, 4]])).itemSync()).toBe(0.5 * (9 + 1600));
    expect(() => ravine(p, { kappa: 0.5 })).toThrow('ravine: kappa must be >= 1, got 0.5');
    expect(() => rosenbrock(tensor([1, 2, 3]))).toThrow('two coordinates in the last dim, got (3)');
  });
});

it('makeScales: features 1000 apart, gradients too', () => {
  const { x, y } = makeScales(5000, from(1));
  const p = points(numbers(x));
  const [a, b] = [p.map(([v]) => v), p.map(([, v]) => v)];
  expect([Math.min(...a) >= 0, Math.max(...a) < 1, Math.max(...b) < 1000, Math.max(...b) > 990]).toEqual(
    Array(4).fill(true),
  );
  numbers(y).forEach((v, i) => {
    expect(v).toBeCloseTo(a[i]! + b[i]! / 1000, 5);
  });
  const w = tensor([[0], [0]], { requiresGrad: true });
  x.matmul(w).sub(y).square().mean().backward();
  const [ga, gb] = numbers(w.grad!);
  expect(gb! / ga!).toBeGreaterThan(900);
  expect(gb! / ga!).toBeLessThan(1100);
});

it('batchNormExample has means .3 and .7, population variance .02, sample variance .025', () => {
  for (const [t, m] of [
    [batchNormExample()[0], 0.3],
    [batchNormExample()[1], 0.7],
  ] as const) {
    expect(t.mean().itemSync()).toBeCloseTo(m, 6);
    expect(t.var(0, { correction: 0 }).itemSync()).toBeCloseTo(0.02, 6);
    expect(t.var(0).itemSync()).toBeCloseTo(0.025, 6);
  }
});

describe('clouds', () => {
  it('makeMoons lies on two half circles', () => {
    const { x, y } = makeMoons(200, { noise: 0 });
    points(numbers(x)).forEach(([a, b], i) => {
      const r = i < 100 ? Math.hypot(a, b) : Math.hypot(a - 1, b - 0.5);
      expect(r).toBeCloseTo(1, 5);
      expect(i < 100 ? b >= -1e-6 : b <= 0.5 + 1e-6).toBe(true);
    });
    expect(classCounts(y)).toEqual([100, 100]);
    const [clean, noisy] = [
      numbers(makeMoons(4000, { noise: 0 }).x),
      numbers(makeMoons(4000, { ...from(1), noise: 0.2 }).x),
    ];
    expect(std(noisy.map((v, i) => v - clean[i]!))).toBeCloseTo(0.2, 2);
    expect(() => makeMoons(9, { noise: -1 })).toThrow('makeMoons: noise must be >= 0');
    expect(() => makeSpirals(9, { noise: -1 })).toThrow('makeSpirals: noise must be >= 0');
  });
  it('makeSpirals: the arms are mirror images, radius grows with the angle', () => {
    const p = points(numbers(makeSpirals(200, { noise: 0, turns: 2 }).x));
    for (let i = 0; i < 100; i++) {
      expect(Math.hypot(...p[i]!)).toBeCloseTo(i / 100, 5);
      expect(p[100 + i]![0]).toBeCloseTo(-p[i]![0], 5);
      expect(p[100 + i]![1]).toBeCloseTo(-p[i]![1], 5);
    }
  });
  it('makeBlobs: means and spread of each cloud', () => {
    const centers = [
      [0, 0, 5],
      [10, -10, 0],
    ];
    const { x, y } = makeBlobs(4000, { ...from(1), centers, std: 0.5 });
    expect([x.shape, classCounts(y)]).toEqual([
      [4000, 3],
      [2000, 2000],
    ]);
    const v = numbers(x);
    for (const c of [0, 1])
      for (const d of [0, 1, 2]) {
        const column = v.filter((_, k) => k % 3 === d && Math.floor(k / 3) % 2 === c);
        expect(Math.abs(mean(column) - centers[c]![d]!)).toBeLessThan(0.06);
        expect(Math.abs(std(column) - 0.5)).toBeLessThan(0.05);
      }
    expect(classCounts(makeBlobs(9).y)).toEqual([3, 3, 3]);
  });
});

describe('the Playground', () => {
  it('has its settings in its address', () => {
    const url =
      'https://playground.tensorflow.org/#activation=relu&batchSize=10&dataset=xor&regDataset=reg-plane&learningRate=0.00001&regularizationRate=0&noise=0&networkShape=4,2&seed=0.32858&showTestData=false&discretize=false&percTrainData=50&x=true&y=true&xTimesY=false&xSquared=false&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false&collectStats=false&problem=classification&initZero=false&hideText=false';
    const settings = {
      problem: 'classification',
      dataset: 'xor',
      activation: 'relu',
      regularization: 'none',
      regularizationRate: 0,
      learningRate: 1e-5,
      batchSize: 10,
      noise: 0,
      percTrainData: 50,
      networkShape: [4, 2],
      features: ['x', 'y'],
      initZero: false,
      discretize: false,
      showTestData: false,
      seed: '0.32858',
    };
    expect(parsePlayground(url)).toEqual(settings);
    expect(parsePlayground(url.slice(url.indexOf('#') + 1))).toEqual(settings);
  });
  it('has defaults, regression and other features', () => {
    expect(parsePlayground('https://playground.tensorflow.org/')).toMatchObject({
      dataset: 'circle',
      activation: 'tanh',
      learningRate: 0.03,
      networkShape: [4, 2],
      features: ['x', 'y'],
    });
    expect(
      parsePlayground(
        '#problem=regression&regDataset=reg-gauss&regularization=L2&networkShape=&x=false&sinX=true&noise=25',
      ),
    ).toMatchObject({
      problem: 'regression',
      dataset: 'reg-gauss',
      regularization: 'L2',
      networkShape: [],
      features: ['y', 'sinX'],
      noise: 25,
    });
  });
  it('refuses what it does not know', () => {
    expect(() => parsePlayground('#dataset=moons')).toThrow(
      "parsePlayground: dataset must be one of circle, xor, gauss, spiral, got 'moons'",
    );
    expect(() => parsePlayground('#learningRate=fast')).toThrow(
      "learningRate must be a number >= 0, got 'fast'",
    );
    expect(() => parsePlayground('#noise=60')).toThrow('noise must be a number >= 0 and <= 50');
    expect(() => parsePlayground('#networkShape=4,x')).toThrow(
      "networkShape must be the neurons of each layer, as 4,2, got '4,x'",
    );
    expect(() => parsePlayground('#x=maybe')).toThrow('x must be one of true, false');
  });
  it('has sets by its recipes', () => {
    const read = (set: PlaygroundSet, noise = 0) => {
      const { x, y } = makePlayground(set, { ...from(1), n: 2000, noise });
      return { p: points(numbers(x)), y: numbers(y), shape: y.shape };
    };
    const rule: Record<string, (x: number, y: number) => boolean> = {
      circle: (x, y) => Math.hypot(x, y) < 2.5,
      xor: (x, y) => x * y >= 0,
    };
    for (const set of ['circle', 'xor'] as const) {
      const { p, y } = read(set);
      expect(p.map(([a, b]) => (rule[set]!(a, b) ? 1 : 0))).toEqual(y);
      const wrong = (noise: number) => {
        const r = read(set, noise);
        return r.p.filter(([a, b], i) => (rule[set]!(a, b) ? 1 : 0) !== r.y[i]).length;
      };
      expect(wrong(50)).toBeGreaterThan(100);
    }
    const { p, y } = read('gauss', 50);
    const blue = p.filter((_, i) => y[i] === 1).map(([a]) => a);
    expect([Math.abs(mean(blue) - 2) < 0.35, Math.abs(std(blue) - 2) < 0.25]).toEqual([true, true]);
    const spiral = read('spiral');
    expect(Math.max(...spiral.p.map(([a, b]) => Math.hypot(a, b)))).toBeLessThan(5);
    for (const i of [100, 999]) {
      const angle = 2 * Math.PI * 1.75 * (i / 1000);
      expect(spiral.p[i]![0]).toBeCloseTo((i / 200) * Math.sin(angle), 4);
      expect(spiral.p[1000 + i]![1]).toBeCloseTo(-(i / 200) * Math.cos(angle), 4);
    }
    const plane = read('reg-plane');
    expect(plane.shape).toEqual([2000, 1]);
    plane.p.forEach(([a, b], i) => {
      expect(plane.y[i]).toBeCloseTo((a + b) / 10, 5);
    });
    const hills = read('reg-gauss');
    hills.p.forEach(([a, b], i) => {
      const sign = [Math.round(a / 4) % 2 === 0 ? -1 : 1, b > 0 ? 1 : -1];
      if (Math.abs(hills.y[i]!) > 0.5) expect(Math.sign(hills.y[i]!)).toBe(sign[0]! * sign[1]!);
    });
    expect(hills.y.filter(v => v !== 0).length).toBeGreaterThan(600);
    expect(() => makePlayground('moons' as 'xor')).toThrow('makePlayground: sets are circle, xor');
  });
});

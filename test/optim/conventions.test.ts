// The forms in which the course's sources write momentum, ε and weight decay: where they agree and where they differ.

import { describe, expect, test } from 'vitest';
import { optim, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

interface Any {
  readonly paramGroups: { lr: number }[];
  step(): unknown;
}
/** The path of a weight with gradient a·p, the rate set anew at each step. */
function path(make: (params: Tensor[]) => Any, rates: readonly number[], a = 1): number[] {
  const p = tensor([1], { dtype: 'float64', requiresGrad: true });
  const o = make([p]);
  return rates.map(lr => {
    o.paramGroups[0]!.lr = lr;
    p.grad = p.detach().mul(a);
    o.step();
    return p.itemSync();
  });
}
const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
const sgd =
  (options: Partial<optim.SGDOptions>) =>
  (ps: Tensor[]): Any =>
    new optim.SGD(ps, options);
const constant = (lr: number): number[] => Array(30).fill(lr);

describe('momentum', () => {
  const form = (f: optim.SGDOptions['form']) => sgd({ momentum: 0.9, form: f });
  test('torch and classical are equal at a constant rate', () => {
    expect(apart(path(form('torch'), constant(0.05)), path(form('classical'), constant(0.05)))).toBeLessThan(
      1e-14,
    );
  });
  test('ema at ten times the rate is torch, for β = .9', () => {
    expect(apart(path(form('torch'), constant(0.05)), path(form('ema'), constant(0.5)))).toBeLessThan(1e-14);
    expect(apart(path(form('torch'), constant(0.05)), path(form('ema'), constant(0.05)))).toBeGreaterThan(
      0.5,
    );
  });
  test('after a cut of the rate to a tenth the classical form goes on at the old pace', () => {
    const cut = [0.05, 0.05, 0.005, 0.005];
    const [torch, classical] = [path(form('torch'), cut), path(form('classical'), cut)];
    expect(apart(torch.slice(0, 2), classical.slice(0, 2))).toBeLessThan(1e-15);
    const step = (p: readonly number[]): number => p[1]! - p[2]!;
    // torch: a tenth of the velocity; classical: the whole old one.
    expect(step(classical)).toBeGreaterThan(5 * step(torch));
  });
});

describe('ε', () => {
  const step = (make: (ps: Tensor[]) => Any, g: number): number => {
    const p = tensor([0], { dtype: 'float64', requiresGrad: true });
    p.grad = tensor([g], { dtype: 'float64' });
    make([p]).step();
    return -numbers(p)[0]!;
  };
  const makers = {
    Adam: (epsInside: boolean) => (ps: Tensor[]) => new optim.Adam(ps, { lr: 1, epsInside }),
    Adagrad: (epsInside: boolean) => (ps: Tensor[]) => new optim.Adagrad(ps, { lr: 1, eps: 1e-8, epsInside }),
    // The first average is (1 − α) g².
    RMSprop: (epsInside: boolean) => (ps: Tensor[]) => new optim.RMSprop(ps, { lr: 1, alpha: 0, epsInside }),
  };
  test.each(Object.entries(makers))(
    '%s: a gradient of 1e-6 takes a step of .99, or of .01 with ε inside',
    (_, make) => {
      expect(step(make(false), 1e-6)).toBeCloseTo(0.990099, 6);
      expect(step(make(true), 1e-6)).toBeCloseTo(0.0099995, 6);
    },
  );
  test.each(Object.entries(makers))('%s: both are 1 for a gradient of 1', (_, make) => {
    expect(step(make(false), 1)).toBeCloseTo(1, 7);
    expect(step(make(true), 1)).toBeCloseTo(1, 7);
  });
});

describe('weight decay', () => {
  const adam =
    (options: Partial<optim.AdamOptions>) =>
    (ps: Tensor[]): Any =>
      new optim.Adam(ps, options);
  test('λ‖p‖² is twice ½λ‖p‖²', () => {
    const twice = path(sgd({ weightDecay: 0.1, l2Factor: 2 }), constant(0.05));
    expect(twice).toEqual(path(sgd({ weightDecay: 0.2 }), constant(0.05)));
    expect(apart(twice, path(sgd({ weightDecay: 0.1 }), constant(0.05)))).toBeGreaterThan(0.01);
    const inAdam = path(adam({ weightDecay: 0.1, l2Factor: 2 }), constant(0.05), 0.01);
    expect(inAdam).toEqual(path(adam({ weightDecay: 0.2 }), constant(0.05), 0.01));
  });
  test('a penalty and decoupled decay are equal for plain SGD only', () => {
    const both = (
      make: (o: { weightDecay: number; decoupledWeightDecay: boolean }) => (ps: Tensor[]) => Any,
    ) =>
      apart(
        path(make({ weightDecay: 0.5, decoupledWeightDecay: false }), constant(0.05)),
        path(make({ weightDecay: 0.5, decoupledWeightDecay: true }), constant(0.05)),
      );
    expect(both(sgd)).toBeLessThan(1e-14);
    expect(both(o => sgd({ ...o, momentum: 0.9 }))).toBeGreaterThan(0.1);
    expect(both(adam)).toBeGreaterThan(0.01);
  });
  test('AdamW is Adam with decoupled decay', () => {
    const w = path(ps => new optim.AdamW(ps, { weightDecay: 0.2 }), constant(0.05));
    expect(w).toEqual(path(adam({ weightDecay: 0.2, decoupledWeightDecay: true }), constant(0.05)));
  });
});

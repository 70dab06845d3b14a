// Rprop and ASGD.

import { ValueError } from '../base/errors.ts';
import {
  add,
  constLike,
  eq,
  gt,
  lt,
  maximum,
  minimum,
  mul,
  sign,
  sub,
  where,
} from '../ir/ops/elementwise.ts';
import { type CommonOptions, type Group, Optimizer, type Params, type Rule } from './optimizer.ts';
import type { Named, Step } from './step.ts';

export interface RpropOptions extends CommonOptions {
  /** η⁻ and η⁺: the factors of a step size when the gradient's sign turned, and when it stayed. */
  etas: readonly [number, number];
  /** The smallest and the largest step size. */
  stepSizes: readonly [number, number];
}

/**
 * Each weight has a step size: times η⁺ where its gradient kept its sign, times η⁻ where the sign turned (then the weight
 * stays for one step); p ← p − size · sign(g). For whole batches. Defaults: lr (the first size) 1e-2, etas (.5, 1.2),
 * stepSizes (1e-6, 50). Riedmiller and Braun 1993.
 */
export class Rprop extends Optimizer<RpropOptions> {
  constructor(params: Params<RpropOptions>, options: Partial<RpropOptions> = {}) {
    super('Rprop', params, options, { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false });
  }
  protected override check(o: Group<RpropOptions>): void {
    super.check(o);
    this.inRange('stepSizes', o.stepSizes);
    const [down, up] = o.etas;
    if (!(down > 0 && down < 1 && up > 1))
      throw new ValueError('Rprop', 'etas must be one in (0, 1) and one above 1', `${down} and ${up}`, '');
  }
  protected override rule(o: Group<RpropOptions>, { number }: Step): Rule {
    const [down, up] = [number(() => o.etas[0]), number(() => o.etas[1])];
    const [low, high] = [number(() => o.stepSizes[0]), number(() => o.stepSizes[1])];
    const [zero, one] = [constLike(low, 0), constLike(low, 1)];
    return (p, grad, s) => {
      const turn = sign(mul(grad, s.get('prev')));
      const factor = where(gt(turn, zero), up, where(lt(turn, zero), down, one));
      const size = s.set('step_size', minimum(maximum(mul(s.get('step_size', o.lr), factor), low), high));
      const g = s.set('prev', where(lt(turn, zero), zero, grad));
      return sub(p, mul(sign(g), size));
    };
  }
}

export interface ASGDOptions extends CommonOptions {
  /** λ of the decay of p and of the step size. */
  lambd: number;
  /** The power of the step size's decay. */
  alpha: number;
  /** The step from which parameters are averaged. */
  t0: number;
  weightDecay: number;
}

/**
 * p ← (1 − λη) p − η g with η = lr / (1 + λ·lr·t)^α of the step before; the average of p from step t0 on is in the state
 * (`ax`). Defaults: lr 1e-2, lambd 1e-4, alpha .75, t0 1e6. Polyak and Juditsky 1992; Bottou 2010.
 */
export class ASGD extends Optimizer<ASGDOptions> {
  constructor(params: Params<ASGDOptions>, options: Partial<ASGDOptions> = {}) {
    const torch = { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0, maximize: false };
    super('ASGD', params, options, torch, { l2Factor: 1, decoupledWeightDecay: false });
  }
  protected override initial(o: Group<ASGDOptions>): Named {
    return { step: 0, eta: Math.fround(o.lr), mu: 1 };
  }
  protected override tick(n: Named, o: Group<ASGDOptions>): void {
    n.step!++;
    // In float32, as they are saved.
    n.eta = Math.fround(o.lr / (1 + o.lambd * o.lr * n.step!) ** o.alpha);
    n.mu = Math.fround(1 / Math.max(1, n.step! - o.t0));
  }
  protected override rule(o: Group<ASGDOptions>, { number }: Step): Rule {
    const keep = number((_, n) => 1 - o.lambd * n.eta!);
    const eta = number((_, n) => n.eta!);
    const mu = number((_, n) => n.mu!);
    const whole = eq(mu, constLike(mu, 1));
    return (p, g, s) => {
      const next = sub(mul(p, keep), mul(g, eta));
      const ax = s.get('ax');
      s.set('ax', where(whole, next, add(ax, mul(sub(next, ax), mu))));
      return next;
    };
  }
}

// Adagrad, Adadelta and RMSprop: steps divided by the root of past squares, summed or averaged.

import { add, div, mul, sqrt, square, sub } from '../ir/ops/elementwise.ts';
import { type CommonOptions, type Group, Optimizer, type Params, type Rule } from './optimizer.ts';
import type { Step } from './step.ts';

export interface AdagradOptions extends CommonOptions {
  /** lr falls to lr / (1 + (t − 1)·lrDecay). */
  lrDecay: number;
  weightDecay: number;
  initialAccumulatorValue: number;
  eps: number;
  /** √(s + ε) instead of √s + ε. */
  epsInside: boolean;
}
const EXTRAS = { epsInside: false, l2Factor: 1, decoupledWeightDecay: false };

/**
 * s ← s + g², p ← p − lr / (1 + (t − 1)·lrDecay) · g / (√s + ε). Defaults: lr 1e-2, lrDecay 0, eps 1e-10.
 * Duchi et al. 2011.
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(params: Params<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    const torch = {
      lr: 1e-2,
      lrDecay: 0,
      eps: 1e-10,
      weightDecay: 0,
      initialAccumulatorValue: 0,
      maximize: false,
    };
    super('Adagrad', params, options, torch, EXTRAS);
  }
  protected override check(o: Group<AdagradOptions>): void {
    super.check(o);
    this.inRange('initialAccumulatorValue', o.initialAccumulatorValue);
  }
  protected override rule(o: Group<AdagradOptions>, { number, root }: Step): Rule {
    const rate = number(t => o.lr / (1 + (t - 1) * o.lrDecay));
    const rooted = root(o);
    return (p, g, st) => {
      const s = st.set('sum', add(st.get('sum', o.initialAccumulatorValue), square(g)));
      return sub(p, mul(div(g, rooted(s)), rate));
    };
  }
}

export interface AdadeltaOptions extends CommonOptions {
  /** ρ of both averages. */
  rho: number;
  eps: number;
  weightDecay: number;
}

/**
 * s ← ρ s + (1 − ρ) g², δ = √(d + ε) / √(s + ε) · g, d ← ρ d + (1 − ρ) δ², p ← p − lr · δ.
 * Defaults: lr 1, rho .9, eps 1e-6. Zeiler 2012.
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  constructor(params: Params<AdadeltaOptions>, options: Partial<AdadeltaOptions> = {}) {
    const torch = { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false };
    super('Adadelta', params, options, torch, { l2Factor: 1, decoupledWeightDecay: false });
  }
  protected override check(o: Group<AdadeltaOptions>): void {
    super.check(o);
    this.inRange('rho', o.rho, 1 + Number.EPSILON);
  }
  protected override rule(o: Group<AdadeltaOptions>, { number, ema }: Step): Rule {
    const average = ema(() => o.rho);
    const [lr, eps] = [number(() => o.lr), number(() => o.eps)];
    return (p, g, st) => {
      const s = st.set('square_avg', average(st.get('square_avg'), square(g)));
      const d = st.get('acc_delta');
      const delta = mul(div(sqrt(add(d, eps)), sqrt(add(s, eps))), g);
      st.set('acc_delta', average(d, square(delta)));
      return sub(p, mul(delta, lr));
    };
  }
}

export interface RMSpropOptions extends CommonOptions {
  /** α of the average of squares. */
  alpha: number;
  eps: number;
  weightDecay: number;
  momentum: number;
  /** Divide by the standard deviation: the average gradient is taken out. */
  centered: boolean;
  /** √(s + ε) instead of √s + ε. */
  epsInside: boolean;
}

/**
 * s ← α s + (1 − α) g², p ← p − lr · g / (√s + ε); centered: s minus the squared average of g under the root;
 * momentum: b ← μ b + g / (√s + ε), p ← p − lr · b. Defaults: lr 1e-2, alpha .99, eps 1e-8.
 * Tieleman and Hinton 2012; centered: Graves 2013.
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(params: Params<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    const torch = {
      lr: 1e-2,
      momentum: 0,
      alpha: 0.99,
      eps: 1e-8,
      centered: false,
      weightDecay: 0,
      maximize: false,
    };
    super('RMSprop', params, options, torch, EXTRAS);
  }
  protected override rule(o: Group<RMSpropOptions>, { number, on, ema, root }: Step): Rule {
    const average = ema(() => o.alpha);
    const rooted = root(o);
    const [lr, mu] = [number(() => o.lr), number(() => o.momentum)];
    const centered = on(() => o.centered);
    const momentum = on(() => o.momentum !== 0);
    return (p, g, st) => {
      let s = st.set('square_avg', average(st.get('square_avg'), square(g)));
      if (centered) s = sub(s, square(st.set('grad_avg', average(st.get('grad_avg'), g))));
      let step = div(g, rooted(s));
      if (momentum) step = st.set('momentum_buffer', add(mul(st.get('momentum_buffer'), mu), step));
      return sub(p, mul(step, lr));
    };
  }
}

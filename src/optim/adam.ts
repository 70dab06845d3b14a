// Adam and AdamW.

import { div, maximum, mul, square, sub } from '../ir/ops/elementwise.ts';
import { type CommonOptions, type Group, Optimizer, type Params, type Rule } from './optimizer.ts';
import type { Step } from './step.ts';

export interface AdamOptions extends CommonOptions {
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  /** Divide by the largest second moment so far (Reddi et al. 2018). */
  amsgrad: boolean;
  /** √(v̂ + ε) instead of √v̂ + ε. */
  epsInside: boolean;
}
const DEFAULTS = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
} as const;
const EXTRAS = { epsInside: false, l2Factor: 1, decoupledWeightDecay: false };

/**
 * m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − lr · m̂ / (√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
 * weightDecay λ adds λ p to g. Defaults: lr 1e-3, betas (.9, .999), eps 1e-8. Kingma and Ba 2015.
 */
export class Adam extends Optimizer<AdamOptions> {
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}, op = 'Adam') {
    super(op, params, options, DEFAULTS, EXTRAS);
  }
  protected override rule(o: Group<AdamOptions>, { number, on, ema, root }: Step): Rule {
    const [first, second] = [ema(() => o.betas[0]), ema(() => o.betas[1])];
    const amsgrad = on(() => o.amsgrad);
    // The bias corrections are computed in float64 on the host: 1 − β₂ᵗ in float32 is off by 1e-5 at first.
    const rate = number(t => o.lr / (1 - o.betas[0] ** t));
    const correction = number(t => 1 / (1 - o.betas[1] ** t));
    const rooted = root(o);
    return (p, g, s) => {
      const m = s.set('exp_avg', first(s.get('exp_avg'), g));
      const v = s.set('exp_avg_sq', second(s.get('exp_avg_sq'), square(g)));
      const top = amsgrad ? s.set('max_exp_avg_sq', maximum(s.get('max_exp_avg_sq'), v)) : v;
      return sub(p, mul(div(m, rooted(mul(top, correction))), rate));
    };
  }
}

/** Adam with decoupled weight decay: p shrinks by lr·λ·p beside the step. Default λ 0.01. Loshchilov and Hutter 2019. */
export class AdamW extends Adam {
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { weightDecay: 0.01, ...options }, 'AdamW');
  }
  protected override decoupled(): boolean {
    return true;
  }
}

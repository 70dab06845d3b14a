// Relatives of Adam: Adamax, NAdam, RAdam, Lion.

import { abs, add, div, maximum, mul, sign, sqrt, square, sub } from '../ir/ops/elementwise.ts';
import { type CommonOptions, type Group, Optimizer, type Params, type Rule } from './optimizer.ts';
import type { Named, Step } from './step.ts';

interface MomentOptions extends CommonOptions {
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
}
export type AdamaxOptions = MomentOptions;
export type RAdamOptions = MomentOptions;
export interface NAdamOptions extends MomentOptions {
  /** ψ: how slowly the momentum rises to β₁. */
  momentumDecay: number;
  /** Πₜ₊₁ = Πₜ μₜ₊₁, as in the paper and in PyTorch 2; otherwise Πₜ μₜ μₜ₊₁, as in PyTorch 1. */
  exactProduct: boolean;
}
const DEFAULTS = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 } as const;
const EXTRAS = { l2Factor: 1, decoupledWeightDecay: false };

/**
 * m ← β₁ m + (1 − β₁) g, u ← max(β₂ u, |g| + ε), p ← p − lr / (1 − β₁ᵗ) · m / u: Adam with the largest gradient in place
 * of the root mean square. Defaults: lr 2e-3, betas (.9, .999), eps 1e-8. Kingma and Ba 2015, section 7.1.
 */
export class Adamax extends Optimizer<AdamaxOptions> {
  constructor(params: Params<AdamaxOptions>, options: Partial<AdamaxOptions> = {}) {
    super('Adamax', params, options, { lr: 2e-3, ...DEFAULTS, maximize: false }, EXTRAS);
  }
  protected override rule(o: Group<AdamaxOptions>, { number, ema }: Step): Rule {
    const first = ema(() => o.betas[0]);
    const [b2, eps] = [number(() => o.betas[1]), number(() => o.eps)];
    const rate = number(t => o.lr / (1 - o.betas[0] ** t));
    return (p, g, s) => {
      const m = s.set('exp_avg', first(s.get('exp_avg'), g));
      const u = s.set('exp_inf', maximum(mul(s.get('exp_inf'), b2), add(abs(g), eps)));
      return sub(p, mul(div(m, u), rate));
    };
  }
}

/** μₜ = β₁ (1 − ½ · .96^(tψ)). */
const mu = (o: NAdamOptions, t: number): number => o.betas[0] * (1 - 0.5 * 0.96 ** (t * o.momentumDecay));
/** Πₜ from Πₜ₋₁, in float32 as it is saved. */
const product = (n: Named, o: NAdamOptions, t: number): number => Math.fround(n.mu_product! * mu(o, t));

/**
 * Adam with Nesterov's momentum: p ← p − lr · (μₜ₊₁ m / (1 − Πₜ₊₁) + (1 − μₜ) g / (1 − Πₜ)) / (√v̂ + ε), with
 * μₜ = β₁ (1 − ½·.96^(tψ)) and Πₜ = μ₁ … μₜ. Defaults: lr 2e-3, betas (.9, .999), eps 1e-8, momentumDecay ψ 4e-3;
 * exactProduct false. Dozat 2016.
 */
export class NAdam extends Optimizer<NAdamOptions> {
  constructor(params: Params<NAdamOptions>, options: Partial<NAdamOptions> = {}) {
    const torch = { lr: 2e-3, ...DEFAULTS, momentumDecay: 4e-3 };
    super('NAdam', params, options, torch, { ...EXTRAS, maximize: false, exactProduct: false });
  }
  protected override initial(): Named {
    return { step: 0, mu_product: 1 };
  }
  protected override tick(n: Named, o: Group<NAdamOptions>): void {
    n.step!++;
    n.mu_product = product(n, o, n.step!);
  }
  protected override rule(o: Group<NAdamOptions>, { number, ema }: Step): Rule {
    const [first, second] = [ema(() => o.betas[0]), ema(() => o.betas[1])];
    const ofG = number((t, n) => (o.lr * (1 - mu(o, t))) / (1 - product(n, o, t)));
    const ofM = number((t, n) => {
      const next = product(n, o, t) * (o.exactProduct ? 1 : mu(o, t)) * mu(o, t + 1);
      return (o.lr * mu(o, t + 1)) / (1 - next);
    });
    const correction = number(t => 1 / (1 - o.betas[1] ** t));
    const eps = number(() => o.eps);
    return (p, g, s) => {
      const m = s.set('exp_avg', first(s.get('exp_avg'), g));
      const v = s.set('exp_avg_sq', second(s.get('exp_avg_sq'), square(g)));
      const step = add(mul(g, ofG), mul(m, ofM));
      return sub(p, div(step, add(sqrt(mul(v, correction)), eps)));
    };
  }
}

/** The rectification r of the step by the variance of 1/√v; 0 while ρₜ ≤ 5: no second moment is used. */
function rectification(beta2: number, t: number): number {
  const top = 2 / (1 - beta2) - 1;
  const rho = top - (2 * t * beta2 ** t) / (1 - beta2 ** t);
  return rho > 5 ? Math.sqrt(((rho - 4) * (rho - 2) * top) / ((top - 4) * (top - 2) * rho)) : 0;
}

/**
 * Adam whose step is rectified while the second moment is uncertain: p ← p − lr · r · m̂ / (√v̂ + ε'), and p ← p − lr · m̂ in
 * the first steps (ρₜ ≤ 5). As in PyTorch, ε is added to √v before the correction. Defaults: lr 1e-3, betas (.9, .999),
 * eps 1e-8. Liu et al. 2020.
 */
export class RAdam extends Optimizer<RAdamOptions> {
  constructor(params: Params<RAdamOptions>, options: Partial<RAdamOptions> = {}) {
    super('RAdam', params, options, { lr: 1e-3, ...DEFAULTS }, { ...EXTRAS, maximize: false });
  }
  protected override rule(o: Group<RAdamOptions>, { number, ema }: Step): Rule {
    const [first, second] = [ema(() => o.betas[0]), ema(() => o.betas[1])];
    const r = (t: number): number => rectification(o.betas[1], t);
    const rate = (t: number): number => o.lr / (1 - o.betas[0] ** t);
    const adaptive = number(t => rate(t) * r(t) * Math.sqrt(1 - o.betas[1] ** t));
    const plain = number(t => (r(t) === 0 ? rate(t) : 0));
    const eps = number(() => o.eps);
    return (p, g, s) => {
      const m = s.set('exp_avg', first(s.get('exp_avg'), g));
      const v = s.set('exp_avg_sq', second(s.get('exp_avg_sq'), square(g)));
      return sub(p, mul(m, add(plain, div(adaptive, add(sqrt(v), eps)))));
    };
  }
}

export interface LionOptions extends CommonOptions {
  betas: readonly [number, number];
  weightDecay: number;
}

/**
 * p ← p − lr · (sign(β₁ m + (1 − β₁) g) + λ p), m ← β₂ m + (1 − β₂) g. Defaults: lr 1e-4, betas (.9, .99), λ 0.
 * Chen et al. 2023, algorithm 2.
 */
export class Lion extends Optimizer<LionOptions> {
  constructor(params: Params<LionOptions>, options: Partial<LionOptions> = {}) {
    super('Lion', params, options, { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0 }, { maximize: false });
  }
  protected override decoupled(): boolean {
    return true;
  }
  protected override rule(o: Group<LionOptions>, { number, ema }: Step): Rule {
    const [look, keep] = [ema(() => o.betas[0]), ema(() => o.betas[1])];
    const lr = number(() => o.lr);
    return (p, g, s) => {
      const m = s.get('exp_avg');
      s.set('exp_avg', keep(m, g));
      return sub(p, mul(sign(look(m, g)), lr));
    };
  }
}

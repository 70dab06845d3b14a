// Stochastic gradient descent with momentum in its three forms.

import { ValueError } from '../base/errors.ts';
import { add, mul, sub } from '../ir/ops/elementwise.ts';
import { type CommonOptions, type Group, Optimizer, type Params, type Rule } from './optimizer.ts';
import type { Named, Step } from './step.ts';

export interface SGDOptions extends CommonOptions {
  /** μ; 0 for plain descent. */
  momentum: number;
  /** The gradient enters the momentum times 1 − dampening. */
  dampening: number;
  weightDecay: number;
  nesterov: boolean;
  /**
   * How the velocity v is kept. 'torch': v ← μv + g, p ← p − lr·v. 'ema': v ← μv + (1 − μ)g, p ← p − lr·v, a step 1 − μ
   * times as long. 'classical': v ← μv − lr·g, p ← p + v, which goes on at the old pace after lr was cut.
   */
  form: 'torch' | 'ema' | 'classical';
}
const DEFAULTS = { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false };
const EXTRAS = { form: 'torch', l2Factor: 1, decoupledWeightDecay: false } as const;

/**
 * v ← μ v + (1 − dampening) g, p ← p − lr · v, or lr · (g + μ v) with nesterov; the first v is g whole; g includes λ p.
 * Defaults: lr 1e-3, all else 0. Sutskever et al. 2013, in PyTorch's form; `form` has the others.
 */
export class SGD extends Optimizer<SGDOptions> {
  protected override readonly savesStep: boolean = false;
  constructor(params: Params<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super('SGD', params, options, DEFAULTS, EXTRAS);
  }
  protected override check(o: Group<SGDOptions>): void {
    super.check(o);
    this.oneOf('form', o.form, ['torch', 'ema', 'classical']);
    if (o.nesterov && (o.momentum === 0 || o.dampening !== 0))
      throw new ValueError(
        'SGD',
        'nesterov needs a momentum above 0 and dampening 0',
        `momentum ${o.momentum} and dampening ${o.dampening}`,
        '',
      );
  }
  /** Counts the steps with momentum. */
  protected override tick(n: Named, o: Group<SGDOptions>): void {
    if (o.momentum !== 0) n.step!++;
  }
  protected override rule(o: Group<SGDOptions>, { number, on }: Step): Rule {
    const classical = on(() => o.form === 'classical');
    const dampened = on(() => o.form === 'torch' && o.dampening !== 0);
    const torch = on(() => o.form === 'torch');
    const nesterov = on(() => o.nesterov);
    const lr = number(() => o.lr);
    if (!on(() => o.momentum !== 0)) return (p, g) => sub(p, mul(g, lr));
    const mu = number(() => o.momentum);
    const gain = number(t => {
      if (o.form === 'torch') return t === 1 ? 1 : 1 - o.dampening;
      return o.form === 'ema' ? 1 - o.momentum : -o.lr;
    });
    return (p, grad, s) => {
      const g = torch && !dampened ? grad : mul(grad, gain);
      const v = s.set('momentum_buffer', add(mul(s.get('momentum_buffer'), mu), g));
      const step = nesterov ? add(g, mul(v, mu)) : v;
      return classical ? add(p, step) : sub(p, mul(step, lr));
    };
  }
}

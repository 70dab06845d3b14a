// Stochastic gradient descent with momentum.

import type { Node } from '../ir/node.ts';
import { add, mul, sub } from '../ir/ops/elementwise.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Group, inRange, type Numbers, Optimizer, type ParamState, type Params } from './optimizer.ts';

export interface SGDOptions {
  lr: number;
  /** μ; 0 for plain descent. */
  momentum: number;
  /** The gradient enters the momentum times 1 − dampening. */
  dampening: number;
  /** L2 penalty: λ·p is added to the gradient. */
  weightDecay: number;
  nesterov: boolean;
  /** Ascend instead. */
  maximize: boolean;
}
const DEFAULTS: SGDOptions = {
  lr: 1e-3,
  momentum: 0,
  dampening: 0,
  weightDecay: 0,
  nesterov: false,
  maximize: false,
};

/**
 * v ← μ v + (1 − dampening) g, p ← p − lr · v (or lr · (g + μ v) with nesterov); g includes λ p.
 * Defaults lr 1e-3, all else 0. Sutskever et al. 2013, in PyTorch's form.
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(params: Params<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(params, { ...DEFAULTS, ...options });
  }
  protected override check(g: Group<SGDOptions>): void {
    inRange('SGD', 'lr', g.lr, 0, Number.POSITIVE_INFINITY);
    inRange('SGD', 'momentum', g.momentum, 0, Number.POSITIVE_INFINITY);
    inRange('SGD', 'weightDecay', g.weightDecay, 0, Number.POSITIVE_INFINITY);
    if (g.nesterov && (g.momentum <= 0 || g.dampening !== 0)) {
      inRange('SGD', 'momentum (nesterov needs momentum > 0 and dampening 0)', -1, 0, 0);
    }
  }
  protected override stateNames(g: Group<SGDOptions>): readonly string[] {
    return g.momentum === 0 ? [] : ['momentum_buffer'];
  }
  protected override structure(g: Group<SGDOptions>): string {
    return `${g.momentum !== 0} ${g.weightDecay !== 0} ${g.nesterov} ${g.maximize} ${g.dampening !== 0}`;
  }
  protected override update(
    p: Tensor,
    grad: Node,
    o: Group<SGDOptions>,
    state: ParamState,
    k: Numbers,
  ): void {
    const x = p.node();
    const lr = k.get('lr', x, () => (o.maximize ? -o.lr : o.lr));
    let d = grad;
    if (o.weightDecay !== 0) {
      d = add(
        d,
        mul(
          x,
          k.get('decay', x, () => (o.maximize ? -o.weightDecay : o.weightDecay)),
        ),
      );
    }
    const v = state.tensors['momentum_buffer'];
    if (v !== undefined) {
      const mu = k.get('momentum', x, () => o.momentum);
      // The first step takes the gradient whole.
      const fresh =
        o.dampening === 0
          ? d
          : mul(
              d,
              k.get('fresh', x, step => (step === 1 ? 1 : 1 - o.dampening)),
            );
      const next = add(mul(v.node(), mu), fresh);
      v._assign(next, 'step');
      d = o.nesterov ? add(d, mul(next, mu)) : next;
    }
    p._assign(sub(x, mul(d, lr)), 'step');
  }
}

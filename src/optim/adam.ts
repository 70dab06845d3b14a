// Adam and AdamW.

import type { Node } from '../ir/node.ts';
import { add, div, maximum, mul, neg, sqrt, square, sub } from '../ir/ops/elementwise.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Group, inRange, type Numbers, Optimizer, type ParamState, type Params } from './optimizer.ts';

export interface AdamOptions {
  lr: number;
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  /** Divide by the largest second moment so far (Reddi et al. 2018). */
  amsgrad: boolean;
  maximize: boolean;
}
const DEFAULTS: AdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

/**
 * m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − lr · m̂ / (√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
 * weightDecay λ adds λ p to g. Defaults: lr 1e-3, betas (.9, .999), eps 1e-8. Kingma and Ba 2015.
 */
export class Adam extends Optimizer<AdamOptions> {
  protected readonly decoupled: boolean = false;
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { ...DEFAULTS, ...options });
  }
  protected override check(g: Group<AdamOptions>): void {
    inRange('Adam', 'lr', g.lr, 0, Number.POSITIVE_INFINITY);
    inRange('Adam', 'eps', g.eps, 0, Number.POSITIVE_INFINITY);
    inRange('Adam', 'betas[0]', g.betas[0], 0, 1, true);
    inRange('Adam', 'betas[1]', g.betas[1], 0, 1, true);
    inRange('Adam', 'weightDecay', g.weightDecay, 0, Number.POSITIVE_INFINITY);
  }
  protected override stateNames(g: Group<AdamOptions>): readonly string[] {
    return g.amsgrad ? ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'] : ['exp_avg', 'exp_avg_sq'];
  }
  protected override structure(g: Group<AdamOptions>): string {
    return `${g.weightDecay !== 0} ${g.amsgrad} ${g.maximize}`;
  }
  protected override update(
    p: Tensor,
    grad: Node,
    o: Group<AdamOptions>,
    state: ParamState,
    k: Numbers,
  ): void {
    let x = p.node();
    let g = o.maximize ? neg(grad) : grad;
    if (o.weightDecay !== 0) {
      if (this.decoupled)
        x = mul(
          x,
          k.get('keep', x, () => 1 - o.lr * o.weightDecay),
        );
      else
        g = add(
          g,
          mul(
            x,
            k.get('decay', x, () => o.weightDecay),
          ),
        );
    }
    const { exp_avg: m, exp_avg_sq: v, max_exp_avg_sq: top } = state.tensors;
    const m1 = add(
      mul(
        m!.node(),
        k.get('b1', x, () => o.betas[0]),
      ),
      mul(
        g,
        k.get('1-b1', x, () => 1 - o.betas[0]),
      ),
    );
    const v1 = add(
      mul(
        v!.node(),
        k.get('b2', x, () => o.betas[1]),
      ),
      mul(
        square(g),
        k.get('1-b2', x, () => 1 - o.betas[1]),
      ),
    );
    m!._assign(m1, 'step');
    v!._assign(v1, 'step');
    let second = v1;
    if (top !== undefined) {
      second = maximum(top.node(), v1);
      top._assign(second, 'step');
    }
    // The bias corrections are computed in float64 on the host: 1 − β₂ᵗ in float32 is off by 1e-5 at first.
    const scale = k.get('1/√c2', x, t => 1 / Math.sqrt(1 - o.betas[1] ** t));
    const rate = k.get('lr/c1', x, t => o.lr / (1 - o.betas[0] ** t));
    const denominator = add(
      mul(sqrt(second), scale),
      k.get('eps', x, () => o.eps),
    );
    p._assign(sub(x, mul(div(m1, denominator), rate)), 'step');
  }
}

/** Adam with decoupled weight decay: p shrinks by lr·λ·p beside the step. Default λ 0.01. Loshchilov and Hutter 2019. */
export class AdamW extends Adam {
  protected override readonly decoupled: boolean = true;
  constructor(params: Params<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(params, { weightDecay: 0.01, ...options });
  }
}

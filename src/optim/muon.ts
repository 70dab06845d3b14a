// Muon: momentum whose direction is made orthogonal.

import { ShapeError, showShape } from '../base/errors.ts';
import type { Node } from '../ir/node.ts';
import { mul, sub } from '../ir/ops/elementwise.ts';
import { wrap } from '../tensor/core.ts';
import { Scalar } from '../tensor/host.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type CommonOptions, type Group, Optimizer, type Params, type Rule } from './optimizer.ts';
import type { Step } from './step.ts';

export interface MuonOptions extends CommonOptions {
  weightDecay: number;
  momentum: number;
  nesterov: boolean;
  /** a, b, c of X ← aX + b(XXᵀ)X + c(XXᵀ)²X. */
  nsCoefficients: readonly [number, number, number];
  /** Added to the norm. */
  eps: number;
  nsSteps: number;
  /** lr times √max(1, rows/columns) ('original'), or .2·√max(rows, columns), which suits the lr of AdamW. */
  adjustLrFn: 'original' | 'match_rms_adamw' | null;
}

/** The orthogonal matrix nearest to x, about: Newton and Schulz's iteration takes all singular values into .7 … 1.2. */
function orthogonalized(x: Node, o: MuonOptions, eps: Node): Node {
  const tall = x.shape[0]! > x.shape[1]!;
  const [a, b, c] = o.nsCoefficients.map((_, i) => new Scalar(() => o.nsCoefficients[i]!));
  const start = wrap(x);
  const norm = start.square().sum().sqrt().add(wrap(eps));
  let y = start.div(norm);
  if (tall) y = y.transpose(0, 1); // (r, c) with r ≤ c
  for (let i = 0; i < o.nsSteps; i++) {
    const s = y.mm(y.transpose(0, 1)); // (r, r)
    y = y.mul(a!).add(s.mul(b!).add(s.mm(s).mul(c!)).mm(y)); // (r, c)
  }
  return (tall ? y.transpose(0, 1) : y).node();
}

/**
 * v ← μ v + (1 − μ) g, u = NS(μ v + (1 − μ) g) (or NS(v) without nesterov), p ← p − lr·s·u, with weight decay beside the
 * step. For hidden weights that are matrices: embeddings, heads and vectors belong to AdamW. Defaults: lr 1e-3,
 * weightDecay .1, momentum .95, nesterov, 5 steps of Newton and Schulz. Jordan et al. 2024; Liu et al. 2025 for the scales.
 */
export class Muon extends Optimizer<MuonOptions> {
  protected override readonly savesStep: boolean = false;
  constructor(params: Params<MuonOptions>, options: Partial<MuonOptions> = {}) {
    super('Muon', params, options, {
      lr: 1e-3,
      weightDecay: 0.1,
      momentum: 0.95,
      nesterov: true,
      nsCoefficients: [3.4445, -4.775, 2.0315],
      eps: 1e-7,
      nsSteps: 5,
      adjustLrFn: null,
    });
  }
  protected override decoupled(): boolean {
    return true;
  }
  protected override checkParameter(p: Tensor): void {
    super.checkParameter(p);
    if (p.ndim !== 2)
      throw new ShapeError(
        'Muon',
        'parameters are matrices',
        `shape ${showShape(p.shape)}`,
        'give the others to AdamW',
      );
  }
  protected override check(o: Group<MuonOptions>): void {
    super.check(o);
    this.oneOf('adjustLrFn', o.adjustLrFn, ['original', 'match_rms_adamw', null]);
  }
  protected override rule(o: Group<MuonOptions>, { number, on, ema }: Step): Rule {
    const average = ema(() => o.momentum);
    const eps = number(() => o.eps);
    const nesterov = on(() => o.nesterov);
    return (p, g, s) => {
      const v = s.set('momentum_buffer', average(s.get('momentum_buffer'), g));
      const u = orthogonalized(nesterov ? average(v, g) : v, o, eps);
      return sub(
        p,
        mul(
          u,
          number(() => o.lr * scale(o, p.shape)),
        ),
      );
    };
  }
}
function scale(o: MuonOptions, [rows, columns]: readonly number[]): number {
  if (o.adjustLrFn === 'match_rms_adamw') return 0.2 * Math.sqrt(Math.max(rows!, columns!));
  return Math.sqrt(Math.max(1, rows! / columns!));
}

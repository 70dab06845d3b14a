// L-BFGS: a quasi-Newton method that evaluates the loss several times in a step.
// In: a closure that computes the loss and its gradients. Out: changed parameters. Glossary, Nocedal and Wright 2006:
// s a step, y the change of the gradient along it, ρ = 1/(yᵀs), γ the scale of the first Hessian, d the direction.

import { show, ValueError } from '../base/errors.ts';
import { zeros } from '../tensor/create.ts';
import { enableGrad, noGrad } from '../tensor/modes.ts';
import { cat } from '../tensor/movement.ts';
import { isTensor } from '../tensor/operand.ts';
import { recording } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Evaluation, strongWolfe } from './line-search.ts';
import {
  type CommonOptions,
  type LoadedStateDict,
  Optimizer,
  type OptimizerStateDict,
  type Params,
  type Rule,
  savedState,
} from './optimizer.ts';

export interface LBFGSOptions extends CommonOptions {
  /** Iterations in a step. */
  maxIter: number;
  /** Evaluations of the loss in a step; null for 5/4 of maxIter. */
  maxEval: number | null;
  /** Stops where no gradient is larger. */
  toleranceGrad: number;
  /** Stops where neither the parameters nor the loss change more. */
  toleranceChange: number;
  historySize: number;
  /** null takes the step lr; 'strong_wolfe' searches one that satisfies Wolfe's conditions. */
  lineSearchFn: 'strong_wolfe' | null;
}

/** What goes on from step to step, in PyTorch's names. */
interface Memory {
  func_evals: number;
  n_iter: number;
  d: Tensor | null;
  t: number;
  old_dirs: Tensor[];
  old_stps: Tensor[];
  ro: number[];
  H_diag: number;
  prev_flat_grad: Tensor | null;
  prev_loss: number;
}
const start = (): Memory => ({
  func_evals: 0,
  n_iter: 0,
  d: null,
  t: 0,
  old_dirs: [],
  old_stps: [],
  ro: [],
  H_diag: 1,
  prev_flat_grad: null,
  prev_loss: 0,
});

/**
 * p ← p + t·d with d = −H g, H built from the last historySize steps (two-loop recursion). Needs a closure, one group, and
 * values at once, so it cannot be part of a compiled step. Defaults: lr 1, maxIter 20, maxEval 25, toleranceGrad 1e-7,
 * toleranceChange 1e-9, historySize 100, no line search. Liu and Nocedal 1989.
 */
export class LBFGS extends Optimizer<LBFGSOptions> {
  private memory = start();
  constructor(params: Params<LBFGSOptions>, options: Partial<LBFGSOptions> = {}) {
    super('LBFGS', params, options, {
      lr: 1,
      maxIter: 20,
      maxEval: null,
      toleranceGrad: 1e-7,
      toleranceChange: 1e-9,
      historySize: 100,
      lineSearchFn: null,
    });
    if (this.paramGroups.length !== 1)
      throw new ValueError('LBFGS', 'there can be one group only', String(this.paramGroups.length), '');
    const o = this.paramGroups[0]!;
    this.oneOf('lineSearchFn', o.lineSearchFn, ['strong_wolfe', null]);
    o.maxEval ??= Math.floor((o.maxIter * 5) / 4);
  }
  protected override rule(): Rule {
    throw new ValueError(
      'LBFGS',
      'a step needs a closure',
      'none',
      'pass () => { zeroGrad; loss; backward }',
    );
  }

  private get params(): readonly Tensor[] {
    return this.paramGroups[0]!.params;
  }
  /** All gradients as one vector; (n). */
  private flatGrad(): Tensor {
    return cat(
      this.params.map(p => (p.grad ?? zeros(p.shape, like(p))).detach().reshape([p.numel])),
    ).realize();
  }
  /** p ← p + t·d */
  private move(t: number, d: Tensor): void {
    let at = 0;
    for (const p of this.params) {
      p.add_(d.narrow(0, at, p.numel).reshape(p.shape).mul(t));
      at += p.numel;
    }
  }

  /** Takes up to maxIter iterations; `closure` sets the gradients and returns the loss, whose first value is returned. */
  override step(closure?: () => Tensor): Tensor | null {
    recording.now?.refuse('LBFGS.step()');
    if (closure === undefined) return super.step();
    return noGrad(() => this.iterate(() => enableGrad(closure)));
  }
  private iterate(closure: () => Tensor): Tensor {
    const o = this.paramGroups[0]!;
    const m = this.memory;
    const first = closure();
    let loss = first.itemSync();
    let evaluations = 1;
    m.func_evals++;
    let g = this.flatGrad();
    if (largest(g) <= o.toleranceGrad) return first;
    for (let i = 1; i <= o.maxIter; i++) {
      m.n_iter++;
      m.d = this.direction(g);
      m.prev_flat_grad = g;
      m.prev_loss = loss;
      m.t = m.n_iter === 1 ? Math.min(1, 1 / g.abs().sum().itemSync()) * o.lr : o.lr;
      const slope = g.dot(m.d).itemSync();
      if (slope > -o.toleranceChange) break;
      let used = 0;
      if (o.lineSearchFn !== null) {
        const d = m.d;
        const at = (t: number): Evaluation => this.probe(closure, t, d);
        const found = strongWolfe(at, m.t, { loss, g, slope }, largest(d));
        [loss, g, m.t, used] = [found.loss, found.g, found.t, found.evaluations];
        this.move(m.t, d);
      } else {
        this.move(m.t, m.d);
        if (i < o.maxIter) {
          loss = closure().itemSync();
          g = this.flatGrad();
          used = 1;
        }
      }
      evaluations += used;
      m.func_evals += used;
      if (i === o.maxIter || evaluations >= o.maxEval! || largest(g) <= o.toleranceGrad) break;
      if (largest(m.d) * Math.abs(m.t) <= o.toleranceChange) break;
      if (Math.abs(loss - m.prev_loss) < o.toleranceChange) break;
    }
    return first;
  }
  /** Loss and gradient at p + t·d; the parameters stay. */
  private probe(closure: () => Tensor, t: number, d: Tensor): Evaluation {
    const from = this.params.map(p => p.clone());
    try {
      this.move(t, d);
      const loss = closure().itemSync();
      const g = this.flatGrad();
      return { loss, g, slope: g.dot(d).itemSync() };
    } finally {
      this.params.forEach((p, i) => {
        p.copy_(from[i]!);
      });
    }
  }
  /** −H g after taking the last step into the history. */
  private direction(g: Tensor): Tensor {
    const m = this.memory;
    if (m.prev_flat_grad === null || m.d === null) return g.neg().realize();
    const y = g.sub(m.prev_flat_grad).realize();
    const s = m.d.mul(m.t).realize();
    const ys = y.dot(s).itemSync();
    if (ys > 1e-10) {
      if (m.old_dirs.length === this.paramGroups[0]!.historySize)
        for (const list of [m.old_dirs, m.old_stps, m.ro]) list.shift();
      m.old_dirs.push(y);
      m.old_stps.push(s);
      m.ro.push(1 / ys);
      m.H_diag = ys / y.dot(y).itemSync();
    }
    let q = g.neg();
    const alpha: number[] = [];
    for (let i = m.ro.length - 1; i >= 0; i--) {
      alpha[i] = m.old_stps[i]!.dot(q).itemSync() * m.ro[i]!;
      q = q.sub(m.old_dirs[i]!.mul(alpha[i]!)).realize();
    }
    let d = q.mul(m.H_diag);
    for (let i = 0; i < m.ro.length; i++) {
      const beta = m.old_dirs[i]!.dot(d).itemSync() * m.ro[i]!;
      d = d.add(m.old_stps[i]!.mul(alpha[i]! - beta)).realize();
    }
    return d.realize();
  }

  /** PyTorch keeps the memory as the state of the first parameter. */
  override stateDict(): OptimizerStateDict {
    const { state: _, param_groups } = super.stateDict();
    const { memory } = this;
    return { state: memory.n_iter === 0 ? {} : { 0: { ...memory } }, param_groups };
  }
  override loadStateDict(dict: LoadedStateDict): void {
    this.checkStateDict(dict);
    const saved = savedState(dict, 0) ?? {};
    const loaded = start();
    for (const name of Object.keys(loaded) as (keyof Memory)[]) {
      const v = saved[name];
      if (v !== undefined && v !== null) Object.assign(loaded, { [name]: taken(name, v) });
    }
    super.loadStateDict({ ...dict, state: {} });
    this.memory = loaded;
  }
}

const TENSORS: readonly string[] = ['d', 'prev_flat_grad', 'old_dirs', 'old_stps'];
/** A number, vector or list of the memory; PyTorch keeps some numbers as tensors. */
function taken(name: string, v: unknown): unknown {
  if (Array.isArray(v)) return v.map(x => taken(name, x));
  if (TENSORS.includes(name)) {
    if (isTensor(v)) return v.detach().clone().realize();
  } else {
    const x = isTensor(v) && v.numel === 1 ? v.itemSync() : v;
    if (typeof x === 'number') return x;
  }
  throw new ValueError('LBFGS.loadStateDict', `${name} must be a number or a vector`, show(v), '');
}
const like = (p: Tensor): { dtype: Tensor['dtype']; device: string } => ({
  dtype: p.dtype,
  device: p.device,
});
const largest = (x: Tensor): number => x.abs().max().itemSync();

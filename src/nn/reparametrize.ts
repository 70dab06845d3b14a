// A weight as a function of other parameters, computed anew before each forward: weight norm and spectral norm, with
// the names of torch.nn.utils.weight_norm and spectral_norm in the state dict.

import { show, ValueError } from '../base/errors.ts';
import { numel } from '../base/shape.ts';
import { noGrad } from '../tensor/modes.ts';
import { randn } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { normalize } from './functional/norm.ts';
import type { Module } from './module.ts';
import { Parameter } from './parameter.ts';

interface Reparametrized {
  readonly compute: (m: Module) => Tensor;
  readonly remove: () => void;
  /** Names that stand in for the weight. */
  readonly names: readonly string[];
}
const made = new WeakMap<Module, Map<string, Reparametrized>>();
const fieldsOf = (m: Module): Record<string, unknown> => m as unknown as Record<string, unknown>;

function weightOf(op: string, m: Module, name: string): Parameter {
  const p = fieldsOf(m)[name];
  if (p instanceof Parameter) return p;
  throw new ValueError(op, `${m.constructor.name} must have the parameter`, show(name), '');
}
/** Replaces the weight by what `compute` makes, before each forward. */
function reparametrize(
  m: Module,
  name: string,
  names: readonly string[],
  compute: (m: Module) => Tensor,
): void {
  delete fieldsOf(m)[name];
  // The module of the call: a copy computes its own.
  const remove = m.registerForwardPreHook(m => {
    fieldsOf(m)[name] = compute(m);
    return undefined;
  });
  const all = made.get(m) ?? new Map<string, Reparametrized>();
  made.set(m, all.set(name, { compute, remove, names }));
}
function restore(op: string, m: Module, name: string): void {
  const r = made.get(m)?.get(name);
  if (r === undefined) throw new ValueError(op, `${m.constructor.name} has none`, show(name), '');
  made.get(m)!.delete(name);
  r.remove();
  const weight = new Parameter(noGrad(() => r.compute(m)));
  for (const n of [name, ...r.names]) delete fieldsOf(m)[n];
  fieldsOf(m)[name] = weight;
}

/** The norm over all dims but one; over all of them for dim null. */
function normExcept(v: Tensor, dim: number | null): Tensor {
  const dims = v.shape.map((_, d) => d).filter(d => d !== dim);
  return v
    .square()
    .sum(dims, { keepdim: dim !== null })
    .sqrt();
}
/**
 * weight = g · v / ‖v‖: length and direction are learnt apart. The parameter becomes `weight_g` and `weight_v`; the norm
 * is over all dims but `dim` (0), or over everything for null. Salimans & Kingma 2016. Returns the module.
 */
export function weightNorm<M extends Module>(
  module: M,
  options: { readonly name?: string; readonly dim?: number | null } = {},
): M {
  const { name = 'weight', dim = 0 } = options;
  const weight = weightOf('weightNorm', module, name);
  const v = new Parameter(weight);
  const g = new Parameter(normExcept(weight, dim));
  reparametrize(module, name, [`${name}_g`, `${name}_v`], module => {
    const length = fieldsOf(module)[`${name}_g`] as Tensor;
    const direction = fieldsOf(module)[`${name}_v`] as Tensor;
    return direction.mul(length.div(normExcept(direction, dim)));
  });
  module.registerParameter(`${name}_g`, g);
  module.registerParameter(`${name}_v`, v);
  return module;
}
/** Back to one weight with the present value. */
export function removeWeightNorm<M extends Module>(module: M, name = 'weight'): M {
  restore('removeWeightNorm', module, name);
  return module;
}

/**
 * weight / σ with its largest singular value σ, followed by power iteration: `nPowerIterations` steps per forward in
 * training, none in eval. The parameter becomes `weight_orig`, with the buffers `weight_u` and `weight_v`.
 * `dim` numbers the outputs (0; 1 for transposed convolutions). Miyato et al. 2018. Returns the module.
 */
export function spectralNorm<M extends Module>(
  module: M,
  options: {
    readonly name?: string;
    readonly nPowerIterations?: number;
    readonly eps?: number;
    readonly dim?: number;
  } = {},
): M {
  const { name = 'weight', nPowerIterations = 1, eps = 1e-12, dim = 0 } = options;
  const weight = weightOf('spectralNorm', module, name);
  const matrix = (w: Tensor): Tensor => w.movedim(dim, 0).flatten(1); // (out, rest)
  const rows = weight.shape[dim]!;
  const unit = (x: Tensor): Tensor => normalize(x, { dim: 0, eps });
  const start = (n: number): Tensor => unit(randn([n], { dtype: weight.dtype, device: weight.device }));
  reparametrize(module, name, [`${name}_orig`, `${name}_u`, `${name}_v`], module => {
    const [w, u, v] = ['orig', 'u', 'v'].map(s => fieldsOf(module)[`${name}_${s}`] as Tensor) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const m = matrix(w);
    if (module.training) {
      noGrad(() => {
        for (let i = 0; i < nPowerIterations; i++) {
          v.copy_(unit(m.t().matmul(u)));
          u.copy_(unit(m.matmul(v)));
        }
      });
    }
    // The vectors as they are now: the next iteration must not change what backward needs.
    const [left, right] = [u.detach().clone(), v.detach().clone()];
    return w.div(left.dot(m.matmul(right)));
  });
  module.registerParameter(`${name}_orig`, new Parameter(weight));
  module.registerBuffer(`${name}_u`, start(rows));
  module.registerBuffer(`${name}_v`, start(numel(weight.shape) / rows));
  return module;
}
/** Back to one weight with the present value. */
export function removeSpectralNorm<M extends Module>(module: M, name = 'weight'): M {
  restore('removeSpectralNorm', module, name);
  return module;
}

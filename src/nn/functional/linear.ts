// Affine maps.

import { ShapeError, showShape } from '../../base/errors.ts';
import { numel } from '../../base/shape.ts';
import { matmul } from '../../ir/ops/contract.ts';
import { add } from '../../ir/ops/elementwise.ts';
import { reshape } from '../../ir/ops/movement.ts';
import { wrap } from '../../tensor/core.ts';
import { tensor } from '../../tensor/create.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** x Wᵀ + b. Shapes: x (…, in), weight (out, in), bias (out), result (…, out). */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  const n = x.node();
  const [w, rank] = [weight.node(), n.shape.length];
  const inputs = w.shape[w.shape.length - 1] ?? 0;
  if (rank === 0 || w.shape.length > 2 || n.shape[rank - 1] !== inputs) {
    throw new ShapeError(
      'linear',
      `the last dim of x must have the ${inputs} inputs of the weight ${showShape(w.shape)}`,
      showShape(n.shape),
      'check the sizes of the layer, or flatten x first',
    );
  }
  // A weight vector: one output without a dim of its own.
  const matrix = w.shape.length === 1 ? reshape(w, [1, inputs]) : w;
  const lead = n.shape.slice(0, -1);
  const rows = rank === 2 ? n : reshape(n, [numel(lead), inputs]);
  let y = matmul(rows, matrix, { ta: false, tb: true });
  if (bias) y = add(y, bias.node());
  return wrap(reshape(y, w.shape.length === 1 ? lead : [...lead, matrix.shape[0]!]));
}
/** yₒ = x₁ᵀ Wₒ x₂ + bₒ. Shapes: x1 (…, I), x2 (…, J), weight (O, I, J), bias (O), result (…, O). */
export function bilinear(x1: Tensor, x2: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  const [O, I, J] = weight.shape as [number, number, number];
  const lead = x1.shape.slice(0, -1);
  const fits =
    weight.ndim === 3 &&
    x1.shape[x1.ndim - 1] === I &&
    x2.shape[x2.ndim - 1] === J &&
    showShape(lead) === showShape(x2.shape.slice(0, -1));
  if (!fits) {
    throw new ShapeError(
      'bilinear',
      'x1 is (…, I), x2 is (…, J) and the weight (O, I, J)',
      [x1, x2, weight].map(t => showShape(t.shape)).join(' and '),
      '',
    );
  }
  const rows = numel(lead);
  const left = x1.reshape([rows, I]).matmul(weight.permute([1, 0, 2]).reshape([I, O * J]));
  const y = left
    .reshape([rows, O, J])
    .mul(x2.reshape([rows, 1, J]))
    .sum(-1)
    .reshape([...lead, O]);
  return bias ? y.add(bias) : y;
}
/** x with one dim multiplied by a matrix: out[…, o, …] = Σ_k weights[o][k] · x[…, k, …]. */
export function byMatrix(x: Tensor, dim: number, weights: readonly (readonly number[])[]): Tensor {
  const shape = [weights.length, x.shape[dim]!];
  const matrix = tensor(weights.flat(), { shape, dtype: x.dtype, device: x.device });
  if (dim === x.ndim - 1) return x.matmul(matrix.t());
  return matrix.matmul(x.flatten(dim + 1)).reshape(x.shape.map((n, d) => (d === dim ? weights.length : n)));
}

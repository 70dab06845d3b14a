// Functions of torch.nn.functional, stateless.

import { matmul } from '../ir/ops/contract.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { softmaxNll } from '../ir/ops/fused.ts';
import { reshape } from '../ir/ops/movement.ts';
import { wrap } from '../tensor/core.ts';
import type { Tensor } from '../tensor/tensor.ts';

export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  const n = x.node();
  const flat = n.shape.length === 2 ? n : reshape(n, [-1 as number, n.shape[n.shape.length - 1]!]);
  let y = matmul(flat, weight.node(), { ta: false, tb: true });
  if (bias) y = ops.add(y, bias.node());
  return wrap(y);
}
export function crossEntropy(x: Tensor, target: Tensor): Tensor {
  return wrap(softmaxNll(x.node(), target.node())).mean();
}

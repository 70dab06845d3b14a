// XOR by two layers: two hidden ReLU units make the features that no line has. Weights by hand, as an existence proof.

import { type Tensor, tensor } from '../index.ts';

/** h = ReLU(V x + c), y = ReLU(w·h + b) with V = [[1, 1], [1, 1]], c = (0, −1), w = (1, −2), b = 0. x (n, 2). */
export function xorNet(x: Tensor): { hidden: Tensor; output: Tensor } {
  const v = tensor([
    [1, 1],
    [1, 1],
  ]);
  const c = tensor([0, -1]);
  const w = tensor([1, -2]);
  const hidden = x.matmul(v.t()).add(c).relu(); // (n, 2)
  return { hidden, output: hidden.matmul(w).relu() }; // (n)
}

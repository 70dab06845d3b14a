// Operands of a matrix product that are other views of what was computed before.

import { expect, it } from 'vitest';
import '../../src/runtime/reference.ts';
import { F, type NestedNumbers, randn, type Tensor, tensor } from '../../src/index.ts';

it('the gradient of a convolution’s weight: its product runs over images and places at once', () => {
  const data = [
    [2, 3, 8, 8],
    [16, 3, 3, 3],
    [2, 16, 8, 8],
  ].map(shape => randn(shape).tolistSync() as NestedNumbers);
  const [got, want] = ['cpu', 'reference'].map(device => {
    const [x, w, cot] = data.map(d => tensor(d, { device })) as [Tensor, Tensor, Tensor];
    w.requiresGrad_();
    F.conv2d(x, w, null, { padding: 1 }).mul(cot).sum().backward();
    return [...(w.grad!.dataSync() as Float32Array)];
  }) as [number[], number[]];
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(want[i]!, 3);
  });
});
it('heads set side by side again: the operand of the next product, computed once where a kernel would also store it', () => {
  const [B, T, H, D] = [2, 64, 4, 32];
  const data = [
    [B, T, H * D],
    [H * D, 3 * H * D],
    [H * D, H * D],
  ].map(shape => randn(shape).mul(0.1).tolistSync() as NestedNumbers);
  const [got, want] = ['cpu', 'reference'].map(device => {
    const [x, w, out] = data.map(d => tensor(d, { device })) as [Tensor, Tensor, Tensor];
    w.requiresGrad_();
    const heads = (t: Tensor): Tensor => t.reshape([B, T, H, D]).transpose(1, 2);
    const [q, k, v] = x.matmul(w).chunk(3, -1).map(heads) as [Tensor, Tensor, Tensor];
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true });
    y.transpose(1, 2)
      .reshape([B, T, H * D])
      .matmul(out)
      .square()
      .sum()
      .backward();
    return [...(w.grad!.dataSync() as Float32Array)];
  }) as [number[], number[]];
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(want[i]!, 3);
  });
});

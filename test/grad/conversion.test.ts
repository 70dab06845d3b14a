// Gradients through changes of dtype and device: they come back in the dtype and on the device of the input.

import { describe, expect, it } from 'vitest';
import { grad, type Tensor, tensor } from '../../src/index.ts';
import '../../src/runtime/reference.ts';
import { firstWrong, numbers } from '../support.ts';

const near = (got: Tensor, want: readonly number[], tol = 1e-6): void => {
  expect(firstWrong(numbers(got), want, tol, tol)).toBeNull();
};

describe('conversions', () => {
  it('float64 to float32 and back', () => {
    const x = tensor([0.1, 0.2], { dtype: 'float64', requiresGrad: true });
    const y = x.float();
    expect(y.dtype).toBe('float32');
    y.mul(y).sum().backward();
    expect(x.grad!.dtype).toBe('float64');
    near(x.grad!, [0.2, 0.4]);
  });
  for (const dtype of ['float16', 'bfloat16'] as const) {
    it(`through ${dtype}`, () => {
      const x = tensor([1.5, -2], { requiresGrad: true });
      x.to(dtype).mul(2).sum().backward();
      expect(x.grad!.dtype).toBe('float32');
      near(x.grad!, [2, 2]);
    });
  }
  it('second order through a conversion', () => {
    const f = (t: Tensor): Tensor => t.float().pow(3).sum().double();
    const x = tensor([0.5, 2], { dtype: 'float64' });
    near(grad((t: Tensor) => grad(f)(t).sum())(x), [3, 12]);
  });
  it('a conversion to integers ends the gradient', () => {
    const x = tensor([1.5], { requiresGrad: true });
    expect(x.to('int32').requiresGrad).toBe(false);
    expect(x.mul(x.to('int32').float()).requiresGrad).toBe(true);
    near(grad((t: Tensor) => t.mul(t.to('int32').float()).sum())(x), [1]);
  });
  it('integers in promoted arithmetic do not take part', () => {
    const x = tensor([1.5, 2], { requiresGrad: true });
    x.mul(tensor([3, 4], { dtype: 'int64' }))
      .sum()
      .backward();
    near(x.grad!, [3, 4]);
  });
});

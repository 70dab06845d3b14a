// gradcheck itself: it passes what is right, and fails for wrong and for zero gradients, of first and second order.

import { describe, expect, it } from 'vitest';
import '../../src/runtime/reference.ts';
import { customGrad, gradcheck, gradgradcheck, rand, randn, type Tensor, tensor } from '../../src/index.ts';

const f64 = (x: Parameters<typeof tensor>[0]): Tensor => tensor(x, { dtype: 'float64' });
const x = f64([
  [0.5, -1.2],
  [2, 0.1],
]);

/** sin with the given factor in its rule. */
const sinWith = (factor: (t: Tensor) => Tensor) =>
  customGrad(
    (t: Tensor) => t.sin(),
    (g, [t]) => g.mul(factor(t)),
  );
const right = sinWith(t => t.cos());
const wrong = sinWith(t => t.cos().mul(1.01));
const zero = sinWith(t => t.mul(0));
/** Right at first order, but cut off from further gradients. */
const flatSecond = sinWith(t => t.detach().cos());
/** Right at first order; the derivative of its derivative is off by a factor. */
const wrongSecond = sinWith(t => {
  const c = t.cos();
  return c.add(c.sub(c.detach()).mul(0.5));
});

describe('gradcheck', () => {
  it('passes a right rule', () => {
    expect(gradcheck(right, x)).toBe(true);
    expect(gradcheck(right, [x], { checkForward: true })).toBe(true);
  });
  it('fails for a rule that is off by one percent, and says where', () => {
    expect(() => gradcheck(wrong, x)).toThrow(
      /^gradcheck: backward must give the derivative of the function, got input 0 \[0, 0\]: 0\.975\d* from backward, 0\.965\d* numerically \(4 of 4 elements differ\)/,
    );
  });
  it('fails for zero gradients', () => {
    expect(() => gradcheck(zero, x)).toThrow('input 0 [0, 0]: 0 from backward');
    expect(() => gradcheck(zero, x, { allowZero: true })).toThrow('input 0 [0, 0]: 0 from backward');
  });
  it('fails for a single wrong element of the second input', () => {
    const f = customGrad(
      (a: Tensor, b: Tensor) => a.mul(b),
      (g, [a, b]) => [g.mul(b), g.mul(a).mul(f64([1, 1, 1.1]))],
    );
    expect(() => gradcheck(f, [f64([1, 2, 3]), f64([4, 5, 6])])).toThrow(
      /input 1 \[2\]: .* \(1 of 3 elements differ\)/,
    );
  });
  it('fails for errors that cancel in an unweighted sum', () => {
    // The rows of the Jacobian are swapped: Σ of the outputs has the right gradient.
    const f = customGrad(
      (t: Tensor) => t.mul(f64([1, 1])),
      g => g.flip(0),
    );
    expect(() => gradcheck(f, f64([1, 2]))).toThrow('backward must give the derivative');
  });
  it('raiseException: false returns false', () => {
    expect(gradcheck(wrong, x, { raiseException: false })).toBe(false);
    expect(gradcheck(right, x, { raiseException: false })).toBe(true);
  });
  it('refuses to pass where all derivatives are 0', () => {
    // erf'(7) < 1e-15: a rule that returns zeros would pass.
    expect(() => gradcheck((t: Tensor) => t.erf(), f64([7, 8]))).toThrow(
      'gradcheck: some derivative must not be 0, or a rule that returns zeros would pass, got all derivatives of input 0 0. choose other values, or pass {allowZero: true}',
    );
    expect(gradcheck((t: Tensor) => t.erf(), f64([7, 8]), { allowZero: true })).toBe(true);
    const ignores = (a: Tensor, _b: Tensor): Tensor => a.exp();
    expect(() => gradcheck(ignores, [x, x])).toThrow('all derivatives of input 1 0');
    expect(gradcheck(ignores, [x, x], { allowZero: [1] })).toBe(true);
  });
  it('skips kinks, but not many', () => {
    expect(gradcheck((t: Tensor) => t.relu(), f64([0, 1, -1, 2]))).toBe(true);
    expect(gradcheck((t: Tensor) => t.abs().add(t.floor()), f64([0.5, 1, -1.5, 2.5]))).toBe(true);
    expect(() => gradcheck((t: Tensor) => t.relu(), f64([0, 0, 0, 2]))).toThrow(
      'gradcheck: most elements must lie where the function is smooth, got 3 of 4 elements of input 0 at a kink',
    );
  });
  it('does not take a wrong rule for a kink, even where the function bends sharply', () => {
    const sharp = customGrad(
      (t: Tensor) => t.mul(1000).tanh(),
      (g, [t]) => g.mul(t.mul(1000).tanh().square().rsub(1)).mul(900),
    );
    expect(() => gradcheck(sharp, f64([0, 0.0003, -0.0004]))).toThrow('(3 of 3 elements differ)');
  });
  it('a kink within the step does not excuse a wrong rule beside it', () => {
    const bad = customGrad(
      (t: Tensor) => t.relu(),
      g => g.mul(0.5),
    );
    expect(() => gradcheck(bad, f64([2e-7, 1, 2]))).toThrow('backward must give the derivative');
  });
  it('checks forward mode where asked', () => {
    // As a linear map the rule's transpose is taken for forward mode: a rule that is not linear in g has none.
    const odd = customGrad(
      (t: Tensor) => t.mul(2),
      g => g.mul(2).add(g.square().mul(0)),
    );
    expect(gradcheck(odd, x, { checkForward: true })).toBe(true);
  });
  it('varies only inputs that require grad, where some do', () => {
    const a = tensor([1, 2], { dtype: 'float64', requiresGrad: true });
    const cut = (s: Tensor, t: Tensor): Tensor => s.mul(t.detach());
    expect(gradcheck(cut, [a, f64([3, 4])])).toBe(true);
    expect(() => gradcheck(cut, [f64([1, 2]), f64([3, 4])])).toThrow('input 1');
  });
  it('works on the reference device', () => {
    expect(gradcheck(right, x.to('reference'))).toBe(true);
    expect(() => gradcheck(wrong, x.to('reference'))).toThrow('backward must give the derivative');
  });
  it('refuses what it cannot check', () => {
    expect(() => gradcheck(right, tensor([1, 2]))).toThrow(
      'gradcheck: inputs must be float64, or rounding hides the error, got float32 for input 0. convert with .double()',
    );
    expect(() => gradcheck(right, tensor([1], { dtype: 'int64' }))).toThrow(
      'gradcheck: at least one input must be floating, got none',
    );
    expect(() => gradcheck((t: Tensor) => t.gt(0), x)).toThrow(
      'gradcheck: the function must return floating tensors, got Tensor',
    );
    expect(() => gradcheck((t: Tensor) => t.add(randn([2, 2])), x)).toThrow(
      'gradcheck: the function must be deterministic',
    );
    expect(() => gradcheck((t: Tensor) => t.mul(rand([])), x)).toThrow('deterministic');
  });
});

describe('gradgradcheck', () => {
  it('passes a right rule', () => {
    expect(gradgradcheck(right, x, { checkForward: true })).toBe(true);
  });
  it('passes linear functions, whose second derivatives are 0', () => {
    expect(gradgradcheck((t: Tensor) => t.mul(3).sum(), x)).toBe(true);
    expect(gradgradcheck((a: Tensor, b: Tensor) => a.matmul(b), [x, x.exp()])).toBe(true);
  });
  it('fails for zero second derivatives', () => {
    expect(gradcheck(flatSecond, x)).toBe(true);
    expect(() => gradgradcheck(flatSecond, x)).toThrow(
      /^gradgradcheck: backward must give the derivative of the function, got input 0 \[0, 0\]: 0 from backward/,
    );
  });
  it('fails for wrong second derivatives', () => {
    expect(gradcheck(wrongSecond, x)).toBe(true);
    expect(() => gradgradcheck(wrongSecond, x)).toThrow(
      'gradgradcheck: backward must give the derivative of the function',
    );
  });
  it('fails for a wrong first rule', () => {
    // Its derivative by the cotangent is the rule itself: right for what the rule computes, so gradcheck is needed too.
    expect(gradgradcheck(wrong, x)).toBe(true);
    expect(() => gradcheck(wrong, x)).toThrow();
  });
  it('refuses to pass where everything is 0', () => {
    expect(() => gradgradcheck((t: Tensor) => t.floor(), x)).toThrow('all derivatives of all inputs 0');
  });
});

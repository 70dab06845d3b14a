// The formulas that the course's texts print, in float64, against autograd.

import { describe, expect, it } from 'vitest';
import { cat, F, jacobian, manualSeed, randn, type Tensor, tensor, zeros } from '../../src/index.ts';
import { numbers } from '../support.ts';

const D = { dtype: 'float64' } as const;
const leaf = (shape: readonly number[]): Tensor => randn(shape, { ...D, requiresGrad: true });
const fixed = (shape: readonly number[]): Tensor => randn(shape, D);
function same(got: Tensor, want: Tensor): void {
  expect(got.shape).toEqual(want.shape);
  const [a, b] = [numbers(got), numbers(want)];
  // A formula that gives 0 where autograd gives 0 proves nothing.
  expect(Math.max(...b.map(Math.abs))).toBeGreaterThan(1e-6);
  for (const [i, v] of b.entries()) expect(Math.abs(a[i]! - v)).toBeLessThan(1e-10 * (1 + Math.abs(v)));
}

describe('the line', () => {
  it('∂L/∂a = 2/n Σ (ŷ − y) x and ∂L/∂b = 2/n Σ (ŷ − y)', () => {
    manualSeed(1);
    const [x, y, a, b] = [fixed([9]), fixed([9]), leaf([]), leaf([])];
    const predicted = x.mul(a).add(b);
    predicted.sub(y).square().mean().backward();
    const error = predicted.detach().sub(y);
    same(error.mul(x).mean().mul(2), a.grad!);
    same(error.mean().mul(2), b.grad!);
  });
});

describe('the network 2-4-4-2, rows X·W', () => {
  manualSeed(2);
  const m = 7;
  const x = fixed([m, 2]);
  const target = tensor([0n, 1n, 1n, 0n, 1n, 0n, 1n]);
  const onehot = F.oneHot(target, 2).to('float64');
  const [w1, b1, w2, b2, w3, b3] = [
    [2, 4],
    [1, 4],
    [4, 4],
    [1, 4],
    [4, 2],
    [1, 2],
  ].map(leaf) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const z1 = x.matmul(w1).add(b1); // (m, 4)
  const h1 = z1.relu();
  const z2 = h1.matmul(w2).add(b2); // (m, 4)
  const h2 = z2.relu();
  const logits = h2.matmul(w3).add(b3); // (m, 2)
  for (const t of [z1, h1, z2, h2, logits]) t.retainGrad();
  const p = logits.softmax(1);
  onehot.mul(p.log()).sum(1).neg().mean().backward();
  const mask = (z: Tensor): Tensor => z.detach().gt(0).to('float64');
  const dlogits = p.detach().sub(onehot).div(m);
  const dh2 = dlogits.matmul(w3.detach().t());
  const dz2 = dh2.mul(mask(z2));
  const dh1 = dz2.matmul(w2.detach().t());
  const dz1 = dh1.mul(mask(z1));
  it.each<[string, Tensor, Tensor]>([
    ['dlogits = (p − y) / m', dlogits, logits.grad!],
    ['dW3 = h2ᵀ dlogits', h2.detach().t().matmul(dlogits), w3.grad!],
    ['db3 = sum of dlogits over the batch', dlogits.sum(0, { keepdim: true }), b3.grad!],
    ['dh2 = dlogits W3ᵀ', dh2, h2.grad!],
    ['the ReLU mask', dz2, z2.grad!],
    ['dW2 = h1ᵀ dz2', h1.detach().t().matmul(dz2), w2.grad!],
    ['db2', dz2.sum(0, { keepdim: true }), b2.grad!],
    ['dh1', dh1, h1.grad!],
    ['dW1 = Xᵀ dz1', x.t().matmul(dz1), w1.grad!],
    ['db1', dz1.sum(0, { keepdim: true }), b1.grad!],
  ])('%s', (_, got, want) => same(got, want));
});

describe('output errors δ of the column layout', () => {
  it('MSE with f: δ = (a − t) ⊙ f′(z); identity gives a − t', () => {
    manualSeed(3);
    const t = fixed([5]);
    const z = leaf([5]);
    const a = z.sigmoid();
    a.sub(t).square().sum().mul(0.5).backward();
    const d = a.detach();
    same(d.sub(t).mul(d).mul(d.rsub(1)), z.grad!);
    const y = leaf([5]);
    y.sub(t).square().sum().mul(0.5).backward();
    same(y.detach().sub(t), y.grad!);
  });
  it('softmax with cross-entropy: p − y; sigmoid with BCE: ŷ − y', () => {
    manualSeed(4);
    const u = leaf([1, 4]);
    F.crossEntropy(u, tensor([2n])).backward();
    same(
      u
        .detach()
        .softmax(1)
        .sub(F.oneHot(tensor([2n]), 4).to('float64')),
      u.grad!,
    );
    const z = leaf([6]);
    const y = tensor([0, 1, 1, 0, 1, 0], D);
    F.binaryCrossEntropyWithLogits(z, y, { reduction: 'sum' }).backward();
    same(z.detach().sigmoid().sub(y), z.grad!);
  });
  it('δˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹ ⊙ f′; ∂E/∂W = δ aᵀ, ∂E/∂b = δ; of a batch (1/m) Δ Aᵀ and (1/m) Δ 1', () => {
    manualSeed(5);
    const m = 6;
    const [x, t] = [fixed([3, m]), fixed([2, m])];
    const [w1, b1, w2, b2] = [leaf([4, 3]), leaf([4, 1]), leaf([2, 4]), leaf([2, 1])];
    const z1 = w1.matmul(x).add(b1); // (4, m)
    const a1 = z1.tanh();
    const z2 = w2.matmul(a1).add(b2); // (2, m)
    z2.sub(t).square().sum(0).mul(0.5).mean().backward();
    const d2 = z2.detach().sub(t);
    const d1 = w2.detach().t().matmul(d2).mul(a1.detach().square().rsub(1));
    same(d2.matmul(a1.detach().t()).div(m), w2.grad!);
    same(d2.sum(1, { keepdim: true }).div(m), b2.grad!);
    same(d1.matmul(x.t()).div(m), w1.grad!);
    same(d1.sum(1, { keepdim: true }).div(m), b1.grad!);
  });
  it('the softmax Jacobian yᵢ(δᵢⱼ − yⱼ), and softmax(u − c) = softmax(u)', () => {
    manualSeed(6);
    const u = fixed([5]);
    const y = u.softmax(0);
    const formula = y.diag().sub(y.unsqueeze(1).mul(y.unsqueeze(0)));
    same(formula, jacobian((v: Tensor) => v.softmax(0))(u) as Tensor);
    same(u.sub(u.max()).softmax(0), y);
  });
  it('σ′ = a(1 − a), at most ¼; tanh′ = 1 − a²', () => {
    const z = tensor([-3, -1, 0, 0.5, 2], { ...D, requiresGrad: true });
    z.sigmoid().sum().backward();
    const a = z.detach().sigmoid();
    same(a.mul(a.rsub(1)), z.grad!);
    expect(Math.max(...numbers(z.grad!))).toBe(0.25);
    z.grad = null;
    z.tanh().sum().backward();
    same(z.detach().tanh().square().rsub(1), z.grad!);
  });
});

describe('activations', () => {
  const x = tensor(
    Array.from({ length: 2001 }, (_, i) => (i - 1000) / 200),
    D,
  );
  const lowest = (y: Tensor): [number, number] => {
    const v = numbers(y);
    const i = v.indexOf(Math.min(...v));
    return [v[i]!, numbers(x)[i]!];
  };
  it('SiLU is x σ(x) with its minimum −.278 at −1.278', () => {
    same(F.silu(x), x.mul(x.sigmoid()));
    const [y, at] = lowest(F.silu(x));
    expect(y).toBeCloseTo(-0.278, 3);
    expect(at).toBeCloseTo(-1.278, 2);
  });
  it('GELU: exact, by σ(1.702x) within .0203, by tanh within 4.7e-4; minimum −.170 at −.75', () => {
    const exact = x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
    same(F.gelu(x), exact);
    const worst = (approximate: 'sigmoid' | 'tanh'): number =>
      F.gelu(x, { approximate }).sub(exact).abs().max().itemSync();
    expect(worst('sigmoid')).toBeCloseTo(0.0203, 4);
    expect(worst('tanh')).toBeCloseTo(4.7e-4, 5);
    const [y, at] = lowest(F.gelu(x));
    expect(y).toBeCloseTo(-0.17, 3);
    expect(at).toBeCloseTo(-0.75, 2);
  });
});

describe('blocks', () => {
  it('BN: normalise by the batch, scale, shift, and the running statistics (unbiased variance)', () => {
    manualSeed(7);
    const x = fixed([6, 3]);
    const [gamma, beta] = [fixed([3]), fixed([3])];
    const [mean, variance] = [zeros([3], D), zeros([3], D).add(1).realize()];
    const y = F.batchNorm(x, mean, variance, gamma, beta, { training: true, momentum: 0.1, eps: 1e-5 });
    const mu = x.mean(0);
    const biased = x.var(0, { correction: 0 });
    same(y, x.sub(mu).div(biased.add(1e-5).sqrt()).mul(gamma).add(beta));
    same(mean, mu.mul(0.1));
    same(variance, x.var(0).mul(0.1).add(0.9));
  });
  it('LN: the same over the features of one sample', () => {
    manualSeed(8);
    const x = fixed([4, 5]);
    const [gamma, beta] = [fixed([5]), fixed([5])];
    const standard = x
      .sub(x.mean(1, { keepdim: true }))
      .div(x.var(1, { correction: 0, keepdim: true }).add(1e-5).sqrt());
    same(F.layerNorm(x, 5, gamma, beta), standard.mul(gamma).add(beta));
  });
  it('F(x) + x passes the gradient on; F(x) + conv1×1(x) changes shape; dense blocks concatenate', () => {
    manualSeed(9);
    const x = leaf([1, 3, 5, 5]);
    const w = fixed([3, 3, 3, 3]);
    const f = (v: Tensor): Tensor => F.conv2d(v, w, null, { padding: 1 });
    f(x).add(x).sum().backward();
    const both = x.grad!.clone().realize();
    x.grad = null;
    f(x).sum().backward();
    same(both, x.grad!.add(1));
    const half = F.conv2d(x, fixed([8, 3, 3, 3]), null, { stride: 2, padding: 1 });
    expect(half.add(F.conv2d(x, fixed([8, 3, 1, 1]), null, { stride: 2 })).shape).toEqual([1, 8, 3, 3]);
    expect(cat([x, f(x), f(f(x))], 1).shape).toEqual([1, 9, 5, 5]);
  });
  it('the receptive field of n stacked 3 × 3 is 2n + 1', () => {
    for (const n of [1, 2, 3]) {
      const x = zeros([1, 1, 15, 15], { requiresGrad: true });
      let y: Tensor = x;
      for (let i = 0; i < n; i++) y = F.conv2d(y, zeros([1, 1, 3, 3]).add(1), null, { padding: 1 });
      y.at(0, 0, 7, 7).backward();
      const touched = numbers(x.grad!.ne(0).sum([0, 1, 2])).filter(v => v > 0).length;
      expect(touched).toBe(2 * n + 1);
    }
  });
  it('cosine similarity, and a convolution gives ⌊(H + 2p − k)/s⌋ + 1', () => {
    manualSeed(10);
    const [a, b] = [fixed([4]), fixed([4])];
    same(
      F.cosineSimilarity(a, b, { dim: 0 }),
      a.dot(b).div(a.square().sum().sqrt().mul(b.square().sum().sqrt())),
    );
    for (const H of [7, 16, 32, 33])
      for (const k of [1, 3, 5, 7])
        for (const s of [1, 2, 3])
          for (const p of [0, 1, 3]) {
            const out = F.conv2d(zeros([1, 1, H, H]), zeros([1, 1, k, k]), null, { stride: s, padding: p });
            expect(out.shape[2]).toBe(Math.floor((H + 2 * p - k) / s) + 1);
          }
  });
});

describe('through time', () => {
  it('scalar tanh RNN with an output at each step: δ of the present and of the future', () => {
    manualSeed(11);
    const [x1, x2, t1, t2] = [0.4, -0.9, 0.2, 0.7];
    const [wx, wh, wy] = [leaf([]), leaf([]), leaf([])];
    const h1 = wx.mul(x1).tanh();
    const h2 = wx.mul(x2).add(wh.mul(h1)).tanh();
    const [y1, y2] = [wy.mul(h1), wy.mul(h2)];
    y1.sub(t1).square().add(y2.sub(t2).square()).mul(0.5).backward();
    const v = (t: Tensor): number => t.detach().itemSync();
    const d2 = (v(y2) - t2) * v(wy);
    const d1 = (v(y1) - t1) * v(wy) + d2 * (1 - v(h2) ** 2) * v(wh);
    expect(wy.grad!.itemSync()).toBeCloseTo((v(y1) - t1) * v(h1) + (v(y2) - t2) * v(h2), 12);
    expect(wx.grad!.itemSync()).toBeCloseTo(d1 * (1 - v(h1) ** 2) * x1 + d2 * (1 - v(h2) ** 2) * x2, 12);
    expect(wh.grad!.itemSync()).toBeCloseTo(d2 * (1 - v(h2) ** 2) * v(h1), 12);
  });
  it('vector RNN: ∂hₜ/∂hₖ is a product of diag(1 − h²) W, ∂L/∂W_hh the sum over immediate parts', () => {
    manualSeed(12);
    const [T, H] = [4, 3];
    const [win, w, wo] = [leaf([H, 2]), leaf([H, H]), leaf([2, H])];
    const xs = Array.from({ length: T }, () => fixed([2, 1]));
    const hs: Tensor[] = [zeros([H, 1], D)];
    for (const x of xs)
      hs.push(
        win
          .matmul(x)
          .add(w.matmul(hs.at(-1)!))
          .tanh(),
      );
    for (const h of hs.slice(1)) h.retainGrad();
    const y = wo.matmul(hs[T]!);
    y.retainGrad();
    y.square().sum().mul(0.5).backward();
    same(y.grad!.matmul(hs[T]!.detach().t()), wo.grad!);
    const slope = (t: number): Tensor => hs[t]!.detach().square().rsub(1); // (H, 1)
    let sum = zeros([H, H], D);
    for (let k = 1; k <= T; k++) {
      let back = hs[T]!.grad!;
      for (let t = T; t > k; t--)
        back = w
          .detach()
          .t()
          .matmul(back.mul(slope(t)));
      sum = sum.add(back.mul(slope(k)).matmul(hs[k - 1]!.detach().t()));
      if (k < T) same(back, hs[k]!.grad!);
    }
    same(sum, w.grad!);
  });
  it('scalar net ŷ = w₂ tanh(w₁x + b₁) + b₂: the four partials by hand', () => {
    manualSeed(13);
    const [w1, b1, w2, b2] = [leaf([]), leaf([]), leaf([]), leaf([])];
    const [x, y] = [0.8, -0.3];
    const h = w1.mul(x).add(b1).tanh();
    const e = w2.mul(h).add(b2).sub(y);
    e.square().mul(0.5).backward();
    const [ev, hv, w] = [e, h, w2].map(t => t.detach().itemSync()) as [number, number, number];
    expect(w2.grad!.itemSync()).toBeCloseTo(ev * hv, 12);
    expect(b2.grad!.itemSync()).toBeCloseTo(ev, 12);
    expect(w1.grad!.itemSync()).toBeCloseTo(ev * w * (1 - hv * hv) * x, 12);
    expect(b1.grad!.itemSync()).toBeCloseTo(ev * w * (1 - hv * hv), 12);
  });
});

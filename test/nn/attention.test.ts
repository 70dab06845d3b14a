// Attention and transformer layers: masks, heads, what may be seen. Values of PyTorch: golden.test.ts.

import { describe, expect, it } from 'vitest';
import { F, gradcheck, manualSeed, nn, ones, randn, type Tensor, tensor, zeros } from '../../src/index.ts';

const farthest = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().itemSync();
const [N, T, E, H] = [2, 5, 8, 2];

describe('MultiheadAttention', () => {
  manualSeed(1);
  const mha = new nn.MultiheadAttention(E, H, { batchFirst: true });
  const x = randn([N, T, E]);
  const later = ones([T, T], { dtype: 'bool' }).triu(1);
  it('gives the same with and without its weights, and weights that sum to 1', () => {
    const [a, w] = mha(x, x, x, { attnMask: later });
    const [b, none] = mha(x, x, x, { attnMask: later, needWeights: false });
    expect(farthest(a, b)).toBeLessThan(1e-6);
    expect(none).toBeNull();
    expect(w!.shape).toEqual([N, T, T]);
    expect(farthest(w!.sum(-1), ones([N, T]))).toBeLessThan(1e-6);
    expect(mha(x, x, x, { averageAttnWeights: false })[1]!.shape).toEqual([N, H, T, T]);
  });
  it('masks as bool and as numbers are one, isCausal too', () => {
    const numbers = zeros([T, T]).maskedFill(later, Number.NEGATIVE_INFINITY);
    const [a] = mha(x, x, x, { attnMask: later });
    expect(farthest(a, mha(x, x, x, { attnMask: numbers })[0])).toBeLessThan(1e-6);
    expect(farthest(a, mha(x, x, x, { isCausal: true })[0])).toBeLessThan(1e-6);
    expect(farthest(a, mha(x, x, x, { isCausal: true, needWeights: false })[0])).toBeLessThan(1e-6);
  });
  it('keys that are padding are as if they were not there', () => {
    const padding = tensor([
      [false, false, false, true, true],
      [false, false, false, true, true],
    ]);
    const short = x.narrow(1, 0, 3);
    const [a] = mha(x, x, x, { keyPaddingMask: padding });
    expect(farthest(a, mha(x, short, short)[0])).toBeLessThan(1e-6);
  });
  it('other widths of keys and values, keys more at the end, without a batch', () => {
    const other = new nn.MultiheadAttention(E, H, { kdim: 3, vdim: 6, addBiasKv: true, addZeroAttn: true });
    expect(Object.keys(other.stateDict())).toContain('q_proj_weight');
    const [y, w] = other(randn([T, E]), randn([4, 3]), randn([4, 6]));
    expect(y.shape).toEqual([T, E]);
    expect(w!.shape).toEqual([T, 6]);
  });
  it('refuses what does not fit', () => {
    expect(() => new nn.MultiheadAttention(7, 2)).toThrow(/divisible by the number of heads/);
    expect(() => mha(randn([N, T, E + 1]), x, x)).toThrow(/queries are \(N, T, 8\)/);
    expect(() => mha(x, x, x, { attnMask: zeros([T, T + 1]) })).toThrow(
      /attnMask is \(5, 5\) or \(4, 5, 5\)/,
    );
  });
});

describe('what a causal layer sees', () => {
  const build = {
    encoder: () => {
      const layer = new nn.TransformerEncoderLayer(E, H, { dimFeedforward: 16, batchFirst: true });
      return (x: Tensor): Tensor => layer.eval()(x, { isCausal: true });
    },
    'encoder, norm first': () => {
      const layer = new nn.TransformerEncoderLayer(E, H, {
        dimFeedforward: 16,
        batchFirst: true,
        normFirst: true,
      });
      return (x: Tensor): Tensor => layer.eval()(x, { mask: nn.Transformer.generateSquareSubsequentMask(T) });
    },
    decoder: () => {
      const layer = new nn.TransformerDecoderLayer(E, H, { dimFeedforward: 16, batchFirst: true });
      const memory = randn([N, 3, E]);
      return (x: Tensor): Tensor => layer.eval()(x, memory, { tgtIsCausal: true });
    },
  };
  it.each(Object.entries(build))('%s: nothing of the future, all of the past', (_, make) => {
    manualSeed(2);
    const f = make() as (x: Tensor) => Tensor;
    const x = randn([N, T, E]);
    for (let t = 1; t < T; t++) {
      const changed = x.clone();
      changed.narrow(1, t, T - t).add_(3);
      const [a, b] = [f(x), f(changed)];
      expect(farthest(a.narrow(1, 0, t), b.narrow(1, 0, t))).toBe(0);
      expect(farthest(a.narrow(1, t, 1), b.narrow(1, t, 1))).toBeGreaterThan(1e-3);
    }
  });
});

it('attention has the right gradients, and copies of a layer have parameters of their own', () => {
  const make = () => randn([1, 2, 3, 4], { dtype: 'float64' });
  const f = (q: Tensor, k: Tensor, v: Tensor): Tensor =>
    F.scaledDotProductAttention(q, k, v, { isCausal: true });
  expect(gradcheck(f as (...x: Tensor[]) => Tensor, [make(), make(), make()])).toBe(true);
  const layer = new nn.TransformerEncoderLayer(E, H, { dimFeedforward: 16 });
  const stack = new nn.TransformerEncoder(layer, 2);
  const [a, b] = [...stack.layers];
  expect(a!.linear1.weight).not.toBe(b!.linear1.weight);
  expect(farthest(a!.linear1.weight, b!.linear1.weight)).toBe(0);
});

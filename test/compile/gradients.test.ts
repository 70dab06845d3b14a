// Gradients across calls of a compiled step: which ones were there before decides the plan, and nothing else does.

import { describe, expect, it } from 'vitest';
import { compile, F, noGrad, SGD, type Tensor, tensor } from '../../src/index.ts';

const data = (t: Tensor): number[] => [...(t.dataSync() as Float32Array)];
const param = (): Tensor => tensor([1, 2], { requiresGrad: true });

describe('a compiled step', () => {
  it('sets the gradient, then adds to it: two plans', () => {
    const p = param();
    const f = compile(() => {
      p.mul(3).sum().backward();
    });
    for (let i = 1; i <= 4; i++) {
      f();
      expect(data(p.grad!)).toEqual([3 * i, 3 * i]);
    }
    expect(f.stats.captures).toBe(2);
    p.grad = null;
    f();
    expect(data(p.grad!)).toEqual([3, 3]);
    expect(f.stats.captures).toBe(2);
  });
  it('tells a first gradient from a second where it also changes the parameter', () => {
    const p = param();
    const f = compile(() => {
      noGrad(() => p.mul_(2));
      p.square().sum().backward();
    });
    f();
    expect(data(p.grad!)).toEqual([4, 8]);
    f();
    expect(data(p.grad!)).toEqual([12, 24]);
    expect(data(p)).toEqual([4, 8]);
  });
  it('clears gradients that were there only at a later call', () => {
    const p = param();
    const opt = new SGD([p], { lr: 1 });
    const f = compile(() => {
      opt.zeroGrad();
      return p.sum();
    });
    f();
    f();
    p.sum().backward();
    f();
    expect(p.grad).toBeNull();
  });
  it('has one plan where it clears first, whatever was there', () => {
    const p = param();
    const opt = new SGD([p], { lr: 0.5 });
    const f = compile(() => {
      opt.zeroGrad();
      const loss = p.sum();
      loss.backward();
      opt.step();
      return loss;
    });
    const losses = [f(), f(), f(), f()].map(l => l.itemSync());
    expect(losses).toEqual([3, 2, 1, 0]);
    expect(f.stats.captures).toBe(1);
  });
  it('leaves gradients that were read as they were', () => {
    const p = param();
    const f = compile((k: Tensor) => {
      p.grad = null;
      p.mul(k).sum().backward();
    });
    const kept: Tensor[] = [];
    for (let i = 1; i <= 5; i++) {
      f(tensor([i, 2 * i]));
      kept.push(p.grad!);
    }
    expect(kept.map(data)).toEqual([1, 2, 3, 4, 5].map(i => [i, 2 * i]));
  });
  it('refuses to change a captured result that has history', () => {
    const p = param();
    const h = p.mul(2);
    expect(() => compile(() => h.add_(1))()).toThrow(/^compile: a step cannot change a tensor from/);
    expect(data(h)).toEqual([2, 4]);
  });
  it('refuses to send gradients into the history of a captured result, but reads it', () => {
    const p = param();
    const h = p.mul(2);
    const backward = compile(() => {
      h.sum().backward();
    });
    expect(backward).toThrow(/^compile: a step cannot send a gradient to a tensor from outside/);
    expect(p.grad).toBeNull();
    const read = compile(() => h.sum());
    expect([read().itemSync(), read().itemSync()]).toEqual([6, 6]);
    h.sum().backward();
    expect(data(p.grad!)).toEqual([2, 2]);
  });
  it('shows a view of a tensor that it changed, made before or between the calls', () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    const early = t.select(0, 1);
    const f = compile(() => {
      t.add_(1);
      t.mul_(2);
      return early.sum();
    });
    for (let i = 0; i < 4; i++) {
      const now = f();
      expect(now.itemSync()).toBe(data(early)[0]! + data(early)[1]!);
      expect(data(t.select(0, 1))).toEqual(data(early));
    }
  });
  it('keeps apart two captured tensors with equal values', () => {
    const x = tensor([2, 3]).sum();
    const [a, b] = [x.sum(), x.sum()];
    const f = compile(() => {
      a.add_(1);
      return b.add(a);
    });
    expect([f().itemSync(), f().itemSync(), f().itemSync()]).toEqual([11, 12, 13]);
    expect([a.itemSync(), b.itemSync(), x.itemSync()]).toEqual([8, 5, 5]);
  });
  it('gives cross-entropy and its gradient for each batch', () => {
    const w = tensor([1, -1], { requiresGrad: true });
    const f = compile((y: Tensor) => {
      w.grad = null;
      const loss = F.crossEntropy(w.reshape(1, 2), y);
      loss.backward();
      return loss;
    });
    const p = 1 / (1 + Math.exp(-2));
    for (const y of [0, 1, 0, 1]) {
      const loss = f(tensor([y], { dtype: 'int64' })).itemSync();
      expect(loss).toBeCloseTo(-Math.log(y === 0 ? p : 1 - p), 5);
      const g = data(w.grad!);
      expect(g[0]).toBeCloseTo(p - (y === 0 ? 1 : 0), 5);
      expect(g[1]).toBeCloseTo(1 - p - (y === 1 ? 1 : 0), 5);
    }
  });
});

// One kernel stores several results only where its loops run over all of each.

import { describe, expect, it } from 'vitest';
import '../../src/runtime/reference.ts';
import { compile, F, type NestedNumbers, profile, randn, tensor } from '../../src/index.ts';

describe('a result that is also read in part', () => {
  it('is computed whole when only a slice from its start is read', () => {
    const p = tensor([1, 2, 3, 4]);
    const f = compile(() => {
      p.sub_(2);
      return p.narrow(0, 0, 3);
    });
    expect([...f().dataSync()]).toEqual([-1, 0, 1]);
    expect([...p.dataSync()]).toEqual([-1, 0, 1, 2]);
  });
  it('is computed whole when only its first row is read', () => {
    const p = tensor([
      [1, 2],
      [3, 4],
    ]);
    const f = compile(() => {
      p.mul_(2);
      return p.select(0, 0).add(1);
    });
    expect([...f().dataSync()]).toEqual([3, 5]);
    expect([...p.dataSync()]).toEqual([2, 4, 6, 8]);
  });
  it('is computed whole when a product is cut', () => {
    const n = 40;
    const a = tensor(new Float32Array(n * n).fill(1), { shape: [n, n] });
    const p = tensor(new Float32Array(n * n), { shape: [n, n] });
    const f = compile(() => {
      p.copy_(a.matmul(a));
      return p.narrow(0, 0, 8).add(1);
    });
    expect([...f().dataSync()]).toEqual(new Array(8 * n).fill(n + 1));
    expect([...p.dataSync()]).toEqual(new Array(n * n).fill(n));
  });
});

describe('a sum over a row', () => {
  it('is computed once per row where the row is kept with a margin', () => {
    const [rows, long] = [64, 32];
    const x = randn([rows, long]).realize();
    const f = compile(() => {
      const s = x.sum(1, { keepdim: true }); // (64, 1)
      return [s, F.pad(x.sub(s), [1, 1])];
    });
    f();
    const { rows: kernels } = profile(() => f().map(t => t.realize()));
    const work = kernels.reduce((sum, k) => sum + k.flops, 0);
    expect(work).toBeGreaterThan(rows * long);
    expect(work).toBeLessThan(12 * rows * long);
  });
});

describe('a row that is kept where its result will go', () => {
  it('holds one value, though two reductions could leave theirs there', () => {
    const [x, cot] = [randn([2, 3, 4, 4]), randn([2, 3, 4, 4])].map(t => t.tolistSync() as NestedNumbers) as [
      NestedNumbers,
      NestedNumbers,
    ];
    const gradients = ['cpu', 'reference'].map(device => {
      const leaf = tensor(x, { device, requiresGrad: true });
      const weight = tensor([1, 2, 3], { device, requiresGrad: true });
      F.instanceNorm(leaf, { weight }).mul(tensor(cot, { device })).sum().backward();
      return [...(leaf.grad!.dataSync() as Float32Array), ...(weight.grad!.dataSync() as Float32Array)];
    });
    gradients[0]!.forEach((g, i) => {
      expect(g).toBeCloseTo(gradients[1]![i]!, 4);
    });
  });
});

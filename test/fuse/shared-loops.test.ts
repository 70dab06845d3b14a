// One kernel stores several results only where its loops run over all of each.

import { describe, expect, it } from 'vitest';
import { compile, tensor } from '../../src/index.ts';

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

// R4: which old versions are kept for pending work, and that the newest value has one home.

import { describe, expect, it } from 'vitest';
import { compile, noGrad, type Tensor, tensor, zeros } from '../../src/index.ts';

const param = (...x: number[]): Tensor => tensor(x, { requiresGrad: true });
const data = (t: Tensor): number[] => [...(t.dataSync() as Float32Array)];

describe('old versions', () => {
  it('of a gradient stay for a pending update that reads the sum', () => {
    const p = param(1, 2);
    p.sum().backward();
    p.grad!.dataSync();
    // The sum of both gradients is pending when p is updated with it, and then added to again.
    p.sum().backward();
    noGrad(() => p.sub_(p.grad!.mul(0.5)));
    p.sum().backward();
    const between = p.relu();
    noGrad(() => p.sub_(p.grad!.mul(0.5)));
    // Only p and its gradient are computed here; `between` reads the versions before.
    tensor([1]).add(1).dataSync();
    expect(data(between)).toEqual([0, 1]);
    expect(data(p)).toEqual([-1.5, -0.5]);
  });
  it('of a parameter stay for what was computed from it before it had a value', () => {
    const p = param(1, 2);
    p.dataSync();
    noGrad(() => p.zero_());
    const part = p.narrow(0, 1, 1).add(1);
    noGrad(() => p.add_(5));
    tensor([1]).add(1).dataSync();
    noGrad(() => p.zero_());
    expect(data(p)).toEqual([0, 0]);
    expect(data(part)).toEqual([1]);
  });
  it('a parameter that is read has one home: a compiled step changes what is read next', () => {
    const p = param(1, 2);
    p.abs().sum().backward();
    noGrad(() => p.sub_(p.grad!.mul(0.5)));
    expect(data(p)).toEqual([0.5, 1.5]);
    const f = compile(() => {
      noGrad(() => p.sub_(p.grad!.mul(0.5)));
      return p.sum();
    });
    expect([f().itemSync(), f().itemSync()]).toEqual([1, 0]);
    expect(data(p)).toEqual([-0.5, 0.5]);
  });
  it('a number that was made a tensor and changed in place is no constant of the next op', () => {
    for (const count of [zeros([]).realize(), tensor(0)]) {
      for (let i = 1; i <= 3; i++) {
        count.add_(1);
        expect(data(count)).toEqual([i]);
      }
    }
  });
  it('of a base stay for what was computed from a view that a step has read before', () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    const view = t.select(0, 0);
    const change = compile((x: Tensor) => {
      view.set(0, x);
      return x;
    });
    const read = compile(() => view.sum());
    change(tensor(5));
    read();
    const before = view.sum();
    change(tensor(7));
    expect(data(before)).toEqual([7]);
    expect(data(view)).toEqual([7, 2]);
  });
});

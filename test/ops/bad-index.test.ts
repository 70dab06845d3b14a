// R15: a bad index in what writes by index is an error of that op; nothing is changed, and what comes next is not blamed.

import { describe, expect, it } from 'vitest';
import { compile, F, noGrad, SGD, type Tensor, tensor } from '../../src/index.ts';

const at = (...x: number[]): Tensor => tensor(x, { dtype: 'int64' });
const list = (t: Tensor): number[] => [...(t.dataSync() as Float32Array)];
const WRITES: readonly [string, (t: Tensor, index: Tensor) => Tensor][] = [
  ['indexFill', (t, i) => t.indexFill(0, i, 9)],
  ['indexFill_', (t, i) => t.indexFill_(0, i, 9)],
  ['indexAdd', (t, i) => t.indexAdd(0, i, tensor([9]))],
  ['indexCopy', (t, i) => t.indexCopy(0, i, tensor([9]))],
  ['scatter', (t, i) => t.scatter(0, i, tensor([9]))],
  ['scatterAdd_', (t, i) => t.scatterAdd_(0, i, tensor([9]))],
  ['set', (t, i) => t.set([i], 9)],
  ['indexPut_', (t, i) => t.indexPut_([i], tensor([9]), { accumulate: true })],
  ['indexSelect', (t, i) => t.indexSelect(0, i)],
  ['gather', (t, i) => t.gather(0, i)],
];
describe.each([1, 3, 40])('an index outside of %i elements', n => {
  it.each(WRITES)('in %s', (_, write) => {
    const t = tensor(Float32Array.from({ length: n }, (_, i) => i));
    expect(() => write(t.clone(), at(n + 2)).dataSync()).toThrow(/indices and labels must lie inside.* got /);
    expect(list(tensor([1, 2]).at([0]).add(1))).toEqual([2]);
    expect(list(t)).toEqual(Array.from({ length: n }, (_, i) => i));
  });
  it('in a compiled step changes nothing', () => {
    const p = tensor(Float32Array.from({ length: n }, () => 1));
    const step = compile((i: Tensor) => {
      noGrad(() => p.mul_(2));
      return p.indexFill(0, i, 5);
    });
    step(at(0));
    expect(() => step(at(n + 2))).toThrow(/indices and labels/);
    expect(list(p)[n - 1]).toBe(2);
    expect(list(step(at(0)))[0]).toBe(5);
    expect(list(p)[n - 1]).toBe(4);
  });
});

describe('bools', () => {
  const b = (): Tensor => tensor([false, true, true, false]);
  const CASES: readonly [string, () => Tensor, readonly number[]][] = [
    ['argmax', () => b().argmax(0), [1]],
    ['argmin', () => b().argmin(0), [0]],
    ['max', () => b().max(0).values, [1]],
    ['cummax', () => b().cummax(0).indices, [0, 1, 2, 2]],
    ['maximum', () => b().maximum(tensor([true, false, true, false])), [1, 1, 1, 0]],
    ['minimum', () => b().minimum(tensor([true, false, true, false])), [0, 0, 1, 0]],
    ['lt', () => b().lt(tensor([true, false, true, true])), [1, 0, 0, 1]],
  ];
  it.each(CASES)('%s', (_, f, want) => {
    expect(Array.from(f().dataSync() as ArrayLike<number>, Number)).toEqual(want);
  });
  it('have no product', () => {
    expect(() => b().dot(b())).toThrow(/^matmul: it takes numbers, got bool/);
  });
});

describe('an assignment that cannot be computed', () => {
  it('is an error once; the tensor keeps what it had, and the program goes on', () => {
    const t = tensor([1, 2, 3]);
    const [other, view] = [tensor([5]), t.narrow(0, 1, 2)];
    t.dataSync();
    other.add_(1);
    t.set([at(7)], 9);
    expect(() => t.dataSync()).toThrow(/indices and labels/);
    expect([list(other), list(t), list(view)]).toEqual([[6], [1, 2, 3], [2, 3]]);
    t.set([at(0)], 9);
    expect(list(t)).toEqual([9, 2, 3]);
  });
  it('of a training step with a bad label leaves parameters as they were; the next step trains', () => {
    const w = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { requiresGrad: true },
    );
    const o = new SGD([w], { lr: 0.5, momentum: 0.9 });
    const step = (label: number): number => {
      o.zeroGrad();
      const loss = F.crossEntropy(w.mul(0.1), at(label, 0));
      loss.backward();
      o.step();
      return loss.itemSync();
    };
    const first = step(1);
    const before = list(w);
    expect(() => step(5)).toThrow(/label/);
    expect(list(w)).toEqual(before);
    expect(step(1)).toBeLessThan(first);
    expect(list(w)).not.toEqual(before);
  });
});

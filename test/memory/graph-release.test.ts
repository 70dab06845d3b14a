// R6: backward() uses the graph up. What a second one may still pass through does not depend on what was read in between.

import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../../src/index.ts';
import { toposort } from '../../src/ir/node.ts';

const param = (...x: number[]): Tensor => tensor(x, { requiresGrad: true });
const grad = (p: Tensor): number[] => [...(p.grad!.dataSync() as Float32Array)];

for (const read of [false, true]) {
  const between = (t: Tensor): void => {
    if (read) t.dataSync();
  };
  describe(read ? 'with the value read in between' : 'without reading in between', () => {
    const LINEAR: readonly [string, (p: Tensor) => Tensor, number[]][] = [
      ['narrow', p => p.narrow(0, 0, 2), [2, 2, 0]],
      ['add', p => p.add(1), [2, 2, 2]],
      ['a chain of views and sums', p => p.reshape(1, 3).T.add(p.reshape(3, 1)).narrow(0, 0, 2), [4, 4, 0]],
      ['mean', p => p.reshape(3, 1).mean(-1), [2, 2, 2]],
      ['quotient by a number', p => p.div(0.5), [4, 4, 4]],
      ['diagonal', p => p.reshape(1, 3).diagonal(), [2, 0, 0]],
    ];
    for (const [name, make, want] of LINEAR) {
      it(`${name} keeps no values: two losses of it send their gradients`, () => {
        const p = param(1, 2, 3);
        const v = make(p);
        v.sum().backward();
        between(v);
        v.sum().backward();
        expect(grad(p)).toEqual(want);
      });
    }
    const SAVING: readonly [string, (p: Tensor) => Tensor][] = [
      ['square', p => p.square()],
      ['a view of exp', p => p.exp().narrow(0, 0, 2)],
      ['mul', p => p.mul(p.add(1))],
    ];
    for (const [name, make] of SAVING) {
      it(`${name} refuses a second backward and leaves gradients as they were`, () => {
        const p = param(1, 2, 3);
        const v = make(p);
        const other = v.sum().add(p.sum());
        v.sum().backward();
        const before = grad(p);
        between(v);
        expect(() => other.backward()).toThrow(/^backward: the graph of this value was freed/);
        expect(grad(p)).toEqual(before);
      });
      it(`${name} takes a second backward where the first retained the graph`, () => {
        const p = param(1, 2, 3);
        const v = make(p);
        v.sum().backward(null, { retainGraph: true });
        const once = grad(p);
        between(v);
        v.sum().backward();
        expect(grad(p)).toEqual(once.map(g => 2 * g));
      });
    }
  });
}

describe('a loss that is kept', () => {
  const LOSSES: readonly [string, (p: Tensor) => Tensor][] = [
    ['sum', p => p.square().sum()],
    ['mean', p => p.exp().mean()],
    ['sum of means', p => p.exp().mean().add(p.square().mean()).mul(2)],
  ];
  for (const [name, make] of LOSSES) {
    for (const early of [false, true]) {
      it(`${name}, read ${early ? 'before' : 'after'} backward, lets its graph go and refuses another backward`, () => {
        const loss = make(param(1, 2, 3));
        if (early) loss.dataSync();
        loss.backward();
        loss.dataSync();
        expect(toposort([loss.node()], () => false).length).toBe(1);
        expect(() => loss.backward()).toThrow(/^backward: the graph of this value was freed/);
        expect(() => loss.mul(2).sum().backward()).toThrow(/^backward: the graph of this value was freed/);
      });
    }
  }
});

// Containers: what they hold, in which order, under which names.

import { describe, expect, test } from 'vitest';
import { nn, noGrad, ones, randn, type Tensor, zeros } from '../../src/index.ts';

const numbers = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array);
const kinds = (m: nn.Module): string[] => m.children().map(c => c.constructor.name);

describe('Sequential', () => {
  test('runs its layers in order, by position or name', () => {
    const a = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU());
    const b = new nn.Sequential({ fc: a.at(0), act: a.at(-1) });
    const x = randn([4, 2]);
    expect(numbers(a(x))).toEqual(numbers(b(x)));
    expect(Object.keys(b.stateDict())).toEqual(['fc.weight', 'fc.bias']);
    expect(Object.keys(a.stateDict())).toEqual(['0.weight', '0.bias']);
  });
  test('append, insert, set, pop, slice', () => {
    const s = new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU());
    s.append(new nn.Tanh()).insert(0, new nn.Identity());
    expect(kinds(s)).toEqual(['Identity', 'Linear', 'ReLU', 'Tanh']);
    expect(s.namedChildren().map(([n]) => n)).toEqual(['0', '1', '2', '3']);
    expect(s.pop(0).constructor.name).toBe('Identity');
    s.set(1, new nn.Sigmoid());
    expect(kinds(s)).toEqual(['Linear', 'Sigmoid', 'Tanh']);
    expect(s.length).toBe(3);
    const part = s.slice(0, 2);
    expect(kinds(part)).toEqual(['Linear', 'Sigmoid']);
    expect(part.at(0)).toBe(s.at(0));
    expect([...s].length).toBe(3);
    expect(() => s.at(3)).toThrow('Sequential: an index must be within the 3 entries, got 3');
  });
  test('a plain function is refused', () => {
    expect(() => new nn.Sequential(((x: Tensor) => x) as unknown as nn.Layer)).toThrow(
      'Sequential: it holds modules',
    );
  });
  test('the same layer twice is one layer with one set of parameters', () => {
    const shared = new nn.Linear(2, 2);
    const s = new nn.Sequential(shared, new nn.ReLU(), shared);
    expect(s.parameters()).toHaveLength(2);
    expect(Object.keys(s.stateDict())).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
    expect(s.length).toBe(3);
    expect(s(ones([1, 2])).shape).toEqual([1, 2]);
  });
});

test('ModuleList registers its modules and has no forward', () => {
  const list = new nn.ModuleList([new nn.Linear(1, 2), new nn.Linear(2, 3)]);
  expect(list.parameters()).toHaveLength(4);
  let x = ones([1, 1]);
  for (const layer of list) x = layer(x);
  expect(x.shape).toEqual([1, 3]);
  expect(() => (list as unknown as () => void)()).toThrow('ModuleList: it has no forward');
});
test('ModuleDict keeps the order of its names', () => {
  const d = new nn.ModuleDict<nn.Layer>({ b: new nn.Linear(1, 1), a: new nn.ReLU() });
  expect(d.keys()).toEqual(['b', 'a']);
  expect(d.get('a')).toBeInstanceOf(nn.ReLU);
  d.set('c', new nn.Tanh());
  expect(d.pop('b')).toBeInstanceOf(nn.Linear);
  expect([d.size, d.has('b'), d.parameters().length]).toEqual([2, false, 0]);
  expect(() => d.get('x')).toThrow("ModuleDict has the modules a, c, got 'x'");
});
test('ParameterList and ParameterDict make parameters of tensors', () => {
  class Mixture extends nn.Module {
    readonly list = new nn.ParameterList([zeros([2]), ones([3])]);
    readonly dict = new nn.ParameterDict({ scale: ones([1]) });
    forward(x: Tensor): Tensor {
      return x.mul(this.dict.get('scale')).add(this.list.at(1));
    }
  }
  const m = new Mixture();
  expect(m.namedParameters().map(([n]) => n)).toEqual(['list.0', 'list.1', 'dict.scale']);
  expect(m.parameters().every(p => p instanceof nn.Parameter && p.requiresGrad)).toBe(true);
  expect(`${m.list}`).toBe(
    'ParameterList(\n  (0): Parameter containing: [float32 of size 2]\n  (1): Parameter containing: [float32 of size 3]\n)',
  );
  expect(numbers(m(ones([3])))).toEqual([2, 2, 2]);
});

test('a deep copy has parameters of its own, and shares what was shared', () => {
  class Tied extends nn.Module {
    readonly a = new nn.Linear(2, 2);
    readonly b = this.a;
    readonly list = new nn.ModuleList([this.a, nn.weightNorm(new nn.Linear(2, 2))]);
    readonly options = { scale: 2 };
    forward(x: Tensor): Tensor {
      return this.list
        .at(1)(this.b(this.a(x)))
        .mul(this.options.scale);
    }
  }
  const m = new Tied().eval();
  m.a.bias!.requiresGrad_(false);
  const x = randn([3, 2]);
  const copy = nn.deepCopy(m);
  expect(copy).toBeInstanceOf(Tied);
  expect(copy.a).not.toBe(m.a);
  expect(copy.b).toBe(copy.a);
  expect(copy.list.at(0)).toBe(copy.a);
  expect([copy.training, copy.a.training, copy.a.bias!.requiresGrad]).toEqual([false, false, false]);
  expect(Object.keys(copy.stateDict())).toEqual(Object.keys(m.stateDict()));
  const want = numbers(m(x));
  expect(numbers(copy(x))).toEqual(want);
  noGrad(() => {
    for (const p of copy.parameters()) p.fill_(1);
  });
  expect(numbers(m(x))).toEqual(want);
  expect(numbers(copy(x))).not.toEqual(want);
});

// R3: views and detach() share the base's memory, results do not; what was computed before a change keeps its value.

import { describe, expect, it } from 'vitest';
import { compile, full, noGrad, range, type Tensor, tensor } from '../../src/index.ts';
import '../../src/runtime/reference.ts';

const base = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const data = (t: Tensor): number[] => [...(t.dataSync() as Float32Array)];

/** Each view of a (2, 3) tensor 1…6, and what it shows after the whole was doubled. */
const VIEWS: readonly [name: string, view: (t: Tensor) => Tensor, doubled: readonly number[]][] = [
  ['narrow', t => t.narrow(1, 1, 2), [4, 6, 10, 12]],
  ['select', t => t.select(0, 1), [8, 10, 12]],
  ['at with ranges', t => t.at(range(), range(null, null, 2)), [2, 6, 8, 12]],
  ['at with a position', t => t.at(0), [2, 4, 6]],
  ['transpose', t => t.transpose(0, 1), [2, 8, 4, 10, 6, 12]],
  ['T', t => t.T, [2, 8, 4, 10, 6, 12]],
  ['permute', t => t.permute(1, 0), [2, 8, 4, 10, 6, 12]],
  ['reshape', t => t.reshape(3, 2), [2, 4, 6, 8, 10, 12]],
  ['view', t => t.view(-1), [2, 4, 6, 8, 10, 12]],
  ['flatten', t => t.flatten(), [2, 4, 6, 8, 10, 12]],
  ['unsqueeze', t => t.unsqueeze(0), [2, 4, 6, 8, 10, 12]],
  ['squeeze', t => t.unsqueeze(1).squeeze(), [2, 4, 6, 8, 10, 12]],
  ['split', t => t.split(2, 1)[1]!, [6, 12]],
  ['chunk', t => t.chunk(2)[1]!, [8, 10, 12]],
  ['unbind', t => t.unbind(1)[2]!, [6, 12]],
  ['diagonal', t => t.diagonal(), [2, 10]],
  ['expand', t => t.select(0, 0).expand(2, 3), [2, 4, 6, 2, 4, 6]],
  ['unfold', t => t.unfold(1, 2, 1), [2, 4, 4, 6, 8, 10, 10, 12]],
  ['detach', t => t.detach(), [2, 4, 6, 8, 10, 12]],
  ['a view of a view', t => t.T.narrow(0, 1, 2).select(1, 1), [10, 12]],
];
const READ_ONLY = new Set(['expand', 'unfold']);

describe('views', () => {
  for (const [name, view, doubled] of VIEWS) {
    it(`${name} shows what its base holds`, () => {
      const [early, late] = [base(), base()];
      const v = view(early);
      early.mul_(2);
      expect(data(v)).toEqual(doubled);
      const w = view(late);
      w.dataSync();
      late.mul_(2);
      expect(data(w)).toEqual(doubled);
    });
    if (READ_ONLY.has(name)) {
      it(`${name} cannot be changed, since elements repeat`, () => {
        const t = base();
        expect(() => view(t).mul_(2)).toThrow(/in place/);
        expect(data(t)).toEqual([1, 2, 3, 4, 5, 6]);
      });
    } else {
      it(`a change of ${name} is one of its base`, () => {
        const t = base();
        const v = view(t);
        const seen = new Set(data(v));
        v.mul_(-1);
        expect(data(t)).toEqual([1, 2, 3, 4, 5, 6].map(x => (seen.has(x) ? -x : x)));
      });
    }
  }
});

describe('results', () => {
  const RESULTS: readonly [string, (t: Tensor) => Tensor][] = [
    ['clone', t => t.clone()],
    ['add', t => t.add(0)],
    ['sum of a scalar', t => t.select(0, 0).select(0, 0).sum()],
    ['sum over no dims', t => t.sum([])],
    ['flip', t => t.flip(0)],
    ['roll', t => t.roll(0, 0)],
    ['tile', t => t.tile(1, 1)],
    ['at with a list', t => t.at([0, 1])],
    ['clamp', t => t.clamp(-100, 100)],
    ['pow 1', t => t.pow(1)],
    ['triu', t => t.triu(-5)],
  ];
  for (const [name, make] of RESULTS) {
    it(`${name} keeps its value when its source changes, read before or after`, () => {
      const t = base();
      const [read, unread] = [make(t), make(t)];
      const want = data(read);
      t.mul_(2);
      expect(data(unread)).toEqual(want);
      expect(data(read)).toEqual(want);
      expect(data(t)).toEqual([2, 4, 6, 8, 10, 12]);
    });
    it(`${name} can be changed without its source`, () => {
      const t = base();
      const r = make(t);
      r.fill_(9);
      expect(data(t)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(new Set(data(r))).toEqual(new Set([9]));
    });
  }
  it('keep the version they were computed from, however late they are read', () => {
    const t = base();
    const seen: Tensor[] = [];
    for (let i = 0; i < 5; i++) {
      seen.push(t.sum());
      t.add_(1);
      if (i % 2 === 0) t.dataSync();
    }
    expect(seen.map(s => s.itemSync())).toEqual([21, 27, 33, 39, 45]);
  });
});

describe('assignments that read what they replace', () => {
  it('a shift by one reads the old elements', () => {
    const t = tensor([1, 2, 3, 4]);
    t.at(range(1)).copy_(t.at(range(null, -1)));
    expect(data(t)).toEqual([1, 1, 2, 3]);
    t.at(range(null, -1)).copy_(t.at(range(1)));
    expect(data(t)).toEqual([1, 2, 3, 3]);
  });
  it('two tensors swap', () => {
    const [a, b] = [tensor([1, 2]), tensor([3, 4])];
    const [x, y] = [b.mul(1), a.mul(1)];
    a.copy_(x);
    b.copy_(y);
    expect([data(a), data(b)]).toEqual([
      [3, 4],
      [1, 2],
    ]);
  });
  it('a matrix takes its transpose', () => {
    const t = tensor([
      [1, 2],
      [3, 4],
    ]);
    t.copy_(t.T);
    expect(data(t)).toEqual([1, 3, 2, 4]);
  });
  it('the difference of a step is new minus old', () => {
    const p = tensor([1, 2], { requiresGrad: true });
    const old = p.mul(1);
    noGrad(() => p.sub_(tensor([0.5, 0.25])));
    expect(data(p.sub(old))).toEqual([-0.5, -0.25]);
  });
});

describe('a slice that begins where an argument says', () => {
  it('reads and replaces those rows, and refuses what lies outside', () => {
    const x = tensor(
      Array.from({ length: 40 }, (_, i) => i),
      { shape: [10, 4] },
    );
    const cache = x.clone();
    const step = compile((at: number, v: Tensor) => {
      noGrad(() => cache.narrow(0, at, 1).copy_(v));
      return cache.select(1, at);
    });
    for (let i = 0; i < 4; i++) {
      const column = step(i, tensor([[100 + i]]));
      const want = Array.from({ length: 10 }, (_, r) => (r <= i ? 100 + r : r * 4 + i));
      expect(data(column)).toEqual(want);
    }
    expect(() => step(10, tensor([[1]]))).toThrow(/inside the dim.*got 10/);
    expect(data(cache)).toEqual(data(x).map((v, i) => (i < 16 ? 100 + Math.floor(i / 4) : v)));
  });
  it('sends gradients to where it read', () => {
    const x = tensor([1, 2, 3, 4], { requiresGrad: true });
    const f = compile((at: number) => {
      const y = x.narrow(0, at, 2).square().sum();
      y.backward();
      return y;
    });
    expect(f(1).itemSync()).toBe(13);
    expect(data(x.grad!)).toEqual([0, 4, 6, 0]);
    x.grad = null;
    expect(f(2).itemSync()).toBe(25);
    expect(data(x.grad!)).toEqual([0, 0, 6, 8]);
  });
  it('a part of data is seen through every later change of it', () => {
    const x = tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] });
    const part = x.narrow(0, 1, 1);
    const twice = part.mul(2);
    x.mul_(10);
    expect(data(twice)).toEqual([6, 8]);
    expect(data(part.mul(1))).toEqual([30, 40]);
    part.fill_(7);
    expect(data(x)).toEqual([10, 20, 7, 7, 50, 60]);
    // The target of a change is read and written by one plan.
    x.narrow(0, 0, 2).copy_(x.narrow(0, 1, 2).clone());
    expect(data(x)).toEqual([7, 7, 50, 60, 50, 60]);
  });
});

describe('tensor() from a typed array', () => {
  for (const device of ['cpu', 'reference']) {
    it(`copies it on ${device}: later changes of the array are not seen`, () => {
      const array = Float32Array.of(1, 2, 3);
      const t = tensor(array, { device });
      array[0] = 9;
      expect(data(t)).toEqual([1, 2, 3]);
    });
    it(`shares its memory with copy: false on ${device}, and writes nothing into it`, () => {
      const array = Float32Array.of(0, 1, 2, 3).subarray(1);
      const t = tensor(array, { device, copy: false, shape: [3, 1] });
      array[0] = 9;
      expect(data(t.add(1))).toEqual([10, 3, 4]);
      t.mul_(2);
      expect(data(t)).toEqual([18, 4, 6]);
      expect([...array]).toEqual([9, 2, 3]);
    });
  }
  it('says what cannot be shared', () => {
    const ints = Int32Array.of(1, 2);
    expect(() => tensor([1, 2], { copy: false })).toThrow(/copy: false needs a typed array/);
    expect(() => tensor(ints, { copy: false, dtype: 'float32' })).toThrow(/Int32Array as float32/);
    expect(() => tensor(base(), { copy: false })).toThrow(/leave copy out/);
    expect(data(tensor(ints, { copy: false }))).toEqual([1, 2]);
  });
});

it('full() of a leaf keeps the sign of zero', () => {
  const signs = [0, -0, 2].map(value => data(full([2], value, { requiresGrad: true })));
  expect(signs).toEqual([
    [0, 0],
    [-0, -0],
    [2, 2],
  ]);
});

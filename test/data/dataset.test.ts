// Data sets and how they are put together.

import { describe, expect, it } from 'vitest';
import {
  ChainDataset,
  ConcatDataset,
  Dataset,
  defaultCollate,
  IterableDataset,
  padSequence,
  randomSplit,
  StackDataset,
  Subset,
  TensorDataset,
  TransformDataset,
} from '../../src/data/index.ts';
import { Generator, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

class Squares extends Dataset<number> {
  readonly length: number;
  constructor(n: number) {
    super();
    this.length = n;
  }
  override get(i: number): number {
    return i * i;
  }
}
const all = <T>(d: Dataset<T>): unknown[] => Array.from({ length: d.length }, (_, i) => d.get(i));

describe('TensorDataset', () => {
  const x = tensor([
    [0, 1, 2],
    [10, 11, 12],
    [20, 21, 22],
  ]);
  const y = tensor([0n, 1n, 2n]);
  const d = new TensorDataset(x, y);
  it('gives rows, alone and gathered, in the dtype of each tensor', () => {
    const [row, label] = d.get(1);
    expect([row.shape, numbers(row), label.shape, label.dtype]).toEqual([[3], [10, 11, 12], [], 'int64']);
    const [rows, labels] = d.getBatch([2, 0, 2]);
    expect(rows.shape).toEqual([3, 3]);
    expect(numbers(rows)).toEqual([20, 21, 22, 0, 1, 2, 20, 21, 22]);
    expect(numbers(labels)).toEqual([2, 0, 2]);
    expect(d.tensors.map(t => t.shape)).toEqual([[3, 3], [3]]);
  });
  it.each([
    'float64',
    'float32',
    'float16',
    'bfloat16',
    'int64',
    'int32',
    'int16',
    'int8',
    'uint8',
    'bool',
  ] as const)('keeps %s, rows short, long and of odd bytes', dtype => {
    for (const width of [1, 3, 40]) {
      const t = tensor(
        Array.from({ length: 4 }, (_, i) => Array.from({ length: width }, (_, j) => (i * 7 + j) % 5)),
        { dtype },
      );
      const [got] = new TensorDataset(t).getBatch([3, 1]);
      expect(got.dtype).toBe(dtype);
      expect(numbers(got)).toEqual([...numbers(t.narrow(0, 3, 1)), ...numbers(t.narrow(0, 1, 1))]);
    }
  });
  it('takes arrays, wherever in a buffer they begin', () => {
    const data = new Uint8Array([9, 0, 1, 2, 3, 4, 5, 6, 7]).subarray(1);
    const [t] = new TensorDataset({ data, shape: [2, 4], dtype: 'uint8' }).getBatch([1]);
    expect(numbers(t)).toEqual([4, 5, 6, 7]);
  });
  it('gives batches that are independent of each other and of the data', () => {
    const [a] = d.getBatch([0, 1]);
    a.mul_(0);
    expect(numbers(a)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(numbers(d.getBatch([0, 1])[0])).toEqual([0, 1, 2, 10, 11, 12]);
  });
  it('refuses tensors of other lengths and wrong indices', () => {
    expect(() => new TensorDataset(x, tensor([1, 2]))).toThrow(
      'TensorDataset: all tensors must have 3 rows, got (2)',
    );
    expect(() => new TensorDataset(tensor(1))).toThrow('tensors with at least one dim, got one of shape ()');
    for (const i of [-1, 3, 0.5, Number.NaN]) {
      expect(() => d.get(i)).toThrow('TensorDataset: the index must be an integer from 0 to 2');
      expect(() => d.getBatch([0, i])).toThrow('the index must be');
    }
  });
});

it('Subset, ConcatDataset, StackDataset and TransformDataset compose', async () => {
  const both = new ConcatDataset([new Squares(3), new Squares(0), new Squares(2)]);
  expect(all(both)).toEqual([0, 1, 4, 0, 1]);
  expect(all(new Subset(both, [4, 2]))).toEqual([1, 4]);
  expect(all(new StackDataset(new Squares(2), new TransformDataset(new Squares(2), v => `s${v}`)))).toEqual([
    [0, 's0'],
    [1, 's1'],
  ]);
  const slow = new TransformDataset(new Squares(2), async v => v + 1);
  expect(await new StackDataset(slow, new Squares(2)).get(1)).toEqual([2, 1]);
  expect(() => both.get(5)).toThrow('ConcatDataset: the index must be an integer from 0 to 4, got 5');
  expect(() => new StackDataset(new Squares(2), new Squares(3))).toThrow('must have 2 samples, got 3');
  expect(() => new Subset(both, [9]).get(0)).toThrow('ConcatDataset: the index');
});

it('Subset gathers batches as its data set does', () => {
  const d = new TensorDataset(tensor([5, 6, 7, 8]));
  const inner = new Subset(new Subset(d, [3, 2, 1]), [2, 0]);
  expect(numbers((inner.getBatch!([0, 1]) as [Tensor])[0])).toEqual([6, 8]);
  expect(new Subset(new Squares(3), [1]).getBatch).toBeUndefined();
});

it('ChainDataset joins streams, waiting where it must', async () => {
  class Letters extends IterableDataset<string> {
    override *[Symbol.iterator]() {
      yield* 'ab';
    }
  }
  class Slow extends IterableDataset<string> {
    override async *[Symbol.asyncIterator]() {
      yield 'c';
    }
  }
  expect([...(new ChainDataset([new Letters(), new Letters()]) as Iterable<string>)].join('')).toBe('abab');
  const mixed = new ChainDataset([new Letters(), new Slow()]);
  expect(mixed[Symbol.iterator]).toBeUndefined();
  let text = '';
  for await (const c of mixed as AsyncIterable<string>) text += c;
  expect(text).toBe('abc');
});

describe('randomSplit', () => {
  const d = new Squares(10);
  const parts = (lengths: number[], seed = 1) =>
    randomSplit(d, lengths, { generator: new Generator(seed) }).map(s => Array.from(s.indices));
  it('cuts into disjoint parts that cover all, repeats for a seed', () => {
    const [a, b, c] = parts([5, 3, 2]);
    expect([a!.length, b!.length, c!.length]).toEqual([5, 3, 2]);
    expect([...a!, ...b!, ...c!].sort((p, q) => p - q)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(parts([5, 3, 2])).toEqual([a, b, c]);
    expect(parts([5, 3, 2], 2)).not.toEqual([a, b, c]);
  });
  it('takes shares: floors, then what is left from the first part on', () => {
    expect(parts([0.25, 0.25, 0.5]).map(p => p.length)).toEqual([3, 2, 5]);
    expect(parts([1 / 3, 1 / 3, 1 / 3]).map(p => p.length)).toEqual([4, 3, 3]);
  });
  it('refuses lengths that do not fit', () => {
    expect(() => parts([5, 4])).toThrow('randomSplit: lengths must sum to the 10 samples');
    expect(() => parts([11, -1])).toThrow('lengths must sum');
    expect(() => parts([0.5, 0.4])).toThrow('got [0.5, 0.4]');
  });
});

describe('defaultCollate', () => {
  it('batches numbers, bigints, booleans, strings, typed arrays, tensors, lists and records', () => {
    const sample = (i: number) => ({
      n: i + 0.5,
      label: BigInt(i),
      flag: i > 0,
      text: `t${i}`,
      raw: new Uint8Array([i, 2 * i]),
      pair: [tensor([i, -i]), i] as [Tensor, number],
    });
    const b = defaultCollate([sample(0), sample(1)]);
    expect([b.n.dtype, b.label.dtype, b.flag.dtype, b.raw.dtype]).toEqual([
      'float32',
      'int64',
      'bool',
      'uint8',
    ]);
    expect(numbers(b.n)).toEqual([0.5, 1.5]);
    expect(numbers(b.label)).toEqual([0, 1]);
    expect(numbers(b.flag)).toEqual([0, 1]);
    expect(b.text).toEqual(['t0', 't1']);
    expect([b.raw.shape, numbers(b.raw)]).toEqual([
      [2, 2],
      [0, 0, 1, 2],
    ]);
    expect([b.pair[0].shape, numbers(b.pair[0]), numbers(b.pair[1])]).toEqual([
      [2, 2],
      [0, -0, 1, -1],
      [0, 1],
    ]);
  });
  it('keeps gradients and 16-bit floats', () => {
    const w = tensor([1, 2], { requiresGrad: true });
    defaultCollate([w, w.mul(2)])
      .sum()
      .backward();
    expect(numbers(w.grad!)).toEqual([3, 3]);
    const half = defaultCollate([tensor([1.5], { dtype: 'float16' }), tensor([2.5], { dtype: 'float16' })]);
    expect([half.dtype, numbers(half)]).toEqual(['float16', [1.5, 2.5]]);
  });
  it('names the place where samples differ', () => {
    expect(() => defaultCollate([{ x: [tensor([1])] }, { x: [tensor([1, 2])] }])).toThrow(
      'defaultCollate: tensors of a batch must have the same shape and dtype, got float32 (1) and float32 (2) at sample.x[0]. pad them',
    );
    expect(() => defaultCollate<unknown>([1, 'a'])).toThrow('same form, got number and string');
    expect(() => defaultCollate<unknown>([[1], [1, 2]])).toThrow(
      'lists must have the same length, got 1 and 2',
    );
    expect(() => defaultCollate<unknown>([{ a: 1 }, { b: 1 }])).toThrow("must have the key 'a'");
    expect(() => defaultCollate<unknown>([new Date()])).toThrow('got Date');
    expect(() => defaultCollate<unknown>([null])).toThrow('got null');
  });
});

it('padSequence fills up at the end, in both layouts, with gradients', () => {
  const a = tensor(
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    { requiresGrad: true },
  );
  const b = tensor([[7, 8]]);
  const t = padSequence([a, b], { paddingValue: -1 });
  expect(t.shape).toEqual([3, 2, 2]);
  expect(numbers(t)).toEqual([1, 2, 7, 8, 3, 4, -1, -1, 5, 6, -1, -1]);
  const f = padSequence([a, b], { batchFirst: true });
  expect(f.shape).toEqual([2, 3, 2]);
  expect(numbers(f)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
  f.sum().backward();
  expect(numbers(a.grad!)).toEqual([1, 1, 1, 1, 1, 1]);
  expect(padSequence([tensor([1n]), tensor([1n, 2n])], { paddingValue: 9 }).dtype).toBe('int64');
  expect(() => padSequence([a, tensor([1])])).toThrow('agree in all dims but the first with (3, 2), got (1)');
});

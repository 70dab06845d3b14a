// Orders: what each sampler promises, and its statistics.

import { describe, expect, it } from 'vitest';
import {
  BucketBatchSampler,
  CurriculumSampler,
  RandomSampler,
  SequentialSampler,
  StratifiedSampler,
  SubsetRandomSampler,
  TimeOrderedBatchSampler,
  WeightedRandomSampler,
} from '../../src/data/index.ts';
import { Generator } from '../../src/index.ts';

const from = (seed: number) => new Generator(seed);
const order = (s: { order(g: Generator, epoch: number): Iterable<number> }, seed = 1, epoch = 0) => [
  ...s.order(from(seed), epoch),
];
const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);
/** χ² of counts against expected counts. */
const chi2 = (counts: readonly number[], expected: readonly number[]) =>
  counts.reduce((s, c, i) => s + (c - expected[i]!) ** 2 / expected[i]!, 0);

it('SequentialSampler counts', () => {
  expect(order(new SequentialSampler({ length: 4 }))).toEqual([0, 1, 2, 3]);
});

describe('RandomSampler', () => {
  it('gives each index once, in an order that is uniform over all permutations', () => {
    expect(sorted(order(new RandomSampler({ length: 1000 })))).toEqual(upTo(1000));
    expect(order(new RandomSampler({ length: 50 }), 1)).toEqual(order(new RandomSampler({ length: 50 }), 1));
    expect(order(new RandomSampler({ length: 50 }), 1)).not.toEqual(
      order(new RandomSampler({ length: 50 }), 2),
    );
    const counts = new Map<string, number>();
    const n = 24_000;
    const s = new RandomSampler({ length: 4 });
    const g = from(3);
    for (let i = 0; i < n; i++) {
      const key = [...s.order(g)].join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    // 23 degrees of freedom: beyond 60 with probability 4e-5.
    expect(chi2([...counts.values()], Array(24).fill(n / 24))).toBeLessThan(60);
  });
  it('draws with replacement uniformly and independently', () => {
    const s = new RandomSampler({ length: 10 }, { replacement: true, numSamples: 50_000 });
    const list = order(s);
    expect(list.length).toBe(50_000);
    const counts = upTo(10).map(v => list.filter(x => x === v).length);
    expect(chi2(counts, Array(10).fill(5000))).toBeLessThan(38); // 9 degrees: p = 2e-5
    const same = list.filter((v, i) => i > 0 && v === list[i - 1]).length;
    expect(Math.abs(same - 5000)).toBeLessThan(5 * Math.sqrt(50_000 * 0.1 * 0.9));
  });
  it('gives one permutation after the other for more samples than there are', () => {
    const list = order(new RandomSampler({ length: 4 }, { numSamples: 10 }));
    expect(list.length).toBe(10);
    expect(sorted(list.slice(0, 4))).toEqual(upTo(4));
    expect(sorted(list.slice(4, 8))).toEqual(upTo(4));
    expect(new Set(list.slice(8)).size).toBe(2);
    expect(new Set(order(new RandomSampler({ length: 40 }, { numSamples: 10 }))).size).toBe(10);
  });
});

it('SubsetRandomSampler shuffles its indices', () => {
  const list = order(new SubsetRandomSampler([5, 7, 7, 9, 11, 2]));
  expect(sorted(list)).toEqual([2, 5, 7, 7, 9, 11]);
});

describe('WeightedRandomSampler', () => {
  it('draws in the shares of the weights, never weight 0', () => {
    const n = 40_000;
    const list = order(new WeightedRandomSampler([1, 0, 2, 5, 0], n));
    const counts = upTo(5).map(v => list.filter(x => x === v).length);
    expect([counts[1], counts[4]]).toEqual([0, 0]);
    expect(chi2([counts[0]!, counts[2]!, counts[3]!], [n / 8, n / 4, (n * 5) / 8])).toBeLessThan(21); // 2 degrees: 3e-5
  });
  it('draws without replacement: the first in the shares of the weights, each once', () => {
    const s = new WeightedRandomSampler([1, 2, 3, 0], 3, { replacement: false });
    const first = [0, 0, 0];
    const g = from(5);
    for (let i = 0; i < 12_000; i++) {
      const list = [...s.order(g)];
      if (i < 50) expect(sorted(list)).toEqual([0, 1, 2]);
      first[list[0]!]!++;
    }
    expect(chi2(first, [2000, 4000, 6000])).toBeLessThan(21);
  });
  it('refuses bad weights', () => {
    expect(() => new WeightedRandomSampler([1, -1], 2)).toThrow('finite and >= 0, got -1 at 1');
    expect(() => new WeightedRandomSampler([0, 0], 2)).toThrow('one weight at least must be positive');
    expect(() => new WeightedRandomSampler([1, 0], 2, { replacement: false })).toThrow(
      'as many positive weights as samples, got 1 of them',
    );
  });
});

describe('StratifiedSampler', () => {
  const labels = upTo(1000).map(i => (i < 700 ? 0 : i < 950 ? 1 : 2)); // class-sorted: 70, 25, 5 %
  it('gives each index once and each batch the shares of the whole', () => {
    for (let seed = 0; seed < 20; seed++) {
      const list = order(new StratifiedSampler(labels), seed);
      expect(sorted(list)).toEqual(upTo(1000));
      for (let at = 0; at < 1000; at += 40) {
        const batch = list.slice(at, at + 40).map(i => labels[i]!);
        const counts = [0, 1, 2].map(c => batch.filter(l => l === c).length);
        counts.forEach((count, c) => {
          expect(Math.abs(count - [28, 10, 2][c]!)).toBeLessThanOrEqual(2);
        });
      }
    }
  });
  it('differs from seed to seed, within classes too, and takes bigint labels', () => {
    const big = BigInt64Array.from(labels, BigInt);
    expect(order(new StratifiedSampler(big), 1)).toEqual(order(new StratifiedSampler(labels), 1));
    const rare = (seed: number) => order(new StratifiedSampler(labels), seed).filter(i => i >= 950);
    expect(rare(1)).not.toEqual(rare(2));
    // A class of one sample comes anywhere.
    const place = (seed: number) => order(new StratifiedSampler([1, ...Array(99).fill(0)]), seed).indexOf(0);
    const places = upTo(40).map(place);
    expect([Math.min(...places) < 25, Math.max(...places) > 75]).toEqual([true, true]);
  });
});

it('CurriculumSampler starts with the easiest and ends with all', () => {
  const difficulty = upTo(100).map(i => (i * 37) % 100);
  const s = new CurriculumSampler(difficulty, { start: 0.2, epochs: 4 });
  expect([0, 1, 2, 3, 4, 9].map(e => s.count(e))).toEqual([20, 40, 60, 80, 100, 100]);
  for (const epoch of [0, 2, 4]) {
    const list = order(s, 1, epoch);
    expect(sorted(list.map(i => difficulty[i]!))).toEqual(upTo(s.count(epoch)));
    expect(list.map(i => difficulty[i])).not.toEqual(upTo(s.count(epoch)));
  }
});

describe('BucketBatchSampler', () => {
  const lengths = upTo(1000).map(i => 1 + ((i * 7919) % 97));
  const make = (o: object) => new BucketBatchSampler(lengths, { batchSize: 10, batchesPerBucket: 4, ...o });
  const batches = (s: BucketBatchSampler, seed = 1) => [...s.batches(from(seed))].map(b => Array.from(b));
  it('holds each index once, in batches of similar length', () => {
    const list = batches(make({}));
    expect(list.length).toBe(100);
    expect(sorted(list.flat())).toEqual(upTo(1000));
    const padding = list.reduce((s, b) => {
      const l = b.map(i => lengths[i]!);
      return s + l.reduce((p, v) => p + Math.max(...l) - v, 0);
    }, 0);
    // A bucket of 40 of 1000 sorted lengths spans 4 of 97; batches at random would pad about 43 each.
    expect(padding / 1000).toBeLessThan(4);
  });
  it('mixes within buckets and visits them in random order', () => {
    const a = batches(make({}));
    expect(batches(make({}))).toEqual(a);
    const b = batches(make({}), 2);
    expect(new Set(b.map(x => sorted(x).join())).size).toBe(100);
    expect(b.filter(x => a.some(y => sorted(x).join() === sorted(y).join())).length).toBeLessThan(5);
    const means = a.map(x => x.reduce((s, i) => s + lengths[i]!, 0) / 10);
    expect(means).not.toEqual(sorted(means));
  });
  it('sorts without shuffle, drops the last where told', () => {
    const s = new BucketBatchSampler([3, 1, 2, 5, 4], { batchSize: 2, shuffle: false });
    expect(batches(s)).toEqual([[1, 2], [0, 4], [3]]);
    expect(
      batches(new BucketBatchSampler([3, 1, 2, 5, 4], { batchSize: 2, shuffle: false, dropLast: true })),
    ).toEqual([
      [1, 2],
      [0, 4],
    ]);
  });
});

it('TimeOrderedBatchSampler continues each row where the batch before it ended', () => {
  const s = new TimeOrderedBatchSampler({ length: 14 }, 3);
  expect([...s.batches()].map(b => Array.from(b))).toEqual([
    [0, 4, 8],
    [1, 5, 9],
    [2, 6, 10],
    [3, 7, 11],
  ]);
  expect(s.count()).toBe(4);
  expect(() => new TimeOrderedBatchSampler({ length: 2 }, 3)).toThrow('each of the 3 rows needs a sample');
});

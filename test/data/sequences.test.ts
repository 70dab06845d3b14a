// Sequences and waves: what each task promises about its inputs and labels.

import { describe, expect, it } from 'vitest';
import {
  classCounts,
  makeAdding,
  makeCopy,
  makeParity,
  makeRecall,
  makeWaves,
  type Samples,
  WAVES,
} from '../../src/data/index.ts';
import { Generator } from '../../src/index.ts';
import { numbers } from '../support.ts';

const from = (seed: number) => ({ generator: new Generator(seed) });
/** Rows of a tensor's elements. */
const rows = <T>(values: readonly T[], width: number): T[][] =>
  Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));
const ones = (bits: readonly number[]) => bits.reduce((a, b) => a + b, 0);
/** Five standard deviations of a share p of n. */
const bound = (n: number, p: number) => 5 * Math.sqrt((p * (1 - p)) / n);

describe('makeParity', () => {
  it.each([6, 12, 40])(
    'of %i bits: labels right and half and half, no sequence twice, in no two parts',
    length => {
      const { train, val } = makeParity(length, { train: 40, val: 20 }, from(1));
      const read = (s: Samples) => rows(numbers(s.x), length);
      expect([train.x.shape, train.y.shape, train.y.dtype]).toEqual([[40, length, 1], [40], 'int64']);
      for (const s of [train, val]) {
        expect(numbers(s.y)).toEqual(read(s).map(bits => ones(bits) % 2));
        expect(new Set(classCounts(s.y)).size).toBe(1);
        expect(numbers(s.y)).not.toEqual(numbers(s.y).toSorted());
      }
      const all = [...read(train), ...read(val)].map(b => b.join(''));
      expect(new Set(all).size).toBe(60);
    },
  );
  it('can give every sequence there is, and no more', () => {
    const { train, val } = makeParity(4, { train: 10, val: 6 }, from(2));
    const all = [...rows(numbers(train.x), 4), ...rows(numbers(val.x), 4)];
    expect(new Set(all.map(b => b.join(''))).size).toBe(16);
    expect(() => makeParity(4, { train: 12, val: 6 })).toThrow(
      'makeParity: of 4 bits there are 16 sequences, got train 12, val 6. make length greater',
    );
  });
  it('labels each step with the parity so far', () => {
    const { a } = makeParity(9, { a: 31 }, { ...from(3), labels: 'running' });
    expect(a.y.shape).toEqual([31, 9]);
    const bits = rows(numbers(a.x), 9);
    expect(rows(numbers(a.y), 9)).toEqual(bits.map(b => b.map((_, t) => ones(b.slice(0, t + 1)) % 2)));
  });
  it('draws bits that are fair at every place', () => {
    const { a } = makeParity(30, { a: 4000 }, from(4));
    const bits = rows(numbers(a.x), 30);
    for (let t = 0; t < 30; t++)
      expect(Math.abs(ones(bits.map(b => b[t]!)) / 4000 - 0.5)).toBeLessThan(bound(4000, 0.5));
  });
});

it('makeRecall marks the first bit and asks for it', () => {
  const { x, y } = makeRecall(2000, 7, from(1));
  expect(x.shape).toEqual([2000, 7, 2]);
  const steps = rows(numbers(x), 2);
  expect(steps.map(([, mark]) => mark)).toEqual(steps.map((_, i) => (i % 7 === 0 ? 1 : 0)));
  expect(numbers(y)).toEqual(steps.filter((_, i) => i % 7 === 0).map(([bit]) => bit));
  expect(Math.abs(ones(steps.map(([bit]) => bit!)) / 14_000 - 0.5)).toBeLessThan(bound(14_000, 0.5));
});

it('makeCopy gives symbols, blanks, the signal, and the symbols again', () => {
  const { x, y } = makeCopy(300, 5, { ...from(1), symbols: 4, length: 3 });
  expect([x.shape, y.shape, x.dtype]).toEqual([[300, 11], [300, 11], 'int64']);
  const seen = new Map<number, number>();
  rows(numbers(x), 11).forEach((input, i) => {
    const target = rows(numbers(y), 11)[i]!;
    const symbols = input.slice(0, 3);
    for (const s of symbols) seen.set(s, (seen.get(s) ?? 0) + 1);
    expect(input.slice(3)).toEqual([0, 0, 0, 0, 5, 0, 0, 0]);
    expect(target).toEqual([0, 0, 0, 0, 0, 0, 0, 0, ...symbols]);
  });
  expect([...seen.keys()].sort()).toEqual([1, 2, 3, 4]);
  for (const c of seen.values()) expect(Math.abs(c / 900 - 0.25)).toBeLessThan(bound(900, 0.25));
});

it('makeAdding marks one number in each half; saying 1 costs 1/6', () => {
  const [n, length] = [4000, 11];
  const { x, y } = makeAdding(n, length, from(1));
  expect([x.shape, y.shape]).toEqual([
    [n, length, 2],
    [n, 1],
  ]);
  const steps = rows(rows(numbers(x), 2) as [number, number][], length);
  const targets = numbers(y);
  let cost = 0;
  steps.forEach((s, i) => {
    const marked = s.flatMap(([, mark], t) => (mark === 1 ? [t] : []));
    expect([marked.length, marked[0]! < 5, marked[1]! >= 5]).toEqual([2, true, true]);
    expect(targets[i]).toBeCloseTo(s[marked[0]!]![0] + s[marked[1]!]![0], 6);
    cost += (targets[i]! - 1) ** 2 / n;
  });
  expect(cost).toBeCloseTo(1 / 6, 1);
  expect(() => makeAdding(1, 1)).toThrow('makeAdding: length must be at least 2, got 1');
});

it('makeWaves gives the four forms', () => {
  const { x, y } = makeWaves(40, 400, { ...from(1), noise: 0 });
  expect([x.shape, classCounts(y)]).toEqual([
    [40, 1, 400],
    [10, 10, 10, 10],
  ]);
  const labels = numbers(y);
  // Mean square over whole periods: ½, 1, ⅓, ⅓; where the wave stays for long: only the square has two heights.
  const square = { sine: 1 / 2, square: 1, sawtooth: 1 / 3, triangle: 1 / 3 };
  rows(numbers(x), 400).forEach((w, i) => {
    const form = WAVES[labels[i]!]!;
    expect(Math.max(...w.map(Math.abs))).toBeLessThanOrEqual(1);
    const power = w.reduce((s, v) => s + v * v, 0) / 400;
    expect(Math.abs(power - square[form])).toBeLessThan(0.12);
    const jumps = w.filter((v, t) => t > 0 && Math.abs(v - w[t - 1]!) > 1.5).length;
    if (form === 'sine' || form === 'triangle') expect(jumps).toBe(0);
    else expect(jumps).toBeGreaterThan(0);
  });
  const noise = numbers(makeWaves(4, 5000, { ...from(2), noise: 0.3 }).x);
  const clean = numbers(makeWaves(4, 5000, { ...from(2), noise: 0 }).x);
  const added = noise.map((v, i) => v - clean[i]!);
  expect(Math.sqrt(added.reduce((a, v) => a + v * v, 0) / added.length)).toBeCloseTo(0.3, 2);
});

it('repeats for a seed, differs for another, refuses sizes below 1', () => {
  const makers = [
    (g: object) => makeParity(8, { a: 20 }, g).a.x,
    (g: object) => makeRecall(5, 9, g).x,
    (g: object) => makeCopy(5, 4, g).x,
    (g: object) => makeAdding(5, 4, g).x,
    (g: object) => makeWaves(5, 4, g).x,
  ];
  for (const make of makers) {
    expect(numbers(make(from(1)))).toEqual(numbers(make(from(1))));
    expect(numbers(make(from(1)))).not.toEqual(numbers(make(from(2))));
  }
  expect(() => makeRecall(0, 4)).toThrow('makeRecall: n must be an integer >= 1, got 0');
});

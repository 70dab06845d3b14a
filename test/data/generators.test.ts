// The generators: geometry, balance, statistics, seeds.

import { describe, expect, it } from 'vitest';
import {
  classCounts,
  Generator,
  insideShape,
  makeLine,
  makeRings,
  makeShape,
  manualSeed,
  SHAPES,
  shapeOutline,
  standardize,
  tensor,
  trainTestSplit,
  truthTable,
} from '../../src/index.ts';
import { numbers } from '../support.ts';

const from = (seed: number) => ({ generator: new Generator(seed) });

describe('makeLine', () => {
  it('gives 7 points on y = x around 0', () => {
    const { x, y } = makeLine();
    expect(x.shape).toEqual([7, 1]);
    expect(numbers(x)).toEqual([-3, -2, -1, 0, 1, 2, 3]);
    expect(numbers(y)).toEqual(numbers(x));
  });
  it('refuses one point', () => {
    expect(() => makeLine(1)).toThrow('makeLine: the number of points must be an integer >= 2, got 1');
  });
});

/** The same borders, written another way: by distances and half-planes. */
const GEOMETRY = {
  circle: (x: number, y: number) => Math.hypot(x, y) <= Math.sqrt(2 / Math.PI),
  square: (x: number, y: number) => Math.max(Math.abs(x), Math.abs(y)) <= Math.SQRT1_2,
  triangle: (x: number, y: number) =>
    [
      [-1, -1, 1, -1],
      [1, -1, 0, 1],
      [0, 1, -1, -1],
    ].every(([ax, ay, bx, by]) => (bx! - ax!) * (y - ay!) - (by! - ay!) * (x - ax!) >= 0),
};

describe.each(SHAPES)('makeShape %s', shape => {
  const n = 20_000;
  const { x, y } = makeShape(shape, n, from(7));
  const p = numbers(x);
  it('labels points by the geometry', () => {
    const labels = numbers(y);
    const wrong = labels.filter((label, i) => {
      const [px, py] = [p[2 * i]!, p[2 * i + 1]!];
      return (GEOMETRY[shape](px, py) ? 1 : 0) !== label;
    });
    expect(wrong).toEqual([]);
  });
  it('spreads points over [−1, 1]² and holds half of them', () => {
    expect(x.shape).toEqual([n, 2]);
    expect(y.dtype).toBe('int64');
    expect(Math.min(...p)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...p)).toBeLessThan(1);
    const [outside, inside] = classCounts(y);
    expect(outside! + inside!).toBe(n);
    // Five standard deviations of a fair coin.
    expect(Math.abs(inside! - n / 2)).toBeLessThan(5 * Math.sqrt(n / 4));
  });
  it('repeats for a seed and differs for another', () => {
    expect(numbers(makeShape(shape, 50, from(3)).x)).toEqual(numbers(makeShape(shape, 50, from(3)).x));
    expect(numbers(makeShape(shape, 50, from(3)).x)).not.toEqual(numbers(makeShape(shape, 50, from(4)).x));
    manualSeed(5);
    const first = numbers(makeShape(shape, 50).x);
    manualSeed(5);
    expect(numbers(makeShape(shape, 50).x)).toEqual(first);
  });
  it('has an outline of half the area whose points lie on the border', () => {
    const outline = shapeOutline(shape);
    let area = 0;
    for (let i = 1; i < outline.length; i++) {
      const [[ax, ay], [bx, by]] = [outline[i - 1]!, outline[i]!];
      area += (ax * by - bx * ay) / 2;
    }
    // The circle is drawn as a polygon of 180 sides.
    expect(area).toBeCloseTo(2, 2);
    const [cx, cy] = [0, shape === 'triangle' ? -1 / 3 : 0];
    for (const [px, py] of outline) {
      const at = (t: number) => insideShape(shape, cx + (px - cx) * t, cy + (py - cy) * t);
      expect([at(0.999), at(1.001)]).toEqual([true, false]);
    }
  });
});
it('refuses an unknown shape', () => {
  expect(() => makeShape('star' as 'circle', 5)).toThrow("shapes are circle, triangle, square, got 'star'");
});

it('truthTable gives the four rows', () => {
  expect(numbers(truthTable('and').x)).toEqual([0, 0, 0, 1, 1, 0, 1, 1]);
  expect(numbers(truthTable('and').y)).toEqual([0, 0, 0, 1]);
  expect(numbers(truthTable('or').y)).toEqual([0, 1, 1, 1]);
  expect(numbers(truthTable('xor').y)).toEqual([0, 1, 1, 0]);
});

describe('makeRings', () => {
  const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
  const std = (v: readonly number[]): number => Math.sqrt(mean(v.map(a => (a - mean(v)) ** 2)));
  it('has radii N(1, .1) and N(2, .1)', () => {
    const n = 10_000;
    const { x, y } = makeRings(n, { ...from(1), standardize: false });
    const p = numbers(x);
    const labels = numbers(y);
    for (const [label, radius] of [
      [0, 1],
      [1, 2],
    ]) {
      const r = labels.flatMap((l, i) => (l === label ? [Math.hypot(p[2 * i]!, p[2 * i + 1]!)] : []));
      expect(r.length).toBe(n / 2);
      expect(Math.abs(mean(r) - radius!)).toBeLessThan((5 * 0.1) / Math.sqrt(n / 2));
      expect(Math.abs(std(r) - 0.1)).toBeLessThan((5 * 0.1) / Math.sqrt(n));
    }
  });
  it('is scaled to mean 0 and standard deviation 1', () => {
    const p = numbers(makeRings(2000, from(2)).x);
    for (const c of [0, 1]) {
      const column = p.filter((_, i) => i % 2 === c);
      expect(mean(column)).toBeCloseTo(0, 5);
      expect(std(column)).toBeCloseTo(1, 5);
    }
  });
  it('comes shuffled or class by class, the same points', () => {
    const sorted = makeRings(301, { ...from(3), shuffle: false });
    const labels = numbers(sorted.y);
    expect(labels).toEqual([...labels].sort());
    expect(classCounts(sorted.y)).toEqual([150, 151]);
    const shuffled = makeRings(301, from(3));
    const mixed = numbers(shuffled.y);
    expect(mixed).not.toEqual(labels);
    const rows = (s: typeof sorted) => {
      const [p, l] = [numbers(s.x), numbers(s.y)];
      return l.map((label, i) => `${p[2 * i]} ${p[2 * i + 1]} ${label}`).sort();
    };
    expect(rows(shuffled)).toEqual(rows(sorted));
  });
});

it('standardize leaves a constant column at 0', () => {
  const z = numbers(
    standardize(
      tensor([
        [1, 5],
        [3, 5],
      ]),
    ),
  );
  expect(z).toEqual([-1, 0, 1, 0]);
});

describe('trainTestSplit', () => {
  const x = tensor(Array.from({ length: 10 }, (_, i) => [i, -i]));
  const y = tensor(Array.from({ length: 10 }, (_, i) => BigInt(i)));
  it('keeps rows together and loses none', () => {
    const { train, test } = trainTestSplit([x, y], { testSize: 0.3, ...from(1) });
    expect(train[0].shape).toEqual([7, 2]);
    expect(test[0].shape).toEqual([3, 2]);
    const all = [...numbers(train[1]), ...numbers(test[1])];
    expect([...all].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(all).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(numbers(train[0].abs())).toEqual(numbers(train[1]).flatMap(v => [v, v]));
  });
  it('cuts off the end without shuffle, by count too', () => {
    const { test } = trainTestSplit([y], { testSize: 4, shuffle: false });
    expect(numbers(test[0])).toEqual([6, 7, 8, 9]);
  });
  it('refuses empty parts and tensors of other length', () => {
    expect(() => trainTestSplit([y], { testSize: 10 })).toThrow('both parts must have at least one row');
    expect(() => trainTestSplit([y, tensor([1, 2])])).toThrow('all tensors must have 10 rows, got (2)');
  });
});

// Lines of equal value on a grid, by marching squares (Lorensen & Cline 1987, in two dimensions).
// In: samples on a regular grid and a level. Out: polylines in data coordinates, the higher side on their left.

import type { Interval } from './scale.ts';

/** Samples f(x, y) at `columns` × `rows` points from corner to corner, row by row from low y to high y. */
export interface Grid {
  readonly x: Interval;
  readonly y: Interval;
  readonly columns: number;
  readonly rows: number;
  readonly values: ArrayLike<number>;
}
export type Point = readonly [number, number];
export interface Contour {
  readonly points: readonly Point[];
  readonly closed: boolean;
}

type Side = 'bottom' | 'right' | 'top' | 'left';
/** For each set of high corners (1 bottom left, 2 bottom right, 4 top right, 8 top left): sides that the line joins. */
const SEGMENTS: readonly (readonly (readonly [Side, Side])[])[] = [
  [],
  [['bottom', 'left']],
  [['right', 'bottom']],
  [['right', 'left']],
  [['top', 'right']],
  [],
  [['top', 'bottom']],
  [['top', 'left']],
  [['left', 'top']],
  [['bottom', 'top']],
  [],
  [['right', 'top']],
  [['left', 'right']],
  [['bottom', 'right']],
  [['left', 'bottom']],
  [],
];
/** The two saddles, by whether the middle of the cell is high. */
const SADDLES: Readonly<Record<number, readonly [(typeof SEGMENTS)[number], (typeof SEGMENTS)[number]]>> = {
  5: [
    [
      ['bottom', 'left'],
      ['top', 'right'],
    ],
    [
      ['top', 'left'],
      ['bottom', 'right'],
    ],
  ],
  10: [
    [
      ['right', 'bottom'],
      ['left', 'top'],
    ],
    [
      ['left', 'bottom'],
      ['right', 'top'],
    ],
  ],
};

/**
 * The lines where the grid crosses `level`. With `fill`, everything outside the grid counts as low, so that all lines
 * are closed rings around the area at or above the level.
 */
export function contours(grid: Grid, level: number, fill: boolean): Contour[] {
  const { columns, rows } = grid;
  const margin = fill ? 1 : 0;
  const value = (i: number, j: number): number =>
    i < 0 || j < 0 || i >= columns || j >= rows ? Number.NEGATIVE_INFINITY : grid.values[j * columns + i]!;
  const high = (i: number, j: number): number => (value(i, j) >= level ? 1 : 0);
  const width = columns + 2;
  // An edge of the grid has a number: two per point, to its right and above it.
  const edge = (i: number, j: number, side: Side): number => {
    const x = side === 'right' ? i + 1 : i;
    const y = side === 'top' ? j + 1 : j;
    return 2 * ((y + 1) * width + x + 1) + (side === 'left' || side === 'right' ? 1 : 0);
  };
  const next = new Map<number, number>();
  for (let j = -margin; j < rows - 1 + margin; j++) {
    for (let i = -margin; i < columns - 1 + margin; i++) {
      const corners = high(i, j) + 2 * high(i + 1, j) + 4 * high(i + 1, j + 1) + 8 * high(i, j + 1);
      const saddle = SADDLES[corners];
      const middle = (value(i, j) + value(i + 1, j) + value(i + 1, j + 1) + value(i, j + 1)) / 4;
      const segments = saddle === undefined ? SEGMENTS[corners]! : saddle[middle >= level ? 1 : 0];
      for (const [from, to] of segments) next.set(edge(i, j, from), edge(i, j, to));
    }
  }
  const position = (id: number): Point => {
    const vertical = id % 2;
    const at = (id - vertical) / 2;
    const [i, j] = [(at % width) - 1, Math.floor(at / width) - 1];
    const [a, b] = [value(i, j), vertical ? value(i, j + 1) : value(i + 1, j)];
    const t = a === Number.NEGATIVE_INFINITY ? 1 : b === Number.NEGATIVE_INFINITY ? 0 : (level - a) / (b - a);
    return toData(grid, vertical ? i : i + t, vertical ? j + t : j);
  };
  return walk(next).map(({ edges, closed }) => ({ points: edges.map(position), closed }));
}
const toData = ({ x, y, columns, rows }: Grid, i: number, j: number): Point => [
  x[0] + ((x[1] - x[0]) * i) / (columns - 1),
  y[0] + ((y[1] - y[0]) * j) / (rows - 1),
];

/** Joins segments end to end: first the lines that begin at a border, then the rings. */
function walk(next: Map<number, number>): { edges: number[]; closed: boolean }[] {
  const out: { edges: number[]; closed: boolean }[] = [];
  const follow = (start: number): void => {
    const edges = [start];
    let at = start;
    for (let to = next.get(at); to !== undefined; to = next.get(at)) {
      next.delete(at);
      if (to === start) {
        out.push({ edges, closed: true });
        return;
      }
      edges.push(to);
      at = to;
    }
    out.push({ edges, closed: false });
  };
  const ends = new Set(next.values());
  for (const start of [...next.keys()]) if (!ends.has(start)) follow(start);
  for (const start of [...next.keys()]) if (next.has(start)) follow(start);
  return out;
}

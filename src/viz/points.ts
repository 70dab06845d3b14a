// Points with their names: a map of words. In: places in the plane, maybe in groups. Out: an SVG string.

import { chart } from './chart.ts';
import { dots, line, type Mark, note } from './marks.ts';
import type { Interval } from './scale.ts';
import { textWidth } from './svg.ts';
import { seriesColor, THEME } from './theme.ts';

export interface NamedPoint {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  /** Points of a group share a colour. Default: one group. */
  readonly group?: string;
}
export interface PointMapOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly points: readonly NamedPoint[];
  /** Lines from one point to another, by name: pairs that should be parallel. */
  readonly links?: readonly (readonly [from: string, to: string])[];
  readonly width?: number;
  readonly height?: number;
}

/** Points with their names, as a map. Groups get colours of their own. */
export function pointMap(options: PointMapOptions): string {
  const { title, subtitle, points, links = [], width = 560, height = 440 } = options;
  const span = (v: readonly number[], before: number, after: number): Interval => {
    const [lo, hi] = v.length === 0 ? [0, 1] : [Math.min(...v), Math.max(...v)];
    const size = hi > lo ? hi - lo : 1;
    return [lo - before * size, lo + (1 + after) * size];
  };
  // Room for names, which stand to the right of their points where they can.
  const x = span(
    points.map(p => p.x),
    0.08,
    0.18,
  );
  const y = span(
    points.map(p => p.y),
    0.08,
    0.08,
  );
  const places = placeNames(points, p => [
    (width * (p.x - x[0])) / (x[1] - x[0]),
    (height * (y[1] - p.y)) / (y[1] - y[0]),
  ]);
  const groups = [...new Set(points.map(p => p.group ?? ''))];
  const marks = groups.flatMap((group, i): Mark[] => {
    const own = points.filter(p => (p.group ?? '') === group);
    const color = seriesColor(i);
    return [
      dots(
        own.map(p => p.x),
        own.map(p => p.y),
        { color, ...(group === '' ? {} : { name: group }) },
      ),
      ...own.map(p => note(p.x, p.y, p.name, { color, ...places.get(p)! })),
    ];
  });
  const byName = new Map(points.map(p => [p.name, p]));
  const lines = links.flatMap(([a, b]): Mark[] => {
    const [p, q] = [byName.get(a), byName.get(b)];
    return p === undefined || q === undefined ? [] : [link(p, q)];
  });
  return chart({
    title,
    ...(subtitle === undefined ? {} : { subtitle }),
    width,
    height,
    plane: true,
    x: { domain: x },
    y: { domain: y },
    marks: [...lines, ...marks],
  });
}
function link(p: NamedPoint, q: NamedPoint): Mark {
  return line([p.x, q.x], [p.y, q.y], { color: '#9aa7b2', width: 1.2 });
}

interface Place {
  readonly anchor: 'start' | 'middle' | 'end';
  readonly dx: number;
  readonly dy: number;
}
const PLACES: readonly Place[] = [
  { anchor: 'start', dx: 8, dy: 4 },
  { anchor: 'end', dx: -8, dy: 4 },
  { anchor: 'middle', dx: 0, dy: -9 },
  { anchor: 'middle', dx: 0, dy: 18 },
];
/** For each name the first of four places where it covers least of other names and points. */
function placeNames(
  points: readonly NamedPoint[],
  at: (p: NamedPoint) => readonly [x: number, y: number],
): Map<NamedPoint, Place> {
  type Box = readonly [left: number, top: number, right: number, bottom: number];
  const taken: Box[] = points.map(p => {
    const [x, y] = at(p);
    return [x - 4, y - 4, x + 4, y + 4];
  });
  const covered = (a: Box): number =>
    taken.reduce((sum, b) => {
      const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
      const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
      return w > 0 && h > 0 ? sum + w * h : sum;
    }, 0);
  return new Map(
    points.map(p => {
      const [x, y] = at(p);
      const size = textWidth(p.name, THEME.size.label);
      const boxes = PLACES.map(({ anchor, dx, dy }): Box => {
        const left = x + dx - (anchor === 'start' ? 0 : anchor === 'end' ? size : size / 2);
        return [left, y + dy - THEME.size.label, left + size, y + dy + 2];
      });
      const costs = boxes.map(covered);
      const best = costs.indexOf(Math.min(...costs));
      taken.push(boxes[best]!);
      return [p, PLACES[best]!];
    }),
  );
}

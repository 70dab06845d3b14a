// What a chart can show: lines, dots, areas of equal value, rules, words. A mark knows its limits, its legend entry and
// how to draw itself between two scales. In: data. Out: marks for chart.ts.

import { contours, type Grid, type Point } from './contour.ts';
import type { Interval, Scale } from './scale.ts';
import { el, path, text } from './svg.ts';
import { THEME } from './theme.ts';

/** The drawing area of a chart: pixels from its top left corner. */
export interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly width: number;
  readonly height: number;
}
export interface LegendEntry {
  readonly name: string;
  /** Pixels that the sign before the name takes. */
  readonly width: number;
  /** The sign, with its left end at x and its middle at y. */
  readonly sign: (x: number, y: number) => string;
}
export interface Mark {
  /** What the axes must include. */
  readonly x?: Interval | undefined;
  readonly y?: Interval | undefined;
  readonly legend?: LegendEntry | undefined;
  draw(frame: Frame): string;
}

/** Smallest and largest of the finite values. */
function limits(values: ArrayLike<number>): Interval | undefined {
  let [lo, hi] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (!Number.isFinite(v)) continue;
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  return lo <= hi ? [lo, hi] : undefined;
}

export interface LineOptions {
  readonly name?: string;
  readonly color?: string;
  readonly width?: number;
  readonly opacity?: number;
  /** Dash and gap in pixels; solid where absent. */
  readonly dash?: string;
}
const stroke = (o: LineOptions, color: string, width: number) => ({
  fill: 'none',
  stroke: o.color ?? color,
  'stroke-width': o.width ?? width,
  'stroke-opacity': o.opacity,
  'stroke-dasharray': o.dash,
  'stroke-linejoin': 'round',
  'stroke-linecap': o.dash === undefined ? 'round' : undefined,
});
function lineLegend(o: LineOptions, color: string, width: number): LegendEntry | undefined {
  if (o.name === undefined) return undefined;
  // Thin lines get a sign that can be seen.
  const style = {
    ...stroke(o, color, width),
    'stroke-width': Math.max(2, o.width ?? width),
    'stroke-opacity': 1,
  };
  return { name: o.name, width: 18, sign: (x, y) => el('path', { d: `M${x} ${y}h18`, ...style }) };
}

/** A line through the points in their order; a value that is not finite interrupts it. */
export function line(x: ArrayLike<number>, y: ArrayLike<number>, options: LineOptions = {}): Mark {
  return {
    x: limits(x),
    y: limits(y),
    legend: lineLegend(options, THEME.series[0], 2),
    draw: frame => {
      let d = '';
      let run: Point[] = [];
      const flush = (): void => {
        d += run.length === 1 ? '' : path(run);
        run = [];
      };
      for (let i = 0; i < x.length; i++) {
        const point: Point = [frame.x.at(x[i]!), frame.y.at(y[i]!)];
        if (Number.isFinite(point[0]) && Number.isFinite(point[1])) run.push(point);
        else flush();
      }
      flush();
      return el('path', { d, ...stroke(options, THEME.series[0], 2) });
    },
  };
}

export interface DotsOptions {
  readonly name?: string;
  readonly color?: string;
  readonly shape?: 'circle' | 'diamond' | 'ring' | 'cross';
  readonly radius?: number;
  readonly opacity?: number;
}
const RADIUS = 3.2;
function dot(x: number, y: number, o: DotsOptions): string {
  const { color = THEME.series[0], shape = 'circle', radius: r = RADIUS } = o;
  const filled = { fill: color, stroke: THEME.ground, 'stroke-width': 0.9 };
  const open = { fill: 'none', stroke: color, 'stroke-width': 1.6 };
  if (shape === 'circle') return el('circle', { cx: x, cy: y, r, ...filled });
  if (shape === 'ring') return el('circle', { cx: x, cy: y, r, ...open });
  const points: Point[] = [
    [x - r, y],
    [x, y - r],
    [x + r, y],
    [x, y + r],
  ];
  if (shape === 'diamond') return el('path', { d: path(points, true), ...filled });
  return el('path', {
    d: `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`,
    ...open,
    'stroke-linecap': 'round',
  });
}
/** Separate points. Shape as well as colour tells classes apart. */
export function dots(x: ArrayLike<number>, y: ArrayLike<number>, options: DotsOptions = {}): Mark {
  const { name, radius = RADIUS } = options;
  const half = radius + 1;
  return {
    x: limits(x),
    y: limits(y),
    legend:
      name === undefined
        ? undefined
        : { name, width: 2 * half, sign: (px, py) => dot(px + half, py, options) },
    draw: frame => {
      let out = '';
      for (let i = 0; i < x.length; i++) out += dot(frame.x.at(x[i]!), frame.y.at(y[i]!), options);
      return options.opacity === undefined ? out : el('g', { opacity: options.opacity }, out);
    },
  };
}

export interface BandsOptions {
  /** Limits between bands, rising. */
  readonly levels: readonly number[];
  /** The colour of a band from its number, 0 … levels.length. */
  readonly color: (band: number) => string;
  readonly name?: string;
}
/** A field of values as areas between levels: vectors, so sharp at any size. */
export function bands(grid: Grid, { levels, color, name }: BandsOptions): Mark {
  const count = levels.length + 1;
  const step = 72 / count;
  return {
    x: grid.x,
    y: grid.y,
    legend:
      name === undefined
        ? undefined
        : {
            name,
            width: 72,
            sign: (x, y) =>
              Array.from({ length: count }, (_, i) =>
                el('rect', { x: x + i * step, y: y - 5, width: step + 0.3, height: 10, fill: color(i) }),
              ).join(''),
          },
    draw: frame => {
      let out = el('rect', { width: frame.width, height: frame.height, fill: color(0) });
      for (const [i, level] of levels.entries()) {
        const rings = contours(grid, level, true);
        if (rings.length === 0) continue;
        const d = rings
          .map(r =>
            path(
              r.points.map(p => [frame.x.at(p[0]), frame.y.at(p[1])]),
              true,
            ),
          )
          .join('');
        // The thin stroke closes the seams that antialiasing leaves between neighbours.
        out += el('path', {
          d,
          fill: color(i + 1),
          'fill-rule': 'evenodd',
          stroke: color(i + 1),
          'stroke-width': 0.4,
        });
      }
      return out;
    },
  };
}

/** The line on which a field has this value. */
export function isoline(grid: Grid, level: number, options: LineOptions = {}): Mark {
  return {
    x: grid.x,
    y: grid.y,
    legend: lineLegend(options, THEME.ink, 1.8),
    draw: frame => {
      const lines = contours(grid, level, false);
      const d = lines
        .map(c =>
          path(
            c.points.map(p => [frame.x.at(p[0]), frame.y.at(p[1])]),
            c.closed,
          ),
        )
        .join('');
      return d === '' ? '' : el('path', { d, ...stroke(options, THEME.ink, 1.8) });
    },
  };
}

/** A line across the whole chart at one x or one y, with words at its end. */
export function rule(
  at: { x: number } | { y: number },
  options: LineOptions & { label?: string } = {},
): Mark {
  const vertical = 'x' in at;
  return {
    x: vertical ? [at.x, at.x] : undefined,
    y: vertical ? undefined : [at.y, at.y],
    legend: lineLegend(options, THEME.soft, 1),
    draw: ({ x, y, width, height }) => {
      const p = vertical ? x.at(at.x) : y.at(at.y);
      const d = vertical ? `M${p} 0V${height}` : `M0 ${p}H${width}`;
      const words = options.label ?? '';
      const place = vertical ? ([p + 4, 13] as const) : ([width - 4, p - 5] as const);
      const label = text(...place, words, {
        size: THEME.size.tick,
        color: THEME.soft,
        halo: true,
        anchor: vertical ? 'start' : 'end',
      });
      return el('path', { d, ...stroke(options, THEME.soft, 1) }) + (words === '' ? '' : label);
    },
  };
}

export interface NoteOptions {
  readonly color?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  /** Pixels to move the words by. */
  readonly dx?: number;
  readonly dy?: number;
}
/** Words at a point of the data. */
export function note(x: number, y: number, words: string, options: NoteOptions = {}): Mark {
  const { color = THEME.ink, anchor = 'start', dx = 8, dy = 4 } = options;
  return {
    x: [x, x],
    y: [y, y],
    draw: f =>
      text(f.x.at(x) + dx, f.y.at(y) + dy, words, { color, anchor, halo: true, size: THEME.size.label }),
  };
}

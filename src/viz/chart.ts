// Charts: axes, grid, legend and marks in a picture with a title. In: marks and words. Out: an SVG string.

import type { LegendEntry, Mark } from './marks.ts';
import { formatTick, type Interval, linearScale, logScale, niceInterval, type Scale } from './scale.ts';
import { el, picture, text, textWidth } from './svg.ts';
import { THEME } from './theme.ts';

export interface Axis {
  readonly label?: string;
  /** Fixed limits; by default what the marks need, widened to round numbers. */
  readonly domain?: Interval;
  readonly log?: boolean;
  /** About how many ticks. Default 5. */
  readonly ticks?: number;
}
export interface Panel {
  /** A heading of its own, where a figure has several panels. */
  readonly heading?: string;
  readonly x?: Axis;
  readonly y?: Axis;
  readonly marks: readonly Mark[];
  /** A plane: both axes in the same unit, framed, without a grid. */
  readonly plane?: boolean;
}
export interface FigureOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly panels: readonly Panel[];
  /** Panels side by side. Default: all in one row. */
  readonly columns?: number;
  /** Size of one panel's drawing area in pixels. Default 560 × 320, a plane 440 × 440. */
  readonly width?: number;
  readonly height?: number;
}

const MARGIN = { left: 28, right: 28, top: 26, bottom: 22 };
const LEGEND_ROW = 23;
const HEADING = 30;
/** Room beside the drawing area; above it with and without a label of the y axis. */
const AXIS = { left: 46, below: 40, above: 34, bare: 14 };

/** One chart as a picture. */
export const chart = (options: Omit<FigureOptions, 'panels' | 'columns'> & Panel): string =>
  figure({ ...options, panels: [options] });

/** Several charts in one picture under one title. */
export function figure(options: FigureOptions): string {
  const { title, subtitle, panels, columns = panels.length } = options;
  const width = options.width ?? (panels.some(p => p.plane) ? 440 : 560);
  const height = options.height ?? (panels.some(p => p.plane) ? 440 : 320);
  const legends = panels.map(p => legendRows(p, width + AXIS.left));
  const rows = Math.ceil(panels.length / columns);
  const headOf = (i: number): number =>
    (panels[i]!.heading === undefined ? 0 : HEADING) +
    legends[i]!.length * LEGEND_ROW +
    (panels[i]!.y?.label === undefined ? AXIS.bare : AXIS.above);
  const rowHead = Array.from({ length: rows }, (_, r) =>
    Math.max(...panels.flatMap((_, i) => (Math.floor(i / columns) === r ? [headOf(i)] : []))),
  );
  const gap = 30;
  const cell = AXIS.left + width + gap;
  const total = MARGIN.left + columns * cell - gap + MARGIN.right;
  const titleHeight = MARGIN.top + 18 + (subtitle === undefined ? 0 : 24);
  let y = titleHeight;
  const parts: string[] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns && r * columns + c < panels.length; c++) {
      const i = r * columns + c;
      const left = MARGIN.left + c * cell;
      parts.push(drawPanel(panels[i]!, legends[i]!, { left, top: y, head: rowHead[r]!, width, height }));
    }
    y += rowHead[r]! + height + AXIS.below;
  }
  const heading = text(MARGIN.left, MARGIN.top + 12, title, { size: THEME.size.title, strong: true });
  const below =
    subtitle === undefined
      ? ''
      : text(MARGIN.left, MARGIN.top + 35, subtitle, { size: THEME.size.subtitle, color: THEME.soft });
  const label = subtitle === undefined ? title : `${title}. ${subtitle}`;
  return picture(total, y + MARGIN.bottom - 10, label, heading, below, ...parts);
}

/** Legend entries of a panel, broken into rows that fit. */
function legendRows(panel: Panel, width: number): LegendEntry[][] {
  const rows: LegendEntry[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const { legend } of panel.marks) {
    if (legend === undefined) continue;
    const w = legendWidth(legend);
    if (used + w > width) {
      rows.push([]);
      used = 0;
    }
    rows[rows.length - 1]!.push(legend);
    used += w;
  }
  return rows;
}
const legendWidth = (e: LegendEntry): number => e.width + 7 + textWidth(e.name, THEME.size.label) + 20;

interface Box {
  readonly left: number;
  readonly top: number;
  /** Height of heading, legend and y label together. */
  readonly head: number;
  readonly width: number;
  readonly height: number;
}
function drawPanel(panel: Panel, legends: readonly (readonly LegendEntry[])[], box: Box): string {
  const { left, top, head, width, height } = box;
  const parts: string[] = [];
  let y = top;
  if (panel.heading !== undefined) {
    parts.push(text(left, y + 20, panel.heading, { size: 13.5, strong: true }));
    y += HEADING;
  }
  for (const row of legends) {
    let x = left;
    for (const entry of row) {
      parts.push(entry.sign(x, y + 16), text(x + entry.width + 7, y + 20, entry.name, { color: THEME.soft }));
      x += legendWidth(entry);
    }
    y += LEGEND_ROW;
  }
  const x = scaleOf(panel, 'x', [0, width]);
  const yScale = scaleOf(panel, 'y', [height, 0]);
  const origin = { left: left + AXIS.left, top: top + head };
  parts.push(
    el(
      'g',
      { transform: `translate(${origin.left} ${origin.top})` },
      panel.plane ? '' : gridLines(yScale, panel.y ?? {}, width),
      el(
        'svg',
        { width, height, overflow: 'hidden' },
        ...panel.marks.map(m => m.draw({ x, y: yScale, width, height })),
      ),
      axes(panel, x, yScale, width, height),
    ),
  );
  return parts.join('');
}

/** The scale of an axis: its own limits, or what the marks need. */
function scaleOf(panel: Panel, side: 'x' | 'y', range: Interval): Scale {
  const axis = panel[side] ?? {};
  const needs = panel.marks.flatMap(m => m[side] ?? []).filter(v => (axis.log ? v > 0 : true));
  const [lo, hi] = needs.length === 0 ? [0, 1] : [Math.min(...needs), Math.max(...needs)];
  if (axis.log) {
    const domain = axis.domain ?? [lo / 1.15, hi * 1.15];
    return logScale(domain[1] > domain[0] ? domain : [lo / 2, hi * 2], range);
  }
  if (axis.domain !== undefined) return linearScale(axis.domain, range);
  // Time runs to its last step; values get air.
  return linearScale(
    side === 'x' && !panel.plane ? [lo, hi > lo ? hi : lo + 1] : niceInterval([lo, hi]),
    range,
  );
}

function gridLines(y: Scale, axis: Axis, width: number): string {
  return y
    .ticks(axis.ticks ?? 5)
    .map(v => el('path', { d: `M0 ${crisp(y.at(v))}H${width}`, stroke: THEME.grid, 'stroke-width': 1 }))
    .join('');
}
/** On the middle of a pixel: hairlines stay sharp. */
const crisp = (v: number): number => Math.floor(v) + 0.5;

function axes(panel: Panel, x: Scale, y: Scale, width: number, height: number): string {
  const tick = { size: THEME.size.tick, color: THEME.soft };
  const parts: string[] = [];
  if (panel.plane) {
    parts.push(
      el('rect', { x: 0.5, y: 0.5, width: width - 1, height: height - 1, fill: 'none', stroke: THEME.axis }),
    );
  } else parts.push(el('path', { d: `M0 ${crisp(height)}H${width}`, stroke: THEME.axis }));
  for (const v of x.ticks(panel.x?.ticks ?? 5)) {
    const at = x.at(v);
    parts.push(el('path', { d: `M${crisp(at)} ${height}v4`, stroke: THEME.axis }));
    parts.push(text(at, height + 18, formatTick(v), { ...tick, anchor: 'middle' }));
  }
  for (const v of y.ticks(panel.y?.ticks ?? 5)) {
    if (panel.plane) parts.push(el('path', { d: `M0 ${crisp(y.at(v))}h-4`, stroke: THEME.axis }));
    parts.push(text(-9, y.at(v) + 4, formatTick(v), { ...tick, anchor: 'end' }));
  }
  const label = { size: THEME.size.label, color: THEME.soft };
  if (panel.y?.label !== undefined) parts.push(text(-AXIS.left, -11, panel.y.label, label));
  if (panel.x?.label !== undefined)
    parts.push(text(width, height + 35, panel.x.label, { ...label, anchor: 'end' }));
  return parts.join('');
}

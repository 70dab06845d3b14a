// Blocks of a network as boxes and arrows: residual, bottleneck, dense and Inception blocks.
// In: boxes at places of a grid, arrows between them by name. Out: an SVG string.

import { el, headWidth, path, picture, text, textWidth } from './svg.ts';
import { THEME } from './theme.ts';

export interface Block {
  readonly name: string;
  /** What stands in the box, one line each. '' draws a point where arrows meet. */
  readonly label: string | readonly string[];
  /** Place in the grid: columns from the left (halves are allowed), rows from the top. */
  readonly column: number;
  readonly row: number;
  /** Colour of its frame, by number of the series; default: the axis' grey. */
  readonly series?: number;
}
export interface BlockArrow {
  readonly from: string;
  readonly to: string;
  /** Words beside it, such as a shape. */
  readonly label?: string;
  /** Goes around what lies between, at this column. */
  readonly around?: number;
}
export interface BlockPanel {
  readonly heading: string;
  readonly blocks: readonly Block[];
  readonly arrows: readonly BlockArrow[];
}
export interface BlockChartOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly panels: readonly BlockPanel[];
}
const EDGE = 28;
const ROW = 62;
const LINE = 14;
const SIZE = THEME.size.tick;
const lines = (b: Block): readonly string[] => (typeof b.label === 'string' ? [b.label] : b.label);

/** Panels of boxes and arrows, side by side. */
export function blockChart({ title, subtitle, panels }: BlockChartOptions): string {
  const top = subtitle === undefined ? 62 : 86;
  const drawn = panels.map(drawPanel);
  let x = EDGE;
  const placed = drawn.map(p => {
    const at = x;
    x += p.width + 34;
    return el('g', { transform: `translate(${at} ${top})` }, p.content);
  });
  return picture(
    Math.max(x - 34 + EDGE, 2 * EDGE + headWidth(title, subtitle)),
    top + Math.max(...drawn.map(p => p.height)) + EDGE,
    subtitle === undefined ? title : `${title}. ${subtitle}`,
    text(EDGE, 34, title, { size: THEME.size.title, strong: true }),
    subtitle === undefined ? '' : text(EDGE, 57, subtitle, { size: THEME.size.subtitle, color: THEME.soft }),
    ...placed,
  );
}

function drawPanel({ heading, blocks, arrows }: BlockPanel): {
  content: string;
  width: number;
  height: number;
} {
  const widest = Math.max(...blocks.flatMap(b => lines(b).map(l => textWidth(l, SIZE))));
  const [boxWidth, column] = [widest + 20, widest + 40];
  const routes = arrows.flatMap(a => (a.around === undefined ? [] : [a.around]));
  const labels = arrows.map(a => textWidth(a.label ?? '', SIZE - 1));
  const leftmost = Math.min(...blocks.map(b => b.column), ...routes);
  const rightmost = Math.max(...blocks.map(b => b.column), ...routes);
  const cx = (c: number): number => (c - leftmost) * column + boxWidth / 2;
  const cy = (row: number): number => 40 + row * ROW;
  const byName = new Map(blocks.map(b => [b.name, b]));
  const half = (b: Block): number => (b.label === '' ? 3 : (lines(b).length * LINE + 12) / 2);

  const arrow = ({ from, to, label, around }: BlockArrow): string => {
    const [a, b] = [byName.get(from)!, byName.get(to)!];
    const start: [number, number] = [cx(a.column), cy(a.row) + half(a)];
    const end: [number, number] = [cx(b.column), cy(b.row) - half(b)];
    // Around: out of the side, down, and in at the side.
    const side = around === undefined ? 0 : Math.sign(around - b.column);
    const points: [number, number][] =
      around === undefined
        ? [start, end]
        : [
            [cx(a.column), cy(a.row)],
            [cx(around), cy(a.row)],
            [cx(around), cy(b.row)],
            [cx(b.column) + side * (b.label === '' ? 3 : boxWidth / 2), cy(b.row)],
          ];
    // Straight above it: in at the top.
    if (around === b.column) points.splice(2, 2, [cx(around), end[1]]);
    const [tip, before] = [points.at(-1)!, points.at(-2)!];
    const angle = Math.atan2(tip[1] - before[1], tip[0] - before[0]);
    const wing = (turn: number): [number, number] => [
      tip[0] - 7 * Math.cos(angle + turn),
      tip[1] - 7 * Math.sin(angle + turn),
    ];
    const [lx, ly] =
      around === undefined
        ? [(start[0] + end[0]) / 2 + 6, (start[1] + end[1]) / 2 + 4]
        : [cx(around) + 6, (cy(a.row) + cy(b.row)) / 2 + 4];
    return (
      el('path', { d: path(points), fill: 'none', stroke: THEME.soft, 'stroke-width': 1.4 }) +
      el('path', { d: path([wing(0.45), tip, wing(-0.45)], true), fill: THEME.soft }) +
      (label === undefined ? '' : text(lx, ly, label, { size: SIZE - 1, color: THEME.soft, halo: true }))
    );
  };
  const box = (b: Block): string => {
    const [x, y] = [cx(b.column), cy(b.row)];
    if (b.label === '') return el('circle', { cx: x, cy: y, r: 3, fill: THEME.soft });
    const height = 2 * half(b);
    const color = b.series === undefined ? THEME.axis : THEME.series[b.series % THEME.series.length]!;
    return (
      el('rect', {
        x: x - boxWidth / 2,
        y: y - height / 2,
        width: boxWidth,
        height,
        rx: 5,
        fill: THEME.ground,
        stroke: color,
        'stroke-width': 1.6,
      }) +
      lines(b)
        .map((words, i) =>
          text(x, y - height / 2 + 6 + LINE * (i + 0.78), words, { size: SIZE, anchor: 'middle' }),
        )
        .join('')
    );
  };
  const rows = Math.max(...blocks.map(b => b.row));
  return {
    // Boxes over the arrows that begin in them.
    content: [
      text(0, 4, heading, { size: THEME.size.subtitle, strong: true }),
      ...arrows.map(arrow),
      ...blocks.map(box),
    ].join(''),
    width: Math.max(
      (rightmost - leftmost) * column + boxWidth + (routes.length > 0 ? Math.max(0, ...labels) : 0),
      textWidth(heading, THEME.size.subtitle),
    ),
    height: cy(rows) + 30,
  };
}

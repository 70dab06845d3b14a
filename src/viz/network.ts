// A network as a diagram: units in columns, weights as lines (colour their sign, width their size), and, where given,
// what each unit computes over the plane as a small map. In: layers. Out: an SVG string.

import { diverging, mix } from './color.ts';
import { contours, type Grid } from './contour.ts';
import { linearScale } from './scale.ts';
import { el, num, path, picture, text } from './svg.ts';
import { THEME } from './theme.ts';

export interface NetworkLayer {
  readonly name: string;
  /** The shape of what flows out of it, such as `(m, 4)`. */
  readonly shape?: string;
  readonly units: number;
  /** The value of each unit over the plane. */
  readonly maps?: readonly Grid[];
}
export interface NetworkLink {
  /** `weights[to][from]`, the layout of a linear layer. */
  readonly weights: readonly (readonly number[])[];
  /** Words below the lines, such as the shapes of weight and bias. */
  readonly label?: string;
}
export interface NetworkOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly layers: readonly NetworkLayer[];
  /** One fewer than layers: from each to the next. */
  readonly links: readonly NetworkLink[];
}

const UNIT = 50;
const PITCH = 68;
const COLUMN = 190;
const LEFT = 28;
const TOP = 128;

/** A diagram of a network: units in columns, links between them, and where given what each unit computes over the plane. */
export function network({ title, subtitle, layers, links }: NetworkOptions): string {
  const tallest = Math.max(...layers.map(l => l.units));
  const width = 2 * LEFT + (layers.length - 1) * COLUMN + UNIT + 60;
  const height = TOP + tallest * PITCH + 44;
  const x = (layer: number): number => LEFT + 30 + layer * COLUMN;
  const y = (layer: number, unit: number): number =>
    TOP + ((tallest - layers[layer]!.units) * PITCH) / 2 + unit * PITCH;
  const parts = [text(LEFT, 38, title, { size: THEME.size.title, strong: true })];
  if (subtitle !== undefined) {
    parts.push(text(LEFT, 60, subtitle, { size: THEME.size.subtitle, color: THEME.soft }));
  }
  for (const [l, link] of links.entries()) {
    parts.push(
      drawLinks(
        link,
        x(l) + UNIT,
        x(l + 1),
        i => y(l, i) + UNIT / 2,
        j => y(l + 1, j) + UNIT / 2,
      ),
    );
    if (link.label !== undefined) {
      const middle = (x(l) + UNIT + x(l + 1)) / 2;
      const style = { size: THEME.size.tick, color: THEME.soft, anchor: 'middle' } as const;
      parts.push(text(middle, height - 22, link.label, style));
    }
  }
  for (const [l, layer] of layers.entries()) {
    const middle = x(l) + UNIT / 2;
    parts.push(text(middle, TOP - 36, layer.name, { anchor: 'middle', strong: true }));
    if (layer.shape !== undefined) {
      const style = { anchor: 'middle', color: THEME.soft, size: THEME.size.tick } as const;
      parts.push(text(middle, TOP - 18, layer.shape, style));
    }
    for (let i = 0; i < layer.units; i++) parts.push(drawUnit(x(l), y(l, i), layer.maps?.[i]));
  }
  return picture(width, height, subtitle === undefined ? title : `${title}. ${subtitle}`, ...parts);
}

function drawLinks(
  { weights }: NetworkLink,
  x0: number,
  x1: number,
  y0: (from: number) => number,
  y1: (to: number) => number,
): string {
  const sizes = weights.flat().map(Math.abs);
  const largest = Math.max(...sizes, 1e-12);
  const bend = (x1 - x0) * 0.5;
  let out = '';
  for (const [to, row] of weights.entries()) {
    for (const [from, w] of row.entries()) {
      const [a, b] = [y0(from), y1(to)];
      out += el('path', {
        d: `M${num(x0)} ${num(a)}C${num(x0 + bend)} ${num(a)} ${num(x1 - bend)} ${num(b)} ${num(x1)} ${num(b)}`,
        fill: 'none',
        stroke: w < 0 ? THEME.negative : THEME.positive,
        'stroke-width': 0.6 + (5 * Math.abs(w)) / largest,
        'stroke-opacity': 0.25 + (0.55 * Math.abs(w)) / largest,
      });
    }
  }
  return out;
}

const COLOR = diverging(THEME.negative, THEME.ground, THEME.positive);
const STEPS = [-0.75, -0.5, -0.25, -0.02, 0.02, 0.25, 0.5, 0.75];
function drawUnit(x: number, y: number, map: Grid | undefined): string {
  const frame = {
    x: 0.5,
    y: 0.5,
    width: UNIT - 1,
    height: UNIT - 1,
    fill: 'none',
    stroke: THEME.soft,
  };
  const box = { x, y, width: UNIT, height: UNIT, overflow: 'hidden' };
  if (map === undefined) {
    return el('svg', box, el('rect', { ...frame, fill: mix(THEME.grid, THEME.ground, 0.4) }));
  }
  // Each map has its own unit: the largest value, whatever its sign.
  let largest = 1e-12;
  for (let i = 0; i < map.values.length; i++) largest = Math.max(largest, Math.abs(map.values[i]!));
  const [px, py] = [linearScale(map.x, [0, UNIT]), linearScale(map.y, [UNIT, 0])];
  let out = el('rect', { width: UNIT, height: UNIT, fill: COLOR(-0.9) });
  for (const [i, step] of STEPS.entries()) {
    const upper = STEPS[i + 1] ?? 1;
    const fill = COLOR(Math.abs(step + upper) < 1e-9 ? 0 : (step + upper) / 2);
    const d = contours(map, step * largest, true)
      .map(r =>
        path(
          r.points.map(p => [px.at(p[0]), py.at(p[1])]),
          true,
        ),
      )
      .join('');
    if (d !== '') out += el('path', { d, fill, 'fill-rule': 'evenodd', stroke: fill, 'stroke-width': 0.3 });
  }
  return el('svg', box, out, el('rect', frame));
}

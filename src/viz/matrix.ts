// A matrix as shaded cells: confusion matrices, attention, sweeps over two settings. In: numbers and names. Out: an SVG
// string.

import { mix } from './color.ts';
import { formatValue } from './scale.ts';
import { el, picture, text, textWidth } from './svg.ts';
import { THEME } from './theme.ts';

export interface MatrixOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** NaN leaves a cell empty. */
  readonly values: readonly (readonly number[])[];
  readonly rowLabel?: string;
  readonly columnLabel?: string;
  /** Pixels of a cell. Default: so that names and numbers fit. */
  readonly cell?: number;
  /** What stands in a cell. Default: the number. '' leaves the shade alone. */
  readonly format?: (v: number) => string;
  /** What the palest and the darkest cell stand for. Default: the smallest and largest value. */
  readonly domain?: readonly [number, number];
}

const EDGE = 28;
const SIZE = THEME.size.tick;

/** A matrix as shaded cells with its numbers. */
export function matrixChart(o: MatrixOptions): string {
  const { title, subtitle, rows, columns, values, format = formatValue } = o;
  const finite = values.flat().filter(Number.isFinite);
  const [low, high] = o.domain ?? [Math.min(...finite), Math.max(...finite)];
  const widest = Math.max(...columns.map(c => textWidth(c, SIZE)));
  const numbers = Math.max(0, ...finite.map(v => textWidth(format(v), SIZE)));
  const slanted = widest > 62;
  const cell = o.cell ?? Math.max(30, numbers + 10, slanted ? 0 : widest + 8);
  const left = EDGE + Math.max(...rows.map(r => textWidth(r, SIZE))) + 12 + (o.rowLabel ? 22 : 0);
  const top = 34 + (subtitle ? 24 : 0) + (o.columnLabel ? 22 : 0) + (slanted ? 0.72 * widest + 14 : 24);
  const width = left + cell * columns.length + EDGE + (slanted ? 0.72 * widest : 0);
  const height = top + cell * rows.length + EDGE;
  const label = (words: string, x: number, y: number, turn?: string): string =>
    turn === undefined
      ? text(x, y, words, { color: THEME.soft, anchor: 'middle' })
      : el('g', { transform: turn }, text(0, 0, words, { color: THEME.soft, anchor: 'middle' }));
  const middle = top + (cell * rows.length) / 2;
  return picture(
    Math.max(width, EDGE * 2 + textWidth(title, THEME.size.title)),
    height,
    subtitle === undefined ? title : `${title}. ${subtitle}`,
    text(EDGE, 34, title, { size: THEME.size.title, strong: true }),
    subtitle === undefined ? '' : text(EDGE, 57, subtitle, { size: THEME.size.subtitle, color: THEME.soft }),
    o.columnLabel === undefined
      ? ''
      : label(o.columnLabel, left + (cell * columns.length) / 2, subtitle ? 80 : 56),
    o.rowLabel === undefined ? '' : label(o.rowLabel, 0, 0, `translate(${EDGE + 4} ${middle}) rotate(-90)`),
    ...columns.map((c, j) => {
      const x = left + cell * (j + 0.5);
      return slanted
        ? el('g', { transform: `translate(${x} ${top - 8}) rotate(-45)` }, text(0, 0, c, { size: SIZE }))
        : text(x, top - 8, c, { size: SIZE, anchor: 'middle' });
    }),
    ...rows.map((r, i) => text(left - 8, top + cell * (i + 0.5) + 4, r, { size: SIZE, anchor: 'end' })),
    ...values.flatMap((row, i) => row.map((v, j) => shade(v, i, j))),
  );

  function shade(v: number, i: number, j: number): string {
    const [x, y] = [left + cell * j, top + cell * i];
    if (!Number.isFinite(v)) return el('rect', { x, y, width: cell - 1, height: cell - 1, fill: THEME.grid });
    const t = high > low ? Math.min(1, Math.max(0, (v - low) / (high - low))) : 0.5;
    const words = format(v);
    const ink = t > 0.55 ? THEME.ground : THEME.ink;
    return (
      el('rect', { x, y, width: cell - 1, height: cell - 1, fill: mix('#f3f7fa', THEME.positive, t) }) +
      (words === ''
        ? ''
        : text(x + (cell - 1) / 2, y + cell / 2 + 3.5, words, { size: SIZE, anchor: 'middle', color: ink }))
    );
  }
}

// A table with bars behind its numbers: what each layer costs. In: texts and numbers. Out: an SVG string.

import { el, headWidth, picture, text, textWidth } from './svg.ts';
import { THEME } from './theme.ts';

export interface TableColumn {
  readonly heading: string;
  /** One text or number a row. Numbers stand at the right, with a bar of their share of the largest. */
  readonly values: readonly (string | number)[];
}
export interface TableOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly columns: readonly TableColumn[];
}
const EDGE = 28;
const LINE = 21;
const SIZE = THEME.size.tick;
const words = (v: string | number): string => (typeof v === 'number' ? v.toLocaleString('en-US') : v);

/** Rows of texts and numbers; the length of a bar is the number's share of its column's largest. */
export function tableChart({ title, subtitle, columns }: TableOptions): string {
  const top = subtitle === undefined ? 62 : 86;
  const widths = columns.map(
    c => Math.max(textWidth(c.heading, SIZE), ...c.values.map(v => textWidth(words(v), SIZE))) + 22,
  );
  const starts = widths.map((_, i) => EDGE + widths.slice(0, i).reduce((a, b) => a + b, 0));
  const rows = Math.max(0, ...columns.map(c => c.values.length));
  const width = widths.reduce((a, b) => a + b, 2 * EDGE);
  const y = (row: number): number => top + 8 + row * LINE;
  return picture(
    Math.max(width, 2 * EDGE + headWidth(title, subtitle)),
    y(rows) + EDGE - 8,
    subtitle === undefined ? title : `${title}. ${subtitle}`,
    text(EDGE, 34, title, { size: THEME.size.title, strong: true }),
    subtitle === undefined ? '' : text(EDGE, 57, subtitle, { size: THEME.size.subtitle, color: THEME.soft }),
    ...columns.map((c, i) => column(c, starts[i]!, widths[i]!)),
    el('path', { d: `M${EDGE} ${top + 1}H${width - EDGE}`, stroke: THEME.axis }),
  );

  function column({ heading, values }: TableColumn, x: number, w: number): string {
    const numbers = values.filter(v => typeof v === 'number');
    const most = Math.max(...numbers, 0);
    const right = numbers.length > 0;
    const place = right ? x + w - 12 : x;
    const anchor = right ? 'end' : 'start';
    return [
      text(place, top - 6, heading, { size: SIZE, anchor, color: THEME.soft }),
      ...values.map((v, i) => {
        const bar =
          typeof v === 'number' && most > 0
            ? el('rect', {
                x: place - ((w - 16) * v) / most,
                y: y(i) + 2,
                width: ((w - 16) * v) / most,
                height: LINE - 4,
                fill: '#dbe9f4',
              })
            : '';
        return bar + text(place - (right ? 3 : 0), y(i) + 15, words(v), { size: SIZE, anchor });
      }),
    ].join('');
  }
}

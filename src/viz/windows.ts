// A window that moves over a small picture, step by step: what pooling and interpolation read for each result.
// In: the picture's numbers and steps. Out: an SVG string with one frame for each step.

import { mix } from './color.ts';
import { el, headWidth, picture, text } from './svg.ts';
import { THEME } from './theme.ts';

/** One result: where it stands, its value, the places that it reads and how much each counts. */
export interface WindowFrame {
  readonly row: number;
  readonly column: number;
  readonly value: number;
  readonly taps: readonly { readonly row: number; readonly column: number; readonly weight: number }[];
  readonly window: {
    readonly top: number;
    readonly left: number;
    readonly height: number;
    readonly width: number;
  };
}
export interface WindowChartOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly input: readonly (readonly number[])[];
  /** All steps, in their order: results of earlier ones are filled in. */
  readonly steps: readonly WindowFrame[];
  /** Which steps are drawn. Default: all. */
  readonly show?: readonly number[];
  /** Frames side by side. Default 4. */
  readonly columns?: number;
}
const EDGE = 28;
const CELL = 32;
const GAP = 30;
const SIZE = THEME.size.tick - 1.5;

/** At most two decimals: so much fits into a cell. */
const short = (v: number): string => String(Number(v.toFixed(Math.abs(v) < 10 ? 2 : 1))).replace('-', '−');

/** Frames of input (left, weights as shades, the window as an outline) and results so far (right). */
export function windowChart(o: WindowChartOptions): string {
  const { title, subtitle, input, steps } = o;
  const show = o.show ?? steps.map((_, i) => i);
  const columns = Math.min(o.columns ?? 4, show.length);
  const [h, w] = [input.length, input[0]?.length ?? 0];
  const outRows = Math.max(0, ...steps.map(s => s.row + 1));
  const outColumns = Math.max(0, ...steps.map(s => s.column + 1));
  const frame = { width: (w + outColumns) * CELL + 26, height: Math.max(h, outRows) * CELL + 22 };
  const top = subtitle === undefined ? 56 : 80;
  const rows = Math.ceil(show.length / columns);
  const width = 2 * EDGE + columns * frame.width + (columns - 1) * GAP;
  return picture(
    Math.max(width, 2 * EDGE + headWidth(title, subtitle)),
    top + rows * (frame.height + 14) + EDGE - 14,
    subtitle === undefined ? title : `${title}. ${subtitle}`,
    text(EDGE, 34, title, { size: THEME.size.title, strong: true }),
    subtitle === undefined ? '' : text(EDGE, 57, subtitle, { size: THEME.size.subtitle, color: THEME.soft }),
    ...show.map((step, i) => {
      const x = EDGE + (i % columns) * (frame.width + GAP);
      const y = top + Math.floor(i / columns) * (frame.height + 14);
      return el('g', { transform: `translate(${x} ${y})` }, ...drawFrame(step));
    }),
  );

  function drawFrame(index: number): string[] {
    const now = steps[index]!;
    const weights = new Map(now.taps.map(t => [t.row * w + t.column, t.weight]));
    const right = w * CELL + 26;
    const middle = (Math.max(h, outRows) * CELL) / 2 + 14;
    const { window } = now;
    return [
      text(0, 8, String(index + 1), { size: SIZE, color: THEME.soft, strong: true }),
      ...input.flatMap((row, i) =>
        row.map((v, j) => cell(j * CELL, 14 + i * CELL, short(v), weights.get(i * w + j) ?? 0)),
      ),
      el('rect', {
        x: window.left * CELL,
        y: 14 + window.top * CELL,
        width: window.width * CELL,
        height: window.height * CELL,
        fill: 'none',
        stroke: THEME.ink,
        'stroke-width': 2,
      }),
      text(w * CELL + 13, middle + 4, '→', { anchor: 'middle', color: THEME.soft }),
      ...Array.from({ length: outRows * outColumns }, (_, k) => {
        const at = steps.findIndex(s => s.row * outColumns + s.column === k);
        const known = at >= 0 && at <= index;
        return cell(
          right + (k % outColumns) * CELL,
          14 + Math.floor(k / outColumns) * CELL,
          known ? short(steps[at]!.value) : '',
          at === index ? 1 : 0,
        );
      }),
    ];
  }
  /** Shaded by how much it counts; below zero in the colour of the negative. */
  function cell(x: number, y: number, words: string, weight: number): string {
    const end = weight < 0 ? THEME.negative : THEME.positive;
    const fill = mix('#f3f7fa', end, Math.min(1, Math.abs(weight)) ** 0.7 * 0.8);
    return (
      el('rect', { x, y, width: CELL - 1, height: CELL - 1, fill }) +
      (words === ''
        ? ''
        : text(x + (CELL - 1) / 2, y + CELL / 2 + 3.5, words, {
            size: SIZE,
            anchor: 'middle',
            color: Math.abs(weight) > 0.6 ? THEME.ground : THEME.ink,
          }))
    );
  }
}

// Receptive fields as nested squares on a picture: how much of it each layer's place sees. In: sizes. Out: an SVG string.

import { dataAddress, type Pixels } from './png.ts';
import { el, headWidth, picture, text, textWidth } from './svg.ts';
import { seriesColor, THEME } from './theme.ts';

export interface FieldChartOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly picture: Pixels;
  /** From small to large: what sees it, and the square's side in pixels of the picture. */
  readonly fields: readonly { readonly name: string; readonly size: number }[];
}
const EDGE = 28;
const SIDE = 260;

/** A square around the picture's middle for each layer, with its name and size beside it; larger than the picture: cut. */
export function fieldChart({ title, subtitle, picture: pixels, fields }: FieldChartOptions): string {
  const top = subtitle === undefined ? 56 : 80;
  const scale = SIDE / Math.max(pixels.height, pixels.width);
  const [w, h] = [pixels.width * scale, pixels.height * scale];
  const middle = [EDGE + w / 2, top + h / 2] as const;
  const label = (f: { name: string; size: number }): string => `${f.name}: ${f.size} × ${f.size}`;
  const widest = Math.max(...fields.map(f => textWidth(label(f), THEME.size.tick)));
  return picture(
    Math.max(EDGE + w + 24 + 18 + widest + EDGE, 2 * EDGE + headWidth(title, subtitle)),
    top + Math.max(h, fields.length * 18) + EDGE,
    subtitle === undefined ? title : `${title}. ${subtitle}`,
    text(EDGE, 34, title, { size: THEME.size.title, strong: true }),
    subtitle === undefined ? '' : text(EDGE, 57, subtitle, { size: THEME.size.subtitle, color: THEME.soft }),
    el('image', {
      x: EDGE,
      y: top,
      width: w,
      height: h,
      opacity: 0.65,
      style: 'image-rendering:pixelated',
      href: dataAddress(pixels),
    }),
    ...fields.map((f, i) => {
      const side = [Math.min(f.size * scale, w), Math.min(f.size * scale, h)] as const;
      return el('rect', {
        x: middle[0] - side[0] / 2,
        y: middle[1] - side[1] / 2,
        width: side[0],
        height: side[1],
        fill: 'none',
        stroke: seriesColor(i),
        'stroke-width': 2,
      });
    }),
    ...fields.map((f, i) => {
      const y = top + 12 + i * 18;
      const x = EDGE + w + 24;
      const line = el('path', {
        d: `M${x} ${y - 4}h12`,
        stroke: seriesColor(i),
        'stroke-width': 2.5,
      });
      return line + text(x + 18, y, label(f), { size: THEME.size.tick });
    }),
  );
}

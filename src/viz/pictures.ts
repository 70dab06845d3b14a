// Small pictures side by side: what augmentation makes of one, filters of a layer, what was taken for what.
// In: pixels and names. Out: an SVG string.

import { dataAddress, type Pixels } from './png.ts';
import { el, headWidth, picture, text, textWidth } from './svg.ts';
import { THEME } from './theme.ts';

export interface PictureRow {
  readonly label: string;
  readonly pictures: readonly Pixels[];
  /** Stands under each picture. */
  readonly captions?: readonly string[];
}
export interface PictureGridOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly rows: readonly PictureRow[];
  /** Side of the longest picture on the page. Default 56. */
  readonly side?: number;
}
const EDGE = 28;
const GAP = 6;
const SIZE = THEME.size.tick;

/** Rows of pictures with a name before each row. Pixels stay sharp. */
export function pictureGrid({ title, subtitle, rows, side = 56 }: PictureGridOptions): string {
  const left = EDGE + Math.max(...rows.map(r => textWidth(r.label, SIZE))) + 12;
  const captions = rows.some(r => r.captions !== undefined);
  const step = side + GAP + (captions ? 14 : 0);
  const top = subtitle === undefined ? 52 : 76;
  const most = Math.max(...rows.map(r => r.pictures.length));
  const width = Math.max(left + most * (side + GAP) + EDGE, 2 * EDGE + headWidth(title, subtitle));
  return picture(
    width,
    top + rows.length * step + EDGE - GAP,
    subtitle === undefined ? title : `${title}. ${subtitle}`,
    text(EDGE, 34, title, { size: THEME.size.title, strong: true }),
    subtitle === undefined ? '' : text(EDGE, 57, subtitle, { size: THEME.size.subtitle, color: THEME.soft }),
    ...rows.map((r, i) =>
      text(left - 10, top + i * step + side / 2 + 4, r.label, { size: SIZE, anchor: 'end' }),
    ),
    ...rows.flatMap((r, i) => r.pictures.map((p, j) => image(p, i, j))),
    ...rows.flatMap((r, i) =>
      (r.captions ?? []).map((words, j) =>
        text(left + j * (side + GAP) + side / 2, top + i * step + side + 12, words, {
          size: SIZE - 1,
          anchor: 'middle',
          color: THEME.soft,
        }),
      ),
    ),
  );

  function image(p: Pixels, i: number, j: number): string {
    const scale = side / Math.max(p.height, p.width);
    const [w, h] = [p.width * scale, p.height * scale];
    return el('image', {
      x: left + j * (side + GAP) + (side - w) / 2,
      y: top + i * step + (side - h) / 2,
      width: w,
      height: h,
      style: 'image-rendering:pixelated',
      href: dataAddress(p),
    });
  }
}

// SVG as text: elements, attributes, numbers, and an estimate of how wide a text will be.
// In: plain values. Out: strings. Not its job: layout.

import { THEME } from './theme.ts';

type Attributes = Readonly<Record<string, string | number | undefined>>;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
export const escapeText = (s: string): string => s.replace(/[&<>"]/g, c => ESCAPES[c]!);

/** A coordinate with at most two decimals: what a screen can show, and no more bytes. */
export const num = (v: number): string => String(Math.round(v * 100) / 100);

/** An element; undefined attributes are left out. */
export function el(name: string, attributes: Attributes, ...children: readonly string[]): string {
  let head = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    head += ` ${key}="${typeof value === 'number' ? num(value) : escapeText(value)}"`;
  }
  return children.length === 0 ? `${head}/>` : `${head}>${children.join('')}</${name}>`;
}

export interface TextStyle {
  readonly size?: number;
  readonly color?: string;
  readonly strong?: boolean;
  readonly anchor?: 'start' | 'middle' | 'end';
  /** A halo in the ground's colour, for text over other marks. */
  readonly halo?: boolean;
}
export function text(x: number, y: number, words: string, style: TextStyle = {}): string {
  const { size = THEME.size.label, color = THEME.ink, strong = false, anchor, halo = false } = style;
  const common = {
    x,
    y,
    'font-size': size,
    'font-weight': strong ? THEME.weight.strong : undefined,
    'text-anchor': anchor === 'start' ? undefined : anchor,
  };
  const content = escapeText(words);
  const front = el('text', { ...common, fill: color }, content);
  if (!halo) return front;
  const back = { fill: THEME.ground, stroke: THEME.ground, 'stroke-width': 3.5, 'stroke-linejoin': 'round' };
  return el('text', { ...common, ...back, 'aria-hidden': 'true' }, content) + front;
}

const NARROW = new Set(" .,:;'|!ijlI()[]{}·ft-r");
const WIDE = new Set('mwMWQO@%—');
/** Set small above or below the line. */
const RAISED = /[\u2070-\u209c¹²³ᵢ]/;
/** About how wide a text is, in pixels: enough to place one beside another in any of the theme's fonts. */
export function textWidth(words: string, size: number): number {
  let em = 0;
  for (const c of words) {
    if (c >= '\u2e80') em += 1;
    else if (NARROW.has(c)) em += 0.34;
    else if (RAISED.test(c)) em += 0.42;
    else if (WIDE.has(c)) em += 0.88;
    else em += c >= 'A' && c <= 'Z' ? 0.68 : 0.6;
  }
  return em * size;
}

/** How wide the head of a picture is. */
export const headWidth = (title: string, subtitle = ''): number =>
  Math.max(textWidth(title, THEME.size.title), textWidth(subtitle, THEME.size.subtitle));

/** `M x y L …` through the points, closed with `Z` where asked. */
export function path(points: readonly (readonly [number, number])[], closed = false): string {
  let d = '';
  for (const [i, [x, y]] of points.entries()) d += `${i === 0 ? 'M' : 'L'}${num(x)} ${num(y)}`;
  return closed ? `${d}Z` : d;
}

/** A whole picture; `label` is what a screen reader says. */
export function picture(
  width: number,
  height: number,
  label: string,
  ...children: readonly string[]
): string {
  return el(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height,
      viewBox: `0 0 ${num(width)} ${num(height)}`,
      role: 'img',
      'aria-label': label,
      'font-family': THEME.font,
    },
    el('rect', { width, height, fill: THEME.ground }),
    ...children,
  );
}

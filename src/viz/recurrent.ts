// Recurrent nets as drawings: unrolled in time with the gradient that runs back, and what is inside a cell of a GRU and an
// LSTM. In: names and numbers. Out: an SVG string.

import { el, num, picture, text, textWidth } from './svg.ts';
import { THEME } from './theme.ts';

const EDGE = 28;
const BOX = 46;

const head = (title: string, subtitle?: string): string[] => [
  text(EDGE, 34, title, { size: THEME.size.title, strong: true }),
  subtitle === undefined ? '' : text(EDGE, 57, subtitle, { size: THEME.size.subtitle, color: THEME.soft }),
];
function box(x: number, y: number, words: string, fill: string = THEME.ground, width = BOX): string {
  return (
    el('rect', { x, y, width, height: BOX, rx: 8, fill, stroke: THEME.soft }) +
    text(x + width / 2, y + BOX / 2 + 5, words, { anchor: 'middle' })
  );
}
/** A line with a head at its end, straight in x or y. */
function arrow(x0: number, y0: number, x1: number, y1: number, color: string, width = 1.4): string {
  const size = 5 + width;
  const length = Math.hypot(x1 - x0, y1 - y0);
  const [u, v] = [(x1 - x0) / length, (y1 - y0) / length];
  const [bx, by] = [x1 - u * size, y1 - v * size];
  const corner = (side: number): string =>
    `${num(bx - side * v * size * 0.6)} ${num(by + side * u * size * 0.6)}`;
  return (
    el('path', {
      d: `M${num(x0)} ${num(y0)}L${num(bx)} ${num(by)}`,
      stroke: color,
      'stroke-width': width,
      fill: 'none',
    }) + el('path', { d: `M${num(x1)} ${num(y1)}L${corner(1)}L${corner(-1)}Z`, fill: color })
  );
}

export interface UnrolledOptions {
  readonly title: string;
  readonly subtitle?: string;
  /** What is read at each step, such as words. */
  readonly inputs: readonly string[];
  /** What is said at each step; '' where nothing is. */
  readonly outputs: readonly string[];
  /** ‖∂L/∂h_t‖: arrows that run back, as wide as the logarithm says. */
  readonly gradients?: readonly number[];
  /** Names of the weights. Default W_ih, W_hh, W_o. */
  readonly weights?: readonly [input: string, state: string, output: string];
}
/** The net unrolled in time: the same weights at every step, states from left to right, and the gradient back. */
export function unrolled(o: UnrolledOptions): string {
  const { title, subtitle, inputs, outputs, gradients } = o;
  const [ih, hh, ho] = o.weights ?? ['W_ih', 'W_hh', 'W_o'];
  const widest = Math.max(...[...inputs, ...outputs].map(w => textWidth(w, THEME.size.label))) + 16;
  const width = Math.max(BOX, widest);
  const pitch = width + 66;
  const top = subtitle === undefined ? 64 : 84;
  const [yOut, yState, yIn] = [top, top + 88, top + 176];
  const x = (t: number): number => EDGE + BOX + 66 + t * pitch;
  const parts = head(title, subtitle);
  const small = { size: THEME.size.tick, color: THEME.soft, anchor: 'middle' } as const;
  parts.push(box(EDGE, yState, 'h₀', THEME.grid));
  const largest = Math.max(...(gradients ?? []).map(Math.abs));
  for (let t = 0; t < inputs.length; t++) {
    const middle = x(t) + width / 2;
    const from = t === 0 ? EDGE + BOX : x(t - 1) + width;
    parts.push(arrow(from, yState + 16, x(t), yState + 16, THEME.ink));
    parts.push(text((from + x(t)) / 2, yState + 9, hh, small));
    parts.push(arrow(middle, yIn, middle, yState + BOX, THEME.ink));
    parts.push(text(middle + 20, yIn - 16, ih, small));
    parts.push(box(x(t), yState, `h${subscript(t + 1)}`, THEME.grid, width));
    parts.push(box(x(t), yIn, inputs[t]!, THEME.ground, width));
    if ((outputs[t] ?? '') !== '') {
      parts.push(arrow(middle, yState, middle, yOut + BOX, THEME.ink));
      parts.push(text(middle + 18, yState - 14, ho, small));
      parts.push(box(x(t), yOut, outputs[t]!, THEME.ground, width));
    }
    const g = gradients?.[t];
    if (g !== undefined) {
      // Six powers of ten from the thinnest to the widest.
      const size = g > 0 ? Math.max(0, 1 + Math.log10(g / largest) / 6) : 0;
      const color = THEME.negative;
      if (size > 0) parts.push(arrow(x(t), yState + 34, from, yState + 34, color, 0.6 + 6 * size));
      parts.push(text(middle - 6, yState + BOX + 16, g.toExponential(1), { ...small, color, anchor: 'end' }));
    }
  }
  const label = subtitle === undefined ? title : `${title}. ${subtitle}`;
  const wide = Math.max(x(inputs.length - 1) + width + EDGE, EDGE * 2 + textWidth(title, THEME.size.title));
  return picture(wide, yIn + BOX + EDGE, label, ...parts);
}
const subscript = (n: number): string =>
  String(n).replace(/\d/g, d => String.fromCharCode(0x2080 + Number(d)));

interface Part {
  readonly at: readonly [column: number, row: number];
  readonly words: string;
  /** A gate or a sum: what the cell computes. */
  readonly inner?: true;
  /** What comes in from below. */
  readonly takes?: string;
}
interface CellGraph {
  readonly parts: Readonly<Record<string, Part>>;
  readonly links: readonly (readonly [from: string, to: string])[];
  readonly formulas: readonly string[];
}
const gate = (words: string, column: number, row = 2): Part => ({
  at: [column, row],
  words,
  inner: true,
  takes: 'x, h',
});
/** As PyTorch writes them; h' and c' are the states after the step. */
const CELLS: Readonly<Record<'rnn' | 'gru' | 'lstm', CellGraph>> = {
  rnn: {
    parts: {
      h: { at: [0, 0], words: 'h' },
      n: { at: [1, 0], words: 'tanh', inner: true, takes: 'x' },
      out: { at: [2, 0], words: "h'" },
    },
    links: [
      ['h', 'n'],
      ['n', 'out'],
    ],
    formulas: ["h' = tanh(W_ih x + b_ih + W_hh h + b_hh)"],
  },
  gru: {
    parts: {
      h: { at: [0, 0], words: 'h' },
      r: gate('r: σ', 1),
      n: gate('n: tanh', 2),
      z: gate('z: σ', 3),
      mix: { at: [3, 0], words: 'z h + (1−z) n', inner: true },
      out: { at: [4, 0], words: "h'" },
    },
    links: [
      ['h', 'mix'],
      ['r', 'n'],
      ['n', 'mix'],
      ['z', 'mix'],
      ['mix', 'out'],
    ],
    formulas: [
      'r = σ(W_ir x + b_ir + W_hr h + b_hr),  z = σ(W_iz x + b_iz + W_hz h + b_hz)',
      "n = tanh(W_in x + b_in + r · (W_hn h + b_hn)),  h' = (1 − z) · n + z · h",
    ],
  },
  lstm: {
    parts: {
      c: { at: [0, 0], words: 'c' },
      keep: { at: [1, 0], words: 'f c', inner: true },
      add: { at: [2, 0], words: '+ i g', inner: true },
      f: gate('f: σ', 1),
      i: gate('i: σ', 2),
      g: gate('g: tanh', 3),
      o: gate('o: σ', 4),
      say: { at: [4, 1], words: "o tanh(c')", inner: true },
      cOut: { at: [5, 0], words: "c'" },
      out: { at: [5, 1], words: "h'" },
    },
    links: [
      ['c', 'keep'],
      ['f', 'keep'],
      ['keep', 'add'],
      ['i', 'add'],
      ['g', 'add'],
      ['add', 'cOut'],
      ['add', 'say'],
      ['o', 'say'],
      ['say', 'out'],
    ],
    formulas: [
      'i, f, o = σ(W_i x + b_i + W_h h + b_h), each with its own rows,  g = tanh(W_ig x + b_ig + W_hg h + b_hg)',
      "c' = f · c + i · g,  h' = o · tanh(c')",
    ],
  },
};

/** What is inside a cell: what flows in and out, the gates, and the formulas. */
export function cellGraph(kind: 'rnn' | 'gru' | 'lstm', o: { readonly title: string }): string {
  const { parts, links, formulas } = CELLS[kind];
  const width = 92;
  const [columns, rows] = [0, 1].map(d => Math.max(...Object.values(parts).map(p => p.at[d]!)) + 1) as [
    number,
    number,
  ];
  const place = (p: Part): [number, number] => [EDGE + p.at[0] * (width + 48), 76 + p.at[1] * (BOX + 34)];
  /** Where a line between the middles of two boxes leaves the first. */
  const leave = (from: Part, to: Part): [number, number] => {
    const [[ax, ay], [bx, by]] = [place(from), place(to)];
    const [dx, dy] = [bx - ax, by - ay];
    const scale = Math.min(width / 2 / Math.abs(dx || 1e-9), BOX / 2 / Math.abs(dy || 1e-9));
    return [ax + width / 2 + dx * scale, ay + BOX / 2 + dy * scale];
  };
  const drawn = head(o.title);
  for (const [a, b] of links) {
    const [from, to] = [parts[a]!, parts[b]!];
    drawn.push(arrow(...leave(from, to), ...leave(to, from), THEME.ink));
  }
  for (const p of Object.values(parts)) {
    const [x, y] = place(p);
    drawn.push(box(x, y, p.words, p.inner === true ? THEME.grid : THEME.ground, width));
    if (p.takes === undefined) continue;
    const middle = x + width / 2;
    drawn.push(arrow(middle, y + BOX + 22, middle, y + BOX, THEME.ink));
    drawn.push(
      text(middle, y + BOX + 36, p.takes, { size: THEME.size.tick, color: THEME.soft, anchor: 'middle' }),
    );
  }
  const bottom = 76 + rows * (BOX + 34) + 28;
  for (const [i, line] of formulas.entries())
    drawn.push(text(EDGE, bottom + 20 * i, line, { size: THEME.size.tick, color: THEME.soft }));
  const wide = Math.max(
    EDGE * 2 + columns * (width + 48) - 48,
    ...[o.title, ...formulas].map(
      (w, i) => EDGE * 2 + textWidth(w, i === 0 ? THEME.size.title : THEME.size.tick),
    ),
  );
  return picture(wide, bottom + 20 * formulas.length + 8, `${o.title}. ${formulas.join('; ')}`, ...drawn);
}

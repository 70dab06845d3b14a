// Where the command line speaks: lines, tables, a progress bar. Control characters go to a terminal only, never into
// a pipe or a file. In: texts. Out: writes to stdout and stderr.

import type { Language, Words } from './language.ts';

export interface Bar {
  /** Shows how far it is; called as often as one likes. */
  update(done: number, total: number, status: string): void;
  /** Takes the bar away. */
  end(): void;
}
export interface Terminal {
  readonly language: Language;
  /** Where stdout is a terminal that shows styles. */
  readonly styled: boolean;
  say(words: Words): string;
  /** One line on stdout. */
  print(line?: string): void;
  /** Text on stdout as it is, without a line end. */
  write(text: string): void;
  /** One line on stderr. */
  warn(line: string): void;
  bar(label: string): Bar;
}
/** What is needed of process.stdout and process.stderr. */
interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export function makeTerminal(
  language: Language,
  streams: {
    readonly out: Sink;
    readonly err: Sink;
    readonly env: Readonly<Record<string, string | undefined>>;
  },
): Terminal {
  const { out, err, env } = streams;
  const plain = env['NO_COLOR'] !== undefined || env['TERM'] === 'dumb';
  return {
    language,
    styled: out.isTTY === true && !plain,
    say: words => words[language],
    write: text => void out.write(text),
    print: (line = '') => void out.write(`${line}\n`),
    warn: line => void err.write(`${line}\n`),
    bar: label =>
      err.isTTY === true && env['TERM'] !== 'dumb' ? drawnBar(err, label) : spokenBar(err, label),
  };
}

const BAR_WIDTH = 28;
const FRAME_MS = 80;
/** One line that is drawn over and over. */
function drawnBar(err: Sink, label: string): Bar {
  const since = performance.now();
  let last = Number.NEGATIVE_INFINITY;
  return {
    update(done, total, status) {
      const now = performance.now();
      if (now - last < FRAME_MS && done < total) return;
      last = now;
      const full = Math.round((BAR_WIDTH * done) / Math.max(1, total));
      const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
      const line = `${label} ${bar} ${done}/${total}  ${status}  ${((now - since) / 1000).toFixed(1)} s`;
      err.write(`\r\x1b[2K${clip(line, (err.columns || 80) - 1)}`);
    },
    end: () => void err.write('\r\x1b[2K'),
  };
}
const SPOKEN_MS = 10_000;
/** For logs: a line every ten seconds. */
function spokenBar(err: Sink, label: string): Bar {
  let last = performance.now();
  return {
    update(done, total, status) {
      const now = performance.now();
      if (now - last < SPOKEN_MS) return;
      last = now;
      err.write(`${label}: ${done}/${total}  ${status}\n`);
    },
    end() {},
  };
}

/** Columns that a terminal takes for a character: two for Chinese. */
const charWidth = (c: string): number => (c >= '\u2e80' && c <= '\uffe6' ? 2 : 1);
export function displayWidth(text: string): number {
  let width = 0;
  for (const c of text) width += charWidth(c);
  return width;
}
function clip(text: string, width: number): string {
  let used = 0;
  let out = '';
  for (const c of text) {
    used += charWidth(c);
    if (used > width) break;
    out += c;
  }
  return out;
}
export const padEnd = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)));

/** Rows in aligned columns, indented by two. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, displayWidth(cell));
  }
  return rows
    .map(
      row =>
        `  ${row.map((cell, i) => (i === row.length - 1 ? cell : padEnd(cell, widths[i]! + 2))).join('')}`,
    )
    .join('\n');
}

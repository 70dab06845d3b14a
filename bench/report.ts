// Results: what was measured, as a table and as files that carry machine and date.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Row {
  readonly workload: string;
  /** `cpu` is WASM only, `cpu-blas` has a native BLAS for large products. */
  readonly device: string;
  readonly threads: number;
  readonly ms: number;
  readonly gflops?: number;
  readonly samplesPerSecond?: number;
  readonly tokensPerSecond?: number;
  /** Read and written, 10⁹ bytes a second. */
  readonly gigabytesPerSecond?: number;
  /** Milliseconds of the others in the same run. */
  readonly peers: Readonly<Record<string, number>>;
}

export const median = (list: readonly number[]): number => {
  const s = [...list].sort((a, b) => a - b);
  const mid = s.length >> 1;
  return s.length % 2 ? s[mid]! : (s[mid - 1]! + s[mid]!) / 2;
};

/** Four digits that count. */
export const round = (v: number): number => Number(v.toPrecision(4));

export const machine = () => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
});

export const duration = (ms: number): string =>
  ms < 1
    ? `${(ms * 1000).toPrecision(3)} µs`
    : ms < 1000
      ? `${ms.toPrecision(3)} ms`
      : `${(ms / 1000).toFixed(2)} s`;

export function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const width = head.map((h, i) => Math.max(h.length, ...lines.map(l => (l[i] ?? '').length)));
  const format = (l: readonly string[]) =>
    l
      .map((c, i) => (i === 0 ? c.padEnd(width[i]!) : c.padStart(width[i]!)))
      .join('  ')
      .trimEnd();
  return [format(head), width.map(w => '-'.repeat(w)).join('  '), ...lines.map(format)].join('\n');
}

/** Written beside its place first: a run that is stopped leaves the old file whole. */
export function writeWhole(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.part`, text);
  renameSync(`${file}.part`, file);
}

const RESULTS = join(dirname(fileURLToPath(import.meta.url)), 'results');

/** The file of this machine and day: subjects that are run again replace their part of it. */
export function save(parts: Readonly<Record<string, unknown>>): string {
  const m = machine();
  const date = new Date().toISOString().slice(0, 10);
  const slug = `${m.cpu}-${m.cores}-cores`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const file = join(RESULTS, `${date}-${slug}.json`);
  const old = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  writeWhole(file, `${JSON.stringify({ date, machine: m, ...old, ...parts }, null, 1)}\n`);
  return file;
}
export const resultsFile = (name: string): string => join(RESULTS, name);

// profile(fn): what the kernels of a piece of program cost.
// In: a function. Out: times, bytes and rates per kernel, as data, as a table, and as a Chrome trace.

import { getDevice } from '../runtime/devices.ts';
import { type KernelTime, profiling } from '../runtime/profile.ts';
import { flushCells } from './realize.ts';

export interface ProfileRow {
  readonly name: string;
  readonly kind: string;
  /** How often it ran. */
  readonly count: number;
  readonly ms: number;
  readonly bytes: number;
  /** Scalar operations, about; matrix products count their multiply-adds twice. */
  readonly flops: number;
  readonly gflops: number;
  readonly gbps: number;
}
export interface Profile<T> {
  readonly result: T;
  /** Wall time of the function, kernels and JavaScript together. */
  readonly ms: number;
  /** One row per kernel, most expensive first. */
  readonly rows: readonly ProfileRow[];
  /** Every run of every kernel in order. */
  readonly events: readonly KernelTime[];
  /** The rows as a table. */
  toString(): string;
  /** The events in the format of chrome://tracing and Perfetto. */
  chromeTrace(): string;
}

/** Runs `fn`, with every kernel timed by itself; what is pending at its end is computed too. */
export function profile<T>(fn: () => T): Profile<T> {
  flushCells();
  const before = profiling.now;
  const events: KernelTime[] = [];
  profiling.now = events;
  const start = performance.now();
  let result: T;
  try {
    result = fn();
    flushCells();
  } finally {
    profiling.now = before;
  }
  const ms = performance.now() - start;
  const rows = summarise(events);
  return {
    result,
    ms,
    rows,
    events,
    toString: () => table(rows, ms),
    chromeTrace: () => chromeTrace(events, start),
  };
}

function summarise(events: readonly KernelTime[]): ProfileRow[] {
  const groups = new Map<string, KernelTime[]>();
  for (const e of events) {
    const key = `${e.kind} ${e.name}`;
    const g = groups.get(key);
    if (g === undefined) groups.set(key, [e]);
    else g.push(e);
  }
  const sum = (g: readonly KernelTime[], f: (e: KernelTime) => number): number =>
    g.reduce((n, e) => n + f(e), 0);
  const rows = [...groups.values()].map((g): ProfileRow => {
    const ms = sum(g, e => e.ms);
    const bytes = sum(g, e => e.bytes);
    const flops = sum(g, e => (e.kind === 'gemm' ? 2 * e.work : e.work));
    const per = Math.max(ms, 1e-6) * 1e6;
    return {
      name: g[0]!.name,
      kind: g[0]!.kind,
      count: g.length,
      ms,
      bytes,
      flops,
      gflops: flops / per,
      gbps: bytes / per,
    };
  });
  return rows.sort((a, b) => b.ms - a.ms);
}

function table(rows: readonly ProfileRow[], total: number): string {
  const head = ['kernel', 'kind', 'runs', 'ms', '%', 'MB', 'GFLOP/s', 'GB/s'];
  const kernels = rows.reduce((n, r) => n + r.ms, 0);
  const body = rows.map(r => [
    r.name,
    r.kind,
    String(r.count),
    r.ms.toFixed(3),
    ((100 * r.ms) / Math.max(total, 1e-9)).toFixed(1),
    (r.bytes / 1e6).toFixed(2),
    r.gflops.toFixed(1),
    r.gbps.toFixed(1),
  ]);
  const foot = [
    'everything else',
    '',
    '',
    (total - kernels).toFixed(3),
    ((100 * (total - kernels)) / total).toFixed(1),
    '',
    '',
    '',
  ];
  const all = [head, ...body, foot];
  const width = head.map((_, i) => Math.max(...all.map(r => r[i]!.length)));
  const line = (r: readonly string[]): string =>
    r
      .map((c, i) => (i < 2 ? c.padEnd(width[i]!) : c.padStart(width[i]!)))
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
}

function chromeTrace(events: readonly KernelTime[], start: number): string {
  const traceEvents = events.map(e => ({
    name: e.name,
    cat: e.kind,
    ph: 'X',
    ts: Math.round((e.start - start) * 1e6) / 1e3,
    dur: Math.round(e.ms * 1e6) / 1e3,
    pid: 1,
    tid: 1,
    args: { work: e.work, bytes: e.bytes },
  }));
  return JSON.stringify({ displayTimeUnit: 'ns', traceEvents });
}

/** Bytes by owner, of one device. `wasm` is the whole memory, the others are parts of it. */
export function memory(device = 'cpu'): Readonly<Record<string, number>> {
  return getDevice(device).memory();
}

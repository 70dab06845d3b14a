// Memory of the vision trainings: how much the peak of a process has grown since its imports, each in a process of its own.
// Ours is bundled first, as the package is: a process that has just compiled the sources has memory to spare.

import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Measured, pythonWithTorch, startNode, startPython } from './libraries.ts';
import { median, round, table } from './report.ts';
import { SUBJECTS } from './workloads.ts';

/** Milliseconds of steps, after the first ones. */
const BUDGET = 1000;

interface Memory {
  readonly workload: string;
  readonly threads: number;
  readonly megabytes: number;
  readonly peers: Readonly<Record<string, number>>;
}

export async function memory(rounds: number): Promise<Memory[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tenon-bench-'));
  try {
    const program = join(folder, 'tenon.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('tenon.ts', import.meta.url))],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['koffi'],
      logLevel: 'error',
    });
    return await measure(program, rounds);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
async function measure(program: string, rounds: number): Promise<Memory[]> {
  const threads = availableParallelism();
  const python = pythonWithTorch();
  const starts: Record<string, () => Promise<Measured | string>> = {
    tenon: () => startNode(program, { TENON_THREADS: String(threads), TENON_BLAS: '0' }),
    ...(python === null ? {} : { pytorch: () => startPython(python, threads) }),
  };
  const rows: Memory[] = [];
  for (const { workload, spec } of SUBJECTS.vision!) {
    const grown: Record<string, number[]> = {};
    for (let r = 0; r < rounds; r++) {
      for (const [name, start] of Object.entries(starts)) {
        const library = await start();
        if (typeof library === 'string') throw new Error(`memory: ${name}: ${library}`);
        const { grownMB, error } = await library.time({ spec, budget: BUDGET });
        library.close();
        if (grownMB === undefined) throw new Error(`memory: ${name}, ${workload}: ${error}`);
        grown[name] = [...(grown[name] ?? []), grownMB];
      }
    }
    const { tenon, ...peers } = Object.fromEntries(
      Object.entries(grown).map(([name, list]) => [name, round(median(list))]),
    );
    rows.push({ workload, threads, megabytes: tenon!, peers });
  }
  console.log(
    table(
      ['workload', 'threads', 'tenon', 'pytorch (ours to theirs)'],
      rows.map(({ workload, threads, megabytes, peers: { pytorch } }) => [
        workload,
        String(threads),
        `${megabytes.toFixed(0)} MB`,
        pytorch === undefined ? '' : `${pytorch.toFixed(0)} MB (${(megabytes / pytorch).toFixed(2)}x)`,
      ]),
    ),
  );
  return rows;
}

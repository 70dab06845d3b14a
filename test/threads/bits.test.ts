// The same bits on any number of threads: work is cut by shape alone.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

interface Answer {
  readonly threads: number;
  readonly blas: boolean;
  readonly print: Record<string, string>;
}
const run = (threads: number, blas: string): Answer =>
  JSON.parse(
    execFileSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'program.ts')],
      { env: { ...process.env, TENON_THREADS: String(threads), TENON_BLAS: blas }, encoding: 'utf8' },
    ),
  );

it.each([
  ['on our own kernels', '0'],
  ['with a native BLAS, where there is one', ''],
])('gives one thread, two and five the same bits %s', (_, blas) => {
  const one = run(1, blas);
  expect(one.threads).toBe(1);
  if (blas === '0') expect(one.blas).toBe(false);
  expect(Object.keys(one.print).length).toBeGreaterThan(20);
  for (const threads of [2, 5]) {
    const other = run(threads, blas);
    expect(other.threads).toBe(threads);
    expect(other.print).toEqual(one.print);
  }
});

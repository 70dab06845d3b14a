// The same bits on any number of threads: work is cut by shape alone.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

interface Answer {
  readonly threads: number;
  readonly print: Record<string, string>;
}
const run = (threads: number): Answer =>
  JSON.parse(
    execFileSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'program.ts')],
      { env: { ...process.env, TENON_THREADS: String(threads), TENON_BLAS: '0' }, encoding: 'utf8' },
    ),
  );

it('gives one thread, two and five the same bits', () => {
  const one = run(1);
  expect(one.threads).toBe(1);
  expect(Object.keys(one.print).length).toBeGreaterThan(20);
  for (const threads of [2, 5]) {
    const other = run(threads);
    expect(other.threads).toBe(threads);
    expect(other.print).toEqual(one.print);
  }
});

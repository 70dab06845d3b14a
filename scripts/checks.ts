// The checks of `npm run check` and `npm test`, and how one is run.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..');
const modules = join(root, 'node_modules');

export interface Check {
  readonly name: string;
  /** Arguments for this Node. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}
const tsc = join(modules, 'typescript/bin/tsc');
export const CHECKS: readonly Check[] = [
  { name: 'types', args: [tsc, '-p', 'tsconfig.json'] },
  { name: 'types, without DOM and Node', args: [tsc, '-p', 'tsconfig.pure.json'] },
  // The peers of the bench have declarations only where `npm run bench` has installed them.
  ...(existsSync(join(root, 'bench/node_modules'))
    ? [{ name: "types of the bench's peers", args: [tsc, '-p', 'bench/tsconfig.json'] }]
    : []),
  { name: 'format and lint', args: [join(modules, '@biomejs/biome/bin/biome'), 'check', '.'] },
  { name: 'imports', args: ['scripts/check-imports.ts'] },
];

/** Runs one check with its output on the terminal; true where it passes. */
export function runCheck({ name, args, env = {} }: Check): boolean {
  const start = performance.now();
  const r = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  const passed = r.status === 0;
  console.log(`${passed ? '✓' : '✗'} ${name}  ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return passed;
}

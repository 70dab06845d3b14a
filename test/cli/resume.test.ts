// A run that is killed at a random moment goes on where it was, and ends as the unbroken one, bit for bit.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const data = process.env['TENON_DATA'];
const out = mkdtempSync(join(tmpdir(), 'tenon-resume-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));
const KILLS = Number(process.env['KILLS'] ?? 4);

/** Runs to the end, or until it is killed: the exit code, null where it was. */
function train(folder: string, killAfter?: number): Promise<number | null> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    'src/cli/main.ts',
    'train',
    'mnist-mlp',
    '--epochs',
    '3',
  ];
  const child = spawn(process.execPath, [...args, '--resume', '--out', folder], {
    cwd: root,
    stdio: 'ignore',
  });
  const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
  return new Promise(done => {
    child.on('exit', code => {
      clearTimeout(timer);
      done(code);
    });
  });
}

it.skipIf(data === undefined || !existsSync(data))(
  'a run killed at random moments equals the unbroken one (needs MNIST in TENON_DATA)',
  async () => {
    const whole = join(out, 'whole');
    const start = performance.now();
    expect(await train(whole)).toBe(0);
    const length = performance.now() - start;
    const weights = readFileSync(join(whole, 'weights.safetensors'));
    let killed = 0;
    for (let i = 0; i < KILLS; i++) {
      const folder = join(out, `killed-${i}`);
      if ((await train(folder, length * (0.1 + 0.85 * Math.random()))) === null) killed++;
      expect(await train(folder)).toBe(0);
      expect(readFileSync(join(folder, 'weights.safetensors')).equals(weights)).toBe(true);
    }
    expect(killed).toBeGreaterThan(0);
  },
  120_000 + KILLS * 90_000,
);

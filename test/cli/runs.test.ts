// Commands on runs that are there: sweep, compare, eval. As processes, as a user meets them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const out = mkdtempSync(join(tmpdir(), 'tenon-runs-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));
function tenon(...args: string[]) {
  const r = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...args, '--lang', 'en'],
    { cwd: root, encoding: 'utf8' },
  );
  return { code: r.status, out: r.stdout, err: r.stderr };
}

it('sweep: every combination over its seeds, each as train gives it; table, chart, JSON and CSV', () => {
  const folder = join(out, 'sweep');
  const grid = ['--grid', 'lr=.001,.03', '--grid', 'batchSize=64,256', '--set', 'points=400'];
  const r = tenon('sweep', 'rings', ...grid, '--seeds', '2', '--epochs', '3', '--out', folder);
  expect(r.err).toContain('4/4');
  expect(r.code).toBe(0);
  const record = JSON.parse(readFileSync(join(folder, 'sweep.json'), 'utf8'));
  expect(record.rows.map((row: { settings: object }) => row.settings)).toEqual([
    { lr: '.001', batchSize: '64' },
    { lr: '.001', batchSize: '256' },
    { lr: '.03', batchSize: '64' },
    { lr: '.03', batchSize: '256' },
  ]);
  expect(readFileSync(join(folder, 'sweep.csv'), 'utf8').trim().split('\n')).toHaveLength(9);
  expect(readFileSync(join(folder, 'sweep.svg'), 'utf8')).toContain('batchSize');
  const set = ['--set', 'points=400', '--set', 'lr=.03', '--set', 'batchSize=64'];
  const alone = tenon(
    'train',
    'rings',
    ...set,
    '--epochs',
    '3',
    '--seed',
    '1',
    '--json',
    '--out',
    join(out, 'one'),
  );
  expect(record.rows[2].values[1]).toBe(JSON.parse(alone.out).metrics.testAccuracy);
}, 60_000);

it('sweep: a wrong value is told before anything is trained', () => {
  const wrong = tenon('sweep', 'rings', '--grid', 'lr=.1,-1', '--out', join(out, 'no'));
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("lr must be number > 0, got '-1'")]);
  expect(existsSync(join(out, 'no'))).toBe(false);
});

it('compare: one row per run; folders that hold none are told', () => {
  const runs = ['1', '2'].map(seed => {
    const folder = join(out, `run${seed}`);
    expect(tenon('train', 'rings', '--epochs', '2', '--seed', seed, '--out', folder).code).toBe(0);
    // Curves as a training with `fit` writes them.
    writeFileSync(join(folder, 'history.json'), JSON.stringify({ mlp: { testLoss: [0.5, 0.25] } }));
    return folder;
  });
  const r = tenon('compare', ...runs, '--out', join(out, 'compare'));
  expect(r.code).toBe(0);
  expect(r.out).toMatch(/run1 +rings +1 .*\n *run2 +rings +2 /);
  expect(readFileSync(join(out, 'compare', 'compare.svg'), 'utf8')).toContain('run2');
  expect(tenon('compare', runs[0]!).code).toBe(2);
  const none = tenon('compare', runs[0]!, join(out, 'nowhere'));
  expect([none.code, none.err]).toEqual([2, expect.stringContaining('must be the folder of a finished run')]);
  expect(tenon('compare', ...runs, '--metric', 'none').err).toContain("curves are testLoss, got 'none'");
}, 60_000);

it('eval: a recipe without weights and a file that is none are told', () => {
  const none = tenon('eval', 'rings');
  expect([none.code, none.err]).toEqual([2, expect.stringContaining('rings keeps no weights')]);
  const bad = join(out, 'bad.safetensors');
  writeFileSync(bad, 'no weights');
  const r = tenon('eval', 'mnist-mlp', '--weights', bad);
  expect([r.code, r.err]).toEqual([1, expect.stringContaining('must be a file of safetensors')]);
});

// The commands about files and trained weights: inspect, convert, predict, bench.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensor } from '../../src/index.ts';
import { load, save } from '../../src/io/index.ts';

const root = join(import.meta.dirname, '../..');
const temp = mkdtempSync(join(tmpdir(), 'tenon-files-'));
afterAll(() => rmSync(temp, { recursive: true, force: true }));
function tenon(...args: string[]): { code: number | null; out: string; err: string } {
  const main = ['--disable-warning=ExperimentalWarning', join(root, 'src/cli/main.ts'), ...args];
  const r = spawnSync(process.execPath, main, { cwd: root, encoding: 'utf8' });
  return { code: r.status, out: r.stdout, err: r.stderr };
}
const file = (name: string): string => join(temp, name);

describe('inspect', () => {
  it('tells tensors with their statistics, and plain values', async () => {
    await save(file('a.pth'), {
      w: tensor([
        [1, 2],
        [3, 6],
      ]),
      epoch: 7,
      note: '榫',
    });
    const { tensors, values, format } = JSON.parse(tenon('inspect', file('a.pth'), '--json').out);
    expect(format).toBe('pth');
    expect(tensors).toEqual([
      { name: 'w', shape: [2, 2], dtype: 'float32', mean: 3, std: Math.sqrt(3.5), min: 1, max: 6 },
    ]);
    expect(values).toEqual({ epoch: 7, note: '榫' });
    const text = tenon('inspect', file('a.pth'), '--lang', 'zh').out;
    expect(text).toContain('标准差');
    expect(text).toMatch(/w +\(2, 2\) +float32 +3 +1\.871 +1 +6/);
  });
  it('tells the columns of a table', () => {
    writeFileSync(file('t.csv'), 'a,b\n1,x\n2,y\n');
    const c = JSON.parse(tenon('inspect', file('t.csv'), '--json').out);
    expect(c.format).toBe('csv, 2 rows');
    expect(c.values).toEqual({ a: [1, 2], b: ['x', 'y'] });
  });
  it.each([
    [['inspect'], 2, 'one file is needed'],
    [['inspect', 'nowhere.pth'], 1, 'nowhere.pth must be readable'],
    [['inspect', 'package.json'], 1, 'must be a file of safetensors, PyTorch or NumPy'],
  ])('%j ends with %i', (args, code, message) => {
    const r = tenon(...args);
    expect(r.code).toBe(code);
    expect(r.err).toContain(message);
  });
});

describe('convert', () => {
  it('carries tensors through every format', async () => {
    const w = tensor([
      [1, -2],
      [0.5, 4],
    ]);
    await save(file('b.safetensors'), { 'x.w': w, 'x.n': tensor([1n, 2n]) });
    const chain = ['b.safetensors', 'b.pth', 'b.npz', 'c.safetensors'].map(file);
    for (let i = 1; i < chain.length; i++) expect(tenon('convert', chain[i - 1]!, chain[i]!).code).toBe(0);
    const end = (await load(chain.at(-1)!)) as Record<string, typeof w>;
    expect(end['x.w']!.tolistSync()).toEqual(w.tolistSync());
    expect(end['x.n']!.dtype).toBe('int64');
  });
  it('refuses what the format cannot hold, and leaves nothing', async () => {
    await save(file('d.safetensors'), { a: tensor([1]), b: tensor([2]) });
    const r = tenon('convert', file('d.safetensors'), file('d.npy'));
    expect(r.code).toBe(2);
    expect(r.err).toContain('.npy holds one tensor');
    expect(existsSync(file('d.npy'))).toBe(false);
    expect(tenon('convert', file('d.safetensors'), file('d.txt')).err).toContain('OUT ends with');
  });
});

it('see says which recipes have pictures, and that weights are missing', () => {
  expect(tenon('see').err).toContain('a recipe is needed');
  expect(tenon('see', 'circle').err).toContain('circle has no network of pictures');
  expect(tenon('see', 'cifar100-resnet20', '--weights', 'nowhere.safetensors').err).toContain(
    'nowhere.safetensors must be readable',
  );
});

describe('predict', () => {
  it('names what it needs', () => {
    expect(tenon('predict', 'mnist-mlp').err).toContain('a recipe and at least one input');
    expect(tenon('predict', 'circle', 'x').err).toContain('circle has no model to ask');
  });
  it.skipIf(process.env['TENON_DATA'] === undefined)(
    'tells the digits of the test set, and a picture file (needs MNIST in TENON_DATA)',
    () => {
      const r = JSON.parse(tenon('predict', 'mnist-mlp', 'test:0', 'test:1', '--json').out);
      expect(r.predictions.map((p: string[]) => p[1]![0])).toEqual(['7', '2']);
      expect(tenon('predict', 'mnist-mlp', 'test:10000').err).toContain('pictures 0 … 9999');
      // The same weights as PyTorch keeps them.
      tenon('convert', 'weights/mnist-mlp.safetensors', file('m.pth'));
      const args = ['predict', 'mnist-mlp', 'test:0', 'test:1', '--json', '--weights', file('m.pth')];
      expect(JSON.parse(tenon(...args).out).predictions).toEqual(r.predictions);
    },
  );
});

it('bench measures in a few seconds', () => {
  const rows = JSON.parse(tenon('bench', '--json').out) as { workload: string; ms: number; gflops: number }[];
  expect(rows.map(r => r.workload)).toContain('gemm512');
  for (const r of rows) {
    expect(r.ms).toBeGreaterThan(0);
    expect(r.gflops).toBeGreaterThan(0.1);
  }
});

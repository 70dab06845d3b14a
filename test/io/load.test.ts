// load and save: every format by its bytes and by the end of its name, into modules, and what stays when they fail.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DTypeError, FileError, ValueError } from '../../src/base/errors.ts';
import { F, manualSeed, nn, randn, SGD, type Tensor, tensor } from '../../src/index.ts';
import { formatOf, load, loadTensors, save, type Tree } from '../../src/io/index.ts';
import { numbers } from '../support.ts';

const folder = mkdtempSync(join(tmpdir(), 'tenon-load-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const named = { 'fc.weight': randn([2, 3]), 'fc.bias': tensor([1, 2]) };
const tree = { epoch: 3, model: named, list: [tensor(1), 'x'] };

describe('save, then load', () => {
  it.each<[string, Tree, string]>([
    ['a.safetensors', named, 'safetensors'],
    ['b.safetensors', tree, 'checkpoint'],
    ['a.pth', named, 'pth'],
    ['b.pt', tree, 'pth'],
    ['c.bin', named, 'pth'],
    ['a.npz', named, 'npz'],
    ['a.npy', named['fc.weight'], 'npy'],
    ['A.PTH', tree, 'pth'],
  ])('%s', async (name, value, format) => {
    await save(at(name), value);
    expect(formatOf(readFileSync(at(name)))).toBe(format);
    // The name plays no part in reading.
    const renamed = at('renamed');
    writeFileSync(renamed, readFileSync(at(name)));
    const plain = (x: unknown): unknown =>
      JSON.parse(JSON.stringify(x, (_, v) => (v?.tolistSync ? v.tolistSync() : v)));
    expect(plain(await load(renamed))).toEqual(plain(value));
  });
  it('state dicts go into modules, out of a tree too', async () => {
    const model = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
    const other = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
    await save(at('m.pth'), model.stateDict());
    other.loadStateDict(await loadTensors(at('m.pth')));
    for (const [key, t] of Object.entries(model.stateDict()))
      expect(numbers(other.stateDict()[key]!)).toEqual(numbers(t));
    await save(at('t.pth'), { epoch: 1, model: model.stateDict() });
    const all = await loadTensors(at('t.pth'));
    expect(Object.keys(all)[0]).toBe('model.0.weight');
    // The message knows what to do with the prefix.
    expect(() => other.loadStateDict(all)).toThrow("Take 'model.' off the given keys");
  });
  it('an optimizer goes on from a .pth file as from memory', async () => {
    manualSeed(1);
    const x = randn([8, 3]).realize();
    const start = () => {
      manualSeed(2);
      const model = new nn.Linear(3, 2);
      return { model, optimizer: new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 }) };
    };
    const step = ({ model, optimizer }: ReturnType<typeof start>): number => {
      optimizer.zeroGrad();
      const loss = F.mseLoss(model.forward(x), x.narrow(1, 0, 2));
      loss.backward();
      optimizer.step();
      return loss.itemSync();
    };
    const run = start();
    step(run);
    step(run);
    await save(at('run.pth'), { model: run.model.stateDict(), optimizer: run.optimizer.stateDict() });
    const again = start();
    const saved = (await load(at('run.pth'))) as {
      model: Record<string, Tensor>;
      optimizer: Parameters<SGD['loadStateDict']>[0];
    };
    again.model.loadStateDict(saved.model);
    again.optimizer.loadStateDict(saved.optimizer);
    for (let i = 0; i < 3; i++) expect(step(again)).toBe(step(run));
  });
});

it('a program that imports tenon/io alone gets tensors', () => {
  const index = new URL('../../src/io/index.ts', import.meta.url).href;
  const file = at('a.npy');
  const code = `import { load } from '${index}'; console.log((await load('${file}')).shape.join());`;
  const r = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  expect(r.stdout).toBe('2,3\n');
});

describe('mistakes', () => {
  it('another end of the name, a value that the format does not hold', async () => {
    await expect(save(at('x.txt'), named)).rejects.toThrow(
      /save: the file's name ends with \.safetensors, \.pth, \.pt, \.bin, \.npy, \.npz, got '.*x\.txt'/,
    );
    await expect(save(at('x'), named)).rejects.toThrow(ValueError);
    await expect(save(at('x.npy'), named)).rejects.toThrow('a .npy file holds one tensor');
    await expect(save(at('x.npz'), tree)).rejects.toThrow('a .npz file holds tensors by name');
    expect(readdirSync(folder).filter(f => f.startsWith('x'))).toEqual([]);
  });
  it('a file that is none of these', async () => {
    const file = at('page.html');
    writeFileSync(file, '<!doctype html>');
    await expect(load(file)).rejects.toThrow(
      'must be a file of safetensors, PyTorch or NumPy, got bytes 60 33 100',
    );
    writeFileSync(file, '');
    await expect(load(file)).rejects.toThrow('got an empty file');
    await expect(load(at('none.pth'))).rejects.toThrow(FileError);
    await save(file.replace('html', 'pth'), { epoch: 3 });
    await expect(loadTensors(at('page.pth'))).rejects.toThrow('page.pth must hold tensors, got none');
  });
  it('a value that cannot be written leaves the old file', async () => {
    for (const name of ['old.pth', 'old.safetensors', 'old.npz']) {
      await save(at(name), named);
      const before = readFileSync(at(name));
      const bad = name.endsWith('npz')
        ? { a: randn([100]), b: tensor([1], { dtype: 'bfloat16' }) }
        : { a: randn([100]), f: () => 1 };
      const kind = name.endsWith('npz') ? DTypeError : ValueError;
      await expect(save(at(name), bad)).rejects.toThrow(kind);
      expect(readFileSync(at(name)).equals(before)).toBe(true);
    }
    expect(readdirSync(folder).filter(f => f.endsWith('.part'))).toEqual([]);
  });
  it('a folder that is not there', async () => {
    await expect(save(join(at('none'), 'x.pth'), named)).rejects.toThrow(
      /^write: .*must be writable, got ENOENT/,
    );
  });
  it.skipIf(process.platform !== 'linux')('a disk that takes no more leaves the old file', async () => {
    await save(at('full.pth'), named);
    const before = readFileSync(at('full.pth'));
    const library = join(import.meta.dirname, '../../src');
    const code = `import { zeros } from '${library}/index.ts';
      import { save } from '${library}/io/index.ts';
      await save('${at('full.pth')}', { w: zeros([100_000]) }).catch(e => console.log(e.name, e.message));`;
    // No file may grow beyond eight blocks; the signal for it is ignored, so that write() fails.
    const limited = `trap '' XFSZ; ulimit -f 8; exec "${process.execPath}" --input-type=module -`;
    const r = spawnSync('bash', ['-c', limited], { input: code, encoding: 'utf8' });
    expect(r.stdout).toMatch(
      /^FileError write: .*full\.pth must be writable, got EFBIG.*the old file, if any, is as it was/,
    );
    expect(readFileSync(at('full.pth')).equals(before)).toBe(true);
    expect(readdirSync(folder).filter(f => f.endsWith('.part'))).toEqual([]);
  });
});

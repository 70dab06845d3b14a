// Checkpoints: trees come back as they were; files are whole or not there.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { randn, tensor } from '../../src/index.ts';
import {
  checkpointBytes,
  latestCheckpoint,
  loadCheckpoint,
  parseSafetensors,
  saveCheckpoint,
  saveCheckpointFile,
  writeFileAtomic,
} from '../../src/io/index.ts';
import { numbers } from '../support.ts';

const folder = mkdtempSync(join(tmpdir(), 'tenon-io-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a checkpoint', () => {
  it('holds tensors and plain data, the odd numbers too', async () => {
    const w = randn([2, 3]).realize();
    const plain = {
      epoch: 3,
      best: Number.POSITIVE_INFINITY,
      bad: [Number.NaN, -0, Number.NEGATIVE_INFINITY, 1e-320, 0.1],
      seed: 2n ** 70n,
      name: '榫',
      none: null,
      flags: [true, false],
      deep: { list: [{ a: 1 }, []] },
      $tensor: 'a key with a dollar',
    };
    const back = (await loadCheckpoint(
      checkpointBytes({ ...plain, model: { w, tied: w }, list: [tensor([1n])] }),
    )) as typeof plain & { model: { w: typeof w; tied: typeof w }; list: (typeof w)[] };
    const { model, list, ...rest } = back;
    expect(rest).toEqual(plain);
    expect(Object.is(rest.bad[1], -0)).toBe(true);
    expect(numbers(model.w)).toEqual(numbers(w));
    expect(model.tied).toBe(model.w);
    expect(list[0]!.tolistSync()).toEqual(tensor([1n]).tolistSync());
  });
  it('is a safetensors file with tensors under their paths', () => {
    const { tensors } = parseSafetensors(
      checkpointBytes({ model: { 'fc.weight': randn([2]) }, x: [tensor(1)] }),
    );
    expect(Object.keys(tensors).sort()).toEqual(['model.fc.weight', 'x.0']);
  });
  it('refuses what is no plain data, by its place', () => {
    expect(() => checkpointBytes({ a: { f: new Map() } })).toThrow(
      /a\.f must be a tensor or plain data, got Map/,
    );
    expect(() => checkpointBytes({ f: () => 1 })).toThrow(/f must be a tensor or plain data/);
  });
  it('takes texts and lists of any length', async () => {
    const long = { text: '"\\\\'.repeat(4_000_000), list: Array.from({ length: 300_000 }, (_, i) => i / 7) };
    const back = (await loadCheckpoint(checkpointBytes(long))) as typeof long;
    expect(back.text === long.text).toBe(true);
    expect(back.list.at(-1)).toBe(long.list.at(-1));
  });
  it('refuses other files', async () => {
    await expect(loadCheckpoint(new Uint8Array(3))).rejects.toThrow(/^safetensors: the given bytes/);
    await expect(loadCheckpoint(join(folder, 'none'))).rejects.toThrow(/none must be readable, got ENOENT/);
    const file = join(folder, 'torn.safetensors');
    await saveCheckpointFile(file, { w: randn([100]) });
    writeFileSync(file, readFileSync(file).subarray(0, 300));
    await expect(loadCheckpoint(file)).rejects.toThrow(/torn\.safetensors/);
  });
});

describe('a folder of checkpoints', () => {
  it('keeps the newest, knows the latest, forgets what a killed writer left', async () => {
    const at = join(folder, 'run');
    expect(await latestCheckpoint(at)).toBeNull();
    for (const step of [1, 20, 3000]) await saveCheckpoint(at, step, { step });
    writeFileSync(join(at, '.step-000000009999.safetensors.1.1.part'), 'torn');
    expect(((await loadCheckpoint((await latestCheckpoint(at))!)) as { step: number }).step).toBe(3000);
    await saveCheckpoint(at, 3001, { step: 3001 });
    expect(readdirSync(at).sort()).toEqual([
      'step-000000003000.safetensors',
      'step-000000003001.safetensors',
    ]);
  });
});

describe('writing a file', () => {
  it('leaves the old file where the new one cannot be written', async () => {
    const file = join(folder, 'old.txt');
    await writeFileAtomic(file, 'old');
    function* failing(): Generator<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error('no space left on device');
    }
    await expect(writeFileAtomic(file, failing())).rejects.toThrow(
      /^write: .*old\.txt must be writable, got no space left on device. the old file/,
    );
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter(f => f.endsWith('.part'))).toEqual([]);
    mkdirSync(join(folder, 'taken'));
    await expect(writeFileAtomic(join(folder, 'taken'), 'x')).rejects.toThrow(/must be writable/);
  });
});

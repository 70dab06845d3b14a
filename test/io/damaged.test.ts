// Readers of tensors on damaged files: an error of ours or whole tensors, never a crash, a wait, or memory that the file
// does not hold.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Tensor, tensor } from '../../src/index.ts';
import {
  checkpointBytes,
  loadCheckpoint,
  npyBytes,
  npzBytes,
  parseNpy,
  parseNpz,
  parsePth,
  parseSafetensors,
  pthBytes,
  safetensorsBytes,
} from '../../src/io/index.ts';
import { INPUTS, survive } from '../fuzz/damage.ts';

const ascii = (s: string): number[] => Array.from(s, c => c.charCodeAt(0));
const a = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const b = tensor([1n, -1n], { dtype: 'int64' });
const flag = tensor([true, false]);
/** Tensors are whole: as many elements as their shape says, and no more than bytes that were there could give. */
function whole(tree: unknown, bytes: Uint8Array): void {
  if (tree instanceof Tensor) {
    const n = tree.shape.reduce((p, s) => p * s, 1);
    expect(tree.dataSync().length).toBe(n);
    expect(n).toBeLessThan(64 * bytes.length + 64);
  } else if (tree !== null && typeof tree === 'object') for (const v of Object.values(tree)) whole(v, bytes);
}
const LENGTHS = [0, 1, 2, 3, 4, 8, 16, 64, 127, 128, 254, 255];

describe('a damaged file', () => {
  it('of safetensors', async () => {
    const samples = [safetensorsBytes({ a, b }), safetensorsBytes({ 'x.y': flag }, { by: 'us' })];
    const read = await survive(samples, [...LENGTHS, ...ascii('{}[]",:0123F')], bytes => {
      whole(parseSafetensors(bytes).tensors, bytes);
    });
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(INPUTS);
  });
  it('of a checkpoint', async () => {
    const samples = [checkpointBytes({ model: { a, b }, epoch: 3, rates: [0.1, null, 'x'] })];
    const read = await survive(samples, [...LENGTHS, ...ascii('{}[]",:0123')], async bytes => {
      whole(await loadCheckpoint(bytes), bytes);
    });
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(INPUTS);
  });
  it('of PyTorch, zip', async () => {
    const samples = [pthBytes({ a, b }), pthBytes([flag, { n: 1, s: '榫' }, null])];
    const opcodes = ascii('.()tlduUbXKMJGNcRQq}]\x80\x88\x89');
    const read = await survive(samples, [...LENGTHS, ...opcodes], async bytes => {
      whole(await parsePth(bytes), bytes);
    });
    expect(read).toBeLessThan(INPUTS);
  });
  const golden = resolve(import.meta.dirname, '../../../shared/external/torch-golden/data/open/files');
  it.skipIf(!existsSync(golden))('of PyTorch, legacy (needs ../shared/external/torch-golden)', async () => {
    const names = readdirSync(golden).filter(f => /^(bare_tensor|list|views)_legacy/.test(f));
    expect(names.length).toBe(3);
    const samples = names.map(f => new Uint8Array(readFileSync(join(golden, f))));
    const opcodes = ascii('.()tlduUbXKMJGNcRQq}]\x80\x88\x89');
    const read = await survive(samples, [...LENGTHS, ...opcodes], async bytes => {
      whole(await parsePth(bytes), bytes);
    });
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(INPUTS);
  });
  it('of NumPy', async () => {
    const samples = [npyBytes(a), npyBytes(b), npyBytes(flag)];
    const read = await survive(samples, [...LENGTHS, ...ascii("{}()',:<>|fiub0123 FT")], bytes => {
      whole(parseNpy(bytes), bytes);
    });
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(INPUTS);
  });
  it('of NumPy, several in an archive', async () => {
    const stored = npzBytes({ a, flag });
    const read = await survive([stored], LENGTHS, async bytes => {
      whole(await parseNpz(bytes), bytes);
    });
    expect(read).toBeLessThan(INPUTS);
  });
  it('that would grow a thousandfold when unpacked is refused', async () => {
    // An entry of 4 MB of zeros in 4 kB, whose header says 64 bytes.
    const body = deflateRawSync(new Uint8Array(4 << 20));
    const name = ascii('a.npy');
    const u16 = (v: number): number[] => [v & 255, v >> 8];
    const u32 = (v: number): number[] => [...u16(v & 65535), ...u16(v >>> 16)];
    const head = [...u16(20), ...u16(0), ...u16(8), ...u32(0), ...u32(0), ...u32(body.length), ...u32(64)];
    const local = [...ascii('PK\x03\x04'), ...head, ...u16(name.length), ...u16(0), ...name, ...body];
    const central = [...ascii('PK\x01\x02'), ...u16(20), ...head, ...u16(name.length)];
    central.push(...u16(0), ...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(0), ...name);
    const end = [
      ...ascii('PK\x05\x06'),
      0,
      0,
      0,
      0,
      1,
      0,
      1,
      0,
      ...u32(central.length),
      ...u32(local.length),
      0,
      0,
    ];
    await expect(parseNpz(Uint8Array.from([...local, ...central, ...end]))).rejects.toThrow(/^\w+: /);
  });
});

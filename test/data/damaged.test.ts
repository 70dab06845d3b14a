// Readers on damaged input: an error of ours or a whole result, never a crash, never a wait.

import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { FileError } from '../../src/base/errors.ts';
import { numel } from '../../src/base/shape.ts';
import { gunzip, parseCsv, parseIdx } from '../../src/data/index.ts';
import { stream } from '../support.ts';

const INPUTS = 12_000;
/** One to four changes: bytes flipped, set to what formats find special, cut out, doubled, the end torn off. */
function mutate(bytes: Uint8Array, next: () => number, special: readonly number[]): Uint8Array {
  let b = [...bytes];
  const at = () => Math.floor(next() * (b.length + 1));
  for (let k = 1 + Math.floor(next() * 4); k > 0; k--) {
    const [p, q] = [at(), at()].sort((x, y) => x - y) as [number, number];
    const kind = Math.floor(next() * 6);
    if (kind === 0 && p < b.length) b[p] = b[p]! ^ (1 << Math.floor(next() * 8));
    else if (kind === 1) b.splice(p, 1, special[Math.floor(next() * special.length)]!);
    else if (kind === 2) b.splice(p, 0, special[Math.floor(next() * special.length)]!);
    else if (kind === 3) b.splice(p, Math.min(q - p, 6));
    else if (kind === 4) b = [...b.slice(0, q), ...b.slice(p)];
    else b.length = p;
  }
  return Uint8Array.from(b);
}
/** How often `read` gave a result; whatever it throws must be ours. */
async function survive(
  samples: readonly Uint8Array[],
  special: readonly number[],
  read: (bytes: Uint8Array) => unknown,
): Promise<number> {
  const next = stream(20260);
  let whole = 0;
  for (let i = 0; i < INPUTS; i++) {
    const bytes = mutate(samples[i % samples.length]!, next, special);
    try {
      await read(bytes);
      whole++;
    } catch (e) {
      if (!(e instanceof FileError)) throw new Error(`input ${i} [${bytes}]`, { cause: e });
    }
  }
  return whole;
}
const ascii = (s: string) => new TextEncoder().encode(s);

it('parseCsv', async () => {
  const samples = [
    'a,b,c\n1,x,2.5\n3,"y ""z"", w",\n',
    '"n","t"\r\n-1e3,"two\nlines"\r\nNA,榫\r\n',
    'only\n1\n2\n3\n',
  ].map(ascii);
  const quote = (v: unknown) => `"${String(v).replaceAll('"', '""')}"`;
  const whole = await survive(samples, [...ascii('",\n\r\0;1e.-'), 0xff, 0xef, 0xbb, 0xbf], bytes => {
    const t = parseCsv(bytes);
    for (const n of t.names) expect(t.column(n).length).toBe(t.length);
    // What was read and is written again is read as the same.
    const types = Object.fromEntries(t.names.map(n => [n, 'text' as const]));
    const raw = parseCsv(bytes, { types });
    const lines = [t.names.map(quote).join()];
    for (let i = 0; i < raw.length; i++) lines.push(t.names.map(n => quote(raw.column(n)[i])).join());
    const again = parseCsv(lines.join('\n'), { types });
    expect(again.names).toEqual(raw.names);
    for (const n of raw.names) expect(again.column(n)).toEqual(raw.column(n));
  });
  expect(whole).toBeGreaterThan(INPUTS / 10);
  expect(whole).toBeLessThan(INPUTS);
});

const idx = [
  [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4],
  [0, 0, 11, 1, 0, 0, 0, 2, 1, 2, 3, 4],
  [0, 0, 13, 0, 63, 128, 0, 0],
].map(b => Uint8Array.from(b));

it('parseIdx', async () => {
  const whole = await survive(idx, [0, 1, 2, 8, 9, 11, 12, 13, 14, 127, 128, 255], bytes => {
    const a = parseIdx(bytes);
    expect(a.data.length).toBe(numel(a.shape));
  });
  expect(whole).toBeGreaterThan(100);
  expect(whole).toBeLessThan(INPUTS);
});

it('gunzip', async () => {
  const whole = await survive(
    idx.map(b => gzipSync(b)),
    [0, 1, 8, 31, 139, 255],
    async bytes => {
      const plain = await gunzip(bytes, 'x.gz');
      expect(plain.length).toBeLessThan(1000);
    },
  );
  expect(whole).toBeLessThan(INPUTS / 2);
});

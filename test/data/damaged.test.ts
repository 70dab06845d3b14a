// Readers on damaged input: an error of ours or a whole result, never a crash, never a wait.

import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { numel } from '../../src/base/shape.ts';
import { gunzip, parseCsv, parseIdx } from '../../src/data/index.ts';
import { INPUTS, survive } from '../fuzz/damage.ts';

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

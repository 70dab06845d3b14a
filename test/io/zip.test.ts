// Zip archives: what other programs write, what is torn, what was made to hurt.

import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FileError } from '../../src/base/errors.ts';
import { ByteWriter } from '../../src/io/bytes.ts';
import * as browser from '../../src/io/files.browser.ts';
import * as node from '../../src/io/files.node.ts';
import { Zip, zipChunks } from '../../src/io/zip.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const said = async (zip: Zip, name: string): Promise<string> =>
  new TextDecoder().decode(await zip.read(name));
const archive = (entries: Record<string, string>): Uint8Array =>
  new Uint8Array(
    Buffer.concat([
      ...zipChunks(
        't',
        Object.entries(entries).map(([n, b]) => [n, text(b)] as const),
      ),
    ]),
  );
const open = (bytes: Uint8Array): Zip => new Zip(bytes, 't', 'x.zip');

interface Options {
  /** Sizes and places in the zip64 extra field. */
  readonly wide?: boolean;
  readonly note?: string;
  readonly size?: number;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly localName?: string;
}
/** An archive of one deflated entry, field by field. */
function deflated(name: string, body: string, o: Options = {}): Uint8Array {
  const packed = deflateRawSync(text(body));
  const size = o.size ?? text(body).length;
  const crc = o.crc ?? node.crc32(text(body));
  const [n, local] = [text(name), text(o.localName ?? name)];
  const common = (w: ByteWriter, sizes: readonly [number, number]): ByteWriter =>
    w
      .u16(o.flags ?? 0)
      .u16(o.method ?? 8)
      .u32(0)
      .u32(crc)
      .u32(sizes[0])
      .u32(sizes[1])
      .u16(n.length);
  const front = common(new ByteWriter().u32(0x04034b50).u16(45), [packed.length, size]).u16(0).put(local);
  const start = front.put(packed).done().length;
  const max = 0xffffffff;
  const extra = new ByteWriter();
  if (o.wide)
    extra.u16(9).u16(2).u16(7).u16(1).u16(24).u32(size).u32(0).u32(packed.length).u32(0).u32(0).u32(0);
  const field = extra.done();
  const list = common(
    new ByteWriter().u32(0x02014b50).u16(45).u16(45),
    o.wide ? [max, max] : [packed.length, size],
  );
  list
    .u16(field.length)
    .u16(0)
    .u16(0)
    .u16(0)
    .u32(0)
    .u32(o.wide ? max : 0)
    .put(n)
    .put(field);
  const directory = list.done();
  const end = new ByteWriter();
  if (o.wide) {
    end.u32(0x06064b50).u32(44).u32(0).u16(45).u16(45).u32(0).u32(0);
    end.u32(1).u32(0).u32(1).u32(0).u32(directory.length).u32(0).u32(start).u32(0);
    end
      .u32(0x07064b50)
      .u32(0)
      .u32(start + directory.length)
      .u32(0)
      .u32(1);
  }
  const many = o.wide ? 0xffff : 1;
  end
    .u32(0x06054b50)
    .u16(0)
    .u16(0)
    .u16(many)
    .u16(many)
    .u32(o.wide ? max : directory.length);
  end
    .u32(o.wide ? max : start)
    .u16(text(o.note ?? '').length)
    .text(o.note ?? '');
  return new Uint8Array(Buffer.concat([front.done(), directory, end.done()]));
}

describe('reading', () => {
  it('entries stored and deflated, with zip64 fields, behind a note', async () => {
    expect(await said(open(archive({ a: 'one', 'b/c': '', 榫: 'two' })), '榫')).toBe('two');
    for (const wide of [false, true]) {
      for (const note of ['', 'PK\x05\x06 and more']) {
        const zip = open(deflated('a', 'over and over and over', { wide, note }));
        expect([zip.names, await said(zip, 'a')]).toEqual([['a'], 'over and over and over']);
      }
    }
  });
  const two = archive({ a: 'one', b: 'two' });
  const changed = (at: number, v: number): Uint8Array => two.with(at, v) as Uint8Array;
  it.each<[string, Uint8Array, string]>([
    ['no archive', text('PK\x03\x04 but no more of one, not even a directory'), 'ends with its directory'],
    ['a torn one', two.subarray(0, -1), 'ends with its directory'],
    ['a directory that lies elsewhere', changed(two.length - 6, 255), 'the directory is in the file'],
    ['more entries than there is room for', changed(two.length - 11, 255), 'the directory is in the file'],
    ['a header elsewhere', changed(two.length - 23 - 4, 1), 'each entry has its header'],
    ['another name in front', deflated('a', 'x', { localName: 'b' }), 'each entry has its header'],
    ['a password', deflated('a', 'x', { flags: 1 }), 'an entry with a password'],
    ['another compression', deflated('a', 'x', { method: 14 }), 'compression method 14'],
    ['the same name twice', archive({ a: '1', b: '2' }).map(v => (v === 98 ? 97 : v)), "'a' twice"],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => open(bytes)).toThrow(FileError);
    expect(() => open(bytes)).toThrow(message);
  });
  it.each<[string, Uint8Array, string]>([
    ['a wrong checksum', deflated('a', 'x', { crc: 5 }), 'the checksum of a is 5, got'],
    ['a bit that fell over', two.map((v, i) => (i === 64 ? v ^ 1 : v)), 'the checksum of a'],
    ['a size too small', deflated('a', 'much more', { size: 2 }), 'a can be unpacked'],
    ['a size too large', deflated('a', 'little', { size: 100 }), 'a has 100 bytes, got 6'],
    [
      'a size of gigabytes',
      deflated('a', 'little', { size: 2 ** 31 }),
      'a can be unpacked, got 2147483648 bytes in',
    ],
  ])('%s is found when the entry is read', async (_, bytes, message) => {
    await expect(open(bytes).read('a')).rejects.toThrow(message);
    await expect(open(bytes).read('a')).rejects.toThrow(FileError);
  });
  it('entries that lie in one another are refused', () => {
    const [header, body] = [...zipChunks('t', [['b', text('two')]])] as [Uint8Array, Uint8Array];
    const inner = Buffer.concat([header, body]);
    const entries = [['a', new Uint8Array(inner)] as const, ['b', text('two')] as const];
    const bytes = Buffer.concat([...zipChunks('t', entries)]);
    expect(() => open(new Uint8Array(bytes))).not.toThrow();
    // The second entry points into the first.
    bytes.writeUInt32LE(bytes.indexOf(inner), bytes.lastIndexOf('PK\x01\x02') + 42);
    expect(() => open(new Uint8Array(bytes))).toThrow('entries that overlap');
  });
});

it('pages have the same checksum and unpack the same', async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * i);
  expect(browser.crc32(bytes)).toBe(node.crc32(bytes));
  expect(browser.crc32(text('123456789'))).toBe(0xcbf43926);
  const packed = new Uint8Array(deflateRawSync(bytes));
  expect(await browser.inflate(packed, 1000)).toEqual(bytes);
  await expect(browser.inflate(packed, 999)).rejects.toThrow(RangeError);
  await expect(browser.inflate(packed.subarray(0, 50), 1000)).rejects.toThrow();
});

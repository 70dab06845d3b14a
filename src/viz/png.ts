// Pictures as PNG without compression, so that an SVG can hold them anywhere.
// In: bytes of pixels. Out: the bytes of a file (ISO/IEC 15948), or a data address.

import { crc32, joined } from '../base/bytes.ts';

/** Bytes in rows from the top, the channels of a pixel side by side: 1 grey, 3 colours, 4 with alpha. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}
const COLOR_TYPES: Readonly<Record<number, number>> = { 1: 0, 3: 2, 4: 6 };
/** A stored block of deflate holds at most so many bytes. */
const BLOCK = 65_535;

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const v of bytes) {
    a = (a + v) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}
const word = (v: number): number[] => [v >>> 24, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];
function chunk(name: string, body: Uint8Array): Uint8Array {
  const named = joined([Uint8Array.from(name, c => c.charCodeAt(0)), body]);
  return joined([word(body.length), named, word(crc32(named))]);
}
/** The bytes of a PNG file. */
export function pngBytes({ data, height, width, channels }: Pixels): Uint8Array {
  const row = width * channels;
  // Each row begins with its filter: none.
  const rows = new Uint8Array(height * (row + 1));
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  const blocks: ArrayLike<number>[] = [[0x78, 0x01]];
  for (let at = 0; at < rows.length; at += BLOCK) {
    const part = rows.subarray(at, at + BLOCK);
    const last = at + BLOCK >= rows.length ? 1 : 0;
    const n = part.length;
    blocks.push([last, n & 255, n >>> 8, ~n & 255, (~n >>> 8) & 255], part);
  }
  blocks.push(word(adler32(rows)));
  const head = [...word(width), ...word(height), 8, COLOR_TYPES[channels] ?? 0, 0, 0, 0];
  return joined([
    [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    chunk('IHDR', Uint8Array.from(head)),
    chunk('IDAT', joined(blocks)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}
/** The picture as an address that an `<image>` can show. */
export function dataAddress(pixels: Pixels): string {
  let text = '';
  for (const b of pngBytes(pixels)) text += String.fromCharCode(b);
  return `data:image/png;base64,${btoa(text)}`;
}

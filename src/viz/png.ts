// Pictures as PNG without compression, so that an SVG can hold them anywhere.
// In: bytes of pixels. Out: the bytes of a file (ISO/IEC 15948), or a data address.

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

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});
function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const b of bytes) c = CRC[(c ^ b) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const v of bytes) {
    a = (a + v) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}
const word = (v: number): number[] => [v >>> 24, (v >>> 16) & 255, (v >>> 8) & 255, v & 255];

function join(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
function chunk(name: string, body: Uint8Array): Uint8Array {
  const named = join([Uint8Array.from(name, c => c.charCodeAt(0)), body]);
  return join([word(body.length), named, word(crc32(named))]);
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
  return join([
    [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    chunk('IHDR', Uint8Array.from(head)),
    chunk('IDAT', join(blocks)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}
/** The picture as an address that an `<image>` can show. */
export function dataAddress(pixels: Pixels): string {
  let text = '';
  for (const b of pngBytes(pixels)) text += String.fromCharCode(b);
  return `data:image/png;base64,${btoa(text)}`;
}

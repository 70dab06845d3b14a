// Tar archives (POSIX.1-1988 ustar, with the long names of GNU and pax): the files in it, in their order.
// In: bytes, not packed by gzip any more. Out: names and contents, which share memory with the bytes.

import { FileError, show } from '../base/errors.ts';

export interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}
const BLOCK = 512;
const utf8 = new TextDecoder();
/** A field up to its first NUL. */
function textAt(b: Uint8Array, from: number, length: number): string {
  const field = b.subarray(from, from + length);
  const end = field.indexOf(0);
  return utf8.decode(end < 0 ? field : field.subarray(0, end));
}

/** The files of an archive; folders and links are left out. Errors: FileError for a damaged or torn one. */
export function* readTar(bytes: Uint8Array, file = 'the archive'): Generator<TarFile> {
  const bad = (rule: string, got: string): FileError =>
    new FileError('readTar', `${file}: ${rule}`, got, 'the file is damaged or no tar archive');
  let longName: string | null = null;
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const head = bytes.subarray(at, at + BLOCK);
    if (head.every(b => b === 0)) return;
    const sum = octal(head, 148, 8);
    if (sum === null || sum !== checksum(head))
      throw bad('every header must have its checksum', `another one at byte ${at}`);
    const size = octal(head, 124, 12);
    if (size === null || at + BLOCK + size > bytes.length)
      throw bad(
        'every file must be in the archive',
        `${size ?? 'no'} bytes at byte ${at} of ${bytes.length}`,
      );
    const body = bytes.subarray(at + BLOCK, at + BLOCK + size);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const kind = String.fromCharCode(head[156]!);
    if (kind === 'L') longName = textAt(body, 0, body.length);
    else if (kind === 'x') longName = paxName(body) ?? longName;
    else if (kind === '0' || kind === '\0') {
      yield { name: longName ?? plainName(head), bytes: body };
      longName = null;
    } else if (!'123456gKV'.includes(kind)) throw bad('kinds of entries are those of POSIX', show(kind));
    else longName = null;
  }
}
function plainName(head: Uint8Array): string {
  const prefix = textAt(head, 257, 5) === 'ustar' ? textAt(head, 345, 155) : '';
  const name = textAt(head, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}
/** A number in octal digits; in GNU's archives, where the first bit is set, in bytes. */
function octal(head: Uint8Array, from: number, length: number): number | null {
  if (head[from]! & 0x80) {
    let v = head[from]! & 0x7f;
    for (let i = 1; i < length; i++) v = v * 256 + head[from + i]!;
    return Number.isSafeInteger(v) ? v : null;
  }
  const digits = textAt(head, from, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : null;
}
function checksum(head: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += head[i]!;
  return sum;
}
/** The path of a pax header: lines `length key=value`. */
function paxName(body: Uint8Array): string | null {
  for (const line of utf8.decode(body).split('\n')) {
    const found = /^\d+ path=(.*)$/.exec(line);
    if (found !== null) return found[1]!;
  }
  return null;
}

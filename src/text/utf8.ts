// UTF-8: bytes to text and back, and what happens where they are broken.
// In: bytes, whole or in pieces. Out: text. A JavaScript string is UTF-16: half of a surrogate pair has no UTF-8 and
// becomes U+FFFD, as in every encoder of the web.

import { FileError } from '../base/errors.ts';

const encoder = new TextEncoder();
/** The UTF-8 bytes of a text; half a surrogate pair becomes U+FFFD (EF BF BD). */
export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);

export interface Utf8Options {
  /** What errors call the bytes. Default 'the text'. */
  readonly file?: string;
  /** 'error' refuses broken bytes; 'replace' puts U+FFFD for each broken piece. Default 'error'. */
  readonly invalid?: 'error' | 'replace';
}
/** The text of UTF-8 bytes, without a byte-order mark. Errors: FileError with the place of the first broken byte. */
export function decodeUtf8(bytes: Uint8Array, options: Utf8Options = {}): string {
  const { file = 'the text', invalid = 'error' } = options;
  if (invalid === 'replace') return new TextDecoder().decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const at = validLength(bytes);
    throw new FileError(
      'decodeUtf8',
      `${file} must be UTF-8`,
      at < bytes.length ? `0x${bytes[at]!.toString(16)} at byte ${at}` : 'a character that is cut off',
      "pass {invalid: 'replace'} to read it all the same",
    );
  }
}

/** Bytes a character has by its first byte; 0 where no character begins so. */
const lengthOf = (b: number): number =>
  b < 0x80 ? 1 : b < 0xc2 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : b < 0xf5 ? 4 : 0;
/** Second bytes that would spell a character in too many bytes, a surrogate, or one beyond U+10FFFF. */
const badSecond = (b: number, second: number): boolean =>
  (b === 0xe0 && second < 0xa0) ||
  (b === 0xed && second > 0x9f) ||
  (b === 0xf0 && second < 0x90) ||
  (b === 0xf4 && second > 0x8f);

/** How many bytes from the start on are whole, valid characters. */
export function validLength(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const n = lengthOf(bytes[at]!);
    if (n === 0 || at + n > bytes.length) return at;
    for (let i = 1; i < n; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return at;
    if (n > 2 && badSecond(bytes[at]!, bytes[at + 1]!)) return at;
    at += n;
  }
  return at;
}

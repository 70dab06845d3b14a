// Bytes: parts put together, checksums.

/** Parts one after the other. */
export function joined(parts: Iterable<ArrayLike<number>>): Uint8Array<ArrayBuffer> {
  const all = [...parts];
  const out = new Uint8Array(all.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of all) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** The cyclic checksum of 32 bits by a polynomial, given in reflected form. */
export function crc(polynomial: number): (bytes: Uint8Array) => number {
  const table = Int32Array.from({ length: 256 }, (_, byte) => {
    let c = byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ polynomial : c >>> 1;
    return c;
  });
  return bytes => {
    let c = -1;
    for (let i = 0; i < bytes.length; i++) c = table[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
    return ~c >>> 0;
  };
}
/** The checksum of zip files and PNG. */
export const crc32 = crc(0xedb88320);

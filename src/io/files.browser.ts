// Files in a page: bytes come from a File, a Blob or an address; nothing is written to a disk.

import { FileError } from '../base/errors.ts';

export type Source = string | URL | Uint8Array | Blob;
export const nameOf = (source: Source): string =>
  typeof source === 'string' ? source : source instanceof URL ? source.href : 'the given bytes';

/** The bytes of a File, a Blob or what an address answers. */
export async function readBytes(op: string, source: Source): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  const said = await fetch(source).catch((e: unknown) => String(e));
  if (typeof said === 'string' || !said.ok)
    throw new FileError(
      op,
      `${nameOf(source)} must be readable`,
      typeof said === 'string' ? said : `status ${said.status}`,
      '',
    );
  return new Uint8Array(await said.arrayBuffer());
}

export function writeFileAtomic(path: string): Promise<never> {
  return Promise.reject(
    new FileError(
      'write',
      'a page has no files',
      path,
      'take the bytes (…Bytes functions) and offer them as a download',
    ),
  );
}
export const listFolder = (): Promise<string[]> => Promise.resolve([]);
export const makeFolder = writeFileAtomic;
export const removeFile = writeFileAtomic;
export const joinPath = (...parts: string[]): string => parts.join('/');

export { crc32 } from '../base/bytes.ts';

/** Unpacks a deflate stream of this many bytes; throws where it is torn or longer. */
export async function inflate(bytes: Uint8Array<ArrayBuffer>, size: number): Promise<Uint8Array> {
  const out = new Uint8Array(size);
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  for (let at = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return out.subarray(0, at);
    // Throws a RangeError where more comes than was announced.
    out.set(value, at);
    at += value.length;
  }
}

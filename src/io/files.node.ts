// Files in Node: read whole, written whole or not at all.

import { writeSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 as checksum, inflateRawSync } from 'node:zlib';
import { FileError, TenonError } from '../base/errors.ts';

const text = (e: unknown): string => (e instanceof Error ? e.message : String(e));

/** What a reader takes: a path, bytes, or in a page a File or Blob. */
export type Source = string | URL | Uint8Array | Blob;
/** Text that an error calls the source by. */
export const nameOf = (source: Source): string =>
  typeof source === 'string' ? source : source instanceof URL ? source.href : 'the given bytes';

/** The bytes of a file; bytes themselves are passed through. */
export async function readBytes(op: string, source: Source): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  try {
    return await readFile(source);
  } catch (e) {
    throw new FileError(op, `${nameOf(source)} must be readable`, text(e), '');
  }
}

let written = 0;
/**
 * Writes a file in one piece: into a temporary file beside it, to the disk (fsync), then renamed. Whatever happens on the
 * way, the path holds the old file or the new one. Errors: FileError, such as a full disk; the old file stays.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array | Iterable<Uint8Array>,
): Promise<void> {
  const chunks =
    typeof content === 'string'
      ? [new TextEncoder().encode(content)]
      : content instanceof Uint8Array
        ? [content]
        : content;
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.${++written}.part`);
  try {
    const file = await open(part, 'wx');
    try {
      for (const chunk of chunks) writeAll(file.fd, chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (e) {
    await rm(part, { force: true }).catch(() => {});
    // What cannot be written in the format says so itself.
    if (e instanceof TenonError) throw e;
    throw new FileError('write', `${path} must be writable`, text(e), 'the old file, if any, is as it was');
  }
}
/** At once: chunks may be views of memory that the next computation changes, and the file is one moment of the program. */
function writeAll(fd: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
}
/** The rename itself reaches the disk only with its folder; where folders cannot be synced (Windows), it is left to the system. */
async function syncFolder(folder: string): Promise<void> {
  const f = await open(folder, 'r').catch(() => null);
  if (f === null) return;
  await f.sync().catch(() => {});
  await f.close();
}

/** Names in a folder; none where it does not exist. */
export const listFolder = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
export const makeFolder = async (folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true });
};
export const removeFile = (path: string): Promise<void> => rm(path, { force: true });
export const joinPath = join;

/** The checksum of zip files. */
export const crc32 = (bytes: Uint8Array): number => checksum(bytes);
/** Unpacks a deflate stream of this many bytes; throws where it is torn or longer. */
export const inflate = async (bytes: Uint8Array, size: number): Promise<Uint8Array> =>
  inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) });

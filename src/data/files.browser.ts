// Files of data sets in a page: fetched, checked, and kept in the browser's cache for the next visit.
// In: a source. Out: bytes. TENON_DATA is the address of a folder that has them.

import { flag } from '../base/env.ts';
import { FileError } from '../base/errors.ts';
import { type FileOptions, type FileSource, tellProgress } from './files.ts';

const CACHE = 'tenon-data';
const text = (e: unknown): string => (e instanceof Error ? e.message : String(e));

/** The address of the folder TENON_DATA, below that of the page; empty where there is none. */
export function dataFolder(): string {
  const chosen = flag('TENON_DATA');
  return chosen === '' ? '' : new URL(chosen, globalThis.location?.href).href;
}

/** The bytes of a file below the address TENON_DATA, or null where there is none. */
export async function readDataFile(path: string, options: FileOptions = {}): Promise<Uint8Array | null> {
  const root = options.root ?? dataFolder();
  if (root === '') return null;
  const base = new URL(root.endsWith('/') ? root : `${root}/`, globalThis.location?.href);
  const response = await fetch(new URL(path, base), options.signal ? { signal: options.signal } : {});
  if (response.status === 404) return null;
  if (!response.ok)
    throw new FileError(
      'readDataFile',
      `${path} must be readable below ${base}`,
      `HTTP ${response.status}`,
      '',
    );
  return new Uint8Array(await response.arrayBuffer());
}

/** The bytes of a file: from TENON_DATA, from the browser's cache, else from its addresses in turn. */
export async function loadFile(source: FileSource, options: FileOptions = {}): Promise<Uint8Array> {
  const there = await readDataFile(source.path, options);
  if (there !== null) return there;
  // Pages without a secure context have no cache.
  const cache = await globalThis.caches?.open(CACHE);
  const key = `/${source.path}`;
  const kept = await cache?.match(key);
  if (kept !== undefined) return new Uint8Array(await kept.arrayBuffer());
  const said: string[] = options.download === false ? ['downloads are not allowed'] : [];
  for (const url of options.download === false ? [] : source.urls) {
    try {
      const bytes = await receive(source, url, options);
      await cache?.put(key, new Response(bytes));
      return bytes;
    } catch (e) {
      options.signal?.throwIfAborted();
      said.push(`${url}: ${text(e)}`);
    }
  }
  throw new FileError(
    'loadFile',
    `${source.path} must come from one of ${source.urls.length} addresses`,
    said.join('; ') || 'none',
    'serve the file from your own site and name its folder with TENON_DATA',
  );
}

async function receive(
  source: FileSource,
  url: string,
  options: FileOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, options.signal ? { signal: options.signal } : {});
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const length = response.headers.get('content-length');
  const total = length === null ? null : Number(length);
  const chunks: BlobPart[] = [];
  let received = 0;
  const reader = response.body!.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
    received += next.value.length;
    tellProgress(options, { file: source.path, received, total });
  }
  const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
  if (source.sha256 !== undefined && globalThis.crypto?.subtle !== undefined) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const got = Array.from(digest, b => b.toString(16).padStart(2, '0')).join('');
    if (got !== source.sha256.toLowerCase())
      throw new Error(`wrong checksum, sha256 ${got} instead of ${source.sha256}`);
  }
  return bytes;
}

/** Unpacks a gzip file. Errors: FileError where it is torn or none. */
export async function gunzip(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  try {
    const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (e) {
    throw new FileError('gunzip', `${name} must be a whole gzip file`, text(e), 'load it again');
  }
}

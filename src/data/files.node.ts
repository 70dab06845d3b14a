// Files of data sets in Node: the data folder, and downloads into it.
// In: a source. Out: bytes. A file is complete or not there: bytes are gathered in NAME.part, checked, then renamed.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip as unzip } from 'node:zlib';
import { flag } from '../base/env.ts';
import { FileError } from '../base/errors.ts';
import { type FileOptions, type FileSource, tellProgress } from './files.ts';

/** TENON_DATA, else `tenon/data` in the folder that the system has for caches. */
export function dataFolder(): string {
  const chosen = flag('TENON_DATA');
  if (chosen !== '') return chosen;
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const home = homedir();
  const caches =
    process.platform === 'win32'
      ? LOCALAPPDATA || join(home, 'AppData', 'Local')
      : process.platform === 'darwin'
        ? join(home, 'Library', 'Caches')
        : XDG_CACHE_HOME || join(home, '.cache');
  return join(caches, 'tenon', 'data');
}

const text = (e: unknown): string => (e instanceof Error ? e.message : String(e));
const codeOf = (e: unknown): string | undefined => (e as NodeJS.ErrnoException).code;

/** The bytes of a file of the data folder, or null where it is not there. */
export async function readDataFile(path: string, options: FileOptions = {}): Promise<Uint8Array | null> {
  const full = join(options.root ?? dataFolder(), path);
  try {
    return await readFile(full);
  } catch (e) {
    if (codeOf(e) === 'ENOENT' || codeOf(e) === 'ENOTDIR') return null;
    throw new FileError('readDataFile', `${full} must be readable`, text(e), '');
  }
}

/** The bytes of a file of the data folder; downloads it first where it is missing. */
export async function loadFile(source: FileSource, options: FileOptions = {}): Promise<Uint8Array> {
  const there = await readDataFile(source.path, options);
  if (there !== null) return there;
  const root = options.root ?? dataFolder();
  if (options.download === false)
    throw new FileError(
      'loadFile',
      `${source.path} must be in the data folder ${root}`,
      'none',
      'allow the download, or name the folder that has it with TENON_DATA',
    );
  await download(source, join(root, source.path), options);
  return readFile(join(root, source.path));
}

/** Unpacks a gzip file. Errors: FileError where it is torn or none. */
export async function gunzip(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  try {
    return await promisify(unzip)(bytes, { maxOutputLength: 2 ** 31 });
  } catch (e) {
    throw new FileError(
      'gunzip',
      `${name} must be a whole gzip file`,
      text(e),
      'delete it and load it again',
    );
  }
}

// ---- download ----------------------------------------------------------------------------------------------------------

const TRIES = 3;
const running = new Map<string, Promise<void>>();

/**
 * Brings a file to `path`: tries the addresses in turn, each up to three times; goes on where a broken transfer stopped
 * (also one of an earlier run, where a checksum guards the whole); puts the file in place only when it is whole.
 * Errors: FileError that lists what each address said, a wrong checksum, a full disk. The old file stays in all of them.
 */
export function download(source: FileSource, path: string, options: FileOptions = {}): Promise<void> {
  const now = running.get(path);
  if (now !== undefined) return now;
  const job = bring(source, path, options).finally(() => running.delete(path));
  running.set(path, job);
  return job;
}
async function bring(source: FileSource, path: string, options: FileOptions): Promise<void> {
  const part = `${path}.part`;
  await guarded(path, () => mkdir(dirname(path), { recursive: true }));
  const said: string[] = [];
  for (const url of source.urls) {
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      try {
        const resumed = await transfer(source, url, part, options);
        await verify(source, part, resumed);
        await guarded(path, () => rename(part, path));
        return;
      } catch (e) {
        options.signal?.throwIfAborted();
        if (e instanceof FileError) throw e;
        said.push(`${url}: ${text(e)}${e instanceof Error && e.cause ? ` (${text(e.cause)})` : ''}`);
        if (e instanceof Final) break;
        if (attempt < TRIES) await wait(100 * attempt, undefined, { signal: options.signal });
      }
    }
  }
  throw new FileError(
    'download',
    `${source.path} must come from one of ${source.urls.length} addresses`,
    said.join('; ') || 'none',
    'check the network, or put the file into the data folder by hand',
  );
}

/** What another try at the same address would not change. */
class Final extends Error {}

/** Errors of the disk end a download: another address does not help. */
async function guarded<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (e) {
    const full = codeOf(e) === 'ENOSPC' || codeOf(e) === 'EDQUOT';
    throw new FileError(
      'download',
      `${path} must be writable`,
      full ? `a full disk (${codeOf(e)})` : text(e),
      full ? 'make room and try again' : 'choose another folder with TENON_DATA',
    );
  }
}

/** Brings `part` to its whole length; tells whether it began with bytes of an earlier try. */
async function transfer(
  source: FileSource,
  url: string,
  part: string,
  options: FileOptions,
): Promise<boolean> {
  const guard = source.sha256 !== undefined || source.md5 !== undefined;
  const there = guard ? await sizeOf(part) : 0;
  const stalled = new AbortController();
  const limit = options.stallMs ?? 30_000;
  const giveUp = () => stalled.abort(new Error(`nothing came for ${limit / 1000} s`));
  let timer = setTimeout(giveUp, limit);
  const signal = AbortSignal.any([stalled.signal, ...(options.signal ? [options.signal] : [])]);
  try {
    const range = there > 0 ? { range: `bytes=${there}-` } : {};
    const response = await fetch(url, { headers: { 'accept-encoding': 'identity', ...range }, signal });
    const from = await beginning(response, there, part);
    const length = response.headers.get('content-length');
    const total = length === null ? null : from + Number(length);
    await store(response, part, from, received => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, limit);
      tellProgress(options, { file: source.path, received, total });
    });
    return from > 0;
  } catch (e) {
    throw stalled.signal.aborted ? stalled.signal.reason : e;
  } finally {
    clearTimeout(timer);
  }
}
/** Where in the file the bytes of the answer begin; throws for an answer that has none. */
async function beginning(response: Response, asked: number, part: string): Promise<number> {
  const { status, statusText } = response;
  // Where others come than those asked for, the checksum tells.
  if (status === 206) return asked;
  if (status === 200) return 0;
  await response.body?.cancel();
  if (status === 416) {
    await rm(part, { force: true });
    throw new Error('the part that was there is no beginning of the file');
  }
  const e = `HTTP ${status} ${statusText}`.trim();
  throw status >= 500 ? new Error(e) : new Final(e);
}
/** Writes the answer behind the first `from` bytes of the part. A part that cannot be written makes room again. */
async function store(
  response: Response,
  part: string,
  from: number,
  progress: (received: number) => void,
): Promise<void> {
  const file = await guarded(part, () => open(part, from > 0 ? 'a' : 'w'));
  let received = from;
  try {
    for await (const chunk of response.body ?? []) {
      await guarded(part, () => file.writeFile(chunk as Uint8Array));
      progress((received += chunk.length));
    }
    await guarded(part, () => file.sync());
  } catch (e) {
    if (e instanceof FileError) await rm(part, { force: true });
    throw e;
  } finally {
    await file.close();
  }
}
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}
async function verify({ sha256, md5 }: FileSource, part: string, resumed: boolean): Promise<void> {
  for (const [kind, wanted] of Object.entries({ sha256, md5 })) {
    if (wanted === undefined) continue;
    const hash = createHash(kind);
    for await (const chunk of createReadStream(part)) hash.update(chunk as Uint8Array);
    const got = hash.digest('hex');
    if (got === wanted.toLowerCase()) continue;
    await rm(part, { force: true });
    const e = `wrong checksum, ${kind} ${got} instead of ${wanted}`;
    // After a resume the earlier bytes may be to blame: then the whole file once more.
    throw resumed ? new Error(e) : new Final(e);
  }
}

// Files of data sets: the folder, and downloads from a server on this machine that misbehaves on purpose.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { dataFolder, type FileSource, loadFile, type Progress, readDataFile } from '../../src/data/index.ts';
import { setFlag } from '../../src/index.ts';

const body = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) ^ (i >> 7)));
const sha256 = createHash('sha256').update(body).digest('hex');
const md5 = createHash('md5').update(body).digest('hex');

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let answers: Record<string, Answer[]> = {};
let asked: string[] = [];
let server: Server;
let base = '';
/** The whole file, or from where the request wants it. */
const whole: Answer = (request, response) => {
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const part = body.subarray(from);
  if (from > 0) response.setHeader('content-range', `bytes ${from}-${body.length - 1}/${body.length}`);
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length }).end(part);
};
/** Breaks the connection after some bytes. */
const torn =
  (bytes: number): Answer =>
  (_, response) => {
    response.writeHead(200, { 'content-length': body.length });
    response.write(body.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
  };
const status =
  (code: number): Answer =>
  (_, response) =>
    void response.writeHead(code).end('no');

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.range ?? ''}`.trim());
    const list = answers[request.url!] ?? [];
    (list.length > 1 ? list.shift()! : (list[0] ?? status(404)))(request, response);
  });
  await new Promise<void>(r => server.listen(0, '127.0.0.1', r));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tenon-files-'));
  answers = {};
  asked = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const file = () => join(root, 'Set/raw/a.bin');
const part = () => `${file()}.part`;
const source = (more: Partial<FileSource> = {}): FileSource => ({
  path: 'Set/raw/a.bin',
  urls: [`${base}/a`, `${base}/b`],
  sha256,
  ...more,
});
const load = (more: Partial<FileSource> = {}, options = {}) => loadFile(source(more), { root, ...options });
const same = (bytes: Uint8Array) => expect(Buffer.compare(Buffer.from(bytes), body)).toBe(0);

describe('a download', () => {
  it('comes once, with progress, and is there afterwards', async () => {
    answers['/a'] = [whole];
    const seen: Progress[] = [];
    const [one, two] = await Promise.all([
      load({ md5 }, { onProgress: (p: Progress) => seen.push(p) }),
      load(),
    ]);
    same(one);
    same(two);
    same(await load());
    expect(asked).toEqual(['/a']);
    expect(existsSync(part())).toBe(false);
    expect(seen.at(-1)).toEqual({ file: 'Set/raw/a.bin', received: body.length, total: body.length });
    seen.slice(1).forEach((p, i) => {
      expect(p.received).toBeGreaterThan(seen[i]!.received);
    });
  });
  it('goes on where a broken transfer stopped', async () => {
    answers['/a'] = [torn(100_000), whole];
    same(await load());
    expect(asked).toEqual(['/a', '/a bytes=100000-']);
  });
  it('goes on with the part of an earlier run, at a mirror too', async () => {
    answers['/b'] = [whole];
    mkdirSync(join(root, 'Set/raw'), { recursive: true });
    writeFileSync(part(), body.subarray(0, 70_000));
    same(await load());
    expect(asked).toEqual(['/a bytes=70000-', '/b bytes=70000-']);
  });
  it('starts anew where the server sends the whole file, or the part was another file', async () => {
    mkdirSync(join(root, 'Set/raw'), { recursive: true });
    writeFileSync(part(), 'something else');
    answers['/a'] = [whole];
    same(await load());
    expect(asked).toEqual(['/a bytes=14-', '/a']);
    rmSync(file());
    writeFileSync(part(), 'something else');
    answers['/a'] = [(_, response) => void response.writeHead(200).end(body)];
    same(await load());
    rmSync(file());
    writeFileSync(part(), Buffer.concat([body, body]));
    answers['/a'] = [status(416), whole];
    same(await load());
    rmSync(file());
    writeFileSync(part(), body.subarray(0, 10));
    const odd: Answer = (_, response) =>
      void response.writeHead(206, { 'content-range': `bytes 5-9/10` }).end(body.subarray(5, 10));
    answers['/a'] = [odd, whole];
    same(await load());
  });
  it('does not trust a part that no checksum guards', async () => {
    answers['/a'] = [whole];
    mkdirSync(join(root, 'Set/raw'), { recursive: true });
    writeFileSync(part(), 'something else');
    const { sha256: _, ...bare } = source();
    same(await loadFile(bare, { root }));
    expect(asked).toEqual(['/a']);
  });
  it('follows redirects, and turns to the mirror after 404, 500s and a wrong checksum', async () => {
    answers['/a'] = [(_, response) => void response.writeHead(302, { location: `${base}/c` }).end()];
    answers['/c'] = [status(404)];
    answers['/b'] = [whole];
    same(await load());
    expect(asked).toEqual(['/a', '/c', '/b']);
    rmSync(file());
    asked = [];
    answers['/a'] = [status(503)];
    same(await load());
    expect(asked).toEqual(['/a', '/a', '/a', '/b']);
    rmSync(file());
    asked = [];
    answers['/a'] = [(_, response) => void response.writeHead(200).end('other bytes')];
    same(await load());
    expect(asked).toEqual(['/a', '/b']);
  });
  it('says what each address said; nothing half-written stays as the file', async () => {
    answers['/a'] = [(_, response) => void response.writeHead(200).end('other bytes')];
    const wrong = createHash('sha256').update('other bytes').digest('hex');
    await expect(load()).rejects.toThrow(
      `loadFile: Set/raw/a.bin must come from one of 2 addresses, got ${base}/a: wrong checksum, sha256 ${wrong} instead of ${sha256}; ${base}/b: HTTP 404 Not Found. check the network`.replace(
        'loadFile',
        'download',
      ),
    );
    expect([existsSync(file()), existsSync(part())]).toEqual([false, false]);
    await expect(load({ md5, urls: [`${base}/a`], sha256: undefined as never })).rejects.toThrow(
      'wrong checksum, md5',
    );
    answers['/a'] = [torn(100_000)];
    answers['/b'] = [torn(50_000)];
    await expect(load()).rejects.toThrow(`${base}/a: terminated`);
    expect(existsSync(file())).toBe(false);
    expect(readFileSync(part()).equals(body.subarray(0, readFileSync(part()).length))).toBe(true);
    await expect(load({ urls: ['http://127.0.0.1:1/x'] })).rejects.toThrow(
      'http://127.0.0.1:1/x: fetch failed (',
    );
  });
  it('gives up a transfer from which nothing comes', async () => {
    answers['/a'] = [
      (_, response) => {
        response.writeHead(200, { 'content-length': body.length });
        response.write(body.subarray(0, 100));
      },
    ];
    answers['/b'] = [whole];
    same(await load({}, { stallMs: 60 }));
    expect(asked.slice(0, 3)).toEqual(['/a', '/a bytes=100-', '/a bytes=100-']);
    answers['/b'] = [status(404)];
    rmSync(file());
    await expect(load({}, { stallMs: 60 })).rejects.toThrow('nothing came for 0.06 s');
  });
  it('can be stopped, keeping the part', async () => {
    const stop = new AbortController();
    answers['/a'] = [
      (_, response) => {
        response.writeHead(200, { 'content-length': body.length });
        response.write(body.subarray(0, 100));
      },
    ];
    const onProgress = () => stop.abort(new Error('stopped by me'));
    await expect(load({}, { signal: stop.signal, onProgress })).rejects.toThrow('stopped by me');
    expect(readFileSync(part()).length).toBe(100);
  });
  it.skipIf(process.platform !== 'linux')('leaves the old file when the disk is full', async () => {
    answers['/a'] = [whole];
    const { download } = await import('../../src/data/files.node.ts');
    mkdirSync(join(root, 'Set/raw'), { recursive: true });
    writeFileSync(file(), 'old');
    symlinkSync('/dev/full', part());
    await expect(download(source(), file(), { root })).rejects.toThrow(
      /download: .*a\.bin\.part must be writable, got a full disk \(ENOSPC\)\. make room and try again/,
    );
    expect(readFileSync(file(), 'utf8')).toBe('old');
    answers['/a'] = [status(404)];
    await expect(download(source(), file(), { root })).rejects.toThrow('HTTP 404');
    expect(readFileSync(file(), 'utf8')).toBe('old');
  });
  it('does not happen where it is not allowed', async () => {
    await expect(load({}, { download: false })).rejects.toThrow(
      `loadFile: Set/raw/a.bin must be in the data folder ${root}, got none. allow the download, or name the folder`,
    );
    expect(asked).toEqual([]);
  });
  it('needs a folder that can be written', async () => {
    writeFileSync(join(root, 'Set'), 'a file where a folder should be');
    await expect(load()).rejects.toThrow(/download: .* must be writable, got/);
  });
});

describe('the data folder', () => {
  afterEach(() => {
    setFlag('TENON_DATA', undefined);
    vi.unstubAllEnvs();
  });
  it('is TENON_DATA, else in the cache of the user', async () => {
    setFlag('TENON_DATA', root);
    expect(dataFolder()).toBe(root);
    mkdirSync(join(root, 'x'));
    writeFileSync(join(root, 'x/y'), 'z');
    expect(Buffer.from((await readDataFile('x/y'))!).toString()).toBe('z');
    expect(await readDataFile('x/none')).toBeNull();
    expect(await readDataFile('x/y/z')).toBeNull();
    await expect(readDataFile('x')).rejects.toThrow('must be readable, got EISDIR');
    setFlag('TENON_DATA', '');
    vi.stubEnv('XDG_CACHE_HOME', '/somewhere/cache');
    vi.stubEnv('LOCALAPPDATA', 'L');
    const want: Partial<Record<NodeJS.Platform, string>> = {
      linux: '/somewhere/cache/tenon/data',
      win32: 'L\\tenon\\data',
    };
    expect(dataFolder()).toBe(want[process.platform] ?? dataFolder());
    expect(dataFolder()).toMatch(/tenon.data$/);
  });
  it('is known to a program that imports tenon/data alone', () => {
    const index = new URL('../../src/data/index.ts', import.meta.url).href;
    const code = `import { dataFolder } from '${index}'; console.log(dataFolder());`;
    const r = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      encoding: 'utf8',
      env: { ...process.env, TENON_DATA: '/some/where' },
    });
    expect(r.stdout).toBe('/some/where\n');
  });
});

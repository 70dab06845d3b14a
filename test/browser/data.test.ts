// tenon/data in a page: workers fetch the batches that Node makes, files come from a folder of the site, are checked and
// kept for the next time.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataLoader, Dataset } from '../../src/data/index.ts';
import { type Generator, manualSeed, rand, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

const root = resolve(import.meta.dirname, '../..');
const BROWSER = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const there = existsSync(BROWSER);

const SETS = `
  import { Dataset, mnist } from '/dist/data.js';
  import { rand, tensor } from '/dist/index.js';
  class Noisy extends Dataset {
    length = 11;
    get(i, generator) { return tensor([i, rand(1, { generator }).itemSync()]); }
  }
  export const noisy = () => new Noisy();
  export const digits = () => mnist({ split: 'test' });
  export const broken = () => { throw new Error('no pictures here'); };`;
class Noisy extends Dataset<Tensor> {
  readonly length = 11;
  override get(i: number, generator?: Generator): Tensor {
    return tensor([i, rand(1, generator === undefined ? {} : { generator }).itemSync()]);
  }
}
const images = Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102]);
const labels = Uint8Array.from([0, 0, 8, 1, 0, 0, 0, 2, 7, 3]);
const FILES: Record<string, string | Uint8Array> = {
  '/': '<!doctype html><title>data</title>',
  '/sets.js': SETS,
  '/files/MNIST/raw/t10k-images-idx3-ubyte.gz': gzipSync(images),
  '/files/MNIST/raw/t10k-labels-idx1-ubyte': labels,
  '/a.bin': 'some bytes',
};

let asked: string[] = [];
let server: Server;
let browser: Browser;
let page: Page;
/** Runs the body of an async function in the page, with what the entries export as `t`. */
const inPage = <T>(body: string): Promise<T> =>
  page.evaluate(`(async () => {
    const t = { ...(await import('/dist/index.js')), ...(await import('/dist/data.js')) };
    ${body}
  })()`);

describe.skipIf(!there)(`in Chromium (needs ${BROWSER}, ${there ? 'there' : 'missing'})`, () => {
  beforeAll(async () => {
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, 'http://localhost');
      asked.push(pathname);
      const built = /^\/dist\/([\w.-]+\.js)$/.exec(pathname)?.[1];
      const found = built === undefined ? FILES[pathname] : readFileSync(join(root, 'dist/browser', built));
      if (found === undefined) return void response.writeHead(404).end();
      const type = pathname.endsWith('.js')
        ? 'text/javascript'
        : pathname === '/'
          ? 'text/html'
          : 'application/x';
      response.writeHead(200, { 'Content-Type': type }).end(found);
    });
    await new Promise<void>(r => server.listen(0, '127.0.0.1', r));
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
    browser = await chromium.launch({ executablePath: BROWSER, args });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?TENON_DATA=/files`);
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it('workers give the batches that Node gives without them', async () => {
    const got = await inPage<number[][]>(`
      const data = await t.datasetFrom(new URL('/sets.js', location.href), 'noisy');
      t.manualSeed(5);
      const loader = new t.DataLoader(data, { batchSize: 4, shuffle: true, numWorkers: 2 });
      const out = [];
      for await (const x of loader) out.push(Array.from(x.dataSync()));
      loader.close();
      return out;`);
    manualSeed(5);
    expect(got).toEqual([...new DataLoader(new Noisy(), { batchSize: 4, shuffle: true })].map(numbers));
  });
  it('a module that fails is an error', async () => {
    const said = await inPage<string>(`
      return t.datasetFrom(new URL('/sets.js', location.href), 'broken').then(() => '', e => e.message);`);
    expect(said).toBe('no pictures here');
  });
  it('TENON_DATA is a folder of the site, packed files and plain ones', async () => {
    const [x, y] = await inPage<number[][]>(`
      const test = await t.mnist({ split: 'test', normalize: false, flatten: true });
      return test.tensors.map(v => Array.from(v.dataSync(), Number));`);
    expect(x!.map(v => Math.round(v * 255))).toEqual([0, 255, 51, 102]);
    expect(y).toEqual([7, 3]);
  });
  it('workers find that folder too', async () => {
    const labels = await inPage<number[]>(`
      const digits = await t.datasetFrom(new URL('/sets.js', location.href), 'digits');
      const loader = new t.DataLoader(digits, { batchSize: 2, numWorkers: 1 });
      for await (const [, y] of loader) return Array.from(y.dataSync(), Number);`);
    expect(labels).toEqual([7, 3]);
  });
  it('downloads are checked and kept', async () => {
    const sha256 = createHash('sha256').update('some bytes').digest('hex');
    const load = (sum: string) =>
      inPage<string>(`
        const source = { path: 'x/a.bin', urls: ['/none.bin', '/a.bin'], sha256: '${sum}' };
        return t.loadFile(source).then(b => new TextDecoder().decode(b), e => e.message);`);
    expect(await load('0'.repeat(64))).toMatch(
      /loadFile: x\/a\.bin must come from one of 2 addresses, got \/none\.bin: HTTP 404; \/a\.bin: wrong checksum/,
    );
    asked = [];
    expect(await load(sha256)).toBe('some bytes');
    expect(asked.filter(a => a === '/a.bin').length).toBe(1);
    expect(await load(sha256)).toBe('some bytes');
    expect(asked.filter(a => a === '/a.bin').length).toBe(1);
  });
});

// tenon/vision in a page: the browser's decoder, folders that the user chose, and the pixels that Node gives.

import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataLoader } from '../../src/data/index.ts';
import { Generator, manualSeed, type Tensor } from '../../src/index.ts';
import { encodeImage, type Image, transforms as T } from '../../src/vision/index.ts';
import { numbers } from '../support.ts';
import { picture } from '../vision/pictures.ts';

const root = resolve(import.meta.dirname, '../..');
const BROWSER = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const there = existsSync(BROWSER);
const { jpeg } = JSON.parse(readFileSync(join(root, 'test/vision/torchvision.json'), 'utf8')) as {
  jpeg: { file: string; shape: [number, number]; pixels: string };
};

const PIPELINE = `new T.Compose([
  new T.RandomResizedCrop(12), new T.RandomHorizontalFlip(), new T.RandomRotation(20),
  new T.ColorJitter({ brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.2 }), new T.RandAugment(),
  new T.ToTensor(), new T.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]), new T.RandomErasing(),
])`;

let server: Server;
let browser: Browser;
let page: Page;
const files: Record<string, Uint8Array | string> = { '/': '<!doctype html><title>vision</title>' };
/** Runs the body of an async function in the page, with what the entries export as `t`, transforms as `T`. */
const inPage = <R>(body: string): Promise<R> =>
  page.evaluate(`(async () => {
    const t = { ...(await import('/dist/index.js')), ...(await import('/dist/data.js')), ...(await import('/dist/vision.js')) };
    const T = t.transforms;
    const load = async path => new Uint8Array(await (await fetch(path)).arrayBuffer());
    const says = p => p.then(() => 'nothing', e => e.message);
    ${body}
  })()`);

describe.skipIf(!there)(`in Chromium (needs ${BROWSER}, ${there ? 'there' : 'missing'})`, () => {
  beforeAll(async () => {
    for (const channels of [1, 3, 4])
      files[`/${channels}.png`] = await encodeImage(picture(20, 30, channels, channels));
    files['/photo.jpg'] = Buffer.from(jpeg.file, 'base64');
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url!, 'http://localhost');
      const built = /^\/dist\/([\w.-]+\.js)$/.exec(pathname)?.[1];
      const found = built === undefined ? files[pathname] : readFileSync(join(root, 'dist/browser', built));
      if (found === undefined) return void response.writeHead(404).end();
      const type = pathname.endsWith('.js') ? 'text/javascript' : pathname === '/' ? 'text/html' : 'image/x';
      response.writeHead(200, { 'Content-Type': type }).end(found);
    });
    await new Promise<void>(r => server.listen(0, '127.0.0.1', r));
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
    browser = await chromium.launch({ executablePath: BROWSER, args });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  it('decodes what Node wrote, pixel for pixel', async () => {
    for (const channels of [1, 3] as const) {
      const got = await inPage<{ size: number[]; data: number[] }>(`
        const x = await t.readImage('/${channels}.png', { channels: ${channels} });
        return { size: [x.height, x.width, x.channels], data: [...x.data] };`);
      expect(got.size).toEqual([20, 30, channels]);
      expect(got.data).toEqual([...picture(20, 30, channels, channels).data]);
    }
  });
  it('decodes photographs nearly as Pillow does', async () => {
    const got = await inPage<number[]>(`return [...(await t.decodeImage(await load('/photo.jpg'))).data];`);
    const want = Buffer.from(jpeg.pixels, 'base64');
    expect(got.length).toBe(want.length);
    const away = got.map((v, i) => Math.abs(v - want[i]!));
    expect(Math.max(...away)).toBeLessThanOrEqual(3);
  });
  it('writes what it reads again', async () => {
    const got = await inPage<number[]>(`
      const x = await t.readImage('/3.png');
      const jpeg = await t.encodeImage(x, { format: 'jpeg', quality: 80 });
      return [...(await t.decodeImage(await t.encodeImage(x))).data, jpeg[0], jpeg[1]];`);
    expect(got).toEqual([...picture(20, 30, 3, 3).data, 0xff, 0xd8]);
  });
  it('draws and transforms as Node does', async () => {
    const got = await inPage<number[][]>(`
      const x = await t.readImage('/3.png');
      const pipeline = ${PIPELINE};
      return Array.from({ length: 6 }, (_, seed) => Array.from(pipeline(x, new t.Generator(seed)).dataSync()));`);
    const pipeline = new Function('T', `return ${PIPELINE}`)(T) as (x: Image, g: Generator) => never;
    const x = picture(20, 30, 3, 3);
    got.forEach((v, seed) => {
      expect(v).toEqual(numbers(pipeline(x, new Generator(seed))));
    });
  });
  it('reads a folder that the user chose', async () => {
    const got = await inPage<unknown[]>(`
      const files = [];
      for (const [path, from] of [['pets/cat/a.png', '/1.png'], ['pets/cat/b.png', '/3.png'], ['pets/dog/c.png', '/4.png']]) {
        const file = new File([await load(from)], path.split('/').at(-1));
        Object.defineProperty(file, 'webkitRelativePath', { value: path });
        files.push(file);
      }
      const d = new t.ImageFolder(files, { transform: new T.Compose([new T.Resize([6, 5]), new T.ToTensor()]) });
      const out = [d.classes, d.samples];
      for await (const [x, y] of new t.DataLoader(d, { batchSize: 3 })) out.push(x.shape, Array.from(y.dataSync(), Number));
      return out;`);
    const names = ['a', 'b'].map(n => [`the chosen folder/cat/${n}.png`, 0]);
    expect(got).toEqual([
      ['cat', 'dog'],
      [...names, ['the chosen folder/dog/c.png', 1]],
      [3, 3, 6, 5],
      [0, 0, 1],
    ]);
  });
  it('says what is wrong', async () => {
    const got = await inPage<string[]>(`
      const text = new TextEncoder().encode('no picture');
      return [
        await says(t.decodeImage(text, { name: 'a.png' })),
        await says(t.readImage('/none.png')),
        await says(t.decodeImage(await load('/1.png'), { convert: false, name: 'grey.png' })),
        await says(t.decodeImage(await load('/4.png'), { convert: false, name: 'clear.png' })),
        await says(t.writeImage('a.png')),
        await says((async () => new t.ImageFolder('/photos'))()),
      ];`);
    expect(got[0]).toMatch(/^decodeImage: a\.png must be a whole picture, got /);
    expect(got[1]).toBe('readImage: /none.png must be readable, got HTTP 404');
    expect(got[2]).toMatch(/^decodeImage: grey\.png must have 3 channels, got 1/);
    expect(got[3]).toMatch(/^decodeImage: clear\.png must have 3 channels, got 4/);
    expect(got[4]).toMatch(/^writeImage: a page has no files/);
    expect(got[5]).toMatch(
      /^ImageFolder: in a page root must be the files that the user chose, got '\/photos'/,
    );
  });
  it('makes the batches of a seed that Node makes', async () => {
    const got = await inPage<number[]>(`
      t.manualSeed(6);
      const images = await Promise.all(['/1.png', '/3.png', '/4.png'].map(p => t.readImage(p)));
      const source = { length: 3, classes: ['x'], targets: new Int32Array(3), image: i => images[i], title: String };
      const d = new t.ImageDataset(source, ${PIPELINE});
      const out = [];
      for (const [x] of new t.DataLoader(d, { batchSize: 2, shuffle: true })) out.push(...x.dataSync());
      return out;`);
    const { ImageDataset } = await import('../../src/vision/index.ts');
    const { toChannels } = await import('../../src/vision/raster/color.ts');
    const images = [1, 3, 4].map(c => toChannels(picture(20, 30, c, c), 3));
    const seen = await inPage<number[]>(`return [...(await t.readImage('/4.png')).data];`);
    // A canvas keeps colours times alpha, so that the colours of clear pixels are lost.
    images[2] = images[2]!.with(Uint8Array.from(seen), 20, 30);
    const source = {
      length: 3,
      classes: ['x'],
      targets: new Int32Array(3),
      image: (i: number) => images[i]!,
      title: String,
    };
    manualSeed(6);
    const d = new ImageDataset<Tensor>(source, new Function('T', `return ${PIPELINE}`)(T));
    const want = [...new DataLoader(d, { batchSize: 2, shuffle: true })].flatMap(([y]) => numbers(y));
    expect(got).toEqual(want);
  });
});

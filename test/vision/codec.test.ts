// Picture files: what was written is read again; channels; the turns that cameras note; damaged files by their names.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileError } from '../../src/base/errors.ts';
import { decodeImage, encodeImage, Image, readImage, writeImage } from '../../src/vision/index.ts';
import { stream } from '../support.ts';
import { picture } from './pictures.ts';

const folder = mkdtempSync(join(tmpdir(), 'tenon-codec-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Soft colours, which JPEG keeps well. */
const soft = (height: number, width: number): Image =>
  new Image(
    Uint8Array.from({ length: height * width * 3 }, (_, p) => {
      const [c, i] = [p % 3, Math.trunc(p / 3)];
      return 128 + 90 * Math.sin((i % width) / 9 + c) * Math.cos(Math.trunc(i / width) / 11);
    }),
    height,
    width,
    3,
  );
const worst = (a: Image, b: Image): number =>
  a.data.reduce((m, v, i) => Math.max(m, Math.abs(v - b.data[i]!)), 0);

describe('files', () => {
  it.each([1, 3, 4] as const)('PNG keeps every pixel of %i channels', async channels => {
    const x = picture(9, 13, channels);
    const back = await decodeImage(await encodeImage(x), { channels });
    expect([back.height, back.width, back.channels]).toEqual([9, 13, channels]);
    expect([...back.data]).toEqual([...x.data]);
  });
  it('JPEG and WebP keep them nearly', async () => {
    const x = soft(40, 60);
    for (const format of ['jpeg', 'webp'] as const) {
      const bytes = await encodeImage(x, { format, quality: 95 });
      const back = await decodeImage(bytes);
      expect(worst(back, x)).toBeLessThan(16);
      expect(worst(back, x)).toBeGreaterThan(0);
      expect((await encodeImage(x, { format, quality: 20 })).length).toBeLessThan(bytes.length / 2);
    }
  });
  it('the ending of a name decides the format, and nothing half-written stays', async () => {
    const x = soft(20, 30);
    for (const [name, head] of [
      ['a.png', [0x89, 0x50]],
      ['a.jpg', [0xff, 0xd8]],
      ['a.webp', [0x52, 0x49]],
    ] as const) {
      const path = join(folder, name);
      await writeImage(path, x);
      expect([...readFileSync(path).subarray(0, 2)]).toEqual(head);
      expect(worst(await readImage(path), x)).toBeLessThan(25);
    }
    await expect(writeImage(join(folder, 'a.txt'), x)).rejects.toThrow(
      "encodeImage: format must be one of jpeg, png, webp, got 'txt'",
    );
    await expect(writeImage(join(folder, 'none/a.png'), x)).rejects.toThrow(
      /writeImage: .*none\/a\.png must be writable/,
    );
    expect(readdirSync(folder).filter(f => f.endsWith('.part'))).toEqual([]);
  });
  it('equals Pillow on a JPEG of its own', async () => {
    const { jpeg } = JSON.parse(readFileSync(new URL('./torchvision.json', import.meta.url), 'utf8'));
    const x = await decodeImage(Buffer.from(jpeg.file, 'base64'));
    expect([x.height, x.width]).toEqual(jpeg.shape);
    const pixels = new Image(new Uint8Array(Buffer.from(jpeg.pixels, 'base64')), x.height, x.width, 3);
    expect(worst(x, pixels)).toBe(0);
  });
  it('is turned upright where the camera says so', async () => {
    const x = soft(20, 30);
    const jpeg = await encodeImage(x, { format: 'jpeg', quality: 95 });
    // An Exif block with one entry: orientation 6, a quarter turn with the clock.
    const exif = [0xff, 0xe1, 0, 34, 0x45, 0x78, 0x69, 0x66, 0, 0, 0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0];
    const entry = [0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0];
    const turned = await decodeImage(
      Uint8Array.from([...jpeg.subarray(0, 2), ...exif, ...entry, ...jpeg.subarray(2)]),
    );
    expect([turned.height, turned.width]).toEqual([30, 20]);
    const upright = await decodeImage(jpeg);
    // The upper left corner comes to the upper right.
    expect([...turned.data.subarray(19 * 3, 20 * 3)]).toEqual([...upright.data.subarray(0, 3)]);
  });
});

describe('channels', () => {
  it('are converted to what was asked for', async () => {
    const grey = await encodeImage(new Image(Uint8Array.from([7, 9]), 1, 2, 1));
    expect([...(await decodeImage(grey)).data]).toEqual([7, 7, 7, 9, 9, 9]);
    expect([...(await decodeImage(grey, { channels: 4 })).data]).toEqual([7, 7, 7, 255, 9, 9, 9, 255]);
    const colour = await encodeImage(new Image(Uint8Array.from([200, 100, 50]), 1, 1, 3));
    // (19595 · 200 + 38470 · 100 + 7471 · 50 + 2¹⁵) / 2¹⁶
    expect([...(await decodeImage(colour, { channels: 1 })).data]).toEqual([124]);
    const clear = await encodeImage(new Image(Uint8Array.from([200, 100, 50, 10]), 1, 1, 4));
    expect([...(await decodeImage(clear)).data]).toEqual([200, 100, 50]);
  });
  it('that are wrong are an error, where they must not be converted', async () => {
    const grey = await encodeImage(picture(3, 3, 1));
    await expect(decodeImage(grey, { convert: false, name: 'cat.png' })).rejects.toThrow(
      'decodeImage: cat.png must have 3 channels, got 1. leave out {convert: false} to have it converted',
    );
    expect((await decodeImage(grey, { convert: false, channels: 1 })).channels).toBe(1);
    const clear = await encodeImage(picture(3, 3, 4));
    await expect(decodeImage(clear, { convert: false, name: 'logo.png' })).rejects.toThrow(
      'logo.png must have 3 channels, got 4',
    );
  });
});

describe('damaged files', () => {
  it('are named', async () => {
    const whole = await encodeImage(soft(40, 60), { format: 'jpeg' });
    const bad = {
      'torn.jpg': whole.subarray(0, whole.length / 2),
      'empty.jpg': new Uint8Array(0),
      'text.png': new TextEncoder().encode('no picture at all'),
    };
    for (const [name, bytes] of Object.entries(bad)) {
      writeFileSync(join(folder, name), bytes);
      await expect(readImage(join(folder, name))).rejects.toThrow(
        new RegExp(`decodeImage: .*/${name} must be a whole picture, got `),
      );
    }
    await expect(readImage(join(folder, 'none.jpg'))).rejects.toThrow(
      /readImage: .*none\.jpg must be readable/,
    );
  });
  it('never crash: an error of ours, or a picture', async () => {
    const samples = [
      await encodeImage(soft(16, 16), { format: 'jpeg' }),
      await encodeImage(picture(8, 8, 3)),
      await encodeImage(soft(16, 16), { format: 'webp' }),
    ];
    const next = stream(7);
    let whole = 0;
    for (let i = 0; i < 600; i++) {
      const bytes = Uint8Array.from(samples[i % 3]!);
      for (let k = 0; k < 3; k++) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
      const cut = next() < 0.3 ? Math.floor(next() * bytes.length) : bytes.length;
      try {
        const x = await decodeImage(bytes.subarray(0, cut));
        expect(x.data.length).toBe(x.height * x.width * 3);
        whole++;
      } catch (e) {
        if (!(e instanceof FileError)) throw e;
      }
    }
    expect(whole).toBeGreaterThan(20);
    expect(whole).toBeLessThan(600);
  });
});

// The IDX reader and the image sets that use it: numbers of the real files, and every way to be damaged.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { fashionMnist, gunzip, mnist, parseIdx, readImageSet } from '../../src/data/index.ts';
import { FASHION_MNIST, MNIST } from '../../src/data/mnist.ts';
import type { Tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

/** An IDX file: type, sizes, big-endian body. */
function idx(type: number, shape: readonly number[], body: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(4 + 4 * shape.length + body.length);
  const view = new DataView(out.buffer);
  out.set([0, 0, type, shape.length]);
  shape.forEach((n, d) => {
    view.setUint32(4 + 4 * d, n);
  });
  out.set(body, 4 + 4 * shape.length);
  return out;
}

describe('parseIdx', () => {
  it('reads every type', () => {
    const body = (bytes: number, write: (v: DataView) => void) => {
      const b = new Uint8Array(bytes);
      write(new DataView(b.buffer));
      return b;
    };
    const cases = [
      [8, 'uint8', new Uint8Array([1, 255]), [1, 255]],
      [9, 'int8', new Uint8Array([1, 255]), [1, -1]],
      [11, 'int16', new Uint8Array([1, 2, 255, 254]), [258, -2]],
      [12, 'int32', new Uint8Array([0, 1, 0, 0, 255, 255, 255, 255]), [65536, -1]],
      [
        13,
        'float32',
        body(8, v => {
          v.setFloat32(0, 1.5);
          v.setFloat32(4, -2);
        }),
        [1.5, -2],
      ],
      [
        14,
        'float64',
        body(16, v => {
          v.setFloat64(0, 0.1);
          v.setFloat64(8, -2e300);
        }),
        [0.1, -2e300],
      ],
    ] as const;
    for (const [type, dtype, bytes, want] of cases) {
      const a = parseIdx(idx(type, [2, 1], bytes));
      expect([a.dtype, a.shape, Array.from(a.data as Float64Array)]).toEqual([dtype, [2, 1], want]);
    }
    expect(parseIdx(idx(8, [], new Uint8Array([7])))).toMatchObject({ shape: [] });
    expect(parseIdx(idx(8, [0, 3], new Uint8Array())).data.length).toBe(0);
    // Where the bytes begin within a larger buffer does not matter.
    const inner = new Uint8Array([9, ...idx(11, [1], new Uint8Array([1, 0]))]).subarray(1);
    expect(Array.from(parseIdx(inner).data as Int16Array)).toEqual([256]);
  });
  it('refuses what is damaged', () => {
    const good = idx(8, [2, 2], new Uint8Array(4));
    const refused = (bytes: Uint8Array) => () => parseIdx(bytes, 'x-idx');
    expect(refused(good.subarray(0, 3))).toThrow(
      'parseIdx: x-idx: it must begin with 4 bytes of type and rank, got 3',
    );
    expect(refused(new Uint8Array([31, 139, 8, 0, 0]))).toThrow(
      'begin with 0, 0 and a type 8, 9 or 11 … 14, got [31, 139, 8]',
    );
    expect(refused(idx(10, [1], new Uint8Array(1)))).toThrow('got [0, 0, 10]');
    expect(refused(good.subarray(0, 9))).toThrow('the sizes of 2 dims must follow, got 9 bytes');
    expect(refused(good.subarray(0, 15))).toThrow('the shape (2, 2) of uint8 needs 16 bytes, got 15');
    expect(refused(new Uint8Array([...good, 0]))).toThrow('needs 16 bytes, got 17');
    expect(refused(idx(14, [0xffffffff, 0xffffffff, 0xffffffff], new Uint8Array(8)))).toThrow('needs');
  });
});

const temp = mkdtempSync(join(tmpdir(), 'tenon-idx-'));
afterAll(() => rmSync(temp, { recursive: true, force: true }));
/** A data folder with a small image set. */
function folder(name: string, files: Record<string, Uint8Array>): string {
  const root = join(temp, name);
  mkdirSync(join(root, 'MNIST/raw'), { recursive: true });
  for (const [f, bytes] of Object.entries(files)) writeFileSync(join(root, 'MNIST/raw', f), bytes);
  return root;
}
const images = idx(8, [3, 2, 2], new Uint8Array([0, 51, 102, 153, 204, 255, 0, 0, 0, 0, 0, 255]));
const labels = idx(8, [3], new Uint8Array([7, 0, 9]));

describe('mnist', () => {
  const root = folder('good', {
    'train-images-idx3-ubyte.gz': gzipSync(images),
    'train-labels-idx1-ubyte.gz': gzipSync(labels),
    't10k-images-idx3-ubyte': images,
    't10k-labels-idx1-ubyte': labels,
  });
  const offline = { root, download: false };
  it('scales pixels, normalised or not, flat or not; packed files and plain ones', async () => {
    const train = await mnist(offline);
    const [x, y] = train.tensors;
    expect([x.shape, x.dtype, y.dtype, numbers(y)]).toEqual([[3, 1, 2, 2], 'float32', 'int64', [7, 0, 9]]);
    expect(numbers(x)[1]).toBeCloseTo((0.2 - 0.1307) / 0.3081, 6);
    const [flat] = (await mnist({ ...offline, split: 'test', normalize: false, flatten: true })).tensors;
    expect(flat.shape).toEqual([3, 4]);
    numbers(flat)
      .slice(0, 6)
      .forEach((v, i) => {
        expect(v).toBeCloseTo(i / 5, 6);
      });
  });
  it('says which file is missing, damaged, or not of this set', async () => {
    await expect(mnist({ root: join(temp, 'none'), download: false })).rejects.toThrow(
      'loadFile: MNIST/raw/train-images-idx3-ubyte.gz must be in the data folder',
    );
    await expect(mnist({ ...offline, split: 'val' as 'test' })).rejects.toThrow(
      "split must be 'train' or 'test'",
    );
    const torn = folder('torn', { 'train-images-idx3-ubyte.gz': gzipSync(images).subarray(0, 30) });
    await expect(mnist({ root: torn, download: false })).rejects.toThrow(
      /gunzip: MNIST\/raw\/train-images-idx3-ubyte.gz must be a whole gzip file, got .*\. delete it/,
    );
    const short = folder('short', {
      'train-images-idx3-ubyte.gz': gzipSync(images.subarray(0, 20)),
      'train-labels-idx1-ubyte.gz': gzipSync(labels),
    });
    await expect(mnist({ root: short, download: false })).rejects.toThrow('needs 28 bytes, got 20');
    const swapped = folder('swapped', {
      'train-images-idx3-ubyte': labels,
      'train-labels-idx1-ubyte': labels,
    });
    await expect(mnist({ root: swapped, download: false })).rejects.toThrow(
      'images must be bytes (n, height, width), labels bytes (n), got uint8 (3) and uint8 (3)',
    );
    await expect(gunzip(new Uint8Array([1, 2, 3]), 'x.gz')).rejects.toThrow('x.gz must be a whole gzip file');
  });
});

const real = resolve(import.meta.dirname, '../../../shared/data');
describe.skipIf(!existsSync(real))('the real files (needs ../shared/data)', () => {
  const root = join(temp, 'real');
  const copy = (from: string, to: string, name: string) => {
    mkdirSync(join(root, to), { recursive: true });
    copyFileSync(join(real, from, name), join(root, to, name));
  };
  it.each([
    ['MNIST', 'mnist', MNIST, mnist, 0.1307, 0.3081, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]],
    [
      'FashionMNIST',
      'fashion-mnist',
      FASHION_MNIST,
      fashionMnist,
      0.286,
      0.353,
      [9, 0, 0, 3, 0, 2, 7, 2, 5, 5],
    ],
  ] as const)('%s: counts, mean, std, first labels', async (to, from, set, load, mean, std, first) => {
    for (const name of Object.keys(set.sha256)) copy(from, `${to}/raw`, name);
    const offline = { root, download: false };
    const { images, labels } = await readImageSet(set, offline);
    expect([images.shape, labels.shape]).toEqual([[60_000, 28, 28], [60_000]]);
    expect(Array.from(labels.data.subarray(0, 10) as Uint8Array)).toEqual(first);
    let [sum, squares] = [0, 0];
    for (const v of images.data as Uint8Array) {
      sum += v / 255;
      squares += (v / 255) ** 2;
    }
    const n = images.data.length;
    expect(sum / n).toBeCloseTo(mean, 4);
    expect(Math.sqrt(squares / n - (sum / n) ** 2)).toBeCloseTo(std, 4);
    const test = await load({ ...offline, split: 'test' });
    const [x, y] = test.tensors as [Tensor, Tensor];
    expect([x.shape, y.shape]).toEqual([[10_000, 1, 28, 28], [10_000]]);
    expect(Math.abs(x.mean().itemSync())).toBeLessThan(0.02);
    expect(Math.abs(x.std().itemSync() - 1)).toBeLessThan(0.02);
    const counts = numbers(y.bincount());
    expect(counts.reduce((a, b) => a + b, 0)).toBe(10_000);
    if (to === 'FashionMNIST') expect(counts).toEqual(Array(10).fill(1000));
    else expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    expect(numbers(test.get(9)[0])).toEqual(numbers(x.narrow(0, 9, 1)));
  });
});

// Data sets of pictures: folders, CIFAR in its official forms, what training and evaluation see, files that are damaged.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataLoader, datasetFrom, type Subset } from '../../src/data/index.ts';
import { Generator, manualSeed, type Tensor } from '../../src/index.ts';
import {
  CIFAR10,
  CIFAR100,
  cifar10,
  cifar100,
  encodeImage,
  fashionMnistImages,
  Image,
  type ImageDataset,
  ImageFolder,
  imageFolders,
  mnistImages,
  parseCifar,
  transforms as T,
  trainAndTest,
  trainEvalSplit,
} from '../../src/vision/index.ts';
import { firstWrong, numbers } from '../support.ts';
import { picture } from './pictures.ts';

const SHARED = resolve(import.meta.dirname, '../../../shared/data');
const hasShared = existsSync(SHARED);
const why = `(needs ../shared/data, ${hasShared ? 'there' : 'missing'})`;
const folder = mkdtempSync(join(tmpdir(), 'tenon-vision-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const put = (path: string, bytes: Uint8Array): void => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), bytes);
};
const evalTransform = new T.Compose([new T.Resize(20), new T.CenterCrop(16), new T.ToTensor()]);
const trainTransform = new T.Compose([
  new T.RandomResizedCrop(16),
  new T.RandomHorizontalFlip(),
  new T.ToTensor(),
  new T.Normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
  new T.RandomErasing(),
]);
type Batch = readonly [Tensor, Tensor];
async function all(loader: AsyncIterable<unknown>): Promise<Batch[]> {
  const out: Batch[] = [];
  for await (const b of loader) out.push(b as Batch);
  return out;
}
const values = (batches: readonly Batch[]) => batches.map(b => b.map(numbers));

beforeAll(async () => {
  for (const [name, seed] of [
    ['cat/1.png', 1],
    ['cat/2.JPG', 2],
    ['cat/deeper/3.png', 3],
    ['dog/4.png', 4],
    ['dog/5.png', 5],
  ] as const) {
    const format = name.endsWith('JPG') ? 'jpeg' : 'png';
    put(`train/${name}`, await encodeImage(picture(24, 30, 3, seed), { format }));
    put(`val/${name}`, await encodeImage(picture(24, 30, 3, seed + 10), { format }));
  }
  put('train/cat/notes.txt', new Uint8Array(3));
  put('train/readme.png', new Uint8Array(3));
});

describe('ImageFolder', () => {
  it('the notes: transforms for both parts, loaders, batches', async () => {
    const trainDataset = new ImageFolder(join(folder, 'train'), { transform: trainTransform });
    const valDataset = new ImageFolder(join(folder, 'val'), { transform: evalTransform });
    const trainLoader = new DataLoader(trainDataset, { batchSize: 4, shuffle: true });
    const valLoader = new DataLoader(valDataset, { batchSize: 4, shuffle: false });
    const seen: bigint[] = [];
    for await (const [x, y] of trainLoader) {
      expect([x.shape.slice(1), x.dtype, y.dtype]).toEqual([[3, 16, 16], 'float32', 'int64']);
      seen.push(...((await y.data()) as BigInt64Array));
    }
    expect(seen.sort()).toEqual([0n, 0n, 0n, 1n, 1n]);
    expect(values(await all(valLoader))).toEqual(values(await all(valLoader)));
    expect(values(await all(trainLoader))).not.toEqual(values(await all(trainLoader)));
  });
  it('knows its classes and files', async () => {
    const d = new ImageFolder(join(folder, 'train'));
    expect([d.classes, d.classToIdx, [...d.targets]]).toEqual([
      ['cat', 'dog'],
      { cat: 0, dog: 1 },
      [0, 0, 0, 1, 1],
    ]);
    expect(d.samples.map(([path, y]) => [path.slice(folder.length), y])).toEqual([
      ['/train/cat/1.png', 0],
      ['/train/cat/2.JPG', 0],
      ['/train/cat/deeper/3.png', 0],
      ['/train/dog/4.png', 1],
      ['/train/dog/5.png', 1],
    ]);
    const [x, y] = await d.get(3);
    expect([x instanceof Image, [...x.data], y]).toEqual([true, [...picture(24, 30, 3, 4).data], 1n]);
  });
  it('makes the batches that single samples would make, bit for bit', async () => {
    const pipelines = [
      trainTransform,
      evalTransform,
      new T.Compose([new T.Resize([8, 9]), new T.ToTensor(), new T.RandomErasing({ value: 'random' })]),
      new T.Compose([new T.Resize([8, 9]), new T.Compose([new T.Grayscale(), new T.ToTensor()])]),
    ];
    for (const transform of pipelines) {
      const d = new ImageFolder(join(folder, 'train'), { transform });
      // A loader with a collate of its own asks for single samples.
      const single = { collate: (s: [Tensor, bigint][]) => s.map(([x, y]) => [numbers(x), Number(y)]) };
      manualSeed(4);
      const batches = values(await all(new DataLoader(d, { batchSize: 5, shuffle: true })));
      manualSeed(4);
      const [samples] = (await all(
        new DataLoader(d, { batchSize: 5, shuffle: true, ...single } as never),
      )) as unknown as [number[], number][][];
      expect(samples!.map(s => s[1])).toEqual(batches[0]![1]);
      expect(
        firstWrong(
          batches[0]![0]!,
          samples!.flatMap(s => s[0]),
          0,
          0,
        ),
      ).toBeNull();
    }
  });
  it('gives the same batches with workers', async () => {
    const module = new URL('./sets.ts', import.meta.url);
    const d = await datasetFrom<ImageDataset<Tensor>>(module, 'photos', [join(folder, 'train')]);
    const run = async (numWorkers: number) => {
      manualSeed(9);
      const loader = new DataLoader(d, { batchSize: 2, shuffle: true, numWorkers });
      const got = values(await all(loader));
      loader.close();
      return got;
    };
    const alone = await run(0);
    expect(await run(2)).toEqual(alone);
    expect(await run(0)).toEqual(alone);
  });
  it('refuses what is no such folder', async () => {
    expect(() => new ImageFolder(join(folder, 'nowhere'))).toThrow(
      /ImageFolder: .*nowhere must be a folder, got ENOENT/,
    );
    mkdirSync(join(folder, 'bare'), { recursive: true });
    expect(() => new ImageFolder(join(folder, 'bare'))).toThrow(
      /ImageFolder: .*bare must have a folder for each class, got none. lay pictures out as class/,
    );
    put('holes/cat/1.png', await encodeImage(picture(4, 4, 3)));
    put('holes/dog/notes.txt', new Uint8Array(2));
    mkdirSync(join(folder, 'holes/eel'), { recursive: true });
    expect(() => new ImageFolder(join(folder, 'holes'))).toThrow(
      /each class folder of .*holes must have pictures \(.*\), got none in \['dog', 'eel'\]. remove the folders/,
    );
    const d = new ImageFolder(join(folder, 'holes'), { allowEmpty: true });
    expect([d.classes, d.length]).toEqual([['cat', 'dog', 'eel'], 1]);
  });
  it('names the picture that does not fit', async () => {
    put('odd/a/1.png', await encodeImage(picture(20, 20, 3)));
    put('odd/a/2.png', await encodeImage(picture(20, 20, 1)));
    put('odd/a/3.png', await encodeImage(picture(30, 20, 3)));
    const open = (options: object) =>
      new ImageFolder(join(folder, 'odd'), { transform: new T.ToTensor(), ...options });
    const load = (d: ImageFolder<T.AnyTransform>) => all(new DataLoader(d, { batchSize: 3 }));
    await expect(load(open({ convert: false }))).rejects.toThrow(
      /odd\/a\/2\.png must have 3 channels, got 1/,
    );
    await expect(load(open({}))).rejects.toThrow(
      /ImageDataset: pictures of a batch must have one shape, here \(3, 20, 20\), got \(3, 30, 20\)\. begin the transform with Resize.*odd\/a\/3\.png\)/,
    );
    const crop = new T.Compose([new T.RandomCrop(25), new T.ToTensor()]);
    await expect(load(open({ transform: crop }))).rejects.toThrow(
      /RandomCrop: .* got \(20, 20\)\..*\(in .*odd\/a\/1\.png\)/,
    );
    await expect(async () =>
      new ImageFolder(join(folder, 'odd'), { transform: crop }).get(0),
    ).rejects.toThrow(/\(in .*odd\/a\/1\.png\)/);
  });
});

describe('damaged pictures', () => {
  const make = async () => {
    for (const i of [0, 1, 2, 3, 4, 5]) put(`hurt/a/${i}.png`, await encodeImage(picture(8, 8, 3, i)));
    put('hurt/a/1.png', new Uint8Array([1, 2, 3]));
    put('hurt/a/4.png', (await encodeImage(picture(8, 8, 3))).subarray(0, 60));
    put('hurt/a/5.png', new Uint8Array(0));
    return join(folder, 'hurt');
  };
  const transform = new T.ToTensor();
  it('stop a run and are named', async () => {
    const d = new ImageFolder(await make(), { transform });
    await expect(all(new DataLoader(d, { batchSize: 2 }))).rejects.toThrow(
      /decodeImage: .*hurt\/a\/1\.png must be a whole/,
    );
  });
  it('are left out and counted where the loader is told so', async () => {
    const d = new ImageFolder(await make(), { transform });
    const check = async (loader: DataLoader<[Tensor, bigint], unknown>) => {
      for (let epoch = 0; epoch < 2; epoch++) {
        const sizes = (await all(loader)).map(([x, y]) => [x.shape[0], y.shape[0]]);
        // Batches (0, 1), (2, 3), (4, 5): the last one is gone.
        expect(sizes).toEqual([
          [1, 1],
          [2, 2],
        ]);
        expect(loader.skipped.length).toBe(3);
        expect(loader.skipped[0]).toMatch(/hurt\/a\/1\.png must be a whole picture/);
        expect(loader.stateDict().epoch).toBe(epoch + 1);
      }
    };
    await check(new DataLoader(d, { batchSize: 2, skipDamaged: true }));
    const module = new URL('./sets.ts', import.meta.url);
    const far = await datasetFrom<ImageDataset<Tensor>>(module, 'plain', [join(folder, 'hurt')]);
    const loader = new DataLoader(far, { batchSize: 2, skipDamaged: true, numWorkers: 2 });
    await check(loader as never);
    loader.close();
    // Sample by sample, too.
    const collate = (s: [Tensor, bigint][]) => s.length;
    for (const [dataset, numWorkers] of [
      [d, 0],
      [far, 1],
    ] as const) {
      const joined = new DataLoader(dataset, { batchSize: 2, skipDamaged: true, collate, numWorkers });
      expect(await all(joined)).toEqual([1, 2]);
      expect(joined.skipped.length).toBe(3);
      joined.close();
    }
  });
  it('of a wrong number of channels are left out, too, where they must not be converted', async () => {
    for (const [i, channels] of ([3, 1, 4, 3] as const).entries())
      put(`wrong/a/${i}.png`, await encodeImage(picture(4, 4, channels, i)));
    const d = new ImageFolder(join(folder, 'wrong'), { transform, convert: false });
    const loader = new DataLoader(d, { batchSize: 4, skipDamaged: true });
    expect((await all(loader)).map(([x]) => x.shape[0])).toEqual([2]);
    expect(loader.skipped.map(s => /a\/(\d)\.png must have 3 channels, got (\d)/.exec(s)?.slice(1))).toEqual([
      ['1', '1'],
      ['2', '4'],
    ]);
  });
  it('of other kinds are errors still', async () => {
    const d = new ImageFolder(await make(), { transform: new T.Compose([new T.RandomCrop(99), transform]) });
    await expect(all(new DataLoader(d, { batchSize: 2, skipDamaged: true }))).rejects.toThrow('RandomCrop: ');
  });
});

describe('training and evaluation', () => {
  it('imageFolders gives each part its transform', async () => {
    const { train, val } = imageFolders(folder, { trainTransform, evalTransform });
    expect([train.length, val.length]).toEqual([5, 5]);
    const [x] = await val.get(0);
    expect(x.shape).toEqual([3, 16, 16]);
    expect(() => imageFolders(folder, { trainTransform, evalTransform: trainTransform })).toThrow(
      'imageFolders: the transform of pictures for evaluation must not draw at random, got Compose. augment the training pictures only',
    );
  });
  it('trainEvalSplit keeps some of each class, once, and never augments them', async () => {
    const d = new ImageFolder(join(folder, 'train'));
    const parts = trainEvalSplit(d, {
      evalSize: 2,
      trainTransform,
      evalTransform,
      generator: new Generator(1),
    });
    expect([parts.train.length, parts.eval.length]).toEqual([3, 2]);
    const indices = (s: Subset<unknown>) => Array.from(s.indices);
    expect([...indices(parts.train), ...indices(parts.eval)].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(
      indices(parts.eval)
        .map(i => d.targets[i])
        .sort(),
    ).toEqual([0, 1]);
    const loader = new DataLoader(parts.eval, { batchSize: 2 });
    expect(values(await all(loader))).toEqual(values(await all(loader)));
    const augmented = new DataLoader(parts.train, { batchSize: 3 });
    expect(values(await all(augmented))).not.toEqual(values(await all(augmented)));
    const split = (options: object) => () => trainEvalSplit(d, { trainTransform, evalTransform, ...options });
    expect(split({ evalTransform: trainTransform })).toThrow('must not draw at random, got Compose');
    expect(split({ evalSize: 5 })).toThrow('evalSize must leave pictures on both sides of 5, got 5');
  });
});

// ---- CIFAR -------------------------------------------------------------------------------------------------------------

const fixtures = JSON.parse(readFileSync(new URL('./torchvision.json', import.meta.url), 'utf8')) as {
  batches: Record<'cifar10' | 'cifar100', string>;
};
/** Records of the binary form: labels, then planes. */
const records = (list: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.from(list.flatMap((labels, i) => [...labels, ...picture(1, 3072, 1, i + 1).data]));
function tar(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [name, bytes] of Object.entries(files)) {
    const head = Buffer.alloc(512);
    head.write(name, 0);
    head.write(bytes.length.toString(8).padStart(11, '0'), 124);
    head.write('        0', 148);
    head.write('ustar\0', 257);
    head.write(
      `${head
        .reduce((a, b) => a + b, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    blocks.push(head, bytes, new Uint8Array((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, new Uint8Array(1024)]);
}

describe('CIFAR', () => {
  const offline = (name: string) => ({ root: join(folder, name), download: false }) as const;
  const five = (make: (i: number) => Uint8Array, name: (i: number) => string) =>
    Object.fromEntries([1, 2, 3, 4, 5].map(i => [name(i), make(i)]));
  it('binary records, unpacked and packed', async () => {
    const files = {
      ...five(
        i => records([[i], [9 - i]]),
        i => `cifar-10-batches-bin/data_batch_${i}.bin`,
      ),
      'cifar-10-batches-bin/test_batch.bin': records([[7]]),
    };
    for (const [path, bytes] of Object.entries(files)) put(`bin/${path}`, bytes);
    put('targz/cifar-10-binary.tar.gz', gzipSync(tar(files)));
    for (const name of ['bin', 'targz']) {
      const d = await cifar10(offline(name));
      expect([d.length, [...d.targets]]).toEqual([10, [1, 8, 2, 7, 3, 6, 4, 5, 5, 4]]);
      expect(d.classes).toEqual(CIFAR10.classes);
      const [x, y] = await d.get(1);
      const planes = picture(1, 3072, 1, 2).data;
      expect(y).toBe(8n);
      // Pixel 5: its red, green and blue.
      expect([...x.data.subarray(15, 18)]).toEqual([planes[5], planes[1029], planes[2053]]);
      expect((await cifar10({ ...offline(name), split: 'test' })).length).toBe(1);
    }
  });
  it('the Python form, by a reader that runs nothing', async () => {
    const batch = Buffer.from(fixtures.batches.cifar10, 'base64');
    const files = {
      ...five(
        () => batch,
        i => `cifar-10-batches-py/data_batch_${i}`,
      ),
      'cifar-10-batches-py/test_batch': batch,
    };
    for (const [path, bytes] of Object.entries(files)) put(`py/${path}`, bytes);
    put('pytar/cifar-10-python.tar.gz', gzipSync(tar(files)));
    for (const name of ['py', 'pytar']) {
      const d = await cifar10({ ...offline(name), split: 'test' });
      expect([...d.targets]).toEqual([3, 9]);
      const planes = picture(2, 3072, 1, 5).data;
      const [x] = await d.get(1);
      expect([...x.data.subarray(0, 3)]).toEqual([planes[3072], planes[4096], planes[5120]]);
      expect((await cifar10(offline(name))).length).toBe(10);
    }
    put('py100/cifar-100-python/test', Buffer.from(fixtures.batches.cifar100, 'base64'));
    expect([...(await cifar100({ ...offline('py100'), split: 'test' })).targets]).toEqual([99, 0, 42]);
    const kinds = await cifar100({ ...offline('py100'), split: 'test', labels: 'coarse' });
    expect([[...kinds.targets], kinds.classes.length]).toEqual([[13, 4, 8], 20]);
  });
  it('refuses files that are damaged, by their names', async () => {
    const refused = async (path: string, bytes: Uint8Array, text: RegExp) => {
      rmSync(join(folder, 'bad'), { recursive: true, force: true });
      put(`bad/${path}`, bytes);
      await expect(cifar100({ ...offline('bad'), split: 'test' })).rejects.toThrow(text);
    };
    const good = records([
      [1, 2],
      [19, 99],
    ]);
    await refused(
      'cifar-100-binary/test.bin',
      good.subarray(1),
      /cifar-100-binary\/test\.bin must hold records of 3074 bytes, got 6147/,
    );
    await refused(
      'cifar-100-binary/test.bin',
      records([[1, 100]]),
      /labels must be below 100, got 100 of picture 0/,
    );
    await refused(
      'cifar-100-binary.tar.gz',
      gzipSync(good).subarray(9),
      /cifar-100-binary\.tar\.gz must be a whole gzip file/,
    );
    await refused('cifar-100-binary.tar.gz', gzipSync(good), /readTar: cifar-100-binary\.tar\.gz/);
    await refused(
      'cifar-100-binary.tar.gz',
      gzipSync(tar({ 'cifar-100-binary/train.bin': good })),
      /cifar-100-binary\.tar\.gz must hold cifar-100-binary\/test\.bin, got none/,
    );
    const pickle = Buffer.from(fixtures.batches.cifar100, 'base64');
    await refused(
      'cifar-100-python/test',
      pickle.subarray(0, 5000),
      /cifar-100-python\/test: a pickle is whole/,
    );
    const evil = Buffer.from('cos\nsystem\n(U\x04trueR.', 'latin1');
    await refused(
      'cifar-100-python/test',
      evil,
      /must hold arrays and lists only, got the Python object 'os\.system'/,
    );
    await refused('cifar-100-python/test', Buffer.from('}.', 'latin1'), /'data' must be bytes \(n, 3072\)/);
    await expect(cifar10(offline('empty'))).rejects.toThrow(
      /cifar-10-binary\.tar\.gz must be in the data folder/,
    );
    await expect(cifar10({ split: 'val' as 'test' })).rejects.toThrow(
      "split must be 'train' or 'test', got 'val'",
    );
    await expect(cifar10({ labels: 'coarse' })).rejects.toThrow(
      "labels of CIFAR-10 must be 'fine', got 'coarse'",
    );
  });
  it('test pictures are never augmented', async () => {
    const augment = { trainTransform, evalTransform: trainTransform };
    await expect(cifar10({ ...offline('bin'), split: 'test', transform: trainTransform })).rejects.toThrow(
      'cifar: the transform of pictures for evaluation must not draw at random',
    );
    await expect(trainAndTest(cifar10, { ...offline('bin'), ...augment })).rejects.toThrow(
      'must not draw at random',
    );
    const { train, test } = await trainAndTest(cifar10, { ...offline('bin'), trainTransform, evalTransform });
    expect([train.length, test.length]).toEqual([10, 1]);
    expect(numbers((await test.get(0))[0])).toEqual(numbers((await test.get(0))[0]));
  });
  it('a batch at once equals samples one by one, and another epoch is augmented anew', async () => {
    const transform = new T.Compose([
      new T.RandomCrop(32, { padding: 4 }),
      new T.RandomHorizontalFlip(),
      new T.ToTensor(),
      new T.Normalize(CIFAR10.mean, CIFAR10.std),
    ]);
    const d = await cifar10({ ...offline('bin'), transform });
    const loader = () => new DataLoader(d, { batchSize: 4, shuffle: true });
    manualSeed(2);
    const once = [...loader()].map(b => b.map(numbers));
    manualSeed(2);
    const collate = (s: [Tensor, bigint][]) => [s.flatMap(([x]) => numbers(x)), s.map(([, y]) => Number(y))];
    const single = [...new DataLoader(d, { batchSize: 4, shuffle: true, collate })];
    once.forEach(([x, y], i) => {
      expect(y).toEqual(single[i]![1]);
      // One table and two float steps round alike but for the last bit.
      expect(firstWrong(x!, single[i]![0]!, 0, 3e-7)).toBeNull();
    });
    expect([...loader()].map(b => b.map(numbers))).not.toEqual(once);
  });
});

describe.skipIf(!hasShared)(`real pictures ${why}`, () => {
  it('flowers: 5 classes, every photo readable', async () => {
    const { train, val } = imageFolders(join(SHARED, 'flowers'), { trainTransform, evalTransform });
    expect(train.classes).toEqual(['daisy', 'dandelion', 'roses', 'sunflowers', 'tulips']);
    expect([train.length, val.length]).toEqual([80, 25]);
    const batches = await all(new DataLoader(val, { batchSize: 25 }));
    expect(batches.map(([x]) => x.shape)).toEqual([[25, 3, 16, 16]]);
    expect(numbers(batches[0]![1].bincount())).toEqual([5, 5, 5, 5, 5]);
  });
  it('CIFAR-10: a thousand test pictures, a hundred of each class', () => {
    const decode = join(tmpdir(), 'tenon-data/cifar-10-test1000/test_batch.bin');
    if (!existsSync(decode)) return;
    const { pixels, fine } = parseCifar(readFileSync(decode), 1);
    expect([pixels.length, fine.length]).toEqual([3_072_000, 1000]);
    expect(Array.from(fine).every((y, i) => y === i % 10)).toBe(true);
  });
  it('MNIST and Fashion-MNIST as pictures', async () => {
    for (const [load, from, to] of [
      [mnistImages, 'mnist', 'MNIST'],
      [fashionMnistImages, 'fashion-mnist', 'FashionMNIST'],
    ] as const) {
      const root = join(folder, 'real');
      for (const part of ['images-idx3', 'labels-idx1']) {
        const name = `t10k-${part}-ubyte.gz`;
        put(`real/${to}/raw/${name}`, readFileSync(join(SHARED, from, name)));
      }
      const transform = new T.Compose([new T.ToTensor(), new T.Normalize([0.1307], [0.3081])]);
      const d = await load({ root, download: false, split: 'test', transform });
      const [x, y] = [...new DataLoader(d, { batchSize: 100 })][0] as Batch;
      expect([d.length, d.classes.length, x.shape, y.shape]).toEqual([10_000, 10, [100, 1, 28, 28], [100]]);
      await expect(load({ root, split: 'test', transform: trainTransform })).rejects.toThrow(
        'must not draw at random',
      );
    }
  });
});

it('the names of CIFAR-100', () => {
  expect([CIFAR100.classes.length, CIFAR100.kinds.length]).toEqual([100, 20]);
  expect([...CIFAR100.classes].sort()).toEqual(CIFAR100.classes);
});

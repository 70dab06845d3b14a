// CIFAR-10 and CIFAR-100 (Krizhevsky 2009, "Learning multiple layers of features from tiny images"): 50 000 + 10 000
// colour pictures of 32 × 32, in 10 classes, or in 100 classes of 20 kinds.
// In: which part. Out: a data set. The files come from the data folder, unpacked or packed, in the binary or the Python
// form, else the official binary archive is loaded.

import { FileError, show, ValueError } from '../../base/errors.ts';
import { gunzip, loadFile, readDataFile } from '../../data/files.node.ts';
import type { FileOptions } from '../../data/files.ts';
import { readTar } from '../../data/tar.ts';
import type { AnyTransform, Made } from '../transforms/transform.ts';
import { checkEvaluation, ImageDataset } from './image-dataset.ts';
import { MemorySource } from './memory-source.ts';
import { parsePythonBatch, type Records } from './python-batch.ts';

export interface CifarSet {
  readonly name: string;
  /** Mean and standard deviation of all training pixels of each channel, as v/255. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly classes: readonly string[];
  /** Names of the 20 kinds of CIFAR-100. */
  readonly kinds: readonly string[];
  /** Bytes before the pixels of a record: the class last. */
  readonly labels: 1 | 2;
  readonly binary: CifarForm;
  readonly python: CifarForm;
}
/** One of the two official forms. */
export interface CifarForm {
  readonly archive: string;
  readonly md5: string;
  readonly folder: string;
  readonly train: readonly string[];
  readonly test: readonly string[];
}
const words = (text: string): readonly string[] => text.trim().split(/\s+/);
const five = (f: (i: number) => string): readonly string[] => [1, 2, 3, 4, 5].map(f);
const ADDRESS = 'https://www.cs.toronto.edu/~kriz/';

/** What is known of CIFAR-10: pixel statistics, classes, files. */
export const CIFAR10: CifarSet = {
  name: 'CIFAR-10',
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
  classes: words('airplane automobile bird cat deer dog frog horse ship truck'),
  kinds: [],
  labels: 1,
  binary: {
    archive: 'cifar-10-binary.tar.gz',
    md5: 'c32a1d4ab5d03f1284b67883e8d87530',
    folder: 'cifar-10-batches-bin',
    train: five(i => `data_batch_${i}.bin`),
    test: ['test_batch.bin'],
  },
  python: {
    archive: 'cifar-10-python.tar.gz',
    md5: 'c58f30108f718f92721af3b95e74349a',
    folder: 'cifar-10-batches-py',
    train: five(i => `data_batch_${i}`),
    test: ['test_batch'],
  },
};
/** What is known of CIFAR-100. */
export const CIFAR100: CifarSet = {
  name: 'CIFAR-100',
  mean: [0.5071, 0.4865, 0.4409],
  std: [0.2673, 0.2564, 0.2762],
  classes: words(`
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
    camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
    dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
    leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
    otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
    road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
    sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
  `),
  kinds: words(`
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
    household_furniture insects large_carnivores large_man-made_outdoor_things
    large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals non-insect_invertebrates
    people reptiles small_mammals trees vehicles_1 vehicles_2
  `),
  labels: 2,
  binary: {
    archive: 'cifar-100-binary.tar.gz',
    md5: '03b5dce01913d631647c71ecec9e9cb8',
    folder: 'cifar-100-binary',
    train: ['train.bin'],
    test: ['test.bin'],
  },
  python: {
    archive: 'cifar-100-python.tar.gz',
    md5: 'eb9058c3a382ffc7106e4002c42a8d85',
    folder: 'cifar-100-python',
    train: ['train'],
    test: ['test'],
  },
};

const SIDE = 32;
const PIXELS = 3 * SIDE * SIDE;

/** Records of the binary form: one byte for each label, then the red, green and blue planes. */
export function parseCifar(bytes: Uint8Array, labels: 1 | 2, name = 'the file'): Records {
  const record = labels + PIXELS;
  const n = bytes.length / record;
  if (!Number.isInteger(n) || n === 0)
    throw new FileError(
      'parseCifar',
      `${name} must hold records of ${record} bytes`,
      `${bytes.length} bytes`,
      'delete it and load it again',
    );
  const pixels = new Uint8Array(n * PIXELS);
  const column = (k: number): Int32Array => Int32Array.from({ length: n }, (_, i) => bytes[i * record + k]!);
  for (let i = 0; i < n; i++) pixels.set(bytes.subarray(i * record + labels, (i + 1) * record), i * PIXELS);
  return { pixels, fine: column(labels - 1), coarse: labels === 2 ? column(0) : null };
}

export interface CifarOptions<T extends AnyTransform | null> extends FileOptions {
  /** 'train': 50 000 pictures, 'test': 10 000. Default 'train'. */
  readonly split?: 'train' | 'test';
  readonly transform?: T;
  /** Of CIFAR-100: its 100 classes or their 20 kinds. Default 'fine'. */
  readonly labels?: 'fine' | 'coarse';
}

/** The files of a part in the first form that is there; loads the binary archive where none is. */
async function recordsOf(set: CifarSet, split: 'train' | 'test', options: FileOptions): Promise<Records[]> {
  const read = (form: CifarForm, name: string, bytes: Uint8Array): Records =>
    form === set.binary ? parseCifar(bytes, set.labels, name) : parsePythonBatch(bytes, name);
  for (const form of [set.binary, set.python]) {
    const paths = form[split].map(f => `${form.folder}/${f}`);
    const found = await Promise.all(paths.map(p => readDataFile(p, options)));
    if (found.every(b => b !== null)) return found.map((b, i) => read(form, paths[i]!, b));
  }
  const packed = await readDataFile(set.python.archive, options);
  const form = packed !== null ? set.python : set.binary;
  const source = { path: form.archive, urls: [ADDRESS + form.archive], md5: form.md5 };
  const archive = packed ?? (await loadFile(source, options));
  const plain = await gunzip(archive, form.archive);
  const files = new Map([...readTar(plain, form.archive)].map(f => [f.name, f.bytes]));
  return form[split].map(f => {
    const path = `${form.folder}/${f}`;
    const bytes = files.get(path);
    if (bytes === undefined)
      throw new FileError(
        'cifar',
        `${form.archive} must hold ${path}`,
        'none',
        'delete it and load it again',
      );
    return read(form, `${form.archive}:${path}`, bytes);
  });
}

/** Planes of red, green, blue to pixels. */
function interleave(planes: Uint8Array, out: Uint8Array): void {
  const plane = SIDE * SIDE;
  for (let start = 0; start < planes.length; start += PIXELS)
    for (let i = 0, r = start, o = start; i < plane; i++, r++, o += 3) {
      out[o] = planes[r]!;
      out[o + 1] = planes[r + plane]!;
      out[o + 2] = planes[r + 2 * plane]!;
    }
}

async function cifar<T extends AnyTransform | null>(
  set: CifarSet,
  options: CifarOptions<T>,
): Promise<ImageDataset<Made<T>>> {
  const { split = 'train', transform = null as T, labels = 'fine' } = options;
  if (split !== 'train' && split !== 'test')
    throw new ValueError('cifar', "split must be 'train' or 'test'", show(split), '');
  const coarse = labels === 'coarse';
  if (coarse ? set.kinds.length === 0 : labels !== 'fine')
    throw new ValueError(
      'cifar',
      `labels of ${set.name} must be 'fine'${set.labels === 2 ? " or 'coarse'" : ''}`,
      show(labels),
      '',
    );
  if (split === 'test') checkEvaluation('cifar', transform);
  const parts = await recordsOf(set, split, options);
  const classes = coarse ? set.kinds : set.classes;
  const targets = Int32Array.from(parts.flatMap(p => [...(coarse ? p.coarse! : p.fine)]));
  const odd = targets.findIndex(y => !(y >= 0 && y < classes.length));
  if (odd >= 0)
    throw new FileError(
      'cifar',
      `${set.name}: labels must be below ${classes.length}`,
      `${targets[odd]} of picture ${odd}`,
      'delete the files and load them again',
    );
  const pixels = new Uint8Array(targets.length * PIXELS);
  let at = 0;
  for (const part of parts) {
    interleave(part.pixels, pixels.subarray(at, at + part.pixels.length));
    at += part.pixels.length;
  }
  const source = new MemorySource({
    name: `${set.name} ${split}`,
    classes,
    targets,
    pixels,
    shape: [SIDE, SIDE, 3],
  });
  return new ImageDataset(source, transform);
}

/**
 * CIFAR-10. Errors: FileError where it is not there and cannot be loaded, or is damaged; for the test part a transform
 * that draws at random.
 */
export const cifar10 = <T extends AnyTransform | null = null>(
  options: CifarOptions<T> = {},
): Promise<ImageDataset<Made<T>>> => cifar(CIFAR10, options);
/** CIFAR-100, in the form of `cifar10`. */
export const cifar100 = <T extends AnyTransform | null = null>(
  options: CifarOptions<T> = {},
): Promise<ImageDataset<Made<T>>> => cifar(CIFAR100, options);

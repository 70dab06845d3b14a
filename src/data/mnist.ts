// MNIST (LeCun, Cortes, Burges) and Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747): 60 000 + 10 000 grey
// images of 28 × 28 in 10 classes, in the four IDX files of each.
// In: which part. Out: a data set. The files come from the data folder or their official addresses.

import { FileError, show, showShape, ValueError } from '../base/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { TensorDataset } from './dataset.ts';
import { gunzip, loadFile, readDataFile } from './files.node.ts';
import type { FileOptions, FileSource } from './files.ts';
import { parseIdx } from './idx.ts';
import type { ArrayData } from './rows.ts';

export interface MnistOptions extends FileOptions {
  /** 'train': 60 000 images, 'test': 10 000. Default 'train'. */
  readonly split?: 'train' | 'test';
  /** Pixels as (v/255 − mean) / std with the constants of the set instead of v/255. Default true. */
  readonly normalize?: boolean;
  /** Images as rows (784) instead of (1, 28, 28). Default false. */
  readonly flatten?: boolean;
}

export interface ImageSet {
  /** Mean and standard deviation of all training pixels, as v/255. */
  readonly mean: number;
  readonly std: number;
  readonly classes: readonly string[];
  readonly folder: string;
  readonly addresses: readonly string[];
  readonly sha256: Readonly<Record<string, string>>;
}
/** What is known of MNIST: pixel statistics, classes, files. */
export const MNIST: ImageSet = {
  mean: 0.1307,
  std: 0.3081,
  classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  folder: 'MNIST/raw/',
  // The author's own address comes last: for years it has refused most requests.
  addresses: [
    'https://ossci-datasets.s3.amazonaws.com/mnist/',
    'https://storage.googleapis.com/cvdf-datasets/mnist/',
    'http://yann.lecun.com/exdb/mnist/',
  ],
  sha256: {
    'train-images-idx3-ubyte.gz': '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
    'train-labels-idx1-ubyte.gz': '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
    't10k-images-idx3-ubyte.gz': '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
    't10k-labels-idx1-ubyte.gz': 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
  },
};
/** What is known of Fashion-MNIST. */
export const FASHION_MNIST: ImageSet = {
  mean: 0.286,
  std: 0.353,
  classes: [
    'T-shirt/top',
    'Trouser',
    'Pullover',
    'Dress',
    'Coat',
    'Sandal',
    'Shirt',
    'Sneaker',
    'Bag',
    'Ankle boot',
  ],
  folder: 'FashionMNIST/raw/',
  addresses: [
    'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
    'https://fashion-mnist.s3.eu-central-1.amazonaws.com/',
  ],
  sha256: {
    'train-images-idx3-ubyte.gz': '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84',
    'train-labels-idx1-ubyte.gz': 'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845',
    't10k-images-idx3-ubyte.gz': '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073',
    't10k-labels-idx1-ubyte.gz': '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5',
  },
};

async function idxFile(set: ImageSet, name: string, options: MnistOptions): Promise<ArrayData> {
  const path = set.folder + name;
  // Unpacked, as torchvision leaves it beside the packed file.
  const plain = await readDataFile(path.replace(/\.gz$/, ''), options);
  if (plain !== null) return parseIdx(plain, path.replace(/\.gz$/, ''));
  const source: FileSource = {
    path,
    urls: set.addresses.map(a => a + name),
    sha256: set.sha256[name]!,
  };
  return parseIdx(await gunzip(await loadFile(source, options), path), path);
}

/** The pixels as they are in the files, uint8 (n, 28, 28), and the classes, uint8 (n). */
export async function readImageSet(
  set: ImageSet,
  options: MnistOptions = {},
): Promise<{ images: ArrayData; labels: ArrayData }> {
  const { split = 'train' } = options;
  if (split !== 'train' && split !== 'test')
    throw new ValueError('readImageSet', "split must be 'train' or 'test'", show(split), '');
  const stem = split === 'train' ? 'train' : 't10k';
  const images = await idxFile(set, `${stem}-images-idx3-ubyte.gz`, options);
  const labels = await idxFile(set, `${stem}-labels-idx1-ubyte.gz`, options);
  const bytes = images.dtype === 'uint8' && labels.dtype === 'uint8';
  if (!bytes || images.shape.length !== 3 || labels.shape.length !== 1 || images.shape[0] !== labels.shape[0])
    throw new FileError(
      'readImageSet',
      `${set.folder}: images must be bytes (n, height, width), labels bytes (n)`,
      `${images.dtype} ${showShape(images.shape)} and ${labels.dtype} ${showShape(labels.shape)}`,
      '',
    );
  return { images, labels };
}

async function imageSet(set: ImageSet, options: MnistOptions): Promise<TensorDataset<[Tensor, Tensor]>> {
  const { normalize = true, flatten = false } = options;
  const { images, labels } = await readImageSet(set, options);
  const [n, height, width] = images.shape as [number, number, number];
  const [mean, std] = normalize ? [set.mean, set.std] : [0, 1];
  const value = Float32Array.from({ length: 256 }, (_, v) => (v / 255 - mean) / std);
  const pixels = images.data as Uint8Array;
  const x = new Float32Array(pixels.length);
  for (let i = 0; i < x.length; i++) x[i] = value[pixels[i]!]!;
  const y = BigInt64Array.from(labels.data as Uint8Array, BigInt);
  return new TensorDataset(
    { data: x, shape: flatten ? [n, height * width] : [n, 1, height, width], dtype: 'float32' },
    { data: y, shape: [n], dtype: 'int64' },
  );
}

/** MNIST. Shape: x float32 (n, 1, 28, 28), y int64 (n). Errors: FileError where it is not there and cannot be loaded. */
export const mnist = (options: MnistOptions = {}): Promise<TensorDataset<[Tensor, Tensor]>> =>
  imageSet(MNIST, options);
/** Fashion-MNIST, in the form of `mnist`. */
export const fashionMnist = (options: MnistOptions = {}): Promise<TensorDataset<[Tensor, Tensor]>> =>
  imageSet(FASHION_MNIST, options);

// MNIST and Fashion-MNIST as pictures, to be augmented.

import type { FileOptions } from '../../data/files.ts';
import { FASHION_MNIST, type ImageSet, MNIST, readImageSet } from '../../data/mnist.ts';
import type { AnyTransform, Made } from '../transforms/transform.ts';
import { checkEvaluation, ImageDataset } from './image-dataset.ts';
import { MemorySource } from './memory-source.ts';

export interface ImagesOptions<T extends AnyTransform | null> extends FileOptions {
  /** Default 'train'. */
  readonly split?: 'train' | 'test';
  readonly transform?: T;
}
async function images<T extends AnyTransform | null>(
  name: string,
  set: ImageSet,
  options: ImagesOptions<T>,
): Promise<ImageDataset<Made<T>>> {
  const { split = 'train', transform = null as T } = options;
  if (split === 'test') checkEvaluation(name, transform);
  const { images, labels } = await readImageSet(set, options);
  const [, height, width] = images.shape as [number, number, number];
  const source = new MemorySource({
    name: `${name} ${split}`,
    classes: set.classes,
    targets: Int32Array.from(labels.data as Uint8Array),
    pixels: images.data as Uint8Array<ArrayBuffer>,
    shape: [height, width, 1],
  });
  return new ImageDataset(source, transform);
}
/** MNIST as pictures of one channel; for the test part a transform that draws at random is an error. */
export const mnistImages = <T extends AnyTransform | null = null>(
  options: ImagesOptions<T> = {},
): Promise<ImageDataset<Made<T>>> => images('mnistImages', MNIST, options);
/** Fashion-MNIST, in the form of `mnistImages`. */
export const fashionMnistImages = <T extends AnyTransform | null = null>(
  options: ImagesOptions<T> = {},
): Promise<ImageDataset<Made<T>>> => images('fashionMnistImages', FASHION_MNIST, options);

// Data sets of the transforms' benchmark, by a module, so that a loader's workers can make them.

import { CIFAR10, ImageDataset, ImageFolder, MemorySource, transforms as T } from '../src/vision/index.ts';

/** As many pictures of 32 × 32 as CIFAR has, of noise. */
export function cifar(count: number): ImageDataset {
  const pixels = new Uint8Array(count * 3072);
  let state = 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[i] = state >>> 24;
  }
  const source = new MemorySource({
    name: 'noise',
    classes: CIFAR10.classes,
    targets: Int32Array.from({ length: count }, (_, i) => i % 10),
    pixels,
    shape: [32, 32, 3],
  });
  const transform = new T.Compose([
    new T.RandomCrop(32, { padding: 4 }),
    new T.RandomHorizontalFlip(),
    new T.ToTensor(),
    new T.Normalize(CIFAR10.mean, CIFAR10.std),
  ]);
  return new ImageDataset(source, transform);
}
export function photos(folder: string): ImageDataset {
  const transform = new T.Compose([
    new T.RandomResizedCrop(224),
    new T.RandomHorizontalFlip(),
    new T.ToTensor(),
    new T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
  ]);
  return new ImageFolder(folder, { transform });
}

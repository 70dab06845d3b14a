// Data sets that the tests of workers name by this module.

import { ImageFolder, transforms as T } from '../../src/vision/index.ts';

export const photos = (folder: string) =>
  new ImageFolder(folder, {
    transform: new T.Compose([
      new T.RandomResizedCrop(16),
      new T.ColorJitter({ brightness: 0.3, saturation: 0.3 }),
      new T.RandAugment(),
      new T.ToTensor(),
      new T.RandomErasing(),
    ]),
  });
export const plain = (folder: string) => new ImageFolder(folder, { transform: new T.ToTensor() });

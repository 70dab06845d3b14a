// tenon/vision: pictures, their transforms and data sets, models, and what these see.

import '../platform.ts';

export { decodeImage, encodeImage, readImage, writeImage } from './codec.node.ts';
export type { DecodeOptions, EncodeOptions, ImageFormat } from './codec.ts';
export {
  CIFAR10,
  CIFAR100,
  type CifarOptions,
  type CifarSet,
  cifar10,
  cifar100,
  parseCifar,
} from './datasets/cifar.ts';
export { fashionMnistImages, type ImagesOptions, mnistImages } from './datasets/grey.ts';
export {
  ImageDataset,
  type ImageSource,
  type SplitTransforms,
  type TrainEvalOptions,
  trainAndTest,
  trainEvalSplit,
} from './datasets/image-dataset.ts';
export { ImageFolder, type ImageFolderOptions, imageFolders } from './datasets/image-folder.ts';
export { MemorySource } from './datasets/memory-source.ts';
export { BoundingBoxes, type BoxFormat, Image, Mask } from './image.ts';
export { type Mistake, type Mistakes, mistakes } from './mistakes.ts';
export * as models from './models.ts';
export {
  featureMaps,
  gradCam,
  measureReceptiveField,
  type ReceptiveField,
  receptiveField,
  saliency,
  type WindowLayer,
  windowLayers,
} from './seeing.ts';
export * as transforms from './transforms.ts';
export {
  interpolateSteps,
  type PoolStepsOptions,
  poolSteps,
  type Rows,
  type Tap,
  type WindowStep,
} from './windows.ts';

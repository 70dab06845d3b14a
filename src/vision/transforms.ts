// torchvision.transforms.v2: augmentation and preparation of pictures, with their masks and boxes.

export * as functional from './transform-functions.ts';
export {
  AutoAugment,
  type AutoAugmentOptions,
  RandAugment,
  type RandAugmentOptions,
  type TrivialAugmentOptions,
  TrivialAugmentWide,
} from './transforms/auto.ts';
export {
  ColorJitter,
  type ColorJitterOptions,
  Grayscale,
  Lighting,
  RandomAdjustSharpness,
  RandomAutocontrast,
  RandomEqualize,
  RandomGrayscale,
  RandomInvert,
  RandomPosterize,
  RandomSolarize,
  RGB,
} from './transforms/color.ts';
export { Compose, Lambda, RandomApply, RandomChoice } from './transforms/compose.ts';
export {
  CenterCrop,
  Pad,
  type PadOptions,
  RandomCrop,
  type RandomCropOptions,
  RandomResizedCrop,
  type RandomResizedCropOptions,
} from './transforms/crop.ts';
export {
  type AffineOptions,
  RandomAffine,
  RandomHorizontalFlip,
  RandomRotation,
  RandomVerticalFlip,
  Resize,
  type ResizeTransformOptions as ResizeOptions,
  type RotationOptions,
} from './transforms/geometry.ts';
export { CutMix, type MixOptions, MixUp } from './transforms/mix.ts';
export { Normalize, RandomErasing, type RandomErasingOptions, ToTensor } from './transforms/tensor.ts';
export { type AnyTransform, Transform, type Transformed } from './transforms/transform.ts';

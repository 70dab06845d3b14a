// The models, one readable file each; torchvision.models' names in camelCase.

export { AlexNet, type AlexNetOptions, alexnet, alexnetOriginal, alexnetSmall } from './models/alexnet.ts';
export { DenseNet, type DenseNetOptions, densenet121, densenetCifar } from './models/densenet.ts';
export { GoogLeNet, type GoogLeNetOptions, googlenet } from './models/googlenet.ts';
export { LeNet5, LeNet5Original } from './models/lenet.ts';
export { type MobileNetOptions, MobileNetV2, mobilenetV2 } from './models/mobilenet.ts';
export { type PreActOptions, PreActResNet, preactResnet, preactResnet18 } from './models/preact-resnet.ts';
export {
  ResNet,
  type ResNetOptions,
  resnet18,
  resnet34,
  resnet50,
  resnet101,
  resnet152,
  resnext50,
  resnext101,
} from './models/resnet.ts';
export {
  CifarBlock,
  CifarResNet,
  type CifarResNetOptions,
  plainNet,
  resnet20,
  resnet32,
  resnet44,
  resnet56,
  resnet110,
} from './models/resnet-cifar.ts';
export { SeriesNet, type SeriesNetOptions } from './models/series.ts';
export { UNet, type UNetOptions, unetOriginal } from './models/unet.ts';
export { VGG, type VggOptions, vgg11, vgg13, vgg16, vgg19 } from './models/vgg.ts';
export { VisionTransformer, type ViTOptions, vitB16, vitSmall } from './models/vit.ts';

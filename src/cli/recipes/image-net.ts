// Convolutional networks on pictures, augmented: LeNet-5 on digits, a small network on clothes, ResNet-20 on CIFAR-100.

import { DataLoader, FASHION_MNIST, MNIST } from '../../data/index.ts';
import { Generator, type Tensor } from '../../index.ts';
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  type Layer,
  Linear,
  MaxPool2d,
  type Module,
  ReLU,
  Sequential,
} from '../../nn/index.ts';
import { OneCycleLR, SGD } from '../../optim/index.ts';
import { Accuracy } from '../../train/index.ts';
import {
  CIFAR100,
  cifar100,
  fashionMnistImages,
  type Image,
  type ImageDataset,
  mnistImages,
  models,
  readImage,
  transforms as T,
} from '../../vision/index.ts';
import { pictureGrid } from '../../viz/index.ts';
import { UsageError } from '../command.ts';
import type { Language, Words } from '../language.ts';
import { confusionPicture, trainingPicture } from './curves.ts';
import { loss, measure, measureClasses, mostConfused } from './measure.ts';
import { netPictures } from './net-pictures.ts';
import { count, defineRecipe, notNegative, oneOf, percent, positive, type Recipe } from './recipe.ts';

/** Classes up to which a confusion matrix can be read. */
const READABLE = 20;

interface NetTask {
  readonly name: string;
  readonly about: Words;
  readonly goal: Words;
  readonly title: Words;
  readonly classes: readonly string[];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly load: <X extends T.AnyTransform | null>(options: {
    split: 'train' | 'test';
    transform: X;
  }) => Promise<ImageDataset<unknown>>;
  /** What training pictures go through. */
  readonly augment: readonly T.AnyTransform[];
  readonly build: () => Module;
  readonly epochs: number;
  readonly lr: number;
  readonly weightDecay: number;
}

/** Both pipelines of a task; what evaluation sees is never augmented. */
function pipelines(task: NetTask, augment: boolean): { train: T.AnyTransform; test: T.AnyTransform } {
  const numbers = [new T.ToTensor(), new T.Normalize(task.mean, task.std)];
  const test = new T.Compose<T.AnyTransform>(numbers);
  if (!augment) return { train: test, test };
  return { train: new T.Compose<T.AnyTransform>([...task.augment, ...numbers]), test };
}

function netRecipe(task: NetTask): Recipe {
  const testImages = async () =>
    (await task.load({ split: 'test', transform: pipelines(task, false).test })) as ImageDataset<Tensor>;
  const testLoader = async () => new DataLoader(await testImages(), { batchSize: 250 });
  return defineRecipe({
    name: task.name,
    about: task.about,
    goal: task.goal,
    settings: {
      epochs: count(task.epochs),
      batchSize: count(128),
      lr: positive(task.lr),
      weightDecay: notNegative(task.weightDecay),
      augment: oneOf<'yes' | 'no'>('yes', ['yes', 'no']),
    },
    async train({ settings, language, fit }) {
      const { epochs, batchSize, lr, weightDecay } = settings;
      const { train: transform } = pipelines(task, settings.augment === 'yes');
      const images = await task.load({ split: 'train', transform });
      const train = new DataLoader(images as ImageDataset<Tensor>, {
        batchSize,
        shuffle: true,
        dropLast: true,
      });
      const test = await testLoader();
      const model = task.build();
      const optimizer = new SGD(model.parameters(), { lr, momentum: 0.9, nesterov: true, weightDecay });
      const totalSteps = epochs * train.length;
      const { history } = await fit('net', model, {
        train,
        validate: test,
        validateAs: 'test',
        epochs,
        optimizer,
        loss,
        metrics: { accuracy: new Accuracy() },
        schedule: new OneCycleLR(optimizer, { maxLr: lr, totalSteps, cycleMomentum: false }),
        scheduleEvery: 'step',
      });
      // The last epoch counts; the curve of the test set chooses nothing.
      const { metrics, matrix } = await measureClasses(model, test, task.classes);
      const last = (name: string): number => history[name]!.at(-1)!;
      const accuracy = percent(metrics.testAccuracy);
      const look = { title: task.title, subtitle: accuracy, language };
      return {
        metrics: { trainLoss: last('trainLoss'), trainAccuracy: last('trainAccuracy'), ...metrics },
        facts: [
          [{ en: 'training accuracy', zh: '训练准确率' }, percent(last('trainAccuracy'))],
          [{ en: 'test accuracy', zh: '测试准确率' }, accuracy],
          [{ en: 'most confused', zh: '最容易混淆' }, mostConfused(matrix, task.classes)],
        ],
        model,
        pictures: async () => ({
          learning: trainingPicture(history, look),
          augmentation: await gallery(task, images, language),
          ...(task.classes.length <= READABLE
            ? { confusion: confusionPicture(matrix, task.classes, look) }
            : {}),
        }),
      };
    },
    trained: {
      build: task.build,
      evaluate: async model => measure(model, await testLoader()),
      see: async (model, inputs, { language }) => {
        const test = await testImages();
        const seen = [];
        for (const name of inputs.length > 0 ? inputs : FIRST)
          seen.push({ name: name.split(/[\\/]/).at(-1)!, ...(await pictureOf(task, test, name)) });
        return netPictures(model as Layer, seen, test, { ...task, language });
      },
    },
  });
}

/** Pictures of the test set that are shown where none are named. */
const FIRST = ['test:0', 'test:1', 'test:2', 'test:3'];
/** A picture file, or a picture of the test set (`test:17`), and how the model takes it: (1, C, H, W). */
async function pictureOf(
  task: NetTask,
  test: ImageDataset<Tensor>,
  name: string,
): Promise<{ image: Image; x: Tensor }> {
  const place = /^test:(\d+)$/.exec(name);
  const plain = test.withTransform(null);
  const load = async (): Promise<Image> => {
    const [first] = await plain.get(0);
    const image = await readImage(name, { channels: first.channels as 1 | 3 });
    return new T.Resize([first.height, first.width])(image);
  };
  if (place !== null && Number(place[1]) >= test.length)
    throw new UsageError(`see: the test set has pictures 0 … ${test.length - 1}, got '${name}'`);
  const image = place === null ? await load() : (await plain.get(Number(place[1])))[0];
  const x = pipelines(task, false).test(image) as unknown as Tensor;
  return { image, x: x.unsqueeze(0) };
}

/** A few training pictures, and what augmentation makes of each. */
async function gallery(task: NetTask, images: ImageDataset<unknown>, language: Language): Promise<string> {
  const augment = new T.Compose<T.AnyTransform>(task.augment);
  const plain = images.withTransform(null);
  const rows = await Promise.all(
    [0, 1, 2, 3].map(async i => {
      const [x, y] = (await plain.get(i)) as [Image, bigint];
      const made = Array.from(
        { length: 9 },
        (_, seed) => augment(x, new Generator(seed)) as unknown as Image,
      );
      return { label: task.classes[Number(y)]!, pictures: [x, ...made] };
    }),
  );
  return pictureGrid({
    title: task.title[language],
    subtitle:
      language === 'zh'
        ? '每行第一张是原图，其余是增强后的图'
        : 'the picture, and what augmentation makes of it',
    rows,
  });
}

// ---- the networks ------------------------------------------------------------------------------------------------------

const block = (from: number, to: number): Layer[] => [
  new Conv2d(from, to, 3, { padding: 1, bias: false }),
  new BatchNorm2d(to),
  new ReLU(),
];
/** Three convolutions with pooling behind each, two linear layers. (N, 1, 28, 28) → (N, 10) */
const buildFashion = (): Module =>
  new Sequential(
    ...block(1, 32), // (N, 32, 28, 28)
    new MaxPool2d(2), // (N, 32, 14, 14)
    ...block(32, 64), // (N, 64, 14, 14)
    new MaxPool2d(2), // (N, 64, 7, 7)
    ...block(64, 128), // (N, 128, 7, 7)
    new MaxPool2d(2), // (N, 128, 3, 3)
    new Flatten(),
    new Dropout(0.25),
    new Linear(1152, 256), // (N, 256)
    new ReLU(),
    new Dropout(0.25),
    new Linear(256, 10), // (N, 10)
  );

export const lenet = netRecipe({
  name: 'lenet',
  about: {
    en: 'LeNet-5 on MNIST; training digits are shifted, turned and scaled a little',
    zh: 'LeNet-5 识别 MNIST；训练图片会轻微平移、旋转、缩放',
  },
  goal: {
    en: 'test accuracy ≥ 99.2 % (median of 3 seeds)',
    zh: '测试准确率 ≥ 99.2 %（3 个种子的中位数）',
  },
  title: { en: 'MNIST · LeNet-5', zh: 'MNIST · LeNet-5' },
  classes: MNIST.classes,
  mean: [MNIST.mean],
  std: [MNIST.std],
  load: mnistImages,
  augment: [
    new T.RandomAffine(8, {
      translate: [0.08, 0.08],
      scale: [0.92, 1.08],
      shear: 6,
      interpolation: 'bilinear',
    }),
  ],
  build: () => new models.LeNet5(),
  epochs: 15,
  lr: 0.05,
  weightDecay: 1e-4,
});

export const fashionCnn = netRecipe({
  name: 'fashion-cnn',
  about: {
    en: 'Clothes: a small convolutional network with batch norm; training pictures are shifted and mirrored',
    zh: '衣服分类：带批归一化的小型卷积网络；训练图片会平移、左右翻转',
  },
  goal: { en: 'test accuracy ≥ 93 %', zh: '测试准确率 ≥ 93 %' },
  title: { en: 'Fashion-MNIST · small convolutional network', zh: 'Fashion-MNIST · 小型卷积网络' },
  classes: FASHION_MNIST.classes,
  mean: [FASHION_MNIST.mean],
  std: [FASHION_MNIST.std],
  load: fashionMnistImages,
  augment: [new T.RandomCrop(28, { padding: 1 }), new T.RandomHorizontalFlip()],
  build: buildFashion,
  epochs: 15,
  lr: 0.1,
  weightDecay: 5e-4,
});

export const cifar100Resnet20 = netRecipe({
  name: 'cifar100-resnet20',
  about: {
    en: 'A plane or a ship? ResNet-20 on CIFAR-100; training pictures are shifted and mirrored',
    zh: '是飞机还是轮船？ResNet-20 识别 CIFAR-100；训练图片会平移、左右翻转',
  },
  goal: { en: 'test accuracy ≥ 60 % in an hour', zh: '一小时内测试准确率 ≥ 60 %' },
  title: { en: 'CIFAR-100 · ResNet-20', zh: 'CIFAR-100 · ResNet-20' },
  classes: CIFAR100.classes,
  mean: CIFAR100.mean,
  std: CIFAR100.std,
  load: cifar100,
  augment: [new T.RandomCrop(32, { padding: 4 }), new T.RandomHorizontalFlip()],
  build: () => models.resnet20({ numClasses: 100 }),
  epochs: 14,
  lr: 0.2,
  weightDecay: 5e-4,
});

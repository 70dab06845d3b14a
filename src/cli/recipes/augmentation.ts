// Augmentation, right and wrong: the same small network on few digits, as they are, moved a little, mirrored so that labels
// break, and distorted too much.

import { DataLoader, MNIST, Subset } from '../../data/index.ts';
import { Generator, type Tensor } from '../../index.ts';
import { Conv2d, Flatten, type Layer, Linear, MaxPool2d, ReLU, Sequential } from '../../nn/index.ts';
import { CosineAnnealingLR, SGD } from '../../optim/index.ts';
import { Accuracy, type Metrics } from '../../train/index.ts';
import { type Image, type ImageDataset, mnistImages, transforms as T } from '../../vision/index.ts';
import { pictureGrid } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { comparisonPicture } from './curves.ts';
import { loss, measure } from './measure.ts';
import { count, defineRecipe, percent, positive } from './recipe.ts';

interface Kind {
  /** In names of metrics. */
  readonly name: 'Plain' | 'Gentle' | 'Breaking' | 'Strong';
  readonly words: Words;
  readonly augment: readonly T.AnyTransform[];
}
const bilinear = { interpolation: 'bilinear' } as const;
const KINDS: readonly Kind[] = [
  { name: 'Plain', words: { en: 'as they are', zh: '不增强' }, augment: [] },
  {
    name: 'Gentle',
    words: { en: 'moved a little', zh: '轻微移动' },
    augment: [new T.RandomAffine(8, { translate: [0.08, 0.08], scale: [0.9, 1.1], ...bilinear })],
  },
  {
    name: 'Breaking',
    words: { en: 'mirrored both ways: a turned 6 is a 9', zh: '上下左右翻转：6 倒过来就成了 9' },
    augment: [new T.RandomHorizontalFlip(), new T.RandomVerticalFlip()],
  },
  {
    name: 'Strong',
    words: { en: 'distorted too much', zh: '过度变形' },
    augment: [new T.RandomAffine(70, { translate: [0.3, 0.3], scale: [0.5, 1.5], shear: 40, ...bilinear })],
  },
];
const numbers = [new T.ToTensor(), new T.Normalize([MNIST.mean], [MNIST.std])];
const pipeline = (kind: Kind): T.AnyTransform => new T.Compose<T.AnyTransform>([...kind.augment, ...numbers]);

/** (N, 1, 28, 28) → (N, 10) */
const buildNet = (): Layer =>
  new Sequential(
    new Conv2d(1, 8, 5, { padding: 2 }), // (N, 8, 28, 28)
    new ReLU(),
    new MaxPool2d(2), // (N, 8, 14, 14)
    new Conv2d(8, 16, 5), // (N, 16, 10, 10)
    new ReLU(),
    new MaxPool2d(2), // (N, 16, 5, 5)
    new Flatten(),
    new Linear(400, 64), // (N, 64)
    new ReLU(),
    new Linear(64, 10), // (N, 10)
  );

export const augmentation = defineRecipe({
  name: 'augmentation',
  about: {
    en: 'Augmentation, right and wrong: 1000 digits as they are, moved a little, mirrored, distorted too much',
    zh: '数据增强的对与错：1000 个数字，不增强、轻微移动、翻转、过度变形',
  },
  goal: {
    en: 'digits moved a little give the best test accuracy; mirrored ones are worse than none, distorted ones not better than a little',
    zh: '轻微移动的测试准确率最高；翻转比不增强更差，过度变形不如轻微移动',
  },
  settings: { epochs: count(12), pictures: count(1000), batchSize: count(50), lr: positive(0.05) },
  async train({ settings, language, fit }) {
    const { epochs, pictures, batchSize, lr } = settings;
    const images = await mnistImages();
    const rows = Array.from({ length: Math.min(pictures, images.length) }, (_, i) => i);
    const test = new DataLoader(await mnistImages({ split: 'test', transform: new T.Compose(numbers) }), {
      batchSize: 250,
    });
    const metrics: Metrics = {};
    const curves: Record<string, readonly number[]> = {};
    const facts: (readonly [Words, string])[] = [];
    for (const kind of KINDS) {
      const chosen = new Subset(images.withTransform(pipeline(kind)) as ImageDataset<Tensor>, rows);
      const train = new DataLoader(chosen, { batchSize, shuffle: true, dropLast: true });
      const model = buildNet();
      const optimizer = new SGD(model.parameters(), { lr, momentum: 0.9, weightDecay: 5e-4 });
      const { history } = await fit(kind.name, model, {
        train,
        epochs,
        optimizer,
        loss,
        metrics: { accuracy: new Accuracy() },
        schedule: new CosineAnnealingLR(optimizer, { tMax: epochs * train.length }),
        scheduleEvery: 'step',
      });
      const { testLoss, testAccuracy } = await measure(model, test);
      metrics[`testLoss${kind.name}`] = testLoss;
      metrics[`testAccuracy${kind.name}`] = testAccuracy;
      curves[kind.words[language]] = history['trainLoss']!;
      facts.push([kind.words, percent(testAccuracy)]);
    }
    return {
      metrics,
      facts,
      pictures: async () => ({
        loss: comparisonPicture(curves, {
          title: { en: 'Training loss with and without augmentation', zh: '增强与不增强的训练损失' },
          subtitle: facts.map(([w, v]) => `${w[language]} ${v}`).join(' · '),
          language,
          label: language === 'zh' ? '训练损失' : 'training loss',
          log: true,
        }),
        gallery: await gallery(images, language),
      }),
    };
  },
});

/** One 6, as each kind of augmentation shows it to the network. */
async function gallery(images: ImageDataset<Image>, language: Language): Promise<string> {
  const [six] = await images.get(images.targets.indexOf(6));
  const row = ({ words, augment }: Kind) => {
    const made = new T.Compose<T.AnyTransform>(augment);
    const pictures = Array.from(
      { length: 10 },
      (_, i) => made(six, new Generator(i + 6)) as unknown as Image,
    );
    return { label: words[language], pictures };
  };
  return pictureGrid({
    title: language === 'zh' ? '一个 6，网络看到的样子' : 'One 6, as the network sees it',
    rows: KINDS.map(row),
  });
}

// The multi-layer perceptron 784-256-128-10 on pictures of 28 × 28: MNIST's digits and Fashion-MNIST's clothes.

import {
  DataLoader,
  FASHION_MNIST,
  fashionMnist,
  type ImageSet,
  MNIST,
  type MnistOptions,
  mnist,
  type TensorDataset,
} from '../../data/index.ts';
import { noGrad, type Tensor, tensor } from '../../index.ts';
import { Dropout, type Layer, Linear, type Module, ReLU, Sequential } from '../../nn/index.ts';
import { Adam, CosineAnnealingLR } from '../../optim/index.ts';
import { Accuracy } from '../../train/index.ts';
import { type Image, readImage, transforms } from '../../vision/index.ts';
import { UsageError } from '../command.ts';
import type { Words } from '../language.ts';
import { confusionPicture, trainingPicture } from './curves.ts';
import { loss, measure, measureClasses, mostConfused } from './measure.ts';
import { count, defineRecipe, notNegative, oneOf, percent, positive, type Recipe } from './recipe.ts';

interface ImageTask {
  readonly name: string;
  readonly about: Words;
  readonly goal: Words;
  readonly title: Words;
  readonly set: ImageSet;
  readonly load: (options: MnistOptions) => Promise<TensorDataset<[Tensor, Tensor]>>;
  readonly epochs: number;
  readonly lr: number;
  readonly schedule: 'constant' | 'cosine';
  readonly dropout: number;
}

function buildMlp(dropout: number): Module {
  const drop = dropout > 0 ? [new Dropout(dropout)] : [];
  return new Sequential(
    new Linear(784, 256),
    new ReLU(),
    ...drop,
    new Linear(256, 128),
    new ReLU(),
    ...drop,
    new Linear(128, 10),
  );
}

function imageRecipe(task: ImageTask): Recipe {
  const test = async () =>
    new DataLoader(await task.load({ split: 'test', flatten: true }), { batchSize: 256 });
  /** The likeliest class of a picture file, or of a picture of the test set: `test:17`. */
  const tell = async (model: Layer, input: string): Promise<string> => {
    const { classes } = task.set;
    const row = await pixels(task, input); // (1, 784)
    const p = noGrad(() => model(row).softmax(1));
    const best = await p.argmax(1).item();
    return `${classes[best]!}, p = ${(await p.max().item()).toFixed(4)}`;
  };
  return defineRecipe({
    name: task.name,
    about: task.about,
    goal: task.goal,
    settings: {
      epochs: count(task.epochs),
      batchSize: count(128),
      lr: positive(task.lr),
      schedule: oneOf<'constant' | 'cosine'>(task.schedule, ['constant', 'cosine']),
      dropout: notNegative(task.dropout),
    },
    async train({ settings, language, fit }) {
      const { epochs, batchSize, lr, schedule } = settings;
      const train = new DataLoader(await task.load({ split: 'train', flatten: true }), {
        batchSize,
        shuffle: true,
      });
      const model = buildMlp(settings.dropout);
      const optimizer = new Adam(model.parameters(), { lr });
      const { history } = await fit('mlp', model, {
        train,
        validate: await test(),
        validateAs: 'test',
        epochs,
        optimizer,
        loss,
        metrics: { accuracy: new Accuracy() },
        scheduleEvery: 'step',
        ...(schedule === 'cosine'
          ? { schedule: new CosineAnnealingLR(optimizer, { tMax: epochs * train.length }) }
          : {}),
      });
      // The last epoch counts; the curve of the test set chooses nothing.
      const { metrics, matrix } = await measureClasses(model, await test(), task.set.classes);
      const last = (name: string): number => history[name]!.at(-1)!;
      const accuracy = percent(metrics.testAccuracy);
      return {
        metrics: { trainLoss: last('trainLoss'), trainAccuracy: last('trainAccuracy'), ...metrics },
        facts: [
          [{ en: 'training accuracy', zh: '训练准确率' }, percent(last('trainAccuracy'))],
          [{ en: 'test accuracy', zh: '测试准确率' }, accuracy],
          [{ en: 'most confused', zh: '最容易混淆' }, mostConfused(matrix, task.set.classes)],
        ],
        model,
        pictures: async () => ({
          learning: trainingPicture(history, {
            title: task.title,
            subtitle: `784-256-128-10 ReLU · Adam ${lr} ${schedule} · ${accuracy}`,
            language,
          }),
          confusion: confusionPicture(matrix, task.set.classes, {
            title: task.title,
            subtitle: accuracy,
            language,
          }),
        }),
      };
    },
    trained: {
      build: settings => buildMlp(settings.dropout),
      evaluate: async model => measure(model, await test()),
      predict: async (model, inputs) => {
        const said: [string, string][] = [];
        for (const input of inputs) said.push([input, await tell(model as Layer, input)]);
        return said;
      },
    },
  });
}

/** A picture as the model takes it: grey, 28 × 28, standardised. (1, 784) */
async function pixels(task: ImageTask, input: string): Promise<Tensor> {
  const place = /^test:(\d+)$/.exec(input);
  if (place !== null) {
    const [x] = (await task.load({ split: 'test', flatten: true })).tensors;
    const i = Number(place[1]);
    if (i >= x.shape[0]!)
      throw new UsageError(`predict: the test set has pictures 0 … ${x.shape[0]! - 1}, got '${input}'`);
    return x.narrow(0, i, 1);
  }
  const picture = await readImage(input, { channels: 1 });
  const small: Image = new transforms.Resize([28, 28])(picture);
  const grey = tensor(
    Float32Array.from(small.data, v => v / 255),
    { shape: [1, 784] },
  );
  return grey.sub(task.set.mean).div(task.set.std);
}

export const mnistMlp = imageRecipe({
  name: 'mnist-mlp',
  about: {
    en: 'Handwritten digits: MNIST with the network 784-256-128-10, ReLU, Adam 1e-3, batch 128',
    zh: '手写数字：MNIST，784-256-128-10 网络，ReLU，Adam 1e-3，批大小 128',
  },
  goal: {
    en: 'test accuracy ≥ 97.6 % after 8 epochs, ≥ 98.1 % with schedule=cosine (median of 5 seeds)',
    zh: '8 轮后测试准确率 ≥ 97.6 %；schedule=cosine 时 ≥ 98.1 %（5 个种子的中位数）',
  },
  title: { en: 'MNIST · multi-layer perceptron', zh: 'MNIST · 多层感知机' },
  set: MNIST,
  load: mnist,
  epochs: 8,
  lr: 1e-3,
  schedule: 'constant',
  dropout: 0,
});
export const fashionMlp = imageRecipe({
  name: 'fashion-mlp',
  about: {
    en: 'Clothes instead of digits: Fashion-MNIST with the network 784-256-128-10',
    zh: '把数字换成衣服：Fashion-MNIST，784-256-128-10 网络',
  },
  goal: {
    en: 'test accuracy ≥ 89 % in at most 20 epochs (median of 5 seeds)',
    zh: '至多 20 轮，测试准确率 ≥ 89 %（5 个种子的中位数）',
  },
  title: { en: 'Fashion-MNIST · multi-layer perceptron', zh: 'Fashion-MNIST · 多层感知机' },
  set: FASHION_MNIST,
  load: fashionMnist,
  epochs: 20,
  lr: 1e-3,
  schedule: 'cosine',
  dropout: 0,
});

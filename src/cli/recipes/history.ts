// Learning machines before back-propagation, each trained: perceptron, ADALINE, the XOR problem, a linear support vector
// machine, a deep belief net.

import {
  Adaline,
  DeepBeliefNet,
  LinearSVM,
  Perceptron,
  SoftmaxRegression,
  withProduct,
} from '../../classic/index.ts';
import { makeBlobs, mnist, standardize, truthTable } from '../../data/index.ts';
import { rand, type Samples, type Tensor, tensor } from '../../index.ts';
import type { Layer } from '../../nn/index.ts';
import { SGD } from '../../optim/index.ts';
import { comparisonPicture } from './curves.ts';
import { makeNet, parts } from './nets.ts';
import { count, defineRecipe, notNegative, percent, positive } from './recipe.ts';
import { trainWay } from './ways.ts';

const share = async (said: Tensor, target: Tensor): Promise<number> =>
  await said.eq(target).to('float32').mean().item();
const float = (y: Tensor): Tensor => y.to('float32').realize();

export const perceptron = defineRecipe({
  name: 'perceptron',
  about: {
    en: "Rosenblatt's rule on two clouds that a line parts, and on XOR, which no line does",
    zh: 'Rosenblatt 感知机学习规则：一条直线能分开的两团点，以及任何直线都分不开的异或',
  },
  goal: {
    en: 'the clouds: a pass without a mistake, and all test points right; XOR: never',
    zh: '两团点：有一遍不再犯错，测试点全对；异或：永远不会',
  },
  settings: { epochs: count(100), points: count(200), distance: positive(6) },
  async train({ settings, language, progress }) {
    const { epochs, points, distance } = settings;
    const half = distance / 2;
    const blobs = makeBlobs(points, {
      centers: [
        [-half, -half],
        [half, half],
      ],
      std: 1,
    });
    const { train, test } = parts(blobs, 0.2);
    const p = new Perceptron(2);
    const fit = p.fit(train.x, float(train.y), { epochs });
    const accuracy = await share(p.predict(test.x), float(test.y));
    const table = truthTable('xor');
    const onXor = new Perceptron(2).fit(table.x, float(table.y), { epochs });
    progress(1, 1, { testAccuracy: accuracy });
    const perEpoch = (updates: typeof fit.updates, n: number): number[] =>
      Array.from({ length: n }, (_, e) => updates.filter(u => u.epoch === e + 1).length);
    const zh = language === 'zh';
    const names = zh ? ['两团点', '异或'] : ['two clouds', 'XOR'];
    return {
      metrics: {
        testAccuracy: accuracy,
        passes: fit.epochs,
        corrections: fit.updates.length,
        converged: Number(fit.converged),
        xorConverged: Number(onXor.converged),
      },
      facts: [
        [
          { en: 'two clouds', zh: '两团点' },
          zh
            ? `${fit.epochs} 遍，${fit.updates.length} 次修正，测试准确率 ${percent(accuracy)}`
            : `${fit.epochs} passes, ${fit.updates.length} corrections, test accuracy ${percent(accuracy)}`,
        ],
        [
          { en: 'XOR', zh: '异或' },
          zh ? `${onXor.epochs} 遍之后仍在犯错` : `still making mistakes after ${onXor.epochs} passes`,
        ],
      ],
      pictures: async () => ({
        corrections: comparisonPicture(
          {
            [names[0]!]: perEpoch(fit.updates, Math.min(epochs, 20)),
            [names[1]!]: perEpoch(onXor.updates, Math.min(epochs, 20)),
          },
          {
            title: { en: 'The perceptron: corrections in each pass', zh: '感知机：每一遍的修正次数' },
            subtitle: 'w ← w + (t − y) x',
            language,
            label: zh ? '修正次数' : 'corrections',
          },
        ),
      }),
    };
  },
});

export const adaline = defineRecipe({
  name: 'adaline',
  about: {
    en: 'ADALINE on features of scales 1 and 1000: raw or standardised, in one batch or sample by sample, with a threshold tuned on a validation set',
    zh: 'ADALINE，特征尺度为 1 和 1000：原始还是标准化，批量还是逐样本，阈值在验证集上调',
  },
  goal: {
    en: 'raw features diverge; standardised, both modes find the line; a tuned threshold beats .5 where the classes are not of one size',
    zh: '原始特征发散；标准化后两种方式都找到直线；类别数量不等时，调过的阈值比 0.5 好',
  },
  settings: { epochs: count(60), points: count(1500), lr: positive(0.1) },
  async train({ settings, language, progress }) {
    const { epochs, points, lr } = settings;
    // Class 1, every eighth point or so, lies above a line in both features.
    const unit = rand([points, 2]).realize();
    const y = unit.sum(1).gt(1.5).to('int64').realize();
    const raw = unit.mul(tensor([1, 1000])).realize();
    const scaled = standardize(raw);
    const take = (x: Tensor) => {
      const n = Math.floor(points * 0.6);
      const m = Math.floor(points * 0.2);
      const piece = (from: number, size: number): Samples => ({
        x: x.narrow(0, from, size).clone().realize(),
        y: float(y.narrow(0, from, size)),
      });
      return { train: piece(0, n), validation: piece(n, m), test: piece(n + m, points - n - m) };
    };
    const [a, b] = [take(raw), take(scaled)];
    const learn = (d: typeof a, mode: 'batch' | 'online', rate: number) => {
      const model = new Adaline(2);
      const losses = model.fit(d.train.x, d.train.y, { lr: rate, epochs, mode });
      return { model, losses };
    };
    const wild = learn(a, 'batch', lr);
    const batch = learn(b, 'batch', lr);
    const online = learn(b, 'online', lr / 20);
    const before = await share(batch.model.predict(b.test.x), b.test.y);
    batch.model.tuneThreshold(b.validation.x, b.validation.y);
    const after = await share(batch.model.predict(b.test.x), b.test.y);
    const onlineAccuracy = await share(online.model.predict(b.test.x), b.test.y);
    progress(1, 1, { testAccuracy: after });
    const zh = language === 'zh';
    const last = (l: readonly number[]): number => l.at(-1)!;
    return {
      metrics: {
        rawDiverged: Number(!(last(wild.losses) < wild.losses[0]!)),
        trainLossBatch: last(batch.losses),
        trainLossOnline: last(online.losses),
        testAccuracyHalf: before,
        testAccuracyTuned: after,
        testAccuracyOnline: onlineAccuracy,
        threshold: batch.model.threshold,
      },
      facts: [
        [
          { en: 'raw features', zh: '原始特征' },
          zh
            ? `损失 ${last(wild.losses).toExponential(1)}：发散`
            : `loss ${last(wild.losses).toExponential(1)}: diverged`,
        ],
        [
          { en: 'standardised, batch', zh: '标准化，批量' },
          zh
            ? `损失 ${last(batch.losses).toFixed(4)}，阈值 0.5 的测试准确率 ${percent(before)}`
            : `loss ${last(batch.losses).toFixed(4)}, test accuracy with threshold .5 ${percent(before)}`,
        ],
        [
          { en: 'standardised, sample by sample', zh: '标准化，逐样本' },
          zh
            ? `损失 ${last(online.losses).toFixed(4)}，测试准确率 ${percent(onlineAccuracy)}`
            : `loss ${last(online.losses).toFixed(4)}, test accuracy ${percent(onlineAccuracy)}`,
        ],
        [
          { en: 'threshold tuned on the validation set', zh: '在验证集上调阈值' },
          zh
            ? `${batch.model.threshold.toFixed(3)}，测试准确率 ${percent(after)}`
            : `${batch.model.threshold.toFixed(3)}, test accuracy ${percent(after)}`,
        ],
      ],
      pictures: async () => ({
        loss: comparisonPicture(
          { [zh ? '批量' : 'batch']: batch.losses, [zh ? '逐样本' : 'sample by sample']: online.losses },
          {
            title: { en: 'ADALINE on standardised features', zh: 'ADALINE：标准化特征' },
            subtitle: 'E = 1/(2N) Σ (t − z)²',
            language,
            label: 'E',
          },
        ),
      }),
    };
  },
});

export const xor = defineRecipe({
  name: 'xor',
  about: {
    en: 'XOR three ways: ADALINE on x₁ and x₂, ADALINE with the feature x₁x₂, a 2-8-2 ReLU network by back-propagation',
    zh: '异或的三种做法：只用 x₁、x₂ 的 ADALINE，加上特征 x₁x₂ 的 ADALINE，反向传播的 2-8-2 ReLU 网络',
  },
  goal: {
    en: 'ADALINE stays at E = 1/8; with the product, and with the hidden layer, all four points are right',
    zh: 'ADALINE 停在 E = 1/8；加了乘积特征或隐藏层，四个点全对',
  },
  settings: { epochs: count(1000), lr: positive(0.5) },
  async train({ settings, language, progress }) {
    const { epochs, lr } = settings;
    const table = truthTable('xor');
    const target = float(table.y);
    const plain = new Adaline(2);
    const plainLoss = plain.fit(table.x, target, { lr, epochs });
    const product = withProduct(table.x).realize();
    const helped = new Adaline(3);
    const helpedLoss = helped.fit(product, target, { lr, epochs });
    const model: Layer = makeNet([2, 8, 2]);
    const course = await trainWay(
      {
        name: 'net',
        words: { en: '', zh: '' },
        model,
        optimizer: new SGD(model.parameters(), { lr }),
        batchSize: 4,
      },
      { train: table, test: table },
      epochs,
      (epoch, c) => progress(epoch + 1, epochs, { trainAccuracy: c.trainAccuracy.at(-1)! }),
    );
    const zh = language === 'zh';
    const names = zh
      ? ['ADALINE', 'ADALINE，加 x₁x₂', '2-8-2 ReLU']
      : ['ADALINE', 'ADALINE with x₁x₂', '2-8-2 ReLU'];
    const accuracy = {
      plain: await share(plain.predict(table.x), target),
      product: await share(helped.predict(product), target),
      net: course.trainAccuracy.at(-1)!,
    };
    return {
      metrics: {
        lossAdaline: plainLoss.at(-1)!,
        lossProduct: helpedLoss.at(-1)!,
        lossNet: course.trainLoss.at(-1)!,
        accuracyAdaline: accuracy.plain,
        accuracyProduct: accuracy.product,
        accuracyNet: accuracy.net,
      },
      facts: [
        [{ en: names[0]!, zh: names[0]! }, `E = ${plainLoss.at(-1)!.toFixed(4)}, ${percent(accuracy.plain)}`],
        [
          { en: names[1]!, zh: names[1]! },
          `E = ${helpedLoss.at(-1)!.toExponential(1)}, ${percent(accuracy.product)}`,
        ],
        [
          { en: names[2]!, zh: names[2]! },
          `${zh ? '交叉熵' : 'cross-entropy'} ${course.trainLoss.at(-1)!.toFixed(4)}, ${percent(accuracy.net)}`,
        ],
      ],
      pictures: async () => ({
        error: comparisonPicture(
          { [names[0]!]: plainLoss, [names[1]!]: helpedLoss, [names[2]!]: course.trainLoss },
          {
            title: { en: 'XOR: error while learning', zh: '异或：学习过程中的误差' },
            subtitle: zh ? 'ADALINE：E；网络：交叉熵' : 'ADALINE: E; network: cross-entropy',
            language,
            label: zh ? '误差' : 'error',
            log: true,
          },
        ),
      }),
    };
  },
});

export const svm = defineRecipe({
  name: 'svm',
  about: {
    en: 'Two clouds that touch: the line of a support vector machine (hinge loss) beside that of softmax regression',
    zh: '两团相接的点：支持向量机（铰链损失）的直线与 softmax 回归的直线',
  },
  goal: {
    en: 'both lines tell the clouds apart alike; only the points near it hold the line of the SVM',
    zh: '两条直线分得一样好；但只有靠近直线的点决定 SVM 的直线',
  },
  settings: {
    epochs: count(400),
    points: count(400),
    distance: positive(3),
    lr: positive(0.1),
    penalty: notNegative(0.01),
  },
  async train({ settings, language, progress }) {
    const { epochs, points, distance, lr, penalty } = settings;
    const half = distance / 2;
    const { train, test } = parts(
      makeBlobs(points, {
        centers: [
          [-half, 0],
          [half, 0],
        ],
        std: 0.8,
      }),
      0.25,
    );
    const machine = new LinearSVM(2, 2);
    const losses = machine.fit(train.x, train.y, { lr, epochs, penalty });
    const soft = new SoftmaxRegression(2, 2);
    const softLosses = soft.fit(train.x, train.y, { lr, epochs, penalty });
    const accuracy = await share(machine.predict(test.x), test.y);
    const softAccuracy = await share(soft.predict(test.x), test.y);
    const s = machine.scores(train.x).detach();
    const right = s.gather(1, train.y.unsqueeze(1)).squeeze(1);
    const other = s.sum(1).sub(right);
    const support = await right.sub(other).lt(1).to('float32').mean().item();
    progress(1, 1, { testAccuracy: accuracy });
    const zh = language === 'zh';
    return {
      metrics: {
        testAccuracy: accuracy,
        testAccuracySoftmax: softAccuracy,
        supportShare: support,
        hingeLoss: losses.at(-1)!,
      },
      facts: [
        [
          { en: 'SVM', zh: 'SVM' },
          zh
            ? `测试准确率 ${percent(accuracy)}，${percent(support)} 的点是支持向量`
            : `test accuracy ${percent(accuracy)}, ${percent(support)} of the points are support vectors`,
        ],
        [
          { en: 'softmax regression', zh: 'softmax 回归' },
          zh
            ? `测试准确率 ${percent(softAccuracy)}，所有的点都起作用`
            : `test accuracy ${percent(softAccuracy)}, every point counts`,
        ],
      ],
      pictures: async () => ({
        loss: comparisonPicture(
          {
            [zh ? 'SVM：铰链损失' : 'SVM: hinge loss']: losses,
            [zh ? 'softmax：交叉熵' : 'softmax: cross-entropy']: softLosses,
          },
          {
            title: { en: 'Two losses for one line', zh: '一条直线，两种损失' },
            subtitle: `λ = ${penalty}`,
            language,
            label: zh ? '损失' : 'loss',
            log: true,
          },
        ),
      }),
    };
  },
});

export const dbn = defineRecipe({
  name: 'dbn',
  about: {
    en: 'A deep belief net on MNIST with few labels: 784-256-128-10 sigmoids, pretrained without labels, or not',
    zh: '标签很少的 MNIST 上的深度信念网络：784-256-128-10 sigmoid，先无标签预训练，或者不预训练',
  },
  goal: {
    en: 'with 500 labels the pretrained net has the higher test accuracy',
    zh: '只有 500 个标签时，预训练过的网络测试准确率更高',
  },
  settings: { epochs: count(30), labels: count(500), pictures: count(10000), pretrainEpochs: count(5) },
  async train({ settings, language, progress }) {
    const { epochs, labels, pictures, pretrainEpochs } = settings;
    const load = async (split: 'train' | 'test') =>
      (await mnist({ split, flatten: true, normalize: false })).tensors as [Tensor, Tensor];
    const [x, y] = await load('train');
    const [testX, testY] = await load('test');
    const seen = x.narrow(0, 0, pictures).clone().realize();
    const [few, target] = [
      x.narrow(0, 0, labels).clone().realize(),
      y.narrow(0, 0, labels).clone().realize(),
    ];
    const courses: Record<string, number[]> = {};
    const accuracy: Record<string, number> = {};
    const errors: number[][] = [];
    for (const [i, name] of (['Pretrained', 'Plain'] as const).entries()) {
      const net = new DeepBeliefNet([784, 256, 128], 10);
      if (name === 'Pretrained') errors.push(...net.pretrain(seen, { epochs: pretrainEpochs, lr: 0.1 }));
      courses[name] = net.tune(few, target, { epochs, lr: 0.1, batchSize: 50 });
      accuracy[name] = await share(net.forward(testX).detach().argmax(1), testY);
      progress(i + 1, 2, { testAccuracy: accuracy[name] });
    }
    const zh = language === 'zh';
    const words = {
      Pretrained: { en: 'pretrained', zh: '预训练' },
      Plain: { en: 'not pretrained', zh: '未预训练' },
    };
    return {
      metrics: {
        testAccuracyPretrained: accuracy['Pretrained']!,
        testAccuracyPlain: accuracy['Plain']!,
        redrawError: errors[0]!.at(-1)!,
      },
      facts: [
        [words.Pretrained, percent(accuracy['Pretrained']!)],
        [words.Plain, percent(accuracy['Plain']!)],
        [
          { en: 'error of redrawing, first machine', zh: '第一层的重构误差' },
          errors[0]!.map(e => e.toFixed(4)).join(' → '),
        ],
      ],
      pictures: async () => ({
        tuning: comparisonPicture(
          {
            [words.Pretrained[language]]: courses['Pretrained']!,
            [words.Plain[language]]: courses['Plain']!,
          },
          {
            title: { en: 'Tuning with few labels', zh: '用少量标签微调' },
            subtitle: `784-256-128-10 · ${labels}`,
            language,
            label: zh ? '训练损失' : 'training loss',
            log: true,
          },
        ),
      }),
    };
  },
});

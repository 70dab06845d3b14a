// Momentum, the rate and its fall: three ways to train 2-32-16-2 on rings, from one start and in one order of samples.

import {
  compile,
  F,
  makeRings,
  randperm,
  type Samples,
  SGD,
  type Tensor,
  tensor,
  trainTestSplit,
} from '../../index.ts';
import { comparisonPicture } from './curves.ts';
import { copyMlp, forward, type Layer, makeMlp } from './mlp.ts';
import { count, defineRecipe, percent } from './recipe.ts';

interface Way {
  readonly name: 'A' | 'B' | 'C';
  readonly label: string;
  readonly lr: number;
  readonly momentum: number;
  /** Epochs after which the rate is halved; 0: never. */
  readonly halve: number;
}
const WAYS: readonly Way[] = [
  { name: 'A', label: 'A · lr .01', lr: 0.01, momentum: 0, halve: 0 },
  { name: 'B', label: 'B · lr .005, μ .9', lr: 0.005, momentum: 0.9, halve: 0 },
  { name: 'C', label: 'C · lr .01 ↓, μ .9', lr: 0.01, momentum: 0.9, halve: 10 },
];

export const momentumAbc = defineRecipe({
  name: 'momentum-abc',
  about: {
    en: 'Plain SGD, momentum .9, momentum .9 with a rate halved every 10 epochs: 2-32-16-2 on rings',
    zh: '普通 SGD、动量 0.9、动量 0.9 加每 10 轮减半的学习率：2-32-16-2 网络分圆环',
  },
  goal: {
    en: 'both runs with momentum are above 99 % of the test set after 5 epochs, the one without is not',
    zh: '5 轮后，带动量的两种测试准确率都超过 99 %，不带动量的没有',
  },
  settings: { epochs: count(5), batchSize: count(32), points: count(2000) },
  async train({ settings, language, progress }) {
    const { epochs, batchSize, points } = settings;
    const data = makeRings(points, { noise: 0.1 });
    const parts = trainTestSplit([data.x, data.y], { testSize: 0.2 });
    const [train, test] = [parts.train, parts.test].map(([x, y]) => ({ x, y })) as [Samples, Samples];
    const start = makeMlp([2, 32, 16, 2], 'he');
    const n = train.y.numel;
    const orders: Awaited<ReturnType<Tensor['data']>>[] = [];
    for (let i = 0; i < epochs; i++) orders.push(await randperm(n).data());
    const curves: Record<string, number[]> = {};
    const losses: number[] = [];
    for (const [i, way] of WAYS.entries()) {
      const layers = copyMlp(start);
      const optimizer = new SGD(parametersOf(layers), { lr: way.lr, momentum: way.momentum });
      const step = compile((x: Tensor, y: Tensor, rows: Tensor) => {
        optimizer.zeroGrad();
        const loss = F.crossEntropy(forward(layers, x.indexSelect(0, rows)), y.indexSelect(0, rows));
        loss.backward();
        optimizer.step();
        return loss;
      });
      const curve: number[] = [];
      for (const [epoch, order] of orders.entries()) {
        if (way.halve > 0) optimizer.paramGroups[0]!.lr = way.lr * 0.5 ** Math.floor(epoch / way.halve);
        for (let at = 0; at < n; at += batchSize)
          step(train.x, train.y, tensor(order.subarray(at, at + batchSize)));
        const right = forward(layers, test.x).detach().argmax(1).eq(test.y); // (tests)
        curve.push(await right.to('float32').mean().item());
        progress(i * epochs + epoch + 1, WAYS.length * epochs, { testAccuracy: curve.at(-1)! });
      }
      curves[way.label] = curve;
      losses.push(await F.crossEntropy(forward(layers, test.x).detach(), test.y).item());
    }
    const ends = WAYS.map((w, i) => ({ way: w, accuracy: curves[w.label]!.at(-1)!, loss: losses[i]! }));
    return {
      metrics: Object.fromEntries(
        ends.flatMap(e => [
          [`testAccuracy${e.way.name}`, e.accuracy],
          [`testLoss${e.way.name}`, e.loss],
        ]),
      ),
      facts: ends.map(e => [{ en: e.way.label, zh: e.way.label }, percent(e.accuracy)]),
      pictures: async () => ({
        accuracy: comparisonPicture(curves, {
          title: { en: 'Momentum, rate and its fall', zh: '动量、学习率与衰减' },
          subtitle: `2-32-16-2 ReLU · ${epochs}`,
          language,
          label: language === 'zh' ? '测试准确率' : 'test accuracy',
        }),
      }),
    };
  },
});
const parametersOf = (layers: readonly Layer[]): Tensor[] => layers.flatMap(l => [l.weight, l.bias]);

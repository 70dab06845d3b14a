// Four troubles of training, each made and then mended: too slow, unstable, overfitting, too small a batch.

import { clipGradNorm_, type Layer } from '../../nn/index.ts';
import { Adam, SGD } from '../../optim/index.ts';
import { makeNet, moons, spirals } from './nets.ts';
import { count, defineRecipe, type Metrics, type Result } from './recipe.ts';
import { type Course, compareWays, type Parts, type Way } from './ways.ts';

interface Pair {
  readonly title: { readonly en: string; readonly zh: string };
  readonly epochs: number;
  readonly data: Parts;
  readonly ways: readonly [bad: Way, mended: Way];
}
const sgd = (model: Layer, lr: number, momentum = 0, batchSize = 32) => ({
  model,
  optimizer: new SGD(model.parameters(), { lr, momentum }),
  batchSize,
});
const adam = (model: Layer) => ({
  model,
  optimizer: new Adam(model.parameters(), { lr: 0.01 }),
  batchSize: 20,
});
/** Ends where the test loss has not fallen for `patience` epochs. */
const early =
  (patience: number) =>
  ({ testLoss }: Course): boolean =>
    testLoss.length - 1 - testLoss.indexOf(Math.min(...testLoss)) >= patience;

function pairs(epochs: number): Record<'A' | 'B' | 'C' | 'D', Pair> {
  const net = () => makeNet([2, 32, 32, 2]);
  const [slow, fast] = [net(), net()];
  const [wild, calm] = [net(), net()];
  const big = () => makeNet([2, 128, 128, 2]);
  const [long, short] = [big(), big()];
  const [single, batch] = [net(), net()];
  return {
    A: {
      title: { en: 'A · too slow', zh: 'A · 太慢' },
      epochs,
      data: moons(1000, 0.1),
      ways: [
        {
          name: 'ASlow',
          words: { en: 'A: lr .001', zh: 'A：学习率 0.001' },
          ...sgd(slow, 0.001),
        },
        {
          name: 'AMended',
          words: { en: 'A mended: lr .1, momentum .9', zh: 'A 治好：学习率 0.1，动量 0.9' },
          ...sgd(fast, 0.1, 0.9),
        },
      ],
    },
    B: {
      title: { en: 'B · unstable', zh: 'B · 不稳定' },
      epochs,
      data: moons(1000, 0.1),
      ways: [
        {
          name: 'BWild',
          words: { en: 'B: lr 3, momentum .9', zh: 'B：学习率 3，动量 0.9' },
          ...sgd(wild, 3, 0.9),
        },
        {
          name: 'BMended',
          words: { en: 'B mended: lr .1, gradient clipped at 1', zh: 'B 治好：学习率 0.1，梯度裁剪到 1' },
          ...sgd(calm, 0.1, 0.9),
          beforeUpdate: () => void clipGradNorm_(calm.parameters(), 1),
        },
      ],
    },
    C: {
      title: { en: 'C · overfitting', zh: 'C · 过拟合' },
      epochs: epochs * 8,
      data: moons(1060, 0.35, 1000 / 1060),
      ways: [
        {
          name: 'COverfit',
          words: { en: 'C: 17 000 weights, 60 points, to the end', zh: 'C：1.7 万个权重，60 个点，训练到底' },
          ...adam(long),
        },
        {
          name: 'CMended',
          words: { en: 'C mended: stopped early', zh: 'C 治好：提前停止' },
          ...adam(short),
          stop: early(5),
        },
      ],
    },
    D: {
      title: { en: 'D · one point per step', zh: 'D · 每步一个点' },
      epochs,
      data: spirals(600, 0.05),
      ways: [
        {
          name: 'DSingle',
          words: { en: 'D: batch 1, lr .1', zh: 'D：批大小 1，学习率 0.1' },
          ...sgd(single, 0.1, 0.9, 1),
        },
        {
          name: 'DMended',
          words: { en: 'D mended: batch 32, lr .1', zh: 'D 治好：批大小 32，学习率 0.1' },
          ...sgd(batch, 0.1, 0.9),
        },
      ],
    },
  };
}

export const troubles = defineRecipe({
  name: 'troubles',
  about: {
    en: 'Four troubles of training, made and mended: too slow, unstable, overfitting, one point per step',
    zh: '训练的四种毛病，先造出来再治好：太慢、不稳定、过拟合、每步一个点',
  },
  goal: {
    en: 'each mended run ends with the lower loss: on the training points for A, B and D, on the test for C',
    zh: '治好后的损失都更低：A、B、D 看训练损失，C 看测试损失',
  },
  settings: { epochs: count(40) },
  async train({ settings, language, progress }) {
    const metrics: Metrics = {};
    const facts: Result['facts'][number][] = [];
    const pictures: Record<string, () => Promise<string>> = {};
    const all = Object.entries(pairs(settings.epochs));
    for (const [i, [name, pair]] of all.entries()) {
      const r = await compareWays(
        pair.ways,
        pair.data,
        pair.epochs,
        { language, progress: (done, total, m) => progress(i * total + done, all.length * total, m) },
        { title: pair.title, subtitle: 'ReLU', curve: name === 'C' ? 'testLoss' : 'trainLoss' },
      );
      Object.assign(metrics, r.metrics);
      facts.push(...r.facts);
      pictures[`trouble-${name.toLowerCase()}`] = async () => (await r.pictures())['comparison']!;
    }
    return {
      metrics,
      facts,
      pictures: async () =>
        Object.fromEntries(
          await Promise.all(Object.entries(pictures).map(async ([k, f]) => [k, await f()] as const)),
        ),
    };
  },
});

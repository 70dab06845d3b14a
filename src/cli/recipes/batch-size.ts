// One point, a mini-batch, or all points per step: the same network, the same data, the same number of epochs.

import { makeShape, type Samples, trainTestSplit } from '../../index.ts';
import { chart, line, THEME } from '../../viz/index.ts';
import type { Words } from '../language.ts';
import { copyMlp, type History, lastOf, makeMlp, trainClassifier } from './mlp.ts';
import { count, defineRecipe, type Metrics, percent, positive } from './recipe.ts';

export const batchSize = defineRecipe({
  name: 'batch-size',
  about: {
    en: 'One point, 64 points or all points per step: 2-4-4-2 on the circle, as many epochs each',
    zh: '每步用 1 个点、64 个点还是全部的点：2-4-4-2 网络分圆，轮数相同',
  },
  goal: {
    en: 'single points and mini-batches learn the circle; the full batch, one step per epoch, has hardly begun',
    zh: '逐点和小批量都学会了圆；全批量每轮只走一步，才刚起步',
  },
  settings: {
    epochs: count(60),
    batchSize: count(64),
    lr: positive(0.1),
    lrSingle: positive(0.02),
    points: count(2000),
  },
  async train({ settings, language, progress }) {
    const { epochs, points } = settings;
    const data = makeShape('circle', points);
    const parts = trainTestSplit([data.x, data.y], { testSize: 0.2 });
    const [train, test] = [parts.train, parts.test].map(([x, y]) => ({ x, y })) as [Samples, Samples];
    const start = makeMlp([2, 4, 4, 2], 'he');
    const n = train.y.numel;
    const ways: readonly Way[] = [
      {
        words: { en: 'one point per step', zh: '逐点' },
        batchSize: 1,
        lr: settings.lrSingle,
        color: THEME.series[1],
      },
      {
        words: { en: `mini-batches of ${settings.batchSize}`, zh: `小批量 ${settings.batchSize}` },
        batchSize: settings.batchSize,
        lr: settings.lr,
        color: THEME.series[0],
      },
      {
        words: { en: 'all points per step', zh: '全批量' },
        batchSize: n,
        lr: settings.lr,
        color: THEME.series[2],
      },
    ];
    const runs: { way: Way; history: History; last: Metrics; seconds: number }[] = [];
    for (const [i, way] of ways.entries()) {
      const begin = performance.now();
      const history = await trainClassifier(copyMlp(start), train, test, {
        epochs,
        batchSize: way.batchSize,
        lr: way.lr,
        finalLr: way.lr,
        progress: (done, total, metrics) => progress(i * total + done, ways.length * total, metrics),
      });
      runs.push({ way, history, last: lastOf(history), seconds: (performance.now() - begin) / 1000 });
    }
    const epoch = Array.from({ length: epochs }, (_, i) => i + 1);
    const zh = language === 'zh';
    return {
      metrics: {
        ...runs[1]!.last,
        testAccuracySingle: runs[0]!.last['testAccuracy']!,
        testAccuracyFull: runs[2]!.last['testAccuracy']!,
      },
      facts: runs.map(r => {
        const steps = epochs * Math.ceil(n / r.way.batchSize);
        return [
          r.way.words,
          zh
            ? `${steps} 步，${r.seconds.toFixed(2)} 秒，测试准确率 ${percent(r.last['testAccuracy']!)}`
            : `${steps} steps, ${r.seconds.toFixed(2)} s, test accuracy ${percent(r.last['testAccuracy']!)}`,
        ] as const;
      }),
      pictures: async () => ({
        loss: chart({
          title: zh ? '圆 · 每步用多少个点' : 'Circle · points per step',
          subtitle: zh ? '2-4-4-2 ReLU，每轮之后的训练损失' : '2-4-4-2 ReLU, training loss after each epoch',
          x: { label: zh ? '轮' : 'epoch' },
          y: { label: zh ? '交叉熵（对数刻度）' : 'cross-entropy (log scale)', log: true },
          marks: runs.map(r =>
            line(epoch, r.history.trainLoss, { color: r.way.color, name: r.way.words[language] }),
          ),
        }),
      }),
    };
  },
});

interface Way {
  readonly words: Words;
  readonly batchSize: number;
  readonly lr: number;
  readonly color: string;
}

// Several ways to train on the same points, one beside the other: what experiments with one changed ingredient share.

import { compile, F, noGrad, randperm, type Samples, type Tensor, tensor } from '../../index.ts';
import type { Layer } from '../../nn/index.ts';
import type { Words } from '../language.ts';
import { comparisonPicture } from './curves.ts';
import { percent, type Result, type Run } from './recipe.ts';

/** One way: a model, an optimizer for it, and what else is different. */
export interface Way {
  readonly name: string;
  readonly words: Words;
  readonly model: Layer;
  readonly optimizer: { zeroGrad(): void; step(): unknown };
  readonly batchSize: number;
  /** Called before each step, counted from 0: schedules, clipping. */
  readonly beforeStep?: (step: number) => void;
  /** Called between backward and the update. */
  readonly beforeUpdate?: () => void;
  /** Added to the loss. */
  readonly penalty?: () => Tensor;
  /** Ends the training after an epoch. */
  readonly stop?: (course: Course) => boolean;
  /** In another order each epoch; by default true. */
  readonly shuffle?: boolean;
}
/** What happened after each epoch. */
export interface Course {
  readonly trainLoss: number[];
  readonly trainAccuracy: number[];
  readonly testLoss: number[];
  readonly testAccuracy: number[];
}
export interface Parts {
  readonly train: Samples;
  readonly test: Samples;
}

/** Mini-batches of cross-entropy; both parts are measured in eval after each epoch. */
export async function trainWay(
  way: Way,
  { train, test }: Parts,
  epochs: number,
  told: (epoch: number, course: Course) => void,
): Promise<Course> {
  const { model, optimizer, batchSize } = way;
  const step = compile((x: Tensor, y: Tensor, rows: Tensor) => {
    optimizer.zeroGrad();
    const fit = F.crossEntropy(model(x.indexSelect(0, rows)), y.indexSelect(0, rows));
    const loss = way.penalty === undefined ? fit : fit.add(way.penalty());
    loss.backward();
    way.beforeUpdate?.();
    optimizer.step();
    return loss;
  });
  const measure = compile((x: Tensor, y: Tensor) => {
    const logits = noGrad(() => model(x));
    return { loss: F.crossEntropy(logits, y), accuracy: logits.argmax(1).eq(y).to('float32').mean() };
  });
  const course: Course = { trainLoss: [], trainAccuracy: [], testLoss: [], testAccuracy: [] };
  const n = train.y.numel;
  let steps = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = way.shuffle === false ? null : await randperm(n).data();
    model.train();
    for (let at = 0; at < n; at += batchSize) {
      way.beforeStep?.(steps++);
      const rows = order?.subarray(at, at + batchSize) ?? inOrder(at, Math.min(n, at + batchSize));
      step(train.x, train.y, tensor(rows));
    }
    model.eval();
    const [a, b] = [measure(train.x, train.y), measure(test.x, test.y)];
    course.trainLoss.push(await a.loss.item());
    course.trainAccuracy.push(await a.accuracy.item());
    course.testLoss.push(await b.loss.item());
    course.testAccuracy.push(await b.accuracy.item());
    told(epoch, course);
    if (way.stop?.(course)) break;
  }
  return course;
}
const inOrder = (from: number, to: number): BigInt64Array =>
  BigInt64Array.from({ length: to - from }, (_, i) => BigInt(from + i));

export type Metric = keyof Course;
/** Trains all ways, and tells what each came to: metrics `METRICNAME`, one fact each, one picture of curves. */
export async function compareWays(
  ways: readonly Way[],
  parts: Parts,
  epochs: number,
  run: Pick<Run, 'language' | 'progress'>,
  look: {
    readonly title: Words;
    readonly subtitle: string;
    /** What the picture shows; by default the test accuracy. */
    readonly curve?: Metric;
  },
): Promise<Result & { readonly courses: Readonly<Record<string, Course>> }> {
  const courses: Record<string, Course> = {};
  for (const [i, way] of ways.entries()) {
    courses[way.name] = await trainWay(way, parts, epochs, (epoch, c) =>
      run.progress(i * epochs + epoch + 1, ways.length * epochs, {
        trainLoss: c.trainLoss.at(-1)!,
        testAccuracy: c.testAccuracy.at(-1)!,
      }),
    );
  }
  const { curve = 'testAccuracy' } = look;
  const zh = run.language === 'zh';
  const named: Record<Metric, Words> = {
    trainLoss: { en: 'training loss', zh: '训练损失' },
    trainAccuracy: { en: 'training accuracy', zh: '训练准确率' },
    testLoss: { en: 'test loss', zh: '测试损失' },
    testAccuracy: { en: 'test accuracy', zh: '测试准确率' },
  };
  return {
    courses,
    metrics: Object.fromEntries(
      ways.flatMap(w =>
        Object.entries(courses[w.name]!).map(([metric, v]) => [`${metric}${w.name}`, v.at(-1)!] as const),
      ),
    ),
    facts: ways.map(w => {
      const c = courses[w.name]!;
      const [loss, accuracy] = [c.trainLoss.at(-1)!.toFixed(3), percent(c.testAccuracy.at(-1)!)];
      return [
        w.words,
        zh ? `训练损失 ${loss}，测试准确率 ${accuracy}` : `training loss ${loss}, test accuracy ${accuracy}`,
      ] as const;
    }),
    pictures: async () => ({
      comparison: comparisonPicture(
        Object.fromEntries(ways.map(w => [w.words[run.language], courses[w.name]![curve]])),
        {
          title: look.title,
          subtitle: look.subtitle,
          language: run.language,
          label: named[curve][run.language],
          log: curve.endsWith('Loss'),
        },
      ),
    }),
  };
}

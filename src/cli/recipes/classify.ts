// Recipes that tell two classes of points in the plane apart: what circle, triangle, square and rings have in common.

import { classCounts, type Samples, tensor, trainTestSplit } from '../../index.ts';
import type { Interval, Point } from '../../viz/index.ts';
import type { Words } from '../language.ts';
import { INITS, lastOf, makeMlp, probabilities, trainClassifier } from './mlp.ts';
import { boundaryPicture, learningPicture, networkPicture } from './plane.ts';
import { count, defineRecipe, notNegative, oneOf, pair, percent, positive, type Recipe } from './recipe.ts';

export interface PlaneTask {
  readonly name: string;
  readonly about: Words;
  readonly goal: Words;
  readonly title: Words;
  /** What classes 0 and 1 are called. */
  readonly classes: readonly [Words, Words];
  readonly makeData: (points: number) => Samples;
  readonly sizes: readonly number[];
  readonly training: {
    readonly epochs: number;
    readonly batchSize: number;
    readonly lr: number;
    readonly finalLr: number;
  };
  /** Limits of both axes in pictures. */
  readonly reach: Interval;
  /** The border that the labels come from, where it is known. */
  readonly outline?: readonly Point[];
}

const testWords: Words = { en: 'test accuracy', zh: '测试准确率' };

export function planeRecipe(task: PlaneTask): Recipe {
  const { training, sizes, classes } = task;
  return defineRecipe({
    name: task.name,
    about: task.about,
    goal: task.goal,
    settings: {
      epochs: count(training.epochs),
      batchSize: count(training.batchSize),
      lr: positive(training.lr),
      finalLr: positive(training.finalLr),
      momentum: notNegative(0),
      points: count(2000),
      init: oneOf('he', INITS),
      point: pair([0.3, 0.2]),
    },
    async train({ settings, language, progress }) {
      const data = task.makeData(settings.points);
      const parts = trainTestSplit([data.x, data.y], { testSize: 0.2 });
      const [train, test] = [parts.train, parts.test].map(([x, y]) => ({ x, y })) as [Samples, Samples];
      const layers = makeMlp(sizes, settings.init);
      const history = await trainClassifier(layers, train, test, { ...settings, progress });

      const metrics = lastOf(history);
      const point = settings.point.join(', ');
      const p = await probabilities(layers, tensor([settings.point])).data(); // (1, 2)
      const told = p[1]! > p[0]! ? 1 : 0;
      const accuracy = percent(metrics['testAccuracy']!);
      const look = {
        words: { title: task.title, classes },
        language,
        subtitle: `${sizes.join('-')}${sizes.length > 2 ? ' ReLU' : ''} · ${testWords[language]} ${accuracy}`,
        reach: task.reach,
        ...(task.outline ? { outline: task.outline } : {}),
      };
      return {
        metrics,
        facts: [
          [
            {
              en: `points ${classes[0].en}, ${classes[1].en}`,
              zh: `点数：${classes[0].zh}、${classes[1].zh}`,
            },
            classCounts(data.y).join(', '),
          ],
          [{ en: 'training accuracy', zh: '训练准确率' }, percent(metrics['trainAccuracy']!)],
          [testWords, accuracy],
          [
            { en: `new point (${point})`, zh: `新的点 (${point})` },
            `${classes[told][language]}, p = ${Number(p[told]).toFixed(4)}`,
          ],
        ],
        pictures: async () => ({
          boundary: await boundaryPicture(layers, test, look),
          learning: learningPicture(history, look),
          // Wider layers are more lines than an eye can follow.
          ...(Math.max(...sizes) <= 8 ? { network: await networkPicture(layers, look) } : {}),
        }),
      };
    },
  });
}

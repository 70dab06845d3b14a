// Is the number of ones odd? A plain RNN that is told only at the end does not find out; told at every step, or taught
// with short sequences first, it does.

import { makeParity } from '../../data/index.ts';
import { F, type Samples } from '../../index.ts';
import { RecurrentNet } from '../../text/index.ts';
import type { Words } from '../language.ts';
import { trainingPicture } from './curves.ts';
import { count, defineRecipe, percent, positive, type Recipe, type Result } from './recipe.ts';
import { type SequenceTask, stopAt, trainNet } from './sequence-nets.ts';

const LEARNED = 0.99;
/** Sequences of `length` bits, told at the end or at every step; short ones are few, so all of them come often. */
function task(length: number, told: 'last' | 'running', size: number): SequenceTask {
  const short = 2 ** length < 4 * size;
  const train = short ? 2 ** length : size;
  const parts = makeParity<string>(length, short ? { train } : { train, test: 1000 }, { labels: told });
  return {
    // As many steps in an epoch, however few sequences there are.
    train: repeated(parts['train']!, Math.ceil(size / train)),
    test: parts['test'] ?? parts['train']!,
    inputs: 1,
    outputs: 2,
    answer: (net, x) => net.steps(x), // (N, T, 2)
    loss: (answer, y) =>
      told === 'running'
        ? F.crossEntropy(answer.flatten(0, 1), y.flatten())
        : F.crossEntropy(answer.select(1, -1), y),
    judged: (answer, y) => [answer.select(1, -1), told === 'running' ? y.select(1, -1) : y],
  };
}
const repeated = ({ x, y }: Samples, n: number): Samples => ({
  x: x.repeat(n, 1, 1),
  y: y.repeat(n, ...Array<number>(y.ndim - 1).fill(1)),
});
interface Way {
  readonly name: string;
  readonly about: Words;
  readonly goal: Words;
  readonly told: 'last' | 'running';
  /** Lengths before the whole one; each is left when it is learned. */
  readonly lessons: readonly number[];
  readonly epochs: number;
}

const parityRecipe = (way: Way): Recipe =>
  defineRecipe({
    name: way.name,
    about: way.about,
    goal: way.goal,
    settings: {
      epochs: count(way.epochs),
      length: count(16),
      hidden: count(32),
      batchSize: count(64),
      lr: positive(5e-3),
      sequences: count(6400),
    },
    async train({ settings, language, fit }): Promise<Result> {
      const { length, hidden, sequences } = settings;
      const net = new RecurrentNet('rnn', 1, 2, { hidden });
      const zh = language === 'zh';
      const facts: (readonly [Words, string])[] = [];
      let history: Readonly<Record<string, readonly number[]>> = {};
      for (const T of [...way.lessons.filter(T => T < length), length]) {
        const stop = [stopAt('testAccuracy', LEARNED)];
        history = await trainNet(`T${T}`, net, task(T, way.told, sequences), settings, fit, stop);
        facts.push([
          { en: `T = ${T}`, zh: `T = ${T}` },
          `${percent(history['testAccuracy']!.at(-1)!)}${zh ? '，轮数' : ', epochs:'} ${history['testAccuracy']!.length}`,
        ]);
      }
      const last = (name: string): number => history[name]!.at(-1)!;
      return {
        metrics: Object.fromEntries(
          ['trainLoss', 'trainAccuracy', 'testLoss', 'testAccuracy'].map(name => [name, last(name)]),
        ),
        facts,
        pictures: async () => ({
          learning: trainingPicture(history, {
            title: way.about,
            subtitle: `RNN ${hidden} · T = ${length}`,
            language,
          }),
        }),
      };
    },
  });
export const PARITY: readonly Recipe[] = [
  parityRecipe({
    name: 'parity',
    about: {
      en: 'Is the number of ones in 16 bits odd? A plain RNN that is told at the end only',
      zh: '16 位中 1 的个数是奇数吗？普通 RNN，只在最后给出标签',
    },
    goal: {
      en: 'as it is stated it is hard: about 50 % (told at each step, or by lessons, ≥ 99 %)',
      zh: '照题目原样很难：约 50 %（逐步给标签或由短到长则 ≥ 99 %）',
    },
    told: 'last',
    lessons: [],
    epochs: 10,
  }),
  parityRecipe({
    name: 'parity-steps',
    about: {
      en: 'Parity of 16 bits, the parity so far told at every step',
      zh: '16 位奇偶性，每一步都给出到目前为止的奇偶',
    },
    goal: {
      en: 'test accuracy of the last step ≥ 99 % in at least 3 of 4 seeds',
      zh: '4 个随机种子中至少 3 个最后一步测试准确率 ≥ 99 %',
    },
    told: 'running',
    lessons: [],
    epochs: 20,
  }),
  parityRecipe({
    name: 'parity-curriculum',
    about: {
      en: 'Parity of 16 bits, told at the end only, after lessons of 2, 3, 4, 5, 6, 8 … 14 bits',
      zh: '16 位奇偶性，只在最后给标签，先学 2、3、4、5、6、8 … 14 位',
    },
    goal: {
      en: 'test accuracy ≥ 99 % in at least 3 of 4 seeds',
      zh: '4 个随机种子中至少 3 个测试准确率 ≥ 99 %',
    },
    told: 'last',
    lessons: [2, 3, 4, 5, 6, 8, 10, 12, 14],
    epochs: 12,
  }),
];

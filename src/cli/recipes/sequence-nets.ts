// Several recurrent nets on the same sequences, one beside the other: what experiments with memory have in common.

import { DataLoader, TensorDataset } from '../../data/index.ts';
import type { Samples, Tensor } from '../../index.ts';
import { Adam } from '../../optim/index.ts';
import { RecurrentNet, type RecurrentNetOptions } from '../../text/index.ts';
import { Accuracy, type Callback } from '../../train/index.ts';
import type { Words } from '../language.ts';
import { comparisonPicture } from './curves.ts';
import { percent, type Result, type Run } from './recipe.ts';

/** A net by its name: 'RNN', or 'LSTMKeep' where its first weights keep the state. */
export interface Candidate {
  readonly name: string;
  readonly words: Words;
  readonly kind: RecurrentNet['kind'];
  readonly start: NonNullable<RecurrentNetOptions['start']>;
}
const TITLES = { rnn: 'RNN', gru: 'GRU', lstm: 'LSTM' } as const;
const KEEPS: Readonly<Record<RecurrentNet['kind'], Words>> = {
  rnn: { en: 'orthogonal W_hh', zh: 'W_hh 正交' },
  gru: { en: 'gate bias 3', zh: '门偏置 3' },
  lstm: { en: 'forget bias 3', zh: '遗忘门偏置 3' },
};
export function candidate(kind: RecurrentNet['kind'], start: Candidate['start'] = 'plain'): Candidate {
  const title = TITLES[kind];
  const name = start === 'keep' ? `${title}Keep` : title;
  const more = (language: 'en' | 'zh'): string =>
    start === 'keep' ? `${title}, ${KEEPS[kind][language]}` : title;
  return { name, words: { en: more('en'), zh: more('zh') }, kind, start };
}

/** Sequences of a task, and how answers are asked for and judged. */
export interface SequenceTask {
  readonly train: Samples;
  readonly test: Samples;
  readonly inputs: number;
  readonly outputs: number;
  /** What the net says, in the form that the loss takes. */
  readonly answer: (net: RecurrentNet, x: Tensor) => Tensor;
  readonly loss: (answer: Tensor, y: Tensor) => Tensor;
  /** Answers and targets that count for the accuracy; without it there is none. */
  readonly judged?: (answer: Tensor, y: Tensor) => readonly [logits: Tensor, y: Tensor];
}
interface Training {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly hidden: number;
}
/** Ends a training as soon as a metric is there. */
export const stopAt = (metric: string, value: number): Callback => ({
  onEvent(event, training) {
    if (event.kind === 'epoch' && event.metrics[metric]! >= value) training.stop();
  },
});

/** One net by Adam with clipped gradients; its history has testLoss and, where it is judged, testAccuracy by epoch. */
export async function trainNet(
  name: string,
  net: RecurrentNet,
  task: SequenceTask,
  { epochs, batchSize, lr }: Omit<Training, 'hidden'>,
  fit: Run['fit'],
  callbacks: readonly Callback[] = [],
): Promise<Readonly<Record<string, readonly number[]>>> {
  const batches = ({ x, y }: Samples, options: { batchSize: number; shuffle?: boolean }) =>
    new DataLoader(new TensorDataset(x, y), options);
  const { history } = await fit(name, net, {
    train: batches(task.train, { batchSize, shuffle: true }),
    validate: batches(task.test, { batchSize: 500 }),
    validateAs: 'test',
    epochs,
    optimizer: new Adam(net.parameters(), { lr }),
    clipGradNorm: 1,
    forward: ([x, y]) => {
      const answer = task.answer(net, x!);
      const [output, target] = task.judged?.(answer, y!) ?? [answer, y!];
      return { loss: task.loss(answer, y!), output, target };
    },
    ...(task.judged === undefined ? {} : { metrics: { accuracy: new Accuracy() } }),
    callbacks,
  });
  return history;
}

/** Metrics `testLossNAME` and `testAccuracyNAME`, a fact for each net, and their curves. */
export async function compareNets(
  candidates: readonly Candidate[],
  task: SequenceTask,
  training: Training,
  { fit, language }: Pick<Run, 'fit' | 'language'>,
  look: { readonly title: Words; readonly subtitle: string },
): Promise<Result> {
  const metrics: Record<string, number> = {};
  const curves: Record<string, readonly number[]> = {};
  const facts: (readonly [Words, string])[] = [];
  const judged = task.judged !== undefined;
  for (const c of candidates) {
    const net = new RecurrentNet(c.kind, task.inputs, task.outputs, {
      hidden: training.hidden,
      start: c.start,
    });
    const history = await trainNet(c.name, net, task, training, fit);
    const [loss, accuracy] = [history['testLoss']!, history['testAccuracy']];
    metrics[`testLoss${c.name}`] = loss.at(-1)!;
    if (accuracy !== undefined) metrics[`testAccuracy${c.name}`] = accuracy.at(-1)!;
    curves[c.words[language]] = accuracy ?? loss;
    const size = net.parameters().reduce((n, p) => n + p.numel, 0);
    const parts = [
      `${size} ${language === 'zh' ? '个参数' : 'parameters'}`,
      `${language === 'zh' ? '测试损失' : 'test loss'} ${loss.at(-1)!.toPrecision(3)}`,
      ...(accuracy === undefined
        ? []
        : [`${language === 'zh' ? '测试准确率' : 'test accuracy'} ${percent(accuracy.at(-1)!)}`]),
    ];
    facts.push([c.words, parts.join(language === 'zh' ? '，' : ', ')]);
  }
  const label = judged ? { en: 'test accuracy', zh: '测试准确率' } : { en: 'test loss', zh: '测试损失' };
  return {
    metrics,
    facts,
    pictures: async () => ({
      comparison: comparisonPicture(curves, {
        ...look,
        language,
        label: label[language],
        log: !judged,
      }),
    }),
  };
}

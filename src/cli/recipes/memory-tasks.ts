// How long does a recurrent net remember? The first bit of many, symbols to be repeated after a pause, two numbers to be
// added: RNN, GRU and LSTM of the same width, and first weights that keep the state.

import { makeAdding, makeCopy, makeRecall } from '../../data/index.ts';
import { F, type Samples } from '../../index.ts';
import type { RecurrentKind } from '../../text/index.ts';
import { count, defineRecipe, positive } from './recipe.ts';
import { candidate, compareNets } from './sequence-nets.ts';

const KINDS: readonly RecurrentKind[] = ['rnn', 'gru', 'lstm'];
const parts = (make: (n: number) => Samples, sequences: number): { train: Samples; test: Samples } => ({
  train: make(sequences),
  test: make(1000),
});
const training = (epochs: number, hidden: number, lr: number) => ({
  epochs: count(epochs),
  hidden: count(hidden),
  batchSize: count(64),
  lr: positive(lr),
  sequences: count(6400),
});

export const recall = defineRecipe({
  name: 'recall',
  about: {
    en: 'The first bit of 40, to be told at the end: RNN, GRU, LSTM with the usual first weights and with ones that keep',
    zh: '40 位序列里记住第一位，最后说出来：RNN、GRU、LSTM，默认初始化与利于记忆的初始化',
  },
  goal: {
    en: 'RNN with orthogonal W_hh, GRU and LSTM with gate bias 3: ≥ 99 % in at least 4 of 6 seeds; the usual ones as they are',
    zh: 'W_hh 正交的 RNN、门偏置为 3 的 GRU 和 LSTM：6 个种子中至少 4 个 ≥ 99 %；默认初始化如实报告',
  },
  settings: { ...training(5, 32, 5e-3), length: count(40) },
  async train({ settings, ...run }) {
    const { length, hidden } = settings;
    return compareNets(
      KINDS.flatMap(kind => [candidate(kind), candidate(kind, 'keep')]),
      {
        ...parts(n => makeRecall(n, length), settings.sequences),
        inputs: 2,
        outputs: 2,
        answer: (net, x) => net(x),
        loss: (answer, y) => F.crossEntropy(answer, y),
        judged: (answer, y) => [answer, y],
      },
      settings,
      run,
      {
        title: { en: `The first of ${length} bits`, zh: `${length} 位中的第一位` },
        subtitle: `${hidden} · Adam ${settings.lr}`,
      },
    );
  },
});

const [SYMBOLS, LENGTH] = [4, 3];
export const copy = defineRecipe({
  name: 'copy',
  about: {
    en: 'Three symbols of four, a pause of 20 steps, and the symbols again: RNN, GRU, LSTM',
    zh: '记住三个符号（共四种），停顿 20 步后原样复述：RNN、GRU、LSTM',
  },
  goal: {
    en: 'GRU ≥ 99 % of the symbols; RNN and LSTM are behind (chance is 25 %)',
    zh: 'GRU 复述正确率 ≥ 99 %；RNN、LSTM 落后（随机猜为 25 %）',
  },
  settings: { ...training(8, 64, 0.01), delay: count(20) },
  async train({ settings, ...run }) {
    const { delay } = settings;
    const start = delay + LENGTH;
    const make = (n: number): Samples => {
      const { x, y } = makeCopy(n, delay, { symbols: SYMBOLS, length: LENGTH });
      return { x: F.oneHot(x, SYMBOLS + 2).to('float32'), y };
    };
    return compareNets(
      KINDS.map(kind => candidate(kind)),
      {
        ...parts(make, settings.sequences),
        inputs: SYMBOLS + 2,
        outputs: SYMBOLS + 1,
        answer: (net, x) => net.steps(x), // (N, T, symbols + 1)
        loss: (answer, y) => F.crossEntropy(answer.flatten(0, 1), y.flatten()),
        judged: (answer, y) => [
          answer.narrow(1, start, LENGTH).flatten(0, 1),
          y.narrow(1, start, LENGTH).flatten(),
        ],
      },
      settings,
      run,
      {
        title: { en: 'Symbols after a pause', zh: '停顿之后复述符号' },
        subtitle: `${SYMBOLS}^${LENGTH} · ${delay}`,
      },
    );
  },
});

export const adding = defineRecipe({
  name: 'adding',
  about: {
    en: 'The sum of two marked numbers of 50: RNN, GRU, LSTM',
    zh: '50 个数中两个带标记的数之和：RNN、GRU、LSTM',
  },
  goal: {
    en: 'GRU: mean squared error ≤ 0.01; always to say 1 has 0.167, and so has the RNN',
    zh: 'GRU 均方误差 ≤ 0.01；总说 1 的误差是 0.167，RNN 也不过如此',
  },
  settings: { ...training(8, 32, 5e-3), length: count(50) },
  async train({ settings, ...run }) {
    const { length } = settings;
    return compareNets(
      KINDS.map(kind => candidate(kind, kind === 'lstm' ? 'keep' : 'plain')),
      {
        ...parts(n => makeAdding(n, length), settings.sequences),
        inputs: 2,
        outputs: 1,
        answer: (net, x) => net(x),
        loss: (answer, y) => F.mseLoss(answer, y),
      },
      settings,
      run,
      {
        title: { en: 'Two marked numbers, added', zh: '把两个带标记的数相加' },
        subtitle: `T = ${length}`,
      },
    );
  },
});

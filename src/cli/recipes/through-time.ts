// The gradient on its way back through time: how much of it arrives, what keeps it from bursting, and what is lost where
// it is cut.

import { makeAdding } from '../../data/index.ts';
import { compile, F, manualSeed, noGrad, randint, randn, type Tensor, zeros } from '../../index.ts';
import { clipGradNorm_, Linear, type Module, RNN } from '../../nn/index.ts';
import { Adam, SGD } from '../../optim/index.ts';
import { gatesThroughTime, gradientsThroughTime, RecurrentNet, startKeeping } from '../../text/index.ts';
import { cellGraph, chart, line, matrixChart, seriesColor, unrolled } from '../../viz/index.ts';
import type { Words } from '../language.ts';
import { count, defineRecipe, percent, positive } from './recipe.ts';
import { type Candidate, candidate } from './sequence-nets.ts';

/** W_hh of all levels times a number. */
function scaleRecurrence(net: Module, factor: number): void {
  noGrad(() => {
    for (const [name, p] of net.namedParameters()) if (name.includes('weight_hh')) p.mul_(factor);
  });
}

// ---- how much arrives -------------------------------------------------------------------------------------------------

const NETS: readonly (Candidate & { readonly scale?: number })[] = [
  candidate('rnn'),
  candidate('rnn', 'keep'),
  {
    ...candidate('rnn', 'keep'),
    name: 'RNNHalf',
    words: { en: 'RNN, half an orthogonal W_hh', zh: 'RNN，正交 W_hh 的一半' },
    scale: 0.5,
  },
  candidate('gru'),
  candidate('gru', 'keep'),
  candidate('lstm'),
  candidate('lstm', 'keep'),
];
export const timeGradient = defineRecipe({
  name: 'time-gradient',
  about: {
    en: '‖∂L/∂h_t‖ of a loss after 50 steps, at every step back to the first: RNN, GRU, LSTM and their first weights',
    zh: '第 50 步的损失对每一步状态的梯度 ‖∂L/∂h_t‖：RNN、GRU、LSTM 与各自的初始化',
  },
  goal: {
    en: 'RNN, GRU and LSTM as usual: less than 10⁻³ arrives at step 1; with weights that keep: more than 1 %',
    zh: '默认初始化：传回第 1 步的不足千分之一；利于记忆的初始化：多于 1 %',
  },
  settings: { epochs: count(1), length: count(50), hidden: count(32), batchSize: count(16) },
  async train({ settings, language, progress }) {
    const { length, hidden, batchSize } = settings;
    const x = randn([batchSize, length, 2]); // (N, T, 2)
    const norms: Record<string, number[]> = {};
    const metrics: Record<string, number> = {};
    const nets: Record<string, RecurrentNet> = {};
    for (const [i, { name, kind, start, scale = 1 }] of NETS.entries()) {
      const net = new RecurrentNet(kind, 2, 1, { hidden, start });
      if (scale !== 1) scaleRecurrence(net.rnn, scale);
      nets[name] = net;
      norms[name] = await gradientsThroughTime(net.rnn, x, last => net.head(last).mean());
      metrics[`arrives${name}`] = norms[name][0]! / norms[name].at(-1)!;
      progress(i + 1, NETS.length, {});
    }
    const zh = language === 'zh';
    const title = zh ? '梯度随时间回传' : 'The gradient on its way back through time';
    return {
      metrics,
      facts: NETS.map(({ name, words }) => [words, metrics[`arrives${name}`]!.toExponential(1)]),
      pictures: async () => {
        const gates = await gatesThroughTime(nets['LSTMKeep']!.rnn, x.narrow(1, 0, 12));
        const shown = 5;
        return {
          norms: chart({
            title,
            subtitle: `T = ${length} · ${hidden}`,
            x: { label: zh ? '时间步 t' : 'step t' },
            y: { label: '‖∂L/∂h_t‖', log: true },
            marks: NETS.map(({ name, words }, i) =>
              line(
                norms[name]!.map((_, t) => t + 1),
                norms[name]!.map(v => Math.max(v, 1e-12)),
                { name: words[language], color: seriesColor(i), width: 2 },
              ),
            ),
          }),
          unrolled: unrolled({
            title: zh ? 'RNN 按时间展开，梯度往回走' : 'An RNN unrolled, and the gradient that runs back',
            inputs: Array.from({ length: shown }, (_, t) => `x${'₁₂₃₄₅'[t]}`),
            outputs: Array.from({ length: shown }, (_, t) => (t === shown - 1 ? 'L' : '')),
            gradients: norms['RNN']!.slice(-shown),
          }),
          gates: matrixChart({
            title: zh ? 'LSTM 的遗忘门（偏置 3）' : 'Forget gates of an LSTM with bias 3',
            rows: Array.from({ length: 8 }, (_, i) => String(i + 1)),
            columns: gates['forget']!.map((_, t) => String(t + 1)),
            values: Array.from({ length: 8 }, (_, i) => gates['forget']!.map(units => units[i]!)),
            rowLabel: zh ? '单元' : 'unit',
            columnLabel: zh ? '时间步' : 'step',
            domain: [0, 1],
            format: v => v.toFixed(2),
          }),
          gru: cellGraph('gru', { title: zh ? 'GRU 单元' : 'A cell of a GRU' }),
          lstm: cellGraph('lstm', { title: zh ? 'LSTM 单元' : 'A cell of an LSTM' }),
        };
      },
    };
  },
});

// ---- what keeps it from bursting -----------------------------------------------------------------------------------------

const FROM = 1e-3;
export const clipping = defineRecipe({
  name: 'clipping',
  about: {
    en: 'A ReLU RNN whose state grows by half at each of 30 steps: SGD with and without a limit for the norm of the gradient',
    zh: '状态每步增长一半的 ReLU RNN（30 步）：SGD，限制与不限制梯度范数',
  },
  goal: {
    en: 'without a limit the loss ends above 1000 or is no number; with one it ends below 0.5',
    zh: '不裁剪：损失最后大于 1000 或不再是数；裁剪后：低于 0.5',
  },
  settings: {
    epochs: count(10),
    length: count(30),
    hidden: count(32),
    batchSize: count(32),
    lr: positive(0.01),
    limit: positive(1),
    growth: positive(1.5),
  },
  async train({ settings, language, progress }) {
    const { epochs, length, hidden, batchSize, lr, limit, growth } = settings;
    const zh = language === 'zh';
    const ways: readonly { readonly name: string; readonly words: Words; readonly limit: number }[] = [
      { name: 'Plain', words: { en: 'without a limit', zh: '不裁剪' }, limit: Number.MAX_VALUE },
      { name: 'Clipped', words: { en: `norm at most ${limit}`, zh: `范数不超过 ${limit}` }, limit },
    ];
    const seed = randint(0, 1 << 30, [1]).itemSync();
    const losses: Record<string, number[]> = {};
    const metrics: Record<string, number> = {};
    for (const [i, way] of ways.entries()) {
      manualSeed(seed);
      const [rnn, head] = [
        new RNN(2, hidden, { batchFirst: true, nonlinearity: 'relu' }),
        new Linear(hidden, 1),
      ];
      startKeeping(rnn);
      scaleRecurrence(rnn, growth);
      const parameters = [...rnn.parameters(), ...head.parameters()];
      const optimizer = new SGD(parameters, { lr });
      const step = compile((x: Tensor, y: Tensor) => {
        optimizer.zeroGrad();
        const loss = F.mseLoss(head(rnn(x)[0].select(1, -1)), y);
        loss.backward();
        if (way.limit < Number.MAX_VALUE) clipGradNorm_(parameters, way.limit);
        optimizer.step();
        return loss;
      });
      losses[way.name] = [];
      for (let epoch = 0; epoch < epochs; epoch++) {
        for (let k = 0; k < 20; k++) {
          const { x, y } = makeAdding(batchSize, length);
          losses[way.name]!.push(await step(x, y).item());
        }
        progress(i * epochs + epoch + 1, 2 * epochs, {});
      }
      const end = losses[way.name]!.slice(-20);
      const mean = end.reduce((a, b) => a + b, 0) / end.length;
      // A number that scripts can read: what is none is the largest there is.
      metrics[`trainLoss${way.name}`] = Number.isFinite(mean) ? mean : Number.MAX_VALUE;
    }
    return {
      metrics,
      facts: ways.map(w => [
        w.words,
        `${zh ? '损失' : 'loss'} ${metrics[`trainLoss${w.name}`]!.toPrecision(3)}`,
      ]),
      pictures: async () => ({
        losses: chart({
          title: zh ? '梯度裁剪' : 'Clipping the gradient',
          subtitle: `RNN ReLU · T = ${length} · SGD ${lr}`,
          x: { label: zh ? '步' : 'step' },
          y: { label: zh ? '损失' : 'loss', log: true },
          marks: ways.map((w, i) => {
            const shown = losses[w.name]!.filter(v => Number.isFinite(v) && v < 1e12);
            return line(
              shown.map((_, t) => t + 1),
              shown.map(v => Math.max(v, FROM)),
              { name: w.words[language], color: seriesColor(i), width: 2 },
            );
          }),
        }),
      }),
    };
  },
});

// ---- what is lost where it is cut ------------------------------------------------------------------------------------------

const LAG = 6;
const WINDOWS = [3, 6, 9, 12, 24];
export const tbptt = defineRecipe({
  name: 'tbptt',
  about: {
    en: 'The bit of six steps ago, from a stream: BPTT cut after 3, 6, 9, 12 and 24 steps, the state carried over',
    zh: '从数据流里说出六步之前的那一位：BPTT 每 3、6、9、12、24 步截断，状态照样传递',
  },
  goal: {
    en: 'windows of 9 steps and more ≥ 99 %; of 3 and 6, in which no gradient reaches that bit, below 75 %',
    zh: '窗口 ≥ 9 步：≥ 99 %；3 和 6 步的梯度到不了那一位：低于 75 %',
  },
  settings: {
    epochs: count(1),
    length: count(9600),
    hidden: count(32),
    batchSize: count(32),
    lr: positive(3e-3),
  },
  async train({ settings, language, progress }) {
    const { epochs, length, hidden, batchSize, lr } = settings;
    const bits = randint(0, 2, [batchSize, length + LAG]).realize(); // (N, T + lag)
    const metrics: Record<string, number> = {};
    const curves: Record<string, number[]> = {};
    for (const [i, window] of WINDOWS.entries()) {
      const net = new RecurrentNet('rnn', 1, 2, { hidden, start: 'keep' });
      const optimizer = new Adam(net.parameters(), { lr });
      const step = compile((now: number, then: number, before: Tensor) => {
        optimizer.zeroGrad();
        const x = bits.narrow(1, now, window).unsqueeze(-1).to('float32'); // (N, window, 1)
        const y = bits.narrow(1, then, window); // (N, window)
        const [states, last] = (net.rnn as RNN)(x, before) as [Tensor, Tensor]; // (N, window, H)
        const logits = net.head(states); // (N, window, 2)
        F.crossEntropy(logits.flatten(0, 1), y.flatten()).backward();
        clipGradNorm_(net.parameters(), 1);
        optimizer.step();
        // The state goes on, its history does not.
        return { right: logits.argmax(-1).eq(y).to('float32').mean(), after: last.detach() };
      });
      const shares: number[] = [];
      for (let epoch = 0; epoch < epochs; epoch++) {
        let state = zeros([1, batchSize, hidden]);
        for (let at = 0; at + window <= length; at += window) {
          const r = step(at + LAG, at, state);
          state = r.after;
          shares.push(await r.right.item());
        }
      }
      const end = shares.slice(-Math.ceil(shares.length / 10));
      metrics[`trainAccuracy${window}`] = end.reduce((a, b) => a + b, 0) / end.length;
      const bin = Math.ceil(shares.length / 40);
      curves[String(window)] = Array.from({ length: Math.floor(shares.length / bin) }, (_, k) => {
        const part = shares.slice(k * bin, (k + 1) * bin);
        return part.reduce((a, b) => a + b, 0) / part.length;
      });
      progress(i + 1, WINDOWS.length, {});
    }
    const zh = language === 'zh';
    return {
      metrics,
      facts: WINDOWS.map(w => [
        { en: `window of ${w} steps`, zh: `窗口 ${w} 步` },
        percent(metrics[`trainAccuracy${w}`]!),
      ]),
      pictures: async () => ({
        accuracy: chart({
          title: zh ? '截断的 BPTT' : 'BPTT that is cut',
          subtitle: zh ? `${LAG} 步之前的那一位` : `the bit of ${LAG} steps ago`,
          x: { label: zh ? '读过的部分 %' : 'share of the stream, %' },
          y: { label: zh ? '准确率' : 'accuracy', domain: [0.4, 1] },
          marks: WINDOWS.map((w, i) =>
            line(
              curves[String(w)]!.map((_, k) => (100 * (k + 1)) / curves[String(w)]!.length),
              curves[String(w)]!,
              { name: zh ? `${w} 步` : `${w} steps`, color: seriesColor(i), width: 2 },
            ),
          ),
        }),
      }),
    };
  },
});

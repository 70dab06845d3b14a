// Tomorrow's temperature from the last weeks: an LSTM beside the guess that tomorrow is as today.

import { DataLoader, minTemperatures, seriesWindows, TensorDataset } from '../../data/index.ts';
import { F, noGrad, type Tensor, tensor } from '../../index.ts';
import { Adam } from '../../optim/index.ts';
import { Forecaster } from '../../text/index.ts';
import { chart, line, seriesColor } from '../../viz/index.ts';
import { trainingPicture } from './curves.ts';
import { count, defineRecipe, fixed, percent, positive } from './recipe.ts';

const SHOWN = 120;

export const forecast = defineRecipe({
  name: 'forecast',
  about: {
    en: "Melbourne's lowest temperature of tomorrow from the last 30 days, by an LSTM",
    zh: '用 LSTM 由过去 30 天预测墨尔本明天的最低气温',
  },
  goal: {
    en: 'error (RMSE) on the last two years ≤ 90 % of that of "as today"',
    zh: '最后两年的均方根误差 ≤ “和今天一样”的 90 %',
  },
  settings: {
    epochs: count(15),
    batchSize: count(64),
    lr: positive(3e-3),
    hidden: count(32),
    length: count(30),
  },
  async train({ settings, language, fit }) {
    const { epochs, batchSize, lr, hidden, length } = settings;
    const values = await minTemperatures();
    const cut = Math.floor(0.8 * values.length);
    const [train, test] = [
      seriesWindows(values.subarray(0, cut), length),
      // The first days of the test are told from the last of the training.
      seriesWindows(values.subarray(cut - length), length),
    ];
    const known = tensor(Float32Array.from(values.subarray(0, cut)));
    const model = new Forecaster(known.mean(), known.std(), { hidden });
    const { history } = await fit('lstm', model, {
      train: new DataLoader(new TensorDataset(train.x, train.y), { batchSize, shuffle: true }),
      validate: new DataLoader(new TensorDataset(test.x, test.y), { batchSize: 365 }),
      validateAs: 'test',
      epochs,
      optimizer: new Adam(model.parameters(), { lr }),
      clipGradNorm: 1,
      loss: (output, y) => F.mseLoss(output, y),
    });
    const told = noGrad(() => model(test.x)) as Tensor; // (n, 1)
    const today = test.x.narrow(1, length - 1, 1); // (n, 1)
    const errorOf = async (said: Tensor): Promise<number> => Math.sqrt(await F.mseLoss(said, test.y).item());
    const [testRmse, todayRmse] = [await errorOf(told), await errorOf(today)];
    const ratio = testRmse / todayRmse;
    const degrees = (v: number): string => `${fixed(v, 2)} °C`;
    return {
      metrics: {
        trainLoss: history['trainLoss']!.at(-1)!,
        testLoss: testRmse ** 2,
        testRmse,
        todayRmse,
        ratio,
      },
      facts: [
        [{ en: 'LSTM, root of the mean squared error', zh: 'LSTM 均方根误差' }, degrees(testRmse)],
        [{ en: '"as today"', zh: '“和今天一样”' }, degrees(todayRmse)],
        [{ en: 'LSTM beside it', zh: '两者之比' }, percent(ratio)],
      ],
      pictures: async () => {
        const days = Array.from({ length: SHOWN }, (_, i) => i);
        const of = async (t: Tensor): Promise<number[]> =>
          Array.from((await t.narrow(0, 0, SHOWN).contiguous().data()) as Float32Array);
        const [truth, said] = [await of(test.y), await of(told)];
        const zh = language === 'zh';
        return {
          forecast: chart({
            title: zh ? '前一天的预测与实际' : 'What was told the day before, and what came',
            subtitle: `LSTM ${degrees(testRmse)} · ${zh ? '和今天一样' : 'as today'} ${degrees(todayRmse)}`,
            x: { label: zh ? '测试期的第几天' : 'day of the test' },
            y: { label: '°C' },
            marks: [
              line(days, truth, { name: zh ? '实际' : 'truth', color: seriesColor(0), width: 1.5 }),
              line(days, said, { name: 'LSTM', color: seriesColor(1), width: 2 }),
            ],
          }),
          learning: trainingPicture(history, {
            title: { en: "Tomorrow's temperature", zh: '明天的气温' },
            subtitle: `LSTM ${hidden} · T = ${length}`,
            language,
          }),
        };
      },
    };
  },
});

// A small translation: words of letters, written backwards, by two GRUs with attention. The map of what each letter looked
// at runs from corner to corner.

import { DataLoader, makeReversal, TensorDataset } from '../../data/index.ts';
import { F, type Tensor } from '../../index.ts';
import { Adam, CosineAnnealingLR } from '../../optim/index.ts';
import { Translator } from '../../text/index.ts';
import { matrixChart } from '../../viz/index.ts';
import { trainingPicture } from './curves.ts';
import { count, defineRecipe, percent, positive } from './recipe.ts';

const [BEGIN, END, LETTERS] = [1, 2, 26];
const letters = (ids: readonly number[]): string[] =>
  ids.map(id => (id === END ? '.' : id < 3 ? '' : String.fromCharCode(94 + id)));
/** What was written before each letter of y (N, T). */
const before = (y: Tensor): Tensor => F.pad(y.narrow(1, 0, y.shape[1]! - 1), [1, 0], { value: BEGIN }); // (N, T)

export const reversal = defineRecipe({
  name: 'reversal',
  about: {
    en: 'Words of 3 to 10 letters written backwards: sequence to sequence with attention',
    zh: '把 3～10 个字母的词倒着写：带注意力的序列到序列',
  },
  goal: {
    en: '≥ 99 % of words it never saw are right in every letter',
    zh: '没见过的词逐字母全对的 ≥ 99 %',
  },
  settings: {
    epochs: count(8),
    batchSize: count(64),
    lr: positive(5e-3),
    dim: count(64),
    longest: count(10),
    sequences: count(12_800),
  },
  async train({ settings, language, fit }) {
    const { epochs, batchSize, lr, dim, longest, sequences } = settings;
    const [train, test] = [makeReversal(sequences, longest), makeReversal(500, longest)];
    const model = new Translator(LETTERS + 3, LETTERS + 3, { dim });
    const loader = new DataLoader(new TensorDataset(train.x, train.y), { batchSize, shuffle: true });
    const optimizer = new Adam(model.parameters(), { lr });
    const { history } = await fit('attention', model, {
      train: loader,
      validate: new DataLoader(new TensorDataset(test.x, test.y), { batchSize: 250 }),
      validateAs: 'test',
      epochs,
      optimizer,
      clipGradNorm: 1,
      schedule: new CosineAnnealingLR(optimizer, { tMax: epochs * loader.length }),
      scheduleEvery: 'step',
      forward: ([x, y]) => {
        const logits = model(x!, before(y!)); // (N, T, V)
        return { loss: F.crossEntropy(logits.flatten(0, 1), y!.flatten(), { ignoreIndex: 0 }) };
      },
    });
    const { ids, weights } = model.translate(test.x, longest + 1, BEGIN);
    const right = ids.eq(test.y).logicalOr(test.y.eq(0)); // (N, T)
    const testAccuracy = await right.to('float32').amin(1).mean().item();
    // The first of the longest words, as an example.
    const row = await test.x.ne(0).to('int64').sum(1).argmax().item();
    const ofRow = async (t: Tensor): Promise<unknown> => t.select(0, row).tolist();
    const source = (await ofRow(test.x)) as number[];
    const written = ((await ofRow(ids)) as number[]).slice(0, source.length + 1);
    const look = (await ofRow(weights)) as number[][];
    const trainLoss = history['trainLoss']!.at(-1)!;
    return {
      metrics: { trainLoss, testLoss: history['testLoss']!.at(-1)!, testAccuracy },
      facts: [
        [{ en: 'words that are right in every letter', zh: '逐字母全对的词' }, percent(testAccuracy)],
        [{ en: 'for example', zh: '例如' }, `${letters(source).join('')} → ${letters(written).join('')}`],
      ],
      pictures: async () => ({
        attention: matrixChart({
          title:
            language === 'zh' ? '每个字母写出时看着哪里' : 'What each letter looked at when it was written',
          rows: letters(written),
          columns: letters(source),
          values: look,
          domain: [0, 1],
          format: v => (v < 0.005 ? '' : v.toFixed(2)),
        }),
        learning: trainingPicture(history, {
          title: { en: 'Words written backwards', zh: '把词倒着写' },
          subtitle: `GRU ${dim} · ${percent(testAccuracy)}`,
          language,
        }),
      }),
    };
  },
});

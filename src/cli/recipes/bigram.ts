// The bigram language model, learned by gradient descent and by counting: plays letter by letter, names letter by letter.

import { readFile } from 'node:fs/promises';
import { DataLoader, RandomSampler } from '../../data/index.ts';
import { F, Generator, type Tensor, tensor } from '../../index.ts';
import type { Module } from '../../nn/index.ts';
import { Adam, CosineAnnealingLR } from '../../optim/index.ts';
import {
  BigramLM,
  CharTokenizer,
  decodeUtf8,
  givenNames,
  LanguageWindows,
  splitText,
  tinyShakespeare,
  Vocab,
} from '../../text/index.ts';
import { matrixChart } from '../../viz/index.ts';
import type { Words } from '../language.ts';
import { trainingPicture } from './curves.ts';
import { count, defineRecipe, fixed, type Metadata, positive, type Recipe, words } from './recipe.ts';

interface BigramTask {
  readonly name: string;
  readonly about: Words;
  readonly goal: Words;
  readonly title: Words;
  /** Training and held-out text of the set that comes with the recipe. */
  readonly load: () => Promise<readonly [train: string, held: string]>;
  readonly epochs: number;
  /** What stands before a text and ends it. */
  readonly border: string | null;
}
const LENGTH = 128;
const loss = (logits: Tensor, y: Tensor): Tensor => F.crossEntropy(logits.flatten(0, 1), y.flatten());

async function textsOf(task: BigramTask, file: string): Promise<readonly [string, string]> {
  if (file === '') return task.load();
  return splitText(decodeUtf8(await readFile(file), { file }));
}
/** Mean of −ln p over all pairs of a text. */
async function lossOver(model: BigramLM, ids: readonly number[]): Promise<number> {
  const [x, y] = [ids.slice(0, -1), ids.slice(1)].map(l => tensor(BigInt64Array.from(l, BigInt)));
  return F.crossEntropy(model(x!).detach(), y!).item();
}
const vocabOf = (metadata: Metadata): Vocab => Vocab.fromJSON(metadata['vocab'] ?? 'null', 'the weights');

function bigramRecipe(task: BigramTask): Recipe {
  return defineRecipe({
    name: task.name,
    about: task.about,
    goal: task.goal,
    settings: {
      epochs: count(task.epochs),
      batchSize: count(64),
      lr: positive(0.1),
      text: words('', 'a text file'),
    },
    async train({ settings, language, fit }) {
      const { epochs, batchSize, lr } = settings;
      const [trainText, heldText] = await textsOf(task, settings.text);
      const tokenizer = CharTokenizer.train(trainText + heldText);
      const [trainIds, heldIds] = [tokenizer.encode(trainText), tokenizer.encode(heldText)];
      const windows = new LanguageWindows(trainIds, { length: LENGTH });
      const train = new DataLoader(windows, { batchSize, sampler: new RandomSampler(windows) });
      const validate = new DataLoader(new LanguageWindows(heldIds, { length: LENGTH }), { batchSize });
      const model = new BigramLM(tokenizer.vocabSize);
      const optimizer = new Adam(model.parameters(), { lr });
      const schedule = new CosineAnnealingLR(optimizer, { tMax: epochs * train.length });
      const { history } = await fit('bigram', model, {
        train,
        validate,
        epochs,
        optimizer,
        loss,
        schedule,
        scheduleEvery: 'step',
      });
      const counted = BigramLM.fromCounts([trainIds], tokenizer.vocabSize);
      const trainLoss = history['trainLoss']!.at(-1)!;
      const valLoss = await lossOver(model, heldIds);
      const countedLoss = await lossOver(counted, heldIds);
      const countedAll = await lossOver(
        BigramLM.fromCounts([[...trainIds, ...heldIds]], tokenizer.vocabSize),
        [...trainIds, ...heldIds],
      );
      const nats = { en: 'nats per letter', zh: '奈特/字符' }[language];
      return {
        metrics: { trainLoss, valLoss, valLossCounted: countedLoss, lossCountedAll: countedAll },
        facts: [
          [{ en: 'held-out loss', zh: '留出集损失' }, `${fixed(valLoss, 4)} ${nats}`],
          [{ en: 'by counting', zh: '直接计数' }, `${fixed(countedLoss, 4)} ${nats}`],
          [{ en: 'guessing evenly', zh: '均匀乱猜' }, `${fixed(Math.log(tokenizer.vocabSize), 4)} ${nats}`],
        ],
        model,
        metadata: { vocab: JSON.stringify(tokenizer.vocab) },
        pictures: async () => ({
          learning: trainingPicture(history, {
            title: task.title,
            subtitle: `Adam ${lr} · ${fixed(valLoss, 3)} ${nats}`,
            language,
          }),
          table: await tablePicture(
            model,
            tokenizer,
            task.title[language],
            language === 'zh' ? '下一个' : 'next',
          ),
        }),
      };
    },
    trained: {
      build: (_, metadata) => new BigramLM(vocabOf(metadata).size),
      async evaluate(model, { settings, metadata }) {
        const [, held] = await textsOf(task, settings.text);
        return {
          valLoss: await lossOver(model as BigramLM, new CharTokenizer(vocabOf(metadata)).encode(held)),
        };
      },
      writer(model, { metadata }) {
        const tokenizer = new CharTokenizer(vocabOf(metadata));
        const border = task.border ?? '\n';
        const start = tokenizer.vocab.has(border) ? tokenizer.vocab.id(border) : 0;
        return { tokenizer, start: [start], next: context => nextOf(model, context.at(-1)!) };
      },
    },
  });
}
const nextOf = (model: Module, last: number): Tensor =>
  (model as BigramLM)(tensor([last], { dtype: 'int64' }))
    .squeeze(0)
    .detach();

/** Probabilities of the next letter after the letters a … z, and after the border. */
async function tablePicture(
  model: BigramLM,
  tokenizer: CharTokenizer,
  title: string,
  label: string,
): Promise<string> {
  const { tokens } = tokenizer.vocab;
  const shown = [...tokens.keys()].filter(i => /^[a-z\n ]$/.test(tokens[i]!));
  const letters = shown.length > 1 ? shown : [...tokens.keys()].slice(0, 28);
  const table = model(tensor(letters, { dtype: 'int64' }))
    .detach()
    .softmax(-1); // (letters, V)
  const p = await table.data();
  const name = (i: number): string => ({ '\n': '⏎', ' ': '␣' })[tokens[i]!] ?? tokens[i]!;
  return matrixChart({
    title,
    rows: letters.map(name),
    columns: letters.map(name),
    values: letters.map((_, r) => letters.map(c => Number(p[r * tokens.length + c]))),
    columnLabel: label,
    cell: 17,
    format: () => '',
    domain: [0, 0.5],
  });
}

export const charBigram = bigramRecipe({
  name: 'char-bigram',
  about: {
    en: 'Letters of Shakespeare, each from the one before: the least that a language model must beat; text=FILE for another text',
    zh: '莎士比亚剧本逐字符预测，只看前一个字符：语言模型的底线；text=文件 可换成别的文本',
  },
  goal: { en: 'held-out loss ≤ 2.50 nats, by counting 2.48', zh: '留出集损失 ≤ 2.50 奈特，直接计数为 2.48' },
  title: { en: 'Tiny Shakespeare · bigram', zh: '小莎士比亚 · 二元模型' },
  load: async () => splitText(await tinyShakespeare()),
  epochs: 4,
  border: null,
});
/** A tenth of the names, always the same ones, is held out. */
export async function nameTexts(): Promise<readonly [string, string]> {
  const names = await givenNames();
  const order = shuffledNames(names);
  const cut = Math.floor(0.9 * order.length);
  const text = (part: readonly string[]): string => `\n${part.join('\n')}\n`;
  return [text(order.slice(0, cut)), text(order.slice(cut))];
}
function shuffledNames(names: readonly string[]): string[] {
  return [...new RandomSampler({ length: names.length }).order(new Generator(2018))].map(i => names[i]!);
}
export const namesBigram = bigramRecipe({
  name: 'names-bigram',
  about: {
    en: 'Given names letter by letter, each from the one before',
    zh: '英文名逐字母预测，只看前一个字母',
  },
  goal: {
    en: 'held-out loss ≤ 2.48 nats; counted over all names 2.45',
    zh: '留出集损失 ≤ 2.48 奈特；全部名字计数为 2.45',
  },
  title: { en: 'Names · bigram', zh: '名字 · 二元模型' },
  load: nameTexts,
  epochs: 10,
  border: '\n',
});

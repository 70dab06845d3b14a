// Language models that remember: plays, names and Tang poems, character by character, and what they write.

import { DataLoader, RandomSampler } from '../../data/index.ts';
import { F, Generator, noGrad, type Tensor } from '../../index.ts';
import type { Module } from '../../nn/index.ts';
import { AdamW, CosineAnnealingLR, SequentialLR, WarmupLR } from '../../optim/index.ts';
import {
  CharTokenizer,
  chinesePoems,
  documentLoader,
  GPT,
  generate,
  type LanguageModel,
  LanguageWindows,
  MambaLM,
  type Poem,
  RecurrentLM,
  splitText,
  tinyShakespeare,
  Vocab,
} from '../../text/index.ts';
import type { Schedule } from '../../train/index.ts';
import type { Words } from '../language.ts';
import { nameTexts } from './bigram.ts';
import { trainingPicture } from './curves.ts';
import {
  count,
  defineRecipe,
  fixed,
  type Metadata,
  type Metrics,
  notNegative,
  percent,
  positive,
  type Recipe,
  type Writer,
} from './recipe.ts';

type Batches = DataLoader<unknown, [Tensor, Tensor], never>;
/** Texts of a task: as one stream that is cut into windows, or each for itself. */
interface Corpus {
  readonly train: readonly string[];
  readonly held: readonly string[];
}
interface LanguageTask {
  readonly name: string;
  readonly kind: LanguageKind;
  readonly layers: number;
  readonly about: Words;
  readonly goal: Words;
  readonly title: Words;
  readonly load: () => Promise<Corpus>;
  /** Texts are each for themselves, with this character before and after; null: one stream. */
  readonly border: string | null;
  readonly length: number;
  readonly epochs: number;
  /** Of an epoch of a stream. */
  readonly steps: number;
  readonly batchSize: number;
  readonly lr: number;
  /** What the rate ends with. Default 0. */
  readonly finalLr?: number;
  /** Steps in which the rate rises to its height. Default 0. */
  readonly warmup?: number;
  /** Default 0. */
  readonly dropout?: number;
  readonly dModel: number;
  /** Characters that come less often become one. */
  readonly dropRare: number;
  /** Texts that are judged. */
  readonly samples: number;
  /** Of the texts that are judged. */
  readonly temperature: number;
  /** What is looked for in texts that the model wrote. */
  readonly judge?: (
    written: readonly string[],
    corpus: Corpus,
  ) => readonly (readonly [metric: string, label: Words, value: number])[];
}
export interface LanguageKind {
  readonly name: string;
  readonly title: string;
  build(vocabSize: number, o: Size & { readonly length: number }): LanguageModel;
}
interface Size {
  readonly dModel: number;
  readonly layers: number;
  readonly dropout?: number;
}
const recurrent = (kind: 'rnn' | 'gru' | 'lstm', title: string): LanguageKind => ({
  name: kind,
  title,
  build: (vocabSize, o) => new RecurrentLM(kind, vocabSize, o),
});
export const KINDS = {
  rnn: recurrent('rnn', 'RNN'),
  gru: recurrent('gru', 'GRU'),
  lstm: recurrent('lstm', 'LSTM'),
  gpt: {
    name: 'gpt',
    title: 'GPT',
    build: (vocabSize, { length, ...size }) =>
      new GPT(vocabSize, { ...size, heads: 4, contextLength: length }),
  },
  mamba: { name: 'mamba', title: 'Mamba', build: (vocabSize, o) => new MambaLM(vocabSize, o) },
} as const satisfies Record<string, LanguageKind>;

/** As nanoGPT has it: no biases. */
const PLAIN_GPT: LanguageKind = {
  ...KINDS.gpt,
  build: (vocabSize, { length, ...size }) =>
    new GPT(vocabSize, { ...size, heads: 4, contextLength: length, bias: false }),
};

const UNKNOWN = '□';
/** How old texts are printed where a character was lost. */
const LOST = '□';
/** Cross-entropy over all tokens of a batch; targets of −100 do not count. */
export const sequenceLoss = (logits: Tensor, y: Tensor): Tensor =>
  F.crossEntropy(logits.flatten(0, 1), y.flatten());

/** Mean of −ln p over all tokens of batches. */
export async function tokenLoss(model: Module, batches: Iterable<[Tensor, Tensor]>): Promise<number> {
  let [sum, n] = [0, 0];
  for (const [x, y] of batches) {
    const logits = noGrad(() => (model as LanguageModel)(x)); // (B, T, V)
    const part = F.crossEntropy(logits.flatten(0, 1), y.flatten(), { reduction: 'sum' });
    sum += await part.item();
    n += await y.ne(-100).sum().item();
  }
  return sum / n;
}
/** AdamW that shrinks matrices and tables only, as nanoGPT does: norms and biases are not pulled to 0. */
function languageOptimizer(
  model: Module,
  { lr, weightDecay }: { readonly lr: number; readonly weightDecay: number },
): AdamW {
  const groups = [
    { params: model.parameters().filter(p => p.ndim >= 2) },
    { params: model.parameters().filter(p => p.ndim < 2), weightDecay: 0 },
  ];
  const options = { lr, weightDecay, betas: [0.9, 0.99] as const };
  return new AdamW(
    groups.filter(g => g.params.length > 0),
    options,
  );
}
/** The rate rises in a line, and falls by a cosine to its end. */
function upAndDown(
  optimizer: AdamW,
  steps: number,
  { warmup, finalLr }: { readonly warmup: number; readonly finalLr: number },
): Schedule {
  const fall = new CosineAnnealingLR(optimizer, { tMax: Math.max(1, steps - warmup), etaMin: finalLr });
  if (warmup === 0) return fall;
  const rise = new WarmupLR(optimizer, { totalIters: warmup, startFactor: 1 / (warmup + 1) });
  return new SequentialLR(optimizer, { schedulers: [rise, fall], milestones: [warmup] });
}
const tokenizerOf = (metadata: Metadata): CharTokenizer =>
  new CharTokenizer(Vocab.fromJSON(metadata['vocab'] ?? 'null', 'the weights'));

function languageRecipe(task: LanguageTask): Recipe {
  const { border } = task;
  const whole = (text: string): string => (border === null ? text : border + text + border);
  const batchesOf = (
    t: CharTokenizer,
    texts: readonly string[],
    batchSize: number,
    shuffle: boolean,
  ): Batches => {
    const ids = texts.map(text => t.encode(whole(text)));
    if (border !== null) {
      const batches = documentLoader(ids, { batchSize, shuffle, length: task.length, multipleOf: 8 });
      return batches as unknown as Batches;
    }
    const { length } = task;
    const windows = new LanguageWindows(ids.flat(), { length, stride: shuffle ? 1 : length });
    const numSamples = task.steps * batchSize;
    const loader = new DataLoader(windows, {
      batchSize,
      ...(shuffle ? { sampler: new RandomSampler(windows, { numSamples }) } : {}),
    });
    return loader as unknown as Batches;
  };
  const writerOf = (model: Module, tokenizer: CharTokenizer): Writer => {
    const start = tokenizer.encode(border ?? '\n');
    return {
      tokenizer,
      start,
      next: (model as LanguageModel).reader(),
      suppress: task.dropRare > 1 ? tokenizer.encode(UNKNOWN) : [],
      ...(border === null ? {} : { stop: start[0]! }),
    };
  };
  const write = async (
    model: Module,
    tokenizer: CharTokenizer,
    options: { readonly texts: number; readonly tokens: number; readonly temperature: number },
  ): Promise<string[]> => {
    const generator = new Generator(1);
    const out: string[] = [];
    const { texts, tokens, temperature } = options;
    for (let i = 0; i < texts; i++) {
      const { next, start, suppress = [], stop } = writerOf(model, tokenizer);
      const ids: number[] = [];
      const options = { tokens, temperature, generator, suppress, ...(stop === undefined ? {} : { stop }) };
      for await (const id of generate(next, start, options)) ids.push(id);
      out.push(tokenizer.decode(ids));
    }
    return out;
  };
  // Reading begins with the character before the text.
  const build = (tokenizer: CharTokenizer, { dModel, layers, dropout }: Required<Size>): LanguageModel =>
    task.kind.build(tokenizer.vocabSize, { dModel, layers, dropout, length: 8 * Math.ceil(task.length / 8) });
  return defineRecipe({
    name: task.name,
    about: task.about,
    goal: task.goal,
    settings: {
      epochs: count(task.epochs),
      batchSize: count(task.batchSize),
      lr: positive(task.lr),
      finalLr: notNegative(task.finalLr ?? 0),
      warmup: notNegative(task.warmup ?? 0),
      weightDecay: notNegative(0.1),
      dropout: notNegative(task.dropout ?? 0),
      dModel: count(task.dModel),
      layers: count(task.layers),
      samples: count(task.samples),
      temperature: positive(task.temperature),
    },
    async train({ settings, language, fit }) {
      const { epochs, batchSize, lr } = settings;
      const corpus = await task.load();
      const special = task.dropRare > 1 ? { specials: [UNKNOWN], unk: UNKNOWN } : {};
      const tokenizer = CharTokenizer.train([...corpus.train, ...corpus.held].map(whole).join(''), {
        minCount: task.dropRare,
        ...special,
      });
      const model = build(tokenizer, settings);
      const train = batchesOf(tokenizer, corpus.train, batchSize, true);
      const held = batchesOf(tokenizer, corpus.held, batchSize, false);
      const optimizer = languageOptimizer(model, settings);
      const { history } = await fit(task.kind.name, model, {
        train,
        validate: held,
        epochs,
        optimizer,
        loss: sequenceLoss,
        clipGradNorm: 1,
        schedule: upAndDown(optimizer, epochs * train.length, settings),
        scheduleEvery: 'step',
      });
      const valLoss = await tokenLoss(model, held as unknown as Iterable<[Tensor, Tensor]>);
      const metrics: Metrics = { trainLoss: history['trainLoss']!.at(-1)!, valLoss };
      const parameters = model.parameters().reduce((s, p) => s + p.numel, 0);
      const written = await write(model, tokenizer, {
        texts: border === null ? 1 : settings.samples,
        tokens: border === null ? 300 : task.length,
        temperature: settings.temperature,
      });
      const judged = task.judge?.(written, corpus) ?? [];
      for (const [metric, , value] of judged) metrics[metric] = value;
      const nats = { en: 'nats per character', zh: '奈特/字符' }[language];
      return {
        metrics,
        facts: [
          [{ en: 'parameters', zh: '参数' }, String(parameters)],
          [{ en: 'held-out loss', zh: '留出集损失' }, `${fixed(valLoss, 4)} ${nats}`],
          ...judged.map(([, label, value]) => [label, percent(value)] as const),
          [{ en: 'it writes', zh: '它写道' }, written.slice(0, border === null ? 1 : 6).join(' / ')],
        ],
        model,
        metadata: { vocab: JSON.stringify(tokenizer.vocab) },
        pictures: async () => ({
          learning: trainingPicture(history, {
            title: task.title,
            subtitle: `${parameters} · AdamW ${lr} · ${fixed(valLoss, 3)} ${nats}`,
            language,
          }),
        }),
      };
    },
    trained: {
      build: (settings, metadata) => build(tokenizerOf(metadata), settings),
      async evaluate(model, { settings, metadata }) {
        const { held } = await task.load();
        const batches = batchesOf(tokenizerOf(metadata), held, settings.batchSize, false);
        return { valLoss: await tokenLoss(model, batches as unknown as Iterable<[Tensor, Tensor]>) };
      },
      writer: (model, { metadata }) => writerOf(model, tokenizerOf(metadata)),
    },
  });
}

// ---- names -------------------------------------------------------------------------------------------------------------

const copyLabel: Words = { en: 'copies of training texts', zh: '照抄训练文本' };
const names = (
  kind: LanguageKind,
  size: { readonly dModel: number; readonly epochs: number; readonly copies: number },
): Recipe =>
  languageRecipe({
    name: `names-${kind.name}`,
    kind,
    layers: 2,
    about: { en: `Given names letter by letter, by ${kind.title}`, zh: `英文名逐字母生成，${kind.title}` },
    goal: {
      en: `held-out loss ≤ 2.10 nats per letter (bigram 2.45), fewer than ${size.copies} % copies`,
      zh: `留出集损失 ≤ 2.10 奈特/字母（二元模型 2.45），照抄少于 ${size.copies} %`,
    },
    title: { en: `Names · ${kind.title}`, zh: `名字 · ${kind.title}` },
    load: async () => {
      const [train, held] = (await nameTexts()).map(t => t.trim().split('\n')) as [string[], string[]];
      return { train, held };
    },
    border: '\n',
    length: 24,
    steps: 0,
    epochs: size.epochs,
    batchSize: 64,
    lr: 3e-3,
    dModel: size.dModel,
    dropRare: 1,
    samples: 1000,
    temperature: 1,
    judge: (written, { train }) => {
      const known = new Set(train);
      return [['copies', copyLabel, written.filter(w => known.has(w)).length / written.length]];
    },
  });

// ---- plays -------------------------------------------------------------------------------------------------------------

const plays = (
  kind: LanguageKind,
  size: {
    readonly dModel: number;
    readonly layers: number;
    readonly loss: number;
    readonly lr?: number;
    readonly finalLr?: number;
    readonly warmup?: number;
  },
): Recipe =>
  languageRecipe({
    name: `char-${kind.name}`,
    kind,
    layers: size.layers,
    about: {
      en: `Shakespeare letter by letter, by ${kind.title}`,
      zh: `莎士比亚剧本逐字符生成，${kind.title}`,
    },
    goal: {
      en: `held-out loss ≤ ${size.loss} nats per letter (bigram 2.48)`,
      zh: `留出集损失 ≤ ${size.loss} 奈特/字符（二元模型 2.48）`,
    },
    title: { en: `Tiny Shakespeare · ${kind.title}`, zh: `小莎士比亚 · ${kind.title}` },
    load: async () => {
      const [train, held] = splitText(await tinyShakespeare());
      return { train: [train], held: [held] };
    },
    border: null,
    length: 64,
    steps: 2000,
    epochs: 1,
    batchSize: 12,
    lr: size.lr ?? 3e-3,
    ...(size.finalLr === undefined ? {} : { finalLr: size.finalLr }),
    ...(size.warmup === undefined ? {} : { warmup: size.warmup }),
    dModel: size.dModel,
    dropRare: 1,
    samples: 1,
    temperature: 1,
  });

// ---- poems -------------------------------------------------------------------------------------------------------------

/** Lines of a poem, as the collection has them: two half-lines. */
const linesOf = (text: string): string[] => text.split('\n').filter(s => s !== '');
/** Half-lines of a poem: what stands between marks of punctuation. */
const halves = (text: string): string[] => text.split(/[，。？！；\n]/).filter(s => s !== '');
/** Poems of equal half-lines of five or seven characters, at most eight of them, a sentence a line; none with lost characters. */
function regular(poems: readonly Poem[]): string[] {
  const texts = poems.map(p => p.lines.join('\n'));
  return [...new Set(texts)].filter(text => {
    const sizes = new Set(halves(text).map(h => [...h].length));
    return (
      !text.includes(LOST) && sizes.size === 1 && (sizes.has(5) || sizes.has(7)) && halves(text).length <= 8
    );
  });
}
const poems = (
  kind: LanguageKind,
  size: { readonly dModel: number; readonly epochs: number; readonly even: number },
): Recipe =>
  languageRecipe({
    name: `poems-${kind.name}`,
    kind,
    layers: 2,
    about: {
      en: `Tang poems with lines of five or seven characters, by ${kind.title}`,
      zh: `五言、七言唐诗，${kind.title}`,
    },
    goal: {
      en: `of 200 poems ≥ ${size.even} % keep the length of the line, and none copies a line`,
      zh: `200 首中 ≥ ${size.even} % 每句字数整齐，没有一首照抄诗句`,
    },
    title: { en: `Tang poems · ${kind.title}`, zh: `唐诗 · ${kind.title}` },
    load: async () => {
      const all = regular(await chinesePoems({ collection: 'tang' }));
      const order = [...new RandomSampler({ length: all.length }).order(new Generator(618))].map(
        i => all[i]!,
      );
      const cut = Math.floor(0.95 * order.length);
      return { train: order.slice(0, cut), held: order.slice(cut) };
    },
    border: '\u3000',
    length: 80,
    steps: 0,
    epochs: size.epochs,
    batchSize: 32,
    lr: 3e-3,
    dModel: size.dModel,
    dropRare: 3,
    samples: 200,
    temperature: 0.7,
    judge: (written, { train }) => {
      const known = new Set(train.flatMap(linesOf));
      const even = written.filter(w => {
        const sizes = halves(w).map(h => [...h].length);
        return sizes.length >= 2 && (sizes[0] === 5 || sizes[0] === 7) && sizes.every(s => s === sizes[0]);
      });
      const copied = written.filter(w => linesOf(w).some(line => known.has(line)));
      return [
        ['evenLines', { en: 'poems of even lines', zh: '字数整齐的诗' }, even.length / written.length],
        ['copies', { en: 'poems that copy a line', zh: '有照抄诗句的诗' }, copied.length / written.length],
      ];
    },
  });

export const LANGUAGE: readonly Recipe[] = [
  plays(KINDS.rnn, { dModel: 128, layers: 2, loss: 2.1 }),
  plays(KINDS.gru, { dModel: 128, layers: 2, loss: 2 }),
  plays(KINDS.lstm, { dModel: 128, layers: 2, loss: 2 }),
  plays(PLAIN_GPT, { dModel: 128, layers: 4, loss: 1.9, lr: 2e-3, finalLr: 1e-4, warmup: 100 }),
  plays(KINDS.mamba, { dModel: 128, layers: 2, loss: 1.95 }),
  names(KINDS.gru, { dModel: 128, epochs: 2, copies: 20 }),
  names(KINDS.lstm, { dModel: 96, epochs: 4, copies: 25 }),
  names(KINDS.mamba, { dModel: 64, epochs: 2, copies: 25 }),
  poems(KINDS.gru, { dModel: 256, epochs: 8, even: 80 }),
  poems(KINDS.mamba, { dModel: 128, epochs: 10, even: 70 }),
];

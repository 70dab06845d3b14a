// Models that need neither recurrence nor attention: bigram, means of embeddings, convolutions; our own small corpora.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { F, manualSeed, noGrad, type Tensor, tensor } from '../../src/index.ts';
import { Adam } from '../../src/optim/index.ts';
import {
  BagClassifier,
  BigramLM,
  BiLSTMClassifier,
  CharTokenizer,
  ConvClassifier,
  countedVectors,
  GPT,
  givenNames,
  type LanguageModel,
  Llama,
  MambaClassifier,
  MambaLM,
  padIds,
  RecurrentLM,
  smallCorpus,
  smallReviews,
  smallWords,
  splitSpaces,
  splitText,
  swappedPairs,
  TransformerClassifier,
  textLoader,
  tinyShakespeare,
  WordTokenizer,
} from '../../src/text/index.ts';
import { Accuracy, evaluate, fit } from '../../src/train/index.ts';
import { numbers } from '../support.ts';

const ids = (list: readonly number[]): Tensor => tensor(BigInt64Array.from(list, BigInt));
const pairLoss = (model: BigramLM, texts: readonly (readonly number[])[]): number =>
  F.crossEntropy(
    model(ids(texts.flatMap(t => t.slice(0, -1)))),
    ids(texts.flatMap(t => t.slice(1))),
  ).itemSync();

describe('BigramLM', () => {
  it('by counting has the probabilities of the counts', () => {
    // 0→1 twice, 1→0 once, 1→2 once; each of 3·3 pairs once more by the smoothing.
    const m = BigramLM.fromCounts([[0, 1, 0, 1, 2]], 3);
    const p = numbers(m(ids([0, 1, 2])).softmax(-1));
    for (const [i, w] of [1 / 5, 3 / 5, 1 / 5, 2 / 5, 1 / 5, 2 / 5, 1 / 3, 1 / 3, 1 / 3].entries())
      expect(p[i]).toBeCloseTo(w, 6);
    expect(() => BigramLM.fromCounts([[0, 3]], 3)).toThrow('BigramLM: tokens are 0 … 2, got 0, 3');
    expect(() => BigramLM.fromCounts([], 3, { smoothing: 0 })).toThrow(
      'BigramLM: smoothing must be > 0, got 0',
    );
  });
  it('no table is better on the text that was counted', async () => {
    const text = [0, 1, 2, 0, 1, 1, 2, 0, 2, 1, 0, 0];
    const counted = pairLoss(BigramLM.fromCounts([text], 3, { smoothing: 1e-9 }), [text]);
    manualSeed(1);
    const model = new BigramLM(3);
    const optimizer = new Adam(model.parameters(), { lr: 0.1 });
    for (let i = 0; i < 400; i++) {
      optimizer.zeroGrad();
      F.crossEntropy(model(ids(text.slice(0, -1))), ids(text.slice(1))).backward();
      optimizer.step();
    }
    const learned = pairLoss(model, [text]);
    expect(learned).toBeGreaterThanOrEqual(counted - 1e-6);
    expect(learned).toBeLessThan(counted + 1e-3);
  });
});

describe.each([
  ['BagClassifier', () => new BagClassifier(20, { dim: 6, hidden: 5 })],
  ['ConvClassifier', () => new ConvClassifier(20, { dim: 6, filters: 4, widths: [2, 3, 4] })],
  ['BiLSTMClassifier', () => new BiLSTMClassifier(20, { dim: 6 })],
  ['TransformerClassifier', () => new TransformerClassifier(20, { dim: 8, heads: 2, longest: 24 })],
  ['MambaClassifier', () => new MambaClassifier(20, { dim: 6 })],
] as const)('%s', (name, make) => {
  manualSeed(3);
  const model = make().eval();
  const logits = (list: readonly number[], length?: number): number[] =>
    numbers((model as BagClassifier)(padIds([list], length === undefined ? {} : { length }).ids));
  it('padding changes nothing, and a text without words has an answer', () => {
    const text = [3, 7, 7, 1, 12];
    const want = logits(text);
    for (const length of [6, 9, 20])
      for (const [i, v] of logits(text, length).entries()) expect(v).toBeCloseTo(want[i]!, 5);
    expect(logits([]).every(Number.isFinite)).toBe(true);
    expect(logits([], 7)).toEqual(logits([]));
  });
  it('sees the order of words, or does not, by what it is', () => {
    const [a, b] = [logits([3, 7, 1]), logits([1, 7, 3])];
    const gap = Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
    if (name === 'BagClassifier') expect(gap).toBeLessThan(1e-6);
    else expect(gap).toBeGreaterThan(1e-5);
  });
});

describe.each([
  ['RNN', () => new RecurrentLM('rnn', 11, { dModel: 8 })],
  ['GRU', () => new RecurrentLM('gru', 11, { dModel: 8 })],
  ['LSTM', () => new RecurrentLM('lstm', 11, { dModel: 8 })],
  ['GPT', () => new GPT(11, { dModel: 8, layers: 2, heads: 2, contextLength: 9 })],
  ['Llama', () => new Llama(11, { dModel: 8, layers: 2, heads: 2, kvHeads: 1, contextLength: 9 })],
  ['Mamba', () => new MambaLM(11, { dModel: 8, layers: 2, dState: 4 })],
] as [string, () => LanguageModel][])('language models: %s', (_, make) => {
  manualSeed(4);
  const model = make().eval() as LanguageModel;
  const text = [1, 5, 9, 2, 10, 3, 0];
  const logits = (list: readonly number[]): number[] => numbers(model(ids(list).unsqueeze(0)));
  it('reads token by token what it reads at once, to 1e-5', async () => {
    const all = logits(text);
    const next = model.reader();
    for (let n = 1; n <= text.length; n++) {
      const one = numbers(await next(text.slice(0, n)));
      for (const [k, v] of one.entries()) expect(Math.abs(v - all[(n - 1) * 11 + k]!)).toBeLessThan(1e-5);
    }
    // A prompt at once, and texts beside each other, each with a state of its own.
    const [a, b] = [model.reader(), model.reader()];
    await a(text.slice(0, 3));
    await b(text.slice(2, 4));
    const again = numbers(await a(text));
    for (const [k, v] of again.entries())
      expect(Math.abs(v - all[(text.length - 1) * 11 + k]!)).toBeLessThan(1e-5);
  });
  it('has nothing to say before the first token', async () => {
    await expect((async () => model.reader()([]))()).rejects.toThrow('the context has at least one token');
  });
  it('does not look ahead', () => {
    const [a, b] = [logits(text), logits([...text.slice(0, 4), 7, 7, 7])];
    for (let k = 0; k < 4 * 11; k++) expect(a[k]).toBeCloseTo(b[k]!, 6);
    expect(a.slice(44)).not.toEqual(b.slice(44));
  });
  it('is put back from its state dict', () => {
    manualSeed(9);
    const other = make();
    other.loadStateDict(model.stateDict());
    other.eval();
    expect(numbers(other(ids(text).unsqueeze(0)))).toEqual(logits(text));
  });
});

describe('keys and limits of language models', () => {
  const has = (model: LanguageModel, keys: readonly string[]): void => {
    for (const key of keys) expect(Object.keys(model.stateDict())).toContain(key);
  };
  it('Mamba: those of the official checkpoints, the last layer being the embedding', () => {
    const model = new MambaLM(11, { dModel: 8, layers: 2, dState: 4 });
    const mixer = [
      'A_log',
      'D',
      'in_proj.weight',
      'conv1d.weight',
      'x_proj.weight',
      'dt_proj.bias',
      'out_proj.weight',
    ];
    has(
      model,
      mixer.map(name => `backbone.layers.1.mixer.${name}`),
    );
    has(model, [
      'backbone.embedding.weight',
      'backbone.layers.1.norm.weight',
      'backbone.norm_f.weight',
      'lm_head.weight',
    ]);
    expect(model.lm_head.weight).toBe(model.backbone.embedding.weight);
  });
  it('GPT: those of GPT-2, and its number of parameters', () => {
    const model = new GPT(65, { dModel: 128, layers: 4, heads: 4, contextLength: 64 });
    const block = [
      'ln_1.weight',
      'attn.c_attn.weight',
      'attn.c_proj.bias',
      'ln_2.bias',
      'mlp.c_fc.weight',
      'mlp.c_proj.weight',
    ];
    has(
      model,
      block.map(name => `transformer.h.3.${name}`),
    );
    has(model, [
      'transformer.wte.weight',
      'transformer.wpe.weight',
      'transformer.ln_f.bias',
      'lm_head.weight',
    ]);
    // 12 C² + 13 C a block, (V + T) C, 2 C.
    const C = 128;
    const wanted = 4 * (12 * C * C + 13 * C) + (65 + 64) * C + 2 * C;
    expect(model.parameters().reduce((n, p) => n + p.numel, 0)).toBe(wanted);
    expect(() => model(ids(Array.from({ length: 65 }, () => 1)).unsqueeze(0))).toThrow(
      'GPT: texts have at most 64 tokens, got 65. cut the text, or make contextLength greater',
    );
    expect(() => new GPT(5, { dModel: 10, heads: 4 })).toThrow(
      'GPT: heads must divide dModel, got 4 heads for 10',
    );
  });
  it('GPT writes on when the text is longer than its context, from the end of it', async () => {
    const model = new GPT(7, { dModel: 8, layers: 1, heads: 2, contextLength: 4 }).eval() as GPT;
    const next = model.reader();
    const long = numbers(await next([1, 2, 3, 4, 5, 6]));
    expect(long).toEqual(numbers(await next([3, 4, 5, 6])));
  });
  it('a cache serves several texts, long beginnings, and weights that have changed', async () => {
    manualSeed(6);
    const model = new GPT(7, { dModel: 8, layers: 2, heads: 2, contextLength: 80 }).eval() as GPT;
    const text = Array.from({ length: 75 }, (_, i) => (3 * i * i) % 7);
    const want = (n: number): number[] => numbers(model(ids(text.slice(0, n)).unsqueeze(0)).select(1, -1));
    const close = async (got: Tensor | Promise<Tensor>, wanted: readonly number[]): Promise<void> => {
      for (const [i, v] of numbers(await got).entries()) expect(Math.abs(v - wanted[i]!)).toBeLessThan(1e-5);
    };
    const [a, b] = [model.reader(), model.reader()];
    for (const [read, n] of [
      [a, 70],
      [b, 3],
      [a, 71],
      [a, 71],
      [b, 4],
      [a, 5],
      [b, 75],
    ] as const)
      await close(read(text.slice(0, n)), want(n));
    noGrad(() => model.transformer.wte.weight.mul_(2));
    await close(model.reader()(text.slice(0, 75)), want(75));
  });
  it('recurrent nets: the number of parameters does not depend on the length of the text, a state goes on', () => {
    expect(() => new RecurrentLM('elman' as never, 5)).toThrow(
      "RecurrentLM: kinds are rnn, gru, lstm, got 'elman'",
    );
    for (const kind of ['rnn', 'gru', 'lstm'] as const) {
      const model = new RecurrentLM(kind, 9, { dModel: 6 }).eval() as RecurrentLM;
      const list = [1, 2, 3, 4, 5, 6, 7, 8];
      const whole = numbers(model(ids(list).unsqueeze(0)));
      const first = model.forwardWithState(ids(list.slice(0, 3)).unsqueeze(0), null);
      const rest = model.forwardWithState(ids(list.slice(3)).unsqueeze(0), first.state);
      const parts = [...numbers(first.logits), ...numbers(rest.logits)];
      for (const [i, v] of parts.entries()) expect(v).toBeCloseTo(whole[i]!, 5);
    }
  });
});

describe('our own corpora', () => {
  it.each(['en', 'zh'] as const)(
    '%s: analogies hold in vectors that were counted from the small world',
    language => {
      const v = countedVectors(smallCorpus(language).map(splitSpaces));
      const [king, queen, man, woman, prince, princess, boy, girl] = smallWords(language) as [
        string,
        string,
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      for (const [a, b, c, d] of [
        [man, king, woman, queen],
        [king, queen, man, woman],
        [man, woman, boy, girl],
        [prince, princess, king, queen],
        [boy, prince, girl, princess],
      ] as const)
        expect(v.analogy(a, b, c, { count: 1 })[0]!.word).toBe(d);
      const apple = smallWords(language)[8]!;
      expect(v.nearest(apple, { count: 2 }).map(n => n.word)).toEqual(
        expect.arrayContaining(smallWords(language).slice(9, 11)),
      );
      expect(v.similarity(king, queen)).toBeGreaterThan(0.8);
      expect(Math.abs(v.similarity(king, apple))).toBeLessThan(0.2);
      // Nothing is drawn: another run gives the same numbers.
      expect(countedVectors(smallCorpus(language).map(splitSpaces)).data).toEqual(v.data);
    },
  );
  it.each(['en', 'zh'] as const)(
    '%s: opinions and pairs are half of each class, each sentence once',
    language => {
      for (const list of [smallReviews(language), swappedPairs(language)]) {
        expect(list.filter(r => r.label === 1)).toHaveLength(list.length / 2);
        expect(new Set(list.map(r => r.text)).size).toBe(list.length);
      }
      const pairs = swappedPairs(language);
      const words = (i: number): string[] => splitSpaces(pairs[i]!.text).sort();
      for (let i = 0; i < pairs.length; i += 2) expect(words(i)).toEqual(words(i + 1));
    },
  );
  it('countedVectors refuses what it cannot count', () => {
    expect(() => countedVectors([['a', 'b']], { dim: 3 })).toThrow(
      'countedVectors: dim must be at most the 2 words, got 3',
    );
    expect(() => countedVectors([['a', 'b']], { window: 0 })).toThrow(
      'window must be an integer >= 1, got 0',
    );
  });
  it('one is the opposite of the other: 狗咬人 and 人咬狗, for a model that sees the order', async () => {
    manualSeed(0);
    const all = swappedPairs('zh');
    const t = WordTokenizer.train(
      all.map(r => r.text),
      { split: splitSpaces },
    );
    const samples = all.map(r => ({ ids: t.encode(r.text), label: r.label }));
    const shares: number[] = [];
    for (const model of [
      new BagClassifier(t.vocabSize, { dim: 16 }),
      new ConvClassifier(t.vocabSize, { dim: 16, filters: 8 }),
    ]) {
      const train = textLoader(samples, { batchSize: 64, shuffle: true });
      await fit(model, {
        train,
        epochs: 12,
        optimizer: new Adam(model.parameters(), { lr: 0.01 }),
        loss: F.crossEntropy,
      });
      const test = textLoader(samples, { batchSize: 64 });
      const m = await evaluate(model, test, { loss: F.crossEntropy, metrics: { accuracy: new Accuracy() } });
      shares.push(m['accuracy']!);
    }
    // Of each pair the bag is right for one, whatever it learned.
    expect(shares).toEqual([0.5, 1]);
  });
});

const root = resolve(import.meta.dirname, '../../../shared/data');
describe.skipIf(!existsSync(root))('published losses of bigrams (needs ../shared/data)', () => {
  const here = { root, download: false };
  it('Tiny Shakespeare: 2.48 nats on the last tenth', async () => {
    const text = await tinyShakespeare(here);
    const t = CharTokenizer.train(text);
    const [train, held] = splitText(text).map(part => t.encode(part));
    expect(pairLoss(BigramLM.fromCounts([train!], 65), [held!])).toBeCloseTo(2.48, 2);
  });
  it('names: 2.4540 nats over all of them, as makemore', async () => {
    const names = await givenNames(here);
    const t = CharTokenizer.train(`\n${names.join('')}`);
    const texts = names.map(n => t.encode(`\n${n}\n`));
    expect(pairLoss(BigramLM.fromCounts(texts, 27), texts)).toBeCloseTo(2.4545, 3);
    expect(pairLoss(BigramLM.fromCounts(texts, 27, { smoothing: 1e-6 }), texts)).toBeCloseTo(2.454, 3);
  });
});

// What is learned from words: vectors of the small worlds, the order of words, opinions; their pictures.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KINDS } from '../../src/cli/recipes/language.ts';
import { ofSize } from '../../src/cli/recipes/race.ts';
import { findRecipe, runRecipe } from '../../src/cli/run-recipe.ts';
import { makeTerminal } from '../../src/cli/terminal.ts';
import { manualSeed } from '../../src/index.ts';
import {
  BagClassifier,
  ConvClassifier,
  padIds,
  SkipGram,
  sentenceSteps,
  skipGramPairs,
} from '../../src/text/index.ts';
import { pointMap } from '../../src/viz/index.ts';
import { numbers } from '../support.ts';

const terminal = makeTerminal('en', { out: process.stdout, err: process.stderr, env: { TERM: 'dumb' } });

describe('word vectors', () => {
  it('king − man + woman is queen, 国王 − 男人 + 女人 is 女王, learned and counted', async () => {
    const r = await runRecipe(findRecipe('word-vectors'), 5, {}, terminal);
    const { analogiesEn, analogiesZh, analogiesCountedEn, analogiesCountedZh } = r.metrics;
    expect([analogiesEn, analogiesZh, analogiesCountedEn, analogiesCountedZh]).toEqual([1, 1, 1, 1]);
    const pictures = await r.pictures();
    expect(Object.keys(pictures)).toEqual([
      'map-en',
      'cosines-en',
      'one-hot-en',
      'map-zh',
      'cosines-zh',
      'one-hot-zh',
    ]);
    for (const word of ['国王', '女王', '男人', '女人']) expect(pictures['map-zh']).toContain(word);
  });
  it('a word and what stands beside it are pairs', () => {
    const { x, y } = skipGramPairs([[5, 6, 7], [8]], 1);
    expect([numbers(x), numbers(y)]).toEqual([
      [5, 6, 6, 7],
      [6, 5, 7, 6],
    ]);
    const model = new SkipGram(9, 3);
    expect(model(x).shape).toEqual([4, 9]);
    expect(Object.keys(model.stateDict())).toEqual(['in_embed.weight', 'out_embed.weight']);
  });
  it('pointMap draws names, groups and links', () => {
    const svg = pointMap({
      title: 'T',
      points: [
        { name: 'a<b', x: 0, y: 1, group: 'one' },
        { name: 'c', x: 2, y: 1, group: 'two' },
      ],
      links: [
        ['a<b', 'c'],
        ['a<b', 'nobody'],
      ],
    });
    expect(svg).toContain('a&lt;b');
    expect(svg.match(/<circle/g)).toHaveLength(4);
    expect(() => pointMap({ title: 'empty', points: [] })).not.toThrow();
  });
});

describe('the order of words', () => {
  it('人咬狗 is told from 狗咬人 by the convolution alone', async () => {
    const { metrics } = await runRecipe(findRecipe('word-order'), 3, {}, terminal);
    expect(metrics['testAccuracyBag']).toBe(0.5);
    expect(metrics['testAccuracyConv']).toBeGreaterThanOrEqual(0.99);
  });
});

describe('the race of language models', () => {
  it('has five of equal size, within 5 %', () => {
    const sizes = Object.values(KINDS).map(kind => {
      const { model } = ofSize(kind, 65, 208_000);
      return model.parameters().reduce((n, p) => n + p.numel, 0);
    });
    expect(sizes).toHaveLength(5);
    expect(Math.max(...sizes) / Math.min(...sizes)).toBeLessThan(1.05);
  });
});

describe('growing-length', () => {
  it('a token of a longer text is more work for attention, and the same for Mamba', async () => {
    const run = await runRecipe(findRecipe('growing-length'), 0, { epochs: '1', longest: '256' }, terminal);
    const { metrics: m } = run;
    const of = (name: string): number[] => [64, 128, 256].map(length => m[`${name}${length}`]!);
    const [gpt, mamba] = [of('operationsGPT'), of('operationsMamba')];
    expect(Math.max(...mamba) / Math.min(...mamba)).toBeLessThan(1.05);
    expect(gpt[1]! / gpt[0]!).toBeGreaterThan(1.02);
    // What is added doubles with the length.
    expect((gpt[2]! - gpt[1]!) / (gpt[1]! - gpt[0]!)).toBeGreaterThan(1.6);
    for (const name of ['trainingGPT', 'trainingMamba', 'writingGPT', 'writingMamba'])
      for (const ms of of(name)) expect(ms).toBeGreaterThan(0);
    expect(Object.keys(await run.pictures())).toEqual(['operations', 'training', 'writing']);
  }, 60_000);
});

describe('a sentence step by step', () => {
  it('tells what the model says to each prefix, and without each word', async () => {
    manualSeed(2);
    for (const model of [new BagClassifier(9, { dim: 4 }), new ConvClassifier(9, { dim: 4, filters: 3 })]) {
      model.eval();
      const ids = [3, 5, 1, 8];
      const p = (list: number[]): number => numbers(model(padIds([list]).ids).softmax(-1))[1]!;
      const { after, without } = await sentenceSteps(x => model(x), ids);
      for (const [i] of ids.entries()) {
        expect(after[i]).toBeCloseTo(p(ids.slice(0, i + 1)), 5);
        expect(without[i]).toBeCloseTo(p(ids.filter((_, k) => k !== i)), 5);
      }
      expect(await sentenceSteps(x => model(x), [])).toEqual({ after: [], without: [] });
    }
  });
});

const data = process.env['TENON_DATA'] ?? '';
const root = data === '' ? resolve(import.meta.dirname, '../../../shared/data') : data;
describe.skipIf(!existsSync(root))('opinions (needs ../shared/data)', () => {
  it('one epoch on hotel reviews is far above the majority, and says so of a sentence', async () => {
    process.env['TENON_DATA'] = root;
    const r = await runRecipe(findRecipe('hotel-bag'), 1, { epochs: '1', dim: '32', lr: '0.02' }, terminal);
    expect(r.metrics['testAccuracy']).toBeGreaterThan(0.78);
    const { trained } = findRecipe('hotel-bag');
    const use = { settings: { dim: 32, dropout: 0.5 }, metadata: r.metadata!, language: 'zh' } as never;
    const said = await trained!.predict!(r.model!, ['非常好，很满意，下次还来', '太差了，再也不来'], use);
    expect(said.map(([, words]) => words.slice(0, 2))).toEqual(['正面', '负面']);
    const pictures = await r.pictures();
    expect(Object.keys(pictures)).toEqual(['learning', 'sentence']);
  });
});

// Sequence to sequence with attention, roles of words, forecasts: as recipes, smaller, and what the models promise.

import { describe, expect, it } from 'vitest';
import { findRecipe, runRecipe } from '../../src/cli/run-recipe.ts';
import { makeTerminal } from '../../src/cli/terminal.ts';
import { makeReversal, minTemperatures, seriesWindows } from '../../src/data/index.ts';
import { compile, F, manualSeed, type Tensor, tensor } from '../../src/index.ts';
import { Adam } from '../../src/optim/index.ts';
import { Forecaster, ROLES, Translator, whoDoesIt } from '../../src/text/index.ts';
import { numbers } from '../support.ts';

const terminal = makeTerminal('zh', { out: process.stdout, err: process.stderr, env: { TERM: 'dumb' } });
const run = async (name: string, settings: Record<string, string>) =>
  (await runRecipe(findRecipe(name), 1, settings, terminal)).metrics;

describe('Translator', () => {
  it('writes words backwards that it never saw, ≥ 99 % of them', async () => {
    const m = await run('reversal', { longest: '5', sequences: '6400', epochs: '6' });
    expect(m['testAccuracy']).toBeGreaterThanOrEqual(0.99);
  });
  manualSeed(0);
  const model = new Translator(9, 9, { dim: 8 });
  const x = tensor([
    [3, 4, 5, 6, 7],
    [8, 3, 0, 0, 0],
  ]).to('int64');
  it('looks at words, not at padding, and padding changes nothing', () => {
    const memory = model.read(x);
    const y = tensor([
      [1, 3, 4],
      [1, 8, 3],
    ]).to('int64');
    const { logits, weights } = model.write(y, memory, memory.last);
    for (const sum of numbers(weights.sum(-1))) expect(sum).toBeCloseTo(1, 5);
    expect(numbers(weights.select(0, 1).narrow(1, 2, 3)).every(w => w === 0)).toBe(true);
    const alone = model(x.narrow(0, 1, 1).narrow(1, 0, 2), y.narrow(0, 1, 1)); // (1, 3, V)
    expect(logits.select(0, 1).sub(alone.select(0, 0)).abs().max().itemSync()).toBeLessThan(1e-5);
  });
  it('translates as it would be told: each word from those that it chose', () => {
    const { ids, weights } = model.translate(x, 4, 1);
    expect([ids.shape, weights.shape]).toEqual([
      [2, 4],
      [2, 4, 5],
    ]);
    const before = F.pad(ids.narrow(1, 0, 3), [1, 0], { value: 1 });
    expect(numbers(model(x, before).argmax(-1))).toEqual(numbers(ids));
  });
});
describe('makeReversal', () => {
  it('is a word and the same backwards, with an end', () => {
    const { x, y } = makeReversal(40, 6, { symbols: 4 });
    const rows = (t: Tensor): number[][] => t.tolistSync() as number[][];
    for (const [i, word] of rows(x).entries()) {
      const letters = word.filter(v => v > 0);
      expect(letters.length).toBeGreaterThanOrEqual(3);
      expect(letters.every(v => v >= 3 && v < 7)).toBe(true);
      expect(rows(y)[i]!.filter(v => v > 0)).toEqual([...letters].reverse().concat(2));
      expect(word.slice(letters.length).every(v => v === 0)).toBe(true);
    }
    expect(() => makeReversal(3, 2)).toThrow('shortest must be at most 2, got 3');
  });
});

describe('roles of words', () => {
  it.each(['zh', 'en'] as const)('%s: from both ends they are found, forwards only not all', async corpus => {
    const m = await run('tagging', { corpus, epochs: '3' });
    expect(m['testAccuracy']).toBeGreaterThanOrEqual(0.99);
    expect(m['testAccuracyForwards']).toBeLessThan(0.98);
  });
  it.each(['zh', 'en'] as const)(
    '%s: each sentence has one of each role, and each first word does both',
    corpus => {
      const first = new Map<string, Set<number>>();
      for (const { words, roles } of whoDoesIt(corpus)) {
        expect(roles.length).toBe(words.length);
        for (const role of [1, 2, 3]) expect(roles.filter(r => r === role).length).toBe(1);
        const at = roles.findIndex(r => r === 1 || r === 3);
        first.set(words[at]!, (first.get(words[at]!) ?? new Set()).add(roles[at]!));
      }
      for (const seen of first.values()) expect(seen.size).toBe(2);
      expect(ROLES.length).toBe(4);
    },
  );
});

describe('series', () => {
  it('seriesWindows: what came before, what came next', () => {
    const { x, y } = seriesWindows([0, 1, 2, 3, 4, 5], 3, 2);
    expect(x.tolistSync()).toEqual([
      [0, 1, 2],
      [1, 2, 3],
    ]);
    expect(y.tolistSync()).toEqual([
      [3, 4],
      [4, 5],
    ]);
    expect(() => seriesWindows([1, 2, 3], 3)).toThrow('3 values and 1 after them need 4, got (3)');
    expect(() => seriesWindows([1, 2], 0)).toThrow('length must be an integer >= 1, got 0');
  });
  it('an LSTM goes on with a wave for two periods, each time from what it said', () => {
    manualSeed(3);
    const wave = (t: number): number => 20 + 5 * Math.sin((2 * Math.PI * t) / 12);
    const values = Float32Array.from({ length: 200 }, (_, t) => wave(t));
    const { x, y } = seriesWindows(values, 12, 2);
    const all = tensor(values);
    const model = new Forecaster(all.mean(), all.std(), { hidden: 16, horizon: 2 });
    const optimizer = new Adam(model.parameters(), { lr: 0.01 });
    const step = compile(() => {
      optimizer.zeroGrad();
      const loss = F.mseLoss(model(x), y);
      loss.backward();
      optimizer.step();
      return loss;
    });
    for (let i = 0; i < 300; i++) step();
    const said = numbers(model.forecast(x.narrow(0, 0, 1), 24));
    for (const [i, v] of said.entries()) expect(Math.abs(v - wave(12 + i))).toBeLessThan(0.5);
    expect(Object.keys(model.stateDict())).toContain('mean');
  });
  it.skipIf(process.env['TENON_DATA'] === undefined)(
    'the temperature of tomorrow is told better than "as today" (needs TENON_DATA)',
    async () => {
      expect((await minTemperatures()).length).toBe(3650);
      const m = await run('forecast', { epochs: '6' });
      expect(m['ratio']).toBeLessThan(0.92);
      expect(m['todayRmse']).toBeCloseTo(2.481, 3);
    },
  );
});

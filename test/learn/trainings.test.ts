// Trainings whose logs the repository carries (npm run results): their bars, and a fresh first epoch of the median seed.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Training } from '../../scripts/results.ts';
import { findRecipe, settingsOf } from '../../src/cli/run-recipe.ts';
import { loadTrained } from '../../src/cli/trained.ts';
import { manualSeed } from '../../src/index.ts';
import { fit, type History } from '../../src/train/index.ts';

const root = join(import.meta.dirname, '../..');
const results = join(root, 'bench/results');
const trainings = readdirSync(results)
  .map(name => join(results, name, 'training.json'))
  .filter(f => existsSync(f))
  .map(f => JSON.parse(readFileSync(f, 'utf8')) as Training);
const data = process.env['TENON_DATA'] !== undefined;

class FirstEpoch extends Error {
  readonly history: History;
  constructor(history: History) {
    super('the first epoch is done');
    this.history = history;
  }
}
/** What a recipe's training has after one epoch of those that it would run. */
async function firstEpoch({ recipe, settings, median }: Training): Promise<History> {
  const found = findRecipe(recipe);
  manualSeed(median);
  const stop = new AbortController();
  const running = found.train({
    settings: { ...settingsOf(found, {}), ...settings },
    language: 'en',
    progress: () => {},
    fit: async (_, model, options) => {
      const onEvent = (e: { kind: string }): void => {
        if (e.kind === 'epoch') stop.abort();
      };
      throw new FirstEpoch((await fit(model, { ...options, signal: stop.signal, onEvent })).history);
    },
  });
  return running.then(
    () => {
      throw new Error(`${recipe} trained without fit`);
    },
    e => {
      if (e instanceof FirstEpoch) return e.history;
      throw e;
    },
  );
}

/** One training, tested after each epoch. */
const logged = trainings.filter(t => {
  const logs = Object.values(t.seeds[0]!.epochs);
  return logs.length === 1 && 'testAccuracy' in logs[0]!;
});
it.skipIf(data)('trainings again need real data in TENON_DATA', () => {});
/** Seconds of a logged epoch up to which it is run again here; TENON_LONG=1 runs every first epoch. */
const SHORT_EPOCH = 30;
const long = process.env['TENON_LONG'] !== undefined;
const epochSeconds = ({ seeds, settings }: Training): number =>
  seeds[0]!.seconds / Number(settings['epochs']);
const again = logged.filter(t => long || epochSeconds(t) <= SHORT_EPOCH);
it.skip.each(logged.filter(t => !again.includes(t)))(
  '$recipe: a first epoch takes minutes: TENON_LONG=1 npm test -- test/learn/trainings',
  () => {},
);
it.each(data ? again : [])(
  '$recipe: a fresh first epoch lands within 3 points of its log',
  async training => {
    const log = training.seeds.find(s => s.seed === training.median)!.epochs;
    const [before] = Object.values(log) as [Record<string, number[]>];
    const now = await firstEpoch(training);
    for (const name of ['trainAccuracy', 'testAccuracy'])
      expect([name, Math.abs(now[name]![0]! - before[name]![0]!) < 0.03]).toEqual([name, true]);
  },
  long ? 1_800_000 : 120_000,
);
const carried = logged.filter(t => existsSync(join(root, `weights/${t.recipe}.safetensors`)));
it.each(data ? carried : [])(
  '$recipe: the weights in the repository give the accuracy that was logged',
  async ({ recipe, median, seeds }) => {
    const weights = join(root, `weights/${recipe}.safetensors`);
    const { model, trained, use } = await loadTrained('eval', findRecipe(recipe), { weights }, 'en');
    const m = await trained.evaluate(model, use);
    const want = seeds.find(s => s.seed === median)!.metrics['testAccuracy']!;
    // Sums in another order may turn a picture or two that stand on the edge.
    expect(Math.abs(m['testAccuracy']! - want)).toBeLessThan(5e-4);
  },
  180_000,
);
/** Trainings of many minutes, which have one seed. */
const ONE_SEED: readonly string[] = ['cifar100-resnet20', 'fashion-cnn'];
it.each(logged)(
  '$recipe: metrics of each seed are those of its last epoch',
  ({ recipe, seeds, settings }) => {
    expect(seeds.length).toBeGreaterThanOrEqual(ONE_SEED.includes(recipe) ? 1 : 3);
    for (const { metrics, epochs } of seeds) {
      const [log] = Object.values(epochs) as [Record<string, number[]>];
      expect(log['testAccuracy']!.length).toBe(settings['epochs']);
      expect(metrics['testAccuracy']).toBeCloseTo(log['testAccuracy']!.at(-1)!, 6);
    }
  },
);

/** What each seed of an experiment must show. */
type Claim = (m: Readonly<Record<string, number>>) => boolean;
const CLAIMS: Readonly<Record<string, Readonly<Record<string, Claim>>>> = {
  degradation: {
    'the deep plain net ends with a far higher training loss': m =>
      m['trainLossPlainDeep']! > m['trainLossPlainShallow']! + 0.5,
    'the deep residual net does not: it ends lower, or less than a hundredth above': m =>
      m['trainLossResidualDeep']! < m['trainLossResidualShallow']! + 0.01,
    'a residual block less costs little accuracy': m =>
      m['testAccuracyResidualLess']! > m['testAccuracyResidualShallow']! - 0.1,
    'a plain block less destroys it': m => m['testAccuracyPlainLess']! < m['testAccuracyPlainShallow']! - 0.4,
  },
  pooling: {
    'maxima end with a lower training loss than means': m => m['trainLossMax']! < m['trainLossAvg']!,
  },
  'conv-stack': {
    'a quarter fewer weights for the same field': m =>
      m['parametersStack']! < 0.76 * m['parametersLarge']! && m['fieldStack'] === m['fieldLarge'],
    'accuracies within 4 points': m => Math.abs(m['testAccuracyStack']! - m['testAccuracyLarge']!) < 0.04,
  },
  augmentation: {
    'moving a little is best': m => m['testAccuracyGentle']! > m['testAccuracyPlain']!,
    'breaking labels is worse than nothing': m => m['testAccuracyBreaking']! < m['testAccuracyPlain']! - 0.03,
    'distorting too much loses to moving a little': m =>
      m['testAccuracyStrong']! < m['testAccuracyGentle']! - 0.01,
  },
};
const experiments = trainings.filter(t => t.recipe in CLAIMS);
it.each(experiments.flatMap(t => Object.entries(CLAIMS[t.recipe]!).map(([says, f]) => ({ ...t, says, f }))))(
  '$recipe: $says, in every seed',
  ({ seeds, f }) => {
    expect(seeds.length).toBeGreaterThanOrEqual(3);
    expect(seeds.filter(s => !f(s.metrics))).toEqual([]);
  },
);
it('degradation: over its seeds the deep residual net ends lower than the shallow one', () => {
  const { seeds } = trainings.find(t => t.recipe === 'degradation')!;
  const mean = (name: string): number => seeds.reduce((sum, s) => sum + s.metrics[name]!, 0) / seeds.length;
  expect(mean('trainLossResidualDeep')).toBeLessThan(mean('trainLossResidualShallow'));
});

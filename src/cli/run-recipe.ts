// Runs one recipe: seed, settings, progress bar, clock. In: a recipe and texts of settings. Out: its result.

import { manualSeed } from '../index.ts';
import { fit, type TrainEvent } from '../train/index.ts';
import { UsageError } from './command.ts';
import { RECIPES } from './recipes/list.ts';
import { type Metrics, percent, type Recipe, type Result, type Run } from './recipes/recipe.ts';
import type { RunFolder } from './run-folder.ts';
import { columns, type Terminal } from './terminal.ts';

export interface Finished extends Result {
  readonly recipe: string;
  readonly seed: number;
  readonly seconds: number;
}

export function findRecipe(name: string): Recipe {
  const recipe = RECIPES.find(r => r.name === name);
  if (recipe === undefined)
    throw new UsageError(`train: recipes are ${RECIPES.map(r => r.name).join(', ')}, got '${name}'`);
  return recipe;
}

/** The settings of a recipe with `given` (key to text) in place of defaults. */
export function settingsOf(recipe: Recipe, given: Readonly<Record<string, string>>): Run['settings'] {
  const values = Object.fromEntries(Object.entries(recipe.settings).map(([key, s]) => [key, s.initial]));
  for (const [key, text] of Object.entries(given)) {
    const setting = recipe.settings[key];
    if (setting === undefined) {
      const known = Object.keys(recipe.settings).join(', ');
      throw new UsageError(`${recipe.name}: settings are ${known}, got '${key}'`);
    }
    const value = setting.read(text);
    if (value === undefined)
      throw new UsageError(`${recipe.name}: ${key} must be ${setting.form}, got '${text}'`);
    values[key] = value;
  }
  return values;
}

export interface RunOptions {
  /** Where trainings keep their state and logs; without it nothing is written. */
  readonly folder?: RunFolder;
  /** Asks the run to stop after the running step. */
  readonly signal?: AbortSignal;
}
/** The run was asked to stop: what it had reached is in its folder. */
export class Interrupted extends Error {}

export async function runRecipe(
  recipe: Recipe,
  seed: number,
  given: Readonly<Record<string, string>>,
  terminal: Terminal,
  { folder, signal }: RunOptions = {},
): Promise<Finished> {
  const settings = settingsOf(recipe, given);
  const bar = terminal.bar(recipe.name);
  const start = performance.now();
  let before = 0;
  manualSeed(seed);
  const show = (name: string) => (e: TrainEvent) => {
    if (e.kind !== 'step' && e.kind !== 'epoch') return;
    const inEpoch = e.kind === 'step' && e.batches !== null ? e.batch / e.batches : 0;
    const done = e.kind === 'epoch' ? e.epoch : e.epoch - 1 + inEpoch;
    const numbers = e.kind === 'epoch' ? e.metrics : { trainLoss: e.loss };
    bar.update(Number(done.toFixed(2)), e.epochs, `${name}  ${status(numbers)}`);
  };
  try {
    const result = await recipe.train({
      settings,
      language: terminal.language,
      progress: (done, total, metrics) => bar.update(done, total, status(metrics)),
      fit: async (name, model, options) => {
        const events = { onEvent: show(name), ...(signal === undefined ? {} : { signal }) };
        const fitted =
          folder === undefined
            ? await fit(model, { ...options, ...events })
            : await folder.fit(name, model, options, events);
        before += fitted.secondsBefore;
        if (fitted.why === 'interrupted') throw new Interrupted(name);
        return fitted;
      },
    });
    const seconds = before + (performance.now() - start) / 1000;
    return { ...result, recipe: recipe.name, seed, seconds };
  } finally {
    bar.end();
  }
}
function status(metrics: Metrics): string {
  const parts: string[] = [];
  if (metrics['trainLoss'] !== undefined) parts.push(`loss ${metrics['trainLoss'].toPrecision(3)}`);
  if (metrics['testAccuracy'] !== undefined) parts.push(`test ${percent(metrics['testAccuracy'])}`);
  return parts.join('  ');
}

/** What the run found, as aligned lines. */
export function report(f: Finished, terminal: Terminal): string {
  const time: readonly [string, string] = [
    terminal.say({ en: 'time', zh: '用时' }),
    `${f.seconds.toFixed(2)} s`,
  ];
  return columns([...f.facts.map(([label, value]) => [label[terminal.language], value]), time]);
}
/** The result as scripts read it. */
export const asJson = (f: Finished, device: string): string =>
  JSON.stringify({
    recipe: f.recipe,
    seed: f.seed,
    device,
    seconds: Number(f.seconds.toFixed(3)),
    metrics: f.metrics,
  });

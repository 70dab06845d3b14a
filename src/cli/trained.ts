// A trained model from its file: what eval and generate begin with. In: a recipe, maybe a file and settings. Out: the model.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatOf, loadTensors, parseSafetensors, readBytes, type Safetensors } from '../io/index.ts';
import type { Module } from '../nn/index.ts';
import { assignments, type Options, UsageError, type Values } from './command.ts';
import type { Language } from './language.ts';
import type { Recipe, Trained, Use } from './recipes/recipe.ts';
import { settingsOf } from './run-recipe.ts';

/** Where weights of a recipe are looked for: its own run first, then those that come with Tenon. */
export function weightsOf(command: string, recipe: string): string {
  const places = [
    join('runs', recipe, 'weights.safetensors'),
    // From src/cli/ as well as from dist/node/.
    fileURLToPath(new URL(`../../weights/${recipe}.safetensors`, import.meta.url)),
  ];
  const found = places.find(p => existsSync(p));
  if (found === undefined)
    throw new UsageError(`${command}: ${recipe} has no weights yet; 'tenon train ${recipe}' makes them`);
  return found;
}

/** The options of commands that load a trained model. */
export const trainedOptions = {
  weights: {
    kind: 'text',
    value: 'FILE',
    about: {
      en: 'a file of weights (safetensors, .pth, .npz); default: runs/RECIPE, else the weights that come with Tenon',
      zh: '权重文件（safetensors、.pth、.npz）；默认取 runs/配方名，没有则用 Tenon 自带的权重',
    },
  },
  set: {
    kind: 'list',
    value: 'KEY=VALUE',
    about: { en: 'a setting of the recipe; repeatable', zh: '配方的设置；可重复' },
  },
} as const satisfies Options;

export interface Loaded {
  readonly file: string;
  readonly model: Module;
  readonly trained: Trained;
  readonly use: Use;
}
/** The model of a recipe with the settings that it was trained with; `set` (KEY=VALUE) decides where it says something. */
export async function loadTrained(
  command: string,
  recipe: Recipe,
  values: Values<typeof trainedOptions>,
  language: Language,
): Promise<Loaded> {
  const { trained } = recipe;
  if (trained === undefined)
    throw new UsageError(
      `${command}: ${recipe.name} keeps no weights; 'tenon train ${recipe.name}' measures it`,
    );
  const given = assignments(command, '--set', values.set ?? []);
  // Wrong settings are told before a file is looked for.
  const settings = settingsOf(recipe, given);
  const file = values.weights ?? weightsOf(command, recipe.name);
  const { tensors, metadata } = await weightsIn(command, file);
  const stored = JSON.parse(metadata['settings'] ?? '{}') as Record<string, unknown>;
  const kept = Object.entries(stored).filter(([key]) => key in settings && !(key in given));
  const use: Use = {
    settings: { ...settings, ...Object.fromEntries(kept) },
    language,
    metadata,
  };
  const model = trained.build(use.settings, metadata);
  model.loadStateDict(tensors);
  model.eval();
  return { file, model, trained, use };
}
/** What a file of weights holds; only safetensors tells with which settings they were trained. */
async function weightsIn(command: string, file: string): Promise<Safetensors> {
  const bytes = await readBytes(command, file);
  if (formatOf(bytes, file) === 'safetensors') return parseSafetensors(bytes, file);
  return { tensors: await loadTensors(file), metadata: {} };
}

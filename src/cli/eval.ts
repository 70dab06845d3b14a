// tenon eval RECIPE: measures trained weights on the recipe's test set.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSafetensors, readBytes } from '../io/index.ts';
import { assignments, defineCommand, UsageError } from './command.ts';
import { percent } from './recipes/recipe.ts';
import { findRecipe, settingsOf } from './run-recipe.ts';
import { columns } from './terminal.ts';

/** Where weights of a recipe are looked for: its own run first, then those that come with Tenon. */
export function weightsOf(recipe: string): string {
  const places = [
    join('runs', recipe, 'weights.safetensors'),
    // From src/cli/ as well as from dist/node/.
    fileURLToPath(new URL(`../../weights/${recipe}.safetensors`, import.meta.url)),
  ];
  const found = places.find(p => existsSync(p));
  if (found === undefined)
    throw new UsageError(`eval: ${recipe} has no weights yet; 'tenon train ${recipe}' makes them`);
  return found;
}

export const evaluation = defineCommand({
  name: 'eval',
  takes: 'RECIPE',
  about: { en: 'Measure trained weights on the test set', zh: '在测试集上评估训练好的权重' },
  options: {
    weights: {
      kind: 'text',
      value: 'FILE',
      about: {
        en: 'a safetensors file; default: runs/RECIPE, else the weights that come with Tenon',
        zh: 'safetensors 文件；默认取 runs/配方名，没有则用 Tenon 自带的权重',
      },
    },
    set: {
      kind: 'list',
      value: 'KEY=VALUE',
      about: { en: 'a setting of the recipe; repeatable', zh: '配方的设置；可重复' },
    },
  },
  examples: [
    ['tenon eval mnist-mlp', { en: 'the weights at hand', zh: '评估现有的权重' }],
    [
      'tenon eval mnist-mlp --weights runs/mnist-mlp/weights.safetensors --json',
      { en: 'a file, for scripts', zh: '指定文件，供脚本使用' },
    ],
  ],
  async run(values, rest, terminal) {
    if (rest.length !== 1)
      throw new UsageError("eval: one recipe is needed; 'tenon train --list' shows them");
    const recipe = findRecipe(rest[0]!);
    if (recipe.trained === undefined)
      throw new UsageError(`eval: ${recipe.name} keeps no weights; 'tenon train ${recipe.name}' measures it`);
    const settings = settingsOf(recipe, assignments('eval', '--set', values.set ?? []));
    const file = values.weights ?? weightsOf(recipe.name);
    const model = recipe.trained.build(settings);
    model.loadStateDict(parseSafetensors(await readBytes('eval', file), file).tensors);
    const { language } = terminal;
    const metrics = await recipe.trained.evaluate(model, { settings, language });
    if (values.json) {
      terminal.print(JSON.stringify({ recipe: recipe.name, weights: file, metrics }));
      return 0;
    }
    const show = ([name, v]: [string, number]): string[] => [
      name,
      name.endsWith('Accuracy') ? percent(v) : v.toPrecision(4),
    ];
    terminal.print(
      columns([[terminal.say({ en: 'weights', zh: '权重' }), file], ...Object.entries(metrics).map(show)]),
    );
    return 0;
  },
});

// tenon eval RECIPE: measures trained weights on the recipe's test set.

import { defineCommand, UsageError } from './command.ts';
import { percent } from './recipes/recipe.ts';
import { findRecipe } from './run-recipe.ts';
import { columns } from './terminal.ts';
import { loadTrained, trainedOptions } from './trained.ts';

export const evaluation = defineCommand({
  name: 'eval',
  takes: 'RECIPE',
  about: { en: 'Measure trained weights on the test set', zh: '在测试集上评估训练好的权重' },
  options: trainedOptions,
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
    const { model, trained, use, file } = await loadTrained('eval', recipe, values, terminal.language);
    const metrics = await trained.evaluate(model, use);
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

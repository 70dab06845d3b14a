// tenon predict RECIPE INPUT…: what trained weights say to single inputs.

import { defineCommand, UsageError } from './command.ts';
import { findRecipe } from './run-recipe.ts';
import { columns } from './terminal.ts';
import { loadTrained, trainedOptions } from './trained.ts';

export const predict = defineCommand({
  name: 'predict',
  takes: 'RECIPE INPUT…',
  about: { en: 'What trained weights say to an input', zh: '用训练好的权重预测单个输入' },
  options: trainedOptions,
  examples: [
    ['tenon predict mnist-mlp test:0 test:7', { en: 'pictures of the test set', zh: '测试集中的图片' }],
    ['tenon predict mnist-mlp digit.png', { en: 'a picture file', zh: '图片文件' }],
  ],
  async run(values, rest, terminal) {
    const [name, ...inputs] = rest;
    if (name === undefined || inputs.length === 0)
      throw new UsageError('predict: a recipe and at least one input are needed');
    const recipe = findRecipe(name);
    const predicts = recipe.trained?.predict;
    if (recipe.trained === undefined || predicts === undefined)
      throw new UsageError(
        `predict: ${recipe.name} has no model to ask; 'tenon predict --help' has examples`,
      );
    const { model, trained, use, file } = await loadTrained('predict', recipe, values, terminal.language);
    const said = await predicts.call(trained, model, inputs, use);
    if (values.json)
      terminal.print(JSON.stringify({ recipe: recipe.name, weights: file, predictions: said }));
    else terminal.print(columns(said.map(row => [...row])));
    return 0;
  },
});

// tenon see RECIPE [INPUT…]: pictures of what trained weights have learnt and what they look at.

import { join } from 'node:path';
import { defineCommand, UsageError } from './command.ts';
import { writePictures } from './pictures.ts';
import { findRecipe } from './run-recipe.ts';
import { loadTrained, trainedOptions } from './trained.ts';

export const see = defineCommand({
  name: 'see',
  takes: 'RECIPE [INPUT…]',
  about: {
    en: 'Pictures of a trained network: filters, feature maps, Grad-CAM, mistakes',
    zh: '看懂训练好的网络：卷积核、特征图、Grad-CAM、认错的图片',
  },
  options: {
    ...trainedOptions,
    out: {
      kind: 'text',
      value: 'DIR',
      about: {
        en: 'folder for the pictures; default: runs/RECIPE/see',
        zh: '图片目录；默认 runs/配方名/see',
      },
    },
  },
  examples: [
    ['tenon see lenet', { en: 'the first pictures of the test set', zh: '测试集的前几张图片' }],
    ['tenon see fashion-cnn test:12 shirt.png', { en: 'these', zh: '指定图片' }],
  ],
  async run(values, rest, terminal) {
    const [name, ...inputs] = rest;
    if (name === undefined) throw new UsageError('see: a recipe is needed');
    const recipe = findRecipe(name);
    if (recipe.trained?.see === undefined)
      throw new UsageError(`see: ${recipe.name} has no network of pictures; 'tenon see --help' has examples`);
    const { model, trained, use, file } = await loadTrained('see', recipe, values, terminal.language);
    const pictures = await trained.see!(model, inputs, use);
    const files = await writePictures(values.out ?? join('runs', recipe.name, 'see'), pictures);
    if (values.json) terminal.print(JSON.stringify({ recipe: recipe.name, weights: file, files }));
    else terminal.print(files.join('\n'));
    return 0;
  },
});

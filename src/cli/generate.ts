// tenon generate RECIPE: a trained model writes on, token by token, as it thinks of them.

import { Generator } from '../index.ts';
import { generate, type SamplingOptions, streamText } from '../text/index.ts';
import { defineCommand, UsageError } from './command.ts';
import { RECIPES } from './recipes/list.ts';
import { findRecipe } from './run-recipe.ts';
import { loadTrained, trainedOptions } from './trained.ts';

const number = (about: { readonly en: string; readonly zh: string }) =>
  ({ kind: 'number', value: 'N', about }) as const;

export const generation = defineCommand({
  name: 'generate',
  takes: 'RECIPE',
  about: { en: 'Write a text with a trained language model', zh: '用训练好的语言模型续写文本' },
  options: {
    prompt: {
      kind: 'text',
      value: 'TEXT',
      about: { en: 'what the text begins with; default: nothing', zh: '文本的开头；默认为空' },
    },
    tokens: number({ en: 'how many tokens at most; default 200', zh: '最多生成多少个词元；默认 200' }),
    seed: number({ en: 'seed of the choices; default 0', zh: '抽样的随机种子；默认 0' }),
    temperature: number({
      en: 'below 1 safer, above 1 bolder, 0 always the likeliest; default 1',
      zh: '小于 1 更保守，大于 1 更大胆，0 总取最可能的；默认 1',
    }),
    'top-k': number({ en: 'only the N likeliest tokens', zh: '只在最可能的 N 个词元里选' }),
    'top-p': number({
      en: 'only the likeliest tokens that together have this probability',
      zh: '只在累计概率达到该值的词元里选',
    }),
    'repetition-penalty': number({
      en: 'above 1: tokens that were used become less likely',
      zh: '大于 1：用过的词元更不容易再出现',
    }),
    ...trainedOptions,
  },
  examples: [
    ['tenon generate names-bigram --tokens 40', { en: 'from the beginning', zh: '从头开始写' }],
    [
      'tenon generate char-bigram --prompt "ROMEO:" --temperature 0.8 --seed 3',
      { en: 'go on with a text', zh: '接着一段文本写' },
    ],
  ],
  async run(values, rest, terminal) {
    if (rest.length !== 1)
      throw new UsageError("generate: one recipe is needed; 'tenon train --list' shows them");
    const recipe = findRecipe(rest[0]!);
    if (recipe.trained?.writer === undefined) {
      const writers = RECIPES.filter(r => r.trained?.writer !== undefined).map(r => r.name);
      throw new UsageError(`generate: recipes that write are ${writers.join(', ')}, got '${recipe.name}'`);
    }
    const seed = values.seed ?? 0;
    if (!Number.isSafeInteger(seed)) throw new UsageError(`generate: --seed must be an integer, got ${seed}`);
    const { model, use, file } = await loadTrained('generate', recipe, values, terminal.language);
    const writer = recipe.trained.writer(model, use);
    const prompt = values.prompt ?? '';
    const begin = prompt === '' ? writer.start : writer.tokenizer.encode(prompt);
    const sampling: SamplingOptions = {
      generator: new Generator(seed),
      ...(values.temperature === undefined ? {} : { temperature: values.temperature }),
      ...(values['top-k'] === undefined ? {} : { topK: values['top-k'] }),
      ...(values['top-p'] === undefined ? {} : { topP: values['top-p'] }),
      ...(values['repetition-penalty'] === undefined
        ? {}
        : { repetitionPenalty: values['repetition-penalty'] }),
    };
    const start = performance.now();
    let count = 0;
    const ids = generate(writer.next, begin, {
      ...sampling,
      tokens: values.tokens ?? 200,
      ...(writer.stop === undefined ? {} : { stop: writer.stop }),
      ...(writer.suppress === undefined ? {} : { suppress: writer.suppress }),
    });
    const counted = (async function* () {
      for await (const id of ids) {
        count++;
        yield id;
      }
    })();
    let text = '';
    if (values.json !== true) terminal.write(prompt);
    for await (const piece of streamText(writer.tokenizer, counted)) {
      text += piece;
      if (values.json !== true) terminal.write(piece);
    }
    const seconds = Number(((performance.now() - start) / 1000).toFixed(3));
    if (values.json !== true) terminal.print();
    else
      terminal.print(
        JSON.stringify({ recipe: recipe.name, weights: file, seed, prompt, text, tokens: count, seconds }),
      );
    return 0;
  },
});

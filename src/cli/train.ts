// tenon train RECIPE: trains one recipe, writes its pictures and its result.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultDevice, setDefaultDevice } from '../index.ts';
import { defineCommand, UsageError } from './command.ts';
import { writePictures } from './pictures.ts';
import { RECIPES } from './recipes/list.ts';
import { asJson, findRecipe, report, runRecipe } from './run-recipe.ts';
import type { Terminal } from './terminal.ts';

export const train = defineCommand({
  name: 'train',
  takes: 'RECIPE',
  about: { en: 'Train a recipe', zh: '训练一个配方' },
  options: {
    list: {
      kind: 'flag',
      about: { en: 'all recipes and what each must reach', zh: '列出全部配方和各自要达到的结果' },
    },
    seed: {
      kind: 'number',
      value: 'N',
      about: { en: 'seed of all random numbers; default 0', zh: '随机种子；默认 0' },
    },
    epochs: { kind: 'number', value: 'N', about: { en: 'passes over the data', zh: '训练轮数' } },
    set: {
      kind: 'list',
      value: 'KEY=VALUE',
      about: { en: 'a setting of the recipe; repeatable', zh: '配方的设置；可重复' },
    },
    device: {
      kind: 'text',
      value: 'NAME',
      about: { en: 'where to compute; default cpu', zh: '计算设备；默认 cpu' },
    },
    out: {
      kind: 'text',
      value: 'DIR',
      about: { en: 'where files go; default runs/RECIPE', zh: '输出目录；默认 runs/配方名' },
    },
  },
  examples: [
    ['tenon train circle', { en: 'train with the default settings', zh: '按默认设置训练' }],
    ['tenon train circle --seed 3 --set init=small', { en: 'another start', zh: '换一种初始化' }],
    ['tenon train rings --epochs 10 --json', { en: 'for scripts', zh: '供脚本使用' }],
    ['tenon train --list', { en: 'what there is', zh: '有哪些配方' }],
  ],
  async run(values, rest, terminal) {
    if (values.list) return list(values.json === true, terminal);
    const name = rest[0];
    if (name === undefined || rest.length > 1)
      throw new UsageError("train: one recipe is needed; 'tenon train --list' shows them");
    const recipe = findRecipe(name);
    const given = assignments(values.set ?? []);
    if (values.epochs !== undefined) given['epochs'] = String(values.epochs);
    const seed = values.seed ?? 0;
    if (!Number.isSafeInteger(seed)) throw new UsageError(`train: --seed must be an integer, got ${seed}`);
    if (values.device !== undefined) setDefaultDevice(values.device);

    const result = await runRecipe(recipe, seed, given, terminal);
    const folder = values.out ?? join('runs', recipe.name);
    const files = await writePictures(folder, await result.pictures());
    const line = asJson(result, defaultDevice());
    const resultFile = join(folder, 'result.json');
    await writeFile(resultFile, `${line}\n`);
    if (values.json) {
      terminal.print(line);
      return 0;
    }
    terminal.print(`${recipe.name} (${recipe.about[terminal.language]})`);
    terminal.print(report(result, terminal));
    terminal.print();
    for (const file of [...files, resultFile]) terminal.print(`  ${file}`);
    return 0;
  },
});

function assignments(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const cut = pair.indexOf('=');
      if (cut < 1) throw new UsageError(`train: --set takes KEY=VALUE, got '${pair}'`);
      return [pair.slice(0, cut), pair.slice(cut + 1)];
    }),
  );
}

function list(json: boolean, terminal: Terminal): number {
  if (json) {
    const entries = RECIPES.map(r => ({
      recipe: r.name,
      goal: r.goal.en,
      settings: Object.fromEntries(Object.entries(r.settings).map(([key, s]) => [key, s.initial])),
    }));
    terminal.print(JSON.stringify(entries));
    return 0;
  }
  for (const r of RECIPES) {
    terminal.print(`${r.name}: ${r.about[terminal.language]}`);
    terminal.print(`  ${terminal.say({ en: 'must reach', zh: '要达到' })}: ${r.goal[terminal.language]}`);
    const settings = Object.entries(r.settings).map(([key, s]) => `${key}=${s.initial}`);
    terminal.print(`  ${terminal.say({ en: 'settings', zh: '设置' })}: ${settings.join(' ')}`);
    terminal.print();
  }
  return 0;
}

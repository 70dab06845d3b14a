// tenon train RECIPE: trains one recipe, writes its pictures, weights, log and result; goes on where it was stopped.

import { join } from 'node:path';
import { defaultDevice, setDefaultDevice } from '../index.ts';
import { writeFileAtomic } from '../io/index.ts';
import { assignments, defineCommand, UsageError } from './command.ts';
import { writePictures } from './pictures.ts';
import { RECIPES } from './recipes/list.ts';
import { writeReport } from './report-page.ts';
import { RunFolder } from './run-folder.ts';
import { asJson, findRecipe, Interrupted, report, runRecipe, settingsOf } from './run-recipe.ts';
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
    resume: {
      kind: 'flag',
      about: {
        en: 'go on where a stopped or killed run of the same settings was',
        zh: '从同样设置的、被停止或中断的运行处继续',
      },
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
    ['tenon train mnist-mlp --resume', { en: 'after Ctrl-C or a crash', zh: 'Ctrl-C 或崩溃之后' }],
    ['tenon train --list', { en: 'what there is', zh: '有哪些配方' }],
  ],
  async run(values, rest, terminal) {
    if (values.list) return list(values.json === true, terminal);
    const name = rest[0];
    if (name === undefined || rest.length > 1)
      throw new UsageError("train: one recipe is needed; 'tenon train --list' shows them");
    const recipe = findRecipe(name);
    const given = assignments('train', '--set', values.set ?? []);
    if (values.epochs !== undefined) given['epochs'] = String(values.epochs);
    const seed = values.seed ?? 0;
    if (!Number.isSafeInteger(seed)) throw new UsageError(`train: --seed must be an integer, got ${seed}`);
    if (values.device !== undefined) setDefaultDevice(values.device);

    const config = {
      recipe: recipe.name,
      seed,
      device: defaultDevice(),
      settings: settingsOf(recipe, given),
    };
    const folder = new RunFolder(values.out ?? join('runs', recipe.name));
    await folder.open(config, values.resume === true);
    const result = await stoppable(signal => runRecipe(recipe, seed, given, terminal, { folder, signal }));
    if (result === null) {
      terminal.warn(
        terminal.say({
          en: `stopped; 'tenon train ${recipe.name} --resume' with the same settings goes on`,
          zh: `已停止；用同样的设置加 --resume 运行 tenon train ${recipe.name} 可以继续`,
        }),
      );
      return 130;
    }
    const files = await writePictures(folder.path, await result.pictures());
    if (result.model !== undefined)
      files.push(await folder.saveWeights(result.model, config, result.metadata));
    const line = asJson(result, config.device);
    const resultFile = folder.file('result.json');
    await writeFileAtomic(folder.file('history.json'), `${JSON.stringify(folder.histories)}\n`);
    await writeFileAtomic(resultFile, `${line}\n`);
    await writeReport(folder, recipe, config, result, terminal.language);
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

/** Lets Ctrl-C end a run after its step; a second one ends the process at once. Null where it was stopped. */
async function stoppable<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await run(controller.signal);
  } catch (e) {
    if (e instanceof Interrupted) return null;
    throw e;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
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

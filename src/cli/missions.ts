// tenon missions: the first two missions of the course, trained live. With --seeds N: how reliable they are.

import { join, resolve } from 'node:path';
import { defaultDevice } from '../index.ts';
import { defineCommand, UsageError } from './command.ts';
import { loadRasterizer, writePictures } from './pictures.ts';
import { asJson, findRecipe, report, runRecipe } from './run-recipe.ts';
import { seedLottery } from './seed-lottery.ts';
import type { Terminal } from './terminal.ts';

const FIRST = ['line'] as const;
const SECOND = ['kinks', 'circle', 'triangle', 'square', 'rings'] as const;

export const missions = defineCommand({
  name: 'missions',
  about: {
    en: 'Train missions 0 and 1 of the course: a line through 7 points, then points inside shapes',
    zh: '训练课程的前两个任务：过 7 个点的直线，然后判断点在图形内还是外',
  },
  options: {
    seed: {
      kind: 'number',
      value: 'N',
      about: { en: 'seed of all random numbers; default 0', zh: '随机种子；默认 0' },
    },
    seeds: {
      kind: 'number',
      value: 'N',
      about: {
        en: 'instead: test accuracy of mission 1 with N seeds each, He and N(0, 0.1²) start; fails below the goals',
        zh: '改为：任务二每个图形用 N 个种子训练，He 与 N(0, 0.1²) 两种初始化；达不到目标则失败',
      },
    },
    out: {
      kind: 'text',
      value: 'DIR',
      about: { en: 'where pictures go; default runs/missions', zh: '图片目录；默认 runs/missions' },
    },
  },
  examples: [
    ['tenon missions', { en: 'all of it, under a minute', zh: '全部，不到一分钟' }],
    ['tenon missions --lang zh', { en: 'in Chinese', zh: '用中文' }],
    ['tenon missions --seeds 20', { en: 'is it luck?', zh: '是运气吗？' }],
  ],
  async run(values, rest, terminal) {
    if (rest.length > 0) throw new UsageError(`missions: it takes options only, got '${rest[0]}'`);
    if (values.seeds !== undefined) {
      if (!Number.isInteger(values.seeds) || values.seeds < 1)
        throw new UsageError(`missions: --seeds must be an integer >= 1, got ${values.seeds}`);
      return seedLottery(values.seeds, values.json === true, terminal);
    }
    const folder = values.out ?? join('runs', 'missions');
    const seed = values.seed ?? 0;
    const start = performance.now();
    const json = values.json === true;
    const part = async (title: { en: string; zh: string }, names: readonly string[]): Promise<void> => {
      if (!json) terminal.print(terminal.say(title));
      for (const name of names) await mission(name, { seed, folder: join(folder, name), json, terminal });
    };
    await part({ en: 'Mission 0: fit a line', zh: '任务一：拟合一条直线' }, FIRST);
    await part({ en: 'Mission 1: inside or outside?', zh: '任务二：在图形内还是外？' }, SECOND);
    if (json) return 0;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    terminal.print(
      terminal.say({
        en: `Done in ${seconds} s. Pictures are in ${resolve(folder)}`,
        zh: `完成，用时 ${seconds} 秒。图片在 ${resolve(folder)}`,
      }),
    );
    if ((await loadRasterizer()) === null)
      terminal.warn(
        terminal.say({
          en: 'PNG pictures need the optional package @resvg/resvg-js; SVG pictures were written',
          zh: 'PNG 图片需要可选的包 @resvg/resvg-js；已写出 SVG 图片',
        }),
      );
    return 0;
  },
});

interface Place {
  readonly seed: number;
  readonly folder: string;
  readonly json: boolean;
  readonly terminal: Terminal;
}
async function mission(name: string, { seed, folder, json, terminal }: Place): Promise<void> {
  const recipe = findRecipe(name);
  const result = await runRecipe(recipe, seed, {}, terminal);
  const files = await writePictures(folder, await result.pictures());
  if (json) {
    terminal.print(asJson(result, defaultDevice()));
    return;
  }
  terminal.print();
  terminal.print(` ${recipe.about[terminal.language]}`);
  terminal.print(report(result, terminal));
  const shown =
    files.filter(f => f.endsWith('.png')).length > 0 ? files.filter(f => f.endsWith('.png')) : files;
  terminal.print(`  → ${shown.join('  ')}`);
  terminal.print();
}

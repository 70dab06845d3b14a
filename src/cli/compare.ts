// tenon compare RUN RUN …: the results of runs in one table, their curves in one picture.

import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { defineCommand, UsageError } from './command.ts';
import { writePictures } from './pictures.ts';
import { type Curves, comparisonPicture } from './recipes/curves.ts';
import type { Metrics } from './recipes/recipe.ts';
import { columns } from './terminal.ts';

interface PastRun {
  readonly folder: string;
  readonly recipe: string;
  readonly seed: number;
  readonly seconds: number;
  readonly metrics: Metrics;
  /** Curves of its trainings by name. */
  readonly histories: Readonly<Record<string, Curves>>;
}

export const compare = defineCommand({
  name: 'compare',
  takes: 'RUN RUN …',
  about: {
    en: 'Results of runs side by side, curves in one picture',
    zh: '并排比较多次运行，曲线画在一张图里',
  },
  options: {
    metric: {
      kind: 'text',
      value: 'NAME',
      about: { en: 'the curve that is drawn; default testLoss', zh: '画哪条曲线；默认 testLoss' },
    },
    out: {
      kind: 'text',
      value: 'DIR',
      about: { en: 'where the picture goes; default runs/compare', zh: '图片的输出目录；默认 runs/compare' },
    },
  },
  examples: [
    [
      'tenon compare runs/constant runs/cosine --metric testAccuracy',
      { en: 'two folders that tenon train --out wrote', zh: '比较 tenon train --out 写下的两个目录' },
    ],
  ],
  async run(values, rest, terminal) {
    if (rest.length < 2) throw new UsageError('compare: two or more folders of runs are needed');
    const runs = await Promise.all(rest.map(readRun));
    const metric = values.metric ?? 'testLoss';
    const curves: Record<string, readonly number[]> = {};
    for (const run of runs) {
      for (const [training, history] of Object.entries(run.histories)) {
        const curve = history[metric];
        const name = Object.keys(run.histories).length > 1 ? `${run.folder} ${training}` : run.folder;
        if (curve !== undefined) curves[name] = curve;
      }
    }
    const known = [...new Set(runs.flatMap(r => Object.values(r.histories).flatMap(h => Object.keys(h))))];
    if (Object.keys(curves).length === 0 && (values.metric !== undefined || known.length > 0))
      throw new UsageError(`compare: curves are ${known.join(', ') || 'none'}, got '${metric}'`);
    if (values.json) {
      terminal.print(JSON.stringify({ metric, runs }));
      return 0;
    }
    terminal.print(table(runs));
    if (Object.keys(curves).length === 0) return 0;
    const title = { en: 'Runs compared', zh: '运行比较' };
    const picture = comparisonPicture(curves, {
      title,
      subtitle: metric,
      language: terminal.language,
      label: metric,
      log: metric.endsWith('Loss'),
    });
    terminal.print();
    for (const file of await writePictures(values.out ?? join('runs', 'compare'), { compare: picture }))
      terminal.print(`  ${file}`);
    return 0;
  },
});

async function readRun(folder: string): Promise<PastRun> {
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch {
      throw new UsageError(`compare: ${folder} must be the folder of a finished run, got none with ${name}`);
    }
  };
  const result = JSON.parse(await read('result.json')) as Omit<PastRun, 'folder' | 'histories'>;
  return { folder, ...result, histories: JSON.parse(await read('history.json')) as PastRun['histories'] };
}

function table(runs: readonly PastRun[]): string {
  const names = [...new Set(runs.flatMap(r => Object.keys(r.metrics)))];
  return columns([
    ['run', 'recipe', 'seed', ...names, 's'],
    ...runs.map(r => [
      basename(r.folder),
      r.recipe,
      String(r.seed),
      ...names.map(n => r.metrics[n]?.toPrecision(4) ?? '-'),
      r.seconds.toFixed(1),
    ]),
  ]);
}

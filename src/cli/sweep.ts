// tenon sweep RECIPE --grid key=a,b …: every combination of settings over a few seeds, one table, one chart.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultDevice } from '../index.ts';
import { chart, dots, line, matrixChart, seriesColor } from '../viz/index.ts';
import { assignments, defineCommand, UsageError } from './command.ts';
import type { Language } from './language.ts';
import { writePictures } from './pictures.ts';
import type { Metrics } from './recipes/recipe.ts';
import { median } from './recipes/recipe.ts';
import { findRecipe, runRecipe, settingsOf } from './run-recipe.ts';
import { columns } from './terminal.ts';

export interface SweepRow {
  readonly settings: Readonly<Record<string, string>>;
  readonly seeds: readonly number[];
  /** The metric of each seed; NaN where the run failed. */
  readonly values: readonly number[];
  readonly median: number;
  readonly seconds: number;
}

export const sweep = defineCommand({
  name: 'sweep',
  takes: 'RECIPE',
  about: {
    en: 'Train a recipe with every combination of settings; one table, one chart',
    zh: '用每一种设置组合训练同一个配方，汇总成一张表、一张图',
  },
  options: {
    grid: {
      kind: 'list',
      value: 'KEY=A,B,…',
      about: { en: 'a setting and its values; repeatable', zh: '一个设置和它的取值；可重复' },
    },
    set: {
      kind: 'list',
      value: 'KEY=VALUE',
      about: { en: 'a setting that stays; repeatable', zh: '保持不变的设置；可重复' },
    },
    seeds: {
      kind: 'number',
      value: 'N',
      about: { en: 'seeds 0 … N-1; default 1', zh: '种子 0 … N-1；默认 1' },
    },
    epochs: { kind: 'number', value: 'N', about: { en: 'passes over the data', zh: '训练轮数' } },
    metric: {
      kind: 'text',
      value: 'NAME',
      about: {
        en: 'what is compared; default testAccuracy, else the first',
        zh: '比较哪个指标；默认 testAccuracy，没有则取第一个',
      },
    },
    out: {
      kind: 'text',
      value: 'DIR',
      about: { en: 'where files go; default runs/RECIPE-sweep', zh: '输出目录；默认 runs/配方名-sweep' },
    },
  },
  examples: [
    [
      'tenon sweep rings --grid lr=.003,.01,.03 --grid batchSize=32,128 --seeds 3',
      { en: 'six combinations, three seeds each', zh: '六种组合，各三个种子' },
    ],
  ],
  async run(values, rest, terminal) {
    if (rest.length !== 1)
      throw new UsageError("sweep: one recipe is needed; 'tenon train --list' shows them");
    const recipe = findRecipe(rest[0]!);
    const grid = Object.entries(assignments('sweep', '--grid', values.grid ?? [])).map(
      ([key, list]) => [key, list.split(',')] as const,
    );
    if (grid.length === 0) throw new UsageError('sweep: --grid KEY=A,B is needed at least once');
    const fixed = assignments('sweep', '--set', values.set ?? []);
    if (values.epochs !== undefined) fixed['epochs'] = String(values.epochs);
    const seedCount = values.seeds ?? 1;
    if (!Number.isInteger(seedCount) || seedCount < 1)
      throw new UsageError(`sweep: --seeds must be an integer >= 1, got ${seedCount}`);
    const seeds = Array.from({ length: seedCount }, (_, i) => i);
    const points = combinations(grid);
    // A wrong value is told before the first hour of training.
    for (const p of points) settingsOf(recipe, { ...fixed, ...p });

    const rows: SweepRow[] = [];
    let metric = values.metric ?? null;
    for (const [i, point] of points.entries()) {
      const found: number[] = [];
      const start = performance.now();
      for (const seed of seeds) {
        const r = await runRecipe(recipe, seed, { ...fixed, ...point }, terminal).catch((e: Error) => e);
        if (r instanceof Error) terminal.warn(`${describe(point)} seed ${seed}: ${r.message}`);
        else metric ??= chosen(r.metrics);
        found.push(r instanceof Error ? Number.NaN : metricOf(r.metrics, metric!));
      }
      const seconds = (performance.now() - start) / 1000;
      rows.push({ settings: point, seeds, values: found, median: median(found), seconds });
      if (values.json !== true)
        terminal.warn(
          `${i + 1}/${points.length}  ${describe(point)}  ${metric} ${show(rows.at(-1)!.median)}`,
        );
    }
    const name = metric ?? 'testAccuracy';
    const folder = values.out ?? join('runs', `${recipe.name}-sweep`);
    await mkdir(folder, { recursive: true });
    const title = `${recipe.name} · ${name}`;
    const files = await writePictures(folder, { sweep: sweepPicture(title, grid, rows, terminal.language) });
    const record = { recipe: recipe.name, device: defaultDevice(), metric: name, fixed, rows };
    await writeFile(join(folder, 'sweep.json'), `${JSON.stringify(record, null, 1)}\n`);
    await writeFile(join(folder, 'sweep.csv'), csv(grid, rows, name));
    if (values.json) {
      terminal.print(JSON.stringify(record));
      return 0;
    }
    terminal.print(title);
    terminal.print(sweepTable(grid, rows, name));
    terminal.print();
    for (const f of [...files, join(folder, 'sweep.json'), join(folder, 'sweep.csv')])
      terminal.print(`  ${f}`);
    return 0;
  },
});

type Grid = readonly (readonly [key: string, values: readonly string[]])[];
/** Every choice of one value per key, the last key changing fastest. */
export function combinations(grid: Grid): Record<string, string>[] {
  return grid.reduce<Record<string, string>[]>(
    (points, [key, values]) => points.flatMap(p => values.map(v => ({ ...p, [key]: v }))),
    [{}],
  );
}
const describe = (point: Readonly<Record<string, string>>): string =>
  Object.entries(point)
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');
const chosen = (m: Metrics): string => ('testAccuracy' in m ? 'testAccuracy' : Object.keys(m)[0]!);
function metricOf(m: Metrics, name: string): number {
  const v = m[name];
  if (v === undefined) throw new UsageError(`sweep: metrics are ${Object.keys(m).join(', ')}, got '${name}'`);
  return v;
}
const show = (v: number): string => (Number.isFinite(v) ? v.toPrecision(4) : '-');

function sweepTable(grid: Grid, rows: readonly SweepRow[], metric: string): string {
  const keys = grid.map(([k]) => k);
  return columns([
    [...keys, metric, 'min', 'max', 's'],
    ...rows.map(r => [
      ...keys.map(k => r.settings[k]!),
      show(r.median),
      show(Math.min(...r.values)),
      show(Math.max(...r.values)),
      r.seconds.toFixed(1),
    ]),
  ]);
}
function csv(grid: Grid, rows: readonly SweepRow[], metric: string): string {
  const keys = grid.map(([k]) => k);
  const lines = rows.flatMap(r =>
    r.seeds.map((seed, i) => [...keys.map(k => r.settings[k]!), seed, r.values[i]]),
  );
  return `${[[...keys, 'seed', metric], ...lines].map(l => l.join(',')).join('\n')}\n`;
}

/** One setting: values over it, a dot per seed. Two or more: a matrix of medians, rows over all but the last. */
function sweepPicture(title: string, grid: Grid, rows: readonly SweepRow[], language: Language): string {
  const seeds = rows[0]!.seeds.length;
  const subtitle =
    language === 'zh' ? `每格 ${seeds} 个种子的中位数` : `median of ${seeds} seed${seeds === 1 ? '' : 's'}`;
  const [lastKey, lastValues] = grid.at(-1)!;
  if (grid.length > 1) {
    const values: number[][] = [];
    for (let i = 0; i < rows.length; i += lastValues.length)
      values.push(rows.slice(i, i + lastValues.length).map(r => r.median));
    return matrixChart({
      title,
      subtitle,
      rows: combinations(grid.slice(0, -1)).map(describe),
      columns: lastValues,
      columnLabel: lastKey,
      values,
      format: show,
    });
  }
  const numeric = lastValues.map(Number);
  const x = numeric.every(Number.isFinite) ? numeric : lastValues.map((_, i) => i + 1);
  const log = numeric.every(v => v > 0) && Math.max(...numeric) > 20 * Math.min(...numeric);
  return chart({
    title,
    subtitle,
    x: { label: lastKey, log },
    y: {},
    marks: [
      line(
        x,
        rows.map(r => r.median),
        { color: seriesColor(0), width: 2 },
      ),
      dots(
        rows.flatMap((r, i) => r.values.map(() => x[i]!)),
        rows.flatMap(r => [...r.values]),
        { color: seriesColor(0), shape: 'ring' },
      ),
    ],
  });
}

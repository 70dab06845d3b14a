// npm run bands -- RECIPE: runs a recipe with seeds 1 … 10 and writes its band to bench/results/bands/RECIPE.json.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { bandOf, WATCHED } from '../src/cli/bands.ts';
import { findRecipe, runRecipe } from '../src/cli/run-recipe.ts';
import { makeTerminal } from '../src/cli/terminal.ts';

const SEEDS = Array.from({ length: 10 }, (_, i) => i + 1);
const terminal = makeTerminal('en', { out: process.stdout, err: process.stderr, env: process.env });
const names = process.argv.slice(2);
const watched = WATCHED.filter(w => names.length === 0 || names.includes(w.recipe));
if (watched.length === 0)
  throw new Error(`bands: recipes are ${WATCHED.map(w => w.recipe).join(', ')}, got '${names}'`);
const folder = join(import.meta.dirname, '../bench/results/bands');
mkdirSync(folder, { recursive: true });
for (const { recipe, metric, without, ingredient } of watched) {
  const values: number[] = [];
  const ablated: number[] = [];
  for (const seed of SEEDS) {
    const { metrics } = await runRecipe(findRecipe(recipe), seed, {}, terminal);
    values.push(metrics[metric]!);
    ablated.push(metrics[without]!);
  }
  const band = bandOf(values);
  const outside = ablated.every(v => v < band[0] || v > band[1]);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const machine = `${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}`;
  const command = `npm run bands -- ${recipe}`;
  const record = {
    command,
    commit,
    machine,
    metric,
    without,
    ingredient,
    seeds: SEEDS,
    values,
    band,
    ablated,
  };
  writeFileSync(join(folder, `${recipe}.json`), `${JSON.stringify(record, null, 1)}\n`);
  terminal.print(
    `${recipe}: ${metric} in [${band.map(v => v.toFixed(4)).join(', ')}], without ${ingredient} ${outside ? 'outside' : 'NOT outside'}`,
  );
  if (!outside) process.exitCode = 1;
}

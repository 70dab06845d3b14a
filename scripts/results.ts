// npm run results -- RECIPE [--seeds N] [--set KEY=VALUE …]: trains a recipe with seeds 0 … N − 1 and keeps what came out:
// bench/results/RECIPE/training.json has command, commit, machine, settings, and for each seed time, metrics and the log
// of every epoch; a recipe with a model leaves the weights of its median seed in weights/. The curves are of that seed, too.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findRecipe, settingsOf } from '../src/cli/run-recipe.ts';

/** One seed's training. */
export interface SeedResult {
  readonly seed: number;
  readonly seconds: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Numbers after each epoch by training and name; empty where the recipe's trainings keep none. */
  readonly epochs: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}
export interface Training {
  readonly recipe: string;
  readonly command: string;
  readonly commit: string;
  readonly machine: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** The metric that decides which seed is the median one. */
  readonly metric: string;
  readonly median: SeedResult['seed'];
  readonly seeds: readonly SeedResult[];
}

const root = resolve(import.meta.dirname, '..');
const read = <T>(file: string): T => JSON.parse(readFileSync(file, 'utf8')) as T;

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '3' },
      set: { type: 'string', multiple: true, default: [] },
    },
  });
  const recipe = findRecipe(positionals[0] ?? '');
  const set = Object.fromEntries(values.set.map(s => s.split('=') as [string, string]));
  const settings = settingsOf(recipe, set);
  const temp = mkdtempSync(join(tmpdir(), 'tenon-results-'));
  const out = (seed: number): string => join(temp, String(seed));
  const seeds: SeedResult[] = [];
  for (let seed = 0; seed < Number(values.seeds); seed++) {
    const args = ['train', recipe.name, '--seed', String(seed), '--out', out(seed)];
    const sets = values.set.flatMap(s => ['--set', s]);
    const run = spawnSync(process.execPath, [join(root, 'src/cli/main.ts'), ...args, ...sets], {
      cwd: root,
      stdio: 'inherit',
    });
    if (run.status !== 0) throw new Error(`results: ${recipe.name} seed ${seed} ended with ${run.status}`);
    const { seconds, metrics } = read<SeedResult>(join(out(seed), 'result.json'));
    const history = join(out(seed), 'history.json');
    seeds.push({ seed, seconds, metrics, epochs: existsSync(history) ? read(history) : {} });
  }
  const metric = ['testAccuracy', 'testLoss'].find(m => m in seeds[0]!.metrics);
  const name = metric ?? Object.keys(seeds[0]!.metrics)[0]!;
  const inOrder = [...seeds].sort((a, b) => a.metrics[name]! - b.metrics[name]!);
  const median = inOrder[(inOrder.length - 1) >> 1]!;
  const training: Training = {
    recipe: recipe.name,
    command: ['npm run results --', ...process.argv.slice(2)].join(' '),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim(),
    machine: `${availableParallelism()} × ${cpus()[0]!.model}, Node ${process.version}`,
    settings,
    metric: name,
    median: median.seed,
    seeds,
  };
  const folder = join(root, 'bench/results', recipe.name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'training.json'), `${JSON.stringify(training, null, 1)}\n`);
  const weights = join(out(median.seed), 'weights.safetensors');
  if (existsSync(weights)) copyFileSync(weights, join(root, 'weights', `${recipe.name}.safetensors`));
  for (const picture of ['learning.svg', 'comparison.svg'])
    if (existsSync(join(out(median.seed), picture)))
      copyFileSync(join(out(median.seed), picture), join(folder, picture));
  rmSync(temp, { recursive: true });
  console.log(
    `${name}: ${seeds.map(s => s.metrics[name]!.toPrecision(4)).join(', ')}; median seed ${median.seed}`,
  );
}

// Recipes against the bands of earlier runs: one seed of each again, with its ingredient and without.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bandOf, WATCHED } from '../../src/cli/bands.ts';
import { findRecipe, runRecipe } from '../../src/cli/run-recipe.ts';
import { makeTerminal } from '../../src/cli/terminal.ts';

interface Band {
  readonly seeds: readonly number[];
  readonly values: readonly number[];
  readonly ablated: readonly number[];
  readonly band: readonly [number, number];
}
const terminal = makeTerminal('en', { out: process.stdout, err: process.stderr, env: { TERM: 'dumb' } });

const data = process.env['TENON_DATA'] !== undefined;
it.skipIf(data).each(data ? [] : WATCHED.filter(w => w.data))(
  '$recipe needs real data in TENON_DATA',
  () => {},
);
it.each(WATCHED.filter(w => data || !w.data))(
  '$recipe: a run is within the band, the one without $ingredient outside',
  async w => {
    const file = join(import.meta.dirname, `../../bench/results/bands/${w.recipe}.json`);
    const { seeds, values, band } = JSON.parse(readFileSync(file, 'utf8')) as Band;
    expect(seeds.length).toBeGreaterThanOrEqual(5);
    expect(band).toEqual(bandOf(values));
    // A seed that the band was not made from.
    const { metrics } = await runRecipe(findRecipe(w.recipe), Math.max(...seeds) + 1, {}, terminal);
    const [low, high] = band;
    const inside = (name: string): boolean => metrics[name]! >= low && metrics[name]! <= high;
    expect([w.metric, w.without].map(inside)).toEqual([true, false]);
  },
  240_000,
);

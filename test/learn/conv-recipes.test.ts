// The experiments with convolutional nets, cut down to seconds: the deep plain net ends above the shallow one, taking blocks
// out harms a plain net only, and pictures tell what windows do. Whole runs: bench/results.

import { expect, it } from 'vitest';
import { blockPicture } from '../../src/cli/recipes/block-pictures.ts';
import { windowPictures } from '../../src/cli/recipes/conv-ways.ts';
import { findRecipe, runRecipe } from '../../src/cli/run-recipe.ts';
import { makeTerminal } from '../../src/cli/terminal.ts';
import { checkXml } from '../viz/xml.ts';

const terminal = makeTerminal('en', { out: process.stdout, err: process.stderr, env: { TERM: 'dumb' } });
const run = async (name: string, settings: Record<string, string>): Promise<Record<string, number>> =>
  (await runRecipe(findRecipe(name), 1, settings, terminal)).metrics;
const data = process.env['TENON_DATA'] !== undefined;

it.skipIf(data)('recipes on clothes need real data in TENON_DATA', () => {});
it.runIf(data)(
  'degradation: a deeper plain net has a higher training loss, a residual one stays together',
  async () => {
    const m = await run('degradation', {
      shallow: '8',
      deep: '32',
      pictures: '300',
      epochs: '4',
      width: '4',
      lr: '0.1',
    });
    // It has learnt: guessing is ln 10 = 2.30.
    expect(m['trainLossPlainShallow']).toBeLessThan(2);
    expect(m['trainLossPlainDeep']).toBeGreaterThan(m['trainLossPlainShallow']! + 0.3);
    expect(m['trainLossResidualDeep']).toBeLessThan(m['trainLossPlainDeep']! - 0.3);
    // A block less: the plain net falls nearly to guessing, the residual one stays where it is.
    expect(m['testAccuracyPlainLess']).toBeLessThan(m['testAccuracyPlainShallow']! - 0.2);
    expect(Math.abs(m['testAccuracyResidualLess']! - m['testAccuracyResidualShallow']!)).toBeLessThan(0.06);
  },
  120_000,
);
it.runIf(data)(
  'pooling and conv-stack: nets learn, and the stack sees as much with fewer weights',
  async () => {
    const few = { pictures: '500', epochs: '3' };
    const pool = await run('pooling', few);
    expect(pool['trainLossMax']).toBeLessThan(pool['trainLossAvg']!);
    expect(pool['trainLossMax']).toBeLessThan(1.6);
    const stack = await run('conv-stack', few);
    expect([stack['fieldStack'], stack['fieldLarge']]).toEqual([5, 5]);
    expect(stack['parametersStack']).toBeLessThan(stack['parametersLarge']! * 0.8);
    expect(stack['trainLossStack']).toBeLessThan(2);
  },
  120_000,
);

it.each(['en', 'zh'] as const)('windows and blocks are drawn, in %s', async language => {
  const drawn = { blocks: blockPicture(language), ...(await windowPictures(language)) };
  expect(Object.keys(drawn).length).toBe(6);
  for (const svg of Object.values(drawn)) checkXml(svg);
  for (const words of ['F(x)', '5 × 5, 32', 'H₃', '1 × 1, s 2, BN'])
    expect(drawn.blocks).toContain(`>${words}<`);
});

// How much of a result is luck: mission 1 with many seeds, from two kinds of first weights.
// In: how many seeds. Out: a table with every value, and whether the medians reach the goals.

import { defaultDevice } from '../index.ts';
import { median } from './recipes/recipe.ts';
import { findRecipe, runRecipe } from './run-recipe.ts';
import { columns, type Terminal } from './terminal.ts';

/** Median test accuracy that each recipe must reach from He's start. */
export const GOALS = { circle: 0.97, triangle: 0.98, square: 0.975, rings: 0.99 } as const;

/** Exit code 1 where a median is below its goal. */
export async function seedLottery(seeds: number, json: boolean, terminal: Terminal): Promise<number> {
  let missed = 0;
  for (const init of ['he', 'small'] as const) {
    if (!json) terminal.print(terminal.say(TITLES[init]));
    for (const [name, goal] of Object.entries(GOALS)) {
      const values: number[] = [];
      for (let seed = 0; seed < seeds; seed++) {
        const { metrics } = await runRecipe(findRecipe(name), seed, { init }, terminal);
        values.push(metrics['testAccuracy']!);
      }
      const middle = median(values);
      if (init === 'he' && middle < goal) missed++;
      if (json) {
        const device = defaultDevice();
        terminal.print(
          JSON.stringify({ recipe: name, init, seeds, device, goal, median: middle, testAccuracy: values }),
        );
      } else terminal.print(block(name, init, goal, middle, values, terminal));
    }
  }
  return missed === 0 ? 0 : 1;
}
const TITLES = {
  he: {
    en: 'Test accuracy in %, first weights N(0, 2/fan in) (He)',
    zh: '测试准确率(%)，初始权重 N(0, 2/fan in)(He)',
  },
  small: {
    en: 'For comparison: first weights N(0, 0.1²); a net may never leave the start',
    zh: '对照：初始权重 N(0, 0.1²)，有的网络始终学不动',
  },
} as const;

function block(
  name: string,
  init: string,
  goal: number,
  middle: number,
  values: readonly number[],
  terminal: Terminal,
): string {
  const show = (v: number): string => (100 * v).toFixed(2);
  const sorted = [...values].sort((a, b) => a - b);
  const words = terminal.say({ en: 'median', zh: '中位数' });
  const verdict =
    init !== 'he'
      ? ''
      : `  ${middle >= goal ? '✓' : '✗'} ${terminal.say({ en: 'goal', zh: '目标' })} ${show(goal)}`;
  const rows: string[][] = [];
  for (let i = 0; i < values.length; i += 10) {
    rows.push([
      i === 0 ? name : '',
      values
        .slice(i, i + 10)
        .map(v => show(v).padStart(6))
        .join(' '),
    ]);
  }
  const range = `${show(sorted[0]!)} … ${show(sorted.at(-1)!)}`;
  rows.push(['', `${words} ${show(middle)}  (${range})${verdict}`]);
  return columns(rows.map(([a, b]) => [a!.padEnd(8), b!]));
}

// Ways down surfaces: against what theory says of the ravine, and the race that the command line runs.

import { describe, expect, test } from 'vitest';
import { RECIPES } from '../../src/cli/recipes/list.ts';
import { settingsOf } from '../../src/cli/run-recipe.ts';
import { ravine } from '../../src/data/index.ts';
import { optim, type Tensor } from '../../src/index.ts';
import { fit } from '../../src/train/index.ts';

type Params = readonly Tensor[];
const down = (make: (p: Params) => optim.Optimizer<{ lr: number }>, steps = 60) =>
  optim.descend(p => ravine(p), [1, 1], make, { steps });

describe('descend', () => {
  test('plain descent shrinks x by 1 − lr and y by 1 − 100·lr a step', async () => {
    const { points, values } = await down(p => new optim.SGD(p, { lr: 0.015 }), 20);
    expect(points.length).toBe(21);
    expect(values.length).toBe(21);
    points.forEach(([x, y], i) => {
      expect(x).toBeCloseTo(0.985 ** i, 12);
      expect(y).toBeCloseTo((-0.5) ** i, 12);
      expect(values[i]).toBeCloseTo((x! ** 2 + 100 * y! ** 2) / 2, 12);
    });
  });
  const end = async (options: Partial<optim.SGDOptions>): Promise<number> =>
    (await down(p => new optim.SGD(p, options), 400)).values.at(-1)!;
  test('plain descent diverges beyond 2/κ, momentum beyond 2(1 + μ)/κ, Nesterov beyond 2(1 + μ)/(κ(1 + 2μ))', async () => {
    const [plain, momentum, nesterov] = [{}, { momentum: 0.5 }, { momentum: 0.5, nesterov: true }];
    for (const [options, limit] of [
      [plain, 0.02],
      [momentum, 0.03],
      [nesterov, 0.015],
    ] as const) {
      expect(await end({ ...options, lr: 0.98 * limit })).toBeLessThan(1e-1);
      expect(await end({ ...options, lr: 1.02 * limit })).toBeGreaterThan(1e3);
    }
  });
  test('LBFGS solves it in few steps', async () => {
    const make = (p: Params) => new optim.LBFGS(p, { maxIter: 1, lineSearchFn: 'strong_wolfe' });
    expect((await down(make, 12)).values.at(-1)).toBeLessThan(1e-9);
  });
  test('needs a step', async () => {
    await expect(down(p => new optim.SGD(p), 0)).rejects.toThrow('descend: steps must be at least 1, got 0');
  });
});

describe('optimizer-race', () => {
  const recipe = RECIPES.find(r => r.name === 'optimizer-race')!;
  const run = (language: 'en' | 'zh', epochs?: string) =>
    recipe.train({
      settings: settingsOf(recipe, epochs === undefined ? {} : { epochs }),
      language,
      progress: () => {},
      fit: (_, m, o) => fit(m, o),
    });
  test('momentum reaches below a hundredth of plain descent on both surfaces', async () => {
    const { metrics: m } = await run('en');
    for (const s of ['rosenbrock', 'ravine']) {
      expect(m[`${s}Momentum`]!).toBeLessThan(m[`${s}Descent`]! / 100);
      expect(m[`${s}Nesterov`]!).toBeLessThan(m[`${s}Momentum`]!);
    }
  });
  test.each(['en', 'zh'] as const)('draws ways and values in %s', async language => {
    const pictures = await (await run(language, '20')).pictures();
    expect(Object.keys(pictures)).toEqual(['rosenbrock', 'ravine', 'values']);
    for (const svg of Object.values(pictures)) {
      expect(svg).toContain(language === 'zh' ? '梯度下降' : 'gradient descent');
      expect(svg).not.toContain('NaN');
    }
  });
});

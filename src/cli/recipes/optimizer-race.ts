// Optimizers from one start down two surfaces: a curved valley (Rosenbrock) and a straight ravine.

import { ravine, rosenbrock } from '../../data/index.ts';
import { optim, type Tensor, tensor } from '../../index.ts';
import {
  bands,
  chart,
  dots,
  figure,
  type Grid,
  type Interval,
  isoline,
  line,
  type Mark,
  mix,
  seriesColor,
  THEME,
} from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { count, defineRecipe, type Metrics } from './recipe.ts';

type Params = readonly Tensor[];
interface Surface {
  readonly name: 'rosenbrock' | 'ravine';
  readonly words: Words;
  readonly f: (p: Tensor) => Tensor;
  readonly start: readonly [number, number];
  readonly least: readonly [number, number];
  readonly x: Interval;
  readonly y: Interval;
  /** Rates of descent (with and without momentum), Adagrad, RMSprop and Adam. */
  readonly rates: readonly [number, number, number, number];
}
const SURFACES: readonly Surface[] = [
  {
    name: 'rosenbrock',
    words: { en: 'a curved valley (Rosenbrock)', zh: '弯曲的山谷（Rosenbrock 函数）' },
    f: p => rosenbrock(p),
    start: [-1.5, 2],
    least: [1, 1],
    x: [-2, 2],
    y: [-0.5, 2.7],
    rates: [1e-3, 0.5, 0.02, 0.1],
  },
  {
    name: 'ravine',
    words: { en: 'a straight ravine, 100 times as steep across', zh: '笔直的窄谷，横向陡 100 倍' },
    f: p => ravine(p),
    start: [-1.8, 0.6],
    least: [0, 0],
    x: [-2, 1],
    y: [-1.2, 1.2],
    // Beyond 2/κ · (1 + μ)/(1 + 2μ) = .0136 Nesterov's momentum diverges, beyond .02 plain descent does.
    rates: [0.012, 0.3, 0.05, 0.1],
  },
];

const RACERS: readonly {
  readonly name: string;
  readonly words: Words;
  readonly make: (p: Params, rates: Surface['rates']) => optim.Optimizer<{ lr: number }>;
}[] = [
  {
    name: 'Descent',
    words: { en: 'gradient descent', zh: '梯度下降' },
    make: (p, [lr]) => new optim.SGD(p, { lr }),
  },
  {
    name: 'Momentum',
    words: { en: 'momentum .9', zh: '动量 0.9' },
    make: (p, [lr]) => new optim.SGD(p, { lr, momentum: 0.9 }),
  },
  {
    name: 'Nesterov',
    words: { en: 'Nesterov .9', zh: 'Nesterov 0.9' },
    make: (p, [lr]) => new optim.SGD(p, { lr, momentum: 0.9, nesterov: true }),
  },
  {
    name: 'Adagrad',
    words: { en: 'Adagrad', zh: 'Adagrad' },
    make: (p, [, lr]) => new optim.Adagrad(p, { lr }),
  },
  {
    name: 'RMSprop',
    words: { en: 'RMSprop', zh: 'RMSprop' },
    make: (p, [, , lr]) => new optim.RMSprop(p, { lr }),
  },
  {
    name: 'Adam',
    words: { en: 'Adam', zh: 'Adam' },
    make: (p, [, , , lr]) => new optim.Adam(p, { lr }),
  },
];
type Paths = readonly optim.DescentPath[];

export const optimizerRace = defineRecipe({
  name: 'optimizer-race',
  about: {
    en: 'Six optimizers from one start down a curved valley and down a ravine',
    zh: '六种优化器从同一起点出发，走下弯曲的山谷和窄谷',
  },
  goal: {
    en: 'with momentum the value is below a hundredth of that of plain descent at the same rate, on both surfaces',
    zh: '同样的学习率下，带动量的函数值不到普通梯度下降的百分之一，两个曲面都是如此',
  },
  settings: { epochs: count(300) },
  async train({ settings, language, progress }) {
    const steps = settings.epochs;
    const paths: Paths[] = [];
    const metrics: Metrics = {};
    for (const [i, s] of SURFACES.entries()) {
      const here: optim.DescentPath[] = [];
      for (const [j, racer] of RACERS.entries()) {
        const path = await optim.descend(s.f, s.start, p => racer.make(p, s.rates), { steps });
        here.push(path);
        metrics[`${s.name}${racer.name}`] = path.values.at(-1)!;
        const done = ((i * RACERS.length + j + 1) * steps) / (SURFACES.length * RACERS.length);
        progress(Math.round(done), steps, {});
      }
      paths.push(here);
    }
    return {
      metrics,
      facts: RACERS.map((r, j) => [
        r.words,
        SURFACES.map((s, i) => `${s.name} ${paths[i]![j]!.values.at(-1)!.toExponential(1)}`).join(', '),
      ]),
      pictures: async () => ({
        rosenbrock: await pathPicture(SURFACES[0]!, paths[0]!, language),
        ravine: await pathPicture(SURFACES[1]!, paths[1]!, language),
        values: valuesPicture(paths, language),
      }),
    };
  },
});

const BANDS = 12;
/** The surface on a scale of logarithms, with the way of each optimizer. */
async function pathPicture(s: Surface, paths: Paths, language: Language): Promise<string> {
  const zh = language === 'zh';
  const steps = paths[0]!.values.length - 1;
  const grid = await heights(s);
  const [low, high] = [Math.log10(0.05), Math.log10(Math.max(...Array.from(grid.values)))];
  const levels = Array.from({ length: BANDS }, (_, i) => 10 ** (low + ((high - low) * i) / BANDS));
  const ways = paths.map((p, i): Mark => {
    const [x, y] = [p.points.map(q => q[0]!), p.points.map(q => q[1]!)];
    return line(x, y, { color: seriesColor(i), width: 2, name: RACERS[i]!.words[language] });
  });
  const ends = paths.map((p, i): Mark => {
    const [x, y] = p.points.at(-1)!;
    return dots([x!], [y!], { color: seriesColor(i), radius: 4.5 });
  });
  return chart({
    title: zh ? '优化器赛跑' : 'Optimizer race',
    subtitle: `${s.words[language]}${zh ? `，${steps} 步` : `, ${steps} steps`}`,
    width: 560,
    height: (560 * (s.y[1] - s.y[0])) / (s.x[1] - s.x[0]),
    plane: true,
    x: { label: 'x', domain: s.x },
    y: { label: 'y', domain: s.y },
    marks: [
      bands(grid, { levels, color: band => mix('#f7fafc', '#9db9d0', band / BANDS) }),
      ...levels.map(level => isoline(grid, level, { color: '#ffffff', width: 0.8 })),
      ...ways,
      ...ends,
      dots([s.start[0]], [s.start[1]], { color: THEME.ink, radius: 5, name: zh ? '起点' : 'start' }),
      dots([s.least[0]], [s.least[1]], {
        color: THEME.ink,
        radius: 6,
        shape: 'cross',
        name: zh ? '最低点' : 'lowest point',
      }),
    ],
  });
}
async function heights({ f, x, y }: Surface): Promise<Grid> {
  const n = 121;
  const at = ([lo, hi]: Interval, i: number): number => lo + ((hi - lo) * i) / (n - 1);
  const points = Array.from({ length: n * n }, (_, k) => [at(x, k % n), at(y, Math.floor(k / n))]);
  const values = Float64Array.from(await f(tensor(points, { dtype: 'float64' })).data(), Number);
  return { x, y, columns: n, rows: n, values };
}

function valuesPicture(paths: readonly Paths[], language: Language): string {
  const zh = language === 'zh';
  return figure({
    title: zh ? '优化器赛跑：每一步的函数值' : 'Optimizer race: the value at each step',
    width: 420,
    panels: SURFACES.map((s, i) => ({
      heading: s.words[language],
      x: { label: zh ? '步' : 'step' },
      y: { label: zh ? '函数值（对数刻度）' : 'value (log scale)', log: true, domain: [1e-9, 1e3] },
      marks: paths[i]!.map((p, j) => {
        // Below the scale everything is the bottom.
        const shown = p.values.map(v => (v > 1e-9 ? v : Number.NaN));
        return line([...p.values.keys()], shown, {
          color: seriesColor(j),
          width: 1.8,
          name: RACERS[j]!.words[language],
        });
      }),
    })),
  });
}

// Mission 0: a line through seven points. The whole of deep learning in two parameters.

import { compile, makeLine, SGD, type Tensor, tensor, uniform } from '../../index.ts';
import { bands, chart, dots, type Grid, isoline, line, mix, note, rule, THEME } from '../../viz/index.ts';
import { both, type Language } from '../language.ts';
import { count, defineRecipe, fixed, positive } from './recipe.ts';

/** a and b that minimise the mean squared error, from the normal equations. */
export function leastSquares(xs: readonly number[], ys: readonly number[]): { a: number; b: number } {
  const mean = (v: readonly number[]): number => v.reduce((s, x) => s + x, 0) / v.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const covariance = mean(xs.map((x, i) => (x - mx) * (ys[i]! - my)));
  const a = covariance / mean(xs.map(x => (x - mx) ** 2));
  return { a, b: my - a * mx };
}

export const lineRecipe = defineRecipe({
  name: 'line',
  about: {
    en: 'Mission 0: fit y = ax + b to 7 points by gradient descent, predict y at x = 5',
    zh: '任务一：用梯度下降给 7 个点拟合 y = ax + b，预测 x = 5 时的 y',
  },
  goal: both('y(5) = 5 ± 0.01'),
  settings: { epochs: count(200), lr: positive(0.05) },
  async train({ settings, language, progress }) {
    const { x, y } = makeLine(7); // (7, 1) each
    const a = uniform(-2, 2, [], { requiresGrad: true });
    const b = uniform(-2, 2, [], { requiresGrad: true });
    const optimizer = new SGD([a, b], { lr: settings.lr });

    // One step of gradient descent: predict, measure the error, find its slope, walk downhill.
    const step = compile((x: Tensor, y: Tensor) => {
      optimizer.zeroGrad();
      const prediction = x.mul(a).add(b); // (7, 1)
      const loss = prediction.sub(y).square().mean(); // MSE
      loss.backward();
      optimizer.step();
      return loss;
    });

    const trace = { a: [await a.item()], b: [await b.item()], loss: [] as number[] };
    for (let epoch = 1; epoch <= settings.epochs; epoch++) {
      trace.loss.push(await step(x, y).item());
      trace.a.push(await a.item());
      trace.b.push(await b.item());
      progress(epoch, settings.epochs, { trainLoss: trace.loss.at(-1)! });
    }

    const yAt5 = await tensor(5).mul(a).add(b).item();
    const points = { x: Array.from(await x.data(), Number), y: Array.from(await y.data(), Number) };
    const [fitA, fitB, loss] = [trace.a.at(-1)!, trace.b.at(-1)!, trace.loss.at(-1)!];
    const exact = leastSquares(points.x, points.y);
    return {
      metrics: { trainLoss: loss, a: fitA, b: fitB, yAt5 },
      facts: [
        [{ en: 'found', zh: '学到' }, show(fitA, fitB)],
        [{ en: 'exact (least squares)', zh: '精确解（最小二乘）' }, show(exact.a, exact.b)],
        [{ en: 'at x = 5', zh: 'x = 5 时' }, `y = ${yAt5.toFixed(4)}`],
      ],
      pictures: async () => ({
        line: linePicture(points, fitA, fitB, yAt5, language),
        descent: descentPicture(points, trace, language),
      }),
    };
  },
});

const show = (a: number, b: number): string => `a = ${fixed(a, 4)}, b = ${fixed(b, 4)}`;

interface Points {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

function linePicture({ x, y }: Points, a: number, b: number, yAt5: number, language: Language): string {
  const zh = language === 'zh';
  const ends = [-3.5, 5.5];
  return chart({
    title: zh ? '任务一 · 直线：7 个点' : 'Mission 0 · line: 7 points',
    subtitle: `y = ax + b, ${show(a, b)}`,
    width: 520,
    height: 360,
    x: { label: 'x', domain: [-3.5, 5.5], ticks: 9 },
    y: { label: 'y' },
    marks: [
      rule({ x: 5 }, { dash: '3 4' }),
      line(
        ends,
        ends.map(v => a * v + b),
        { name: zh ? '拟合的直线' : 'fitted line', width: 2.4 },
      ),
      dots(x, y, { name: zh ? '数据' : 'data', color: THEME.ink, radius: 4.5 }),
      dots([5], [yAt5], {
        name: zh ? '预测' : 'prediction',
        color: THEME.negative,
        shape: 'diamond',
        radius: 7,
      }),
      note(5, yAt5, `y(5) = ${yAt5.toFixed(3)}`, { anchor: 'end', dx: -12, dy: -4 }),
    ],
  });
}

/** The loss over all (a, b), with the way that gradient descent took. */
function descentPicture(
  { x, y }: Points,
  trace: { readonly a: readonly number[]; readonly b: readonly number[] },
  language: Language,
): string {
  const zh = language === 'zh';
  const steps = trace.a.length - 1;
  const [a, b] = [trace.a[steps]!, trace.b[steps]!];
  // Where steps get too small to see, their dots would hide each other.
  const seen = trace.a.map((_, i) => i).filter(i => i < 30 || i === steps);
  const far = (values: readonly number[], from: number): number[] => values.map(v => Math.abs(v - from));
  const reach = 1.25 * Math.max(1, ...far(trace.a, a), ...far(trace.b, b));
  const grid = lossGrid({ x, y }, [a - reach, a + reach], [b - reach, b + reach]);
  const top = Math.max(...Array.from(grid.values));
  // Rings at equal steps of the square root: a bowl's rings at equal distances.
  const levels = Array.from({ length: 11 }, (_, i) => top * ((i + 1) / 12) ** 2);
  return chart({
    title: zh ? '任务一 · 直线：沿着损失下山' : 'Mission 0 · line: walking down the loss',
    subtitle: zh
      ? `每个点是一步；${steps} 步之后 ${show(a, b)}`
      : `each dot is one step; after ${steps} steps ${show(a, b)}`,
    plane: true,
    x: { label: 'a', domain: grid.x },
    y: { label: 'b', domain: grid.y },
    marks: [
      bands(grid, {
        levels,
        color: band => mix('#f7fafc', '#6f97b8', band / levels.length),
        name: zh ? '损失：低 → 高' : 'loss: low → high',
      }),
      ...levels.map(level => isoline(grid, level, { color: '#ffffff', width: 0.8 })),
      line(trace.a, trace.b, {
        color: THEME.negative,
        width: 1.8,
        name: zh ? '梯度下降' : 'gradient descent',
      }),
      dots(
        seen.map(i => trace.a[i]!),
        seen.map(i => trace.b[i]!),
        { color: THEME.negative, radius: 3.4 },
      ),
      dots(trace.a.slice(0, 1), trace.b.slice(0, 1), {
        color: THEME.ink,
        radius: 5,
        name: zh ? '起点' : 'start',
      }),
    ],
  });
}
function lossGrid({ x, y }: Points, a: [number, number], b: [number, number]): Grid {
  const n = 61;
  const at = ([lo, hi]: [number, number], i: number): number => lo + ((hi - lo) * i) / (n - 1);
  const values = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (const [k, v] of x.entries()) sum += (at(a, i) * v + at(b, j) - y[k]!) ** 2;
      values[j * n + i] = sum / x.length;
    }
  }
  return { x: a, y: b, columns: n, rows: n, values };
}

// One input, five ReLU units, one output: a curve from straight pieces, whose kinks stand where a unit switches on.

import { Adam, compile, linspace, noGrad, rand, randn, type Tensor, tensor, uniform } from '../../index.ts';
import { dots, figure, line, type Mark, rule, seriesColor, THEME } from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { count, defineRecipe, fixed, type Progress, positive } from './recipe.ts';

/** What the network is to follow on [−3, 3]. */
const target = (x: number): number => Math.sin(1.6 * x) + 0.2 * x;
const REACH = 3;

/** f(x) = Σ vᵢ · ReLU(wᵢ x + bᵢ) + c, as plain numbers. */
interface Pieces {
  readonly w: readonly number[];
  readonly b: readonly number[];
  readonly v: readonly number[];
  readonly c: number;
}
/** Where the pieces meet: unit i switches on at −bᵢ / wᵢ. */
export const kinksOf = ({ w, b }: Pick<Pieces, 'w' | 'b'>): number[] => w.map((wi, i) => -b[i]! / wi);

export const kinks = defineRecipe({
  name: 'kinks',
  about: {
    en: 'A curve from 5 ReLU units: its kinks stand at −b/w of each unit',
    zh: '用 5 个 ReLU 单元折出一条曲线：折点在每个单元的 −b/w 处',
  },
  goal: {
    en: 'at most 5 kinks, each at −b/w; mean squared error < 0.01',
    zh: '至多 5 个折点，都在 −b/w 处；均方误差 < 0.01',
  },
  settings: { epochs: count(3000), lr: positive(0.01), points: count(121) },
  async train({ settings, language, progress }) {
    const { pieces, xs, loss } = await fitPieces(settings, progress);
    const found = kinksOf(pieces).sort((p, q) => p - q);
    const list = (visible: boolean): string =>
      found
        .filter(k => Math.abs(k) < REACH === visible)
        .map(k => fixed(k, 2))
        .join(', ');
    const inside = found.filter(k => Math.abs(k) < REACH).length;
    const facts: [Words, string][] = [
      [{ en: 'mean squared error', zh: '均方误差' }, loss.toFixed(5)],
      [{ en: 'kinks at −b/w', zh: '折点 −b/w' }, list(true)],
    ];
    if (inside < found.length)
      facts.push([{ en: 'kinks outside of [−3, 3]', zh: '[−3, 3] 之外的折点' }, list(false)]);
    return {
      metrics: { trainLoss: loss, kinks: inside },
      facts,
      pictures: async () => ({ kinks: kinksPicture(pieces, xs, inside, language) }),
    };
  },
});

interface Fit {
  readonly pieces: Pieces;
  readonly xs: readonly number[];
  /** What the network says at each x. */
  readonly fitted: readonly number[];
  readonly loss: number;
}
/** Trains the five units on the target. */
export async function fitPieces(
  { epochs, lr, points }: { readonly epochs: number; readonly lr: number; readonly points: number },
  progress: Progress = () => {},
): Promise<Fit> {
  const x = linspace(-REACH, REACH, points).unsqueeze(1).realize(); // (n, 1)
  const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data(), Number);
  const xs = await values(x);
  const y = tensor(xs.map(target), { shape: [points, 1] });

  // Unit i switches on somewhere in the i-th fifth of [−3, 3]: b = −w · place.
  const w = uniform(0.5, 1.5, [1, 5]).realize();
  const place = rand([1, 5])
    .add(tensor([0, 1, 2, 3, 4]))
    .mul((2 * REACH) / 5)
    .sub(REACH);
  const b = w.neg().mul(place).realize();
  const v = randn([5, 1]).mul(0.5).realize();
  const c = tensor([0]);
  const optimizer = new Adam(
    [w, b, v, c].map(p => p.requiresGrad_()),
    { lr },
  );
  const network = (x: Tensor): Tensor => x.mul(w).add(b).relu().matmul(v).add(c); // (n, 5) → (n, 1)
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = network(x).sub(y).square().mean();
    loss.backward();
    optimizer.step();
    return loss;
  });
  let loss = Number.NaN;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    loss = await step(x, y).item();
    progress(epoch, epochs, { trainLoss: loss });
  }
  const pieces = { w: await values(w), b: await values(b), v: await values(v), c: await c.item() };
  return { pieces, xs, fitted: await values(noGrad(() => network(x))), loss };
}

function kinksPicture(
  { w, b, v, c }: Pieces,
  xs: readonly number[],
  inside: number,
  language: Language,
): string {
  const zh = language === 'zh';
  const places = kinksOf({ w, b });
  const unit = (i: number, x: number): number => v[i]! * Math.max(0, w[i]! * x + b[i]!);
  const fit = (x: number): number => w.reduce((sum, _, i) => sum + unit(i, x), c);
  // The curve is straight between kinks: its corners are enough, and exact.
  const corners = [-REACH, REACH, ...places.filter(k => Math.abs(k) < REACH)].sort((p, q) => p - q);
  const rules: Mark[] = places
    .map((k, i) => ({ k, i }))
    .filter(({ k }) => Math.abs(k) < REACH)
    .map(({ k, i }) => rule({ x: k }, { dash: '3 4', color: seriesColor(i) }));
  const axis = { label: 'x', domain: [-REACH, REACH], ticks: 7 } as const;
  return figure({
    title: zh ? '折线 · 1-5-1 ReLU 网络' : 'Kinks · 1-5-1 ReLU network',
    subtitle: zh ? `${inside} 个折点，第 i 个在 −bᵢ / wᵢ 处` : `${inside} kinks, the i-th at −bᵢ / wᵢ`,
    columns: 1,
    width: 600,
    height: 230,
    panels: [
      {
        heading: zh ? '曲线' : 'The curve',
        x: axis,
        marks: [
          ...rules,
          line(xs, xs.map(target), { color: THEME.axis, width: 5, name: zh ? '目标' : 'target' }),
          line(corners, corners.map(fit), { color: THEME.ink, width: 2, name: zh ? '网络' : 'network' }),
          dots(corners.slice(1, -1), corners.slice(1, -1).map(fit), { color: THEME.ink, radius: 4 }),
        ],
      },
      {
        heading: zh ? '五个单元：它们的和加 c 就是这条曲线' : 'Its five units: their sum plus c is the curve',
        x: axis,
        marks: [
          ...rules,
          ...w.map((_, i) => {
            // Where it is switched on; elsewhere it is 0.
            const active = corners.filter(x => unit(i, x) !== 0 || x === places[i]);
            const name = `v${sub(i + 1)}·ReLU(w${sub(i + 1)}x + b${sub(i + 1)})`;
            return line(
              active,
              active.map(x => unit(i, x)),
              { color: seriesColor(i), name },
            );
          }),
        ],
      },
    ],
  });
}
const sub = (n: number): string => String.fromCharCode(0x2080 + n);

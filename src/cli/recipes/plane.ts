// Pictures of a classifier of points in the plane: its boundary, how it learned, what its units see.
// In: a trained network and points. Out: SVG texts.

import { noGrad, type Samples, tensor } from '../../index.ts';
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
  type NetworkLayer,
  network,
  type Point,
  THEME,
} from '../../viz/index.ts';
import type { Language, Words } from '../language.ts';
import { activations, type History, type Layer, probabilities } from './mlp.ts';

/** What a data set of the plane is called, and its classes 0 and 1. */
export interface PlaneWords {
  readonly title: Words;
  readonly classes: readonly [Words, Words];
}

const LEVELS = [0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.98];
/** Class 0 is orange, class 1 blue, undecided white: pale enough for dots to stand out. */
function bandColor(band: number): string {
  const half = LEVELS.length / 2;
  const strength = (Math.abs(band - half) / half) * 0.42;
  return mix(THEME.ground, band < half ? THEME.negative : THEME.positive, strength);
}

/** A square grid of points, as a tensor (n², 2) and as the frame for values at them. */
function planeGrid(reach: Interval, n: number) {
  const at = (i: number): number => reach[0] + ((reach[1] - reach[0]) * i) / (n - 1);
  const points = Float32Array.from({ length: 2 * n * n }, (_, k) => {
    const cell = Math.floor(k / 2);
    return at(k % 2 === 0 ? cell % n : Math.floor(cell / n));
  });
  const grid = (values: ArrayLike<number>): Grid => ({ x: reach, y: reach, columns: n, rows: n, values });
  return { points: tensor(points, { shape: [n * n, 2] }), grid };
}

export interface BoundaryOptions {
  readonly words: PlaneWords;
  readonly language: Language;
  readonly subtitle: string;
  /** Limits of both axes. */
  readonly reach: Interval;
  /** The border that the labels come from. */
  readonly outline?: readonly Point[];
}
/** The probability of class 1 as areas, the boundary at .5, and the test points with those that are told wrong. */
export async function boundaryPicture(
  layers: readonly Layer[],
  test: Samples,
  { words, language, subtitle, reach, outline }: BoundaryOptions,
): Promise<string> {
  const n = 121;
  const { points, grid } = planeGrid(reach, n);
  const p = await probabilities(layers, points).select(1, 1).data();
  const field = grid(p as Float32Array);
  const x = await test.x.data();
  const y = await test.y.data();
  const told = await probabilities(layers, test.x).argmax(1).data();
  const rows = Array.from({ length: y.length }, (_, i) => i);
  const column = (pick: readonly number[], c: number): number[] => pick.map(i => Number(x[2 * i + c]));
  const place = (pick: readonly number[]): [number[], number[]] => [column(pick, 0), column(pick, 1)];
  const ofClass = (c: number): number[] => rows.filter(i => Number(y[i]) === c);
  const wrong = rows.filter(i => Number(told[i]) !== Number(y[i]));
  const zh = language === 'zh';
  const border = outline ?? [];
  return chart({
    title: words.title[language],
    subtitle,
    plane: true,
    x: { label: 'x₁', domain: reach },
    y: { label: 'x₂', domain: reach },
    marks: [
      bands(field, { levels: LEVELS, color: bandColor, name: `p(${words.classes[1][language]}) 0 → 1` }),
      line(
        border.map(q => q[0]),
        border.map(q => q[1]),
        {
          color: THEME.soft,
          width: 1.3,
          dash: '5 4',
          ...(outline ? { name: zh ? '真正的边界' : 'true border' } : {}),
        },
      ),
      isoline(field, 0.5, { name: zh ? '学到的边界 p = 0.5' : 'learned boundary, p = 0.5', width: 2 }),
      dots(...place(ofClass(1)), { color: THEME.positive, name: words.classes[1][language] }),
      dots(...place(ofClass(0)), {
        color: THEME.negative,
        shape: 'diamond',
        radius: 3.8,
        name: words.classes[0][language],
      }),
      dots(...place(wrong), {
        color: THEME.ink,
        shape: 'ring',
        radius: 6.5,
        name: zh ? `判错 ${wrong.length} / ${rows.length}` : `wrong: ${wrong.length} of ${rows.length}`,
      }),
    ],
  });
}

/** Loss and accuracy after each epoch, training and test. */
export function learningPicture(
  history: History,
  { words, language, subtitle }: Pick<BoundaryOptions, 'words' | 'language' | 'subtitle'>,
): string {
  const zh = language === 'zh';
  const epochs = history.trainLoss.map((_, i) => i + 1);
  const names = { train: zh ? '训练' : 'training', test: zh ? '测试' : 'test' };
  // What happened in each epoch stays in sight behind the smooth line.
  const half = Math.round(epochs.length / 80);
  const curve = (values: readonly number[], color: string, name: string): Mark[] => [
    ...(half > 1 ? [line(epochs, values, { color, width: 1, opacity: 0.25 })] : []),
    line(epochs, smooth(values, half), { color, name, width: 2 }),
  ];
  const pair = (train: readonly number[], test: readonly number[]): Mark[] => [
    ...curve(train, THEME.series[0], names.train),
    ...curve(test, THEME.series[1], names.test),
  ];
  const shares = (v: readonly number[]): number[] => v.map(a => 100 * a);
  const lowest = Math.min(...history.trainAccuracy, ...history.testAccuracy);
  return figure({
    title: words.title[language],
    subtitle,
    width: 380,
    height: 260,
    panels: [
      {
        heading: zh ? '损失' : 'Loss',
        x: { label: zh ? '轮' : 'epoch' },
        y: { label: zh ? '交叉熵（对数刻度）' : 'cross-entropy (log scale)', log: true },
        marks: pair(history.trainLoss, history.testLoss),
      },
      {
        heading: zh ? '准确率' : 'Accuracy',
        x: { label: zh ? '轮' : 'epoch' },
        y: { label: '%', domain: [Math.floor(lowest * 10) * 10, 100] },
        marks: pair(shares(history.trainAccuracy), shares(history.testAccuracy)),
      },
    ],
  });
}

/** The mean of the values at most `half` places away. */
function smooth(values: readonly number[], half: number): number[] {
  const sums = [0];
  for (const v of values) sums.push(sums.at(-1)! + v);
  return values.map((_, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(values.length, i + half + 1)];
    return (sums[to]! - sums[from]!) / (to - from);
  });
}

/** The network with its weights, and what each unit gives over the plane. */
export async function networkPicture(
  layers: readonly Layer[],
  { words, language, reach }: Pick<BoundaryOptions, 'words' | 'language' | 'reach'>,
): Promise<string> {
  const zh = language === 'zh';
  const { points, grid } = planeGrid(reach, 41);
  const outputs = noGrad(() => {
    const hidden = activations(layers, points);
    return [points, ...hidden.slice(0, -1), hidden.at(-1)!.softmax(1).mul(2).sub(1)];
  });
  const columns: NetworkLayer[] = [];
  for (const [l, output] of outputs.entries()) {
    const units = output.shape[1]!;
    const maps: Grid[] = [];
    for (let u = 0; u < units; u++) maps.push(grid((await output.select(1, u).data()) as Float32Array));
    const first = l === 0;
    const last = l === layers.length;
    const name = first
      ? zh
        ? '输入'
        : 'input'
      : last
        ? 'softmax'
        : `${zh ? '隐藏层' : 'hidden'} ${l} · ReLU`;
    columns.push({ name, shape: `(m, ${units})`, units, maps });
  }
  const links = [];
  for (const [l, { weight, bias }] of layers.entries()) {
    const label = `W${subscript(l + 1)} (${weight.shape.join(', ')}), b${subscript(l + 1)} (${bias.shape.join(', ')})`;
    links.push({ weights: (await weight.tolist()) as number[][], label });
  }
  const sizes = columns.map(c => c.units).join('-');
  return network({
    title: words.title[language],
    subtitle: zh
      ? `${sizes}：每个单元看到的平面；蓝为正，橙为负，线宽为权重大小`
      : `${sizes}: what each unit makes of the plane; blue positive, orange negative, width of a line its weight`,
    layers: columns,
    links,
  });
}
const subscript = (n: number): string => String.fromCharCode(0x2080 + n);

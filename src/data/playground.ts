// TensorFlow Playground: its addresses as settings, and data by its recipes.
// In: a URL or its hash; a set's name. Out: settings; points. The numbers are ours: its random stream differs.
// Source of names, defaults and recipes: github.com/tensorflow/playground, src/state.ts and src/dataset.ts (2016).

import { show, ValueError } from '../base/errors.ts';
import { tensor } from '../tensor/create.ts';
import { defaultGenerator } from '../tensor/random.ts';
import { uniforms } from './draws.ts';
import type { Drawn, Samples } from './generators.ts';

const CLASSIFICATION = ['circle', 'xor', 'gauss', 'spiral'] as const;
const REGRESSION = ['reg-plane', 'reg-gauss'] as const;
const ACTIVATIONS = ['relu', 'tanh', 'sigmoid', 'linear'] as const;
const FEATURES = ['x', 'y', 'xTimesY', 'xSquared', 'ySquared', 'cosX', 'sinX', 'cosY', 'sinY'] as const;
export type PlaygroundSet = (typeof CLASSIFICATION)[number] | (typeof REGRESSION)[number];

export interface PlaygroundSettings {
  readonly problem: 'classification' | 'regression';
  /** The set of the problem: `dataset` or `regDataset` of the address. */
  readonly dataset: PlaygroundSet;
  readonly activation: (typeof ACTIVATIONS)[number];
  readonly regularization: 'none' | 'L1' | 'L2';
  readonly regularizationRate: number;
  readonly learningRate: number;
  readonly batchSize: number;
  /** Per cent, 0 to 50. */
  readonly noise: number;
  /** Per cent of the points that train. */
  readonly percTrainData: number;
  /** Neurons of each hidden layer. */
  readonly networkShape: readonly number[];
  /** Inputs, in the Playground's order. */
  readonly features: readonly (typeof FEATURES)[number][];
  /** All weights begin at 0. */
  readonly initZero: boolean;
  readonly discretize: boolean;
  readonly showTestData: boolean;
  readonly seed: string;
}

/**
 * The settings in the address of a Playground (the whole URL, or what follows its #). What it leaves out has the
 * Playground's defaults; what only hides parts of the page is left out. Errors: values that it does not know.
 */
export function parsePlayground(url: string): PlaygroundSettings {
  const hash = url.includes('#') ? url.slice(url.indexOf('#') + 1) : url;
  const given = new URLSearchParams(hash);
  const read = <T>(name: string, fallback: T, parse: (v: string) => T | undefined, rule: string): T => {
    const v = given.get(name);
    if (v === null || v === '') return fallback;
    const value = parse(v);
    if (value === undefined) throw new ValueError('parsePlayground', `${name} must be ${rule}`, show(v), '');
    return value;
  };
  const oneOf = <T extends string>(name: string, list: readonly T[], fallback: T): T =>
    read(name, fallback, v => list.find(k => k === v), `one of ${list.join(', ')}`);
  const number = (name: string, fallback: number, least: number, most = Number.MAX_VALUE): number => {
    const inside = (v: number): boolean => v >= least && v <= most;
    const rule = `a number >= ${least}${most < Number.MAX_VALUE ? ` and <= ${most}` : ''}`;
    return read(name, fallback, v => (inside(Number(v)) ? Number(v) : undefined), rule);
  };
  const flag = (name: string, fallback: boolean): boolean =>
    oneOf(name, ['true', 'false'], `${fallback}`) === 'true';

  const problem = oneOf('problem', ['classification', 'regression'], 'classification');
  const set = oneOf('dataset', CLASSIFICATION, 'circle');
  const regSet = oneOf('regDataset', REGRESSION, 'reg-plane');
  const layer = (v: string): number => (/^[1-9]\d{0,3}$/.test(v) ? Number(v) : Number.NaN);
  return {
    problem,
    dataset: problem === 'classification' ? set : regSet,
    activation: oneOf('activation', ACTIVATIONS, 'tanh'),
    regularization: oneOf('regularization', ['none', 'L1', 'L2'], 'none'),
    regularizationRate: number('regularizationRate', 0, 0),
    learningRate: number('learningRate', 0.03, 0),
    batchSize: number('batchSize', 10, 1),
    noise: number('noise', 0, 0, 50),
    percTrainData: number('percTrainData', 50, 10, 90),
    networkShape:
      given.get('networkShape') === ''
        ? []
        : read(
            'networkShape',
            [4, 2],
            v => {
              const layers = v.split(',').map(layer);
              return !layers.some(Number.isNaN) ? layers : undefined;
            },
            'the neurons of each layer, as 4,2',
          ),
    features: FEATURES.filter(f => flag(f, f === 'x' || f === 'y')),
    initZero: flag('initZero', false),
    discretize: flag('discretize', false),
    showTestData: flag('showTestData', false),
    seed: given.get('seed') ?? '',
  };
}

// ---- data --------------------------------------------------------------------------------------------------------------

type Uniform = (from: number, to: number) => number;
type Point = readonly [x: number, y: number, label: number];
/** The i-th of n points, for noise as a share 0 … .5. */
type Recipe = (i: number, n: number, noise: number, u: Uniform, normal: () => number) => Point;

const RADIUS = 5;
const REG_RADIUS = 6;
/** Centres and signs of 'reg-gauss'. */
const HILLS: readonly Point[] = [
  [-4, 2.5, 1],
  [0, 2.5, -1],
  [4, 2.5, 1],
  [-4, -2.5, -1],
  [0, -2.5, 1],
  [4, -2.5, -1],
];
const RECIPES: Readonly<Record<PlaygroundSet, Recipe>> = {
  circle: (i, n, noise, u) => {
    const inner = i < n / 2;
    const r = inner ? u(0, 0.5 * RADIUS) : u(0.7 * RADIUS, RADIUS);
    const angle = u(0, 2 * Math.PI);
    const [x, y] = [r * Math.sin(angle), r * Math.cos(angle)];
    const shift = (): number => u(-RADIUS, RADIUS) * noise;
    return [x, y, Math.hypot(x + shift(), y + shift()) < 0.5 * RADIUS ? 1 : 0];
  },
  xor: (_i, _n, noise, u) => {
    const coordinate = (): number => {
      const v = u(-RADIUS, RADIUS);
      return v + (v > 0 ? 0.3 : -0.3);
    };
    const [x, y] = [coordinate(), coordinate()];
    const shift = (): number => u(-RADIUS, RADIUS) * noise;
    return [x, y, (x + shift()) * (y + shift()) >= 0 ? 1 : 0];
  },
  gauss: (i, n, noise, _u, normal) => {
    const std = Math.sqrt(0.5 + 7 * noise);
    const center = i < n / 2 ? 2 : -2;
    return [center + std * normal(), center + std * normal(), i < n / 2 ? 1 : 0];
  },
  spiral: (i, n, noise, u) => {
    const half = Math.ceil(n / 2);
    const first = i < half;
    const share = (first ? i : i - half) / half;
    const angle = 1.75 * share * 2 * Math.PI + (first ? 0 : Math.PI);
    const r = share * RADIUS;
    return [r * Math.sin(angle) + u(-1, 1) * noise, r * Math.cos(angle) + u(-1, 1) * noise, first ? 1 : 0];
  },
  'reg-plane': (_i, _n, noise, u) => {
    const [x, y] = [u(-REG_RADIUS, REG_RADIUS), u(-REG_RADIUS, REG_RADIUS)];
    const shift = (): number => u(-REG_RADIUS, REG_RADIUS) * noise;
    return [x, y, (x + shift() + y + shift()) / 10];
  },
  'reg-gauss': (_i, _n, noise, u) => {
    const [x, y] = [u(-REG_RADIUS, REG_RADIUS), u(-REG_RADIUS, REG_RADIUS)];
    const [px, py] = [x + u(-REG_RADIUS, REG_RADIUS) * noise, y + u(-REG_RADIUS, REG_RADIUS) * noise];
    const heights = HILLS.map(([cx, cy, sign]) => sign * Math.max(0, 1 - Math.hypot(px - cx, py - cy) / 2));
    return [x, y, heights.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0)];
  },
};

/**
 * Points by a Playground recipe: its 500 by default, and its noise in per cent (0).
 * Shape: x (n, 2); y (n) with 1 for its blue class (+1) and 0 for the orange one (−1), or (n, 1) numbers for 'reg-…'.
 */
export function makePlayground(
  dataset: PlaygroundSet,
  options: Drawn & { readonly n?: number; readonly noise?: number } = {},
): Samples {
  const { n = 500, noise = 0, generator = defaultGenerator } = options;
  const recipe = RECIPES[dataset];
  if (recipe === undefined)
    throw new ValueError('makePlayground', `sets are ${Object.keys(RECIPES).join(', ')}`, show(dataset), '');
  if (!Number.isInteger(n) || n < 1)
    throw new ValueError('makePlayground', 'n must be an integer >= 1', show(n), '');
  if (!(noise >= 0 && noise <= 50))
    throw new ValueError('makePlayground', 'noise must be 0 to 50 per cent', show(noise), '');
  const next = uniforms(generator);
  const u: Uniform = (from, to) => from + (to - from) * next();
  const normal = (): number => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
  const points = Array.from({ length: n }, (_, i) => recipe(i, n, noise / 100, u, normal));
  const x = tensor(points.map(([a, b]) => [a, b]));
  return dataset.startsWith('reg-')
    ? { x, y: tensor(points.map(([, , label]) => [label])) }
    : { x, y: tensor(points.map(([, , label]) => BigInt(label))) };
}

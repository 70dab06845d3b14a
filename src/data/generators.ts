// Small data sets made from a formula: the line, shapes in the plane, logic tables, rings.
// In: how many points and a seed. Out: tensors, features (n, d) in float32 and labels (n) in int64.
// Not its job: files, batches.

import { show, showShape, ValueError } from '../base/errors.ts';
import { tensor } from '../tensor/create.ts';
import { cat } from '../tensor/movement.ts';
import { defaultGenerator, type Generator, rand, randn, randperm } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Features and what belongs to them: classes (n), or numbers (n, 1). */
export interface Samples {
  readonly x: Tensor;
  readonly y: Tensor;
}
export interface Drawn {
  /** Draws from this stream. Default: the one that `manualSeed` restarts. */
  readonly generator?: Generator;
}
const stream = ({ generator = defaultGenerator }: Drawn): { generator: Generator } => ({ generator });
function count(op: string, n: number, least: number): void {
  if (!Number.isInteger(n) || n < least)
    throw new ValueError(op, `the number of points must be an integer >= ${least}`, show(n), '');
}

/**
 * `n` points on the line y = x, evenly spaced around 0: x = −(n−1)/2 … (n−1)/2.
 * Shape: x (n, 1), y (n, 1). Default n = 7: −3 … 3.
 */
export function makeLine(n = 7): Samples {
  count('makeLine', n, 2);
  const x = tensor(
    Array.from({ length: n }, (_, i) => [i - (n - 1) / 2]),
    { dtype: 'float32' },
  );
  return { x, y: x.clone() };
}

// ---- shapes ------------------------------------------------------------------------------------------------------------

export type Shape2d = 'circle' | 'triangle' | 'square';
/** The shapes that makeShape knows. */
export const SHAPES: readonly Shape2d[] = ['circle', 'triangle', 'square'];

/** Half of the plane's area 4 lies inside each shape, so that a guess is right for half of the points. */
const RADIUS = Math.sqrt(2 / Math.PI);
const HALF_SIDE = Math.SQRT1_2;
const INSIDE: Readonly<Record<Shape2d, (x: number, y: number) => boolean>> = {
  circle: (x, y) => x * x + y * y <= RADIUS * RADIUS,
  // Corners (−1, −1), (1, −1), (0, 1). No triangle in the plane is larger than half of it; those that are have a whole side.
  triangle: (x, y) => y >= -1 && Math.abs(x) <= (1 - y) / 2,
  square: (x, y) => Math.abs(x) <= HALF_SIDE && Math.abs(y) <= HALF_SIDE,
};
/** Whether the point (x, y) lies inside the shape, its border included. */
export function insideShape(shape: Shape2d, x: number, y: number): boolean {
  const inside = INSIDE[shape];
  if (inside === undefined)
    throw new ValueError('insideShape', `shapes are ${SHAPES.join(', ')}`, show(shape), '');
  return inside(x, y);
}

/** The border of a shape: points in order, the first once more at the end. */
export function shapeOutline(shape: Shape2d): [number, number][] {
  insideShape(shape, 0, 0);
  if (shape === 'circle') {
    return Array.from({ length: 181 }, (_, i) => {
      const angle = (2 * Math.PI * i) / 180;
      return [RADIUS * Math.cos(angle), RADIUS * Math.sin(angle)];
    });
  }
  const h = HALF_SIDE;
  const corners: [number, number][] =
    shape === 'square'
      ? [
          [-h, -h],
          [h, -h],
          [h, h],
          [-h, h],
        ]
      : [
          [-1, -1],
          [1, -1],
          [0, 1],
        ];
  return [...corners, corners[0]!];
}

/**
 * `n` points spread evenly over [−1, 1]², 1 where inside the shape and 0 where outside. Each shape holds
 * half of the area: a circle of radius √(2/π), a square of side √2, the triangle (−1, −1), (1, −1), (0, 1).
 * Shape: x (n, 2), y (n).
 */
export function makeShape(shape: Shape2d, n: number, options: Drawn = {}): Samples {
  count('makeShape', n, 1);
  insideShape(shape, 0, 0);
  const x = rand([n, 2], stream(options)).mul(2).sub(1).realize();
  const p = x.dataSync();
  const labels = BigInt64Array.from({ length: n }, (_, i) =>
    insideShape(shape, Number(p[2 * i]), Number(p[2 * i + 1])) ? 1n : 0n,
  );
  return { x, y: tensor(labels) };
}

/** How many of the labels each class has: [n₀, n₁, …]. */
export function classCounts(y: Tensor): number[] {
  return Array.from(y.bincount().dataSync(), Number);
}

// ---- tables ------------------------------------------------------------------------------------------------------------

/** The four rows of a logic function: x (4, 2) = 00, 01, 10, 11; y (4). */
export function truthTable(operation: 'and' | 'or' | 'xor'): Samples {
  const value = { and: [0, 0, 0, 1], or: [0, 1, 1, 1], xor: [0, 1, 1, 0] }[operation];
  if (value === undefined)
    throw new ValueError('truthTable', 'operations are and, or, xor', show(operation), '');
  return {
    x: tensor([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]),
    y: tensor(value, { dtype: 'int64' }),
  };
}

// ---- rings -------------------------------------------------------------------------------------------------------------

export interface RingsOptions extends Drawn {
  /** Radius of class 0. Default 1. */
  readonly rIn?: number;
  /** Radius of class 1. Default 2. */
  readonly rOut?: number;
  /** Standard deviation of the radius. Default .1. */
  readonly noise?: number;
  /** Scale each coordinate to mean 0 and standard deviation 1. Default true. */
  readonly standardize?: boolean;
  /** false: class 0 first, then class 1. Default true. */
  readonly shuffle?: boolean;
}
/**
 * Two rings around the origin, n/2 points each: angle uniform, radius rIn (class 0) or rOut (class 1) plus normal noise.
 * Shape: x (n, 2), y (n).
 */
export function makeRings(n: number, options: RingsOptions = {}): Samples {
  const { rIn = 1, rOut = 2, noise = 0.1, standardize: scaled = true, shuffle = true } = options;
  count('makeRings', n, 2);
  if (!(noise >= 0)) throw new ValueError('makeRings', 'noise must be >= 0', show(noise), '');
  const draw = stream(options);
  const inner = Math.floor(n / 2);
  const y = tensor(BigInt64Array.from({ length: n }, (_, i) => (i < inner ? 0n : 1n)));
  const radius = y
    .to('float32')
    .mul(rOut - rIn)
    .add(rIn)
    .add(randn(n, draw).mul(noise));
  const angle = rand(n, draw).mul(2 * Math.PI);
  const points = cat([radius.mul(angle.cos()).unsqueeze(1), radius.mul(angle.sin()).unsqueeze(1)], 1);
  const x = (scaled ? standardize(points) : points).realize();
  if (!shuffle) return { x, y };
  const order = randperm(n, draw);
  return { x: x.indexSelect(0, order).realize(), y: y.indexSelect(0, order).realize() };
}

/**
 * Two half circles of radius 1 that reach into each other: (cos t, sin t) for class 0, (1 − cos t, ½ − sin t) for
 * class 1, t evenly spaced over [0, π], plus normal noise (default .1). Class 0 first. Shape: x (n, 2), y (n).
 */
export function makeMoons(n: number, options: Drawn & { readonly noise?: number } = {}): Samples {
  count('makeMoons', n, 2);
  const upper = Math.floor(n / 2);
  return noisy('makeMoons', n, upper, options, i => {
    const k = i < upper ? i : i - upper;
    const t = (Math.PI * k) / Math.max(1, (i < upper ? upper : n - upper) - 1);
    return i < upper ? [Math.cos(t), Math.sin(t)] : [1 - Math.cos(t), 0.5 - Math.sin(t)];
  });
}
/**
 * Two arms around the origin, half a turn apart: radius k/m for the k-th of m points, `turns` turns (default 1.75), plus
 * normal noise (default .02). Class 0 first. Shape: x (n, 2), y (n).
 */
export function makeSpirals(
  n: number,
  options: Drawn & { readonly noise?: number; readonly turns?: number } = {},
): Samples {
  const { turns = 1.75, noise = 0.02 } = options;
  count('makeSpirals', n, 2);
  const first = Math.floor(n / 2);
  return noisy('makeSpirals', n, first, { ...options, noise }, i => {
    const share = (i < first ? i : i - first) / (i < first ? first : n - first);
    const angle = 2 * Math.PI * turns * share + (i < first ? 0 : Math.PI);
    return [share * Math.cos(angle), share * Math.sin(angle)];
  });
}
function noisy(
  op: string,
  n: number,
  firstClass: number,
  options: Drawn & { readonly noise?: number },
  point: (i: number) => [number, number],
): Samples {
  const { noise = 0.1 } = options;
  if (!(noise >= 0)) throw new ValueError(op, 'noise must be >= 0', show(noise), '');
  const clean = tensor(
    Array.from({ length: n }, (_, i) => point(i)),
    { dtype: 'float32' },
  );
  const x = clean.add(randn([n, 2], stream(options)).mul(noise)).realize();
  return { x, y: tensor(BigInt64Array.from({ length: n }, (_, i) => (i < firstClass ? 0n : 1n))) };
}

export interface BlobsOptions extends Drawn {
  /** How many, drawn evenly from [−10, 10]², or where they are. Default 3. */
  readonly centers?: number | readonly (readonly number[])[];
  /** Standard deviation around each centre. Default 1. */
  readonly std?: number;
}
/**
 * Normal clouds around centres; point i belongs to class i mod the number of centres.
 * Shape: x (n, d), y (n), d the dims of the centres.
 */
export function makeBlobs(n: number, options: BlobsOptions = {}): Samples {
  const { centers = 3, std = 1 } = options;
  count('makeBlobs', n, 1);
  if (!(std >= 0)) throw new ValueError('makeBlobs', 'std must be >= 0', show(std), '');
  const draw = stream(options);
  if (typeof centers === 'number') count('makeBlobs', centers, 1);
  const middle =
    typeof centers === 'number'
      ? rand([centers, 2], draw).mul(20).sub(10)
      : tensor(centers, { dtype: 'float32' });
  const [classes, dims] = middle.shape as [number, number];
  const y = tensor(BigInt64Array.from({ length: n }, (_, i) => BigInt(i % classes)));
  const x = middle.indexSelect(0, y).add(randn([n, dims], draw).mul(std));
  return { x: x.realize(), y };
}

// ---- scales ------------------------------------------------------------------------------------------------------------

/**
 * Two features on scales far apart, A uniform in [0, 1) and B uniform in [0, 1000), that matter alike:
 * y = A + B/1000. For equal weights the gradient with respect to B's is about 1000 times A's.
 * Shape: x (n, 2), y (n, 1).
 */
export function makeScales(n: number, options: Drawn = {}): Samples {
  count('makeScales', n, 1);
  const unit = rand([n, 2], stream(options)).realize();
  return { x: unit.mul(tensor([1, 1000])).realize(), y: unit.sum(1, { keepdim: true }).realize() };
}

/** Two batches of the same spread around other means: [.1 … .5] and [.5 … .9], mean .3 and .7, variance .02 each. */
export const batchNormExample = (): [Tensor, Tensor] => [
  tensor([0.1, 0.2, 0.3, 0.4, 0.5]),
  tensor([0.5, 0.6, 0.7, 0.8, 0.9]),
];

/** (x − mean) / std of each column, the population's std; a column that does not vary becomes 0. */
export function standardize(x: Tensor): Tensor {
  const { mean, std } = columnStats(x);
  return x.sub(mean).div(std);
}
function columnStats(x: Tensor): { mean: Tensor; std: Tensor } {
  const std = x.std(0, { correction: 0, keepdim: true });
  return { mean: x.mean(0, { keepdim: true }), std: std.where(std.gt(0), 1) };
}

// ---- splitting ---------------------------------------------------------------------------------------------------------

export interface SplitOptions extends Drawn {
  /** Share of the rows, or (from 1 up) their number, that goes to the test part. Default .2. */
  readonly testSize?: number;
  /** Default true; false cuts off the last rows. */
  readonly shuffle?: boolean;
}
/** One part of the rows of all tensors for training, the rest for testing; rows stay together. */
export function trainTestSplit<const T extends readonly Tensor[]>(
  tensors: T,
  options: SplitOptions = {},
): { train: { [K in keyof T]: Tensor }; test: { [K in keyof T]: Tensor } } {
  const { testSize = 0.2, shuffle = true } = options;
  const n = tensors[0]?.shape[0] ?? 0;
  const odd = tensors.find(t => t.shape[0] !== n);
  if (odd !== undefined)
    throw new ValueError('trainTestSplit', `all tensors must have ${n} rows`, showShape(odd.shape), '');
  const held = testSize < 1 ? Math.round(n * testSize) : testSize;
  if (!(Number.isInteger(held) && held > 0 && held < n))
    throw new ValueError(
      'trainTestSplit',
      'both parts must have at least one row',
      `testSize ${testSize} of ${n} rows`,
      'give a share between 0 and 1, or a number of rows',
    );
  const order = shuffle ? randperm(n, stream(options)).realize() : null;
  const part = (from: number, length: number) =>
    tensors.map(t =>
      (order === null
        ? t.narrow(0, from, length).clone()
        : t.indexSelect(0, order.narrow(0, from, length))
      ).realize(),
    ) as { [K in keyof T]: Tensor };
  return { train: part(0, n - held), test: part(n - held, held) };
}

// Statements about random numbers, tested with our own generator.

import { DataLoader, randomSplit, TensorDataset } from '../../src/data/index.ts';
import {
  cat,
  F,
  manualSeed,
  multinomial,
  ones,
  rand,
  randn,
  randperm,
  type Tensor,
  tensor,
} from '../../src/index.ts';
import { Dropout, Linear } from '../../src/nn/index.ts';
import { Image, transforms } from '../../src/vision/index.ts';
import { Mismatch, Missing } from './check.ts';
import { type Case, plain } from './format.ts';

const { ColorJitter, RandomCrop, RandomErasing, RandomHorizontalFlip } = transforms;
const SEED = 20240229;

const PROPERTIES: Readonly<Record<string, (c: Case) => void>> = {
  'nn.functional.dropout': c => (c.property === 'identity' ? dropoutIdentity(c) : dropoutShares(c)),
  'nn.Dropout': dropoutInEval,
  'nn.functional.dropout1d': dropoutPlanes,
  'nn.functional.dropout2d': dropoutPlanes,
  'nn.functional.dropout3d': dropoutPlanes,
  randn: normalMoments,
  rand: uniformMoments,
  multinomial: multinomialShares,
  randperm: permutations,
  'utils.data.random_split': randomSplits,
  manual_seed: seeds,
  'torchvision.transforms.RandomHorizontalFlip': flippedShare,
  'torchvision.transforms.RandomCrop': cropPlaces,
  'torchvision.transforms.RandomErasing': erasedShare,
  'torchvision.transforms.ColorJitter': jitterFactors,
};

export function runProperty(c: Case): void {
  const test = PROPERTIES[c.op];
  if (test === undefined) throw new Missing(`property: nothing tests ${c.op} yet`);
  manualSeed(SEED);
  test(c);
}
function holds(what: string, ok: boolean, got: unknown = ''): void {
  if (!ok) throw new Mismatch(`${what}: ${String(got)}`);
}
const near = (what: string, got: number, want: number, tolerance: number): void =>
  holds(`${what} must be ${want} ± ${tolerance}`, Math.abs(got - want) <= tolerance, got);
const values = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array);
const options = (c: Case): { p?: number; training?: boolean } => plain(c.kwargs) as { p?: number };

function flippedShare(): void {
  const x = new Image(new Uint8Array([1, 2]), 1, 2, 1);
  const share = (p: number, draws: number): number => {
    const flip = new RandomHorizontalFlip(p);
    let flipped = 0;
    for (let i = 0; i < draws; i++) if (flip(x).data[0] === 2) flipped++;
    return flipped / draws;
  };
  near('the flipped share', share(0.5, 10_000), 0.5, 0.025);
  holds('p = 0 never flips, p = 1 always', share(0, 100) === 0 && share(1, 100) === 1);
}
/** A pixel's first two bytes are its row (plus one) and its column, so that the middle tells what was cut. */
function cropPlaces(): void {
  const draws = 10_000;
  const crop = new RandomCrop(32, { padding: 4 });
  const x = new Image(
    Uint8Array.from({ length: 3 * 1024 }, (_, i) => [Math.floor(i / 96) + 1, ((i / 3) | 0) % 32, 0][i % 3]!),
    32,
    32,
    3,
  );
  const tops = new Array<number>(9).fill(0);
  const lefts = new Array<number>(9).fill(0);
  for (let i = 0; i < draws; i++) {
    // The middle always lies inside the picture.
    const at = 3 * (16 * 32 + 16);
    const { data } = crop(x);
    tops[data[at]! - 1 - 16 + 4]!++;
    lefts[data[at + 1]! - 16 + 4]!++;
  }
  for (const counts of [tops, lefts])
    for (const n of counts) near('the share of a place', n / draws, 1 / 9, 0.015);
}
/** Pixels of 1 where 0 is written: what is missing was erased. */
function erasedShare(): void {
  const [side, draws] = [32, 10_000];
  const erase = new RandomErasing();
  const x = ones([1, side, side]);
  let erased = 0;
  for (let i = 0; i < draws; i++) {
    const left = values(erase(x).sum([1, 2]))[0]!;
    if (left === side * side) continue;
    erased++;
    // Both sides of the part are rounded to pixels, at most half a one away.
    const share = 1 - left / side ** 2;
    holds('the erased share must be in 0.02 … 0.33 up to rounding', share > 0.015 && share < 0.36, share);
  }
  near('the share of changed pictures', erased / draws, 0.5, 0.025);
}
function jitterFactors(): void {
  const draws = 5000;
  const brighter = new ColorJitter({ brightness: 0.4 });
  const grey = new Image(new Uint8Array([100]), 1, 1, 1);
  const factors = Array.from({ length: draws }, () => brighter(grey).data[0]! / 100);
  holds(
    'factors must be in 0.6 … 1.4',
    factors.every(f => f >= 0.59 && f <= 1.4),
  );
  for (let i = 0; i < 4; i++) {
    const [low, high] = [0.6 + 0.2 * i, 0.8 + 0.2 * i];
    // Bytes are cut down: a factor of 0.799 is 79.
    const share = factors.filter(f => f + 0.005 >= low && f + 0.005 < high).length / draws;
    near('the share of each quarter of the factors', share, 0.25, 0.03);
  }
  // Twice as bright is cut at 255, half the contrast brings it back: which came first can be read off.
  const both = new ColorJitter({ brightness: [2, 2], contrast: [0.5, 0.5] });
  const x = new Image(new Uint8Array([0, 200]), 1, 2, 1);
  const orders = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const last = both(x).data[1]!;
    orders.set(last, (orders.get(last) ?? 0) + 1);
  }
  holds('both orders must occur', orders.size === 2, [...orders.keys()]);
  for (const n of orders.values()) near('the share of an order', n / draws, 0.5, 0.03);
}
function dropoutIdentity(c: Case): void {
  const x = randn([1000]);
  holds('dropout must be the identity', Boolean(F.dropout(x, options(c)).eq(x).all().itemSync()));
}
function dropoutInEval(): void {
  const x = randn([1000]);
  for (const p of [0, 0.7, 1])
    holds('dropout in eval must be the identity', Boolean(new Dropout(p).eval()(x).eq(x).all().itemSync()));
}
function dropoutShares(c: Case): void {
  const x = ones([c.n], { requiresGrad: true });
  const y = F.dropout(x, options(c));
  y.sum().backward();
  const out = values(y);
  const kept = Math.fround(c.kept_value);
  holds(
    'values must be 0 or 1/(1−p)',
    out.every(v => v === 0 || Math.abs(v - kept) < 1e-6),
  );
  near('share of zeros', out.filter(v => v === 0).length / c.n, c.zero_fraction, c.tol);
  holds('the gradient must equal the output', Boolean(x.grad!.eq(y).all().itemSync()));
}
function dropoutPlanes(c: Case): void {
  const rank = Number(/(\d)d$/.exec(c.op)![1]);
  const plane = 4 ** rank;
  const dropout = { 1: F.dropout1d, 2: F.dropout2d, 3: F.dropout3d }[rank]!;
  const y = dropout(ones([200, 50, ...Array<number>(rank).fill(4)]), options(c));
  const sums = values(y.flatten(2).sum(2));
  const full = c.kept_value * plane;
  holds(
    'a plane must be all 0 or all 1/(1−p)',
    sums.every(s => s === 0 || Math.abs(s - full) < 1e-3),
  );
  near('share of empty planes', sums.filter(s => s === 0).length / sums.length, c.zero_fraction, c.tol);
}
function normalMoments(): void {
  const x = values(randn([1_000_000]));
  const moment = (f: (v: number) => number): number => x.reduce((s, v) => s + f(v), 0) / x.length;
  const mean = moment(v => v);
  const variance = moment(v => (v - mean) ** 2);
  near('mean', mean, 0, 0.005);
  near('variance', variance, 1, 0.008);
  near('kurtosis', moment(v => (v - mean) ** 4) / variance ** 2, 3, 0.03);
  near(
    'P(|x| > 3)',
    moment(v => (Math.abs(v) > 3 ? 1 : 0)),
    0.0027,
    0.0003,
  );
}
function uniformMoments(): void {
  const x = values(rand([1_000_000]));
  const mean = x.reduce((s, v) => s + v, 0) / x.length;
  near('mean', mean, 0.5, 0.002);
  near('variance', x.reduce((s, v) => s + (v - mean) ** 2, 0) / x.length, 1 / 12, 0.001);
  holds(
    'values must lie in [0, 1)',
    x.every(v => v >= 0 && v < 1),
  );
}
function multinomialShares(): void {
  const draws = 100_000;
  const counts = values(
    multinomial(tensor([1, 2, 3, 4]), draws, { replacement: true })
      .bincount()
      .float(),
  );
  counts.forEach((n, i) => {
    near(`share of ${i}`, n / draws, (i + 1) / 10, 0.008);
  });
  for (let i = 0; i < 20; i++) {
    const order = values(multinomial(tensor([1, 2, 3, 4]), 4).float()).sort();
    holds('four draws without replacement must be a permutation', order.join() === '0,1,2,3', order);
  }
  const zero = values(multinomial(tensor([1, 0, 1]), 10_000, { replacement: true }).float());
  holds('a weight of zero must never be drawn', !zero.includes(1));
}
function permutations(): void {
  const p = values(randperm(1000).float()).sort((a, b) => a - b);
  holds(
    'every number must occur once',
    p.every((v, i) => v === i),
  );
}
function randomSplits(): void {
  const data = new TensorDataset(rand([1000, 2]));
  for (const [lengths, counts] of [
    [
      [700, 200, 100],
      [700, 200, 100],
    ],
    [
      [0.7, 0.2, 0.1],
      [700, 200, 100],
    ],
  ]) {
    const parts = randomSplit(data, lengths!);
    holds('lengths must be exact', parts.map(p => p.length).join() === counts!.join());
    const all = parts.flatMap(p => Array.from(p.indices)).sort((a, b) => a - b);
    holds('parts must be disjoint and cover all', all.every((v, i) => v === i) && all.length === 1000);
  }
}
function seeds(): void {
  const data = new TensorDataset(tensor(Float32Array.from({ length: 64 }, (_, i) => i)));
  const draws: Record<string, () => Tensor> = {
    rand: () => rand(64),
    randn: () => randn(64),
    dropout: () => F.dropout(ones(64)),
    randperm: () => randperm(64),
    'parameter initialisation': () => new Linear(8, 8).weight,
    'DataLoader order': () => cat([...new DataLoader(data, { batchSize: 8, shuffle: true })].map(([x]) => x)),
  };
  const from = (seed: number) => {
    manualSeed(seed);
    return Object.values(draws).map(d => values(d()).join());
  };
  const [first, again, other] = [from(1), from(1), from(2)];
  Object.keys(draws).forEach((name, i) => {
    holds(`${name} must repeat for a seed`, first[i] === again![i]);
    holds(`${name} must differ for another seed`, first[i] !== other![i]);
  });
}

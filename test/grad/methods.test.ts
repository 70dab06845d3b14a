// Gradients of methods that are made of several ops, or of one op at points where a careless rule gives NaN: first and
// second order against central differences in float64, on `cpu`.

import { describe, expect, it } from 'vitest';
import { cat, gradcheck, gradgradcheck, range, stack, type Tensor, tensor } from '../../src/index.ts';
import { stream } from '../support.ts';

type Case = readonly [
  name: string,
  fn: (...xs: Tensor[]) => unknown,
  inputs: readonly Tensor[],
  options?: { readonly first?: true; readonly allowZero?: boolean | readonly number[] },
];

/** Numbers in ±[low, high) that repeat: no two are closer than the step of a check. */
function draw(shape: readonly number[], seed: number, low = 0.2, high = 2): Tensor {
  const next = stream(seed);
  const n = shape.reduce((p, s) => p * s, 1);
  const values = Float64Array.from({ length: n }, () => {
    const v = low + (high - low) * next();
    return next() < 0.5 ? -v : v;
  });
  return tensor(values, { shape });
}
const positive = (shape: readonly number[], seed: number): Tensor => draw(shape, seed).abs().realize();
const f64 = (x: Parameters<typeof tensor>[0]): Tensor => tensor(x, { dtype: 'float64' });
const ints = (x: Parameters<typeof tensor>[0]): Tensor => tensor(x, { dtype: 'int64' });

const a = draw([3, 4], 1);
const b = draw([3, 4], 2);
const row = draw([4], 3);
const cube = draw([2, 3, 4], 4);
const long = draw([37], 5);
const zeros1 = f64([
  [1.5, 0, 2],
  [0.5, -1, 3],
]);
const zeros2 = f64([
  [1.5, 0, 0],
  [0.5, -1, 3],
]);

const elementwise: Case[] = [
  ['add with alpha', (x, y) => x!.add(y!, { alpha: -1.5 }), [a, row]],
  ['sub with alpha', (x, y) => x!.sub(y!, { alpha: 0.5 }), [row, a]],
  ['rsub', x => x!.rsub(3), [a]],
  ['pow 2', x => x!.pow(2), [a]],
  ['pow 3', x => x!.pow(3), [a]],
  ['pow 4', x => x!.pow(4), [a]],
  ['pow 0', x => x!.pow(0), [a], { allowZero: true }],
  ['pow 0.5', x => x!.pow(0.5), [positive([5], 6)]],
  ['pow -2', x => x!.pow(-2), [a]],
  ['pow 2.5', x => x!.pow(2.5), [positive([5], 7)]],
  ['pow of 0', x => x!.pow(5), [f64([0, 1, -2])]],
  ['pow by a tensor', (x, y) => x!.pow(y!), [positive([3, 1], 8), row]],
  ['exp2', x => x!.exp2(), [a]],
  ['sinc, at 0 too', x => x!.sinc(), [f64([0.3, -1.2, 2.4])]],
  ['logit', x => x!.logit(), [f64([0.2, 0.5, 0.9])]],
  ['logit with eps', x => x!.logit(0.1), [f64([0.05, 0.5, 0.95])]],
  ['xlogy', (x, y) => x!.xlogy(y!), [a, positive([4], 9)]],
  ['logaddexp far apart', (x, y) => x!.logaddexp(y!), [f64([100, -100, 1]), f64([-100, 100, 1.5])]],
  ['lerp by a number', (x, y) => x!.lerp(y!, 0.3), [a, b]],
  ['lerp by a tensor', (x, y, w) => x!.lerp(y!, w!), [a, b, f64([0.1, 0.4, 0.6, 0.9])]],
  ['addcmul', (x, y, z) => x!.addcmul(y!, z!, { value: 0.5 }), [a, b, row]],
  ['addcdiv', (x, y, z) => x!.addcdiv(y!, z!, { value: 0.5 }), [a, b, row]],
  ['clamp', x => x!.clamp(-0.6, 0.7), [a]],
  [
    'clamp by tensors',
    (x, lo, hi) => x!.clamp(lo!, hi!),
    [a, f64([-1, -0.5, -1.5, 0.1]), f64([1, 0.5, 1.5, 0.2])],
  ],
  ['frac', x => x!.frac(), [a]],
  ['fmax', (x, y) => x!.fmax(y!), [a, b]],
  ['fmin', (x, y) => x!.fmin(y!), [a, b]],
  ['nanToNum', x => x!.nanToNum(), [a]],
  ['hypot', (x, y) => x!.hypot(y!), [a, row]],
  ['where', (x, y) => x!.where(a.gt(0), y!), [a, row]],
  ['maskedFill', x => x!.maskedFill(a.gt(0), 3), [a]],
  ['deg2rad', x => x!.deg2rad(), [a]],
  ['digamma', x => x!.digamma(), [positive([4], 10)]],
  ['polygamma', x => x!.polygamma(2), [positive([4], 11)]],
  ['clone, alias and back', x => x!.clone().mul(x!), [a]],
];

const reductions: Case[] = [
  ['mean over dims', x => x!.mean([0, 2], { keepdim: true }), [cube]],
  ['var', x => x!.var(1), [a]],
  ['var, correction 0, all', x => x!.var(null, { correction: 0 }), [a]],
  ['std', x => x!.std(-1), [a]],
  ['varMean', x => x!.varMean(1), [cube]],
  ['norm 2', x => x!.norm(), [a]],
  ['norm 1 over a dim', x => x!.norm(1, 1), [a]],
  ['norm 3', x => x!.norm(3, 0), [a]],
  ['norm Infinity', x => x!.norm(Number.POSITIVE_INFINITY, 1), [a]],
  ['norm -Infinity', x => x!.norm(Number.NEGATIVE_INFINITY, 1), [a]],
  ['norm 0.5', x => x!.norm(0.5), [a]],
  ['prod', x => x!.prod(1), [a]],
  ['prod of everything', x => x!.prod(), [cube]],
  ['prod with a zero', x => x!.prod(1), [zeros1]],
  ['prod with two zeros', x => x!.prod(1), [zeros2]],
  ['prod of everything with two zeros', x => x!.prod(), [f64([0, 2, 0, 3])], { allowZero: true }],
  ['cumsum', x => x!.cumsum(1), [a]],
  ['cumsum of many', x => x!.cumsum(0), [long]],
  ['cumprod', x => x!.cumprod(0), [cube]],
  ['cumprod with zeros', x => x!.cumprod(1), [zeros2]],
  ['logsumexp', x => x!.logsumexp(1), [a]],
  ['logsumexp over dims', x => x!.logsumexp([0, 2], { keepdim: true }), [cube]],
  ['logcumsumexp', x => x!.logcumsumexp(1), [cube]],
  ['max over a dim', x => x!.max(1).values, [a]],
  ['min over a dim', x => x!.min(0, { keepdim: true }).values, [a]],
  ['max of all', x => x!.max(), [a]],
  ['amax over dims', x => x!.amax([0, 2]), [cube]],
  ['aminmax', x => Object.values(x!.aminmax({ dim: 1 })), [a]],
  ['cummax', x => x!.cummax(1).values, [a]],
  ['cummin', x => x!.cummin(0).values, [a]],
  ['nansum', x => x!.nansum(1), [a]],
  ['diff', x => x!.diff({ n: 2 }), [a]],
  ['trace', x => x!.trace(), [a]],
  ['softmax', x => x!.softmax(1), [cube]],
  ['logSoftmax', x => x!.logSoftmax(-1), [a]],
];

const sorting: Case[] = [
  ['sort', x => x!.sort(1).values, [a]],
  ['sort descending', x => x!.sort(0, { descending: true }).values, [cube]],
  ['topk', x => x!.topk(2, { dim: 1 }).values, [a]],
  ['topk, smallest', x => x!.topk(3, { dim: 0, largest: false }).values, [long]],
  ['kthvalue', x => x!.kthvalue(2, 1).values, [a]],
  ['median', x => x!.median(), [a]],
  ['median over a dim', x => x!.median(1, { keepdim: true }).values, [a]],
];

const i2 = ints([
  [2, 0, 1, 2],
  [0, 0, 2, 1],
]);
const indexing: Case[] = [
  ['gather', x => x!.gather(0, i2), [a]],
  [
    'gather of repeated positions',
    x =>
      x!.gather(
        1,
        ints([
          [1, 1, 1],
          [0, 3, 3],
        ]),
      ),
    [a],
  ],
  ['takeAlongDim', x => x!.takeAlongDim(ints([[1], [0], [3]]), 1), [a]],
  ['take', x => x!.take(ints([0, 5, 5, 11])), [a]],
  ['indexSelect', x => x!.indexSelect(1, ints([2, 0, 0])), [cube]],
  ['scatter', (x, v) => x!.scatter(0, i2, v!), [a, draw([2, 4], 12)]],
  ['scatter of a number', x => x!.scatter(0, i2, 2), [a]],
  ['scatter, multiply', (x, v) => x!.scatter(0, i2, v!, { reduce: 'multiply' }), [a, draw([2, 4], 13)]],
  ['scatterAdd', (x, v) => x!.scatterAdd(0, i2, v!), [a, draw([2, 4], 14)]],
  ['scatterReduce mean', (x, v) => x!.scatterReduce(0, i2, v!, 'mean'), [a, draw([2, 4], 15)]],
  ['scatterReduce prod', (x, v) => x!.scatterReduce(0, i2, v!, 'prod'), [a, draw([2, 4], 16)]],
  [
    'scatterReduce prod with a zero',
    (x, v) => x!.scatterReduce(0, i2, v!, 'prod'),
    [
      a,
      f64([
        [1, 0, 2, 3],
        [2, 1, 0, 1],
      ]),
    ],
  ],
  ['scatterReduce amax', (x, v) => x!.scatterReduce(0, i2, v!, 'amax'), [a, draw([2, 4], 17)]],
  [
    'scatterReduce amin without self',
    (x, v) => x!.scatterReduce(0, i2, v!, 'amin', { includeSelf: false }),
    [a, draw([2, 4], 18)],
  ],
  ['indexAdd', (x, v) => x!.indexAdd(1, ints([0, 3, 0]), v!, { alpha: 2 }), [a, draw([3, 3], 19)]],
  ['indexCopy', (x, v) => x!.indexCopy(0, ints([2, 0]), v!), [a, draw([2, 4], 20)]],
  ['indexFill', x => x!.indexFill(1, ints([1]), 5), [a]],
  ['at: ranges', x => x!.at(range(1, null), range(null, null, -2)), [a]],
  ['at: an integer and a new dim', x => x!.at(-1, null), [a]],
  ['at: positions', x => x!.at([0, 2, 2]), [a]],
  ['at: two lists', x => x!.at([0, 2, 0], [1, -1, 1]), [a]],
  ['at: a mask', x => x!.at(a.gt(0)), [a]],
  ['at: positions behind a range', x => x!.at(range(0, 2), '...', [3, 3, 0]), [cube]],
  ['maskedSelect', x => x!.maskedSelect(a.lt(0.5)), [a]],
  ['set by a range', (x, v) => x!.clone().set([range(0, 2), 1], v!), [a, draw([2], 21)]],
  ['set by positions', (x, v) => x!.clone().set([[0, 2]], v!), [a, draw([2, 4], 22)]],
  ['set by equal positions', (x, v) => x!.clone().set([[0, 0, 2]], v!), [a, draw([3, 4], 23)]],
  [
    'indexPut_, accumulate',
    (x, v) => x!.clone().indexPut_([ints([0, 0])], v!, { accumulate: true }),
    [a, draw([2, 4], 24)],
  ],
  ['set by a mask', x => x!.clone().set(a.gt(0), 2), [a]],
];

const movement: Case[] = [
  ['reshape, transpose, reshape', x => x!.reshape(4, 6).t().reshape(3, 8), [cube]],
  ['permute', x => x!.permute(2, 0, 1), [cube]],
  ['expand', x => x!.expand(5, -1, 4), [draw([3, 1], 25)]],
  ['flip', x => x!.flip(0, 2), [cube]],
  ['roll', x => x!.roll(2, 1), [a]],
  ['roll of everything', x => x!.roll(-5), [a]],
  ['tile', x => x!.tile(2, 1, 2), [a]],
  ['repeat', x => x!.repeat(2, 1, 3), [a]],
  ['repeatInterleave', x => x!.repeatInterleave(3, 1), [a]],
  ['repeatInterleave by counts', x => x!.repeatInterleave(ints([2, 0, 1]), 0), [a]],
  ['unfold', x => x!.unfold(1, 3, 1), [a]],
  ['unfold, dilated apart', x => x!.unfold(0, 4, 6), [long]],
  ['triu', x => x!.triu(1), [a]],
  ['tril', x => x!.tril(-1), [cube]],
  ['diagonal', x => x!.diagonal(1), [a]],
  ['diagonal of a batch', x => x!.diagonal(-1, 2, 1), [cube]],
  ['diag of a vector', x => x!.diag(-1), [row]],
  ['diagEmbed', x => x!.diagEmbed(), [a]],
  ['split', x => x!.split([1, 3], 1), [a]],
  ['chunk', x => x!.chunk(3, 1), [a]],
  ['unbind', x => x!.unbind(1), [a]],
  ['cat', (x, y) => cat([x!, y!, x!], 1), [a, draw([3, 1], 26)]],
  ['stack', (x, y) => stack([x!, y!], -1), [a, b]],
  [
    'in place through a view',
    x => {
      const y = x!.clone();
      y.narrow(1, 0, 2).mul_(y.narrow(1, 2, 2));
      return y;
    },
    [a],
  ],
  [
    'in place on a diagonal',
    x => {
      const y = x!.mul(2);
      y.diagonal().square_();
      return y;
    },
    [a],
  ],
];

for (const [group, cases] of Object.entries({ elementwise, reductions, sorting, indexing, movement })) {
  describe(group, () => {
    for (const [name, fn, inputs, options = {}] of cases) {
      it(name, () => {
        const { allowZero = false } = options;
        expect(gradcheck(fn, inputs, { allowZero, checkForward: true })).toBe(true);
        expect(gradgradcheck(fn, inputs, { allowZero })).toBe(true);
      });
    }
  });
}

// torch.nn.init: first values of parameters. Each function fills a tensor in place without recording gradients, and
// returns it. Random numbers come from the global generator, or from `generator`.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import type { Generator } from '../base/rng.ts';
import { numel } from '../base/shape.ts';
import { erf } from '../ir/special.ts';
import { qr } from '../linalg/index.ts';
import { eye, full, tensor } from '../tensor/create.ts';
import { noGrad } from '../tensor/modes.ts';
import { rand, randn } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface RandomInit {
  readonly generator?: Generator;
}
/** Functions whose gain is known. */
export type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'conv3d'
  | 'conv_transpose1d'
  | 'conv_transpose2d'
  | 'conv_transpose3d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leaky_relu'
  | 'selu';

const GAINS: Readonly<Record<string, (slope: number) => number>> = {
  linear: () => 1,
  sigmoid: () => 1,
  tanh: () => 5 / 3,
  relu: () => Math.SQRT2,
  leaky_relu: slope => Math.sqrt(2 / (1 + slope ** 2)),
  selu: () => 3 / 4,
};
/**
 * The factor that keeps the variance of a layer's outputs that of its inputs: √2 for ReLU, √(2 / (1 + slope²)) for
 * leaky ReLU (`param` is the slope, 0.01 by default), 5/3 for tanh, 3/4 for SELU, 1 for linear layers and sigmoid.
 */
export function calculateGain(nonlinearity: Nonlinearity, param: number | null = null): number {
  const name = /^conv(_transpose)?[123]d$/.test(nonlinearity) ? 'linear' : nonlinearity;
  const gain = GAINS[name];
  if (gain === undefined) {
    throw new ValueError(
      'calculateGain',
      `the nonlinearity is one of ${Object.keys(GAINS).join(', ')}`,
      show(nonlinearity),
      '',
    );
  }
  return gain(param ?? 0.01);
}

/** Inputs and outputs of one unit: (out, in, …window) has fans in · window and out · window. */
export function fanInAndFanOut(t: Tensor): [fanIn: number, fanOut: number] {
  const [out, input, ...window] = t.shape;
  if (out === undefined || input === undefined) {
    throw new ShapeError('init', 'a fan needs a weight with at least 2 dims', showShape(t.shape), '');
  }
  return [input * numel(window), out * numel(window)];
}

function fill(t: Tensor, value: Tensor): Tensor {
  return noGrad(() => t.copy_(value));
}
const like = (
  t: Tensor,
  options: RandomInit,
): { dtype: Tensor['dtype']; device: string; generator?: Generator } => ({
  dtype: t.dtype,
  device: t.device,
  ...(options.generator ? { generator: options.generator } : {}),
});

/** Uniform in [a, b). */
export const uniform_ = (t: Tensor, a = 0, b = 1, options: RandomInit = {}): Tensor =>
  fill(
    t,
    rand(t.shape, like(t, options))
      .mul(b - a)
      .add(a),
  );
/** Normal with this mean and standard deviation. */
export const normal_ = (t: Tensor, mean = 0, std = 1, options: RandomInit = {}): Tensor =>
  fill(t, randn(t.shape, like(t, options)).mul(std).add(mean));
/** Fills with one value; returns the tensor. */
export const constant_ = (t: Tensor, value: number): Tensor =>
  fill(t, full(t.shape, value, { dtype: t.dtype, device: t.device }));
/** Fills with 1; returns the tensor. */
export const ones_ = (t: Tensor): Tensor => constant_(t, 1);
/** Fills with 0; returns the tensor. */
export const zeros_ = (t: Tensor): Tensor => constant_(t, 0);
/** A matrix with ones on its diagonal. */
export function eye_(t: Tensor): Tensor {
  const [n, m] = matrix('eye_', t);
  return fill(t, eye(n, m, { dtype: t.dtype, device: t.device }));
}
function matrix(op: string, t: Tensor): [number, number] {
  if (t.ndim !== 2) throw new ShapeError(op, 'it fills a matrix', showShape(t.shape), '');
  return t.shape as unknown as [number, number];
}

/** The normal distribution cut off below a and above b, by the inverse of its distribution function. */
export function truncNormal_(t: Tensor, mean = 0, std = 1, a = -2, b = 2, options: RandomInit = {}): Tensor {
  if (!(a < b)) throw new ValueError('truncNormal_', 'a must be below b', `${a} and ${b}`, '');
  // Normal numbers from 24 random bits are within √(48 ln 2) = 5.77 deviations: cuts farther away meet none.
  if (Math.min(mean - a, b - mean) > 6 * std) return normal_(t, mean, std, options);
  return noGrad(() => {
    // The clamp mends what rounding adds beyond the cuts.
    const [low, high] = [a, b].map(cut => erf((cut - mean) / (std * Math.SQRT2))) as [number, number];
    const u = rand(t.shape, like(t, options))
      .mul(high - low)
      .add(low);
    return fill(
      t,
      u
        .erfinv()
        .mul(std * Math.SQRT2)
        .add(mean)
        .clamp(a, b),
    );
  });
}

/** Uniform in ±gain √(6 / (fanIn + fanOut)). Glorot & Bengio 2010, eq. 16. */
export function xavierUniform_(t: Tensor, options: { gain?: number } & RandomInit = {}): Tensor {
  const [fanIn, fanOut] = fanInAndFanOut(t);
  const bound = (options.gain ?? 1) * Math.sqrt(6 / (fanIn + fanOut));
  return uniform_(t, -bound, bound, options);
}
/** Normal with std gain √(2 / (fanIn + fanOut)). Glorot & Bengio 2010. */
export function xavierNormal_(t: Tensor, options: { gain?: number } & RandomInit = {}): Tensor {
  const [fanIn, fanOut] = fanInAndFanOut(t);
  return normal_(t, 0, (options.gain ?? 1) * Math.sqrt(2 / (fanIn + fanOut)), options);
}

export interface KaimingOptions extends RandomInit {
  /** The slope of leaky ReLU. Default 0, which is ReLU. */
  readonly a?: number;
  /** Whose variance stays: that of the outputs (fan_in), or of the gradients (fan_out). Default 'fan_in'. */
  readonly mode?: 'fan_in' | 'fan_out';
  /** Default 'leaky_relu'. */
  readonly nonlinearity?: Nonlinearity;
}
function kaimingStd(t: Tensor, options: KaimingOptions): number {
  const { a = 0, mode = 'fan_in', nonlinearity = 'leaky_relu' } = options;
  const [fanIn, fanOut] = fanInAndFanOut(t);
  if (mode !== 'fan_in' && mode !== 'fan_out')
    throw new ValueError('kaiming', 'mode is fan_in or fan_out', show(mode), '');
  return calculateGain(nonlinearity, a) / Math.sqrt(mode === 'fan_in' ? fanIn : fanOut);
}
/** Uniform in ±gain √(3 / fan). He et al. 2015. */
export function kaimingUniform_(t: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd(t, options);
  return uniform_(t, -bound, bound, options);
}
/** Normal with std gain / √fan. He et al. 2015. */
export const kaimingNormal_ = (t: Tensor, options: KaimingOptions = {}): Tensor =>
  normal_(t, 0, kaimingStd(t, options), options);

/** Orthonormal rows (or columns, where there are more rows), as a matrix of dim 0 by the rest. Saxe et al. 2013. */
export function orthogonal_(t: Tensor, options: { gain?: number } & RandomInit = {}): Tensor {
  if (t.ndim < 2) throw new ShapeError('orthogonal_', 'it needs at least 2 dims', showShape(t.shape), '');
  if (t.numel === 0) return t;
  const rows = t.shape[0]!;
  const columns = t.numel / rows;
  return noGrad(() => {
    const square = randn([Math.max(rows, columns), Math.min(rows, columns)], like(t, options));
    const { Q, R } = qr(square);
    // With the signs of R's diagonal Q is uniform among orthogonal matrices.
    const fair = Q.mul(R.diagonal().sign());
    return fill(t, (rows < columns ? fair.t() : fair).reshape(t.shape).mul(options.gain ?? 1));
  });
}
/** In each column `sparsity` of the rows, drawn at random, are zero; the others normal with std 0.01. Martens 2010. */
export function sparse_(t: Tensor, sparsity: number, options: { std?: number } & RandomInit = {}): Tensor {
  const [rows] = matrix('sparse_', t);
  const order = rand(t.shape, like(t, options)).argsort(0); // (rows, columns): a permutation per column
  const zero = order.lt(Math.ceil(sparsity * rows));
  return fill(
    t,
    randn(t.shape, like(t, options))
      .mul(options.std ?? 0.01)
      .maskedFill(zero, 0),
  );
}
/** A convolution that hands its inputs through, in each of `groups`: 1 in the middle of window (i, i). */
export function dirac_(t: Tensor, groups = 1): Tensor {
  const [out, input, ...window] = t.shape;
  if (t.ndim < 3 || t.ndim > 5 || out! % groups !== 0) {
    throw new ShapeError(
      'dirac_',
      `it fills a convolution weight of 3 to 5 dims whose dim 0 is divisible by ${groups} groups`,
      showShape(t.shape),
      '',
    );
  }
  const perGroup = out! / groups;
  const values = new Float32Array(t.numel);
  const place = numel(window);
  const middle = window.reduce((at, n) => at * n + Math.floor(n / 2), 0);
  for (let g = 0; g < groups; g++) {
    for (let i = 0; i < Math.min(perGroup, input!); i++) {
      values[((g * perGroup + i) * input! + i) * place + middle] = 1;
    }
  }
  return fill(t, tensor(values, { shape: t.shape, dtype: t.dtype, device: t.device }));
}

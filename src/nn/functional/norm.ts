// Normalisation: by batch, layer, group, instance, root mean square, neighbours, and to unit length.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { normalizeDim, numel, sameShape } from '../../base/shape.ts';
import { moments, standardize } from '../../ir/ops/standardize.ts';
import { wrap } from '../../tensor/core.ts';
import { noGrad } from '../../tensor/modes.ts';
import { isTensor } from '../../tensor/operand.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { perChannel } from './activation.ts';
import { pad } from './pad.ts';

/** (x − mean) / √(variance + eps) */
const standardizedBy = (x: Tensor, mean: Tensor, variance: Tensor, eps: number): Tensor =>
  x.sub(mean).mul(variance.add(eps).rsqrt());
/** The same with the mean and the (biased) variance over dims of x itself. */
const standardized = (x: Tensor, dims: readonly number[], eps: number): Tensor =>
  wrap(standardize(x.node(), dims, eps));
/** These two; the dims stay with size 1. */
function statistics(x: Tensor, dims: readonly number[]): [mean: Tensor, variance: Tensor] {
  const { mean, variance } = moments(x.node(), dims);
  return [wrap(mean), wrap(variance)];
}
function affine(y: Tensor, weight: Tensor | null | undefined, bias: Tensor | null | undefined): Tensor {
  const scaled = weight == null ? y : y.mul(weight);
  return bias == null ? scaled : scaled.add(bias);
}
const channelAffine = (y: Tensor, weight?: Tensor | null, bias?: Tensor | null): Tensor =>
  affine(y, weight && perChannel(weight, y.ndim), bias && perChannel(bias, y.ndim));

/** running ← (1 − momentum) running + momentum · new, in place and outside gradients. */
function follow(running: Tensor, now: Tensor, momentum: number | Tensor): void {
  const keep = isTensor(momentum) ? momentum.rsub(1) : 1 - momentum;
  noGrad(() => running.mul_(keep).add_(now.detach().reshape(running.shape).mul(momentum)));
}

/**
 * Normalisation per channel over the batch and all places (Ioffe & Szegedy 2015). Shape (N, C, …).
 * In training the statistics are those of the batch, and the running ones follow it: new = (1 − momentum) old +
 * momentum · batch, the variance with its unbiased estimate (momentum = 0.1). Otherwise the running ones are used.
 */
export function batchNorm(
  x: Tensor,
  runningMean?: Tensor | null,
  runningVar?: Tensor | null,
  weight?: Tensor | null,
  bias?: Tensor | null,
  options: { training?: boolean; momentum?: number | Tensor; eps?: number } = {},
): Tensor {
  const { training = false, momentum = 0.1, eps = 1e-5 } = options;
  if (x.ndim < 2)
    throw new ShapeError('batchNorm', 'x must be (N, C, …)', showShape(x.shape), 'unsqueeze the batch');
  if (!training) {
    if (runningMean == null || runningVar == null)
      throw new ValueError('batchNorm', 'without training the running statistics are needed', 'none', '');
    const [mean, variance] = [perChannel(runningMean, x.ndim), perChannel(runningVar, x.ndim)];
    return channelAffine(standardizedBy(x, mean, variance, eps), weight, bias);
  }
  const dims = x.shape.flatMap((_, d) => (d === 1 ? [] : [d]));
  const count = numel(dims.map(d => x.shape[d]!));
  if (count === 1) {
    throw new ValueError(
      'batchNorm',
      'training needs more than 1 value per channel',
      showShape(x.shape),
      'use a larger batch, drop the last short one (dropLast), or call eval()',
    );
  }
  const [mean, variance] = statistics(x, dims);
  if (runningMean != null) follow(runningMean, mean, momentum);
  if (runningVar != null) follow(runningVar, variance.mul(count / (count - 1)), momentum);
  return channelAffine(standardized(x, dims, eps), weight, bias);
}

/**
 * Normalisation per example and channel over the places (Ulyanov et al. 2016). Shape (N, C, …) or (C, …).
 * Running statistics, where given, follow the mean of the batch; without `useInputStats` they are used instead.
 */
export function instanceNorm(
  x: Tensor,
  options: {
    runningMean?: Tensor | null;
    runningVar?: Tensor | null;
    weight?: Tensor | null;
    bias?: Tensor | null;
    useInputStats?: boolean;
    momentum?: number | Tensor;
    eps?: number;
  } = {},
): Tensor {
  const { runningMean, runningVar, weight, bias, useInputStats = true, momentum = 0.1, eps = 1e-5 } = options;
  if (!useInputStats) return batchNorm(x, runningMean, runningVar, weight, bias, { eps });
  const dims = x.shape.flatMap((_, d) => (d < 2 ? [] : [d]));
  const count = numel(dims.map(d => x.shape[d]!));
  if (x.ndim < 3 || count === 1) {
    throw new ValueError(
      'instanceNorm',
      'x must be (N, C, …) with more than 1 place per channel',
      showShape(x.shape),
      '',
    );
  }
  const [mean, variance] = statistics(x, dims); // (N, C, 1, …)
  const overBatch = (t: Tensor): Tensor => t.flatten(1).mean(0);
  if (runningMean != null) follow(runningMean, overBatch(mean), momentum);
  if (runningVar != null) follow(runningVar, overBatch(variance.mul(count / (count - 1))), momentum);
  return channelAffine(standardized(x, dims, eps), weight, bias);
}

/** The last dims of x, which must be `shape`. */
function lastDims(op: string, x: Tensor, shape: number | readonly number[]): number[] {
  const want = typeof shape === 'number' ? [shape] : shape;
  const from = x.ndim - want.length;
  if (from < 0 || want.length === 0 || !sameShape(x.shape.slice(from), want)) {
    throw new ShapeError(
      op,
      `the last dims of x must be the normalised shape ${showShape(want)}`,
      showShape(x.shape),
      '',
    );
  }
  return want.map((_, i) => from + i);
}
/** Normalisation over the last dims, `normalizedShape` (Ba et al. 2016); weight and bias have that shape. */
export function layerNorm(
  x: Tensor,
  normalizedShape: number | readonly number[],
  weight?: Tensor | null,
  bias?: Tensor | null,
  options: { eps?: number } = {},
): Tensor {
  const dims = lastDims('layerNorm', x, normalizedShape);
  return affine(standardized(x, dims, options.eps ?? 1e-5), weight, bias);
}
/** x / √(mean x² + eps) over the last dims (Zhang & Sennrich 2019); eps is the precision of the dtype by default. */
export function rmsNorm(
  x: Tensor,
  normalizedShape: number | readonly number[],
  weight?: Tensor | null,
  options: { eps?: number | null } = {},
): Tensor {
  const eps = options.eps ?? (x.dtype === 'float64' ? 2 ** -52 : 2 ** -23);
  const meanSquare = x.square().mean(lastDims('rmsNorm', x, normalizedShape), { keepdim: true });
  return affine(x.mul(meanSquare.add(eps).rsqrt()), weight, null);
}
/** Normalisation per example over groups of channels and all places (Wu & He 2018). Shape (N, C, …). */
export function groupNorm(
  x: Tensor,
  numGroups: number,
  weight?: Tensor | null,
  bias?: Tensor | null,
  options: { eps?: number } = {},
): Tensor {
  const [N, C] = x.shape;
  if (N === undefined || C === undefined || C % numGroups !== 0) {
    throw new ShapeError(
      'groupNorm',
      `x must be (N, C, …) with C divisible by ${numGroups} groups`,
      showShape(x.shape),
      '',
    );
  }
  const groups = x.reshape([N, numGroups, C / numGroups, ...x.shape.slice(2)]);
  const dims = groups.shape.map((_, d) => d).slice(2);
  const y = standardized(groups, dims, options.eps ?? 1e-5).reshape(x.shape);
  return channelAffine(y, weight, bias);
}
/** x / (k + alpha · mean of x² over `size` neighbouring channels)^beta (Krizhevsky et al. 2012). Shape (N, C, …). */
export function localResponseNorm(
  x: Tensor,
  size: number,
  options: { alpha?: number; beta?: number; k?: number } = {},
): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  if (x.ndim < 3) throw new ShapeError('localResponseNorm', 'x must be (N, C, …)', showShape(x.shape), '');
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError('localResponseNorm', 'size must be a positive integer', show(size), '');
  const zeros = Array<number>(2 * (x.ndim - 2)).fill(0);
  const around = pad(x.square(), [...zeros, Math.floor(size / 2), Math.floor((size - 1) / 2)]);
  const mean = around.unfold(1, size, 1).mean(-1);
  return x.div(mean.mul(alpha).add(k).pow(beta));
}
/** x / max(‖x‖ₚ, eps) along a dim (p = 2, dim = 1). */
export function normalize(x: Tensor, options: { p?: number; dim?: number; eps?: number } = {}): Tensor {
  const { p = 2, dim = 1, eps = 1e-12 } = options;
  const d = normalizeDim('normalize', dim, x.ndim);
  return x.div(x.norm(p, d, { keepdim: true }).clamp(eps));
}

// Dropout: elements, planes, or elements of a self-normalising net set to zero at random. Srivastava et al. 2014.

import { show, ValueError } from '../../base/errors.ts';
import { rand } from '../../tensor/random.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface DropoutOptions {
  /** Probability of a zero. Default 0.5. */
  readonly p?: number;
  /** Without it x is returned as it is. Default true. */
  readonly training?: boolean;
  /**
   * Where the expectation is kept: 'training' divides what is kept by 1 − p (default, PyTorch's), 'test' leaves it and
   * multiplies by 1 − p outside of training (Srivastava et al. 2014). Both give a test what training expects.
   */
  readonly scaleIn?: 'training' | 'test';
}
/** p, or null where nothing is dropped. */
function rate(op: string, { p = 0.5, training = true }: DropoutOptions): number | null {
  if (!(p >= 0 && p <= 1)) throw new ValueError(op, 'p must be in 0 … 1', show(p), '');
  return training && p > 0 ? p : null;
}
/** True with probability 1 − p, for each place of the first `lead` dims; it broadcasts to x. */
const kept = (x: Tensor, lead: number, p: number): Tensor =>
  rand(
    x.shape.map((n, d) => (d < lead ? n : 1)),
    { device: x.device },
  ).ge(p);

/** One draw for each place of the first `lead` dims. */
function drop(op: string, x: Tensor, lead: number, options: DropoutOptions): Tensor {
  const p = rate(op, options);
  const inTest = options.scaleIn === 'test';
  if (p === null) return inTest ? x.mul(1 - (options.p ?? 0.5)) : x;
  const scaled = inTest ? x : x.mul(p === 1 ? 0 : 1 / (1 - p));
  return scaled.maskedFill(kept(x, lead, p).logicalNot(), 0);
}
/** Each element 0 with probability p, else x / (1 − p); with `scaleIn: 'test'`, else x, and x (1 − p) in a test. */
export const dropout = (x: Tensor, options: DropoutOptions = {}): Tensor =>
  drop('dropout', x, x.ndim, options);
/** Whole channels of (N, C, L) or (C, L) dropped. */
export const dropout1d = (x: Tensor, options: DropoutOptions = {}): Tensor =>
  drop('dropout1d', x, x.ndim === 2 ? 1 : 2, options);
/** Whole channels of (N, C, H, W) dropped; as in PyTorch, three dims count as (N, C, L). */
export const dropout2d = (x: Tensor, options: DropoutOptions = {}): Tensor =>
  drop('dropout2d', x, 2, options);
/** Whole channels of (N, C, D, H, W) or (C, D, H, W) dropped. */
export const dropout3d = (x: Tensor, options: DropoutOptions = {}): Tensor =>
  drop('dropout3d', x, x.ndim === 4 ? 1 : 2, options);

/** Mean and variance are kept in training: nothing is left for a test to scale. */
export type AlphaDropoutOptions = Omit<DropoutOptions, 'scaleIn'>;
/** −scale · α of SELU: its value far below zero. */
const ALPHA_PRIME = -1.7580993408473766;
function alphaDrop(op: string, x: Tensor, lead: number, options: AlphaDropoutOptions): Tensor {
  const p = rate(op, options);
  if (p === null) return x;
  if (p === 1) return x.mul(0);
  const keep = kept(x, lead, p);
  const a = ((1 - p) * (1 + p * ALPHA_PRIME ** 2)) ** -0.5;
  return x
    .where(keep, ALPHA_PRIME)
    .mul(a)
    .add(-a * ALPHA_PRIME * p);
}
/** Dropout that keeps mean 0 and variance 1 of SELU's outputs. Klambauer et al. 2017. */
export const alphaDropout = (x: Tensor, options: AlphaDropoutOptions = {}): Tensor =>
  alphaDrop('alphaDropout', x, x.ndim, options);
/** The same for whole channels. */
export const featureAlphaDropout = (x: Tensor, options: AlphaDropoutOptions = {}): Tensor =>
  alphaDrop('featureAlphaDropout', x, 2, options);

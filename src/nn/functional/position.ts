// Where a token stands, told to a model that has no order of its own: waves that are added, pairs that are turned, scores
// that fall with distance. Letters: H heads, T queries, S keys, C width, D head dim.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { arange, tensor } from '../../tensor/create.ts';
import { cat, stack } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** base^(−2i/n) for i = 0 … n/2 − 1: how fast each pair of numbers turns from place to place. */
function speeds(op: string, n: number, base: number): number[] {
  if (!Number.isInteger(n / 2) || n < 2) throw new ValueError(op, 'the width must be even', show(n), '');
  return Array.from({ length: n / 2 }, (_, i) => base ** ((-2 * i) / n));
}
/** Places times speeds. (T, n / 2) */
const angles = (length: number, start: number | Tensor, speed: readonly number[]): Tensor =>
  arange(length).add(start).to('float32').unsqueeze(1).mul(tensor(speed));

/**
 * Sines and cosines of places, to be added to embeddings: PE(t, 2i) = sin(t · 10000^(−2i/C)), PE(t, 2i + 1) = cos of the
 * same. Shape: (length, width). `base` is 10000 by default. Vaswani et al. 2017, section 3.5.
 */
export function sinusoidalPositions(
  length: number,
  width: number,
  options: { readonly base?: number } = {},
): Tensor {
  const { base = 10_000 } = options;
  const a = angles(length, 0, speeds('sinusoidalPositions', width, base)); // (T, C / 2)
  return stack([a.sin(), a.cos()], -1).flatten(-2); // (T, C)
}

export interface RotaryOptions {
  /** Place of the first token: a number, an integer tensor of one element, a number argument of `compile`. Default 0. */
  readonly start?: number | Tensor;
  /** Default 10000. */
  readonly base?: number;
  /** What makes a pair: 'neighbours' (2i, 2i + 1), as in the paper and Llama, or 'halves' (i, i + D/2), as in GPT-NeoX. */
  readonly pairs?: 'neighbours' | 'halves';
}
/**
 * Rotary positions: pair i of a query or key at place t is turned by the angle t · base^(−2i/D), so that a score depends
 * on the distance of its two places only. x (…, T, D) → the same shape. Su et al. 2021, arXiv 2104.09864, (34).
 */
export function rotary(x: Tensor, options: RotaryOptions = {}): Tensor {
  const { start = 0, base = 10_000, pairs = 'neighbours' } = options;
  const [T, D] = x.shape.slice(-2);
  if (T === undefined || D === undefined)
    throw new ShapeError('rotary', 'x is (…, T, D)', showShape(x.shape), '');
  const angle = angles(T, start, speeds('rotary', D, base)); // (T, D / 2)
  const [cos, sin] = [angle.cos(), angle.sin()];
  const turned = (a: Tensor, b: Tensor): [Tensor, Tensor] => [
    a.mul(cos).sub(b.mul(sin)),
    a.mul(sin).add(b.mul(cos)),
  ];
  if (pairs === 'halves') {
    const [a, b] = x.chunk(2, -1) as [Tensor, Tensor]; // (…, T, D / 2) each
    return cat(turned(a, b), -1);
  }
  const both = x.unflatten(-1, [D / 2, 2]); // (…, T, D / 2, 2)
  return stack(turned(both.select(-1, 0), both.select(-1, 1)), -1).flatten(-2);
}

/**
 * Attention with linear biases: −m · (t − s), to be added to the scores of query t and key s, with a slope m = 2^(−8h/H)
 * for head h = 1 … H; keys after the query get −∞. Shape: (H, T, T). H is a power of two. Press et al. 2022, arXiv
 * 2108.12409, section 3.
 */
export function linearBiases(heads: number, length: number): Tensor {
  if (!Number.isInteger(Math.log2(heads)))
    throw new ValueError('linearBiases', 'the number of heads is a power of two', show(heads), '');
  const slopes = tensor(Array.from({ length: heads }, (_, h) => 2 ** ((-8 * (h + 1)) / heads)));
  const places = arange(length);
  const ahead = places.sub(places.unsqueeze(1)); // (T, T)
  return ahead
    .to('float32')
    .mul(slopes.reshape(heads, 1, 1))
    .maskedFill(ahead.gt(0), Number.NEGATIVE_INFINITY);
}

// Mixing the pictures of a batch and their labels.
// In: a batch, x (B, C, H, W) and classes y (B). Out: x mixed, and shares of the classes (B, numClasses).

import { isInt } from '../../base/dtype.ts';
import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { oneHot } from '../../nn/functional/sparse.ts';
import { cat } from '../../tensor/movement.ts';
import { isTensor } from '../../tensor/operand.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Draw } from './draw.ts';
import { Transform } from './transform.ts';

export interface MixOptions {
  readonly numClasses: number;
  /** Both parameters of the beta distribution of the share λ. Default 1: uniform. */
  readonly alpha?: number;
}

/** Gamma with shape a and scale 1 (Marsaglia and Tsang 2000; below 1 by the shape a + 1). */
function gamma(a: number, draw: Draw): number {
  if (a < 1) return gamma(a + 1, draw) * draw.uniform() ** (1 / a);
  const d = a - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = draw.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(draw.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
function beta(a: number, draw: Draw): number {
  const [x, y] = [gamma(a, draw), gamma(a, draw)];
  return x / (x + y);
}
/** The batch with each row in the place of the next. */
const rolled = (x: Tensor): Tensor => {
  const n = x.shape[0]!;
  return cat([x.narrow(0, n - 1, 1), x.narrow(0, 0, n - 1)], 0);
};

/** Takes batches: lists [x, y]. */
abstract class Mix extends Transform<'same'> {
  readonly random = true;
  private readonly numClasses: number;
  private readonly alpha: number;
  constructor({ numClasses, alpha = 1 }: MixOptions) {
    super();
    if (!(Number.isInteger(numClasses) && numClasses >= 1))
      throw new ValueError(new.target.name, 'numClasses must be an integer >= 1', show(numClasses), '');
    if (!(alpha > 0)) throw new ValueError(new.target.name, 'alpha must be > 0', show(alpha), '');
    this.numClasses = numClasses;
    this.alpha = alpha;
  }
  /** Mixes x with its neighbours by about the share λ; tells which share it became. */
  protected abstract mix(x: Tensor, lambda: number, draw: Draw): { x: Tensor; lambda: number };

  override run(batch: unknown, draw: Draw): unknown {
    const [x, y, ...rest] = Array.isArray(batch) ? (batch as unknown[]) : [];
    if (!isTensor(x) || !isTensor(y) || rest.length > 0)
      throw new ValueError(
        this.title,
        'it takes a batch [x, y] of pictures and classes',
        show(batch),
        'apply it to what the DataLoader gives',
      );
    if (x.ndim !== 4 || y.ndim !== 1 || x.shape[0] !== y.shape[0] || !isInt(y.dtype))
      throw new ShapeError(
        this.title,
        'x must be (B, C, H, W) and y integers (B)',
        `${showShape(x.shape)} and ${y.dtype} ${showShape(y.shape)}`,
        '',
      );
    const mixed = this.mix(x, beta(this.alpha, draw), draw);
    const shares = oneHot(y, this.numClasses).to(x.dtype); // (B, numClasses)
    return [mixed.x, shares.mul(mixed.lambda).add(rolled(shares).mul(1 - mixed.lambda))];
  }
}
/** λ x + (1 − λ) x′, λ ~ Beta(α, α), x′ the neighbour in the batch. Zhang et al. 2018, arXiv 1710.09412. */
export class MixUp extends Mix {
  protected override mix(x: Tensor, lambda: number): { x: Tensor; lambda: number } {
    return { x: x.mul(lambda).add(rolled(x).mul(1 - lambda)), lambda };
  }
}
/**
 * A rectangle with the share 1 − λ of the area, about a random point and cut at the edges, comes from the neighbour.
 * Yun et al. 2019, arXiv 1905.04899.
 */
export class CutMix extends Mix {
  protected override mix(x: Tensor, lambda: number, draw: Draw): { x: Tensor; lambda: number } {
    const [height, width] = x.shape.slice(2) as [number, number];
    const half = 0.5 * Math.sqrt(1 - lambda);
    const span = (n: number): readonly [number, number] => {
      const [center, reach] = [draw.below(n), Math.trunc(half * n)];
      return [Math.max(0, center - reach), Math.min(n, center + reach)];
    };
    const [x1, x2] = span(width);
    const [y1, y2] = span(height);
    if (x2 <= x1 || y2 <= y1) return { x, lambda: 1 };
    const other = rolled(x);
    // Rows above, between and below the rectangle; in the middle ones its left, its own and its right columns.
    const rows = (t: Tensor, from: number, to: number): Tensor => t.narrow(2, from, to - from);
    const columns = (t: Tensor, from: number, to: number): Tensor =>
      rows(t, y1, y2).narrow(3, from, to - from);
    const middle = cat([columns(x, 0, x1), columns(other, x1, x2), columns(x, x2, width)], 3);
    return {
      x: cat([rows(x, 0, y1), middle, rows(x, y2, height)], 2), // (B, C, H, W)
      lambda: 1 - ((x2 - x1) * (y2 - y1)) / (width * height),
    };
  }
}

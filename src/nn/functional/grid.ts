// Images read at any places: gridSample and affineGrid, the two halves of a spatial transformer (Jaderberg et al. 2015).

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { contiguousStrides, numel } from '../../base/shape.ts';
import { ones, tensor } from '../../tensor/create.ts';
import { cat, stack } from '../../tensor/movement.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { hardtanh } from './activation.ts';

export type GridMode = 'bilinear' | 'nearest' | 'bicubic';
export type GridPadding = 'zeros' | 'border' | 'reflection';

/** One place of a dim that a point reads: where, how much it counts, and whether it lies inside. */
interface Tap {
  readonly at: Tensor;
  /** null: fully. */
  readonly weight: Tensor | null;
}

/**
 * The values of x at the points of a grid. Shapes: x (N, C, H, W) and grid (N, H′, W′, 2) give (N, C, H′, W′); a point is
 * (column, row), both in −1 … 1 from edge to edge (from middle to middle of the outermost elements with alignCorners).
 * Volumes: x (N, C, D, H, W) and grid (N, D′, H′, W′, 3). Beyond the image: 'zeros', the nearest 'border', 'reflection'.
 */
export function gridSample(
  x: Tensor,
  grid: Tensor,
  options: { mode?: GridMode; paddingMode?: GridPadding; alignCorners?: boolean | null } = {},
): Tensor {
  const { mode = 'bilinear', paddingMode = 'zeros' } = options;
  const aligned = options.alignCorners ?? false;
  const rank = x.ndim - 2;
  if (
    (rank !== 2 && rank !== 3) ||
    grid.ndim !== x.ndim ||
    grid.shape[0] !== x.shape[0] ||
    grid.shape[grid.ndim - 1] !== rank
  ) {
    throw new ShapeError(
      'gridSample',
      'x is (N, C, H, W) with a grid (N, H′, W′, 2), or (N, C, D, H, W) with (N, D′, H′, W′, 3)',
      `${showShape(x.shape)} and ${showShape(grid.shape)}`,
      '',
    );
  }
  if (!['bilinear', 'nearest', 'bicubic'].includes(mode) || (mode === 'bicubic' && rank === 3))
    throw new ValueError(
      'gridSample',
      "mode is 'bilinear', 'nearest' or (of images) 'bicubic'",
      show(mode),
      '',
    );
  if (!['zeros', 'border', 'reflection'].includes(paddingMode))
    throw new ValueError(
      'gridSample',
      "paddingMode is 'zeros', 'border' or 'reflection'",
      show(paddingMode),
      '',
    );
  const [N, C, ...places] = x.shape as [number, number, ...number[]];
  const spots = grid.shape.slice(1, -1);
  const points = grid.reshape([N, numel(spots), rank]);
  const taps = places.map((n, i) => {
    // The grid's last dim starts with the column.
    const c = points.select(2, rank - 1 - i);
    const position = aligned ? c.add(1).mul((n - 1) / 2) : c.add(1).mul(n).sub(1).div(2);
    return tapsOf(position, n, mode, paddingMode, aligned);
  });
  const flat = x.reshape([N, C, numel(places)]);
  const strides = contiguousStrides(places);
  let total: Tensor | null = null;
  const visit = (i: number, at: Tensor | null, weight: Tensor | null): void => {
    if (i === places.length) {
      const index = at!.unsqueeze(1).expand([N, C, numel(spots)]);
      const value = flat.gather(2, index);
      const part = weight === null ? value : value.mul(weight.unsqueeze(1));
      total = total === null ? part : total.add(part);
      return;
    }
    for (const tap of taps[i]!) {
      const here = tap.at.mul(strides[i]!);
      const w = tap.weight === null ? weight : weight === null ? tap.weight : weight.mul(tap.weight);
      visit(i + 1, at === null ? here : at.add(here), w);
    }
  };
  visit(0, null, null);
  return total!.reshape([N, C, ...spots]);
}

/** The places of a dim with n elements that points at the given positions read. */
function tapsOf(position: Tensor, n: number, mode: GridMode, padding: GridPadding, aligned: boolean): Tap[] {
  // A place outside counts nothing; positions are brought inside first where the padding says so.
  const tap = (place: Tensor, weight: Tensor | null): Tap => {
    const inside = place.ge(0).logicalAnd(place.le(n - 1));
    const at = place.clamp(0, n - 1).long();
    if (padding !== 'zeros' && mode !== 'bilinear') return { at, weight };
    return {
      at,
      weight: weight === null ? inside.to(place.dtype) : weight.maskedFill(inside.logicalNot(), 0),
    };
  };
  if (mode === 'bicubic') {
    const first = position.floor().detach();
    const t = position.sub(first);
    return cubicWeights(t).map((w, k) => tap(padded(first.add(k - 1), n, padding, aligned), w));
  }
  const p = padded(position, n, padding, aligned);
  if (mode === 'nearest') return [tap(p.detach().round(), null)];
  const first = p.floor().detach();
  const t = p.sub(first);
  return [tap(first, t.rsub(1)), tap(first.add(1), t)];
}
/** Weights of the four neighbours of a point t behind the second one: Keys' cubic with a = −0.75. */
function cubicWeights(t: Tensor): Tensor[] {
  const a = -0.75;
  const near = (d: Tensor): Tensor =>
    d
      .mul(a + 2)
      .sub(a + 3)
      .mul(d)
      .mul(d)
      .add(1);
  const far = (d: Tensor): Tensor =>
    d
      .mul(a)
      .sub(5 * a)
      .mul(d)
      .add(8 * a)
      .mul(d)
      .sub(4 * a);
  return [far(t.add(1)), near(t), near(t.rsub(1)), far(t.rsub(2))];
}

/** Positions brought into 0 … n − 1; on the limits the slope is 0. */
function padded(p: Tensor, n: number, padding: GridPadding, aligned: boolean): Tensor {
  if (padding === 'zeros') return p;
  const inside = padding === 'reflection' ? reflected(p, aligned ? 0 : -0.5, aligned ? n - 1 : n - 0.5) : p;
  return hardtanh(inside, { minVal: 0, maxVal: n - 1 });
}
/** Positions mirrored at the limits until they lie between them. */
function reflected(p: Tensor, low: number, high: number): Tensor {
  const span = high - low;
  if (span === 0) return p.mul(0);
  const far = p.sub(low).abs();
  const turns = far.div(span).floor().detach();
  const extra = far.sub(turns.mul(span));
  return extra.where(turns.remainder(2).eq(0), extra.rsub(span)).add(low);
}

/**
 * The grid of an affine map: theta (N, 2, 3) and size [N, C, H, W] give (N, H, W, 2); theta (N, 3, 4) and
 * [N, C, D, H, W] give (N, D, H, W, 3). Row k of theta maps (column, row, …, 1) to coordinate k of the source.
 */
export function affineGrid(
  theta: Tensor,
  size: readonly number[],
  options: { alignCorners?: boolean | null } = {},
): Tensor {
  const rank = size.length - 2;
  const places = size.slice(2);
  if ((rank !== 2 && rank !== 3) || showShape(theta.shape) !== showShape([size[0]!, rank, rank + 1])) {
    throw new ShapeError(
      'affineGrid',
      'theta is (N, 2, 3) for a size [N, C, H, W], or (N, 3, 4) for [N, C, D, H, W]',
      `${showShape(theta.shape)} and ${show(size)}`,
      '',
    );
  }
  const like = { dtype: theta.dtype, device: theta.device };
  const coordinates = places.map((n, i) => {
    const shrink = options.alignCorners ? 1 : (n - 1) / n;
    const line = Array.from({ length: n }, (_, k) => (n > 1 ? ((2 * k) / (n - 1) - 1) * shrink : 0));
    return tensor(line, { ...like, shape: places.map((_, d) => (d === i ? n : 1)) }).expand(places);
  });
  const base = cat([stack(coordinates.reverse(), -1), ones([...places, 1], like)], -1).reshape([
    -1,
    rank + 1,
  ]);
  return base.matmul(theta.mT).reshape([size[0]!, ...places, rank]);
}

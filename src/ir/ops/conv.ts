// Convolution with the channels last: a product over the elements of a window and the channels, read where they lie. The
// windows of an image are a view; no matrix of columns is ever written.
// In: nodes. Out: nodes. Not its job: the layout, bias and checks of a layer (nn/functional/conv.ts).
// Letters: N images, I and P input and output places, C and O channels, G groups of c and o channels, K elements of a kernel.

import { ShapeError, showShape } from '../../base/errors.ts';
import type { Node } from '../node.ts';
import type { OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { contract } from './contract.ts';
import { constLike } from './elementwise.ts';
import { cat, dilate, flip, pad, permute, reshape, slice, window } from './movement.ts';
import { expand } from './reduce.ts';

export interface ConvAttrs {
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** Zeros at both ends of each dim of places; less than 0 cuts. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly groups: number;
}

const convDef: OpDef<ConvAttrs> = defineOp<ConvAttrs>({
  name: 'conv',
  doc: 'y[n, p, o] = Σ x[n, p·stride + k·dilation − before, c] w[o, c, k] with x (N, I…, C) and w (O, C / groups, K…).',
  kind: 'composite',
  arity: 2,
  shape: ([x, w], a) => {
    const [O, c, ...size] = w!.shape as [number, number, ...number[]];
    const places = size.map((k, d) => {
      const length = x!.shape[1 + d]! + a.before[d]! + a.after[d]!;
      return Math.floor((length - a.dilation[d]! * (k - 1) - 1) / a.stride[d]!) + 1;
    });
    if (x!.shape.length !== w!.shape.length || x!.shape[x!.shape.length - 1] !== c * a.groups) {
      throw new ShapeError(
        'conv',
        `x must be (N, I…, ${c * a.groups}) for kernels ${showShape(w!.shape)}`,
        showShape(x!.shape),
        'check the channels of the layer',
      );
    }
    if (places.some(n => n < 1)) {
      const sizes = size.map((k, d) => a.dilation[d]! * (k - 1) + 1);
      const inside = size.map((_, d) => x!.shape[1 + d]! + a.before[d]! + a.after[d]!);
      throw new ShapeError(
        'conv',
        `the kernel of ${showShape(sizes)} must fit into the padded input`,
        showShape(inside),
        'use more padding, a smaller kernel or a larger input',
      );
    }
    return [x!.shape[0]!, ...places, O];
  },
  dtype: ([x]) => x!.dtype,
  decompose: ([x, w], a) => {
    const [O, c, ...size] = w!.shape as [number, number, ...number[]];
    const kernels = reshape(w!, [a.groups, O / a.groups, c, ...size]);
    const rank = size.length;
    // (N, P…, G, o): what is summed is the elements of the window, and c innermost.
    const elements = size.map((_, d) => -1 - d);
    const ofSeen = [...upTo(rank + 2), -1 - rank, ...elements];
    const y = contract(windows(x!, w!, a), kernels, ofSeen, [rank + 1, rank + 2, -1 - rank, ...elements]);
    return reshape(y, [...y.shape.slice(0, -2), O]);
  },
  vjp: (g, { src: [x, w], attrs: a }, i) => {
    if (i === 0) return convTransposed(g, w!, a, x!.shape.slice(1, -1));
    const [O, c, ...size] = w!.shape as [number, number, ...number[]];
    const rank = size.length;
    // (K…, G, c, o): now images and places are summed.
    const places = upTo(rank + 1).map(d => -1 - d);
    const ofG = [...places, rank, rank + 2];
    const result = reshape(g, [...g.shape.slice(0, -1), a.groups, O / a.groups]);
    const dw = contract(windows(x!, w!, a), result, [...places, rank, rank + 1, ...upTo(rank)], ofG);
    return reshape(permute(dw, [rank, rank + 2, rank + 1, ...upTo(rank)]), [O, c, ...size]);
  },
  linearIn: [0, 1],
  batch: ([x, w], batched, n, size) => {
    if (!batched[1]) {
      const y = conv(reshape(x!, [size * x!.shape[1]!, ...x!.shape.slice(2)]), w!, n.attrs);
      return reshape(y, [size, ...n.shape]);
    }
    // The kernels of a batch are groups.
    const last = n.shape.length - 1;
    const all = batched[0] ? x! : expand(reshape(x!, [1, ...x!.shape]), [size, ...x!.shape]);
    const beside = permute(all, [...upTo(last).map(d => d + 1), 0, last + 1]);
    const images = reshape(beside, [...beside.shape.slice(0, -2), size * beside.shape[last + 1]!]);
    const kernels = reshape(w!, [size * w!.shape[1]!, ...w!.shape.slice(2)]);
    const y = conv(images, kernels, { ...n.attrs, groups: size * n.attrs.groups });
    const apart = reshape(y, [...n.shape.slice(0, -1), size, n.shape[last]!]);
    return permute(apart, [last, ...upTo(last), last + 1]);
  },
  cost: 2,
  samples: () => {
    const plain = { stride: [1], dilation: [1], before: [0], after: [0], groups: 1 };
    const image = { stride: [1, 1], dilation: [1, 1], before: [1, 1], after: [1, 1], groups: 1 };
    // biome-ignore format: a table
    return [
      { shapes: [[2, 7, 3], [4, 3, 3]], attrs: plain },
      { shapes: [[1, 9, 4], [6, 2, 3]], attrs: { ...plain, stride: [2], before: [2], after: [1], groups: 2 } },
      { shapes: [[2, 8, 5], [3, 5, 3]], attrs: { ...plain, dilation: [2], stride: [3], before: [-1], after: [2] } },
      { shapes: [[2, 5, 6, 3], [5, 3, 3, 3]], attrs: image },
      { shapes: [[2, 9, 8, 8], [12, 8, 3, 3]], attrs: { ...image, stride: [2, 2] } },
      { shapes: [[1, 5, 5, 1], [2, 1, 5, 5]], attrs: image },
      { shapes: [[2, 6, 6, 8], [8, 8, 1, 1]], attrs: { ...image, before: [0, 0], after: [0, 0] } },
      { shapes: [[1, 4, 4, 4, 2], [3, 2, 2, 2, 2]], attrs: { stride: [1, 2, 1], dilation: [1, 1, 2], before: [0, 1, 1], after: [0, 0, 1], groups: 1 } },
    ];
  },
  // biome-ignore format: a table
  errors: () => [
    { shapes: [[1, 4, 3], [2, 2, 3]], attrs: { stride: [1], dilation: [1], before: [0], after: [0], groups: 1 }, message: 'conv: x must be (N, I…, 2) for kernels (2, 2, 3)' },
    { shapes: [[1, 2, 3], [2, 3, 3]], attrs: { stride: [1], dilation: [1], before: [0], after: [0], groups: 1 }, message: 'conv: the kernel of (3) must fit into the padded input, got (2)' },
  ],
});
export const conv = (x: Node, w: Node, attrs: ConvAttrs): Node => build(convDef, [x, w], attrs);

/** 0 … n−1. */
const upTo = (n: number): number[] => Array.from({ length: n }, (_, d) => d);

/** All windows of x: (N, I…, C) gives (N, P…, G, c, K…). */
function windows(x: Node, w: Node, a: ConvAttrs): Node {
  const size = w.shape.slice(2);
  const padded = pad(x, [0, ...a.before, 0], [0, ...a.after, 0], 0);
  const seen = size.reduce(
    (y, n, d) => window(y, { dim: 1 + d, size: n, step: a.stride[d]!, dilation: a.dilation[d]! }),
    padded,
  );
  const lead = seen.shape.slice(0, 1 + size.length);
  return reshape(seen, [...lead, a.groups, w.shape[1]!, ...size]);
}

/**
 * With a stride, places of one remainder see only every stride-th element of the kernel: a convolution without stride for
 * each remainder, and their results in turn. Nothing is multiplied by the zeros between strides.
 */
function interleaved(y: Node, w: Node, a: ConvAttrs, places: readonly number[]): Node {
  const size = w.shape.slice(2);
  const { stride, before } = a;
  const dims = upTo(size.length);
  const most = places.map((n, d) => Math.ceil(n / stride[d]!));
  const ones = stride.map(() => 1);
  const part = (remainder: readonly number[]): Node => {
    // Element k meets place i where i + before − k is a multiple of the stride: k = first + stride·m.
    const first = dims.map(d => (remainder[d]! + before[d]!) % stride[d]!);
    const turn = dims.map(d => Math.floor((remainder[d]! + before[d]!) / stride[d]!));
    const count = dims.map(d => Math.max(0, Math.ceil((size[d]! - first[d]!) / stride[d]!)));
    const shape = [y.shape[0]!, ...most, w.shape[1]! * a.groups];
    if (count.includes(0)) return expand(constLike(y, 0), shape);
    const kernels = slice(w, {
      start: [0, 0, ...first],
      size: [w.shape[0]!, w.shape[1]!, ...count],
      step: [1, 1, ...stride],
    });
    return convTransposed(y, kernels, { ...a, stride: ones, before: turn, after: turn }, most);
  };
  /** The parts of the dims from d on, side by side. */
  const joined = (d: number, remainder: readonly number[]): Node => {
    if (d === dims.length) return part(remainder);
    const n = stride[d]!;
    const parts = upTo(n).map(r => joined(d + 1, [...remainder, r]));
    const shape = parts[0]!.shape;
    const side = parts.map(p => reshape(p, [...shape.slice(0, d + 2), 1, ...shape.slice(d + 2)]));
    return reshape(cat(side, d + 2), [...shape.slice(0, d + 1), most[d]! * n, ...shape.slice(d + 2)]);
  };
  const all = joined(0, []);
  const cut = places.map((n, d) => n - most[d]! * stride[d]!);
  return pad(
    all,
    all.shape.map(() => 0),
    [0, ...cut, 0],
    0,
  );
}

/**
 * The transpose of a convolution with kernels w, as its gradient by x is: every output place spread over its window.
 * Shapes: y (N, P…, O), w (O, C / groups, K…); gives (N, I…, C) for the given places I.
 */
export function convTransposed(y: Node, w: Node, a: ConvAttrs, places: readonly number[]): Node {
  const [O, c, ...size] = w.shape as [number, number, ...number[]];
  const { groups: G, stride, dilation } = a;
  if (dilation.every(d => d === 1) && stride.some(n => n > 1)) return interleaved(y, w, a, places);
  const apart = reshape(w, [G, O / G, c, ...size]);
  const swapped = permute(apart, [0, 2, 1, ...upTo(size.length).map(d => d + 3)]);
  const kernels = flip(
    reshape(swapped, [G * c, O / G, ...size]),
    upTo(size.length).map(d => d + 2),
  );
  const spread = dilate(y, [1, ...stride, 1]);
  const reach = size.map((k, d) => dilation[d]! * (k - 1));
  const before = reach.map((r, d) => r - a.before[d]!);
  return conv(spread, kernels, {
    stride: stride.map(() => 1),
    dilation,
    before,
    after: places.map((n, d) => n + reach[d]! - before[d]! - spread.shape[1 + d]!),
    groups: G,
  });
}

// Composites that keep a record because their gradient is better written than derived.
// Each is defined by plain ops; the scheduler fuses those into one kernel.
// In: nodes. Out: nodes. Not its job: the scheduling.

import { ShapeError, showShape } from '../../base/errors.ts';
import type { Node } from '../node.ts';
import type { OpDef, Sample } from '../op.ts';
import { build, defineOp } from '../op.ts';
import { add, cast, eq, exp, expWeight, iota, log, mul, reciprocal, sub } from './elementwise.ts';
import { take } from './index.ts';
import { reshape } from './movement.ts';
import { sum, top } from './reduce.ts';

interface DimAttrs {
  readonly dim: number;
}
type DimOp = ((x: Node, dim: number) => Node) & { readonly def: OpDef<DimAttrs> };
const rows = (): Sample[] => [
  { shapes: [[3, 4]], attrs: { dim: 1 } },
  { shapes: [[4, 3, 2]], attrs: { dim: 0 } },
  { shapes: [[2, 33]], attrs: { dim: 1 } },
  { shapes: [[2, 37, 3]], attrs: { dim: 1 } },
  { shapes: [[5, 1]], attrs: { dim: 1 }, flat: [0] },
  { shapes: [[0, 3]], attrs: { dim: 1 } },
];
function alongDim(spec: {
  name: string;
  doc: string;
  decompose: (x: Node, dim: number) => Node;
  vjp: (g: Node, x: Node, y: Node, dim: number) => Node;
  paper?: string;
}): DimOp {
  const def: OpDef<DimAttrs> = defineOp<DimAttrs>({
    name: spec.name,
    doc: spec.doc,
    kind: 'composite',
    shape: src => src[0]!.shape,
    dtype: src => src[0]!.dtype,
    decompose: ([x], a) => spec.decompose(x!, a.dim),
    vjp: (g, n) => spec.vjp(g, n.src[0]!, n, n.attrs.dim),
    batch: ([x], _, n) => build(def, [x!], { dim: n.attrs.dim + 1 }),
    cost: 20,
    samples: rows,
    paper: spec.paper ?? null,
  });
  return Object.assign((x: Node, dim: number) => build(def, [x], { dim }), { def });
}

/** x minus its maximum along a dim; nothing to subtract where the dim is empty. NaN stays, and makes its sum NaN. */
const shifted = (x: Node, dim: number): Node => (x.shape[dim] === 0 ? x : sub(x, top(x, [dim], true)));
/** eˣ of what `shifted` gives. */
const weights = (x: Node): Node => (x.dtype === 'float64' ? exp(x) : expWeight(x));

export const softmax: DimOp = alongDim({
  name: 'softmax',
  doc: 'eˣ / Σ eˣ along a dim, with the maximum taken out',
  decompose: (x, dim) => {
    const e = weights(shifted(x, dim));
    // One division per row: the product costs a third of the quotient.
    return mul(e, reciprocal(sum(e, [dim], true)));
  },
  vjp: (g, _, y, dim) => mul(y, sub(g, sum(mul(g, y), [dim], true))),
});
export const logSoftmax: DimOp = alongDim({
  name: 'logSoftmax',
  doc: 'ln softmax x along a dim, without overflow',
  decompose: (x, dim) => {
    const s = shifted(x, dim);
    return sub(s, log(sum(weights(s), [dim], true)));
  },
  vjp: (g, _, y, dim) => sub(g, mul(exp(y), sum(g, [dim], true))),
});

const nllDef: OpDef<null> = defineOp<null>({
  name: 'softmaxNll',
  doc: '−ln softmax(x)[target] per row of a (rows, classes) matrix: cross-entropy before its reduction',
  kind: 'composite',
  arity: 2,
  shape: ([x, t]) => {
    if (x!.shape.length !== 2 || t!.shape.length !== 1 || t!.shape[0] !== x!.shape[0]) {
      throw new ShapeError(
        'softmaxNll',
        'logits are (rows, classes) and targets (rows)',
        `${showShape(x!.shape)} and ${showShape(t!.shape)}`,
        '',
      );
    }
    return t!.shape;
  },
  dtype: src => src[0]!.dtype,
  decompose: ([x, t]) => {
    // ln Σ e^{x−max} + max − x[target]
    const largest = top(x!, [1], true);
    const lse = add(log(sum(weights(sub(x!, largest)), [1], false)), reshape(largest, t!.shape));
    return sub(lse, take(x!, [iota(t!.shape, 'int64', t!.device), t!], [0, 1]));
  },
  vjp: (g, n, i) => {
    if (i > 0) return null;
    const [x, t] = n.src as [Node, Node];
    const [rowsN, classes] = x.shape as [number, number];
    // Compared as int32: two fit where one int64 would.
    const col = iota([classes], 'int32', t.device);
    const hot = cast(eq(col, reshape(cast(t, 'int32'), [rowsN, 1])), x.dtype);
    return mul(sub(softmax(x, 1), hot), reshape(g, [rowsN, 1]));
  },
  batch: (_src, _batched, n, size, lift) => {
    const [x, t] = lift(n.src) as [Node, Node];
    const [, r, c] = x.shape as [number, number, number];
    return reshape(softmaxNll(reshape(x, [size * r, c]), reshape(t, [size * r])), [size, r]);
  },
  raises: 'a label outside 0 … classes−1',
  cost: 20,
  samples: () => [
    { shapes: [[3, 4], [3]], dtypes: ['float32', 'int64'], range: [0, 3.99] },
    { shapes: [[33, 10], [33]], dtypes: ['float32', 'int64'], range: [0, 9.99] },
    { shapes: [[1, 35], [1]], dtypes: ['float32', 'int32'], range: [0, 34.99] },
  ],
  errors: () => [
    {
      shapes: [[3, 4], [2]],
      dtypes: ['float32', 'int64'],
      message: 'softmaxNll: logits are (rows, classes) and targets (rows), got (3, 4) and (2)',
    },
  ],
});
export const softmaxNll = (x: Node, target: Node): Node => build(nllDef, [x, target], null);

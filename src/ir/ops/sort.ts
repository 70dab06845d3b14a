// Sorting: one host op, argsort; values follow by take, so gradients come for free.

import { DTypeError } from '../../base/errors.ts';
import type { Node } from '../node.ts';
import type { OpDef } from '../op.ts';
import { build, defineOp } from '../op.ts';

export interface SortAttrs {
  readonly dim: number;
  readonly descending: boolean;
}
const argsortDef: OpDef<SortAttrs> = defineOp<SortAttrs>({
  name: 'argsort',
  doc: 'The positions that sort x along a dim; stable, NaN last (first when descending).',
  kind: 'host',
  shape: src => src[0]!.shape,
  dtype: src => {
    if (src[0]!.dtype === 'bool')
      throw new DTypeError('argsort', 'it takes numbers', 'bool', 'convert with .to(dtype)');
    return 'int64';
  },
  host: ([x], node) => {
    const { dim, descending } = node.attrs as SortAttrs;
    const { shape, data } = x!;
    const n = shape[dim]!;
    const inner = shape.slice(dim + 1).reduce((p, s) => p * s, 1);
    const outer = n === 0 ? 0 : data.length / (n * inner);
    const out = new Float64Array(data.length);
    const key = new Float64Array(n);
    const order = new Uint32Array(n);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const base = o * n * inner + i;
        for (let k = 0; k < n; k++) {
          // NaN sorts as the largest number.
          const v = data[base + k * inner]!;
          key[k] = Number.isNaN(v) ? Number.POSITIVE_INFINITY : v;
          order[k] = k;
        }
        const nan = (k: number): number => (Number.isNaN(data[base + k * inner]!) ? 1 : 0);
        const rise = (a: number, b: number): number => key[a]! - key[b]! || nan(a) - nan(b);
        const cmp = (a: number, b: number): number => {
          const d = descending ? rise(b, a) : rise(a, b);
          return (Number.isNaN(d) ? 0 : d) || a - b;
        };
        order.sort(cmp);
        for (let k = 0; k < n; k++) out[base + k * inner] = order[k]!;
      }
    }
    return out;
  },
  batch: ([x], _, { attrs }) => argsort(x!, attrs.dim + 1, attrs.descending),
  cost: 100,
  samples: () => [
    { shapes: [[3, 4]], attrs: { dim: 1, descending: false } },
    { shapes: [[4, 3]], attrs: { dim: 0, descending: true } },
    { shapes: [[2, 37]], attrs: { dim: 1, descending: true } },
    { shapes: [[35]], dtypes: ['int64'], attrs: { dim: 0, descending: false } },
    { shapes: [[1]], attrs: { dim: 0, descending: false } },
    { shapes: [[0, 3]], attrs: { dim: 0, descending: false } },
  ],
  errors: () => [
    {
      shapes: [[3]],
      dtypes: ['bool'],
      attrs: { dim: 0, descending: false },
      message: 'argsort: it takes numbers, got bool',
    },
  ],
});
export const argsort = (x: Node, dim: number, descending: boolean): Node =>
  build(argsortDef, [x], { dim, descending });

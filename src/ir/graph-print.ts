// A graph as text and as data, for people and for the lab.
// In: roots. Out: text, a line per node in the order of computation. Not its job: when it is printed.

import { DTYPES } from '../base/dtype.ts';
import { showShape } from '../base/errors.ts';
import { type Node, toposort } from './node.ts';

const attrText = (a: unknown): string => {
  if (a === null || typeof a !== 'object') return '';
  const parts = Object.entries(a).flatMap(([k, v]) =>
    typeof v === 'function' || (typeof v === 'object' && v !== null && !Array.isArray(v))
      ? []
      : [`${k}=${Array.isArray(v) ? `[${v}]` : v}`],
  );
  return parts.length ? ` {${parts.join(' ')}}` : '';
};

/** One line per node: `%3 = add(%1, %2) f32(2, 3)`. */
export function printGraph(roots: readonly Node[]): string {
  const order = toposort(roots);
  const name = new Map(order.map((n, i) => [n, `%${i}`]));
  const lines = order.map(n => {
    const op = n.value !== null ? 'data' : n.op.name;
    const args = n.value !== null ? '' : n.src.map(s => name.get(s)).join(', ');
    const attrs = n.value !== null ? '' : attrText(n.attrs);
    const root = roots.includes(n) ? '  <- result' : '';
    return `${name.get(n)} = ${op}(${args})${attrs} ${DTYPES[n.dtype].short}${showShape(n.shape)}${root}`;
  });
  return lines.join('\n');
}

export interface GraphRecord {
  readonly id: number;
  readonly op: string;
  readonly src: readonly number[];
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly result: boolean;
}
/** The same as plain data. */
export function graphData(roots: readonly Node[]): GraphRecord[] {
  const order = toposort(roots);
  const id = new Map(order.map((n, i) => [n, i]));
  return order.map((n, i) => ({
    id: i,
    op: n.value !== null ? 'data' : n.op.name,
    src: n.value !== null ? [] : n.src.map(s => id.get(s)!),
    shape: n.shape,
    dtype: n.dtype,
    result: roots.includes(n),
  }));
}

// A graph as text, for people.
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

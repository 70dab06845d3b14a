// Checks that a pass left a graph whole: every node has the shape and dtype that its op's rules give.
// In: the graph after a pass. Out: nothing, or an error that names the pass and the node. Switched on by TENON_VERIFY=1.

import { showShape, TenonError } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import { type Node, toposort } from './node.ts';

/** Throws where `after` is not what `before` was: per root the same shape, dtype and device; per node its op's rules. */
export function verify(pass: string, before: readonly Node[], after: readonly Node[]): void {
  const fail = (n: Node, rule: string, got: string): never => {
    throw new TenonError(
      `pass '${pass}'`,
      `${n.op.name} ${rule}`,
      got,
      'this is a bug in the pass: please report it',
    );
  };
  const text = (n: { shape: readonly number[]; dtype: string }): string => `${n.dtype}${showShape(n.shape)}`;
  for (const n of toposort(after, x => x.value !== null)) {
    if (n.value !== null || n.src.length === 0) continue;
    const want = { shape: n.op.shape(n.src, n.attrs), dtype: n.op.dtype(n.src, n.attrs) };
    if (!sameShape(want.shape, n.shape) || want.dtype !== n.dtype) fail(n, `must be ${text(want)}`, text(n));
    for (const s of n.src) {
      if (s.device !== n.device) fail(n, `must have its sources on ${n.device}`, s.device);
    }
  }
  before.forEach((old, i) => {
    const now = after[i]!;
    if (!sameShape(old.shape, now.shape) || old.dtype !== now.dtype || old.device !== now.device)
      fail(now, `must stay ${text(old)} on ${old.device}`, `${text(now)} on ${now.device}`);
  });
}

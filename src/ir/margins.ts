// Values with a margin of zeros are kept once. Where a product reads the windows of a padded value (a convolution), the
// padded one has to lie in memory; whoever else wants the value reads its inside.
// In: roots. Out: new roots. Not its job: what gets memory (schedule/fuse.ts).

import { numel } from '../base/shape.ts';
import { type Node, toposort } from './node.ts';
import { build } from './op.ts';
import { type PadAttrs, padDef, slice } from './ops/movement.ts';

/** A margin that is larger than this part of the value costs more time than it spares memory. */
const LARGE = 0.6;

export function shareMargins(roots: readonly Node[]): Node[] {
  const order = toposort(roots, n => n.value !== null);
  const kept = new Set(roots);
  const users = new Map<Node, number>();
  /** The padded form of a value, where a product reads windows of it. */
  const padded = new Map<Node, Node>();
  const windowed = new Set<Node>();
  for (const n of order) {
    for (const s of n.src) {
      users.set(s, (users.get(s) ?? 0) + 1);
      if (n.op.kind !== 'contraction') continue;
      let view = s;
      while (view.op.kind === 'movement' && view.value === null && view.op.id !== padDef.id)
        view = view.src[0]!;
      if (view.op.id === padDef.id && view.value === null) windowed.add(view);
    }
  }
  for (const p of windowed) {
    const [x] = p.src as [Node];
    const { value } = p.attrs as PadAttrs;
    const computed = x.value === null && x.op.kind === 'elementwise' && x.src.length > 0;
    if (numel(p.shape) > (1 + LARGE) * numel(x.shape)) continue;
    if (!computed || value !== 0 || kept.has(x) || users.get(x)! < 2 || numel(x.shape) === 0) continue;
    const had = padded.get(x);
    if (had === undefined || numel(p.shape) < numel(had.shape)) padded.set(x, p);
  }
  if (padded.size === 0) return [...roots];
  const done = new Map<Node, Node>();
  const insides = new Map<Node, Node>();
  const inside = (x: Node, p: Node): Node => {
    let s = insides.get(x);
    if (s === undefined) {
      const { before } = p.attrs as PadAttrs;
      s = slice(done.get(p)!, { start: before, size: x.shape, step: x.shape.map(() => 1) });
      s.serial = p.serial;
      insides.set(x, s);
    }
    return s;
  };
  const visit = (n: Node): Node => {
    // Everything that the padded value needs comes before whoever reads its inside.
    for (const m of toposort([n], y => y.value !== null || done.has(y))) {
      if (done.has(m)) continue;
      const src = m.src.map(s => {
        const p = padded.get(s);
        if (p === undefined || p === m) return done.get(s) ?? s;
        if (!done.has(p)) visit(p);
        return inside(s, p);
      });
      let out = m;
      if (m.value === null && src.some((s, i) => s !== m.src[i])) {
        out = build(m.op, src, m.attrs);
        out.serial = m.serial;
      }
      done.set(m, out);
    }
    return done.get(n)!;
  };
  return roots.map(visit);
}

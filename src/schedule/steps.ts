// Steps become a kernel: a schedule of its own for one step, made once.
// In: steps, and which of their results are wanted. Out: the kernels of a step, what they read, where results go.
// Not its job: memory, and running it T times (runtime/steps.ts).

import { byteWidth } from '../base/dtype.ts';
import { type Node, toposort } from '../ir/node.ts';
import { after } from '../ir/ops/custom.ts';
import { addScaled, asAffine, constAffine, LoopVar, varOf, withExprs } from '../ir/scalar.ts';
import { simplify } from '../ir/simplify.ts';
import type { PartAttrs, StepsAttrs } from '../ir/steps.ts';
import { linear } from './affine.ts';
import { fuse, type StepsBody, stepsRule } from './fuse.ts';
import type { Limits, Stretch, Value } from './kernel.ts';

const planned = new WeakMap<Node, { parts: readonly Node[]; body: StepsBody }>();
/** Asked more than once while kernels are chosen. */
stepsRule.plan = (n, parts, limits) => {
  const had = planned.get(n);
  if (had?.parts.length === parts.length && parts.every((p, i) => p === had.parts[i])) return had.body;
  const body = planSteps(n as Node<StepsAttrs>, parts, limits);
  planned.set(n, { parts: [...parts], body });
  return body;
};

function planSteps(n: Node<StepsAttrs>, parts: readonly Node[], limits: Limits): StepsBody {
  const { body, length } = n.attrs;
  const wanted = parts.map(p => p.attrs as PartAttrs);
  const stacked = wanted.filter(p => p.of === 'stack').map(p => p.at);
  const carries = liveCarries(n, wanted);
  const roots = simplify([...carries.map(k => body.next[k]!), ...stacked.map(i => body.named[i]!)]);
  // Each has memory of its own: what is there already, or wanted twice, is copied.
  const own = roots.map((r, i) => (r.value !== null || roots.indexOf(r) < i ? after(r, r) : r));
  const schedule = fuse(own, limits);
  const valueAt = (list: readonly number[], of: number, offset: number): Value | null => {
    const i = list.indexOf(of);
    return i < 0 ? null : schedule.valueFor(own[offset + i]!)!;
  };
  const read = n.src.map((s, i) => {
    const needed = i < body.carries ? carries.includes(i) : schedule.valueFor(body.inputs[i]!) !== undefined;
    return needed ? stretchOf(s) : null;
  });
  return {
    reads: read.flatMap(s => (s === null ? [] : [s.node])),
    build(valueFor) {
      const buffers: Value[] = [];
      const buffer = (v: Value): number => (buffers.includes(v) ? buffers.indexOf(v) : buffers.push(v) - 1);
      return {
        kind: 'steps',
        buffers,
        node: n,
        sources: read.map((s): Stretch => {
          return s === null ? NOT_READ : { buffer: buffer(valueFor(s.node)), offset: s.offset };
        }),
        body: schedule,
        next: body.next.map((_, k) => valueAt(carries, k, 0)),
        results: parts.map(node => {
          const part = node.attrs as PartAttrs;
          const value = part.of === 'stack' ? valueAt(stacked, part.at, carries.length) : null;
          return { part, buffer: buffer(valueFor(node)), value };
        }),
        nodes: [n, ...schedule.kernels.flatMap(k => k.nodes)],
        work: length * schedule.kernels.reduce((w, k) => w + k.work, 0),
      };
    },
  };
}
const NOT_READ: Stretch = { buffer: -1, offset: 0 };

/** Carries that are wanted themselves, or by what is wanted of the next step. */
function liveCarries({ attrs: { body } }: Node<StepsAttrs>, wanted: readonly PartAttrs[]): number[] {
  const live = new Set(wanted.filter(p => p.of !== 'stack').map(p => p.at));
  const stacks = wanted.filter(p => p.of === 'stack').map(p => body.named[p.at]!);
  for (let size = -1; size !== live.size; ) {
    size = live.size;
    const read = new Set(toposort([...stacks, ...[...live].map(k => body.next[k]!)]));
    for (let k = 0; k < body.carries; k++) if (read.has(body.inputs[k]!)) live.add(k);
  }
  return [...live];
}

/** What has the memory of a node whose elements lie there one after another, and from which byte on. */
function stretchOf(s: Node): { node: Node; offset: number } {
  let offset = 0;
  let n = s;
  while (n.value === null && n.op.kind === 'movement' && n.src.length === 1) {
    const shift = n.op.relabels ? 0 : shiftOf(n);
    if (shift === null) break;
    offset += shift;
    n = n.src[0]!;
  }
  return { node: n, offset: offset * byteWidth(s.dtype) };
}
/** How far a movement shifts all elements in memory; null where it does anything else. */
const shiftOf = (n: Node): number | null =>
  withExprs(() => {
    const at = n.shape.map(size => (size === 1 ? constAffine(0) : asAffine(varOf(new LoopVar(size)))));
    const { at: from, guard } = n.op.index!(at, n);
    const shift = addScaled(linear(from, n.src[0]!.shape), linear(at, n.shape), -1);
    return guard == null && shift.terms.length === 0 ? shift.c : null;
  });

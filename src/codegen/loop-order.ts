// The order of loops, and loops that run through memory as one.
// In: the loops of a kernel, its sinks. Out: fewer loops, better ordered. Not its job: vectors.

import type { Affine, E, ReduceData } from '../ir/scalar.ts';
import { affineIn, LoopVar, m, rebuild, reduce, varOf } from '../ir/scalar.ts';
import { loopVarOf } from '../schedule/affine.ts';
import type { LoopKernel } from '../schedule/kernel.ts';
import { accesses, type FoldSink, mapSink, type Sink, substitute } from './sinks.ts';

function unitScore(v: LoopVar, all: readonly { at: Affine; store: boolean }[]): number {
  let score = 0;
  for (const { at, store } of all) {
    for (const [e, k] of at.terms) {
      if (loopVarOf(e) === v) score += Math.abs(k) === 1 ? (store ? 2.5 : 2) : store ? -1.5 : -1;
    }
  }
  return score;
}
/** The outer loops from outside in. */
export function orderedVars(kernel: LoopKernel, sinks: readonly Sink[]): LoopVar[] {
  const acc = accesses(sinks);
  const scanVar = kernel.scan?.v;
  return kernel.blocks.flatMap(block =>
    unitLast(
      block.filter(v => v !== scanVar),
      acc,
    ),
  );
}
/** The loop with the most neighbours in memory goes innermost. */
function unitLast(block: readonly LoopVar[], acc: readonly { at: Affine; store: boolean }[]): LoopVar[] {
  if (block.length < 2) return [...block];
  let best = block.length - 1;
  const scores = block.map(v => unitScore(v, acc));
  scores.forEach((s, i) => {
    if (s > scores[best]!) best = i;
  });
  return [...block.filter((_, i) => i !== best), block[best]!];
}

/** Joins neighbouring loops that run through memory as one in every access. */
export function coalesce(
  kernel: LoopKernel,
  vars: LoopVar[],
  sinks: Sink[],
): { vars: LoopVar[]; sinks: Sink[] } {
  let list = vars;
  let out = sinks;
  // Reduction loops first, then the outer ones.
  const memo = new Map<E, E>();
  const inner = (e: E): E =>
    rebuild(
      e,
      x => {
        if (x.op !== 'reduce') return null;
        const d = x.data as ReduceData;
        let body = inner(x.args[0]!);
        let position = d.position === null ? null : inner(d.position);
        let own = unitLast(
          d.vars,
          accesses([{ kind: 'fold', depth: 0, target: null!, set: 0, x: body, position }]),
        );
        for (let i = own.length - 2; i >= 0; i--) {
          const fake: Sink = { kind: 'fold', depth: 0, target: null!, set: 0, x: body, position };
          const joined = join(own[i]!, own[i + 1]!, [fake]);
          if (joined === null) continue;
          const [f] = joined.sinks as [FoldSink];
          body = f.x;
          position = f.position;
          own = [...own.slice(0, i), joined.v, ...own.slice(i + 2)];
        }
        return reduce(d.fold, own, body, position, x.type);
      },
      memo,
    );
  out = out.map(s => mapSink(s, inner));
  for (let i = list.length - 2; i >= 0; i--) {
    // A store between the two loops keeps them apart.
    if (out.some(s => s.depth === i + 1)) continue;
    // Loops that must run in order keep their names: a joined one would be taken for free.
    if (kernel.serial.includes(list[i]!) || kernel.serial.includes(list[i + 1]!)) continue;
    const joined = join(list[i]!, list[i + 1]!, out);
    if (joined === null) continue;
    list = [...list.slice(0, i), joined.v, ...list.slice(i + 2)];
    out = joined.sinks.map(s => (s.depth > i + 1 ? { ...s, depth: s.depth - 1 } : s));
  }
  return { vars: list, sinks: out };
}
function join(a: LoopVar, b: LoopVar, sinks: readonly Sink[]): { v: LoopVar; sinks: Sink[] } | null {
  const ok = (at: Affine): boolean => {
    let ka = 0;
    let kb = 0;
    for (const [e, k] of at.terms) {
      const v = loopVarOf(e);
      if (v === a) ka = k;
      else if (v === b) kb = k;
    }
    return ka === kb * b.size;
  };
  const seen = new Set<E>();
  const fits = (e: E): boolean => {
    if (seen.has(e)) return true;
    seen.add(e);
    if (e.op === 'var') return e.data !== a && e.data !== b;
    const at = affineIn(e);
    if (at !== null && !(ok(at) && at.terms.every(([t]) => t.op === 'var' || fits(t)))) return false;
    if (e.op === 'reduce') {
      const { position } = e.data as ReduceData;
      if (position !== null && !fits(position)) return false;
    }
    return e.args.every(fits);
  };
  const fitsSink = (s: Sink): boolean => {
    if (s.kind === 'store')
      return ok(s.at) && s.at.terms.every(([t]) => t.op === 'var' || fits(t)) && fits(s.value);
    if (s.kind === 'scan') return s.inputs.every(fits) && s.stores.every(fitsSink);
    return (
      fits(s.x) &&
      (s.position === null || s.position.op === 'index'
        ? s.position === null || ok(s.position.data as Affine)
        : fits(s.position))
    );
  };
  if (!sinks.every(fitsSink)) return null;
  const v = new LoopVar(a.size * b.size);
  // a·kb·|b| + b·kb = v·kb
  const to = new Map<E, E>([
    [varOf(a), m.const(0, 'i32')],
    [varOf(b), varOf(v)],
  ]);
  return { v, sinks: substitute(sinks, to) };
}

// Tiny reductions as expressions.
// In: reductions over loops of a few steps. Out: the same as chains of machine ops. Not its job: longer ones (lower.ts).

import type { E, ReduceData } from '../ir/scalar.ts';
import { m, rebuild, reduce, varOf } from '../ir/scalar.ts';
import { opCount } from './sinks.ts';

/** Loops up to this size may be unrolled, */
export const TINY = 16;
/** to at most this many operations. */
export const UNROLL_OPS = 64;

/** Reductions of a few terms become plain expressions. */
export function unrollReduces(e: E, memo: Map<E, E>): E {
  return rebuild(
    e,
    x => {
      if (x.op !== 'reduce') return null;
      const d = x.data as ReduceData;
      const body = unrollReduces(x.args[0]!, memo);
      const total = d.vars.reduce((p, v) => p * v.size, 1);
      const position = d.position;
      if (total === 0) return d.fold.init(body.type)[d.fold.result]!;
      if (total > TINY || total * opCount(body) > UNROLL_OPS || d.fold.merge === null) {
        return reduce(d.fold, d.vars, body, position, x.type);
      }
      let accs: E[] | null = null;
      for (let n = 0; n < total; n++) {
        const map = new Map<E, E>();
        let rest = n;
        for (let i = d.vars.length - 1; i >= 0; i--) {
          const v = d.vars[i]!;
          map.set(varOf(v), m.const(rest % v.size, 'i32'));
          rest = Math.floor(rest / v.size);
        }
        const inner = new Map<E, E>();
        const at = (y: E): E => rebuild(y, z => map.get(z) ?? null, inner);
        const value = at(body);
        // The first value is the fold so far: nothing is added to 0.
        if (accs === null)
          accs = d.fold.positional ? d.fold.step(d.fold.init(body.type), [value], at(position!)) : [value];
        else accs = d.fold.step(accs, [value], position === null ? null : at(position));
      }
      return accs![d.fold.result]!;
    },
    memo,
  );
}

// Loops as text: what DEBUG=4 and the snapshots of generated code show.
// In: a LoopProgram. Out: text. Not its job: bytes (wasm.ts).

import type { Affine, CheckedData, E, LoadData, LoopVar, ReduceData } from '../ir/scalar.ts';
import { termsOf } from '../ir/scalar.ts';
import type { LoopProgram, Stmt } from './loop.ts';

const INFIX: Record<string, string> = { add: '+', sub: '-', mul: '*', div: '/', lt: '<', le: '<=', eq: '==', ne: '!=', and: '&', or: '|', xor: '^', shl: '<<', shr: '>>', shru: '>>>' }; // biome-ignore format: a table

/** The statements of a program, loops indented; shared values get a name where they first occur. */
export function printLoops(p: LoopProgram): string {
  const names = new Map<LoopVar, string>();
  const nameOf = (v: LoopVar): string => {
    let n = names.get(v);
    if (n === undefined) {
      n = `i${names.size}`;
      names.set(v, n);
    }
    return n;
  };
  const at = (a: Affine): string => {
    const terms = a.terms.map(([t, k]) => (k === 1 ? expr(t) : `${k}*${expr(t)}`));
    return [...terms, ...(a.c !== 0 || terms.length === 0 ? [`${a.c}`] : [])].join(' + ');
  };
  const wide = (e: E): string => (e.lanes === 4 ? '⁴' : '');
  // A value that occurs more than once gets a line and a name of its own.
  const uses = countUses(p.body);
  const named = new Map<E, string>();
  const lines: string[] = [];
  let indent = '';
  const expr = (e: E): string => {
    const had = named.get(e);
    if (had !== undefined) return had;
    const text = plain(e);
    if ((uses.get(e) ?? 0) < 2 || TRIVIAL.has(e.op)) return text;
    const name = `t${named.size}${wide(e)}`;
    named.set(e, name);
    lines.push(`${indent}${name} = ${text}`);
    return name;
  };
  const plain = (e: E): string => {
    const go = (x: E): string => expr(x);
    switch (e.op) {
      case 'const':
        return String(e.value);
      case 'var':
        return nameOf(e.data as LoopVar);
      case 'acc':
        return `a${e.value}${wide(e)}`;
      case 'param':
        return `p${e.value}`;
      case 'index':
        return `(${at(e.data as Affine)})`;
      case 'load': {
        const d = e.data as LoadData;
        const step = e.lanes === 4 && d.step !== 1 ? ` by ${d.step}` : '';
        return `b${d.buffer}[${at(d.at)}${step}]${wide(e)}${e.args.length ? ` if ${go(e.args[0]!)}` : ''}`;
      }
      case 'checked':
        return `checked${(e.data as CheckedData).code}(${go(e.args[0]!)})`;
      case 'reduce':
        return `${(e.data as ReduceData).fold.name}[${(e.data as ReduceData).vars.map(nameOf).join(' ')}](${go(e.args[0]!)})`;
      default: {
        const infix = INFIX[e.op];
        if (infix !== undefined && e.args.length === 2)
          return `(${go(e.args[0]!)} ${infix} ${go(e.args[1]!)})`;
        return `${e.op}(${e.args.map(go).join(', ')})`;
      }
    }
  };
  const put = (list: readonly Stmt[], at0: string): void => {
    for (const s of list) {
      indent = at0;
      named.clear();
      if (s.kind === 'set') {
        s.accs.forEach((a, i) => {
          const value = expr(s.values[i]!);
          lines.push(`${indent}a${a.id}${a.lanes === 4 ? '⁴' : ''} = ${value}`);
        });
      } else if (s.kind === 'store') {
        const step = s.value.lanes === 4 && s.step !== 1 ? ` by ${s.step}` : '';
        const value = expr(s.value);
        lines.push(`${indent}b${s.buffer}[${at(s.at)}${step}] = ${value}`);
      } else if (s.kind === 'let') lines.push(`${indent}${nameOf(s.v)} = ${expr(s.value)}`);
      else {
        for (const v of s.variants) {
          lines.push(`${at0}for ${nameOf(s.v)} in ${expr(s.from)} … ${expr(s.to)} by ${v.step}`);
          put(v.body, `${at0}  `);
        }
      }
    }
  };
  put(p.body, '');
  return lines.join('\n');
}

const TRIVIAL: ReadonlySet<string> = new Set(['const', 'var', 'acc', 'param', 'splat']);
function countUses(body: readonly Stmt[]): Map<E, number> {
  const uses = new Map<E, number>();
  const visit = (e: E): void => {
    const n = uses.get(e) ?? 0;
    uses.set(e, n + 1);
    if (n > 0) return;
    e.args.forEach(visit);
    for (const [t] of termsOf(e)) visit(t);
  };
  const walk = (list: readonly Stmt[]): void => {
    for (const s of list) {
      if (s.kind === 'for') for (const v of s.variants) walk(v.body);
      else if (s.kind === 'set') s.values.forEach(visit);
      else visit(s.value);
    }
  };
  walk(body);
  return uses;
}

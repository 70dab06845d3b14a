// Loops as text: what DEBUG=4 and the snapshots of generated code show.

import type { Affine, CheckedData, E, LoadData, LoopVar, ReduceData } from '../ir/scalar.ts';
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
  const expr = (e: E, depth = 0): string => {
    if (depth > 40) return '…';
    const go = (x: E): string => expr(x, depth + 1);
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
  const lines: string[] = [];
  const put = (list: readonly Stmt[], indent: string): void => {
    for (const s of list) {
      if (s.kind === 'set') {
        s.accs.forEach((a, i) => {
          lines.push(`${indent}a${a.id}${a.lanes === 4 ? '⁴' : ''} = ${expr(s.values[i]!)}`);
        });
      } else if (s.kind === 'store') {
        const step = s.value.lanes === 4 && s.step !== 1 ? ` by ${s.step}` : '';
        lines.push(`${indent}b${s.buffer}[${at(s.at)}${step}] = ${expr(s.value)}`);
      } else if (s.kind === 'let') lines.push(`${indent}${nameOf(s.v)} = ${expr(s.value)}`);
      else {
        for (const v of s.variants) {
          lines.push(`${indent}for ${nameOf(s.v)} in ${expr(s.from)} … ${expr(s.to)} by ${v.step}`);
          put(v.body, `${indent}  `);
        }
      }
    }
  };
  put(p.body, '');
  return lines.join('\n');
}

// For bundles: records of ops and flags without what only tests and docs read (sentences, samples, bad inputs, sources of formulas).

import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';
import { parseAst } from 'rolldown/parseAst';

const DROPPED = ['doc', 'samples', 'errors', 'paper'];

/** The files with records of ops and of flags. */
export const RECORDS: RegExp = /src[\\/](ir[\\/]ops[\\/]\w+|base[\\/]env)\.ts$/;

/** A node of the syntax tree, with the fields that matter here. */
interface Syntax {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly properties: readonly (Syntax & { readonly key?: { readonly name?: string } })[];
}
/** All object literals in a piece of the syntax tree. */
function literals(piece: unknown): Syntax[] {
  if (typeof piece !== 'object' || piece === null) return [];
  const inside = Object.values(piece).flatMap(literals);
  return (piece as Syntax).type === 'ObjectExpression' ? [piece as Syntax, ...inside] : inside;
}
/** The source without such properties of object literals. */
export function withoutTestData(source: string): string {
  const cuts = literals(parseAst(source, { lang: 'ts' })).flatMap(({ properties, end }) =>
    properties.flatMap((p, i) =>
      DROPPED.includes(p.key?.name ?? '') ? [[p.start, properties[i + 1]?.start ?? end - 1] as const] : [],
    ),
  );
  let [lean, at] = ['', 0];
  for (const [from, to] of cuts.sort(([a], [b]) => a - b)) {
    // What stands inside a dropped property is gone with it.
    if (from < at) continue;
    lean += source.slice(at, from);
    at = to;
  }
  return lean + source.slice(at);
}

export const leanRecords: Plugin = {
  name: 'lean records',
  setup(build) {
    build.onLoad({ filter: RECORDS }, args => ({
      contents: withoutTestData(readFileSync(args.path, 'utf8')),
      loader: 'ts',
    }));
  },
};

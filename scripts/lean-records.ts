// For bundles: records of ops and flags without what only tests and docs read (sentences, samples, bad inputs, sources of formulas).
// Works on formatted source: a property is its line and the deeper ones after it, up to its closing bracket.

import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';

/** The first line of such a property in a literal; members of interfaces end with a semicolon. */
const PROPERTY = /^( +)(?:doc|samples|errors|paper)(?:,|:(?!.*;$).*)$/;

/** The files with records of ops and of flags. */
export const RECORDS: RegExp = /src[\\/](ir[\\/]ops[\\/]\w+|base[\\/]env)\.ts$/;

export function withoutTestData(source: string): string {
  let depth = Number.POSITIVE_INFINITY;
  const stays = (line: string): boolean => {
    const indent = line.length - line.trimStart().length;
    if (indent > depth || (indent === depth && /^[\])}]/.test(line.trimStart()))) return false;
    depth = PROPERTY.exec(line)?.[1]?.length ?? Number.POSITIVE_INFINITY;
    return depth === Number.POSITIVE_INFINITY;
  };
  return source.split('\n').filter(stays).join('\n');
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

// One minified file for pages without a bundler: what dist/tenon.js is and what the size check weighs.

import { type OutputChunk, type Plugin, rolldown } from 'rolldown';
import { minifySync } from 'rolldown/utils';
import { RECORDS, withoutTestData } from './lean-records.ts';

/** A program that travels as text. */
const PROGRAM = /\/\* js \*\/ `([^`]*)`/;
/** Such programs minified; the names that they declare stay. */
const withSmallPrograms = (code: string): string =>
  code.replace(PROGRAM, (_, program: string) =>
    JSON.stringify(minifySync('program.js', program, { mangle: { toplevel: false } }).code),
  );

/** Errors and the print of a model show the names of classes. */
const keepNames = { class: true, function: false };

/** The code behind `entry`, or `contents` in the place of that file, with what it loads on demand or without. */
export async function oneFile(
  entry: string,
  onDemand: 'inside' | 'outside',
  contents?: string,
): Promise<OutputChunk> {
  const source: Plugin = {
    name: 'source for pages',
    resolveId: (id, importer, { kind }) => {
      if (kind === 'dynamic-import' && onDemand === 'outside') return { id, external: true };
      return id.endsWith('.node.ts') && importer !== undefined
        ? new URL(id.replace('.node.', '.browser.'), `file://${importer}`).pathname
        : null;
    },
    load: id => (id === entry && contents !== undefined ? contents : null),
    transform: (code, id) => (RECORDS.test(id) ? withoutTestData(code) : withSmallPrograms(code)),
  };
  const bundle = await rolldown({
    input: entry,
    platform: 'browser',
    plugins: [source],
    transform: { target: 'es2023' },
  });
  const { output } = await bundle.generate({
    format: 'esm',
    minify: { compress: { keepNames }, mangle: { keepNames } },
    codeSplitting: false,
    comments: false,
  });
  await bundle.close();
  return output[0];
}

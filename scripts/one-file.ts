// One minified file for pages without a bundler: what dist/tenon.js is and what the size check weighs.

import { type OutputChunk, type Plugin, rolldown } from 'rolldown';
import { RECORDS, withoutTestData } from './lean-records.ts';

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
    transform: {
      filter: { id: RECORDS },
      handler: code => withoutTestData(code),
    },
  };
  const bundle = await rolldown({
    input: entry,
    platform: 'browser',
    plugins: [source],
    transform: { target: 'es2023' },
  });
  const { output } = await bundle.generate({
    format: 'esm',
    minify: true,
    codeSplitting: false,
    comments: false,
  });
  await bundle.close();
  return output[0];
}

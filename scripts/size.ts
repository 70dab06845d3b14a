// How large things are: the core bundle in bytes, folders and files in lines, against the budgets.
// Ends with 1 where the bundle is too large; lines over budget are named.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { oneFile } from './one-file.ts';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');

/**
 * Bytes of tensors, autograd and the cpu device for a browser, without factorisations of matrices and what is loaded on
 * demand, minified, gzip -9.
 */
const BUNDLE_BUDGET = 100_000;
const LARGEST = 12;
const PIPELINE = ['base', 'ir', 'autograd', 'schedule', 'codegen', 'kernels', 'runtime', 'tensor', 'linalg'];
const LIBRARY = ['nn', 'optim', 'data', 'io', 'train'];
/**
 * The pipeline's budget was 12 000 before all of torch's tensor functions, their gradients and batching rules were in; the
 * library's 7 000 before all of torch.nn's layers and losses, the optimizers and schedules, and five file formats.
 */
const LINE_BUDGETS: readonly (readonly [string, readonly string[], number])[] = [
  ['base … linalg', PIPELINE, 22_000],
  ['nn optim data io train', LIBRARY, 18_000],
];
const FILE_BUDGET = 500;

const ABOVE = ['linalg', ...LIBRARY, 'vision', 'text', 'onnx', 'viz'];
/** The public entry without these folders. */
function entryWithout(folders: readonly string[]): string {
  const left = new RegExp(`from '\\./(${folders.join('|')})/`);
  return readFileSync(join(src, 'index.ts'), 'utf8')
    .split(/(?<=;\n)/)
    .filter(statement => !left.test(statement))
    .join('');
}
/** Its size, and what its largest modules take before names are shortened. */
async function bundle(
  without: readonly string[],
): Promise<{ bytes: number; modules: [file: string, bytes: number][] }> {
  const { code, modules } = await oneFile(join(src, 'index.ts'), 'outside', entryWithout(without));
  const sizes = Object.entries(modules).map(([path, m]): [string, number] => [
    relative(src, path),
    m.renderedLength,
  ]);
  return {
    bytes: gzipSync(code, { level: 9 }).length,
    modules: sizes.sort((a, b) => b[1] - a[1]).slice(0, LARGEST),
  };
}

interface Counted {
  readonly file: string;
  readonly folder: string;
  readonly lines: number;
}
function count(dir: string): Counted[] {
  return readdirSync(dir).flatMap(name => {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) return count(path);
    if (!name.endsWith('.ts')) return [];
    const file = relative(src, path);
    const lines = readFileSync(path, 'utf8').split('\n').length - 1;
    return [{ file, folder: file.includes('/') ? file.split('/')[0]! : '.', lines }];
  });
}

const counted = count(src);
const lines = (folders: readonly string[]): number =>
  counted.reduce((sum, c) => sum + (folders.includes(c.folder) ? c.lines : 0), 0);
const row = (label: string, n: number, budget?: number): void => {
  const verdict = budget === undefined ? '' : ` of ${budget}${n > budget ? '  OVER' : ''}`;
  console.log(`  ${label.padEnd(26)}${String(n).padStart(7)}${verdict}`);
};
console.log('lines');
for (const folder of [...new Set(counted.map(c => c.folder))].sort()) row(folder, lines([folder]));
for (const [label, folders, budget] of LINE_BUDGETS) row(label, lines(folders), budget);
console.log(`files over ${FILE_BUDGET} lines`);
for (const c of counted.filter(f => f.lines > FILE_BUDGET).sort((a, b) => b.lines - a.lines))
  row(c.file, c.lines);
const { bytes, modules } = await bundle(ABOVE);
const matrices = await bundle(ABOVE.filter(folder => folder !== 'linalg'));
console.log(`the ${LARGEST} largest modules of the core bundle, bytes of source`);
for (const [file, n] of modules) row(file, n);
console.log('bytes');
row('with linalg, gzip', matrices.bytes);
row('core bundle, gzip', bytes, BUNDLE_BUDGET);
process.exit(bytes > BUNDLE_BUDGET ? 1 : 0);

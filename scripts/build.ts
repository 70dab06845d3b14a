// Makes dist/: a Node build and a browser build of every public entry (shared code in chunks, so that tenon and
// tenon/optim are the same library), one file for pages without a bundler, the command line, and type declarations.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { browserPlatform } from './browser-platform.ts';
import { leanRecords } from './lean-records.ts';
import { oneFile } from './one-file.ts';

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');
const dist = join(root, 'dist');

/** Public entries: `tenon` and `tenon/NAME` for every folder with an index. */
function entries(): Record<string, string> {
  const found: Record<string, string> = { index: join(src, 'index.ts') };
  for (const name of readdirSync(src)) {
    const index = join(src, name, 'index.ts');
    if (existsSync(index)) found[name] = index;
  }
  return found;
}

const common: BuildOptions = {
  bundle: true,
  format: 'esm',
  target: 'es2023',
  charset: 'utf8',
  legalComments: 'none',
  // Errors and the print of a model show the names of classes.
  keepNames: true,
  logLevel: 'warning',
  plugins: [leanRecords],
};
const forBrowser: BuildOptions = { ...common, platform: 'browser', plugins: [browserPlatform, leanRecords] };

/** Packages that are loaded where they are installed. */
const OPTIONAL = ['@huggingface/tokenizers', 'sharp'];

async function bundles(): Promise<void> {
  const chunks = { splitting: true, chunkNames: 'chunk-[hash]' };
  await build({
    ...common,
    ...chunks,
    platform: 'node',
    entryPoints: { ...entries(), cli: join(src, 'cli/main.ts') },
    external: ['@resvg/resvg-js', ...OPTIONAL],
    outdir: join(dist, 'node'),
  });
  await build({
    ...forBrowser,
    ...chunks,
    entryPoints: entries(),
    external: OPTIONAL,
    outdir: join(dist, 'browser'),
  });
  const page = await oneFile(join(src, 'index.ts'), 'inside');
  writeFileSync(join(dist, 'tenon.js'), page.code);
  cpSync(join(src, 'cli/fonts'), join(dist, 'node/fonts'), { recursive: true });
  chmodSync(join(dist, 'node/cli.js'), 0o755);
}

function files(folder: string): string[] {
  return readdirSync(folder).flatMap(f => {
    const path = join(folder, f);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}
/** Declarations name the files that exist after the build: `./x.js`, not `./x.ts`. */
function declarations(): void {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const run = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (run.status !== 0) throw new Error('type declarations could not be made');
  for (const file of files(join(dist, 'types'))) {
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/(from |import |import\()'(\.[^']*)\.ts'/g, "$1'$2.js'"));
  }
}

const start = performance.now();
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
await bundles();
declarations();
const kb = (path: string): string => `${(statSync(join(dist, path)).size / 1000).toFixed(0)} kB`;
console.log(`dist/tenon.js ${kb('tenon.js')}; entries: ${Object.keys(entries()).join(', ')}`);
console.log(`built in ${((performance.now() - start) / 1000).toFixed(1)} s`);

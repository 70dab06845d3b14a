// npm run docs: makes what the documents say about the code from the code: docs/flags.md, docs/api, and the speed
// tables in both READMEs. With --check nothing is written, and stale files are an error; with --missing it lists the
// public functions without a docstring.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { FLAGS } from '../src/base/env.ts';
import { type Api, makeApi } from './docs/api.ts';
import { Declarations } from './docs/declarations.ts';
import { withSpeed } from './docs/speed.ts';

const root = resolve(import.meta.dirname, '..');

function readApi(): Api {
  const temp = mkdtempSync(join(tmpdir(), 'tenon-docs-'));
  try {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', temp];
    const run = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    if (run.status !== 0) throw new Error('docs: type declarations could not be made (see above)');
    return makeApi(join(root, 'src'), new Declarations(temp), root);
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}
function flagsPage(): string {
  const rows = Object.entries(FLAGS).map(([name, f]) => {
    const initial = f.kind === 'bool' ? (f.initial ? '1' : '0') : String(f.initial);
    return `| \`${name}\` | ${f.kind} | ${initial === '' ? 'empty' : `\`${initial}\``} | ${f.doc} |`;
  });
  return `# Flags

<!-- Made by \`npm run docs\` from src/base/env.ts. -->

Environment variables in Node, the query of the page in a browser (\`?DEBUG=1\`), \`setFlag(name, value)\` in a program.

| flag | kind | default | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** Everything that is generated: file, relative to the repository, and text. */
export function generated(): {
  readonly files: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
} {
  const { pages, missing } = readApi();
  const files: Record<string, string> = { 'docs/flags.md': flagsPage() };
  for (const [name, text] of Object.entries(pages)) files[`docs/api/${name}`] = text;
  for (const [readme, language] of [
    ['README.md', 'en'],
    ['README.zh-CN.md', 'zh'],
  ] as const)
    files[readme] = withSpeed(root, readFileSync(join(root, readme), 'utf8'), language);
  return { files, missing };
}
/** Generated files that differ from those in the repository, or should not be there. */
export function stale(files: Readonly<Record<string, string>>): string[] {
  const wrong = Object.entries(files)
    .filter(([f, text]) => !existsSync(join(root, f)) || readFileSync(join(root, f), 'utf8') !== text)
    .map(([f]) => f);
  const api = join(root, 'docs/api');
  const extra = existsSync(api) ? readdirSync(api).map(f => `docs/api/${f}`) : [];
  return [...wrong, ...extra.filter(f => files[f] === undefined)];
}

if (import.meta.main) {
  const { files, missing } = generated();
  if (process.argv.includes('--missing')) console.log(missing.join('\n'));
  const old = stale(files);
  if (process.argv.includes('--check')) {
    for (const f of old) console.error(`${f} is not what the code says: npm run docs`);
    process.exitCode = old.length === 0 ? 0 : 1;
  } else {
    for (const f of old) {
      const path = join(root, f);
      if (files[f] === undefined) rmSync(path);
      else {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, files[f]);
      }
    }
    console.log(
      `${old.length} of ${Object.keys(files).length} files written; ${missing.length} public names without a docstring`,
    );
  }
}

// Code blocks of a document: what they are, and running the programs among them.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';

export const root = join(import.meta.dirname, '../..');

export interface Block {
  readonly language: string;
  readonly code: string;
}
export const blocksOf = (text: string): Block[] =>
  [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(m => ({ language: m[1]!, code: m[2]! }));
export const programsOf = (text: string): string[] =>
  blocksOf(text)
    .filter(b => b.language === 'ts')
    .map(b => b.code);

/** Runs Node; what it prints. Anything on stderr is a failure, unless DEBUG asks for it. */
export function node(args: readonly string[], env: Record<string, string> = {}): string {
  const r = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (env['DEBUG'] === undefined) expect(r.stderr).toBe('');
  expect(r.status, r.stdout).toBe(0);
  return `${r.stdout}${r.stderr}`;
}
/** A folder for programs, gone after `body`. */
function inFolder<T>(body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'tenon-docs-'));
  try {
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
/** Writes a program so that it imports the sources of this repository. */
function write(folder: string, name: string, code: string): string {
  const file = join(folder, `${name}.mts`);
  const entry = (_: string, sub?: string): string =>
    `from '${join(root, 'src', sub === undefined ? 'index.ts' : `${sub}/index.ts`)}'`;
  writeFileSync(
    file,
    code.replace(/from 'tenon(?:\/(\w+))?'/g, entry).replaceAll("from './src/", `from '${root}/src/`),
  );
  return file;
}
export const runProgram = (code: string, env: Record<string, string> = {}): string =>
  inFolder(folder => node([write(folder, 'program', code)], env));

/** Runs a program: it must print what the comments behind its console.log say; a trailing … stands for the rest. */
export function expectOutput(code: string): void {
  const said = [...code.matchAll(/^\s*console\.log\(.*; \/\/ (.+)$/gm)].map(m => m[1]!);
  expect(said.length).toBeGreaterThan(0);
  const printed = runProgram(code).trimEnd().split('\n');
  expect(printed.length).toBe(said.length);
  for (const [i, want] of said.entries()) {
    if (want.endsWith('…')) expect(printed[i]).toContain(want.slice(0, -1).trimEnd());
    else expect(printed[i]).toBe(want);
  }
}
/** The programs pass the type checker with the repository's settings. */
export function expectTypes(programs: readonly string[]): void {
  inFolder(folder => {
    const files = programs.map((code, i) => write(folder, `program${i}`, code));
    const compilerOptions = {
      typeRoots: [join(root, 'node_modules/@types')],
      types: ['node'],
      rewriteRelativeImportExtensions: false,
    };
    const config = join(folder, 'tsconfig.json');
    writeFileSync(
      config,
      JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: [], files }),
    );
    node([join(root, 'node_modules/typescript/bin/tsc'), '-p', config]);
  });
}

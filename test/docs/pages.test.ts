// The pages of docs: programs run, the printed example of ARCHITECTURE is what its program prints, links lead to files.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocksOf, expectOutput, expectTypes, programsOf, root, runProgram } from './blocks.ts';

const pages = readdirSync(join(root, 'docs')).filter(f => f.endsWith('.md'));
const read = (name: string): string => readFileSync(join(root, 'docs', name), 'utf8');
/** Files that a text names, as src/… or test/… or by their folder of src. */
const named = (text: string): string[] =>
  [...text.matchAll(/`([a-z]+\/[\w./-]+\.ts)`/g)].map(m =>
    /^(src|test|scripts|bench)\//.test(m[1]!) ? m[1]! : `src/${m[1]!}`,
  );

describe.each(pages)('docs/%s', name => {
  const text = read(name);
  it('names files that exist', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(m => join('docs', m[1]!));
    expect([...links, ...named(text)].filter(f => !existsSync(join(root, f)))).toEqual([]);
  });
  const programs = programsOf(text);
  it.runIf(programs.length > 0)('has programs that print what they say, with right types', () => {
    for (const code of programs) expectOutput(code);
    expectTypes(programs);
  });
});

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md');
  it('shows what its program prints, in each part in this order', () => {
    // Times differ from run to run.
    const lines = (t: string): string[] =>
      t
        .trimEnd()
        .split('\n')
        .map(l => l.replace(/[\d.]+ ms/, 'ms'));
    const printed = lines(runProgram(programsOf(text)[0]!, { DEBUG: '4', TENON_THREADS: '1' }));
    const parts = blocksOf(text).flatMap(b => (b.language === 'text' ? [lines(b.code)] : []));
    expect(parts.length).toBeGreaterThan(4);
    for (const part of parts) {
      let at = -1;
      for (const line of part) {
        at = printed.indexOf(line, at + 1);
        expect(at, `'${line}' in the part that begins with '${part[0]}'`).toBeGreaterThanOrEqual(0);
      }
    }
  });
  it('names every folder of src in its table', () => {
    const folders = readdirSync(join(root, 'src')).filter(f => statSync(join(root, 'src', f)).isDirectory());
    const table = text.slice(0, text.indexOf('Imports point'));
    expect(folders.filter(f => !table.includes(`\`${f}\``))).toEqual([]);
  });
});

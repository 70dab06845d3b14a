// Every code block of both READMEs: programs run and print what their comments say, commands exist; links lead to files.
// The page in HTML is visited by test/browser.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { blocksOf, expectOutput, expectTypes, programsOf, root } from './blocks.ts';

const out = mkdtempSync(join(tmpdir(), 'tenon-readme-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };

/** Recipes on real data: their commands can be tried where the data is. */
const NEEDS_DATA = /mnist|fashion/;

/** A command of the README exists, and the command line takes its arguments. */
function tryCommand(command: string): void {
  const [program, name, ...rest] = command.split(' ');
  if (program === 'npm') {
    if (name === 'run') expect(Object.keys(scripts)).toContain(rest[0]);
    else expect(['start', 'test', 'install', 'pack']).toContain(name);
    return;
  }
  expect([program, name]).toEqual(['npx', 'tenon']);
  const writes = ['train', 'sweep'].includes(rest[0]!) && rest[1] !== '--list';
  if (rest.length === 0) return;
  const list = rest.map(a => a.replace(/^runs(?=\/)/, out));
  if (writes && !list.includes('--out')) list.push('--out', join(out, 'run'));
  const args = ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...list];
  const r = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
  });
  expect(r.status, r.stderr).toBe(0);
}

describe.each(['README.md', 'README.zh-CN.md'])('%s', file => {
  const text = readFileSync(join(root, file), 'utf8');
  const blocks = blocksOf(text);
  it('has only blocks that are checked', () => {
    expect(blocks.length).toBeGreaterThan(5);
    expect(blocks.filter(b => !['ts', 'sh', 'html', 'text'].includes(b.language))).toEqual([]);
  });
  it.each(programsOf(text).map((code, i) => [i, code] as const))(
    'program %i prints what it says',
    (_, code) => {
      expectOutput(code);
    },
  );
  it('programs have right types', () => expectTypes(programsOf(text)));
  const commands = (): Set<string> => {
    const shell = blocks.filter(b => b.language === 'sh').flatMap(b => b.code.trim().split('\n'));
    const inline = [...text.matchAll(/`((?:npm|npx) [^`]+)`/g)].flatMap(m => m[1]!.split(' && '));
    expect(shell.length).toBeGreaterThan(3);
    return new Set([...shell, ...inline]);
  };
  it('commands exist and take these arguments', () => {
    for (const command of commands()) if (!NEEDS_DATA.test(command)) tryCommand(command);
  });
  it.skipIf(process.env['TENON_DATA'] === undefined)('so do those on real data (needs TENON_DATA)', () => {
    for (const command of commands()) if (NEEDS_DATA.test(command)) tryCommand(command);
  });
  it('links lead to files', () => {
    const links = [...text.matchAll(/\]\(([^)]+)\)|src="([^"]+)"/g)].map(m => m[1] ?? m[2]!);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter(l => !existsSync(join(root, l)))).toEqual([]);
  });
});

it('both say the same in code', () => {
  const [en, zh] = ['README.md', 'README.zh-CN.md'].map(f =>
    blocksOf(readFileSync(join(root, f), 'utf8')).map(b =>
      b.code.replace(/\/\/.*$/gm, '').replace(/test accuracy|测试准确率/g, ''),
    ),
  );
  expect(zh).toEqual(en);
});

// The map of the inventory: complete, and every link of it leads somewhere.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RECIPES } from '../src/cli/recipes/list.ts';
import { INVENTORY, type Link } from './inventory.ts';

const root = join(import.meta.dirname, '..');
const items = INVENTORY.flatMap(s => s.items.map(item => ({ ...item, section: s.section })));

/** The ids that count from 1 on, and how many items each section has. */
const NUMBERED: Record<string, number> = { D: 17, M: 20, E: 25, C: 15, 'errata ': 47 };
// biome-ignore format: a table
const COUNTS = {
  '1.1': 17, '1.2': 20, '1.3': 20, '1.4': 16, '1.5': 16, '1.6': 11, '1.7': 15, '1.8': 25, '1.9': 17, '1.10': 15,
  '1.11': 47, '1.12': 25, '1.13': 40, '1.14': 38, '1.15': 22, '1.16': 64,
};

/** What stands in quotes as a title: it('…'), describe.each(…)('…'), the first column of a table of cases. */
const TITLE = /(?:\b(?:it|test|describe)(?:\.\w+)*\(|\)\(|^\s*\[)\s*(['"`])((?:\\.|(?!\1).)*)\1/gm;
const read = new Map<string, readonly string[]>();
function titlesOf(file: string): readonly string[] {
  if (!existsSync(join(root, file))) return [];
  if (!read.has(file)) {
    const text = readFileSync(join(root, file), 'utf8');
    read.set(
      file,
      [...text.matchAll(TITLE)].map(m => m[2]!.replace(/\\(.)/g, '$1')),
    );
  }
  return read.get(file)!;
}
function dead(link: Link): boolean {
  switch (link.kind) {
    case 'owed':
      return false;
    case 'page':
      return !existsSync(join(root, link.name));
    case 'recipe':
      return !RECIPES.some(r => r.name === link.name);
    case 'test': {
      const { title } = link;
      const matches = title.endsWith('…')
        ? (t: string) => t.startsWith(title.slice(0, -1).trimEnd())
        : (t: string) => t === title;
      return !titlesOf(link.file).some(matches);
    }
  }
}

describe('the map of the inventory', () => {
  it('has every number from 1 on, once, and every item leads somewhere', () => {
    const ids = items.map(i => i.id);
    for (const [letter, n] of Object.entries(NUMBERED))
      for (let i = 1; i <= n; i++) expect(ids.filter(id => id === `${letter}${i}`)).toHaveLength(1);
    expect(Object.fromEntries(INVENTORY.map(s => [s.section, s.items.length]))).toEqual(COUNTS);
    for (const s of INVENTORY) expect(new Set(s.items.map(i => i.id)).size).toBe(s.items.length);
    expect(items.filter(i => i.links.length === 0)).toEqual([]);
  });
  it('has no dead link', () => {
    const broken = items.flatMap(i => i.links.filter(dead).map(link => `${i.id}: ${JSON.stringify(link)}`));
    expect(broken).toEqual([]);
  });
  it('notices a dead link', () => {
    const file = 'test/inventory.test.ts';
    expect(dead({ kind: 'test', file, title: 'notices a dead link' })).toBe(false);
    expect(dead({ kind: 'test', file, title: 'notices a dead …' })).toBe(false);
    expect(dead({ kind: 'test', file, title: 'notices a dead lynx' })).toBe(true);
    expect(dead({ kind: 'test', file: 'test/nothing.test.ts', title: 'notices' })).toBe(true);
    expect(dead({ kind: 'recipe', name: 'moon' })).toBe(true);
    expect(dead({ kind: 'page', name: 'docs/moon.md' })).toBe(true);
  });
});

/** The document that the list was made from; it lies beside the repository where the project itself is worked on. */
const source = join(root, '../shared/spec/inventory.md');
describe.skipIf(!existsSync(source))('the inventory itself (needs ../shared/spec)', () => {
  const text = existsSync(source) ? readFileSync(source, 'utf8') : '';
  const section = (n: string): string =>
    new RegExp(`^## ${n.replace('.', '\\.')} .*\\n([^]*?)(?=^## |^---)`, 'm').exec(text)![1]!;
  /** A list's parts: at commas and semicolons outside brackets, without the citations of its sources. */
  function parts(n: string): string[] {
    const line = section(n)
      .split('**V')[0]!
      .replace(/\n/g, ' ; ')
      .replace(/\*\*/g, '')
      .replace(/S[0-3]( code|§[^\s;)]*)?( L[\d,\- L/]*)?|技巧§\S*|§\S*( L[\d\-,]+)?/g, '');
    const found: string[] = [''];
    let depth = 0;
    for (const c of line) {
      if ('([{'.includes(c)) depth++;
      if (')]}'.includes(c)) depth--;
      if ((c === ';' && (depth <= 0 || n === '1.13')) || (c === ',' && depth <= 0)) found.push('');
      else found[found.length - 1] += c;
    }
    return found.map(p => p.trim()).filter(p => /\p{L}|\d\.\d/u.test(p));
  }
  it.each([
    ['1.1', /^\| (D\d+) /gm, ''],
    ['1.2', /^\| (M\d+) /gm, ''],
    ['1.10', /^\| (C\d+) /gm, ''],
    ['1.11', /^- \*\*(\d+)\*\*/gm, 'errata '],
    ['1.12', /^- (E\d+) /gm, ''],
  ])('%s: the numbers are those of the map', (n, pattern, prefix) => {
    const wanted = [...section(n).matchAll(pattern)].map(m => prefix + m[1]!);
    expect(items.filter(i => i.section === n).map(i => i.id)).toEqual(wanted);
  });
  it.each(['1.3', '1.4', '1.5', '1.6', '1.7', '1.8', '1.9', '1.13', '1.14', '1.15', '1.16'])(
    '%s: every part of the list is in the map, and nothing else',
    n => {
      const rows = (): string[] => [...section(n).matchAll(/^\| ([^|]+) \|/gm)].map(m => m[1]!).slice(1);
      const wanted = n === '1.9' ? rows() : parts(n);
      const ids = items.filter(i => i.section === n).map(i => i.id);
      expect(wanted.length).toBeGreaterThan(5);
      // In order: each part has the next ids of the map, or is one that was there before.
      let next = 0;
      for (const part of wanted) {
        const first = next;
        while (next < ids.length && part.includes(ids[next]!)) next++;
        if (next === first && !ids.slice(0, next).includes(part))
          expect.fail(`the map lacks '${part}', or has '${ids[next]}' before it`);
      }
      expect(ids.slice(next)).toEqual([]);
    },
  );
});

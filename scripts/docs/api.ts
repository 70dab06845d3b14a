// docs/api: one page per public entry and namespace, with signatures and docstrings.
// In: the declarations. Out: pages as texts, and which public functions say nothing about themselves.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Declaration, Declarations, Exported, Family } from './declarations.ts';

export interface Api {
  readonly pages: Readonly<Record<string, string>>;
  /** `page: name` of functions, classes and methods of tensors without a docstring. */
  readonly missing: readonly string[];
}
const FUNCTIONS = ['F', 'functional'];
const NOTE = '<!-- Made by `npm run docs` from the docstrings of src. -->';

/** A section's head: what its file says of itself in its first comment, without In, Out and Not its job. */
function headOf(src: string, file: string): string[] {
  const head = /^(?:\/\/ biome-ignore[^\n]*\n|#![^\n]*\n)*((?:\/\/ [^\n]*\n)+)/.exec(
    readFileSync(join(src, file), 'utf8'),
  );
  const words = (head?.[1] ?? '').replace(/^\/\/ /gm, '').replace(/\n/g, ' ');
  const text = words.split(/(?<=\.) (?:In|Out|Not its job):/)[0]!.trim();
  const title = text.split(/[.:,;](?: |$)/)[0]!;
  return text.length <= title.length + 1 ? [`## ${title}`] : [`## ${title}`, text];
}
/** A declaration as one writes a call: names of other files without their import, optional without undefined. */
function signature(text: string): string {
  const clean = text
    .replace(/import\("[^"]*"\)\./g, '')
    .replace(/^(?:function|abstract) /, '')
    .replace(/\/\*\*[\s\S]*?\*\/\s*/g, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/; \}/g, ' }');
  const arrow = /^const ([\w$]+): (<[^(]*>)?\(/.exec(clean);
  if (arrow === null) return clean.replace(/^const /, '');
  const open = arrow[0].length - 1;
  const close = closing(clean, open);
  if (!clean.startsWith(' => ', close + 1)) return clean.replace(/^const /, '');
  // tsc writes inferred optional parameters out as `x?: T | undefined`.
  const args = clean.slice(open, close + 1).replace(/ \| undefined(?=[,)])/g, '');
  return `${arrow[1]}${arrow[2] ?? ''}${args}: ${clean.slice(close + 5)}`;
}
function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if ('([{'.includes(text[i]!)) depth++;
    else if (')]}'.includes(text[i]!) && --depth === 0) return i;
  }
  return text.length;
}
/** A class that is merged with an interface is a class. */
function kindOf(e: Exported): string {
  const kinds = e.declarations.map(d => /^(?:abstract )?(\w+)/.exec(d.text)?.[1] ?? '');
  return kinds.includes('class') ? 'class' : (kinds[0] ?? '');
}
const isType = (e: Exported): boolean => ['interface', 'type'].includes(kindOf(e));
const docOf = (list: readonly Declaration[]): string => list.findLast(d => d.doc !== '')?.doc ?? '';
const code = (lines: readonly string[]): string => ['```ts', ...lines, '```'].join('\n');
/** The name of a member: `add` of `add(other: …)`, `shape` of `get shape()`. */
const memberName = (m: Declaration): string =>
  /^(?:static |readonly |get |set |override |async )*([\w$]+)/.exec(m.text)?.[1] ?? '';

export function makeApi(src: string, declarations: Declarations, root: string): Api {
  const pages: Record<string, string> = {};
  const missing: string[] = [];
  const listed: string[] = [];
  const tensorDocs = new Map<string, string>();

  const members = (page: string, families: readonly Family[], sections: boolean): string[] => {
    const out: string[] = [];
    for (const [at, family] of families.entries()) {
      // What a subclass has anew is shown there.
      const later = new Set(families.slice(at + 1).flatMap(f => f.members.map(memberName)));
      const groups = new Map<string, Declaration[]>();
      for (const m of family.members) {
        const key = memberName(m);
        if (key !== '' && !later.has(key)) groups.set(key, [...(groups.get(key) ?? []), m]);
      }
      if (groups.size === 0) continue;
      if (sections) out.push(...headOf(src, family.file));
      for (const [key, list] of groups) {
        const doc = docOf(list);
        if (sections) {
          if (key === 'constructor') continue;
          if (doc === '') missing.push(`${page}: Tensor.${key}`);
          tensorDocs.set(key, doc);
          out.push(`### ${key}`);
        }
        out.push(code(list.map(m => signature(m.text))), ...(doc === '' ? [] : [doc]));
      }
    }
    return out;
  };
  const entry = (page: string, e: Exported, classes: ReadonlySet<string>): string[] => {
    if (kindOf(e) === 'class') {
      const doc = docOf(e.declarations);
      if (doc === '') missing.push(`${page}: ${e.name}`);
      const said = doc === '' ? [] : [doc];
      if (e.name === 'Tensor') return ['### class Tensor', ...said, 'Its methods: [tensor.md](tensor.md).'];
      // What a class has from another one of this page stands there.
      const families = declarations.membersOf(e.file, e.name);
      const base = families.findLast(f => f.name !== e.name && classes.has(f.name));
      const own = families.slice(base === undefined ? 0 : families.indexOf(base) + 1);
      const head = `### class ${e.name}${base === undefined ? '' : ` extends ${base.name}`}`;
      return [head, ...said, ...members(page, own, false)];
    }
    // A method as a function says what the method says.
    const doc = docOf(e.declarations) || (tensorDocs.get(e.name) ?? '');
    if (doc === '' && !isType(e)) missing.push(`${page}: ${e.name}`);
    return [`### ${e.name}`, code(e.declarations.map(d => signature(d.text))), ...(doc === '' ? [] : [doc])];
  };
  const page = (name: string, title: string, file: string): void => {
    const out = [`# ${title}`, NOTE];
    const all = [...declarations.exportsOf(file).values()];
    const classes = new Set(all.filter(e => kindOf(e) === 'class').map(e => e.name));
    for (const source of new Set(all.filter(e => e.namespace === undefined).map(e => e.file))) {
      const own = all.filter(e => e.file === source && e.namespace === undefined);
      out.push(...headOf(src, source));
      for (const e of [...own.filter(e => !isType(e)), ...own.filter(isType)])
        out.push(...entry(name, e, classes));
    }
    for (const e of all) {
      if (e.namespace === undefined) continue;
      // Two namespaces are called functional: their pages have the names of their files.
      const target = FUNCTIONS.includes(e.name) ? basename(e.namespace, '.ts') : e.name;
      out.push(`## ${e.name}`, `A namespace: [${target}.md](${target}.md).`);
      // What is an entry of its own gets its page as such.
      const entry = e.namespace === join(target, 'index.ts');
      if (!entry && pages[`${target}.md`] === undefined) page(target, `${title} · ${e.name}`, e.namespace);
    }
    pages[`${name}.md`] = `${out.join('\n\n')}\n`;
    listed.push(`- [${title}](${name}.md): ${all.length} names`);
  };

  pages['tensor.md'] =
    `${['# Tensor', NOTE, ...members('tensor', declarations.membersOf('tensor/tensor.ts', 'Tensor'), true)].join('\n\n')}\n`;
  listed.push(`- [Tensor](tensor.md): ${tensorDocs.size} methods and properties`);
  page('tenon', 'tenon', 'index.ts');
  for (const folder of readdirSync(src).sort())
    if (existsSync(join(src, folder, 'index.ts'))) page(folder, `tenon/${folder}`, join(folder, 'index.ts'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  pages['README.md'] = `# The API of tenon ${version}\n\n${NOTE}\n\n${listed.join('\n')}\n`;
  return { pages, missing };
}

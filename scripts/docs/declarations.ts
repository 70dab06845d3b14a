// Reads the library's type declarations as tsc writes them: what each entry exports, with signatures and docstrings.
// In: a folder of .d.ts files. Out: exports by name. Not its job: pages (api.ts).

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Declaration {
  readonly doc: string;
  /** Without `export declare`, with its body. */
  readonly text: string;
}
export interface Exported {
  readonly name: string;
  readonly file: string;
  /** Several where a function has overloads, or a name is a value and a type. */
  readonly declarations: readonly Declaration[];
  /** The file whose exports it holds, for `export * as NAME`. */
  readonly namespace?: string;
}
/** What one class of a chain of subclasses adds. */
export interface Family {
  readonly name: string;
  readonly file: string;
  readonly members: readonly Declaration[];
}
interface Statement extends Declaration {
  readonly exported: boolean;
}

/** Cuts text into statements, or a body into members: at semicolons and closing braces outside of all brackets. */
function cut(text: string): Declaration[] {
  const out: Declaration[] = [];
  let doc = '';
  let start = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (text.startsWith('/*', i)) {
      const end = text.indexOf('*/', i) + 2;
      if (depth === 0) {
        doc = text.startsWith('/**', i) ? plain(text.slice(i + 3, end - 2)) : '';
        start = end;
      }
      i = end - 1;
    } else if (c === "'" || c === '"' || c === '`') {
      i = text.indexOf(c, i + 1);
    } else if ('({['.includes(c)) depth++;
    else if (')}]'.includes(c)) depth--;
    const block =
      c === '}' && /^\s*(export )?(declare )?(abstract )?(class|interface)\b/.test(text.slice(start));
    if (depth === 0 && (c === ';' || block)) {
      const statement = text.slice(start, c === ';' ? i : i + 1).trim();
      if (statement !== '') out.push({ doc, text: statement });
      doc = '';
      start = i + 1;
    }
  }
  return out;
}
const plain = (comment: string): string =>
  comment
    .split('\n')
    .map(line => line.replace(/^\s*\*? ?/, '').trimEnd())
    .join('\n')
    .trim();

const NAME = /^(?:abstract )?(?:function|const|let|class|interface|type) ([\w$]+)/;

export class Declarations {
  readonly #statements = new Map<string, readonly Statement[]>();
  readonly #exports = new Map<string, ReadonlyMap<string, Exported>>();
  readonly #folder: string;
  constructor(folder: string) {
    this.#folder = folder;
  }

  #read(file: string): readonly Statement[] {
    let found = this.#statements.get(file);
    if (found === undefined) {
      const path = join(this.#folder, file.replace(/\.ts$/, '.d.ts'));
      const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
      found = cut(text).map(s => ({
        doc: s.doc,
        exported: s.text.startsWith('export '),
        text: s.text.replace(/^export /, '').replace(/^declare /, ''),
      }));
      this.#statements.set(file, found);
    }
    return found;
  }
  /** What a file of src exports, in order. */
  exportsOf(file: string): ReadonlyMap<string, Exported> {
    const known = this.#exports.get(file);
    if (known !== undefined) return known;
    const out = new Map<string, Exported>();
    this.#exports.set(file, out);
    for (const s of this.#read(file)) {
      if (!s.exported) continue;
      const from = /from '([^']+)'$/.exec(s.text)?.[1];
      const target = from?.startsWith('.') ? join(dirname(file), from) : undefined;
      const space = /^\* as ([\w$]+) /.exec(s.text)?.[1];
      const list = /^(?:type )?\{([^}]*)\}/.exec(s.text)?.[1];
      if (space !== undefined && target !== undefined)
        out.set(space, { name: space, file, declarations: [], namespace: target });
      else if (s.text.startsWith('* from') && target !== undefined)
        for (const e of this.exportsOf(target).values()) out.set(e.name, e);
      else if (list !== undefined) this.#listed(file, list, target, out);
      else {
        const name = NAME.exec(s.text)?.[1];
        if (name === undefined) continue;
        const before = out.get(name)?.declarations ?? [];
        out.set(name, { name, file, declarations: [...before, { doc: s.doc, text: s.text }] });
      }
    }
    return out;
  }
  /** export { a, type B, c as d } with or without a file they come from. */
  #listed(file: string, list: string, target: string | undefined, out: Map<string, Exported>): void {
    for (const part of list.split(',')) {
      const [, original, as] = /^\s*(?:type )?([\w$]+)(?: as ([\w$]+))?/.exec(part) ?? [];
      if (original === undefined) continue;
      const source = target ?? this.#imported(file, original);
      const found = source === undefined ? undefined : this.exportsOf(source).get(original);
      if (found !== undefined) out.set(as ?? original, { ...found, name: as ?? original });
    }
  }
  #imported(file: string, name: string): string | undefined {
    for (const s of this.#read(file)) {
      const m = /^import (?:type )?\{([^}]*)\} from '(\.[^']+)'/.exec(s.text);
      if (m !== null && m[1]!.split(',').some(p => p.trim().replace(/^type /, '') === name))
        return join(dirname(file), m[2]!);
    }
    return undefined;
  }
  /** The public members of a class and of those that it extends, the oldest first, with the file each comes from. */
  membersOf(file: string, name: string): Family[] {
    const text = this.#read(file).find(s => new RegExp(`^(abstract )?class ${name}\\b`).test(s.text))?.text;
    if (text === undefined) return [];
    const base = / extends ([\w$]+)/.exec(text.slice(0, text.indexOf('{')))?.[1];
    const own = cut(text.slice(text.indexOf('{') + 1, -1)).filter(
      m => !/^(private|protected|#|static #|declare |_)/.test(m.text),
    );
    const at = base === undefined ? undefined : (this.#imported(file, base) ?? file);
    return [...(at === undefined ? [] : this.membersOf(at, base!)), { name, file, members: own }];
  }
}

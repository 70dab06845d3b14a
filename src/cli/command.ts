// A command of the command line: its options, its help, how its arguments are read.
// In: argument strings. Out: typed values, or a UsageError. Not its job: doing anything.

import { parseArgs } from 'node:util';
import type { Language, Words } from './language.ts';
import { columns, type Terminal } from './terminal.ts';

/** The user asked for something that does not exist: message on stderr, exit code 2. */
export class UsageError extends Error {}

export interface OptionSpec {
  readonly kind: 'flag' | 'text' | 'number' | 'list';
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly about: Words;
}
export type Options = Readonly<Record<string, OptionSpec>>;
type ValueOf<K extends OptionSpec['kind']> = {
  flag: boolean;
  text: string;
  number: number;
  list: readonly string[];
}[K];
export type Values<O extends Options> = { readonly [K in keyof O]?: ValueOf<O[K]['kind']> };

/** Options that every command has. */
export const COMMON = {
  lang: {
    kind: 'text',
    value: 'zh|en',
    about: { en: 'language; default: LANG', zh: '语言；默认由 LANG 决定' },
  },
  json: { kind: 'flag', about: { en: 'the result as one line of JSON', zh: '结果以一行 JSON 输出' } },
  help: { kind: 'flag', about: { en: 'this text', zh: '显示此说明' } },
} as const satisfies Options;

export interface Command<O extends Options = Options> {
  readonly name: string;
  /** What may follow the name, such as `RECIPE`. */
  readonly takes?: string;
  readonly about: Words;
  readonly options: O;
  readonly examples: readonly (readonly [string, Words])[];
  /** Returns the exit code. */
  run(values: Values<O & typeof COMMON>, rest: readonly string[], terminal: Terminal): Promise<number>;
}
/** Lets `run` see the types of its options. */
export const defineCommand = <const O extends Options>(c: Command<O>): Command => c as unknown as Command;

/** Reads arguments by an option table; `rest` is what is no option. */
export function parseOptions(
  options: Options,
  args: readonly string[],
): { values: Values<Options>; rest: string[] } {
  const spec = Object.fromEntries(
    Object.entries(options).map(([name, o]) => [
      name,
      o.kind === 'flag'
        ? ({ type: 'boolean' } as const)
        : ({ type: 'string', multiple: o.kind === 'list' } as const),
    ]),
  );
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options: spec, allowPositionals: true });
  } catch (e) {
    throw new UsageError((e as Error).message);
  }
  const values: Record<string, ValueOf<OptionSpec['kind']>> = {};
  for (const [name, value] of Object.entries(parsed.values)) {
    if (value === undefined) continue;
    values[name] = options[name]!.kind === 'number' ? toNumber(name, String(value)) : (value as string);
  }
  return { values, rest: parsed.positionals };
}
function toNumber(name: string, text: string): number {
  const v = Number(text);
  if (text.trim() === '' || !Number.isFinite(v))
    throw new UsageError(`--${name}: a number is needed, got '${text}'`);
  return v;
}

/** KEY=VALUE texts of a repeatable option. */
export function assignments(
  command: string,
  option: string,
  pairs: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const cut = pair.indexOf('=');
      if (cut < 1) throw new UsageError(`${command}: ${option} takes KEY=VALUE, got '${pair}'`);
      return [pair.slice(0, cut), pair.slice(cut + 1)];
    }),
  );
}

const HEADINGS = {
  usage: { en: 'Usage', zh: '用法' },
  options: { en: 'Options', zh: '选项' },
  examples: { en: 'Examples', zh: '示例' },
} as const;

export function helpOf(c: Command, language: Language): string {
  const options = { ...c.options, ...COMMON };
  const rows = Object.entries(options).map(([name, o]: [string, OptionSpec]) => [
    `--${name}${o.kind === 'flag' ? '' : ` ${o.value ?? 'VALUE'}`}`,
    o.about[language],
  ]);
  const examples = c.examples.map(([line, about]) => [line, about[language]]);
  return [
    c.about[language],
    '',
    `${HEADINGS.usage[language]}: tenon ${c.name}${c.takes === undefined ? '' : ` ${c.takes}`} [${HEADINGS.options[language].toLowerCase()}]`,
    '',
    `${HEADINGS.options[language]}:`,
    columns(rows),
    '',
    `${HEADINGS.examples[language]}:`,
    columns(examples),
  ].join('\n');
}

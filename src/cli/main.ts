#!/usr/bin/env node
// The command line: finds the command, its language and its options, and turns errors into messages and exit codes.
// 0: done. 1: it failed. 2: it was asked wrongly.

import { readFile } from 'node:fs/promises';
import { type Progress, watchDownloads } from '../data/index.ts';
import { bench } from './bench.ts';
import { COMMON, type Command, helpOf, parseOptions, UsageError } from './command.ts';
import { compare } from './compare.ts';
import { convert } from './convert.ts';
import { doctor } from './doctor.ts';
import { evaluation } from './eval.ts';
import { generation } from './generate.ts';
import { inspect } from './inspect.ts';
import { type Language, systemLanguage } from './language.ts';
import { missions } from './missions.ts';
import { predict } from './predict.ts';
import { see } from './see.ts';
import { sweep } from './sweep.ts';
import { columns, makeTerminal, type Terminal } from './terminal.ts';
import { train } from './train.ts';

const COMMANDS: readonly Command[] = [
  missions,
  train,
  evaluation,
  predict,
  see,
  generation,
  sweep,
  compare,
  inspect,
  convert,
  bench,
  doctor,
];

/** --lang anywhere decides, even for the message about a wrong option. */
function languageOf(args: readonly string[]): Language {
  const at = args.findIndex(a => a === '--lang' || a.startsWith('--lang='));
  if (at < 0) return systemLanguage(process.env);
  const value = args[at]!.includes('=') ? args[at]!.slice('--lang='.length) : args[at + 1];
  return value === 'zh' ? 'zh' : 'en';
}

function overview(terminal: Terminal): string {
  const { language } = terminal;
  return [
    terminal.say({ en: 'Tenon: deep learning in TypeScript', zh: 'Tenon：用 TypeScript 做深度学习' }),
    '',
    terminal.say({ en: 'Usage: tenon COMMAND [options]', zh: '用法：tenon 命令 [选项]' }),
    '',
    columns(COMMANDS.map(c => [c.takes === undefined ? c.name : `${c.name} ${c.takes}`, c.about[language]])),
    '',
    terminal.say({
      en: "'tenon COMMAND --help' tells more; 'tenon --version' the version.",
      zh: "'tenon 命令 --help' 显示详情;'tenon --version' 显示版本。",
    }),
  ].join('\n');
}

async function main(args: readonly string[]): Promise<number> {
  const terminal = makeTerminal(languageOf(args), {
    out: process.stdout,
    err: process.stderr,
    env: process.env,
  });
  try {
    const [name, ...rest] = args;
    if (name === '--version') {
      terminal.print(await version());
      return 0;
    }
    if (name === undefined || name === 'help' || name.startsWith('-')) {
      const { values } = parseOptions(
        COMMON,
        args.filter(a => a !== 'help'),
      );
      terminal.print(overview(terminal));
      return values['help'] === true || name === 'help' ? 0 : 2;
    }
    const command = COMMANDS.find(c => c.name === name);
    if (command === undefined)
      throw new UsageError(`commands are ${COMMANDS.map(c => c.name).join(', ')}, got '${name}'`);
    const { values, rest: positionals } = parseOptions({ ...command.options, ...COMMON }, rest);
    if (values['lang'] !== undefined && values['lang'] !== 'zh' && values['lang'] !== 'en')
      throw new UsageError(`--lang must be zh or en, got '${values['lang']}'`);
    if (values['help'] === true) {
      terminal.print(helpOf(command, terminal.language));
      return 0;
    }
    watchDownloads(downloadBar(terminal));
    return await command.run(values, positionals, terminal);
  } catch (e) {
    if (e instanceof UsageError) {
      terminal.warn(`tenon: ${e.message}`);
      return 2;
    }
    // A message of the library says what to do; where it came from helps only those who ask for it.
    const message = process.env['DEBUG'] ? (e as Error).stack : (e as Error).message;
    terminal.warn(`tenon: ${message}`);
    return 1;
  }
}
/** A bar for each file of a data set that has to be fetched first. */
function downloadBar(terminal: Terminal): (p: Progress) => void {
  let now: { file: string; bar: ReturnType<Terminal['bar']> } | null = null;
  return ({ file, received, total }) => {
    if (now?.file !== file) {
      now?.bar.end();
      now = { file, bar: terminal.bar(file.split('/').at(-1)!) };
    }
    const mb = (n: number): number => Number((n / 1e6).toFixed(1));
    now.bar.update(mb(received), mb(total ?? received), 'MB');
    if (received === total) {
      now.bar.end();
      now = null;
    }
  };
}
async function version(): Promise<string> {
  // From src/cli/ as well as from dist/node/.
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code === 'EPIPE') process.exit(0);
  throw e;
});
process.exitCode = await main(process.argv.slice(2));

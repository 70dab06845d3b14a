// The command line as a user meets it: processes with arguments, what they print and how they end.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemLanguage } from '../../src/cli/language.ts';
import { displayWidth, makeTerminal } from '../../src/cli/terminal.ts';

const root = join(import.meta.dirname, '../..');
const out = mkdtempSync(join(tmpdir(), 'tenon-cli-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

function tenon(args: readonly string[], env: Record<string, string> = {}) {
  const r = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...args],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: '', LANG: 'C.UTF-8', ...env },
    },
  );
  return { code: r.status, out: r.stdout, err: r.stderr };
}
const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)!;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f\u009b]/;

describe('help and mistakes', () => {
  it('shows all commands; none given is a mistake', () => {
    const help = tenon(['--help']);
    expect(help.code).toBe(0);
    for (const name of ['missions', 'train RECIPE', 'doctor']) expect(help.out).toContain(name);
    expect(tenon([]).code).toBe(2);
  });
  it.each([
    'missions',
    'train',
    'eval',
    'predict',
    'see',
    'generate',
    'sweep',
    'compare',
    'inspect',
    'convert',
    'bench',
    'doctor',
  ])('%s --help has options and examples, in both languages', name => {
    const en = tenon([name, '--help']);
    expect(en.code).toBe(0);
    expect(en.out).toContain('Options:');
    expect(en.out).toContain(`tenon ${name}`);
    const zh = tenon([name, '--help'], { LANG: 'zh_CN.UTF-8' });
    expect(zh.out).toContain('选项');
    expect(tenon([name, '--help', '--lang', 'en'], { LANG: 'zh_CN.UTF-8' }).out).toBe(en.out);
  });
  it.each([
    [['fly'], 'commands are missions, train, '],
    [['train'], 'one recipe is needed'],
    [['train', 'moon'], 'recipes are line, kinks, '],
    [['train', 'line', '--set', 'speed=3'], "settings are epochs, lr, got 'speed'"],
    [['train', 'line', '--set', 'lr=fast'], "lr must be number > 0, got 'fast'"],
    [['train', 'circle', '--set', 'init=zero'], "init must be he | small, got 'zero'"],
    [['train', 'line', '--epochs', '0'], 'epochs must be integer >= 1'],
    [['train', 'line', '--seed', '1.5'], '--seed must be an integer'],
    [['train', 'line', '--speed', '3'], "'--speed'"],
    [['missions', '--lang', 'fr'], "--lang must be zh or en, got 'fr'"],
    [['missions', '--seeds', '0'], '--seeds must be an integer >= 1'],
  ])('%j is refused with exit code 2', (args, message) => {
    const r = tenon(args);
    expect(r.code).toBe(2);
    expect(r.err).toContain(message);
    expect(r.out).toBe('');
  });
  it('an error of the library is a message with exit code 1, not a stack', () => {
    const r = tenon(['train', 'line', '--device', 'abacus']);
    expect(r.code).toBe(1);
    expect(r.err).toMatch(/^tenon: device: .*'abacus'/);
    expect(r.err).not.toContain('    at ');
  });
});

describe('train', () => {
  it('--json ends with one line of the agreed form, files beside it', () => {
    const folder = join(out, 'line');
    const r = tenon(['train', 'line', '--seed', '3', '--json', '--out', folder]);
    expect(r.code).toBe(0);
    const result = JSON.parse(lastLine(r.out));
    expect(result).toMatchObject({ recipe: 'line', seed: 3, device: 'cpu' });
    expect(result.seconds).toBeGreaterThan(0);
    expect(result.metrics.yAt5).toBeCloseTo(5, 2);
    expect(JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))).toEqual(result);
    for (const name of ['line', 'descent']) {
      expect(readFileSync(join(folder, `${name}.svg`), 'utf8')).toMatch(/^<svg .*<\/svg>$/s);
      const png = readFileSync(join(folder, `${name}.png`));
      expect(png.subarray(0, 8)).toEqual(Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]));
      // Twice the size of the SVG.
      const width = Number(/width="([\d.]+)"/.exec(readFileSync(join(folder, `${name}.svg`), 'utf8'))![1]);
      expect(png.readUInt32BE(16)).toBe(2 * width);
    }
  });
  it('takes settings, names metrics as everywhere, draws titles with the data mode', () => {
    const folder = join(out, 'square');
    const r = tenon([
      'train',
      'square',
      '--epochs',
      '3',
      '--set',
      'points=200',
      '--set',
      'point=0.9,0.9',
      '--out',
      folder,
    ]);
    expect(r.code).toBe(0);
    expect(r.out).toContain('new point (0.9, 0.9)');
    const { metrics } = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'));
    expect(Object.keys(metrics)).toEqual(['trainLoss', 'trainAccuracy', 'testLoss', 'testAccuracy']);
    for (const name of ['boundary', 'learning', 'network'])
      expect(readFileSync(join(folder, `${name}.svg`), 'utf8')).toContain('Mission 1 · square');
  });
  it('--list names every recipe with its goal', () => {
    const r = tenon(['train', '--list', '--json']);
    const list = JSON.parse(r.out) as { recipe: string; goal: string; settings: object }[];
    expect(list.map(x => x.recipe)).toContain('rings');
    for (const x of list) expect(x.goal.length).toBeGreaterThan(5);
  });
});

describe('missions', () => {
  it('runs both in Chinese, without control characters in a pipe', () => {
    const r = tenon(['missions', '--out', join(out, 'missions')], { LANG: 'zh_CN.UTF-8' });
    expect(r.code).toBe(0);
    expect(r.out).toContain('任务一');
    expect(r.out).toContain('测试准确率');
    expect(r.out).not.toMatch(CONTROL);
    expect(r.err).not.toMatch(CONTROL);
    expect(existsSync(join(out, 'missions/circle/boundary.png'))).toBe(true);
    expect(lastLine(r.out)).toContain(join(out, 'missions'));
  });
});

describe('doctor', () => {
  it('tells what runs here', () => {
    const report = JSON.parse(tenon(['doctor', '--json'], { TENON_THREADS: '1' }).out);
    expect(report).toMatchObject({
      node: process.versions.node,
      simd: true,
      threads: 1,
      device: 'cpu',
      photos: true,
    });
    expect(report.gflops).toBeGreaterThan(0);
  });
});

describe('terminal', () => {
  function terminal(isTTY: boolean, columns = 60) {
    const text = { out: '', err: '' };
    const sink = (key: 'out' | 'err') => ({ isTTY, columns, write: (s: string) => (text[key] += s) });
    return { text, terminal: makeTerminal('en', { out: sink('out'), err: sink('err'), env: {} }) };
  }
  it('draws a bar on a terminal that fits its width and goes away', () => {
    const { text, terminal: t } = terminal(true);
    const bar = t.bar('圆');
    bar.update(10, 10, 'loss 0.1, and a status that is much too long for the line of sixty columns');
    const drawn = text.err.replaceAll('\r\x1b[2K', '');
    expect(drawn).toContain('10/10');
    expect(displayWidth(drawn)).toBeLessThan(60);
    bar.end();
    expect(text.err.endsWith('\r\x1b[2K')).toBe(true);
    expect(text.out).toBe('');
  });
  it('draws on a terminal that does not know its width', () => {
    const { text, terminal: t } = terminal(true, 0);
    t.bar('circle').update(1, 10, 'loss 0.1');
    expect(text.err).toContain('1/10  loss 0.1');
  });
  it('says nothing in a pipe while it is quick', () => {
    const { text, terminal: t } = terminal(false);
    const bar = t.bar('circle');
    for (let i = 1; i <= 100; i++) bar.update(i, 100, '');
    bar.end();
    expect(text.err).toBe('');
  });
  it('knows the language of the environment', () => {
    expect(systemLanguage({ LANG: 'zh_CN.UTF-8' })).toBe('zh');
    expect(systemLanguage({ LANG: 'zh_CN.UTF-8', LC_ALL: 'en_GB' })).toBe('en');
    expect(systemLanguage({ LANG: 'C' })).toBe('en');
  });
});

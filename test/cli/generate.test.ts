// tenon generate: a trained model writes on, in processes as a user starts them.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'tenon-generate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
function tenon(...args: string[]) {
  const r = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...args],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: '', LANG: 'C.UTF-8' },
    },
  );
  return { code: r.status, out: r.stdout, err: r.stderr };
}
const weights = join(folder, 'run/weights.safetensors');
const generate = (...args: string[]) => tenon('generate', 'char-bigram', '--weights', weights, ...args);
beforeAll(() => {
  // 狗咬人 over and over: after 狗 comes 咬, after 咬 comes 人.
  const text = join(folder, 'dog.txt');
  writeFileSync(text, '狗咬人。'.repeat(1500));
  const r = tenon(
    'train',
    'char-bigram',
    '--set',
    `text=${text}`,
    '--epochs',
    '60',
    '--set',
    'lr=0.5',
    '--out',
    join(folder, 'run'),
  );
  expect(r.err).toBe('');
  expect(r.code).toBe(0);
});

describe('generate', () => {
  it('writes on from a prompt in any text that was trained on', () => {
    expect(generate('--prompt', '狗', '--tokens', '7', '--temperature', '0').out).toBe('狗咬人。狗咬人。\n');
  });
  it('the same seed writes the same, another one something else; --json tells it as one line', () => {
    const draw = (seed: string) =>
      generate('--tokens', '30', '--temperature', '40', '--seed', seed, '--json');
    const [a, b, c] = [draw('1'), draw('1'), draw('2')].map(
      r => JSON.parse(r.out) as Record<string, unknown>,
    );
    expect(a!['text']).toBe(b!['text']);
    expect(a!['text']).not.toBe(c!['text']);
    expect([a!['recipe'], a!['tokens'], [...(a!['text'] as string)].length]).toEqual(['char-bigram', 30, 30]);
  });
  it('topK, topP and the penalty reach the choice', () => {
    const hot = ['--tokens', '12', '--temperature', '40', '--prompt', '狗'];
    for (const option of [
      ['--top-k', '1'],
      ['--top-p', '0.01'],
    ])
      expect(generate(...hot, ...option).out).toBe('狗咬人。狗咬人。狗咬人。狗\n');
    const plain = generate(...hot).out;
    expect(generate(...hot).out).toBe(plain);
    expect(generate(...hot, '--repetition-penalty', '1e6').out).not.toBe(plain);
  });
  it('eval finds vocabulary and settings in the file', () => {
    const r = tenon('eval', 'char-bigram', '--weights', weights, '--json');
    expect(r.err).toBe('');
    const { metrics } = JSON.parse(r.out) as { metrics: { valLoss: number } };
    expect(metrics.valLoss).toBeLessThan(0.1);
  });
  it.each([
    [
      ['--prompt', '猫'],
      1,
      "characters must be among the 4 of the vocabulary, got '猫' (U+732B) at character 0",
    ],
    [['--tokens=-1'], 1, 'generate: tokens must be an integer >= 0, got -1'],
    [['--temperature=-1'], 1, 'temperature must be a number >= 0, got -1'],
    [['--seed', '1.5'], 2, '--seed must be an integer, got 1.5'],
  ])('%j is refused', (args, code, message) => {
    const r = generate(...args);
    expect(r.code).toBe(code);
    expect(r.err).toContain(message);
  });
  it('a recipe that does not write is refused', () => {
    const r = tenon('generate', 'line');
    expect(r.code).toBe(2);
    expect(r.err).toContain('generate: recipes that write are char-bigram, names-bigram, char-rnn');
    expect(tenon('generate', 'names-bigram').err).toContain(
      "names-bigram has no weights yet; 'tenon train names-bigram' makes them",
    );
  });
});

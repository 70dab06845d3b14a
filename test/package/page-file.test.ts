// The page file: what it leaves out of op records is nothing but the data of tests and docs; names of classes stay.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { withoutTestData } from '../../scripts/lean-records.ts';

it('drops the properties of tests and docs and keeps everything else', () => {
  const source = `const f: Op = unary({
  name: 'f',
  doc: 'a, b',
  samples: () => [
    { shapes: [[2]] },
  ],
  cost: 3, // as many
  errors: () =>
    wide
      ? [{ shapes: [[3]], doc: '}' }]
      : [],
  samples,
  paper: source ?? null,
});
const g = make({ name: 'g', doc: 'ü', d: x => one({ doc: 1, x }), samples: f(2), cost: 1 });
interface Spec {
  doc: string;
  samples?: () => Sample[];
}
function of({ doc, samples }: Spec) {}
`;
  expect(withoutTestData(source)).toBe(`const f: Op = unary({
  name: 'f',
  cost: 3, // as many
  });
const g = make({ name: 'g', d: x => one({ x }), cost: 1 });
interface Spec {
  doc: string;
  samples?: () => Sample[];
}
function of({ doc, samples }: Spec) {}
`);
});

it('leaves no test data in the page file', () => {
  const page = readFileSync(join(import.meta.dirname, '../../dist/tenon.js'), 'utf8');
  // One of the bad inputs, of the sentences, of the sources and of the meanings of flags.
  const texts = [
    'pad: dim 0 of size 2',
    'the gradient of the determinant',
    'arcosh x',
    'Box and Muller',
    'WASM memory in MB',
  ];
  expect(texts.filter(text => page.includes(text))).toEqual([]);
});

it('keeps the names of classes in the page file', () => {
  const page = pathToFileURL(join(import.meta.dirname, '../../dist/tenon.js')).href;
  const code = `
    const { nn, ones } = await import('${page}');
    console.log(String(new nn.Linear(2, 3)));
    try { ones([2]).add(ones([3])); } catch (e) { console.log(e.name); }
    process.exit();`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  expect(stdout).toBe('Linear(in_features=2, out_features=3, bias=True)\nShapeError\n');
});

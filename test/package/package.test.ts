// The packed package in an empty project: imports, subpaths, types, the command line, a bundler; on the oldest Node.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const temp = mkdtempSync(join(tmpdir(), 'tenon-package-'));
const project = join(temp, 'project');
afterAll(() => rmSync(temp, { recursive: true, force: true }));

/** The machine's own PATH: npm and vitest put the repository's Node first. */
const systemPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter(dir => !dir.includes('node_modules') && !dir.includes('node-gyp-bin'))
  .join(delimiter);
const env = {
  ...process.env,
  TENON_BLAS: '',
  LANG: 'C.UTF-8',
  PATH: systemPath,
  npm_config_update_notifier: 'false',
};
const version = spawnSync('node', ['--version'], { env, encoding: 'utf8' }).stdout?.trim() ?? 'none';
const oldest = version.startsWith('v20.');

function run(command: string, args: readonly string[], cwd = project): string {
  const r = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (r.status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${r.status}:\n${r.stdout}${r.stderr}`);
  return r.stdout;
}
/** Runs a module in the project. */
function script(name: string, code: string): string {
  writeFileSync(join(project, name), code);
  return run('node', [name]);
}

beforeAll(() => {
  mkdirSync(project);
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', temp], root);
  const tarball = readdirSync(temp).find(f => f.endsWith('.tgz'))!;
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }\n');
  // Nothing is downloaded: the core has no dependencies, and the optional one is left out.
  run('npm', ['install', '--offline', '--omit=optional', '--no-audit', '--no-fund', join(temp, tarball)]);
});

it('holds what a user needs and nothing else', () => {
  const installed = join(project, 'node_modules/tenon');
  expect(readdirSync(join(project, 'node_modules')).filter(f => !f.startsWith('.'))).toEqual(['tenon']);
  const top = readdirSync(installed).sort();
  expect(top).toEqual(expect.arrayContaining(['LICENSE', 'dist', 'package.json']));
  const known = ['LICENSE', 'dist', 'package.json', 'weights'];
  expect(top.filter(f => !known.includes(f) && !/^README/.test(f))).toEqual([]);
  // What `tenon eval RECIPE` measures.
  const weights = readdirSync(join(installed, 'weights'));
  expect(weights).toContain('mnist-mlp.safetensors');
  expect(weights.filter(f => !f.endsWith('.safetensors'))).toEqual([]);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect(dependencies ?? {}).toEqual({});
});

describe.skipIf(!oldest)(`on the machine's own Node (needs v20, is ${version})`, () => {
  it('imports, computes and trains', () => {
    const printed = script(
      'main.js',
      `import { tensor, compile, manualSeed, randn, SGD, F } from 'tenon';
       const t = tensor([[1, 2], [3, 4]]);
       console.log(JSON.stringify(t.matmul(t).tolistSync()));
       manualSeed(0);
       const w = randn([1, 2], { requiresGrad: true });
       const optimizer = new SGD([w], { lr: 0.1 });
       const x = tensor([[1, 0], [0, 1], [1, 1]]), y = tensor([[2], [-1], [1]]);
       const step = compile((x, y) => {
         optimizer.zeroGrad();
         const loss = F.linear(x, w).sub(y).square().mean();
         loss.backward();
         optimizer.step();
         return loss;
       });
       for (let i = 0; i < 400; i++) step(x, y);
       console.log(process.version, (await step(x, y).item()) < 1e-6);`,
    );
    expect(printed).toBe(`[[7,10],[15,22]]\n${version} true\n`);
  });
  it('is one library behind all its entries', () => {
    const printed = script(
      'entries.js',
      `import * as tenon from 'tenon';
       import { SGD } from 'tenon/optim';
       import { makeShape } from 'tenon/data';
       import { chart, line } from 'tenon/viz';
       console.log(SGD === tenon.SGD, makeShape === tenon.makeShape, chart({ title: 't', marks: [line([0, 1], [0, 1])] }).startsWith('<svg'));`,
    );
    expect(printed).toBe('true true true\n');
  });
  it('ends after a program that imports the file for pages', () => {
    writeFileSync(
      join(project, 'page.js'),
      `import { tensor } from 'tenon/tenon.js';
       console.log(await tensor([1, 2]).add(1).sum().item());`,
    );
    const r = spawnSync('node', ['page.js'], { cwd: project, env, encoding: 'utf8', timeout: 30_000 });
    expect([r.stdout, r.signal]).toEqual(['5\n', null]);
  });
  it('has loader workers that make a data set of the project', () => {
    writeFileSync(
      join(project, 'sets.js'),
      `import { Dataset } from 'tenon/data';
       import { tensor } from 'tenon';
       class Squares extends Dataset {
         length = 5;
         get(i) { return tensor([i, i * i]); }
       }
       export const squares = () => new Squares();`,
    );
    const printed = script(
      'workers.js',
      `import { DataLoader, datasetFrom } from 'tenon/data';
       const squares = await datasetFrom(new URL('./sets.js', import.meta.url), 'squares');
       for await (const x of new DataLoader(squares, { batchSize: 3, numWorkers: 2 }))
         console.log(JSON.stringify(x.tolistSync()));`,
    );
    expect(printed).toBe('[[0,0],[1,1],[2,4]]\n[[3,9],[4,16]]\n');
  });
  it('has a command line that works without the optional package', () => {
    const printed = run(join(project, 'node_modules/.bin/tenon'), [
      'train',
      'line',
      '--json',
      '--out',
      'run',
    ]);
    expect(JSON.parse(printed).metrics.yAt5).toBeCloseTo(5, 2);
    expect(readdirSync(join(project, 'run'))).toEqual(
      expect.arrayContaining(['config.json', 'descent.svg', 'line.svg', 'result.json']),
    );
    expect(readdirSync(join(project, 'run')).filter(f => f.endsWith('.png'))).toEqual([]);
    const found = JSON.parse(run(join(project, 'node_modules/.bin/tenon'), ['doctor', '--json']));
    expect([found.blas, found.png, found.simd]).toEqual([false, false, true]);
    expect(run(join(project, 'node_modules/.bin/tenon'), ['doctor'])).toContain('koffi is not installed');
    expect(run(join(project, 'node_modules/.bin/tenon'), ['--version']).trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

it('has types that a strict project accepts, and that refuse mistakes', () => {
  const check = (code: string): string => {
    writeFileSync(join(project, 'use.ts'), code);
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const options = '--strict --noEmit --module nodenext --target es2023 --skipLibCheck false use.ts'.split(
      ' ',
    );
    const r = spawnSync(process.execPath, [tsc, ...options], { cwd: project, encoding: 'utf8' });
    return r.stdout;
  };
  const right = `import { tensor, compile, SGD, type Tensor } from 'tenon';
    import { chart, line } from 'tenon/viz';
    const t: Tensor = tensor([1, 2, 3], { requiresGrad: true });
    const n: Promise<number> = t.sum().item();
    const f = compile((x: Tensor) => x.mul(2));
    const y: Tensor = f(t);
    new SGD([t], { lr: 0.1 });
    const svg: string = chart({ title: 't', marks: [line([0], [1])] });
    export { n, y, svg };`;
  expect(check(right)).toBe('');
  expect(check(`import { tensor } from 'tenon'; export const s: string = tensor([1]).sum();`)).toContain(
    'TS2322',
  );
});

it('bundles for a browser without anything of Node', async () => {
  writeFileSync(join(project, 'page.js'), "import { tensor } from 'tenon'; globalThis.answer = tensor([1]);");
  const result = await build({
    entryPoints: [join(project, 'page.js')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  });
  expect(result.warnings).toEqual([]);
  expect(result.outputFiles[0]!.text).not.toMatch(/["']node:/);
});

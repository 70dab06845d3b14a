// The first call of a compiled step: tracing, compiling and running it, in a fresh process, workers already there.
// As a program of its own (argument `child`) it is that process.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { duration, median, round } from './report.ts';

const RUNS = 7;

export function firstCall(): Record<string, number> {
  const all = { import: [] as number[], first: [] as number[], second: [] as number[] };
  for (let r = 0; r < RUNS; r++) {
    const child = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), 'child'],
      { encoding: 'utf8', env: { ...process.env, TENON_BLAS: '0' } },
    );
    if (child.status !== 0) throw new Error(`the first call failed: ${child.stderr}`);
    const times = JSON.parse(child.stdout) as Record<keyof typeof all, number>;
    for (const k of Object.keys(all) as (keyof typeof all)[]) all[k].push(times[k]);
  }
  const result = Object.fromEntries(Object.entries(all).map(([k, v]) => [k, round(median(v))]));
  console.log(
    `\nfirst call of the compiled MNIST MLP step: ${duration(result.first!)} (second ${duration(result.second!)}; importing the sources ${duration(result.import!)}), median of ${RUNS} fresh processes`,
  );
  return result;
}

async function child(): Promise<void> {
  const start = performance.now();
  const { Adam, compile, F, getDevice, manualSeed, randn, tensor, zeros } = await import('../src/index.ts');
  const imported = performance.now() - start;
  manualSeed(1);
  getDevice('cpu');
  // A worker that is still starting competes for the cores with what is measured.
  await new Promise(resolve => setTimeout(resolve, 400));
  const dims = [784, 256, 128, 10];
  const layers = dims.slice(1).map((out, i) => ({
    w: randn([out, dims[i]!])
      .mul(Math.sqrt(2 / dims[i]!))
      .realize()
      .requiresGrad_(),
    b: zeros([out], { requiresGrad: true }),
  }));
  const opt = new Adam(
    layers.flatMap(({ w, b }) => [w, b]),
    { lr: 1e-3 },
  );
  const x = tensor(new Float32Array(128 * 784).fill(0.5), { shape: [128, 784] });
  const y = tensor(Int32Array.from({ length: 128 }, (_, i) => i % 10));
  const step = compile((input: typeof x, target: typeof y) => {
    opt.zeroGrad();
    let h = input;
    layers.forEach(({ w, b }, i) => {
      h = F.linear(h, w, b);
      if (i < layers.length - 1) h = h.relu();
    });
    const loss = F.crossEntropy(h, target);
    loss.backward();
    opt.step();
    return loss;
  });
  const timed = () => {
    const t0 = performance.now();
    step(x, y).itemSync();
    return performance.now() - t0;
  };
  const first = timed();
  const second = timed();
  process.stdout.write(JSON.stringify({ import: imported, first, second }));
  process.exit(0);
}

if (process.argv[2] === 'child') await child();

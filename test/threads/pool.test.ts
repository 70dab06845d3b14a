// R20, R23: a worker that dies is an error after the time limit, not a wait for ever; memory grows under running workers;
// parked workers do not hold the process.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const source = (path: string): string => join(import.meta.dirname, '../../src', path);
const index = source('index.ts');
/** Runs a module in a process of its own with that many threads; returns what it prints and how long it took. */
function run(code: string, threads: number, timeout = 60_000): { printed: string; ms: number } {
  const start = performance.now();
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval'];
  const printed = execFileSync(process.execPath, [...flags, `import * as tenon from '${index}';\n${code}`], {
    env: { ...process.env, TENON_THREADS: String(threads), TENON_BLAS: '0' },
    encoding: 'utf8',
    timeout,
  });
  return { printed: printed.trim(), ms: performance.now() - start };
}
/** The workers are up, and large enough work has been shared with them. */
const START = `
  const { tensor, randn, getDevice, compile } = tenon;
  const device = getDevice('cpu');
  while (device.pool.ready < device.pool.started) await new Promise(r => setTimeout(r, 5));
`;

it('parked workers do not hold the process', () => {
  const { printed, ms } = run(
    `${START} console.log(device.pool.started, randn([600, 600]).matmul(randn([600, 600])).shape.join());`,
    4,
    20_000,
  );
  expect(printed).toBe('3 600,600');
  expect(ms).toBeLessThan(15_000);
});

it('a worker that claims work and dies is an error after the time limit; the program goes on', () => {
  const { printed } = run(
    `${START}
    import { Worker } from 'node:worker_threads';
    import { CTRL } from '${source('runtime/control.ts')}';
    device.patience = 400;
    const [a, b] = [randn([512, 512]).realize(), randn([512, 512]).realize()];
    // A worker of ours takes a task of the next job, as those of the pool do, and is gone.
    const thief = new Worker(\`
      const { workerData: { memory, C } } = require('node:worker_threads');
      const w = new Int32Array(memory.buffer);
      require('node:worker_threads').parentPort.postMessage('up');
      for (;;) {
        const word = Atomics.load(w, C.job >> 2);
        const next = word & 0xfff;
        if (next === 0xfff) continue;
        const after = next + 1 < Atomics.load(w, C.jobCount >> 2) ? word + 1 : word | 0xfff;
        if (Atomics.compareExchange(w, C.job >> 2, word, after) === word) break;
      }\`, { eval: true, execArgv: [], workerData: { memory: device.heap.memory, C: CTRL } });
    await new Promise(r => thief.once('message', r));
    await new Promise(r => setTimeout(r, 50));
    let error = null;
    const start = performance.now();
    for (let i = 0; i < 20 && error === null; i++) {
      try { a.matmul(b).add(i).realize(); } catch (e) { error = e; }
    }
    const waited = performance.now() - start;
    await thief.terminate();
    console.log(error?.name, '|', error?.message, '|', waited > 300, '|', tensor([1, 2]).add(1).tolistSync().join());`,
    3,
  );
  const [name, message, waited, after] = printed.split(' | ');
  expect(name).toBe('DeviceError');
  expect(message).toMatch(/^cpu: every worker thread must answer, got one that is silent for 0\.4 s/);
  expect([waited, after]).toEqual(['true', '2,3']);
});

it('a kernel that fails on the calling thread calls its job off; the next ones are right', () => {
  const { printed } = run(
    `${START}
    import { assemble, Code } from '${source('codegen/wasm-asm.ts')}';
    import { KERNEL_TYPE } from '${source('codegen/wasm-target.ts')}';
    const [a, b] = [randn([256, 256]).realize(), randn([256, 256]).realize()];
    const sum = () => a.matmul(b).realize().sum().itemSync();
    const want = sum();
    // Every kernel of this thread traps; the workers have tables of their own.
    const code = new Code().op('unreachable').out;
    const funcs = [{ type: KERNEL_TYPE, locals: [], code, exported: 'trap' }];
    const bytes = assemble({ imports: [], types: [], funcs, tableBase: -1, maxPages: device.heap.maxPages });
    const { trap } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { m: device.heap.memory, t: device.table } }).exports;
    const { table } = device;
    const kernels = Array.from({ length: table.length }, (_, i) => table.get(i));
    let failed = 0, wrong = 0;
    for (let i = 0; i < 50; i++) {
      for (let k = 0; k < kernels.length; k++) table.set(k, trap);
      try { a.matmul(b).realize(); } catch (e) { failed += e instanceof WebAssembly.RuntimeError; }
      for (let k = 0; k < kernels.length; k++) table.set(k, kernels[k]);
      for (let k = 0; k < 4; k++) wrong += sum() !== want;
    }
    console.log(failed, wrong);`,
    3,
  );
  expect(printed).toBe('50 0');
});

it('memory that grows at every allocation changes no result, with workers running', () => {
  const work = `
    tenon.manualSeed(4);
    const w = randn([300, 200]).requiresGrad_();
    const o = new tenon.SGD([w], { lr: 0.01 });
    const step = compile(x => { o.zeroGrad(); const l = x.matmul(w).tanh().square().mean(); l.backward(); o.step(); return l; });
    let sum = 0;
    for (let i = 0; i < 12; i++) {
      sum += step(randn([100 + 17 * i, 300])).itemSync();
      sum += randn([400, 300 + i]).softmax(-1).amax().itemSync();
    }
    console.log(sum, device.heap.totalBytes > 0);`;
  const grow = `
    const { heap } = device;
    const real = heap.tryAlloc;
    let grown = 0;
    heap.tryAlloc = bytes => { heap.memory.grow(1); grown++; return real.call(heap, bytes); };
    process.on('exit', () => { if (grown < 30) console.log('grew only', grown); });`;
  const plain = run(START + work, 3).printed;
  expect(run(START + grow + work, 3).printed).toBe(plain);
  expect(run(START + grow + work, 1).printed).toBe(plain);
});

// tenon bench: how fast this machine is with this library: products and training steps, in a few seconds. Beside other
// libraries: npm run bench, in the repository.

import { Adam, compile, F, getDevice, nn, randint, randn, type Tensor } from '../index.ts';
import { defineCommand } from './command.ts';
import { columns } from './terminal.ts';

interface Timing {
  readonly workload: string;
  readonly device: string;
  readonly threads: number;
  readonly ms: number;
  readonly gflops: number;
}
/** The median of as many runs as fit into the time, at least 5, after three that are not counted. */
function median(run: () => void, budgetMs: number): number {
  for (let i = 0; i < 3; i++) run();
  const times: number[] = [];
  const begin = performance.now();
  while (times.length < 5 || performance.now() - begin < budgetMs) {
    const t = performance.now();
    run();
    times.push(performance.now() - t);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}
function gemm(n: number): { ms: number; flop: number } {
  const [a, b] = [randn([n, n]).realize(), randn([n, n]).realize()];
  const product = compile(() => a.matmul(b));
  return { ms: median(() => product().at(0, 0).itemSync(), 400), flop: 2 * n ** 3 };
}
function mlpStep(): { ms: number; flop: number } {
  const sizes = [784, 256, 128, 10];
  const batch = 128;
  const model = new nn.Sequential(
    ...sizes.slice(1).flatMap((n, i) => [new nn.Linear(sizes[i]!, n), ...(i < 2 ? [new nn.ReLU()] : [])]),
  );
  const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model(x) as Tensor, y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const data = Array.from(
    { length: 4 },
    () => [randn([batch, 784]).realize(), randint(0, 10, [batch]).realize()] as const,
  );
  let i = 0;
  const ms = median(() => step(...data[i++ % 4]!).itemSync(), 800);
  // Forward, and twice as much backward, but for the gradient of the input.
  const weights = sizes.slice(1).map((n, k) => n * sizes[k]!);
  const flop = batch * (6 * weights.reduce((a, b) => a + b, 0) - 2 * weights[0]!);
  return { ms, flop };
}

export const bench = defineCommand({
  name: 'bench',
  about: { en: 'How fast this machine is with Tenon: a few seconds', zh: '几秒钟测出这台机器上的速度' },
  options: {},
  examples: [['tenon bench --json', { en: 'for scripts', zh: '供脚本使用' }]],
  async run(values, _rest, terminal) {
    const about = getDevice('cpu').describe();
    const work: readonly [string, () => { ms: number; flop: number }][] = [
      ...[256, 512, 1024].map(
        n => [`gemm${n}`, () => gemm(n)] as [string, () => { ms: number; flop: number }],
      ),
      ['mnist-mlp-784-256-128-10-b128-adam', mlpStep],
    ];
    const timings: Timing[] = [];
    for (const [workload, run] of work) {
      const { ms, flop } = run();
      const threads = Number(getDevice('cpu').describe()['threads']);
      timings.push({
        workload,
        device: about['blas'] ? 'cpu-blas' : 'cpu',
        threads,
        ms,
        gflops: flop / ms / 1e6,
      });
      // Workers start, and pages stay alive, between workloads.
      await new Promise(done => setTimeout(done, 0));
    }
    if (values.json) {
      terminal.print(JSON.stringify(timings));
      return 0;
    }
    const head = [
      terminal.say({ en: 'workload', zh: '任务' }),
      terminal.say({ en: 'device', zh: '设备' }),
      terminal.say({ en: 'threads', zh: '线程' }),
      'ms',
      'GFLOP/s',
    ];
    terminal.print(
      columns([
        head,
        ...timings.map(t => [t.workload, t.device, String(t.threads), t.ms.toFixed(3), t.gflops.toFixed(1)]),
      ]),
    );
    return 0;
  },
});

// The speed tables of the READMEs, from the newest file of bench/results that has what they show.
// In: result files, a README with the markers <!-- speed --> and <!-- /speed -->. Out: the README with the table between.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Row {
  readonly workload: string;
  /** `cpu` is WebAssembly only. */
  readonly device: string;
  readonly threads: number;
  readonly ms: number;
  readonly peers: Readonly<Record<string, number>>;
}
interface Results {
  readonly date: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly settings: readonly { readonly name: string; readonly setting: string }[];
}
interface Memory {
  readonly workload: string;
  readonly megabytes: number;
  readonly peers: Readonly<Record<string, number>>;
}
const SUBJECTS = ['gemm', 'steps', 'kernels', 'vision', 'recurrent', 'gpt', 'mamba', 'memory'] as const;
type Subject = Exclude<(typeof SUBJECTS)[number], 'memory'>;
type Measured = Results & Readonly<Record<Subject, readonly Row[]>> & { readonly memory: readonly Memory[] };

/** What is shown: workload, and how it is called in both languages. */
const SHOWN: readonly (readonly [Subject, string, string, string])[] = [
  ['steps', 'circle-mlp-2-4-4-2-b128-sgd', 'training step 2-4-4-2, batch 128, SGD', '训练一步：2-4-4-2，批量 128，SGD'],
  ['steps', 'rings-mlp-2-32-16-2-b128-adam', 'training step 2-32-16-2, batch 128, Adam', '训练一步：2-32-16-2，批量 128，Adam'],
  ['steps', 'mnist-mlp-784-256-128-10-b128-adam', 'training step 784-256-128-10, batch 128, Adam', '训练一步：784-256-128-10，批量 128，Adam'],
  ['gemm', 'gemm1024', 'matmul 1024 × 1024 × 1024', '矩阵乘 1024 × 1024 × 1024'],
  ['gemm', 'gemm-1000x777x333', 'matmul 1000 × 777 × 333', '矩阵乘 1000 × 777 × 333'],
  ['gemm', 'gemm-64x64x64x64', '64 matmuls of 64 × 64 × 64', '64 个 64 × 64 × 64 矩阵乘'],
  ['kernels', 'softmax-4096x1024', 'softmax 4096 × 1024', 'softmax 4096 × 1024'],
  ['kernels', 'layernorm-4096x1024', 'layer norm 4096 × 1024', 'layer norm 4096 × 1024'],
  ['kernels', 'elementwise-gelu-sum-4M', 'gelu(2x + 1).sum(), 4M elements', 'gelu(2x + 1).sum()，4M 个元素'],
  ['vision', 'lenet5-mnist-b128-sgdm', 'training step LeNet-5, 28 × 28, batch 128', '训练一步：LeNet-5，28 × 28，批量 128'],
  ['vision', 'resnet20-cifar100-b128-sgdm', 'training step ResNet-20, 32 × 32, batch 128', '训练一步：ResNet-20，32 × 32，批量 128'],
  ['vision', 'resnet18-cifar100-b32-sgdm', 'training step ResNet-18, 32 × 32, batch 32', '训练一步：ResNet-18，32 × 32，批量 32'],
  ['recurrent', 'char-lstm-2x128-t64-b32-adam', 'training step LSTM, 2 × 128, 64 steps, batch 32', '训练一步：LSTM，2 × 128，64 步，批量 32'],
  ['gpt', 'gpt-4l-4h-128d-t64-b12-adamw', 'training step GPT, 4 × 128, 64 tokens, batch 12', '训练一步：GPT，4 × 128，64 个词元，批量 12'],
  ['mamba', 'mamba-2l-128d-t64-b12-adamw', 'training step Mamba, 2 × 128, 64 tokens, batch 12', '训练一步：Mamba，2 × 128，64 个词元，批量 12'],
  ['vision', 'resnet18-cifar100-b1-infer', 'ResNet-18 on one picture, 32 × 32', 'ResNet-18 推理一张 32 × 32 的图'],
]; // biome-ignore format: a table
const WORDS = {
  en: {
    memory: ['megabytes beyond the imports, at the peak', 'Tenon', 'PyTorch'],
    head: ['milliseconds', 'Tenon, 1 thread', 'Tenon, 2 threads', 'jax-js', 'tfjs-wasm', 'PyTorch'],
    made: (r: Results) =>
      `Made by \`npm run bench -- ${SUBJECTS.join(' ')}\` on ${r.date}: ${r.machine.cores} cores of an ${r.machine.cpu}, Node ${r.machine.node.slice(1)}, WebAssembly only; PyTorch ${version(r)}, the better of 1 and 2 threads. The libraries of a row in one run, medians; — where a library has no such thing, or none was written for it.`,
  },
  zh: {
    memory: ['导入之后再占的内存峰值（MB）', 'Tenon', 'PyTorch'],
    head: ['', 'Tenon，1 线程', 'Tenon，2 线程', 'jax-js', 'tfjs-wasm', 'PyTorch'],
    made: (r: Results) =>
      `由 \`npm run bench -- ${SUBJECTS.join(' ')}\` 于 ${r.date} 测得：${r.machine.cpu} ${r.machine.cores} 核，Node ${r.machine.node.slice(1)}，只用 WebAssembly；PyTorch ${version(r)}，取 1 线程与 2 线程中较快者。同一行的各库在同一次运行中轮流计时，取中位数；— 表示该库没有，或没有为它编写。`,
  },
} as const;
const version = (r: Results): string =>
  r.settings.find(s => s.name === 'pytorch')?.setting.split(',')[0] ?? '—';

function newest(root: string): Measured {
  const folder = join(root, 'bench/results');
  const names = readdirSync(folder)
    .filter(f => f.endsWith('.json'))
    .sort()
    .reverse();
  for (const name of names) {
    const r = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Partial<Measured>;
    if (SUBJECTS.every(s => r[s] !== undefined)) return r as Measured;
  }
  throw new Error(`docs: no file of bench/results has all of this: npm run bench -- ${SUBJECTS.join(' ')}`);
}
/** Two or three digits that count, in a unit that a person would choose. */
const show = (ms: number | undefined): string => {
  if (ms === undefined) return '—';
  const [value, unit] = ms < 0.1 ? [ms * 1000, 'µs'] : [ms, 'ms'];
  return `${Number(value.toPrecision(value >= 100 ? 3 : 2))} ${unit}`;
};

const table = (head: readonly string[], rows: readonly string[]): string[] => [
  `| ${head.join(' | ')} |`,
  `|---|${'---:|'.repeat(head.length - 1)}`,
  ...rows,
];

/** The README with its tables of speed and memory made anew. */
export function withSpeed(root: string, text: string, language: 'en' | 'zh'): string {
  const results = newest(root);
  const words = WORDS[language];
  const rows = SHOWN.map(([subject, workload, en, zh]) => {
    const at = (threads: number): Row | undefined =>
      results[subject].find(r => r.workload === workload && r.device === 'cpu' && r.threads === threads);
    const peers = at(2)?.peers ?? {};
    const torch = [1, 2].map(threads => at(threads)?.peers['pytorch']).filter(ms => ms !== undefined);
    const best = torch.length === 0 ? undefined : Math.min(...torch);
    const values = [at(1)?.ms, at(2)?.ms, peers['jax-js'], peers['tfjs-wasm'], best];
    return `| ${language === 'zh' ? zh : en} | ${values.map(show).join(' | ')} |`;
  });
  const grown = results.memory.map(({ workload, megabytes, peers }) => {
    const [, , en, zh] = SHOWN.find(([, name]) => name === workload)!;
    const values = [megabytes, peers['pytorch']].map(mb => (mb === undefined ? '—' : mb.toFixed(0)));
    return `| ${language === 'zh' ? zh : en} | ${values.join(' | ')} |`;
  });
  const made = [...table(words.head, rows), '', ...table(words.memory, grown), '', words.made(results)].join(
    '\n',
  );
  return text.replace(
    /<!-- speed -->[\s\S]*?<!-- \/speed -->/,
    () => `<!-- speed -->\n${made}\n<!-- /speed -->`,
  );
}

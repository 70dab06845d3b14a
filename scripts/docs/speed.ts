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
  readonly gemm: readonly Row[];
  readonly steps: readonly Row[];
  readonly kernels: readonly Row[];
}
type Subject = 'gemm' | 'steps' | 'kernels';

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
]; // biome-ignore format: a table
const WORDS = {
  en: {
    head: [
      'milliseconds',
      'Tenon, 1 thread',
      'Tenon, 2 threads',
      'jax-js',
      'tfjs-wasm',
      'PyTorch, 2 threads',
    ],
    made: (r: Results) =>
      `Made by \`npm run bench -- gemm steps kernels\` on ${r.date}: ${r.machine.cores} cores of an ${r.machine.cpu}, Node ${r.machine.node.slice(1)}, WebAssembly only; PyTorch ${version(r)}. All libraries in one run, medians.`,
  },
  zh: {
    head: ['', 'Tenon，1 线程', 'Tenon，2 线程', 'jax-js', 'tfjs-wasm', 'PyTorch，2 线程'],
    made: (r: Results) =>
      `由 \`npm run bench -- gemm steps kernels\` 于 ${r.date} 测得：${r.machine.cpu} ${r.machine.cores} 核，Node ${r.machine.node.slice(1)}，只用 WebAssembly；PyTorch ${version(r)}。各库在同一次运行中轮流计时，取中位数。`,
  },
} as const;
const version = (r: Results): string =>
  r.settings.find(s => s.name === 'pytorch')?.setting.split(',')[0] ?? '—';

function newest(root: string): Results {
  const folder = join(root, 'bench/results');
  const names = readdirSync(folder)
    .filter(f => f.endsWith('.json'))
    .sort()
    .reverse();
  for (const name of names) {
    const r = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Partial<Results>;
    if (r.gemm && r.steps && r.kernels) return r as Results;
  }
  throw new Error(
    'docs: no file of bench/results has gemm, steps and kernels: npm run bench -- gemm steps kernels',
  );
}
/** Two or three digits that count, in a unit that a person would choose. */
const show = (ms: number | undefined): string => {
  if (ms === undefined) return '—';
  const [value, unit] = ms < 0.1 ? [ms * 1000, 'µs'] : [ms, 'ms'];
  return `${Number(value.toPrecision(value >= 100 ? 3 : 2))} ${unit}`;
};

/** The README with its speed table made anew. */
export function withSpeed(root: string, text: string, language: 'en' | 'zh'): string {
  const results = newest(root);
  const words = WORDS[language];
  const rows = SHOWN.map(([subject, workload, en, zh]) => {
    const at = (threads: number): Row | undefined =>
      results[subject].find(r => r.workload === workload && r.device === 'cpu' && r.threads === threads);
    const peers = at(2)?.peers ?? {};
    const values = [at(1)?.ms, at(2)?.ms, peers['jax-js'], peers['tfjs-wasm'], peers['pytorch']];
    return `| ${language === 'zh' ? zh : en} | ${values.map(show).join(' | ')} |`;
  });
  const table = [
    `| ${words.head.join(' | ')} |`,
    `|---|${words.head
      .slice(1)
      .map(() => '---:|')
      .join('')}`,
    ...rows,
    '',
    words.made(results),
  ].join('\n');
  return text.replace(
    /<!-- speed -->[\s\S]*?<!-- \/speed -->/,
    () => `<!-- speed -->\n${table}\n<!-- /speed -->`,
  );
}

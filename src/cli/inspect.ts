// tenon inspect FILE: what a file holds: weights, checkpoints, tables, IDX data.

import { gunzip, parseCsv, parseIdx } from '../data/index.ts';
import { Tensor } from '../index.ts';
import { formatOf, load, readBytes, tensorsOf } from '../io/index.ts';
import { defineCommand, UsageError } from './command.ts';
import { columns } from './terminal.ts';

interface TensorRow {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly mean: number;
  readonly std: number;
  readonly min: number;
  readonly max: number;
}
export interface Contents {
  readonly file: string;
  readonly format: string;
  readonly bytes: number;
  readonly tensors: readonly TensorRow[];
  /** Plain values by their paths. */
  readonly values: Readonly<Record<string, unknown>>;
}

function rowOf(name: string, t: Tensor): TensorRow {
  const empty = t.numel === 0;
  const x = t.to('float64');
  const number = (v: () => Tensor): number => (empty ? Number.NaN : Number(v().itemSync()));
  return {
    name,
    shape: t.shape,
    dtype: t.dtype,
    mean: number(() => x.mean()),
    std: number(() => x.std(null, { correction: 0 })),
    min: number(() => x.min()),
    max: number(() => x.max()),
  };
}
/** Plain values by their paths, tensors left out. */
function plainValues(tree: unknown, path = ''): [string, unknown][] {
  if (tree instanceof Tensor) return [];
  if (tree === null || typeof tree !== 'object') return [[path, tree]];
  return Object.entries(tree).flatMap(([k, v]) => plainValues(v, path === '' ? k : `${path}.${k}`));
}

/** Reads a file by its bytes, tables and IDX by their names. */
export async function contentsOf(file: string): Promise<Contents> {
  const bytes = await readBytes('inspect', file);
  const base = { file, bytes: bytes.length };
  if (/\.csv$/i.test(file)) {
    const table = parseCsv(bytes);
    const values = Object.fromEntries(
      table.names.map(n => [n, Array.from(table.column(n).slice(0, 3) as ArrayLike<unknown>)]),
    );
    return { ...base, format: `csv, ${table.length} rows`, tensors: [], values };
  }
  if (/ubyte(\.gz)?$|\.idx$/i.test(file)) {
    const { shape } = parseIdx(/\.gz$/i.test(file) ? await gunzip(bytes, file) : bytes, file);
    return { ...base, format: `idx (${shape.join(', ')})`, tensors: [], values: {} };
  }
  const tree = await load(file);
  return {
    ...base,
    format: formatOf(bytes, file)!,
    tensors: tensorsOf(tree).map(([name, t]) => rowOf(name, t)),
    values: Object.fromEntries(plainValues(tree)),
  };
}

const short = (v: number): string => (Number.isInteger(v) ? String(v) : v.toPrecision(4));
export const inspect = defineCommand({
  name: 'inspect',
  takes: 'FILE',
  about: {
    en: 'What a file holds: weights, checkpoints, tables, data sets',
    zh: '查看文件内容：权重、检查点、表格、数据集',
  },
  options: {},
  examples: [
    [
      'tenon inspect runs/mnist-mlp/weights.safetensors',
      { en: 'names, shapes, statistics', zh: '名称、形状、统计' },
    ],
    ['tenon inspect model.pth --json', { en: "PyTorch's files too", zh: '也支持 PyTorch 的文件' }],
  ],
  async run(values, rest, terminal) {
    if (rest.length !== 1) throw new UsageError(`inspect: one file is needed, got ${rest.length}`);
    const c = await contentsOf(rest[0]!);
    if (values.json) {
      terminal.print(JSON.stringify(c));
      return 0;
    }
    const count = c.tensors.reduce((n, t) => n + t.shape.reduce((p, s) => p * s, 1), 0);
    const say = terminal.say;
    terminal.print(
      columns([
        [say({ en: 'format', zh: '格式' }), c.format],
        [say({ en: 'bytes', zh: '字节' }), c.bytes.toLocaleString('en')],
        [
          say({ en: 'tensors', zh: '张量' }),
          `${c.tensors.length}, ${count.toLocaleString('en')} ${say({ en: 'elements', zh: '个元素' })}`,
        ],
      ]),
    );
    if (c.tensors.length > 0) {
      const head = [
        say({ en: 'name', zh: '名称' }),
        say({ en: 'shape', zh: '形状' }),
        'dtype',
        say({ en: 'mean', zh: '均值' }),
        say({ en: 'std', zh: '标准差' }),
        say({ en: 'min', zh: '最小' }),
        say({ en: 'max', zh: '最大' }),
      ];
      terminal.print(
        `\n${columns([head, ...c.tensors.map(t => [t.name || '·', `(${t.shape.join(', ')})`, t.dtype, ...[t.mean, t.std, t.min, t.max].map(short)])])}`,
      );
    }
    const plain = Object.entries(c.values).map(([k, v]) => [
      k,
      JSON.stringify(v, (_, x) => (typeof x === 'bigint' ? Number(x) : x)) ?? String(v),
    ]);
    if (plain.length > 0) terminal.print(`\n${columns(plain)}`);
    return 0;
  },
});

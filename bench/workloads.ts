// What is measured, as data: every library builds the same work from the same record.
// In: a subject's name. Out: its workloads. A new one is a record here and a case in each library's file.

export interface Gemm {
  readonly kind: 'gemm';
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly batch?: number;
  /** The left (right) operand is stored transposed. */
  readonly ta?: boolean;
  readonly tb?: boolean;
}
/** A training step of a multi-layer perceptron with ReLU and cross-entropy: fresh batch in, loss read. */
export interface Mlp {
  readonly kind: 'mlp';
  readonly dims: readonly number[];
  readonly batch: number;
  readonly optimizer: 'sgd' | 'adam';
  /** Of SGD. Default 0.1. */
  readonly lr?: number;
  readonly compiled?: boolean;
}
/** The size of a net that reads tokens and says the next one. */
export interface TokenNet {
  readonly layers: number;
  readonly width: number;
  readonly context: number;
  readonly batch: number;
  readonly vocabulary: number;
}
/** A training step of a GPT (blocks of causal attention and a two-layer net) with AdamW: fresh batch in, loss read. */
export interface Gpt extends TokenNet {
  readonly kind: 'gpt';
  readonly heads: number;
}
/** A training step of recurrent layers over characters with Adam: fresh batch in, loss read. */
export interface Recurrent extends TokenNet {
  readonly kind: 'recurrent';
  readonly cell: 'rnn' | 'gru' | 'lstm';
}
/** A training step of a Mamba language model with AdamW: fresh batch in, loss read. */
export interface Mamba extends TokenNet {
  readonly kind: 'mamba';
}
/** LeNet-5 on digits (no widths), or a ResNet of basic blocks on pictures of 32 × 32: a training step, or a forward pass. */
export interface ConvNet {
  readonly kind: 'convnet';
  readonly widths: readonly number[];
  /** Blocks of a width. */
  readonly blocks: number;
  readonly batch: number;
  readonly train: boolean;
}
export interface Rowwise {
  readonly kind: 'softmax' | 'layernorm';
  readonly rows: number;
  readonly cols: number;
}
export interface GeluSum {
  readonly kind: 'gelu-sum';
  readonly size: number;
}
/** One epoch of a shuffled loader over images with labels in memory: every batch made, nothing done with it. */
export interface Loading {
  readonly kind: 'dataloader';
  readonly images: number;
  readonly features: number;
  readonly batch: number;
}
/** One step of an optimizer over parameters that lie there with their gradients. */
export interface OptimizerStep {
  readonly kind: 'optimizer';
  readonly optimizer: 'sgd-momentum' | 'adam';
  readonly shapes: readonly (readonly number[])[];
}
/** Texts written token by token, as a user reads them: a batch of one, drawn from the probabilities, on and on. */
export interface Generation {
  readonly kind: 'generation';
  readonly model: 'gpt' | 'mamba';
  readonly layers: number;
  readonly dModel: number;
  /** Tokens of a call. */
  readonly tokens: number;
  /** Tokens that were read before the first call. */
  readonly after: number;
  /** Longest text of the GPT. */
  readonly contextLength?: number;
}
/** Moving memory: as many bytes read as written, `bytes` together. */
export interface Copy {
  readonly kind: 'copy';
  readonly bytes: number;
}
export type Spec =
  | Gemm
  | Mlp
  | Gpt
  | Recurrent
  | Mamba
  | ConvNet
  | Rowwise
  | GeluSum
  | OptimizerStep
  | Copy
  | Loading
  | Generation;

export interface Workload {
  readonly workload: string;
  readonly spec: Spec;
  /** Multiply-adds counted twice; only where the rate is what one compares. */
  readonly flop?: number;
  /** Bytes read and written, where memory is what limits. */
  readonly bytes?: number;
  /** Tokens that are written; only where the rate is what one compares. */
  readonly tokens?: number;
  /** Samples that go through; only where the rate is what one compares. */
  readonly samples?: number;
}

/** Forward, input gradients of all layers but the first, weight gradients: multiply-adds counted twice. */
export const mlpFlop = ({ dims, batch }: Pick<Mlp, 'dims' | 'batch'>): number => {
  let flop = 0;
  for (let i = 0; i + 1 < dims.length; i++) flop += (i ? 6 : 4) * batch * dims[i]! * dims[i + 1]!;
  return flop;
};

function gemm(m: number, k: number, n: number, options: Pick<Gemm, 'batch' | 'ta' | 'tb'> = {}): Workload {
  const { batch = 1, ta, tb } = options;
  const square = m === k && k === n && !ta && !tb && batch === 1;
  const layout = ta || tb ? `-${ta ? 't' : 'n'}${tb ? 't' : 'n'}` : '';
  return {
    workload: square ? `gemm${n}` : `gemm-${batch > 1 ? `${batch}x` : ''}${m}x${k}x${n}${layout}`,
    spec: { kind: 'gemm', m, k, n, ...options },
    flop: 2 * m * k * n * batch,
  };
}

const mlp = (
  name: string,
  dims: number[],
  batch: number,
  optimizer: Mlp['optimizer'],
  compiled = true,
): Workload => ({
  workload: `${name}-${dims.join('-')}-b${batch}-${optimizer}${compiled ? '' : '-uncompiled'}`,
  spec: { kind: 'mlp', dims, batch, optimizer, compiled },
});

const convNet = (
  workload: string,
  widths: number[],
  blocks: number,
  batch: number,
  train = true,
): Workload => ({
  workload,
  spec: { kind: 'convnet', widths, blocks, batch, train },
});
const gpt = (layers: number, heads: number, width: number, context: number, batch: number): Workload => ({
  workload: `gpt-${layers}l-${heads}h-${width}d-t${context}-b${batch}-adamw`,
  spec: { kind: 'gpt', layers, heads, width, context, batch, vocabulary: 65 },
});

const recurrent = (cell: Recurrent['cell'], context: number, batch = 32): Workload => ({
  workload: `char-${cell}-2x128-t${context}-b${batch}-adam`,
  spec: { kind: 'recurrent', cell, layers: 2, width: 128, context, batch, vocabulary: 65 },
});
const mamba = (context: number, batch: number): Workload => ({
  workload: `mamba-2l-128d-t${context}-b${batch}-adamw`,
  spec: { kind: 'mamba', layers: 2, width: 128, context, batch, vocabulary: 65 },
});
/** Texts that double in length: what grows faster than they do. */
const LENGTHS = [64, 128, 256, 512, 1024, 2048, 4096];

/** The parameters of ResNet-18: 62 tensors, 11.7 million numbers. */
function resnet18(): number[][] {
  const norm = (c: number): number[][] => [[c], [c]];
  const shapes = [[64, 3, 7, 7], ...norm(64)];
  [64, 128, 256, 512].forEach((c, stage) => {
    const before = stage === 0 ? c : c / 2;
    const shortcut = stage === 0 ? [] : [[c, before, 1, 1], ...norm(c)];
    shapes.push([c, before, 3, 3], ...norm(c), [c, c, 3, 3], ...norm(c), ...shortcut);
    shapes.push([c, c, 3, 3], ...norm(c), [c, c, 3, 3], ...norm(c));
  });
  return [...shapes, [1000, 512], [1000]];
}
/** A step, and a plain copy that reads and writes as many bytes. Each number is 4 bytes, `passes` times in or out. */
function optimizerStep(optimizer: OptimizerStep['optimizer'], passes: number): Workload[] {
  const shapes = resnet18();
  const bytes = shapes.reduce((n, s) => n + 4 * passes * s.reduce((a, b) => a * b), 0);
  return [
    { workload: `step-resnet18-${optimizer}`, spec: { kind: 'optimizer', optimizer, shapes }, bytes },
    { workload: `copy-for-${optimizer}`, spec: { kind: 'copy', bytes }, bytes },
  ];
}

const generation = (name: string, spec: Omit<Generation, 'kind' | 'tokens'>): Workload => ({
  workload: `generation-${name}${spec.after > 0 ? `-after-${spec.after}` : ''}`,
  spec: { kind: 'generation', tokens: 32, ...spec },
  tokens: 32,
});

export const SUBJECTS: Readonly<Record<string, readonly Workload[]>> = {
  gemm: [
    ...[64, 128, 256, 512, 1024, 2048].map(n => gemm(n, n, n)),
    gemm(1024, 1024, 1024, { ta: true }),
    gemm(1024, 1024, 1024, { tb: true }),
    gemm(1024, 1024, 1024, { ta: true, tb: true }),
    gemm(128, 784, 10),
    gemm(1000, 777, 333),
    gemm(67, 131, 65),
    gemm(64, 64, 64, { batch: 64 }),
  ],
  steps: [
    mlp('circle-mlp', [2, 4, 4, 2], 128, 'sgd'),
    mlp('rings-mlp', [2, 32, 16, 2], 128, 'adam'),
    mlp('mnist-mlp', [784, 256, 128, 10], 128, 'adam'),
    mlp('circle-mlp', [2, 4, 4, 2], 128, 'sgd', false),
    mlp('rings-mlp', [2, 32, 16, 2], 128, 'adam', false),
  ],
  recurrent: (['rnn', 'gru', 'lstm'] as const).map(cell => recurrent(cell, 64)),
  mamba: [mamba(64, 12)],
  lengths: [
    ...(['rnn', 'gru', 'lstm'] as const).flatMap(cell => LENGTHS.map(length => recurrent(cell, length, 4))),
    ...LENGTHS.map(length => mamba(length, 4)),
  ],
  gpt: [gpt(4, 4, 128, 64, 12), gpt(6, 6, 384, 256, 8)],
  vision: [
    convNet('lenet5-mnist-b128-sgdm', [], 0, 128),
    convNet('resnet20-cifar100-b128-sgdm', [16, 32, 64], 3, 128),
    convNet('resnet18-cifar100-b32-sgdm', [64, 128, 256, 512], 2, 32),
    convNet('resnet18-cifar100-b1-infer', [64, 128, 256, 512], 2, 1, false),
  ],
  kernels: [
    { workload: 'softmax-4096x1024', spec: { kind: 'softmax', rows: 4096, cols: 1024 } },
    { workload: 'layernorm-4096x1024', spec: { kind: 'layernorm', rows: 4096, cols: 1024 } },
    { workload: 'elementwise-gelu-sum-4M', spec: { kind: 'gelu-sum', size: 4_000_000 } },
  ],
  // Parameter, gradient and velocity in, parameter and velocity out; for Adam a second moment in and out.
  optimizer: [...optimizerStep('sgd-momentum', 5), ...optimizerStep('adam', 7)],
  dataloader: [
    {
      workload: 'dataloader-mnist-b128-shuffled',
      spec: { kind: 'dataloader', images: 60_000, features: 784, batch: 128 },
      samples: 60_000,
    },
  ],
  generation: [
    generation('gpt-4l-4h-128d-T256', { model: 'gpt', layers: 4, dModel: 128, contextLength: 256, after: 0 }),
    generation('mamba-2l-128d', { model: 'mamba', layers: 2, dModel: 128, after: 0 }),
    generation('mamba-2l-128d', { model: 'mamba', layers: 2, dModel: 128, after: 8192 }),
  ],
};

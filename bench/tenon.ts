// Tenon itself, through its public API only. TENON_THREADS chooses the threads.

import { DataLoader, TensorDataset } from '../src/data/index.ts';
import {
  Adam,
  compile,
  defaultDevice,
  F,
  getDevice,
  manualSeed,
  randn,
  SGD,
  type Tensor,
  tensor,
  zeros,
} from '../src/index.ts';
import { GPT, generate, type LanguageModel, MambaLM } from '../src/text/index.ts';
import { convNet } from './convnet.ts';
import { gpt, mamba } from './gpt.ts';
import { recurrent } from './recurrent.ts';
import { batches, type Step, serve } from './serve.ts';
import { trainingStep } from './training-step.ts';
import type { Copy, Gemm, Generation, Loading, Mlp, OptimizerStep, Spec } from './workloads.ts';

const device = getDevice(defaultDevice());
manualSeed(0);

function gemm({ m, k, n, batch, ta, tb }: Gemm): Step {
  const lead = batch === undefined ? [] : [batch];
  const a = randn([...lead, ...(ta ? [k, m] : [m, k])]).realize();
  const b = randn([...lead, ...(tb ? [n, k] : [k, n])]).realize();
  return () => (ta ? a.mT : a).matmul(tb ? b.mT : b).realize();
}

function mlp({ dims, batch, optimizer, lr = 0.1, compiled }: Mlp): Step {
  const layers = dims.slice(1).map((out, i) => ({
    w: randn([out, dims[i]!])
      .mul(Math.sqrt(2 / dims[i]!))
      .realize()
      .requiresGrad_(),
    b: zeros([out], { requiresGrad: true }),
  }));
  const parameters = layers.flatMap(({ w, b }) => [w, b]);
  const opt = optimizer === 'adam' ? new Adam(parameters, { lr: 1e-3 }) : new SGD(parameters, { lr });
  const net = (x: Tensor): Tensor => {
    let h = x;
    layers.forEach(({ w, b }, i) => {
      h = F.linear(h, w, b);
      if (i < layers.length - 1) h = h.relu();
    });
    return h;
  };
  const step = trainingStep(net, opt, compiled);
  const data = batches(dims[0]!, dims.at(-1)!, batch);
  return i => step(data[i % data.length]!.x, [batch, dims[0]!], data[i % data.length]!.y);
}

function optimizerStep({ optimizer, shapes }: OptimizerStep): Step {
  const parameters = shapes.map(s =>
    randn([...s])
      .realize()
      .requiresGrad_(),
  );
  for (const p of parameters) p.grad = randn(p.shape).realize();
  const opt = optimizer === 'adam' ? new Adam(parameters) : new SGD(parameters, { momentum: 0.9 });
  return compile(() => void opt.step());
}
function generation({ model: kind, layers, dModel, tokens, after, contextLength = 64 }: Generation): Step {
  const V = 65;
  const model =
    kind === 'gpt' ? new GPT(V, { layers, dModel, contextLength }) : new MambaLM(V, { layers, dModel });
  const next = (model.eval() as LanguageModel).reader();
  const text = Array.from({ length: Math.max(after, 1) }, (_, i) => i % V);
  return async () => {
    for await (const id of generate(next, text, { tokens })) text.push(id);
  };
}
/** The machine's own copy, in one thread. */
function copy({ bytes }: Copy): Step {
  const [from, to] = [0, 1].map(x => new Float32Array(new SharedArrayBuffer(bytes / 2)).fill(x));
  return () => to!.set(from!);
}

function loading({ images, features, batch }: Loading): Step {
  const x = Float32Array.from({ length: images * features }, (_, i) => (i % 256) / 255);
  const y = BigInt64Array.from({ length: images }, (_, i) => BigInt(i % 10));
  const dataset = new TensorDataset(
    { data: x, shape: [images, features], dtype: 'float32' },
    { data: y, shape: [images], dtype: 'int64' },
  );
  const loader = new DataLoader(dataset, { batchSize: batch, shuffle: true });
  return () => {
    let seen = 0;
    for (const [x, y] of loader) seen += x.shape[0]! + 0 * y.shape[0]!;
    if (seen !== images) throw new Error(`${seen} of ${images} samples came`);
  };
}

const gelu = (x: Tensor) => x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5);
/** Layer normalization in plain operations: it becomes one kernel. */
function layerNorm(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const d = x.sub(x.mean(-1, { keepdim: true }));
  return d
    .mul(d.square().mean(-1, { keepdim: true }).add(1e-5).rsqrt())
    .mul(weight)
    .add(bias);
}

function prepare(spec: Spec): Step {
  switch (spec.kind) {
    case 'gemm':
      return gemm(spec);
    case 'mlp':
      return mlp(spec);
    case 'gpt':
      return gpt(spec);
    case 'recurrent':
      return recurrent(spec);
    case 'mamba':
      return mamba(spec);
    case 'convnet':
      return convNet(spec);
    case 'softmax': {
      const x = randn([spec.rows, spec.cols]).realize();
      return () => x.softmax(-1).realize();
    }
    case 'layernorm': {
      const x = randn([spec.rows, spec.cols]).realize();
      const [weight, bias] = [tensor(new Float32Array(spec.cols).fill(1)), zeros([spec.cols])];
      return () => layerNorm(x, weight, bias).realize();
    }
    case 'optimizer':
      return optimizerStep(spec);
    case 'generation':
      return generation(spec);
    case 'copy':
      return copy(spec);
    case 'dataloader':
      return loading(spec);
    case 'gelu-sum': {
      const x = randn([spec.size]).realize();
      return () => gelu(x.mul(2).add(1)).sum().itemSync();
    }
  }
}

// The workers start in the background; what is measured begins when they are there.
await new Promise(resolve => setTimeout(resolve, 400));
const about = device.describe();
const threads = Number(about.threads);
const library = about.blas ? ` and ${String(about.blasLibrary).split(' ').slice(0, 2).join(' ')}` : '';
serve({
  name: 'tenon',
  setting: `${device.name}${library}, ${threads} thread${threads === 1 ? '' : 's'}`,
  threads,
  device: about.blas ? 'cpu-blas' : 'cpu',
  prepare,
});

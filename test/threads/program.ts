// What the threads suite runs in processes of its own: prints a hash of the bits of each result.

import { createHash } from 'node:crypto';
import { compile, F, getDevice, manualSeed, randn, type Tensor } from '../../src/index.ts';

const device = getDevice('cpu');
const threads = Number(device.describe()['threads']);
// Nothing may depend on whether the workers are up: half of the results are made before they are.
const settle = (): Promise<void> => new Promise(r => setTimeout(r, threads > 1 ? 300 : 0));

const print: Record<string, string> = {};
function note(name: string, t: Tensor): void {
  const data = t.dataSync();
  print[name] = createHash('sha1')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex');
}
function results(when: string): void {
  manualSeed(3);
  const x = randn([1_000_003]);
  const m = randn([1000, 333]);
  for (const [name, f] of Object.entries<(t: Tensor) => Tensor>({
    sum: t => t.sum(),
    mean: t => t.exp().mean(),
    norm: t => t.norm(),
    prod: t => t.mul(1e-3).add(1).prod(),
    max: t => t.amax(),
    argmax: t => t.argmax(),
    var: t => t.var(),
    logsumexp: t => t.logsumexp(0),
  }))
    note(`${when} ${name}`, f(x));
  note(`${when} columns`, randn([60_000, 7]).sum(0));
  note(`${when} rows`, m.softmax(-1));
  note(`${when} product`, m.matmul(randn([333, 77])).relu());
  note(
    `${when} batches`,
    randn([5, 90, 70])
      .matmul(randn([70, 65]))
      .add(1)
      .exp(),
  );
  note(`${when} inner`, m.mT.matmul(m));
  const w = randn([333, 10]).realize().requiresGrad_();
  const step = compile((a: Tensor) => {
    const loss = F.linear(a, w.mT).square().mean();
    loss.backward();
    return loss.add(w.grad!.abs().sum());
  });
  note(`${when} step`, step(m));
  const q = randn([3, 4, 100, 16]).realize().requiresGrad_();
  const y = F.scaledDotProductAttention(q, q, q, { isCausal: true, dropoutP: 0.1 });
  y.square().sum().backward();
  note(`${when} attention`, y);
  note(`${when} attention’s gradient`, q.grad!);
}
results('early');
await settle();
results('late');
process.stdout.write(`${JSON.stringify({ threads, blas: device.describe()['blas'], print })}\n`, () =>
  process.exit(0),
);

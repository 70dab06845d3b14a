// What the suite of the native BLAS runs in processes of its own: products of every kind, the bytes of their numbers in base64.

import { compile, F, getDevice, manualSeed, randn, type Tensor } from '../../src/index.ts';

const device = getDevice('cpu');
manualSeed(5);
const out: Record<string, string> = {};
const note = (name: string, t: Tensor): void => {
  const { buffer, byteOffset, byteLength } = t.dataSync();
  out[name] = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
};
for (const [m, k, n] of [
  [64, 64, 64],
  [67, 131, 65],
  [128, 784, 10],
  [128, 784, 20],
  [5, 700, 333],
  [300, 9, 200],
] as const) {
  const name = `${m}x${k}x${n}`;
  const [a, b, bias] = [randn([m, k]).realize(), randn([k, n]).realize(), randn([n]).realize()];
  const [at, bt] = [randn([k, m]).realize(), randn([n, k]).realize()];
  note(name, a.matmul(b));
  note(`${name} left transposed`, at.mT.matmul(b));
  note(`${name} right transposed`, a.matmul(bt.mT));
  note(`${name} both transposed`, at.mT.matmul(bt.mT));
  note(`${name} with bias and relu`, a.matmul(b).add(bias).relu());
  note(
    `${name} a slice`,
    randn([m + 3, k + 5])
      .realize()
      .narrow(0, 2, m)
      .narrow(1, 1, k)
      .matmul(b),
  );
  note(`${name} two results`, a.matmul(b).sigmoid().add(a.matmul(b)));
  note(`${name} a result in bfloat16`, a.matmul(b).to('bfloat16').to('float32'));
}
const batch = randn([6, 70, 60]).realize();
note('batches', batch.matmul(randn([6, 60, 65])));
note('batches of one matrix', batch.matmul(randn([60, 65])).mul(2));
note(
  'a batch of two dims',
  batch
    .reshape([2, 3, 70, 60])
    .matmul(randn([3, 60, 65]))
    .add(1),
);
// float64 and integers stay with us.
note('float64', batch.to('float64').matmul(batch.to('float64').mT).to('float32'));
const w = randn([200, 90]).realize().requiresGrad_();
const step = compile((x: Tensor) => {
  const loss = F.linear(x, w.mT).tanh().square().mean();
  loss.backward();
  return w.grad!.add(loss);
});
note('a gradient', step(randn([150, 200])));
const about = device.describe();
process.stdout.write(JSON.stringify({ blas: about['blas'], library: about['blasLibrary'], out }), () =>
  process.exit(0),
);

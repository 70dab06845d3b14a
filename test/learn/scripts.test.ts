// The training scripts of the notes, line by line in TypeScript: rings with momentum and a rate that is halved, and the MLP on
// MNIST. What PyTorch's users write runs unchanged in structure.

import { describe, expect, it } from 'vitest';
import * as data from '../../src/data/index.ts';
import {
  cat,
  F,
  manualSeed,
  nn,
  noGrad,
  optim,
  randn,
  stack,
  type Tensor,
  tensor,
  zeros,
} from '../../src/index.ts';

const { DataLoader, TensorDataset } = data;

function makeRings(n = 2000, rIn = 1, rOut = 2, noise = 0.1): [Tensor, Tensor] {
  const m = Math.floor(n / 2);
  const angles = [m, n - m].map(k => zeros([k]).uniform_(0, 2 * Math.PI));
  const r1 = randn([m]).mul(noise).add(rIn);
  const r2 = randn([n - m])
    .mul(noise)
    .add(rOut);
  const ring = (r: Tensor, a: Tensor): Tensor => stack([r.mul(a.cos()), r.mul(a.sin())], 1); // (m, 2)
  const X = cat([ring(r1, angles[0]!), ring(r2, angles[1]!)]); // (n, 2)
  const y = tensor(BigInt64Array.from({ length: n }, (_, i) => (i < m ? 0n : 1n)));
  return [
    X.sub(X.mean(0))
      .div(X.std(0, { correction: 0 }).add(1e-8))
      .realize(),
    y,
  ];
}
class RingNet extends nn.Module {
  readonly fc1 = new nn.Linear(2, 32);
  readonly fc2 = new nn.Linear(32, 16);
  readonly fc3 = new nn.Linear(16, 2);
  constructor() {
    super();
    nn.init.kaimingNormal_(this.fc1.weight, { nonlinearity: 'relu' });
    nn.init.kaimingNormal_(this.fc2.weight, { nonlinearity: 'relu' });
    nn.init.xavierNormal_(this.fc3.weight);
  }
  forward(x: Tensor): Tensor {
    x = F.relu(this.fc1(x));
    x = F.relu(this.fc2(x));
    return this.fc3(x);
  }
}

describe('the notes’ scripts', () => {
  it('rings: momentum .9, the rate halved every 10 epochs', () => {
    manualSeed(0);
    const [X, y] = makeRings();
    const ds = new TensorDataset(X, y);
    const loader = new DataLoader(ds, { batchSize: 128, shuffle: true });

    const device = 'cpu';
    const model = new RingNet().to(device);
    const opt = new optim.SGD(model.parameters(), { lr: 1e-2, momentum: 0.9 });
    const sched = new optim.StepLR(opt, { stepSize: 10, gamma: 0.5 });
    const crit = new nn.CrossEntropyLoss();
    const rates: number[] = [];
    let last = Number.NaN;

    for (let ep = 1; ep <= 30; ep++) {
      model.train();
      for (let [xb, yb] of loader) {
        [xb, yb] = [xb.to(device), yb.to(device)];
        const logits = model(xb);
        const loss = crit(logits, yb);
        opt.zeroGrad();
        loss.backward();
        opt.step();
        last = loss.itemSync();
      }
      sched.step();
      if (ep % 10 === 0) rates.push(opt.paramGroups[0]!.lr);
    }
    expect(rates).toEqual([0.005, 0.0025, 0.00125]);
    expect(last).toBeLessThan(0.05);
    model.eval();
    const right = noGrad(() => model(X).argmax(1).eq(y).to('float32').mean().itemSync());
    expect(right).toBeGreaterThan(0.99);
  });

  it.skipIf(process.env['TENON_DATA'] === undefined)(
    'MNIST: 784-256-128-10, Adam, one epoch of the eight (needs MNIST in TENON_DATA)',
    async () => {
      manualSeed(42);
      const device = 'cpu';
      const trainDs = await data.mnist({ split: 'train' });
      const testDs = await data.mnist({ split: 'test' });
      const trainLoader = new DataLoader(trainDs, { batchSize: 128, shuffle: true });
      const testLoader = new DataLoader(testDs, { batchSize: 256, shuffle: false });

      class MLP extends nn.Module {
        readonly fc1 = new nn.Linear(28 * 28, 256);
        readonly fc2 = new nn.Linear(256, 128);
        readonly fc3 = new nn.Linear(128, 10);
        constructor() {
          super();
          nn.init.kaimingNormal_(this.fc1.weight, { nonlinearity: 'relu' });
          nn.init.kaimingNormal_(this.fc2.weight, { nonlinearity: 'relu' });
          nn.init.xavierNormal_(this.fc3.weight);
        }
        forward(x: Tensor): Tensor {
          x = x.view(x.size(0), -1);
          x = F.relu(this.fc1(x));
          x = F.relu(this.fc2(x));
          x = this.fc3(x);
          return x;
        }
      }
      const model = new MLP().to(device);
      const opt = new optim.Adam(model.parameters(), { lr: 1e-3 });
      const crit = new nn.CrossEntropyLoss();

      const evaluate = (m: MLP): [loss: number, accuracy: number] => {
        m.eval();
        let [correct, total, lossSum] = [0, 0, 0];
        noGrad(() => {
          for (let [x, y] of testLoader) {
            [x, y] = [x.to(device), y.to(device)];
            const logits = m(x);
            const loss = crit(logits, y);
            lossSum += loss.itemSync() * x.size(0);
            const pred = logits.argmax(1);
            correct += pred.eq(y).sum().itemSync();
            total += x.size(0);
          }
        });
        return [lossSum / total, correct / total];
      };

      model.train();
      for (let [x, y] of trainLoader) {
        [x, y] = [x.to(device), y.to(device)];
        const logits = model(x);
        const loss = crit(logits, y);
        opt.zeroGrad();
        loss.backward();
        opt.step();
      }
      const [testLoss, testAcc] = evaluate(model);
      expect(testAcc).toBeGreaterThan(0.95);
      expect(testLoss).toBeLessThan(0.2);
    },
    120_000,
  );
});

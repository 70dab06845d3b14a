// Modules in compiled steps: modes, freezing, options, hooks and replaced parameters are seen at the next call.

import { describe, expect, test } from 'vitest';
import {
  compile,
  F,
  manualSeed,
  nn,
  noGrad,
  ones,
  randn,
  SGD,
  type Tensor,
  tensor,
} from '../../src/index.ts';

const numbers = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array, Number);
class Net extends nn.Module {
  readonly fc1 = new nn.Linear(3, 8);
  readonly bn = new nn.BatchNorm1d(8);
  readonly drop = new nn.Dropout(0.5);
  fc2 = new nn.Linear(8, 2);
  forward(x: Tensor): Tensor {
    return this.fc2(this.drop(this.bn(this.fc1(x)).relu()));
  }
}
function twins(): [Net, Net] {
  const [a, b] = [new Net(), new Net()];
  b.loadStateDict(a.stateDict());
  return [a, b];
}
const x = randn([6, 3]).realize();
const y = randn([6, 2]).realize();

describe('compiled modules', () => {
  test('train and eval flips between calls: the same as uncompiled, and each mode is recorded once', () => {
    manualSeed(3);
    const [a, b] = twins();
    const step = compile((x: Tensor) => a(x));
    const results: number[][][] = [[], []];
    for (const [i, net] of [a, b].entries()) {
      manualSeed(11);
      for (const train of [true, true, false, true, false, false, true]) {
        net.train(train);
        results[i]!.push(numbers(i === 0 ? step(x) : net(x)));
      }
    }
    expect(results[0]).toEqual(results[1]);
    expect(numbers(a.bn.running_var!)).toEqual(numbers(b.bn.running_var!));
    expect(numbers(a.bn.num_batches_tracked!)).toEqual([4]);
    // In eval nothing is random; in training every call draws anew.
    expect(results[0]![4]).toEqual(results[0]![5]);
    expect(results[0]![0]).not.toEqual(results[0]![1]);
    expect(step.stats).toMatchObject({ captures: 2, traces: 4 });
  });
  test('flips inside the step happen at each call', () => {
    const [a, b] = twins();
    const both = (net: Net) => (x: Tensor) => {
      net.train();
      const noisy = net(x);
      net.eval();
      return [noisy, net(x)];
    };
    const step = compile(both(a));
    for (let i = 0; i < 4; i++) {
      if (i === 2) for (const net of [a, b]) net.train();
      manualSeed(i);
      const want = both(b)(x).map(numbers);
      manualSeed(i);
      expect(step(x).map(numbers)).toEqual(want);
      expect(a.training).toBe(false);
      expect(a.bn.training).toBe(false);
    }
    // Another step, recorded in training mode, is not used after the first has left eval mode behind.
    const [net] = twins();
    const plain = compile((x: Tensor) => net(x));
    const flips = compile((x: Tensor) => {
      net.eval();
      return net(x);
    });
    net.train();
    const inTraining = numbers(plain(x));
    const quiet = numbers(flips(x));
    expect(numbers(plain(x))).toEqual(quiet);
    expect(inTraining).not.toEqual(quiet);
  });
  test('a step that throws leaves modes as they were', () => {
    const [net] = twins();
    const step = compile((x: Tensor) => {
      net.eval();
      return net(x.narrow(1, 0, 2));
    });
    expect(() => step(x)).toThrow('in fc1: Linear');
    expect(net.training && net.bn.training).toBe(true);
  });
  test('frozen parameters stay, in a step that was recorded before', () => {
    const net = new Net().eval();
    const opt = new SGD(net.parameters(), { lr: 0.1 });
    const step = compile((x: Tensor, y: Tensor) => {
      opt.zeroGrad();
      const loss = F.mseLoss(net(x), y);
      loss.backward();
      opt.step();
      return loss;
    });
    const [w1, w2] = [() => numbers(net.fc1.weight), () => numbers(net.fc2.weight)];
    for (let i = 0; i < 3; i++) step(x, y);
    net.fc1.requiresGrad_(false);
    const [before, other] = [w1(), w2()];
    for (let i = 0; i < 3; i++) step(x, y);
    expect(w1()).toEqual(before);
    expect(w2()).not.toEqual(other);
    net.requiresGrad_(true);
    step(x, y);
    expect(w1()).not.toEqual(before);
  });
  test('options, replaced layers, replaced parameters and hooks are seen', () => {
    const [net] = twins();
    net.eval();
    const step = compile((x: Tensor) => net(x));
    const same = (): void => {
      for (let i = 0; i < 3; i++) expect(numbers(step(x))).toEqual(numbers(net(x)));
    };
    same();
    net.fc2 = new nn.Linear(8, 4);
    expect(step(x).shape).toEqual([6, 4]);
    same();
    net.fc2.weight = new nn.Parameter(ones([4, 8]));
    same();
    net.fc2.bias = null;
    same();
    const remove = net.fc1.registerForwardHook((_, __, out) => (out as Tensor).mul(3));
    same();
    remove();
    same();
  });
  test('an option of a layer that changes between calls is seen, without an error', () => {
    const drop = new nn.Dropout(0) as nn.Dropout & { p: number };
    const step = compile((x: Tensor) => drop(x));
    for (let i = 0; i < 3; i++) expect(numbers(step(x))).toEqual(numbers(x));
    drop.p = 1;
    for (let i = 0; i < 3; i++) expect(numbers(step(x))).toEqual(new Array(18).fill(0));
  });
  test('a module may be an argument: another one of the same form is another step', () => {
    const [a, b] = [new nn.Linear(3, 2), new nn.Linear(3, 2)];
    const step = compile((net: nn.Linear, x: Tensor) => net(x));
    for (const net of [a, a, a, b, b, b, a]) expect(numbers(step(net, x))).toEqual(numbers(net(x)));
  });
  test('spectral norm iterates in a compiled step as outside', () => {
    const [a, b] = [new nn.Linear(4, 3), new nn.Linear(4, 3)];
    b.loadStateDict(a.stateDict());
    for (const m of [a, b]) nn.spectralNorm(m);
    b.loadStateDict(a.stateDict());
    const step = compile((x: Tensor) => a(x));
    const z = randn([2, 4]);
    for (let i = 0; i < 4; i++) expect(numbers(step(z))).toEqual(numbers(b(z)));
    expect(numbers((a as unknown as { weight_u: Tensor }).weight_u)).toEqual(
      numbers((b as unknown as { weight_u: Tensor }).weight_u),
    );
  });
  test('clipping in a step equals clipping outside', () => {
    const [a, b] = twins();
    for (const net of [a, b]) net.eval();
    const train = (net: Net) => {
      const opt = new SGD(net.parameters(), { lr: 0.1 });
      return (x: Tensor, y: Tensor) => {
        opt.zeroGrad();
        const loss = F.mseLoss(net(x), y).mul(100);
        loss.backward();
        const norm = nn.clipGradNorm_(net.parameters(), 0.5);
        opt.step();
        return [loss, norm];
      };
    };
    const [step, plain] = [compile(train(a)), train(b)];
    for (let i = 0; i < 4; i++) {
      const [got, want] = [step(x, y).map(numbers), plain(x, y).map(numbers)];
      got.flat().forEach((v, k) => {
        expect(v).toBeCloseTo(want.flat()[k]!, 4);
      });
      expect(got[1]![0]).toBeGreaterThan(0.5);
    }
    const norm = Math.hypot(...b.parameters().flatMap(p => numbers(p.grad!)));
    expect(norm).toBeCloseTo(0.5, 4);
  });
});

describe('uncompiled modules', () => {
  test('what a model returns is computed with the step, by its parameters of then', () => {
    const net = new nn.Linear(2, 1);
    noGrad(() => {
      net.weight.copy_(tensor([[1, 2]]));
      net.bias!.zero_();
    });
    const opt = new SGD(net.parameters(), { lr: 1 });
    const out = net(tensor([[3, 4]]));
    out.sum().backward();
    opt.step();
    expect(out.node().value).not.toBe(null);
    expect(numbers(out)).toEqual([11]);
    expect(numbers(net.weight)).toEqual([-2, -2]);
  });
  test('running statistics do not pile up as a graph', () => {
    const bn = new nn.BatchNorm1d(3);
    for (let i = 0; i < 5; i++) {
      bn(randn([4, 3]))
        .sum()
        .dataSync();
      expect(bn.running_mean!.node().value).not.toBe(null);
    }
  });
});

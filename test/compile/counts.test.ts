// R12, R17: what makes a new plan and what makes new code. The null device compiles like cpu and runs nothing.

import { beforeAll, describe, expect, it } from 'vitest';
import {
  Adam,
  compile,
  F,
  manualSeed,
  memory,
  randn,
  range,
  SGD,
  type Tensor,
  tensor,
  useDevice,
  zeros,
} from '../../src/index.ts';
import { counters } from '../../src/tensor/realize.ts';

const device = 'null';
/** What the device keeps to itself: the number of the next kind of code. */
let machine: { nextFunction: number };
beforeAll(async () => {
  machine = (await useDevice(device)) as unknown as typeof machine;
});
/** Plans and kinds of code made by a piece of program. */
function made(body: () => unknown): { plans: number; code: number } {
  const [plans, code] = [counters.compiles, machine.nextFunction];
  body();
  return { plans: counters.compiles - plans, code: machine.nextFunction - code };
}
const NOTHING = { plans: 0, code: 0 };

function net(sizes: readonly number[], optimizer: (params: Tensor[]) => SGD | Adam) {
  const layers = sizes.slice(1).map((n, i) => ({
    weight: randn([n, sizes[i]!], { device }).requiresGrad_(),
    bias: zeros([n], { device }).requiresGrad_(),
  }));
  const o = optimizer(layers.flatMap(l => [l.weight, l.bias]));
  const step = (x: Tensor, y: Tensor): Tensor => {
    o.zeroGrad();
    let h = x;
    layers.forEach((l, i) => {
      h = F.linear(h, l.weight, l.bias);
      if (i < layers.length - 1) h = F.dropout(h.relu(), { p: 0.1 });
    });
    const loss = F.crossEntropy(h, y);
    loss.backward();
    o.step();
    return loss;
  };
  return { o, step, compiled: compile(step) };
}
const batch = (n: number, width: number): [Tensor, Tensor] => [
  tensor(new Float32Array(n * width), { shape: [n, width], device }),
  tensor(new Int32Array(n), { dtype: 'int64', device }),
];

describe('the same structure', () => {
  it.each([true, false])('compiles once, compiled: %s', compiled => {
    const n = net([2, 32, 16, 2], p => new Adam(p, { lr: 0.1 }));
    const run = compiled ? n.compiled : n.step;
    const call = (): void => void run(...batch(128, 2)).itemSync();
    // The first step makes the optimizer's state; gradients are there from the second on.
    for (let i = 0; i < 3; i++) call();
    const again = made(() => {
      for (let i = 0; i < 20; i++) {
        n.o.paramGroups[0]!.lr *= 0.9;
        call();
      }
    });
    expect(again).toEqual(NOTHING);
  });
  it('step count, learning rate, momentum, draws, slice starts and number arguments are no part of it', () => {
    const n = net([4, 8, 3], p => new SGD(p, { lr: 0.1, momentum: 0.5 }));
    const x = zeros([50, 4], { device }).realize();
    const f = compile((t: Tensor, k: number) => t.mul(k).sum());
    const call = (i: number): void => {
      const g = n.o.paramGroups[0]!;
      Object.assign(g, { lr: 0.1 / (i + 1), momentum: 0.5 + 0.01 * i });
      n.step(x.narrow(0, i, 10), batch(10, 4)[1]).itemSync();
      f(x, 0.1 * i).itemSync();
      manualSeed(i);
    };
    for (let i = 0; i < 3; i++) call(i);
    expect(
      made(() => {
        for (let i = 3; i < 20; i++) call(i);
      }),
    ).toEqual(NOTHING);
  });
  it('is found again by functions of the same form', () => {
    const x = zeros([30, 30], { device }).realize();
    compile((t: Tensor) => t.mul(2).softmax(1))(x);
    expect(made(() => compile((t: Tensor) => t.mul(2).softmax(1))(x))).toEqual(NOTHING);
    expect(made(() => x.mul(2).softmax(1).realize())).toEqual(NOTHING);
  });
});

describe('where a slice begins', () => {
  const data = (): Tensor => zeros([200, 4], { device }).realize();
  it.each<readonly [what: string, read: (x: Tensor, i: number) => Tensor]>([
    [
      'narrow',
      (x, i) =>
        x
          .narrow(0, i * 9, 8)
          .mul(2)
          .sum(),
    ],
    ['select', (x, i) => x.select(0, i).exp()],
    ['at a position', (x, i) => x.at(i)],
    ['at a range', (x, i) => x.at(range(i, i + 3)).sum(0)],
    ['a step of batches', (x, i) => x.at(range(i * 8, i * 8 + 8)).matmul(x.T)],
  ])('is no part of an uncompiled plan: %s', (_, read) => {
    const x = data();
    read(x, 0).realize();
    const after = made(() => {
      for (let i = 1; i < 22; i++) read(x, i).realize();
    });
    expect(after).toEqual(NOTHING);
  });
  it('is no part of it where rows are replaced', () => {
    const x = data();
    const put = (i: number): void => {
      x.narrow(0, i, 2).copy_(tensor([i, 0, 0, 1], { device }));
      x.realize();
    };
    put(1);
    put(2);
    expect(
      made(() => {
        for (let i = 3; i < 40; i++) put(i);
      }),
    ).toEqual(NOTHING);
  });
  it('may be an argument of a compiled function, a number or a tensor', () => {
    const x = data();
    const f = compile((x: Tensor, i: number) => x.narrow(0, i, 3).add(x.select(0, i)).add(x.at(i)));
    const g = compile((x: Tensor, i: Tensor) => x.narrow(0, i, 3).add(x.select(0, i)));
    const both = (i: number): void => {
      f(x, i);
      g(x, tensor(i, { dtype: 'int64', device }));
    };
    both(0);
    both(1);
    expect(
      made(() => {
        for (let i = 2; i < 40; i++) both(i);
      }),
    ).toEqual(NOTHING);
  });
});

describe('another size', () => {
  it('of the last batch is a new plan, not new code', () => {
    const n = net([2, 4, 4, 2], p => new SGD(p, { lr: 0.1 }));
    for (let i = 0; i < 2; i++) n.compiled(...batch(128, 2));
    expect(made(() => n.compiled(...batch(100, 2)))).toEqual({ plans: 1, code: 0 });
    expect(made(() => n.compiled(...batch(128, 2)))).toEqual(NOTHING);
    expect(made(() => n.compiled(...batch(64, 2)))).toEqual({ plans: 1, code: 0 });
  });
  it('makes new code for another tail only: all batch sizes of a larger net share a few kinds', () => {
    const n = net([20, 40, 30, 10], p => new Adam(p));
    for (let i = 0; i < 2; i++) n.compiled(...batch(128, 20));
    const code: number[] = [];
    for (let k = 127; k > 16; k--) code.push(made(() => n.compiled(...batch(k, 20))).code);
    // After one round of all tails (of 6 rows, 8 columns, 4 steps) hardly anything new comes.
    const after = code.slice(24).reduce((a, b) => a + b, 0);
    expect(after).toBeLessThanOrEqual(12);
  });
  it('of a text that grows by one token each time is not new code each time', () => {
    const row = (t: number): Tensor => zeros([4, t, 32], { device }).realize();
    const attend = (x: Tensor): Tensor => x.matmul(x.mT).mul(0.2).softmax(-1).matmul(x);
    let late = 0;
    for (let t = 20; t < 160; t++) {
      const x = row(t);
      const { code } = made(() => attend(x).realize());
      if (t >= 90) late += code;
    }
    expect(late).toBeLessThanOrEqual(6);
  });
});

describe('what is another structure', () => {
  const x = (): Tensor => zeros([5, 6], { device }).realize();
  const CHANGES: readonly [string, (f: (t: Tensor, mode: string) => Tensor) => unknown][] = [
    ['dtype', f => f(x().to('float64').realize(), 'one')],
    ['rank', f => f(x().reshape(1, 5, 6).realize(), 'one')],
    ['a string argument', f => f(x(), 'other')],
  ];
  it.each(CHANGES)('%s', (_, call) => {
    let traces = 0;
    const f = compile((t: Tensor, mode: string): Tensor => {
      traces++;
      return mode === 'one' ? t.exp().sum() : t.sin().sum();
    });
    for (let i = 0; i < 4; i++) f(x(), 'one');
    // Recorded once, and once more to compare.
    expect(traces).toBe(2);
    call(f as (t: Tensor, mode: string) => Tensor);
    expect(traces).toBe(3);
    expect(f.stats.captures).toBe(2);
  });
});

describe('the cache of plans', () => {
  it('holds a limited number; what was dropped is made again when it is called', () => {
    const f = compile((t: Tensor) => t.mul(3).sum());
    const x = zeros([7], { device }).realize();
    f(x);
    f(x);
    const one = memory(device)['plans']!;
    for (let n = 1; n <= 1100; n++) zeros([n], { device }).realize().at(range(null, null)).add(n).realize();
    expect(memory(device)['plans']!).toBeLessThan(one + 600 * 400);
    expect(made(() => f(x)).plans).toBe(1);
    expect(made(() => f(x))).toEqual(NOTHING);
  });
});

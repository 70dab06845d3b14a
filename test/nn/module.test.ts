// Modules: what is found by assignment, in which order, hooks, state dicts, printing.

import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { nn, noGrad, ones, randn, type Tensor, tensor, zeros } from '../../src/index.ts';

class Net extends nn.Module {
  readonly fc1 = new nn.Linear(4, 3);
  readonly scale: nn.Parameter;
  readonly fc2: nn.Linear;
  constructor() {
    super();
    this.fc2 = new nn.Linear(3, 2, { bias: false });
    this.scale = new nn.Parameter(ones([3]));
    this.registerBuffer('seen', zeros([]));
    this.registerBuffer('cache', zeros([2]), { persistent: false });
  }
  forward(x: Tensor): Tensor {
    return this.fc2(this.fc1(x).relu().mul(this.scale));
  }
}
const numbers = (t: Tensor): number[] => Array.from(t.dataSync() as Float32Array);
const names = (list: readonly (readonly [string, unknown])[]): string[] => list.map(([name]) => name);

describe('registration', () => {
  test('parameters come before those of children, in the order of assignment', () => {
    const net = new Net();
    expect(names(net.namedParameters())).toEqual(['scale', 'fc1.weight', 'fc1.bias', 'fc2.weight']);
    expect(names(net.namedModules())).toEqual(['', 'fc1', 'fc2']);
    expect(names(net.namedBuffers())).toEqual(['seen', 'cache']);
    expect(Object.keys(net.stateDict())).toEqual(['scale', 'seen', 'fc1.weight', 'fc1.bias', 'fc2.weight']);
  });
  test('a shared module counts once as module and under each name in the state', () => {
    class Tied extends nn.Module {
      readonly a = new nn.Linear(2, 2);
      readonly b = this.a;
      readonly c = new nn.Linear(2, 2);
      constructor() {
        super();
        this.c.weight = this.a.weight;
      }
      forward(x: Tensor): Tensor {
        return this.c(this.b(this.a(x)));
      }
    }
    const m = new Tied();
    expect(names(m.namedParameters())).toEqual(['a.weight', 'a.bias', 'c.bias']);
    expect(Object.keys(m.stateDict())).toEqual([
      'a.weight',
      'a.bias',
      'b.weight',
      'b.bias',
      'c.weight',
      'c.bias',
    ]);
    expect(names(m.namedModules())).toEqual(['', 'a', 'c']);
  });
  test('null keeps a place without state; deleted fields are gone; lists of layers are not seen', () => {
    const fc = new nn.Linear(2, 3, { bias: false });
    expect(Object.keys(fc.stateDict())).toEqual(['weight']);
    fc.bias = new nn.Parameter(zeros([3]));
    expect(Object.keys(fc.stateDict())).toEqual(['weight', 'bias']);
    delete (fc as { bias?: unknown }).bias;
    expect(fc.parameters()).toHaveLength(1);
    class Hidden extends nn.Module {
      readonly layers = [new nn.Linear(2, 2)];
      readonly #inner = new nn.Linear(2, 2);
      forward(x: Tensor): Tensor {
        return this.#inner(this.layers[0]!(x));
      }
    }
    const hidden = new Hidden();
    expect(hidden.parameters()).toHaveLength(0);
    expect(hidden(ones([1, 2])).shape).toEqual([1, 2]);
  });
  test('a field keeps its kind', () => {
    const fc = new nn.Linear(2, 3);
    expect(() => {
      (fc as { weight: Tensor }).weight = zeros([3, 2]);
    }).toThrow('Linear: the field weight takes a Parameter or null, got Tensor. wrap the tensor');
    expect(() => fc.registerBuffer('a.b', null)).toThrow("must not be empty nor have a dot, got 'a.b'");
    expect(() => fc.registerBuffer('forward', null)).toThrow(
      "a name must be free, got 'forward', which is taken",
    );
    expect(() => new nn.Linear(2, 3).getSubmodule('x')).toThrow("Linear has no modules below, got 'x'");
  });
  test('fields may have the names of what functions have', () => {
    class Named extends nn.Module {
      override name = 'x';
      override readonly length = new nn.Linear(1, 1);
      forward(x: Tensor): Tensor {
        return this.length(x);
      }
    }
    expect(names(new Named().namedParameters())).toEqual(['length.weight', 'length.bias']);
    expect('name' in new nn.Identity()).toBe(false);
  });
});

describe('calls', () => {
  test('a call runs forward; an error names the module', () => {
    const net = new Net();
    expect(net(randn([5, 4])).shape).toEqual([5, 2]);
    expect(net).toBeInstanceOf(nn.Module);
    expect(() => net(randn([5, 3]))).toThrow(
      /^linear: the last dim .* \(in fc1: Linear\(in_features=4, out_features=3, bias=True\)\)$/,
    );
    try {
      net(randn([5, 3]));
    } catch (e) {
      expect((e as Error).stack!.match(/in fc1/g)).toHaveLength(1);
    }
  });
  test('hooks see and replace inputs, outputs and gradients, and can be removed', () => {
    const fc = new nn.Linear(2, 2);
    const seen: string[] = [];
    const remove = [
      fc.registerForwardPreHook((_, [x]) => {
        seen.push('before');
        return [(x as Tensor).mul(2)];
      }),
      fc.registerForwardHook((_, [x], y) => {
        seen.push(`after ${numbers(x as Tensor)}`);
        return (y as Tensor).add(1);
      }),
    ];
    const x = tensor([[1, 2]]);
    const plain = fc.forward(x.mul(2)).add(1);
    expect(numbers(fc(x))).toEqual(numbers(plain));
    expect(seen).toEqual(['before', 'after 2,4']);
    for (const r of remove) r();
    expect(numbers(fc(x))).toEqual(numbers(fc.forward(x)));
  });
  test('backward hooks get the gradients of inputs and outputs, several of them included', () => {
    class Two extends nn.Module {
      forward(a: Tensor, b: Tensor): [Tensor, Tensor] {
        return [a.mul(b), a.add(b)];
      }
    }
    const m = new Two();
    const seen: number[][] = [];
    m.registerFullBackwardPreHook((_, [p, s]) => [p!.mul(10), s!]);
    m.registerFullBackwardHook((_, gradInput, gradOutput) => {
      for (const g of [...gradInput, ...gradOutput]) seen.push(numbers(g!));
      return [gradInput[0]!.mul(2), gradInput[1]!];
    });
    const a = tensor([3], { requiresGrad: true });
    const b = tensor([5], { requiresGrad: true });
    const [p, s] = m(a, b);
    p.add(s.mul(7)).sum().backward();
    // d(10 a b + 7 (a + b))/da = 10 b + 7, and the hook doubles it.
    expect(seen).toEqual([[57], [37], [10], [7]]);
    expect(numbers(a.grad!)).toEqual([114]);
    expect(numbers(b.grad!)).toEqual([37]);
  });
  test('a backward hook on a module whose inputs need no gradient still sees the outputs', () => {
    const fc = new nn.Linear(2, 1);
    let calls = 0;
    fc.registerFullBackwardHook((_, gradInput, gradOutput) => {
      calls++;
      expect(gradInput).toEqual([]);
      expect(numbers(gradOutput[0]!)).toEqual([1]);
      return undefined;
    });
    fc(ones([1, 2]))
      .sum()
      .backward();
    expect(calls).toBe(1);
    expect(numbers(fc.weight.grad!)).toEqual([1, 1]);
  });
});

describe('modes, freezing, conversion', () => {
  test('train, eval and apply reach everything below', () => {
    const net = new nn.Sequential(new nn.Linear(2, 2), new nn.Sequential(new nn.Identity()));
    expect(
      net
        .eval()
        .modules()
        .map(m => m.training),
    ).toEqual([false, false, false, false]);
    expect(
      net
        .train()
        .modules()
        .every(m => m.training),
    ).toBe(true);
    const order: string[] = [];
    net.apply(m => order.push(m.constructor.name));
    expect(order).toEqual(['Linear', 'Identity', 'Sequential', 'Sequential']);
    net.requiresGrad_(false);
    expect(net.parameters().some(p => p.requiresGrad)).toBe(false);
  });
  test('to converts in place: the same parameters, gradients included', () => {
    const fc = new nn.Linear(2, 2);
    const before = fc.weight;
    const was = numbers(fc.weight);
    fc(ones([1, 2]))
      .sum()
      .backward();
    fc.registerBuffer('count', tensor([1n]));
    fc.double();
    expect(fc.weight).toBe(before);
    expect([fc.weight.dtype, fc.weight.grad!.dtype, fc.buffers()[0]!.dtype]).toEqual([
      'float64',
      'float64',
      'int64',
    ]);
    expect(numbers(fc.weight)).toEqual(was);
    expect(fc.weight.isLeaf && fc.weight.requiresGrad).toBe(true);
    noGrad(() => fc.weight.add_(1));
    expect(numbers(fc.float().weight)).toEqual(was.map(v => Math.fround(v + 1)));
    expect(() => fc.to('int64')).toThrow('to: modules take floating dtypes, got int64');
  });
  test('parameters with equal first values do not share memory', () => {
    const [a, b] = [new nn.Parameter(ones([3])), new nn.Parameter(ones([3]))];
    new nn.Identity()(a);
    noGrad(() => a.add_(1));
    expect(numbers(b)).toEqual([1, 1, 1]);
    const source = tensor([1, 2]);
    const c = new nn.Parameter(source);
    noGrad(() => c.mul_(5));
    expect(numbers(source)).toEqual([1, 2]);
  });
});

describe('state dicts', () => {
  test('round trip; values share memory with the module', () => {
    const [a, b] = [new Net(), new Net()];
    const state = a.stateDict();
    expect(b.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    const x = randn([2, 4]);
    expect(numbers(b(x))).toEqual(numbers(a(x)));
    noGrad(() => a.scale.fill_(9));
    expect(numbers(state.scale!)).toEqual([9, 9, 9]);
    expect(numbers(b.scale)).toEqual([1, 1, 1]);
    expect(state.scale!.requiresGrad).toBe(false);
  });
  test('an error shows what differs and changes nothing', () => {
    const net = new Net();
    const was = numbers(net.fc1.bias!);
    const given = {
      scale: zeros([3]),
      seen: zeros([]),
      'fc1.weight': zeros([3, 5]),
      'fc1.bias': zeros([3]),
      head: ones([1]),
    };
    expect(() => net.loadStateDict(given)).toThrow(
      [
        'loadStateDict: keys and shapes must be those of Net, got 1 missing, 1 unexpected, 1 of another shape. ' +
          'With {strict: false} what fits in name and shape would be loaded. Nothing was loaded:',
        '  missing     fc2.weight (2, 3)',
        '  unexpected  head (1)',
        '  shape       fc1.weight is (3, 4), given (3, 5)',
      ].join('\n'),
    );
    expect(numbers(net.fc1.bias!)).toEqual(was);
    const { 'fc1.weight': _, ...rest } = given;
    expect(net.loadStateDict(rest, { strict: false })).toEqual({
      missingKeys: ['fc1.weight', 'fc2.weight'],
      unexpectedKeys: ['head'],
    });
    expect(numbers(net.fc1.bias!)).toEqual([0, 0, 0]);
  });
  test('the count of batches may be missing, the statistics may not', () => {
    const net = new nn.Sequential(new nn.BatchNorm1d(2));
    net(randn([3, 2]));
    const { '0.num_batches_tracked': count, ...state } = net.stateDict();
    const { '0.running_mean': _, ...less } = state;
    expect(net.loadStateDict(state)).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(count!.itemSync()).toBe(1);
    expect(() => net.loadStateDict(less)).toThrow('2 missing');
  });
  test('a prefix too much or too little is named', () => {
    const net = new nn.Linear(2, 1);
    const state = net.stateDict();
    expect(() => net.loadStateDict(net.stateDict('module.'))).toThrow("Take 'module.' off the given keys");
    const outer = new nn.Sequential({ body: net });
    expect(() => outer.loadStateDict(state)).toThrow("Put 'body.' before the given keys");
  });
});

test('print is the tree as PyTorch prints it', () => {
  const net = new nn.Sequential(new nn.Linear(4, 3), new nn.Sequential({ a: new nn.Identity() }));
  expect(inspect(net)).toBe(
    [
      'Sequential(',
      '  (0): Linear(in_features=4, out_features=3, bias=True)',
      '  (1): Sequential(',
      '    (a): Identity()',
      '  )',
      ')',
    ].join('\n'),
  );
  const list = new nn.ModuleList([new nn.Linear(1, 1), new nn.Linear(1, 1), new nn.Identity()]);
  expect(`${list}`).toBe(
    [
      'ModuleList(',
      '  (0-1): 2 x Linear(in_features=1, out_features=1, bias=True)',
      '  (2): Identity()',
      ')',
    ].join('\n'),
  );
});

test('calls have the types of forward', () => {
  class Two extends nn.Module {
    forward(x: Tensor, scale: number): [Tensor, number] {
      return [x.mul(scale), scale];
    }
  }
  const two = new Two();
  const [y, n] = two(ones([1]), 3) satisfies [Tensor, number];
  expect([numbers(y), n]).toEqual([[3], 3]);
  const layers: nn.Module[] = [two, new nn.ReLU(), new nn.Sequential()];
  expect(layers).toHaveLength(3);
  // @ts-expect-error: a number is missing
  expect(() => two(ones([1]))).toThrow();
  // @ts-expect-error: Two takes two inputs and is no layer of a Sequential
  expect(new nn.Sequential(two)).toHaveLength(1);
  expect(`${new nn.Parameter(ones([2]))}`).toBe('Parameter containing:\ntensor([1., 1.], requiresGrad=true)');
});

// The loop under scan beside the same steps written out: values, all orders of gradients, draws, batches, errors.

import { describe, expect, it } from 'vitest';
import {
  compile,
  customGrad,
  F,
  grad,
  gradcheck,
  jvp,
  manualSeed,
  profile,
  rand,
  randn,
  SGD,
  stack,
  type Tensor,
  tensor,
  vmap,
  zeros,
} from '../../src/index.ts';
import { defaultGenerator } from '../../src/tensor/random.ts';
import '../../src/runtime/reference.ts';

type Step = (h: Tensor[], x: Tensor) => [Tensor[], Tensor];
type Form = (f: Step, h: Tensor[], xs: Tensor, reverse?: boolean) => [Tensor[], Tensor];
const written: Form = (f, h, xs, reverse = false) => {
  const ys: Tensor[] = [];
  let state = h;
  for (let k = 0; k < xs.shape[0]!; k++) {
    const [next, y] = f(state, xs.select(0, reverse ? xs.shape[0]! - 1 - k : k));
    state = next;
    ys.push(y);
  }
  return [state, stack(reverse ? ys.reverse() : ys)];
};
const scanned: Form = (f, h, xs, reverse = false) => F.scan(f, h, xs, { reverse });
const inChunks: Form = (f, h, xs, reverse = false) => F.scan(f, h, xs, { reverse, checkpointEvery: 2 });

const gap = (a: Tensor, b: Tensor): number =>
  a.sub(b).abs().max().itemSync() / (1e-3 + b.abs().max().itemSync());
const near = (got: readonly Tensor[], want: readonly Tensor[], tolerance = 2e-5): void => {
  expect(got.map(t => t.shape)).toEqual(want.map(t => t.shape));
  for (const [i, t] of got.entries()) expect(gap(t, want[i]!), `result ${i}`).toBeLessThan(tolerance);
};

const [T, N, H] = [5, 3, 4];
manualSeed(5);
const xs = randn([T, N, H]);
const h0 = randn([N, H]);
const w = randn([H, H]).mul(0.5);
const b = randn([H]);
/** Cells by what their weights do: products, sums, elements, parts, matrices of a batch. */
const cells: Record<string, (w: Tensor, b: Tensor) => { f: Step; states: number }> = {
  elman: (w, b) => ({
    states: 1,
    f: ([h], x) => {
      const next = x.add(h!.matmul(w)).add(b).tanh();
      return [[next], next];
    },
  }),
  'weights stored transposed, results apart': (w, b) => ({
    states: 1,
    f: ([h], x) => {
      const next = h!.matmul(w.mT).add(x).sigmoid();
      return [[next], next.matmul(w).add(b).exp()];
    },
  }),
  'two states that change places': (w, b) => ({
    states: 2,
    f: ([h, c], x) => [[c!.add(x.mul(b)), h!.matmul(w).tanh()], h!.mul(c!)],
  }),
  'weights by elements': (w, b) => ({
    states: 1,
    f: ([h], x) => {
      const next = h!
        .mul(w.narrow(0, 0, N))
        .add(x)
        .tanh();
      return [[next], next.mul(b)];
    },
  }),
  'parts of the weights': (w, b) => ({
    states: 1,
    f: ([h], x) => {
      const half = w.narrow(1, 0, 2);
      const next = h!.add(F.linear(x, half.mT.matmul(half).tile([2, 2]), b).relu());
      return [[next.mul(0.5)], next];
    },
  }),
  'a batch of products': (w, b) => ({
    states: 1,
    f: ([h], x) => {
      const next = h!
        .unsqueeze(1)
        .matmul(w.expand([N, H, H]))
        .squeeze(1)
        .add(x)
        .tanh();
      return [[next], next.add(b)];
    },
  }),
  'what is handed on': (_, b) => ({ states: 1, f: ([h], x) => [[x.add(b)], h!] }),
};

describe('a scan is its steps, written out', () => {
  const all =
    (form: Form, name: string, reverse: boolean) => (x: Tensor, h: Tensor, w: Tensor, b: Tensor) => {
      const { f, states } = cells[name]!(w, b);
      const [last, ys] = form(f, states === 1 ? [h] : [h, h.mul(2)], x, reverse);
      return { last, ys };
    };
  const loss =
    (form: Form, name: string, reverse: boolean) =>
    (...args: [Tensor, Tensor, Tensor, Tensor]) => {
      const { last, ys } = all(form, name, reverse)(...args);
      return last.reduce(
        (s, t, i) =>
          s.add(
            t
              .mul(i + 1)
              .sin()
              .sum(),
          ),
        ys.square().sum(),
      );
    };
  const first = (form: Form, name: string, reverse = false) =>
    grad(loss(form, name, reverse), { argnums: [0, 1, 2, 3] });
  const second = (form: Form, name: string) =>
    grad(
      (...args: [Tensor, Tensor, Tensor, Tensor]) =>
        first(form, name)(...args).reduce((s, g) => s.add(g.square().sum()), zeros([])),
      { argnums: [0, 1, 2, 3] },
    );
  for (const name of Object.keys(cells)) {
    it(`${name}: values and gradients, forwards and backwards`, () => {
      for (const reverse of [false, true]) {
        const want = all(written, name, reverse)(xs, h0, w, b);
        const got = all(scanned, name, reverse)(xs, h0, w, b);
        near([...got.last, got.ys], [...want.last, want.ys]);
        const grads = first(written, name, reverse)(xs, h0, w, b);
        expect(grads.some(g => g.abs().max().itemSync() > 1e-3)).toBe(true);
        near(first(scanned, name, reverse)(xs, h0, w, b), grads);
        near(first(inChunks, name, reverse)(xs, h0, w, b), grads);
      }
    });
    it(`${name}: second gradients, forward mode`, () => {
      const args: [Tensor, Tensor, Tensor, Tensor] = [xs, h0, w, b];
      near(second(scanned, name)(...args), second(written, name)(...args), 1e-4);
      const directions = args.map(t => randn(t.shape)) as typeof args;
      const [, got] = jvp(loss(scanned, name, false), args, directions);
      const [, want] = jvp(loss(written, name, false), args, directions);
      near([got], [want], 1e-4);
    });
  }
  it('second gradients with checkpoints', () => {
    near(second(inChunks, 'elman')(xs, h0, w, b), second(written, 'elman')(xs, h0, w, b), 1e-4);
  });
  it('passes gradcheck', () => {
    const wide = (t: Tensor): Tensor => t.to('float64').detach();
    const f = (x: Tensor, h: Tensor, w: Tensor, b: Tensor): Tensor =>
      loss(scanned, 'elman', false)(x, h, w, b);
    expect(gradcheck(f, [xs, h0, w, b].map(wide))).toBe(true);
  });
  it('compiled as uncompiled, on cpu as on the reference', () => {
    const run = (x: Tensor, h: Tensor, w: Tensor, b: Tensor) => first(scanned, 'elman')(x, h, w, b);
    const want = run(xs, h0, w, b);
    near(compile(run)(xs, h0, w, b) as Tensor[], want);
    const there = [xs, h0, w, b].map(t => t.to('reference')) as [Tensor, Tensor, Tensor, Tensor];
    near(
      run(...there).map(t => t.to('cpu')),
      want,
    );
  });
  it('vmap batches state, elements and weights', () => {
    for (const form of [scanned, inChunks]) {
      const f = (x: Tensor, h: Tensor, w: Tensor): Tensor[] => first(form, 'elman')(x, h, w, b);
      const many = [randn([2, T, N, H]), randn([2, N, H]), randn([2, H, H])] as [Tensor, Tensor, Tensor];
      const cases = [
        [0, 0, 0],
        [0, null, null],
        [null, null, 0],
        [null, 0, null],
      ] as const;
      for (const inDims of cases) {
        const args = many.map((t, i) => (inDims[i] === null ? t.select(0, 0) : t)) as typeof many;
        const got = vmap(f, { inDims })(...args) as Tensor[];
        for (const k of [0, 1]) {
          const one = args.map((t, i) => (inDims[i] === null ? t : t.select(0, k))) as typeof many;
          near(
            got.map(t => t.select(0, k)),
            first(written, 'elman')(one[0], one[1], one[2], b),
          );
        }
      }
    }
  });
  it('counts, flags and what is there already are results, too', () => {
    const f = ([n, big]: Tensor[], x: Tensor): [Tensor[], Tensor[]] => [
      [n!.add(1), big!.maximum(x)],
      [n!, x, x.gt(big!), b],
    ];
    const [[count, most], [ns, same, over, constant]] = F.scan(f, [tensor(0n), h0], xs) as unknown as [
      Tensor[],
      Tensor[],
    ];
    expect([count!.dtype, over!.dtype]).toEqual(['int64', 'bool']);
    expect(ns!.tolistSync()).toEqual([0, 1, 2, 3, 4]);
    expect(count!.itemSync()).toBe(T);
    near([same!, constant!, most!], [xs, b.expand([T, H]), stack([...xs.unbind(0), h0]).amax(0)]);
    expect(over!.select(0, 0).to('float32').sum().itemSync()).toBe(
      xs.select(0, 0).gt(h0).to('float32').sum().itemSync(),
    );
  });
  it('a gradient of its own may read what the step does not', () => {
    const factor = randn([H]);
    const scaled = customGrad(
      (t: Tensor) => t.tanh(),
      (g, [t]) => g.mul(factor.sin()).mul(t.cos()),
    );
    const f = (form: Form) => (x: Tensor, w: Tensor) => {
      const step: Step = ([h], x) => {
        const next = scaled(h!.matmul(w).add(x));
        return [[next], next];
      };
      return form(step, [h0], x)[1].square().sum();
    };
    const grads = [written, scanned, inChunks].map(form => grad(f(form), { argnums: [0, 1] })(xs, w));
    near(grads[1]!, grads[0]!);
    near(grads[2]!, grads[0]!);
  });
  it('products of elements are made before the loop', () => {
    const f: Step = ([h], x) => {
      const next = x.matmul(w).matmul(w).add(h!).tanh();
      return [[next], next];
    };
    const run = compile((x: Tensor) => scanned(f, [h0], x)[1]);
    near([run(xs) as Tensor], [written(f, [h0], xs)[1]]);
    const names = profile(() => run(xs)).rows.map(r => r.name);
    expect(names).toContain('tanh+add');
    expect(names.filter(name => name.includes('matmul'))).toEqual(['matmul']);
  });
  it('a step may hold another scan, an op that runs on the host, and one element', () => {
    const rows: Step = ([h], x) => {
      const [last] = F.scan((s: Tensor, row: Tensor) => [s.mul(0.5).add(row.mul(h!.mean())).sin(), s], b, x);
      return [[h!.add(last)], last];
    };
    const plain: Step = ([h], x) => {
      let s = b;
      for (const row of x.unbind(0)) s = s.mul(0.5).add(row.mul(h!.mean())).sin();
      return [[h!.add(s)], s];
    };
    const sum = (form: Form, f: Step) => (x: Tensor, h: Tensor) => {
      const [[last], ys] = form(f, [h], x);
      return last!.square().sum().add(ys.sum());
    };
    const both = (form: Form, f: Step) => grad(sum(form, f), { argnums: [0, 1] })(xs, h0);
    near(both(scanned, rows), both(written, plain));
    near(both(inChunks, rows), both(written, plain));
    const sorted: Step = ([h], x) => [[h!.add(x).sort(-1).values], h!.cumsum(-1)];
    near(both(scanned, sorted), both(written, sorted));
    near(
      [grad(sum(scanned, rows))(xs.narrow(0, 0, 1), h0)],
      [grad(sum(written, plain))(xs.narrow(0, 0, 1), h0)],
    );
  });
});

describe('draws inside', () => {
  const noisy: Step = ([h], x) => {
    const next = F.dropout(h!.add(x), { p: 0.4 }).add(randn([N, H]));
    return [[next], next.mul(rand([]))];
  };
  const inner: Step = ([h], x) => {
    const [s] = F.scan((s: Tensor, row: Tensor) => [s.add(row.mul(rand([H]))), s], b, x);
    return [[h!.add(s).add(rand([N, H]))], s];
  };
  const innerWritten: Step = ([h], x) => {
    let s = b;
    for (const row of x.unbind(0)) s = s.add(row.mul(rand([H])));
    return [[h!.add(s).add(rand([N, H]))], s];
  };
  const pairs: [string, Step, Step][] = [
    ['of a step', noisy, noisy],
    ['of loops in loops', inner, innerWritten],
  ];
  it.each(pairs)('%s are those of a loop, one after the other', (_, f, plain) => {
    for (const reverse of [false, true]) {
      const seeded = <R>(run: () => R): [R, number] => {
        manualSeed(11);
        const r = run();
        return [r, defaultGenerator.calls];
      };
      const [want, calls] = seeded(() => written(plain, [h0], xs, reverse));
      for (const form of [scanned, inChunks]) {
        const [got, drawn] = seeded(() => form(f, [h0], xs, reverse));
        near([...got[0], got[1]], [...want[0], want[1]]);
        expect(drawn).toBe(calls);
      }
    }
  });
  it('are new at each call of a compiled step, and the same in backward', () => {
    const run = compile((x: Tensor) => F.scan(noisy, [h0], x)[1]);
    manualSeed(2);
    const got = [run(xs), run(xs)] as Tensor[];
    manualSeed(2);
    const want = [written(noisy, [h0], xs)[1], written(noisy, [h0], xs)[1]];
    near(got, want);
    expect(gap(got[0]!, got[1]!)).toBeGreaterThan(0.1);
    const loss = (form: Form) => (x: Tensor) => form(noisy, [h0], x)[1].square().sum();
    const grads = [written, scanned, inChunks].map(form => {
      manualSeed(7);
      return grad(loss(form))(xs);
    });
    near(grads.slice(1), [grads[0]!, grads[0]!]);
  });
});

describe('a step that cannot be', () => {
  it('names what failed, and changes nothing', () => {
    const table = randn([4, H]).requiresGrad_();
    const optimizer = new SGD([table], { lr: 1 });
    const train = compile((ids: Tensor) => {
      optimizer.zeroGrad();
      const [, ys] = F.scan((h: Tensor, i: Tensor) => [h.add(table.indexSelect(0, i)).tanh(), h], h0, ids);
      ys.sum().backward();
      optimizer.step();
      return ys;
    });
    const before = table.tolistSync();
    expect(() =>
      train(
        tensor([
          [0n, 1n, 2n],
          [3n, 4n, 0n],
        ]),
      ),
    ).toThrow(/indices and labels must lie inside/);
    expect(table.tolistSync()).toEqual(before);
    train(
      tensor([
        [0n, 1n, 2n],
        [3n, 3n, 0n],
      ]),
    );
    expect(table.tolistSync()).not.toEqual(before);
  });
  it('is refused where it reads values, changes what is outside, or waits', () => {
    const seen = zeros([N, H]);
    const with_ = (f: (h: Tensor) => void) => () =>
      F.scan(
        (h: Tensor, _: Tensor) => {
          f(h);
          return [h, h];
        },
        h0,
        xs,
      );
    expect(with_(h => h.sum().itemSync())).toThrow(/scan: the values of one step are not known/);
    expect(with_(h => seen.add_(h))).toThrow(/scan: a step must not change tensors from outside/);
    expect(with_(h => h0.requiresGrad && h)).not.toThrow();
    expect(() => F.scan((async () => [h0, h0]) as never, h0, xs)).toThrow(
      /scan: its function must be synchronous/,
    );
    expect(seen.abs().sum().itemSync()).toBe(0);
  });
});

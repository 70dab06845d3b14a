// scan beside a loop and beside nn.RNN; gradients, checkpoints, vmap, compile, errors.

import { expect, it } from 'vitest';
import { compile, F, grad, manualSeed, nn, randn, type Tensor, vmap, zeros } from '../../src/index.ts';

const farthest = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().itemSync();
manualSeed(3);
const [T, N, I, H] = [7, 3, 4, 5];
const x = randn([T, N, I]);
const u = randn([I, H]);
const w = randn([H, H]).mul(0.4);
const h0 = randn([N, H]);
const over = (x: Tensor, w: Tensor, options: F.ScanOptions = {}): [Tensor, Tensor] =>
  F.scan(
    (h: Tensor, xt: Tensor) => {
      const next = xt.matmul(u).add(h.matmul(w)).tanh(); // (N, H)
      return [next, next];
    },
    h0,
    x,
    options,
  );
const loss = (options: F.ScanOptions) => (w: Tensor) => {
  const [last, ys] = over(x, w, options);
  return ys.square().sum().add(last.sum());
};

it('a cell under scan is the layer', () => {
  const layer = new nn.RNN(I, H);
  const cell = new nn.RNNCell(I, H);
  const from = layer.stateDict();
  cell.loadStateDict(
    Object.fromEntries(Object.keys(cell.stateDict()).map(name => [name, from[`${name}_l0`]!])),
  );
  const [last, ys] = F.scan(
    (h: Tensor, xt: Tensor) => {
      const next = cell(xt, h);
      return [next, next];
    },
    zeros([N, H]),
    x,
  );
  const [want, wantLast] = layer(x);
  expect(farthest(ys, want)).toBeLessThan(1e-5);
  expect(farthest(last, wantLast.squeeze(0))).toBeLessThan(1e-5);
});

it('in reverse, result t is that of step t', () => {
  const [last, ys] = over(x, w, { reverse: true });
  const [wantLast, want] = over(x.flip([0]), w);
  expect(farthest(ys, want.flip([0]))).toBeLessThan(1e-6);
  expect(farthest(last, wantLast)).toBeLessThan(1e-6);
});

it.each([1, 3, 7, 50])('a checkpoint every %i steps changes no gradient, no second gradient', every => {
  const second = (options: F.ScanOptions) => grad((v: Tensor) => grad(loss(options))(v).square().sum());
  expect(farthest(grad(loss({ checkpointEvery: every }))(w), grad(loss({}))(w))).toBeLessThan(1e-4);
  const want = second({})(w);
  const gap = farthest(second({ checkpointEvery: every })(w), want);
  expect(gap / want.abs().max().itemSync()).toBeLessThan(1e-4);
});

it('the gradient is that of central differences', () => {
  const at = (w: Tensor) => loss({})(w).itemSync();
  const d = randn([H, H]);
  const slope = (at(w.add(d.mul(1e-2))) - at(w.sub(d.mul(1e-2)))) / 2e-2;
  const want = grad(loss({}))(w).mul(d).sum().itemSync();
  expect(Math.abs(slope - want)).toBeLessThan(1e-2 * Math.max(1, Math.abs(want)));
});

it('states and steps are trees; vmap and compile do as the plain call', () => {
  const sums = (a: Tensor): Tensor => {
    const [h, y] = F.scan(
      ({ s, n }: { s: Tensor; n: Tensor }, [x]: [Tensor]) => {
        const next = { s: s.add(x), n: n.add(1) };
        return [next, { mean: next.s.div(next.n) }];
      },
      { s: zeros([]), n: zeros([]) },
      [a] as [Tensor],
    );
    return y.mean.add(h.s);
  };
  const a = randn([6]);
  const want = a
    .cumsum(0)
    .div(zeros([6]).add(1).cumsum(0))
    .add(a.sum());
  expect(farthest(sums(a), want)).toBeLessThan(1e-5);
  expect(farthest(compile(sums)(a), want)).toBeLessThan(1e-5);
  const many = randn([2, 6]);
  const each = vmap(sums)(many) as Tensor;
  for (const r of [0, 1]) expect(farthest(each.select(0, r), sums(many.select(0, r)))).toBeLessThan(1e-5);
});

it('refuses steps that do not fit', () => {
  const f = (h: Tensor, _: unknown): [Tensor, Tensor] => [h, h];
  expect(() => F.scan(f, h0, [x, randn([T + 1])])).toThrow(
    /scan: the tensors of xs have the same first size/,
  );
  expect(() => F.scan(f, h0, zeros([0, 2]))).toThrow(/one step or more/);
  expect(() => F.scan((h: Tensor, _: Tensor) => [h.sum(), h], h0, x)).toThrow(
    /scan: f must give back a state/,
  );
  expect(() => over(x, w, { checkpointEvery: -1 })).toThrow(/checkpointEvery is a number of steps/);
});

// Attention by blocks against its plain form: values, gradients, masks, tails, draws, and that its memory grows with T only.

import { describe, expect, it } from 'vitest';
import {
  compile,
  F,
  getDevice,
  grad,
  gradgradcheck,
  jvp,
  manualSeed,
  ones,
  rand,
  randn,
  type Tensor,
  tensor,
  useDevice,
  vmap,
  zeros,
} from '../../src/index.ts';
import { build } from '../../src/ir/op.ts';
import { attentionDef } from '../../src/ir/ops/attention.ts';
import { wrap } from '../../src/tensor/core.ts';
import { firstWrong, numbers } from '../support.ts';

type Options = NonNullable<Parameters<typeof F.scaledDotProductAttention>[3]>;

/** The definition, with every score in memory. `keep` is what dropout leaves. */
function plain(q: Tensor, k: Tensor, v: Tensor, o: Options = {}, keep: Tensor | null = null): Tensor {
  const [T, D] = q.shape.slice(-2) as [number, number];
  const each = (x: Tensor): Tensor =>
    o.enableGqa ? x.repeatInterleave(q.shape.at(-3)! / x.shape.at(-3)!, -3) : x;
  let s = q.matmul(each(k).mT).mul(o.scale ?? 1 / Math.sqrt(D)); // (…, T, S)
  const mask = o.isCausal ? ones([T, k.shape.at(-2)!], { dtype: 'bool' }).tril() : o.attnMask;
  if (mask != null) s = mask.dtype === 'bool' ? s.where(mask, Number.NEGATIVE_INFINITY) : s.add(mask);
  let w = s.softmax(-1);
  if (keep !== null) w = w.mul(1 / (1 - o.dropoutP!)).maskedFill(keep.logicalNot(), 0);
  return w.matmul(each(v));
}
const leaf = (shape: readonly number[]): Tensor => randn(shape).mul(0.8).realize().requiresGrad_();
/** Value and gradients for all inputs of Σ y · c. */
function pass(y: Tensor, inputs: readonly Tensor[], c: Tensor): number[][] {
  for (const x of inputs) x.grad = null;
  y.mul(c).sum().backward();
  return [y, ...inputs.map(x => x.grad!)].map(numbers);
}
function agree(y: Tensor, want: Tensor, inputs: readonly Tensor[]): void {
  const c = randn(y.shape).realize();
  const expected = pass(want, inputs, c);
  pass(y, inputs, c).forEach((got, i) => {
    expect(Math.max(...expected[i]!.map(Math.abs))).toBeGreaterThan(1e-3);
    expect(firstWrong(got, expected[i]!, 1e-4, 2e-5)).toBeNull();
  });
}
const mix = (shape: readonly number[]): Tensor => {
  const some = rand(shape).lt(0.6);
  // Every query sees a key.
  return some.logicalOr(
    ones([shape.at(-1)!])
      .cumsum(0)
      .eq(1),
  );
};

/** (B, 1, 1, S) int64, the last ones 0. */
const tokens = (B: number, S: number): Tensor =>
  tensor(
    Array.from({ length: B * S }, (_, i) => Math.max(0, S - 4 * Math.floor(i / S) - (i % S))),
    { dtype: 'int64', shape: [B, 1, 1, S] },
  );

describe('values and gradients are those of the plain form', () => {
  /** Letters: batch, heads, queries, keys, head dims of keys and values. */
  const CASES: readonly [string, number[], (sizes: number[]) => Options][] = [
    ['whole tiles', [2, 2, 24, 48, 8, 16], () => ({})],
    ['tails of every kind', [2, 3, 29, 31, 5, 7], () => ({})],
    ['several blocks of queries and of keys', [1, 2, 77, 205, 12, 9], () => ({})],
    ['head dims of 1', [1, 2, 13, 11, 1, 1], () => ({})],
    ['one key', [1, 2, 9, 1, 4, 4], () => ({})],
    ['one query', [2, 2, 1, 33, 8, 8], () => ({})],
    ['a scale of its own', [1, 1, 10, 10, 4, 4], () => ({ scale: -0.7 })],
    ['causal', [2, 2, 64, 64, 16, 16], () => ({ isCausal: true })],
    ['causal over several blocks', [1, 1, 211, 211, 6, 3], () => ({ isCausal: true })],
    ['causal, more queries than keys', [1, 2, 130, 101, 4, 5], () => ({ isCausal: true })],
    ['causal, more keys than queries', [1, 2, 35, 130, 4, 5], () => ({ isCausal: true })],
    ['a bool mask of places', [2, 2, 30, 17, 4, 4], ([, , T, S]) => ({ attnMask: mix([T!, S!]) })],
    ['a bool mask of keys', [3, 2, 14, 130, 4, 4], ([B, , , S]) => ({ attnMask: mix([B!, 1, 1, S!]) })],
    ['a mask of tokens', [3, 2, 14, 30, 4, 4], ([B, , , S]) => ({ attnMask: tokens(B!, S!).ne(0) })],
    ['numbers per head', [2, 3, 14, 18, 4, 4], ([, H, T, S]) => ({ attnMask: randn([H!, T!, S!]) })],
    ['a number per query', [2, 3, 14, 18, 4, 4], ([B, H, T]) => ({ attnMask: randn([B!, H!, T!, 1]) })],
    ['biases that fall with the distance', [1, 4, 40, 40, 4, 4], () => ({ attnMask: F.linearBiases(4, 40) })],
  ];
  it.each(CASES)('%s', (_, [B, H, T, S, D, E], options) => {
    manualSeed(1);
    const [q, k, v] = [leaf([B!, H!, T!, D!]), leaf([B!, H!, S!, D!]), leaf([B!, H!, S!, E!])];
    const o = options([B!, H!, T!, S!, D!, E!]);
    // Over one key all weights are 1: the gradients of queries and keys are 0.
    const inputs = S === 1 ? [v] : [q, k, v];
    agree(F.scaledDotProductAttention(q, k, v, o), plain(q, k, v, o), inputs);
  });
  it.each([false, true])('heads of queries that share keys, causal %s', isCausal => {
    manualSeed(2);
    const [q, k, v] = [leaf([2, 6, 31, 8]), leaf([2, 2, 31, 8]), leaf([2, 2, 31, 8])];
    const o = { isCausal, enableGqa: true };
    agree(F.scaledDotProductAttention(q, k, v, o), plain(q, k, v, o), [q, k, v]);
    const masked = { attnMask: mix([2, 6, 31, 31]).realize(), enableGqa: true };
    agree(F.scaledDotProductAttention(q, k, v, masked), plain(q, k, v, masked), [q, k, v]);
    expect(() => F.scaledDotProductAttention(q, k.narrow(1, 0, 1).repeat(1, 4, 1, 1), v, o)).toThrow(
      'heads of keys divide the heads of queries, got 6 and 4',
    );
  });
  it.each([[[9, 4]], [[3, 9, 4]], [[2, 2, 3, 9, 4]]])('leading dims: %j', shape => {
    manualSeed(3);
    const [q, k, v] = [leaf(shape), leaf(shape), leaf(shape)];
    const mask = { attnMask: mix([...shape.slice(0, -1), 9]).realize() };
    for (const o of [{ isCausal: true }, mask])
      agree(F.scaledDotProductAttention(q, k, v, o), plain(q, k, v, o), [q, k, v]);
  });
  it('keys and values that are shared by the batch', () => {
    manualSeed(4);
    const [q, k, v] = [leaf([3, 2, 11, 4]), leaf([2, 13, 4]), leaf([1, 2, 13, 4])];
    agree(F.scaledDotProductAttention(q, k, v), plain(q, k, v), [q, k, v]);
  });
  it('a mask that is learned', () => {
    manualSeed(5);
    const [q, k, v] = [leaf([2, 3, 14, 4]), leaf([2, 3, 18, 4]), leaf([2, 3, 18, 4])];
    const attnMask = leaf([3, 14, 18]);
    const o = { attnMask };
    agree(F.scaledDotProductAttention(q, k, v, o), plain(q, k, v, o), [q, k, v, attnMask]);
  });
  it('heads side by side in one projection, compiled', () => {
    manualSeed(6);
    const [B, T, H, D] = [2, 40, 3, 8];
    const [x, w] = [leaf([B, T, 3 * H * D]), leaf([3 * H * D, 3 * H * D])];
    const f = (attend: typeof plain) => (): Tensor => {
      const [q, k, v] = x
        .matmul(w)
        .mul(0.1)
        .chunk(3, -1)
        .map(t => t.reshape(B, T, H, D).transpose(1, 2)) as [Tensor, Tensor, Tensor];
      return attend(q, k, v, { isCausal: true })
        .transpose(1, 2)
        .reshape(B, T, H * D);
    };
    agree(f(F.scaledDotProductAttention)(), f(plain)(), [x, w]);
    const step = compile((attend: boolean) => {
      const y = f(attend ? F.scaledDotProductAttention : plain)();
      for (const p of [x, w]) p.grad = null;
      y.square().sum().backward();
      return [y, x.grad!.clone(), w.grad!.clone()];
    });
    const [got, want] = [true, false].map(a => step(a).map(numbers)) as [number[][], number[][]];
    got.forEach((g, i) => {
      expect(firstWrong(g, want[i]!, 1e-3, 1e-4)).toBeNull();
    });
  });
});

describe('rows and columns that nobody sees', () => {
  it('a query without keys is NaN, as softmax of nothing is, and leaves the others alone', () => {
    manualSeed(7);
    const [q, k, v] = [leaf([1, 1, 9, 4]), leaf([1, 1, 120, 4]), leaf([1, 1, 120, 4])];
    const attnMask = ones([9, 120], { dtype: 'bool' });
    attnMask.select(0, 3).fill_(false);
    // The first keys hidden: the row has no maximum until the second block.
    attnMask.select(0, 5).narrow(0, 0, 110).fill_(false);
    const y = F.scaledDotProductAttention(q, k, v, { attnMask });
    const want = plain(q, k, v, { attnMask });
    expect(numbers(y.select(2, 3)).every(Number.isNaN)).toBe(true);
    expect(firstWrong(numbers(y), numbers(want), 1e-4, 1e-6)).toBeNull();
  });
  it('causal: nothing of the future, to the last bit', () => {
    manualSeed(8);
    const T = 100;
    const [q, k, v] = [0, 1, 2].map(() => randn([1, 2, T, 8]).realize()) as [Tensor, Tensor, Tensor];
    const f = (x: Tensor, y: Tensor, z: Tensor): Tensor =>
      F.scaledDotProductAttention(x, y, z, { isCausal: true });
    const before = f(q, k, v);
    for (const t of [1, 23, 24, 50, 96]) {
      const later = (x: Tensor): Tensor => {
        const changed = x.clone();
        changed.narrow(2, t, T - t).add_(3);
        return changed;
      };
      const after = f(later(q), later(k), later(v));
      expect(numbers(after.narrow(2, 0, t))).toEqual(numbers(before.narrow(2, 0, t)));
      expect(after.select(2, t).sub(before.select(2, t)).abs().max().itemSync()).toBeGreaterThan(1e-3);
    }
  });
});

it('weights are right to 4 units in the last place down to the smallest normal number, and 0 below', () => {
  const n = 20_000;
  // Of two keys with the scores 0 and x the second has the weight eˣ / (1 + eˣ).
  const x = Float32Array.from({ length: n }, (_, i) => (-100 * (i + 1)) / n);
  const q = tensor(x, { shape: [1, 1, n, 1] });
  const kv = tensor([0, 1]).reshape(1, 1, 2, 1);
  const got = numbers(F.scaledDotProductAttention(q, kv, kv, { scale: 1 }));
  const errors = got.map((y, i) => {
    const want = Math.exp(x[i]!) / (1 + Math.exp(x[i]!));
    if (x[i]! <= -87) return y;
    return Math.abs(y - want) / 2 ** (Math.floor(Math.log2(want)) - 23);
  });
  expect(Math.max(...errors)).toBeLessThan(4);
  expect(Math.max(...errors)).toBeGreaterThan(0.4);
  expect(new Set(got.filter((_, i) => x[i]! <= -87))).toEqual(new Set([0]));
});

describe('dropout', () => {
  const make = (): Tensor[] => [leaf([2, 3, 37, 8]), leaf([2, 3, 41, 8]), leaf([2, 3, 41, 8])];
  it('drops the weights that are drawn for, the same in the gradient', () => {
    manualSeed(9);
    const [q, k, v] = make() as [Tensor, Tensor, Tensor];
    const o = { dropoutP: 0.3 };
    manualSeed(10);
    const y = F.scaledDotProductAttention(q, k, v, o);
    manualSeed(10);
    const keep = rand([2, 3, 37, 41]).ge(0.3).realize();
    agree(y, plain(q, k, v, o, keep), [q, k, v]);
    expect(() => F.scaledDotProductAttention(q, k, v, { dropoutP: 2 })).toThrow('dropoutP must be in 0 … 1');
  });
  it('draws the same compiled and not, and others at each call', () => {
    manualSeed(11);
    const [q, k, v] = make() as [Tensor, Tensor, Tensor];
    const f = (): Tensor => F.scaledDotProductAttention(q, k, v, { dropoutP: 0.5, isCausal: true });
    const step = compile(f);
    manualSeed(12);
    const plainly = [f(), f()].map(numbers);
    manualSeed(12);
    const compiled = [step(), step()].map(numbers);
    compiled.forEach((y, i) => {
      expect(firstWrong(y, plainly[i]!, 1e-6, 1e-6)).toBeNull();
    });
    expect(plainly[0]).not.toEqual(plainly[1]);
  });
  it('of everything leaves zeros', () => {
    const [q, k, v] = make() as [Tensor, Tensor, Tensor];
    expect(new Set(numbers(F.scaledDotProductAttention(q, k, v, { dropoutP: 1 })))).toEqual(new Set([0]));
  });
});

describe('transforms', () => {
  const make = (): [Tensor, Tensor, Tensor] => [
    randn([2, 7, 4]).realize(),
    randn([2, 9, 4]).realize(),
    randn([2, 9, 4]).realize(),
  ];
  it('the logarithm of each row’s sum has a gradient of its own', () => {
    manualSeed(16);
    const [q, k, v] = [leaf([1, 5, 1, 4]), leaf([1, 6, 1, 4]), leaf([1, 6, 1, 4])];
    const attrs = { scale: 0.5, causal: false, masked: false, kept: null, output: 1 };
    const y = wrap(
      build(
        attentionDef,
        [q, k, v].map(x => x.node()),
        attrs,
      ),
    ); // (1, T, 1)
    const s = q.reshape(5, 4).matmul(k.reshape(6, 4).mT).mul(0.5); // (T, S)
    agree(y, s.logsumexp(-1).reshape(1, 5, 1), [q, k]);
  });
  it('second derivatives', () => {
    manualSeed(13);
    const double = make().map(x => x.to('float64').narrow(1, 0, 3)) as [Tensor, Tensor, Tensor];
    const f = (q: Tensor, k: Tensor, v: Tensor): Tensor =>
      F.scaledDotProductAttention(q, k, v, { isCausal: true });
    expect(gradgradcheck(f as (...x: Tensor[]) => Tensor, double)).toBe(true);
    const [q, k, v] = make();
    const second = (attend: typeof plain): number[] => {
      const first = grad((x: Tensor) => attend(x, k, v).square().sum());
      return numbers(grad((x: Tensor) => first(x).sin().sum())(q) as Tensor);
    };
    expect(firstWrong(second(F.scaledDotProductAttention), second(plain), 1e-3, 1e-4)).toBeNull();
  });
  it('forward mode and batches', () => {
    manualSeed(14);
    const [q, k, v] = make();
    const along = make();
    const tangent = (attend: typeof plain): number[] =>
      numbers(jvp((a: Tensor, b: Tensor, c: Tensor) => attend(a, b, c), [q, k, v], along)[1] as Tensor);
    expect(firstWrong(tangent(F.scaledDotProductAttention), tangent(plain), 1e-3, 1e-4)).toBeNull();
    const batch = randn([3, 2, 7, 4]).realize();
    const each = vmap((x: Tensor) => F.scaledDotProductAttention(x, k, v))(batch);
    expect(firstWrong(numbers(each), numbers(plain(batch, k, v)), 1e-4, 1e-5)).toBeNull();
  });
});

it('other dtypes take the plain form', () => {
  manualSeed(15);
  const [q, k, v] = [0, 1, 2].map(() => randn([1, 2, 8, 4], { dtype: 'float64' })) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const y = F.scaledDotProductAttention(q, k, v, { isCausal: true });
  expect(y.dtype).toBe('float64');
  expect(
    firstWrong(
      numbers(y),
      numbers(plain(q, k, v, { attnMask: ones([8, 8], { dtype: 'bool' }).tril() })),
      1e-12,
      1e-12,
    ),
  ).toBeNull();
  expect(() => F.scaledDotProductAttention(q, k.narrow(2, 0, 3), v)).toThrow(
    'keys (…, S, D), values (…, S, E)',
  );
  expect(() => F.scaledDotProductAttention(q, k, v, { isCausal: true, attnMask: tensor([true]) })).toThrow(
    'isCausal makes its own mask',
  );
});

describe('what it costs', () => {
  const device = 'null';
  const train = (T: number, o: Options): { kernels: number; arena: number } => {
    const x = [0, 1, 2].map(() => zeros([1, 2, T, 32], { device }).realize().requiresGrad_());
    const step = compile(() => {
      for (const t of x) t.grad = null;
      const [q, k, v] = x as [Tensor, Tensor, Tensor];
      F.scaledDotProductAttention(q, k, v, o).square().sum().backward();
    });
    step();
    return { kernels: step.stats.kernels, arena: getDevice(device).memory().arena! };
  };
  it('forward is one kernel, however masked', async () => {
    await useDevice(device);
    const [q, k, v] = [0, 1, 2].map(() => zeros([2, 2, 40, 8], { device }).realize()) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const lengths = tensor([30, 20], { device }).reshape(2, 1, 1, 1);
    const masks: Options[] = [
      {},
      { isCausal: true },
      { dropoutP: 0.1 },
      { attnMask: ones([40], { device }).cumsum(0).realize().lt(lengths) },
      { attnMask: zeros([2, 40, 40], { device }).realize() },
    ];
    for (const o of masks) {
      // As what follows wants them: heads side by side again.
      const f = compile(() => F.scaledDotProductAttention(q, k, v, o).transpose(1, 2));
      f();
      expect(f.stats.kernels).toBe(1);
    }
  });
  it('memory of a training step grows with T, dropout and all', async () => {
    await useDevice(device);
    const o = { isCausal: true, dropoutP: 0.1 };
    const [short, long] = [train(1024, o), train(4096, o)];
    expect(long.arena).toBeLessThan(4.2 * short.arena);
    // One number for each score of one head would be more than all of it.
    expect(long.arena).toBeLessThan(4096 * 4096);
  });
});

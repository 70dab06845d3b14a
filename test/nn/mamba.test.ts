// Mamba, Mamba-2 and S4D: the scan against a plain loop, the recurrent step against the scan, causality, chunks, gradients.

import { describe, expect, it } from 'vitest';
import { F, Generator, gradcheck, manualSeed, nn, rand, randn, stack, type Tensor } from '../../src/index.ts';

const farthest = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().itemSync();
const g = (seed: number): { generator: Generator; dtype: 'float64' } => ({
  generator: new Generator(seed),
  dtype: 'float64',
});
const [N, D, L, S] = [2, 3, 7, 4];
const operands = (): [u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor] => [
  randn([N, D, L], g(1)),
  rand([N, D, L], g(2)),
  rand([D, S], g(3)).neg(),
  randn([N, S, L], g(4)),
  randn([N, S, L], g(5)),
];

describe('selectiveScan', () => {
  it('is the recurrence that its formula says', () => {
    const [u, delta, A, B, C] = operands();
    const bias = randn([D], g(6));
    const [skip, z] = [randn([D], g(7)), randn([N, D, L], g(8))];
    const options = { D: skip, z, deltaBias: bias, deltaSoftplus: true };
    const { y, lastState } = F.selectiveScanWithState(u, delta, A, B, C, options);
    const dt = F.softplus(delta.add(bias.unsqueeze(-1)));
    let h = randn([N, D, S], g(9)).mul(0);
    const rows: Tensor[] = [];
    for (let t = 0; t < L; t++) {
      const [ut, step] = [u.select(2, t).unsqueeze(-1), dt.select(2, t).unsqueeze(-1)];
      h = h.mul(step.mul(A).exp()).add(step.mul(ut).mul(B.select(2, t).unsqueeze(1)));
      const out = h.mul(C.select(2, t).unsqueeze(1)).sum(-1).add(u.select(2, t).mul(skip));
      rows.push(out.mul(F.silu(z.select(2, t))));
    }
    expect(farthest(y, stack(rows, 2))).toBeLessThan(1e-12);
    expect(farthest(lastState, h)).toBeLessThan(1e-12);
  });
  it('has the right gradients, B and C also as constants over time', () => {
    const [u, delta, A, B, C] = operands();
    expect(gradcheck(F.selectiveScan as (...x: Tensor[]) => Tensor, [u, delta, A, B, C])).toBe(true);
    const [fixedB, fixedC] = [randn([D, S], g(6)), randn([D, S], g(7))];
    expect(gradcheck(F.selectiveScan as (...x: Tensor[]) => Tensor, [u, delta, A, fixedB, fixedC])).toBe(
      true,
    );
  });
  it('refuses shapes that do not fit', () => {
    const [u, delta, A, B] = operands();
    expect(() => F.selectiveScan(u, delta, A, B, B.narrow(2, 0, 3))).toThrow(
      'selectiveScan: C must have shape (2, 4, 7), got (2, 4, 3)',
    );
  });
});

describe('stateSpaceDual', () => {
  const [H, P] = [2, 3];
  const X = randn([N, 12, H, P], g(1));
  const A = rand([N, 12, H], g(2)).neg();
  const [B, C] = [randn([N, 12, H, S], g(3)), randn([N, 12, H, S], g(4))];
  it.each([1, 3, 4, 12])('in chunks of %i is the recurrence', chunk => {
    const first = randn([N, H, P, S], g(5));
    const { Y, finalState } = F.stateSpaceDual(X, A, B, C, chunk, first);
    let h = first;
    for (let t = 0; t < 12; t++) {
      const decay = A.select(1, t).exp().unsqueeze(-1).unsqueeze(-1);
      h = h.mul(decay).add(X.select(1, t).unsqueeze(-1).mul(B.select(1, t).unsqueeze(-2)));
      const y = h.mul(C.select(1, t).unsqueeze(-2)).sum(-1);
      expect(farthest(Y.select(1, t), y)).toBeLessThan(1e-12);
    }
    expect(farthest(finalState, h)).toBeLessThan(1e-12);
  });
  it('has the right gradients', () => {
    const part = (t: Tensor): Tensor => t.narrow(0, 0, 1).narrow(1, 0, 4).clone();
    const f = (...x: Tensor[]): Tensor => F.stateSpaceDual(x[0]!, x[1]!, x[2]!, x[3]!, 2).Y;
    expect(gradcheck(f, [X, A, B, C].map(part))).toBe(true);
  });
  it('refuses a chunk that does not divide the length', () => {
    expect(() => F.stateSpaceDual(X, A, B, C, 5)).toThrow(/the chunk must divide the length 12/);
  });
});

describe('diagonalStateSpace', () => {
  const [H, M, steps] = [3, 2, 11];
  const u = randn([N, steps, H], g(1));
  const dt = rand([H], g(2)).mul(0.3).add(0.05);
  const A = stack([rand([H, M], g(3)).add(0.2).neg(), randn([H, M], g(4)).mul(4)], -1); // (H, M, 2)
  const C = randn([H, M, 2], g(5));
  /** K_l = 2 Re Σ C (e^{Δ A} − 1) / A · e^{l Δ A}, in numbers. */
  const kernel = (h: number, l: number): number => {
    const at = (t: Tensor, ...i: number[]): number => t.at(...i).itemSync();
    let sum = 0;
    for (let j = 0; j < M; j++) {
      const [re, im, step] = [at(A, h, j, 0), at(A, h, j, 1), at(dt, h)];
      const e = (n: number): [number, number] => {
        const m = Math.exp(n * step * re);
        return [m * Math.cos(n * step * im), m * Math.sin(n * step * im)];
      };
      const mul = ([a, b]: [number, number], [c, d]: [number, number]): [number, number] => [
        a * c - b * d,
        a * d + b * c,
      ];
      const [x, y] = e(1);
      const norm = re * re + im * im;
      const b = mul([x - 1, y], [re / norm, -im / norm]);
      sum += 2 * mul(mul([at(C, h, j, 0), at(C, h, j, 1)], b), e(l))[0];
    }
    return sum;
  };
  it.each([1, 3, 4, 11, 64])('in chunks of %i is the convolution that its formula says', chunk => {
    const { y } = F.diagonalStateSpace(u, dt, A, C, { chunk });
    for (let h = 0; h < H; h++) {
      const k = Array.from({ length: steps }, (_, l) => kernel(h, l));
      for (let t = 0; t < steps; t++) {
        let want = 0;
        for (let l = 0; l <= t; l++) want += k[l]! * u.at(1, t - l, h).itemSync();
        expect(y.at(1, t, h).itemSync()).toBeCloseTo(want, 10);
      }
    }
  });
  it('goes on from a state, in chunks and step by step', () => {
    const whole = F.diagonalStateSpace(u, dt, A, C, { chunk: 4 });
    const first = F.diagonalStateSpace(u.narrow(1, 0, 5), dt, A, C, { chunk: 4 });
    const second = F.diagonalStateSpace(u.narrow(1, 5, 6), dt, A, C, { chunk: 4, state: first.lastState });
    expect(farthest(second.y, whole.y.narrow(1, 5, 6))).toBeLessThan(1e-12);
    expect(farthest(second.lastState, whole.lastState)).toBeLessThan(1e-12);
    let { lastState: state } = first;
    for (let t = 5; t < steps; t++) {
      const next = F.diagonalStep(state, u.select(1, t), dt, A, C);
      expect(farthest(next.y, whole.y.select(1, t))).toBeLessThan(1e-12);
      state = next.state;
    }
    expect(farthest(state, whole.lastState)).toBeLessThan(1e-12);
  });
  it('has the right gradients', () => {
    const f = (...x: Tensor[]): Tensor => F.diagonalStateSpace(x[0]!, x[1]!, x[2]!, x[3]!, { chunk: 4 }).y;
    expect(gradcheck(f, [u.narrow(1, 0, 6).clone(), dt, A, C])).toBe(true);
  });
  it('the kernel of a block is what its output is a convolution with', () => {
    const block = new nn.S4D(H, { dState: 4 }).double();
    const k = (block.kernel as unknown as (L: number) => Tensor)(steps); // (H, L)
    const { dt, A } = block.kernel.system();
    const { y } = F.diagonalStateSpace(u, dt, A, block.kernel.C);
    const want = k.mul(u.select(0, 0).flip(0).mT).sum(-1); // (H)
    expect(farthest(y.at(0, steps - 1), want)).toBeLessThan(1e-12);
  });
  it('says what does not fit', () => {
    expect(() => F.diagonalStateSpace(u, dt, A, C.narrow(1, 0, 1))).toThrow('A and C are (H, M, 2), got');
    expect(() => F.diagonalStateSpace(u, dt, A, C, { chunk: 0 })).toThrow('chunk must be a positive integer');
    expect(() => new nn.S4D(8, { dState: 3 })).toThrow('dState must be a positive even number, got 3');
    expect(F.diagonalStateSpace(u.narrow(1, 0, 0), dt, A, C).y.shape).toEqual([N, 0, H]);
  });
});

describe.each<[string, () => nn.Mamba | nn.Mamba2 | nn.S4D]>([
  ['Mamba', () => new nn.Mamba(8, { dState: 4 })],
  ['Mamba2', () => new nn.Mamba2(8, { dState: 4, headDim: 4, groups: 2, chunkSize: 4 })],
  ['S4D', () => new nn.S4D(8, { dState: 6, chunkSize: 4 })],
])('%s', (_, make) => {
  manualSeed(3);
  const block = make();
  const x = randn([2, 11, 8]);
  const y = block(x) as Tensor;
  it('one token at a time is what the whole sequence gives, from any prefix on', () => {
    for (const prefix of [0, 1, 5]) {
      let state = prefix === 0 ? block.initialState(2) : block.forwardWithState(x.narrow(1, 0, prefix)).state;
      for (let t = prefix; t < 11; t++) {
        // Each block has a state of its own kind.
        const next = block.step(x.select(1, t), state as never);
        expect(farthest(next.y, y.select(1, t))).toBeLessThan(1e-5);
        state = next.state;
      }
    }
  });
  it('does not see the future', () => {
    const later = x.clone();
    later.narrow(1, 6, 5).add_(1);
    const changed = block(later) as Tensor;
    expect(farthest(changed.narrow(1, 0, 6), y.narrow(1, 0, 6))).toBe(0);
    expect(farthest(changed.narrow(1, 6, 1), y.narrow(1, 6, 1))).toBeGreaterThan(1e-3);
  });
  it('sends a gradient to every parameter', () => {
    block(x).square().mean().backward();
    for (const [name, p] of block.namedParameters())
      expect(p.grad!.abs().max().itemSync(), name).toBeGreaterThan(0);
  });
  it('computes in float64 when its parameters do', () => {
    const double = make().double();
    const z = randn([1, 5, 8], { dtype: 'float64' });
    expect((double as nn.Mamba)(z).dtype).toBe('float64');
  });
  it('refuses another width', () => {
    expect(() => block(randn([2, 11, 7]))).toThrow(/x must be \(batch, length, 8\)/);
  });
});

it('keys are those of the official checkpoints', () => {
  expect(Object.keys(new nn.Mamba(8).stateDict())).toEqual([
    'A_log',
    'D',
    'in_proj.weight',
    'conv1d.weight',
    'conv1d.bias',
    'x_proj.weight',
    'dt_proj.weight',
    'dt_proj.bias',
    'out_proj.weight',
  ]);
  expect(Object.keys(new nn.S4D(8).stateDict())).toEqual([
    'D',
    'kernel.C',
    'kernel.log_dt',
    'kernel.log_A_real',
    'kernel.A_imag',
    'output_linear.0.weight',
    'output_linear.0.bias',
  ]);
  expect(Object.keys(new nn.Mamba2(32).stateDict())).toEqual([
    'dt_bias',
    'A_log',
    'D',
    'in_proj.weight',
    'conv1d.weight',
    'conv1d.bias',
    'norm.weight',
    'out_proj.weight',
  ]);
});

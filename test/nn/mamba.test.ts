// Mamba and Mamba-2: the scan against a plain loop, the recurrent step against the scan, causality, chunks, gradients.

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

describe.each<[string, () => nn.Mamba | nn.Mamba2]>([
  ['Mamba', () => new nn.Mamba(8, { dState: 4 })],
  ['Mamba2', () => new nn.Mamba2(8, { dState: 4, headDim: 4, groups: 2, chunkSize: 4 })],
])('%s', (_, make) => {
  manualSeed(3);
  const block = make();
  const x = randn([2, 11, 8]);
  const y = block(x) as Tensor;
  it('one token at a time is what the whole sequence gives, from any prefix on', () => {
    for (const prefix of [0, 1, 5]) {
      let state = prefix === 0 ? block.initialState(2) : block.forwardWithState(x.narrow(1, 0, prefix)).state;
      for (let t = prefix; t < 11; t++) {
        const next = block.step(x.select(1, t), state);
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

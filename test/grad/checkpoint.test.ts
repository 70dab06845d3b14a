// checkpoint: the same values and gradients, with less memory between forward and backward.

import { describe, expect, it } from 'vitest';
import {
  autograd,
  checkpoint,
  compile,
  customGrad,
  grad,
  gradcheck,
  gradgradcheck,
  manualSeed,
  rand,
  randn,
  type Tensor,
  tensor,
  vmap,
} from '../../src/index.ts';
import type { Node } from '../../src/ir/node.ts';
import { simplify } from '../../src/ir/simplify.ts';
import { fuse } from '../../src/schedule/fuse.ts';
import { planArena } from '../../src/schedule/memory.ts';
import { orderKernels } from '../../src/schedule/order.ts';
import { firstWrong, numbers } from '../support.ts';

const same = (a: Tensor, b: Tensor, tol = 1e-6): void => {
  expect(firstWrong(numbers(a), numbers(b), tol, tol)).toBeNull();
};
const f64 = (x: Parameters<typeof tensor>[0]): Tensor => tensor(x, { dtype: 'float64' });

/** Bytes that the values of a schedule need at once, without results: what a device would plan. */
function peakBytes(roots: readonly Node[]): number {
  const schedule = fuse(simplify(roots), { gemm: () => true, hostOps: true });
  const { order } = orderKernels(schedule.kernels, new Map(), () => -1);
  const results = new Set(roots.map(r => schedule.valueFor(r)));
  const lives = schedule.values
    .filter(v => v.kind === 'computed' && !results.has(v))
    .map(v => {
      const used = order.flatMap((k, i) => (k.buffers.includes(v) ? [i] : []));
      return { bytes: v.bytes, from: Math.min(...used), to: Math.max(...used) };
    });
  return planArena(lives).peakBytes;
}

/** A stack of blocks of three layers, each block checkpointed or not. */
function network(blocks: number, width: number, use: boolean): { loss: Tensor; params: Tensor[] } {
  manualSeed(1);
  const params: Tensor[] = [];
  let h = randn([64, width]).realize();
  for (let b = 0; b < blocks; b++) {
    const ws = [0, 1, 2].map(() => randn([width, width]).mul(0.1).realize().requiresGrad_());
    params.push(...ws);
    const block = (x: Tensor): Tensor => ws.reduce((y, w) => y.matmul(w).tanh(), x);
    h = use ? checkpoint(block, h) : block(h);
  }
  return { loss: h.square().mean(), params };
}

describe('checkpoint', () => {
  it('memory falls: only the ends of the blocks live until backward', () => {
    const peak = (use: boolean): number => {
      const { loss, params } = network(6, 64, use);
      return peakBytes(
        autograd
          .grad(loss, params)
          .map(g => g.node())
          .reverse(),
      );
    };
    const [plain, saved] = [peak(false), peak(true)];
    const activation = 64 * 64 * 4;
    // 18 activations and a few gradients; against 6 ends of blocks, the block in progress and its gradients.
    expect(plain).toBeGreaterThan(17 * activation);
    expect(saved).toBeLessThan(12 * activation);
  });
  it('what is computed again is not merged with what was computed first', () => {
    const matmuls = (use: boolean): number => {
      const { loss, params } = network(2, 8, use);
      const roots = autograd.grad(loss, params).map(g => g.node());
      const { kernels } = fuse(simplify(roots), { gemm: () => true, hostOps: true });
      return kernels.filter(k => k.kind === 'gemm').length;
    };
    // Each of the 6 layers multiplies once forward and twice backward (the first once: its input needs no gradient);
    // a checkpointed block multiplies for its first two layers again, for its last one only the gradient is needed.
    expect(matmuls(false)).toBe(6 + 11);
    expect(matmuls(true)).toBeGreaterThanOrEqual(6 + 11 + 4);
  });
  it('values and gradients stay the same', () => {
    const run = (use: boolean): Tensor[] => {
      const { loss, params } = network(3, 16, use);
      loss.backward();
      return [loss, ...params.map(p => p.grad!)];
    };
    const plain = run(false);
    run(true).forEach((t, i) => {
      same(t, plain[i]!);
    });
  });
  it('first and second derivatives are right, by arguments and captured tensors', () => {
    const w = f64([0.3, -0.7]);
    const f = (x: Tensor, v: Tensor): Tensor => checkpoint((a: Tensor) => a.mul(v).sin().exp(), x).mul(w);
    expect(gradcheck(f, [f64([1, 2]), f64([0.5, -0.5])], { checkForward: true })).toBe(true);
    expect(gradgradcheck(f, [f64([1, 2]), f64([0.5, -0.5])])).toBe(true);
  });
  it('several results in a tree', () => {
    const f = (x: Tensor): Tensor => {
      const r = checkpoint((a: Tensor) => ({ s: a.sin(), list: [a.square().sum(), a.gt(0)] }), x);
      return r.s.mul(r.list[0]!);
    };
    expect(gradcheck(f, [f64([1, 2, -0.5])])).toBe(true);
  });
  it('random draws are the same both times', () => {
    const x = tensor([1, 1, 1, 1, 1, 1, 1, 1], { requiresGrad: true });
    const y = checkpoint((a: Tensor) => a.mul(rand([8]).lt(0.5).to('float32')).square(), x);
    y.sum().backward();
    // d(x·m)² = 2m² at x = 1: twice the result itself
    same(x.grad!, y.mul(2));
  });
  it('checkpoints nest, and hold custom functions', () => {
    const cube = customGrad(
      (a: Tensor) => a.pow(3),
      (g, [a]) => g.mul(a.square()).mul(3),
    );
    const f = (x: Tensor): Tensor =>
      checkpoint((a: Tensor) => checkpoint((b: Tensor) => cube(b.sin()).exp(), a).mul(a), x);
    expect(gradcheck(f, [f64([0.5, -1.2])])).toBe(true);
    expect(gradgradcheck(f, [f64([0.5, -1.2])])).toBe(true);
  });
  it('compiled, batched, on the reference, and under grad', () => {
    const x = tensor([0.5, -1, 2]);
    const f = (t: Tensor): Tensor => checkpoint((a: Tensor) => a.sin().exp(), t).sum();
    const want = x.sin().exp().mul(x.cos());
    const step = compile((t: Tensor) => grad(f)(t));
    for (let i = 0; i < 3; i++) same(step(x), want);
    expect(step.stats.captures).toBe(1);
    same(grad(f)(x.to('reference')), want);
    same(vmap((t: Tensor) => grad(f)(t))(x), want);
    same(grad((t: Tensor) => vmap(f)(t).sum())(x), want);
  });
  it('hooks inside run in the second computation', () => {
    const x = tensor([2], { requiresGrad: true });
    checkpoint((a: Tensor) => {
      const h = a.mul(3);
      h.registerHook(g => g.mul(10));
      return h.square();
    }, x)
      .sum()
      .backward();
    same(x.grad!, tensor([2 * 6 * 3 * 10]));
  });
  it('without gradients it is the function itself', () => {
    expect(checkpoint((a: Tensor) => a.mul(2), tensor([1])).requiresGrad).toBe(false);
    expect(checkpoint((a: Tensor, k: number) => a.mul(k), tensor([2]), 4).itemSync()).toBe(8);
  });
  it('a parameter changed before backward is an error', () => {
    const w = tensor([2], { requiresGrad: true });
    const y = checkpoint((a: Tensor) => a.mul(w).exp(), tensor([1]));
    autograd.noGrad(() => w.add_(1));
    expect(() => y.sum().backward()).toThrow('was replaced in place, got a tensor changed by add_');
  });
  it('an async function is refused', () => {
    expect(() => checkpoint((async (a: Tensor) => a) as never, tensor([1]))).toThrow(
      'checkpoint: its function must be synchronous',
    );
  });
});

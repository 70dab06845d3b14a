// The code of a kernel is found by its structure: equal structures must mean equal code, on every op, its gradient and nets;
// and the layers of a deep net must share theirs.

import { afterEach, expect, it } from 'vitest';
import { DTYPES, type DType, isFloat } from '../../src/base/dtype.ts';
import { GradError } from '../../src/base/errors.ts';
import { compile, F, manualSeed, SGD, type Tensor, tensor } from '../../src/index.ts';
import { Conv2d, LayerNorm, Linear, ReLU, Sequential } from '../../src/nn/index.ts';
import { CpuDevice } from '../../src/runtime/cpu.ts';
import type { KernelCode } from '../../src/runtime/plan-code.ts';
import { wrap } from '../../src/tensor/core.ts';
import { GPT } from '../../src/text/index.ts';
import { allOps, applyOp, inputsOf } from '../support.ts';

const { kernelCode } = CpuDevice.prototype;
afterEach(() => {
  CpuDevice.prototype.kernelCode = kernelCode;
});

/** Makes the code of every kernel anew, and notes where it differs from what the same structure gave before. */
function watch(): { structures: Map<string, string>; made: number; differing: string[] } {
  const seen = { structures: new Map<string, string>(), made: 0, differing: [] as string[] };
  CpuDevice.prototype.kernelCode = (structure: string, make: () => KernelCode): KernelCode => {
    const code = make();
    // Functions are numbered by their code: equal numbers, equal code.
    const text = JSON.stringify(code);
    seen.made++;
    const before = seen.structures.get(structure);
    if (before !== undefined && before !== text) seen.differing.push(structure);
    seen.structures.set(structure, text);
    return code;
  };
  return seen;
}

it('equal structures have equal code: all ops on all samples, twice in one plan, with gradients', () => {
  const seen = watch();
  for (const def of allOps) {
    def.samples().forEach((s, k) => {
      const once = (seed: number): Tensor[] => {
        const src = inputsOf(s, seed, 'cpu');
        for (const t of src) if (isFloat(t.dtype)) t.requiresGrad_();
        const y = wrap(
          applyOp(
            def,
            s,
            src.map(t => t.node()),
          ),
        );
        if (!y.requiresGrad) return [y];
        try {
          y.mul(y).sum().backward();
        } catch (e) {
          if (!(e instanceof GradError)) throw e;
          return [y];
        }
        return [y, ...src.flatMap(t => (t.grad === null ? [] : [t.grad]))];
      };
      for (const t of [...once(k), ...once(k + 1)]) t.realize();
    });
  }
  // What is in memory, what is computed with and what is written differ by the dtypes alone.
  const dtypes = Object.keys(DTYPES) as DType[];
  for (const from of dtypes) {
    const x = tensor([0, 1, 1, 0, 1], { dtype: from });
    for (const to of dtypes) x.flip(0).to(to).realize();
  }
  expect(seen.differing).toEqual([]);
  expect(seen.structures.size).toBeGreaterThan(1000);
  expect(seen.made).toBeGreaterThan(seen.structures.size);
});

/** Kernels of a training step of a net, and how many structures they have. */
function trained(net: { (x: Tensor): Tensor; parameters(): Iterable<Tensor> }, x: Tensor) {
  const optimizer = new SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });
  const step = compile((input: Tensor) => {
    optimizer.zeroGrad();
    const loss = net(input).square().mean();
    loss.backward();
    optimizer.step();
    return loss;
  });
  const seen = watch();
  step(x).itemSync();
  expect(seen.differing).toEqual([]);
  return { made: seen.made, structures: [...seen.structures.keys()] };
}
it('four more equal layers bring kernels, but no new structure', () => {
  manualSeed(1);
  const mlp = (layers: number) =>
    new Sequential(
      ...Array.from({ length: layers }, () => [new Linear(32, 32), new LayerNorm(32), new ReLU()]).flat(),
    );
  const cnn = (layers: number) =>
    new Sequential(
      ...Array.from({ length: layers }, () => [new Conv2d(8, 8, 3, { padding: 1 }), new ReLU()]).flat(),
    );
  const gpt = (layers: number) => new GPT(16, { contextLength: 16, layers, heads: 2, dModel: 32 });
  const cases: readonly [(layers: number) => Parameters<typeof trained>[0], Tensor][] = [
    [mlp, tensor(new Float32Array(64 * 32).fill(0.5), { shape: [64, 32] })],
    [cnn, tensor(new Float32Array(4 * 8 * 144).fill(0.5), { shape: [4, 8, 12, 12] })],
    [gpt, tensor(new BigInt64Array(4 * 16).fill(3n), { shape: [4, 16] })],
  ];
  for (const [net, x] of cases) {
    const [few, many] = [trained(net(4), x), trained(net(8), x)];
    expect(many.made).toBeGreaterThan(few.made);
    expect(many.structures.filter(x => !few.structures.includes(x))).toEqual([]);
  }
});
it('the code of a structure is made once', () => {
  manualSeed(2);
  let [asked, made] = [0, 0];
  CpuDevice.prototype.kernelCode = function (structure: string, make: () => KernelCode): KernelCode {
    asked++;
    return kernelCode.call(this, structure, () => {
      made++;
      return make();
    });
  };
  const x = tensor(new Float32Array(24 * 20).fill(0.5), { shape: [24, 20] });
  const net = new Sequential(...Array.from({ length: 6 }, () => [new Linear(20, 20), new ReLU()]).flat());
  F.mseLoss(net(x), x).backward();
  for (const p of net.parameters()) p.grad!.realize();
  expect(asked).toBeGreaterThan(20);
  expect(made).toBeLessThan(asked / 2);
});

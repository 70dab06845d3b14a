// Weights by their published names: GPT-2 and Mamba say what PyTorch says with them (published_fixture.py); sizes as published.

import { describe, expect, it } from 'vitest';
import type { nn } from '../../src/index.ts';
import { setDefaultDevice, type Tensor, tensor, useDevice } from '../../src/index.ts';
import { GPT, GPT2_SIZES, MambaLM } from '../../src/text/index.ts';
import { numbers } from '../support.ts';
import { numbers as hashed } from '../vision/weights.ts';
import published from './published.json' with { type: 'json' };

/** The formula's weights under names and shapes. */
function formula(shapes: Readonly<Record<string, readonly number[]>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const u = hashed(
        name,
        shape.reduce((a, b) => a * b, 1),
      );
      return [name, tensor(Float32Array.from(u, v => 0.6 * (2 * v - 1))).reshape(shape)];
    }),
  );
}
const logits = (model: nn.Module): number[] =>
  numbers((model as GPT)(tensor([published.ids], { dtype: 'int64' })));
function expectClose(got: readonly number[], want: readonly number[]): void {
  expect(got).toHaveLength(want.length);
  for (const [i, v] of want.entries()) expect(Math.abs(got[i]! - v)).toBeLessThan(2e-5);
}

describe('GPT.fromGpt2', () => {
  const C = 12;
  const block = (i: number) => ({
    [`h.${i}.ln_1.weight`]: [C],
    [`h.${i}.ln_1.bias`]: [C],
    [`h.${i}.attn.c_attn.weight`]: [C, 3 * C],
    [`h.${i}.attn.c_attn.bias`]: [3 * C],
    [`h.${i}.attn.c_proj.weight`]: [C, C],
    [`h.${i}.attn.c_proj.bias`]: [C],
    [`h.${i}.ln_2.weight`]: [C],
    [`h.${i}.ln_2.bias`]: [C],
    [`h.${i}.mlp.c_fc.weight`]: [C, 4 * C],
    [`h.${i}.mlp.c_fc.bias`]: [4 * C],
    [`h.${i}.mlp.c_proj.weight`]: [4 * C, C],
    [`h.${i}.mlp.c_proj.bias`]: [C],
  });
  const tensors = formula({
    'wte.weight': [11, C],
    'wpe.weight': [8, C],
    ...block(0),
    ...block(1),
    'ln_f.weight': [C],
    'ln_f.bias': [C],
  });
  it('turns the products of Conv1D, and says what PyTorch says', () => {
    const model = GPT.fromGpt2(tensors, { heads: 3 });
    expect([model.vocabSize, model.contextLength, model.sizes.layers]).toEqual([11, 8, 2]);
    expectClose(logits(model), published.gpt2);
  });
  it('takes names of the whole model, masks and the last layer among them', () => {
    const whole: Record<string, Tensor> = { 'lm_head.weight': tensors['wte.weight']! };
    for (const [name, t] of Object.entries(tensors)) whole[`transformer.${name}`] = t;
    for (const i of [0, 1]) {
      whole[`transformer.h.${i}.attn.bias`] = tensor([[[[1]]]]);
      whole[`transformer.h.${i}.attn.masked_bias`] = tensor(-1e4);
    }
    expectClose(logits(GPT.fromGpt2(whole, { heads: 3 })), published.gpt2);
  });
  it('refuses other names, and weights that are missing', () => {
    expect(() => GPT.fromGpt2({ 'fc.weight': tensor([1]) })).toThrow(
      /tensors have the names of GPT-2, got fc/,
    );
    const { 'h.1.mlp.c_fc.bias': _, ...torn } = tensors;
    expect(() => GPT.fromGpt2(torn, { heads: 3 })).toThrow(/1 missing/);
  });
});

describe('MambaLM.fromCheckpoint', () => {
  const [C, D, S, W, R] = [8, 16, 4, 4, 1];
  const block = (i: number) => {
    const at = `backbone.layers.${i}`;
    return {
      [`${at}.mixer.A_log`]: [D, S],
      [`${at}.mixer.D`]: [D],
      [`${at}.mixer.in_proj.weight`]: [2 * D, C],
      [`${at}.mixer.conv1d.weight`]: [D, 1, W],
      [`${at}.mixer.conv1d.bias`]: [D],
      [`${at}.mixer.x_proj.weight`]: [R + 2 * S, D],
      [`${at}.mixer.dt_proj.weight`]: [D, R],
      [`${at}.mixer.dt_proj.bias`]: [D],
      [`${at}.mixer.out_proj.weight`]: [C, D],
      [`${at}.norm.weight`]: [C],
    };
  };
  const tensors = formula({
    'backbone.embedding.weight': [11, C],
    ...block(0),
    ...block(1),
    'backbone.norm_f.weight': [C],
  });
  it('finds the sizes, and says what PyTorch says', async () => {
    const model = MambaLM.fromCheckpoint(tensors);
    expectClose(logits(model), published.mamba);
    // One token after the other, too.
    const next = model.reader();
    for (let n = 1; n <= published.ids.length; n++)
      expectClose(
        numbers(await next(published.ids.slice(0, n))),
        published.mamba.slice(11 * (n - 1), 11 * n),
      );
  });
  it('refuses what is no checkpoint of Mamba', () => {
    expect(() => MambaLM.fromCheckpoint({ 'fc.weight': tensor([1]) })).toThrow(
      /there must be backbone\.embedding\.weight, got fc\.weight/,
    );
  });
});

await useDevice('null');
describe('published sizes', () => {
  /** Every block is like the next: one and two of them tell the number of parameters of any depth. */
  const parameters = (layers: number, make: (layers: number) => nn.Module): number => {
    setDefaultDevice('null');
    try {
      const [one, two] = [1, 2].map(n =>
        make(n)
          .parameters()
          .reduce((sum, p) => sum + p.numel, 0),
      ) as [number, number];
      return one + (layers - 1) * (two - one);
    } finally {
      setDefaultDevice('cpu');
    }
  };
  it.each([
    ['gpt2', 124_439_808],
    ['gpt2-medium', 354_823_168],
    ['gpt2-large', 774_030_080],
    ['gpt2-xl', 1_557_611_200],
  ] as const)('%s: %i', (name, count) => {
    const size = GPT2_SIZES[name];
    const make = (layers: number) => new GPT(50_257, { contextLength: 1024, ...size, layers });
    expect(parameters(size.layers, make)).toBe(count);
  });
  it.each([
    ['mamba-130m', 24, 768, 129_135_360],
    ['mamba-370m', 48, 1024, 371_516_416],
    ['mamba-1.4b', 48, 2048, 1_372_178_432],
  ] as const)('%s', (_, layers, dModel, count) => {
    const make = (n: number) => new MambaLM(50_280, { layers: n, dModel });
    expect(parameters(layers, make)).toBe(count);
  });
});

// Llama: the published weights of llama2.c and their text, files that are torn, places by turning, shared keys.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manualSeed, type Tensor, tensor } from '../../src/index.ts';
import { generate, Llama, LlamaTokenizer, parseLlamaFile } from '../../src/text/index.ts';
import { numbers } from '../support.ts';

const ids = (list: readonly number[]): Tensor => tensor([list as number[]], { dtype: 'int64' });

/** A file of llama2.c with weights that count up, and the tokens' own last layer where asked for. */
function file(own: boolean): Uint8Array {
  const [C, F, L, H, K, V, S] = [8, 12, 2, 2, 1, 5, 6];
  const D = C / H;
  const count = V * C + L * (2 * C + 2 * C * C + 2 * C * K * D + 3 * C * F) + C + S * D + (own ? V * C : 0);
  const header = Int32Array.of(C, F, L, H, K, own ? -V : V, S);
  const weights = Float32Array.from({ length: count }, (_, i) => Math.sin(i) / 2);
  return new Uint8Array(Buffer.concat([header, weights].map(a => new Uint8Array(a.buffer))));
}

describe('files of llama2.c', () => {
  it('hold the sizes, and weights in their order', () => {
    const f = parseLlamaFile(file(false));
    expect([f.vocabSize, f.options]).toEqual([
      5,
      { contextLength: 6, dModel: 8, layers: 2, heads: 2, kvHeads: 1, hidden: 12, tied: true },
    ]);
    // The second row of the second layer's wk: after 40 of tokens, 16 of norms, 128 of wq, and 32 of the first layer.
    const wk = numbers(f.tensors['layers.1.attention.wk.weight']!);
    for (const [i, v] of wk.entries()) expect(v).toBeCloseTo(Math.sin(40 + 16 + 128 + 32 + i) / 2, 6);
    expect(f.tensors['output.weight']).toBe(f.tensors['tok_embeddings.weight']);
    expect(Object.keys(new Llama(5, f.options).stateDict()).sort()).toEqual(Object.keys(f.tensors).sort());
  });
  it('may have a last layer of its own', () => {
    const f = parseLlamaFile(file(true));
    expect(f.options.tied).toBe(false);
    const all = new Float32Array(file(true).slice(28).buffer);
    expect(numbers(f.tensors['output.weight']!)).toEqual([...all.slice(-40)]);
    const model = Llama.fromBytes(file(true));
    expect(model.output.weight).not.toBe(model.tok_embeddings.weight);
  });
  it.each([
    ['torn', (b: Uint8Array) => b.slice(0, -4), /x\.bin: sizes 8, 12, 2, 2, 1, 5, 6 need \d+ bytes, got \d+/],
    ['a header that is torn', (b: Uint8Array) => b.slice(0, 20), /begins with seven sizes, got 20 bytes/],
    ['another format', (b: Uint8Array) => b.map((v, i) => (i < 28 ? 255 : v)), /sizes must be positive/],
  ])('%s: refused', (_, damage, message) => {
    expect(() => parseLlamaFile(damage(file(false)), 'x.bin')).toThrow(message);
  });
});

describe('Llama', () => {
  it('has the parameters of its sizes, and refuses heads that do not fit', () => {
    const model = new Llama(11, { dModel: 16, layers: 3, heads: 4, kvHeads: 2, hidden: 20 });
    const block = 2 * 16 + 2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 20;
    expect(model.parameters().reduce((n, p) => n + p.numel, 0)).toBe(11 * 16 + 3 * block + 16);
    expect(() => new Llama(5, { dModel: 12, heads: 4 })).toThrow(/heads must have an even width/);
    expect(() => new Llama(5, { heads: 4, kvHeads: 3 })).toThrow(/kvHeads divide heads/);
    expect(() => model(ids(Array(65).fill(1)))).toThrow('Llama: texts have at most 64 tokens, got 65');
  });
  it('tells places apart', () => {
    manualSeed(0);
    const model = new Llama(11, { dModel: 16, layers: 1, heads: 2 }).eval() as Llama;
    const last = (list: readonly number[]): number[] => numbers(model(ids(list)).select(1, -1));
    const [a, b] = [last([1, 2, 3]), last([2, 1, 3])];
    expect(Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))).toBeGreaterThan(1e-7);
  });
  it('shares keys as if they were repeated', () => {
    manualSeed(3);
    const shared = new Llama(7, { dModel: 16, layers: 1, heads: 4, kvHeads: 2 }).eval() as Llama;
    const whole = new Llama(7, { dModel: 16, layers: 1, heads: 4 }).eval() as Llama;
    const state = shared.stateDict();
    for (const name of ['wk', 'wv']) {
      const key = `layers.0.attention.${name}.weight`;
      state[key] = state[key]!.reshape(2, 4, 16).repeatInterleave(2, 0).reshape(16, 16);
    }
    whole.loadStateDict(state);
    const text = ids([1, 4, 2, 6]);
    for (const [i, v] of numbers(shared(text)).entries()) expect(v).toBeCloseTo(numbers(whole(text))[i]!, 6);
  });
});

const weights = resolve(import.meta.dirname, '../../../shared/data/weights');
describe.skipIf(!existsSync(weights))('stories260K (needs ../shared/data)', () => {
  const golden = JSON.parse(readFileSync(join(weights, 'golden.json'), 'utf8'))[
    'stories260K.bin + tok512.bin'
  ] as { greedy_ids: number[]; greedy_text: string };
  const model = Llama.fromBytes(readFileSync(join(weights, 'stories260K.bin')));
  const tokenizer = LlamaTokenizer.fromBytes(readFileSync(join(weights, 'tok512.bin')));
  it('writes the published story, token by token', async () => {
    const written: number[] = [];
    for await (const id of generate(model.reader(), [tokenizer.bos], { tokens: 256, temperature: 0 }))
      written.push(id);
    expect(written).toEqual(golden.greedy_ids);
    expect(tokenizer.decode(written)).toBe(golden.greedy_text);
  });
  it('says the same when it reads the story at once', () => {
    const all = [tokenizer.bos, ...golden.greedy_ids.slice(0, 99)];
    const best = model(ids(all)).argmax(-1); // (1, T)
    expect(numbers(best)).toEqual(golden.greedy_ids.slice(0, 100));
  });
});

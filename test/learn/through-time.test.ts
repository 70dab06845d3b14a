// The gradient on its way back through time: numbers of the formula, and the recipes; what is inside of cells and of Mamba.

import { describe, expect, it } from 'vitest';
import { findRecipe, runRecipe } from '../../src/cli/run-recipe.ts';
import { makeTerminal } from '../../src/cli/terminal.ts';
import { F, manualSeed, nn, noGrad, randint, randn, type Tensor, tensor } from '../../src/index.ts';
import { GPT, gatesThroughTime, gradientsThroughTime, hiddenMatrix } from '../../src/text/index.ts';
import { cellGraph, unrolled } from '../../src/viz/index.ts';
import { numbers } from '../support.ts';

const terminal = makeTerminal('zh', { out: process.stdout, err: process.stderr, env: { TERM: 'dumb' } });
const run = async (name: string, settings: Record<string, string> = {}) =>
  runRecipe(findRecipe(name), 1, settings, terminal);

describe('gradientsThroughTime', () => {
  it('h_t = tanh(w h_{t−1} + x_t): products of w (1 − h²)', async () => {
    const net = new nn.RNN(1, 1, { batchFirst: true, bias: false });
    const w = 0.7;
    noGrad(() => {
      for (const [name, p] of net.namedParameters()) p.fill_(name.startsWith('weight_hh') ? w : 1);
    });
    const x = [0.3, -0.5, 0.2, 0.9];
    const got = await gradientsThroughTime(net, tensor(x).reshape(1, 4, 1), last => last.sum());
    const h: number[] = [];
    for (const v of x) h.push(Math.tanh(w * (h.at(-1) ?? 0) + v));
    const want = [1];
    for (let t = 3; t > 0; t--) want.unshift(want[0]! * w * (1 - h[t]! ** 2));
    for (const [t, v] of want.entries()) expect(got[t]).toBeCloseTo(v, 5);
  });
  it('is the gradient of training: the one at step 0 is that of h₀ after a step', async () => {
    manualSeed(1);
    for (const net of [new nn.GRU(2, 3, { batchFirst: true, numLayers: 2 }), new nn.GRU(2, 3)]) {
      const x = net.batchFirst ? randn([4, 6, 2]) : randn([6, 4, 2]);
      const first = net.batchFirst ? x.narrow(1, 0, 1) : x.narrow(0, 0, 1);
      const rest = net.batchFirst ? x.narrow(1, 1, 5) : x.narrow(0, 1, 5);
      const got = await gradientsThroughTime(net, x, last => last.square().sum());
      const h = net(first)[1].detach().requiresGrad_();
      const out = net(rest, h)[0];
      out
        .select(net.batchFirst ? 1 : 0, 4)
        .square()
        .sum()
        .backward();
      expect(got).toHaveLength(6);
      expect(got[0]).toBeCloseTo(h.grad!.norm().itemSync(), 5);
    }
  });
});

describe('gatesThroughTime', () => {
  it('has the gates with which the states follow from each other', async () => {
    manualSeed(2);
    const x = randn([3, 5, 2]);
    const lstm = new nn.LSTM(2, 4, { batchFirst: true });
    const g = await gatesThroughTime(lstm, x);
    expect(Object.keys(g)).toEqual(['state', 'input', 'forget', 'output', 'cell']);
    // h = o tanh(c) at every step and unit.
    for (let t = 0; t < 5; t++)
      for (let u = 0; u < 4; u++)
        expect(g['state']![t]![u]).toBeCloseTo(g['output']![t]![u]! * Math.tanh(g['cell']![t]![u]!), 5);
    const gru = new nn.GRU(2, 4, { batchFirst: true });
    const r = await gatesThroughTime(gru, x);
    expect(Object.keys(r)).toEqual(['state', 'reset', 'update']);
    const [h] = gru(x.narrow(0, 0, 1)) as [Tensor, Tensor];
    expect(r['state']!.flat()).toEqual(numbers(h.squeeze(0).contiguous()));
    // Of a state that starts at 0 the first is (1 − z) n: never beyond 1 − z.
    for (let u = 0; u < 4; u++)
      expect(Math.abs(r['state']![0]![u]!)).toBeLessThanOrEqual(1 - r['update']![0]![u]! + 1e-6);
    expect(Object.keys(await gatesThroughTime(new nn.RNN(2, 4, { batchFirst: true }), x))).toEqual(['state']);
  });
});

describe('maps of what a token looks at', () => {
  it('GPT: weights of each layer and head sum to 1, nothing of the future, and are those of its own attention', () => {
    manualSeed(3);
    const model = new GPT(9, { dModel: 8, layers: 2, heads: 2, contextLength: 6 }).eval() as GPT;
    const x = randint(0, 9, [1, 6]);
    const maps = model.attention(x);
    expect(maps.map(m => m.shape)).toEqual([
      [1, 2, 6, 6],
      [1, 2, 6, 6],
    ]);
    for (const m of maps) {
      for (const sum of numbers(m.sum(-1))) expect(sum).toBeCloseTo(1, 5);
      expect(m.triu(1).abs().sum().itemSync()).toBe(0);
    }
    // The first block by its map: v summed with the weights.
    const [block] = [...model.transformer.h];
    const h = model.transformer.embedded(x, 0);
    const v = block!.attn.c_attn(block!.ln_1(h)).chunk(3, -1)[2]!.reshape(1, 6, 2, 4).transpose(1, 2);
    const y = block!.attn.c_proj(maps[0]!.matmul(v).transpose(1, 2).reshape(1, 6, 8));
    const want = block!.attn(block!.ln_1(h), null, 0);
    expect(y.sub(want).abs().max().itemSync()).toBeLessThan(1e-6);
  });
  it('Mamba: the scan is its hidden matrix, channel by channel', () => {
    manualSeed(4);
    const mixer = new nn.Mamba(6, { dState: 3 });
    const x = randn([1, 7, 6]);
    const M = hiddenMatrix(mixer, x); // (D, T, T)
    expect(M.shape).toEqual([12, 7, 7]);
    expect(M.triu(1).abs().sum().itemSync()).toBe(0);
    const { u, dt, A, B, C } = mixer.scanned(x);
    const swap = (t: Tensor): Tensor => t.transpose(1, 2);
    const want = F.selectiveScan(swap(u), swap(dt), A, swap(B), swap(C)); // (1, D, T)
    const got = M.matmul(swap(u).squeeze(0).unsqueeze(-1)).squeeze(-1); // (D, T)
    expect(got.sub(want.squeeze(0)).abs().max().itemSync()).toBeLessThan(1e-5);
    // What the scan works with is what the block does: with D, gate and the last projection it is the whole block.
    const z = mixer.in_proj(x).narrow(2, 12, 12);
    const y = mixer.out_proj(swap(got.unsqueeze(0)).add(u.mul(mixer.D)).mul(F.silu(z)));
    expect(y.sub(mixer(x)).abs().max().itemSync()).toBeLessThan(1e-5);
  });
});

describe('recipes', () => {
  it('time-gradient: gates that keep let the gradient through, the usual ones do not', async () => {
    const { metrics, pictures } = await run('time-gradient', { length: '25' });
    for (const name of ['RNN', 'RNNHalf', 'GRU', 'LSTM'])
      expect(metrics[`arrives${name}`]).toBeLessThan(1e-3);
    for (const name of ['GRUKeep', 'LSTMKeep']) expect(metrics[`arrives${name}`]).toBeGreaterThan(0.01);
    const drawn = await pictures();
    expect(Object.keys(drawn)).toEqual(['norms', 'unrolled', 'gates', 'gru', 'lstm']);
    for (const svg of Object.values(drawn)) expect(svg).toMatch(/^<svg.*<\/svg>$/s);
  });
  it('clipping: without it the loss bursts, with it the net learns', async () => {
    const { metrics } = await run('clipping');
    expect(metrics['trainLossPlain']).toBeGreaterThan(1000);
    expect(metrics['trainLossClipped']).toBeLessThan(0.5);
  });
  it('tbptt: what lies before the window is not learned', async () => {
    const { metrics } = await run('tbptt');
    for (const w of [9, 12, 24]) expect(metrics[`trainAccuracy${w}`]).toBeGreaterThanOrEqual(0.99);
    for (const w of [3, 6]) expect(metrics[`trainAccuracy${w}`]).toBeLessThan(0.75);
  });
});

describe('drawings', () => {
  it('unrolled: a box for every state, arrows back as wide as the gradient is large', () => {
    const svg = unrolled({
      title: 'a < b',
      inputs: ['狗', '咬', '人'],
      outputs: ['', '', 'y'],
      gradients: [1e-3, 1e-2, 0.1],
    });
    for (const words of ['h₀', 'h₁', 'h₃', '狗', '人', 'W_hh', '1.0e-3', 'a &lt; b'])
      expect(svg).toContain(words);
    const widths = [...svg.matchAll(/stroke="#[0-9a-f]+" stroke-width="([\d.]+)"/g)].map(m => Number(m[1]));
    const back = widths.filter(w => w !== 1.4);
    expect(back).toEqual([...back].sort((a, b) => a - b));
    expect(back).toHaveLength(3);
  });
  it.each(['rnn', 'gru', 'lstm'] as const)('%s: gates and formulas of its cell', kind => {
    const svg = cellGraph(kind, { title: 'cell' });
    const gates = {
      rnn: ['tanh'],
      gru: ['r: σ', 'z: σ', 'n: tanh'],
      lstm: ['f: σ', 'i: σ', 'g: tanh', 'o: σ'],
    };
    for (const words of gates[kind]) expect(svg).toContain(words);
    expect(svg).toContain("h' = ");
    expect(svg).not.toMatch(/NaN|undefined/);
  });
});

// What steps take from WASM memory: nothing once they are warm; and how values share the arena of a plan.

import { describe, expect, it } from 'vitest';
import { Adam, compile, F, getDevice, manualSeed, memory, randn, type Tensor } from '../../src/index.ts';
import type { CpuDevice } from '../../src/runtime/cpu.ts';
import { planArena } from '../../src/schedule/memory.ts';
import { stream } from '../support.ts';

it('losses that are kept keep nothing but their values', () => {
  manualSeed(0);
  const w = randn([8, 8]).requiresGrad_();
  const losses: Tensor[] = [];
  const step = (): void => {
    w.grad = null;
    const loss = w.square().sum();
    loss.backward();
    losses.push(loss);
    loss.dataSync();
  };
  for (let i = 0; i < 50; i++) step();
  const before = memory();
  for (let i = 0; i < 300; i++) step();
  expect(memory()).toEqual(before);
  expect(new Set(losses.map(l => l.itemSync())).size).toBe(1);
});

it('a compiled step allocates nothing once it is warm', () => {
  const w = randn([40, 30]).requiresGrad_();
  const o = new Adam([w]);
  const step = compile((x: Tensor) => {
    o.zeroGrad();
    const loss = F.linear(x, w).softmax(-1).square().mean();
    loss.backward();
    o.step();
    return loss;
  });
  const x = randn([64, 30]).realize();
  for (let i = 0; i < 4; i++) step(x);
  const { heap } = getDevice('cpu') as CpuDevice;
  const asked: number[] = [];
  const real = heap.tryAlloc;
  heap.tryAlloc = bytes => {
    asked.push(bytes);
    return real.call(heap, bytes);
  };
  try {
    for (let i = 0; i < 100; i++) step(x);
  } finally {
    heap.tryAlloc = real;
  }
  expect(asked).toEqual([]);
});

describe('the memory plan', () => {
  it('never lets two values that live at once share bytes, and needs no more than all of them', () => {
    const next = stream(3);
    for (let round = 0; round < 300; round++) {
      const lives = Array.from({ length: 1 + Math.floor(next() * 30) }, () => {
        const from = Math.floor(next() * 20);
        return { bytes: 1 + Math.floor(next() * 5000), from, to: from + Math.floor(next() * 6) };
      });
      const { offsets, peakBytes } = planArena(lives);
      lives.forEach((a, i) => {
        expect(offsets[i]! % 64).toBe(0);
        expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(peakBytes);
        lives.forEach((b, j) => {
          if (j <= i || a.to < b.from || b.to < a.from) return;
          const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
          expect(apart, JSON.stringify({ a, b })).toBe(true);
        });
      });
    }
  });
  it('a chain of products of any length needs the memory of a few of its results', () => {
    const n = 96;
    const [x, w] = [randn([n, n]).realize(), randn([n, n]).mul(0.05).realize()];
    const arena = (length: number): number => {
      const dev = getDevice('cpu') as CpuDevice;
      let h = x;
      for (let i = 0; i < length; i++) h = h.matmul(w).tanh();
      h.sum().realize();
      return dev.memory()['arena']!;
    };
    arena(4);
    const before = arena(6);
    expect(arena(60)).toBe(before);
  });
});

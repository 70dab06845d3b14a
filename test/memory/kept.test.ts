// Small results on the engine's own heap: whatever becomes of them, their bytes are those that were computed.

import { afterEach, describe, expect, it } from 'vitest';
import { getDevice, noGrad, type Tensor, tensor } from '../../src/index.ts';
import type { CpuBuffer } from '../../src/runtime/buffer.ts';
import { CpuDevice } from '../../src/runtime/cpu.ts';
import type { Keeper } from '../../src/runtime/keeper.ts';
import { platform, setPlatform } from '../../src/runtime/pool.ts';

const device = getDevice('cpu') as unknown as { keeper: Keeper | null; heapIsFull: boolean };
const { keeper } = device;
afterEach(() => {
  device.keeper = keeper;
  device.heapIsFull = false;
});

const values = (n: number): number[] => Array.from({ length: n }, (_, i) => (i % 251) - 100);
/** 2x + 1 of n numbers, computed. */
const result = (n: number, dtype: 'float32' | 'float64' | 'int64' = 'float32'): Tensor =>
  tensor(values(n), { dtype }).mul(2).add(1).realize();
const want = (n: number): number[] => values(n).map(x => 2 * x + 1);
const numbers = (t: Tensor): number[] => Array.from(t.dataSync() as ArrayLike<number | bigint>, Number);
const homeOf = (t: Tensor) => (t.node().value as CpuBuffer).home;

// 1024 bytes and more, also where the last vector is not full; below and above nothing is kept.
const SIZES = [255, 256, 257, 259, 1000, 4095, 16383, 16384, 20000];
const USES: readonly (readonly [string, (n: number) => readonly (readonly [Tensor, readonly number[]])[]])[] = [
  ['read, twice', n => {
    const y = result(n);
    return [[y, want(n)], [y, want(n)]];
  }],
  ['a source, once and again', n => {
    const y = result(n);
    const twice = want(n).map(v => 2 * v);
    return [[y.add(y), twice], [y.mul(2), twice], [y.add(0).mul(2), twice], [y, want(n)]];
  }],
  ['read in pieces', n => {
    const y = result(n);
    return [[y.narrow(0, 3, 5).add(1), want(n).slice(3, 8).map(v => v + 1)], [y.narrow(0, 1, n - 1).mul(1), want(n).slice(1)]];
  }],
  ['changed in place', n => {
    const y = result(n);
    const old = y.clone();
    noGrad(() => y.add_(5));
    const once = y.clone();
    noGrad(() => y.narrow(0, 0, 2).zero_());
    return [
      [old, want(n)],
      [once, want(n).map(v => v + 5)],
      [y, want(n).map((v, i) => (i < 2 ? 0 : v + 5))],
    ];
  }],
]; // biome-ignore format: a table

describe('a small result', () => {
  for (const [name, use] of USES) {
    for (const n of SIZES) {
      it(`of ${n} numbers: ${name}`, () => {
        for (const [t, expected] of use(n)) expect(numbers(t)).toEqual(expected);
      });
    }
  }
  it('of other dtypes', () => {
    for (const dtype of ['float64', 'int64'] as const) expect(numbers(result(301, dtype))).toEqual(want(301));
  });
  it('keeps the bits of NaN and of subnormals', () => {
    const bits = Uint32Array.from(
      { length: 512 },
      (_, i) => [0x7fc12345, 0x00000001, 0xffc00001, 0x80000000][i & 3]!,
    );
    const y = tensor(new Float32Array(bits.buffer)).flip(0).realize();
    const got = new Uint32Array((y.dataSync() as Float32Array).buffer);
    expect([...got]).toEqual([...bits].reverse());
  });
  it('is kept where the engine can, and where its heap has room', () => {
    expect(keeper).not.toBeNull();
    expect(homeOf(result(256)).kept).not.toBeNull();
    expect(homeOf(result(255)).kept).toBeNull();
    expect(homeOf(result(16384)).kept).toBeNull();
    device.heapIsFull = true;
    expect(homeOf(result(256)).host).not.toBeNull();
    expect(numbers(result(300))).toEqual(want(300));
    device.heapIsFull = false;
    device.keeper = null;
    expect(homeOf(result(256)).host).not.toBeNull();
    expect(numbers(result(300))).toEqual(want(300));
  });
  it('is no reason to run out of heap: while more than a quarter is full, results are ArrayBuffers', () => {
    const own = new CpuDevice({ threads: 1 }) as unknown as { mayKeep(bytes: number): boolean };
    const before = platform();
    let use = 0.2;
    // Looked at after each 4 MB.
    const afterNextLook = (): boolean => Array.from({ length: 5 }, () => own.mayKeep(1024 * 1024)).at(-1)!;
    try {
      setPlatform({ ...before, heapUse: () => use });
      expect(afterNextLook()).toBe(true);
      use = 0.3;
      expect(afterNextLook()).toBe(false);
      use = 0.2;
      expect(afterNextLook()).toBe(true);
    } finally {
      setPlatform(before);
    }
  });
});

// Counter-based random numbers: Threefry-2x32-20 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
// In: a key and a counter. Out: two random words, the same on every device. Not its job: distributions on tensors.

const PARITY = 0x1bd11bda;
export const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

const rotl = (x: number, r: number): number => (x << r) | (x >>> (32 - r));

/** Two 32-bit words from a 64-bit key and a 64-bit counter. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const ks = [k0 | 0, k1 | 0, k0 ^ k1 ^ PARITY];
  let x0 = (c0 + ks[0]!) | 0;
  let x1 = (c1 + ks[1]!) | 0;
  for (let i = 0; i < 5; i++) {
    for (const r of ROTATIONS[i & 1]!) {
      x0 = (x0 + x1) | 0;
      x1 = rotl(x1, r) ^ x0;
    }
    x0 = (x0 + ks[(i + 1) % 3]!) | 0;
    x1 = (x1 + ks[(i + 2) % 3]! + i + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** 24 random bits as a number in [0, 1). */
export const uniformFromBits = (bits: number): number => (bits >>> 8) * 2 ** -24;

/**
 * A stream of random draws. Each draw of a tensor takes one number from `calls`, so the state is a seed and a count;
 * two generators with the same state give the same numbers.
 */
export class Generator {
  /** The seed; `manualSeed` changes it. */
  seed: number;
  /** How many draws have been made since the seed was set. */
  calls = 0;
  private lo = 0;
  private hi = 0;

  constructor(seed = 0) {
    this.seed = seed;
    this.manualSeed(seed);
  }

  /** Restarts the stream. Any safe integer is a seed. */
  manualSeed(seed: number): this {
    this.seed = seed;
    this.lo = (seed % 4294967296) | 0;
    this.hi = Math.floor(seed / 4294967296) | 0;
    this.calls = 0;
    return this;
  }

  /** The key of the `call`-th draw. */
  key(call: number): [number, number] {
    return threefry2x32(this.lo, this.hi, call | 0, Math.floor(call / 4294967296) | 0);
  }

  /** Seed and count: all that a generator is. */
  getState(): { seed: number; calls: number } {
    return { seed: this.seed, calls: this.calls };
  }

  /** Goes on from a state of `getState`. */
  setState(state: { seed: number; calls: number }): void {
    this.manualSeed(state.seed);
    this.calls = state.calls;
  }
}

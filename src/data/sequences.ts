// Sequences made from a rule, for nets that must remember: parity, recall, copy, adding; and waves.
// In: how many, how long, a seed. Out: inputs with time in dim 1 (waves: in the last dim), and targets.

import { show, ValueError } from '../base/errors.ts';
import { adopt } from '../tensor/create.ts';
import { defaultGenerator, type Generator } from '../tensor/random.ts';
import { below, shuffled, uniforms, words } from './draws.ts';
import type { Drawn, Samples } from './generators.ts';

function sizes(op: string, wanted: Readonly<Record<string, number>>): void {
  for (const [name, v] of Object.entries(wanted))
    if (!Number.isInteger(v) || v < 1)
      throw new ValueError(op, `${name} must be an integer >= 1`, show(v), '');
}

// ---- parity ------------------------------------------------------------------------------------------------------------

export interface ParityOptions extends Drawn {
  /** 'last': one label, the parity of all bits; 'running': one a step, the parity so far. Default 'last'. */
  readonly labels?: 'last' | 'running';
}
/** Beyond this many bits all sequences are too many to list, and too many to meet twice. */
const LISTED_BITS = 16;

/**
 * Sequences of bits labelled by the parity of their ones, in parts such as {train: 800, val: 200}: no sequence comes
 * twice, within a part or in two, and half of each part has parity 1 (of an odd number, one less).
 * Shape of each: x (n, T, 1), y (n), or (n, T) with running labels. Errors: more than there are.
 */
export function makeParity<K extends string>(
  length: number,
  parts: Readonly<Record<K, number>>,
  options: ParityOptions = {},
): Record<K, Samples> {
  sizes('makeParity', { length, ...parts });
  const { generator = defaultGenerator, labels = 'last' } = options;
  const counts = Object.entries(parts) as [K, number][];
  const even = counts.reduce((s, [, n]) => s + Math.ceil(n / 2), 0);
  if (even > 2 ** (length - 1))
    throw new ValueError(
      'makeParity',
      `of ${length} bits there are ${2 ** length} sequences`,
      counts.map(([k, n]) => `${k} ${n}`).join(', '),
      'make length greater or the parts smaller',
    );
  // All bits but the last are drawn; the last gives the parity that is wanted.
  const heads = [distinctBits(length - 1, even, generator), distinctBits(length - 1, even, generator)];
  const used = [0, 0];
  const make = (n: number): Samples => {
    const x = new Float32Array(n * length);
    const y = new BigInt64Array(labels === 'last' ? n : n * length);
    const order = shuffled(n, generator);
    for (let i = 0; i < n; i++) {
      const parity = order[i]! % 2;
      const head = heads[parity]![used[parity]!++]!;
      let ones = 0;
      for (let t = 0; t < length; t++) {
        const bit = t < length - 1 ? head[t]! : (ones + parity) % 2;
        ones += bit;
        x[i * length + t] = bit;
        if (labels === 'running') y[i * length + t] = BigInt(ones % 2);
      }
      if (labels === 'last') y[i] = BigInt(parity);
    }
    return {
      x: adopt(x, [n, length, 1], 'float32'),
      y: adopt(y, labels === 'last' ? [n] : [n, length], 'int64'),
    };
  };
  return Object.fromEntries(counts.map(([k, n]) => [k, make(n)])) as Record<K, Samples>;
}
/** Different sequences of bits, in random order. */
function distinctBits(bits: number, count: number, generator: Generator): Uint8Array[] {
  if (bits <= LISTED_BITS) {
    const codes = shuffled(2 ** bits, generator).subarray(0, count);
    return Array.from(codes, code => Uint8Array.from({ length: bits }, (_, t) => (code >> t) & 1));
  }
  const next = words(generator);
  const found = new Map<string, Uint8Array>();
  while (found.size < count) {
    const head = Uint8Array.from({ length: bits }, () => next() & 1);
    found.set(head.join(''), head);
  }
  return [...found.values()];
}

// ---- memory ------------------------------------------------------------------------------------------------------------

/**
 * First-bit recall: random bits, the first one marked; the label is that bit, to be told after the last step.
 * Shape: x (n, T, 2) = bit and mark, y (n).
 */
export function makeRecall(n: number, length: number, options: Drawn = {}): Samples {
  sizes('makeRecall', { n, length });
  const next = words(options.generator ?? defaultGenerator);
  const x = new Float32Array(n * length * 2);
  const y = new BigInt64Array(n);
  for (let i = 0; i < n; i++) {
    for (let t = 0; t < length; t++) x[2 * (i * length + t)] = next() & 1;
    x[2 * i * length + 1] = 1;
    y[i] = BigInt(x[2 * i * length]!);
  }
  return { x: adopt(x, [n, length, 2], 'float32'), y: adopt(y, [n], 'int64') };
}

export interface CopyOptions extends Drawn {
  /** Symbols to be remembered are 1 … symbols. Default 8. */
  readonly symbols?: number;
  /** How many of them. Default 10. */
  readonly length?: number;
}
/**
 * The copying task (Hochreiter and Schmidhuber 1997, in the form of Arjovsky, Shah and Bengio 2016, section 5.1): L
 * symbols, delay − 1 blanks (0), the signal symbols + 1, L blanks; the target is blank for delay + L steps and then
 * repeats the symbols. Guessing blanks and then at random costs L ln(symbols) / (delay + 2L).
 * Shape: x, y int64 (n, delay + 2L).
 */
export function makeCopy(n: number, delay: number, options: CopyOptions = {}): Samples {
  const { symbols = 8, length = 10 } = options;
  sizes('makeCopy', { n, delay, symbols, length });
  const pick = below(words(options.generator ?? defaultGenerator));
  const total = delay + 2 * length;
  const x = new BigInt64Array(n * total);
  const y = new BigInt64Array(n * total);
  for (let i = 0; i < n; i++) {
    for (let t = 0; t < length; t++)
      x[i * total + t] = y[i * total + delay + length + t] = BigInt(1 + pick(symbols));
    x[i * total + delay + length - 1] = BigInt(symbols + 1);
  }
  return { x: adopt(x, [n, total], 'int64'), y: adopt(y, [n, total], 'int64') };
}

/**
 * The adding task (Hochreiter and Schmidhuber 1997; Arjovsky, Shah and Bengio 2016, section 5.2): numbers uniform in
 * [0, 1), one of the first half and one of the second half marked; the target is their sum. Always to say 1 has the
 * mean squared error 1/6. Shape: x (n, T, 2) = number and mark, y (n, 1).
 */
export function makeAdding(n: number, length: number, options: Drawn = {}): Samples {
  sizes('makeAdding', { n, length });
  if (length < 2) throw new ValueError('makeAdding', 'length must be at least 2', show(length), '');
  const generator = options.generator ?? defaultGenerator;
  const u = uniforms(generator);
  const pick = below(words(generator));
  const x = new Float32Array(n * length * 2);
  const y = new Float32Array(n);
  const half = Math.floor(length / 2);
  for (let i = 0; i < n; i++) {
    for (let t = 0; t < length; t++) x[2 * (i * length + t)] = u();
    for (const t of [pick(half), half + pick(length - half)]) {
      const at = 2 * (i * length + t);
      x[at + 1] = 1;
      y[i]! += x[at]!;
    }
  }
  return { x: adopt(x, [n, length, 2], 'float32'), y: adopt(y, [n, 1], 'float32') };
}

// ---- reversal ----------------------------------------------------------------------------------------------------------

export interface ReversalOptions extends Drawn {
  /** Symbols are 3 … symbols + 2; 0 is padding, 1 begins a target, 2 ends it. Default 26. */
  readonly symbols?: number;
  /** Shortest sequence. Default 3. */
  readonly shortest?: number;
}
/**
 * A small 'translation': sequences of 3 … `longest` symbols, and the same backwards with an end behind them, filled up
 * with padding. Shape: x int64 (n, longest), y int64 (n, longest + 1).
 */
export function makeReversal(n: number, longest: number, options: ReversalOptions = {}): Samples {
  const { symbols = 26, shortest = 3 } = options;
  sizes('makeReversal', { n, longest, symbols, shortest });
  if (shortest > longest)
    throw new ValueError('makeReversal', `shortest must be at most ${longest}`, show(shortest), '');
  const pick = below(words(options.generator ?? defaultGenerator));
  const x = new BigInt64Array(n * longest);
  const y = new BigInt64Array(n * (longest + 1));
  for (let i = 0; i < n; i++) {
    const length = shortest + pick(longest - shortest + 1);
    const end = i * (longest + 1) + length;
    for (let t = 0; t < length; t++) x[i * longest + t] = y[end - 1 - t] = BigInt(3 + pick(symbols));
    y[end] = 2n;
  }
  return { x: adopt(x, [n, longest], 'int64'), y: adopt(y, [n, longest + 1], 'int64') };
}

// ---- waves -------------------------------------------------------------------------------------------------------------

/** Height at phase p of a period, 0 <= p < 1. */
const WAVE_FORMS = {
  sine: (p: number) => Math.sin(2 * Math.PI * p),
  square: (p: number) => (p < 0.5 ? 1 : -1),
  sawtooth: (p: number) => 2 * p - 1,
  triangle: (p: number) => 4 * Math.abs(p - 0.5) - 1,
};
export type WaveForm = keyof typeof WAVE_FORMS;
/** The classes of `makeWaves`, in order. */
export const WAVES = Object.keys(WAVE_FORMS) as readonly WaveForm[];

export interface WavesOptions extends Drawn {
  /** Periods within the length, drawn evenly from [from, to). Default [2, 6]. */
  readonly periods?: readonly [from: number, to: number];
  /** Standard deviation of the noise. Default .1. */
  readonly noise?: number;
}
/**
 * Waves of four forms (sine, square, sawtooth, triangle: class i mod 4) of random frequency and phase, height 1, plus
 * normal noise. Shape: x (n, 1, T), y (n).
 */
export function makeWaves(n: number, length: number, options: WavesOptions = {}): Samples {
  const { periods: [from, to] = [2, 6], noise = 0.1, generator = defaultGenerator } = options;
  sizes('makeWaves', { n, length });
  if (!(noise >= 0)) throw new ValueError('makeWaves', 'noise must be >= 0', show(noise), '');
  const u = uniforms(generator);
  const normal = (): number => Math.sqrt(-2 * Math.log(u())) * Math.cos(2 * Math.PI * u());
  const x = new Float32Array(n * length);
  for (let i = 0; i < n; i++) {
    const form = WAVE_FORMS[WAVES[i % WAVES.length]!];
    const [phase, periods] = [u(), from + (to - from) * u()];
    for (let t = 0; t < length; t++)
      x[i * length + t] = form((phase + (periods * t) / length) % 1) + noise * normal();
  }
  const y = BigInt64Array.from({ length: n }, (_, i) => BigInt(i % WAVES.length));
  return { x: adopt(x, [n, 1, length], 'float32'), y: adopt(y, [n], 'int64') };
}

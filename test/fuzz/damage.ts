// Damaged files: a reader must give a whole result or an error of ours, whatever happened to the bytes.

import { FileError } from '../../src/base/errors.ts';
import { stream } from '../support.ts';

/** Inputs of a run. */
export const INPUTS = 12_000;
/** One to four changes: bytes flipped, set to what formats find special, cut out, doubled, the end torn off. */
export function mutate(bytes: Uint8Array, next: () => number, special: readonly number[]): Uint8Array {
  let b = [...bytes];
  const at = () => Math.floor(next() * (b.length + 1));
  for (let k = 1 + Math.floor(next() * 4); k > 0; k--) {
    const [p, q] = [at(), at()].sort((x, y) => x - y) as [number, number];
    const kind = Math.floor(next() * 6);
    if (kind === 0 && p < b.length) b[p] = b[p]! ^ (1 << Math.floor(next() * 8));
    else if (kind === 1) b.splice(p, 1, special[Math.floor(next() * special.length)]!);
    else if (kind === 2) b.splice(p, 0, special[Math.floor(next() * special.length)]!);
    else if (kind === 3) b.splice(p, Math.min(q - p, 6));
    else if (kind === 4) b = [...b.slice(0, q), ...b.slice(p)];
    else b.length = p;
  }
  return Uint8Array.from(b);
}
/** How often `read` gave a result; whatever it throws must be ours. */
export async function survive(
  samples: readonly Uint8Array[],
  special: readonly number[],
  read: (bytes: Uint8Array) => unknown,
): Promise<number> {
  const next = stream(20260);
  let whole = 0;
  for (let i = 0; i < INPUTS; i++) {
    const bytes = mutate(samples[i % samples.length]!, next, special);
    try {
      await read(bytes);
      whole++;
    } catch (e) {
      if (!(e instanceof FileError)) throw new Error(`input ${i} [${bytes}]`, { cause: e });
    }
  }
  return whole;
}

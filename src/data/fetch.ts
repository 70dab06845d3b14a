// Fetching one batch: the part of a loader that runs in the program's thread or in a worker alike.
// In: a data set and which samples. Out: the batch, or a Promise of it where a sample has to be waited for.

import { threefry2x32 } from '../base/rng.ts';
import { Generator } from '../tensor/random.ts';
import { defaultCollate } from './collate.ts';
import type { Dataset } from './dataset.ts';

/** One batch of an epoch. */
export interface Job {
  readonly indices: ArrayLike<number>;
  /** Place in the epoch of its first sample. */
  readonly place: number;
  readonly seed: number;
}

/** A seed of 53 bits: the n-th that follows from another seed. */
function derivedSeed(seed: number, n: number): number {
  const low = (seed % 4294967296) | 0;
  const high = Math.floor(seed / 4294967296) | 0;
  const [a, b] = threefry2x32(low, high, n | 0, Math.floor(n / 4294967296));
  return (b & 0x1fffff) * 4294967296 + a;
}
/** What orders an epoch draws from. */
export const orderGenerator = (seed: number): Generator => new Generator(derivedSeed(seed, 0));
/** What the sample at this place of an epoch draws from. */
export const sampleGenerator = (seed: number, place: number): Generator =>
  new Generator(derivedSeed(seed, place + 1));

export function fetchSamples<T>(dataset: Dataset<T>, { indices, place, seed }: Job): T[] | Promise<T[]> {
  const samples = Array.from(indices, (index, k) => dataset.get(index, sampleGenerator(seed, place + k)));
  return samples.some(s => s instanceof Promise) ? Promise.all(samples) : (samples as T[]);
}
export function fetchBatch<T, B>(
  dataset: Dataset<T>,
  job: Job,
  collate: ((samples: T[]) => B) | undefined,
): B | Promise<B> {
  if (collate === undefined && dataset.getBatch !== undefined) return dataset.getBatch(job.indices) as B;
  const samples = fetchSamples(dataset, job);
  const join = collate ?? (defaultCollate as unknown as (samples: T[]) => B);
  return samples instanceof Promise ? samples.then(join) : join(samples);
}

// Fetching one batch: the part of a loader that runs in the program's thread or in a worker alike.
// In: a data set and which samples. Out: the batch, or a Promise of it where a sample has to be waited for.

import { FileError } from '../base/errors.ts';
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
  /** Leave out samples whose files cannot be read. */
  readonly skip: boolean;
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

/** The samples of a job; those that cannot be read are told to `skipped` and left out, where the job says so. */
export function fetchSamples<T>(dataset: Dataset<T>, job: Job, skipped: string[]): T[] | Promise<T[]> {
  const { indices, place, seed, skip } = job;
  const leave = (e: unknown): typeof MISSING => {
    if (!skip || !(e instanceof FileError)) throw e;
    skipped.push(e.message);
    return MISSING;
  };
  const samples = Array.from(indices, (index, k) => {
    try {
      const sample = dataset.get(index, sampleGenerator(seed, place + k));
      return skip && sample instanceof Promise ? sample.catch(leave) : sample;
    } catch (e) {
      return leave(e);
    }
  });
  const whole = (list: readonly unknown[]): T[] => list.filter(s => s !== MISSING) as T[];
  return samples.some(s => s instanceof Promise) ? Promise.all(samples).then(whole) : whole(samples);
}
const MISSING = Symbol('a sample that cannot be read');

/** The batch of a job; null where all of its samples were left out. */
export function fetchBatch<T, B>(
  dataset: Dataset<T>,
  job: Job,
  collate: ((samples: T[]) => B) | undefined,
  skipped: string[],
): B | null | Promise<B | null> {
  const { indices, place, seed, skip } = job;
  if (collate === undefined && dataset.getBatch !== undefined)
    return dataset.getBatch(indices, {
      random: k => sampleGenerator(seed, place + k),
      ...(skip ? { skip: (_, e) => skipped.push(e.message) } : {}),
    }) as B | null;
  const samples = fetchSamples(dataset, job, skipped);
  const join = collate ?? (defaultCollate as unknown as (samples: T[]) => B);
  const joined = (list: T[]): B | null => (list.length === 0 ? null : join(list));
  return samples instanceof Promise ? samples.then(joined) : joined(samples);
}

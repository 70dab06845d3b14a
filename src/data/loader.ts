// The loader: epochs of batches in an order that can be made again.
// In: a data set, how to order and batch it. Out: batches, at once or awaited; its position, to be saved with a run.

import { show, ValueError } from '../base/errors.ts';
import { defaultGenerator, type Generator } from '../tensor/random.ts';
import { yieldSometimes } from '../tensor/yield.ts';
import { Chunks } from './chunks.ts';
import { type Collated, defaultCollate } from './collate.ts';
import { type Dataset, type IterableDataset, isIterableDataset } from './dataset.ts';
import { fetchBatch, type Job, orderGenerator } from './fetch.ts';
import {
  type BatchSampler,
  RandomSampler,
  type Sampler,
  SequentialSampler,
  SimpleBatchSampler,
} from './sampler.ts';
import { WorkerError, WorkerPool } from './workers.ts';

export interface DataLoaderOptions<T, B> {
  /** Samples in a batch. Default 1. */
  readonly batchSize?: number;
  /** Another random order each epoch. Default false. */
  readonly shuffle?: boolean;
  /** Leave out a last batch that is not full. Default false. */
  readonly dropLast?: boolean;
  /** The order, instead of `shuffle`; a list of indices too. */
  readonly sampler?: Sampler | readonly number[] | Int32Array;
  /** The batches, instead of batchSize, shuffle, sampler and dropLast. */
  readonly batchSampler?: BatchSampler | readonly ArrayLike<number>[];
  /** Makes a batch of samples. Default: `defaultCollate`. */
  readonly collate?: (samples: T[]) => B;
  /** One number of this stream is the seed of an epoch. Default: the stream that `manualSeed` restarts. */
  readonly generator?: Generator;
  /** Worker threads that fetch batches ahead; the data set must come from `datasetFrom`. Default 0: in this thread. */
  readonly numWorkers?: number;
  /** Batches that each worker fetches ahead. Default 2. */
  readonly prefetchFactor?: number;
  /**
   * Leave out samples whose files cannot be read (a FileError) and count them in `skipped`. Default false: the error is
   * thrown.
   */
  readonly skipDamaged?: boolean;
}

/** Where a loader stands: plain JSON. */
export interface LoaderState {
  /** The epoch that is under way, or the next one where `seed` is null. */
  readonly epoch: number;
  /** All that is random in the epoch follows from it. */
  readonly seed: number | null;
  /** Batches of the epoch that were handed out. */
  readonly batch: number;
  /** Batches of the whole epoch; null for a stream. */
  readonly batches: number | null;
  /** The loader's own generator, where it has one. */
  readonly generator: { readonly seed: number; readonly calls: number } | null;
}

interface Run {
  readonly epoch: number;
  readonly seed: number;
  /** Batches to leave out: they were handed out before. */
  readonly from: number;
  /** What is said about samples that are left out. */
  readonly skipped: string[];
}

const isSampler = (s: object): s is Sampler => 'order' in s;
const isBatchSampler = (s: object): s is BatchSampler => 'batches' in s;
const listSampler = (list: readonly number[] | Int32Array): Sampler => ({
  count: () => list.length,
  order: () => list,
});
const listBatchSampler = (list: readonly ArrayLike<number>[]): BatchSampler => ({
  count: () => list.length,
  batches: () => list,
});

/**
 * Batches of a data set, as `torch.utils.data.DataLoader`: `for (const [x, y] of loader)` where samples are there at
 * once, `for await` where they are not, which also gives the event loop a turn now and then. Each loop is an epoch.
 * `stateDict()` tells the position, in the middle of an epoch too; after `loadStateDict()` the next loop gives exactly
 * the batches that remained. Errors: options that exclude each other.
 */
export class DataLoader<T, B = Collated<T>, D extends object = Dataset<T> | IterableDataset<T>> {
  readonly dataset: D;
  private readonly source: Dataset<T> | IterableDataset<T>;
  readonly batchSize: number;
  private readonly dropLast: boolean;
  private readonly collate: ((samples: T[]) => B) | undefined;
  private readonly numWorkers: number;
  private readonly prefetchFactor: number;
  private readonly skipDamaged: boolean;
  /** What was said about the samples that this epoch (or the last one) left out, one text each. */
  skipped: readonly string[] = [];
  private pool: WorkerPool | null = null;
  private readonly generator: Generator | null;
  /** Null for a stream. */
  private readonly batchSampler: BatchSampler | null;
  private epoch = 0;
  private seed: number | null = null;
  private batch = 0;
  private restored = false;
  /** The loop that started last: only it moves the position. */
  private current: Run | null = null;

  constructor(dataset: D & (Dataset<T> | IterableDataset<T>), options: DataLoaderOptions<T, B> = {}) {
    const { batchSize = 1, dropLast = false, numWorkers = 0, prefetchFactor = 2 } = options;
    for (const [name, v, least] of [
      ['batchSize', batchSize, 1],
      ['numWorkers', numWorkers, 0],
      ['prefetchFactor', prefetchFactor, 1],
    ] as const)
      if (!Number.isInteger(v) || v < least)
        throw new ValueError('DataLoader', `${name} must be an integer >= ${least}`, show(v), '');
    this.dataset = dataset;
    this.source = dataset;
    this.batchSize = batchSize;
    this.dropLast = dropLast;
    this.collate = options.collate;
    this.numWorkers = numWorkers;
    this.prefetchFactor = prefetchFactor;
    this.skipDamaged = options.skipDamaged ?? false;
    this.generator = options.generator ?? null;
    this.batchSampler = batchSamplerOf(dataset, options, batchSize, dropLast);
  }

  /** Batches in an epoch: the one under way, or the next. */
  get length(): number {
    if (this.batchSampler === null)
      throw new ValueError('DataLoader', 'the length of a stream is not known', '', 'count its batches');
    return this.batchSampler.count(this.epoch);
  }

  /** The batches of an epoch, for samples that are there at once. */
  *[Symbol.iterator](): IterableIterator<B> {
    if (this.numWorkers > 0) this.refuseSync('workers');
    const run = this.begin();
    for (const batch of this.pieces(run)) {
      if (batch instanceof Promise) {
        batch.catch(() => {});
        this.refuseSync('a Promise');
      }
      this.advance(run);
      if (batch !== null) yield batch;
    }
    this.end(run);
  }
  /** The batches of an epoch; waits for samples where need be. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<B> {
    const run = this.begin();
    for await (const batch of this.numWorkers > 0 ? this.fromWorkers(run) : this.asyncPieces(run)) {
      await yieldSometimes();
      this.advance(run);
      if (batch !== null) yield batch;
    }
    this.end(run);
  }

  /** Ends the workers; the next loop starts them again. Without it they wait for the next loop, and end with the process. */
  close(): void {
    this.pool?.close();
    this.pool = null;
  }

  /** The position, as plain JSON. */
  stateDict(): LoaderState {
    const { epoch, seed, batch } = this;
    return {
      epoch,
      seed,
      batch,
      batches: this.batchSampler?.count(epoch) ?? null,
      generator: this.generator?.getState() ?? null,
    };
  }
  /** Goes to a position: the next loop gives the batches that remained there. Errors: a position of another loader. */
  loadStateDict(state: LoaderState): void {
    const { epoch, seed, batch, batches, generator } = state;
    const whole = (v: unknown): boolean => Number.isSafeInteger(v) && (v as number) >= 0;
    if (!whole(epoch) || !whole(batch) || !(seed === null || whole(seed)))
      throw new ValueError('DataLoader.loadStateDict', 'it takes what stateDict() gave', show(state), '');
    const mine = this.batchSampler?.count(epoch) ?? null;
    if (mine !== batches)
      throw new ValueError(
        'DataLoader.loadStateDict',
        `the position must be one of a loader with ${mine ?? 'an unknown number of'} batches`,
        `one of ${batches}`,
        'make the loader as it was: the same data, batchSize and sampler',
      );
    if (this.generator !== null && generator !== null) this.generator.setState(generator);
    this.epoch = epoch;
    this.seed = seed;
    this.batch = batch;
    this.restored = seed !== null;
    this.current = null;
  }

  // ---- the epoch -------------------------------------------------------------------------------------------------------

  private begin(): Run {
    if (!this.restored) {
      // An epoch that was left in the middle is over.
      if (this.seed !== null) this.epoch++;
      this.seed = drawSeed(this.generator ?? defaultGenerator);
      this.batch = 0;
    }
    this.restored = false;
    const skipped: string[] = [];
    this.skipped = skipped;
    this.current = { epoch: this.epoch, seed: this.seed!, from: this.batch, skipped };
    return this.current;
  }
  private advance(run: Run): void {
    if (run === this.current) this.batch++;
  }
  private end(run: Run): void {
    if (run !== this.current) return;
    this.epoch++;
    this.seed = null;
    this.batch = 0;
    this.current = null;
  }

  // ---- batches ---------------------------------------------------------------------------------------------------------

  private *jobs({ epoch, seed, from }: Run): Iterable<Job> {
    const skip = this.skipDamaged;
    let batch = 0;
    let place = 0;
    for (const indices of this.batchSampler!.batches(orderGenerator(seed), epoch)) {
      if (batch++ >= from) yield { indices, place, seed, skip };
      place += indices.length;
    }
  }
  private *pieces(run: Run): Iterable<B | null | Promise<B | null>> {
    const dataset = this.source;
    if (!isIterableDataset(dataset)) {
      for (const job of this.jobs(run)) yield fetchBatch(dataset, job, this.collate, run.skipped);
      return;
    }
    if (dataset[Symbol.iterator] === undefined) this.refuseSync('an asynchronous stream');
    const chunks = new Chunks<T>(this.batchSize, run.from);
    for (const sample of dataset as Iterable<T>) if (chunks.add(sample)) yield this.join(chunks.take());
    if (chunks.rest && !this.dropLast) yield this.join(chunks.take());
  }
  private async *asyncPieces(run: Run): AsyncIterable<B | null> {
    const dataset = this.source;
    if (!isIterableDataset(dataset) || dataset[Symbol.asyncIterator] === undefined) {
      yield* this.pieces(run);
      return;
    }
    const chunks = new Chunks<T>(this.batchSize, run.from);
    for await (const sample of dataset as AsyncIterable<T>)
      if (chunks.add(sample)) yield this.join(chunks.take());
    if (chunks.rest && !this.dropLast) yield this.join(chunks.take());
  }
  private async *fromWorkers(run: Run): AsyncIterable<B | null> {
    const { source: dataset, batchSize, dropLast, collate } = this;
    if (this.pool === null) {
      this.pool = new WorkerPool(dataset, this.numWorkers, this.prefetchFactor);
      forgotten.register(this, this.pool);
    }
    const { pool } = this;
    const raw = collate !== undefined;
    const joined = (samples: T[]): B | null => (samples.length === 0 ? null : collate!(samples));
    const stream = isIterableDataset(dataset);
    const found = stream
      ? pool.stream({ seed: run.seed, batchSize, dropLast, raw })
      : pool.batches(this.jobs(run), raw, run.skipped);
    let skip = stream ? run.from : 0;
    try {
      for await (const batch of found) {
        if (skip-- > 0) continue;
        yield raw ? joined(batch as T[]) : (batch as B | null);
      }
    } catch (e) {
      if (e instanceof WorkerError && this.pool === pool) this.close();
      throw e;
    }
  }
  private join(samples: T[]): B {
    return (this.collate ?? (defaultCollate as unknown as (samples: T[]) => B))(samples);
  }
  private refuseSync(got: string): never {
    throw new ValueError('DataLoader', 'for…of needs samples that are there at once', got, 'use for await');
  }
}

/** Workers of loaders that nobody holds any more are ended. */
const forgotten = new FinalizationRegistry<WorkerPool>(pool => pool.close());

/** One draw of the stream, as a seed of 53 bits. */
function drawSeed(g: Generator): number {
  const [a, b] = g.key(g.calls++);
  return (b & 0x1fffff) * 4294967296 + a;
}

function batchSamplerOf<T, B>(
  dataset: Dataset<T> | IterableDataset<T>,
  options: DataLoaderOptions<T, B>,
  batchSize: number,
  dropLast: boolean,
): BatchSampler | null {
  const { shuffle = false, sampler, batchSampler } = options;
  const clash = (a: string, b: string): never => {
    throw new ValueError('DataLoader', `${a} excludes ${b}`, 'both', 'leave one of them out');
  };
  if (isIterableDataset(dataset)) {
    const orders = { shuffle: shuffle || undefined, sampler, batchSampler };
    for (const [name, v] of Object.entries(orders)) if (v !== undefined) clash('a stream', name);
    return null;
  }
  if (batchSampler !== undefined) {
    const others = { batchSize: options.batchSize, shuffle: shuffle || undefined, sampler };
    for (const [name, v] of Object.entries({ ...others, dropLast: dropLast || undefined }))
      if (v !== undefined) clash('batchSampler', name);
    return isBatchSampler(batchSampler) ? batchSampler : listBatchSampler(batchSampler);
  }
  if (sampler !== undefined && shuffle) clash('sampler', 'shuffle');
  const order =
    sampler !== undefined
      ? isSampler(sampler)
        ? sampler
        : listSampler(sampler)
      : shuffle
        ? new RandomSampler(dataset)
        : new SequentialSampler(dataset);
  return new SimpleBatchSampler(order, batchSize, dropLast);
}

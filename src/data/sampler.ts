// Orders: which samples an epoch visits, and which of them form a batch.
// In: sizes, labels, lengths, weights. Out: indices. A sampler keeps no state: the loader gives it a stream of random
// numbers and the number of the epoch, so that an order can be made again where a run resumes.

import { show, ValueError } from '../base/errors.ts';
import type { Generator } from '../tensor/random.ts';
import { below, counting, shuffle, shuffled, uniforms, words } from './draws.ts';

export interface Sampler {
  /** How many indices an epoch gives. */
  count(epoch: number): number;
  order(random: Generator, epoch: number): Iterable<number>;
}
export interface BatchSampler {
  /** How many batches an epoch gives. */
  count(epoch: number): number;
  batches(random: Generator, epoch: number): Iterable<ArrayLike<number>>;
}
interface Sized {
  readonly length: number;
}

function positive(op: string, name: string, n: number): void {
  if (!Number.isInteger(n) || n < 1) throw new ValueError(op, `${name} must be an integer >= 1`, show(n), '');
}

// ---- samplers ----------------------------------------------------------------------------------------------------------

/** 0, 1, 2, … */
export class SequentialSampler implements Sampler {
  private readonly source: Sized;
  constructor(source: Sized) {
    this.source = source;
  }
  count(): number {
    return this.source.length;
  }
  order(): Iterable<number> {
    return counting(this.source.length);
  }
}

export interface RandomSamplerOptions {
  /** Draw each index anew, so that one may come twice. Default false. */
  readonly replacement?: boolean;
  /** Indices in an epoch. Default: as many as there are samples. Without replacement one permutation follows another. */
  readonly numSamples?: number;
}
/** All indices in random order, or random indices with replacement. */
export class RandomSampler implements Sampler {
  private readonly source: Sized;
  private readonly options: RandomSamplerOptions;
  constructor(source: Sized, options: RandomSamplerOptions = {}) {
    positive('RandomSampler', 'the number of samples', source.length);
    if (options.numSamples !== undefined) positive('RandomSampler', 'numSamples', options.numSamples);
    this.source = source;
    this.options = options;
  }
  count(): number {
    return this.options.numSamples ?? this.source.length;
  }
  order(random: Generator): Iterable<number> {
    const n = this.source.length;
    const count = this.count();
    if (!this.options.replacement && count === n) return shuffled(n, random);
    const out = new Int32Array(count);
    if (this.options.replacement) {
      const pick = below(words(random));
      for (let i = 0; i < count; i++) out[i] = pick(n);
    } else {
      for (let at = 0; at < count; at += n) out.set(shuffled(n, random).subarray(0, count - at), at);
    }
    return out;
  }
}

/** The given indices in random order. */
export class SubsetRandomSampler implements Sampler {
  private readonly indices: ArrayLike<number>;
  constructor(indices: ArrayLike<number>) {
    this.indices = indices;
  }
  count(): number {
    return this.indices.length;
  }
  order(random: Generator): Iterable<number> {
    return shuffle(Int32Array.from(this.indices), below(words(random)));
  }
}

/** Indices drawn with probabilities that are proportional to `weights`, with replacement by default. */
export class WeightedRandomSampler implements Sampler {
  private readonly weights: Float64Array;
  private readonly numSamples: number;
  private readonly replacement: boolean;
  constructor(
    weights: ArrayLike<number>,
    numSamples: number,
    options: { readonly replacement?: boolean } = {},
  ) {
    positive('WeightedRandomSampler', 'numSamples', numSamples);
    this.weights = Float64Array.from(weights);
    this.numSamples = numSamples;
    this.replacement = options.replacement ?? true;
    const bad = this.weights.findIndex(w => !(w >= 0 && Number.isFinite(w)));
    if (bad >= 0)
      throw new ValueError(
        'WeightedRandomSampler',
        'weights must be finite and >= 0',
        `${this.weights[bad]} at ${bad}`,
        '',
      );
    const usable = this.weights.reduce((k, w) => k + (w > 0 ? 1 : 0), 0);
    if (usable < (this.replacement ? 1 : numSamples))
      throw new ValueError(
        'WeightedRandomSampler',
        this.replacement
          ? 'one weight at least must be positive'
          : 'without replacement there must be as many positive weights as samples',
        `${usable} of them`,
        '',
      );
  }
  count(): number {
    return this.numSamples;
  }
  order(random: Generator): Iterable<number> {
    const u = uniforms(random);
    const { weights, numSamples } = this;
    if (!this.replacement) {
      // The exponential race: −ln u / w are arrival times, and the first to arrive are a weighted sample.
      const arrival = weights.map(w => -Math.log(u()) / w);
      return counting(weights.length)
        .sort((a, b) => arrival[a]! - arrival[b]!)
        .subarray(0, numSamples);
    }
    let total = 0;
    const sums = weights.map(w => (total += w));
    return Int32Array.from({ length: numSamples }, () => firstAbove(sums, u() * total));
  }
}
/** The first index whose value is above x, in an ascending list whose last value is above x. */
function firstAbove(sorted: Float64Array, x: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const mid = (low + high) >> 1;
    if (sorted[mid]! > x) high = mid;
    else low = mid + 1;
  }
  return low;
}

/**
 * All indices in a random order in which every stretch has the classes in their overall shares (each class lies evenly
 * spread, at a random phase), so that the batches cut from it are stratified.
 */
export class StratifiedSampler implements Sampler {
  private readonly classes: readonly (readonly number[])[];
  private readonly total: number;
  constructor(labels: ArrayLike<number | bigint>) {
    positive('StratifiedSampler', 'the number of labels', labels.length);
    const byClass = new Map<number, number[]>();
    for (let i = 0; i < labels.length; i++) {
      const c = Number(labels[i]);
      const members = byClass.get(c);
      if (members === undefined) byClass.set(c, [i]);
      else members.push(i);
    }
    this.total = labels.length;
    this.classes = [...byClass.entries()].sort(([a], [b]) => a - b).map(([, members]) => members);
  }
  count(): number {
    return this.total;
  }
  order(random: Generator): Iterable<number> {
    const next = words(random);
    const pick = below(next);
    const place = new Float64Array(this.total);
    for (const members of this.classes) {
      const phase = (next() + 0.5) / 2 ** 32;
      shuffle([...members], pick).forEach((index, k) => {
        place[index] = (k + phase) / members.length;
      });
    }
    return counting(this.total).sort((a, b) => place[a]! - place[b]!);
  }
}

export interface CurriculumOptions {
  /** Share of the samples, the easiest, in epoch 0. Default .2. */
  readonly start?: number;
  /** From this epoch on all samples are used; the share grows linearly until then. Default 10. */
  readonly epochs?: number;
}
/**
 * Easy samples first (Bengio et al. 2009, "Curriculum learning"): epoch e visits the easiest share
 * min(1, start + (1 − start)·e / epochs) of the samples, in random order.
 */
export class CurriculumSampler implements Sampler {
  private readonly easiest: Int32Array;
  private readonly start: number;
  private readonly epochs: number;
  constructor(difficulty: ArrayLike<number>, options: CurriculumOptions = {}) {
    const { start = 0.2, epochs = 10 } = options;
    positive('CurriculumSampler', 'the number of samples', difficulty.length);
    if (!(start > 0 && start <= 1))
      throw new ValueError('CurriculumSampler', 'start must be in (0, 1]', show(start), '');
    positive('CurriculumSampler', 'epochs', epochs);
    this.easiest = counting(difficulty.length).sort((a, b) => difficulty[a]! - difficulty[b]!);
    this.start = start;
    this.epochs = epochs;
  }
  count(epoch: number): number {
    const share = Math.min(1, this.start + ((1 - this.start) * epoch) / this.epochs);
    return Math.max(1, Math.round(share * this.easiest.length));
  }
  order(random: Generator, epoch: number): Iterable<number> {
    return shuffle(this.easiest.slice(0, this.count(epoch)), below(words(random)));
  }
}

// ---- batch samplers ----------------------------------------------------------------------------------------------------

/** Cuts an order into batches. */
export class SimpleBatchSampler implements BatchSampler {
  private readonly sampler: Sampler;
  private readonly batchSize: number;
  private readonly dropLast: boolean;
  constructor(sampler: Sampler, batchSize: number, dropLast = false) {
    positive('DataLoader', 'batchSize', batchSize);
    this.sampler = sampler;
    this.batchSize = batchSize;
    this.dropLast = dropLast;
  }
  count(epoch: number): number {
    const batches = this.sampler.count(epoch) / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }
  *batches(random: Generator, epoch: number): Iterable<ArrayLike<number>> {
    const order = this.sampler.order(random, epoch);
    if (order instanceof Int32Array) {
      const end = this.dropLast ? order.length - (order.length % this.batchSize) : order.length;
      for (let at = 0; at < end; at += this.batchSize)
        yield order.subarray(at, Math.min(at + this.batchSize, end));
      return;
    }
    let batch: number[] = [];
    for (const i of order) {
      if (batch.push(i) < this.batchSize) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0 && !this.dropLast) yield batch;
  }
}

export interface BucketOptions {
  readonly batchSize: number;
  /** Batches whose samples are mixed with each other. Default 16. */
  readonly batchesPerBucket?: number;
  /** false: no mixing, shortest first. Default true. */
  readonly shuffle?: boolean;
  readonly dropLast?: boolean;
}
/**
 * Batches of samples of similar length, so that little is padding: sorted by length (ties at random), cut into buckets,
 * shuffled within each bucket, cut into batches, and the batches visited in random order.
 */
export class BucketBatchSampler implements BatchSampler {
  private readonly lengths: ArrayLike<number>;
  private readonly options: Required<BucketOptions>;
  constructor(lengths: ArrayLike<number>, options: BucketOptions) {
    this.options = { batchesPerBucket: 16, shuffle: true, dropLast: false, ...options };
    positive('BucketBatchSampler', 'batchSize', options.batchSize);
    positive('BucketBatchSampler', 'batchesPerBucket', this.options.batchesPerBucket);
    this.lengths = lengths;
  }
  count(): number {
    const batches = this.lengths.length / this.options.batchSize;
    return this.options.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }
  batches(random: Generator): Iterable<ArrayLike<number>> {
    const { batchSize, batchesPerBucket, shuffle: mixed } = this.options;
    const n = this.lengths.length;
    const pick = below(words(random));
    const order = mixed ? shuffle(counting(n), pick) : counting(n);
    order.sort((a, b) => this.lengths[a]! - this.lengths[b]!);
    const size = batchSize * batchesPerBucket;
    if (mixed) for (let at = 0; at < n; at += size) shuffle(order.subarray(at, at + size), pick);
    const list = Array.from({ length: this.count() }, (_, k) =>
      order.subarray(k * batchSize, (k + 1) * batchSize),
    );
    return mixed ? shuffle(list, pick) : list;
  }
}

/**
 * Batches for recurrent nets that carry their state from batch to batch: the samples, windows of a series in order of
 * time, are cut into `batchSize` streams of ⌊n / batchSize⌋, and row r of batch t is window t of stream r. What does not
 * fill a row of the last batch is left out.
 */
export class TimeOrderedBatchSampler implements BatchSampler {
  private readonly source: Sized;
  private readonly batchSize: number;
  constructor(source: Sized, batchSize: number) {
    positive('TimeOrderedBatchSampler', 'batchSize', batchSize);
    if (source.length < batchSize)
      throw new ValueError(
        'TimeOrderedBatchSampler',
        `each of the ${batchSize} rows needs a sample`,
        `${source.length} samples`,
        'make batchSize smaller',
      );
    this.source = source;
    this.batchSize = batchSize;
  }
  count(): number {
    return Math.floor(this.source.length / this.batchSize);
  }
  *batches(): Iterable<ArrayLike<number>> {
    const stream = this.count();
    for (let t = 0; t < stream; t++)
      yield Int32Array.from({ length: this.batchSize }, (_, row) => row * stream + t);
  }
}

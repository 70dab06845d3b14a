// What a loader draws from: data sets by index, streams, and data sets made of other data sets.
// In: tensors, arrays, the user's own class. Out: samples. Not its job: order, batches, files.

import { type FileError, show, showShape, ValueError } from '../base/errors.ts';
import { defaultGenerator, type Generator } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { shuffled } from './draws.ts';
import { type ArrayData, RowStore } from './rows.ts';

/** What a loader tells a data set that fetches a whole batch. */
export interface BatchContext {
  /** What is random in the k-th sample of the batch draws from this. */
  random(k: number): Generator;
  /**
   * Told of the k-th sample that cannot be read, which is then left out; where it is missing the error is thrown.
   */
  readonly skip?: (k: number, error: FileError) => void;
}

/** Samples by index, as `torch.utils.data.Dataset`: `get(i)` for `__getitem__`, `length` for `__len__`. */
export abstract class Dataset<T> {
  abstract readonly length: number;
  /**
   * Sample `index`, 0 … length−1; a Promise where it has to be waited for. What is random in it draws from `random`,
   * which a DataLoader gives: it depends on the seed and the sample's place in the epoch only, so that any number of
   * workers, and a run that was resumed, see the same samples.
   */
  abstract get(index: number, random?: Generator): T | Promise<T>;
  /**
   * Several samples as the batch that `defaultCollate` would make of them, where that is faster than one by one; null
   * where all were left out.
   */
  getBatch?(indices: ArrayLike<number>, context?: BatchContext): unknown;
}

/** Samples in the order in which they come: `*[Symbol.iterator]()` or `async *[Symbol.asyncIterator]()`. */
export abstract class IterableDataset<T> {
  [Symbol.iterator]?(): Iterator<T>;
  [Symbol.asyncIterator]?(): AsyncIterator<T>;
}

function checkIndex(op: string, index: number, length: number): void {
  if (!(Number.isInteger(index) && index >= 0 && index < length))
    throw new ValueError(op, `the index must be an integer from 0 to ${length - 1}`, show(index), '');
}

/**
 * Rows of one or more tensors of equal first size: sample i is [tensors[0][i], tensors[1][i], …]. Holds the values that
 * the tensors have now; batches are gathered with one copy.
 */
export class TensorDataset<T extends readonly (Tensor | ArrayData)[]> extends Dataset<{
  [K in keyof T]: Tensor;
}> {
  readonly length: number;
  private readonly columns: readonly RowStore[];
  private made: { [K in keyof T]: Tensor } | null = null;

  constructor(...tensors: T) {
    super();
    const bad = tensors.find(t => t.shape.length === 0);
    if (tensors.length === 0 || bad !== undefined) {
      const got = bad === undefined ? 'none' : 'one of shape ()';
      throw new ValueError('TensorDataset', 'it takes tensors with at least one dim', got, '');
    }
    this.length = tensors[0]!.shape[0]!;
    const odd = tensors.find(t => t.shape[0] !== this.length);
    if (odd !== undefined)
      throw new ValueError(
        'TensorDataset',
        `all tensors must have ${this.length} rows`,
        showShape(odd.shape),
        '',
      );
    this.columns = tensors.map(t => new RowStore(t));
  }
  /** All rows as tensors, one for each column. */
  get tensors(): { [K in keyof T]: Tensor } {
    this.made ??= this.columns.map(c => c.all()) as { [K in keyof T]: Tensor };
    return this.made;
  }
  override get(index: number): { [K in keyof T]: Tensor } {
    checkIndex('TensorDataset', index, this.length);
    return this.columns.map(c => c.gather([index], true)) as { [K in keyof T]: Tensor };
  }
  override getBatch(indices: ArrayLike<number>): { [K in keyof T]: Tensor } {
    for (let i = 0; i < indices.length; i++) checkIndex('TensorDataset', indices[i]!, this.length);
    return this.columns.map(c => c.gather(indices, false)) as { [K in keyof T]: Tensor };
  }
}

/** The samples of a data set at these indices, in this order. */
export class Subset<T> extends Dataset<T> {
  readonly dataset: Dataset<T>;
  readonly indices: ArrayLike<number>;
  override readonly getBatch?: (indices: ArrayLike<number>, context?: BatchContext) => unknown;

  constructor(dataset: Dataset<T>, indices: ArrayLike<number>) {
    super();
    this.dataset = dataset;
    this.indices = indices;
    if (dataset.getBatch !== undefined)
      this.getBatch = (rows, context) =>
        dataset.getBatch!(
          Array.from(rows, i => this.inner(i)),
          context,
        );
  }
  private inner(index: number): number {
    checkIndex('Subset', index, this.length);
    return this.indices[index]!;
  }
  get length(): number {
    return this.indices.length;
  }
  override get(index: number, random?: Generator): T | Promise<T> {
    return this.dataset.get(this.inner(index), random);
  }
}

/** Several data sets one after the other. */
export class ConcatDataset<T> extends Dataset<T> {
  readonly datasets: readonly Dataset<T>[];
  /** Where each data set ends. */
  private readonly ends: readonly number[];

  constructor(datasets: readonly Dataset<T>[]) {
    super();
    if (datasets.length === 0)
      throw new ValueError('ConcatDataset', 'it takes at least one data set', 'none', '');
    this.datasets = datasets;
    let end = 0;
    this.ends = datasets.map(d => (end += d.length));
  }
  get length(): number {
    return this.ends.at(-1)!;
  }
  override get(index: number, random?: Generator): T | Promise<T> {
    checkIndex('ConcatDataset', index, this.length);
    const k = this.ends.findIndex(end => index < end);
    return this.datasets[k]!.get(index - (k === 0 ? 0 : this.ends[k - 1]!), random);
  }
}

/** Sample i is the list of the samples i of several data sets of equal length. */
export class StackDataset<const T extends readonly unknown[]> extends Dataset<T> {
  readonly datasets: { readonly [K in keyof T]: Dataset<T[K]> };
  readonly length: number;

  constructor(...datasets: { [K in keyof T]: Dataset<T[K]> }) {
    super();
    this.length = datasets[0]?.length ?? 0;
    const odd = datasets.find(d => d.length !== this.length);
    if (odd !== undefined)
      throw new ValueError(
        'StackDataset',
        `all data sets must have ${this.length} samples`,
        String(odd.length),
        '',
      );
    this.datasets = datasets;
  }
  override get(index: number, random?: Generator): T | Promise<T> {
    checkIndex('StackDataset', index, this.length);
    const samples = this.datasets.map(d => d.get(index, random));
    const waits = samples.some(s => s instanceof Promise);
    return (waits ? Promise.all(samples) : samples) as unknown as T | Promise<T>;
  }
}

/** A data set whose samples go through a function: a transform, an augmentation. */
export class TransformDataset<S, T> extends Dataset<T> {
  readonly dataset: Dataset<S>;
  private readonly transform: (sample: S, random: Generator) => T | Promise<T>;

  /** `random` is the sample's own stream; without a DataLoader it is the default one. */
  constructor(dataset: Dataset<S>, transform: (sample: S, random: Generator) => T | Promise<T>) {
    super();
    this.dataset = dataset;
    this.transform = transform;
  }
  get length(): number {
    return this.dataset.length;
  }
  override get(index: number, random: Generator = defaultGenerator): T | Promise<T> {
    const sample = this.dataset.get(index, random);
    return sample instanceof Promise
      ? sample.then(s => this.transform(s, random))
      : this.transform(sample, random);
  }
}

/** Several streams one after the other. */
export class ChainDataset<T> extends IterableDataset<T> {
  readonly datasets: readonly IterableDataset<T>[];
  constructor(datasets: readonly IterableDataset<T>[]) {
    super();
    this.datasets = datasets;
    if (datasets.every(d => d[Symbol.iterator] !== undefined))
      this[Symbol.iterator] = function* () {
        for (const d of datasets) yield* d as Iterable<T>;
      };
  }
  override async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (const d of this.datasets) yield* d as Iterable<T> | AsyncIterable<T>;
  }
}

/**
 * Random parts of a data set that do not overlap and together hold every sample. `lengths`: numbers of samples, or
 * shares that sum to 1: each part then gets ⌊share · n⌋, and what is left goes round from the first part on.
 */
export function randomSplit<T>(
  dataset: Dataset<T>,
  lengths: readonly number[],
  options: { readonly generator?: Generator } = {},
): Subset<T>[] {
  const n = dataset.length;
  const total = lengths.reduce((a, b) => a + b, 0);
  const shares = Math.abs(total - 1) < 1e-9 && lengths.every(v => v >= 0 && v <= 1) && n !== 1;
  const counts = shares ? lengths.map(v => Math.floor(v * n)) : [...lengths];
  if (shares) {
    const left = n - counts.reduce((a, b) => a + b, 0);
    for (let i = 0; i < left; i++) counts[i % counts.length]!++;
  }
  if (counts.some(c => !Number.isInteger(c) || c < 0) || counts.reduce((a, b) => a + b, 0) !== n)
    throw new ValueError(
      'randomSplit',
      `lengths must sum to the ${n} samples, or be shares that sum to 1`,
      show(lengths),
      '',
    );
  const order = shuffled(n, options.generator ?? defaultGenerator);
  let at = 0;
  return counts.map(c => new Subset(dataset, order.subarray(at, (at += c))));
}

export const isIterableDataset = (d: object): d is IterableDataset<unknown> =>
  !('get' in d) && (Symbol.iterator in d || Symbol.asyncIterator in d);

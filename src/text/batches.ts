// From numbers of tokens to batches: padding, classes of texts in batches of similar length, windows for language models.
// In: lists of numbers. Out: data sets, loaders, tensors (B, T). Not its job: tokenizing.

import { show, ValueError } from '../base/errors.ts';
import { DataLoader, Dataset } from '../data/index.ts';
import { BucketBatchSampler, TimeOrderedBatchSampler } from '../data/sampler.ts';
import { adopt } from '../tensor/create.ts';
import type { Generator } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

// ---- padding -----------------------------------------------------------------------------------------------------------

export interface PadIdsOptions {
  /** What fills the room. Default 0. */
  readonly padId?: number;
  /** All rows get this length, longer ones are cut. Default: that of the longest. */
  readonly length?: number;
  /** The length is rounded up to a multiple of it: few different shapes, few plans to compile. Default 1. */
  readonly multipleOf?: number;
  /** Where the room is, and where longer rows are cut. Default 'end'. */
  readonly side?: 'start' | 'end';
}
export interface Padded {
  /** int64 (B, T). */
  readonly ids: Tensor;
  /** True where a token is, bool (B, T). */
  readonly mask: Tensor;
  /** Tokens of each row that are kept, int64 (B). */
  readonly lengths: Tensor;
}
/** Lists of numbers as rows of one tensor. Empty lists become rows of padding; T is 1 at least. */
export function padIds(lists: readonly ArrayLike<number>[], options: PadIdsOptions = {}): Padded {
  const { padId = 0, length, multipleOf = 1, side = 'end' } = options;
  for (const [name, v] of Object.entries({ multipleOf, length: length ?? 1 }))
    if (!Number.isInteger(v) || v < 1)
      throw new ValueError('padIds', `${name} must be an integer >= 1`, show(v), '');
  const longest = lists.reduce((n, l) => Math.max(n, l.length), 1);
  const T = Math.ceil((length ?? longest) / multipleOf) * multipleOf;
  const B = lists.length;
  const ids = new BigInt64Array(B * T).fill(BigInt(padId));
  const mask = new Uint8Array(B * T);
  const lengths = new BigInt64Array(B);
  for (const [row, list] of lists.entries()) {
    const n = Math.min(list.length, length ?? T);
    const from = side === 'end' ? 0 : list.length - n;
    const to = row * T + (side === 'end' ? 0 : T - n);
    for (let i = 0; i < n; i++) ids[to + i] = BigInt(list[from + i]!);
    mask.fill(1, to, to + n);
    lengths[row] = BigInt(n);
  }
  return {
    ids: adopt(ids, [B, T], 'int64'),
    mask: adopt(mask, [B, T], 'bool'),
    lengths: adopt(lengths, [B], 'int64'),
  };
}

// ---- classes of texts --------------------------------------------------------------------------------------------------

/** A text as numbers and the number of its class. */
export interface Labelled {
  readonly ids: ArrayLike<number>;
  readonly label: number;
}
/** Labelled texts by index. */
export class LabelledTexts extends Dataset<Labelled> {
  readonly samples: readonly Labelled[];
  constructor(samples: readonly Labelled[]) {
    super();
    this.samples = samples;
  }
  get length(): number {
    return this.samples.length;
  }
  override get(index: number): Labelled {
    const sample = this.samples[index];
    if (sample === undefined)
      throw new ValueError(
        'LabelledTexts',
        `the index must be an integer from 0 to ${this.length - 1}`,
        show(index),
        '',
      );
    return sample;
  }
}
export interface TextLoaderOptions extends PadIdsOptions {
  readonly batchSize: number;
  /** New batches every epoch. Default false: by length, shortest first. */
  readonly shuffle?: boolean;
  readonly generator?: Generator;
}
/** Batches of texts of similar length: [ids int64 (B, T), labels int64 (B)]. */
export function textLoader(
  samples: readonly Labelled[],
  options: TextLoaderOptions,
): DataLoader<Labelled, [Tensor, Tensor]> {
  const { batchSize, shuffle = false, generator, ...padding } = options;
  const lengths = samples.map(s => s.ids.length);
  return new DataLoader<Labelled, [Tensor, Tensor]>(new LabelledTexts(samples), {
    batchSampler: new BucketBatchSampler(lengths, { batchSize, shuffle }),
    collate: batch => [
      padIds(
        batch.map(s => s.ids),
        padding,
      ).ids,
      adopt(
        BigInt64Array.from(batch, s => BigInt(s.label)),
        [batch.length],
        'int64',
      ),
    ],
    ...(generator === undefined ? {} : { generator }),
  });
}

// ---- windows -----------------------------------------------------------------------------------------------------------

export interface WindowOptions {
  /** Tokens of a window, T. */
  readonly length: number;
  /** From the start of one window to that of the next. Default: the length, so that they do not overlap. */
  readonly stride?: number;
}
/** Windows of a text for a language model: x the tokens i … i+T−1, y those one further. Shape: x, y int64 (T). */
export class LanguageWindows extends Dataset<[Tensor, Tensor]> {
  readonly length: number;
  private readonly ids: BigInt64Array;
  private readonly size: number;
  private readonly stride: number;
  constructor(ids: ArrayLike<number>, options: WindowOptions) {
    super();
    const { length, stride = length } = options;
    for (const [name, v] of Object.entries({ length, stride }))
      if (!Number.isInteger(v) || v < 1)
        throw new ValueError('LanguageWindows', `${name} must be an integer >= 1`, show(v), '');
    if (ids.length < length + 1)
      throw new ValueError(
        'LanguageWindows',
        `a window of ${length} needs ${length + 1} tokens`,
        String(ids.length),
        'make length smaller, or take a longer text',
      );
    this.ids = BigInt64Array.from(ids, BigInt);
    this.size = length;
    this.stride = stride;
    this.length = Math.floor((ids.length - 1 - length) / stride) + 1;
  }
  override get(index: number): [Tensor, Tensor] {
    const [x, y] = this.getBatch([index]);
    return [x.squeeze(0), y.squeeze(0)];
  }
  /** Shape: x, y int64 (B, T). */
  override getBatch(indices: ArrayLike<number>): [Tensor, Tensor] {
    const { size, ids, stride } = this;
    const B = indices.length;
    const x = new BigInt64Array(B * size);
    const y = new BigInt64Array(B * size);
    for (let row = 0; row < B; row++) {
      const index = indices[row]!;
      if (!(Number.isInteger(index) && index >= 0 && index < this.length))
        throw new ValueError(
          'LanguageWindows',
          `the index must be an integer from 0 to ${this.length - 1}`,
          show(index),
          '',
        );
      const at = index * stride;
      x.set(ids.subarray(at, at + size), row * size);
      y.set(ids.subarray(at + 1, at + 1 + size), row * size);
    }
    return [adopt(x, [B, size], 'int64'), adopt(y, [B, size], 'int64')];
  }
}
/**
 * Windows for truncated backpropagation through time: the text is cut into `batchSize` streams, and row r of a batch goes on
 * where row r of the batch before ended. So the state of a recurrent net is carried from batch to batch (detached), and is
 * zero at the start of each epoch only. What does not fill a row of the last batch is left out. Shape: [x, y] int64 (B, T).
 */
export function bpttLoader(
  ids: ArrayLike<number>,
  options: { readonly batchSize: number; readonly length: number },
): DataLoader<[Tensor, Tensor], [Tensor, Tensor]> {
  const windows = new LanguageWindows(ids, { length: options.length });
  return new DataLoader<[Tensor, Tensor], [Tensor, Tensor]>(windows, {
    batchSampler: new TimeOrderedBatchSampler(windows, options.batchSize),
  });
}

/**
 * Texts of their own for a language model, in batches of similar length: x all tokens but the last, y all but the first,
 * −100 where there is padding, which losses leave out. Texts longer than `length` + 1 are cut. Shape: [x, y] int64 (B, T).
 */
export function documentLoader(
  texts: readonly ArrayLike<number>[],
  options: Omit<TextLoaderOptions, 'side'>,
): DataLoader<Labelled, [Tensor, Tensor]> {
  const { batchSize, shuffle = false, generator, length, padId = 0, multipleOf = 1 } = options;
  const samples = texts.map(ids => ({ ids, label: 0 }));
  const lengths = texts.map(t => Math.min(t.length, length === undefined ? t.length : length + 1));
  return new DataLoader<Labelled, [Tensor, Tensor]>(new LabelledTexts(samples), {
    batchSampler: new BucketBatchSampler(lengths, { batchSize, shuffle }),
    collate: batch => {
      const cut = batch.map(s => Array.from(s.ids).slice(0, length === undefined ? undefined : length + 1));
      const x = padIds(
        cut.map(ids => ids.slice(0, -1)),
        { padId, multipleOf },
      ).ids;
      const y = padIds(
        cut.map(ids => ids.slice(1)),
        { padId: -100, multipleOf },
      ).ids;
      return [x, y];
    },
    ...(generator === undefined ? {} : { generator }),
  });
}

// Sequences of several lengths in one batch: torch.nn.utils.rnn. Letters: N sequences, T the longest, F features.

import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { tensor, zeros } from '../tensor/create.ts';
import { cat } from '../tensor/movement.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Time steps of all sequences one after the other, the longest sequence first, without padding. */
export class PackedSequence {
  /** (Σ lengths, F): at each time step a row for every sequence that is still going on. */
  readonly data: Tensor;
  /** How many sequences are still going on at each time step. */
  readonly batchSizes: readonly number[];
  /** Which sequence of the batch each of the sorted ones is; null where they came sorted. */
  readonly sortedIndices: readonly number[] | null;

  constructor(data: Tensor, batchSizes: readonly number[], sortedIndices: readonly number[] | null = null) {
    this.data = data;
    this.batchSizes = batchSizes;
    this.sortedIndices = sortedIndices;
  }
  /** Lengths of the sorted sequences, longest first. */
  get sortedLengths(): number[] {
    const n = this.batchSizes[0] ?? 0;
    return Array.from({ length: n }, (_, i) => this.batchSizes.filter(b => b > i).length);
  }
}

const integers = (x: readonly number[] | Tensor): number[] =>
  isTensor(x) ? Array.from(x.dataSync() as ArrayLike<number>, Number) : [...x];

/**
 * Packs (T, N, …) (or (N, T, …) with `batchFirst`) with these lengths. `enforceSorted` (default true) demands falling
 * lengths; false sorts. Errors: lengths that are not one per sequence in 1 … T.
 */
export function packPaddedSequence(
  input: Tensor,
  lengths: readonly number[] | Tensor,
  options: { batchFirst?: boolean; enforceSorted?: boolean } = {},
): PackedSequence {
  const { batchFirst = false, enforceSorted = true } = options;
  const x = batchFirst ? input.transpose(0, 1) : input; // (T, N, …)
  const [T, N] = x.shape as [number, number];
  const all = integers(lengths);
  if (all.length !== N || all.some(n => !Number.isInteger(n) || n < 1 || n > T)) {
    throw new ValueError('packPaddedSequence', `it takes ${N} lengths in 1 … ${T}`, show(all), '');
  }
  const order = Array.from({ length: N }, (_, i) => i);
  if (enforceSorted) {
    if (all.some((n, i) => i > 0 && n > all[i - 1]!))
      throw new ValueError(
        'packPaddedSequence',
        'lengths must fall',
        show(all),
        'pass {enforceSorted: false}',
      );
  } else order.sort((a, b) => all[b]! - all[a]! || a - b);
  const batchSizes = Array.from({ length: Math.max(...all) }, (_, t) => all.filter(n => n > t).length);
  // Row t · N + i of the flat tensor is step t of sequence i.
  const rows = batchSizes.flatMap((n, t) => order.slice(0, n).map(i => t * N + i));
  const data = x.reshape(T * N, ...x.shape.slice(2)).indexSelect(0, tensor(rows.map(BigInt)));
  return new PackedSequence(data, batchSizes, enforceSorted ? null : order);
}
/**
 * [padded, lengths]: (T, N, …) (or (N, T, …) with `batchFirst`), filled with `paddingValue` (0), and the lengths, int64, in
 * the order of the batch that was packed. `totalLength` makes T larger.
 */
export function padPackedSequence(
  packed: PackedSequence,
  options: { batchFirst?: boolean; paddingValue?: number; totalLength?: number } = {},
): [padded: Tensor, lengths: Tensor] {
  const { batchFirst = false, paddingValue = 0, totalLength } = options;
  const { data, batchSizes, sortedIndices } = packed;
  const [N, longest] = [batchSizes[0] ?? 0, batchSizes.length];
  const T = totalLength ?? longest;
  if (!Number.isInteger(T) || T < longest)
    throw new ValueError('padPackedSequence', `totalLength must be >= ${longest}`, show(T), '');
  const sorted = packed.sortedLengths;
  const place = Array.from({ length: N }, (_, i) => sortedIndices?.indexOf(i) ?? i);
  const rest = data.shape.slice(1);
  const filler = zeros([1, ...rest], { dtype: data.dtype, device: data.device }).add(paddingValue);
  const starts = batchSizes.map((_, t) => batchSizes.slice(0, t).reduce((a, b) => a + b, 0));
  const total = data.shape[0]!;
  const rows = Array.from({ length: T * N }, (_, k) => {
    const [t, s] = [Math.floor(k / N), place[k % N]!];
    return t < longest && s < batchSizes[t]! ? starts[t]! + s : total;
  });
  const padded = cat([data, filler.to(data.dtype)], 0)
    .indexSelect(0, tensor(rows.map(BigInt)))
    .reshape(T, N, ...rest);
  const lengths = tensor(place.map(s => BigInt(sorted[s]!)));
  return [batchFirst ? padded.transpose(0, 1) : padded, lengths];
}
/** Packs tensors (Tᵢ, …) of any lengths. `enforceSorted` as in `packPaddedSequence`. */
export function packSequence(
  sequences: readonly Tensor[],
  options: { enforceSorted?: boolean } = {},
): PackedSequence {
  if (sequences.length === 0 || sequences.some(s => s.ndim === 0))
    throw new ShapeError('packSequence', 'it takes sequences', showShape(sequences[0]?.shape ?? []), '');
  const T = Math.max(...sequences.map(s => s.shape[0]!));
  const padded = sequences.map(s => {
    const missing = [T - s.shape[0]!, ...s.shape.slice(1)];
    return cat([s, zeros(missing, { dtype: s.dtype, device: s.device })], 0).unsqueeze(1);
  });
  return packPaddedSequence(
    cat(padded, 1),
    sequences.map(s => s.shape[0]!),
    options,
  );
}

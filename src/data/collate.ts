// How samples become a batch.
// In: a list of samples of one form. Out: the same form, with batched tensors as its leaves.

import type { TypedArray } from '../base/dtype.ts';
import { ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { adopt, full, tensor } from '../tensor/create.ts';
import { cat, stack } from '../tensor/movement.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What `defaultCollate` makes of samples of type T. */
export type Collated<T> = T extends Tensor | number | bigint | boolean | TypedArray
  ? Tensor
  : T extends string
    ? string[]
    : T extends object
      ? { -readonly [K in keyof T]: Collated<T[K]> }
      : unknown;

const isTyped = (x: unknown): x is TypedArray => ArrayBuffer.isView(x) && !(x instanceof DataView);
const isPlain = (x: object): boolean => {
  const p = Object.getPrototypeOf(x);
  return p === Object.prototype || p === null;
};
const kindOf = (x: unknown): string =>
  isTensor(x) ? 'tensor' : isTyped(x) ? 'typed array' : Array.isArray(x) ? 'list' : typeof x;

/**
 * A batch of samples: tensors and typed arrays are stacked along a new first dim, numbers become a float32 tensor,
 * bigints int64, booleans bool (as `tensor([…])` has it), strings a list; lists and plain objects are batched item by
 * item. Errors: samples of different form or shape (pad them, or give the loader a `collate` of its own).
 */
export function defaultCollate<T>(samples: readonly T[]): Collated<T> {
  return collateAt(samples, '') as Collated<T>;
}
function collateAt(samples: readonly unknown[], at: string): unknown {
  const first = samples[0];
  const kind = kindOf(first);
  const odd = samples.find(s => kindOf(s) !== kind);
  if (odd !== undefined) refuse(at, 'samples must have the same form', `${kind} and ${kindOf(odd)}`);
  if (isTensor(first)) return stackAt(samples as readonly Tensor[], at);
  if (isTyped(first))
    return stackAt(
      (samples as readonly TypedArray[]).map(a => tensor(a)),
      at,
    );
  if (kind === 'number' || kind === 'bigint' || kind === 'boolean') return tensor(samples as number[]);
  if (kind === 'string') return [...samples];
  if (Array.isArray(first)) return lists(samples as readonly unknown[][], at);
  if (kind === 'object' && first !== null && isPlain(first as object))
    return records(samples as readonly Record<string, unknown>[], at);
  return refuse(
    at,
    'samples are tensors, numbers, strings, typed arrays, lists or plain objects',
    show(first),
  );
}
function stackAt(list: readonly Tensor[], at: string): Tensor {
  const [first] = list;
  const form = (t: Tensor): string => `${t.dtype} ${showShape(t.shape)}`;
  const odd = list.find(t => form(t) !== form(first!));
  if (odd !== undefined)
    refuse(at, 'tensors of a batch must have the same shape and dtype', `${form(first!)} and ${form(odd)}`);
  return list.some(t => t.requiresGrad) ? stack(list) : stackValues(list);
}
/** One copy of each: a graph that joins a hundred tensors would cost more than the copies. */
function stackValues(list: readonly Tensor[]): Tensor {
  const { shape, dtype, device, numel } = list[0]!;
  let out: TypedArray | undefined;
  list.forEach((t, i) => {
    const values = t.dataSync();
    out ??= new (values.constructor as new (n: number) => TypedArray)(list.length * numel);
    (out as Float32Array).set(values as Float32Array, i * numel);
  });
  const held = dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype;
  const batch = adopt(out!, [list.length, ...shape], held, device);
  return held === dtype ? batch : batch.to(dtype);
}
function lists(samples: readonly unknown[][], at: string): unknown[] {
  const n = samples[0]!.length;
  const odd = samples.find(s => s.length !== n);
  if (odd !== undefined) refuse(at, 'lists must have the same length', `${n} and ${odd.length}`);
  return Array.from({ length: n }, (_, k) =>
    collateAt(
      samples.map(s => s[k]),
      `${at}[${k}]`,
    ),
  );
}
function records(samples: readonly Record<string, unknown>[], at: string): Record<string, unknown> {
  const keys = Object.keys(samples[0]!);
  for (const s of samples) {
    const missing = keys.find(k => !Object.hasOwn(s, k));
    if (missing !== undefined) refuse(at, `samples must have the key '${missing}'`, show(Object.keys(s)));
  }
  return Object.fromEntries(
    keys.map(k => [
      k,
      collateAt(
        samples.map(s => s[k]),
        `${at}.${k}`,
      ),
    ]),
  );
}
function refuse(at: string, rule: string, got: string): never {
  throw new ValueError(
    'defaultCollate',
    rule,
    `${got}${at === '' ? '' : ` at sample${at}`}`,
    'pad them (padSequence), or give the DataLoader a collate function',
  );
}

export interface PadOptions {
  /** Result (B, T, *) instead of (T, B, *). Default false. */
  readonly batchFirst?: boolean;
  readonly paddingValue?: number;
}
/**
 * Sequences of different lengths as one tensor, shorter ones filled up at the end.
 * Shape: each (Tᵢ, *); result (T, B, *), or (B, T, *) with batchFirst, T = max Tᵢ.
 */
export function padSequence(sequences: readonly Tensor[], options: PadOptions = {}): Tensor {
  const { batchFirst = false, paddingValue = 0 } = options;
  const [first] = sequences;
  if (first === undefined) throw new ValueError('padSequence', 'it takes at least one sequence', 'none', '');
  const rest = showShape(first.shape.slice(1));
  const odd = sequences.find(s => s.ndim === 0 || showShape(s.shape.slice(1)) !== rest);
  if (odd !== undefined)
    throw new ShapeError(
      'padSequence',
      `sequences must agree in all dims but the first with ${showShape(first.shape)}`,
      showShape(odd.shape),
      '',
    );
  const longest = Math.max(...sequences.map(s => s.shape[0]!));
  const padded = sequences.map(s => {
    const missing = longest - s.shape[0]!;
    if (missing === 0) return s;
    const { dtype, device } = s;
    return cat([s, full([missing, ...s.shape.slice(1)], paddingValue, { dtype, device })], 0);
  });
  return stack(padded, batchFirst ? 0 : 1);
}

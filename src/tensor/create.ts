// Making tensors: from data, filled, counted.
// In: numbers, shapes, dtypes. Out: tensors. Not its job: random ones (random.ts), files.

import {
  DTYPES,
  type DType,
  isDType,
  isFloat,
  isInt,
  type TypedArray,
  typedArray,
  writeElement,
} from '../base/dtype.ts';
import { DTypeError, ShapeError, show, showShape, ValueError } from '../base/errors.ts';
import { checkSizes, numel, type Shape } from '../base/shape.ts';
import { built, type Node } from '../ir/node.ts';
import * as ops from '../ir/ops/elementwise.ts';
import { expand } from '../ir/ops/reduce.ts';
import { onDiagonal } from '../ir/ops/triangle.ts';
import { defaultDevice, deviceFor, getDevice } from '../runtime/devices.ts';
import { wrap } from './core.ts';
import { numberNode } from './host.ts';
import { isTensor } from './operand.ts';
import type { Tensor } from './tensor.ts';

export interface TensorOptions {
  readonly dtype?: DType;
  readonly device?: string;
  readonly requiresGrad?: boolean;
}
export type NestedNumbers = number | boolean | bigint | TypedArray | readonly NestedNumbers[];

export function finish(node: Node, options: TensorOptions): Tensor {
  const t = wrap(node);
  return options.requiresGrad ? t.requiresGrad_() : t;
}
export function checkDType(op: string, dtype: DType | undefined, fallback: DType): DType {
  if (dtype === undefined) return fallback;
  if (!isDType(dtype))
    throw new DTypeError(op, 'the dtype must be known', show(dtype), 'for example float32, int64, bool');
  return dtype;
}

/** A realised node with these values. */
export function hostData(
  values: ArrayLike<number | bigint | boolean>,
  shape: Shape,
  dtype: DType,
  device: string,
): Node {
  const n = numel(shape);
  const out = typedArray(dtype, new ArrayBuffer(n * DTYPES[dtype].bytes));
  for (let i = 0; i < n; i++) writeElement(out, dtype, i, values[i]!);
  return adoptBytes(new Uint8Array(out.buffer as ArrayBuffer), shape, dtype, device);
}
export function fromBytes(bytes: Uint8Array, shape: Shape, dtype: DType, device: string): Node {
  return adoptBytes(new Uint8Array(bytes), shape, dtype, device);
}
/** A realised node that takes fresh bytes over instead of copying them. */
function adoptBytes(bytes: Uint8Array<ArrayBuffer>, shape: Shape, dtype: DType, device: string): Node {
  const node = ops.dataNode(shape, dtype, device);
  node.value = getDevice(device).adopt(bytes);
  built.bytes += bytes.byteLength;
  return node;
}
/**
 * @internal A tensor whose memory is this array, in the dtype's own representation: nothing is copied, and nobody may
 * touch the array again.
 */
export function adopt(data: TypedArray, shape: Shape, dtype: DType, device = defaultDevice()): Tensor {
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return wrap(adoptBytes(bytes, shapeFor(data.length, shape), dtype, device));
}

const ARRAY_DTYPE: Record<string, DType> = {
  Float64Array: 'float64',
  Float32Array: 'float32',
  BigInt64Array: 'int64',
  Int32Array: 'int32',
  Int16Array: 'int16',
  Int8Array: 'int8',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
};
const isTyped = (x: unknown): x is TypedArray => ArrayBuffer.isView(x) && !(x instanceof DataView);

const notShared = (got: string) =>
  new ValueError('tensor', 'copy: false needs a typed array of the dtype', got, 'leave copy out');

/**
 * A tensor from numbers, nested arrays or a typed array. `shape` reshapes a flat array.
 * dtype by default: float32 for numbers unless all are integers written as BigInt (int64) or booleans (bool);
 * a typed array keeps its own type.
 * `copy: false` shares the memory of a typed array of the same dtype, as torch.from_numpy does, for batches that are read
 * once: leave the array alone until all that was computed from it is read. Changes in place do not reach the array.
 * What cannot be shared is an error then.
 */
export function tensor(
  data: NestedNumbers | Tensor,
  options: TensorOptions & { shape?: Shape; copy?: boolean } = {},
): Tensor {
  const device = deviceFor(options.device);
  if (options.copy === false && !isTyped(data)) throw notShared(show(data));
  if (isTensor(data)) {
    const t = data
      .detach()
      .clone()
      .to({ dtype: options.dtype ?? data.dtype, device });
    return options.requiresGrad ? t.requiresGrad_() : t;
  }
  if (isTyped(data)) {
    const own = ARRAY_DTYPE[data.constructor.name];
    if (own === undefined)
      throw new DTypeError(
        'tensor',
        'a typed array must have a known element type',
        data.constructor.name,
        'convert it to a Float32Array or Int32Array',
      );
    const dtype = checkDType('tensor', options.dtype, own);
    const shape = shapeFor(data.length, options.shape);
    if (dtype === own) {
      const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
      const make = options.copy === false ? adoptBytes : fromBytes;
      return finish(make(bytes, shape, dtype, device), options);
    }
    if (options.copy === false) throw notShared(`${data.constructor.name} as ${dtype}`);
    return finish(hostData(data, shape, dtype, device), options);
  }
  const shape: number[] = [];
  for (let x: NestedNumbers = data; Array.isArray(x) || isTyped(x); x = (x as readonly NestedNumbers[])[0]!) {
    shape.push(x.length);
    if (x.length === 0 || isTyped(x)) break;
  }
  const flat: (number | bigint | boolean)[] = [];
  collect(data, shape, 0, flat);
  const kind = flat.length === 0 ? 'number' : typeof flat[0];
  const inferred: DType = kind === 'boolean' ? 'bool' : kind === 'bigint' ? 'int64' : 'float32';
  const dtype = checkDType('tensor', options.dtype, inferred);
  return finish(
    hostData(flat, options.shape === undefined ? shape : shapeFor(flat.length, options.shape), dtype, device),
    options,
  );
}
function shapeFor(n: number, shape: Shape | undefined): Shape {
  if (shape === undefined) return [n];
  checkSizes('tensor', shape);
  if (numel(shape) !== n)
    throw new ShapeError('tensor', `the shape must hold the ${n} given elements`, showShape(shape), '');
  return shape;
}
function collect(
  x: NestedNumbers,
  shape: readonly number[],
  depth: number,
  out: (number | bigint | boolean)[],
): void {
  if (Array.isArray(x) || isTyped(x)) {
    if (depth >= shape.length || x.length !== shape[depth]) {
      throw new ShapeError(
        'tensor',
        `all rows of dim ${depth} must have the same length${depth < shape.length ? ` ${shape[depth]}` : ''}`,
        `one of ${x.length}`,
        'a tensor has no ragged dims; pad the rows',
      );
    }
    for (const y of x as readonly NestedNumbers[]) collect(y, shape, depth + 1, out);
    return;
  }
  if (depth !== shape.length)
    throw new ShapeError('tensor', 'all rows must have the same depth', `a number at depth ${depth}`, '');
  if (typeof x !== 'number' && typeof x !== 'boolean' && typeof x !== 'bigint') {
    throw new DTypeError('tensor', 'elements are numbers, booleans or bigints', show(x), '');
  }
  out.push(x);
}

/** So many times one number; of zeros no byte is touched. */
export function sameNumbers(n: number, value: number, dtype: DType): TypedArray {
  const out = typedArray(dtype, new ArrayBuffer(n * DTYPES[dtype].bytes));
  if (!Object.is(value, 0)) for (let i = 0; i < n; i++) writeElement(out, dtype, i, value);
  return out;
}

const sizesOf = (op: string, shape: number | readonly number[]): Shape =>
  checkSizes(op, typeof shape === 'number' ? [shape] : shape);

function filled(
  op: string,
  shape: number | readonly number[],
  value: number,
  options: TensorOptions,
  fallback: DType,
): Tensor {
  const dtype = checkDType(op, options.dtype, fallback);
  const device = deviceFor(options.device);
  const s = sizesOf(op, shape);
  // A leaf that steps will change needs bytes of its own; anything else stays a number in the graph.
  if (options.requiresGrad)
    return adopt(sameNumbers(numel(s), value, dtype), s, dtype, device).requiresGrad_();
  const k = numberNode(value, dtype, device);
  return finish(s.length === 0 ? k : expand(k, s), options);
}
/** All zeros; float32 unless a dtype is given. Shape: a size or a list of sizes, [] for a 0-d tensor. */
export const zeros = (shape: number | readonly number[], options: TensorOptions = {}): Tensor =>
  filled('zeros', shape, 0, options, 'float32');
/** All ones; float32 unless a dtype is given. Shape: a size or a list of sizes, [] for a 0-d tensor. */
export const ones = (shape: number | readonly number[], options: TensorOptions = {}): Tensor =>
  filled('ones', shape, 1, options, 'float32');
/** Every element is `value`. dtype: float32 for numbers, bool for booleans, unless given. */
export const full = (
  shape: number | readonly number[],
  value: number | boolean,
  options: TensorOptions = {},
): Tensor => filled('full', shape, Number(value), options, typeof value === 'boolean' ? 'bool' : 'float32');
/** Uninitialised in PyTorch; zeros here. */
export const empty = zeros;
const like = (x: Tensor, options: TensorOptions): TensorOptions => ({
  dtype: x.dtype,
  device: x.device,
  ...options,
});
/** Zeros with the shape, dtype and device of x. */
export const zerosLike = (x: Tensor, options: TensorOptions = {}): Tensor => zeros(x.shape, like(x, options));
/** Ones with the shape, dtype and device of x. */
export const onesLike = (x: Tensor, options: TensorOptions = {}): Tensor => ones(x.shape, like(x, options));
/** `value` everywhere, with the shape, dtype and device of x. */
export const fullLike = (x: Tensor, value: number, options: TensorOptions = {}): Tensor =>
  full(x.shape, value, like(x, options));
/** Uninitialised in PyTorch; zeros here. */
export const emptyLike = zerosLike;

/** start, start+step, … below end; `arange(n)` counts 0 … n−1. int64 where all are integers, else float32. */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step: number, options?: TensorOptions): Tensor;
export function arange(...args: (number | TensorOptions | undefined)[]): Tensor {
  const numbers = args.filter(x => typeof x === 'number');
  const options = args.find(x => typeof x === 'object') ?? {};
  const [a, b, step] =
    numbers.length === 1 ? [0, numbers[0]!, 1] : [numbers[0]!, numbers[1]!, numbers[2] ?? 1];
  if (
    step === 0 ||
    !Number.isFinite(a) ||
    !Number.isFinite(b) ||
    !Number.isFinite(step) ||
    (b - a) * step < 0
  ) {
    throw new ValueError('arange', 'the step must lead from start to end', `${a} to ${b} by ${step}`, '');
  }
  const integer = [a, b, step].every(Number.isInteger);
  const dtype = checkDType('arange', options.dtype, integer ? 'int64' : 'float32');
  const n = Math.max(0, Math.ceil((b - a) / step));
  return finish(counted(n, a, step, dtype, deviceFor(options.device)), options);
}
/** start + i·step, computed in float64 for floats so that the last element is exact to rounding. */
function counted(n: number, start: number, step: number, dtype: DType, device: string): Node {
  if (isFloat(dtype) || dtype === 'bool') {
    return hostData(
      Float64Array.from({ length: n }, (_, i) => start + i * step),
      [n],
      dtype,
      device,
    );
  }
  const i = ops.iota([n], dtype, device);
  const k = (v: number): Node => ops.constLike(i, v);
  return ops.add(ops.mul(i, k(step)), k(start));
}
/**
 * `steps` numbers from start to end, both included, at equal distances. Shape (steps), float32 unless a dtype is
 * given.
 */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  if (!Number.isInteger(steps) || steps < 0)
    throw new ValueError('linspace', 'steps must be an integer >= 0', show(steps), '');
  const dtype = checkDType('linspace', options.dtype, 'float32');
  const h = steps > 1 ? (end - start) / (steps - 1) : 0;
  // From both ends, so that end is hit exactly.
  const at = (i: number): number => (i < steps / 2 ? start + i * h : end - (steps - 1 - i) * h);
  const values = Float64Array.from({ length: steps }, (_, i) => (steps === 1 ? start : at(i)));
  return finish(
    hostData(isInt(dtype) ? values.map(Math.trunc) : values, [steps], dtype, deviceFor(options.device)),
    options,
  );
}
/** `steps` numbers from base^start to base^end at equal ratios; base 10 unless given. Shape (steps). */
export function logspace(
  start: number,
  end: number,
  steps: number,
  options: TensorOptions & { base?: number } = {},
): Tensor {
  const { base = 10, ...rest } = options;
  const dtype = checkDType('logspace', rest.dtype, 'float32');
  const e = linspace(start, end, steps, { dtype: 'float64' }).dataSync();
  return finish(
    hostData(
      Float64Array.from(e as Float64Array, x => base ** x),
      [steps],
      dtype,
      deviceFor(rest.device),
    ),
    rest,
  );
}
/**
 * Ones on the diagonal of an n × m matrix (n × n unless m is given), zeros elsewhere. float32 unless a dtype is
 * given.
 */
export function eye(n: number, m = n, options: TensorOptions = {}): Tensor {
  checkSizes('eye', [n, m]);
  const dtype = checkDType('eye', options.dtype, 'float32');
  const device = deviceFor(options.device);
  return finish(ops.cast(onDiagonal(n, m, 0, device), dtype), options);
}
/** Row and column positions of a matrix's lower triangle: (2, count). */
export const trilIndices = (rows: number, cols: number, k = 0): Tensor =>
  triangle(rows, cols, (r, c) => c - r <= k);
/** Row and column positions of a matrix's upper triangle: (2, count). */
export const triuIndices = (rows: number, cols: number, k = 0): Tensor =>
  triangle(rows, cols, (r, c) => c - r >= k);
function triangle(rows: number, cols: number, keep: (r: number, c: number) => boolean): Tensor {
  const r: number[] = [];
  const c: number[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      if (!keep(i, j)) continue;
      r.push(i);
      c.push(j);
    }
  }
  return wrap(hostData([...r, ...c], [2, r.length], 'int64', defaultDevice()));
}
/** Grids of the coordinates of all combinations of 1-D tensors; indexing 'ij' (matrix) or 'xy' (Cartesian). */
export function meshgrid(tensors: readonly Tensor[], options: { indexing?: 'ij' | 'xy' } = {}): Tensor[] {
  const { indexing = 'ij' } = options;
  for (const t of tensors)
    if (t.ndim > 1) throw new ShapeError('meshgrid', 'all must be vectors', showShape(t.shape), '');
  const swapped = indexing === 'xy' && tensors.length > 1;
  const list = swapped ? [tensors[1]!, tensors[0]!, ...tensors.slice(2)] : tensors;
  const shape = list.map(t => t.numel);
  const grids = list.map((t, d) => t.reshape(shape.map((_, k) => (k === d ? t.numel : 1))).expand(shape));
  if (!swapped) return grids;
  return [grids[1]!, grids[0]!, ...grids.slice(2)];
}

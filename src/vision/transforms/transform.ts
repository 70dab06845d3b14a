// What all transforms have in common: they are called like functions, find what they work on in a sample of any form,
// and draw what is random in them from the sample's own stream.
// In: a picture, or lists and objects that hold pictures, masks and boxes. Out: the same form.

import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { isTensor } from '../../tensor/operand.ts';
import { defaultGenerator, type Generator } from '../../tensor/random.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { BoundingBoxes, Image, type Mask, Raster, type Size } from '../image.ts';
import { Draw } from './draw.ts';

/** What a transform makes of pictures: pictures again, or tensors. */
export type Kind = 'same' | 'tensor';
type Tensors<T> = T extends Image | Mask | BoundingBoxes
  ? Tensor
  : T extends Tensor | number | bigint | string | boolean | null | undefined
    ? T
    : T extends object
      ? { -readonly [K in keyof T]: Tensors<T[K]> }
      : T;
/** What a sample of type T becomes. */
export type Transformed<T, K extends Kind> = 'tensor' extends K ? Tensors<T> : T;

/** Any transform. */
export type AnyTransform = Transform<'same'> | Transform<'tensor'>;
/** Of transforms one of which makes tensors, the whole makes tensors. */
export type KindOf<T extends AnyTransform> = [Extract<T['kind'], 'tensor'>] extends [never]
  ? 'same'
  : 'tensor';
/** What a picture becomes. */
export type Made<T extends AnyTransform | null> = [T] extends [AnyTransform]
  ? Transformed<Image, KindOf<T>>
  : Image;

/** `transform(sample)` draws from the default stream, `transform(sample, generator)` from another. */
export interface Transform<K extends Kind = 'same'> {
  // biome-ignore lint/style/useShorthandFunctionType: a part of the class
  <T>(sample: T, random?: Generator): Transformed<T, K>;
}
/** The base of all transforms. A new one needs `random` and `run`. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the call signature has no other place
export abstract class Transform<K extends Kind = 'same'> {
  /** Known to the compiler only. */
  declare readonly kind: K;
  /** Whether it draws: such a transform is for training only. */
  abstract readonly random: boolean;
  abstract run(sample: unknown, draw: Draw): unknown;

  constructor() {
    const call = (sample: unknown, random: Generator = defaultGenerator): unknown =>
      (call as unknown as AnyTransform).run(sample, new Draw(random));
    // biome-ignore lint/correctness/noConstructorReturn: a transform is a function with fields
    return Object.setPrototypeOf(call, new.target.prototype);
  }
  /** Its class, for error texts. */
  get title(): string {
    return this.constructor.name;
  }
}

type Leaf = Raster | BoundingBoxes | Tensor;
const isLeaf = (x: unknown): x is Leaf => x instanceof Raster || x instanceof BoundingBoxes || isTensor(x);
const isPlain = (x: object): boolean => Object.getPrototypeOf(x) === Object.prototype;
/** The same form with other leaves. */
export function mapLeaves(sample: unknown, f: (leaf: Leaf) => unknown): unknown {
  if (isLeaf(sample)) return f(sample);
  if (Array.isArray(sample)) return sample.map(s => mapLeaves(s, f));
  if (typeof sample === 'object' && sample !== null && isPlain(sample))
    return Object.fromEntries(Object.entries(sample).map(([k, v]) => [k, mapLeaves(v, f)]));
  return sample;
}
function leavesOf(sample: unknown): Leaf[] {
  const found: Leaf[] = [];
  mapLeaves(sample, leaf => found.push(leaf));
  return found;
}

/** The size that pictures, masks and boxes of a sample share. Errors: none there, or different ones. */
export function sizeOf(op: string, sample: unknown): Size {
  if (sample instanceof Raster) return sample;
  const leaves = leavesOf(sample);
  const sized = leaves.filter(l => !isTensor(l)) as (Raster | BoundingBoxes)[];
  const [first] = sized;
  if (first === undefined) {
    const got = leaves[0] === undefined ? show(sample) : 'a tensor';
    throw new ValueError(op, 'the sample must hold an Image', got, 'put it before ToTensor');
  }
  const form = ({ height, width }: Size): string => showShape([height, width]);
  const odd = sized.find(s => form(s) !== form(first));
  if (odd !== undefined)
    throw new ShapeError(
      op,
      'picture, masks and boxes of a sample must have one size',
      `${form(first)} and ${form(odd)}`,
      '',
    );
  return first;
}

/** Moves pixels: pictures, masks and boxes with the same parameters. Null leaves the sample as it is. */
export abstract class Geometry<P> extends Transform<'same'> {
  protected abstract choose(size: Size, draw: Draw): P | null;
  protected abstract move<R extends Raster>(x: R, p: P): R;
  protected abstract moveBoxes(boxes: BoundingBoxes, p: P): BoundingBoxes;

  override run(sample: unknown, draw: Draw): unknown {
    const p = this.choose(sizeOf(this.title, sample), draw);
    if (p === null) return sample;
    return mapLeaves(sample, leaf =>
      leaf instanceof Raster
        ? this.move(leaf, p)
        : leaf instanceof BoundingBoxes
          ? this.moveBoxes(leaf, p)
          : leaf,
    );
  }
}
/** Changes colours: pictures only; masks and boxes pass. */
export abstract class Colour<P> extends Transform<'same'> {
  protected abstract choose(draw: Draw): P | null;
  protected abstract paint(x: Image, p: P): Image;

  override run(sample: unknown, draw: Draw): unknown {
    sizeOf(this.title, sample);
    const p = this.choose(draw);
    if (p === null) return sample;
    return mapLeaves(sample, leaf => (leaf instanceof Image ? this.paint(leaf, p) : leaf));
  }
}

// ---- options -----------------------------------------------------------------------------------------------------------

export function checkShare(op: string, name: string, p: number): number {
  if (!(p >= 0 && p <= 1)) throw new ValueError(op, `${name} must be in 0 … 1`, show(p), '');
  return p;
}
/** Two numbers, the first not above the second. */
export function checkRange(op: string, name: string, range: readonly number[]): readonly [number, number] {
  const [low, high] = range;
  if (range.length !== 2 || !(low! <= high!))
    throw new ValueError(op, `${name} must be two numbers [low, high], low <= high`, show(range), '');
  return [low!, high!];
}
/** One size for both sides, or [height, width]. */
export type SizeOption = number | readonly [number, number];
export function checkSize(op: string, size: SizeOption): Size {
  const [height, width] = typeof size === 'number' ? [size, size] : size;
  if (![height, width].every(v => Number.isInteger(v) && v >= 1))
    throw new ValueError(op, 'size must be an integer >= 1 or [height, width]', show(size), '');
  return { height, width };
}

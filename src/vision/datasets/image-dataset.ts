// Data sets of pictures with classes, wherever the pictures come from, and what is made of them for training and for
// evaluation.

import { FileError, show, ValueError } from '../../base/errors.ts';
import { type BatchContext, Dataset, Subset } from '../../data/dataset.ts';
import { adopt } from '../../tensor/create.ts';
import { defaultGenerator, type Generator } from '../../tensor/random.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Image } from '../image.ts';
import { Draw } from '../transforms/draw.ts';
import { type AnyTransform, type Made, Transform } from '../transforms/transform.ts';
import { about, BatchWriter, type Pipeline, pipelineOf } from './batch.ts';

/** Pictures by index, with their classes. */
export interface ImageSource {
  readonly length: number;
  readonly classes: readonly string[];
  /** The class of each picture. */
  readonly targets: Int32Array;
  image(index: number): Image | Promise<Image>;
  /** What a picture is called in errors. */
  title(index: number): string;
}

/** Pictures whose files are being read at once. */
const READING = 8;

/**
 * Pictures with their classes, [picture, class] by index: the picture as the transform leaves it, the class a bigint, so
 * that a batch is [x (B, C, H, W), y (B) int64]. Batches of transforms that end with ToTensor, Normalize or
 * RandomErasing are made on bytes.
 */
export class ImageDataset<X = unknown> extends Dataset<[X, bigint]> {
  readonly source: ImageSource;
  readonly transform: AnyTransform | null;
  private readonly pipeline: Pipeline | null;

  constructor(source: ImageSource, transform: AnyTransform | null = null) {
    super();
    if (transform !== null && !(transform instanceof Transform))
      throw new ValueError(
        new.target.name,
        'transform must be one of transforms',
        show(transform),
        'wrap a function of your own in Lambda',
      );
    this.source = source;
    this.transform = transform;
    this.pipeline = transform === null ? null : pipelineOf(transform);
    // Other pipelines are collated sample by sample.
    if (this.pipeline !== null) this.getBatch = (indices, context) => this.batch(indices, context);
  }
  override readonly getBatch?: (
    indices: ArrayLike<number>,
    context?: BatchContext,
  ) => [Tensor, Tensor] | null | Promise<[Tensor, Tensor] | null>;

  get length(): number {
    return this.source.length;
  }
  get classes(): readonly string[] {
    return this.source.classes;
  }
  /** The class of each picture. */
  get targets(): Int32Array {
    return this.source.targets;
  }
  /** Number of each class. */
  get classToIdx(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.classes.map((name, i) => [name, i]));
  }
  /** The same pictures with another transform. */
  withTransform<T extends AnyTransform | null>(transform: T): ImageDataset<Made<T>> {
    return new ImageDataset(this.source, transform);
  }

  private check(index: number): void {
    if (!(Number.isInteger(index) && index >= 0 && index < this.length))
      throw new ValueError(
        'ImageDataset',
        `the index must be an integer from 0 to ${this.length - 1}`,
        show(index),
        '',
      );
  }
  override get(index: number, random: Generator = defaultGenerator): [X, bigint] | Promise<[X, bigint]> {
    this.check(index);
    const { source, transform } = this;
    const sample = (x: Image): [X, bigint] => {
      const y =
        transform === null
          ? x
          : about(
              () => source.title(index),
              () => (transform as Transform)(x, random),
            );
      return [y as X, BigInt(source.targets[index]!)];
    };
    const image = source.image(index);
    return image instanceof Promise ? image.then(sample) : sample(image);
  }

  private batch(
    indices: ArrayLike<number>,
    context: BatchContext = { random: () => defaultGenerator },
  ): [Tensor, Tensor] | null | Promise<[Tensor, Tensor] | null> {
    const { source } = this;
    const n = indices.length;
    const writer = new BatchWriter(this.pipeline!, n);
    const done = new Uint8Array(n);
    const write = (k: number, image: Image): void => {
      about(
        () => source.title(indices[k]!),
        () => writer.write(k, image, new Draw(context.random(k))),
      );
      done[k] = 1;
    };
    const leave = (k: number, e: unknown): void => {
      if (context.skip === undefined || !(e instanceof FileError)) throw e;
      context.skip(k, e);
    };
    const finish = (): [Tensor, Tensor] | null => {
      const rows = Array.from({ length: n }, (_, k) => k).filter(k => done[k] === 1);
      const x = writer.tensor(rows);
      const y = BigInt64Array.from(rows, k => BigInt(source.targets[indices[k]!]!));
      return x === null ? null : [x, adopt(y, [rows.length], 'int64')];
    };
    for (let k = 0; k < n; k++) {
      this.check(indices[k]!);
      try {
        const image = source.image(indices[k]!);
        // From here on pictures have to be waited for.
        if (image instanceof Promise) return this.inTurns(indices, k, image, write, leave).then(finish);
        write(k, image);
      } catch (e) {
        leave(k, e);
      }
    }
    return finish();
  }
  /** Reads some files ahead; pictures are transformed in their order, so that errors are the same each time. */
  private async inTurns(
    indices: ArrayLike<number>,
    start: number,
    first: Promise<Image>,
    write: (k: number, image: Image) => void,
    leave: (k: number, e: unknown) => void,
  ): Promise<void> {
    const ahead = [first];
    for (let k = start; k < indices.length; k++) {
      while (ahead.length < READING && k + ahead.length < indices.length) {
        const index = indices[k + ahead.length]!;
        this.check(index);
        const image = Promise.resolve(this.source.image(index));
        // A failure is thrown in its turn.
        image.catch(() => {});
        ahead.push(image);
      }
      try {
        write(k, await ahead.shift()!);
      } catch (e) {
        leave(k, e);
      }
    }
  }
}

// ---- training and evaluation -------------------------------------------------------------------------------------------

export interface SplitTransforms<T extends AnyTransform | null, E extends AnyTransform | null> {
  /** For training: may draw. */
  readonly trainTransform: T;
  /** For evaluation: must not draw. */
  readonly evalTransform: E;
}
/** What evaluation sees is the same each time. */
export function checkEvaluation(op: string, transform: AnyTransform | null): void {
  if (transform?.random)
    throw new ValueError(
      op,
      'the transform of pictures for evaluation must not draw at random',
      transform.title,
      'augment the training pictures only: resize, crop the centre, normalize here',
    );
}
/**
 * Both parts of a set that has a test part of its own, each with its transform:
 * `trainAndTest(cifar100, {trainTransform, evalTransform})`. Errors: an evalTransform that draws at random.
 */
export async function trainAndTest<O, T extends AnyTransform | null, E extends AnyTransform | null>(
  load: <X extends AnyTransform | null>(
    options: O & { readonly split: 'train' | 'test'; readonly transform: X },
  ) => Promise<ImageDataset<Made<X>>>,
  options: O & SplitTransforms<T, E>,
): Promise<{ readonly train: ImageDataset<Made<T>>; readonly test: ImageDataset<Made<E>> }> {
  const { trainTransform, evalTransform } = options;
  checkEvaluation('trainAndTest', evalTransform);
  const [train, test] = await Promise.all([
    load({ ...options, split: 'train', transform: trainTransform }),
    load({ ...options, split: 'test', transform: evalTransform }),
  ]);
  return { train, test };
}

export interface TrainEvalOptions<T extends AnyTransform | null, E extends AnyTransform | null>
  extends SplitTransforms<T, E> {
  /** Share of the pictures kept for evaluation, or their number. Default 0.2. */
  readonly evalSize?: number;
  readonly generator?: Generator;
}
/**
 * A random part of the pictures of each class for evaluation, the rest for training, each part with its own transform.
 * Errors: an evalTransform that draws at random.
 */
export function trainEvalSplit<T extends AnyTransform | null, E extends AnyTransform | null>(
  dataset: ImageDataset,
  options: TrainEvalOptions<T, E>,
): {
  readonly train: Subset<[Made<T>, bigint]>;
  readonly eval: Subset<[Made<E>, bigint]>;
} {
  const { evalSize = 0.2, trainTransform, evalTransform, generator = defaultGenerator } = options;
  checkEvaluation('trainEvalSplit', evalTransform);
  const n = dataset.length;
  const wanted = evalSize < 1 ? Math.round(evalSize * n) : evalSize;
  if (!(Number.isInteger(wanted) && wanted > 0 && wanted < n))
    throw new ValueError(
      'trainEvalSplit',
      `evalSize must leave pictures on both sides of ${n}`,
      show(evalSize),
      '',
    );
  const draw = new Draw(generator);
  const byClass = new Map<number, number[]>();
  for (const i of draw.order(n)) {
    const y = dataset.targets[i]!;
    byClass.set(y, [...(byClass.get(y) ?? []), i]);
  }
  const chosen = shares(
    [...byClass.values()].map(l => l.length),
    wanted,
  );
  const evaluation = [...byClass.values()].flatMap((l, c) => l.slice(0, chosen[c]));
  const kept = new Set(evaluation);
  const training = Array.from({ length: n }, (_, i) => i).filter(i => !kept.has(i));
  return {
    train: new Subset(dataset.withTransform(trainTransform), training),
    eval: new Subset(
      dataset.withTransform(evalTransform),
      evaluation.sort((a, b) => a - b),
    ),
  };
}
/** `wanted` shared out in proportion; what rounding leaves goes to the largest remainders. */
function shares(counts: readonly number[], wanted: number): number[] {
  const n = counts.reduce((a, b) => a + b, 0);
  const exact = counts.map(c => (c * wanted) / n);
  const out = exact.map(Math.floor);
  const order = exact.map((v, i) => [v - out[i]!, i] as const).sort((a, b) => b[0] - a[0]);
  const left = wanted - out.reduce((a, b) => a + b, 0);
  for (const [, i] of order.slice(0, left)) out[i]!++;
  return out;
}

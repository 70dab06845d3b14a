// A pipeline over a batch: pictures stay bytes up to ToTensor, and the numbers are written straight into the batch's
// tensor; no tensor is made for a picture.
// In: a transform, pictures one by one. Out: (n, C, H, W).

import { ShapeError, showShape, TenonError } from '../../base/errors.ts';
import { adopt } from '../../tensor/create.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { type Image, UNIT_TABLE, writeScaled } from '../image.ts';
import { Compose } from '../transforms/compose.ts';
import type { Draw } from '../transforms/draw.ts';
import { type InPlaceTransform, Normalize, ToTensor } from '../transforms/tensor.ts';
import type { AnyTransform } from '../transforms/transform.ts';

const flat = (t: AnyTransform): readonly AnyTransform[] =>
  t instanceof Compose ? t.transforms.flatMap(flat) : [t];
const inPlace = (t: AnyTransform): t is InPlaceTransform => 'inPlace' in t;

/** The parts of a pipeline that ends in numbers. */
export interface Pipeline {
  readonly onBytes: readonly AnyTransform[];
  /** Done with the same table as the step to numbers. */
  readonly normalize: Normalize | null;
  readonly onNumbers: readonly InPlaceTransform[];
}
/** Null where the transform is of another form: then each sample is transformed by itself. */
export function pipelineOf(transform: AnyTransform): Pipeline | null {
  const steps = flat(transform);
  const at = steps.findIndex(t => t instanceof ToTensor);
  const after = steps.slice(at + 1);
  if (at < 0 || !after.every(inPlace)) return null;
  const [first] = after;
  const normalize = first instanceof Normalize ? first : null;
  return { onBytes: steps.slice(0, at), normalize, onNumbers: normalize === null ? after : after.slice(1) };
}

/** Adds what was being worked on to an error. */
export function about<T>(name: () => string, work: () => T): T {
  try {
    return work();
  } catch (e) {
    if (e instanceof TenonError) e.inModule(name());
    throw e;
  }
}

/** The numbers of a batch, filled in row by row. */
export class BatchWriter {
  private readonly pipeline: Pipeline;
  private readonly rows: number;
  private out: Float32Array<ArrayBuffer> | null = null;
  private shape: readonly [number, number, number] = [0, 0, 0];

  constructor(pipeline: Pipeline, rows: number) {
    this.pipeline = pipeline;
    this.rows = rows;
  }
  write(row: number, image: Image, draw: Draw): void {
    const { onBytes, normalize, onNumbers } = this.pipeline;
    const x = onBytes.reduce<unknown>((y, t) => t.run(y, draw), image) as Image;
    const planes = [x.channels, x.height, x.width] as const;
    if (this.out === null) {
      this.shape = planes;
      this.out = new Float32Array(this.rows * x.data.length);
    } else if (planes.some((n, d) => n !== this.shape[d]))
      throw new ShapeError(
        'ImageDataset',
        `pictures of a batch must have one shape, here ${showShape(this.shape)}`,
        showShape(planes),
        'begin the transform with Resize([height, width]) or a crop',
      );
    normalize?.checkChannels(planes);
    const length = x.data.length;
    writeScaled(x, normalize?.table ?? UNIT_TABLE, this.out, row * length);
    if (onNumbers.length === 0) return;
    const own = this.out.subarray(row * length, (row + 1) * length);
    for (const t of onNumbers) t.inPlace(own, planes, draw);
  }
  /** The rows that were written, in their order; null where there are none. */
  tensor(rows: readonly number[]): Tensor | null {
    if (this.out === null || rows.length === 0) return null;
    const length = this.out.length / this.rows;
    for (const [to, from] of rows.entries())
      if (to !== from) this.out.copyWithin(to * length, from * length, (from + 1) * length);
    const out = rows.length === this.rows ? this.out : this.out.slice(0, rows.length * length);
    return adopt(out, [rows.length, ...this.shape], 'float32');
  }
}

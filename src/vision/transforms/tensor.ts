// From bytes to numbers, and what is done with the numbers.

import { isFloat } from '../../base/dtype.ts';
import { ShapeError, show, showShape, ValueError } from '../../base/errors.ts';
import { adopt, tensor } from '../../tensor/create.ts';
import { isTensor } from '../../tensor/operand.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { type BoundingBoxes, type ByteTable, type Image, type Mask, normalizing } from '../image.ts';
import type { Draw } from './draw.ts';
import { checkRange, checkShare, mapLeaves, sizeOf, Transform } from './transform.ts';

/** A picture's planes of numbers: channels, height, width. */
export type Planes = readonly [number, number, number];
/** A transform of tensors that can also change a picture's numbers in place, inside of a batch. */
export interface InPlaceTransform extends Transform<'same'> {
  inPlace(x: Float32Array, planes: Planes, draw: Draw): void;
}
/** What a picture has become: boxes have two dims, masks no floating dtype. */
const isPicture = (t: Tensor): boolean => isFloat(t.dtype) && t.ndim >= 3;

/**
 * Pictures become v/255, (C, H, W), float32; masks their classes, (H, W), int64; boxes (n, 4), float32. The end of the
 * part that works on bytes.
 */
export class ToTensor extends Transform<'tensor'> {
  readonly random = false;
  override run(sample: unknown): unknown {
    sizeOf('ToTensor', sample);
    return mapLeaves(sample, leaf =>
      isTensor(leaf) ? leaf : (leaf as Image | Mask | BoundingBoxes).toTensor(),
    );
  }
}

/** (x − mean) / std for each channel of floating tensors (…, C, H, W). */
export class Normalize extends Transform<'same'> implements InPlaceTransform {
  readonly random = false;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The same from bytes on, with ToTensor before it. */
  readonly table: ByteTable;
  constructor(mean: readonly number[], std: readonly number[]) {
    super();
    if (mean.length === 0 || mean.length !== std.length)
      throw new ValueError(
        'Normalize',
        'mean and std must have a number for each channel',
        `${mean.length} and ${std.length}`,
        '',
      );
    if (!std.every(s => s > 0)) throw new ValueError('Normalize', 'std must be > 0', show([...std]), '');
    this.mean = mean;
    this.std = std;
    this.table = normalizing(mean, std);
  }
  checkChannels(shape: readonly number[]): void {
    const n = this.mean.length;
    if (n !== 1 && shape.at(-3) !== n)
      throw new ShapeError(
        'Normalize',
        `${n} means and deviations need ${n} channels`,
        showShape(shape),
        'give one number for each channel of the pictures',
      );
  }
  override run(sample: unknown): unknown {
    const column = (list: readonly number[]): Tensor => tensor(list.map(v => [[v]]));
    let seen = 0;
    const out = mapLeaves(sample, leaf => {
      if (!isTensor(leaf) || !isPicture(leaf)) return leaf;
      seen++;
      this.checkChannels(leaf.shape);
      return leaf.sub(column(this.mean)).div(column(this.std));
    });
    if (seen === 0)
      throw new ValueError(
        'Normalize',
        'the sample must hold a floating tensor (…, C, H, W)',
        show(sample),
        'put ToTensor before it',
      );
    return out;
  }
  inPlace(x: Float32Array, [channels, height, width]: Planes): void {
    this.checkChannels([channels, height, width]);
    const plane = height * width;
    for (let i = 0; i < x.length; i++) {
      const c = this.mean.length === 1 ? 0 : Math.trunc(i / plane);
      x[i] = Math.fround(x[i]! - Math.fround(this.mean[c]!)) / Math.fround(this.std[c]!);
    }
  }
}

export interface RandomErasingOptions {
  /** Default 0.5. */
  readonly p?: number;
  /** The part's share of the area, [low, high]. Default [0.02, 0.33]. */
  readonly scale?: readonly [number, number];
  /** Its height over its width, [low, high]. Default [0.3, 3.3]. */
  readonly ratio?: readonly [number, number];
  /** What stands there afterwards: a number, one for each channel, or 'random' (standard normal). Default 0. */
  readonly value?: number | readonly number[] | 'random';
}
/** Overwrites a random part of a tensor (C, H, W). Zhong et al. 2020, arXiv 1708.04896. */
export class RandomErasing extends Transform<'same'> implements InPlaceTransform {
  readonly random = true;
  private readonly options: Required<RandomErasingOptions>;
  constructor(options: RandomErasingOptions = {}) {
    super();
    const { p = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0 } = options;
    checkShare('RandomErasing', 'p', p);
    for (const v of checkRange('RandomErasing', 'scale', scale)) checkShare('RandomErasing', 'scale', v);
    if (!(checkRange('RandomErasing', 'ratio', ratio)[0] > 0))
      throw new ValueError('RandomErasing', 'ratio must be > 0', show(ratio), '');
    this.options = { p, scale, ratio, value };
  }
  override run(sample: unknown, draw: Draw): unknown {
    return mapLeaves(sample, leaf => {
      if (!isTensor(leaf) || !isPicture(leaf)) return leaf;
      if (leaf.ndim !== 3)
        throw new ShapeError(
          'RandomErasing',
          'it takes one picture (C, H, W)',
          showShape(leaf.shape),
          'apply it to each picture',
        );
      const x = Float32Array.from(leaf.detach().to('float32').dataSync() as Float32Array);
      this.inPlace(x, leaf.shape as unknown as Planes, draw);
      return adopt(x, leaf.shape, 'float32', leaf.device).to(leaf.dtype);
    });
  }
  inPlace(x: Float32Array, [channels, height, width]: Planes, draw: Draw): void {
    const { p, scale, ratio, value } = this.options;
    if (typeof value === 'object' && value.length !== channels)
      throw new ShapeError(
        'RandomErasing',
        `value must have ${channels} numbers, one for each channel`,
        String(value.length),
        '',
      );
    if (!draw.chance(p)) return;
    for (let i = 0; i < 10; i++) {
      const area = height * width * draw.uniform(...scale);
      const form = Math.exp(draw.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
      const [h, w] = [Math.round(Math.sqrt(area * form)), Math.round(Math.sqrt(area / form))];
      if (h >= height || w >= width) continue;
      const [top, left] = [draw.below(height - h + 1), draw.below(width - w + 1)];
      for (let c = 0; c < channels; c++)
        for (let y = top; y < top + h; y++)
          for (let k = left, at = (c * height + y) * width; k < left + w; k++)
            x[at + k] = value === 'random' ? draw.normal() : typeof value === 'number' ? value : value[c]!;
      return;
    }
  }
}

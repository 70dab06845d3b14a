// Pictures of one size in memory.

import { Image } from '../image.ts';
import type { ImageSource } from './image-dataset.ts';

export interface MemoryPictures {
  /** What the set is called in errors. */
  readonly name: string;
  readonly classes: readonly string[];
  readonly targets: Int32Array;
  /** All bytes, the channels of a pixel side by side. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** Height, width, channels. */
  readonly shape: readonly [number, number, number];
}
/** Pictures of one size that lie in memory side by side. */
export class MemorySource implements ImageSource {
  private readonly set: MemoryPictures;
  constructor(set: MemoryPictures) {
    this.set = set;
  }
  get length(): number {
    return this.set.targets.length;
  }
  get classes(): readonly string[] {
    return this.set.classes;
  }
  get targets(): Int32Array {
    return this.set.targets;
  }
  title(index: number): string {
    return `${this.set.name}, picture ${index}`;
  }
  image(index: number): Image {
    const { pixels, shape } = this.set;
    const length = shape[0] * shape[1] * shape[2];
    return new Image(pixels.subarray(index * length, (index + 1) * length), ...shape);
  }
}

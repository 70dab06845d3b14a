// Cuts a stream into batches.

export class Chunks<T> {
  private readonly size: number;
  private skip: number;
  private samples: T[] = [];
  /** `from`: batches to leave out, because they were handed out before. */
  constructor(size: number, from = 0) {
    this.size = size;
    this.skip = size * from;
  }
  /** Whether the batch is full now. */
  add(sample: T): boolean {
    if (this.skip > 0) {
      this.skip--;
      return false;
    }
    return this.samples.push(sample) === this.size;
  }
  get rest(): boolean {
    return this.samples.length > 0;
  }
  take(): T[] {
    const { samples } = this;
    this.samples = [];
    return samples;
  }
}

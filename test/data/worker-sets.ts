// Data sets that the tests of workers name by this module.

import { Dataset, dataFolder, IterableDataset, workerInfo } from '../../src/data/index.ts';
import { type Generator, rand, type Tensor, tensor } from '../../src/index.ts';

interface Sample {
  x: Tensor;
  half: Tensor;
  label: bigint;
  name: string;
}
class Augmented extends Dataset<Sample> {
  readonly length: number;
  private readonly options: { slow?: boolean; bad?: number; die?: number };
  constructor(n: number, options: { slow?: boolean; bad?: number; die?: number }) {
    super();
    this.length = n;
    this.options = options;
  }
  override async get(i: number, random?: Generator): Promise<Sample> {
    if (i === this.options.bad) throw new RangeError(`picture ${i} is damaged`);
    if (i === this.options.die) process.exit(3);
    if (this.options.slow) await new Promise(r => setTimeout(r, (i * 7) % 5));
    return {
      x: tensor([i, rand(1, random === undefined ? {} : { generator: random }).itemSync()]),
      half: tensor([i / 4], { dtype: 'float16' }),
      label: BigInt(i % 3),
      name: `sample ${i} of worker ${workerInfo() === null ? 'none' : 'some'}`,
    };
  }
}
export const augmented = (n: number, options = {}) => new Augmented(n, options);
export const notThere = 5;
export const nothing = () => null;

export const folder = (): Dataset<string> => ({ length: 1, get: () => dataFolder() });

class Waiting extends Dataset<number> {
  readonly length = 8;
  override async get(i: number): Promise<number> {
    await new Promise(r => setTimeout(r, 80));
    return i;
  }
}
export const waiting = () => new Waiting();

class Shares extends IterableDataset<number> {
  private readonly n: number;
  constructor(n: number) {
    super();
    this.n = n;
  }
  override *[Symbol.iterator]() {
    const { id, count } = workerInfo() ?? { id: 0, count: 1 };
    for (let i = id; i < this.n; i += count) yield i;
  }
}
export const shares = (n: number) => new Shares(n);
class Draws extends IterableDataset<number> {
  override async *[Symbol.asyncIterator]() {
    for (let i = 0; i < 6; i++) yield rand(1).itemSync();
  }
}
export const draws = () => new Draws();

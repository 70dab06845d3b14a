// The loader: batches, epochs, resuming, streams.

import { describe, expect, it } from 'vitest';
import {
  BucketBatchSampler,
  CurriculumSampler,
  DataLoader,
  Dataset,
  IterableDataset,
  type LoaderState,
  Subset,
  TensorDataset,
  TimeOrderedBatchSampler,
  TransformDataset,
} from '../../src/data/index.ts';
import { defaultGenerator, Generator, manualSeed, rand, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

const ids = (n: number) => new TensorDataset(tensor(Float32Array.from({ length: n }, (_, i) => i)));
const read = (loader: Iterable<[Tensor]>): number[][] => [...loader].map(([x]) => numbers(x));
async function readAsync(loader: AsyncIterable<[Tensor]>): Promise<number[][]> {
  const out: number[][] = [];
  for await (const [x] of loader) out.push(numbers(x));
  return out;
}
const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

describe('batches', () => {
  it('come in order, the last one shorter or dropped', async () => {
    const loader = new DataLoader(ids(7), { batchSize: 3 });
    expect(loader.length).toBe(3);
    // As `len(loader.dataset)`: the loader's type knows which data set it has.
    expect(loader.dataset.length).toBe(7);
    expect(read(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(await readAsync(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const dropping = new DataLoader(ids(7), { batchSize: 3, dropLast: true });
    expect([dropping.length, read(dropping)]).toEqual([
      2,
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
    ]);
    expect(read(new DataLoader(ids(2)))).toEqual([[0], [1]]);
  });
  it('are shuffled anew each epoch and repeat for a seed', () => {
    manualSeed(4);
    const loader = new DataLoader(ids(40), { batchSize: 8, shuffle: true });
    const [first, second] = [read(loader), read(loader)];
    expect(sorted(first.flat())).toEqual(upTo(40));
    expect(sorted(second.flat())).toEqual(upTo(40));
    expect(first).not.toEqual(second);
    manualSeed(4);
    expect(read(loader)).toEqual(first);
    expect(read(loader)).toEqual(second);
    const own = () => new DataLoader(ids(40), { batchSize: 8, shuffle: true, generator: new Generator(9) });
    const mine = own();
    const [a, b] = [read(mine), read(mine)];
    manualSeed(1);
    const again = own();
    expect([read(again), read(again)]).toEqual([a, b]);
  });
  it('take one number of the stream for an epoch, however long it is', () => {
    const drawnAfter = (n: number) => {
      manualSeed(2);
      read(new DataLoader(ids(n), { shuffle: true }));
      return numbers(rand(2));
    };
    expect(drawnAfter(3)).toEqual(drawnAfter(30));
  });
  it('follow samplers, lists of indices and batch samplers', () => {
    expect(read(new DataLoader(ids(9), { batchSize: 2, sampler: [8, 1, 3] }))).toEqual([[8, 1], [3]]);
    expect(read(new DataLoader(ids(9), { batchSampler: [[1], [4, 2]] }))).toEqual([[1], [4, 2]]);
    const timed = new DataLoader(ids(7), { batchSampler: new TimeOrderedBatchSampler({ length: 7 }, 2) });
    expect([timed.length, read(timed)]).toEqual([
      3,
      [
        [0, 3],
        [1, 4],
        [2, 5],
      ],
    ]);
    const stepped = new DataLoader(ids(10), {
      batchSize: 5,
      sampler: new CurriculumSampler(upTo(10), { start: 0.5, epochs: 1 }),
    });
    expect([stepped.length, sorted(read(stepped).flat())]).toEqual([1, upTo(5)]);
    expect([stepped.length, sorted(read(stepped).flat())]).toEqual([2, upTo(10)]);
  });
  it('are made by the collate function', () => {
    const loader = new DataLoader(ids(4), {
      batchSize: 2,
      collate: samples => samples.map(([x]) => x.itemSync()).join('+'),
    });
    expect([...loader]).toEqual(['0+1', '2+3']);
  });
  it('of a subset are gathered', () => {
    expect(
      read(new DataLoader(new Subset(ids(9), [7, 5, 3]), { batchSize: 2 }) as Iterable<[Tensor]>),
    ).toEqual([[7, 5], [3]]);
  });
  it('refuses options that exclude each other', () => {
    const make = (o: object) => () => new DataLoader(ids(4), o);
    expect(make({ batchSize: 0 })).toThrow('DataLoader: batchSize must be an integer >= 1, got 0');
    expect(make({ shuffle: true, sampler: [1] })).toThrow('DataLoader: sampler excludes shuffle');
    expect(make({ batchSampler: [[1]], batchSize: 2 })).toThrow('batchSampler excludes batchSize');
    expect(make({ batchSampler: [[1]], dropLast: true })).toThrow('batchSampler excludes dropLast');
  });
});

/** Each sample waits and draws, as an augmentation that reads a file would. */
class Noisy extends Dataset<Tensor> {
  readonly length = 20;
  override async get(i: number, random?: Generator): Promise<Tensor> {
    await new Promise(r => setTimeout(r, (i * 7) % 3));
    return tensor([i, rand(1, random === undefined ? {} : { generator: random }).itemSync()]);
  }
}

describe('samples that wait', () => {
  it('are awaited, and draw the same numbers in any order of arrival', async () => {
    const epoch = async () => {
      manualSeed(3);
      const out: number[][] = [];
      for await (const x of new DataLoader(new Noisy(), { batchSize: 6, shuffle: true }))
        out.push(numbers(x));
      return out;
    };
    const first = await epoch();
    expect(first.map(b => b.length)).toEqual([12, 12, 12, 4]);
    expect(new Set(first.flat().filter((_, k) => k % 2)).size).toBe(20);
    expect(await epoch()).toEqual(first);
  });
  it('cannot be had from for…of', () => {
    const loader = new DataLoader(new Noisy(), { batchSize: 6 });
    expect(() => [...loader]).toThrow(
      'DataLoader: for…of needs samples that are there at once, got a Promise. use for await',
    );
  });
  it('gives the event loop a turn', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const loader = new DataLoader(
      new TransformDataset(ids(30), s => {
        const end = performance.now() + 4;
        while (performance.now() < end);
        return s;
      }),
    );
    for await (const _ of loader);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
  });
});

describe('resuming', () => {
  const n = 47;
  type Make = () => DataLoader<[Tensor]>;
  const augmented = new TransformDataset(ids(n), ([x], random): [Tensor] => [
    tensor([x.itemSync(), rand(1, { generator: random }).itemSync()]),
  ]);
  const cases: Record<string, Make> = {
    'in order': () => new DataLoader(ids(n), { batchSize: 5 }),
    shuffled: () => new DataLoader(ids(n), { batchSize: 5, shuffle: true }),
    'shuffled by a generator of its own': () =>
      new DataLoader(ids(n), { batchSize: 5, shuffle: true, generator: new Generator(77) }),
    'with random samples': () => new DataLoader(augmented, { batchSize: 5, shuffle: true }),
    'with buckets': () =>
      new DataLoader(ids(n), {
        batchSampler: new BucketBatchSampler(
          upTo(n).map(i => i % 13),
          { batchSize: 5, batchesPerBucket: 2 },
        ),
      }),
    'with a curriculum': () =>
      new DataLoader(ids(n), { batchSize: 5, sampler: new CurriculumSampler(upTo(n), { epochs: 3 }) }),
  };
  it.each(Object.entries(cases))(
    '%s gives exactly the remaining batches, then the same epochs',
    (_, make) => {
      manualSeed(11);
      const loader = make();
      const whole: number[][][] = [];
      const saved: { text: string; epoch: number; done: number; random: { seed: number; calls: number } }[] =
        [];
      for (let epoch = 0; epoch < 3; epoch++) {
        whole.push([]);
        for (const [x] of loader) {
          whole[epoch]!.push(numbers(x));
          const random = defaultGenerator.getState();
          saved.push({ text: JSON.stringify(loader.stateDict()), epoch, done: whole[epoch]!.length, random });
        }
        const random = defaultGenerator.getState();
        saved.push({ text: JSON.stringify(loader.stateDict()), epoch: epoch + 1, done: 0, random });
      }
      for (const { text, epoch, done, random } of saved) {
        manualSeed(999);
        const fresh = make();
        fresh.loadStateDict(JSON.parse(text) as LoaderState);
        defaultGenerator.setState(random);
        const rest = [];
        for (let e = epoch; e < 3; e++) rest.push(read(fresh));
        expect(rest).toEqual(whole.slice(epoch).map((b, k) => (k === 0 ? b.slice(done) : b)));
      }
    },
  );
  it('starts a new epoch where a loop was left and nothing was loaded', () => {
    manualSeed(1);
    const loader = new DataLoader(ids(10), { batchSize: 4, shuffle: true });
    for (const _ of loader) break;
    expect(loader.stateDict()).toMatchObject({ epoch: 0, batch: 1, batches: 3 });
    expect(sorted(read(loader).flat())).toEqual(upTo(10));
    expect(loader.stateDict()).toMatchObject({ epoch: 2, batch: 0, seed: null });
  });
  it('refuses the position of another loader, and what is none', () => {
    const state = new DataLoader(ids(10), { batchSize: 4 }).stateDict();
    const other = new DataLoader(ids(10), { batchSize: 3 });
    expect(() => other.loadStateDict(state)).toThrow(
      'DataLoader.loadStateDict: the position must be one of a loader with 4 batches, got one of 3',
    );
    expect(() => other.loadStateDict({ ...state, batch: -1 })).toThrow('it takes what stateDict() gave');
  });
});

describe('streams', () => {
  class Count extends IterableDataset<number> {
    override *[Symbol.iterator]() {
      for (let i = 0; i < 7; i++) yield i;
    }
  }
  class Slow extends IterableDataset<number> {
    override async *[Symbol.asyncIterator]() {
      for (let i = 0; i < 7; i++) yield i;
    }
  }
  it('are cut into batches', async () => {
    const loader = new DataLoader(new Count(), { batchSize: 3 });
    expect([...loader].map(numbers)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect([...new DataLoader(new Count(), { batchSize: 3, dropLast: true })].length).toBe(2);
    const slow = new DataLoader(new Slow(), { batchSize: 3 });
    const out: number[][] = [];
    for await (const x of slow) out.push(numbers(x));
    expect(out).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    expect(() => [...slow]).toThrow('got an asynchronous stream. use for await');
    expect(() => loader.length).toThrow('the length of a stream is not known');
    expect(() => new DataLoader(new Count(), { shuffle: true })).toThrow('a stream excludes shuffle');
  });
  it('resume after the batches that were handed out', () => {
    const loader = new DataLoader(new Count(), { batchSize: 2 });
    const it = loader[Symbol.iterator]();
    it.next();
    it.next();
    const fresh = new DataLoader(new Count(), { batchSize: 2 });
    fresh.loadStateDict(loader.stateDict());
    expect([...fresh].map(numbers)).toEqual([[4, 5], [6]]);
    expect([...fresh].map(numbers).length).toBe(4);
  });
});

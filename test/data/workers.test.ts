// Workers: the same batches as without them, in the same order, whatever their number; errors; ends.

import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import {
  DataLoader,
  type Dataset,
  datasetFrom,
  type IterableDataset,
  TensorDataset,
} from '../../src/data/index.ts';
import { manualSeed, setFlag, type Tensor, tensor } from '../../src/index.ts';
import { numbers } from '../support.ts';

const module = new URL('./worker-sets.ts', import.meta.url);
interface Sample {
  x: Tensor;
  half: Tensor;
  label: bigint;
  name: string;
}
const augmented = (n: number, options = {}) =>
  datasetFrom<Dataset<Sample>>(module, 'augmented', [n, options]);

const open: DataLoader<never, unknown>[] = [];
afterEach(() => {
  for (const l of open.splice(0)) l.close();
});
const keep = <T, B>(l: DataLoader<T, B>): DataLoader<T, B> => {
  open.push(l as never);
  return l;
};
async function all<B>(loader: AsyncIterable<B>): Promise<B[]> {
  const out: B[] = [];
  for await (const b of loader) out.push(b);
  return out;
}
const rows = (batches: readonly { x: Tensor; half: Tensor; label: Tensor }[]) =>
  batches.map(b => [numbers(b.x), numbers(b.half), numbers(b.label), b.half.dtype, b.label.dtype]);

describe('workers', () => {
  it('give the batches of an epoch without them, bit for bit, for any number of them', async () => {
    const dataset = await augmented(43, { slow: true });
    const epochs = async (numWorkers: number) => {
      manualSeed(6);
      const loader = keep(new DataLoader(dataset, { batchSize: 4, shuffle: true, numWorkers }));
      return [rows(await all(loader)), rows(await all(loader))];
    };
    const alone = await epochs(0);
    expect(alone[0]!.length).toBe(11);
    expect(alone[0]).not.toEqual(alone[1]);
    expect(await epochs(1)).toEqual(alone);
    expect(await epochs(3)).toEqual(alone);
  });
  it('resume in the middle of an epoch, with another number of workers too', async () => {
    const dataset = await augmented(30);
    const make = (numWorkers: number) =>
      keep(new DataLoader(dataset, { batchSize: 4, shuffle: true, numWorkers, prefetchFactor: 3 }));
    manualSeed(8);
    const loader = make(2);
    const seen = [];
    let state = '';
    for await (const b of loader) {
      seen.push(b);
      if (seen.length === 3) state = JSON.stringify(loader.stateDict());
    }
    manualSeed(0);
    for (const numWorkers of [1, 0]) {
      const fresh = make(numWorkers);
      fresh.loadStateDict(JSON.parse(state));
      expect(rows(await all(fresh))).toEqual(rows(seen.slice(3)));
    }
  });
  it('work in the worker, and give samples to a collate function of this thread', async () => {
    const dataset = await augmented(4);
    const [b] = await all(keep(new DataLoader(dataset, { batchSize: 2, numWorkers: 1 })));
    expect(b!.name).toEqual(['sample 0 of worker some', 'sample 1 of worker some']);
    const joined = keep(
      new DataLoader(dataset, {
        batchSize: 2,
        numWorkers: 1,
        collate: samples => samples.map(s => `${s.label}:${s.x.shape}`).join(),
      }),
    );
    expect(await all(joined)).toEqual(['0:2,1:2', '2:2,0:2']);
  });
  it('know the data folder that the program chose', async () => {
    setFlag('TENON_DATA', '/chosen/here');
    try {
      const dataset = await datasetFrom<Dataset<string>>(module, 'folder');
      expect(await all(keep(new DataLoader(dataset, { numWorkers: 1 })))).toEqual([['/chosen/here']]);
    } finally {
      setFlag('TENON_DATA', undefined);
    }
  });
  it('fetch ahead, beside each other', async () => {
    const loader = keep(
      new DataLoader(await datasetFrom<Dataset<number>>(module, 'waiting'), { numWorkers: 4 }),
    );
    await all(loader); // The workers start.
    const start = performance.now();
    await all(loader);
    // One after the other, 8 samples of 80 ms take 640.
    expect(performance.now() - start).toBeLessThan(480);
  });
  it('go on after a loop that was left', async () => {
    const loader = keep(new DataLoader(await augmented(20), { batchSize: 2, numWorkers: 2 }));
    for await (const _ of loader) break;
    expect((await all(loader)).length).toBe(10);
  });
});

describe('streams in workers', () => {
  it('share out samples, one batch of each worker in turn, and resume', async () => {
    const dataset = await datasetFrom<IterableDataset<number>>(module, 'shares', [11]);
    const make = () => keep(new DataLoader(dataset, { batchSize: 2, numWorkers: 2 }));
    const loader = make();
    const got = (await all(loader)).map(numbers);
    expect(got).toEqual([[0, 2], [1, 3], [4, 6], [5, 7], [8, 10], [9]]);
    expect((await all(loader)).map(numbers)).toEqual(got);
    for await (const _ of loader) if (loader.stateDict().batch === 4) break;
    const fresh = make();
    fresh.loadStateDict(loader.stateDict());
    expect((await all(fresh)).map(numbers)).toEqual(got.slice(4));
    const dropping = keep(new DataLoader(dataset, { batchSize: 2, numWorkers: 2, dropLast: true }));
    expect((await all(dropping)).length).toBe(5);
  });
  it('draw other numbers in each worker, the same for a seed', async () => {
    const dataset = await datasetFrom<IterableDataset<number>>(module, 'draws');
    const loader = keep(new DataLoader(dataset, { batchSize: 6, numWorkers: 2 }));
    const epoch = async () => {
      manualSeed(1);
      return (await all(loader)).map(numbers);
    };
    const [a, b] = await epoch();
    expect(a).not.toEqual(b);
    expect(await epoch()).toEqual([a, b]);
  });
});

describe('what goes wrong', () => {
  it('in a sample is thrown at the loop, after the batches before it', async () => {
    const loader = keep(new DataLoader(await augmented(20, { bad: 9 }), { batchSize: 2, numWorkers: 2 }));
    let n = 0;
    await expect(
      (async () => {
        for await (const _ of loader) n++;
      })(),
    ).rejects.toThrow(
      /DataLoader: a worker must fetch its samples, got the error below\nRangeError: picture 9 is damaged/,
    );
    expect(n).toBe(4);
  });
  it('with a worker is an error, not a wait without end', async () => {
    const loader = keep(new DataLoader(await augmented(20, { die: 5 }), { batchSize: 2, numWorkers: 2 }));
    await expect(all(loader)).rejects.toThrow('must stay alive, got it ended with code 3');
  });
  it('before they start is said at once', async () => {
    const here = new TensorDataset(tensor([1, 2]));
    await expect(all(new DataLoader(here, { numWorkers: 1 }))).rejects.toThrow(
      'DataLoader: workers must be able to make the data set for themselves, got one that lives in this thread. make it with datasetFrom',
    );
    expect(() => [...new DataLoader(here, { numWorkers: 1 })]).toThrow('got workers. use for await');
    expect(() => new DataLoader(here, { numWorkers: -1 })).toThrow(
      'numWorkers must be an integer >= 0, got -1',
    );
    await expect(datasetFrom(module, 'notThere')).rejects.toThrow(
      "must export a function 'notThere', got number",
    );
    await expect(datasetFrom(module, 'other')).rejects.toThrow("must export a function 'other', got none");
    await expect(datasetFrom(module, 'nothing')).rejects.toThrow("'nothing' must give a data set");
  });
});

it('workers that wait do not keep a program alive, those from which it waits do', () => {
  const here = (path: string) => new URL(path, import.meta.url).href;
  const code = `
    import { DataLoader, datasetFrom } from '${here('../../src/data/index.ts')}';
    const d = await datasetFrom('${module.href}', 'augmented', [6, { slow: true }]);
    let n = 0;
    for await (const b of new DataLoader(d, { batchSize: 2, numWorkers: 2 })) n++;
    console.log(n);`;
  const r = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code],
    {
      encoding: 'utf8',
      timeout: 30_000,
    },
  );
  expect([r.stdout, r.stderr, r.status]).toEqual(['3\n', '', 0]);
});

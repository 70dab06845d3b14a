// The worker's side of a loader: makes the data set, fetches the batches that it is asked for.
// In: requests. Out: replies, one each, in order.

import { setFlag } from '../base/env.ts';
import { ValueError } from '../base/errors.ts';
import { defaultGenerator } from '../tensor/random.ts';
import { Chunks } from './chunks.ts';
import { defaultCollate } from './collate.ts';
import type { Dataset, IterableDataset } from './dataset.ts';
import { fetchBatch, fetchSamples, sampleGenerator } from './fetch.ts';
import { type Origin, type Port, pack, type Reply, type Request, type Stream } from './wire.ts';

let info: { readonly id: number; readonly count: number } | null = null;
/** In a loader's worker: its number and how many there are, for streams that share out their samples; else null. */
export const workerInfo = (): { readonly id: number; readonly count: number } | null => info;

/** Imports a module and calls its export `name`, which gives a data set. */
export async function makeDataset({ module, name, args }: Origin): Promise<object> {
  const make = ((await import(/* @vite-ignore */ module)) as Record<string, unknown>)[name];
  if (typeof make !== 'function')
    throw new ValueError(
      'datasetFrom',
      `${module} must export a function '${name}'`,
      make === undefined ? 'none' : typeof make,
      '',
    );
  const dataset: unknown = await make(...args);
  if (typeof dataset !== 'object' || dataset === null)
    throw new ValueError('datasetFrom', `'${name}' must give a data set`, typeof dataset, '');
  return dataset;
}

async function* batchesOf(dataset: IterableDataset<unknown>, s: Stream): AsyncGenerator<unknown> {
  const join = s.raw ? (list: unknown[]) => list : defaultCollate;
  const chunks = new Chunks<unknown>(s.batchSize);
  for await (const sample of dataset as AsyncIterable<unknown>)
    if (chunks.add(sample)) yield join(chunks.take());
  if (chunks.rest && !s.dropLast) yield join(chunks.take());
}

/** Serves a DataLoader; the worker that a loader starts calls it. */
export function serveWorker(port: Port): void {
  // Workers are threads already: tensors in them take one each.
  setFlag('TENON_THREADS', 1);
  let dataset: Promise<object>;
  let stream: AsyncGenerator<unknown> | undefined;
  const answer = async (r: Request): Promise<Omit<Reply, 'ticket'>> => {
    if (r.kind === 'next') {
      const { value, done } = await stream!.next();
      return done ? { done } : { value };
    }
    const { job, raw } = r as Request & { kind: 'batch' };
    const d = (await dataset) as Dataset<unknown>;
    // What draws from the default stream repeats too, whichever worker does it.
    defaultGenerator.manualSeed(sampleGenerator(job.seed, job.place).seed);
    const skipped: string[] = [];
    const value = await (raw ? fetchSamples(d, job, skipped) : fetchBatch(d, job, undefined, skipped));
    return { value, ...(skipped.length > 0 ? { skipped } : {}) };
  };
  const handle = async (r: Request): Promise<void> => {
    if (r.kind === 'open') {
      info = { id: r.id, count: r.count };
      setFlag('TENON_DATA', r.folder);
      dataset = makeDataset(r.origin);
      dataset.catch(() => {});
    } else if (r.kind === 'start') {
      const { stream: s } = r;
      // A stream that was left in the middle may hold files open.
      await stream?.return(undefined);
      stream = (async function* () {
        const d = await dataset;
        defaultGenerator.manualSeed(sampleGenerator(s.seed, info!.id).seed);
        yield* batchesOf(d as IterableDataset<unknown>, s);
      })();
    } else {
      const { ticket } = r;
      try {
        const reply = await answer(r);
        const { value, transfer } = pack(reply.value);
        port.post({ ...reply, ticket, value }, transfer);
      } catch (e) {
        port.post({ ticket, error: e instanceof Error ? (e.stack ?? e.message) : String(e) }, []);
      }
    }
  };
  let last = Promise.resolve();
  port.listen(request => {
    last = last.then(() => handle(request));
  });
}

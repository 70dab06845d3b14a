// The loader's side of its workers: who does what, answers in order, workers that fail.
// In: jobs. Out: Promises of batches.

import { TenonError, ValueError } from '../base/errors.ts';
import type { Dataset, IterableDataset } from './dataset.ts';
import type { Job } from './fetch.ts';
import { dataFolder } from './files.node.ts';
import { startThread } from './threads.node.ts';
import { type Origin, type Reply, type Request, type Stream, type Thread, unpack } from './wire.ts';
import { makeDataset } from './worker.ts';

const origins = new WeakMap<object, Origin>();

/**
 * A data set that workers can make for themselves: `module` exports a function `name`, and what it gives for `args` is
 * the data set. Each worker imports the module anew, so give it by its address: `new URL('./pictures.js', import.meta.url)`.
 */
export async function datasetFrom<D extends Dataset<unknown> | IterableDataset<unknown>>(
  module: string | URL,
  name: string,
  args: readonly unknown[] = [],
): Promise<D> {
  const origin = { module: String(module), name, args };
  const dataset = await makeDataset(origin);
  origins.set(dataset, origin);
  return dataset as D;
}

/** Something that a worker's code threw, or a worker that is gone. */
export class WorkerError extends TenonError {}

interface Pending {
  resolve(value: unknown): void;
  reject(e: Error): void;
}
class Remote {
  readonly pending = new Map<number, Pending>();
  private readonly thread: Thread;
  private tickets = 0;
  private gone: WorkerError | null = null;

  constructor(origin: Origin, id: number, count: number) {
    this.thread = startThread({
      message: reply => this.take(reply),
      end: why => this.fail(id, why),
    });
    this.thread.post({ kind: 'open', origin, id, count, folder: dataFolder() });
  }
  private take({ ticket, error, done, skipped, value }: Reply): void {
    const p = this.pending.get(ticket);
    this.pending.delete(ticket);
    if (this.pending.size === 0) this.thread.hold(false);
    if (error === undefined) {
      const batch = done ? END : unpack(value);
      p?.resolve(skipped === undefined ? batch : new Thinned(batch, skipped));
    } else
      p?.reject(
        new WorkerError('DataLoader', 'a worker must fetch its samples', `the error below\n${error}`, ''),
      );
  }
  private fail(id: number, why: string): void {
    this.gone ??= new WorkerError('DataLoader', `worker ${id} must stay alive`, why, '');
    for (const p of this.pending.values()) p.reject(this.gone);
    this.pending.clear();
  }
  ask(request: { kind: 'batch'; job: Job; raw: boolean } | { kind: 'next' }): Promise<unknown> {
    const ticket = this.tickets++;
    const answer = new Promise((resolve, reject) => {
      if (this.gone !== null) reject(this.gone);
      else this.pending.set(ticket, { resolve, reject });
    });
    // A failure is thrown where the batch is awaited, which may be later.
    answer.catch(() => {});
    if (this.gone !== null) return answer;
    this.thread.hold(true);
    this.thread.post({ ...request, ticket } as Request);
    return answer;
  }
  start(stream: Stream): void {
    this.thread.post({ kind: 'start', stream });
  }
  stop(): void {
    this.thread.stop();
  }
}
const END = Symbol('end of the stream');
/** A batch from which samples were left out. */
class Thinned {
  readonly batch: unknown;
  readonly skipped: readonly string[];
  constructor(batch: unknown, skipped: readonly string[]) {
    this.batch = batch;
    this.skipped = skipped;
  }
}

export class WorkerPool {
  private readonly remotes: readonly Remote[];
  /** Batches that are asked for ahead. */
  private readonly ahead: number;

  constructor(dataset: object, count: number, prefetchFactor: number) {
    const origin = origins.get(dataset);
    if (origin === undefined)
      throw new ValueError(
        'DataLoader',
        'workers must be able to make the data set for themselves',
        'one that lives in this thread',
        'make it with datasetFrom(module, name, args)',
      );
    this.remotes = Array.from({ length: count }, (_, id) => new Remote(origin, id, count));
    this.ahead = count * prefetchFactor;
  }
  /**
   * The batches of the jobs, in their order; each is fetched by the worker that has least to do. What is said about
   * samples that were left out comes into `skipped` with the batch.
   */
  async *batches(jobs: Iterable<Job>, raw: boolean, skipped: string[]): AsyncGenerator<unknown> {
    const queue: Promise<unknown>[] = [];
    const todo = jobs[Symbol.iterator]();
    const fill = (): void => {
      while (queue.length < this.ahead) {
        const { value: job, done } = todo.next();
        if (done) return;
        const free = this.remotes.reduce((a, b) => (b.pending.size < a.pending.size ? b : a));
        queue.push(free.ask({ kind: 'batch', job: { ...job, indices: Int32Array.from(job.indices) }, raw }));
      }
    };
    for (fill(); queue.length > 0; fill()) {
      const got = await queue.shift();
      if (got instanceof Thinned) skipped.push(...got.skipped);
      yield got instanceof Thinned ? got.batch : got;
    }
  }
  /** The batches of the workers' streams, one of each in turn until all are over. */
  async *stream(s: Stream): AsyncGenerator<unknown> {
    const each = this.ahead / this.remotes.length;
    let open = this.remotes.map(remote => {
      remote.start(s);
      return { remote, queue: Array.from({ length: each }, () => remote.ask({ kind: 'next' })) };
    });
    while (open.length > 0) {
      for (const { remote, queue } of [...open]) {
        const batch = await queue.shift();
        if (batch === END) open = open.filter(o => o.remote !== remote);
        else {
          queue.push(remote.ask({ kind: 'next' }));
          yield batch;
        }
      }
    }
  }
  close(): void {
    for (const r of this.remotes) r.stop();
  }
}

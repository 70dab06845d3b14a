// evaluate and predict: a model over batches without learning; and what fit shares with them.

import { show, ValueError } from '../base/errors.ts';
import type { Layer, Module } from '../nn/index.ts';
import { compile } from '../tensor/compile.ts';
import { noGrad } from '../tensor/modes.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { tensorsIn } from '../tensor/tree.ts';
import type { Metrics } from './events.ts';
import type { Measured, Metric } from './metrics.ts';

/** Batches of one pass, each time they are iterated. */
export type Batches<B> = (AsyncIterable<B> | Iterable<B>) & {
  readonly length?: number;
  stateDict?(): unknown;
  loadStateDict?(state: never): void;
};
/** What a batch gave: its loss, and outputs and targets where there are metrics. */
export interface Forwarded {
  readonly loss: Tensor;
  readonly output?: Tensor;
  readonly target?: Tensor;
}
export type Forward<B> = (batch: B) => Forwarded;

interface Wanted<B> {
  readonly loss?: (output: Tensor, target: Tensor) => Tensor;
  readonly forward?: Forward<B>;
  readonly metrics?: Readonly<Record<string, Metric<unknown>>>;
}
/** One batch through the model: the given way, or [input, target] through model and loss. */
export function forwardOf<B>(op: string, model: Module, { loss, forward }: Wanted<B>): Forward<B> {
  if (forward !== undefined) return forward;
  if (loss === undefined)
    throw new ValueError(op, 'loss or forward must be given', 'neither', 'such as loss: F.crossEntropy');
  return batch => {
    if (!Array.isArray(batch) || batch.length !== 2 || !batch.every(isTensor))
      throw new ValueError(
        op,
        'without `forward` a batch is [input, target], both tensors',
        show(batch),
        'pass forward: batch => ({ loss, output, target })',
      );
    const [input, target] = batch as [Tensor, Tensor];
    const output = (model as Layer)(input);
    return { loss: loss(output, target), output, target };
  };
}
/** Samples in a batch: the first size of its first tensor. */
export const batchSize = (batch: unknown): number => tensorsIn(batch)[0]?.shape[0] ?? 1;

/** Batches in a pass; null where nobody knows, as of a stream. */
export function lengthOf(batches: Batches<unknown>): number | null {
  try {
    return batches.length ?? null;
  } catch {
    return null;
  }
}

/** Loss and metrics over the batches of a pass. */
export class Tally {
  private readonly metrics: Readonly<Record<string, Metric<unknown>>>;
  private loss = 0;
  private samples = 0;
  constructor(metrics: Readonly<Record<string, Metric<unknown>>>) {
    this.metrics = metrics;
    this.reset();
  }
  /** What the metrics need of a batch, as tensors. */
  measure({ output, target }: Forwarded): Record<string, Tensor>[] {
    return Object.entries(this.metrics).map(([name, m]) => {
      if (output === undefined || target === undefined)
        throw new ValueError('fit', `metric '${name}' needs output and target of forward`, 'none', '');
      return m.measure(output.detach(), target);
    });
  }
  add(loss: number, samples: number, measured: readonly Record<string, Tensor>[]): void {
    this.loss += loss * samples;
    this.samples += samples;
    for (const [i, m] of Object.values(this.metrics).entries()) {
      const read: [string, Measured[string]][] = [];
      for (const [name, t] of Object.entries(measured[i]!)) read.push([name, t.dataSync()]);
      m.add(Object.fromEntries(read));
    }
  }
  /** Loss and every metric that is a number: trainLoss, trainAccuracy. */
  numbers(prefix: string): Metrics {
    const named = (name: string): string =>
      prefix === '' ? name : `${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`;
    const out: Metrics = { [named('loss')]: this.samples === 0 ? Number.NaN : this.loss / this.samples };
    for (const [name, m] of Object.entries(this.metrics)) {
      const value = m.compute();
      if (typeof value === 'number') out[named(name)] = value;
      else if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
        for (const [part, v] of Object.entries(value)) if (typeof v === 'number') out[named(part)] = v;
      }
    }
    return out;
  }
  reset(): void {
    this.loss = 0;
    this.samples = 0;
    for (const m of Object.values(this.metrics)) m.reset();
  }
  state(): unknown {
    return {
      loss: this.loss,
      samples: this.samples,
      metrics: Object.values(this.metrics).map(m => m.state()),
    };
  }
  load(state: unknown): void {
    const s = state as { loss: number; samples: number; metrics: unknown[] };
    this.loss = s.loss;
    this.samples = s.samples;
    for (const [i, m] of Object.values(this.metrics).entries()) m.load(s.metrics[i]);
  }
}

export type EvaluateOptions<B> = Wanted<B>;
/** Mean loss and metrics of a model over batches, in eval mode, without gradients: { loss, accuracy, … }. */
export async function evaluate<B>(
  model: Module,
  batches: Batches<B>,
  options: EvaluateOptions<B>,
): Promise<Metrics> {
  const forward = forwardOf('evaluate', model, options);
  const tally = new Tally(options.metrics ?? {});
  const step = compile((batch: B) =>
    noGrad(() => {
      const made = forward(batch);
      return { loss: made.loss, measured: tally.measure(made) };
    }),
  );
  return inEval(model, async () => {
    for await (const batch of batches) {
      const made = step(batch);
      tally.add(await made.loss.item(), batchSize(batch), made.measured);
    }
    return tally.numbers('');
  });
}

/** The model's outputs for every batch of inputs, in eval mode, without gradients. */
export async function predict<B>(
  model: Module,
  batches: Batches<B>,
  forward: (batch: B) => Tensor = batch =>
    (model as Layer)((Array.isArray(batch) ? batch[0] : batch) as Tensor),
): Promise<Tensor[]> {
  const step = compile((batch: B) => noGrad(() => forward(batch)));
  return inEval(model, async () => {
    const outputs: Tensor[] = [];
    for await (const batch of batches) outputs.push(step(batch));
    return outputs;
  });
}

async function inEval<T>(model: Module, body: () => Promise<T>): Promise<T> {
  const before = model.training;
  model.eval();
  try {
    return await body();
  } finally {
    model.train(before);
  }
}

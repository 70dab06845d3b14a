// Callbacks: what happens beside a training. In: its events. Out: logs, an early end, a better model kept.

import { show, ValueError } from '../base/errors.ts';
import type { Module } from '../nn/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { TrainEvent } from './events.ts';
import { histogramEvent, scalarEvent, versionEvent } from './tensorboard.ts';

/** What a callback sees of the training. */
export interface TrainingView {
  readonly model: Module;
  readonly history: Readonly<Record<string, number[]>>;
  /** Ends the training after this event. */
  stop(): void;
}
export interface Callback {
  onEvent(event: TrainEvent, training: TrainingView): void | Promise<void>;
  /** Plain data and tensors from which the callback goes on after a resume. */
  state?(): unknown;
  load?(state: unknown): void;
}

export interface EarlyStoppingOptions {
  /** The metric to look at. Default 'valLoss'. */
  monitor?: string;
  /** 'min' (default) where smaller is better, else 'max'. */
  mode?: 'min' | 'max';
  /** Epochs without a better value before the end. Default 5. */
  patience?: number;
  /** How much better a value must be to count. Default 0. */
  minDelta?: number;
  /** Puts the weights of the best epoch back at the end. Default false. */
  restoreBest?: boolean;
}
interface EarlyState {
  best: number;
  bad: number;
  weights: Record<string, Tensor> | null;
}
/** Ends a training whose metric has not become better for `patience` epochs. */
export class EarlyStopping implements Callback {
  private readonly o: Required<EarlyStoppingOptions>;
  private now: EarlyState;
  constructor(options: EarlyStoppingOptions = {}) {
    this.o = { monitor: 'valLoss', mode: 'min', patience: 5, minDelta: 0, restoreBest: false, ...options };
    if (!Number.isInteger(this.o.patience) || this.o.patience < 1)
      throw new ValueError('EarlyStopping', 'patience must be an integer >= 1', show(this.o.patience), '');
    this.now = { best: this.o.mode === 'min' ? Infinity : -Infinity, bad: 0, weights: null };
  }
  onEvent(event: TrainEvent, training: TrainingView): void {
    if (event.kind === 'end' && this.o.restoreBest && this.now.weights !== null)
      training.model.loadStateDict(this.now.weights);
    if (event.kind !== 'epoch') return;
    const value = event.metrics[this.o.monitor];
    if (value === undefined)
      throw new ValueError(
        'EarlyStopping',
        `monitor is one of ${Object.keys(event.metrics).join(', ')}`,
        show(this.o.monitor),
        'pass `validate` and metrics to fit',
      );
    const gain = this.o.mode === 'min' ? this.now.best - value : value - this.now.best;
    if (gain > this.o.minDelta) {
      const weights = this.o.restoreBest ? snapshot(training.model) : null;
      this.now = { best: value, bad: 0, weights };
    } else if (++this.now.bad >= this.o.patience) training.stop();
  }
  state(): unknown {
    return { ...this.now, best: String(this.now.best) };
  }
  load(state: unknown): void {
    const s = state as EarlyState;
    this.now = { ...s, best: Number(s.best) };
  }
}
const snapshot = (model: Module): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(model.stateDict()).map(([name, t]) => [name, t.detach().clone().realize()]),
  );

/** Takes bytes or text, in order: a file, a socket, an array. */
export type Sink<T> = (chunk: T) => void | Promise<void>;

/** One line of JSON per epoch, or per step too: { kind, epoch, step, … }. */
export function jsonLog(sink: Sink<string>, { steps = false }: { steps?: boolean } = {}): Callback {
  return {
    async onEvent(event) {
      if (event.kind !== 'step' || steps) await sink(`${JSON.stringify(event)}\n`);
    },
  };
}

export interface TensorBoardOptions {
  /** Steps between scalars of the loss. Default 10. */
  everySteps?: number;
  /** A histogram of every parameter at the end of an epoch. Default false. */
  histograms?: boolean;
  /** Seconds since 1970. */
  clock?: () => number;
}
/** TensorBoard events: scalars train/loss and train/lr by step, every metric of an epoch, histograms of parameters. */
export function tensorBoard(sink: Sink<Uint8Array>, options: TensorBoardOptions = {}): Callback {
  const { everySteps = 10, histograms = false, clock = () => Date.now() / 1000 } = options;
  return {
    async onEvent(event, { model }) {
      const scalar = (tag: string, value: number): void | Promise<void> =>
        sink(scalarEvent(clock(), event.step, tag, value));
      if (event.kind === 'start') await sink(versionEvent(clock()));
      if (event.kind === 'step' && event.step % everySteps === 0) {
        await scalar('step/loss', event.loss);
        await scalar('step/lr', event.lr);
      }
      if (event.kind !== 'epoch') return;
      for (const [name, value] of Object.entries(event.metrics)) await scalar(`epoch/${name}`, value);
      if (!histograms) return;
      for (const [name, p] of model.namedParameters())
        await sink(histogramEvent(clock(), event.step, name, (await p.data()) as ArrayLike<number>));
    },
  };
}

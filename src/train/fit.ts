// fit: the training loop. Batches in, a trained model and its history out; everything on the way is told as events.
// One step is two compiled plans, gradients and update: between them the guard sees whether the numbers are fit to learn
// from, and gradients of several batches can add up.

import { show, ValueError } from '../base/errors.ts';
import type { Module } from '../nn/index.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { compile } from '../tensor/compile.ts';
import { noGrad } from '../tensor/modes.ts';
import { defaultGenerator } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Callback, TrainingView } from './callbacks.ts';
import { type Batches, batchSize, type Forward, forwardOf, lengthOf, Tally } from './evaluate.ts';
import type { EndReason, Metrics, Place, TrainEvent } from './events.ts';
import type { Metric } from './metrics.ts';
import { clipCoefficient, clipValues, diagnose, gradientNorm } from './nan-guard.ts';

/** A learning-rate schedule, or anything that acts on the optimizer at every epoch or step. */
export interface Schedule {
  step(metric?: number): void;
  stateDict(): unknown;
  loadStateDict(state: never): void;
}
export interface FitOptions<B> {
  /** Batches of one epoch, each time it is iterated. A DataLoader is one; with a state dict it resumes in mid-epoch. */
  readonly train: Batches<B>;
  /** Batches to measure on after each epoch; nothing is learned from them. */
  readonly validate?: Batches<B>;
  /** What its metrics are called after: valLoss by default, testLoss with 'test'. */
  readonly validateAs?: string;
  readonly epochs: number;
  // biome-ignore lint/suspicious/noExplicitAny: optimizers of any options
  readonly optimizer: Optimizer<any>;
  /** The loss of outputs and targets, for batches [input, target]. */
  readonly loss?: (output: Tensor, target: Tensor) => Tensor;
  /** Instead of `loss`, for batches of any form: a batch through the model. */
  readonly forward?: Forward<B>;
  readonly metrics?: Readonly<Record<string, Metric<unknown>>>;
  readonly schedule?: Schedule;
  /** When the schedule steps. Default 'epoch'. */
  readonly scheduleEvery?: 'epoch' | 'step';
  /** What the schedule's step is given (ReduceLROnPlateau), such as 'valLoss'. */
  readonly scheduleOn?: string;
  /** Batches whose gradients are averaged for one step. Default 1. */
  readonly accumulate?: number;
  /** Largest norm of all gradients together; larger ones are scaled down. */
  readonly clipGradNorm?: number;
  /** Largest size of a gradient's element. */
  readonly clipGradValue?: number;
  /** Stop with the name of the first tensor that is NaN or infinite, before it is learned from. Default true. */
  readonly nanGuard?: boolean;
  readonly callbacks?: readonly Callback[];
  readonly onEvent?: (event: TrainEvent) => void | Promise<void>;
  /** Ends the training after the running step, with a checkpoint where they are written. */
  readonly signal?: AbortSignal;
  readonly checkpoint?: Checkpointing;
  /** Goes on from here as if nothing had happened. */
  readonly resume?: TrainingState;
  /** false runs every step uncompiled, for debugging. Default true. */
  readonly compile?: boolean;
}
export interface Checkpointing {
  /** Steps (epochs) between checkpoints; the end is always saved. Default: every epoch. */
  readonly everySteps?: number;
  readonly everyEpochs?: number;
  /** Asked after every step besides: true saves now. */
  due?(): boolean;
  /** Writes a state; returns where it is. */
  save(state: TrainingState): Promise<string>;
}
/** Everything that the rest of a training depends on: tensors and plain data. */
export interface TrainingState {
  readonly model: Readonly<Record<string, Tensor>>;
  readonly optimizer: unknown;
  readonly schedule: unknown;
  readonly random: { readonly seed: number; readonly calls: number };
  readonly loader: unknown;
  readonly epoch: number;
  readonly batch: number;
  readonly step: number;
  readonly seconds: number;
  readonly tally: unknown;
  readonly history: History;
  readonly callbacks: readonly unknown[];
}
/** One value per epoch by name: trainLoss, valLoss, lr, trainAccuracy … */
export type History = Record<string, number[]>;
export interface FitResult {
  readonly history: History;
  readonly why: EndReason;
  readonly step: number;
  /** Seconds of training, and of them those before this process resumed it. */
  readonly seconds: number;
  readonly secondsBefore: number;
}

/**
 * Trains a model.
 *
 * For each batch: gradients of the loss (averaged over `accumulate` batches), clipping, one optimizer step; after each epoch
 * the metrics on `validate`. The model is in training mode for steps and in eval mode for validation. Losses and metrics of
 * an epoch are weighted by batch size. Throws NonFiniteError where a loss or gradient is not finite (see nanGuard).
 */
export async function fit<B>(model: Module, options: FitOptions<B>): Promise<FitResult> {
  return new Fitting(model, options).run();
}

class Fitting<B> implements TrainingView {
  readonly model: Module;
  readonly history: History = {};
  private readonly o: FitOptions<B>;
  private readonly forward: Forward<B>;
  private readonly metrics: Readonly<Record<string, Metric<unknown>>>;
  private readonly tally: Tally;
  private readonly parameters: Tensor[];
  private readonly accumulate: number;
  private epoch = 0;
  private batch = 0;
  private step = 0;
  private ending: EndReason | null = null;
  private readonly started = performance.now();
  private secondsBefore = 0;

  constructor(model: Module, o: FitOptions<B>) {
    this.model = model;
    this.o = o;
    this.forward = forwardOf('fit', model, o);
    this.metrics = o.metrics ?? {};
    this.tally = new Tally(this.metrics);
    this.accumulate = o.accumulate ?? 1;
    this.parameters = [...model.parameters()].filter(p => p.requiresGrad);
    for (const [name, value] of [
      ['epochs', o.epochs],
      ['accumulate', this.accumulate],
    ] as const) {
      if (!Number.isInteger(value) || value < 1)
        throw new ValueError('fit', `${name} must be an integer >= 1`, show(value), '');
    }
    const maybeCompiled = <F extends (...args: never[]) => unknown>(f: F): F =>
      o.compile === false ? f : (compile(f) as unknown as F);
    this.gradients = maybeCompiled(this.gradients.bind(this));
    this.update = maybeCompiled(this.update.bind(this));
    this.measure = maybeCompiled(this.measure.bind(this));
  }

  // ---- what is compiled -----------------------------------------------------------------------------------------------------

  private gradients(batch: B): { loss: Tensor; norm: Tensor | null; measured: Record<string, Tensor>[] } {
    const made = this.forward(batch);
    made.loss.div(this.accumulate).backward();
    const watched = (this.o.nanGuard ?? true) || this.o.clipGradNorm !== undefined;
    return {
      loss: made.loss.detach(),
      norm: watched ? gradientNorm(this.parameters) : null,
      measured: noGrad(() => this.tally.measure(made)),
    };
  }
  private update(norm: Tensor | null): void {
    const { optimizer, clipGradNorm, clipGradValue } = this.o;
    if (clipGradNorm !== undefined && norm !== null) clipCoefficient(this.parameters, norm, clipGradNorm);
    if (clipGradValue !== undefined) clipValues(this.parameters, clipGradValue);
    optimizer.step();
    optimizer.zeroGrad();
  }
  private measure(batch: B): { loss: Tensor; measured: Record<string, Tensor>[] } {
    return noGrad(() => {
      const made = this.forward(batch);
      return { loss: made.loss, measured: this.tally.measure(made) };
    });
  }

  // ---- the loop -------------------------------------------------------------------------------------------------------------

  async run(): Promise<FitResult> {
    const { o } = this;
    if (o.resume !== undefined) this.load(o.resume);
    else o.optimizer.zeroGrad();
    await this.tell({ kind: 'start', stepsPerEpoch: this.stepsPerEpoch(), ...this.place() });
    while (this.ending === null && this.epoch < o.epochs) await this.oneEpoch();
    const why = this.ending ?? 'done';
    if (o.checkpoint !== undefined) await this.save();
    await this.tell({ kind: 'end', why, ...this.place() });
    this.model.eval();
    const { history, step, secondsBefore } = this;
    return { history, why, step, seconds: this.seconds(), secondsBefore };
  }
  private async oneEpoch(): Promise<void> {
    const { o } = this;
    const start = performance.now();
    this.model.train();
    let waiting = 0;
    let norm: Tensor | null = null;
    for await (const batch of o.train) {
      const made = this.gradients(batch);
      const loss = await made.loss.item();
      norm = made.norm;
      const gradNorm = norm === null ? undefined : await norm.item();
      if ((o.nanGuard ?? true) && !(Number.isFinite(loss) && Number.isFinite(gradNorm)))
        throw diagnose(this.model, this.forward, batch, this.step + 1, this.epoch + 1);
      this.tally.add(loss, batchSize(batch), made.measured);
      this.batch++;
      if (++waiting < this.accumulate) continue;
      waiting = 0;
      await this.stepped(norm, loss, gradNorm);
      if (this.ending !== null) return;
    }
    if (waiting > 0) await this.stepped(norm, Number.NaN, undefined);
    await this.epochDone(start);
  }
  private async stepped(norm: Tensor | null, loss: number, gradNorm: number | undefined): Promise<void> {
    const { o } = this;
    const lr = this.lr();
    this.update(norm);
    this.step++;
    if (o.schedule !== undefined && o.scheduleEvery === 'step') o.schedule.step();
    await this.tell({
      kind: 'step',
      loss,
      lr,
      batch: this.batch,
      batches: lengthOf(o.train),
      ...(gradNorm === undefined ? {} : { gradNorm }),
      ...this.place(),
    });
    const { everySteps, due } = o.checkpoint ?? {};
    if (o.signal?.aborted) this.ending = 'interrupted';
    else if ((everySteps !== undefined && this.step % everySteps === 0) || due?.()) await this.save();
  }
  private async epochDone(start: number): Promise<void> {
    const { o } = this;
    const metrics: Metrics = { ...this.tally.numbers('train'), lr: this.lr() };
    if (o.validate !== undefined) Object.assign(metrics, await this.validation(o.validate));
    for (const [name, value] of Object.entries(metrics)) (this.history[name] ??= []).push(value);
    this.epoch++;
    this.batch = 0;
    this.tally.reset();
    if (o.schedule !== undefined && o.scheduleEvery !== 'step')
      o.schedule.step(o.scheduleOn === undefined ? undefined : this.metric(metrics, o.scheduleOn));
    await this.tell({
      kind: 'epoch',
      metrics,
      seconds: (performance.now() - start) / 1000,
      ...this.place(this.epoch),
    });
    const { everyEpochs, everySteps } = o.checkpoint ?? {};
    const every = everyEpochs ?? (everySteps === undefined ? 1 : null);
    if (o.checkpoint !== undefined && every !== null && this.epoch % every === 0) await this.save();
  }
  private async validation(batches: Batches<B>): Promise<Metrics> {
    this.tally.reset();
    this.model.eval();
    for await (const batch of batches) {
      const made = this.measure(batch);
      this.tally.add(await made.loss.item(), batchSize(batch), made.measured);
    }
    return this.tally.numbers(this.o.validateAs ?? 'val');
  }
  private metric(metrics: Metrics, name: string): number {
    const value = metrics[name];
    if (value === undefined)
      throw new ValueError('fit', `metrics are ${Object.keys(metrics).join(', ')}`, show(name), '');
    return value;
  }

  // ---- around it ------------------------------------------------------------------------------------------------------------

  /** Ends the training after this event. */
  stop(): void {
    this.ending ??= 'early';
  }
  private async tell(event: TrainEvent): Promise<void> {
    for (const c of this.o.callbacks ?? []) await c.onEvent(event, this);
    await this.o.onEvent?.(event);
  }
  private place(epoch = this.epoch + 1): Place {
    return { epoch: Math.min(epoch, this.o.epochs), epochs: this.o.epochs, step: this.step };
  }
  private stepsPerEpoch(): number | null {
    const length = lengthOf(this.o.train);
    return length === null ? null : Math.ceil(length / this.accumulate);
  }
  private seconds(): number {
    return this.secondsBefore + (performance.now() - this.started) / 1000;
  }
  private lr(): number {
    return this.o.optimizer.paramGroups[0]!['lr'] as number;
  }
  private async save(): Promise<void> {
    const file = await this.o.checkpoint!.save(this.state());
    await this.tell({ kind: 'checkpoint', file, ...this.place() });
  }
  /** The state now, as plain data and tensors. */
  state(): TrainingState {
    const { o } = this;
    return {
      model: this.model.stateDict(),
      optimizer: o.optimizer.stateDict(),
      schedule: o.schedule?.stateDict() ?? null,
      random: defaultGenerator.getState(),
      loader: o.train.stateDict?.() ?? null,
      epoch: this.epoch,
      batch: this.batch,
      step: this.step,
      seconds: this.seconds(),
      tally: this.tally.state(),
      history: this.history,
      callbacks: (o.callbacks ?? []).map(c => c.state?.() ?? null),
    };
  }
  private load(s: TrainingState): void {
    const { o } = this;
    if (s.batch > 0 && o.train.loadStateDict === undefined)
      throw new ValueError(
        'fit',
        'the state was saved in the middle of an epoch, so the batches must be able to go on there',
        'batches without loadStateDict',
        'use a DataLoader, or checkpoints at the end of epochs',
      );
    this.model.loadStateDict(s.model as Record<string, Tensor>);
    o.optimizer.loadStateDict(s.optimizer as never);
    o.optimizer.zeroGrad();
    o.schedule?.loadStateDict(s.schedule as never);
    defaultGenerator.setState(s.random);
    if (s.loader !== null) o.train.loadStateDict?.(s.loader as never);
    this.epoch = s.epoch;
    this.batch = s.batch;
    this.step = s.step;
    this.secondsBefore = s.seconds;
    this.tally.load(s.tally);
    for (const [name, values] of Object.entries(s.history)) this.history[name] = [...values];
    for (const [i, c] of (o.callbacks ?? []).entries()) c.load?.(s.callbacks[i]);
  }
}

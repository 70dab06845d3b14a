// Schedules made of schedules, the plateau, warm-up, α = a / (b + t), the rule for batch sizes, previews.

import { show, ValueError } from '../base/errors.ts';
import { tensor } from '../tensor/create.ts';
import {
  LRScheduler,
  type Scheduled,
  type ScheduledGroup,
  type ScheduleOptions,
  type ScheduleState,
} from './schedule.ts';
import { SGD } from './sgd.ts';

/** What a composition needs of its parts. */
type Part = Pick<LRScheduler, 'step' | 'begin' | 'lastEpoch' | 'getLastLr' | 'stateDict' | 'loadStateDict'>;

function loadParts(op: string, parts: readonly Part[], state: ScheduleState): void {
  const saved = state?._schedulers;
  if (!Array.isArray(saved) || saved.length !== parts.length)
    throw new ValueError(`${op}.loadStateDict`, `the state has ${parts.length} _schedulers`, show(saved), '');
  parts.forEach((p, i) => {
    p.loadStateDict(saved[i] as ScheduleState);
  });
}

export interface SequentialLROptions {
  schedulers: readonly Part[];
  /** The step at which each schedule but the first begins, from its own start. */
  milestones: readonly number[];
}
/** One schedule after another. */
export class SequentialLR {
  private readonly schedulers: readonly Part[];
  private milestones: readonly number[];
  lastEpoch = 0;
  constructor(optimizer: Scheduled, { schedulers, milestones }: SequentialLROptions) {
    if (schedulers.length !== milestones.length + 1)
      throw new ValueError(
        'SequentialLR',
        'there is one milestone between two schedulers',
        `${milestones.length} milestones for ${schedulers.length} schedulers`,
        '',
      );
    this.schedulers = schedulers;
    this.milestones = milestones;
    // Each has taken its first step on the same groups: only the first one's counts.
    for (const g of optimizer.paramGroups) g.lr = g.initialLr!;
    for (const s of schedulers) s.lastEpoch--;
    schedulers[0]!.begin();
  }
  private get current(): Part {
    return this.schedulers[this.milestones.filter(m => m <= this.lastEpoch).length]!;
  }
  /** Goes on by one step of the schedule whose turn it is. */
  step(): void {
    this.lastEpoch++;
    if (this.milestones.includes(this.lastEpoch)) this.current.step(0);
    else this.current.step();
  }
  /** The rates of the last step, by group. */
  getLastLr(): readonly number[] {
    return this.current.getLastLr();
  }
  /** In PyTorch's layout. */
  stateDict(): ScheduleState {
    return {
      _milestones: [...this.milestones],
      last_epoch: this.lastEpoch,
      _last_lr: [...this.getLastLr()],
      _schedulers: this.schedulers.map(s => s.stateDict()),
    };
  }
  /** Goes on where the state dict was made. */
  loadStateDict(state: ScheduleState): void {
    loadParts('SequentialLR', this.schedulers, state);
    this.milestones = state._milestones as number[];
    this.lastEpoch = state.last_epoch as number;
  }
}

/** Several schedules at once, each changing what the one before left. */
export class ChainedScheduler {
  private readonly schedulers: readonly Part[];
  constructor(schedulers: readonly Part[]) {
    if (schedulers.length === 0)
      throw new ValueError('ChainedScheduler', 'at least one scheduler is needed', 'none', '');
    this.schedulers = schedulers;
  }
  /** Steps all of them. */
  step(): void {
    for (const s of this.schedulers) s.step();
  }
  /** The rates of the last step, by group. */
  getLastLr(): readonly number[] {
    return this.schedulers[this.schedulers.length - 1]!.getLastLr();
  }
  /** In PyTorch's layout. */
  stateDict(): ScheduleState {
    return { _last_lr: [...this.getLastLr()], _schedulers: this.schedulers.map(s => s.stateDict()) };
  }
  /** Goes on where the state dict was made. */
  loadStateDict(state: ScheduleState): void {
    loadParts('ChainedScheduler', this.schedulers, state);
  }
}

export interface ReduceLROnPlateauOptions {
  /** Whether less or more of the metric is better. */
  mode?: 'min' | 'max';
  factor?: number;
  /** Steps without improvement that are borne. */
  patience?: number;
  threshold?: number;
  /** The threshold as a part of the best value, or as a difference. */
  thresholdMode?: 'rel' | 'abs';
  /** Steps after a cut in which none is counted. */
  cooldown?: number;
  minLr?: number | readonly number[];
  /** Smaller cuts are not made. */
  eps?: number;
}
/**
 * lr ← lr · factor when the metric has not improved for more than patience steps. Defaults: mode min, factor .1, patience 10,
 * threshold 1e-4 relative, cooldown 0, minLr 0, eps 1e-8.
 */
export class ReduceLROnPlateau {
  private readonly optimizer: Scheduled;
  private readonly o: Required<ReduceLROnPlateauOptions>;
  private best: number;
  private numBadEpochs = 0;
  private cooldownCounter = 0;
  lastEpoch = 0;
  constructor(optimizer: Scheduled, options: ReduceLROnPlateauOptions = {}) {
    const o = { mode: 'min', factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: 'rel' } as const;
    this.o = { ...o, cooldown: 0, minLr: 0, eps: 1e-8, ...options };
    this.optimizer = optimizer;
    const words = { mode: ['min', 'max'], thresholdMode: ['rel', 'abs'] } as const;
    for (const [name, allowed] of Object.entries(words)) {
      const value = this.o[name as keyof typeof words];
      if (!(allowed as readonly string[]).includes(value))
        throw new ValueError(
          'ReduceLROnPlateau',
          `${name} must be ${allowed.map(show).join(' or ')}`,
          show(value),
          '',
        );
    }
    if (!(this.o.factor < 1))
      throw new ValueError('ReduceLROnPlateau', 'factor must be below 1', show(this.o.factor), '');
    const n = optimizer.paramGroups.length;
    if (Array.isArray(this.o.minLr) && this.o.minLr.length !== n)
      throw new ValueError('ReduceLROnPlateau', `minLr has ${n} values, one a group`, show(this.o.minLr), '');
    this.best = this.worst();
  }
  private worst(): number {
    return this.o.mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }
  private better(a: number): boolean {
    const { mode, threshold, thresholdMode } = this.o;
    const sign = mode === 'min' ? -1 : 1;
    const bar = thresholdMode === 'rel' ? this.best * (1 + sign * threshold) : this.best + sign * threshold;
    return mode === 'min' ? a < bar : a > bar;
  }
  /** Takes the metric of this step. */
  step(metric: number): void {
    if (typeof metric !== 'number')
      throw new ValueError(
        'ReduceLROnPlateau.step',
        'the metric is a number',
        show(metric),
        'read it with item()',
      );
    this.lastEpoch++;
    if (this.better(metric)) {
      this.best = metric;
      this.numBadEpochs = 0;
    } else this.numBadEpochs++;
    if (this.cooldownCounter > 0) {
      this.cooldownCounter--;
      this.numBadEpochs = 0;
    }
    if (this.numBadEpochs <= this.o.patience) return;
    this.optimizer.paramGroups.forEach((g, i) => {
      const { minLr } = this.o;
      const lr = Math.max(g.lr * this.o.factor, typeof minLr === 'number' ? minLr : minLr[i]!);
      if (g.lr - lr > this.o.eps) g.lr = lr;
    });
    this.cooldownCounter = this.o.cooldown;
    this.numBadEpochs = 0;
  }
  /** The rates now, by group. */
  getLastLr(): readonly number[] {
    return this.optimizer.paramGroups.map(g => g.lr);
  }
  /** In PyTorch's layout. */
  stateDict(): ScheduleState {
    const { minLr, thresholdMode, ...rest } = this.o;
    return {
      ...rest,
      threshold_mode: thresholdMode,
      min_lrs: typeof minLr === 'number' ? this.optimizer.paramGroups.map(() => minLr) : [...minLr],
      best: this.best,
      num_bad_epochs: this.numBadEpochs,
      cooldown_counter: this.cooldownCounter,
      last_epoch: this.lastEpoch,
      _last_lr: [...this.getLastLr()],
    };
  }
  /** Goes on where the state dict was made. */
  loadStateDict(state: ScheduleState): void {
    if (typeof state?.best !== 'number' || typeof state.num_bad_epochs !== 'number')
      throw new ValueError(
        'ReduceLROnPlateau.loadStateDict',
        'the state has best and num_bad_epochs',
        show(state),
        '',
      );
    const { min_lrs, threshold_mode, best, num_bad_epochs, cooldown_counter, last_epoch, ...rest } = state;
    const known = Object.entries(rest).filter(([k]) => k in this.o);
    Object.assign(this.o, Object.fromEntries(known));
    if (threshold_mode !== undefined) this.o.thresholdMode = threshold_mode as 'rel' | 'abs';
    if (min_lrs !== undefined) this.o.minLr = min_lrs as number[];
    this.best = best as number;
    this.numBadEpochs = num_bad_epochs as number;
    this.cooldownCounter = (cooldown_counter ?? 0) as number;
    this.lastEpoch = (last_epoch ?? 0) as number;
  }
}

export interface WarmupLROptions extends ScheduleOptions {
  totalIters?: number;
  startFactor?: number;
  mode?: 'linear' | 'cosine';
}
/**
 * lr = base · (start + (1 − start) · r) with r = e / T, or (1 − cos(π e / T)) / 2; base from step T on. A schedule that
 * follows is chained or comes by SequentialLR. Defaults: totalIters T 500, startFactor 0, linear. Goyal et al. 2017.
 */
export class WarmupLR extends LRScheduler<Required<WarmupLROptions>> {
  constructor(optimizer: Scheduled, options: WarmupLROptions = {}) {
    super('WarmupLR', optimizer, {
      totalIters: 500,
      startFactor: 0,
      mode: 'linear',
      lastEpoch: -1,
      ...options,
    });
  }
  protected override check(o: Required<WarmupLROptions>): void {
    this.above0('totalIters', o.totalIters);
    if (o.mode !== 'linear' && o.mode !== 'cosine')
      throw new ValueError(this.op, "mode must be 'linear' or 'cosine'", show(o.mode), '');
  }
  protected override next(lr: number, base: number, e: number): number {
    return e > this.options.totalIters ? lr : this.closed(base, e);
  }
  protected override closed(base: number, e: number): number {
    const { totalIters, startFactor, mode } = this.options;
    const part = Math.min(e / totalIters, 1);
    const r = mode === 'linear' ? part : (1 - Math.cos(Math.PI * part)) / 2;
    return base * (startFactor + (1 - startFactor) * r);
  }
}

export interface InverseTimeLROptions extends ScheduleOptions {
  /** Default: base · b, which starts at the group's own rate. */
  a?: number | null;
  b: number;
}
/** lr = a / (b + e): the sum of rates diverges, the sum of their squares does not. Robbins and Monro 1951. */
export class InverseTimeLR extends LRScheduler<Required<InverseTimeLROptions>> {
  constructor(optimizer: Scheduled, options: InverseTimeLROptions) {
    super('InverseTimeLR', optimizer, { a: null, lastEpoch: -1, ...options });
  }
  protected override check(o: InverseTimeLROptions): void {
    this.above0('b', o.b);
  }
  protected override next(_: number, base: number, e: number): number {
    const { a, b } = this.options;
    return (a ?? base * b) / (b + e);
  }
}

/** The linear rule: a batch k times as large takes a rate k times as large. Goyal et al. 2017. */
export const scaleLr = (lr: number, batchSize: number, baseBatchSize: number): number =>
  (lr * batchSize) / baseBatchSize;

export interface PreviewOptions {
  /** How many steps. */
  steps: number;
  lr: number;
  momentum?: number;
  /** What a plateau sees, step by step. */
  metrics?: readonly number[];
}
/** The curve of a schedule as data: lr and momentum before each step, without a model. */
export function previewSchedule(
  make: (optimizer: Scheduled) => { step(argument?: number): void },
  { steps, lr, momentum = 0, metrics }: PreviewOptions,
): { readonly lr: number[]; readonly momentum: number[] } {
  const optimizer = new SGD([tensor([0], { requiresGrad: true })], { lr, momentum });
  const group: ScheduledGroup = optimizer.paramGroups[0]!;
  const schedule = make(optimizer);
  const out = { lr: [] as number[], momentum: [] as number[] };
  for (let e = 0; e < steps; e++) {
    out.lr.push(group.lr);
    out.momentum.push(group.momentum!);
    schedule.step(metrics?.[e]);
  }
  return out;
}

// Learning-rate schedules: what they share, and those that are one formula. PyTorch's names, defaults and state dicts.
// In: an optimizer and options. Out: at each step() new learning rates in its groups, which steps read, compiled or not.
// e counts step() calls from 0. `next` gives the rate from the one before (so schedules can be chained), `closed` from the
// first one.

import { show, ValueError } from '../base/errors.ts';

export interface ScheduledGroup {
  lr: number;
  initialLr?: number;
  maxLr?: number;
  minLr?: number;
  momentum?: number;
  betas?: readonly [number, number];
}
/** What schedules change: any optimizer. */
export interface Scheduled {
  readonly paramGroups: ScheduledGroup[];
}
export interface ScheduleOptions {
  /** The last e of a run that goes on; its groups know their initialLr. Default −1, a fresh start. */
  lastEpoch?: number;
}
/** PyTorch's layout: options in snake case and last_epoch, base_lrs, _step_count, _last_lr. */
export type ScheduleState = Readonly<Record<string, unknown>>;

/** PyTorch's name of an option: step_size for stepSize, T_max for tMax. */
export const torchName = (s: string): string =>
  s.replace(/[A-Z]|(?<=^t)\d/g, c => `_${c.toLowerCase()}`).replace(/^t_(?=max$|mult$|cur$|i$|\d$)/, 'T_');

/** What every schedule can do: step, tell the last rates, state dicts. */
export abstract class LRScheduler<O extends object = object> {
  protected readonly optimizer: Scheduled;
  /** The rates that the schedule starts from, by group. */
  protected baseLrs: number[] = [];
  /** e of the last step; a composition counts it back. */
  lastEpoch: number;
  protected stepCount = 0;
  private lastLr: readonly number[] = [];
  protected readonly op: string;
  protected readonly options: O & ScheduleOptions;

  constructor(op: string, optimizer: Scheduled, options: O & ScheduleOptions) {
    if (!Array.isArray(optimizer?.paramGroups))
      throw new ValueError(op, 'the first argument is an optimizer', show(optimizer), '');
    this.op = op;
    this.optimizer = optimizer;
    this.options = options;
    this.lastEpoch = options.lastEpoch ?? -1;
    this.check(options);
    this.prepare(this.lastEpoch === -1);
    for (const g of this.groups) {
      if (this.lastEpoch === -1) g.initialLr ??= g.lr;
      else if (g.initialLr === undefined)
        throw new ValueError(
          op,
          'with lastEpoch the groups have an initialLr',
          'none',
          'load the optimizer first',
        );
    }
    this.baseLrs = this.firstLrs();
    this.begin();
  }
  protected get groups(): readonly ScheduledGroup[] {
    return this.optimizer.paramGroups;
  }
  /** Refuses options out of range. */
  protected check(_: O): void {}
  /** Sets up groups before the first rates are read. */
  protected prepare(_fresh: boolean): void {}
  protected firstLrs(): number[] {
    return this.groups.map(g => g.initialLr!);
  }
  /** The first step; a composition takes it again. */
  begin(): void {
    this.stepCount = 0;
    this.step();
  }

  /** The rate at e from the rate before; `base` is the first one, `i` the group. */
  protected abstract next(lr: number, base: number, e: number, i: number): number;
  /** The rate at e from the first one. */
  protected closed(base: number, e: number, i: number): number {
    return this.next(this.groups[i]!.lr, base, e, i);
  }

  /** Goes on by one step, or to `epoch`. */
  step(epoch?: number): void {
    this.stepCount++;
    const e = epoch ?? this.lastEpoch + 1;
    this.lastEpoch = e;
    this.apply(
      this.groups.map((g, i) => {
        const base = this.baseLrs[i]!;
        return epoch === undefined ? this.next(g.lr, base, e, i) : this.closed(base, e, i);
      }),
    );
  }
  protected apply(lrs: readonly number[]): void {
    this.groups.forEach((g, i) => {
      g.lr = lrs[i]!;
    });
    this.lastLr = lrs;
  }
  /** The rates of the last step, by group. */
  getLastLr(): readonly number[] {
    return this.lastLr;
  }

  /** What a schedule has to remember beside options and counts. */
  protected extra(): Record<string, unknown> {
    return {};
  }
  protected setExtra(_: ScheduleState): void {}
  /** Options and counts in PyTorch's names; functions are left out. */
  stateDict(): ScheduleState {
    const { lastEpoch: _, ...options } = this.options;
    const saved = Object.entries(options).filter(([, v]) => !hasFunction(v));
    return {
      ...Object.fromEntries(saved.map(([k, v]) => [torchName(k), v])),
      ...this.extra(),
      base_lrs: [...this.baseLrs],
      last_epoch: this.lastEpoch,
      _step_count: this.stepCount,
      _last_lr: [...this.lastLr],
    };
  }
  /** Goes on where the state dict was made; the optimizer is loaded beside it. */
  loadStateDict(state: ScheduleState): void {
    const { base_lrs, last_epoch, _step_count = 0, _last_lr = [] } = state ?? {};
    if (!Array.isArray(base_lrs) || typeof last_epoch !== 'number')
      throw new ValueError(
        `${this.op}.loadStateDict`,
        'the state has base_lrs and last_epoch',
        show(state),
        '',
      );
    if (base_lrs.length !== this.groups.length)
      throw new ValueError(
        `${this.op}.loadStateDict`,
        `the state has ${this.groups.length} base_lrs, one for each group`,
        String(base_lrs.length),
        '',
      );
    const options = Object.keys(this.options).filter(k => torchName(k) in state && k !== 'lastEpoch');
    Object.assign(this.options, Object.fromEntries(options.map(k => [k, state[torchName(k)]])));
    this.setExtra(state);
    this.baseLrs = [...base_lrs];
    this.lastEpoch = last_epoch;
    this.stepCount = _step_count as number;
    this.lastLr = _last_lr as number[];
  }

  protected above0(name: string, value: unknown): void {
    if (typeof value !== 'number' || !(value > 0))
      throw new ValueError(this.op, `${name} must be above 0`, show(value), '');
  }
  /** One value for each group. */
  protected perGroup<T>(name: string, value: T | readonly T[]): readonly T[] {
    if (!Array.isArray(value)) return this.groups.map(() => value as T);
    if (value.length !== this.groups.length)
      throw new ValueError(
        this.op,
        `${name} has one value for each of the ${this.groups.length} groups`,
        String(value.length),
        '',
      );
    return value;
  }
}
const hasFunction = (v: unknown): boolean =>
  typeof v === 'function' || (Array.isArray(v) && v.some(x => typeof x === 'function'));

/** Sets the momentum of a group, which is β₁ where there are betas. */
export function setMomentum(op: string, g: ScheduledGroup, momentum: number): void {
  if (g.betas !== undefined) g.betas = [momentum, g.betas[1]];
  else if (g.momentum !== undefined) g.momentum = momentum;
  else throw new ValueError(op, 'the optimizer must have momentum or betas', 'one without', 'switch it off');
}

/** A function of e. */
export type Lambda = (e: number) => number;
export interface LambdaLROptions extends ScheduleOptions {
  /** One for all groups, or one each. */
  lrLambda: Lambda | readonly Lambda[];
}
/** lr = base · λ(e). */
export class LambdaLR extends LRScheduler<LambdaLROptions> {
  constructor(optimizer: Scheduled, options: LambdaLROptions) {
    super('LambdaLR', optimizer, options);
  }
  protected override next(_: number, base: number, e: number, i: number): number {
    return base * this.perGroup('lrLambda', this.options.lrLambda)[i]!(e);
  }
}
/** lr ← lr · λ(e). */
export class MultiplicativeLR extends LRScheduler<LambdaLROptions> {
  constructor(optimizer: Scheduled, options: LambdaLROptions) {
    super('MultiplicativeLR', optimizer, options);
  }
  protected override next(lr: number, _: number, e: number, i: number): number {
    return e > 0 ? lr * this.perGroup('lrLambda', this.options.lrLambda)[i]!(e) : lr;
  }
}

export interface StepLROptions extends ScheduleOptions {
  stepSize: number;
  gamma?: number;
}
/** lr = base · γ^⌊e / stepSize⌋. Default gamma .1. */
export class StepLR extends LRScheduler<Required<StepLROptions>> {
  constructor(optimizer: Scheduled, options: StepLROptions) {
    super('StepLR', optimizer, { gamma: 0.1, lastEpoch: -1, ...options });
  }
  protected override check(o: StepLROptions): void {
    this.above0('stepSize', o.stepSize);
  }
  protected override next(lr: number, _: number, e: number): number {
    return e === 0 || e % this.options.stepSize !== 0 ? lr : lr * this.options.gamma;
  }
  protected override closed(base: number, e: number): number {
    return base * this.options.gamma ** Math.floor(e / this.options.stepSize);
  }
}

export interface MultiStepLROptions extends ScheduleOptions {
  milestones: readonly number[];
  gamma?: number;
}
/** lr ← lr · γ at each milestone. Default gamma .1. */
export class MultiStepLR extends LRScheduler<Required<MultiStepLROptions>> {
  constructor(optimizer: Scheduled, options: MultiStepLROptions) {
    super('MultiStepLR', optimizer, { gamma: 0.1, lastEpoch: -1, ...options });
  }
  /** PyTorch keeps the milestones as a count of each. */
  protected override extra(): Record<string, unknown> {
    const counts: Record<number, number> = {};
    for (const e of this.options.milestones) counts[e] = (counts[e] ?? 0) + 1;
    return { milestones: counts };
  }
  protected override setExtra({ milestones }: ScheduleState): void {
    const counts = Object.entries((milestones ?? {}) as Record<string, number>);
    this.options.milestones = counts.flatMap(([e, n]) => Array<number>(n).fill(Number(e)));
  }
  private passed(test: (milestone: number) => boolean): number {
    return this.options.gamma ** this.options.milestones.filter(test).length;
  }
  protected override next(lr: number, _: number, e: number): number {
    return lr * this.passed(m => m === e);
  }
  protected override closed(base: number, e: number): number {
    return base * this.passed(m => m <= e);
  }
}

export interface ConstantLROptions extends ScheduleOptions {
  factor?: number;
  totalIters?: number;
}
/** lr = base · factor before totalIters, base from then on. Defaults: factor 1/3, totalIters 5. */
export class ConstantLR extends LRScheduler<Required<ConstantLROptions>> {
  constructor(optimizer: Scheduled, options: ConstantLROptions = {}) {
    super('ConstantLR', optimizer, { factor: 1 / 3, totalIters: 5, lastEpoch: -1, ...options });
  }
  protected override check(o: Required<ConstantLROptions>): void {
    this.above0('factor', o.factor);
  }
  protected override next(lr: number, _: number, e: number): number {
    const { factor, totalIters } = this.options;
    if (e === 0) return lr * factor;
    return e === totalIters ? lr / factor : lr;
  }
  protected override closed(base: number, e: number): number {
    return e < this.options.totalIters ? base * this.options.factor : base;
  }
}

export interface LinearLROptions extends ScheduleOptions {
  startFactor?: number;
  endFactor?: number;
  totalIters?: number;
}
/** lr = base · (start + (end − start) · min(e, T) / T). Defaults: startFactor 1/3, endFactor 1, totalIters T 5. */
export class LinearLR extends LRScheduler<Required<LinearLROptions>> {
  constructor(optimizer: Scheduled, options: LinearLROptions = {}) {
    super('LinearLR', optimizer, {
      startFactor: 1 / 3,
      endFactor: 1,
      totalIters: 5,
      lastEpoch: -1,
      ...options,
    });
  }
  protected override check(o: Required<LinearLROptions>): void {
    this.above0('startFactor', o.startFactor);
    this.above0('totalIters', o.totalIters);
  }
  private factor(e: number): number {
    const { startFactor, endFactor, totalIters } = this.options;
    return startFactor + ((endFactor - startFactor) * Math.min(e, totalIters)) / totalIters;
  }
  protected override next(lr: number, _: number, e: number): number {
    if (e === 0) return lr * this.factor(0);
    return e > this.options.totalIters ? lr : (lr * this.factor(e)) / this.factor(e - 1);
  }
  protected override closed(base: number, e: number): number {
    return base * this.factor(e);
  }
}

export interface ExponentialLROptions extends ScheduleOptions {
  gamma: number;
}
/** lr = base · γᵉ. */
export class ExponentialLR extends LRScheduler<ExponentialLROptions> {
  constructor(optimizer: Scheduled, options: ExponentialLROptions) {
    super('ExponentialLR', optimizer, options);
  }
  protected override check(o: ExponentialLROptions): void {
    this.above0('gamma', o.gamma);
  }
  protected override next(lr: number, _: number, e: number): number {
    return e === 0 ? lr : lr * this.options.gamma;
  }
  protected override closed(base: number, e: number): number {
    return base * this.options.gamma ** e;
  }
}

export interface PolynomialLROptions extends ScheduleOptions {
  totalIters?: number;
  power?: number;
}
/** lr = base · (1 − min(e, T) / T)^power. Defaults: totalIters T 5, power 1. */
export class PolynomialLR extends LRScheduler<Required<PolynomialLROptions>> {
  constructor(optimizer: Scheduled, options: PolynomialLROptions = {}) {
    super('PolynomialLR', optimizer, { totalIters: 5, power: 1, lastEpoch: -1, ...options });
  }
  protected override check(o: Required<PolynomialLROptions>): void {
    this.above0('totalIters', o.totalIters);
  }
  protected override next(lr: number, _: number, e: number): number {
    const { totalIters: T, power } = this.options;
    return e === 0 || e > T ? lr : lr * ((1 - e / T) / (1 - (e - 1) / T)) ** power;
  }
  protected override closed(base: number, e: number): number {
    const { totalIters: T, power } = this.options;
    return base * (1 - Math.min(e, T) / T) ** power;
  }
}

export interface CosineAnnealingLROptions extends ScheduleOptions {
  /** Half a period. */
  tMax: number;
  etaMin?: number;
}
/** lr = ηmin + (base − ηmin) · (1 + cos(π e / tMax)) / 2. Default etaMin 0. Loshchilov and Hutter 2017, without restarts. */
export class CosineAnnealingLR extends LRScheduler<Required<CosineAnnealingLROptions>> {
  constructor(optimizer: Scheduled, options: CosineAnnealingLROptions) {
    super('CosineAnnealingLR', optimizer, { etaMin: 0, lastEpoch: -1, ...options });
  }
  protected override check(o: CosineAnnealingLROptions): void {
    this.above0('tMax', o.tMax);
  }
  protected override next(lr: number, base: number, e: number): number {
    const { tMax, etaMin } = this.options;
    if (e === 0) return lr;
    if (this.stepCount === 1) return this.closed(base, e);
    // From the lowest point up the quotient of cosines would be 0/0.
    if ((e - 1 - tMax) % (2 * tMax) === 0) return lr + ((base - etaMin) * (1 - Math.cos(Math.PI / tMax))) / 2;
    const height = (x: number): number => 1 + Math.cos((Math.PI * x) / tMax);
    return (height(e) / height(e - 1)) * (lr - etaMin) + etaMin;
  }
  protected override closed(base: number, e: number): number {
    const { tMax, etaMin } = this.options;
    return etaMin + ((base - etaMin) * (1 + Math.cos((Math.PI * e) / tMax))) / 2;
  }
}

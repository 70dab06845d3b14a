// Schedules that go round, and those that move the momentum as well: warm restarts, cyclic, one cycle, ramp.

import { show, ValueError } from '../base/errors.ts';
import {
  type Lambda,
  LRScheduler,
  type Scheduled,
  type ScheduleOptions,
  type ScheduleState,
  setMomentum,
} from './schedule.ts';

export interface WarmRestartsOptions extends ScheduleOptions {
  /** The first period. */
  t0: number;
  /** How many times as long each next one is. */
  tMult?: number;
  etaMin?: number;
}
/**
 * lr = ηmin + (base − ηmin) · (1 + cos(π Tcur / Ti)) / 2, where Tcur counts from the last restart and Ti, t0 at first, grows
 * tMult-fold. step(e) takes fractions of an epoch. Defaults: tMult 1, etaMin 0. Loshchilov and Hutter 2017.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler<Required<WarmRestartsOptions>> {
  private tCur = 0;
  private tI = 0;
  constructor(optimizer: Scheduled, options: WarmRestartsOptions) {
    super('CosineAnnealingWarmRestarts', optimizer, { tMult: 1, etaMin: 0, lastEpoch: -1, ...options });
    this.seek(this.lastEpoch);
  }
  protected override check(o: Required<WarmRestartsOptions>): void {
    for (const name of ['t0', 'tMult'] as const)
      if (!Number.isInteger(o[name]) || o[name] < 1)
        throw new ValueError(this.op, `${name} must be an integer from 1 on`, show(o[name]), '');
  }
  /** Where in which period e lies. */
  private seek(e: number): void {
    const { t0, tMult } = this.options;
    [this.tCur, this.tI] = [e, t0];
    if (tMult === 1) this.tCur = e % t0;
    else for (; this.tCur >= this.tI; this.tI *= tMult) this.tCur -= this.tI;
  }
  override step(epoch?: number): void {
    if (epoch !== undefined && !(epoch >= 0))
      throw new ValueError(`${this.op}.step`, 'the epoch must be at least 0', show(epoch), '');
    const e = epoch ?? this.lastEpoch + 1;
    this.seek(e);
    super.step(e);
    this.lastEpoch = Math.floor(e);
  }
  protected override next(_: number, base: number): number {
    const { etaMin } = this.options;
    return etaMin + ((base - etaMin) * (1 + Math.cos((Math.PI * this.tCur) / this.tI))) / 2;
  }
  protected override extra(): Record<string, unknown> {
    return { T_cur: this.tCur, T_i: this.tI };
  }
  protected override setExtra({ T_cur, T_i }: ScheduleState): void {
    this.tCur = (T_cur ?? this.tCur) as number;
    this.tI = (T_i ?? this.tI) as number;
  }
}

export interface CyclicLROptions extends ScheduleOptions {
  /** The lowest rate, for all groups or each. */
  baseLr: number | readonly number[];
  maxLr: number | readonly number[];
  stepSizeUp?: number;
  /** Default: stepSizeUp. */
  stepSizeDown?: number | null;
  /** How the height changes: not, halved each cycle, or times γᵉ. */
  mode?: 'triangular' | 'triangular2' | 'exp_range';
  gamma?: number;
  /** The height as a function of the cycle (from 1) or of e; `mode` is then ignored. */
  scaleFn?: Lambda | null;
  scaleMode?: 'cycle' | 'iterations';
  /** Move the momentum against the rate. */
  cycleMomentum?: boolean;
  baseMomentum?: number;
  maxMomentum?: number;
}
/**
 * From baseLr up to maxLr in stepSizeUp steps, and down in stepSizeDown, again and again; the momentum goes from maxMomentum
 * to baseMomentum. Defaults: stepSizeUp 2000, triangular, momentum .8 to .9. Smith 2017.
 */
export class CyclicLR extends LRScheduler<Required<CyclicLROptions>> {
  constructor(optimizer: Scheduled, options: CyclicLROptions) {
    super('CyclicLR', optimizer, {
      stepSizeUp: 2000,
      stepSizeDown: null,
      mode: 'triangular',
      gamma: 1,
      scaleFn: null,
      scaleMode: 'cycle',
      cycleMomentum: true,
      baseMomentum: 0.8,
      maxMomentum: 0.9,
      lastEpoch: -1,
      ...options,
    });
  }
  protected override check(o: Required<CyclicLROptions>): void {
    this.above0('stepSizeUp', o.stepSizeUp);
    if (!['triangular', 'triangular2', 'exp_range'].includes(o.mode) && o.scaleFn === null)
      throw new ValueError(
        this.op,
        "mode must be 'triangular', 'triangular2' or 'exp_range'",
        show(o.mode),
        '',
      );
  }
  protected override prepare(fresh: boolean): void {
    if (!fresh) return;
    const base = this.firstLrs();
    this.groups.forEach((g, i) => {
      g.lr = base[i]!;
      if (this.options.cycleMomentum) setMomentum(this.op, g, this.options.baseMomentum);
    });
  }
  protected override firstLrs(): number[] {
    return [...this.perGroup('baseLr', this.options.baseLr)];
  }
  /** How high in its triangle e is, times the scale of the cycle. */
  private height(e: number): number {
    const o = this.options;
    const total = o.stepSizeUp + (o.stepSizeDown ?? o.stepSizeUp);
    const up = o.stepSizeUp / total;
    const cycle = Math.floor(1 + e / total);
    const x = 1 + e / total - cycle;
    const h = x <= up ? x / up : (x - 1) / (up - 1);
    if (o.scaleFn !== null) return h * o.scaleFn(o.scaleMode === 'cycle' ? cycle : e);
    if (o.mode === 'triangular') return h;
    return h * (o.mode === 'triangular2' ? 1 / 2 ** (cycle - 1) : o.gamma ** e);
  }
  protected override next(_: number, base: number, e: number, i: number): number {
    const { cycleMomentum, baseMomentum, maxMomentum, maxLr } = this.options;
    const h = this.height(e);
    if (cycleMomentum) setMomentum(this.op, this.groups[i]!, maxMomentum - (maxMomentum - baseMomentum) * h);
    return base + (this.perGroup('maxLr', maxLr)[i]! - base) * h;
  }
}

export interface OneCycleLROptions extends ScheduleOptions {
  maxLr: number | readonly number[];
  /** Steps of the cycle; or epochs · stepsPerEpoch. */
  totalSteps?: number;
  epochs?: number;
  stepsPerEpoch?: number;
  /** The part of the steps in which the rate rises. */
  pctStart?: number;
  annealStrategy?: 'cos' | 'linear';
  /** Move the momentum against the rate. */
  cycleMomentum?: boolean;
  baseMomentum?: number;
  maxMomentum?: number;
  /** The first rate is maxLr / divFactor, */
  divFactor?: number;
  /** the last one that / finalDivFactor. */
  finalDivFactor?: number;
  /** Down to the first rate as long as up, then to the last. */
  threePhase?: boolean;
}
interface Phase {
  readonly end: number;
  readonly lr: readonly ['initialLr' | 'maxLr', 'initialLr' | 'maxLr' | 'minLr'];
  readonly momentum: readonly [number, number];
}
/**
 * One rise to maxLr and one fall below the first rate, the momentum the other way. Defaults: pctStart .3, cosine, momentum
 * .85 to .95, divFactor 25, finalDivFactor 1e4. Smith and Topin 2019.
 */
export class OneCycleLR extends LRScheduler<OneCycleLROptions & Required<Omit<OneCycleLROptions, Steps>>> {
  constructor(optimizer: Scheduled, options: OneCycleLROptions) {
    super('OneCycleLR', optimizer, {
      pctStart: 0.3,
      annealStrategy: 'cos',
      cycleMomentum: true,
      baseMomentum: 0.85,
      maxMomentum: 0.95,
      divFactor: 25,
      finalDivFactor: 1e4,
      threePhase: false,
      lastEpoch: -1,
      ...options,
      totalSteps: options.totalSteps ?? (options.epochs ?? 0) * (options.stepsPerEpoch ?? 0),
    });
  }
  protected override check(o: OneCycleLROptions): void {
    if (!(o.totalSteps! > 0))
      throw new ValueError(
        this.op,
        'totalSteps, or epochs and stepsPerEpoch, must be above 0',
        show(o.totalSteps),
        '',
      );
    if (!(o.pctStart! >= 0 && o.pctStart! <= 1))
      throw new ValueError(this.op, 'pctStart must be in [0, 1]', show(o.pctStart), '');
    if (o.annealStrategy !== 'cos' && o.annealStrategy !== 'linear')
      throw new ValueError(this.op, "annealStrategy must be 'cos' or 'linear'", show(o.annealStrategy), '');
  }
  protected override prepare(fresh: boolean): void {
    if (!fresh) return;
    const { divFactor, finalDivFactor, cycleMomentum, maxMomentum } = this.options;
    const max = this.perGroup('maxLr', this.options.maxLr);
    this.groups.forEach((g, i) => {
      g.maxLr = max[i]!;
      g.initialLr = max[i]! / divFactor;
      g.minLr = g.initialLr / finalDivFactor;
      if (cycleMomentum) setMomentum(this.op, g, maxMomentum);
    });
  }
  private phases(): readonly Phase[] {
    const { totalSteps, pctStart, threePhase, baseMomentum: low, maxMomentum: high } = this.options;
    const [rise, last] = [pctStart * totalSteps!, totalSteps! - 1];
    const up: Phase = { end: rise - 1, lr: ['initialLr', 'maxLr'], momentum: [high, low] };
    if (!threePhase) return [up, { end: last, lr: ['maxLr', 'minLr'], momentum: [low, high] }];
    const down: Phase = { end: 2 * rise - 2, lr: ['maxLr', 'initialLr'], momentum: [low, high] };
    return [up, down, { end: last, lr: ['initialLr', 'minLr'], momentum: [high, high] }];
  }
  protected override next(_: number, __: number, e: number, i: number): number {
    const { totalSteps, cycleMomentum, annealStrategy } = this.options;
    if (e > totalSteps!)
      throw new ValueError(`${this.op}.step`, `the cycle has ${totalSteps} steps`, `step ${e}`, '');
    const g = this.groups[i]!;
    const all = this.phases();
    const at = all.findIndex((p, k) => e <= p.end || k === all.length - 1);
    const { end, lr, momentum } = all[at]!;
    const start = at === 0 ? 0 : all[at - 1]!.end;
    const pct = (e - start) / (end - start);
    const anneal = (from: number, to: number): number =>
      annealStrategy === 'cos'
        ? to + ((from - to) / 2) * (1 + Math.cos(Math.PI * pct))
        : from + (to - from) * pct;
    if (cycleMomentum) setMomentum(this.op, g, anneal(...momentum));
    return anneal(g[lr[0]]!, g[lr[1]]!);
  }
}
type Steps = 'totalSteps' | 'epochs' | 'stepsPerEpoch';

export interface MomentumRampOptions extends ScheduleOptions {
  start?: number;
  end?: number;
  totalIters?: number;
}
/** The momentum (or β₁) rises from start to end in totalIters steps; lr stays. Defaults: .5, .9, 10. Hinton 2012, section 9. */
export class MomentumRamp extends LRScheduler<Required<MomentumRampOptions>> {
  constructor(optimizer: Scheduled, options: MomentumRampOptions = {}) {
    super('MomentumRamp', optimizer, { start: 0.5, end: 0.9, totalIters: 10, lastEpoch: -1, ...options });
  }
  protected override check(o: Required<MomentumRampOptions>): void {
    this.above0('totalIters', o.totalIters);
  }
  protected override next(lr: number, _: number, e: number, i: number): number {
    const { start, end, totalIters } = this.options;
    setMomentum(this.op, this.groups[i]!, start + ((end - start) * Math.min(e, totalIters)) / totalIters);
    return lr;
  }
}

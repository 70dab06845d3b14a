// What all optimizers share: parameter groups, state, one step for all parameters.
// In: parameters with gradients. Out: changed parameters. A rule is a graph of ops, so all parameters are updated by one
// kernel or two, and a compiled step contains the update.

import { show, showShape, ValueError } from '../base/errors.ts';
import { gradMode, internal, type Node } from '../ir/node.ts';
import { add, mul, neg } from '../ir/ops/elementwise.ts';
import { hostEffect } from '../tensor/host.ts';
import { enableGrad } from '../tensor/modes.ts';
import { isTensor } from '../tensor/operand.ts';
import { flushCells } from '../tensor/realize.ts';
import { outside, recording, structureChanged } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Named, Numbers, ParamState, Step } from './step.ts';

/** Options that several rules share; every number is read anew at each step, compiled or not. */
export interface CommonOptions {
  /** The learning rate. */
  lr: number;
  /** λ; where it is not decoupled, λ·p is added to the gradient. */
  weightDecay?: number;
  /** The factor of λ·p in the gradient: 1 for a penalty of ½λ‖p‖² (PyTorch), 2 for λ‖p‖². */
  l2Factor?: number;
  /** Shrink p by lr·λ·p beside the step instead of changing the gradient (Loshchilov and Hutter 2019). */
  decoupledWeightDecay?: boolean;
  /** Ascend instead. */
  maximize?: boolean;
}
export type Group<O> = O & { params: Tensor[] };
/** Options of a group's own; what is missing is taken from the optimizer's. */
export type GroupOptions<O> = Partial<O> & { readonly params: Iterable<Tensor> };
export type Params<O> = Iterable<Tensor> | Iterable<GroupOptions<O>>;
/** The new value of a parameter from its value, its gradient and its state. */
export type Rule = (p: Node, g: Node, s: ParamState) => Node;

/** A group in PyTorch's layout: snake case, parameters by number. */
export type SavedGroup = { readonly params: readonly number[] } & Readonly<Record<string, unknown>>;
type SavedState = Readonly<Record<string, unknown>>;
/** PyTorch's layout: the state of each parameter by its number, and the groups. */
export interface OptimizerStateDict {
  readonly state: Readonly<Record<number, SavedState>>;
  readonly param_groups: readonly SavedGroup[];
}
/** The same as a reader of pickles may give it, with the numbered state in a Map. */
export interface LoadedStateDict {
  readonly state: OptimizerStateDict['state'] | ReadonlyMap<number, SavedState>;
  readonly param_groups: readonly SavedGroup[];
}

/** Bounds of options by name; a pair is checked number by number. */
const AT_LEAST_0 = ['lr', 'eps', 'weightDecay', 'momentum', 'dampening', 'momentumDecay', 'lrDecay', 'alpha'];
const BELOW_1 = ['betas'];
/** What schedulers note in a group. */
const NOTES = ['initialLr', 'maxLr', 'minLr', 'maxMomentum', 'baseMomentum'];
/** How PyTorch computes, not what. */
const NO_OPTIONS = ['foreach', 'capturable', 'differentiable', 'fused', 'param_names'];

const snake = (s: string): string => s.replace(/[A-Z]/g, c => `_${c.toLowerCase()}`);
const camel = (s: string): string => s.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

/** What every optimizer can do: groups of parameters with options of their own, steps, state dicts. */
export abstract class Optimizer<O extends CommonOptions> {
  /** The groups; options changed here hold from the next step on. */
  readonly paramGroups: Group<O>[] = [];
  /** The state of parameters that have taken a step. */
  readonly state = new Map<Tensor, ParamState>();
  /** Options of groups that have none of their own. */
  readonly defaults: O;
  protected readonly op: string;
  /** Counts changes of which parameters share their numbers: a recorded step holds for one of them. */
  private sharing = 0;
  /** Options that PyTorch 1.13 does not have: saved only where they differ from these. */
  private readonly extras: Partial<O>;

  constructor(
    op: string,
    params: Params<O>,
    options: Partial<O>,
    torch: Partial<O>,
    extras: Partial<O> = {},
  ) {
    this.op = op;
    this.extras = extras;
    this.defaults = { ...torch, ...extras } as O;
    this.known(options);
    this.defaults = { ...this.defaults, ...options };
    const list = [...params];
    if (list.length === 0) throw new ValueError(op, 'at least one parameter is needed', 'an empty list', '');
    if (isTensor(list[0])) this.addParamGroup({ params: list } as unknown as GroupOptions<O>);
    else for (const g of list) this.addParamGroup(g as GroupOptions<O>);
  }

  /** Adds parameters with options of their own. */
  addParamGroup(group: GroupOptions<O>): void {
    if (group === null || typeof group !== 'object' || !('params' in group))
      throw new ValueError(this.op, 'a group is an object with params', show(group), '');
    const { params: given, ...options } = group;
    const params = [...given];
    this.known(options);
    const taken = new Set<Tensor>(this.paramGroups.flatMap(g => g.params));
    for (const p of params) {
      this.checkParameter(p);
      if (taken.has(p))
        throw new ValueError(this.op, 'a parameter may be there once only', 'one that is there twice', '');
      taken.add(p);
    }
    const whole = { ...this.defaults, ...options, params } as unknown as Group<O>;
    this.check(whole);
    this.paramGroups.push(whole);
    structureChanged();
  }
  protected checkParameter(p: unknown): void {
    if (!isTensor(p)) throw new ValueError(this.op, 'parameters are tensors', show(p), '');
    if (!p.isLeaf)
      throw new ValueError(
        this.op,
        'parameters are leaves',
        `the result of ${p.node().op.name}`,
        'pass the tensor that was made with requiresGrad',
      );
  }
  private known(options: object): void {
    for (const name of Object.keys(options)) {
      if (name in this.defaults || NOTES.includes(name)) continue;
      const all = Object.keys(this.defaults).join(', ');
      throw new ValueError(this.op, `options are ${all}`, name, '');
    }
  }

  /** Refuses options out of range. */
  protected check(group: Group<O>): void {
    const options = group as unknown as Record<string, number | readonly number[]>;
    for (const name of AT_LEAST_0) if (name in options) this.inRange(name, options[name]);
    for (const name of BELOW_1) if (name in options) this.inRange(name, options[name], 1);
  }
  /** Refuses an option (or a number of a pair) outside [0, below). */
  protected inRange(name: string, value: unknown, below = Number.POSITIVE_INFINITY): void {
    if (Array.isArray(value)) {
      value.forEach((v, i) => {
        this.inRange(`${name}[${i}]`, v, below);
      });
    } else if (typeof value !== 'number' || !(value >= 0 && value < below)) {
      const range = below === Number.POSITIVE_INFINITY ? 'at least 0' : `in [0, ${below})`;
      throw new ValueError(this.op, `${name} must be ${range}`, show(value), '');
    }
  }
  /** Refuses an option that is none of the words. */
  protected oneOf(name: string, value: unknown, words: readonly unknown[]): void {
    if (!words.includes(value))
      throw new ValueError(this.op, `${name} must be ${words.map(show).join(' or ')}`, show(value), '');
  }

  /** The rule of a group, built anew at each step that is not a replay. */
  protected abstract rule(group: Group<O>, step: Step): Rule;
  /** Host numbers that parameters carry along; `step` counts. */
  protected initial(_: Group<O>): Named {
    return { step: 0 };
  }
  /** What a step changes in them. */
  protected tick(n: Named, _: Group<O>): void {
    n.step!++;
  }
  /** Whether `step` is saved: PyTorch's SGD has none. */
  protected readonly savesStep: boolean = true;
  protected decoupled(group: Group<O>): boolean {
    return group.decoupledWeightDecay ?? false;
  }

  /** Forgets all gradients. */
  zeroGrad(): void {
    // Set even where there is none: a recorded step then does not depend on what was there.
    for (const g of this.paramGroups) for (const p of g.params) p.grad = null;
  }

  /** Updates every parameter that has a gradient. `closure` is called first where given; its loss is returned. */
  step(closure?: () => Tensor): Tensor | null {
    const loss = closure === undefined ? null : enableGrad(closure);
    withoutHistory(() => {
      const parts = this.paramGroups.map(g => this.active(g));
      recording.now?.check(() => String(this.sharing));
      this.paramGroups.forEach((g, i) => {
        this.stepGroup(g, parts[i]!);
      });
    });
    if (recording.now === null) flushCells();
    return loss;
  }
  /** The parameters of a group that have a gradient: lists of those that share numbers, dtype and device. */
  private active(group: Group<O>): [Numbers, Tensor[]][] {
    const alike = new Map<string, Tensor[]>();
    for (const p of group.params) {
      recording.now?.askGrad(p);
      if (p._grad === null) continue;
      // Parameters of one element have code of their own: apart from the others, which all run the same.
      const key = `${this.stateOf(p, group).numbers.id} ${p.dtype} ${p.device} ${p.numel === 1}`;
      const list = alike.get(key);
      if (list === undefined) alike.set(key, [p]);
      else list.push(p);
    }
    return this.own([...alike.values()]);
  }
  private stepGroup(group: Group<O>, parts: readonly [Numbers, Tensor[]][]): void {
    for (const [numbers, params] of parts) {
      const update = this.whole(group, new Step(numbers, params[0]!));
      for (const p of params) p._assign(update(p.node(), p._grad!.node(), this.state.get(p)!), 'step');
    }
    for (const n of new Set(parts.map(([n]) => n))) hostEffect(n, () => this.tick(n.values, group));
  }
  /** Numbers are shared by parameters that step together; who does not step now keeps the old ones. */
  private own(lists: readonly Tensor[][]): [Numbers, Tensor[]][] {
    const active = new Map<Numbers, number>();
    const numbersOf = (list: readonly Tensor[]): Numbers => this.state.get(list[0]!)!.numbers;
    for (const list of lists) active.set(numbersOf(list), (active.get(numbersOf(list)) ?? 0) + list.length);
    const next = new Map([...active].map(([n, count]) => [n, n.users === count ? n : n.copy()]));
    if ([...next].some(([before, after]) => before !== after)) this.sharing++;
    return lists.map(list => {
      const mine = next.get(numbersOf(list))!;
      for (const p of list) this.state.get(p)!.share(mine);
      return [mine, list];
    });
  }
  private stateOf(p: Tensor, group: Group<O>): ParamState {
    let s = this.state.get(p);
    if (s === undefined) {
      // From now on the value has a home that steps write to.
      if (p._base === null) outside(() => p._own());
      // With the others that begin in this step.
      const fresh = [...this.state.values()].find(o => o.numbers.fresh && o.group === group);
      s = new ParamState(p, group, fresh?.numbers ?? new Numbers(this.initial(group)));
      this.state.set(p, s);
      this.sharing++;
    }
    return s;
  }
  /** The rule with what is common to all: ascent and weight decay. */
  private whole(o: Group<O>, step: Step): Rule {
    const { number, on } = step;
    const rule = this.rule(o, step);
    const ascends = on(() => o.maximize ?? false);
    const decays = on(() => (o.weightDecay ?? 0) !== 0);
    const decoupled = on(() => this.decoupled(o));
    const keep = number(() => 1 - o.lr * (o.weightDecay ?? 0));
    const lambda = number(() => (o.weightDecay ?? 0) * (o.l2Factor ?? 1));
    return (p, grad, s) => {
      const g = ascends ? neg(grad) : grad;
      if (!decays) return rule(p, g, s);
      return decoupled ? rule(mul(p, keep), g, s) : rule(p, add(g, mul(p, lambda)), s);
    };
  }

  // ---- state dicts -----------------------------------------------------------------------------------------------------

  /** Options and state in PyTorch's layout; the tensors are the optimizer's own, as in PyTorch. */
  stateDict(): OptimizerStateDict {
    const all = this.paramGroups.flatMap(g => g.params);
    const state: Record<number, Record<string, unknown>> = {};
    all.forEach((p, i) => {
      const saved = this.state.get(p)?.save(this.savesStep);
      if (saved !== undefined) state[i] = saved;
    });
    let at = 0;
    const param_groups = this.paramGroups.map(g => {
      const { params, ...options } = g;
      const saved = Object.entries(options).filter(
        ([k, v]) => !(k in this.extras) || v !== (this.extras as Record<string, unknown>)[k],
      );
      const numbers = params.map(() => at++);
      return { ...Object.fromEntries(saved.map(([k, v]) => [snake(k), v])), params: numbers };
    });
    return { state, param_groups };
  }

  /**
   * Takes options and state from a state dict, of ours or of PyTorch's; tensors are copied. The groups must have as many
   * parameters as those of the dict, in the same order. Where something does not fit, nothing is changed.
   */
  loadStateDict(dict: LoadedStateDict): void {
    recording.now?.refuse('loadStateDict()');
    this.checkStateDict(dict);
    const op = `${this.op}.loadStateDict`;
    const saved = dict.param_groups;
    const groups = saved.map((g, i) => {
      const group = Object.fromEntries(Object.entries(this.paramGroups[i]!)) as Record<string, unknown>;
      for (const [k, v] of Object.entries(g))
        if (k !== 'params' && !NO_OPTIONS.includes(k)) group[camel(k)] = v;
      this.check(group as unknown as Group<O>);
      return group;
    });
    const states: ParamState[] = [];
    const shared = new Map<string, Numbers>();
    this.paramGroups.forEach((group, i) => {
      group.params.forEach((p, j) => {
        const values = savedState(dict, saved[i]!.params[j]!);
        if (values === undefined) return;
        const first = { ...this.initial(groups[i] as unknown as Group<O>), step: 1 };
        states.push(ParamState.load(op, p, group, values, first, `${i}`, shared));
      });
    });
    this.paramGroups.forEach((g, i) => {
      Object.assign(g, groups[i]);
    });
    this.state.clear();
    for (const s of states) this.state.set(s.param, s);
    structureChanged();
  }
  protected checkStateDict(dict: LoadedStateDict): void {
    const op = `${this.op}.loadStateDict`;
    if (!Array.isArray(dict?.param_groups) || typeof dict.state !== 'object' || dict.state === null)
      throw new ValueError(op, 'a state dict has state and param_groups', show(dict), '');
    const sizes = (groups: readonly { params: readonly unknown[] }[]): string =>
      showShape(groups.map(g => g.params.length));
    if (sizes(dict.param_groups) !== sizes(this.paramGroups))
      throw new ValueError(
        op,
        `the groups must have the sizes ${sizes(this.paramGroups)}`,
        sizes(dict.param_groups),
        'make the optimizer with the groups that were saved',
      );
  }
}

/** The state of a parameter. */
export function savedState({ state }: LoadedStateDict, number: number): SavedState | undefined {
  return state instanceof Map ? state.get(number) : (state as OptimizerStateDict['state'])[number];
}

/** What steps do has no gradient and keeps no old versions alive. */
export function withoutHistory(body: () => void): void {
  const [before, mode] = [internal.on, gradMode.enabled];
  internal.on = true;
  gradMode.enabled = false;
  try {
    body();
  } finally {
    internal.on = before;
    gradMode.enabled = mode;
  }
}

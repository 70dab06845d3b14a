// What a rule is written with: numbers read at each step, switches that decide about the graph, the state of a parameter.
// In: options and step counts. Out: nodes. Not its job: which parameters step (optimizer.ts).

import { show, showShape, ValueError } from '../base/errors.ts';
import type { Node } from '../ir/node.ts';
import { add, mul, sqrt } from '../ir/ops/elementwise.ts';
import { adopt, sameNumbers, tensor } from '../tensor/create.ts';
import { type HostState, hostNumber } from '../tensor/host.ts';
import { isTensor } from '../tensor/operand.ts';
import { outside, recording } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';

export type Named = Record<string, number>;

/** Host numbers of parameters that step together: how many steps they took, and what a rule adds. */
export class Numbers implements HostState {
  private static made = 0;
  readonly id = ++Numbers.made;
  values: Named;
  /** How many parameters share them. */
  users = 0;
  constructor(values: Named) {
    this.values = values;
  }
  /** Whether nobody has taken a step with them. */
  get fresh(): boolean {
    return this.values.step === 0;
  }
  copy(): Numbers {
    return new Numbers({ ...this.values });
  }
  save(): unknown {
    return { ...this.values };
  }
  restore(state: unknown): void {
    this.values = state as Named;
  }
}

/** One step of parameters that share their numbers, dtype and device. */
export class Step {
  private readonly numbers: Numbers;
  private readonly like: Tensor;
  constructor(numbers: Numbers, like: Tensor) {
    this.numbers = numbers;
    this.like = like;
  }
  /** A number read at each step, from the options and the count of this step (1 at first). */
  readonly number = (read: (t: number, n: Readonly<Named>) => number): Node => {
    const { numbers, like } = this;
    return hostNumber(() => read(numbers.values.step! + 1, numbers.values), like.dtype, like.device);
  };
  /** A choice that decides about the graph: a compiled step is recorded anew when it changes. */
  readonly on = (read: () => boolean): boolean => {
    recording.now?.check(() => String(read()));
    return read();
  };
  /** The moving average β·a + (1 − β)·x. */
  readonly ema = (beta: () => number): ((a: Node, x: Node) => Node) => {
    const [b, rest] = [this.number(beta), this.number(() => 1 - beta())];
    return (a, x) => add(mul(a, b), mul(x, rest));
  };
  /** √x + ε, or √(x + ε) with epsInside. */
  readonly root = (o: { eps: number; epsInside: boolean }): ((x: Node) => Node) => {
    const eps = this.number(() => o.eps);
    return this.on(() => o.epsInside) ? x => sqrt(add(x, eps)) : x => add(sqrt(x), eps);
  };
}

/** The state of one parameter: tensors, made when a rule first asks for them, and its numbers. */
export class ParamState {
  readonly param: Tensor;
  readonly group: object;
  readonly tensors: Record<string, Tensor> = {};
  numbers: Numbers;
  constructor(param: Tensor, group: object, numbers: Numbers) {
    this.param = param;
    this.group = group;
    this.numbers = numbers;
    numbers.users++;
  }
  share(numbers: Numbers): void {
    this.numbers.users--;
    this.numbers = numbers;
    numbers.users++;
  }
  /** A tensor of the state, of the parameter's shape; filled with `value` at first. */
  get(name: string, value = 0): Node {
    let t = this.tensors[name];
    if (t === undefined) {
      t = outside(() => filled(this.param, value));
      this.tensors[name] = t;
    }
    return t.node();
  }
  set(name: string, value: Node): Node {
    this.tensors[name]!._assign(value, 'step');
    return value;
  }

  /** In PyTorch's names; undefined where there is nothing. */
  save(step: boolean): Record<string, unknown> | undefined {
    const { step: count, ...rest } = this.numbers.values;
    const numbers = step ? { step: count, ...rest } : rest;
    const scalars = Object.entries(numbers).map(([k, v]) => [k, tensor(v!, { dtype: 'float32' })]);
    const all = Object.fromEntries([...scalars, ...Object.entries(this.tensors)]);
    return Object.keys(all).length === 0 || this.numbers.fresh ? undefined : all;
  }
  /** The reverse; parameters of one group with equal numbers share them again. */
  static load(
    op: string,
    param: Tensor,
    group: object,
    saved: Readonly<Record<string, unknown>>,
    numbers: Named,
    key: string,
    shared: Map<string, Numbers>,
  ): ParamState {
    const tensors: Record<string, Tensor> = {};
    for (const [name, v] of Object.entries(saved)) {
      if (v === null || v === undefined) continue;
      if (name in numbers) numbers[name] = scalar(op, name, v);
      else tensors[name] = copied(op, name, v, param);
    }
    const id = `${key} ${JSON.stringify(numbers)}`;
    const own = shared.get(id) ?? new Numbers(numbers);
    shared.set(id, own);
    const s = new ParamState(param, group, own);
    Object.assign(s.tensors, tensors);
    return s;
  }
}

/** Bytes of its own, ready to be changed by steps. */
function filled(p: Tensor, value: number): Tensor {
  const t = adopt(sameNumbers(p.numel, value, p.dtype), p.shape, p.dtype, p.device);
  t._own();
  return t;
}
function scalar(op: string, name: string, v: unknown): number {
  const x = isTensor(v) && v.numel === 1 ? Number(v.itemSync()) : v;
  if (typeof x !== 'number') throw new ValueError(op, `${name} must be a number`, show(v), '');
  return x;
}
function copied(op: string, name: string, v: unknown, p: Tensor): Tensor {
  if (!isTensor(v) || showShape(v.shape) !== showShape(p.shape))
    throw new ValueError(
      op,
      `${name} must have the shape ${showShape(p.shape)} of its parameter`,
      isTensor(v) ? showShape(v.shape) : show(v),
      '',
    );
  const t = v.detach().to({ dtype: p.dtype, device: p.device }).clone().realize();
  t._own();
  return t;
}

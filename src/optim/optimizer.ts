// What all optimizers share: parameter groups, state, one step for all parameters.
// In: parameters with gradients. Out: changed parameters. A rule is a graph of tensor ops, so all parameters are
// updated by a handful of kernels, and a compiled step contains the update.

import { DTYPES } from '../base/dtype.ts';
import { show, ValueError } from '../base/errors.ts';
import { gradMode, internal, type Node } from '../ir/node.ts';
import { wrap } from '../tensor/core.ts';
import { fromBytes } from '../tensor/create.ts';
import { HostCell, hostEffect, hostNumber } from '../tensor/host.ts';
import { isTensor } from '../tensor/operand.ts';
import { flushCells } from '../tensor/realize.ts';
import { outside, recording } from '../tensor/record.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Options of a group; every number is read anew at each step, compiled or not. */
export type Group<O> = O & { params: Tensor[] };
export type Params<O> = Iterable<Tensor> | Iterable<Partial<O> & { params: Iterable<Tensor> }>;

export interface ParamState {
  /** Steps taken; parameters that step together share the cell. */
  step: HostCell;
  readonly tensors: Record<string, Tensor>;
}

export abstract class Optimizer<O extends object> {
  readonly paramGroups: Group<O>[] = [];
  readonly state = new Map<Tensor, ParamState>();
  readonly defaults: O;

  constructor(params: Params<O>, defaults: O) {
    this.defaults = defaults;
    const list = [...params];
    if (list.length === 0)
      throw new ValueError('optimizer', 'at least one parameter is needed', 'an empty list', '');
    if (isTensor(list[0]))
      this.addParamGroup({ params: list as Tensor[] } as Partial<O> & { params: Tensor[] });
    else for (const g of list) this.addParamGroup(g as Partial<O> & { params: Iterable<Tensor> });
  }

  /** Adds parameters with options of their own. */
  addParamGroup(group: Partial<O> & { params: Iterable<Tensor> }): void {
    const params = [...group.params];
    for (const p of params) {
      if (!isTensor(p)) throw new ValueError('optimizer', 'parameters are tensors', show(p), '');
      if (!p.isLeaf)
        throw new ValueError(
          'optimizer',
          'parameters are leaves',
          `the result of ${p.node().op.name}`,
          'pass the tensor that was made with requiresGrad',
        );
      if (this.paramGroups.some(g => g.params.includes(p)))
        throw new ValueError('optimizer', 'a parameter may be in one group only', 'one that is in two', '');
    }
    this.paramGroups.push({ ...this.defaults, ...group, params });
    this.check(this.paramGroups[this.paramGroups.length - 1]!);
  }
  /** Refuses options out of range. */
  protected abstract check(group: Group<O>): void;
  /** The new value of a parameter; changes of `state` go through its tensors' in-place methods. */
  protected abstract update(p: Tensor, g: Node, group: Group<O>, state: ParamState, numbers: Numbers): void;
  /** Tensors that a parameter's state needs, zero at first. */
  protected abstract stateNames(group: Group<O>): readonly string[];
  /** What decides about the graph of an update: a compiled step is recorded anew when it changes. */
  protected abstract structure(group: Group<O>): string;

  /** Forgets all gradients. */
  zeroGrad(): void {
    // Set even where there is none: a recorded step then does not depend on what was there.
    for (const g of this.paramGroups) for (const p of g.params) p.grad = null;
  }

  /** Updates every parameter that has a gradient. `closure` is called first where given; its loss is returned. */
  step(closure?: () => Tensor): Tensor | null {
    const loss = closure?.() ?? null;
    const [before, mode] = [internal.on, gradMode.enabled];
    internal.on = true;
    gradMode.enabled = false;
    try {
      for (const group of this.paramGroups) this.stepGroup(group);
    } finally {
      internal.on = before;
      gradMode.enabled = mode;
    }
    if (recording.now === null) flushCells();
    return loss;
  }
  private stepGroup(group: Group<O>): void {
    recording.now?.check(() => this.structure(group));
    const active = group.params.filter(p => {
      recording.now?.askGrad(p);
      return p._grad !== null;
    });
    for (const [cell, params] of this.advance(active, group)) {
      const numbers = new Numbers(cell);
      for (const p of params) this.update(p, p._grad!.node(), group, this.state.get(p)!, numbers);
    }
  }
  /** Counts the step; parameters with equal counts share a cell, so that their numbers are computed once. */
  private advance(params: readonly Tensor[], group: Group<O>): Map<HostCell, Tensor[]> {
    const cells = new Map<HostCell, Tensor[]>();
    const fresh = new HostCell(0);
    for (const p of params) {
      let s = this.state.get(p);
      if (s === undefined) {
        s = { step: fresh, tensors: this.newState(p, group) };
        this.state.set(p, s);
      }
      const list = cells.get(s.step);
      if (list === undefined) cells.set(s.step, [p]);
      else list.push(p);
    }
    const out = new Map<HostCell, Tensor[]>();
    for (const [cell, list] of cells) {
      // Who does not step now keeps the old cell; the others go on with a copy.
      const everyone = [...this.state.values()].filter(s => s.step === cell).length;
      let mine = cell;
      if (everyone !== list.length) {
        mine = new HostCell(cell.value);
        for (const p of list) this.state.get(p)!.step = mine;
      }
      hostEffect(mine, () => {
        mine.value++;
      });
      out.set(mine, list);
    }
    return out;
  }
  private newState(p: Tensor, group: Group<O>): Record<string, Tensor> {
    return outside(() => {
      const tensors: Record<string, Tensor> = {};
      for (const name of this.stateNames(group)) tensors[name] = zeroTensor(p);
      return tensors;
    });
  }
}

/** Zeros with bytes of their own, ready to be changed by steps. */
function zeroTensor(p: Tensor): Tensor {
  const bytes = new Uint8Array(p.numel * DTYPES[p.dtype].bytes);
  const t = wrap(fromBytes(bytes, p.shape, p.dtype, p.device));
  t._own();
  return t;
}

/** Host numbers of one step, made once per dtype and device and shared by all parameters. */
export class Numbers {
  private readonly made = new Map<string, Node>();
  private readonly cell: HostCell;
  constructor(cell: HostCell) {
    this.cell = cell;
  }
  /** A number that depends on options and on the step count, read at each step. */
  get(name: string, like: Node, read: (step: number) => number): Node {
    const key = `${name} ${like.dtype} ${like.device}`;
    let n = this.made.get(key);
    if (n === undefined) {
      n = hostNumber(() => read(this.cell.value), like.dtype, like.device);
      this.made.set(key, n);
    }
    return n;
  }
}

export function inRange(
  op: string,
  name: string,
  value: number,
  low: number,
  high: number,
  open = false,
): void {
  if (!(value >= low && (open ? value < high : value <= high))) {
    throw new ValueError(op, `${name} must be in [${low}, ${high}${open ? ')' : ']'}`, String(value), '');
  }
}

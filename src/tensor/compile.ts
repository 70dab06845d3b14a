// compile(fn): records everything that a call does (results, changed tensors, gradients, random draws, host numbers)
// as one plan, and runs the plan at every further call with the same structure.
// In: a function of tensors and numbers. Out: the same function, without graph building in the steady state.

import type { DType } from '../base/dtype.ts';
import { DTYPES } from '../base/dtype.ts';
import { flag } from '../base/env.ts';
import { CompileError, show, showShape } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { numel, type Shape } from '../base/shape.ts';
import { gradMode, type Node, type Storage, toposort } from '../ir/node.ts';
import { describe } from '../ir/op.ts';
import { dataNode, type HostScalar, scalarOf } from '../ir/ops/elementwise.ts';
import { getDevice } from '../runtime/devices.ts';
import { Cell, GoneStorage } from './cell.ts';
import type { TensorCore } from './core.ts';
import { type HostState, type Recorder, Scalar, setRecorder } from './host.ts';
import { synchronous } from './modes.ts';
import { isTensor } from './operand.ts';
import { checkThere, flushCells, keepPlan, planFor, realize, type Template } from './realize.ts';
import { outside, type Recording, recording, structure } from './record.ts';
import { Tensor } from './tensor.ts';

/** What a compiled function takes and returns: tensors, numbers and other plain values, in lists and plain objects. */
type Tree = unknown;

// ---- trees ------------------------------------------------------------------------------------------------------------

interface Leaves {
  readonly tensors: Tensor[];
  readonly numbers: number[];
  /** The structure and everything that is neither tensor nor number, spelled out. */
  key: string;
}
const isPlain = (x: object): boolean => {
  const p = Object.getPrototypeOf(x);
  return p === Object.prototype || p === null;
};
function flatten(x: Tree, out: Leaves): void {
  if (isTensor(x)) {
    out.tensors.push(x);
    out.key += `${x.dtype}(${x.shape})${x.requiresGrad ? 'g' : ''}@${x.device};`;
  } else if (typeof x === 'number') {
    out.numbers.push(x);
    out.key += 'n;';
  } else if (Array.isArray(x)) {
    out.key += '[';
    for (const y of x) flatten(y, out);
    out.key += ']';
  } else if (x !== null && typeof x === 'object') {
    if (!isPlain(x)) {
      throw new CompileError(
        'compile',
        'arguments are tensors, numbers, strings, booleans, lists and plain objects',
        show(x),
        'capture other objects from outside instead of passing them',
      );
    }
    out.key += '{';
    for (const k of Object.keys(x)) {
      out.key += `${k}:`;
      flatten((x as Record<string, Tree>)[k], out);
    }
    out.key += '}';
  } else if (typeof x === 'function') out.key += `function ${identity(x)};`;
  else out.key += `${typeof x} ${String(x)};`;
}
/** A number for a function (modules are functions): its text does not tell what it captures. */
function identity(f: object): number {
  let n = identities.get(f);
  if (n === undefined) identities.set(f, (n = ++identified));
  return n;
}
const identities = new WeakMap<object, number>();
let identified = 0;
function mapTree(x: Tree, tensor: (t: Tensor) => unknown, number: (n: number) => unknown): Tree {
  if (isTensor(x)) return tensor(x);
  if (typeof x === 'number') return number(x);
  if (Array.isArray(x)) return x.map(y => mapTree(y, tensor, number));
  if (x !== null && typeof x === 'object' && isPlain(x)) {
    return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, mapTree(v, tensor, number)]));
  }
  return x;
}

// ---- tracing ------------------------------------------------------------------------------------------------------------

interface Saved {
  readonly node: Node;
  readonly cell: Cell | null;
  readonly grad: Tensor | null;
  readonly leaf: boolean;
}
let ids = 0;

class Trace implements Recording, Recorder {
  readonly id = ++ids;
  /** The modes of modules before the step, which may change them. */
  readonly modes = structure.modes;
  /** Tensors from outside, by the node that stood for their value when the step began. */
  readonly reads = new Map<Node, TensorCore>();
  readonly saved = new Map<TensorCore, Saved>();
  /** Whether a tensor had a gradient when the step asked. */
  readonly asked = new Map<TensorCore, boolean>();
  /** Tensors whose gradient the step has set without asking for the one before. */
  private readonly decided = new Set<TensorCore>();
  /** Gradients that were there before, by owner: they are found through the owner at each call. */
  readonly gradOwner = new Map<TensorCore, TensorCore>();
  readonly checks: (readonly [() => string, string])[] = [];
  readonly events: (() => void)[] = [];
  readonly fixedNumbers: number[] = [];
  readonly states = new Map<HostState, unknown>();
  private readonly known = new Set<TensorCore>();
  /** What the step will note on the nodes that it reads: none of it outlives the recording. */
  private readonly marks: ({ node: Node } & Pick<Node, 'userRead' | 'overwrittenBy' | 'hooks'>)[] = [];

  read(t: TensorCore): Node {
    if (t._made === this.id || this.known.has(t)) return t._node;
    this.known.add(t);
    const { userRead, overwrittenBy, hooks } = t._node;
    this.marks.push({ node: t._node, userRead, overwrittenBy, hooks });
    // Its history is not part of the step: a gradient must not go there.
    if (!t._leaf && t._node.needsGrad) t._node.hooks = [() => refuseHistory(t._node, 'send a gradient to')];
    if (!this.saved.has(t)) {
      if (t._node.value === null) outside(() => realize([t._node]));
      this.reads.set(t._node, t);
    }
    return t._node;
  }
  change(t: TensorCore): void {
    if (t._made === this.id) return;
    if (!t._leaf && t._node.needsGrad && !this.saved.has(t)) refuseHistory(t._node, 'change');
    this.note(t);
  }
  /** Saves the state of a tensor. */
  private note(t: TensorCore): void {
    if (t._made === this.id || this.saved.has(t)) return;
    this.read(t);
    this.saved.set(t, { node: t._node, cell: t._cell, grad: t._grad, leaf: t._leaf });
  }
  askGrad(t: TensorCore): void {
    if (t._made === this.id || this.asked.has(t) || this.decided.has(t)) return;
    // What counts is the gradient before the step.
    const grad = this.saved.has(t) ? this.saved.get(t)!.grad : t._grad;
    this.asked.set(t, grad !== null);
    if (grad !== null) this.gradOwner.set(grad, t);
  }
  setGrad(t: TensorCore): void {
    this.note(t);
    if (!this.asked.has(t)) this.decided.add(t);
  }
  /** Whether the step leaves the tensor without a gradient, whatever it had before. */
  clears(t: TensorCore): boolean {
    return t._grad === null && (this.decided.has(t) || this.saved.get(t)!.grad !== null);
  }
  check(read: () => string): void {
    this.checks.push([read, read()]);
  }
  refuse(what: string): never {
    throw new CompileError(
      'compile',
      'values are not known while a step is recorded',
      what,
      'return the tensor and read it outside; conditions are where(…), and parts whose size depends on data stay outside',
    );
  }
  event(run: () => void, state: HostState | null): void {
    if (state !== null && !this.states.has(state)) this.states.set(state, state.save());
    this.events.push(run);
  }
  fixed(value: number): void {
    this.fixedNumbers.push(value);
  }
  /** Puts everything back as it was before the step. */
  rollback(): void {
    for (const { node, ...was } of this.marks) Object.assign(node, was);
    for (const [t, s] of this.saved) {
      t._node = s.node;
      // Not the old version: views have seen those of the step.
      t._version++;
      t._cell = s.cell;
      t._grad = s.grad;
      t._leaf = s.leaf;
    }
    // Backwards: a state that was noted twice gets the older value.
    for (const [state, value] of [...this.states].reverse()) state.restore(value);
  }
}

function refuseHistory(n: Node, what: string): never {
  throw new CompileError(
    'compile',
    `a step cannot ${what} a tensor from outside that has a gradient history of its own`,
    `a captured result of ${n.op.name}`,
    'compute it inside the step, or detach() it before',
  );
}

// ---- captured steps --------------------------------------------------------------------------------------------------------

type Binding =
  | { readonly kind: 'arg'; readonly index: number }
  | { readonly kind: 'tensor'; readonly tensor: TensorCore; readonly owner: TensorCore | null }
  | { readonly kind: 'constant'; readonly storage: Storage };

/** A tensor from outside that the step changes; a gradient is found through its owner. */
interface Changed {
  readonly tensor: TensorCore;
  readonly owner: TensorCore | null;
}
/** A gradient that the step leaves behind: new at each call if somebody has read it. */
interface GradSlot {
  readonly owner: TensorCore;
  readonly target: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: string;
  grad: Tensor | null;
}
interface Output {
  readonly root: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly device: string;
}

interface Captured {
  readonly guards: readonly (readonly [TensorCore, boolean])[];
  readonly checks: readonly (readonly [() => string, string])[];
  readonly order: readonly Node[];
  readonly roots: readonly Node[];
  readonly targetOf: readonly number[];
  readonly aliasOf: readonly number[];
  template: Template;
  readonly bindings: readonly Binding[];
  readonly uniforms: readonly HostScalar[];
  readonly events: readonly (() => void)[];
  readonly states: readonly HostState[];
  readonly fixedNumbers: readonly number[];
  readonly changed: readonly Changed[];
  readonly grads: readonly GradSlot[];
  /** Owners that the step leaves without a gradient. */
  readonly cleared: readonly TensorCore[];
  /** The returned tree with tensors replaced by their number in `outputs`. */
  readonly result: Tree;
  readonly outputs: readonly Output[];
  readonly structure: number;
  readonly modes: bigint;
  verified: boolean;
}

class OutputMark {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
}
const found = (x: { tensor: TensorCore; owner: TensorCore | null }): TensorCore =>
  x.owner === null ? x.tensor : x.owner._grad!;

export type Compiled<A extends unknown[], R> = ((...args: A) => R) & {
  /** How often the function was recorded, and how many plans it holds. */
  readonly stats: { readonly traces: number; readonly captures: number; readonly kernels: number };
};

const MAX_CAPTURES = 64;

/**
 * Compiles a step. Tensor and number arguments may change from call to call; tensors captured from outside are read at
 * each call, captured numbers are constants. The second call with a structure records once more and compares: what
 * differs without being an argument is an error that names it.
 */
export function compile<A extends unknown[] = Tensor[], R = unknown>(fn: (...args: A) => R): Compiled<A, R> {
  const table = new Map<string, Captured[]>();
  const stats = { traces: 0, captures: 0, kernels: 0 };
  /** The numbers of the call in progress: Scalars read them. */
  const numbers: { now: readonly number[] } = { now: [] };

  const call = (...args: A): R => {
    if (recording.now !== null) return fn(...args);
    flushCells();
    const leaves: Leaves = { tensors: [], numbers: [], key: gradMode.enabled ? 'g' : '' };
    for (const a of args) flatten(a, leaves);
    // The results of a plan have no graph: where a gradient outside wants one, the function runs as it is.
    if (gradMode.enabled && leaves.tensors.some(t => t.requiresGrad && !t.isLeaf)) return fn(...args);
    numbers.now = leaves.numbers;
    const list = table.get(leaves.key);
    let captured = list?.find(matches);
    if (captured === undefined) {
      captured = trace(args);
      stats.captures++;
      if (list === undefined) table.set(leaves.key, [captured]);
      else {
        list.unshift(captured);
        if (list.length > MAX_CAPTURES) list.pop();
      }
      stats.kernels = captured.template.executable!.kernels.length;
    } else if (!captured.verified) {
      compare(captured, trace(args));
      captured.verified = true;
    }
    return replay(captured, leaves.tensors) as R;
  };

  const trace = (args: A): Captured => {
    stats.traces++;
    const t = new Trace();
    const before = setRecorder(t);
    recording.now = t;
    try {
      const placeholders = new Map<Node, number>();
      let index = 0;
      const given = mapTree(
        args,
        x => {
          const p = placeholder(x);
          placeholders.set(p._node, placeholders.size);
          return p;
        },
        () => {
          const i = index++;
          return new Scalar(() => numbers.now[i]!);
        },
      );
      const value = synchronous('compile', fn(...(given as A)));
      return finish(t, value, placeholders);
    } finally {
      recording.now = null;
      setRecorder(before);
      t.rollback();
    }
  };

  return Object.assign(call, { stats });
}

function matches(c: Captured): boolean {
  if (c.structure !== structure.version || c.modes !== structure.modes) return false;
  for (const [t, had] of c.guards) if ((t._grad !== null) !== had) return false;
  for (const [read, was] of c.checks) if (read() !== was) return false;
  return true;
}

/** Stands for a tensor argument while the step is recorded. */
function placeholder(x: Tensor): Tensor {
  const n = dataNode(x.shape, x.dtype, x.device);
  n.value = new GoneStorage('an argument of a compiled function, seen after the call');
  const p = new Tensor(n);
  if (x.requiresGrad) {
    p._leaf = true;
    n.leaf = p;
    n.needsGrad = true;
  }
  return p;
}

/** What the recorded function did, as a plan. */
function finish(t: Trace, value: Tree, placeholders: ReadonlyMap<Node, number>): Captured {
  const roots: Node[] = [];
  const targetOf: number[] = [];
  let targets = 0;
  const changed: Changed[] = [];
  const grads: GradSlot[] = [];
  const cleared: TensorCore[] = [];
  const ownerOf = (x: TensorCore): TensorCore | null => t.gradOwner.get(x) ?? null;
  for (const [x, s] of t.saved) {
    if (x._node === s.node) continue;
    roots.push(x._node.leaf !== null && x._node.value === null ? x._node.src[0]! : x._node);
    targetOf.push(targets++);
    changed.push({ tensor: x, owner: ownerOf(x) });
  }
  for (const [x, s] of t.saved) {
    const g = x._grad;
    if (t.clears(x)) cleared.push(x);
    if (g === null || g === s.grad) continue;
    if (g._made === t.id) {
      roots.push(g._node);
      grads.push({ owner: x, target: targets, shape: g.shape, dtype: g.dtype, device: g.device, grad: null });
      targetOf.push(targets++);
    } else
      throw new CompileError(
        'compile',
        'a gradient that a step sets must be made in the step',
        'a tensor from outside',
        'use backward(), or set .grad outside',
      );
  }
  const outputs: Output[] = [];
  const result = mapTree(
    value,
    x => {
      const n = x.node();
      outputs.push({ root: roots.push(n) - 1, shape: n.shape, dtype: n.dtype, device: n.device });
      targetOf.push(-1);
      return new OutputMark(outputs.length - 1);
    },
    n => n,
  );
  for (const [n] of placeholders) {
    if ((n.leaf as Tensor | null)?._grad != null) {
      throw new CompileError(
        'compile',
        'backward() inside a step cannot reach .grad of an argument',
        `an argument of shape ${showShape(n.shape)}`,
        'use grad(…) inside and return the result',
      );
    }
  }
  if (roots.length === 0) {
    throw new CompileError(
      'compile',
      'a step must return or change a tensor',
      'neither',
      'return what you want to read',
    );
  }
  const order = toposort(roots);
  const bindings: Binding[] = [];
  const aliasOf: number[] = [];
  const uniforms: HostScalar[] = [];
  const changedIndex = new Map(changed.map((c, i) => [c.tensor, i]));
  for (const n of order) {
    if (n.value !== null) {
      const arg = placeholders.get(n);
      const x = t.reads.get(n);
      if (arg !== undefined) bindings.push({ kind: 'arg', index: arg });
      else if (x !== undefined) bindings.push({ kind: 'tensor', tensor: x, owner: ownerOf(x) });
      else {
        checkThere(n.value);
        bindings.push({ kind: 'constant', storage: n.value });
      }
      aliasOf.push(x === undefined ? -1 : (changedIndex.get(x) ?? -1));
    } else if (n.op.bound) uniforms.push(scalarOf(n));
  }
  if (flag('DEBUG') > 0)
    log(
      `compile: recorded ${order.length} nodes, ${changed.length} changed tensors, ${grads.length} gradients, ${outputs.length} results`,
    );
  return {
    guards: [...t.asked],
    checks: t.checks,
    order,
    roots,
    targetOf,
    aliasOf,
    template: planFor(order, roots, targetOf, aliasOf),
    bindings,
    uniforms,
    events: t.events,
    states: [...t.states.keys()],
    fixedNumbers: t.fixedNumbers,
    changed,
    grads,
    cleared,
    result,
    outputs,
    structure: structure.version,
    modes: t.modes,
    verified: false,
  };
}

/** Throws where a second recording differs from the first in something that is not an argument. */
function compare(a: Captured, b: Captured): void {
  const advice = 'pass it as an argument, so that it is read at each call';
  a.fixedNumbers.forEach((x, i) => {
    if (b.fixedNumbers[i] !== undefined && !Object.is(x, b.fixedNumbers[i])) {
      throw new CompileError(
        'compile',
        'a number captured from outside must not change between calls',
        `${x}, then ${b.fixedNumbers[i]}`,
        advice,
      );
    }
  });
  toposort(b.roots);
  const at = a.template.differs(b.order, b.roots, b.targetOf, b.aliasOf);
  if (at >= 0) {
    const was = a.order[at] === undefined ? 'nothing' : describe(a.order[at]);
    const is = b.order[at] === undefined ? 'nothing' : describe(b.order[at]);
    throw new CompileError(
      'compile',
      'two calls with equal arguments must do the same',
      `${was} in the first and ${is} in the second`,
      'what decides between them must be an argument (a string or boolean), or stay outside',
    );
  }
  a.bindings.forEach((x, i) => {
    const y = b.bindings[i]!;
    if (x.kind === 'tensor' && y.kind === 'tensor' && found(x) === found(y)) return;
    if (x.kind === 'arg' && y.kind === 'arg' && x.index === y.index) return;
    if (x.kind === 'constant' && y.kind === 'constant' && sameBytes(x.storage, y.storage, a.template.device))
      return;
    const n = a.order.filter(o => o.value !== null)[i]!;
    throw new CompileError(
      'compile',
      'a tensor captured from outside must be the same at each call',
      `another one of shape ${showShape(n.shape)}`,
      advice,
    );
  });
}
function sameBytes(a: Storage, b: Storage, device: string): boolean {
  if (a === b) return true;
  const d = getDevice(device);
  const x = d.download(a);
  const y = d.download(b);
  return x.length === y.length && x.every((v, i) => v === y[i]);
}

function replay(c: Captured, args: readonly Tensor[]): Tree {
  const device = getDevice(c.template.device);
  const states = c.states.map(s => s.save());
  try {
    const sources: Storage[] = new Array(c.bindings.length);
    for (let i = 0; i < sources.length; i++) {
      const b = c.bindings[i]!;
      if (b.kind === 'constant') sources[i] = b.storage;
      else sources[i] = storageOf(b.kind === 'arg' ? args[b.index]! : found(b));
    }
    const cells: Cell[] = new Array(c.changed.length);
    const targets: Storage[] = new Array(c.changed.length + c.grads.length);
    for (let i = 0; i < cells.length; i++) {
      cells[i] = found(c.changed[i]!)._own();
      targets[i] = cells[i]!.home;
    }
    for (const g of c.grads) {
      if (g.grad === null || g.grad._escaped) g.grad = gradTensor(g);
      targets[g.target] = g.grad._cell!.home;
    }
    // An argument may be a tensor that the step changes: what the step reads of it is the value before.
    for (let i = 0; i < sources.length; i++) {
      if (c.bindings[i]!.kind === 'arg' && targets.includes(sources[i]!))
        sources[i] = device.clone(sources[i]!);
    }
    // The plan was dropped to make room for others, such as those of the arguments: make it again.
    if (c.template.executable === null)
      c.template = planFor(toposort(c.roots), c.roots, c.targetOf, c.aliasOf);
    else keepPlan(c.template);
    for (let i = 0; i < c.events.length; i++) c.events[i]!();
    const old = cells.map(x => x.snapshot(device));
    const out = c.template.executable!.run(sources, c.uniforms, targets);
    for (let i = 0; i < cells.length; i++) {
      const t = found(c.changed[i]!);
      t._version++;
      cells[i]!.replaced(old[i]!, () => t._renew());
    }
    for (const x of c.cleared) x._grad = null;
    for (const g of c.grads) g.owner._grad = g.grad;
    return mapOutputs(c.result, c.outputs, out);
  } catch (e) {
    c.states.forEach((s, i) => {
      s.restore(states[i]);
    });
    throw e;
  }
}
function storageOf(t: TensorCore): Storage {
  const n = t.node();
  if (n.value === null) realize([n]);
  checkThere(n.value!);
  return n.value!;
}
function realised(shape: Shape, dtype: DType, device: string, s: Storage): Tensor {
  const n = dataNode(shape, dtype, device);
  n.value = s;
  return new Tensor(n);
}
function gradTensor(g: GradSlot): Tensor {
  const t = realised(
    g.shape,
    g.dtype,
    g.device,
    getDevice(g.device).empty(numel(g.shape) * DTYPES[g.dtype].bytes),
  );
  t._cell = new Cell(t, t._node.value!, [t._node]);
  return t;
}
function mapOutputs(x: Tree, outputs: readonly Output[], out: readonly (Storage | null)[]): Tree {
  if (x instanceof OutputMark) {
    const o = outputs[x.index]!;
    return realised(o.shape, o.dtype, o.device, out[o.root]!);
  }
  if (Array.isArray(x)) return x.map(y => mapOutputs(y, outputs, out));
  if (x !== null && typeof x === 'object' && isPlain(x)) {
    return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, mapOutputs(v, outputs, out)]));
  }
  return x;
}

// Steps as ops: a body that runs T times, its results, its gradient (steps from the end) and its batched form.
// In: a Body with its first carries, sequences and constants. Out: nodes. Not its job: recording a body (tensor/steps.ts).
// `steps` stands for all results together, `part` is one of them; a gradient comes back as a sum of `slot`s.

import { type DType, isFloat } from '../base/dtype.ts';
import { numel, type Shape } from '../base/shape.ts';
import { gradMode, mix, type Node, newestSerial, toposort } from '../ir/node.ts';
import { build, defineOp, type OpDef } from '../ir/op.ts';
import { type MatmulAttrs, matmul } from '../ir/ops/contract.ts';
import { translated } from '../ir/ops/custom.ts';
import { add, constLike, dataNode, isConst, mul, threefry } from '../ir/ops/elementwise.ts';
import { narrow, padFill, permute, reshape } from '../ir/ops/movement.ts';
import { expand, FOLD_ADD, type ReduceAttrs } from '../ir/ops/reduce.ts';
import { m } from '../ir/scalar.ts';
import { Body, type PartAttrs, type StepsAttrs } from '../ir/steps.ts';
import { gradients, gradOrder } from './grad.ts';
import { Batcher } from './vmap.ts';

export const stepsDef: OpDef<StepsAttrs> = defineOp<StepsAttrs>({
  name: 'steps',
  doc: 'A body run for each element of sequences: (carries, elements, constants) → carries and results.',
  kind: 'steps',
  arity: 1,
  shape: (_, a) => a.tuple,
  dtype: () => 'float32',
  hashAttrs: (h, a) => mix(mix(mix(h, a.body.hash), a.length), a.reverse ? 1 : 0),
  vjp: (g, n, i) => pulled(g, n)[i]!,
  batch: (src, batched, n, size) => batchedSteps(src, batched, n, size),
  cost: 0,
});

const partDef: OpDef<PartAttrs> = defineOp<PartAttrs>({
  name: 'part',
  doc: 'One result of steps: the last value of a carry, all its values, or a value of every step.',
  kind: 'part',
  shape: ([of], a) => {
    // However a part is built, its steps must know of it.
    const parts = asked.get(of!) ?? new Map<string, PartAttrs>();
    asked.set(of!, parts.set(keyOf(a), a));
    return a.shape;
  },
  dtype: (_, a) => a.dtype,
  vjp: (g, n) => build(slotDef, [g], { part: n.attrs, tuple: n.src[0]!.shape }),
  batch: ([x], _, n) => {
    const { of, at } = n.attrs;
    // What was cut off from gradients is so, part by part.
    const steps = x!.op.kind === 'steps' ? x! : x!.src[0]!;
    const all = part(steps as Node<StepsAttrs>, of, at);
    return of === 'last' ? all : permute(all, [1, 0, ...all.shape.slice(2).map((_, d) => d + 2)]);
  },
  cost: 0,
});

interface SlotAttrs {
  readonly part: PartAttrs;
  readonly tuple: Shape;
}
const slotDef: OpDef<SlotAttrs> = defineOp<SlotAttrs>({
  name: 'slot',
  doc: 'The gradient of one part as one of the steps; it has no elements.',
  kind: 'part',
  shape: (_, a) => a.tuple,
  dtype: () => 'float32',
  vjp: (g, n) => inSlot(g, n.attrs.part) ?? expand(constLike(n.src[0]!, 0), n.src[0]!.shape),
});

/** Which parts of steps were asked for. */
const asked = new WeakMap<Node, Map<string, PartAttrs>>();
const keyOf = (p: PartAttrs): string => `${p.of} ${p.at}`;

/** A result of steps. */
export function part(n: Node<StepsAttrs>, of: PartAttrs['of'], at: number): Node {
  const { body, length } = n.attrs;
  const { shape, dtype } = of === 'stack' ? body.named[at]! : body.next[at]!;
  const lead = of === 'last' ? [] : [of === 'states' ? length + 1 : length];
  return build(partDef, [n], { of, at, shape: [...lead, ...shape], dtype });
}
/** A carry before (after) each step. */
export function carriesOf(n: Node<StepsAttrs>, k: number, when: 'before' | 'after'): Node {
  const { length, reverse } = n.attrs;
  return narrow(part(n, 'states', k), 0, (when === 'before') === reverse ? 1 : 0, length);
}
/** A node of the body at all steps. */
export function stacked(n: Node<StepsAttrs>, of: Node): Node {
  const { body, length } = n.attrs;
  const i = body.inputs.indexOf(of);
  if (i >= body.carries + body.sequences) return expand(n.src[i]!, [length, ...of.shape]);
  if (i >= 0) return i < body.carries ? carriesOf(n, i, 'before') : n.src[i]!;
  const k = body.next.indexOf(of);
  return k >= 0 ? carriesOf(n, k, 'after') : part(n, 'stack', body.numberOf(of));
}

export const makeSteps = (
  body: Body,
  src: readonly Node[],
  length: number,
  reverse: boolean,
): Node<StepsAttrs> => build(stepsDef, src, { body, length, reverse, tuple: [0] });

/** What takes the place of a value in a body. */
export function standIn(shape: Shape, dtype: DType, device: string): Node {
  const n = dataNode(shape, dtype, device);
  n.value = STAND_IN;
  n.needsGrad = gradMode.enabled && isFloat(dtype);
  return n;
}
const STAND_IN = { byteLength: 0 };

interface KeysAttrs {
  readonly length: number;
  readonly stride: number;
  readonly word: 0 | 1;
}
/** One word of the keys of draws: a generator's key for its calls from `first` on, `stride` apart. */
export const drawKeys: OpDef<KeysAttrs> = defineOp<KeysAttrs>({
  name: 'drawKeys',
  doc: 'A word of Threefry at first + stride · t for the steps t of a sequence: the keys of the draws in a body.',
  kind: 'elementwise',
  arity: 3,
  shape: (_, a) => [a.length],
  dtype: () => 'int32',
  usesPosition: true,
  scalar: ([lo, hi, first, t], { stride, word }) =>
    threefry(lo!, hi!, m.add(first!, m.mul(t!, m.const(stride, 'i32'))))[word],
  cost: 60,
  samples: () =>
    ([0, 1] as const).map(word => ({
      shapes: [[], [], []],
      attrs: { length: 5, stride: 3, word },
      dtypes: ['int32', 'int32', 'int32'],
    })),
});

// ---- reverse ---------------------------------------------------------------------------------------------------------

/** The gradient of one part in that of the steps; null where it has none. */
function inSlot(g: Node, p: PartAttrs): Node | null {
  if (g.op === (slotDef as OpDef<unknown>)) {
    const s = (g.attrs as SlotAttrs).part;
    return s.of === p.of && s.at === p.at ? expand(g.src[0]!, p.shape) : null;
  }
  if (g.op === add.def) {
    const [a, b] = g.src.map(s => inSlot(s, p));
    return a == null ? b! : b == null ? a : add(a, b);
  }
  // A stand-in for the gradient, as forward mode uses one, or zeros.
  return g.needsGrad ? build(partDef, [g], p) : null;
}

const rules = new WeakMap<Node, { g: Node; grads: readonly (Node | null)[] }>();
/** Gradients of all sources; the driver asks one by one. */
function pulled(g: Node, n: Node<StepsAttrs>): readonly (Node | null)[] {
  let r = rules.get(n);
  if (r?.g !== g) rules.set(n, (r = { g, grads: new Reverse(g, n).grads() }));
  return r.grads;
}

/** From the gradients of the results of steps to those of their sources: steps from the end, and products after them. */
class Reverse {
  private readonly n: Node<StepsAttrs>;
  private readonly body: Body;
  private readonly device: string;
  /** The nodes of the forward body. */
  private readonly forward: ReadonlySet<Node>;
  /** What stands in the backward body for a node of the forward body, or of the gradient's graph. */
  private readonly versions = new Map<Node, Node>();
  private readonly carries: { in: Node; next: Node; first: Node }[] = [];
  private readonly sequences: { in: Node; all: Node }[] = [];
  private readonly constants: { in: Node; all: Node }[] = [];
  /** What runs over the steps of the backward body and is wanted outside. */
  private readonly wanted = new Set<Node>();
  private readonly g: Node;
  private readonly since = newestSerial();
  private made: Node<StepsAttrs> | null = null;

  constructor(g: Node, n: Node<StepsAttrs>) {
    this.g = g;
    this.n = n;
    this.body = n.attrs.body;
    this.device = n.src[0]!.device;
    this.forward = new Set([...this.body.order, ...this.body.inputs]);
  }

  grads(): (Node | null)[] {
    const before = gradMode.enabled;
    try {
      const finish = this.plan();
      gradMode.enabled = before;
      return finish();
    } finally {
      gradMode.enabled = before;
    }
  }

  private sequence(all: Node): Node {
    const had = this.sequences.find(s => s.all === all);
    if (had !== undefined) return had.in;
    const s = standIn(all.shape.slice(1), all.dtype, this.device);
    this.sequences.push({ in: s, all });
    return s;
  }

  private plan(): () => (Node | null)[] {
    const { n, body } = this;
    const { length, reverse } = n.attrs;
    const outer = gradMode.enabled;
    const slots = [...(asked.get(n) ?? new Map<string, PartAttrs>()).values()].flatMap(p => {
      const g = isFloat(p.dtype) ? inSlot(this.g, p) : null;
      return g === null ? [] : [{ ...p, g }];
    });
    const find = (of: PartAttrs['of'], at: number): Node | null =>
      slots.find(s => s.of === of && s.at === at)?.g ?? null;
    // Everything in the body is to be differentiable again.
    const gradsOfStates = body.next.map((_, k) => find('states', k));
    const lasts = body.next.map((_, k) => {
      const [last, all] = [find('last', k), gradsOfStates[k]!];
      const end = all === null ? null : narrow(all, 0, reverse ? 0 : length, 1);
      const row = end === null ? null : reshape(end, body.next[k]!.shape);
      return last === null ? row : row === null ? last : add(last, row);
    });
    const before = gradsOfStates.map(all => (all === null ? null : narrow(all, 0, reverse ? 1 : 0, length)));
    gradMode.enabled = true;
    const results = slots.filter(s => s.of === 'stack');
    const outputs = results.map(s => body.named[s.at]!);
    const cotangents = results.map(s => this.sequence(s.g));

    // Carries through which a gradient comes: those that have one, and those that such results depend on.
    const live = new Set<number>();
    for (let k = 0; k < body.carries; k++) if (lasts[k] !== null || before[k] !== null) live.add(k);
    for (let size = -1; size !== live.size; ) {
      size = live.size;
      const reached = new Set(gradOrder([...outputs, ...[...live].map(k => body.next[k]!)]));
      for (let k = 0; k < body.carries; k++) if (reached.has(body.inputs[k]!)) live.add(k);
    }
    const alive = [...live].filter(k => isFloat(body.next[k]!.dtype)).sort((a, b) => a - b);
    const zeros = (like: Node): Node => expand(constLike(like, 0), like.shape);
    const cts = alive.map(k => standIn(body.next[k]!.shape, body.next[k]!.dtype, this.device));
    const raw = gradients(
      [...outputs, ...alive.map(k => body.next[k]!)],
      [...cotangents, ...cts],
      body.inputs,
      { createGraph: true },
    );
    alive.forEach((k, i) => {
      const own = before[k] === null ? null : this.sequence(before[k]!);
      const from = raw[k]!;
      const next = own === null ? from : from === null ? own : add(from, own);
      this.carries.push({ in: cts[i]!, next: next ?? zeros(cts[i]!), first: lasts[k] ?? zeros(cts[i]!) });
    });

    const C = body.carries;
    const late = body.inputs.map((_, i): (() => Node) | null => {
      const d = raw[i];
      if (!n.src[i]!.needsGrad || (i >= C && d === null)) return null;
      if (i < C) {
        const at = alive.indexOf(i);
        return at < 0 ? null : () => part(this.made!, 'last', at);
      }
      return i < C + body.sequences ? this.stack(d!) : this.sum(d!);
    });
    const roots = [...this.carries.map(c => c.next), ...this.wanted];
    this.keep(roots);
    const moved = translated(roots, this.versions);
    const next = moved.slice(0, this.carries.length);
    const inputs = [this.carries, this.sequences, this.constants].flatMap(list => list.map(x => x.in));
    const back = new Body(inputs, this.sequences.length, next, moved);
    gradMode.enabled = outer;
    return () => {
      const src = [
        ...this.carries.map(c => c.first),
        ...this.sequences.map(s => s.all),
        ...this.constants.map(c => c.all),
      ];
      this.made = makeSteps(back, src, length, !reverse);
      return late.map(f => f?.() ?? null);
    };
  }

  // ---- what the backward body takes from the forward one --------------------------------------------------------------

  /** Gives every node of the forward body that the roots read a version in the backward body. */
  private keep(roots: readonly Node[]): void {
    const found = (x: Node): boolean => x.value !== null || this.forward.has(x) || this.isForeign(x);
    const order = toposort(roots, found);
    const read = order.filter(x => this.forward.has(x));
    // What is dear is kept anyhow; some of the rest follows from it.
    for (const f of read) if (!isCheap(f)) this.provide(f);
    for (const f of read) this.provide(f);
    for (const x of order) if (this.isForeign(x)) this.versions.set(x, this.constant(x));
  }
  /** A node from outside that the forward body does not know: a gradient rule of its own may read any. */
  private isForeign(x: Node): boolean {
    if (this.forward.has(x) || isConst(x)) return false;
    return x.serial <= this.since || (x.value !== null && x.value !== STAND_IN);
  }
  private constant(all: Node): Node {
    const c = standIn(all.shape, all.dtype, this.device);
    this.constants.push({ in: c, all });
    return c;
  }
  private provide(f: Node): void {
    if (this.versions.has(f)) return;
    const { body, n } = this;
    const i = body.inputs.indexOf(f);
    if (i >= body.carries + body.sequences) {
      this.versions.set(f, this.constant(n.src[i]!));
    } else if (i < 0 && (this.follows(f) || isPassed(f))) for (const s of f.src) this.provide(s);
    else this.versions.set(f, this.sequence(stacked(n, f)));
  }
  /** Whether a value costs little to compute again from what the backward body has. */
  private follows(f: Node, depth = 4): boolean {
    if (this.shared(f)) return true;
    const has = (s: Node): boolean =>
      this.versions.has(s) || this.body.inputs.includes(s) || (depth > 0 && this.follows(s, depth - 1));
    return isCheap(f) && f.src.every(has);
  }
  private readonly sharing = new Map<Node, boolean>();
  /** Whether a node is the same at all steps. */
  private shared(f: Node): boolean {
    const had = this.sharing.get(f);
    if (had !== undefined) return had;
    for (const x of toposort([f], y => y.value !== null || this.isForeign(y))) {
      if (this.sharing.has(x)) continue;
      const i = this.body.inputs.indexOf(x);
      const constant = i >= this.body.carries + this.body.sequences;
      const is = this.isForeign(x) || (x.value !== null ? constant : x.src.every(s => this.sharing.get(s)!));
      this.sharing.set(x, is);
    }
    return this.sharing.get(f)!;
  }

  // ---- what comes out of the backward body ------------------------------------------------------------------------------

  /** A node of the gradient's graph at all steps. */
  private stack(d: Node): () => Node {
    if (this.forward.has(d) && !this.shared(d)) return () => stacked(this.n, d);
    this.wanted.add(d);
    return () => stacked(this.made!, this.versions.get(d) ?? d);
  }
  /** The sum of a node over all steps; the loop holds on to factors, not to products. */
  private sum(d: Node): () => Node {
    const T = this.n.attrs.length;
    const { op, src } = d;
    if (this.shared(d)) return () => mul(this.outside(d), constLike(d, T));
    const moving = src.filter(s => !this.shared(s));
    const again = (s: Node, of: () => Node): Node => (this.shared(s) ? this.outside(s) : of());
    if (op.additive) {
      const each = src.map(s => this.sum(s));
      return () =>
        build(
          op,
          each.map(f => f()),
          d.attrs,
        );
    }
    const kept = (x: Node): boolean => this.wanted.has(x) || this.forward.has(x);
    const small = src.every(x => kept(x) || numel(x.shape) <= LARGER * numel(d.shape));
    if (op.kind === 'reduce' && op.fold === FOLD_ADD && small) {
      const { dims } = d.attrs as ReduceAttrs;
      const all = this.stack(src[0]!);
      // The steps join the first dim where that is summed too: the form that a linear layer's bias has.
      return () => {
        const x = all();
        const lead = dims[0] === 0;
        const y = lead ? reshape(x, [x.shape[0]! * x.shape[1]!, ...x.shape.slice(2)]) : x;
        const over = lead ? dims : [0, ...dims.map(k => k + 1)];
        return reshape(build(op, [y], { dims: over, keepdim: true }), d.shape);
      };
    }
    if (
      op.kind === 'contraction' &&
      moving.length === 2 &&
      d.shape.length === 2 &&
      small &&
      src.every(s => s.shape.length === 2)
    ) {
      const { ta, tb } = d.attrs as MatmulAttrs;
      const [a, b] = src.map(s => this.stack(s));
      return () => matmul(rows(a!(), ta), rows(b!(), !tb), { ta: true, tb: false });
    }
    const i = src.indexOf(moving[0]!);
    const linear = op.linearIn?.includes(i) || (op.kind === 'movement' && padFill(d) === 0);
    if (moving.length === 1 && linear) {
      const one = this.sum(src[i]!);
      return () =>
        build(
          op,
          src.map(s => again(s, one)),
          d.attrs,
        );
    }
    const acc = standIn(d.shape, d.dtype, this.device);
    const at = this.carries.push({ in: acc, next: add(acc, d), first: expand(constLike(d, 0), d.shape) }) - 1;
    return () => part(this.made!, 'last', at);
  }
  /** A node that all steps share, as the steps' sources have it. */
  private outside(d: Node): Node {
    const { body, n } = this;
    return translated([d], new Map(body.inputs.map((x, i) => [x, n.src[i]!])))[0]!;
  }
}
/**
 * Not to be kept: a movement of something that is not larger, and steps inside the step, which are no value. They run
 * again where their gradient needs more than the forward body asked for.
 */
const isPassed = ({ op, src, shape }: Node): boolean =>
  op.kind === 'steps' || (op.kind === 'movement' && numel(src[0]!.shape) <= numel(shape));
/** Elementwise ops up to this cost are computed again where that needs nothing else. */
const CHEAP = 2;
const isCheap = ({ op }: Node): boolean =>
  op.kind === 'movement' || (op.kind === 'elementwise' && op.cost <= CHEAP);

/** A sum is taken after the loop unless its terms of a step are so many times larger than itself. */
const LARGER = 64;

/** The matrices of all steps below each other; `sumFirst` says that their first dim is the one that is summed. */
function rows(x: Node, sumFirst: boolean): Node {
  const y = sumFirst ? x : permute(x, [0, 2, 1]);
  return reshape(y, [y.shape[0]! * y.shape[1]!, y.shape[2]!]);
}

// ---- batching ----------------------------------------------------------------------------------------------------------

function batchedSteps(
  src: readonly Node[],
  batched: readonly boolean[],
  n: Node<StepsAttrs>,
  size: number,
): Node {
  const { body, length, reverse, tuple } = n.attrs;
  const C = body.carries;
  const examples = new Map<Node, Node>();
  const inputs = body.inputs.map((x, i) => {
    if (!batched[i] && i >= C) return x;
    const all = standIn([size, ...x.shape], x.dtype, n.device);
    examples.set(x, all);
    return all;
  });
  const batcher = new Batcher(examples, size, Number.POSITIVE_INFINITY, false);
  // Draws inside have one key for all examples, and numbers for each.
  for (const x of body.order) {
    if (!x.op.usesPosition || x.src.length === 0) continue;
    examples.set(
      x,
      x.op.batch!(
        x.src,
        x.src.map(() => false),
        x,
        size,
        batcher.lift,
      ),
    );
    batcher.lift([], examples);
  }
  const named = batcher.lift(body.named);
  const next = batcher.lift(body.next);
  const sources = src.map((s, i) => {
    if (i < C) return batched[i] ? s : expand(reshape(s, [1, ...s.shape]), [size, ...s.shape]);
    if (!batched[i] || i >= C + body.sequences) return s;
    return permute(s, [1, 0, ...s.shape.slice(2).map((_, d) => d + 2)]);
  });
  const all = new Body(inputs, body.sequences, next, [], named);
  return build(stepsDef, sources, { body: all, length, reverse, tuple: [size, ...tuple] });
}

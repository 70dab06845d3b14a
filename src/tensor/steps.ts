// Recording a function of one step as a body, and running it over sequences: the one loop of the graph.
// In: a function of a state and an element, as trees of tensors. Out: the last state and all results.
// Not its job: the gradient (autograd/steps.ts), checkpoints (nn/functional/scan.ts).

import { drawKeys, makeSteps, part, stacked, standIn } from '../autograd/steps.ts';
import { Batcher } from '../autograd/vmap.ts';
import { byteWidth, isFloat } from '../base/dtype.ts';
import { GradError, ShapeError, showShape } from '../base/errors.ts';
import type { Generator } from '../base/rng.ts';
import { numel } from '../base/shape.ts';
import { gradMode, type Node, newestSerial, toposort } from '../ir/node.ts';
import { build } from '../ir/op.ts';
import { type MatmulAttrs, matmul, matmulDef } from '../ir/ops/contract.ts';
import { hasOwnRule, translated } from '../ir/ops/custom.ts';
import { add, constant, iota, isConst, mul } from '../ir/ops/elementwise.ts';
import { reshape } from '../ir/ops/movement.ts';
import { Body, type StepsAttrs } from '../ir/steps.ts';
import '../runtime/steps.ts';
import '../schedule/steps.ts';
import type { TensorCore } from './core.ts';
import { drawing, hostEffect, hostNumber } from './host.ts';
import { synchronous } from './modes.ts';
import { InnerRecording, type Recording, recording } from './record.ts';
import { Tensor } from './tensor.ts';
import { mapTensors, tensorsIn } from './tree.ts';

let scopes = 0;
/** While the function runs there is one step, without values. */
class StepScope extends InnerRecording {
  private readonly since = newestSerial();
  constructor(outer: Recording | null) {
    // Not an id of compile (from 1 up) nor of vmap (from -1 down). A scope inside another is part of it.
    super('scan', 'the values of one step are not known while it is recorded', outer, () => --scopes - 0.5);
  }
  change(t: TensorCore): void {
    if (t._node.serial > this.since) return;
    throw new GradError(
      'scan',
      'a step must not change tensors from outside',
      `one of shape ${showShape(t.shape)}`,
      'make it a part of the state',
    );
  }
  setGrad(t: TensorCore): void {
    this.change(t);
  }
}

/** A generator's seed as two words, and how many draws it had made. */
interface Stream {
  readonly lo: Node;
  readonly hi: Node;
  readonly calls: Node;
}
/** The next `count` draws of a generator, which goes on by as many. */
function takeDraws(g: Generator, count: number, device: string): Stream {
  const int = (read: () => number): Node => hostNumber(() => read() | 0, 'int32', device);
  const stream = {
    lo: int(() => g.seed % 2 ** 32),
    hi: int(() => Math.floor(g.seed / 2 ** 32)),
    calls: int(() => g.calls),
  };
  const state = {
    save: () => g.getState(),
    restore: (s: unknown) => g.setState(s as { seed: number; calls: number }),
  };
  hostEffect(state, () => {
    g.calls += count;
  });
  return stream;
}
/** The draws of a step: what a loop would have drawn, so each step has keys of its own. */
class Draws {
  /** What stands in the body for a word of a key, or for how many draws there were before an inner loop. */
  private readonly taken = new Map<
    Generator,
    { count: number; list: { in: Node; at: number; word: 0 | 1 | null }[] }
  >();
  private readonly outer = scope.draws;

  private of(g: Generator, count: number, device: string, words: readonly (0 | 1 | null)[]): Node[] {
    let t = this.taken.get(g);
    if (t === undefined) this.taken.set(g, (t = { count: 0, list: [] }));
    const at = t.count;
    t.count += count;
    return words.map(word => {
      const s = standIn([], 'int32', device);
      t.list.push({ in: s, at, word });
      return s;
    });
  }
  key(g: Generator, device: string): [Node, Node] {
    return this.of(g, 1, device, [0, 1]) as [Node, Node];
  }
  take(g: Generator, count: number, device: string): Stream {
    const { lo, hi } = takeDraws(g, 0, device);
    return { lo, hi, calls: this.of(g, count, device, [null])[0]! };
  }
  /** What stood in the body as sequences over all steps. */
  finish(length: number, reverse: boolean, device: string): { in: Node; all: Node }[] {
    return [...this.taken].flatMap(([g, { count, list }]) => {
      const { lo, hi, calls } =
        this.outer?.take(g, count * length, device) ?? takeDraws(g, count * length, device);
      const int = (x: number): Node => constant(x, 'int32', device);
      const stride = reverse ? -count : count;
      return list.map(({ in: s, at, word }) => {
        const first = add(calls, int(at + (reverse ? (length - 1) * count : 0)));
        const all =
          word === null
            ? add(first, mul(iota([length], 'int32', device), int(stride)))
            : build(drawKeys, [lo, hi, first], { length, stride, word });
        return { in: s, all };
      });
    });
  }
}
/** The draws of the innermost step that is being recorded. */
const scope: { draws: Draws | null } = { draws: null };

export interface StepsOptions {
  readonly length: number;
  readonly reverse: boolean;
  /** Bytes that may be kept for backward. Default: any number. */
  readonly keep?: number;
}

/**
 * [h, y] = f(h, x_t) for all t, as one loop: the last h, and all y along a new first dim. The trees of h, x and y hold
 * tensors; x has `length` elements along its first dim. Null where backward would keep too much.
 */
export function runSteps<H, X, Y>(
  f: (h: H, x: X) => readonly [H, Y],
  init: H,
  xs: X,
  { length, reverse, keep = Number.POSITIVE_INFINITY }: StepsOptions,
): [h: H, ys: Y] | null {
  const firsts = tensorsIn(init);
  const elements = tensorsIn(xs);
  const carries = firsts.map(t => standIn(t.shape, t.dtype, t.device));
  const sequences = elements.map(t => ({
    in: standIn(t.shape.slice(1), t.dtype, t.device),
    all: t.node(),
  }));
  const from = newestSerial();
  const draws = new Draws();
  const outer = { recording: recording.now, drawing: drawing.now, draws: scope.draws };
  recording.now = new StepScope(outer.recording);
  drawing.now = draws;
  scope.draws = draws;
  let next: Node[];
  let results: Node[];
  let trees: readonly [H, Y];
  try {
    trees = synchronous(
      'scan',
      f(
        like(init, carries),
        like(
          xs,
          sequences.map(s => s.in),
        ),
      ),
    );
    checkState(init, trees[0]);
    [next, results] = trees.map(tree => tensorsIn(tree).map(t => t.node())) as [Node[], Node[]];
  } finally {
    recording.now = outer.recording;
    drawing.now = outer.drawing;
    scope.draws = outer.draws;
  }
  if (length * bytesKept([...next, ...results], from) > keep) return null;
  const ahead = productsAhead([...next, ...results], carries, sequences, length, from);
  sequences.push(...draws.finish(length, reverse, firsts[0]?.device ?? elements[0]!.device));
  const versions = new Map<Node, Node>();
  for (const { of, all } of ahead) {
    const s = standIn(of.shape, of.dtype, of.device);
    versions.set(of, s);
    sequences.push({ in: s, all });
  }
  const standIns = [...carries, ...sequences.map(s => s.in), ...ahead.map(h => h.of)];
  const constants = constantsOf([...next, ...results], standIns, from).map(all => {
    const s = standIn(all.shape, all.dtype, all.device);
    versions.set(all, s);
    return { in: s, all };
  });
  const body = translated([...next, ...results], versions);
  const of = new Body(
    [...carries, ...[...sequences, ...constants].map(x => x.in)],
    sequences.length,
    body.slice(0, next.length),
    body.slice(next.length),
  );
  const src = [...firsts.map(t => t.node()), ...[...sequences, ...constants].map(x => x.all)];
  const n = makeSteps(of, src, length, reverse);
  const moving = new Moving(n);
  const surface = (x: Node, made: Node): Tensor => {
    made.needsGrad &&= moving.reaches(x);
    return new Tensor(made);
  };
  return [
    like(
      trees[0],
      of.next.map((x, k) => surface(x, part(n, 'last', k))),
    ),
    like(
      trees[1],
      body.slice(next.length).map(x => surface(x, stacked(n, x))),
    ),
  ];
}

/** A tree like another, with other tensors (or nodes) in their order. */
function like<T>(tree: T, leaves: readonly (Node | Tensor)[]): T {
  let i = 0;
  return mapTensors(tree, () => {
    const x = leaves[i++]!;
    return x instanceof Tensor ? x : new Tensor(x);
  }) as T;
}
/** A state must keep its shapes and dtypes from step to step. */
function checkState(before: unknown, after: unknown): void {
  const kinds = (tree: unknown): string =>
    tensorsIn(tree)
      .map(t => `${t.dtype}${showShape(t.shape)}`)
      .join(' and ');
  if (kinds(before) !== kinds(after))
    throw new ShapeError(
      'scan',
      `f must give back a state like ${kinds(before)}`,
      kinds(after) || 'none',
      '',
    );
}

/**
 * Rows that depend on the elements alone, times a matrix that all steps share: computed for all steps at once, before
 * the loop.
 */
function productsAhead(
  roots: readonly Node[],
  carries: readonly Node[],
  elements: readonly { in: Node; all: Node }[],
  length: number,
  from: number,
): { of: Node; all: Node }[] {
  const found = foundBy(from);
  const given = new Map(elements.map(e => [e.in, e.all]));
  const [shared, early] = [new Set<Node>(), new Set<Node>(given.keys())];
  const batcher = new Batcher(given, length, Number.POSITIVE_INFINITY, true);
  const out: { of: Node; all: Node }[] = [];
  for (const n of toposort(roots, found)) {
    if (early.has(n) || carries.includes(n)) continue;
    // What has a value and is newer stands for a draw's key.
    const outside = found(n) ? n.serial <= from || n.op.bound : n.src.every(s => shared.has(s));
    if (outside) shared.add(n);
    else if (!found(n) && !hasOwnRule(n) && n.src.every(s => early.has(s) || shared.has(s))) early.add(n);
    if (!early.has(n) || n.op.id !== matmulDef.id) continue;
    const [a, b] = n.src as [Node, Node];
    const attrs = n.attrs as MatmulAttrs;
    if (attrs.ta || !early.has(a) || early.has(b) || a.shape.length > 2 || b.shape.length > 2) continue;
    const rows = reshape(batcher.lift([a])[0]!, [length * a.shape[0]!, a.shape[1]!]);
    const all = reshape(matmul(rows, b, attrs), [length, ...n.shape]);
    batcher.lift([], new Map([[n, all]]));
    out.push({ of: n, all });
  }
  return out;
}

/** What a step found; its own nodes are newer. */
const foundBy = (from: number) => (n: Node) =>
  n.value !== null || n.leaf !== null || n.op.bound || n.serial <= from;
/** What a body takes from outside: all that does not change from step to step, but for movements, which cost nothing. */
function constantsOf(roots: readonly Node[], standIns: readonly Node[], from: number): Node[] {
  const found = foundBy(from);
  const varying = new Set(standIns);
  for (const n of toposort(roots, found)) if (!found(n) && n.src.some(s => varying.has(s))) varying.add(n);
  const taken = new Set<Node>();
  const seen = new Set<Node>(standIns);
  const stack = [...roots];
  for (let n = stack.pop(); n !== undefined; n = stack.pop()) {
    if (seen.has(n) || isConst(n)) continue;
    seen.add(n);
    const free = n.op.kind === 'movement' && n.src.length === 1 && n.value === null && n.leaf === null;
    if (varying.has(n) || (free && n.hooks === null)) stack.push(...n.src);
    else taken.add(n);
  }
  return [...taken].sort((a, b) => a.serial - b.serial);
}
/** What backward would keep of a step, about: values that gradients pass through and that cost something. */
function bytesKept(roots: readonly Node[], from: number): number {
  if (!roots.some(n => n.needsGrad)) return 0;
  const found = foundBy(from);
  let bytes = 0;
  for (const n of toposort(roots, found))
    if (!found(n) && n.needsGrad && n.op.kind !== 'movement' && n.op.cost > 1)
      bytes += numel(n.shape) * byteWidth(n.dtype);
  return bytes;
}

/** Which values of a body gradients can reach from the sources of its steps. */
class Moving {
  private readonly inputs: Set<Node>;
  constructor(n: Node<StepsAttrs>) {
    const { body } = n.attrs;
    this.inputs = new Set(body.inputs.filter((_, i) => n.src[i]!.needsGrad));
    // A carry moves where what it becomes does.
    for (let size = -1; size !== this.inputs.size; ) {
      size = this.inputs.size;
      body.next.forEach((x, k) => {
        if (this.reaches(x)) this.inputs.add(body.inputs[k]!);
      });
    }
  }
  reaches(x: Node): boolean {
    if (!gradMode.enabled || !isFloat(x.dtype)) return false;
    return toposort([x], y => !y.needsGrad || y.value !== null).some(y => this.inputs.has(y));
  }
}

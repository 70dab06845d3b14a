// Recording a function of one step as a body, and running it over sequences: the one loop of the graph.
// In: a function of a state and an element, as trees of tensors. Out: the last state and all results.
// Not its job: the gradient (autograd/steps.ts), checkpoints (nn/functional/scan.ts).

import { drawKeys, makeSteps, part, stacked, standIn } from '../autograd/steps.ts';
import { isFloat } from '../base/dtype.ts';
import { CompileError, GradError, ShapeError, showShape } from '../base/errors.ts';
import type { Generator } from '../base/rng.ts';
import { gradMode, type Node, newestSerial, toposort } from '../ir/node.ts';
import { build } from '../ir/op.ts';
import { translated } from '../ir/ops/custom.ts';
import { isConst } from '../ir/ops/elementwise.ts';
import { Body, type StepsAttrs } from '../ir/steps.ts';
import '../runtime/steps.ts';
import '../schedule/steps.ts';
import type { TensorCore } from './core.ts';
import { drawing, hostEffect, hostNumber } from './host.ts';
import { synchronous } from './modes.ts';
import { type Recording, recording } from './record.ts';
import { Tensor } from './tensor.ts';
import { mapTensors, tensorsIn } from './tree.ts';

let scopes = 0;
/** While the function runs there is one step, without values. */
class StepScope implements Recording {
  readonly id: number;
  private readonly outer: Recording | null;
  private readonly since = newestSerial();
  constructor(outer: Recording | null) {
    this.outer = outer;
    // Not an id of compile (from 1 up) nor of vmap (from -1 down). A scope inside another is part of it.
    this.id = outer?.id ?? --scopes - 0.5;
  }
  read(t: TensorCore): Node {
    return this.outer === null ? t._node : this.outer.read(t);
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
  askGrad(t: TensorCore): void {
    this.outer?.askGrad(t);
  }
  check(read: () => string): void {
    this.outer?.check(read);
  }
  refuse(what: string): never {
    throw new CompileError(
      'scan',
      'the values of one step are not known while it is recorded',
      what,
      'return the tensor and read it outside; conditions are where(…)',
    );
  }
}

/** Draws of a step: each has a key per step, from the calls that a loop would have made. */
class Draws {
  readonly sequences: { in: Node; all: () => Node }[] = [];
  private readonly made = new Map<Generator, { words: [Node, Node][]; device: string }>();

  key = (g: Generator, device: string): [Node, Node] => {
    const words: [Node, Node] = [standIn([], 'int32', device), standIn([], 'int32', device)];
    const all = this.made.get(g);
    if (all === undefined) this.made.set(g, { words: [words], device });
    else all.words.push(words);
    return words;
  };
  /** The keys of all steps; the generators go on by what the loop takes. */
  finish(length: number, reverse: boolean): { in: Node; all: Node }[] {
    return [...this.made].flatMap(([g, { words, device }]) => {
      const int = (read: () => number): Node => hostNumber(() => read() | 0, 'int32', device);
      const [lo, hi, calls] = [int(() => g.seed % 2 ** 32), int(() => Math.floor(g.seed / 2 ** 32)), 0];
      const count = words.length;
      const keys = words.flatMap((pair, j) => {
        const first = int(() => g.calls + calls + j + (reverse ? (length - 1) * count : 0));
        return pair.map((w, word) => ({
          in: w,
          all: build(drawKeys, [lo, hi, first], {
            length,
            stride: reverse ? -count : count,
            word: word as 0 | 1,
          }),
        }));
      });
      const state = {
        save: () => g.getState(),
        restore: (s: unknown) => g.setState(s as { seed: number; calls: number }),
      };
      hostEffect(state, () => {
        g.calls += count * length;
      });
      return keys;
    });
  }
}

export interface StepsOptions {
  readonly length: number;
  readonly reverse: boolean;
}

/**
 * [h, y] = f(h, x_t) for all t, as one loop: the last h, and all y along a new first dim. The trees of h, x and y hold
 * tensors; x has `length` elements along its first dim.
 */
export function runSteps<H, X, Y>(
  f: (h: H, x: X) => readonly [H, Y],
  init: H,
  xs: X,
  { length, reverse }: StepsOptions,
): [h: H, ys: Y] {
  const firsts = tensorsIn(init);
  const elements = tensorsIn(xs);
  const carries = firsts.map(t => standIn(t.shape, t.dtype, t.device));
  const sequences = elements.map(t => ({
    in: standIn(t.shape.slice(1), t.dtype, t.device),
    all: t.node(),
  }));
  const from = newestSerial();
  const draws = new Draws();
  const outer = { recording: recording.now, key: drawing.key };
  recording.now = new StepScope(outer.recording);
  drawing.key = draws.key;
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
    drawing.key = outer.key;
  }
  sequences.push(...draws.finish(length, reverse));
  const capture = new Capture([...carries, ...sequences.map(s => s.in)], from);
  const versions = new Map<Node, Node>();
  const constants = capture.constants([...next, ...results]).map(all => {
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

/** What a body takes from outside: all that does not change from step to step, but for movements, which cost nothing. */
class Capture {
  private readonly varying: Set<Node>;
  private readonly from: number;
  constructor(standIns: readonly Node[], from: number) {
    this.varying = new Set(standIns);
    this.from = from;
  }
  constants(roots: readonly Node[]): Node[] {
    const own = new Set(this.varying);
    const outside = (n: Node): boolean =>
      n.value !== null || n.leaf !== null || n.op.bound || n.serial <= this.from;
    for (const n of toposort(roots, outside))
      if (!outside(n) && n.src.some(s => this.varying.has(s))) this.varying.add(n);
    const taken = new Set<Node>();
    const seen = new Set<Node>();
    const stack = [...roots];
    for (let n = stack.pop(); n !== undefined; n = stack.pop()) {
      if (seen.has(n) || own.has(n) || isConst(n)) continue;
      seen.add(n);
      const free = n.op.kind === 'movement' && n.src.length === 1 && n.value === null && n.leaf === null;
      if (this.varying.has(n) || (free && n.hooks === null)) stack.push(...n.src);
      else taken.add(n);
    }
    return [...taken].sort((a, b) => a.serial - b.serial);
  }
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

// Draws programs for the program-order fuzz. Each statement is tried on the oracle at once, so programs make sense.

import { stream } from '../support.ts';
import { type Env, OracleMachine } from './oracle-machine.ts';
import type {
  Argument,
  Block,
  Call,
  InPlace,
  Operand,
  Program,
  Shape,
  Statement,
  Unary,
  ViewSpec,
} from './program.ts';

const SHAPES: readonly Shape[] = [[3, 2], [2, 3], [2, 2], [3, 3], [4, 2], [3], [2], [6], [1, 3], [1], []];
const NUMBERS = [0.5, 2, -1, 0.25, 0.3, 1, -0.75];
const UNARY: readonly Unary[] = [
  'neg',
  'relu',
  'square',
  'abs',
  'clone',
  'tanh',
  'exp',
  'sigmoid',
  'relu',
  'clone',
];
const IN_PLACE: readonly InPlace[] = [
  'add_',
  'sub_',
  'mul_',
  'copy_',
  'copy_',
  'fill_',
  'zero_',
  'relu_',
  'clamp_',
  'maskedFill_',
  'add_',
];

class Draw {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = stream(seed);
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
  chance(p: number): boolean {
    return this.next() < p;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  /** Multiples of a quarter in [-2, 2]: sums and products of few of them are exact. */
  data(n: number): number[] {
    return Array.from({ length: n }, () => (this.below(17) - 8) / 4);
  }
}

/** What a statement may name. */
interface Scope {
  readonly tensors: string[];
  /** Leaves that were made with requiresGrad. */
  readonly params: string[];
  readonly optimizers: string[];
  readonly numbers: string[];
  readonly labels: string[];
}

/** A block in the making. */
interface Draft extends Block {
  readonly body: Statement[];
  readonly returns: string[];
}
const BAD_LABEL = 7;

class Author {
  readonly d: Draw;
  readonly machine: OracleMachine;
  readonly blocks: Block[] = [];
  readonly body: Statement[] = [];
  private count = 0;
  /** What names mean where the next statement goes. */
  private env: Env;
  readonly scope: Scope = { tensors: [], params: [], optimizers: [], numbers: [], labels: [] };
  /** How to call each block: its arguments drawn anew. */
  private readonly callers: (() => Call)[] = [];

  /** Most blocks do different things in training and evaluation, and return losses of labels, which may be bad. */
  private readonly flips: boolean;

  constructor(seed: number, flips: boolean) {
    this.flips = flips;
    this.d = new Draw(seed);
    this.machine = new OracleMachine(seed);
    this.env = this.machine.env;
  }
  private name(prefix: string): string {
    return `${prefix}${this.count++}`;
  }
  /** Keeps a statement that makes sense. */
  add(s: Statement): boolean {
    if (!this.machine.attempt(s, this.blocks)) return false;
    this.body.push(s);
    if ('out' in s) {
      if (s.k === 'optimizer') this.scope.optimizers.push(s.out);
      else this.scope.tensors.push(s.out);
    }
    if (s.k === 'tensor' && s.grad) this.scope.params.push(s.out);
    return true;
  }

  newTensor(grad: boolean, shape: Shape = this.d.of(SHAPES)): Statement {
    const n = shape.reduce((a, b) => a * b, 1);
    return { k: 'tensor', out: this.name(grad ? 'p' : 't'), shape, data: this.d.data(n), grad };
  }
  private operand(s: Scope): Operand {
    if (s.numbers.length > 0 && this.d.chance(0.2)) return this.d.of(s.numbers);
    return this.d.chance(0.3) ? this.d.of(NUMBERS) : this.recent(s.tensors);
  }
  /** A name, newer ones more often. */
  private recent(list: readonly string[]): string {
    const u = this.d.chance(0.5) ? this.d.next() ** 0.4 : this.d.next();
    return list[Math.min(list.length - 1, Math.floor(u * list.length))]!;
  }
  private viewOf(shape: Shape): ViewSpec {
    const { d } = this;
    const dim = d.below(Math.max(shape.length, 1));
    const size = shape[dim] ?? 1;
    switch (d.below(9)) {
      case 0:
      case 1: {
        const start = d.below(size);
        return { kind: 'narrow', dim, start, length: 1 + d.below(size - start) };
      }
      case 2:
        return { kind: 'select', dim, index: d.below(size) };
      case 3:
        return { kind: 'transpose' };
      case 4: {
        const n = shape.reduce((a, b) => a * b, 1);
        return { kind: 'reshape', shape: d.of([[n], [n, 1], [2, n / 2], [3, n / 3]]) };
      }
      case 5:
        return { kind: 'every', start: d.below(2), step: 1 + d.below(2) };
      case 6:
        return { kind: 'expand', shape: [2, ...shape] };
      case 7:
        return { kind: 'diagonal' };
      default:
        return { kind: 'detach' };
    }
  }
  /** A drawn statement; it need not make sense. */
  draw(s: Scope, inBlock: boolean): Statement {
    const { d } = this;
    const out = this.name('v');
    const a = this.recent(s.tensors);
    const shape = this.machine.shape(a, this.env) ?? d.of(SHAPES);
    const p = s.params.length > 0 ? d.of(s.params) : a;
    const opt = s.optimizers.length > 0 ? d.of(s.optimizers) : '';
    const noGrad = d.chance(0.5);
    const rows = (): number[] => Array.from({ length: 1 + d.below(3) }, () => d.below(shape[0] ?? 1));
    switch (d.below(inBlock ? 24 : 32)) {
      case 0:
      case 1:
        return { k: 'unary', out, f: d.of(UNARY), a };
      case 2:
      case 3:
      case 4:
        return {
          k: 'binary',
          out,
          f: d.of(['add', 'sub', 'mul', 'maximum', 'minimum', 'sub']),
          a,
          b: this.operand(s),
        };
      case 5:
        return { k: 'matmul', out, a, b: this.recent(s.tensors) };
      case 6:
        return {
          k: 'reduce',
          out,
          f: d.of(['sum', 'mean']),
          a,
          dim: d.chance(0.4) ? null : d.below(2),
          keepdim: d.chance(0.5),
        };
      case 7:
        return d.chance(0.5)
          ? { k: 'softmax', out, a }
          : { k: 'where', out, a, b: this.recent(s.tensors), c: this.recent(s.tensors) };
      case 8:
        if (s.labels.length > 0) return { k: 'nll', out, a, labels: d.of(s.labels) };
        return { k: 'cat', out, a, b: this.recent(s.tensors), dim: d.below(2) };
      case 9:
        return { k: 'rows', out, a, rows: rows() };
      case 10:
      case 11:
      case 12:
        return { k: 'view', out, a, view: this.viewOf(shape) };
      case 13:
      case 14:
      case 15:
      case 16: {
        const f = d.of(IN_PLACE);
        const scalar = f === 'fill_' || f === 'maskedFill_';
        return {
          k: 'inplace',
          f,
          a,
          b: scalar ? d.of(NUMBERS) : f === 'copy_' ? this.recent(s.tensors) : this.operand(s),
          noGrad,
        };
      }
      case 17:
        return { k: 'setRows', a, rows: rows(), b: this.operand(s), accumulate: d.chance(0.4), noGrad };
      case 18:
        return { k: 'shift', a, back: d.chance(0.5) };
      case 19:
        return { k: 'swap', a, b: this.recent(s.tensors) };
      case 20:
        if (opt !== '') return { k: 'step', a: opt };
        return { k: 'descend', a: p, lr: d.of([0.5, 0.25, 0.1]) };
      case 21:
        return opt !== '' && d.chance(0.7) ? { k: 'zeroGrad', a: opt } : { k: 'dropGrad', a: p };
      case 22:
        return d.chance(0.5) ? { k: 'rand', out, shape: d.of(SHAPES) } : { k: 'dropout', out, a };
      case 23:
        return { k: 'grad', out, a: p };
      case 24:
      case 25:
        return { k: 'read', a };
      case 26:
        return { k: 'grad', out, a: p };
      case 27:
        return { k: 'freeze', a: p, on: this.machine.isLeaf(p, this.env) };
      case 28:
        return this.newTensor(d.chance(0.4));
      case 29:
        return this.optimizer(s);
      case 30:
        return opt !== '' ? { k: 'lr', a: opt, value: d.of([0.5, 0.25, 0.125, 0.1]) } : { k: 'read', a };
      default:
        return { k: 'descend', a: p, lr: d.of([0.5, 0.25, 0.1]) };
    }
  }
  private drawBranch(s: Scope): Statement {
    for (;;) {
      const x = this.draw(s, true);
      if (!this.flips || !('out' in x)) return x;
    }
  }
  private optimizer(s: Scope): Statement {
    const { d } = this;
    const params = s.params.filter(() => d.chance(0.7));
    const out = this.name('opt');
    if (d.chance(0.4)) return { k: 'optimizer', out, params, spec: { kind: 'Adam', lr: d.of([0.1, 0.05]) } };
    const momentum = d.of([0, 0.5, 0.9]);
    const spec = {
      kind: 'SGD',
      lr: d.of([0.5, 0.25, 0.1]),
      momentum,
      nesterov: momentum > 0 && d.chance(0.3),
      weightDecay: d.of([0, 0, 0.125]),
    } as const;
    return { k: 'optimizer', out, params, spec };
  }
  /** A loss from what is there, its backward, and what people do after it. */
  private training(s: Scope): Statement[] {
    const { d } = this;
    const loss = this.name('loss');
    const out: Statement[] = [];
    if (s.optimizers.length > 0 && d.chance(0.4)) out.push({ k: 'zeroGrad', a: d.of(s.optimizers) });
    const labels = s.labels.length > 0 && d.chance(0.6);
    out.push(
      labels
        ? { k: 'nll', out: loss, a: this.recent(s.tensors), labels: d.of(s.labels) }
        : {
            k: 'reduce',
            out: loss,
            f: d.of(['sum', 'mean']),
            a: this.recent(s.tensors),
            dim: null,
            keepdim: false,
          },
    );
    out.push({ k: 'backward', a: loss, retain: d.chance(0.3) });
    if (s.optimizers.length > 0 && d.chance(0.7)) out.push({ k: 'step', a: d.of(s.optimizers) });
    else if (s.params.length > 0 && d.chance(0.5))
      out.push({ k: 'descend', a: d.of(s.params), lr: d.of([0.5, 0.1]) });
    if (s.optimizers.length > 0 && d.chance(0.5)) out.push({ k: 'zeroGrad', a: d.of(s.optimizers) });
    return out;
  }

  /** A block that makes sense for the arguments of its first call; shorter batches come later. */
  newBlock(): void {
    const { d, machine } = this;
    const rows = 2 + d.below(3);
    const width = d.of([2, 3]);
    const [x, y, lr] = [this.name('x'), this.name('y'), this.name('n')];
    // What other blocks return is another tensor after each call: it comes as an argument only.
    const scope: Scope = {
      tensors: [...this.scope.tensors.filter(t => !t.startsWith('f')), x],
      params: [...this.scope.params],
      optimizers: [...this.scope.optimizers],
      numbers: [lr],
      labels: [y],
    };
    const given = d.chance(0.2) ? this.recent(this.scope.tensors) : null;
    const index = this.blocks.length;
    const call = (n: number, bad: Call['bad'], train: boolean): Call => {
      const labels = Array.from({ length: n }, () => d.below(width));
      if (bad?.kind === 'label') labels[d.below(n)] = BAD_LABEL;
      const args: Argument[] = [
        given !== null
          ? { kind: 'tensor', name: given }
          : { kind: 'data', shape: [n, width], data: d.data(n * width) },
        { kind: 'labels', data: labels },
        { kind: 'number', value: d.of([0.5, 0.25, 1, 0.1]) },
      ];
      return { k: 'call', block: index, args, train, bad };
    };
    const first = call(rows, null, true);
    const block: Draft = { params: [x, y, lr], body: [], returns: [] };
    const mark = machine.o.mark();
    const sense = machine.attempt(first, [...this.blocks, { ...block, body: [] }]);
    machine.o.rollback(mark);
    if (!sense) return;
    this.env = machine.enter(first, block, machine.env);
    machine.o.inside(() => this.fill(block, scope));
    const { env } = this;
    const made = block.body.flatMap(s => ('out' in s ? [s.out] : []));
    const losses = new Set(this.flips ? block.body.flatMap(s => (s.k === 'nll' ? [s.out] : [])) : []);
    const kept = made.filter(m => machine.shape(m, env) !== null && (losses.has(m) || d.chance(0.5)));
    block.returns.push(...(this.flips ? kept.slice(-3) : kept.slice(0, 3)));
    if (block.returns.length === 0) block.returns.push(x);
    this.env = machine.env;
    machine.o.rollback(mark);
    this.blocks.push(block);
    this.callers.push(() => {
      const bad: Call['bad'] = !d.chance(0.2)
        ? null
        : d.chance(0.5)
          ? { kind: 'throw', at: d.below(6) }
          : { kind: 'label' };
      return call(d.chance(0.7) ? rows : Math.max(1, rows - 1), bad, d.chance(0.7));
    });
    this.add(first);
    for (const r of block.returns) this.scope.tensors.push(`f${index}_${r}`);
  }
  private fill(block: Draft, scope: Scope): void {
    const { d, machine, env } = this;
    const attempt = (s: Statement): boolean => machine.attempt(s, this.blocks, env);
    const keep = (s: Statement): void => {
      if (!attempt(s)) return;
      block.body.push(s);
      if ('out' in s) scope.tensors.push(s.out);
    };
    const length = 3 + d.below(7);
    for (let tries = 0; block.body.length < length && tries < 40; tries++) {
      if (d.chance(0.25)) this.training(scope).forEach(keep);
      else if (d.chance(this.flips ? 0.25 : 0.1)) {
        const [yes, no] = [this.drawBranch(scope), this.drawBranch(scope)];
        if ('out' in yes || 'out' in no) continue;
        if (attempt(yes) && attempt(no)) block.body.push({ k: 'if', yes: [yes], no: [no] });
      } else keep(this.draw(scope, true));
    }
  }
  callBlock(): void {
    if (this.callers.length === 0) return this.newBlock();
    this.add(this.d.of(this.callers)());
  }

  write(): Program {
    const { d } = this;
    for (let i = 0; i < 2; i++) this.add(this.newTensor(true, d.of(SHAPES.slice(0, 6))));
    for (let i = 0; i < 2; i++) this.add(this.newTensor(false, d.of(SHAPES.slice(0, 6))));
    if (d.chance(0.6)) this.add(this.optimizer(this.scope));
    const length = 10 + d.below(22);
    for (let tries = 0; this.body.length < length && tries < 150; tries++) {
      const u = d.next();
      if (u < 0.08 && this.blocks.length < 2) this.newBlock();
      else if (u < 0.3 && this.blocks.length > 0) this.callBlock();
      else if (u < 0.45) for (const s of this.training(this.scope)) this.add(s);
      else this.add(this.draw(this.scope, false));
    }
    return { seed: 0, blocks: this.blocks, body: this.body };
  }
}

export function generate(seed: number, flips = false): Program {
  return { ...new Author(seed, flips).write(), seed };
}

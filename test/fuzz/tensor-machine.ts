// Runs the statements of a program on real tensors: uncompiled, or with its blocks as compiled functions.

import {
  Adam,
  cat,
  compile,
  F,
  manualSeed,
  noGrad,
  rand,
  range,
  SGD,
  Tensor,
  tensor,
} from '../../src/index.ts';
import { defaultGenerator } from '../../src/tensor/random.ts';
import type { Argument, Block, Call, InPlace, Operand, Program, Statement, ViewSpec } from './program.ts';

type Optimizer = SGD | Adam;
/** Numbers arrive in a compiled block as stand-ins that tensor methods take like numbers. */
type Thing = Tensor | Optimizer | number;
type Env = Map<string, Thing>;
class Planned extends Error {}

export class TensorMachine {
  readonly env: Env = new Map();
  private readonly device: string;
  private readonly compiled: boolean;
  private readonly program: Program;
  private readonly functions = new Map<
    number,
    (train: boolean, throwAt: string, ...args: Thing[]) => Tensor[]
  >();
  constructor(program: Program, device: string, compiled: boolean) {
    this.program = program;
    this.device = device;
    this.compiled = compiled;
    manualSeed(program.seed);
  }

  get draws(): number {
    return defaultGenerator.calls;
  }
  read(name: string): Float32Array {
    return this.tensor(this.env, name).dataSync() as Float32Array;
  }

  private tensor(env: Env, name: string): Tensor {
    const t = env.get(name);
    if (!(t instanceof Tensor)) throw new Error(`${name} is no tensor`);
    return t;
  }
  private optimizer(env: Env, name: string): Optimizer {
    return env.get(name) as Optimizer;
  }
  private operand(env: Env, x: Operand): Tensor | number {
    return typeof x === 'number' ? x : (env.get(x) as Tensor | number);
  }
  private make(data: readonly number[], shape: readonly number[], requiresGrad = false): Tensor {
    return tensor(Float32Array.from(data), { shape, device: this.device, requiresGrad });
  }
  private labels(data: readonly number[]): Tensor {
    return tensor([...data], { dtype: 'int64', device: this.device });
  }
  private argument(a: Argument, env: Env): Thing {
    if (a.kind === 'number') return a.value;
    if (a.kind === 'labels') return this.labels(a.data);
    if (a.kind === 'data') return this.make(a.data, a.shape);
    const t = this.tensor(env, a.name);
    return this.compiled ? t : t.detach().clone();
  }

  run(s: Statement, env: Env = this.env): unknown {
    switch (s.k) {
      case 'tensor':
        env.set(s.out, this.make(s.data, s.shape, s.grad));
        return;
      case 'unary':
        env.set(s.out, this.tensor(env, s.a)[s.f]());
        return;
      case 'binary':
        env.set(s.out, this.tensor(env, s.a)[s.f](this.operand(env, s.b)));
        return;
      case 'where':
        env.set(s.out, this.tensor(env, s.b).where(this.tensor(env, s.a).gt(0), this.tensor(env, s.c)));
        return;
      case 'matmul':
        env.set(s.out, this.tensor(env, s.a).matmul(this.tensor(env, s.b)));
        return;
      case 'reduce':
        env.set(s.out, this.tensor(env, s.a)[s.f](s.dim, { keepdim: s.keepdim }));
        return;
      case 'softmax':
        env.set(s.out, this.tensor(env, s.a).softmax(-1));
        return;
      case 'nll':
        env.set(s.out, F.crossEntropy(this.tensor(env, s.a), this.tensor(env, s.labels)));
        return;
      case 'cat':
        env.set(s.out, cat([this.tensor(env, s.a), this.tensor(env, s.b)], s.dim));
        return;
      case 'rows':
        env.set(s.out, this.tensor(env, s.a).at([...s.rows]));
        return;
      case 'view':
        env.set(s.out, view(this.tensor(env, s.a), s.view));
        return;
      case 'inplace':
        return quiet(s.noGrad, () => inPlace(s.f, this.tensor(env, s.a), this.operand(env, s.b)));
      case 'setRows':
        return quiet(s.noGrad, () =>
          this.setRows(this.tensor(env, s.a), s.rows, this.operand(env, s.b), s.accumulate),
        );
      case 'shift': {
        const t = this.tensor(env, s.a);
        const [front, rear] = [t.at(range(null, -1)), t.at(range(1))];
        return quiet(true, () => (s.back ? front.copy_(rear) : rear.copy_(front)));
      }
      case 'swap': {
        const [a, b] = [this.tensor(env, s.a), this.tensor(env, s.b)];
        return quiet(true, () => {
          const [x, y] = [a.mul(1), b.mul(1)];
          a.copy_(y);
          b.copy_(x);
        });
      }
      case 'backward':
        return this.tensor(env, s.a).backward(null, { retainGraph: s.retain });
      case 'grad':
        env.set(s.out, this.tensor(env, s.a).grad!);
        return;
      case 'dropGrad':
        this.tensor(env, s.a).grad = null;
        return;
      case 'descend': {
        const t = this.tensor(env, s.a);
        return quiet(true, () => t.sub_(t.grad!.mul(this.operand(env, s.lr))));
      }
      case 'optimizer': {
        const params = s.params.map(p => this.tensor(env, p));
        const { kind, ...options } = s.spec;
        env.set(s.out, kind === 'SGD' ? new SGD(params, options) : new Adam(params, options));
        return;
      }
      case 'step':
        this.optimizer(env, s.a).step();
        return;
      case 'zeroGrad':
        return this.optimizer(env, s.a).zeroGrad();
      case 'lr':
        this.optimizer(env, s.a).paramGroups[0]!.lr = s.value;
        return;
      case 'rand':
        env.set(s.out, rand(s.shape, { device: this.device }));
        return;
      case 'dropout': {
        const t = this.tensor(env, s.a);
        const keep = rand(t.shape, { device: this.device }).gt(0.5);
        env.set(s.out, t.mul(keep).mul(2));
        return;
      }
      case 'freeze':
        this.tensor(env, s.a).requiresGrad_(!s.on);
        return;
      case 'if':
        for (const inner of env.get('train') === 1 ? s.yes : s.no) this.run(inner, env);
        return;
      case 'read':
        return;
      case 'call':
        return this.call(s, env);
    }
  }

  private setRows(t: Tensor, rows: readonly number[], value: Tensor | number, accumulate: boolean): unknown {
    const index = this.labels(rows);
    if (!accumulate) return t.set([index], value);
    const wide = t.at(index).mul(0).detach();
    return t.indexPut_([index], wide.add(value), { accumulate: true });
  }

  private call(c: Call, env: Env): void {
    const block = this.program.blocks[c.block]!;
    if (c.bad !== null && !this.compiled) return;
    const args = c.args.map(a => this.argument(a, env));
    let results: Tensor[];
    if (this.compiled) {
      let f = this.functions.get(c.block);
      if (f === undefined) {
        f = compile((train: boolean, throwAt: string, ...given: Thing[]) =>
          this.body(block, env, train, given, Number(throwAt)),
        );
        this.functions.set(c.block, f);
      }
      // The place is part of the key, so the call is recorded and the throw happens.
      const throwAt = c.bad?.kind === 'throw' ? c.bad.at : -1;
      try {
        results = f(c.train, String(throwAt), ...args);
      } catch (e) {
        if (c.bad === null) throw e;
        if (c.bad.kind === 'label' && !String(e).includes('label')) throw e;
        if (c.bad.kind === 'throw' && !(e instanceof Planned)) throw e;
        return;
      }
      if (c.bad !== null) throw new Error(`a bad call (${c.bad.kind}) went unnoticed`);
    } else {
      results = this.body(block, env, c.train, args).map(t => t.detach().clone());
    }
    block.returns.forEach((r, i) => {
      env.set(`f${c.block}_${r}`, results[i]!);
    });
  }
  private body(block: Block, env: Env, train: boolean, args: readonly Thing[], throwAt = -1): Tensor[] {
    const inner = new Map(env);
    inner.set('train', train ? 1 : 0);
    block.params.forEach((p, i) => {
      inner.set(p, args[i]!);
    });
    block.body.forEach((s, i) => {
      if (i === throwAt) throw new Planned('in the middle of a step');
      this.run(s, inner);
    });
    return block.returns.map(r => this.tensor(inner, r));
  }
}

function quiet(on: boolean, body: () => unknown): void {
  if (on) noGrad(body);
  else body();
}
function view(t: Tensor, v: ViewSpec): Tensor {
  switch (v.kind) {
    case 'narrow':
      return t.narrow(v.dim, v.start, v.length);
    case 'every':
      return t.at(range(v.start, null, v.step));
    case 'select':
      return t.select(v.dim, v.index);
    case 'transpose':
      return t.T;
    case 'reshape':
      return t.reshape(v.shape);
    case 'expand':
      return t.expand(v.shape);
    case 'diagonal':
      return t.diagonal();
    case 'detach':
      return t.detach();
  }
}
function inPlace(f: InPlace, t: Tensor, b: Tensor | number): unknown {
  switch (f) {
    case 'zero_':
    case 'relu_':
      return t[f]();
    case 'clamp_':
      return t.clamp_(-1, 1);
    case 'maskedFill_':
      return t.maskedFill_(t.gt(0), b);
    case 'copy_':
      return t.copy_(b as Tensor);
    default:
      return t[f](b);
  }
}

// Runs the statements of a program on the oracle. A statement that makes no sense (shapes, history) throws Skip and leaves
// no trace; the others define what every way of running the program must give.

import { Generator, threefry2x32, uniformFromBits } from '../../src/base/rng.ts';
import { type Handle, Oracle, type OracleOptimizer, stepOracle, Val } from './oracle.ts';
import * as mt from './oracle-math.ts';
import { type Arr, need } from './oracle-math.ts';
import type {
  Argument,
  Binary,
  Block,
  Call,
  InPlace,
  Operand,
  Statement,
  Unary,
  ViewSpec,
} from './program.ts';

type Labels = readonly number[];
export type Thing = Handle | OracleOptimizer | Labels | number;
export type Env = Map<string, Thing>;

const isHandle = (x: Thing | undefined): x is Handle => typeof x === 'object' && 'base' in x;
const isOptimizer = (x: Thing | undefined): x is OracleOptimizer => typeof x === 'object' && 'params' in x;

export class OracleMachine {
  readonly o = new Oracle();
  readonly env: Env = new Map();
  readonly random: Generator;
  private train = true;
  constructor(seed: number) {
    this.random = new Generator(seed);
  }

  /** Runs one statement; false where it makes no sense. */
  attempt(s: Statement, blocks: readonly Block[], env: Env = this.env): boolean {
    const [mark, mode] = [this.o.mark(), this.o.gradMode];
    try {
      this.run(s, blocks, env);
      return true;
    } catch (e) {
      if (!(e instanceof mt.Skip)) throw e;
      this.o.gradMode = mode;
      this.o.rollback(mark);
      return false;
    }
  }
  /** The values of a name now, where it is a tensor. */
  value(name: string): Arr | null {
    const h = this.env.get(name);
    return isHandle(h) ? this.o.read(h).arr : null;
  }
  shape(name: string, env: Env = this.env): readonly number[] | null {
    const h = env.get(name);
    return isHandle(h) ? h.shape : null;
  }
  isLeaf(name: string, env: Env = this.env): boolean {
    const h = env.get(name);
    return isHandle(h) && h.base.leaf && h.at === null && !h.detached;
  }
  isOptimizer(name: string, env: Env = this.env): boolean {
    return isOptimizer(env.get(name));
  }

  private handle(env: Env, name: string): Handle {
    const h = env.get(name);
    need(isHandle(h));
    return h as Handle;
  }
  private operand(env: Env, x: Operand): Val {
    if (typeof x === 'number') return new Val(mt.full([], x));
    const v = env.get(x);
    if (typeof v === 'number') return new Val(mt.full([], v));
    return this.o.read(this.handle(env, x));
  }
  private number(env: Env, x: Operand): number {
    const v = typeof x === 'number' ? x : env.get(x);
    need(typeof v === 'number');
    return v as number;
  }
  private define(env: Env, name: string, h: Thing): void {
    this.o.putIn(env, name, h);
  }

  run(s: Statement, blocks: readonly Block[], env: Env): unknown {
    const { o } = this;
    switch (s.k) {
      case 'tensor': {
        const h = o.fresh(new Val(mt.exact(s.shape, s.data)));
        if (s.grad) o.setLeaf(h, true);
        return this.define(env, s.out, h);
      }
      case 'unary':
        return this.define(env, s.out, this.unary(s.f, this.operand(env, s.a)));
      case 'binary':
        this.handle(env, s.a);
        return this.define(env, s.out, this.binary(s.f, this.operand(env, s.a), this.operand(env, s.b)));
      case 'where':
        return this.define(
          env,
          s.out,
          this.where(this.operand(env, s.a), this.operand(env, s.b), this.operand(env, s.c)),
        );
      case 'matmul': {
        const [a, b] = [this.operand(env, s.a), this.operand(env, s.b)];
        const back = (g: Arr): Arr[] => [mt.matmul(g, b.arr, false, true), mt.matmul(a.arr, g, true, false)];
        return this.define(env, s.out, o.apply(mt.matmul(a.arr, b.arr), [a, b], back, savedFactors(a, b)));
      }
      case 'reduce':
        return this.define(env, s.out, this.reduce(s.f, this.operand(env, s.a), s.dim, s.keepdim));
      case 'softmax':
        return this.define(env, s.out, this.softmax(this.operand(env, s.a)));
      case 'nll':
        return this.define(env, s.out, this.nll(this.operand(env, s.a), env.get(s.labels)));
      case 'cat':
        return this.define(env, s.out, this.cat(this.operand(env, s.a), this.operand(env, s.b), s.dim));
      case 'rows':
        return this.define(env, s.out, this.rows(this.operand(env, s.a), s.rows));
      case 'view':
        return this.define(env, s.out, this.view(this.handle(env, s.a), s.view));
      case 'inplace':
        return this.quiet(s.noGrad, () => this.inPlace(s.f, this.handle(env, s.a), s.b, env));
      case 'setRows':
        return this.quiet(s.noGrad, () =>
          this.setRows(this.handle(env, s.a), s.rows, this.operand(env, s.b), s.accumulate),
        );
      case 'shift': {
        const h = this.handle(env, s.a);
        need(h.shape.length > 0 && h.shape[0]! > 1);
        const [n, lead] = [h.shape[0]! - 1, s.back ? 0 : 1];
        const part = (start: number): Handle => this.view(h, { kind: 'narrow', dim: 0, start, length: n });
        return o.quietly(() => o.write(part(lead), o.read(part(1 - lead))));
      }
      case 'swap': {
        const [a, b] = [this.handle(env, s.a), this.handle(env, s.b)];
        need(mt.same(a.shape, b.shape));
        return o.quietly(() => {
          const [x, y] = [o.read(a), o.read(b)];
          o.write(a, y);
          o.write(b, x);
        });
      }
      case 'backward':
        return o.backward(this.handle(env, s.a), s.retain);
      case 'grad': {
        const g = this.handle(env, s.a).base.grad;
        need(g !== null && this.isLeaf(s.a, env));
        return this.define(env, s.out, g!);
      }
      case 'dropGrad':
        need(this.isLeaf(s.a, env));
        return o.put(this.handle(env, s.a).base, 'grad', null);
      case 'descend': {
        const h = this.handle(env, s.a);
        need(h.base.grad !== null && this.isLeaf(s.a, env));
        return o.quietly(() => {
          const d = mt.scale(o.read(h.base.grad!).arr, this.number(env, s.lr));
          o.write(h, new Val(mt.sub(o.read(h).arr, d)));
        });
      }
      case 'optimizer': {
        const params = s.params.map(p => this.handle(env, p));
        need(params.length > 0 && params.every(p => p.base.leaf && p.at === null && !p.detached));
        const { lr, momentum = 0, nesterov = false, weightDecay = 0 } = s.spec;
        const options = { lr, momentum, nesterov, weightDecay };
        return this.define(env, s.out, { kind: s.spec.kind, params, options, state: new Map() });
      }
      case 'step':
        return stepOracle(o, this.optimizer(env, s.a));
      case 'zeroGrad':
        for (const p of this.optimizer(env, s.a).params) o.put(p.base, 'grad', null);
        return;
      case 'lr':
        return o.put(this.optimizer(env, s.a).options, 'lr', s.value);
      case 'rand':
        return this.define(env, s.out, o.fresh(new Val(this.draw(s.shape))));
      case 'dropout': {
        const a = this.operand(env, s.a);
        const keep = mt.exact(
          a.arr.shape,
          this.draw(a.arr.shape).data.map(u => (u > 0.5 ? 2 : 0)),
        );
        return this.define(
          env,
          s.out,
          o.apply(mt.mul(a.arr, keep), [a], g => [mt.mul(g, keep)], [new Val(keep)]),
        );
      }
      case 'freeze':
        return o.setLeaf(this.handle(env, s.a), !s.on);
      case 'if':
        for (const inner of this.train ? s.yes : s.no) this.run(inner, blocks, env);
        return;
      case 'read':
        this.handle(env, s.a);
        return;
      case 'call':
        return this.call(s, blocks, env);
    }
  }

  /** The names that a block sees in a call. */
  enter(c: Call, block: Block, env: Env): Env {
    // A gradient is seen through its owner only: which tensor that is changes from call to call.
    const inner: Env = new Map([...env].filter(([, x]) => !(isHandle(x) && x.base.isGrad)));
    need(block.params.length === c.args.length);
    block.params.forEach((p, i) => {
      inner.set(p, this.argument(c.args[i]!, env));
    });
    return inner;
  }
  setTrain(on: boolean): void {
    this.o.put(this as unknown as { train: boolean }, 'train', on);
  }
  private call(c: Call, blocks: readonly Block[], env: Env): void {
    const block = blocks[c.block]!;
    if (c.bad !== null) {
      // But for the one thing that is wrong the call must make sense; then it must leave no trace.
      need(c.bad.kind === 'throw' ? c.bad.at < block.body.length : looksAtLabels(block));
      const mark = this.o.mark();
      this.call({ ...c, bad: null, args: c.args.map(goodLabels) }, blocks, env);
      this.o.rollback(mark);
      return;
    }
    const inner = this.enter(c, block, env);
    this.setTrain(c.train);
    this.o.inside(() => {
      for (const s of block.body) this.run(s, blocks, inner);
    });
    // What a block returns is new: a copy without history.
    const out = block.returns.map(r => this.o.fresh(new Val(this.o.read(this.handle(inner, r)).arr)));
    block.returns.forEach((r, i) => {
      this.define(env, `f${c.block}_${r}`, out[i]!);
    });
    this.setTrain(true);
  }
  private argument(a: Argument, env: Env): Thing {
    switch (a.kind) {
      case 'number':
        return a.value;
      case 'labels':
        return a.data;
      case 'data':
        return this.o.fresh(new Val(mt.exact(a.shape, a.data)));
      case 'tensor': {
        // An argument arrives as a value: the block sees neither its history nor its memory.
        const h = this.handle(env, a.name);
        need(!this.o.read(h).needsGrad);
        return this.o.fresh(new Val(this.o.read(h).arr));
      }
    }
  }
  private optimizer(env: Env, name: string): OracleOptimizer {
    const x = env.get(name);
    need(isOptimizer(x));
    return x as OracleOptimizer;
  }
  private quiet(on: boolean, body: () => void): void {
    if (on) this.o.quietly(body);
    else body();
  }
  private draw(shape: readonly number[]): Arr {
    const { random: r } = this;
    const [k0, k1] = r.key(r.calls);
    this.o.put(r, 'calls', r.calls + 1);
    const n = mt.sizeOf(shape);
    return mt.exact(
      shape,
      Float64Array.from({ length: n }, (_, i) => uniformFromBits(threefry2x32(k0, k1, i, 0)[0])),
    );
  }

  private unary(f: Unary, a: Val): Handle {
    const { o } = this;
    const x = a.arr;
    switch (f) {
      case 'neg':
        return o.apply(mt.neg(x), [a], g => [mt.neg(g)]);
      case 'clone':
        return o.apply(x, [a], g => [g]);
      case 'square':
        return o.apply(mt.mul(x, x), [a], g => [mt.mul(g, mt.scale(x, 2))], [a]);
      case 'relu': {
        const mask = mt.positive(x);
        const zero = mt.full(x.shape, 0);
        return this.withOutput(mt.choose(mask, x, zero), a, g => mt.choose(mask, g, zero));
      }
      case 'abs': {
        const up = mt.positive(x);
        const down = mt.positive(mt.neg(x));
        const sign = mt.exact(x.shape, up.length === 0 ? [] : Array.from(up, (u, i) => u - down[i]!));
        return o.apply(mt.mul(x, sign), [a], g => [mt.mul(g, sign)], [a]);
      }
      case 'tanh': {
        const y = mt.transcendental(x, Math.tanh, () => 1);
        return this.withOutput(y, a, (g, out) => mt.mul(g, mt.sub(mt.full([], 1), mt.mul(out, out))));
      }
      case 'exp': {
        const y = mt.transcendental(x, Math.exp, (_, v) => v);
        return this.withOutput(y, a, (g, out) => mt.mul(g, out));
      }
      case 'sigmoid': {
        const y = mt.transcendental(
          x,
          v => 1 / (1 + Math.exp(-v)),
          () => 1,
        );
        return this.withOutput(y, a, (g, out) => mt.mul(g, mt.mul(out, mt.sub(mt.full([], 1), out))));
      }
    }
  }
  /** An op whose gradient uses its own result. */
  private withOutput(y: Arr, a: Val, rule: (g: Arr, y: Arr) => Arr): Handle {
    const saved: Val[] = [];
    const h = this.o.apply(y, [a], g => [rule(g, y)], saved);
    saved.push(h.base.val);
    return h;
  }
  private binary(f: Binary, a: Val, b: Val): Handle {
    const { o } = this;
    const [x, y] = [a.arr, b.arr];
    const to = (g: Arr, v: Arr): Arr => mt.sumTo(g, v.shape);
    switch (f) {
      case 'add':
        return o.apply(mt.add(x, y), [a, b], g => [to(g, x), to(g, y)]);
      case 'sub':
        return o.apply(mt.sub(x, y), [a, b], g => [to(g, x), to(mt.neg(g), y)]);
      case 'mul':
        return o.apply(
          mt.mul(x, y),
          [a, b],
          g => [to(mt.mul(g, y), x), to(mt.mul(g, x), y)],
          savedFactors(a, b),
        );
      case 'maximum':
      case 'minimum': {
        const d = f === 'maximum' ? mt.sub(x, y) : mt.sub(y, x);
        const first = mt.positive(d);
        const shape = d.shape;
        // Ties share the gradient in PyTorch: left out where one needs it.
        need(!(a.needsGrad || b.needsGrad) || d.data.every(v => v !== 0));
        const [wx, wy] = [mt.stretch(x, shape), mt.stretch(y, shape)];
        const zero = mt.full(shape, 0);
        return o.apply(
          mt.choose(first, wx, wy),
          [a, b],
          g => [to(mt.choose(first, g, zero), x), to(mt.choose(first, zero, g), y)],
          [a, b],
        );
      }
    }
  }
  private where(c: Val, a: Val, b: Val): Handle {
    const shape = mt.broadcast(mt.broadcast(c.arr.shape, a.arr.shape), b.arr.shape);
    const mask = mt.positive(mt.stretch(c.arr, shape));
    const zero = mt.full(shape, 0);
    return this.o.apply(
      mt.choose(mask, mt.stretch(a.arr, shape), mt.stretch(b.arr, shape)),
      [a, b],
      g => [mt.sumTo(mt.choose(mask, g, zero), a.arr.shape), mt.sumTo(mt.choose(mask, zero, g), b.arr.shape)],
      [new Val(zero)], // the mask, which nobody can change
    );
  }
  private reduce(f: 'sum' | 'mean', a: Val, dim: number | null, keepdim: boolean): Handle {
    const { shape } = a.arr;
    need(dim === null || dim < shape.length);
    const kept = shape.map((n, d) => (dim === null || d === dim ? 1 : n));
    const out = keepdim ? kept : dim === null ? [] : shape.filter((_, d) => d !== dim);
    const count = dim === null ? mt.sizeOf(shape) : shape[dim]!;
    const sum = mt.sumTo(a.arr, kept);
    const by = mt.full([], count);
    const y = f === 'sum' ? sum : mt.div(sum, by);
    return this.o.apply({ ...y, shape: out }, [a], g => {
      const wide = mt.stretch({ ...g, shape: kept }, shape);
      return [f === 'sum' ? wide : mt.div(wide, by)];
    });
  }
  private softmax(a: Val): Handle {
    const x = a.arr;
    need(x.shape.length > 0);
    const kept = [...x.shape.slice(0, -1), 1];
    const y = (() => {
      const e = mt.transcendental(x, Math.exp, (_, v) => v);
      return mt.div(e, mt.sumTo(e, kept));
    })();
    return this.withOutput(y, a, (g, out) => {
      const inner = mt.sumTo(mt.mul(g, out), kept);
      return mt.mul(out, mt.sub(g, inner));
    });
  }
  /** Cross-entropy: the mean over rows of ln Σ eˣ − x[label]. */
  private nll(a: Val, labels: Thing | undefined): Handle {
    const x = a.arr;
    need(Array.isArray(labels) && x.shape.length === 2 && labels.length === x.shape[0]);
    const at = labels as Labels;
    const [n, c] = x.shape as [number, number];
    need(at.every(l => l >= 0 && l < c));
    const e = mt.transcendental(x, Math.exp, (_, v) => v);
    const total = mt.sumTo(e, [n, 1]);
    const lse = mt.transcendental(total, Math.log, v => 1 / v);
    const own = mt.pick(
      x,
      Int32Array.from(at, (l, i) => i * c + l),
      [n, 1],
    );
    const each = mt.sub(lse, own);
    const y = mt.div(mt.sumTo(each, [1, 1]), mt.full([], n));
    const back = (g: Arr): Arr[] => {
      const p = mt.div(e, total);
      const hot = mt.exact(
        [n, c],
        Float64Array.from({ length: n * c }, (_, i) => (i % c === at[Math.floor(i / c)] ? 1 : 0)),
      );
      return [mt.mul(mt.sub(p, hot), mt.div({ ...g, shape: [] }, mt.full([], n)))];
    };
    // PyTorch keeps log-softmax; we keep x and are stricter about changes of x in between.
    return this.o.apply({ ...y, shape: [] }, [a], back, [a]);
  }
  private cat(a: Val, b: Val, dim: number): Handle {
    const [s, t] = [a.arr.shape, b.arr.shape];
    need(dim < s.length && s.length === t.length && s.every((n, d) => d === dim || n === t[d]));
    const shape = s.map((n, d) => (d === dim ? n + t[d]! : n));
    const inner = mt.sizeOf(s.slice(dim + 1));
    const outer = mt.sizeOf(s.slice(0, dim));
    const [na, nb] = [s[dim]! * inner, t[dim]! * inner];
    const data = new Float64Array(mt.sizeOf(shape));
    const err = new Float64Array(data.length);
    const fromA = new Int32Array(mt.sizeOf(s));
    const fromB = new Int32Array(mt.sizeOf(t));
    for (let r = 0; r < outer; r++) {
      for (let i = 0; i < na; i++) fromA[r * na + i] = r * (na + nb) + i;
      for (let i = 0; i < nb; i++) fromB[r * nb + i] = r * (na + nb) + na + i;
    }
    for (const [from, v] of [
      [fromA, a],
      [fromB, b],
    ] as const) {
      from.forEach((p, i) => {
        data[p] = v.arr.data[i]!;
        err[p] = v.arr.err[i]!;
      });
    }
    return this.o.apply({ shape, data, err }, [a, b], g => [mt.pick(g, fromA, s), mt.pick(g, fromB, t)]);
  }
  private rows(a: Val, rows: readonly number[]): Handle {
    const { shape } = a.arr;
    need(shape.length > 0 && rows.every(r => r >= -shape[0]! && r < shape[0]!));
    const at = rowPositions(shape, rows);
    const n = mt.sizeOf(shape);
    return this.o.apply(mt.pick(a.arr, at, [rows.length, ...shape.slice(1)]), [a], g => [
      mt.sumInto(
        n,
        shape,
        Array.from(g.data, (v, i) => [at[i]!, v, g.err[i]!] as const),
      ),
    ]);
  }
  private setRows(h: Handle, rows: readonly number[], b: Val, accumulate: boolean): void {
    const { o } = this;
    need(h.shape.length > 0 && rows.every(r => r >= -h.shape[0]! && r < h.shape[0]!));
    const at = rowPositions(h.shape, rows);
    const part = this.o.view(h, [rows.length, ...h.shape.slice(1)], at);
    need(b.arr.shape.length <= part.shape.length);
    const indices = new Val(mt.full([rows.length], 0));
    if (!accumulate) {
      need(new Set(at).size === at.length);
      o.write(part, b, [indices]);
      return;
    }
    const old = o.read(h);
    const wide = mt.stretch(b.arr, part.shape);
    const n = mt.sizeOf(h.shape);
    const plus = mt.sumInto(n, h.shape, [
      ...Array.from(old.arr.data, (v, i) => [i, v, old.arr.err[i]!] as const),
      ...Array.from(wide.data, (v, i) => [at[i]!, v, wide.err[i]!] as const),
    ]);
    const back = (g: Arr): Arr[] => [g, mt.sumTo(mt.pick(g, at, part.shape), b.arr.shape)];
    o.write(h, o.gradMode && !h.detached ? new Val(plus, [old, b], back, [indices]) : new Val(plus));
  }
  private inPlace(f: InPlace, h: Handle, b: Operand, env: Env): void {
    const { o } = this;
    const old = o.read(h);
    const val = (x: Handle): Val => x.base.val;
    switch (f) {
      case 'add_':
      case 'sub_':
      case 'mul_': {
        const other = this.operand(env, b);
        need(mt.same(mt.broadcast(old.arr.shape, other.arr.shape), h.shape));
        return o.write(h, val(this.binary(f.slice(0, -1) as Binary, old, other)));
      }
      case 'copy_': {
        const other = this.operand(env, b);
        need(typeof b === 'string');
        return o.write(h, other);
      }
      case 'fill_':
        return o.write(h, new Val(mt.full([], this.number(env, b))));
      case 'zero_':
        return o.write(h, new Val(mt.full([], 0)));
      case 'relu_':
        return o.write(h, val(this.unary('relu', old)), [], true);
      case 'clamp_': {
        need(!(o.gradMode && old.needsGrad));
        const low = this.binary('maximum', old, new Val(mt.full([], -1)));
        return o.write(h, val(this.binary('minimum', val(low), new Val(mt.full([], 1)))));
      }
      case 'maskedFill_':
        return o.write(h, val(this.where(old, new Val(mt.full([], this.number(env, b))), old)));
    }
  }
  private view(h: Handle, v: ViewSpec): Handle {
    const { o } = this;
    const { shape } = h;
    const all = Int32Array.from({ length: mt.sizeOf(shape) }, (_, i) => i);
    const strides = shape.map((_, d) => mt.sizeOf(shape.slice(d + 1)));
    /** Positions of a box of the elements. */
    const box = (size: readonly number[], start: readonly number[], step: readonly number[]): Int32Array =>
      Int32Array.from({ length: mt.sizeOf(size) }, (_, i) => {
        let [rest, at] = [i, 0];
        for (let d = size.length - 1; d >= 0; d--) {
          at += (start[d]! + (rest % size[d]!) * step[d]!) * strides[d]!;
          rest = Math.floor(rest / size[d]!);
        }
        return at;
      });
    const on = (d: number, x: number, rest: number): number[] => shape.map((_, k) => (k === d ? x : rest));
    switch (v.kind) {
      case 'narrow': {
        need(v.dim < shape.length && v.start + v.length <= shape[v.dim]!);
        const size = shape.map((n, d) => (d === v.dim ? v.length : n));
        return o.view(h, size, box(size, on(v.dim, v.start, 0), on(v.dim, 1, 1)));
      }
      case 'every': {
        need(shape.length > 0 && v.start < shape[0]!);
        const size = shape.map((n, d) => (d === 0 ? Math.ceil((n - v.start) / v.step) : n));
        return o.view(h, size, box(size, on(0, v.start, 0), on(0, v.step, 1)));
      }
      case 'select': {
        need(v.dim < shape.length && v.index < shape[v.dim]!);
        const size = shape.map((n, d) => (d === v.dim ? 1 : n));
        const at = box(size, on(v.dim, v.index, 0), on(v.dim, 1, 1));
        return o.view(
          h,
          shape.filter((_, d) => d !== v.dim),
          at,
        );
      }
      case 'transpose': {
        need(shape.length === 2);
        const [r, c] = shape as [number, number];
        return o.view(
          h,
          [c, r],
          all.map(i => (i % r) * c + Math.floor(i / r)),
        );
      }
      case 'reshape':
        need(v.shape.every(Number.isInteger) && mt.sizeOf(v.shape) === mt.sizeOf(shape));
        return o.view(h, v.shape, all);
      case 'expand':
        return o.view(h, v.shape, mt.positions(shape, v.shape), { stretched: true });
      case 'diagonal': {
        need(shape.length === 2);
        const n = Math.min(...shape);
        return o.view(
          h,
          [n],
          Int32Array.from({ length: n }, (_, i) => i * (shape[1]! + 1)),
        );
      }
      case 'detach':
        return o.view(h, shape, all, { detached: true });
    }
  }
}

/** What a product keeps for its gradient: each factor for the sake of the other. */
const savedFactors = (a: Val, b: Val): Val[] => [...(b.needsGrad ? [a] : []), ...(a.needsGrad ? [b] : [])];

const goodLabels = (a: Argument): Argument =>
  a.kind === 'labels' ? { ...a, data: a.data.map(l => (l > 2 ? 0 : l)) } : a;
/** Whether a block certainly reads its labels: it returns a cross-entropy that nothing changes. */
function looksAtLabels(b: Block): boolean {
  const all = b.body.flatMap(s => (s.k === 'if' ? [...s.yes, ...s.no] : [s]));
  return b.body.some(
    s =>
      s.k === 'nll' &&
      b.returns.includes(s.out) &&
      !all.some(t => ('a' in t && t.a === s.out) || (t.k === 'swap' && t.b === s.out)),
  );
}

function rowPositions(shape: readonly number[], rows: readonly number[]): Int32Array {
  const inner = mt.sizeOf(shape.slice(1));
  return Int32Array.from(
    { length: rows.length * inner },
    (_, i) => ((rows[Math.floor(i / inner)]! + shape[0]!) % shape[0]!) * inner + (i % inner),
  );
}

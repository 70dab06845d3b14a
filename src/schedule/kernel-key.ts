// The structure of a kernel as text: kernels with equal texts have equal code, whatever their values and loops are called.
// In: a kernel. Out: its text. Not its job: keeping what was made of one (runtime/plan-code.ts).

import type { Affine, CheckedData, E, Fold, LoadData, LoopVar, ReduceData } from '../ir/scalar.ts';
import type { GemmKernel, KernelStore, LoopKernel, OwnKernelCall } from './kernel.ts';

/** Numbers expressions and loop variables in the order in which they are met. */
class Writer {
  private readonly exprs = new Map<E, number>();
  private readonly vars = new Map<LoopVar, number>();
  text = '';

  add(...words: readonly (string | number)[]): void {
    for (let i = 0; i < words.length; i++) this.text += `${words[i]} `;
  }
  /** A loop by its number; with its size where it is new. */
  loop(v: LoopVar): string {
    const had = this.vars.get(v);
    if (had !== undefined) return `v${had}`;
    this.vars.set(v, this.vars.size);
    return `v${this.vars.size - 1}=${v.size}`;
  }
  loops(list: readonly LoopVar[]): string {
    return `[${list.map(v => this.loop(v)).join(' ')}]`;
  }
  index({ c, terms }: Affine): string {
    let text = `(${c}`;
    for (let i = 0; i < terms.length; i++) text += ` ${terms[i]![1]}*${this.expr(terms[i]![0])}`;
    return `${text})`;
  }
  fold({ name, merge, result }: Fold): string {
    return `${name}${merge === null ? '!' : ''}${result}`;
  }
  /** Writes what is new of an expression; gives its number. */
  expr(e: E): number {
    const had = this.exprs.get(e);
    if (had !== undefined) return had;
    let line = `${e.op} ${e.type}${e.lanes} ${Object.is(e.value, -0) ? '-0' : e.value}`;
    for (let i = 0; i < e.args.length; i++) line += `,${this.expr(e.args[i]!)}`;
    if (e.data !== null) line += ` ${this.data(e)}`;
    this.text += `${line};`;
    this.exprs.set(e, this.exprs.size);
    return this.exprs.size - 1;
  }
  private data(e: E): string {
    if (e.op === 'load') {
      const { buffer, at, dtype, step } = e.data as LoadData;
      return `b${buffer} ${this.index(at)} ${dtype} ${step}`;
    }
    if (e.op === 'index') return this.index(e.data as Affine);
    if (e.op === 'var') return this.loop(e.data as LoopVar);
    if (e.op === 'reduce') {
      const { fold, vars, position } = e.data as ReduceData;
      return `${this.fold(fold)} ${this.loops(vars)} ${position === null ? '' : this.expr(position)}`;
    }
    if (e.op === 'checked') {
      const { code, instead } = e.data as CheckedData;
      return `${code} ${instead}`;
    }
    return String(e.data);
  }
  stores(list: readonly KernelStore[]): void {
    for (const { buffer, at, dtype, value, depth, mode } of list)
      this.add(`store b${buffer}`, this.index(at), dtype, this.expr(value), depth, mode);
  }
}

export function kernelKey(k: LoopKernel | GemmKernel | OwnKernelCall): string {
  const w = new Writer();
  w.add(k.kind, k.buffers.length, k.work);
  if (k.kind === 'loop') {
    for (const b of k.blocks) w.add(w.loops(b));
    w.add('serial', w.loops(k.serial));
    if (k.scan !== null) {
      const { v, fold, inputs, acc } = k.scan;
      w.add('scan', w.loop(v), w.fold(fold), w.expr(acc), ...inputs.map(e => w.expr(e)));
    }
    w.stores(k.stores);
  } else if (k.kind === 'gemm') {
    w.add(w.loops(k.batch), w.loop(k.i), w.loop(k.j), w.loops(k.k), w.expr(k.acc));
    for (const { buffer, at } of [k.a, k.b]) w.add(`b${buffer}`, w.index(at));
    w.stores(k.stores);
  } else {
    const { op, attrs, src } = k.node;
    w.add(op.name, JSON.stringify(attrs), ...src.map(n => `${n.dtype}[${n.shape}]`));
    w.add(w.loops(k.vars), ...k.inputs.map(e => w.expr(e)));
    for (const o of k.outputs) w.add(o === undefined ? '-' : `b${o.buffer} ${w.index(o.at)}`);
  }
  return w.text;
}

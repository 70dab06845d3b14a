// The reference device: a slow interpreter of the graph in plain TypeScript. What it computes is the definition.
// In: program specs. Out: executables. No fusion, no kernels; every op by its record, float32 results rounded once.

import type { DType } from '../base/dtype.ts';
import { DTYPES, readElement, typedArray, writeElement } from '../base/dtype.ts';
import { ValueError } from '../base/errors.ts';
import { contiguousStrides, numel, type Shape } from '../base/shape.ts';
import { cloneGraph, type Node, type Storage, toposort } from '../ir/node.ts';
import type { HostValue } from '../ir/op.ts';
import { contractionOf } from '../ir/ops/contract.ts';
import { CHECK, elementOf, type HostScalar } from '../ir/ops/elementwise.ts';
import type { ScatterAttrs, TakeAttrs } from '../ir/ops/index.ts';
import { joinDim, padFill } from '../ir/ops/movement.ts';
import type { ReduceAttrs, ScanAttrs } from '../ir/ops/reduce.ts';
import type { Affine, CheckedData, E, Fold, MachineOp, MathOp } from '../ir/scalar.ts';
import { arg, asAffine, evaluate, LoopVar, varOf, withExprs } from '../ir/scalar.ts';
import type { PartAttrs, StepsAttrs } from '../ir/steps.ts';
import type { Device, Executable, KernelInfo, ProgramSpec } from './device.ts';
import { registerDevice } from './devices.ts';

type Value = number | bigint;
/** Values of one tensor: numbers, or bigints for int64. */
interface Dense {
  readonly data: Value[];
  readonly shape: Shape;
  readonly dtype: DType;
}

class HostBytes implements Storage {
  bytes: Uint8Array<ArrayBuffer>;
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
  }
  get byteLength(): number {
    return this.bytes.byteLength;
  }
}

/** Rounds a value to what the dtype can hold. */
function rounder(dtype: DType): (v: Value) => Value {
  const cell = typedArray(dtype, new ArrayBuffer(8), 0, 1);
  return v => {
    writeElement(cell, dtype, 0, v);
    return dtype === 'int64' ? (cell as BigInt64Array)[0]! : readElement(cell, dtype, 0);
  };
}

type Arguments = readonly Value[];
/** Turns expressions of arguments into one function: each shared part is computed once, by its machine op's meaning. */
function compileElements(roots: readonly E[]): (args: Arguments) => Value[] {
  const slots: Value[] = [];
  const slotOf = new Map<E, number>();
  const steps: ((args: Arguments) => Value)[] = [];
  const visit = (e: E): number => {
    const had = slotOf.get(e);
    if (had !== undefined) return had;
    const at = e.args.map(visit);
    const step = elementStep(e, i => slots[at[i]!]!);
    slotOf.set(e, steps.length);
    return steps.push(step) - 1;
  };
  const out = roots.map(visit);
  return args => {
    for (let i = 0; i < steps.length; i++) slots[i] = steps[i]!(args);
    return out.map(i => slots[i]!);
  };
}
function elementStep(e: E, inner: (i: number) => Value): (args: Arguments) => Value {
  if (e.op === 'const') return () => e.value;
  if (e.op === 'arg') return args => args[Number(e.value)]!;
  if (e.op === 'checked') {
    const { code } = e.data as CheckedData;
    return () => {
      if (!inner(1)) failCheck(code, inner(0));
      return inner(0);
    };
  }
  if (e.op === 'rare') return () => evaluate(e.data as MathOp, e.type, e.type, [inner(1)]) as Value;
  const from = e.args[0]!.type;
  return () => {
    const v = evaluate(
      e.op as MachineOp,
      e.type,
      from,
      e.args.map((_, i) => inner(i)),
    );
    return typeof v === 'boolean' ? Number(v) : v!;
  };
}
function failCheck(code: number, value: Value): never {
  if (code === CHECK.divideByZero) {
    throw new ValueError(
      'div',
      'an integer cannot be divided by zero',
      '0',
      'convert to a floating dtype, or mask the zeros',
    );
  }
  throw new ValueError(
    'index',
    'indices and labels must lie inside the dim that they address',
    String(value),
    'check the labels (0 … classes−1) or the indices; nothing was changed',
  );
}

/** Calls back with every index of a shape, in row-major order. */
function each(shape: Shape, f: (index: readonly number[], at: number) => void): void {
  const n = numel(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let at = 0; at < n; at++) {
    f(index, at);
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++index[d]! < shape[d]!) break;
      index[d] = 0;
    }
  }
}
/** Position in a (broadcast) source for an index of the result. */
function broadcastAt(index: readonly number[], shape: Shape, strides: readonly number[]): number {
  const lead = index.length - shape.length;
  let at = 0;
  for (let d = 0; d < shape.length; d++) if (shape[d] !== 1) at += index[lead + d]! * strides[d]!;
  return at;
}

class Interpreter {
  private readonly values = new Map<Node, Dense>();
  private readonly ran = new Map<Node, Interpreter[]>();
  private readonly uniforms: ReadonlyMap<Node, HostScalar>;
  constructor(sources: ReadonlyMap<Node, Dense>, uniforms: ReadonlyMap<Node, HostScalar>) {
    for (const [n, v] of sources) this.values.set(n, v);
    this.uniforms = uniforms;
  }
  value(root: Node): Dense {
    for (const n of toposort([root], x => this.values.has(x))) {
      if (!this.values.has(n)) this.values.set(n, this.compute(n));
    }
    return this.values.get(root)!;
  }
  private compute(n: Node): Dense {
    const src = n.src.map(s => this.values.get(s)!);
    const done = (data: Value[]): Dense => {
      const round = rounder(n.dtype);
      return { data: data.map(round), shape: n.shape, dtype: n.dtype };
    };
    if (n.op.bound) return done([this.uniforms.get(n)!.value()]);
    if (n.op.kind === 'part') return this.part(n as Node<PartAttrs>);
    if (n.op.decompose !== null) return this.value(n.op.decompose(n.src, n.attrs));
    switch (n.op.kind) {
      case 'source':
      case 'elementwise':
        return done(this.elementwise(n, src));
      case 'movement':
        return done(this.movement(n, src[0]!));
      case 'reduce':
        return done(this.reduce(n, src[0]!));
      case 'scan':
        return done(this.scan(n, src));
      case 'contraction':
        return done(this.contraction(n, src[0]!, src[1]!));
      case 'join':
        return done(this.join(n, src));
      case 'index':
        return done(this.take(n, src));
      case 'scatter':
        return done(this.scatter(n, src));
      case 'steps':
        // Its parts are computed from it.
        return done([]);
      case 'host': {
        const inputs = src.map(
          (s): HostValue => ({ data: s.data.map(Number), shape: s.shape, dtype: s.dtype }),
        );
        return done(Array.from(n.op.host!(inputs, n)).map(v => (n.dtype === 'int64' ? BigInt(v) : v)));
      }
      default:
        throw new Error(`reference: no rule for ${n.op.kind}`);
    }
  }

  /** An interpreter per step, in the order of the sequences; each computes what it is asked for. */
  private steps(n: Node<StepsAttrs>): Interpreter[] {
    const had = this.ran.get(n);
    if (had !== undefined) return had;
    const { body, length, reverse } = n.attrs;
    const src = n.src.map(s => this.values.get(s)!);
    let carries = src.slice(0, body.carries);
    const out = new Array<Interpreter>(length);
    for (let k = 0; k < length; k++) {
      const t = reverse ? length - 1 - k : k;
      const inputs = body.inputs.map((x, i): readonly [Node, Dense] => {
        const size = numel(x.shape);
        if (i < body.carries) return [x, carries[i]!];
        if (i >= body.carries + body.sequences) return [x, src[i]!];
        return [x, { ...src[i]!, shape: x.shape, data: src[i]!.data.slice(t * size, (t + 1) * size) }];
      });
      const step = new Interpreter(new Map(inputs), this.uniforms);
      carries = body.next.map(c => step.value(c));
      out[t] = step;
    }
    this.ran.set(n, out);
    return out;
  }
  private part(n: Node<PartAttrs>): Dense {
    const of = n.src[0] as Node<StepsAttrs>;
    const { body, length, reverse } = of.attrs;
    const steps = this.steps(of);
    const node = n.attrs.of === 'stack' ? body.named[n.attrs.at]! : body.next[n.attrs.at]!;
    const values = steps.map(s => s.value(node).data);
    if (n.attrs.of === 'last')
      return { data: values[reverse ? 0 : length - 1]!, shape: n.shape, dtype: n.dtype };
    if (n.attrs.of === 'states') {
      const first = this.values.get(of.src[n.attrs.at]!)!.data;
      if (reverse) values.push(first);
      else values.unshift(first);
    }
    return { data: values.flat(), shape: n.shape, dtype: n.dtype };
  }

  private elementwise(n: Node, src: readonly Dense[]): Value[] {
    const f = withExprs(() => {
      const args = src.map((s, i) => arg(i, DTYPES[s.dtype].compute));
      if (n.op.usesPosition) args.push(arg(src.length, 'i32'));
      return compileElements([elementOf(n, args)]);
    });
    const strides = src.map(s => contiguousStrides(s.shape));
    const out: Value[] = new Array(numel(n.shape));
    each(n.shape, (index, at) => {
      const args = src.map((s, i) => s.data[broadcastAt(index, s.shape, strides[i]!)]!);
      if (n.op.usesPosition) args.push(at);
      out[at] = f(args)[0]!;
    });
    return out;
  }

  private movement(n: Node, x: Dense): Value[] {
    if (n.op.relabels) return x.data.slice();
    const strides = contiguousStrides(x.shape);
    // The index map on symbols, evaluated per element.
    const { vars, at, guard } = withExprs(() => {
      const vars = n.shape.map(s => new LoopVar(s));
      const r = n.op.index!(
        vars.map(v => asAffine(varOf(v))),
        n,
      );
      return { vars, at: r.at, guard: r.guard ?? null };
    });
    const place = new Map(vars.map((v, i) => [v, i]));
    const read = (a: Affine, index: readonly number[]): number =>
      a.terms.reduce((s, [e, k]) => s + k * index[place.get(e.data as LoopVar)!]!, a.c);
    const holds = (e: E, index: readonly number[]): number => {
      if (e.op === 'var') return index[place.get(e.data as LoopVar)!]!;
      if (e.op === 'index') return read(e.data as Affine, index);
      if (e.op === 'const') return Number(e.value);
      return Number(
        evaluate(
          e.op as MachineOp,
          e.type,
          e.args[0]!.type,
          e.args.map(a => holds(a, index)),
        ),
      );
    };
    const out: Value[] = new Array(numel(n.shape));
    const zero: Value = x.dtype === 'int64' ? 0n : 0;
    each(n.shape, (index, o) => {
      if (guard !== null && !holds(guard, index)) {
        const fill = padFill(n);
        out[o] = x.dtype === 'int64' ? BigInt(fill) : fill;
        return;
      }
      let i = 0;
      at.forEach((a, d) => {
        i += read(a, index) * strides[d]!;
      });
      out[o] = x.data[i] ?? zero;
    });
    return out;
  }

  private folder(
    fold: Fold,
    types: readonly DType[],
  ): { init: Value[]; step: (acc: readonly Value[], x: readonly Value[], at: number) => Value[] } {
    return withExprs(() => {
      const type = DTYPES[types[types.length - 1]!].compute;
      const start = fold.init(type);
      const k = start.length;
      const accs = start.map((e, i) => arg(i, e.type));
      const xs = types.map((t, i) => arg(k + i, DTYPES[t].compute));
      const next = fold.step(accs, xs, arg(k + types.length, 'i32'));
      const f = compileElements(next);
      return {
        init: start.map(e => e.value),
        step: (acc: readonly Value[], x: readonly Value[], at: number) => {
          const args = [...acc, ...x, at];
          return f(args);
        },
      };
    });
  }
  private reduce(n: Node, x: Dense): Value[] {
    const { dims, keepdim } = n.attrs as ReduceAttrs;
    const fold = n.op.fold!;
    const { init, step } = this.folder(fold, [x.dtype]);
    const accs: Value[][] = Array.from({ length: numel(n.shape) }, () => [...init]);
    const outStrides = contiguousStrides(n.shape);
    const inner = contiguousStrides(dims.map(d => x.shape[d]!));
    each(x.shape, (index, at) => {
      let o = 0;
      let k = 0;
      for (let d = 0; d < index.length; d++) {
        if (dims.includes(d)) {
          if (keepdim) k++;
        } else o += index[d]! * outStrides[k++]!;
      }
      const position = dims.reduce((s, d, i) => s + index[d]! * inner[i]!, 0);
      accs[o] = step(accs[o]!, [x.data[at]!], position);
    });
    return accs.map(a => this.result(a[fold.result]!, n));
  }
  private result(v: Value, n: Node): Value {
    return n.dtype === 'int64' ? BigInt(v) : v;
  }
  private scan(n: Node, src: readonly Dense[]): Value[] {
    const { dim, reverse } = n.attrs as ScanAttrs;
    const fold = n.op.fold!;
    const { init, step } = this.folder(
      fold,
      src.map(s => s.dtype),
    );
    const size = n.shape[dim]!;
    const stride = contiguousStrides(n.shape)[dim]!;
    const out: Value[] = new Array(numel(n.shape));
    const rows = n.shape.map((s, d) => (d === dim ? 1 : s));
    const strides = contiguousStrides(n.shape);
    if (size === 0) return out;
    each(rows, index => {
      const base = index.reduce((s, i, d) => s + i * strides[d]!, 0);
      let acc: Value[] = [...init];
      for (let k = 0; k < size; k++) {
        const i = reverse ? size - 1 - k : k;
        acc = step(
          acc,
          src.map(s => s.data[base + i * stride]!),
          k,
        );
        out[base + i * stride] = this.result(acc[fold.result]!, n);
      }
    });
    return out;
  }

  private contraction(n: Node, a: Dense, b: Dense): Value[] {
    const { labels, sums } = contractionOf(n);
    // Elements from one index of a result dim (of a sum) to the next, in each operand.
    const steps = [a, b].map((x, i) => {
      const strides = contiguousStrides(x.shape);
      const step = (l: number): number => {
        const d = labels[i]!.indexOf(l);
        return d < 0 || x.shape[d] === 1 ? 0 : strides[d]!;
      };
      return { outer: n.shape.map((_, d) => step(d)), inner: sums.map((_, k) => step(-1 - k)) };
    });
    const dot = (index: readonly number[], by: readonly number[], from: number): number =>
      index.reduce((at, v, d) => at + v * by[d]!, from);
    const out: Value[] = new Array(numel(n.shape));
    const big = n.dtype === 'int64';
    each(n.shape, (index, at) => {
      const [baseA, baseB] = steps.map(s => dot(index, s.outer, 0)) as [number, number];
      let sum: Value = big ? 0n : 0;
      each(sums, k => {
        const x = a.data[dot(k, steps[0]!.inner, baseA)]!;
        const y = b.data[dot(k, steps[1]!.inner, baseB)]!;
        if (big) sum = (sum as bigint) + BigInt(x) * BigInt(y);
        else sum = (sum as number) + Number(x) * Number(y);
      });
      out[at] = big ? BigInt.asIntN(64, sum as bigint) : sum;
    });
    return out;
  }

  private join(n: Node, src: readonly Dense[]): Value[] {
    const dim = joinDim(n);
    const strides = contiguousStrides(n.shape);
    const out: Value[] = new Array(numel(n.shape));
    let start = 0;
    for (const s of src) {
      each(s.shape, (index, at) => {
        out[index.reduce((p, i, d) => p + (i + (d === dim ? start : 0)) * strides[d]!, 0)] = s.data[at]!;
      });
      start += s.shape[dim]!;
    }
    return out;
  }

  /** Position in x of an index (lead…, rest…) with computed dims. */
  private indexed(
    x: Shape,
    dims: readonly number[],
    indices: readonly Dense[],
    lead: Shape,
  ): (index: readonly number[]) => number {
    const strides = contiguousStrides(x);
    const own = indices.map(i => contiguousStrides(i.shape));
    return index => {
      let at = 0;
      let r = lead.length;
      const front = index.slice(0, lead.length);
      for (let d = 0; d < x.length; d++) {
        const k = dims.indexOf(d);
        let i: number;
        if (k < 0) i = index[r++]!;
        else {
          i = Number(indices[k]!.data[broadcastAt(front, indices[k]!.shape, own[k]!)]);
          if (i < 0 || i >= x[d]!) failCheck(CHECK.index, i);
        }
        at += i * strides[d]!;
      }
      return at;
    };
  }
  private take(n: Node, src: readonly Dense[]): Value[] {
    const { dims } = n.attrs as TakeAttrs;
    const [x, ...indices] = src as [Dense, ...Dense[]];
    const lead = n.shape.slice(0, n.shape.length - (x.shape.length - dims.length));
    const at = this.indexed(x.shape, dims, indices, lead);
    const out: Value[] = new Array(numel(n.shape));
    each(n.shape, (index, o) => {
      out[o] = x.data[at(index)]!;
    });
    return out;
  }
  private scatter(n: Node, src: readonly Dense[]): Value[] {
    const { dims, mode } = n.attrs as ScatterAttrs;
    const [base, values, ...indices] = src as [Dense, Dense, ...Dense[]];
    const lead = values.shape.slice(0, values.shape.length - (base.shape.length - dims.length));
    const at = this.indexed(base.shape, dims, indices, lead);
    const out = base.data.slice();
    const type = DTYPES[n.dtype].compute;
    const name: MachineOp | null = mode === 'set' ? null : mode;
    each(values.shape, (index, i) => {
      const o = at(index);
      const v = values.data[i]!;
      if (name === null) out[o] = v;
      else {
        const r = evaluate(name, type, type, [out[o]!, v]);
        out[o] = typeof r === 'boolean' ? Number(r) : r!;
      }
    });
    return out;
  }
}

export class ReferenceDevice implements Device {
  readonly name = 'reference';
  compile(spec: ProgramSpec): Executable {
    const copies = cloneGraph(spec.roots);
    const roots = spec.roots.map(r => copies.get(r)!);
    const kernels: KernelInfo[] = toposort(roots)
      .filter(n => n.value === null && n.op.kind !== 'source')
      .map(n => ({ name: n.op.name, kind: n.op.kind, work: numel(n.shape) * n.op.cost, bytes: 0 }));
    return {
      kernels,
      bytes: 0,
      dispose: () => {},
      run: (sources, uniforms, targets) => {
        const known = new Map<Node, Dense>();
        spec.sources.forEach((n, i) => {
          const c = copies.get(n);
          if (c !== undefined) known.set(c, dense((sources[i] as HostBytes).bytes, n.shape, n.dtype));
        });
        const scalars = new Map(
          spec.uniforms.flatMap((n, i) => (copies.has(n) ? [[copies.get(n)!, uniforms[i]!]] : [])),
        );
        const it = new Interpreter(known, scalars);
        const results = roots.map(r => bytesOf(it.value(r)));
        return results.map((b, i) => {
          const t = spec.targetOf[i]!;
          if (t < 0) return new HostBytes(b);
          (targets[t] as HostBytes).bytes = b;
          return null;
        });
      },
    };
  }
  upload(bytes: Uint8Array): Storage {
    return this.adopt(bytes.slice() as Uint8Array<ArrayBuffer>);
  }
  adopt(bytes: Uint8Array<ArrayBuffer>): Storage {
    return new HostBytes(bytes);
  }
  empty(bytes: number): Storage {
    return new HostBytes(new Uint8Array(bytes));
  }
  download(s: Storage): Uint8Array<ArrayBuffer> {
    return (s as HostBytes).bytes.slice();
  }
  clone(s: Storage): Storage {
    return new HostBytes((s as HostBytes).bytes.slice());
  }
  describe(): Record<string, string | number | boolean> {
    return { platform: 'plain TypeScript, one thread', threads: 1 };
  }
  memory(): Record<string, number> {
    return {};
  }
}

function dense(bytes: Uint8Array<ArrayBuffer>, shape: Shape, dtype: DType): Dense {
  const n = numel(shape);
  const a = typedArray(dtype, bytes.buffer, bytes.byteOffset, n);
  const data: Value[] = new Array(n);
  for (let i = 0; i < n; i++)
    data[i] = dtype === 'int64' ? (a as BigInt64Array)[i]! : readElement(a, dtype, i);
  return { data, shape, dtype };
}
function bytesOf(d: Dense): Uint8Array<ArrayBuffer> {
  const out = typedArray(d.dtype, new ArrayBuffer(d.data.length * DTYPES[d.dtype].bytes));
  for (let i = 0; i < d.data.length; i++) writeElement(out, d.dtype, i, d.data[i]!);
  return new Uint8Array(out.buffer as ArrayBuffer);
}

registerDevice('reference', () => new ReferenceDevice());

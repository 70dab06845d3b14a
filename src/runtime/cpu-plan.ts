// One compiled plan of the cpu device: homes for its values, a block of parameters and commands, and the run itself.
// In: a program spec. Out: an Executable. Not its job: buffers' policy and code storage (cpu.ts).

import { type DType, readElement, typedArray, writeElement } from '../base/dtype.ts';
import type { Node, Storage } from '../ir/node.ts';
import type { HostValue } from '../ir/op.ts';
import type { HostScalar } from '../ir/ops/elementwise.ts';
import { gemmLimit } from '../kernels/gemm.ts';
import { fuse } from '../schedule/fuse.ts';
import type { HostKernel, Value } from '../schedule/kernel.ts';
import { planArena } from '../schedule/memory.ts';
import { orderKernels } from '../schedule/order.ts';
import { type CpuBuffer, Part } from './buffer.ts';
import { COMMAND_WORDS, TASK_WORDS } from './control.ts';
import type { CpuDevice } from './cpu.ts';
import type { Executable, KernelInfo, ProgramSpec } from './device.ts';
import { flagsOf, type Home, type Place, PlanCode, type Segment } from './plan-code.ts';
import { type KernelTime, profiling } from './profile.ts';
import { LARGE } from './resident.ts';

type Result =
  /** Already in its target. */
  | { readonly kind: 'done' }
  /** Copied to its target at the end. */
  | { readonly kind: 'commit'; readonly home: Home; readonly target: number; readonly bytes: number }
  | { readonly kind: 'copy'; readonly home: Home; readonly bytes: number }
  /** A buffer of its own, made for each run. */
  | { readonly kind: 'own'; readonly external: number; readonly bytes: number }
  /** The same value as another root. */
  | { readonly kind: 'same'; readonly root: number }
  | { readonly kind: 'empty' };

export class CpuPlan implements Executable {
  readonly kernels: readonly KernelInfo[];
  readonly bytes: number;
  private readonly device: CpuDevice;
  private readonly segments: readonly Segment[];
  private readonly raising: Node[] = [];
  private readonly results: Result[] = [];
  private readonly uniformAt: { offset: number; dtype: DType }[] = [];
  /** Sources, then targets, then own results: the words that hold their address, and the address they hold. */
  private readonly external: PlanCode['external'];
  private readonly staging: number[] = [];
  private readonly targetAt: number;
  private readonly arenaWords: readonly number[];
  private readonly offsets: readonly number[];
  private readonly arenaBytes: number;
  private readonly homes = new Map<Value, Home>();
  /** The kernel that each command belongs to. */
  private readonly commandInfo: readonly KernelInfo[];
  private epoch = -1;
  private block: number;
  private readonly commandsAt: number;
  /** Time in kernels that threads share, on one of them. */
  private readonly sharedNs: number;

  constructor(device: CpuDevice, spec: ProgramSpec) {
    this.device = device;
    const schedule = fuse(spec.roots, { gemm: gemmLimit, hostOps: true });
    const { values } = schedule;
    const valueFor = (n: Node): Value | undefined => schedule.valueFor(n);
    const sourceIndex = new Map(spec.sources.map((n, i) => [n, i]));

    const wanted = new Map<Value, number>();
    spec.roots.forEach((r, i) => {
      const v = valueFor(r)!;
      if (spec.targetOf[i]! >= 0 && v.kind === 'computed' && !wanted.has(v)) wanted.set(v, spec.targetOf[i]!);
    });
    const aliasOf = (v: Value): number =>
      v.kind === 'source' ? spec.aliasOf[sourceIndex.get(v.node)!]! : -1;
    const { order, direct, checkAt } = orderKernels(schedule.kernels, wanted, aliasOf);

    // Who lives where, and for how long.
    let uniformBytes = 0;
    for (const v of values) {
      if (v.kind !== 'uniform') continue;
      this.homes.set(v, { kind: 'uniform', offset: uniformBytes });
      uniformBytes += 8;
    }
    const code = new PlanCode(device, uniformBytes);
    this.segments = code.segments;
    this.external = code.external;
    this.arenaWords = code.arenaWords;
    this.commandInfo = code.commandInfo;
    const first = new Map<Value, number>();
    const last = new Map<Value, number>();
    order.forEach((k, step) => {
      for (const v of k.buffers) {
        if (!first.has(v)) first.set(v, step);
        last.set(v, step);
      }
    });
    for (const n of spec.sources) {
      code.newExternal();
      const v = valueFor(n);
      // A source without an address passes through the arena.
      this.staging.push(
        v === undefined
          ? -1
          : code.lives.push({ bytes: Math.max(v.bytes, 1), from: -1, to: last.get(v) ?? -1 }) - 1,
      );
    }
    this.targetAt = this.external.length;
    const targets = spec.targetOf.reduce((n, t) => Math.max(n, t + 1), 0);
    for (let t = 0; t < targets; t++) code.newExternal();
    const rootOf = new Map<Value, number>();
    spec.roots.forEach((r, i) => {
      if (!rootOf.has(valueFor(r)!)) rootOf.set(valueFor(r)!, i);
    });
    for (const v of values) {
      if (v.kind === 'source') this.homes.set(v, { kind: 'external', index: sourceIndex.get(v.node)! });
      else if (v.kind === 'uniform') continue;
      else if (direct.has(v)) this.homes.set(v, { kind: 'external', index: this.targetAt + direct.get(v)! });
      else {
        const root = rootOf.get(v);
        const large = root !== undefined && spec.targetOf[root]! < 0 && v.bytes >= LARGE;
        if (large) this.homes.set(v, { kind: 'external', index: code.newExternal() });
        else
          this.homes.set(
            v,
            code.newLife(v.bytes, first.get(v) ?? 0, root !== undefined ? order.length : (last.get(v) ?? 0)),
          );
      }
    }
    spec.roots.forEach((r, i) => {
      this.results.push(this.resultOf(valueFor(r)!, i, spec, rootOf, direct));
    });

    // Code, parameters, commands.
    for (const k of order) for (const n of k.nodes) if (n.op.raises !== null) this.raising.push(n);
    code.add(order, v => ({ home: this.homes.get(v)!, offset: 0 }), checkAt);
    device.link();
    const arena = planArena(code.lives);
    this.offsets = arena.offsets;
    this.arenaBytes = arena.peakBytes;
    this.kernels = [...code.infos];
    this.sharedNs = code.sharedNs;
    const { words, commands, uniformWords } = code;

    // One block of memory: uniforms and parameters, tasks, commands.
    const taskWords = commands.reduce((n, c) => n + c.tasks.length * TASK_WORDS, 0);
    this.bytes = (words.length + taskWords + commands.length * COMMAND_WORDS) * 4;
    this.block = device.alloc(this.bytes, 'cpu');
    device.planBytes += this.bytes;
    const w = device.words();
    const base = this.block >> 2;
    w.set(words, base);
    for (let i = 0; i < uniformWords.length; i += 2)
      w[base + uniformWords[i]!] = this.block + uniformWords[i + 1]!;
    let at = base + words.length;
    const starts = commands.map(c => {
      const start = at;
      for (const [word, begin, end] of c.tasks) {
        w[at++] = this.block + word * 4;
        w[at++] = begin;
        w[at++] = end;
      }
      return start * 4;
    });
    this.commandsAt = at * 4;
    const flags = flagsOf(commands);
    commands.forEach((c, i) => {
      w[at++] = c.fn;
      w[at++] = starts[i]!;
      w[at++] = c.tasks.length;
      w[at++] = flags[i]!;
    });
    for (const n of spec.uniforms) {
      const v = valueFor(n);
      const h = v === undefined ? undefined : this.homes.get(v);
      this.uniformAt.push({ offset: h?.kind === 'uniform' ? h.offset : -1, dtype: n.dtype });
    }
  }

  private resultOf(
    v: Value,
    i: number,
    spec: ProgramSpec,
    rootOf: ReadonlyMap<Value, number>,
    direct: ReadonlyMap<Value, number>,
  ): Result {
    const target = spec.targetOf[i]!;
    const home = this.homes.get(v)!;
    if (v.bytes === 0) return target >= 0 ? { kind: 'done' } : { kind: 'empty' };
    if (target >= 0) {
      return direct.get(v) === target ? { kind: 'done' } : { kind: 'commit', home, target, bytes: v.bytes };
    }
    const one = rootOf.get(v)!;
    if (v.kind === 'computed' && !direct.has(v) && one !== i && spec.targetOf[one]! < 0)
      return { kind: 'same', root: one };
    if (home.kind === 'external' && v.kind === 'computed' && !direct.has(v))
      return { kind: 'own', external: home.index, bytes: v.bytes };
    return { kind: 'copy', home, bytes: v.bytes };
  }

  private isSource(h: Home): boolean {
    return h.kind === 'external' && h.index < this.targetAt;
  }
  private addressOf(h: Home): number {
    if (h.kind === 'arena') return this.device.arena(this.arenaBytes) + this.offsets[h.life]!;
    return h.kind === 'external' ? this.external[h.index]!.ptr : this.block + h.offset;
  }

  run(
    sources: readonly Storage[],
    uniforms: readonly HostScalar[],
    targets: readonly Storage[],
  ): (Storage | null)[] {
    const { device } = this;
    device.begin();
    for (const t of targets) device.pinTarget(t as CpuBuffer);
    // One run is thousands of bytes or many microseconds, but it may be one of millions: loops that allocate nothing.
    let staged: number[] | null = null;
    for (let i = 0; i < sources.length; i++) {
      if (this.staging[i]! >= 0 && !device.pinSource(sources[i] as CpuBuffer | Part)) (staged ??= []).push(i);
    }
    const { results } = this;
    const out: (Storage | null)[] = new Array(results.length).fill(null);
    try {
      for (let i = 0; i < results.length; i++) {
        const r = results[i]!;
        if (r.kind === 'own') out[i] = device.newResult(r.bytes);
      }
      const arena = device.arena(this.arenaBytes);
      const w = device.words();
      this.relocate(w, arena);
      if (staged !== null) this.stage(staged, sources, w, arena);
      for (let i = 0; i < sources.length; i++) {
        const s = sources[i] as CpuBuffer | Part;
        if (s instanceof Part) {
          if (s.whole.ptr !== 0) this.point(w, i, s.whole.ptr + s.offset);
        } else if (s.ptr !== 0) this.point(w, i, s.ptr);
      }
      for (let t = 0; t < targets.length; t++)
        this.point(w, this.targetAt + t, (targets[t] as CpuBuffer).ptr);
      this.writeUniforms(uniforms);
      for (let i = 0; i < results.length; i++) {
        const r = results[i]!;
        if (r.kind === 'own') this.point(w, r.external, (out[i] as CpuBuffer).ptr);
        // Copies of sources are taken before anything can replace them.
        else if ((r.kind === 'copy' || r.kind === 'commit') && this.isSource(r.home))
          out[i] = device.copyResult(this.addressOf(r.home), r.bytes);
      }
      this.execute();
    } catch (e) {
      results.forEach((r, i) => {
        if (r.kind === 'own' && out[i] !== null) device.drop(out[i] as CpuBuffer);
      });
      throw e;
    }
    for (let i = 0; i < results.length; i++) {
      const r = results[i]!;
      if (r.kind === 'commit') {
        const to = (targets[r.target] as CpuBuffer).ptr;
        const early = out[i] as CpuBuffer | null;
        out[i] = null;
        if (early !== null) device.bytes().set(early.host!, to);
        else {
          const from = this.addressOf(r.home);
          device.bytes().copyWithin(to, from, from + r.bytes);
        }
      } else if (r.kind === 'copy' && out[i] === null)
        out[i] = device.smallResult(this.addressOf(r.home), r.bytes);
      else if (r.kind === 'empty') out[i] = device.upload(new Uint8Array(0));
    }
    for (const t of targets) {
      const { home } = t as CpuBuffer;
      home.host = null;
      home.kept = null;
    }
    for (let i = 0; i < results.length; i++) {
      const r = results[i]!;
      // Two results are two buffers, or an in-place change of one would show in the other.
      if (r.kind === 'same') out[i] = device.clone(out[r.root]!);
    }
    return out;
  }
  /** Bytes without an address pass through the arena. */
  private stage(which: readonly number[], sources: readonly Storage[], w: Int32Array, arena: number): void {
    for (const i of which) {
      const at = arena + this.offsets[this.staging[i]!]!;
      this.device.copyIn(sources[i] as CpuBuffer | Part, at);
      this.point(w, i, at);
    }
  }

  private relocate(w: Int32Array, arena: number): void {
    if (this.epoch === this.device.arenaEpoch) return;
    this.epoch = this.device.arenaEpoch;
    const base = this.block >> 2;
    const { arenaWords: a } = this;
    for (let i = 0; i < a.length; i += 3) w[base + a[i]!] = arena + this.offsets[a[i + 1]!]! + a[i + 2]!;
  }
  private point(w: Int32Array, index: number, ptr: number): void {
    const e = this.external[index]!;
    if (e.ptr === ptr) return;
    e.ptr = ptr;
    const base = this.block >> 2;
    for (let i = 0; i < e.words.length; i += 2) w[base + e.words[i]!] = ptr + e.words[i + 1]!;
  }
  private writeUniforms(uniforms: readonly HostScalar[]): void {
    const buffer = this.device.heap.memory.buffer;
    for (let i = 0; i < uniforms.length; i++) {
      const { offset, dtype } = this.uniformAt[i]!;
      if (offset >= 0)
        writeElement(typedArray(dtype, buffer, this.block + offset, 1), dtype, 0, uniforms[i]!.value());
    }
  }

  private execute(): void {
    if (profiling.now !== null) {
      this.executeTimed(profiling.now);
      return;
    }
    const { device, segments } = this;
    device.share(this.sharedNs);
    for (let i = 0; i < segments.length; i++) {
      const s = segments[i]!;
      if (s.kind === 'run') device.execute(this.commandsAt + s.first * COMMAND_WORDS * 4, s.count);
      else if (s.kind === 'check') device.checkStatus(this.raising);
      else this.hostOp(s.kernel, s.places);
    }
  }
  /** The same, kernel by kernel. */
  private executeTimed(into: KernelTime[]): void {
    this.device.share(this.sharedNs);
    const timed = (info: KernelInfo, body: () => void): void => {
      const start = performance.now();
      body();
      into.push({ ...info, start, ms: performance.now() - start });
    };
    for (const s of this.segments) {
      if (s.kind === 'check') this.device.checkStatus(this.raising);
      else if (s.kind === 'host') timed(s.info, () => this.hostOp(s.kernel, s.places));
      else {
        for (let at = s.first; at < s.first + s.count; ) {
          // A kernel may be several commands: packing and product.
          const info = this.commandInfo[at]!;
          let n = 1;
          while (at + n < s.first + s.count && this.commandInfo[at + n] === info) n++;
          timed(info, () => this.device.execute(this.commandsAt + at * COMMAND_WORDS * 4, n));
          at += n;
        }
      }
    }
  }
  private hostOp(k: HostKernel, places: readonly Place[]): void {
    const { device } = this;
    const view = (v: Value, { home, offset }: Place) =>
      typedArray(v.dtype, device.heap.memory.buffer, this.addressOf(home) + offset, v.numel);
    const inputs = k.buffers.slice(0, -1).map((v, i): HostValue => {
      const raw = v.numel === 0 ? typedArray(v.dtype, new ArrayBuffer(0)) : view(v, places[i]!);
      const data = new Float64Array(v.numel);
      for (let i = 0; i < v.numel; i++) data[i] = readElement(raw, v.dtype, i);
      return { data, shape: v.node.shape, dtype: v.dtype };
    });
    const result = k.node.op.host!(inputs, k.node);
    const to = k.buffers[k.buffers.length - 1]!;
    const out = view(to, places[places.length - 1]!);
    for (let i = 0; i < to.numel; i++) writeElement(out, to.dtype, i, result[i]!);
  }

  dispose(): void {
    if (this.block === 0) return;
    this.device.heap.release(this.block);
    this.device.planBytes -= this.bytes;
    this.block = 0;
  }
}

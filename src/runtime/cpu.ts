// The cpu device: plans in WebAssembly memory, run as command lists.
// In: program specs. Out: executables. A buffer lives in WASM memory, in a JavaScript ArrayBuffer, or both: small results
// go to JavaScript at once, large ones when memory is needed (least recently used first), so nothing is ever leaked.

import { flag } from '../base/env.ts';
import { DeviceError, ValueError } from '../base/errors.ts';
import { assemble, type Func } from '../codegen/wasm-asm.ts';
import { type Emitted, HOST_IMPORTS, KERNEL_TYPE, type Target } from '../codegen/wasm-target.ts';
import type { Node, Storage } from '../ir/node.ts';
import { CHECK } from '../ir/ops/elementwise.ts';
import { HOST_MATH } from '../ir/scalar.ts';
import type { NativeGemm } from '../kernels/gemm.ts';
import { CpuBuffer, type Home, Part } from './buffer.ts';
import { CLOSED, CTRL, runtimeModule, SHARED, WAKE_FROM_NS } from './control.ts';
import { CpuPlan } from './cpu-plan.ts';
import type { Device, Executable, ProgramSpec } from './device.ts';
import { Heap } from './heap.ts';
import { type Keeper, makeKeeper } from './keeper.ts';
import type { KernelCode } from './plan-code.ts';
import { type Blas, type NativeBlas, Pool, platform, type Sgemm } from './pool.ts';
import { LARGE, Residents } from './resident.ts';

/** Results from this size on are kept on the engine's heap … */
const KEEP_FROM = 1024;
/** … as long as it is not fuller than this, which is looked at after so many bytes. */
const HEAP_FULL = 0.25;
const HEAP_CHECK = 4 * 1024 * 1024;
/** Structures of kernels whose code is remembered; the oldest goes first. */
const MAX_CODES = 1024;
/** Results and cached sources beyond this many bytes make the oldest of them leave WASM memory. */
const LOOSE_LIMIT = 512 * 1024 * 1024;

/** … or short runs, where at most this many times as long has passed meanwhile. */
const WAKE_SHARE = 6;

/** Whether the engine multiplies and adds in one instruction: a module that uses it must validate. */
function detectFma(): boolean {
  // (func (param v128 v128 v128) (result v128) f32x4.relaxed_madd)
  const bytes = new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0,
    32, 1, 32, 2, 253, 133, 2, 11,
  ]);
  return WebAssembly.validate(bytes);
}

export class CpuDevice implements Device {
  readonly name: string = 'cpu';
  readonly heap: Heap;
  readonly pool: Pool;
  readonly target: Target;
  readonly threads: number;
  private readonly native: NativeBlas | null;
  private opened: Blas | null = null;
  private readonly runtime: { run(cmd: number, count: number, how: number): number };
  private readonly table: WebAssembly.Table;
  private readonly imports: Record<string, WebAssembly.ExportValue>;
  private readonly functions = new Map<string, number>();
  private readonly codes = new Map<string, KernelCode>();
  private pending: Func[] = [];
  private nextFunction = 1;
  private moduleCount = 0;
  private moduleHead = 0;
  private moduleBytes = 0;
  private readonly residents: Residents;
  /** Null where the engine has no arrays for it. */
  readonly keeper: Keeper | null;
  private keptBytes = 0;
  private heapIsFull = false;
  private offered = 0;
  private offeredSince = 0;
  private arenaPtr = 0;
  private arenaSize = 0;
  arenaEpoch = 0;
  stamp = 0;
  private views: { buffer: ArrayBufferLike; i32: Int32Array; u8: Uint8Array } | null = null;
  compiled = 0;
  /** How long the caller waits for tasks that workers have claimed, in ms. */
  patience = 20_000;
  /** Bytes of the parameter blocks of all plans. */
  planBytes = 0;

  constructor(options: { threads?: number } = {}) {
    this.heap = new Heap(flag('TENON_MAX_MB'));
    this.target = { fma: detectFma() };
    this.native = platform().findBlas?.() ?? null;
    this.residents = new Residents(this.heap, (ptr, bytes) => this.copyOut(ptr, bytes));
    this.keeper = makeKeeper(this.heap.memory, this.heap.maxPages);
    this.table = new WebAssembly.Table({ initial: 64, element: 'anyfunc' });
    let since = 0;
    this.imports = {
      m: this.heap.memory,
      t: this.table,
      late: (spins: number) => {
        if (spins === 0x100000) since = performance.now();
        return performance.now() - since > this.patience ? 1 : 0;
      },
      sgemm: (...args: Parameters<Sgemm>) => {
        this.blas().sgemm!(...args);
      },
      ...HOST_MATH,
    };
    const bytes = runtimeModule(this.heap.maxPages);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: this.imports });
    this.runtime = instance.exports as unknown as typeof this.runtime;
    const wanted = options.threads ?? flag('TENON_THREADS');
    this.threads = Math.max(1, wanted > 0 ? wanted : platform().cores);
    this.pool = new Pool(
      this.heap.memory,
      bytes,
      Object.keys(HOST_MATH),
      this.threads,
      this.native?.found ?? null,
    );
    this.words()[CTRL.job >> 2] = CLOSED;
  }

  /** The native BLAS, opened when a product first asks for it. */
  private blas(): Blas {
    this.opened ??= this.native?.open(this.heap.memory) ?? { sgemm: null, about: platform().name };
    return this.opened;
  }

  /** The library is opened when the first product is worth it. */
  readonly nativeGemm: NativeGemm = (g, target) => {
    if (this.native === null || this.native.found === null) return null;
    const pieces = this.native.gemm(g, target);
    return pieces === null || this.blas().sgemm === null ? null : pieces;
  };

  // ---- memory ---------------------------------------------------------------------------------------------------------

  private view(): { i32: Int32Array; u8: Uint8Array } {
    const buffer = this.heap.memory.buffer;
    if (this.views === null || this.views.buffer !== buffer) {
      this.views = { buffer, i32: new Int32Array(buffer), u8: new Uint8Array(buffer) };
    }
    return this.views;
  }
  words(): Int32Array {
    return this.view().i32;
  }
  bytes(): Uint8Array {
    return this.view().u8;
  }
  /** Memory for `bytes`; idle buffers move to JavaScript where needed. */
  alloc(bytes: number, what: string): number {
    let at = this.heap.tryAlloc(bytes);
    while (at === 0 && this.residents.evict(this.stamp, true)) at = this.heap.tryAlloc(bytes);
    return at !== 0 ? at : this.heap.alloc(bytes, what);
  }
  /** Gives a buffer an address; its bytes are copied in where it has some. */
  private moveIn(b: CpuBuffer, cell: boolean): void {
    this.residents.add(b, this.alloc(b.byteLength, 'cpu'), cell);
    if (b.host !== null || b.home.kept !== null) this.copyIn(b, b.ptr);
    while (this.residents.looseBytes > LOOSE_LIMIT && this.residents.evict(this.stamp, false));
  }
  private touch(b: CpuBuffer): void {
    if (b.home.stamp === this.stamp) return;
    b.home.stamp = this.stamp;
    this.residents.touch(b.home);
  }
  private copyOut(ptr: number, bytes: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(bytes);
    out.set(this.bytes().subarray(ptr, ptr + bytes));
    return out;
  }
  /** Copies the bytes of a source that has no address to one. */
  copyIn(s: CpuBuffer | Part, at: number): void {
    const { home } = s instanceof Part ? s.whole : s;
    if (home.host === null && home.kept !== null) {
      if (s instanceof CpuBuffer) {
        this.keeper!.restore(home.kept, at);
        return;
      }
      home.host = this.fromKept(home);
    }
    const host = home.host!;
    this.bytes().set(s instanceof Part ? host.subarray(s.offset, s.offset + s.byteLength) : host, at);
  }
  private fromKept({ kept, byteLength }: Home): Uint8Array<ArrayBuffer> {
    const at = this.alloc(byteLength, 'cpu');
    this.keeper!.restore(kept!, at);
    const out = this.copyOut(at, byteLength);
    this.heap.release(at);
    return out;
  }
  /** The arena shared by all plans: one region, as large as the largest plan so far. */
  arena(bytes: number): number {
    if (bytes > this.arenaSize) {
      if (this.arenaPtr !== 0) this.heap.release(this.arenaPtr);
      this.arenaPtr = 0;
      this.arenaSize = 0;
      this.arenaEpoch++;
      this.arenaPtr = this.alloc(bytes, 'cpu');
      this.arenaSize = bytes;
    }
    return this.arenaPtr;
  }

  upload(bytes: Uint8Array): CpuBuffer {
    const host = new Uint8Array(bytes.byteLength);
    host.set(bytes);
    return this.adopt(host);
  }
  adopt(bytes: Uint8Array<ArrayBuffer>): CpuBuffer {
    return new CpuBuffer(bytes.byteLength, bytes);
  }
  download(s: Storage): Uint8Array<ArrayBuffer> {
    const b = s as CpuBuffer;
    if (b.host !== null) return b.host.slice();
    if (b.ptr !== 0) return this.copyOut(b.ptr, b.byteLength);
    return b.home.kept === null ? new Uint8Array(b.byteLength) : this.fromKept(b.home);
  }
  peek(s: Storage): Uint8Array {
    const { host, ptr, byteLength } = s as CpuBuffer;
    if (host !== null) return host;
    return ptr === 0 ? this.download(s) : this.bytes().subarray(ptr, ptr + byteLength);
  }
  clone(s: Storage): CpuBuffer {
    return new CpuBuffer(s.byteLength, this.download(s));
  }
  part(s: Storage, offset: number, bytes: number): Part {
    return new Part(s as CpuBuffer, offset, bytes);
  }
  empty(bytes: number): CpuBuffer {
    return new CpuBuffer(bytes, null);
  }
  describe(): Record<string, string | number | boolean> {
    return {
      platform: platform().name,
      threads: this.pool.started + 1,
      sharedThreads: platform().spawn !== null,
      relaxedSimd: this.target.fma,
      blas: this.blas().sgemm !== null,
      blasLibrary: this.blas().about,
      maxMB: this.heap.maxPages / 16,
    };
  }
  memory(): Record<string, number> {
    return {
      wasm: this.heap.totalBytes,
      used: this.heap.used,
      cells: this.residents.bytes - this.residents.looseBytes,
      results: this.residents.looseBytes,
      arena: this.arenaSize,
      plans: this.planBytes,
      code: this.moduleBytes,
    };
  }

  // ---- code ---------------------------------------------------------------------------------------------------------

  /** The table index of a function; equal code is one function. */
  addFunction(code: Emitted): number {
    const body = code.code.view();
    let key = `${code.locals.join('')}|`;
    for (let i = 0; i < body.length; i += 4096)
      key += String.fromCharCode.apply(null, body.subarray(i, i + 4096) as unknown as number[]);
    let index = this.functions.get(key);
    if (index === undefined) {
      index = this.nextFunction++;
      this.functions.set(key, index);
      this.pending.push({ type: KERNEL_TYPE, locals: code.locals, code: code.code });
    }
    return index;
  }
  /** The code of a structure of kernels, made where it is new. */
  kernelCode(structure: string, make: () => KernelCode): KernelCode {
    let code = this.codes.get(structure);
    if (code === undefined) {
      code = make();
      if (this.codes.size >= MAX_CODES) this.codes.delete(this.codes.keys().next().value!);
      this.codes.set(structure, code);
    }
    return code;
  }
  /** Compiles all new functions as one module and hands it to the workers. */
  link(): void {
    if (this.pending.length === 0) return;
    const base = this.nextFunction - this.pending.length;
    const bytes = assemble({
      imports: HOST_IMPORTS,
      types: [KERNEL_TYPE],
      funcs: this.pending,
      tableBase: base,
      maxPages: this.heap.maxPages,
    });
    this.pending = [];
    if (this.table.length < this.nextFunction)
      this.table.grow(Math.max(this.nextFunction - this.table.length, this.table.length));
    new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: this.imports });
    this.moduleBytes += bytes.length;
    this.compiled++;
    if (this.pool.started === 0) return;
    const at = this.alloc(bytes.length + 16, 'cpu');
    const w = this.words();
    w.set([this.moduleHead, bytes.length, this.nextFunction, ++this.moduleCount], at >> 2);
    this.bytes().set(bytes, at + 16);
    this.moduleHead = at;
    Atomics.store(w, CTRL.moduleHead >> 2, at);
    Atomics.store(w, CTRL.moduleSeq >> 2, this.moduleCount);
  }

  compile(spec: ProgramSpec): Executable {
    return new CpuPlan(this, spec);
  }

  /** Says how much work the next run has to share. Sleeping workers are woken when there is enough of it at once. */
  share(ns: number): void {
    if (ns === 0 || this.pool.started === 0) return;
    this.offered += ns;
    if (this.offered < WAKE_FROM_NS) return;
    // Many short runs in a row are worth as much as a long one: what counts is the share of the time.
    const now = performance.now();
    if (ns >= WAKE_FROM_NS || (now - this.offeredSince) * 1e6 < WAKE_SHARE * this.offered) this.pool.wake();
    this.offered = 0;
    this.offeredSince = now;
  }
  /** Runs commands; throws what went wrong on any thread. */
  execute(commands: number, count: number): void {
    const shared = this.pool.ready > 0;
    let silent: number;
    try {
      silent = this.runtime.run(commands, count, shared ? SHARED : 0);
    } catch (e) {
      this.callOff(this.patience);
      throw e;
    }
    if (silent !== 0) this.callOff(0);
    if (shared) this.pool.check();
  }
  /**
   * Ends a job that stopped half-way: nobody starts another of its tasks, and those that workers have begun are awaited.
   * Throws where they are not done after so many ms.
   */
  private callOff(patience: number): void {
    const w = this.words();
    const at = (address: number): number => address >> 2;
    const next = Atomics.or(w, at(CTRL.job), CLOSED) & CLOSED;
    const count = w[at(CTRL.jobCount)]!;
    const others = (next === CLOSED ? count : next) - w[at(CTRL.mine)]!;
    const until = (w[at(CTRL.doneBefore)]! + others) | 0;
    const start = performance.now();
    let silent = false;
    while (Atomics.load(w, at(CTRL.done)) !== until && !silent)
      silent = performance.now() - start >= patience;
    w[at(CTRL.mine)] = count;
    w[at(CTRL.doneBefore)] = Atomics.load(w, at(CTRL.done));
    if (silent) {
      throw new DeviceError(
        'cpu',
        'every worker thread must answer',
        `one that is silent for ${this.patience / 1000} s`,
        'restart the process, or set TENON_THREADS=1',
      );
    }
  }
  /** Throws where a check inside a kernel failed. */
  checkStatus(nodes: readonly Node[]): void {
    const w = this.words();
    const code = w[CTRL.status >> 2]!;
    if (code === 0) return;
    const bad = w[(CTRL.status >> 2) + 1]!;
    w[CTRL.status >> 2] = 0;
    if (code === CHECK.divideByZero) {
      throw new ValueError(
        'div',
        'an integer cannot be divided by zero',
        '0',
        'convert to a floating dtype, or mask the zeros',
      );
    }
    const raising = nodes.filter(n => n.op.raises !== null);
    const names = [...new Set(raising.map(n => n.op.name))].join(' or ');
    throw new ValueError(
      names || 'index',
      'indices and labels must lie inside the dim that they address',
      `${bad}`,
      'check the labels (0 … classes−1) or the indices; nothing was changed',
    );
  }

  // ---- for plans --------------------------------------------------------------------------------------------------------

  /** Begins a run: buffers touched from now on stay where they are until the next one. */
  begin(): void {
    this.stamp++;
  }
  /** Gives the home of a cell an address for this run, with its bytes. */
  pinTarget(b: CpuBuffer): void {
    this.touch(b);
    if (b.ptr === 0) this.moveIn(b, true);
    else this.residents.keep(b.home);
  }
  /**
   * Whether a source has an address; bytes that come once pass through the plan's own memory instead, and so do small
   * parts (batches of a data set).
   */
  pinSource(s: CpuBuffer | Part): boolean {
    const b = s instanceof Part ? s.whole : s;
    this.touch(b);
    if (b.ptr !== 0) return true;
    b.uses++;
    if (b.uses < 2 || b.byteLength < 1024 || s.byteLength * 4 < b.byteLength) return false;
    this.moveIn(b, false);
    return true;
  }
  newResult(bytes: number): CpuBuffer {
    const b = new CpuBuffer(bytes, null);
    b.home.stamp = this.stamp;
    this.moveIn(b, false);
    b.castShadow();
    return b;
  }
  /** Takes the address of a result of a run that failed. */
  drop(b: CpuBuffer): void {
    if (b.ptr !== 0) this.residents.drop(b.home);
  }
  /** A small result whose bytes are at an address that others will use. */
  smallResult(ptr: number, bytes: number): CpuBuffer {
    if (bytes < KEEP_FROM || bytes >= LARGE || !this.mayKeep(bytes)) return this.copyResult(ptr, bytes);
    const b = new CpuBuffer(bytes, null);
    b.home.kept = this.keeper!.keep(ptr, (bytes + 15) >> 4);
    return b;
  }
  private mayKeep(bytes: number): boolean {
    if (this.keeper === null) return false;
    this.keptBytes += bytes;
    if (this.keptBytes >= HEAP_CHECK) {
      this.keptBytes = 0;
      this.heapIsFull = (platform().heapUse?.() ?? 0) > HEAP_FULL;
    }
    return !this.heapIsFull;
  }
  copyResult(ptr: number, bytes: number): CpuBuffer {
    return new CpuBuffer(bytes, this.copyOut(ptr, bytes));
  }
}

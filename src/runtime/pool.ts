// The thread pool: workers that share the memory and claim tasks from the running command.
// In: a memory and the bytes of modules. Out: how many workers are ready. Not its job: deciding what to run.

import { DeviceError } from '../base/errors.ts';
import { warnOnce } from '../base/log.ts';
import type { NativeGemm } from '../kernels/gemm.ts';
import { CTRL } from './control.ts';

/** Starts one thread that runs `source` and gets `data`; chosen by the platform's build. */
export type SpawnWorker = (source: string, data: unknown) => { terminate(): void };

/** C = A·B on row-major float32 matrices in the shared memory: transposed or not, sizes, addresses with row lengths. */
export type Sgemm = (
  ...args: [
    ta: number,
    tb: number,
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    c: number,
    ldc: number,
  ]
) => void;
export interface Blas {
  readonly sgemm: Sgemm | null;
  /** Which library, or why there is none. */
  readonly about: string;
}
export interface NativeBlas {
  /** What a worker needs to open it too; null where there is none. */
  readonly found: unknown;
  /** How products are given to it. */
  readonly gemm: NativeGemm;
  open(memory: WebAssembly.Memory): Blas;
}
interface Platform {
  readonly spawn: SpawnWorker | null;
  readonly cores: number;
  readonly name: string;
  readonly findBlas: (() => NativeBlas) | null;
  /** How full the engine's heap is, from 0 to 1; null where that cannot be known. */
  readonly heapUse: (() => number) | null;
}

let chosen: Platform = { spawn: null, cores: 1, name: 'an unknown platform', findBlas: null, heapUse: null };
/** Called once by the platform's entry. */
export function setPlatform(p: Platform): void {
  chosen = p;
}
export const platform = (): Platform => chosen;

/** How long a worker looks for work before it goes to sleep: about half a millisecond. */
const SPINS = 400_000;

/**
 * What a worker runs: self-contained, since it travels as text. It serves jobs, compiles new modules when the sequence
 * number in shared memory has moved, and sleeps when nothing comes.
 */
const WORKER = /* js */ `
const serve = ({ memory, runtime, names, C, spins }, sgemm) => {
  const at = i => i >> 2;
  let words = new Int32Array(memory.buffer);
  const fresh = () => (words.buffer === memory.buffer ? words : (words = new Int32Array(memory.buffer)));
  const table = new WebAssembly.Table({ initial: 1, element: 'anyfunc' });
  const e = { m: memory, t: table, late: () => 0, sgemm: sgemm ?? (() => {}) };
  for (const n of names) e[n] = n in Math ? Math[n] : n === 'rem' ? (a, b) => a % b : () => { throw new Error(n + ' on a worker'); };
  const rt = new WebAssembly.Instance(new WebAssembly.Module(runtime), { e }).exports;
  // Memory that another thread has grown is seen here after a while, or when this thread asks to grow it by nothing.
  const upTo = end => {
    while (memory.buffer.byteLength < end) memory.grow(0);
    return fresh();
  };
  let known = 0;
  const update = () => {
    const list = [];
    // The newest record says which it is: the number and the head in shared memory are two words, of two moments.
    for (let p = Atomics.load(fresh(), at(C.moduleHead)); p !== 0 && upTo(p + 16)[at(p) + 3] > known; p = fresh()[at(p)]) list.push(p);
    for (const p of list.reverse()) {
      const v = fresh();
      const size = v[at(p) + 1], need = v[at(p) + 2];
      upTo(p + 16 + size);
      if (table.length < need) table.grow(need - table.length);
      const bytes = new Uint8Array(size);
      bytes.set(new Uint8Array(memory.buffer, p + 16, size));
      new WebAssembly.Instance(new WebAssembly.Module(bytes), { e });
      known = v[at(p) + 3];
    }
  };
  update();
  Atomics.add(words, at(C.ready), 1);
  for (;;) {
    let r = 0;
    try {
      r = rt.worker(spins, known);
    } catch (err) {
      const w = fresh();
      Atomics.store(w, at(C.trapped), 1);
      Atomics.add(w, at(C.done), 1);
    }
    if (r === 1) update();
    else if (r === 3) return;
    else if (r === 2) {
      const w = fresh();
      // Read before it is counted: whoever sees the count changes the number, and then it does not wait.
      const before = Atomics.load(w, at(C.wake));
      Atomics.add(w, at(C.sleepers), 1);
      Atomics.wait(w, at(C.wake), before);
    }
  }
};
`;

export class Pool {
  private readonly memory: WebAssembly.Memory;
  private readonly workers: { terminate(): void }[] = [];
  private words: Int32Array;

  constructor(
    memory: WebAssembly.Memory,
    runtime: Uint8Array,
    names: readonly string[],
    threads: number,
    blas: unknown,
  ) {
    this.memory = memory;
    this.words = new Int32Array(memory.buffer);
    if (threads < 2) return;
    const { spawn, name } = platform();
    if (spawn === null) {
      warnOnce(`tenon: ${name} gives no shared threads; running on one`);
      return;
    }
    const data = { memory, runtime, names, C: CTRL, spins: SPINS, blas };
    for (let i = 1; i < threads; i++) this.workers.push(spawn(WORKER, data));
  }
  private at(address: number): number {
    if (this.words.buffer !== this.memory.buffer) this.words = new Int32Array(this.memory.buffer);
    return address >> 2;
  }
  /** Workers that have checked in. */
  get ready(): number {
    if (this.workers.length === 0) return 0;
    const i = this.at(CTRL.ready);
    return Atomics.load(this.words, i);
  }
  get started(): number {
    return this.workers.length;
  }
  /** Wakes sleeping workers, once per plan with enough work: it costs the caller up to 66 µs. */
  wake(): void {
    const s = this.at(CTRL.sleepers);
    const n = Atomics.load(this.words, s);
    if (n === 0) return;
    Atomics.sub(this.words, s, n);
    const i = this.at(CTRL.wake);
    Atomics.add(this.words, i, 1);
    Atomics.notify(this.words, i);
  }
  /** Throws where a kernel failed on a worker. */
  check(): void {
    const i = this.at(CTRL.trapped);
    if (Atomics.exchange(this.words, i, 0) !== 0) {
      throw new DeviceError(
        'cpu',
        'a kernel must not fail on a worker thread',
        'a trap',
        'set TENON_THREADS=1 to see it on the main thread',
      );
    }
  }
  async terminate(): Promise<void> {
    const i = this.at(CTRL.stop);
    Atomics.store(this.words, i, 1);
    Atomics.add(this.words, this.at(CTRL.wake), 1);
    Atomics.notify(this.words, this.at(CTRL.wake));
    await Promise.all(this.workers.map(w => w.terminate()));
    this.workers.length = 0;
  }
}

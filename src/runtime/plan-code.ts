// The commands of a plan: functions, blocks of parameters and tasks, from kernels and the places of their values.
// In: kernels in their order, a place for each value. Out: words, commands, segments. Not its job: running them.

import { flag } from '../base/env.ts';
import { log } from '../base/log.ts';
import type { LoopProgram } from '../codegen/loop.ts';
import { lower } from '../codegen/lower.ts';
import { emitLoops } from '../codegen/wasm.ts';
import { withExprs } from '../ir/scalar.ts';
import { emitGemm } from '../kernels/gemm.ts';
import { codeOf } from '../kernels/own.ts';
import { cutRange, NS_PER_OP, type Piece, type Pieces } from '../kernels/pieces.ts';
import {
  type GemmKernel,
  type HostKernel,
  type Kernel,
  type LoopKernel,
  nameOf,
  type OwnKernelCall,
  type StepsKernel,
  type Value,
  writesOf,
} from '../schedule/kernel.ts';
import { kernelKey } from '../schedule/kernel-key.ts';
import type { Lifetime } from '../schedule/memory.ts';
import { MAX_TASKS, SHARED, WAKE_FROM_NS, WAKES } from './control.ts';
import type { CpuDevice } from './cpu.ts';
import type { KernelInfo } from './device.ts';

/** Where a value lives during a run. */
export type Home =
  | { readonly kind: 'arena'; readonly life: number }
  | { readonly kind: 'external'; readonly index: number }
  | { readonly kind: 'uniform'; readonly offset: number };
/** A place in a home: so many bytes from its begin. */
export interface Place {
  readonly home: Home;
  readonly offset: number;
}
export const moved = (p: Place, bytes: number): Place => ({ home: p.home, offset: p.offset + bytes });
export type PlaceOf = (v: Value) => Place;

export type Segment =
  | { readonly kind: 'run'; readonly first: number; readonly count: number }
  | {
      readonly kind: 'host';
      readonly kernel: HostKernel;
      readonly places: readonly Place[];
      readonly info: KernelInfo;
    }
  | { readonly kind: 'check' };

export interface Command {
  readonly fn: number;
  readonly tasks: (readonly [word: number, begin: number, end: number])[];
  parallel: boolean;
  /** About how long it takes on one thread. */
  ns: number;
  /** Which kernel of the plan it is; -1 for one of a body. */
  readonly step: number;
}
/** Alone for so long, the other threads go to sleep. */
const LONG_ALONE_NS = 300_000;
/**
 * How each command runs, in the terms of control.ts: alone, shared, or shared and worth waking threads for that fell asleep
 * while the command before was finished by one of them.
 */
export function flagsOf(commands: readonly Command[]): number[] {
  const out = new Array<number>(commands.length);
  let ahead = 0;
  for (let i = commands.length - 1; i >= 0; i--) {
    const { parallel, ns } = commands[i]!;
    if (parallel) ahead += ns;
    else if (ns >= LONG_ALONE_NS) ahead = 0;
    out[i] = parallel ? (ahead >= WAKE_FROM_NS ? SHARED | WAKES : SHARED) : 0;
  }
  return out;
}
export type Emittable = LoopKernel | GemmKernel | OwnKernelCall;

/** A piece whose function is in the device's table. */
interface Coded extends Pick<Piece, 'tasks' | 'ns'> {
  readonly fn: number;
  readonly ints: readonly number[];
  readonly mainThreadOnly: boolean;
}
/** What kernels of one structure share. */
export interface KernelCode {
  readonly pieces: readonly Coded[];
  readonly scratch: readonly number[];
}
/** The code of a kernel, and how it looks to a profile. */
export interface Emission extends KernelCode {
  readonly kernel: Emittable;
  readonly info: KernelInfo;
}
/** How steps are written out; runtime/steps.ts sets it, which comes with those who make steps. */
export const stepsWriter: {
  write: ((code: PlanCode, k: StepsKernel, step: number, placeOf: PlaceOf) => void) | null;
} = { write: null };

export class PlanCode {
  readonly words: number[];
  /** Pairs: a word, the uniform's offset. */
  readonly uniformWords: number[] = [];
  /** Triples: a word, a lifetime, how many bytes into it. */
  readonly arenaWords: number[] = [];
  /** Per external value pairs: a word, how many bytes into it; and the address that they hold. */
  readonly external: { words: number[]; ptr: number }[] = [];
  readonly lives: Lifetime[] = [];
  readonly commands: Command[] = [];
  /** The kernel that each command belongs to. */
  readonly commandInfo: KernelInfo[] = [];
  readonly infos = new Set<KernelInfo>();
  readonly segments: Segment[] = [];
  /** Time in kernels that threads share, on one of them. */
  sharedNs = 0;
  private readonly device: CpuDevice;
  private opened = 0;

  constructor(device: CpuDevice, uniformBytes: number) {
    this.device = device;
    this.words = new Array((uniformBytes + 8) >> 2).fill(0);
  }

  newLife(bytes: number, from: number, to: number): Home {
    return { kind: 'arena', life: this.lives.push({ bytes: Math.max(bytes, 1), from, to }) - 1 };
  }
  newExternal(): number {
    return this.external.push({ words: [], ptr: 0 }) - 1;
  }

  /** All kernels in order, with a check before the one at `checkAt`. */
  add(order: readonly Kernel[], placeOf: PlaceOf, checkAt: number): void {
    order.forEach((k, step) => {
      if (step === checkAt) this.check();
      if (k.kind === 'host') this.host(k, infoOf(k), placeOf);
      else if (k.kind === 'steps') stepsWriter.write!(this, k, step, placeOf);
      else {
        const e = this.emission(k);
        const scratch = e.scratch.map(bytes => ({ home: this.newLife(bytes, step, step), offset: 0 }));
        this.kernel(e, placeOf, scratch, step, order);
      }
    });
    this.close();
    if (checkAt === order.length) this.check();
  }
  private check(): void {
    this.close();
    this.segments.push({ kind: 'check' });
  }
  private close(): void {
    const count = this.commands.length - this.opened;
    if (count > 0) this.segments.push({ kind: 'run', first: this.opened, count });
    this.opened = this.commands.length;
  }
  host(kernel: HostKernel, info: KernelInfo, placeOf: PlaceOf): void {
    this.close();
    this.segments.push({ kind: 'host', kernel, places: kernel.buffers.map(placeOf), info });
    this.infos.add(info);
  }
  /** The layers of a deep net are many kernels of few structures: the code of each structure is made once. */
  emission(kernel: Emittable): Emission {
    const make = (): KernelCode => {
      const { pieces, scratch } = piecesOf(kernel, this.device);
      const coded = pieces.map(({ emitted, tasks, ns }) => {
        const { ints, mainThreadOnly } = emitted;
        return { fn: this.device.addFunction(emitted), ints, mainThreadOnly, tasks, ns };
      });
      return { pieces: coded, scratch };
    };
    const code = flag('DEBUG') >= 4 ? make() : this.device.kernelCode(kernelKey(kernel), make);
    return { kernel, ...code, info: infoOf(kernel) };
  }
  private point({ home, offset }: Place): void {
    const word = this.words.push(offset) - 1;
    if (home.kind === 'arena') this.arenaWords.push(word, home.life, offset);
    else if (home.kind === 'external') this.external[home.index]!.words.push(word, offset);
    else this.uniformWords.push(word, home.offset);
  }
  /** The commands of a kernel. One of a plan's own may join the command before it. */
  kernel(
    { kernel, pieces, info }: Emission,
    placeOf: PlaceOf,
    scratch: readonly Place[],
    step = -1,
    order: readonly Kernel[] = [],
  ): void {
    pieces.forEach((piece, i) => {
      const at = this.words.length;
      for (const v of kernel.buffers) this.point(placeOf(v));
      for (const p of scratch) this.point(p);
      this.words.push(...piece.ints);
      const tasks = piece.tasks.map(([b, e]) => [at, b, e] as const);
      const parallel = tasks.length > 1 && !piece.mainThreadOnly;
      if (parallel) this.sharedNs += piece.ns;
      const last = this.commands.length - 1;
      const prev = this.commands[last];
      const joins =
        step >= 0 &&
        prev !== undefined &&
        prev.fn === piece.fn &&
        i === 0 &&
        pieces.length === 1 &&
        last >= this.opened &&
        prev.step >= 0 &&
        prev.tasks.length + tasks.length <= MAX_TASKS &&
        independent(order, prev.step, step);
      if (joins) {
        this.commandInfo[last]!.work += info.work;
        this.commandInfo[last]!.bytes += info.bytes;
        prev.tasks.push(...tasks);
        prev.parallel ||= parallel;
        prev.ns += piece.ns;
        return;
      }
      this.commands.push({ fn: piece.fn, tasks, parallel, ns: piece.ns, step });
      this.infos.add(info);
      this.commandInfo.push(info);
    });
  }
}

function piecesOf(k: Emittable, device: CpuDevice): Pieces {
  if (k.kind === 'own') return codeOf(k.by)(k, device.target);
  if (k.kind === 'gemm') return emitGemm(k, device.target, device.nativeGemm);
  const program = lower(k);
  if (flag('DEBUG') >= 4) void showLoops(k, program);
  const emitted = emitLoops(program, k.exprs, k.buffers.length, device.target);
  const align = program.range >= 1024 ? 16 : 1;
  const ns = k.work * NS_PER_OP;
  return { pieces: [{ emitted, tasks: cutRange(program.range, ns, align), ns }], scratch: [] };
}
/** The printer is loaded on demand: its lines come after those of the step. */
async function showLoops(k: LoopKernel, program: LoopProgram): Promise<void> {
  const { printLoops } = await import('../codegen/loop-print.ts');
  log(`${nameOf(k)}\n${withExprs(() => printLoops(program), k.exprs)}`);
}

export const infoOf = (k: Kernel): KernelInfo => ({
  name: nameOf(k),
  kind: k.kind,
  work: k.work,
  bytes: k.buffers.reduce((n, v) => n + v.bytes, 0),
});
/** Whether the kernels from `a` on up to `b` read nothing that b writes and write nothing that b uses. */
function independent(order: readonly Kernel[], a: number, b: number): boolean {
  const k = order[b]!;
  const mine = new Set(writesOf(k));
  for (let i = a; i < b; i++) {
    const o = order[i]!;
    for (const v of writesOf(o)) if (k.buffers.includes(v)) return false;
    for (const v of o.buffers) if (mine.has(v)) return false;
  }
  return true;
}

// The control block in the first page of the memory, and the WASM module that runs command lists and the worker loop.
// In: nothing. Out: addresses and bytes. Not its job: starting threads (pool.ts).

import { assemble, Code, type FuncType, I32 } from '../codegen/wasm-asm.ts';
import { KERNEL_TYPE } from '../codegen/wasm-target.ts';

/** Addresses. Words that different threads write lie on cache lines of their own. */
export const CTRL = {
  /** Code and bad value of a failed check (codegen/wasm.ts STATUS). */
  status: 16,
  /** epoch << 12 | next task; next task 0xfff: closed. */
  job: 64,
  jobFn: 68,
  jobTasks: 72,
  jobCount: 76,
  done: 128,
  ready: 192,
  stop: 196,
  /** Address of the newest module record and how many there are. */
  moduleSeq: 200,
  moduleHead: 204,
  wake: 256,
  /** Threads asleep that nobody has woken yet: who wakes them takes them off, so that it is done once. */
  sleepers: 320,
  trapped: 384,
} as const;

export const MAX_TASKS = 4094;
const CLOSED = 0xfff;
/** A command: function, address of its tasks, their number, and how it runs: alone (0), or SHARED and perhaps WAKES. */
export const COMMAND_WORDS = 4;
export const SHARED = 1;
/** Sleeping threads are woken for it. */
export const WAKES = 2;
/** Waking costs the caller up to 66 µs: work for threads that pays it back. */
export const WAKE_FROM_NS = 150_000;
/** A task: parameter block, begin, end. */
export const TASK_WORDS = 3;
export const RUN_TYPE: FuncType = { params: [I32, I32, I32], results: [I32] };

/** Puts the address of task `index` (a local) on the stack. */
function taskAddress(c: Code, tasks: number, index: number): Code {
  return c
    .get(tasks)
    .get(index)
    .i32(TASK_WORDS * 4)
    .op('i32.mul')
    .op('i32.add');
}
function callTask(c: Code, task: number, fn: number): Code {
  c.get(task).mem('i32.load', 0).get(task).mem('i32.load', 4).get(task).mem('i32.load', 8);
  return c.get(fn).callIndirect(0);
}

/**
 * run(commands, count, workers): runs a list of commands; 0 when done, 1 when a worker did not answer in time.
 * worker(spins): serves jobs; returns 1 when a new module has to be compiled, 2 to sleep, 3 to stop.
 */
export function runtimeModule(maxPages: number): Uint8Array<ArrayBuffer> {
  // Imports: late() → 1 when the caller has waited too long.
  const LATE = 0;
  const lateType: FuncType = { params: [I32], results: [I32] };

  // locals: 0 cmd, 1 count, 2 workers, 3 fn, 4 tasks, 5 n, 6 i, 7 word, 8 task, 9 epoch, 10 spins
  const r = new Code();
  const run = {
    CMD: 0,
    COUNT: 1,
    WORKERS: 2,
    FN: 3,
    TASKS: 4,
    N: 5,
    I: 6,
    WORD: 7,
    TASK: 8,
    EPOCH: 9,
    SPINS: 10,
  };
  r.block().get(run.COUNT).op('i32.eqz').brIf(0).loop();
  r.get(run.CMD).mem('i32.load', 0).set(run.FN);
  r.get(run.CMD).mem('i32.load', 4).set(run.TASKS);
  r.get(run.CMD).mem('i32.load', 8).set(run.N);
  r.get(run.CMD).mem('i32.load', 12).get(run.WORKERS).op('i32.and').op('i32.eqz').if();
  // inline: every task on this thread
  r.i32(0).set(run.I);
  r.block().get(run.N).op('i32.eqz').brIf(0).loop();
  taskAddress(r, run.TASKS, run.I).set(run.TASK);
  callTask(r, run.TASK, run.FN);
  r.get(run.I).i32(1).op('i32.add').tee(run.I).get(run.N).op('i32.lt_u').brIf(0).end().end();
  r.else();
  // publish: fields first, then the word with a new epoch and task 0
  r.i32(CTRL.jobFn).get(run.FN).mem('i32.atomic.store');
  r.i32(CTRL.jobTasks).get(run.TASKS).mem('i32.atomic.store');
  r.i32(CTRL.jobCount).get(run.N).mem('i32.atomic.store');
  r.i32(CTRL.done).i32(0).mem('i32.atomic.store');
  r.i32(CTRL.job)
    .mem('i32.atomic.load')
    .i32(12)
    .op('i32.shr_u')
    .i32(1)
    .op('i32.add')
    .i32(12)
    .op('i32.shl')
    .set(run.EPOCH);
  r.i32(CTRL.job).get(run.EPOCH).mem('i32.atomic.store');
  r.get(run.CMD).mem('i32.load', 12).i32(WAKES).op('i32.and').if();
  r.i32(CTRL.sleepers).mem('i32.atomic.load').tee(run.WORD).if();
  r.i32(CTRL.sleepers).i32(0).get(run.WORD).op('i32.sub').mem('i32.atomic.rmw.add').op('drop');
  r.i32(CTRL.wake).i32(1).mem('i32.atomic.rmw.add').op('drop');
  r.i32(CTRL.wake).i32(-1).mem('memory.atomic.notify').op('drop').end().end();
  // claim until none is left
  r.block().loop();
  r.i32(CTRL.job).mem('i32.atomic.load').tee(run.WORD).i32(CLOSED).op('i32.and').tee(run.I);
  r.get(run.N).op('i32.ge_u').brIf(1);
  r.i32(CTRL.job).get(run.WORD).get(run.WORD).i32(1).op('i32.add').mem('i32.atomic.rmw.cmpxchg');
  r.get(run.WORD).op('i32.ne').brIf(0);
  taskAddress(r, run.TASKS, run.I).set(run.TASK);
  callTask(r, run.TASK, run.FN);
  r.i32(CTRL.done).i32(1).mem('i32.atomic.rmw.add').op('drop');
  r.br(0).end().end();
  // wait only for tasks that others have claimed
  r.i32(0).set(run.SPINS);
  r.block().loop();
  r.i32(CTRL.done).mem('i32.atomic.load').get(run.N).op('i32.eq').brIf(1);
  r.get(run.SPINS).i32(1).op('i32.add').tee(run.SPINS).i32(0xfffff).op('i32.and').op('i32.eqz').if();
  r.get(run.SPINS).call(LATE).if().i32(1).op('return').end();
  r.end().br(0).end().end();
  r.i32(CTRL.job).get(run.EPOCH).i32(CLOSED).op('i32.or').mem('i32.atomic.store');
  r.end();
  r.get(run.CMD)
    .i32(COMMAND_WORDS * 4)
    .op('i32.add')
    .set(run.CMD);
  r.get(run.COUNT).i32(1).op('i32.sub').tee(run.COUNT).brIf(0).end().end().i32(0);

  // locals: 0 spin limit, 1 modules known, 2 word, 3 index, 4 spins, 5 fn, 6 task, 7 tasks
  const w = new Code();
  const L = { LIMIT: 0, KNOWN: 1, WORD: 2, I: 3, SPINS: 4, FN: 5, TASK: 6, TASKS: 7 };
  w.loop();
  w.i32(CTRL.stop).mem('i32.atomic.load').if().i32(3).op('return').end();
  w.i32(CTRL.job).mem('i32.atomic.load').tee(L.WORD).i32(CLOSED).op('i32.and').tee(L.I);
  w.i32(CTRL.jobCount).mem('i32.atomic.load').op('i32.lt_u').if();
  w.i32(CTRL.moduleSeq).mem('i32.atomic.load').get(L.KNOWN).op('i32.ne').if().i32(1).op('return').end();
  w.i32(CTRL.job).get(L.WORD).get(L.WORD).i32(1).op('i32.add').mem('i32.atomic.rmw.cmpxchg');
  w.get(L.WORD).op('i32.eq').if();
  w.i32(CTRL.jobFn).mem('i32.atomic.load').set(L.FN);
  w.i32(CTRL.jobTasks).mem('i32.atomic.load').set(L.TASKS);
  taskAddress(w, L.TASKS, L.I).set(L.TASK);
  callTask(w, L.TASK, L.FN);
  w.i32(CTRL.done).i32(1).mem('i32.atomic.rmw.add').op('drop');
  w.i32(0).set(L.SPINS);
  w.end().br(1).end();
  w.get(L.SPINS).i32(1).op('i32.add').tee(L.SPINS).get(L.LIMIT).op('i32.lt_u').brIf(0);
  w.end().i32(2);

  return assemble({
    imports: [{ name: 'late', type: lateType }],
    types: [KERNEL_TYPE],
    funcs: [
      { type: RUN_TYPE, locals: new Array(8).fill(I32), code: r.out, exported: 'run' },
      {
        type: { params: [I32, I32], results: [I32] },
        locals: new Array(6).fill(I32),
        code: w.out,
        exported: 'worker',
      },
    ],
    tableBase: -1,
    maxPages,
  });
}

// The control block in the first page of the memory, and the WASM module that runs command lists and the worker loop.
// In: nothing. Out: addresses and bytes. Not its job: starting threads (pool.ts).

import { assemble, Code, type FuncType, I32 } from '../codegen/wasm-asm.ts';
import { KERNEL_TYPE } from '../codegen/wasm-target.ts';

/** Addresses. Words that different threads write lie on cache lines of their own. */
export const CTRL = {
  /** Code and bad value of a failed check (codegen/wasm.ts STATUS). */
  status: 16,
  /** epoch << 12 | next task; 0xfff: none is left. All that idle workers look at besides `stop`. */
  job: 64,
  /** Tasks that workers have finished, of all jobs. */
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
  jobFn: 448,
  jobTasks: 452,
  jobCount: 456,
  /** The word of the newest job without a task. */
  jobEpoch: 460,
  /** Tasks of it that the caller took itself: all of them once it is over. */
  mine: 464,
  /** What `done` was when the last job was over. */
  doneBefore: 468,
} as const;

export const MAX_TASKS = 4094;
export const CLOSED = 0xfff;
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
 * Tries to take task `index` of the job in `word` (locals); leaves what the word was. The last task closes the job. While a
 * task is left its fields stay as they are, and a word of an older job is not there any more: reading them first is safe.
 */
function claim(c: Code, word: number, index: number): Code {
  c.i32(CTRL.job).get(word);
  c.get(word).i32(1).op('i32.add');
  c.get(word).i32(CLOSED).op('i32.or');
  c.get(index).i32(1).op('i32.add').i32(CTRL.jobCount).mem('i32.atomic.load').op('i32.lt_u').op('select');
  return c.mem('i32.atomic.rmw.cmpxchg');
}

/**
 * run(commands, count, how): runs a list of commands, SHARED with workers or not; 0 when done, 1 when a worker did not answer
 * in time.
 * worker(spins): serves jobs; returns 1 when a new module has to be compiled, 2 to sleep, 3 to stop.
 */
export function runtimeModule(maxPages: number): Uint8Array<ArrayBuffer> {
  // Imports: late() → 1 when the caller has waited too long.
  const LATE = 0;
  const lateType: FuncType = { params: [I32], results: [I32] };

  // locals: 0 cmd, 1 count, 2 how, 3 fn, 4 tasks, 5 n, 6 i, 7 word, 8 task, 9 spins
  const r = new Code();
  const run = {
    CMD: 0,
    COUNT: 1,
    HOW: 2,
    FN: 3,
    TASKS: 4,
    N: 5,
    I: 6,
    WORD: 7,
    TASK: 8,
    SPINS: 9,
  };
  r.block().get(run.COUNT).op('i32.eqz').brIf(0).loop();
  r.get(run.CMD).mem('i32.load', 0).set(run.FN);
  r.get(run.CMD).mem('i32.load', 4).set(run.TASKS);
  r.get(run.CMD).mem('i32.load', 8).set(run.N);
  r.get(run.CMD).mem('i32.load', 12).get(run.HOW).op('i32.and').op('i32.eqz').if();
  // inline: every task on this thread
  r.i32(0).set(run.I);
  r.block().get(run.N).op('i32.eqz').brIf(0).loop();
  taskAddress(r, run.TASKS, run.I).set(run.TASK);
  callTask(r, run.TASK, run.FN);
  r.get(run.I).i32(1).op('i32.add').tee(run.I).get(run.N).op('i32.lt_u').brIf(0).end().end();
  r.else();
  // Publish: fields first, then the word with a new epoch, whose first task is ours. Only the word moves between caches
  // while workers wait: every exchange of a line costs about 100 ns.
  r.i32(CTRL.jobFn).get(run.FN).mem('i32.store');
  r.i32(CTRL.jobTasks).get(run.TASKS).mem('i32.store');
  r.i32(CTRL.jobCount).get(run.N).mem('i32.store');
  r.i32(CTRL.mine).i32(1).mem('i32.store');
  r.i32(CTRL.jobEpoch);
  r.i32(CTRL.jobEpoch)
    .mem('i32.load')
    .i32(CLOSED + 1)
    .op('i32.add')
    .tee(run.WORD)
    .mem('i32.store');
  r.i32(CTRL.job).get(run.WORD).i32(1).op('i32.add').mem('i32.atomic.store');
  r.get(run.CMD).mem('i32.load', 12).i32(WAKES).op('i32.and').if();
  r.i32(CTRL.sleepers).mem('i32.atomic.load').tee(run.WORD).if();
  r.i32(CTRL.sleepers).i32(0).get(run.WORD).op('i32.sub').mem('i32.atomic.rmw.add').op('drop');
  r.i32(CTRL.wake).i32(1).mem('i32.atomic.rmw.add').op('drop');
  r.i32(CTRL.wake).i32(-1).mem('memory.atomic.notify').op('drop').end().end();
  // Run the first task, then claim until none is left.
  r.i32(0).set(run.I);
  r.block().loop();
  taskAddress(r, run.TASKS, run.I).set(run.TASK);
  callTask(r, run.TASK, run.FN);
  r.loop();
  r.i32(CTRL.job).mem('i32.atomic.load').tee(run.WORD).i32(CLOSED).op('i32.and').tee(run.I);
  r.i32(CLOSED).op('i32.eq').brIf(2);
  claim(r, run.WORD, run.I).get(run.WORD).op('i32.ne').brIf(0).end();
  r.i32(CTRL.mine).i32(CTRL.mine).mem('i32.load').i32(1).op('i32.add').mem('i32.store');
  r.br(0).end().end();
  // Wait only for tasks that others have claimed: I is what `done` will be.
  r.i32(CTRL.doneBefore)
    .mem('i32.load')
    .get(run.N)
    .op('i32.add')
    .i32(CTRL.mine)
    .mem('i32.load')
    .op('i32.sub');
  r.set(run.I).i32(0).set(run.SPINS);
  r.block().loop();
  r.i32(CTRL.done).mem('i32.atomic.load').get(run.I).op('i32.eq').brIf(1);
  r.get(run.SPINS).i32(1).op('i32.add').tee(run.SPINS).i32(0xfffff).op('i32.and').op('i32.eqz').if();
  r.get(run.SPINS).call(LATE).if().i32(1).op('return').end();
  r.end().br(0).end().end();
  r.i32(CTRL.doneBefore).get(run.I).mem('i32.store');
  r.i32(CTRL.mine).get(run.N).mem('i32.store');
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
  w.i32(CLOSED).op('i32.ne').if();
  w.i32(CTRL.moduleSeq).mem('i32.atomic.load').get(L.KNOWN).op('i32.ne').if().i32(1).op('return').end();
  claim(w, L.WORD, L.I).get(L.WORD).op('i32.eq').if();
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
      { type: RUN_TYPE, locals: new Array(7).fill(I32), code: r.out, exported: 'run' },
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

// The child process of one library: says what it is, then times each workload that it is sent.
// In: specs from the parent. Out: milliseconds per call of each sample.

import type { Spec } from './workloads.ts';

/** One call of the work. Whatever it computes must be done when it returns (or when its promise resolves). */
export type Step = (i: number) => unknown;
export interface Library {
  readonly name: string;
  /** The fastest documented setting, as it was chosen. */
  readonly setting: string;
  readonly threads: number;
  /** Of Tenon: which of its devices. */
  readonly device?: string;
  /** The work, ready to run, or undefined where the library has no such thing. */
  prepare(spec: Spec): Step | undefined;
}
export interface Request {
  readonly spec: Spec;
  /** Milliseconds to spend. */
  readonly budget: number;
}

const WARM_MS = 150;
/** A sample below the clock's resolution is noise: short calls are timed in runs of about this long. */
const SAMPLE_MS = 0.5;

async function sample(step: Step, budget: number): Promise<number[]> {
  let i = 0;
  const call = async (times: number) => {
    for (let k = 0; k < times; k++) {
      const r = step(i++);
      if (r instanceof Promise) await r;
    }
  };
  const start = performance.now();
  let calls = 0;
  do {
    await call(1);
    calls++;
  } while (performance.now() - start < Math.min(WARM_MS, budget) || calls < 2);
  let t0 = performance.now();
  await call(2);
  const times = Math.max(1, Math.min(1000, Math.round((2 * SAMPLE_MS) / (performance.now() - t0))));
  const samples: number[] = [];
  const end = performance.now() + budget;
  do {
    t0 = performance.now();
    await call(times);
    samples.push((performance.now() - t0) / times);
    await new Promise(resolve => setImmediate(resolve));
  } while (performance.now() < end);
  return samples;
}

/** Evaluated after the library that is measured: a program imports that first. */
const IMPORTED_KB = process.resourceUsage().maxRSS;
const grownMB = (): number => (process.resourceUsage().maxRSS - IMPORTED_KB) / 1024;

export function serve(library: Library): void {
  let prepared: { key: string; step: Step | undefined } = { key: '', step: undefined };
  process.on('message', (request: Request) => {
    void (async () => {
      try {
        const key = JSON.stringify(request.spec);
        // The step of an earlier round is kept: its compiled code and its caches are what a training has, too.
        if (prepared.key !== key) prepared = { key, step: library.prepare(request.spec) };
        const { step } = prepared;
        const samples = step === undefined ? undefined : await sample(step, request.budget);
        process.send!({ samples, grownMB: grownMB() });
      } catch (e) {
        process.send!({ error: e instanceof Error ? e.message : String(e) });
      }
    })();
  });
  process.on('disconnect', () => process.exit(0));
  const { name, setting, threads, device } = library;
  process.send!({ name, setting, threads, device });
}

/** Batches as they come from a data set: host arrays, another one each step. */
export function batches(
  features: number,
  classes: number,
  batch: number,
): { x: Float32Array<ArrayBuffer>; y: Int32Array<ArrayBuffer> }[] {
  const state = Uint32Array.of(12345);
  const draw = (): void => {
    state[0] = Math.imul(state[0]!, 1664525) + 1013904223;
  };
  // Filled in place: garbage made here would count as the memory of what is measured.
  return Array.from({ length: 8 }, () => {
    const x = new Float32Array(batch * features);
    for (let i = 0; i < x.length; i++) {
      draw();
      x[i] = state[0]! / 2 ** 31 - 1;
    }
    const y = new Int32Array(batch);
    for (let i = 0; i < batch; i++) {
      draw();
      y[i] = Math.floor((state[0]! / 2 ** 32) * classes);
    }
    return { x, y };
  });
}

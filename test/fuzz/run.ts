// Runs a program in the four ways, compares what it reads, and makes a failing program smaller.

import { generate } from './generate.ts';
import { OracleMachine } from './oracle-machine.ts';
import type { Arr } from './oracle-math.ts';
import { type Program, programText, type Statement, textOf } from './program.ts';
import { TensorMachine } from './tensor-machine.ts';

export const WAYS = {
  'uncompiled on cpu': { device: 'cpu', compiled: false },
  'compiled on cpu': { device: 'cpu', compiled: true },
  'uncompiled on reference': { device: 'reference', compiled: false },
} as const;
export type Way = keyof typeof WAYS;

export interface Failure {
  readonly way: Way;
  readonly message: string;
}
interface Expected {
  /** The statements that make sense. */
  readonly program: Program;
  /** What a read sees, by the position of its statement. */
  readonly reads: ReadonlyMap<number, Arr>;
  /** All tensors at the end. */
  readonly last: ReadonlyMap<string, Arr>;
  readonly draws: number;
}

/** Lets the oracle run a program; statements without sense are dropped. */
export function expectation(p: Program): Expected {
  const machine = new OracleMachine(p.seed);
  const body: Statement[] = [];
  const reads = new Map<number, Arr>();
  for (const s of p.body) {
    if (!machine.attempt(s, p.blocks)) continue;
    if (s.k === 'read') {
      const v = machine.value(s.a);
      if (v === null) continue;
      reads.set(body.length, v);
    }
    body.push(s);
  }
  const last = new Map<string, Arr>();
  for (const name of machine.env.keys()) {
    const v = machine.value(name);
    if (v !== null) last.set(name, v);
  }
  return { program: { ...p, body }, reads, last, draws: machine.random.calls };
}

function difference(got: ArrayLike<number>, want: Arr): string | null {
  if (got.length !== want.data.length) return `${got.length} elements, wants ${want.data.length}`;
  for (let i = 0; i < got.length; i++) {
    const [a, b] = [got[i]!, want.data[i]!];
    if (!(Math.abs(a - b) <= 4 * want.err[i]!)) {
      return `[${i}] is ${a}, wants ${b} ± ${(4 * want.err[i]!).toExponential(1)}`;
    }
  }
  return null;
}

/** Runs one way; null where all is as expected. */
export function check(e: Expected, way: Way): Failure | null {
  let at = 'the start';
  try {
    const m = new TensorMachine(e.program, WAYS[way].device, WAYS[way].compiled);
    const compare = (name: string, want: Arr): string | null => {
      const d = difference(m.read(name), want);
      return d === null ? null : `${name}${d}`;
    };
    for (let i = 0; i < e.program.body.length; i++) {
      const s = e.program.body[i]!;
      at = `line ${i}: ${textOf(s)}`;
      m.run(s);
      if (s.k !== 'read') continue;
      const wrong = compare(s.a, e.reads.get(i)!);
      if (wrong !== null) return { way, message: `${at}\n${wrong}` };
    }
    at = 'the reads at the end';
    // Handles made long ago are read too, the oldest last.
    for (const [name, want] of [...e.last].reverse()) {
      const wrong = compare(name, want);
      if (wrong !== null) return { way, message: `${at}\n${wrong}` };
    }
    if (m.draws !== e.draws) return { way, message: `${m.draws} random draws, wants ${e.draws}` };
    return null;
  } catch (error) {
    return {
      way,
      message: `${at}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    };
  }
}
export function checkAll(e: Expected): Failure | null {
  for (const way of Object.keys(WAYS) as Way[]) {
    const f = check(e, way);
    if (f !== null) return f;
  }
  return null;
}

/** The program with statements dropped as long as the same way fails. */
export function shrink(p: Program, way: Way): Program {
  let best = p;
  const fails = (q: Program): boolean => check(expectation(q), way) !== null;
  const without = (list: readonly Statement[], from: number, n: number): Statement[] => [
    ...list.slice(0, from),
    ...list.slice(from + n),
  ];
  for (let step = 8; step >= 1; step = Math.floor(step / 2)) {
    for (let again = true; again; ) {
      again = false;
      for (let i = best.body.length - 1; i >= 0; i--) {
        const q = { ...best, body: without(best.body, i, step) };
        if (q.body.length < best.body.length && fails(q)) {
          best = q;
          again = true;
        }
      }
      best.blocks.forEach((b, k) => {
        for (let i = b.body.length - 1; i >= 0; i--) {
          const block = { ...best.blocks[k]!, body: without(best.blocks[k]!.body, i, step) };
          if (block.body.length === best.blocks[k]!.body.length) continue;
          const made = new Set([...block.params, ...block.body.flatMap(s => ('out' in s ? [s.out] : []))]);
          const returns = block.returns.filter(r => made.has(r));
          const q = {
            ...best,
            blocks: best.blocks.map((x, j) =>
              j === k ? { ...block, returns: returns.length > 0 ? returns : block.params.slice(0, 1) } : x,
            ),
          };
          if (fails(q)) {
            best = q;
            again = true;
          }
        }
      });
    }
  }
  return expectation(best).program;
}

/** Tries one seed; a failure comes back as text with the smallest program. */
export function trySeed(seed: number, flips = false): string | null {
  const e = expectation(generate(seed, flips));
  const f = checkAll(e);
  if (f === null) return null;
  const small = shrink(e.program, f.way);
  const again = check(expectation(small), f.way) ?? f;
  return `seed ${seed}${flips ? ' with flips' : ''}, ${f.way}:\n${programText(small)}\n${again.message}`;
}

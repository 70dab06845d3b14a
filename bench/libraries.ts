// The processes of the libraries: one each, alive for the whole run, asked in turn.
// In: a list of programs. Out: objects that time a workload.

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Request } from './serve.ts';

export interface Hello {
  readonly name: string;
  readonly setting: string;
  readonly threads: number;
  readonly device?: string;
}
interface Reply {
  readonly samples?: number[];
  /** By how much the peak of the resident memory has grown since the imports. */
  readonly grownMB?: number;
  readonly error?: string;
}
export interface Measured extends Hello {
  time(request: Request): Promise<Reply>;
  close(): void;
}

/** A path beside this file, or a whole one. */
const here = (path: string) => (isAbsolute(path) ? path : fileURLToPath(new URL(path, import.meta.url)));

/** Replies in the order of the questions; a process that ends answers what is open with its exit. */
class Line {
  private readonly waiting: ((reply: unknown) => void)[] = [];
  private readonly early: unknown[] = [];
  private ended: string | null = null;

  take(reply: unknown): void {
    const next = this.waiting.shift();
    if (next) next(reply);
    else this.early.push(reply);
  }
  end(why: string): void {
    this.ended = why;
    for (const next of this.waiting.splice(0)) next({ error: why });
  }
  next<T>(): Promise<T> {
    if (this.early.length) return Promise.resolve(this.early.shift() as T);
    if (this.ended !== null) return Promise.resolve({ error: this.ended } as T);
    return new Promise(resolve => this.waiting.push(resolve as (reply: unknown) => void));
  }
}

async function greet(
  line: Line,
  child: ChildProcess,
  ask: (r: Request) => void,
  close: () => void,
): Promise<Measured | string> {
  child.on('exit', code => line.end(`the process ended with ${code}`));
  child.on('error', e => line.end(e.message));
  const hello = await line.next<Hello & { error?: string }>();
  if (hello.error !== undefined) return hello.error;
  return {
    ...hello,
    time: request => {
      ask(request);
      return line.next<Reply>();
    },
    close,
  };
}

export function startNode(file: string, env: Record<string, string>): Promise<Measured | string> {
  const child = fork(here(file), [], {
    env: { ...process.env, ...env },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // tfjs recommends its native package and Node's own fetch on standard error; what failed comes as a reply.
    stdio: ['ignore', 'ignore', env.BENCH_VERBOSE ? 'inherit' : 'ignore', 'ipc'],
  });
  const line = new Line();
  child.on('message', m => line.take(m));
  return greet(
    line,
    child,
    r => child.send(r),
    () => child.kill(),
  );
}

/** The Python that has PyTorch, if any: Debian's package belongs to /usr/bin/python3. */
export function pythonWithTorch(): string | null {
  for (const python of ['/usr/bin/python3', 'python3']) {
    if (python.startsWith('/') && !existsSync(python)) continue;
    if (spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0) return python;
  }
  return null;
}

export function startPython(python: string, threads: number): Promise<Measured | string> {
  // Short steps on sleeping threads are up to three times slower: the setting that favours the peer.
  const env = { ...process.env, OMP_WAIT_POLICY: 'active', GOMP_SPINCOUNT: '100000' };
  const child = spawn(python, [here('peers/pytorch.py'), String(threads)], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const line = new Line();
  createInterface({ input: child.stdout! }).on('line', text => line.take(JSON.parse(text)));
  return greet(
    line,
    child,
    r => child.stdin!.write(`${JSON.stringify(r)}\n`),
    () => child.kill(),
  );
}

export interface Libraries {
  readonly tenon: readonly Measured[];
  readonly peers: readonly Measured[];
  /** What did not start, and why. */
  readonly absent: readonly string[];
}

/** Tenon, without and with a native BLAS, and its peers, each at one thread and at all. */
export async function start(threads: readonly number[]): Promise<Libraries> {
  const absent: string[] = [];
  const keep = (name: string, m: Measured | string): Measured[] => {
    if (typeof m !== 'string') return [m];
    absent.push(`${name}: ${m}`);
    return [];
  };
  const tenon: Measured[] = [];
  for (const blas of ['0', '']) {
    for (const n of threads) {
      const one = await startNode('tenon.ts', { TENON_THREADS: String(n), TENON_BLAS: blas });
      if (typeof one === 'string' || blas === '0' || one.device === 'cpu-blas')
        tenon.push(...keep('tenon', one));
      else {
        one.close();
        absent.push('tenon on a native BLAS: none was found (tenon doctor says why)');
        break;
      }
    }
  }
  const peers = [
    ...keep('jax-js', await startNode('peers/jax.ts', {})),
    ...keep('tfjs-wasm', await startNode('peers/tfjs.ts', {})),
  ];
  const python = pythonWithTorch();
  if (python === null) absent.push('pytorch: no python3 with torch (Debian: apt-get install python3-torch)');
  else for (const n of threads) peers.push(...keep('pytorch', await startPython(python, n)));
  return { tenon, peers, absent };
}

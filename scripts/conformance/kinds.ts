// How each kind of case is run.
// In: a case and the tensors stored with it. Out: nothing, or a Mismatch, a Missing, or the library's own error.

import { autograd, type DType, noGrad, type Tensor, tensor } from '../../src/index.ts';
import { runBand } from './bands.ts';
import { callTorch } from './call.ts';
import { compare, flatten, Missing } from './check.ts';
import { runFile } from './files.ts';
import { type Case, decode, type Step, type Stored, toTensor, WholeFloat } from './format.ts';
import { runInit, runInitDist, runInitDistModule } from './initial.ts';
import { runModule, runNames } from './modules.ts';
import { runOptim, runOptimNames, runScheduler } from './optim.ts';
import { runProperty } from './properties.ts';
import { runTrain } from './train.ts';
import { runVision } from './vision.ts';

type Store = ReadonlyMap<string, Stored>;
type Named = Record<string, Tensor>;

type Run = (c: Case, stored: Store, dir: string) => void | Promise<void>;
export const KINDS: Readonly<Record<string, Run>> = {
  op: runOp,
  program: runProgram,
  optim: runOptim,
  property: runProperty,
  module: runModule,
  names: c => (c.op.startsWith('optim.') ? runOptimNames(c) : runNames(c)),
  lr_scheduler: runScheduler,
  init: runInit,
  init_dist: runInitDist,
  init_dist_module: runInitDistModule,
  train: runTrain,
  band: runBand,
  vision: runVision,
  file: runFile,
};

/** A whole number written as a float: a 0-dim float tensor where the dtype of a result depends on it. */
function scalars(v: unknown, native: boolean): unknown {
  if (v instanceof WholeFloat) return native ? tensor(v.value, { dtype: 'float32' }) : v.value;
  if (Array.isArray(v)) return v.map(x => scalars(x, native));
  return v;
}
function call(op: string, args: unknown, kwargs: unknown, named: Named, native: boolean): unknown {
  const a = scalars(decode(args ?? [], named), native) as unknown[];
  const kw = decode(kwargs ?? {}, named) as Record<string, unknown>;
  const k = Object.fromEntries(Object.entries(kw).map(([n, v]) => [n, scalars(v, native)]));
  return callTorch(op, a, k);
}

function runOp(c: Case, stored: Store): void {
  const named: Named = {};
  for (const [name, key] of Object.entries(c.inputs)) {
    named[name] = toTensor(stored.get(key)!, { requiresGrad: name in c.grads });
  }
  const out = flatten(call(c.op, c.args, c.kwargs, named, c.native ?? false));
  const want = c.outputs as readonly string[];
  if (out.length !== want.length) throw new Error(`${out.length} results, wants ${want.length}`);
  out.forEach((o, i) => {
    compare(`result ${i}`, o, stored.get(want[i]!)!, c.tolerance, c.native ? c.dtypes[i] : undefined);
  });
  const names = Object.keys(c.grads);
  if (names.length === 0) return;
  // L = Σ output · cotangent
  const parts = c.cotangents.flatMap((key, i) =>
    key === null ? [] : [out[i]!.mul(toTensor(stored.get(key)!)).sum()],
  );
  const loss = parts.reduce((a, b) => a.add(b));
  if (loss.requiresGrad) loss.backward();
  for (const name of names) {
    const leaf = named[name]!;
    compare(`grad ${name}`, leaf.grad ?? leaf.mul(0), stored.get(c.grads[name]!)!, c.grad_tolerance);
  }
}

function runProgram(c: Case, stored: Store): void {
  const named: Named = {};
  for (const [name, key] of Object.entries(c.inputs)) {
    named[name] = toTensor(stored.get(key)!, { requiresGrad: c.requires_grad.includes(name) });
  }
  runSteps(c.steps as readonly Step[], named);
  for (const [name, key] of Object.entries(c.outputs as Record<string, string>)) {
    compare(name, named[name]!, stored.get(key)!, c.tolerance);
  }
}
function runSteps(steps: readonly Step[], named: Named): void {
  for (const s of steps) {
    if (s.op === '@no_grad') {
      noGrad(() => runSteps(s.steps!, named));
      continue;
    }
    const out = s.op.startsWith('@')
      ? command(s.op, decode(s.args ?? [], named) as unknown[], decode(s.kwargs ?? {}, named) as Options)
      : flatten(call(s.op, s.args, s.kwargs, named, false));
    s.out?.forEach((name, i) => {
      named[name] = out[i]!;
    });
  }
}

interface Options {
  readonly create_graph?: boolean;
  readonly retain_graph?: boolean;
  readonly grad_outputs?: readonly (Tensor | null)[];
}
/** The steps of a program that are no ops. */
function command(op: string, args: readonly unknown[], options: Options): Tensor[] {
  const graph = {
    ...(options.create_graph === undefined ? {} : { createGraph: options.create_graph }),
    ...(options.retain_graph === undefined ? {} : { retainGraph: options.retain_graph }),
  };
  const x = args[0] as Tensor;
  switch (op) {
    case '@grad': {
      const given = options.grad_outputs === undefined ? {} : { gradOutputs: options.grad_outputs };
      return autograd.grad(args[0] as Tensor[], args[1] as Tensor[], { ...graph, ...given }) as Tensor[];
    }
    case '@backward':
      x.backward(args[1] as Tensor | undefined, graph);
      return [];
    case '@leaf_grad':
      return [x.grad ?? x.mul(0)];
    case '@set_grad':
      x.grad = args[1] as Tensor;
      return [];
    case '@clear_grad':
      x.grad = null;
      return [];
    case '@requires_grad':
      return [tensor(x.requiresGrad, { dtype: 'bool' satisfies DType })];
    case '@hook_scale':
      x.registerHook(g => g.mul(args[1] as number));
      return [];
    default:
      throw new Missing(`program: there is no ${op}`);
  }
}

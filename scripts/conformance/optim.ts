// Optimizer cases: the path down the Rosenbrock valley, and updates from given gradients.

import type { Tensor } from '../../src/index.ts';
import * as tenon from '../../src/index.ts';
import { camel } from './call.ts';
import { compareValues, Mismatch, Missing } from './check.ts';
import { type Case, plain, type Stored, toTensor, type WholeFloat } from './format.ts';

type Options = Record<string, unknown>;
interface Optimizer {
  readonly paramGroups: readonly { readonly lr: number; momentum?: number; betas?: readonly number[] }[];
  step(closure?: () => Tensor): unknown;
  zeroGrad(): void;
  stateDict(): { state: Record<number, Options>; param_groups: Options[] };
}
type OptimizerClass = new (params: readonly unknown[], options: Options) => Optimizer;

const options = (kwargs: Readonly<Options>): Options =>
  Object.fromEntries(Object.entries(plain(kwargs) as Options).map(([k, v]) => [camel(k), v]));

function find<T>(c: { op: string }): T {
  const name = c.op.split('.').pop()!;
  const found = (tenon.optim as unknown as Record<string, T | undefined>)[name];
  if (found === undefined) throw new Missing(`there is no ${c.op}`);
  return found;
}

export function runOptim(c: Case, stored: ReadonlyMap<string, Stored>): void {
  const Class = find<OptimizerClass>(c);
  if (c.problem === 'given_grads') givenGrads(c, stored, Class);
  else rosenbrock(c, stored, Class);
}

/** The keys of the state of a parameter and of a group. */
export function runOptimNames(c: Case): void {
  const p = tenon.tensor([1, 2], { requiresGrad: true });
  const optimizer = new (find<OptimizerClass>(c))([p], options(c.kwargs));
  optimizer.step(() => {
    const loss = p.square().sum();
    loss.backward();
    return loss;
  });
  const { state, param_groups } = optimizer.stateDict();
  const { state: wantState, param_groups: wantGroup } = c as unknown as Record<string, string[]>;
  for (const [what, got, want] of [
    ['state', state[0]!, wantState!],
    ['param_groups', param_groups[0]!, wantGroup!],
  ] as const) {
    const keys = Object.keys(got).sort().join();
    if (keys !== want.join()) throw new Mismatch(`${what}: ${keys}, wants ${want.join()}`);
  }
}

function givenGrads(c: Case, stored: ReadonlyMap<string, Stored>, Class: OptimizerClass): void {
  const input = (name: string): Tensor => toTensor(stored.get(c.inputs[name]!)!);
  const params = [input('p0'), input('p1')].map(p => p.requiresGrad_());
  const grads = [input('g0'), input('g1')];
  const groups = c.groups?.map((g, i) => ({ params: [params[i]], ...options(g) })) ?? params;
  const optimizer = new Class(groups, options(c.kwargs));
  const seen: number[][] = [[], []];
  const steps = c.steps as number;
  for (let s = 0; s <= steps; s++) {
    if (s % c.record_every === 0) {
      params.forEach((p, i) => {
        seen[i]!.push(...(p.dataSync() as Float32Array));
      });
    }
    if (s === steps) break;
    params.forEach((p, i) => {
      p.grad = i === 1 && s % 3 === 2 ? null : grads[i]!.at(s);
    });
    optimizer.step();
  }
  ['p0', 'p1'].forEach((name, i) => {
    compareValues(name, seen[i]!, stored.get((c.outputs as Record<string, string>)[name]!)!, c.tolerance);
  });
}

/** (1 − x)² + 100 (y − x²)², or its negative, in float64. */
function rosenbrock(c: Case, stored: ReadonlyMap<string, Stored>, Class: OptimizerClass): void {
  const { x0 } = c as unknown as { x0: (number | WholeFloat)[] };
  const p = tenon.tensor(x0 as number[], { dtype: 'float64', requiresGrad: true });
  const loss = (): Tensor => {
    const [x, y] = p.unbind() as [Tensor, Tensor];
    const value = x.rsub(1).square().add(y.sub(x.square()).square().mul(100));
    return c.problem.startsWith('minus') ? value.neg() : value;
  };
  const optimizer = new Class([p], options(c.kwargs));
  const trajectory: number[] = [];
  const losses: number[] = [];
  const record = (): void => {
    trajectory.push(...(p.dataSync() as Float64Array));
  };
  record();
  for (let s = 0; s < (c.steps as number); s++) {
    const closure = (): Tensor => {
      optimizer.zeroGrad();
      const l = loss();
      l.backward();
      return l;
    };
    losses.push(tenon.noGrad(loss).itemSync());
    if (c.op === 'optim.LBFGS') optimizer.step(closure);
    else {
      closure();
      optimizer.step();
    }
    record();
  }
  const outputs = c.outputs as Record<string, string>;
  compareValues('trajectory', trajectory, stored.get(outputs.trajectory!)!, c.tolerance);
  if (outputs.losses !== undefined) compareValues('losses', losses, stored.get(outputs.losses)!, c.tolerance);
}

interface Scheduler {
  step(argument?: number): void;
}
interface SchedulerSpec {
  readonly op: string;
  readonly kwargs: Readonly<Options>;
}
interface SchedulerCase extends SchedulerSpec {
  readonly optimizer: { readonly op: string; readonly groups: readonly Options[] };
  readonly steps: number;
  readonly lrs: readonly (readonly number[])[];
  readonly momenta?: readonly (readonly number[])[];
  readonly metrics?: readonly number[];
  readonly step_args?: readonly number[];
  readonly tolerance: Case['tolerance'];
}

/** T_max is tMax; functions are written as expressions in epoch or x, in Python's words. */
function schedulerOptions(kwargs: Readonly<Options>): Options {
  const out = Object.entries(kwargs).map(([k, v]) => {
    const key = camel(k.startsWith('T_') ? `t${k.slice(1)}` : k);
    if (k === 'lr_lambda') return [key, Array.isArray(v) ? v.map(formula) : formula(v)];
    return [key, k === 'scale_fn' ? formula(v) : v];
  });
  return Object.fromEntries(out);
}
const formula = (text: unknown): ((x: number) => number) => {
  const body = String(text)
    .replace(/^lambda \w+:/, '')
    .replace(/\b(?:math|np)\.(\w+)/g, (_, f: string) => (f === 'pi' ? 'Math.PI' : `Math.${f}`))
    .replace(/\b(min|max|abs)\(/g, 'Math.$1(')
    .replace(/(\w+|\([^()]*\)) ?\/\/ ?(\w+)/g, 'Math.floor($1 / $2)')
    .replace(/(.+?) if (.+?) else (.+)/, '($2) ? ($1) : ($3)');
  return new Function('epoch', 'x', `x ??= epoch; return ${body}`) as (x: number) => number;
};

function makeScheduler({ op, kwargs }: SchedulerSpec, optimizer: Optimizer): Scheduler {
  const Class = find<new (target: unknown, options?: Options) => Scheduler>({ op });
  const parts = (kwargs.schedulers as SchedulerSpec[] | undefined)?.map(s => makeScheduler(s, optimizer));
  if (op.endsWith('ChainedScheduler')) return new Class(parts);
  return new Class(
    optimizer,
    schedulerOptions(parts === undefined ? kwargs : { ...kwargs, schedulers: parts }),
  );
}

export function runScheduler(given: Case): void {
  const c = { ...given, kwargs: plain(given.kwargs) } as unknown as SchedulerCase;
  const groups = c.optimizer.groups.map(g => ({
    params: [tenon.tensor([0], { requiresGrad: true })],
    ...options(g),
  }));
  const optimizer = new (find<OptimizerClass>(c.optimizer))(groups, {});
  const scheduler = makeScheduler(c, optimizer);
  for (let t = 0; t <= c.steps; t++) {
    optimizer.paramGroups.forEach((g, i) => {
      near(`lr ${t} of group ${i}`, g.lr, c.lrs[t]![i]!, c.tolerance);
      const momentum = g.betas?.[0] ?? g.momentum!;
      if (c.momenta !== undefined)
        near(`momentum ${t} of group ${i}`, momentum, c.momenta[t]![i]!, c.tolerance);
    });
    optimizer.step();
    if (t < c.steps) scheduler.step((c.metrics ?? c.step_args)?.[t]);
  }
}
function near(name: string, got: number, want: number, { rtol, atol }: Case['tolerance']): void {
  if (!(Math.abs(got - want) <= atol + rtol * Math.abs(want)))
    throw new Mismatch(`${name}: ${got}, wants ${want}`);
}

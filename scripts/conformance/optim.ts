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
  p.square().sum().backward();
  optimizer.step();
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

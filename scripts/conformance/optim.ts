// Optimizer cases: the path down the Rosenbrock valley, and updates from given gradients.

import type { Tensor } from '../../src/index.ts';
import * as tenon from '../../src/index.ts';
import { camel } from './call.ts';
import { compareValues, Missing } from './check.ts';
import { type Case, plain, type Stored, toTensor, type WholeFloat } from './format.ts';

type Options = Record<string, unknown>;
interface Optimizer {
  step(closure?: () => Tensor): unknown;
  zeroGrad(): void;
}
type OptimizerClass = new (params: readonly unknown[], options: Options) => Optimizer;

const options = (kwargs: Readonly<Options>): Options =>
  Object.fromEntries(Object.entries(plain(kwargs) as Options).map(([k, v]) => [camel(k), v]));

export function runOptim(c: Case, stored: ReadonlyMap<string, Stored>): void {
  const name = c.op.split('.').pop()!;
  const Class = (tenon as unknown as Record<string, OptimizerClass | undefined>)[name];
  if (Class === undefined) throw new Missing(`there is no optimizer ${name}`);
  if (c.problem === 'given_grads') givenGrads(c, stored, Class);
  else rosenbrock(c, stored, Class);
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

// Cases about first values: exact ones, and distributions by their bounds, mean and standard deviation.

import { nn, type Tensor, zeros } from '../../src/index.ts';
import { callTorch } from './call.ts';
import { type Case, type Distribution, plain } from './format.ts';
import { parseModule } from './modules.ts';

const kwargsOf = (c: Case): Record<string, unknown> => plain(c.kwargs) as Record<string, unknown>;
const valuesOf = (t: Tensor): number[] => Array.from(t.detach().dataSync() as ArrayLike<number>);

export function runInit(c: Case): void {
  const got =
    c.op === 'fan_in_fan_out'
      ? nn.init.fanInAndFanOut(zeros(c.shape))
      : c.shape === undefined
        ? (callTorch(c.op, [], kwargsOf(c)) as number)
        : valuesOf(callTorch(c.op, [zeros(c.shape)], kwargsOf(c)) as Tensor);
  const [a, b] = [[got].flat(), [c.value].flat()];
  const same = a.length === b.length && a.every((x, i) => Math.abs(x - b[i]!) <= 1e-12 * Math.abs(b[i]!));
  if (!same) throw new Error(`${a.join(', ')}, wants ${b.join(', ')}`);
}

export function runInitDist(c: Case): void {
  const values = valuesOf(callTorch(c.op, [zeros(c.shape)], kwargsOf(c)) as Tensor);
  const { mean_abs_max, std_rel } = c.check;
  checkDistribution(c.op, values, c.expect, mean_abs_max, std_rel);
}

export function runInitDistModule(c: Case): void {
  const parameters = new Map(parseModule(c.op).namedParameters());
  for (const [name, d] of Object.entries(c.params)) {
    const p = parameters.get(name);
    if (p === undefined) throw new Error(`there is no parameter ${name}`);
    const rows = p.shape[0]!;
    const all = valuesOf(p);
    const zero = new Set(d.zero_rows ?? []);
    const isZero = (i: number): boolean => zero.has(Math.floor(i / (all.length / rows)));
    if (all.some((v, i) => isZero(i) && v !== 0)) throw new Error(`${name}: a row that must be zero is not`);
    const values = all.filter((_, i) => !isZero(i));
    if (d.dist === 'constant') {
      if (values.some(v => v !== d.value)) throw new Error(`${name} must be ${d.value} everywhere`);
      continue;
    }
    const std = d.std ?? (d.high! - d.low!) / Math.sqrt(12);
    const n = values.length;
    // Five standard errors of the mean, and of the standard deviation relative to it.
    checkDistribution(name, values, { mean: 0, ...d, std }, (5 * std) / Math.sqrt(n), 5 / Math.sqrt(2 * n));
  }
}

function checkDistribution(
  name: string,
  values: readonly number[],
  { low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY, mean = 0, std = 0 }: Distribution,
  meanLimit: number,
  stdLimit: number,
): void {
  const n = values.length;
  const m = values.reduce((a, b) => a + b, 0) / n;
  const s = Math.sqrt(values.reduce((a, b) => a + (b - m) ** 2, 0) / (n - 1));
  // The bounds in the precision of the values.
  const outside = values.find(v => v < Math.fround(low) - 1e-9 || v > Math.fround(high) + 1e-9);
  if (outside !== undefined) throw new Error(`${name}: ${outside} is outside ${low} … ${high}`);
  if (!(Math.abs(m - mean) <= meanLimit)) throw new Error(`${name}: mean ${m}, wants ${mean} ± ${meanLimit}`);
  if (!(Math.abs(s / std - 1) <= stdLimit))
    throw new Error(`${name}: standard deviation ${s}, wants ${std} (1 ± ${stdLimit})`);
}

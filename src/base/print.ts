// Tensors as text, in PyTorch's layout: aligned columns, four digits, long dims summarised.
// In: a reader of elements, a shape. Out: text. Not its job: getting the values.

import type { Shape } from './shape.ts';
import { numel } from './shape.ts';

export type Nested = number | boolean | bigint | Nested[];
type Value = number | boolean | bigint;

const THRESHOLD = 1000;
const EDGE = 3;
const WIDTH = 80;

/** How all numbers of one tensor are written: same digits, same width. */
function formatter(values: readonly Value[], isFloat: boolean): (v: Value) => string {
  let text: (v: Value) => string = String;
  if (isFloat) {
    const finite = values.map(Number).filter(x => Number.isFinite(x));
    const sizes = finite.filter(x => x !== 0).map(Math.abs);
    const hi = Math.max(0, ...sizes);
    const lo = sizes.length ? Math.min(...sizes) : 0;
    const integers = finite.every(x => Number.isInteger(x));
    const scientific =
      hi >= 1e8 || (sizes.length > 0 && (hi / lo > 1000 || lo < 1e-4) && !(integers && hi < 1e8));
    text = v => {
      const x = Number(v);
      if (Number.isNaN(x)) return 'nan';
      if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf';
      if (scientific) return x.toExponential(4).replace(/e([+-])(\d)$/, 'e$10$2');
      return integers ? `${Object.is(x, -0) ? '-0' : x}.` : x.toFixed(4);
    };
  }
  const width = values.reduce<number>((w, v) => Math.max(w, text(v).length), 0);
  return v => text(v).padStart(width);
}

/** `tensor([[1., 2.], …])` with extras such as the dtype at the end. */
export function printTensor(
  at: (i: number) => Value,
  shape: Shape,
  isFloat: boolean,
  extra: readonly string[],
): string {
  const total = numel(shape);
  const summarise = total > THRESHOLD;
  const strides = shape.map((_, d) => numel(shape.slice(d + 1)));
  const picks = (n: number): number[] => {
    if (!summarise || n <= 2 * EDGE) return Array.from({ length: n }, (_, i) => i);
    return [...Array(EDGE).keys(), -1, ...Array.from({ length: EDGE }, (_, i) => n - EDGE + i)];
  };
  const shown: Value[] = [];
  const collect = (d: number, base: number): void => {
    if (d === shape.length) {
      shown.push(at(base));
      return;
    }
    for (const i of picks(shape[d]!)) if (i >= 0) collect(d + 1, base + i * strides[d]!);
  };
  collect(0, 0);
  const format = formatter(shown, isFloat);
  const indent = 'tensor('.length;
  const render = (d: number, base: number, depth: number): string => {
    if (d === shape.length) return format(at(base));
    const items = picks(shape[d]!).map(i =>
      i < 0 ? '...' : render(d + 1, base + i * strides[d]!, depth + 1),
    );
    if (d < shape.length - 1) {
      const gap = `,${'\n'.repeat(shape.length - 1 - d)}${' '.repeat(indent + depth + 1)}`;
      return `[${items.join(gap)}]`;
    }
    // A row, broken where it would be too long.
    const perLine = Math.max(1, Math.floor((WIDTH - indent - depth - 1) / ((items[0]?.length ?? 0) + 2)));
    const lines: string[] = [];
    for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(', '));
    return `[${lines.join(`,\n${' '.repeat(indent + depth + 1)}`)}]`;
  };
  const body = total === 0 && shape.length > 0 ? '[]' : render(0, 0, 0);
  const tail = total === 0 && shape.length !== 1 ? [`size=(${shape.join(', ')})`, ...extra] : extra;
  return `tensor(${[body, ...tail].join(', ')})`;
}

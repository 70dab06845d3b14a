// A table of what a model is made of: output shapes, parameters, multiply-accumulates, bytes. Nothing is computed: the shapes of
// a graph are known when it is built.

import { byteWidth, type DType } from '../base/dtype.ts';
import { showShape } from '../base/errors.ts';
import type { Shape } from '../base/shape.ts';
import { zeros } from '../tensor/create.ts';
import { noGrad } from '../tensor/modes.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { tensorsIn } from '../tensor/tree.ts';
import { observeCalls } from './call.ts';
import type { Module } from './module.ts';

export interface SummaryRow {
  /** The path in the model; '' is the model itself. */
  readonly name: string;
  /** The class. */
  readonly kind: string;
  /** Shapes of the output tensors of the last call; empty where the module was not called. */
  readonly outputShapes: readonly Shape[];
  /** Parameters of this module and all below, shared ones once. */
  readonly parameters: number;
  /** Multiply-accumulates of all calls of this module and of those in it. */
  readonly macs: number;
  /** Bytes of what the layers in it put out: the most that training has to keep of it for the gradients. */
  readonly activationBytes: number;
}
export interface Summary {
  readonly rows: readonly SummaryRow[];
  readonly parameters: number;
  readonly trainable: number;
  readonly macs: number;
  readonly activationBytes: number;
  /** Bytes of parameters and buffers. */
  readonly stateBytes: number;
  toString(): string;
}

/** What a call takes: a shape (with the batch), several of them, or tensors. */
export type SummaryInput = Shape | readonly Shape[] | Tensor | readonly Tensor[];
const count = (tensors: readonly Tensor[]): number => tensors.reduce((n, t) => n + t.numel, 0);
const bytes = (tensors: readonly Tensor[]): number =>
  tensors.reduce((n, t) => n + t.numel * byteWidth(t.dtype), 0);

/**
 * Calls the model in eval mode with inputs of the given shapes (float32 unless `dtype` says otherwise) and lists every
 * module with its output shapes, parameters, MACs and bytes. `String(summary(…))` is a table.
 */
export function summary(
  model: Module,
  input: SummaryInput,
  options: { readonly dtype?: DType } = {},
): Summary {
  const shapes = new Map<Module, Shape[]>();
  const macs = new Map<Module, number>();
  const kept = new Map<Module, number>();
  const modules = model.namedModules();
  const modes = modules.map(([, m]) => m.training);
  try {
    model.eval();
    const see = (m: Module, inputs: readonly unknown[], output: unknown): void => {
      shapes.set(
        m,
        tensorsIn(output).map(t => t.shape),
      );
      macs.set(m, (macs.get(m) ?? 0) + m.macs(inputs, output));
      if (m.children().length === 0) kept.set(m, (kept.get(m) ?? 0) + bytes(tensorsIn(output)));
    };
    noGrad(() =>
      observeCalls(see, () =>
        (model as unknown as (...x: unknown[]) => unknown)(...inputsOf(input, options.dtype)),
      ),
    );
  } finally {
    modules.forEach(([, m], i) => {
      m.training = modes[i]!;
    });
  }
  const below = (m: Module, of: ReadonlyMap<Module, number>): number =>
    m.modules().reduce((n, inner) => n + (of.get(inner) ?? 0), 0);
  const rows = modules.map(([name, m]) => ({
    name,
    kind: m.constructor.name,
    outputShapes: shapes.get(m) ?? [],
    parameters: count(m.parameters()),
    macs: below(m, macs),
    activationBytes: below(m, kept),
  }));
  const all = model.parameters();
  const total = {
    rows,
    parameters: count(all),
    trainable: count(all.filter(p => p.requiresGrad)),
    macs: rows[0]!.macs,
    activationBytes: rows[0]!.activationBytes,
    stateBytes: bytes([...all, ...model.buffers()]),
  };
  return { ...total, toString: () => table(total) };
}
function inputsOf(input: SummaryInput, dtype: DType = 'float32'): Tensor[] {
  const list = (isTensor(input) || typeof (input as Shape)[0] === 'number' ? [input] : input) as (
    | Shape
    | Tensor
  )[];
  return list.map(x => (isTensor(x) ? x : zeros(x, { dtype })));
}

const digits = (n: number): string => n.toLocaleString('en-US');
function table(total: Omit<Summary, 'toString'>): string {
  const { rows, parameters, trainable, macs, activationBytes, stateBytes } = total;
  const cells = rows.map(r => [
    `${'  '.repeat(r.name === '' ? 0 : r.name.split('.').length)}${r.name.split('.').at(-1)}${r.name && ': '}${r.kind}`,
    r.outputShapes.map(showShape).join(', ') || '–',
    digits(r.parameters),
    digits(r.macs),
    digits(r.activationBytes),
  ]);
  const head = ['module', 'output', 'parameters', 'MACs', 'bytes out'];
  const widths = head.map((h, i) => Math.max(h.length, ...cells.map(c => c[i]!.length)));
  const line = (c: readonly string[]): string =>
    c.map((s, i) => (i < 2 ? s.padEnd(widths[i]!) : s.padStart(widths[i]!))).join('  ');
  return [
    line(head),
    '-'.repeat(line(head).length),
    ...cells.map(line),
    '-'.repeat(line(head).length),
    `parameters ${digits(parameters)}, trainable ${digits(trainable)}, MACs ${digits(macs)}`,
    `bytes: parameters and buffers ${digits(stateBytes)}, outputs ${digits(activationBytes)}`,
  ].join('\n');
}

// State dicts: the values of a module by name, and how they are put back.
// In: a module, tensors by name. Out: tensors by name; a module with other values, or an error that shows the difference.

import { show, showShape, ValueError } from '../base/errors.ts';
import { sameShape } from '../base/shape.ts';
import { noGrad } from '../tensor/modes.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Module } from './module.ts';

/** Tensors by name. */
export type StateDict = Record<string, Tensor>;
export interface LoadOptions {
  /** Whether all keys must be there, and no others. Default true. */
  readonly strict?: boolean;
}
export interface LoadResult {
  readonly missingKeys: readonly string[];
  readonly unexpectedKeys: readonly string[];
}

/** The state of a module: its own parameters, then its persistent buffers, then its children's. */
function* entries(m: Module, prefix: string): Generator<[key: string, tensor: Tensor]> {
  for (const [name, t] of m._ownState()) yield [prefix + name, t];
  for (const [name, child] of m._allChildren()) yield* entries(child, `${prefix}${name}.`);
}

export function stateOf(m: Module, prefix: string): StateDict {
  return Object.fromEntries([...entries(m, prefix)].map(([key, t]) => [key, t.detach()]));
}

/**
 * Whether a key is the count of batches of a batch norm whose statistics are there: files from before PyTorch 0.4.1 and
 * of other libraries have none, and it stays as it is.
 */
function isLateCount(key: string, state: StateDict): boolean {
  const statistics = key.replace(/num_batches_tracked$/, 'running_mean');
  return statistics !== key && Object.hasOwn(state, statistics);
}

export function loadState(m: Module, state: StateDict, { strict = true }: LoadOptions): LoadResult {
  const own = new Map(entries(m, ''));
  const missing = [...own.keys()].filter(key => !Object.hasOwn(state, key) && !isLateCount(key, state));
  const unexpected = Object.keys(state).filter(key => !own.has(key));
  const wrong: string[] = [];
  const fitting: [Tensor, Tensor][] = [];
  for (const [key, t] of own) {
    const given = state[key];
    if (given === undefined || !Object.hasOwn(state, key)) continue;
    if (!isTensor(given)) wrong.push(`${key} is ${showShape(t.shape)}, given ${show(given)}`);
    else if (!sameShape(given.shape, t.shape)) {
      wrong.push(`${key} is ${showShape(t.shape)}, given ${showShape(given.shape)}`);
    } else fitting.push([t, given]);
  }
  if (wrong.length > 0 || (strict && missing.length + unexpected.length > 0)) {
    const shapeOf = (s: ReadonlyMap<string, Tensor> | StateDict, key: string): string => {
      const t = s instanceof Map ? s.get(key) : (s as StateDict)[key];
      return isTensor(t) ? `${key} ${showShape(t.shape)}` : key;
    };
    const lines = [
      ...section(
        'missing',
        missing.map(key => shapeOf(own, key)),
      ),
      ...section(
        'unexpected',
        unexpected.map(key => shapeOf(state, key)),
      ),
      ...section('shape', wrong),
    ];
    throw new ValueError(
      'loadStateDict',
      `keys and shapes must be those of ${m.constructor.name}`,
      `${missing.length} missing, ${unexpected.length} unexpected, ${wrong.length} of another shape`,
      `${advice(own, missing, unexpected)}. Nothing was loaded:\n${lines.join('\n')}`,
    );
  }
  noGrad(() => {
    for (const [t, given] of fitting) t.copy_(given);
  });
  return { missingKeys: missing, unexpectedKeys: unexpected };
}

const SHOWN = 20;
function section(title: string, lines: readonly string[]): string[] {
  const more = lines.length > SHOWN ? [`… and ${lines.length - SHOWN} more`] : [];
  return [...lines.slice(0, SHOWN), ...more].map(line => `  ${title.padEnd(10)}  ${line}`);
}
/** The usual reasons: a prefix too much or too little, or a model that is meant to differ. */
function advice(
  own: ReadonlyMap<string, Tensor>,
  missing: readonly string[],
  unexpected: readonly string[],
): string {
  const rest = (key: string): string => key.slice(key.indexOf('.') + 1);
  const front = (key: string): string => show(key.slice(0, key.indexOf('.') + 1));
  if (missing.length === own.size && unexpected.length > 0) {
    if (unexpected.every(key => own.has(rest(key))))
      return `Take ${front(unexpected[0]!)} off the given keys`;
    if (missing.every(key => unexpected.includes(rest(key))))
      return `Put ${front(missing[0]!)} before the given keys`;
  }
  return 'With {strict: false} what fits in name and shape would be loaded';
}

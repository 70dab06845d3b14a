// A torch call as a call of ours, by the table of names.ts.
// In: a torch name with positional and keyword arguments. Out: the result of our call, or Missing.
// A name without an entry is a method of the first argument (or a function) with the same name in camelCase.

import * as tenon from '../../src/index.ts';
import { Missing } from './check.ts';
import { CALLS } from './names.ts';

export type Arguments = readonly unknown[];
export type Options = Readonly<Record<string, unknown>>;
type Special = (args: Arguments, kwargs: Options) => unknown;

const library = tenon as unknown as Record<string, unknown>;
const { Tensor } = tenon;
type Tensor = InstanceType<typeof Tensor>;

export const camel = (s: string): string =>
  s.replace(/(?<=[a-z0-9])_([a-z0-9])/gi, (_, c: string) => c.toUpperCase());

/** What has overloads in torch that are separate methods or options here. */
const SPECIAL: Readonly<Record<string, Special>> = {
  getitem: ([x, index]) => (x as Tensor).at(...(index as tenon.Index[])),
  setitem: ([x, index, value]) => (x as Tensor).clone().set(index as tenon.Index[], value as Tensor),
  inplace: ([name, x, ...rest], kwargs) =>
    callTorch(`Tensor.${name as string}`, [(x as Tensor).clone(), ...rest], kwargs),
  max: (args, kwargs) => extreme('max', args, kwargs),
  min: (args, kwargs) => extreme('min', args, kwargs),
  var: (args, kwargs) => moment('var', args, kwargs),
  std: (args, kwargs) => moment('std', args, kwargs),
  var_mean: (args, kwargs) => moment('varMean', args, kwargs),
  std_mean: (args, kwargs) => moment('stdMean', args, kwargs),
  norm: (args, kwargs) => {
    const { input, p, dim, keepdim } = named(['input', 'p', 'dim', 'keepdim', 'dtype'], args, kwargs);
    const x = input as Tensor;
    const options = keepdim === undefined ? {} : { keepdim: keepdim as boolean };
    if (p === 'nuc') return tenon.linalg.matrixNorm(x, 'nuc', dim as [number, number] | undefined, options);
    return x.norm((p ?? 2) as number, dim as number, options);
  },
  scatter: (args, kwargs) => {
    const { value, ...rest } = kwargs;
    const { input, dim, index, src, reduce } = named(['input', 'dim', 'index', 'src', 'reduce'], args, rest);
    const options = reduce === undefined ? {} : { reduce: reduce as 'add' };
    return (input as Tensor).scatter(dim as number, index as Tensor, (src ?? value) as Tensor, options);
  },
  index_put: (args, kwargs) => {
    const { input, indices, values, accumulate } = named(
      ['input', 'indices', 'values', 'accumulate'],
      args,
      kwargs,
    );
    return (input as Tensor)
      .clone()
      .indexPut_(indices as Tensor[], values as Tensor, { accumulate: Boolean(accumulate) });
  },
  unique: ([x], { return_inverse, return_counts }) => {
    const out = (x as Tensor).unique({ returnInverse: true, returnCounts: true });
    return [out.values, return_inverse ? out.inverse : null, return_counts ? out.counts : null];
  },
  nonzero: ([x], { as_tuple }) => (as_tuple ? (x as Tensor).nonzero().unbind(1) : (x as Tensor).nonzero()),
  arange: (args, { dtype, ...rest }) => {
    const { start, end, step } = named(args.length === 1 ? ['end'] : ['start', 'end', 'step'], args, rest);
    return tenon.arange((start ?? 0) as number, end as number, (step ?? 1) as number, dtypeOption(dtype));
  },
  'mamba_ssm.selective_scan': (args, { return_last_state, ...kwargs }) => {
    const call =
      'u, delta, A, B, C, D, z, delta_bias, delta_softplus => F.selectiveScanWithState(u, delta, A, B, C, {D, z, delta_bias, delta_softplus})';
    const { y, lastState } = run(call, args, kwargs) as { y: Tensor; lastState: Tensor };
    return return_last_state ? [y, lastState] : y;
  },
  slogdet: ([x]) => tenon.linalg.slogdet(x as Tensor),
  ...pooling('nn.functional.max_pool', 'maxPool', [
    'kernel_size',
    'stride',
    'padding',
    'dilation',
    'ceil_mode',
  ]),
  ...pooling('nn.functional.adaptive_max_pool', 'adaptiveMaxPool', ['output_size']),
};
const dtypeOption = (dtype: unknown): { dtype?: tenon.DType } =>
  dtype === undefined ? {} : { dtype: dtype as tenon.DType };

/** Arguments by torch's parameter names. */
function named(order: readonly string[], args: Arguments, kwargs: Options): Record<string, unknown> {
  return { ...Object.fromEntries(args.map((a, i) => [order[i]!, a])), ...kwargs };
}
function extreme(name: 'max' | 'min', args: Arguments, kwargs: Options): unknown {
  const { input, dim, keepdim } = named(['input', 'dim', 'keepdim'], args, kwargs);
  const x = input as Tensor;
  if (dim === undefined) return x[name]();
  if (dim instanceof Tensor) return name === 'max' ? x.maximum(dim) : x.minimum(dim);
  return x[name](dim as number, keepdim === undefined ? {} : { keepdim: keepdim as boolean });
}
/** var and std: the second positional argument is dims or `unbiased`. */
function moment(name: 'var' | 'std' | 'varMean' | 'stdMean', args: Arguments, kwargs: Options): unknown {
  const order =
    typeof args[1] === 'boolean' ? ['input', 'unbiased', 'keepdim'] : ['input', 'dim', 'unbiased', 'keepdim'];
  const { input, dim, unbiased, correction, keepdim } = named(order, args, kwargs);
  const options = {
    ...(keepdim === undefined ? {} : { keepdim: keepdim as boolean }),
    ...(unbiased === false ? { correction: 0 } : {}),
    ...(correction === undefined ? {} : { correction: correction as number }),
  };
  return (input as Tensor)[name](dim as number, options);
}
/** Max pooling: values alone, or with their positions, which are two functions here. */
function pooling(torch: string, ours: string, parameters: readonly string[]): Record<string, Special> {
  const entry = (rank: number): [string, Special] => [
    `${torch}${rank}d`,
    (args, { return_indices, ...kwargs }) => {
      const [first, ...rest] = parameters;
      const name = `${ours}${rank}d${return_indices ? 'WithIndices' : ''}`;
      return run(`F.${name}(input, ${first}, {${rest.join(', ')}})`, args, kwargs);
    },
  ];
  return Object.fromEntries([1, 2, 3].map(entry));
}

// ---- calls ---------------------------------------------------------------------------------------------------------------

interface Signature {
  readonly target: string;
  readonly method: string;
  /** torch's parameters in torch's order. */
  readonly order: readonly string[];
  readonly positional: readonly string[];
  readonly options: readonly (readonly [ours: string, torch: string])[];
  /** All further positional arguments: as one list, or spread. */
  readonly rest: 'none' | 'list' | 'spread';
}
const NAMESPACES = ['T', 'F', 'linalg', 'nn', 'init'];
const parsed = new Map<string, Signature>();
function parse(entry: string): Signature {
  const had = parsed.get(entry);
  if (had !== undefined) return had;
  const [before, call] = entry.includes('=>') ? (entry.split('=>') as [string, string]) : [null, entry];
  const [, target, method, inside] = /^\s*(\w+)\.(\w+)\((.*)\)\s*$/.exec(call)!;
  const braces = /\{(.*)\}/.exec(inside!)?.[1] ?? '';
  const words = (s: string): string[] =>
    s
      .split(',')
      .map(w => w.trim())
      .filter(w => w !== '');
  const options = words(braces).map(w => {
    const [ours, torch] = w.includes('=') ? (w.split('=') as [string, string]) : [camel(w), w];
    return [ours, torch] as const;
  });
  const plain = words(inside!.replace(/\{.*\}/, ''));
  const rest = plain.some(w => w.startsWith('[...'))
    ? 'list'
    : plain.some(w => w.startsWith('...'))
      ? 'spread'
      : 'none';
  const positional = plain.filter(w => !w.includes('...'));
  const receiver = NAMESPACES.includes(target!) ? [] : [target!];
  const order = before === null ? [...receiver, ...positional, ...options.map(o => o[1])] : words(before);
  const signature: Signature = { target: target!, method: method!, order, positional, options, rest };
  parsed.set(entry, signature);
  return signature;
}

function run(entry: string, args: Arguments, kwargs: Options): unknown {
  const { target, method } = parse(entry);
  const { receiver, list } = bind(entry, args, kwargs);
  return invoke(NAMESPACES.includes(target) ? space(target) : receiver, method, list);
}
/** Makes a layer: the entry is a call of its class. */
export function construct(entry: string, args: Arguments, kwargs: Options): unknown {
  const { method } = parse(entry);
  const Class = (library.nn as Record<string, unknown>)[method] as
    | (new (
        ...args: unknown[]
      ) => unknown)
    | undefined;
  if (Class === undefined) throw new Missing(`there is no nn.${method}`);
  return new Class(...bind(entry, args, kwargs).list);
}
/** The arguments of our call in our order. */
function bind(entry: string, args: Arguments, kwargs: Options): { receiver: unknown; list: unknown[] } {
  const s = parse(entry);
  const fixed = s.rest === 'none' ? s.order.length : s.positional.length;
  if (s.rest === 'none' && args.length > fixed) {
    throw new Missing(`${s.method}: more positional arguments than ${s.order.join(', ')}`);
  }
  const given = named(s.order, args.slice(0, fixed), kwargs);
  const known = [...s.positional, ...s.options.map(o => o[1]), s.target];
  for (const k of Object.keys(given)) {
    if (!known.includes(k) && given[k] != null && given[k] !== false)
      throw new Missing(`${s.method}: no argument ${k}`);
  }
  const list: unknown[] = s.positional.map(p => given[p]);
  const more = args.slice(fixed);
  if (s.rest === 'list') list.push(more.length === 1 && Array.isArray(more[0]) ? more[0] : more);
  else if (s.rest === 'spread') list.push(...more.flat());
  const options = s.options
    .filter(([, torch]) => given[torch] !== undefined)
    .map(([ours, torch]) => [ours, given[torch]]);
  if (options.length > 0) list.push(Object.fromEntries(options));
  while (list.length > 0 && list[list.length - 1] === undefined) list.pop();
  return { receiver: given[s.target], list };
}
const space = (name: string): unknown =>
  name === 'T' ? library : name === 'init' ? tenon.nn.init : library[name];
function invoke(on: unknown, name: string, args: readonly unknown[]): unknown {
  const f = (on as Record<string, unknown> | undefined)?.[name];
  if (typeof f !== 'function') throw new Missing(`there is no ${name}`);
  return f.apply(on, args);
}

/** Calls what torch's name stands for. */
export function callTorch(name: string, args: Arguments, kwargs: Options): unknown {
  const bare = name.startsWith('Tensor.') ? name.slice('Tensor.'.length) : name;
  for (const key of [name, bare]) {
    const special = SPECIAL[key];
    if (special !== undefined) return special(args, kwargs);
    const entry = CALLS[key];
    if (entry !== undefined) return run(entry, args, kwargs);
  }
  // In place: the arguments of the method without the underscore.
  const plain = bare.endsWith('_') ? CALLS[bare.slice(0, -1)] : undefined;
  if (plain !== undefined) {
    const [self, ...rest] = plain.startsWith('T.') ? [...parse(plain).positional] : [];
    if (self === undefined) return run(plain.replace('(', '_('), args, kwargs);
    const { options, method } = parse(plain);
    const names = options.map(([o, t]) => `${o}=${t}`).join(', ');
    return run(`${self}.${method}_(${rest.join(', ')}${names ? `, {${names}}` : ''})`, args, kwargs);
  }
  return byName(bare, args, kwargs);
}
function byName(name: string, args: Arguments, kwargs: Options): unknown {
  const path = name.split('.');
  const method = camel(path[path.length - 1]!);
  const options = Object.entries(kwargs).map(([k, v]) => [camel(k), v]);
  const all = options.length > 0 ? [...args, Object.fromEntries(options)] : [...args];
  if (path.length > 1) {
    const where = name.startsWith('nn.functional.') ? 'F' : path[0] === 'linalg' ? 'linalg' : null;
    if (where === null) throw new Missing(`there is no ${name}`);
    return invoke(space(where), method, all);
  }
  const [first, ...rest] = all;
  if (first instanceof Tensor && method in first) return invoke(first, method, rest);
  return invoke(library, method, all);
}

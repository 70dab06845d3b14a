// Every flag: its name, type, default and meaning. docs/flags.md is generated from FLAGS.
// In: a source of strings (the platform sets it). Out: typed values. Not its job: reading process.env itself.

interface Flag {
  readonly kind: 'int' | 'string' | 'bool';
  readonly initial: number | string | boolean;
  readonly doc: string;
}

export const FLAGS = {
  DEBUG: {
    kind: 'int',
    initial: 0,
    doc: '1: one line per realise and compile; 2: also each kernel; 3: also the graph before and after each rewrite; 4: also the loops',
  },
  TENON_THREADS: {
    kind: 'int',
    initial: 0,
    doc: 'threads of the cpu device; 0: as many as the machine has cores',
  },
  TENON_DEVICE: {
    kind: 'string',
    initial: 'cpu',
    doc: 'the default device: cpu, or one that the program loads with useDevice: reference, null',
  },
  TENON_BLAS: {
    kind: 'string',
    initial: '',
    doc: '0: matrix products never go to a native BLAS; else the name or path of the only one to try',
  },
  TENON_DATA: {
    kind: 'string',
    initial: '',
    doc: 'folder with data sets in their official formats',
  },
  TENON_MAX_MB: {
    kind: 'int',
    initial: 4096,
    doc: 'largest size of the WASM memory in MB',
  },
  TENON_VERIFY: {
    kind: 'bool',
    initial: false,
    doc: '1: check after each rewrite that shapes and dtypes are what the rules of the ops give',
  },
} as const satisfies Record<string, Flag>;

export type FlagName = keyof typeof FLAGS;
type FlagValue<N extends FlagName> = (typeof FLAGS)[N]['initial'] extends number
  ? number
  : (typeof FLAGS)[N]['initial'] extends boolean
    ? boolean
    : string;

const overrides = new Map<FlagName, number | string | boolean>();
let source: (name: string) => string | undefined = () => undefined;

/** Tells where flags come from (process.env in Node, the page's query in a browser). */
export function setFlagSource(read: (name: string) => string | undefined): void {
  source = read;
}

/** Sets a flag for this process; undefined gives it back to the environment. */
export function setFlag<N extends FlagName>(name: N, value: FlagValue<N> | undefined): void {
  if (value === undefined) overrides.delete(name);
  else overrides.set(name, value);
}

export function flag<N extends FlagName>(name: N): FlagValue<N> {
  const set = overrides.get(name);
  if (set !== undefined) return set as FlagValue<N>;
  const f: Flag = FLAGS[name];
  const text = source(name);
  if (text === undefined || text === '') return f.initial as FlagValue<N>;
  if (f.kind === 'string') return text as FlagValue<N>;
  if (f.kind === 'bool') return (text !== '0' && text !== 'false') as FlagValue<N>;
  const n = Number(text);
  return (Number.isFinite(n) ? n : f.initial) as FlagValue<N>;
}

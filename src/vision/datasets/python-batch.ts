// The files of CIFAR for Python: a pickled dict with the pixels as a numpy array and the labels as lists.
// Read by a table of three names, so nothing of the file is run.

import { FileError, show } from '../../base/errors.ts';
import { type Global, unpickle } from '../../io/pickle.ts';

/** Pictures of a file: planes of red, green and blue, 3 · 32 · 32 bytes each. */
export interface Records {
  readonly pixels: Uint8Array;
  readonly fine: Int32Array;
  readonly coarse: Int32Array | null;
}
const PIXELS = 3 * 32 * 32;
/** A numpy array or dtype, which gets its content by its state. */
class Numpy {
  readonly type: string;
  state: readonly unknown[] = [];
  constructor(type: string) {
    this.type = type;
  }
}
const textOf = (x: unknown): string =>
  x instanceof Uint8Array ? new TextDecoder('latin1').decode(x) : String(x);
const NAMES: Readonly<Record<string, Global>> = {
  'numpy.core.multiarray._reconstruct': { name: '_reconstruct', call: () => new Numpy('array') },
  'numpy.ndarray': { name: 'ndarray' },
  'numpy.dtype': { name: 'dtype', call: ([type]) => new Numpy(textOf(type)) },
};

export function parsePythonBatch(bytes: Uint8Array, name: string): Records {
  const bad = (rule: string, got: string): FileError =>
    new FileError('cifar', `${name}: ${rule}`, got, 'delete it and load it again');
  const { value } = unpickle(bytes, 0, {
    strings: 'bytes',
    global: global => {
      const known = NAMES[global];
      if (known === undefined)
        throw bad('it must hold arrays and lists only', `the Python object ${show(global)}`);
      return known;
    },
    persistent: () => {
      throw bad('it must hold arrays and lists only', 'a reference');
    },
    build: (of, state) => {
      if (!(of instanceof Numpy) || !Array.isArray(state)) return false;
      of.state = state;
      return true;
    },
    bad,
  });
  if (!(value instanceof Map)) throw bad('it must hold a dict', show(value));
  const entries = new Map([...value].map(([k, v]): [string, unknown] => [textOf(k), v]));
  // An array's state: version, shape, dtype, order, bytes.
  const data = entries.get('data');
  const [, shape, type, fortran, pixels] = data instanceof Numpy ? data.state : [];
  const [n, width] = Array.isArray(shape) ? (shape as number[]) : [];
  const whole = pixels instanceof Uint8Array && pixels.length === (n ?? 0) * PIXELS;
  if (!whole || width !== PIXELS || !(type instanceof Numpy && type.type === 'u1') || fortran === true)
    throw bad(`'data' must be bytes (n, ${PIXELS})`, show(shape ?? data));
  const labels = (key: string): Int32Array | null => {
    const list = entries.get(key);
    if (list === undefined) return null;
    if (!Array.isArray(list) || list.length !== n || !list.every(Number.isInteger))
      throw bad(`'${key}' must be ${n} integers`, show(list));
    return Int32Array.from(list as number[]);
  };
  const fine = labels('labels') ?? labels('fine_labels');
  if (fine === null) throw bad("it must have 'labels' or 'fine_labels'", [...entries.keys()].join(', '));
  return { pixels, fine, coarse: labels('coarse_labels') };
}

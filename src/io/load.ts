// One way in and one way out for all formats. In: a file, or a value and where it goes. Out: a value, or a file.

import { FileError, show, ValueError } from '../base/errors.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { checkpointChunks, isCheckpoint, type Tree, treeOf } from './checkpoint.ts';
import { nameOf, readBytes, type Source, writeFileAtomic } from './files.node.ts';
import { isNpy, npyBytes, npzChunks, parseNpy, parseNpz } from './npy.ts';
import { isLegacyPth, parsePth, pthChunks } from './pth.ts';
import { parseSafetensors, safetensorsChunks } from './safetensors.ts';
import { isZip, Zip } from './zip.ts';

export type Format = 'safetensors' | 'checkpoint' | 'pth' | 'npy' | 'npz';

/** What a file is, by its bytes; null where it is none of these. Errors: FileError for a torn archive. */
export function formatOf(bytes: Uint8Array, file = 'the file'): Format | null {
  if (isNpy(bytes)) return 'npy';
  if (isLegacyPth(bytes)) return 'pth';
  if (isZip(bytes)) return new Zip(bytes, 'load', file).names.every(n => n.endsWith('.npy')) ? 'npz' : 'pth';
  // Behind the length, the header of safetensors begins with a brace.
  if (bytes[8] !== 0x7b) return null;
  return isCheckpoint(parseSafetensors(bytes, file)) ? 'checkpoint' : 'safetensors';
}

/** A file's value and what the file is. Errors: FileError. */
export async function loadFile(op: string, source: Source): Promise<{ format: Format; value: Tree }> {
  const bytes = await readBytes(op, source);
  const file = nameOf(source);
  const format = formatOf(bytes, file);
  if (format === null)
    throw new FileError(
      op,
      `${file} must be a file of safetensors, PyTorch or NumPy`,
      bytes.length === 0 ? 'an empty file' : `bytes ${bytes.subarray(0, 8).join(' ')} …`,
      '',
    );
  const read: Readonly<Record<Format, () => Tree | Promise<Tree>>> = {
    safetensors: () => parseSafetensors(bytes, file).tensors,
    checkpoint: () => treeOf(parseSafetensors(bytes, file), file),
    pth: () => parsePth(bytes, file),
    npy: () => parseNpy(bytes, file),
    npz: () => parseNpz(bytes, file),
  };
  return { format, value: await read[format]() };
}
/**
 * Reads safetensors, checkpoints, PyTorch's .pth and .pt, NumPy's .npy and .npz; what a file is, its bytes tell. Gives a
 * tensor (.npy), tensors by name (safetensors, .npz) or a tree of tensors and plain data. Errors: FileError.
 */
export const load = async (source: Source): Promise<Tree> => (await loadFile('load', source)).value;

/**
 * The tensors of any such file by their paths (`model.fc1.weight`), plain data left out: `module.loadStateDict(await
 * loadTensors(file))`. Errors: FileError, for a file without tensors too.
 */
export async function loadTensors(source: Source): Promise<Record<string, Tensor>> {
  const found = tensorsOf(await load(source));
  if (found.length === 0)
    throw new FileError('loadTensors', `${nameOf(source)} must hold tensors`, 'none', '');
  const names = new Set<string>();
  for (const [name] of found) {
    if (names.has(name)) throw new FileError('loadTensors', 'a path must lead to one tensor', show(name), '');
    names.add(name);
  }
  return Object.fromEntries(found);
}
/** All tensors of a tree with their paths. */
export function tensorsOf(tree: Tree, path = ''): [string, Tensor][] {
  if (isTensor(tree)) return [[path === '' ? 'tensor' : path, tree]];
  if (typeof tree !== 'object' || tree === null || tree instanceof Uint8Array) return [];
  const entries = tree instanceof Map ? [...tree] : Object.entries(tree);
  return entries.flatMap(([k, v]) => tensorsOf(v, path === '' ? String(k) : `${path}.${String(k)}`));
}

const isPlain = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && [Object.prototype, null].includes(Object.getPrototypeOf(x));
const isNamed = (x: unknown): x is Record<string, Tensor> => isPlain(x) && Object.values(x).every(isTensor);

/** How a value is written, by the end of the file's name. */
const WRITERS: Readonly<Record<string, (value: Tree) => Iterable<Uint8Array>>> = {
  safetensors: value => (isNamed(value) ? safetensorsChunks(value) : checkpointChunks(value)),
  pth: pthChunks,
  pt: pthChunks,
  bin: pthChunks,
  npy: value => {
    if (!isTensor(value))
      throw new ValueError('save', 'a .npy file holds one tensor', show(value), 'write .npz');
    return [npyBytes(value)];
  },
  npz: value => {
    if (!isNamed(value))
      throw new ValueError(
        'save',
        'a .npz file holds tensors by name',
        show(value),
        'write .safetensors or .pth',
      );
    return npzChunks(value);
  },
};
/**
 * Writes a value whole or not at all, in the format that the name ends with: .safetensors (tensors by name; a tree of
 * tensors and plain data becomes a checkpoint), .pth, .pt and .bin (PyTorch), .npy (a tensor), .npz (tensors by name).
 * Errors: ValueError for another end or a value that the format does not hold; FileError, such as a full disk. The old
 * file stays.
 */
export async function save(path: string, value: Tree): Promise<void> {
  const end = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  if (!Object.hasOwn(WRITERS, end))
    throw new ValueError(
      'save',
      `the file's name ends with ${Object.keys(WRITERS)
        .map(e => `.${e}`)
        .join(', ')}`,
      show(path),
      '',
    );
  await writeFileAtomic(path, WRITERS[end]!(value));
}

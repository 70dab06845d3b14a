// Checkpoints: a tree of tensors and plain data in one safetensors file, which any reader of that format opens: tensors
// under their path in the tree (`model.fc1.weight`), the tree itself as JSON in the metadata under `tree`, where
// {"$tensor": NAME} stands for a tensor and {"$number": TEXT} for what JSON lacks (NaN, ±Infinity, −0, bigint).

import { joined } from '../base/bytes.ts';
import { FileError, show, ValueError } from '../base/errors.ts';
import { isTensor } from '../tensor/operand.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  joinPath,
  listFolder,
  makeFolder,
  nameOf,
  readBytes,
  removeFile,
  type Source,
  writeFileAtomic,
} from './files.node.ts';
import { parseSafetensors, type Safetensors, safetensorsChunks } from './safetensors.ts';

/** Tensors, numbers, texts, booleans, null, bigints, in lists and plain objects. undefined in an object is left out. */
export type Tree = unknown;

const FORMAT = 'tenon-checkpoint-1';

function packNumber(x: number | bigint): unknown {
  if (typeof x === 'bigint') return { $number: `${x}n` };
  return Number.isFinite(x) && !Object.is(x, -0) ? x : { $number: Object.is(x, -0) ? '-0' : String(x) };
}
const unpackNumber = (text: string): number | bigint =>
  text.endsWith('n') ? BigInt(text.slice(0, -1)) : Number(text);

/** The tree as JSON and its tensors by path; a tensor that stands in several places is kept once. */
function pack(tree: Tree): { tensors: Record<string, Tensor>; json: string } {
  const tensors: Record<string, Tensor> = {};
  const names = new Map<Tensor, string>();
  const walk = (x: unknown, path: string): unknown => {
    if (isTensor(x)) {
      let name = names.get(x);
      if (name === undefined) {
        name = path === '' ? 'tensor' : path;
        while (Object.hasOwn(tensors, name) || name === '__metadata__') name += "'";
        names.set(x, name);
        tensors[name] = x;
      }
      return { $tensor: name };
    }
    const under = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
    if (Array.isArray(x)) return x.map((v, i) => walk(v === undefined ? null : v, under(i)));
    if (typeof x === 'number' || typeof x === 'bigint') return packNumber(x);
    if (x === null || typeof x === 'string' || typeof x === 'boolean') return x;
    const plain = typeof x === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(x));
    if (!plain)
      throw new ValueError(
        'saveCheckpoint',
        `${path || 'the value'} must be a tensor or plain data`,
        show(x),
        '',
      );
    const entries = Object.entries(x as object).filter(([, v]) => v !== undefined);
    const escaped = entries.some(([k]) => k.startsWith('$'));
    const out = entries.map(([k, v]) => [k, walk(v, under(k))] as const);
    return escaped ? { $object: out } : Object.fromEntries(out);
  };
  return { json: JSON.stringify(walk(tree, '')), tensors };
}
function unpack(json: string, tensors: Readonly<Record<string, Tensor>>, file: string): Tree {
  const walk = (x: unknown): unknown => {
    if (Array.isArray(x)) return x.map(walk);
    if (x === null || typeof x !== 'object') return x;
    const o = x as Record<string, unknown>;
    if (typeof o['$tensor'] === 'string') {
      const t = Object.hasOwn(tensors, o['$tensor']) ? tensors[o['$tensor']] : undefined;
      if (t === undefined) throw damaged(file, `no tensor ${show(o['$tensor'])}`);
      return t;
    }
    if (typeof o['$number'] === 'string') return unpackNumber(o['$number']);
    if (Array.isArray(o['$object'])) {
      const entries = (o['$object'] as [string, unknown][]).map(([k, v]) => [k, walk(v)] as const);
      return Object.fromEntries(entries);
    }
    return Object.fromEntries(Object.entries(o).map(([k, v]) => [k, walk(v)]));
  };
  try {
    return walk(JSON.parse(json));
  } catch (e) {
    throw e instanceof FileError ? e : damaged(file, (e as Error).message);
  }
}
const damaged = (file: string, got: string): FileError =>
  new FileError('loadCheckpoint', `${file} must be a checkpoint of Tenon`, got, '');

/** The pieces of a checkpoint's file, in order. */
export function checkpointChunks(tree: Tree): Generator<Uint8Array> {
  const { json, tensors } = pack(tree);
  return safetensorsChunks(tensors, { format: FORMAT, tree: json });
}
/** A checkpoint's bytes. */
export const checkpointBytes = (tree: Tree): Uint8Array => joined(checkpointChunks(tree));
/** Writes a tree of tensors and plain data to a file, whole or not at all. Errors: FileError; the old file stays. */
export async function saveCheckpointFile(path: string, tree: Tree): Promise<void> {
  await writeFileAtomic(path, checkpointChunks(tree));
}
/** Reads what `saveCheckpointFile` wrote. Errors: FileError for any other file. */
export async function loadCheckpoint(source: Source): Promise<Tree> {
  const file = nameOf(source);
  return treeOf(parseSafetensors(await readBytes('loadCheckpoint', source), file), file);
}
export const isCheckpoint = ({ metadata }: Safetensors): boolean => metadata['format'] === FORMAT;
/** The tree in a file. Errors: FileError for other files. */
export function treeOf(content: Safetensors, file: string): Tree {
  const { tensors, metadata } = content;
  if (!isCheckpoint(content)) throw damaged(file, `format ${show(metadata['format'] ?? 'none')}`);
  return unpack(metadata['tree'] ?? '', tensors, file);
}

const NAME = /^step-(\d{12})\.safetensors$/;
/**
 * Writes the checkpoint of a step into a folder and removes all but the newest `keep` (default 2). Returns the file. A
 * process that is killed at any moment leaves whole files only.
 */
export async function saveCheckpoint(
  folder: string,
  step: number,
  tree: Tree,
  { keep = 2 }: { keep?: number } = {},
): Promise<string> {
  if (!Number.isSafeInteger(step) || step < 0)
    throw new ValueError('saveCheckpoint', 'step must be an integer >= 0', show(step), '');
  if (!Number.isInteger(keep) || keep < 1)
    throw new ValueError('saveCheckpoint', 'keep must be an integer >= 1', show(keep), '');
  await makeFolder(folder);
  const file = joinPath(folder, `step-${String(step).padStart(12, '0')}.safetensors`);
  await saveCheckpointFile(file, tree);
  for (const old of (await checkpoints(folder)).slice(0, -keep)) await removeFile(joinPath(folder, old));
  // What a killed process left behind.
  for (const f of await listFolder(folder))
    if (f.startsWith('.step-') && f.endsWith('.part')) await removeFile(joinPath(folder, f));
  return file;
}
const checkpoints = async (folder: string): Promise<string[]> =>
  (await listFolder(folder)).filter(f => NAME.test(f)).sort();

/** The newest checkpoint in a folder; null where there is none. */
export async function latestCheckpoint(folder: string): Promise<string | null> {
  const newest = (await checkpoints(folder)).at(-1);
  return newest === undefined ? null : joinPath(folder, newest);
}

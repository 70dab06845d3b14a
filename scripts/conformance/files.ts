// Cases about files: their tensors and plain values, what the model says with these weights, and files that must be
// refused.

import { join } from 'node:path';
import { FileError } from '../../src/base/errors.ts';
import { type nn, noGrad, Tensor } from '../../src/index.ts';
import { load, type Tree, tensorsOf } from '../../src/io/index.ts';
import { compare, compareValues, Mismatch, Missing } from './check.ts';
import { FILE_MODELS } from './file-models.ts';
import { type Case, type FileTensor, type Stored, toTensor } from './format.ts';

export async function runFile(c: Case, stored: ReadonlyMap<string, Stored>, dir: string): Promise<void> {
  if (c.op === 'onnx') throw new Missing('file: ONNX is not read yet');
  const path = join(dir, c.path);
  if ((c.expect as unknown as string) === 'error') {
    await refused(path);
    return;
  }
  const tree = await load(path);
  const found = new Map(leaves(tree));
  for (const [name, want] of Object.entries(c.tensors)) {
    const got = found.get(name === '.' ? '' : name.replaceAll('|', '/')) ?? found.get(name);
    if (!(got instanceof Tensor)) throw new Mismatch(`there is no tensor '${name}'`);
    compareFileTensor(name, got, want, stored);
  }
  for (const [name, want] of Object.entries(c.values)) {
    const got = found.get(name);
    const value =
      want !== null && typeof want === 'object'
        ? Number(String(want['$float']).replace('inf', 'Infinity'))
        : want;
    if (!Object.is(typeof got === 'bigint' ? Number(got) : got, value))
      throw new Mismatch(`${name}: ${String(got)}, wants ${String(value)}`);
  }
  if (c.model_output !== undefined) runFileModel(c, tree, stored);
}

async function refused(path: string): Promise<void> {
  try {
    await load(path);
  } catch (e) {
    if (e instanceof FileError) return;
    throw e;
  }
  throw new Mismatch('the file was read, wants an error');
}

/** Tensors and plain values by their paths, with / between keys. */
function leaves(tree: unknown, path = ''): [string, unknown][] {
  if (tree instanceof Tensor || tree === null || typeof tree !== 'object') return [[path, tree]];
  return Object.entries(tree).flatMap(([k, v]) => leaves(v, path === '' ? k : `${path}/${k}`));
}

/** Large tensors are known by their sums and their ends. */
function compareFileTensor(
  name: string,
  got: Tensor,
  want: FileTensor,
  stored: ReadonlyMap<string, Stored>,
): void {
  if (got.dtype !== want.dtype || got.shape.join() !== want.shape.join())
    throw new Mismatch(`${name}: ${got.dtype} (${got.shape}), wants ${want.dtype} (${want.shape})`);
  if (want.key !== undefined) {
    compare(name, got, stored.get(want.key)!, { rtol: 0, atol: 0 });
    return;
  }
  const data = Array.from(got.dataSync() as ArrayLike<number>, Number);
  const exact = { rtol: 0, atol: 0 };
  const list = (values: readonly number[]): Stored => ({
    dtype: got.dtype,
    shape: [values.length],
    data: values,
  });
  compareValues(`${name} first`, data.slice(0, want.first!.length), list(want.first!), exact);
  compareValues(`${name} last`, data.slice(-want.last!.length), list(want.last!), exact);
  const sums = [data.reduce((a, v) => a + v, 0), data.reduce((a, v) => a + v * v, 0)];
  compareValues(`${name} sums`, sums, list([want.sum!, want.sumsq!]), { rtol: 1e-6, atol: 1e-6 });
}

function runFileModel(c: Case, tree: Tree, stored: ReadonlyMap<string, Stored>): void {
  const name = c.id.split('/').at(-1)!;
  const make = FILE_MODELS[name];
  if (make === undefined) throw new Missing(`file: the layers of ${name} are missing`);
  const model = make();
  model.loadStateDict(Object.fromEntries(tensorsOf(tree)));
  model.eval();
  const inputs = c.model_inputs!.map(key => toTensor(stored.get(key)!));
  const out = noGrad(() => (model as nn.Module & ((...x: Tensor[]) => Tensor))(...inputs));
  compare('the model', out, stored.get(c.model_output!)!, c.tolerance);
}

// PyTorch's files (torch.save): a pickle that refers to memories of tensors, in a zip archive since PyTorch 1.6, one after
// the other before. In: bytes, or a tree of tensors and plain data. Out: the other. Nothing of a file is ever run: of all
// names that a pickle can call, those below are known, and they are functions of this file.

import { joined } from '../base/bytes.ts';
import { byteWidth, type DType, isDType, isFloat, type TypedArray, typedArray } from '../base/dtype.ts';
import { FileError, show } from '../base/errors.ts';
import { contiguousStrides } from '../base/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { isSize, isSizes, sizeOf, tensorOf } from './bytes.ts';
import type { Tree } from './checkpoint.ts';
import { type Global, type PickleRules, unpickle } from './pickle.ts';
import { type Pickler, pickle } from './pickle-writer.ts';
import { isZip, Zip, zipChunks } from './zip.ts';

const OP = 'pth';
type Bad = PickleRules['bad'];

/** The class of a memory by the dtype of its elements. */
const STORAGES: Readonly<Record<DType, string>> = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
};

/** The memory of tensors. */
class Storage {
  readonly key: string;
  readonly dtype: DType;
  readonly numel: number;
  bytes: Uint8Array | null = null;
  constructor(key: string, dtype: DType, numel: number) {
    this.key = key;
    this.dtype = dtype;
    this.numel = numel;
  }
}
/** A part of a memory: all of it, but for views in the oldest files. */
class StoragePart {
  readonly whole: Storage;
  readonly offset: number;
  constructor(whole: Storage, offset: number) {
    this.whole = whole;
    this.offset = offset;
  }
}
/** A tensor whose memory is not there yet: in the old format it comes behind the pickle. */
class Lazy {
  readonly storage: Storage;
  readonly dtype: DType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly requiresGrad: boolean;
  constructor(fields: { [K in keyof Lazy]: Lazy[K] }) {
    ({
      storage: this.storage,
      dtype: this.dtype,
      offset: this.offset,
      shape: this.shape,
      stride: this.stride,
      requiresGrad: this.requiresGrad,
    } = fields);
  }
}
/** A class of memories; null: bytes without a dtype. */
interface StorageClass extends Global {
  readonly dtype: DType | null;
}

// ---- the names that are known ------------------------------------------------------------------------------------------

function globals(file: string, bad: Bad): PickleRules['global'] {
  const rebuild = (
    part: unknown,
    offset: unknown,
    shape: unknown,
    stride: unknown,
    grad: unknown,
    as?: DType,
  ) => {
    if (!(part instanceof StoragePart)) throw bad('a tensor has a memory', show(part));
    const { whole: storage } = part;
    const dtype = as ?? storage.dtype;
    const numel = sizeOf(shape);
    if (
      numel === null ||
      !isSize(offset) ||
      !isSizes(shape) ||
      !isSizes(stride) ||
      stride.length !== shape.length
    )
      throw bad('a tensor has an offset, a shape and strides', [offset, shape, stride].map(show).join(', '));
    const first = part.offset + offset;
    const last = shape.reduce((at, d, i) => at + (d - 1) * stride[i]!, first);
    const length = (storage.numel * byteWidth(storage.dtype)) / byteWidth(dtype);
    if (numel > 0 && !(last < length))
      throw bad('a tensor lies in its memory', `element ${last} of ${length} in memory ${storage.key}`);
    return new Lazy({
      storage,
      dtype,
      offset: first,
      shape,
      stride,
      requiresGrad: grad === true && isFloat(dtype),
    });
  };
  const parameter = ([t, grad]: readonly unknown[]): Lazy => {
    if (!(t instanceof Lazy)) throw bad('a parameter is a tensor', show(t));
    return new Lazy({ ...t, requiresGrad: grad !== false && isFloat(t.dtype) });
  };
  const list = (x: unknown): readonly unknown[] => {
    if (!Array.isArray(x)) throw bad('a call has a list', show(x));
    return x;
  };
  const dtypeOf = (x: unknown): DType => {
    const name = (x as Global | null)?.name?.replace('torch.', '');
    if (!isDType(name)) throw bad('a tensor has a dtype', show(x));
    return name;
  };
  const set = ([items = []]: readonly unknown[]): Set<unknown> => new Set(list(items));
  const calls: Readonly<Record<string, NonNullable<Global['call']>>> = {
    'collections.OrderedDict': ([items = []]) =>
      new Map(list(items).map(pair => [list(pair)[0], list(pair)[1]] as const)),
    'torch._utils._rebuild_tensor': ([s, offset, shape, stride]) => rebuild(s, offset, shape, stride, false),
    'torch._utils._rebuild_tensor_v2': ([s, offset, shape, stride, grad]) =>
      rebuild(s, offset, shape, stride, grad),
    'torch._utils._rebuild_tensor_v3': ([s, offset, shape, stride, grad, , dtype]) =>
      rebuild(s, offset, shape, stride, grad, dtypeOf(dtype)),
    'torch._utils._rebuild_parameter': parameter,
    'torch._utils._rebuild_parameter_with_state': parameter,
    'torch.Size': ([items = []]) => list(items),
    'torch.device': parts => parts.map(String).join(':'),
    '__builtin__.set': set,
    'builtins.set': set,
    'builtins.frozenset': set,
    '_codecs.encode': ([s]) => {
      if (typeof s !== 'string') throw bad('a call has a text', show(s));
      return Uint8Array.from(s, c => c.charCodeAt(0));
    },
  };
  return name => {
    if (Object.hasOwn(calls, name)) return { name, call: calls[name]! };
    const kept = constantOf(name);
    if (kept !== null) return kept;
    throw new FileError(
      OP,
      `${file} must hold tensors and plain data only`,
      `the Python object ${show(name)}; nothing of the file was run`,
      'in PyTorch, save model.state_dict() and numbers, texts, lists and dicts',
    );
  };
}
/** Names that stand for themselves: classes of memories, dtypes. */
function constantOf(name: string): Global | null {
  if (/^torch\.storage\._?UntypedStorage$|^torch\.UntypedStorage$/.test(name)) {
    const bytes: StorageClass = { name, dtype: null };
    return bytes;
  }
  const found = Object.entries(STORAGES).find(([, c]) => name === `torch.${c}`);
  if (found !== undefined) {
    const typed: StorageClass = { name, dtype: found[0] as DType };
    return typed;
  }
  return name.startsWith('torch.') && isDType(name.slice('torch.'.length)) ? { name } : null;
}

/** Collects the memories that a pickle refers to. */
function storages(bad: Bad): { found: Map<string, Storage>; persistent: PickleRules['persistent'] } {
  const found = new Map<string, Storage>();
  const persistent = (id: unknown): StoragePart => {
    const parts = Array.isArray(id) ? id : [];
    const [kind, type, key, , numel, view] = parts as unknown[];
    const known = typeof type === 'object' && type !== null && 'dtype' in type;
    if (kind !== 'storage' || !known || typeof key !== 'string' || !isSize(numel))
      throw bad('a memory has a type, a key and a size', parts.map(show).join(', ') || show(id));
    const dtype = (type as StorageClass).dtype ?? 'uint8';
    const storage = found.get(key) ?? new Storage(key, dtype, numel);
    if (storage.dtype !== dtype || storage.numel !== numel)
      throw bad(`memory ${key} is ${storage.dtype} of ${storage.numel} elements`, `${dtype} of ${numel}`);
    found.set(key, storage);
    const offset = Array.isArray(view) ? (view[1] as unknown) : 0;
    if (!isSize(offset)) throw bad('a view of a memory has an offset', show(offset));
    return new StoragePart(storage, offset);
  };
  return { found, persistent };
}

// ---- reading -----------------------------------------------------------------------------------------------------------

/**
 * Reads what `torch.save` wrote, by the zip or the older format: tensors, and plain data in lists, objects (dicts whose
 * keys are texts or whole numbers) and Maps (other dicts). Errors: FileError for a damaged file and for every object of
 * another kind, by its name.
 */
export async function parsePth(bytes: Uint8Array, file = 'the file'): Promise<Tree> {
  const bad: Bad = (rule, got) => new FileError(OP, `${file}: ${rule}`, got, 'the file is damaged');
  if (isZip(bytes)) return fromZip(bytes, file, bad);
  if (isLegacyPth(bytes)) return fromLegacy(bytes, file, bad);
  throw new FileError(
    OP,
    `${file} must be a file of torch.save`,
    bytes.length === 0 ? 'an empty file' : `bytes ${bytes.subarray(0, 8).join(' ')} …`,
    '',
  );
}

async function fromZip(bytes: Uint8Array, file: string, bad: Bad): Promise<Tree> {
  const zip = new Zip(bytes, OP, file);
  const main = zip.names.filter(n => /^[^/]+\/data\.pkl$/.test(n));
  if (main.length !== 1) throw bad('the archive has one data.pkl', `${main.length}`);
  const folder = main[0]!.slice(0, -'data.pkl'.length);
  const { found, persistent } = storages(bad);
  const source = await zip.read(main[0]!);
  const { value } = unpickle(source, 0, { global: globals(file, bad), persistent, bad });
  const order = `${folder}byteorder`;
  if (zip.names.includes(order) && new TextDecoder().decode(await zip.read(order)).trim() !== 'little')
    throw bad('a file was written on a little-endian machine', 'another byte order');
  for (const s of found.values()) {
    const raw = await zip.read(`${folder}data/${s.key}`);
    const want = s.numel * byteWidth(s.dtype);
    if (raw.length !== want) throw bad(`memory ${s.key} has ${want} bytes`, `${raw.length}`);
    s.bytes = raw;
  }
  return finished(value, bad);
}

/** 0x1950a86a20f9469cfc6c, pickled: what files of the older format begin with. */
const MAGIC = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
export const isLegacyPth = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x80 && MAGIC.every((b, i) => bytes[i + 2] === b);

function fromLegacy(bytes: Uint8Array, file: string, bad: Bad): Tree {
  const { found, persistent } = storages(bad);
  const rules: PickleRules = { global: globals(file, bad), persistent, bad };
  let at = 2 + MAGIC.length;
  const next = (): unknown => {
    const { value, end } = unpickle(bytes, at, rules);
    at = end;
    return value;
  };
  const version = next();
  if (version !== 1001) throw bad('the version is 1001', show(version));
  const system = next();
  if (!(system instanceof Map) || system.get('little_endian') !== true)
    throw bad('a file was written on a little-endian machine', show(system));
  const value = next();
  const keys = next();
  if (!Array.isArray(keys)) throw bad('the keys of all memories are a list', show(keys));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const key of keys as unknown[]) {
    const s = found.get(key as string);
    if (s === undefined || s.bytes !== null) throw bad('each memory is there once', show(key));
    const length = s.numel * byteWidth(s.dtype);
    if (at + 8 + length > bytes.length) throw bad(`memory ${s.key} is whole`, `the end at ${bytes.length}`);
    if (view.getBigUint64(at, true) !== BigInt(s.numel))
      throw bad(`memory ${s.key} has ${s.numel} elements`, `${view.getBigUint64(at, true)}`);
    s.bytes = bytes.subarray(at + 8, at + 8 + length);
    at += 8 + length;
  }
  for (const s of found.values()) if (s.bytes === null) throw bad(`memory ${s.key} is there`, 'none');
  if (at !== bytes.length) throw bad('memories fill the file', `${bytes.length - at} bytes more`);
  return finished(value, bad);
}

// ---- from Python's values to ours --------------------------------------------------------------------------------------

/** Deeper trees are no data, and would overflow the stack of whoever walks them. */
const DEEPEST = 500;
/** Lists that stand in many places can make a short file an endless tree. */
const LARGEST = 50_000_000;

/** The value with tensors for their descriptions; what stood in two places does so again. */
function finished(root: unknown, bad: Bad): Tree {
  const done = new Map<unknown, { value: unknown; size: number } | null>();
  const walk = (x: unknown, depth: number): { value: unknown; size: number } => {
    if (typeof x !== 'object' || x === null || x instanceof Uint8Array) return { value: x, size: 1 };
    const known = done.get(x);
    if (known === null) throw bad('the data is a tree', 'a value that contains itself');
    if (known !== undefined) return known;
    if (depth > DEEPEST) throw bad(`the data is at most ${DEEPEST} levels deep`, 'more');
    done.set(x, null);
    let size = 1;
    const part = (v: unknown): unknown => {
      const inner = walk(v, depth + 1);
      size += inner.size;
      if (size > LARGEST) throw bad(`the data has at most ${LARGEST} values`, 'more');
      return inner.value;
    };
    let value: unknown;
    if (x instanceof Lazy) value = tensorFrom(x, bad);
    else if (Array.isArray(x)) value = x.map(part);
    else if (x instanceof Set) value = [...x].map(part);
    else if (x instanceof Map) value = asObject(new Map([...x].map(([k, v]) => [part(k), part(v)])));
    else if ('name' in x && isDType((x.name as string).slice('torch.'.length)))
      value = (x.name as string).slice('torch.'.length);
    else throw bad('the data is plain', 'name' in x ? String(x.name) : 'a memory without a tensor');
    const out = { value, size };
    done.set(x, out);
    return out;
  };
  return walk(root, 0).value;
}
/** A dict with texts, or with whole numbers, as an object; other dicts stay Maps. */
function asObject(dict: ReadonlyMap<unknown, unknown>): unknown {
  const keys = [...dict.keys()];
  const plain = keys.every(k => typeof k === 'string') || keys.every(isSize);
  return plain ? Object.fromEntries(dict as ReadonlyMap<string, unknown>) : dict;
}

/** Views that repeat their memory more often than this are refused; dims of stride 0 take no memory. */
const MOST_REPEATED = 64;
function tensorFrom(lazy: Lazy, bad: Bad): Tensor {
  const { storage, dtype, offset, shape, stride } = lazy;
  const width = byteWidth(dtype);
  const bytes = storage.bytes!;
  const numel = sizeOf(shape)!;
  // A dim of stride 0 is one element, repeated without memory.
  const core = numel === 0 ? [...shape] : shape.map((d, i) => (stride[i] === 0 ? 1 : d));
  const count = sizeOf(core)!;
  const straight = contiguousStrides(core);
  let t: Tensor;
  if (core.every((d, i) => d === 1 || stride[i] === straight[i]) || count === 0) {
    const from = count === 0 ? 0 : offset * width;
    t = tensorOf(bytes.subarray(from, from + count * width), core, dtype);
  } else {
    if (count > MOST_REPEATED * Math.max(1, bytes.length / width))
      throw bad('a tensor is hardly larger than its memory', `${count} elements in ${bytes.length} bytes`);
    const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
    const all = typedArray(dtype, aligned.buffer, aligned.byteOffset, Math.floor(aligned.length / width));
    const out = gathered(all, offset, core, stride, typedArray(dtype, new ArrayBuffer(count * width)));
    t = tensorOf(new Uint8Array(out.buffer as ArrayBuffer), core, dtype);
  }
  if (core.some((d, i) => d !== shape[i])) t = t.expand(shape);
  return lazy.requiresGrad ? t.detach().requiresGrad_() : t;
}
/** The elements of a view, row by row. */
function gathered(
  all: TypedArray,
  offset: number,
  shape: readonly number[],
  stride: readonly number[],
  out: TypedArray,
): TypedArray {
  const inner = shape.at(-1)!;
  const step = stride.at(-1)!;
  const place = new Array<number>(shape.length - 1).fill(0);
  for (let row = 0; row < out.length; row += inner) {
    const from = place.reduce((at, p, i) => at + p * stride[i]!, offset);
    for (let j = 0; j < inner; j++) out[row + j] = all[from + j * step]!;
    for (let i = place.length - 1; i >= 0 && ++place[i]! === shape[i]; i--) place[i] = 0;
  }
  return out;
}

// ---- writing -----------------------------------------------------------------------------------------------------------

/** The pieces of a file that `torch.load` takes, with weights_only too. Errors: ValueError for what is no plain data. */
export function* pthChunks(tree: Tree): Generator<Uint8Array> {
  const tensors: Tensor[] = [];
  const data = pickle(OP, tree, (p, t) => writeTensor(p, t, String(tensors.push(t) - 1)));
  const text = (s: string): Uint8Array => new TextEncoder().encode(s);
  function* entries(): Generator<readonly [string, Uint8Array]> {
    yield ['archive/data.pkl', data];
    yield ['archive/byteorder', text('little')];
    for (const [i, t] of tensors.entries()) yield [`archive/data/${i}`, t._bytes()];
    yield ['archive/version', text('3\n')];
  }
  yield* zipChunks(OP, entries());
}
/** A file's bytes. */
export const pthBytes = (tree: Tree): Uint8Array => joined(pthChunks(tree));

function writeTensor(p: Pickler, t: Tensor, key: string): void {
  const { dtype, shape, numel } = t;
  const ints = (list: readonly number[]): void =>
    p.tuple(() => {
      for (const v of list) p.number(v);
    });
  p.global('torch._utils._rebuild_tensor_v2');
  p.tuple(() => {
    p.tuple(() => {
      p.text('storage');
      p.global(`torch.${STORAGES[dtype]}`);
      p.text(key);
      p.text('cpu');
      p.number(numel);
    });
    p.bytes.u8(0x51);
    p.number(0);
    ints(shape);
    ints(contiguousStrides(shape));
    p.bytes.u8(t.requiresGrad ? 0x88 : 0x89);
    p.global('collections.OrderedDict');
    p.bytes.u8(0x29, 0x52);
  });
  p.bytes.u8(0x52);
}

// Zip archives (APPNOTE.TXT 6.3), as PyTorch and NumPy write them. In: bytes, or entries by name. Out: the other.
// Reads stored and deflated entries, zip64 too; writes stored ones, each at a multiple of 64 bytes so that tensors can
// lie where they are. Not its job: folders, passwords, archives in several parts.

import { FileError, show, ValueError } from '../base/errors.ts';
import { ByteWriter } from './bytes.ts';
import { crc32, inflate } from './files.node.ts';

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const MAX_32 = 0xffffffff;
/** No deflate stream unpacks to more: two bits for 258 bytes. */
const MOST_PACKED = 1032;

interface Entry {
  readonly name: string;
  readonly packed: boolean;
  readonly crc: number;
  /** In the archive. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
}
type Bad = (rule: string, got: string) => FileError;

export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);

/** An archive whose entries are checked and unpacked when they are asked for. */
export class Zip {
  private readonly entries = new Map<string, Entry>();
  private readonly bad: Bad;

  /** Errors: FileError, in the name of `op`, for an archive that is torn or of a kind that is not read. */
  constructor(bytes: Uint8Array, op: string, file: string) {
    this.bad = (rule, got) => new FileError(op, `${file}: ${rule}`, got, 'the file is damaged');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const { count, start, end } = directory(view, this.bad);
    const places: [from: number, to: number][] = [];
    let at = start;
    for (let i = 0; i < count; i++) {
      const found = record(view, at, end, this.bad);
      at = found.next;
      if (found.name.endsWith('/')) continue;
      if (this.entries.has(found.name)) throw this.bad('a name stands once', `${show(found.name)} twice`);
      const from = dataStart(view, found.local, found.nameBytes, this.bad);
      if (from + found.packedSize > start)
        throw this.bad('entries lie before the directory', show(found.name));
      places.push([found.local, from + found.packedSize]);
      const data = bytes.subarray(from, from + found.packedSize) as Uint8Array<ArrayBuffer>;
      this.entries.set(found.name, { ...found, bytes: data });
    }
    places.sort((a, b) => a[0] - b[0]);
    if (places.some((p, i) => i > 0 && p[0] < places[i - 1]![1]))
      throw this.bad('entries lie side by side', 'entries that overlap');
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }
  /** The bytes of an entry; a stored one is not copied. Errors: FileError where it is missing or its checksum is wrong. */
  async read(name: string): Promise<Uint8Array> {
    const entry = this.entries.get(name);
    if (entry === undefined) throw this.bad(`${name} must be in the archive`, 'none');
    const plain = entry.packed ? await this.unpack(entry) : entry.bytes;
    if (plain.length !== entry.size) throw this.bad(`${name} has ${entry.size} bytes`, `${plain.length}`);
    const crc = crc32(plain);
    if (crc !== entry.crc) throw this.bad(`the checksum of ${name} is ${entry.crc}`, `${crc}`);
    return plain;
  }
  private async unpack({ name, bytes, size }: Entry): Promise<Uint8Array> {
    if (size > MOST_PACKED * bytes.length)
      throw this.bad(`${name} can be unpacked`, `${size} bytes in ${bytes.length}`);
    try {
      return await inflate(bytes, size);
    } catch (e) {
      throw this.bad(`${name} can be unpacked`, (e as Error).message);
    }
  }
}

/** A number of 64 bits; what is no safe integer lies in no file. */
const u64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Where the directory is, from the record at the end of the file. */
function directory(view: DataView, bad: Bad): { count: number; start: number; end: number } {
  const last = view.byteLength - 22;
  let at = last;
  const fits = (): boolean =>
    view.getUint32(at, true) === END && view.getUint16(at + 20, true) === view.byteLength - at - 22;
  while (at >= Math.max(0, last - 0xffff) && !fits()) at--;
  if (at < Math.max(0, last - 0xffff)) throw bad('a zip archive ends with its directory', 'none');
  let [count, size, start] = [
    view.getUint16(at + 10, true),
    view.getUint32(at + 12, true),
    view.getUint32(at + 16, true),
  ];
  if (at >= 20 && view.getUint32(at - 20, true) === LOCATOR_64) {
    const end64 = u64(view, at - 12);
    if (!(end64 <= at - 76 && view.getUint32(end64, true) === END_64))
      throw bad('the directory is in the file', `one at ${end64}`);
    [count, size, start] = [u64(view, end64 + 32), u64(view, end64 + 40), u64(view, end64 + 48)];
  }
  if (!(start + size <= at) || count * 46 > size)
    throw bad('the directory is in the file', `${count} entries in ${size} bytes at ${start}`);
  return { count, start, end: start + size };
}

/** One record of the directory. */
function record(view: DataView, at: number, end: number, bad: Bad) {
  if (at + 46 > end || view.getUint32(at, true) !== CENTRAL)
    throw bad('the directory is a list of entries', `something else at ${at}`);
  const [nameLength, extraLength, noteLength] = [28, 30, 32].map(o => view.getUint16(at + o, true)) as [
    number,
    number,
    number,
  ];
  const next = at + 46 + nameLength + extraLength + noteLength;
  if (next > end) throw bad('the directory is whole', `an entry at ${at} that ends at ${next}`);
  const nameBytes = new Uint8Array(view.buffer, view.byteOffset + at + 46, nameLength);
  const name = new TextDecoder().decode(nameBytes);
  if (view.getUint16(at + 8, true) & 1) throw bad(`${name} can be read`, 'an entry with a password');
  const method = view.getUint16(at + 10, true);
  if (method !== 0 && method !== 8)
    throw bad(`${name} is stored or deflated`, `compression method ${method}`);
  const [packedSize, size, local] = wide(view, at, at + 46 + nameLength, extraLength);
  return {
    name,
    nameBytes,
    packed: method === 8,
    crc: view.getUint32(at + 16, true),
    packedSize,
    size,
    local,
    next,
  };
}
/** Packed size, size and place of an entry; what does not fit into 32 bits stands in the extra field 1, in file order. */
function wide(view: DataView, at: number, extra: number, extraLength: number): [number, number, number] {
  let [packed, size, local] = [20, 24, 42].map(o => view.getUint32(at + o, true)) as [number, number, number];
  for (let p = extra; p + 4 <= extra + extraLength; p += 4 + view.getUint16(p + 2, true)) {
    if (view.getUint16(p, true) !== 1) continue;
    const stop = Math.min(p + 4 + view.getUint16(p + 2, true), extra + extraLength);
    let q = p + 4;
    const next = (v: number): number => (v === MAX_32 && q + 8 <= stop ? u64(view, (q += 8) - 8) : v);
    [size, packed, local] = [next(size), next(packed), next(local)];
    break;
  }
  return [packed, size, local];
}
/** Where the bytes of an entry begin: behind its own header, which has the same name. */
function dataStart(view: DataView, local: number, name: Uint8Array, bad: Bad): number {
  const whole = local + 30 + name.length <= view.byteLength && view.getUint32(local, true) === LOCAL;
  const same =
    whole &&
    view.getUint16(local + 26, true) === name.length &&
    name.every((b, i) => view.getUint8(local + 30 + i) === b);
  if (!same) throw bad('each entry has its header', `${show(new TextDecoder().decode(name))} without`);
  return local + 30 + name.length + view.getUint16(local + 28, true);
}

// ---- writing -----------------------------------------------------------------------------------------------------------

const ALIGN = 64;
/** The extra field that pads a header: an id that no other program reads. */
const PADDING = 0x4246;
/** 1 January 1980: the same content is the same file. */
const DATE = 0x21;

/** The pieces of an archive, in order; each entry is made when its turn comes. */
export function* zipChunks(
  op: string,
  entries: Iterable<readonly [name: string, bytes: Uint8Array]>,
): Generator<Uint8Array> {
  const central = new ByteWriter();
  let at = 0;
  let count = 0;
  for (const [name, bytes] of entries) {
    const nameBytes = new TextEncoder().encode(name);
    const unpadded = at + 30 + nameBytes.length + 4;
    const padding = (ALIGN - (unpadded % ALIGN)) % ALIGN;
    const common = (w: ByteWriter): ByteWriter =>
      w
        .u16(0x800)
        .u16(0)
        .u16(0)
        .u16(DATE)
        .u32(crc32(bytes))
        .u32(bytes.length)
        .u32(bytes.length)
        .u16(nameBytes.length);
    if (unpadded + padding + bytes.length > MAX_32 || count === 0xffff)
      throw new ValueError(
        op,
        'an archive holds less than 4 GiB in less than 65536 entries',
        name,
        'write safetensors',
      );
    const header = common(new ByteWriter().u32(LOCAL).u16(20))
      .u16(4 + padding)
      .put(nameBytes);
    yield header.u16(PADDING).u16(padding).put(new Uint8Array(padding)).done();
    yield bytes;
    common(central.u32(CENTRAL).u16(20).u16(20)).u16(0).u16(0).u16(0).u16(0).u32(0).u32(at).put(nameBytes);
    at = unpadded + padding + bytes.length;
    count++;
  }
  const list = central.done();
  yield list;
  yield new ByteWriter().u32(END).u16(0).u16(0).u16(count).u16(count).u32(list.length).u32(at).u16(0).done();
}
